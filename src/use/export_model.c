/* What exporters ask of a model. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "export_internal.h"

const dt_real *dt_export_values(const dt_export *model, const dt_tensor *tensor) {
    return model->trained.weights + tensor->offset;
}

dt_status dt_export_refuse(const dt_layer *layer, const char *format, ...) {
    char reason[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return dt_fail(DT_ERR_INPUT, "layer %s (%s): %s", dt_layer_name(layer), dt_layer_kind_name(layer), reason);
}

bool dt_export_is_wide(const dt_export *model) {
    dt_dtype dtype = model->trained.source.about.dtype;
    return model->trained.scales.input.any_far && dtype >= DT_U32 && dtype != DT_F32;
}

bool dt_export_reads_ids(const dt_export *model) {
    static const char *const kinds[] = {"embedding", "simple_rnn", "gru", "lstm"};
    const char *first = dt_layer_kind_name(dt_model_layer(model->model, 0));
    for (int i = 0; i < 4; i++)
        if (strcmp(kinds[i], first) == 0) return true;
    return false;
}

void dt_export_turn(dt_real *out, dt_shape *shape, const dt_real *values, const dt_shape *from, const int *order) {
    int64_t stride[DT_MAX_RANK] = {0}, place[DT_MAX_RANK] = {0}, at = 0, count = dt_shape_count(from);
    shape->rank = from->rank;
    for (int i = 0; i < from->rank; i++) {
        shape->dim[i] = from->dim[order[i]];
        stride[i] = 1;
        for (int d = order[i] + 1; d < from->rank; d++) stride[i] *= from->dim[d];
    }
    for (int64_t i = 0; i < count; i++) {
        out[i] = values[at];
        for (int d = from->rank - 1; d >= 0; d--) {
            at += stride[d];
            if (++place[d] < shape->dim[d]) break;
            at -= stride[d] * shape->dim[d];
            place[d] = 0;
        }
    }
}

static dt_shape shape_of(const dt_scaling *s, int64_t count, const dt_shape *input) {
    if (count == 1) return (dt_shape){0};
    if (s->planes == 1) return (dt_shape){1, {count}};
    return (dt_shape){input->rank, {count, 1, 1, 1, 1, 1}};
}

dt_shape dt_export_scale_shape(const dt_scaling *s, const dt_shape *input) {
    return shape_of(s, s->channels, input);
}

dt_shape dt_export_column_shape(const dt_scaling *s, const dt_shape *input) {
    return shape_of(s, dt_scaling_columns(s), input);
}
