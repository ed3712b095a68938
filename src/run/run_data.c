/* The data of a run: opened, compared with each other, and given an identity that checkpoints keep. */
#include "run_data.h"

#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "base/log.h"
#include "base/memory.h"

/* Collective. Test data that are not there are asked for by default: then the message says how to do without. */
static dt_status open_test(dt_run_data *data, const dt_ranks *ranks, const dt_source_request *request) {
    char missing[DT_TEXT_MAX + 32], field[32];
    snprintf(missing, sizeof missing, ": there is no %s", dt_source_dataset(request->data, request->split));
    dt_status status = dt_source_open(&data->test, ranks, request);
    if (status.code != DT_ERR_INPUT || request->split != DT_SPLIT_TEST || !strstr(status.message, missing))
        return status;
    dt_source_field(request->data, request->split, field);
    return dt_fail(status.code, "%s (data.%s: \"\" trains without test data)", status.message, field);
}

/* "split: 48000 train, 12000 test; 312 and 78 values of /patient" */
static void tell_split(const dt_source *train, const dt_recipe_data *wanted) {
    static const dt_split order[] = {DT_SPLIT_TRAIN, DT_SPLIT_VALIDATION, DT_SPLIT_TEST};
    char text[256] = "", groups[128] = "";
    for (int i = 0; i < DT_SPLIT_COUNT; i++) {
        const dt_split split = order[i];
        if (!dt_recipe_cuts(wanted, split)) continue;
        dt_append(text, sizeof text, "%s%lld %s", text[0] ? ", " : "", (long long)train->dealt.samples[split],
                  dt_split_name(split));
        dt_append(groups, sizeof groups, "%s%lld", groups[0] ? split == DT_SPLIT_TEST ? " and " : ", " : "",
                  (long long)train->dealt.groups[split]);
    }
    if (train->dealt.groups[DT_SPLIT_TRAIN] > 0)
        dt_append(text, sizeof text, "; %s values of %s", groups, wanted->split_by);
    if (text[0]) dt_log_info("split: %s", text);
}

/* Named inputs are the same in both. */
static dt_status check_inputs(const dt_run_data *data, const char *file) {
    const dt_source_about *train = &data->train.about, *test = &data->test.about;
    bool same = train->input_count == test->input_count;
    for (int64_t i = 0; same && i < train->input_count; i++) {
        char here[96], there[96];
        dt_shape_text(&train->inputs[i].shape, here);
        dt_shape_text(&test->inputs[i].shape, there);
        same = strcmp(train->inputs[i].name, test->inputs[i].name) == 0 && strcmp(here, there) == 0;
    }
    return same ? dt_ok()
                : dt_fail(DT_ERR_INPUT, "%s: the inputs of %s have other names or shapes than those of %s", file,
                          data->train.x_name, data->test.x_name);
}

static dt_status open_sources(dt_run_data *data, const dt_ranks *ranks, const dt_recipe *recipe) {
    const dt_recipe_data *wanted = &recipe->data;
    DT_TRY(dt_source_vocabulary(&data->vocabulary, ranks, wanted->file, wanted));
    dt_source_request request = {.file = wanted->file,
                                 .data = wanted,
                                 .loss = (dt_loss)recipe->loss.kind,
                                 .vocabulary = data->vocabulary.size,
                                 .streams = recipe->train.batch};
    DT_TRY(dt_source_open(&data->train, ranks, &request));
    DT_TRY(dt_targets_check_shared(&data->train.targets));
    if (ranks->rank == 0) tell_split(&data->train, wanted);
    data->judge = dt_recipe_judge(wanted);
    data->has_test = data->judge != DT_SPLIT_TRAIN;
    if (!data->has_test) return dt_ok();
    request.split = data->judge;
    request.in_order = true;
    DT_TRY(open_test(data, ranks, &request));
    char train[96], test[96];
    dt_shape_text(&data->train.about.input, train);
    dt_shape_text(&data->test.about.input, test);
    if (strcmp(train, test) != 0)
        return dt_fail(DT_ERR_INPUT, "%s: samples of %s are %s but those of %s are %s", wanted->file,
                       data->train.x_name, train, data->test.x_name, test);
    DT_TRY(check_inputs(data, wanted->file));
    return dt_run_data_check_targets(data);
}

dt_status dt_run_data_open(dt_run_data *data, const dt_session *session) {
    DT_TRY(open_sources(data, &session->ranks, session->recipe));
    const dt_source *test = data->has_test ? &data->test : NULL;
    DT_TRY(dt_identity_of(&data->identity, &session->ranks, session->recipe->data.file, &data->train, test));
    dt_identity_text(&data->identity, data->identity_text);
    return dt_ok();
}

void dt_run_data_close(dt_run_data *data) {
    dt_source_close(&data->train);
    dt_source_close(&data->test);
    dt_vocabulary_finish(&data->vocabulary);
    dt_classes_finish(&data->classes);
    dt_scales_close(&data->scales);
}
