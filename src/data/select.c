/* Which rows of the training data are whose: training's, validation's or test's, where a recipe has these cut from it
 * (data.split). Rows are dealt out by themselves, by groups that stay whole, or class by class; every rank finds the
 * same for all rows, and keeps the list of those that were asked for. */
#include <stdio.h>
#include <string.h>

#include "base/alive.h"
#include "base/memory.h"
#include "groups.h"
#include "source_kind.h"
#include "splitting.h"

#define LOOKED_AT 4096 /* rows, between signs of life */

/* ---- dealing out: the split of each row into out[rows] ---- */

static void deal_rows(uint8_t *out, const dt_recipe_data *data, int64_t rows) {
    dt_splitting splitting = dt_splitting_of(data, rows);
    for (int64_t row = 0; row < rows; row++) {
        if (row % LOOKED_AT == 0) dt_alive();
        out[row] = (uint8_t)dt_splitting_for(&splitting, row);
    }
}

/* All rows of a group. */
static void deal_groups(uint8_t *out, dt_dealt *dealt, const dt_recipe_data *data, const dt_array *by,
                        const dt_groups *groups) {
    dt_splitting splitting = dt_splitting_of(data, groups->count);
    for (int64_t row = 0; row < dt_array_rows(by); row++) {
        if (row % LOOKED_AT == 0) dt_alive();
        out[row] = (uint8_t)dt_splitting_for(&splitting, dt_groups_of_row(groups, by, row));
    }
    for (int i = 0; i < DT_SPLIT_COUNT; i++) dealt->groups[i] = splitting.count[i];
}

/* In the order of all rows, each class is cut by itself. */
static dt_status deal_classes(uint8_t *out, const dt_recipe_data *data, const dt_array *y, const dt_groups *classes) {
    dt_splitting all = dt_splitting_of(data, dt_array_rows(y));
    int64_t *dealt = dt_alloc((size_t)classes->count, sizeof *dealt);
    if (!dealt) return dt_fail_memory("the classes", (size_t)classes->count * sizeof *dealt);
    for (int64_t position = 0; position < dt_array_rows(y); position++) {
        if (position % LOOKED_AT == 0) dt_alive();
        int64_t row = dt_splitting_move(&all, position), class = dt_groups_of_row(classes, y, row);
        int64_t count[DT_SPLIT_COUNT];
        dt_splitting_count(count, data, classes->rows[class]);
        out[row] = (uint8_t)dt_splitting_at(count, dealt[class]++);
    }
    dt_free(dealt);
    return dt_ok();
}

/* The name of what tells rows apart: their groups, their classes, or NULL. */
static const char *key_of(const dt_recipe_data *data) {
    return data->split_by[0] ? data->split_by : data->split_stratify ? data->train_y : NULL;
}

static dt_status deal(uint8_t *out, dt_source *source, const dt_recipe_data *data, const dt_array *key) {
    if (!key) {
        deal_rows(out, data, dt_array_rows(source->x));
        return dt_ok();
    }
    dt_groups groups;
    dt_status status = dt_groups_collect(&groups, key, source->file, key_of(data));
    if (status.code == DT_OK && data->split_stratify)
        status = deal_classes(out, data, key, &groups);
    else if (status.code == DT_OK)
        deal_groups(out, &source->dealt, data, key, &groups);
    dt_groups_finish(&groups);
    return status;
}

/* ---- what came of it ---- */

static dt_status check_dealt(const dt_source *source, const dt_recipe_data *data) {
    const dt_dealt *dealt = &source->dealt;
    const double shares[DT_SPLIT_COUNT] = {1 - data->split_test - data->split_validation, data->split_validation,
                                           data->split_test};
    const bool wanted[DT_SPLIT_COUNT] = {true, data->split_validation > 0, data->split_test > 0};
    char units[DT_TEXT_MAX + 64];
    long long rows = dt_array_rows(source->x), groups = 0;
    for (int i = 0; i < DT_SPLIT_COUNT; i++) groups += dealt->groups[i];
    if (groups > 0)
        snprintf(units, sizeof units, "%lld different values of %s", groups, data->split_by);
    else
        snprintf(units, sizeof units, "%lld rows of %s", rows, source->x_name);
    for (int i = DT_SPLIT_COUNT - 1; i >= 0; i--)
        if (wanted[i] && dealt->samples[i] == 0)
            return dt_fail(DT_ERR_INPUT, "%s: of %s data.split leaves none for %s, a share of %.6g", source->file,
                           units, dt_split_name((dt_split)i), shares[i]);
    return dt_ok();
}

/* Rows of the split that was asked for. */
static dt_status take_rows(dt_source *source, const uint8_t *splits) {
    dt_selection *selection = &source->selection;
    int64_t count = source->dealt.samples[source->split];
    selection->rows = dt_alloc((size_t)count, sizeof *selection->rows);
    if (!selection->rows) return dt_fail_memory("the samples' rows", (size_t)count * sizeof *selection->rows);
    selection->count = 0;
    for (int64_t row = 0; row < dt_array_rows(source->x); row++)
        if (splits[row] == source->split) selection->rows[selection->count++] = row;
    return dt_ok();
}

static dt_status split_rows(dt_source *source, const dt_recipe_data *data, const dt_array *key) {
    int64_t rows = dt_array_rows(source->x);
    uint8_t *splits = dt_alloc((size_t)rows, 1);
    if (!splits) return dt_fail_memory("the rows' splits", (size_t)rows);
    dt_status status = deal(splits, source, data, key);
    for (int64_t row = 0; row < rows && status.code == DT_OK; row++) source->dealt.samples[splits[row]]++;
    if (status.code == DT_OK) status = check_dealt(source, data);
    if (status.code == DT_OK) status = take_rows(source, splits);
    dt_free(splits);
    return status;
}

/* Collective. The dataset of the key. */
static dt_status open_key(dt_array **key, const dt_source *source, const dt_ranks *ranks, const dt_recipe_data *data,
                          const dt_h5_order *order) {
    dt_h5_order own = order ? *order : (dt_h5_order){.axis = 0};
    own.channels_last = false;
    own.texts = true;
    DT_TRY(dt_array_describe(key, ranks, source->file, key_of(data), &own));
    if (dt_array_rows(*key) != dt_array_rows(source->x))
        return dt_fail(DT_ERR_INPUT, "%s: %s has %lld rows but %s has %lld; data.split needs a value for each",
                       source->file, key_of(data), (long long)dt_array_rows(*key), source->x_name,
                       (long long)dt_array_rows(source->x));
    return dt_array_fetch(*key, ranks, data->spool, true);
}

static dt_status copy_rows(dt_selection *out, const dt_selection *chosen) {
    out->rows = dt_alloc((size_t)chosen->count, sizeof *out->rows);
    if (!out->rows) return dt_fail_memory("the samples' rows", (size_t)chosen->count * sizeof *out->rows);
    memcpy(out->rows, chosen->rows, (size_t)chosen->count * sizeof *out->rows);
    out->count = chosen->count;
    return dt_ok();
}

dt_status dt_source_select(dt_source *source, const dt_ranks *ranks, const dt_source_request *request,
                           const dt_h5_order *order) {
    const dt_recipe_data *data = request->data;
    source->selection.count = dt_array_rows(source->x);
    if (request->chosen) return dt_ranks_agree(ranks, copy_rows(&source->selection, request->chosen));
    if (request->dataset || !dt_recipe_cuts(data, source->split)) return dt_ok();
    dt_array *key = NULL;
    dt_status status = key_of(data) ? open_key(&key, source, ranks, data, order) : dt_ok();
    if (status.code == DT_OK) status = dt_ranks_agree(ranks, split_rows(source, data, key));
    dt_array_close(key);
    return status;
}
