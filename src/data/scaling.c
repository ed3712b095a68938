/* Bringing the numbers of a file to mean 0 and deviation 1. Where mean and deviation are to be computed, the samples
 * are cut into blocks whose bounds depend on their number alone; a block is summed by one rank, in order, and blocks
 * are joined in order by all. So the result is the same bits on any number of ranks, for one pass over the data.
 *
 * A step converts and scales in float32, which is as exact as its inputs are wherever the mean is not far from 0. Where
 * it is, as with times or pressures, numbers that float32 cannot hold would lose the digits in which they differ: those
 * channels are computed in a second pass, as distances from the mean of the first, and scaled in double. Which channels
 * are far follows from mean and deviation alone, so a resumed run and an evaluation know it without the data. */
#include "data/source.h"
#include "numbers.h"
#include "samples.h"

#include <math.h>
#include <string.h>

#include "base/alive.h"
#include "base/memory.h"
#include "base/stop.h"

#define BLOCKS 256

static dt_status fail_picture(const dt_source *source, const dt_recipe_data *data) {
    char shape[96];
    dt_shape_text(&source->about.input, shape);
    return dt_fail(DT_ERR_INPUT,
                   "%s: data.augment moves and mirrors pictures, [H, W], [H, W, C] or, with data.channels: first, [C, "
                   "H, W], but samples of %s are %s",
                   data->file, data->train_x, shape);
}

/* The dimensions of a sample, and which of them are channels. */
static void read_layout(dt_scaling *s, const dt_shape *shape, dt_channels where) {
    const int64_t *dim = shape->dim;
    int64_t count = dt_shape_count(shape);
    if (where == DT_CHANNELS_AUTO) where = shape->rank == 2 ? DT_CHANNELS_NONE : DT_CHANNELS_LAST;
    if (shape->rank == 0) where = DT_CHANNELS_NONE;
    s->planes = where == DT_CHANNELS_FIRST ? dim[0] : 1;
    s->depth = where == DT_CHANNELS_LAST ? dt_shape_last(shape) : 1;
    s->channels = s->planes * s->depth;
    s->height = 1;
    s->width = count / s->channels;
    int first = where == DT_CHANNELS_FIRST, last = shape->rank - (where == DT_CHANNELS_LAST);
    s->picture = last - first == 2;
    if (!s->picture) return;
    s->height = dim[first];
    s->width = dim[first + 1];
}

dt_status dt_scaling_open(dt_scaling *out, const dt_source *source, const dt_recipe_data *data) {
    memset(out, 0, sizeof *out);
    read_layout(out, &source->about.input, (dt_channels)data->channels);
    bool augments = data->crop_padding > 0 || data->flip;
    if (augments && !out->picture) return fail_picture(source, data);
    if (data->crop_padding >= out->height || data->crop_padding >= out->width) {
        if (data->crop_padding > 0)
            return dt_fail(
                DT_ERR_INPUT,
                "data.augment.crop_padding is %lld but samples of %s are %lld x %lld pixels; it must be less",
                (long long)data->crop_padding, data->train_x, (long long)out->height, (long long)out->width);
    }
    if (data->normalize == DT_NORMALIZE_GIVEN) out->channels = 1;
    size_t channels = (size_t)out->channels;
    out->mean = dt_alloc(channels, sizeof *out->mean);
    out->std = dt_alloc(channels, sizeof *out->std);
    out->far = dt_alloc(channels, sizeof *out->far);
    out->shift = dt_alloc(2 * channels, sizeof *out->shift);
    out->factor = dt_alloc(2 * channels, sizeof *out->factor);
    if (!out->mean || !out->std || !out->far || !out->shift || !out->factor) {
        dt_scaling_close(out);
        return dt_fail_memory("the channels' scales", channels * sizeof *out->mean);
    }
    for (size_t i = 0; i < channels; i++) {
        out->mean[i] = data->mean;
        out->std[i] = data->std;
    }
    dt_scaling_settle(out);
    return dt_ok();
}

void dt_scaling_close(dt_scaling *scaling) {
    dt_free(scaling->mean);
    dt_free(scaling->std);
    dt_free(scaling->far);
    dt_free(scaling->shift);
    dt_free(scaling->factor);
    memset(scaling, 0, sizeof *scaling);
}

/* Rounding to float32 costs |mean|/std * 2^-24 of a deviation, 4e-6 at this ratio, and its range ends at 3e38. */
#define FAR_RATIO 64
#define LARGE 1e30

static bool is_far(double mean, double std) {
    return fabs(mean) > FAR_RATIO * std || fabs(mean) > LARGE || std > LARGE || std < 1 / LARGE;
}

void dt_scaling_settle(dt_scaling *scaling) {
    int64_t channels = scaling->channels;
    scaling->any_far = false;
    for (int64_t i = 0; i < channels; i++) {
        bool far = is_far(scaling->mean[i], scaling->std[i]);
        scaling->shift[i] = (dt_real)scaling->mean[i];
        scaling->factor[i] = (dt_real)(1 / scaling->std[i]);
        scaling->shift[channels + i] = far ? 0 : scaling->shift[i];
        scaling->factor[channels + i] = far ? 1 : scaling->factor[i];
        scaling->far[i] = far;
        scaling->any_far |= far;
    }
}

/* Whether some channels of `dtype` are to be scaled in double. */
static bool scales_far(const dt_scaling *s, dt_dtype dtype) {
    return s->any_far && dt_is_wide(dtype);
}

/* ---- computing ---- */

/* Mean and sum of squared deviations of `count` numbers. */
typedef struct moments {
    double mean, square;
} moments;

/* Chan, Golub, LeVeque 1983, equation 2.1. */
static void join(moments *all, double before, const moments *more, double count) {
    double apart = more->mean - all->mean, share = count / (before + count);
    all->mean += apart * share;
    all->square += more->square + apart * apart * share * before;
}

/* Of one channel of one sample, as distances from a number; apart[positions] is for work. */
static moments sample_moments(double *apart, const void *x, dt_dtype dtype, const dt_scaling *s, int64_t channel,
                              double from_value) {
    int64_t positions = s->height * s->width, at = s->planes > 1 ? channel * positions : channel;
    dt_apart(apart, (const char *)x + (size_t)at * dt_dtype_size(dtype), dtype, positions, s->depth, from_value);
    moments m = {0, 0};
    for (int64_t i = 0; i < positions; i++) m.mean += apart[i];
    m.mean /= (double)positions;
    for (int64_t i = 0; i < positions; i++) m.square += (apart[i] - m.mean) * (apart[i] - m.mean);
    return m;
}

/* The samples [first, first + count) into all[channels]. */
static void block_moments(moments *all, double *work, const dt_scaling *s, const double *origin,
                          const dt_source *source, int64_t first, int64_t count) {
    int64_t positions = s->height * s->width;
    dt_dtype dtype = source->about.dtype;
    for (int64_t i = 0; i < count; i++) {
        const void *x = dt_source_row(source, first + i);
        for (int64_t c = 0; c < s->channels; c++) {
            moments own = sample_moments(work, x, dtype, s, c, origin[c]);
            join(&all[c], (double)(i * positions), &own, (double)positions);
        }
        dt_alive();
    }
}

/* Collective. Names the first sample without which mean and deviation would be numbers. */
static dt_status fail_moments(const dt_ranks *ranks, const dt_source *source, const dt_recipe_data *data,
                              int64_t channel) {
    int64_t first, count;
    dt_shard_range(source->samples, ranks->size, ranks->rank, &first, &count);
    char fault[DT_FAULT_TEXT];
    int64_t bad = first;
    while (bad < first + count &&
           !dt_source_fault(source, false, dt_source_place(source, NULL, bad), fault, sizeof fault)) {
        bad++;
        dt_alive();
    }
    int64_t least = bad < first + count ? bad : source->samples;
    DT_TRY(dt_ranks_least(ranks, &least, 1));
    int64_t row = least < source->samples ? dt_source_place(source, NULL, least) : -1;
    if (row >= 0 && dt_source_fault(source, false, row, fault, sizeof fault))
        return dt_fail(DT_ERR_INPUT,
                       "%s: row %lld of %s %s, so data.normalize cannot compute a mean in channel %lld; correct the "
                       "data, or give data.mean and data.std",
                       data->file, (long long)row, data->train_x, fault, (long long)channel);
    return dt_fail(
        DT_ERR_INPUT,
        "%s: %s has values so large in channel %lld that their mean is no number; give data.mean and data.std",
        data->file, data->train_x, (long long)channel);
}

/* The channels' mean and deviation (1 where numbers are all the same) from the blocks' moments; or the first channel in
 * which they are no numbers, else -1. */
static int64_t take(dt_scaling *s, const moments *blocks, int64_t block_count, const double *origin, int64_t samples) {
    double positions = (double)(s->height * s->width);
    for (int64_t c = 0; c < s->channels; c++) {
        moments all = {0, 0};
        for (int64_t b = 0; b < block_count; b++) {
            int64_t first, count;
            dt_shard_range(samples, block_count, b, &first, &count);
            join(&all, (double)first * positions, &blocks[b * s->channels + c], (double)count * positions);
        }
        double variance = all.square / ((double)samples * positions);
        if (!isfinite(all.mean) || !isfinite(variance)) return c;
        double noise = all.mean * 0x1p-50; /* what rounding makes of numbers that are all the same */
        s->mean[c] = origin[c] + all.mean;
        s->std[c] = variance > noise * noise ? sqrt(variance) : 1;
    }
    dt_scaling_settle(s);
    return -1;
}

/* Memory of a computation. */
typedef struct sums {
    int64_t *message; /* [blocks, channels] of moments; their bits cross as integers */
    size_t words;
    int64_t block_count;
    double *origin; /* [channels] */
    double *work;   /* [positions] */
} sums;

/* Collective. One pass over the samples: moments as distances from own->origin. */
static dt_status compute_pass(dt_scaling *s, const dt_ranks *ranks, const sums *own, const dt_source *source,
                              const dt_recipe_data *data) {
    int64_t own_first, own_count;
    moments *blocks = (moments *)own->message;
    memset(own->message, 0, own->words * sizeof *own->message);
    dt_shard_range(own->block_count, ranks->size, ranks->rank, &own_first, &own_count);
    for (int64_t b = own_first; b < own_first + own_count && !dt_stop_requested; b++) {
        int64_t first, count;
        dt_shard_range(source->samples, own->block_count, b, &first, &count);
        block_moments(blocks + b * s->channels, own->work, s, own->origin, source, first, count);
    }
    DT_TRY(dt_ranks_agree(ranks, dt_stop_status()));
    /* one rank has a block's bits, the others have zeros, and so the sum is a copy */
    DT_TRY(dt_ranks_sum(ranks, own->message, own->words));
    int64_t bad = take(s, blocks, own->block_count, own->origin, source->samples);
    return bad < 0 ? dt_ok() : fail_moments(ranks, source, data, bad);
}

/* Collective. */
static dt_status compute_passes(dt_scaling *s, const dt_ranks *ranks, const sums *own, const dt_source *source,
                                const dt_recipe_data *data) {
    DT_TRY(compute_pass(s, ranks, own, source, data));
    if (!scales_far(s, source->about.dtype)) return dt_ok();
    for (int64_t c = 0; c < s->channels; c++) own->origin[c] = s->far[c] ? s->mean[c] : 0;
    return compute_pass(s, ranks, own, source, data);
}

dt_status dt_scaling_compute(dt_scaling *s, const dt_ranks *ranks, const dt_source *source,
                             const dt_recipe_data *data) {
    int64_t block_count = source->samples < BLOCKS ? source->samples : BLOCKS;
    sums own = {.block_count = block_count,
                .words = (size_t)(block_count * s->channels) * (sizeof(moments) / sizeof(int64_t))};
    own.message = dt_alloc(own.words, sizeof *own.message);
    own.origin = dt_alloc((size_t)s->channels, sizeof *own.origin);
    own.work = dt_alloc((size_t)(s->height * s->width), sizeof *own.work);
    bool there = own.message && own.origin && own.work;
    dt_status status =
        dt_ranks_agree(ranks, there ? dt_ok() : dt_fail_memory("the channels' sums", own.words * sizeof *own.message));
    if (status.code == DT_OK) status = compute_passes(s, ranks, &own, source, data);
    dt_free(own.message);
    dt_free(own.origin);
    dt_free(own.work);
    return status;
}

/* ---- using ---- */

/* Whether neighbouring numbers have scales of their own. */
static bool scales_vectors(const dt_scaling *s) {
    return s->channels > 1 && s->planes == 1;
}

/* The channel whose scale a plane has. */
static int64_t channel_of(const dt_scaling *s, int64_t plane) {
    return s->channels > 1 && s->planes > 1 ? plane : 0;
}

void dt_scale_run(dt_real *out, const void *x, dt_dtype dtype, const dt_kernels *kernels, const dt_scaling *s,
                  int64_t plane, int64_t positions) {
    bool vectors = scales_vectors(s), far = scales_far(s, dtype);
    int64_t channel = channel_of(s, plane), count = positions * s->depth;
    double mean = s->mean[channel], std = s->std[channel];
    if (vectors)
        kernels->convert(out, x, dtype, count, 1, 0);
    else if (far && s->far[channel])
        dt_standardise(out, x, dtype, count, 1, mean, std);
    else
        kernels->convert(out, x, dtype, count, (dt_real)(1 / std), (dt_real)(-mean / std));
    for (int64_t c = 0; vectors && far && c < s->channels; c++)
        if (s->far[c])
            dt_standardise(out + c, (const char *)x + (size_t)c * dt_dtype_size(dtype), dtype, positions, s->depth,
                           s->mean[c], s->std[c]);
}

void dt_scale_black(dt_real *out, dt_dtype dtype, const dt_scaling *s, int64_t plane, int64_t positions) {
    bool vectors = scales_vectors(s), far = scales_far(s, dtype);
    int64_t channel = channel_of(s, plane);
    dt_real black = vectors ? 0 : (dt_real)(-s->mean[channel] / s->std[channel]);
    for (int64_t i = 0; i < positions * s->depth; i++) out[i] = black;
    for (int64_t c = 0; vectors && far && c < s->channels; c++)
        for (int64_t i = 0; s->far[c] && i < positions; i++) out[i * s->depth + c] = (dt_real)(-s->mean[c] / s->std[c]);
}

void dt_scale_vectors(dt_real *out, dt_dtype dtype, const dt_kernels *kernels, const dt_scaling *s, int64_t positions) {
    if (!scales_vectors(s)) return;
    int64_t set = scales_far(s, dtype) ? s->channels : 0;
    kernels->normalise(out, out, s->shift + set, s->factor + set, NULL, positions, s->depth, false);
}

void dt_scale_sample(dt_real *out, const void *sample, dt_dtype dtype, const dt_kernels *kernels, const dt_scaling *s) {
    int64_t positions = s->height * s->width, plane_size = positions * s->depth;
    int64_t planes = s->channels > 1 ? s->planes : 1, run = s->planes * positions / planes;
    for (int64_t plane = 0; plane < planes; plane++)
        dt_scale_run(out + plane * plane_size,
                     (const char *)sample + (size_t)(plane * plane_size) * dt_dtype_size(dtype), dtype, kernels, s,
                     plane, run);
    dt_scale_vectors(out, dtype, kernels, s, positions);
}
