/* Bringing the numbers of a file to mean 0 and deviation 1. Where mean and deviation are to be computed, the samples
 * are cut into blocks whose bounds depend on their number alone; a block is summed by one rank, in order, and blocks
 * are joined in order by all. So the result is the same bits on any number of ranks, for one pass over the data. */
#include "data_internal.h"

#include <math.h>
#include <string.h>

#include "dtrain/memory.h"

#define BLOCKS 256

static dt_status fail_picture(const dt_split *split, const dt_recipe_data *data) {
    char shape[96];
    dt_shape_text(&split->input, shape);
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

dt_status dt_scaling_open(dt_scaling *out, const dt_split *split, const dt_recipe_data *data) {
    memset(out, 0, sizeof *out);
    read_layout(out, &split->input, (dt_channels)data->channels);
    bool augments = data->crop_padding > 0 || data->flip;
    if (augments && !out->picture) return fail_picture(split, data);
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
    out->shift = dt_alloc(channels, sizeof *out->shift);
    out->factor = dt_alloc(channels, sizeof *out->factor);
    if (!out->mean || !out->std || !out->shift || !out->factor) {
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
    dt_free(scaling->shift);
    dt_free(scaling->factor);
    memset(scaling, 0, sizeof *scaling);
}

void dt_scaling_settle(dt_scaling *scaling) {
    for (int64_t i = 0; i < scaling->channels; i++) {
        scaling->shift[i] = (dt_real)scaling->mean[i];
        scaling->factor[i] = (dt_real)(1 / scaling->std[i]);
    }
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

/* Of one channel of one sample. */
static moments sample_moments(const dt_real *x, const dt_scaling *s, int64_t channel) {
    int64_t places = s->height * s->width, step = s->depth;
    const dt_real *from = s->planes > 1 ? x + channel * places : x + channel;
    moments m = {0, 0};
    for (int64_t i = 0; i < places; i++) m.mean += (double)from[i * step];
    m.mean /= (double)places;
    for (int64_t i = 0; i < places; i++) {
        double apart = (double)from[i * step] - m.mean;
        m.square += apart * apart;
    }
    return m;
}

/* The samples [first, first + count) into all[channels]. */
static void block_moments(moments *all, dt_real *x, const dt_scaling *s, const dt_kernels *kernels,
                          const dt_split *split, int64_t first, int64_t count) {
    int64_t places = s->height * s->width, inputs = s->planes * places * s->depth;
    for (int64_t i = 0; i < count; i++) {
        kernels->convert(x, dt_array_row(split->x, first + i), dt_array_dtype(split->x), inputs, 1, 0);
        for (int64_t c = 0; c < s->channels; c++) {
            moments own = sample_moments(x, s, c);
            join(&all[c], (double)(i * places), &own, (double)places);
        }
    }
}

static dt_status take(dt_scaling *s, const moments *blocks, int64_t block_count, const dt_split *split,
                      const dt_recipe_data *data) {
    double places = (double)(s->height * s->width);
    for (int64_t c = 0; c < s->channels; c++) {
        moments all = {0, 0};
        for (int64_t b = 0; b < block_count; b++) {
            int64_t first, count;
            dt_shard_range(split->samples, block_count, b, &first, &count);
            join(&all, (double)first * places, &blocks[b * s->channels + c], (double)count * places);
        }
        double variance = all.square / ((double)split->samples * places);
        if (!isfinite(all.mean) || !isfinite(variance))
            return dt_fail(DT_ERR_INPUT,
                           "%s: %s has values that are not finite in channel %lld, so data.normalize cannot compute "
                           "their mean; give data.mean and data.std, or repair the data",
                           data->file, data->train_x, (long long)c);
        s->mean[c] = all.mean;
        s->std[c] = variance > 0 ? sqrt(variance) : 1;
    }
    dt_scaling_settle(s);
    return dt_ok();
}

dt_status dt_scaling_compute(dt_scaling *s, dt_comm *comm, const dt_kernels *kernels, const dt_split *split,
                             const dt_recipe_data *data) {
    int64_t block_count = split->samples < BLOCKS ? split->samples : BLOCKS, own_first, own_count;
    size_t words = (size_t)(block_count * s->channels) * (sizeof(moments) / sizeof(int64_t));
    int64_t *message = dt_alloc(words, sizeof *message);
    dt_real *x = dt_alloc((size_t)dt_shape_count(&split->input), sizeof *x);
    dt_status status =
        dt_comm_agree(comm, message && x ? dt_ok() : dt_fail_memory("the channels' sums", words * sizeof *message));
    if (status.code == DT_OK) {
        dt_shard_range(block_count, dt_comm_size(comm), dt_comm_rank(comm), &own_first, &own_count);
        moments *blocks = (moments *)message;
        for (int64_t b = own_first; b < own_first + own_count; b++) {
            int64_t first, count;
            dt_shard_range(split->samples, block_count, b, &first, &count);
            block_moments(blocks + b * s->channels, x, s, kernels, split, first, count);
        }
        /* the bits as integers: one rank has a block's, the others have zeros, and so the sum is a copy */
        status = dt_comm_sum_i64(comm, message, words);
        if (status.code == DT_OK) status = take(s, blocks, block_count, split, data);
    }
    dt_free(message);
    dt_free(x);
    return status;
}

void dt_scale_sample(dt_real *out, const void *sample, dt_dtype dtype, const dt_kernels *kernels, const dt_scaling *s) {
    int64_t places = s->height * s->width, plane_size = places * s->depth;
    int64_t planes = s->channels > 1 ? s->planes : 1, count = s->planes * plane_size / planes;
    for (int64_t plane = 0; plane < planes; plane++) {
        dt_real factor, term;
        dt_plane_scale(s, plane, &factor, &term);
        kernels->convert(out + plane * count, (const char *)sample + (size_t)(plane * count) * dt_dtype_size(dtype),
                         dtype, count, factor, term);
    }
    if (dt_scales_vectors(s)) kernels->normalise(out, out, s->shift, s->factor, NULL, places, s->depth, false);
}
