/* Splits: inputs and targets that fit each other. All targets are looked at when a split is opened, each rank its part,
 * because one bad label would end a run hours later; inputs are not, they may be terabytes. */
#include "data_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dtrain/alive.h"

#define LOOKED_AT 4096 /* rows, between signs of life */

static int64_t row_width(const dt_array *array) {
    dt_shape shape = dt_array_row_shape(array);
    return dt_shape_count(&shape);
}

static bool is_float(const dt_array *array) {
    dt_dtype dtype = dt_array_dtype(array);
    return dtype == DT_F32 || dtype == DT_F64;
}

/* The first row of [first, end) whose label does not fit, or end; *largest of those before it. */
static int64_t scan_labels(const dt_array *y, int64_t first, int64_t end, int64_t *largest) {
    const void *labels = dt_array_row(y, 0);
    dt_dtype dtype = dt_array_dtype(y);
    for (; first < end; first++) {
        if (first % LOOKED_AT == 0) dt_alive();
        int64_t label = dt_integer_at(labels, dtype, first);
        if (label < 0 || label > INT32_MAX) break;
        if (label > *largest) *largest = label;
    }
    return first;
}

/* The first row of [first, end) with a value that is not finite, or end. */
static int64_t scan_values(const dt_array *y, int64_t first, int64_t end) {
    int64_t width = row_width(y);
    bool narrow = dt_array_dtype(y) == DT_F32;
    for (; first < end; first++) {
        if (first % LOOKED_AT == 0) dt_alive();
        const void *row = dt_array_row(y, first);
        for (int64_t i = 0; i < width; i++)
            if (!isfinite(narrow ? (double)((const float *)row)[i] : ((const double *)row)[i])) return first;
    }
    return end;
}

static dt_status fail_label(const dt_array *y, int64_t row, const char *file, const char *dataset) {
    dt_dtype dtype = dt_array_dtype(y);
    const void *labels = dt_array_row(y, 0);
    char value[32];
    if (dtype == DT_U64)
        snprintf(value, sizeof value, "%llu", (unsigned long long)((const uint64_t *)labels)[row]);
    else
        snprintf(value, sizeof value, "%lld", (long long)dt_integer_at(labels, dtype, row));
    return dt_fail(DT_ERR_INPUT, "%s: %s row %lld is %s; labels are class numbers from 0 to 2147483647", file, dataset,
                   (long long)row, value);
}

/* Collective. Every rank looks at its part of the targets; all learn of the first bad row and name it alike. */
static dt_status check_targets(dt_split *split, dt_comm *comm, const char *file, const char *dataset) {
    const dt_array *y = split->y;
    int64_t first, count, largest = -1;
    dt_shard_range(split->samples, dt_comm_size(comm), dt_comm_rank(comm), &first, &count);
    int64_t end = first + count, stopped = end;
    if (split->labels)
        stopped = scan_labels(y, first, end, &largest);
    else if (is_float(y))
        stopped = scan_values(y, first, end);
    /* as doubles both are exact: rows of a file stay below 2^53 */
    double found[2] = {(double)(stopped < end ? stopped : split->samples), -(double)largest}, least[2];
    DT_TRY(dt_comm_spread(comm, found, 2, least, NULL, NULL));
    int64_t bad = (int64_t)least[0];
    split->classes = split->labels ? 1 - (int64_t)least[1] : 0;
    if (bad == split->samples) return dt_ok();
    if (split->labels) return fail_label(y, bad, file, dataset);
    return dt_fail(DT_ERR_INPUT, "%s: %s row %lld is not finite (NaN or infinity)", file, dataset, (long long)bad);
}

static dt_status open_pair(dt_split *split, dt_comm *comm, const char *file, const char *x, const char *y,
                           const char *spool) {
    DT_TRY(dt_array_open(&split->x, comm, file, x, spool));
    DT_TRY(dt_array_open(&split->y, comm, file, y, spool));
    split->samples = dt_array_rows(split->x);
    split->input = dt_array_row_shape(split->x);
    split->width = row_width(split->y);
    split->labels = !is_float(split->y) && dt_array_row_shape(split->y).rank <= 1 && split->width == 1;
    split->targets = split->labels;
    split->counted = 1;
    if (dt_array_rows(split->y) != split->samples)
        return dt_fail(DT_ERR_INPUT, "%s: %s has %lld rows but %s has %lld", file, x, (long long)split->samples, y,
                       (long long)dt_array_rows(split->y));
    return check_targets(split, comm, file, y);
}

dt_status dt_split_open(dt_split *out, dt_comm *comm, const char *file, const char *x, const char *y,
                        const char *spool) {
    memset(out, 0, sizeof *out);
    dt_status status = open_pair(out, comm, file, x, y, spool);
    if (status.code != DT_OK) dt_split_close(out);
    return status;
}

void dt_split_close(dt_split *split) {
    dt_array_close(split->x);
    dt_array_close(split->y);
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
    const void *labels = dt_array_row(split->y, 0);
    dt_dtype dtype = dt_array_dtype(split->y);
    for (int64_t i = 0; i < rows; i++) batch->labels[i] = (int32_t)dt_integer_at(labels, dtype, index[i]);
}
