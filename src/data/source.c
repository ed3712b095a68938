/* Splits: inputs and targets that fit each other. All targets are looked at when a split is opened (targets.c); inputs
 * are not, they may be terabytes. */
#include "data_internal.h"

#include <stdio.h>
#include <string.h>

static int64_t row_width(const dt_array *array) {
    dt_shape shape = dt_array_row_shape(array);
    return dt_shape_count(&shape);
}

static int64_t last_dimension(const dt_array *array) {
    dt_shape shape = dt_array_row_shape(array);
    return shape.rank ? dt_shape_last(&shape) : dt_array_rows(array);
}

static int64_t samples_of(const dt_split_source *source, const dt_array *array) {
    return source->samples_last ? last_dimension(array) : dt_array_rows(array);
}

/* Samples that are in the last dimension, as in files of MATLAB, look like a few rows, of other numbers for x and y. */
static dt_status fail_rows(const dt_split_source *source, const dt_array *x, const dt_array *y) {
    long long xs = samples_of(source, x), ys = samples_of(source, y);
    long long across = source->samples_last ? dt_array_rows(y) : last_dimension(y);
    char advice[160] = "";
    if (!source->samples_last && last_dimension(x) == across)
        snprintf(advice, sizeof advice,
                 "; both have %lld in their last dimension: if these are the samples, as in files of MATLAB, set "
                 "data.samples: last",
                 across);
    else if (ys == 1 && across == xs)
        snprintf(advice, sizeof advice, ", of %lld values: store it as a column", across);
    return dt_fail(DT_ERR_INPUT, "%s: %s has %lld %s but %s has %lld%s", source->file, source->x, xs,
                   source->samples_last ? "samples" : "rows", source->y, ys, advice);
}

/* What does not fit is refused before anything is unpacked: a few bytes of a file can claim any amount of disk. */
static dt_status describe_pair(dt_split *split, dt_comm *comm, const dt_split_source *source) {
    DT_TRY(dt_array_describe(&split->x, comm, source->file, source->x));
    DT_TRY(dt_array_describe(&split->y, comm, source->file, source->y));
    if (samples_of(source, split->x) == samples_of(source, split->y)) return dt_ok();
    return fail_rows(source, split->x, split->y);
}

static dt_status open_pair(dt_split *split, dt_comm *comm, const dt_split_source *source) {
    DT_TRY(describe_pair(split, comm, source));
    DT_TRY(dt_array_fetch(split->x, comm, source->file, source->x, source->spool));
    DT_TRY(dt_array_fetch(split->y, comm, source->file, source->y, source->spool));
    if (source->samples_last) {
        DT_TRY(dt_array_turn(&split->x, comm, source->x, source->spool));
        DT_TRY(dt_array_turn(&split->y, comm, source->y, source->spool));
    }
    split->samples = dt_array_rows(split->x);
    split->input = dt_array_row_shape(split->x);
    split->width = row_width(split->y);
    return dt_targets_open(split, comm);
}

dt_status dt_split_open(dt_split *out, dt_comm *comm, const dt_split_source *source) {
    memset(out, 0, sizeof *out);
    out->file = source->file;
    out->x_name = source->x;
    out->y_name = source->y;
    out->loss = source->loss;
    dt_status status = open_pair(out, comm, source);
    if (status.code != DT_OK) dt_split_close(out);
    return status;
}

void dt_split_close(dt_split *split) {
    dt_array_close(split->x);
    dt_array_close(split->y);
    dt_labels_destroy(split->found);
    memset(split, 0, sizeof *split);
}

#define AHEAD 4        /* samples */
#define GATHERED 16384 /* numbers at least that are worth a thread's start */

/* Samples are drawn at random, so the hardware cannot guess the next one; we know it. */
static void prefetch_row(const char *row, size_t bytes) {
    for (size_t i = 0; i < bytes && i < 4096; i += 64) __builtin_prefetch(row + i);
}

typedef struct gathering {
    dt_real *out;
    const dt_array *array;
    const dt_kernels *kernels;
    const dt_scaling *scaling;
    const dt_augment *augment;
    const int64_t *index;
} gathering;

static void gather_inputs(void *context, int64_t begin, int64_t end) {
    const gathering *g = context;
    int64_t width = row_width(g->array);
    dt_dtype dtype = dt_array_dtype(g->array);
    size_t row_bytes = (size_t)width * dt_dtype_size(dtype);
    bool moves = g->augment && (g->augment->crop_padding > 0 || g->augment->flip);
    for (int64_t i = begin; i < end && i < begin + AHEAD; i++)
        prefetch_row(dt_array_row(g->array, g->index[i]), row_bytes);
    for (int64_t i = begin; i < end; i++) {
        dt_real *out = g->out + i * width;
        if (i + AHEAD < end) prefetch_row(dt_array_row(g->array, g->index[i + AHEAD]), row_bytes);
        if (moves) {
            dt_augment_draw draw = dt_augment_draw_of(g->augment, g->index[i]);
            dt_augment_sample(out, dt_array_row(g->array, g->index[i]), dtype, g->kernels, g->scaling, &draw);
        } else {
            dt_scale_sample(out, dt_array_row(g->array, g->index[i]), dtype, g->kernels, g->scaling);
        }
    }
}

void dt_split_gather(const dt_split *split, const dt_kernels *kernels, const dt_scaling *scaling,
                     const dt_augment *augment, const int64_t *index, int64_t rows, dt_batch *batch) {
    batch->rows = rows;
    batch->targets = split->targets;
    batch->streams = 0;
    if (split->text.context > 0) {
        dt_text_gather(split, augment, index, rows, batch);
        return;
    }
    dt_parallel(rows, 1 + GATHERED / row_width(split->x), gather_inputs,
                &(gathering){batch->x, split->x, kernels, scaling, augment, index});
    if (!split->labels) {
        dt_dtype dtype = dt_array_dtype(split->y);
        for (int64_t i = 0; i < rows; i++)
            kernels->convert(batch->values + i * split->width, dt_array_row(split->y, index[i]), dtype, split->width, 1,
                             0);
        return;
    }
    for (int64_t i = 0; i < rows; i++) batch->labels[i] = dt_split_class(split, index[i]);
}
