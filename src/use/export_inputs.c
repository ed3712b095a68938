/* Inputs that have names, as inputs of an exported model: each with its own shape and the scale of its own numbers,
 * which are as few as say it: one for all, one a channel, or one a number. */
#include <string.h>

#include "base/memory.h"
#include "export_internal.h"

int64_t dt_export_input_count(const dt_export *model) {
    return model->trained.source.about.input_count;
}

const dt_input *dt_export_input(const dt_export *model, int64_t i) {
    return &model->trained.source.about.inputs[i];
}

int64_t dt_export_input_of(const dt_export *model, const dt_layer *layer) {
    const char *name = dt_layer_text(layer, "part");
    int64_t i = 0;
    while (i < dt_export_input_count(model) && strcmp(dt_export_input(model, i)->name, name) != 0) i++;
    return i;
}

/* The column of number i of a row. */
static int64_t column_of(const dt_scaling *s, int64_t i) {
    return s->planes > 1 ? i / (s->height * s->width) : i % s->depth;
}

static int64_t channel_of(const dt_scaling *s, int64_t i) {
    return s->channels > 1 ? column_of(s, i) : 0;
}

static bool is_wide(const dt_export *model, const dt_input *input) {
    const dt_scaling *s = &model->trained.scales.input;
    const int64_t count = dt_shape_count(&input->shape);
    if (!dt_export_is_wide(model)) return false;
    for (int64_t i = 0; i < count; i++)
        if (s->far[channel_of(s, input->first + i)]) return true;
    return false;
}

/* Whether every `step`th of `count` numbers is the same. */
static bool repeats(const double *values, int64_t count, int64_t step) {
    for (int64_t i = step; i < count; i++)
        if (values[i] != values[i - step] && !(values[i] != values[i] && values[i - step] != values[i - step]))
            return false;
    return true;
}

/* The smallest shape, the last dimensions of `shape`, whose numbers stand for all. */
static dt_shape shortest(const double *a, const double *b, const dt_shape *shape) {
    const int64_t count = dt_shape_count(shape), last = dt_shape_last(shape);
    if (repeats(a, count, 1) && repeats(b, count, 1)) return (dt_shape){0};
    if (repeats(a, count, last) && repeats(b, count, last)) return (dt_shape){1, {last}};
    return *shape;
}

dt_status dt_export_input_scale(dt_export_scale *out, const dt_export *model, const dt_input *input) {
    const dt_scaling *s = &model->trained.scales.input;
    const int64_t count = dt_shape_count(&input->shape);
    *out = (dt_export_scale){.wide = is_wide(model, input), .plain = true};
    out->mean = dt_alloc(3 * (size_t)count, sizeof *out->mean);
    if (!out->mean) return dt_fail_memory("an input's scales", 3 * (size_t)count * sizeof *out->mean);
    out->std = out->mean + count;
    out->fill = s->fill ? out->std + count : NULL;
    for (int64_t i = 0; i < count; i++) {
        out->mean[i] = s->mean[channel_of(s, input->first + i)];
        out->std[i] = s->std[channel_of(s, input->first + i)];
        out->plain &= out->mean[i] == 0 && out->std[i] == 1;
        if (out->fill) out->fill[i] = s->fill[column_of(s, input->first + i)];
    }
    out->shape = shortest(out->mean, out->std, &input->shape);
    if (out->fill) out->fill_shape = shortest(out->fill, out->fill, &input->shape);
    return dt_ok();
}

void dt_export_scale_finish(dt_export_scale *scale) {
    dt_free(scale->mean);
    memset(scale, 0, sizeof *scale);
}
