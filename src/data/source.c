/* The kinds of sources there are, and what all of them share. */
#include "data/source.h"

#include <stdio.h>
#include <string.h>

#include "identity.h"
#include "labels.h"
#include "numbers.h"
#include "source_kind.h"

/* The first that serves a recipe is taken; the last serves any. */
static const dt_source_kind *const kinds[] = {&dt_source_rows, &dt_source_streams, &dt_source_windows,
                                              &dt_source_arrays};

static const dt_source_kind *kind_for(const dt_recipe_data *data) {
    const dt_source_kind *const *kind = kinds;
    while (!(*kind)->serves(data)) kind++;
    return *kind;
}

/* The split whose datasets it is in. */
static dt_split dataset_of(const dt_recipe_data *data, dt_split split) {
    return dt_recipe_cuts(data, split) ? DT_SPLIT_TRAIN : split;
}

const char *dt_source_dataset(const dt_recipe_data *data, dt_split split) {
    return (const char *)data + kind_for(data)->at[dataset_of(data, split)];
}

static const char *targets_of(const dt_recipe_data *data, dt_split split) {
    const char *const names[DT_SPLIT_COUNT] = {data->train_y, data->validation_y, data->test_y};
    return names[dataset_of(data, split)];
}

void dt_source_field(const dt_recipe_data *data, dt_split split, char out[32]) {
    snprintf(out, 32, "%s_%s", dt_split_name(dataset_of(data, split)), kind_for(data)->field);
}

dt_status dt_source_vocabulary(dt_vocabulary *out, const dt_ranks *ranks, const char *file,
                               const dt_recipe_data *data) {
    memset(out, 0, sizeof *out);
    return kind_for(data)->of_tokens ? dt_vocabulary_open(out, ranks, file) : dt_ok();
}

/* ---- opening ---- */

static void begin(dt_source *out, const dt_source_request *request) {
    const dt_recipe_data *data = request->data;
    *out = (dt_source){.kind = kind_for(data),
                       .split = request->split,
                       .file = request->file,
                       .x_name = request->dataset ? request->dataset : dt_source_dataset(data, request->split),
                       .unlabelled = request->unlabelled,
                       .fills = data->missing == DT_MISSING_MEAN,
                       .targets = {.file = request->file,
                                   .name = request->targets ? request->targets : targets_of(data, request->split),
                                   .loss = (int)request->loss,
                                   .scaled = data->target.normalize != DT_NORMALIZE_NONE}};
}

dt_status dt_source_open(dt_source *out, const dt_ranks *ranks, const dt_source_request *request) {
    begin(out, request);
    dt_status status = out->kind->open(out, ranks, request);
    if (status.code == DT_OK && out->split == DT_SPLIT_TRAIN && !request->in_order)
        status = dt_sample_weights_open(&out->weights, ranks, &out->targets, request->data);
    if (status.code != DT_OK) {
        dt_source_close(out);
        return status;
    }
    out->kind->describe(out, &out->about);
    out->samples = out->kind->count(out);
    return dt_ok();
}

static dt_status recall_arrays(dt_source *out, const dt_source_request *request) {
    dt_identity trained;
    DT_TRY(dt_identity_parse(&trained, request->trained, request->checkpoint));
    const dt_identity_part *x = dt_identity_find(&trained, "train_x"), *y = dt_identity_find(&trained, "train_y");
    if (!x || x->shape.rank < 1 || (y && y->shape.rank < 1))
        return dt_fail(DT_ERR_CORRUPT, "%s: does not say what its training samples were", request->checkpoint);
    DT_TRY(dt_array_recall(&out->x, x->dtype, &x->shape));
    DT_TRY(dt_identity_name_inputs(&trained, out->x, request->checkpoint));
    return y ? dt_array_recall(&out->targets.y, y->dtype, &y->shape) : dt_ok();
}

dt_status dt_source_recall(dt_source *out, const dt_source_request *request) {
    begin(out, request);
    dt_status status = recall_arrays(out, request);
    if (status.code == DT_OK) status = out->kind->recall(out, request);
    if (status.code == DT_OK)
        out->kind->describe(out, &out->about);
    else
        dt_source_close(out);
    return status;
}

void dt_source_close(dt_source *source) {
    if (!source->kind) return;
    dt_sample_weights_close(&source->weights);
    source->kind->close(source);
    memset(source, 0, sizeof *source);
}

/* ---- samples ---- */

dt_sampler dt_source_order(const dt_source *source, const dt_recipe_data *data, int64_t seed, int64_t epoch) {
    const dt_source_about *about = &source->about;
    if (about->streams > 0) return dt_sampler_at(source->samples, false, seed, epoch);
    int64_t bytes = dt_shape_count(&about->input) * (int64_t)dt_dtype_size(about->dtype);
    dt_sampler order = dt_order_of(data, source->samples, bytes, seed, epoch);
    order.among = source->among;
    return order;
}

void dt_source_ahead(const dt_source *source, const dt_sampler *order, int64_t position) {
    if (source->kind->ahead) source->kind->ahead(source, order, position);
}

dt_status dt_source_failure(const dt_source *source) {
    if (source->x) DT_TRY(dt_array_failure(source->x));
    return source->targets.y ? dt_array_failure(source->targets.y) : dt_ok();
}

/* Zeros are values of every source: numbers, tokens, classes. */
static void abandon(const dt_source *source, dt_status status, dt_batch *batch) {
    const dt_targets *targets = &source->targets;
    dt_compute_fail(status);
    memset(batch->x, 0, (size_t)(batch->rows * dt_shape_count(&source->about.input)) * sizeof *batch->x);
    if (source->unlabelled) return;
    if (targets->labels)
        memset(batch->labels, 0, (size_t)(batch->rows * targets->positions) * sizeof *batch->labels);
    else
        memset(batch->values, 0, (size_t)(batch->rows * targets->width) * sizeof *batch->values);
}

static void weigh(const dt_source *source, const int64_t *index, int64_t rows, dt_batch *batch) {
    for (int64_t i = 0; i < rows; i++)
        batch->weights[i] = dt_sample_weight(&source->weights, dt_source_place(source, NULL, index[i]),
                                             batch->labels ? batch->labels[i] : 0);
}

void dt_source_fetch(const dt_source *source, const dt_kernels *kernels, const dt_scales *scales,
                     const dt_augment *augment, const int64_t *index, int64_t rows, dt_batch *batch) {
    int64_t streams = source->about.streams;
    batch->rows = rows;
    batch->targets = source->targets.positions;
    batch->units = scales ? scales->target.units : NULL;
    batch->streams = streams;
    batch->fresh = streams > 0 && rows > 0 && index[0] < streams;
    dt_status status = source->kind->fetch(source, &(dt_fetch){kernels, scales, augment, index, rows}, batch);
    if (status.code != DT_OK) abandon(source, status, batch);
    if (batch->weights) weigh(source, index, rows, batch);
}

int64_t dt_source_place(const dt_source *source, const dt_augment *augment, int64_t index) {
    return source->kind->place(source, augment, index);
}

int64_t dt_source_files(const dt_source *source) {
    return source->x ? dt_array_files(source->x) : 1;
}

int64_t dt_source_file_of(const dt_source *source, int64_t index) {
    return dt_array_file_of(source->x, dt_source_place(source, NULL, index));
}

int64_t dt_source_label(const dt_source *source, int64_t index) {
    return dt_targets_label(&source->targets, dt_source_place(source, NULL, index));
}

const void *dt_source_row(const dt_source *source, int64_t index) {
    return source->kind->row ? source->kind->row(source, dt_source_place(source, NULL, index)) : NULL;
}

bool dt_source_fault(const dt_source *source, bool of_targets, int64_t place, char *out, size_t size) {
    const dt_source_about *about = &source->about;
    if (of_targets) return source->targets.y && dt_array_row_fault(source->targets.y, place, out, size);
    if (!source->kind->row) return false; /* a token is no fault */
    const void *row = source->kind->row(source, place);
    return dt_numbers_fault(row, about->dtype, dt_shape_count(&about->input), source->fills, out, size);
}
