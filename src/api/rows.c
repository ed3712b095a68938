/* Rows between the caller's arrays, of whatever layout and type, and the network's. They are scaled as the rows of the
 * training data's file were, so that equal numbers have equal bits. */
#include <math.h>
#include <string.h>

#include "data/samples.h"
#include "handles.h"

static const void *element(const dtrain_array *array, int64_t row, int64_t i) {
    int64_t at = row * array->row_stride + i * array->stride;
    if (array->type == DTRAIN_FLOAT) return (const float *)array->data + at;
    return (const double *)array->data + at;
}

double dt_row_number(const dtrain_array *array, int64_t row, int64_t i) {
    const void *at = element(array, row, i);
    return array->type == DTRAIN_FLOAT ? (double)*(const float *)at : *(const double *)at;
}

/* `count` rows that lie one after the other. */
static void scale(dt_real *out, const void *rows, dt_dtype type, const dtrain_model *model, int64_t count) {
    const dt_scaling *s = &model->scaling;
    if (s->planes == 1) { /* then they are one long one */
        int64_t positions = count * s->height * s->width;
        dt_scale_run(out, rows, type, model->kernels, s, 0, positions);
        dt_scale_vectors(out, type, model->kernels, s, positions);
        for (int64_t r = 0; r < count; r++) dt_scale_missing(out + r * model->inputs, s);
        return;
    }
    size_t bytes = (size_t)model->inputs * dt_dtype_size(type);
    for (int64_t r = 0; r < count; r++)
        dt_scale_sample(out + r * model->inputs, (const char *)rows + (size_t)r * bytes, type, model->kernels, s);
}

static dt_status take_ids(dt_real *out, const double *row, int64_t count, int64_t ids, int64_t which) {
    for (int64_t i = 0; i < count; i++) {
        if (!(row[i] >= -1 && row[i] < (double)ids && row[i] == floor(row[i])))
            return dt_fail(DT_ERR_INPUT, "x[%lld, %lld] is %g; it must be a token id from 0 to %lld, or -1 for none",
                           (long long)which, (long long)i, row[i], (long long)ids - 1);
        out[i] = (dt_real)row[i];
    }
    return dt_ok();
}

/* Floats are scaled as the doubles they are where training scaled some numbers in double. */
static bool is_as_needed(const dt_parts *parts, const dtrain_model *model) {
    const dtrain_array *x = parts->array;
    bool widened = x->type == DTRAIN_FLOAT && model->scaling.any_far;
    return parts->count == 1 && x->stride == 1 && x->row_stride == model->inputs &&
           model->trained.source.about.ids == 0 && !widened;
}

/* Puts a row of the caller's together, from as many arrays as it is in. */
static void gather(double *row, const dt_parts *parts, int64_t which) {
    for (int64_t p = 0; p < parts->count; p++) {
        const dtrain_array *array = &parts->array[p];
        const int64_t count = dt_shape_count(&parts->part[p].shape);
        double *out = row + parts->part[p].first;
        for (int64_t i = 0; i < count; i++) out[i] = dt_row_number(array, which, i);
    }
}

dt_status dt_rows_in(dtrain_workspace *ws, const dt_parts *x, int64_t first, int64_t count) {
    const dtrain_model *model = ws->model;
    int64_t inputs = model->inputs, ids = model->trained.source.about.ids;
    if (is_as_needed(x, model)) {
        scale(ws->x, element(x->array, first, 0), x->array->type == DTRAIN_FLOAT ? DT_F32 : DT_F64, model, count);
        return dt_ok();
    }
    for (int64_t r = 0; r < count; r++) {
        dt_real *out = ws->x + r * inputs;
        gather(ws->row, x, first + r);
        if (ids > 0)
            DT_TRY(take_ids(out, ws->row, inputs, ids, first + r));
        else
            scale(out, ws->row, DT_F64, model, 1);
    }
    return dt_ok();
}

/* ---- out ---- */

static void put(const dtrain_array *to, int64_t row, int64_t cols, const double *values) {
    for (int64_t j = 0; j < cols; j++) {
        void *at = (void *)element(to, row, j);
        if (to->type == DTRAIN_FLOAT)
            *(float *)at = (float)values[j];
        else
            *(double *)at = values[j];
    }
}

void dt_rows_out(dtrain_workspace *ws, const dt_real *from, const dtrain_array *y, int64_t first, int64_t count) {
    const dt_scaling *targets = &ws->model->trained.scales.target;
    int64_t outputs = ws->model->outputs_count;
    if (targets->channels == 0 && y->type == DTRAIN_FLOAT && y->stride == 1 && y->row_stride == outputs) {
        memcpy((float *)y->data + first * outputs, from, (size_t)(count * outputs) * sizeof *from);
        return;
    }
    for (int64_t r = 0; r < count; r++) {
        dt_scaling_undo(ws->row, targets, from + r * outputs, outputs);
        put(y, first + r, outputs, ws->row);
    }
}

void dt_rows_gradient(dtrain_workspace *ws, const dt_parts *dx, int64_t first, int64_t count, const dt_real *from) {
    int64_t inputs = ws->model->inputs;
    for (int64_t r = 0; r < count; r++) {
        dt_scaling_units(ws->row, &ws->model->scaling); /* the network sees (x - mean)/unit */
        for (int64_t j = 0; j < inputs; j++) ws->row[j] = (double)from[r * inputs + j] / ws->row[j];
        for (int64_t p = 0; p < dx->count; p++)
            if (dx->array[p].data)
                put(&dx->array[p], first + r, dt_shape_count(&dx->part[p].shape), ws->row + dx->part[p].first);
    }
}

void dt_rows_take(dtrain_workspace *ws, const dtrain_array *dy, int64_t first, int64_t count) {
    int64_t outputs = ws->model->outputs_count;
    for (int64_t r = 0; r < count; r++)
        for (int64_t j = 0; j < outputs; j++) ws->dy[r * outputs + j] = (dt_real)dt_row_number(dy, first + r, j);
}
