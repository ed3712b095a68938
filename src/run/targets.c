/* What the targets of the data are to the run's model: the same kind in training and test, and one class for each
 * label. Which labels the classes are is part of the trained state wherever they are not simply 0, 1, …. */
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/log.h"
#include "run_internal.h"

dt_status dt_run_check_targets(dt_run *run) {
    dt_targets *train = &run->train.targets, *test = &run->test.targets;
    if (train->either && !test->labels) dt_targets_as_numbers(train);
    if (test->either && !train->labels) dt_targets_as_numbers(test);
    if (train->labels == test->labels && (train->labels || train->width == test->width)) return dt_ok();
    char one[64], other[64];
    dt_targets_text(train, one, sizeof one);
    dt_targets_text(test, other, sizeof other);
    return dt_fail(DT_ERR_INPUT, "%s: %s holds %s but %s holds %s; they must be of one kind", train->file, train->name,
                   one, test->name, other);
}

dt_status dt_run_settle_targets(dt_run *run) {
    int64_t outputs = dt_model_outputs(run->model);
    DT_TRY(dt_targets_settle(&run->train.targets, &run->classes, !run->resumes, outputs));
    DT_TRY(dt_class_names(&run->train.targets, &run->class_names, &run->class_names_bytes));
    return run->has_test ? dt_targets_settle(&run->test.targets, &run->classes, false, outputs) : dt_ok();
}

/* The first names, as they may be shown. */
static void tell_names(const dt_run *run) {
    char text[256] = "";
    size_t used = 0;
    const char *name = run->class_names, *end = name + run->class_names_bytes;
    for (; name < end && used < 160; name += strlen(name) + 1) {
        char shown[64];
        dt_escape_name(shown, sizeof shown, name);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? ", " : "", shown);
    }
    dt_log_info("classes of %s: %s%s", run->train.targets.name, text, name < end ? ", …" : "");
}

void dt_run_tell_targets(const dt_run *run) {
    const dt_targets *train = &run->train.targets;
    int64_t label, row;
    if (dt_comm_rank(run->comm) != 0) return;
    if (run->classes.count > 0 && train->found)
        dt_log_info("%lld classes, numbered in the order of their labels (%s)", (long long)run->classes.count,
                    dt_labels_text(train->found));
    if (run->class_names) tell_names(run);
    if (run->has_test && dt_targets_unseen(&run->test.targets, train, &label, &row))
        dt_log_info("%s: %s row %lld is %lld, a class that no row of %s has (%s)", train->file, run->test.targets.name,
                    (long long)row, (long long)label, train->name, dt_labels_text(train->found));
}
