/* Scales from the training samples. They are cut into blocks whose bounds depend on their number alone; a block is
 * summed by one rank, in order, and blocks are joined in order by all. So the result is the same bits on any number of
 * ranks, for one pass over the data; least and largest numbers are in no order anyway. Channels whose mean is so far
 * from 0 that a double would lose what tells their numbers apart are summed in a second pass, as distances from what
 * the first one found. */
#include "data/source.h"
#include "numbers.h"
#include "scaling_internal.h"

#include <math.h>
#include <string.h>

#include "base/alive.h"
#include "base/memory.h"
#include "base/stop.h"

#define BLOCKS 256

/* Mean and sum of squared deviations of so many numbers. */
typedef struct moments {
    double mean, square, count;
} moments;

/* Chan, Golub, LeVeque 1983, equation 2.1. */
static void join(moments *all, const moments *more) {
    double apart = more->mean - all->mean, share = more->count / (all->count + more->count);
    if (more->count <= 0) return;
    all->mean += apart * share;
    all->square += more->square + apart * apart * share * all->count;
    all->count += more->count;
}

/* Memory of a computation. Columns are the channels, whether or not each has a scale of its own. */
typedef struct sums {
    int64_t columns, block_count;
    int64_t *message; /* [blocks, columns] of moments; their bits cross as integers */
    size_t words;
    dt_ranges ends;        /* of the numbers, as distances from the origin */
    double *origin, *work; /* [columns], [positions] */
} sums;

/* ---- a pass ---- */

static const void *numbers_of(const dt_scaling *s, const dt_source *source, int64_t index) {
    if (!s->of_targets) return dt_source_row(source, index);
    return dt_array_row(source->targets.y, dt_selection_row(&source->selection, index));
}

static dt_dtype dtype_of(const dt_scaling *s, const dt_source *source) {
    return s->of_targets ? dt_array_dtype(source->targets.y) : source->about.dtype;
}

/* Takes out missing values; how many numbers are left. */
static int64_t keep_numbers(double *x, int64_t n) {
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(x[i])) x[kept++] = x[i];
    return kept;
}

/* One column of one sample joins its block. */
static void add_column(moments *block, sums *own, const dt_scaling *s, const void *x, dt_dtype dtype, int64_t column) {
    int64_t positions = s->height * s->width, at = s->planes > 1 ? column * positions : column;
    double *apart = own->work;
    dt_apart(apart, (const char *)x + (size_t)at * dt_dtype_size(dtype), dtype, positions, s->depth,
             own->origin[column]);
    if (s->fill) positions = keep_numbers(apart, positions);
    moments m = {0, 0, (double)positions};
    for (int64_t i = 0; i < positions; i++) m.mean += apart[i];
    m.mean /= m.count;
    for (int64_t i = 0; i < positions; i++) m.square += (apart[i] - m.mean) * (apart[i] - m.mean);
    dt_ranges_widen_column(&own->ends, column, apart, positions);
    join(block, &m);
}

/* This rank's blocks. */
static void sum_blocks(sums *own, const dt_scaling *s, const dt_ranks *ranks, const dt_source *source) {
    int64_t own_first, own_count, first, count;
    dt_dtype dtype = dtype_of(s, source);
    moments *blocks = (moments *)own->message;
    memset(own->message, 0, own->words * sizeof *own->message);
    dt_ranges_empty(&own->ends);
    dt_shard_range(own->block_count, ranks->size, ranks->rank, &own_first, &own_count);
    for (int64_t b = own_first; b < own_first + own_count && !dt_stop_requested; b++) {
        dt_shard_range(source->samples, own->block_count, b, &first, &count);
        for (int64_t i = first; i < first + count; i++) {
            const void *x = numbers_of(s, source, i);
            for (int64_t c = 0; c < own->columns; c++) add_column(&blocks[b * own->columns + c], own, s, x, dtype, c);
            dt_alive();
        }
    }
}

/* ---- what it found ---- */

/* Collective. Names the first sample without which mean and deviation would be numbers. */
static dt_status fail_moments(const dt_scaling *s, const dt_ranks *ranks, const dt_source *source,
                              const dt_recipe_data *data, int64_t channel) {
    const char *group = s->of_targets ? "data.target." : "data.",
               *dataset = s->of_targets ? data->train_y : data->train_x;
    int64_t first, count;
    dt_shard_range(source->samples, ranks->size, ranks->rank, &first, &count);
    char fault[DT_FAULT_TEXT];
    int64_t bad = first;
    while (bad < first + count &&
           !dt_source_fault(source, s->of_targets, dt_source_place(source, NULL, bad), fault, sizeof fault)) {
        bad++;
        dt_alive();
    }
    int64_t least = bad < first + count ? bad : source->samples;
    DT_TRY(dt_ranks_least(ranks, &least, 1));
    const int64_t row = least < source->samples ? dt_source_place(source, NULL, least) : -1;
    if (row >= 0 && dt_source_fault(source, s->of_targets, row, fault, sizeof fault))
        return dt_fail(DT_ERR_INPUT,
                       "%s: row %lld of %s %s, so %snormalize cannot compute a mean in channel %lld; correct the "
                       "data, or give %smean and %sstd",
                       data->file, (long long)row, dataset, fault, group, (long long)channel, group, group);
    if (s->fill && !s->of_targets)
        return dt_fail(
            DT_ERR_INPUT,
            "%s: %s has no value at all in channel %lld, so data.missing has no mean to put there; leave the "
            "channel out",
            data->file, dataset, (long long)channel);
    return dt_fail(DT_ERR_INPUT,
                   "%s: %s has values so large in channel %lld that their mean is no number; give %smean and %sstd",
                   data->file, dataset, (long long)channel, group, group);
}

/* Columns with one scale: every `step`th of [first, end). */
typedef struct column_group {
    int64_t first, step, end;
} column_group;

/* Those of a column: all of a sample, itself alone or, of an input with a shape of its own, all of its channel. */
static column_group group_of(const dt_scaling *s, int64_t columns, int64_t column) {
    if (s->channels == 1) return (column_group){0, 1, columns};
    for (int64_t i = 0; i < s->input_count; i++) {
        const dt_input *input = &s->inputs[i];
        const int64_t end = input->first + dt_shape_count(&input->shape);
        if (column >= end || input->shape.rank < 2) continue;
        if (column < input->first) break;
        const int64_t step = input->shape.rank == 2 ? 1 : dt_shape_last(&input->shape);
        return (column_group){input->first + (column - input->first) % step, step, end};
    }
    return (column_group){column, 1, column + 1};
}

/* The moments and ends of all numbers with one scale. */
static moments join_blocks(const sums *own, const dt_scaling *s, int64_t channel, double *least, double *most) {
    const moments *blocks = (const moments *)own->message;
    const column_group group = group_of(s, own->columns, channel);
    moments all = {0, 0, 0};
    *least = (double)INFINITY;
    *most = -(double)INFINITY;
    for (int64_t c = group.first; c < group.end; c += group.step) {
        for (int64_t b = 0; b < own->block_count; b++) join(&all, &blocks[b * own->columns + c]);
        if (own->ends.least[c] < *least) *least = own->ends.least[c];
        if (own->ends.most[c] > *most) *most = own->ends.most[c];
    }
    return all;
}

/* The scales of this kind, from what crossed; or the first channel in which they are no numbers, else -1. */
static int64_t take_scales(dt_scaling *s, const sums *own, dt_normalize normalize) {
    for (int64_t c = 0; c < s->channels; c++) {
        double least, most;
        const int64_t leader = group_of(s, own->columns, c).first;
        if (leader < c) {
            s->mean[c] = s->mean[leader];
            s->std[c] = s->std[leader];
            continue;
        }
        const moments all = join_blocks(own, s, c, &least, &most);
        const double variance = all.square / all.count, noise = all.mean * 0x1p-50; /* of numbers that are all alike */
        if (!isfinite(all.mean) || !isfinite(variance)) return c;
        s->mean[c] = own->origin[c] + all.mean;
        s->std[c] = variance > noise * noise ? sqrt(variance) : 1;
        if (normalize != DT_NORMALIZE_MIN_MAX) continue;
        s->mean[c] = own->origin[c] + least;
        s->std[c] = most > least ? most - least : 1;
        if (!isfinite(s->std[c])) return c;
    }
    return -1;
}

/* What stands in for missing values: the mean of their column; the first that has none, or -1. */
static int64_t take_fill(dt_scaling *s, const sums *own) {
    const moments *blocks = (const moments *)own->message;
    for (int64_t c = 0; s->fill && c < own->columns; c++) {
        moments all = {0, 0, 0};
        for (int64_t b = 0; b < own->block_count; b++) join(&all, &blocks[b * own->columns + c]);
        s->fill[c] = own->origin[c] + all.mean;
        if (all.count <= 0 || !isfinite(all.mean)) return c;
    }
    return -1;
}

/* Collective. One pass over the samples: moments as distances from own->origin. */
static dt_status compute_pass(dt_scaling *s, const dt_ranks *ranks, sums *own, const dt_source *source,
                              const dt_recipe_data *data) {
    const dt_recipe_scale *wanted = s->of_targets ? &data->target : &data->scale;
    sum_blocks(own, s, ranks, source);
    DT_TRY(dt_ranks_agree(ranks, dt_stop_status()));
    DT_TRY(dt_ranks_agree(ranks, dt_source_failure(source)));
    /* one rank has a block's bits, the others have zeros, and so the sum is a copy */
    DT_TRY(dt_ranks_sum(ranks, own->message, own->words));
    DT_TRY(dt_ranges_share(&own->ends, ranks));
    int64_t bad = take_fill(s, own);
    if (bad < 0 && dt_scale_is_computed(wanted)) bad = take_scales(s, own, (dt_normalize)wanted->normalize);
    dt_scaling_settle(s);
    return bad < 0 ? dt_ok() : fail_moments(s, ranks, source, data, bad);
}

/* Collective. */
static dt_status compute_passes(dt_scaling *s, const dt_ranks *ranks, sums *own, const dt_source *source,
                                const dt_recipe_data *data) {
    DT_TRY(compute_pass(s, ranks, own, source, data));
    if (s->seen.columns == own->columns) dt_ranges_copy(&s->seen, &own->ends);
    if (!dt_scaling_is_far(s, dtype_of(s, source))) return dt_ok();
    for (int64_t c = 0; c < own->columns; c++) {
        const int64_t channel = s->channels > 1 ? c : 0;
        own->origin[c] = s->far[channel] ? s->mean[channel] : 0;
    }
    return compute_pass(s, ranks, own, source, data);
}

static dt_status take_memory(sums *own, const dt_scaling *s) {
    const size_t columns = (size_t)own->columns;
    own->words = (size_t)own->block_count * columns * (sizeof(moments) / sizeof(int64_t));
    own->message = dt_alloc(own->words, sizeof *own->message);
    own->origin = dt_alloc(columns, sizeof *own->origin);
    own->work = dt_alloc((size_t)(s->height * s->width), sizeof *own->work);
    if (!own->message || !own->origin || !own->work)
        return dt_fail_memory("the channels' sums", own->words * sizeof *own->message);
    return dt_ranges_open(&own->ends, own->columns);
}

dt_status dt_scaling_compute(dt_scaling *s, const dt_ranks *ranks, const dt_source *source,
                             const dt_recipe_data *data) {
    sums own = {.columns = dt_scaling_columns(s), .block_count = source->samples < BLOCKS ? source->samples : BLOCKS};
    dt_status status = dt_ranks_agree(ranks, take_memory(&own, s));
    if (status.code == DT_OK) status = compute_passes(s, ranks, &own, source, data);
    dt_free(own.message);
    dt_ranges_close(&own.ends);
    dt_free(own.origin);
    dt_free(own.work);
    return status;
}

/* ---- ranges alone ---- */

dt_status dt_scaling_look(dt_scaling *s, const dt_ranks *ranks, const dt_source *source) {
    int64_t first, count;
    double *numbers = dt_alloc((size_t)s->count, sizeof *numbers);
    DT_TRY(dt_ranks_agree(ranks, numbers ? dt_ok() : dt_fail_memory("a sample", (size_t)s->count * sizeof *numbers)));
    dt_ranges_empty(&s->seen);
    dt_shard_range(source->samples, ranks->size, ranks->rank, &first, &count);
    for (int64_t i = first; i < first + count && !dt_stop_requested; i++) {
        dt_apart(numbers, dt_source_row(source, i), source->about.dtype, s->count, 1, 0);
        dt_ranges_widen(&s->seen, numbers, s->planes, s->height * s->width, s->depth);
        dt_alive();
    }
    dt_free(numbers);
    DT_TRY(dt_ranks_agree(ranks, dt_stop_status()));
    return dt_ranges_share(&s->seen, ranks);
}
