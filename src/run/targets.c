/* What the targets of the data are to the run's model: the same kind in training and test, and one class for each
 * label. Which labels the classes are is part of the trained state wherever they are not simply 0, 1, …. */
#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "base/escape.h"
#include "base/log.h"
#include "data/targets.h"
#include "run_data.h"

dt_status dt_run_data_check_targets(dt_run_data *data) {
    return dt_targets_check_alike(&data->train.targets, &data->test.targets);
}

dt_status dt_run_data_settle_targets(dt_run_data *data, const dt_reals *class_weights, int64_t outputs, bool resumes) {
    DT_TRY(dt_targets_settle(&data->train.targets, &data->classes, !resumes, outputs));
    DT_TRY(dt_sample_weights_settle(&data->train.weights, &data->train.targets, class_weights));
    return data->has_test ? dt_targets_settle(&data->test.targets, &data->classes, false, outputs) : dt_ok();
}

/* The first names, as they may be shown. */
static void tell_names(const dt_run_data *data) {
    char text[256] = "";
    size_t used = 0;
    const char *name = data->classes.names, *end = name + data->classes.names_bytes;
    for (; name < end && used < 160; name += strlen(name) + 1) {
        if (!*name) continue; /* of an output beyond the classes there are */
        char shown[64];
        dt_escape_name(shown, sizeof shown, name);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? ", " : "", shown);
    }
    dt_log_info("classes of %s: %s%s", data->train.targets.name, text, name < end ? ", …" : "");
}

/* Rows that are no samples. */
static void tell_dropped(const dt_source *source) {
    if (source->dropped == 0) return;
    dt_log_info("%s: %lld of %lld rows of %s lack a value in them or in %s, and are left out (data.missing: drop)",
                source->file, (long long)source->dropped, (long long)(source->dropped + source->samples),
                source->x_name, source->targets.name);
}

static void tell_weights(const dt_sample_weights *weights) {
    enum { SHOWN = 8 };
    char text[256] = "";
    for (int64_t c = 0; c < weights->class_count && c < SHOWN; c++)
        dt_append(text, sizeof text, "%s%.4g", c ? ", " : "", weights->classes[c]);
    dt_log_info("class weights: %s%s", text, weights->class_count > SHOWN ? ", …" : "");
}

void dt_run_data_tell_targets(const dt_run_data *data) {
    const dt_targets *train = &data->train.targets;
    tell_dropped(&data->train);
    if (data->has_test) tell_dropped(&data->test);
    if (data->classes.count > 0 && train->found)
        dt_log_info("%lld classes, numbered in the order of their labels (%s)", (long long)data->classes.count,
                    dt_labels_text(train->found));
    if (data->classes.names) tell_names(data);
    if (data->train.weights.classes) tell_weights(&data->train.weights);
    int64_t row = data->has_test ? dt_targets_unseen(&data->test.targets, train) : -1;
    if (row < 0) return;
    char label[DT_LABEL_TEXT];
    dt_targets_label_text(&data->test.targets, row, label);
    dt_log_info("%s: %s row %lld is %s, a class that no row of %s has (%s)", train->file, data->test.targets.name,
                (long long)row, label, train->name, dt_labels_text(train->found));
}
