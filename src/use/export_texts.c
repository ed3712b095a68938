/* What a model is besides its layers, as texts that any of the formats has a place for. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/memory.h"
#include "export_json.h"

dt_status dt_export_text_add(dt_export_texts *texts, const char *name, const char *text) {
    char *own = text ? dt_strdup(text) : NULL;
    if (!own || texts->count == DT_EXPORT_TEXTS) {
        dt_free(own);
        return dt_fail_memory("the texts of an export", text ? strlen(text) : 0);
    }
    texts->owned[texts->count] = own;
    texts->texts[texts->count++] = (dt_named_text){name, own};
    return dt_ok();
}

void dt_export_texts_finish(dt_export_texts *texts) {
    for (int i = 0; i < texts->count; i++) dt_free(texts->owned[i]);
    memset(texts, 0, sizeof *texts);
}

/* Takes `value` over. */
static dt_status add_json(dt_export_texts *texts, const char *name, json_t *value) {
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) : NULL;
    dt_status status = dt_export_text_add(texts, name, text);
    free(text);
    json_decref(value);
    return status;
}

static json_t *numbers(const double *values, int64_t count) {
    json_t *list = json_array();
    for (int64_t i = 0; i < count; i++) json_array_append_new(list, json_real(values[i]));
    return list;
}

static json_t *sizes(const dt_shape *shape) {
    json_t *list = json_array();
    for (int i = 0; i < shape->rank; i++) json_array_append_new(list, json_integer(shape->dim[i]));
    return list;
}

const char *dt_export_final(const dt_export *model) {
    static const char *const names[] = {[DT_LOSS_SOFTMAX_CROSS_ENTROPY] = "softmax",
                                        [DT_LOSS_MEAN_SQUARED_ERROR] = "none",
                                        [DT_LOSS_BINARY_CROSS_ENTROPY] = "sigmoid"};
    return names[model->outputs.loss];
}

/* A name from a file, which need not be UTF-8. */
static json_t *name_of(const char *bytes) {
    json_t *name = json_string(bytes);
    if (name) return name;
    char shown[512];
    dt_escape(shown, sizeof shown, bytes, strlen(bytes), false);
    return json_string(shown);
}

json_t *dt_export_class_names(const dt_export *model) {
    const dt_classes *classes = &model->trained.classes;
    json_t *list = json_array();
    for (int64_t at = 0; at < classes->names_bytes; at += (int64_t)strlen(classes->names + at) + 1)
        json_array_append_new(list, name_of(classes->names + at));
    for (int64_t i = 0; i < classes->count && classes->names_bytes == 0; i++) {
        char label[24];
        snprintf(label, sizeof label, "%lld", (long long)classes->values[i]);
        json_array_append_new(list, json_string(label));
    }
    return list;
}

static dt_status add_origin(dt_export_texts *texts, const dt_trained *t) {
    char digest[17], step[24];
    dt_digest_text(t->head.digest, digest);
    snprintf(step, sizeof step, "%lld", (long long)t->head.position.step);
    DT_TRY(dt_export_text_add(texts, "producer", "dtrain " DT_VERSION));
    DT_TRY(dt_export_text_add(texts, "digest", digest));
    DT_TRY(dt_export_text_add(texts, "step", step));
    return dt_export_text_add(texts, "recipe", t->head.recipe);
}

/* What training saw of each column, where that is known. */
static dt_status add_ranges(dt_export_texts *texts, const dt_ranges *seen) {
    for (int64_t i = 0; i < seen->columns; i++)
        if (!isfinite(seen->least[i]) || !isfinite(seen->most[i])) return dt_ok();
    if (seen->columns == 0) return dt_ok();
    DT_TRY(add_json(texts, "input_min", numbers(seen->least, seen->columns)));
    return add_json(texts, "input_max", numbers(seen->most, seen->columns));
}

/* [{"name": "image", "first": 0, "shape": [28, 28]}, …]: where each begins in a row, one behind the other. */
static dt_status add_named(dt_export_texts *texts, const dt_source_about *about) {
    json_t *list = json_array();
    for (int64_t i = 0; i < about->input_count; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:o}", "name", about->inputs[i].name, "first",
                                        (json_int_t)about->inputs[i].first, "shape", sizes(&about->inputs[i].shape)));
    if (about->input_count > 0) return add_json(texts, "inputs", list);
    json_decref(list);
    return dt_ok();
}

static dt_status add_inputs(dt_export_texts *texts, const dt_trained *t) {
    bool ids = t->source.about.ids > 0;
    DT_TRY(add_json(texts, "input_shape", sizes(&t->source.about.input)));
    DT_TRY(add_named(texts, &t->source.about));
    DT_TRY(dt_export_text_add(texts, "input", ids ? "token ids" : "numbers"));
    if (ids) return dt_ok();
    DT_TRY(add_json(texts, "input_mean", numbers(t->scales.input.mean, t->scales.input.channels)));
    DT_TRY(add_json(texts, "input_std", numbers(t->scales.input.std, t->scales.input.channels)));
    DT_TRY(add_ranges(texts, &t->scales.input.seen));
    if (!t->scales.input.fill) return dt_ok();
    return add_json(texts, "input_fill", numbers(t->scales.input.fill, dt_scaling_columns(&t->scales.input)));
}

static dt_status add_outputs(dt_export_texts *texts, const dt_export *model) {
    const dt_scaling *targets = &model->trained.scales.target;
    DT_TRY(dt_export_text_add(texts, "output", dt_export_final(model)));
    if (targets->channels == 0) return dt_ok();
    DT_TRY(add_json(texts, "target_mean", numbers(targets->mean, targets->channels)));
    return add_json(texts, "target_std", numbers(targets->std, targets->channels));
}

dt_status dt_export_texts_of(dt_export_texts *out, const dt_export *model) {
    memset(out, 0, sizeof *out);
    DT_TRY(add_origin(out, &model->trained));
    DT_TRY(add_inputs(out, &model->trained));
    DT_TRY(add_outputs(out, model));
    json_t *names = dt_export_class_names(model);
    if (json_array_size(names) > 0) return add_json(out, "class_names", names);
    json_decref(names);
    return dt_ok();
}
