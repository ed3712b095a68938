/* What training saw of the inputs: a network says something of any numbers, and knows nothing of those it has not seen
 * the like of. */
#include <math.h>

#include "handles.h"

/* The column, or channel, of number i of a row. */
static int64_t column_of(const dt_scaling *s, int64_t i) {
    if (dt_scaling_columns(s) <= 1) return 0;
    return s->planes > 1 ? i / (s->height * s->width) : i % s->depth;
}

static dt_status check_known(const dtrain_model *model) {
    const dt_ranges *seen = &model->trained.scales.input.seen;
    bool known = model->trained.source.about.ids == 0 && seen->columns > 0;
    for (int64_t i = 0; known && i < seen->columns; i++) known = !isnan(seen->least[i]) && !isnan(seen->most[i]);
    return known ? dt_ok()
                 : dt_fail(DT_ERR_INPUT, "%s does not say what range its inputs had in training", model->trained.path);
}

static int report_unknown(const dt_status *status, dtrain_error *error) {
    dt_api_report(error, status);
    if (error) error->code = DTRAIN_ERR_UNKNOWN;
    return DTRAIN_ERR_UNKNOWN;
}

int dtrain_input_range(const dtrain_model *model, double *least, double *most, dtrain_error *error) {
    if (!model) return dt_api_fail(error, DTRAIN_ERR_ARGUMENT, "dtrain_input_range: model is NULL");
    const dt_scaling *s = &model->trained.scales.input;
    dt_status known = check_known(model);
    if (known.code != DT_OK) return report_unknown(&known, error);
    for (int64_t i = 0; i < model->inputs; i++) {
        if (least) least[i] = s->seen.least[column_of(s, i)];
        if (most) most[i] = s->seen.most[column_of(s, i)];
    }
    return DTRAIN_OK;
}

/* Whether training saw the like of a number of a row. NaN was not. */
static bool was_seen(const dtrain_model *model, int64_t i, double value) {
    const dt_scaling *s = &model->trained.scales.input;
    const int64_t column = column_of(s, i);
    return value >= s->seen.least[column] && value <= s->seen.most[column];
}

int dtrain_outside_range(const dtrain_model *model, int64_t rows, const dtrain_array *x, unsigned char *outside,
                         int64_t *count, dtrain_error *error) {
    if (!model) return dt_api_fail(error, DTRAIN_ERR_ARGUMENT, "dtrain_outside_range: model is NULL");
    if (rows < 0) return dt_api_fail(error, DTRAIN_ERR_ARGUMENT, "rows is %lld", (long long)rows);
    dt_status status = rows > 0 ? dt_check_array(x, "x") : dt_ok();
    if (status.code != DT_OK) return dt_api_report(error, &status);
    status = check_known(model);
    if (status.code != DT_OK) return report_unknown(&status, error);
    int64_t found = 0;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < model->inputs; i++) {
            bool seen = was_seen(model, i, dt_row_number(x, r, i));
            if (outside) outside[r * model->inputs + i] = !seen;
            found += !seen;
        }
    if (count) *count = found;
    return DTRAIN_OK;
}

/* Of a part of a row: lists the numbers that training has not seen the like of, while there is room. */
static int64_t list_outside(const dtrain_model *model, const dt_parts *x, int64_t p, int64_t row, dtrain_outside *list,
                            int64_t room) {
    const dt_scaling *s = &model->trained.scales.input;
    const int64_t count = dt_shape_count(&x->part[p].shape), first = x->part[p].first;
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++) {
        const double value = dt_row_number(&x->array[p], row, i);
        if (was_seen(model, first + i, value)) continue;
        const int64_t column = column_of(s, first + i);
        if (found < room) list[found] = (dtrain_outside){row, p, i, value, s->seen.least[column], s->seen.most[column]};
        found++;
    }
    return found;
}

int dtrain_outside_list(const dtrain_model *model, int64_t rows, const dtrain_array *x, dtrain_outside *list,
                        int64_t room, int64_t *count, dtrain_error *error) {
    if (!model) return dt_api_fail(error, DTRAIN_ERR_ARGUMENT, "dtrain_outside_list: model is NULL");
    if (rows < 0 || room < 0 || (room > 0 && !list))
        return dt_api_fail(error, DTRAIN_ERR_ARGUMENT, "dtrain_outside_list: rows is %lld, room %lld%s",
                           (long long)rows, (long long)room, list ? "" : ", list NULL");
    const dt_parts parts = dt_parts_named(model, x);
    dt_status status = rows > 0 ? dt_parts_check(&parts, "x", false) : dt_ok();
    if (status.code != DT_OK) return dt_api_report(error, &status);
    status = check_known(model);
    if (status.code != DT_OK) return report_unknown(&status, error);
    int64_t found = 0;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t p = 0; p < parts.count; p++) {
            const int64_t left = found < room ? room - found : 0;
            found += list_outside(model, &parts, p, r, left > 0 ? list + found : NULL, left);
        }
    if (count) *count = found;
    return DTRAIN_OK;
}
