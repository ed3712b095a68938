/* Bringing the numbers of a file to mean 0 and deviation 1, or where a recipe wants them, and outputs back to the units
 * of their targets.
 *
 * A step converts and scales in float32, which is as exact as its inputs are wherever the mean is not far from 0. Where
 * it is, as with times or pressures, numbers that float32 cannot hold would lose the digits in which they differ: those
 * channels are scaled in double. Which channels are far follows from mean and deviation alone, so a resumed run and an
 * evaluation know it without the data. */
#include "data/source.h"
#include "numbers.h"
#include "samples.h"
#include "scaling_internal.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

/* ---- opening ---- */

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
    s->count = dt_shape_count(shape);
    if (where == DT_CHANNELS_MOVED) where = DT_CHANNELS_LAST;
    if (where == DT_CHANNELS_AUTO) where = shape->rank == 2 ? DT_CHANNELS_NONE : DT_CHANNELS_LAST;
    if (shape->rank == 0) where = DT_CHANNELS_NONE;
    s->planes = where == DT_CHANNELS_FIRST ? dim[0] : 1;
    s->depth = where == DT_CHANNELS_LAST ? dt_shape_last(shape) : 1;
    s->height = 1;
    s->width = s->count / (s->planes * s->depth);
    int first = where == DT_CHANNELS_FIRST, last = shape->rank - (where == DT_CHANNELS_LAST);
    s->picture = last - first == 2;
    if (!s->picture) return;
    s->height = dim[first];
    s->width = dim[first + 1];
}

static dt_status check_padding(const dt_recipe_data *data, int64_t height, int64_t width) {
    if (data->crop_padding == 0 || (data->crop_padding < height && data->crop_padding < width)) return dt_ok();
    return dt_fail(DT_ERR_INPUT,
                   "data.augment.crop_padding is %lld but samples of %s are %lld x %lld pixels; it must be less",
                   (long long)data->crop_padding, data->train_x, (long long)height, (long long)width);
}

/* Whether an input that has a name is a picture that data.augment.input means; *out is what it is. */
static bool is_moved(dt_picture *out, const dt_input *input, const dt_recipe_data *data) {
    dt_scaling layout = {.planes = 0};
    read_layout(&layout, &input->shape, (dt_channels)data->channels);
    if (data->augment_input[0] && strcmp(data->augment_input, input->name) != 0) return false;
    if (layout.picture) *out = (dt_picture){input->first, layout.planes, layout.height, layout.width, layout.depth};
    return layout.picture;
}

/* Of several inputs one moves: which, if there is no other that could. */
static dt_status find_moved(dt_scaling *s, const dt_recipe_data *data) {
    const dt_input *found = NULL;
    for (int64_t i = 0; i < s->input_count; i++) {
        if (!is_moved(&s->moved, &s->inputs[i], data)) continue;
        if (found)
            return dt_fail(DT_ERR_INPUT,
                           "data.augment: the inputs `%s` and `%s` are both pictures; data.augment.input "
                           "says which is moved",
                           found->name, s->inputs[i].name);
        found = &s->inputs[i];
    }
    if (found) return check_padding(data, s->moved.height, s->moved.width);
    if (data->augment_input[0])
        return dt_fail(DT_ERR_INPUT,
                       "data.augment.input is `%s`, but %s has no such input that is a picture, [H, W] "
                       "or [H, W, C]",
                       data->augment_input, data->train_x);
    return dt_fail(DT_ERR_INPUT,
                   "data.augment moves and mirrors pictures, [H, W] or [H, W, C], but no input of %s is one",
                   data->train_x);
}

static dt_status check_augment(dt_scaling *s, const dt_source *source, const dt_recipe_data *data) {
    bool augments = data->crop_padding > 0 || data->flip;
    if (data->augment_input[0] && (!augments || s->input_count == 0))
        return dt_fail(DT_ERR_INPUT, "data.augment.input is `%s`, but %s", data->augment_input,
                       augments ? "the data has no inputs with names" : "nothing is moved or mirrored");
    if (augments && s->input_count > 0) return find_moved(s, data);
    if (augments && !s->picture) return fail_picture(source, data);
    return check_padding(data, s->height, s->width);
}

/* How many have a scale of their own: one, or every channel. */
static dt_status count_scales(dt_scaling *s, const dt_recipe_scale *wanted, const char *dataset) {
    const int64_t channels = dt_scaling_columns(s);
    const bool computed = dt_scale_is_computed(wanted);
    s->channels = computed && wanted->by == DT_NORMALIZE_BY_CHANNEL ? channels : 1;
    if (wanted->normalize != DT_NORMALIZE_GIVEN) return dt_ok();
    const bool means = wanted->mean.count > 1;
    const int listed = means ? wanted->mean.count : wanted->std.count;
    if (listed > 1) s->channels = listed;
    const bool even = !means || wanted->std.count <= 1 || wanted->std.count == listed;
    if (even && (listed <= 1 || listed == channels)) return dt_ok();
    const char *group = s->of_targets ? "data.target." : "data.";
    if (!even)
        return dt_fail(DT_ERR_INPUT, "%smean has %d numbers but %sstd has %d; give as many of both, or one for all",
                       group, listed, group, wanted->std.count);
    return dt_fail(DT_ERR_INPUT, "%s%s has %d numbers but %s has %lld channel%s; give one for each, or one for all",
                   group, means ? "mean" : "std", listed, dataset, (long long)channels, channels == 1 ? "" : "s");
}

static double one_of(const dt_reals *reals, int64_t channel, double otherwise) {
    if (reals->count == 0) return otherwise;
    return reals->value[reals->count > 1 ? channel : 0];
}

void dt_scaling_take_given(dt_scaling *s, const dt_recipe_scale *wanted) {
    const bool given = wanted->normalize == DT_NORMALIZE_GIVEN;
    for (int64_t i = 0; i < s->channels; i++) {
        s->mean[i] = given ? one_of(&wanted->mean, i, 0) : 0;
        s->std[i] = given ? one_of(&wanted->std, i, 1) : 1;
    }
    dt_scaling_settle(s);
}

static dt_status open_scaling(dt_scaling *s, const dt_recipe_scale *wanted, const char *dataset) {
    DT_TRY(count_scales(s, wanted, dataset));
    const size_t channels = (size_t)s->channels, numbers = s->of_targets ? (size_t)s->count : 1;
    s->mean = dt_alloc(channels, sizeof *s->mean);
    s->std = dt_alloc(channels, sizeof *s->std);
    s->far = dt_alloc(channels, sizeof *s->far);
    s->shift = dt_alloc(2 * channels, sizeof *s->shift);
    s->factor = dt_alloc(2 * channels, sizeof *s->factor);
    s->offsets = dt_alloc(numbers, sizeof *s->offsets);
    s->units = dt_alloc(numbers, sizeof *s->units);
    if (!s->mean || !s->std || !s->far || !s->shift || !s->factor || !s->offsets || !s->units)
        return dt_fail_memory("the channels' scales", (channels + numbers) * sizeof *s->mean);
    dt_scaling_take_given(s, wanted);
    return dt_ok();
}

/* What is known of inputs by column. */
static dt_status open_columns(dt_scaling *s, const dt_recipe_data *data) {
    const int64_t columns = dt_scaling_columns(s);
    DT_TRY(dt_ranges_open(&s->seen, columns));
    if (data->missing != DT_MISSING_MEAN) return dt_ok();
    s->fill = dt_alloc((size_t)columns, sizeof *s->fill);
    s->filled = dt_alloc((size_t)columns, sizeof *s->filled);
    return s->fill && s->filled ? dt_ok() : dt_fail_memory("the columns' means", (size_t)columns * sizeof *s->fill);
}

dt_status dt_scaling_open(dt_scaling *out, const dt_source *source, const dt_recipe_data *data) {
    memset(out, 0, sizeof *out);
    read_layout(out, &source->about.input, (dt_channels)data->channels);
    out->inputs = source->about.inputs;
    out->input_count = source->about.input_count;
    dt_status status = check_augment(out, source, data);
    if (status.code == DT_OK) status = open_columns(out, data);
    if (status.code == DT_OK) status = open_scaling(out, &data->scale, data->train_x);
    if (status.code != DT_OK) dt_scaling_close(out);
    return status;
}

/* Targets have no channels where samples have none, for those may be a row of pixels. */
dt_status dt_scaling_open_targets(dt_scaling *out, const dt_source *source, const dt_recipe_data *data) {
    memset(out, 0, sizeof *out);
    if (data->target.normalize == DT_NORMALIZE_NONE || source->targets.labels || !source->targets.y) return dt_ok();
    const dt_shape shape = dt_array_row_shape(source->targets.y);
    const dt_channels where = data->channels == DT_CHANNELS_NONE ? DT_CHANNELS_AUTO : (dt_channels)data->channels;
    out->of_targets = true;
    read_layout(out, &shape, where);
    dt_status status = open_scaling(out, &data->target, data->train_y);
    if (status.code != DT_OK) dt_scaling_close(out);
    return status;
}

void dt_scaling_close(dt_scaling *scaling) {
    dt_free(scaling->mean);
    dt_free(scaling->std);
    dt_free(scaling->far);
    dt_free(scaling->shift);
    dt_free(scaling->factor);
    dt_free(scaling->offsets);
    dt_free(scaling->units);
    dt_ranges_close(&scaling->seen);
    dt_free(scaling->fill);
    dt_free(scaling->filled);
    memset(scaling, 0, sizeof *scaling);
}

/* Rounding to float32 costs |mean|/std * 2^-24 of a deviation, 4e-6 at this ratio, and its range ends at 3e38. */
#define FAR_RATIO 64
#define LARGE 1e30

static bool is_far(double mean, double std) {
    return fabs(mean) > FAR_RATIO * std || fabs(mean) > LARGE || std > LARGE || std < 1 / LARGE;
}

/* The column that number i of a sample is of, and its channel: the same, or one for all. */
static int64_t column_at(const dt_scaling *s, int64_t i) {
    return s->planes > 1 ? i / (s->height * s->width) : i % s->depth;
}

static int64_t channel_at(const dt_scaling *s, int64_t i) {
    return s->channels == 1 ? 0 : column_at(s, i);
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
    for (int64_t c = 0; scaling->fill && c < dt_scaling_columns(scaling); c++) {
        const int64_t channel = channels == 1 ? 0 : c;
        scaling->filled[c] = (dt_real)((scaling->fill[c] - scaling->mean[channel]) / scaling->std[channel]);
    }
    for (int64_t i = 0; scaling->of_targets && i < scaling->count; i++) {
        scaling->offsets[i] = scaling->mean[channel_at(scaling, i)];
        scaling->units[i] = scaling->std[channel_at(scaling, i)];
    }
}

bool dt_scaling_is_far(const dt_scaling *s, dt_dtype dtype) {
    return s->any_far && dt_is_wide(dtype);
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
    bool vectors = scales_vectors(s), far = dt_scaling_is_far(s, dtype);
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
    bool vectors = scales_vectors(s), far = dt_scaling_is_far(s, dtype);
    int64_t channel = channel_of(s, plane);
    dt_real black = vectors ? 0 : (dt_real)(-s->mean[channel] / s->std[channel]);
    for (int64_t i = 0; i < positions * s->depth; i++) out[i] = black;
    for (int64_t c = 0; vectors && far && c < s->channels; c++)
        for (int64_t i = 0; s->far[c] && i < positions; i++) out[i * s->depth + c] = (dt_real)(-s->mean[c] / s->std[c]);
}

void dt_scale_vectors(dt_real *out, dt_dtype dtype, const dt_kernels *kernels, const dt_scaling *s, int64_t positions) {
    if (!scales_vectors(s)) return;
    int64_t set = dt_scaling_is_far(s, dtype) ? s->channels : 0;
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
    dt_scale_missing(out, s);
}

void dt_scale_missing(dt_real *out, const dt_scaling *s) {
    for (int64_t i = 0; s->fill && i < s->count; i++)
        if (isnan(out[i])) out[i] = s->filled[column_at(s, i)];
}

void dt_scaling_units(double *out, const dt_scaling *s) {
    for (int64_t i = 0; i < s->count; i++) out[i] = s->std[channel_at(s, i)];
}

void dt_scaling_undo(double *out, const dt_scaling *s, const dt_real *outputs, int64_t n) {
    if (s->channels == 0)
        for (int64_t i = 0; i < n; i++) out[i] = (double)outputs[i];
    for (int64_t at = 0; s->channels > 0 && at < n; at += s->count)
        for (int64_t i = 0; i < s->count; i++) out[at + i] = (double)outputs[at + i] * s->units[i] + s->offsets[i];
}

void dt_scaling_undo_here(dt_real *outputs, const dt_scaling *s, int64_t n) {
    for (int64_t at = 0; s->channels > 0 && at < n; at += s->count)
        for (int64_t i = 0; i < s->count; i++)
            outputs[at + i] = (dt_real)((double)outputs[at + i] * s->units[i] + s->offsets[i]);
}
