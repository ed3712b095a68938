/* Samples that are rows of an array of numbers, whatever their shape, with targets that are rows of another. All
 * targets are looked at when they are opened (targets.c); samples are not, they may be terabytes. */
#include <stdatomic.h>
#include <stdio.h>

#include "base/memory.h"
#include "data/identity.h"
#include "labels.h"
#include "missing.h"
#include "samples.h"
#include "source_kind.h"

/* ---- opening ---- */

static int64_t row_width(const dt_array *array) {
    dt_shape shape = dt_array_row_shape(array);
    return dt_shape_count(&shape);
}

static int64_t last_dimension(const dt_array *array) {
    dt_shape shape = dt_array_row_shape(array);
    return shape.rank ? dt_shape_last(&shape) : dt_array_rows(array);
}

/* Samples that are in the last dimension, as in files of MATLAB, look like a few rows, of other numbers for x and y. */
static dt_status fail_rows(const dt_source *source, const dt_h5_order *order) {
    bool turned = order && (order->axis != 0 || order->reversed);
    const dt_array *x = source->x, *y = source->targets.y;
    long long xs = dt_array_rows(x), ys = dt_array_rows(y), across = last_dimension(y);
    char advice[160] = "";
    if (!turned && last_dimension(x) == across)
        snprintf(advice, sizeof advice,
                 "; both have %lld in their last dimension: if these are the samples, as in files of MATLAB, set "
                 "data.samples: last",
                 across);
    else if (ys == 1 && across == xs)
        snprintf(advice, sizeof advice, ", of %lld values: store it as a column", across);
    const char *noun = turned ? "samples" : "rows";
    return dt_fail(DT_ERR_INPUT, "%s: %s has %lld %s but %s has %lld%s", source->file, source->x_name, xs, noun,
                   source->targets.name, ys, advice);
}

/* What data.memory leaves for these samples. What is read in order needs little. */
static size_t memory_for(const dt_source_request *request) {
    size_t memory = (size_t)request->data->memory;
    return request->split == DT_SPLIT_TRAIN ? memory - memory / 4 : memory / 8;
}

static int64_t row_bytes(const dt_array *array) {
    return row_width(array) * (int64_t)dt_dtype_size(dt_array_dtype(array));
}

/* Collective. Reads an array in pieces, as samples are drawn, or in order. */
static dt_status stream_array(dt_array *array, const dt_ranks *ranks, const dt_source_request *request,
                              const dt_source *source, size_t memory, bool in_order) {
    dt_sampler order = dt_order_of(request->data, source->selection.count, row_bytes(source->x), 0, 0);
    return dt_array_stream(array, ranks,
                           &(dt_row_stream_request){memory, in_order ? NULL : &order, &source->selection});
}

/* Collective. Maps an array with a row for each sample, or reads it in pieces where it does not fit `memory`: in order
 * where it is first looked at from end to end, for rows that are no samples. */
static dt_status fetch_array(dt_array *array, const dt_ranks *ranks, const dt_source_request *request,
                             const dt_source *source, size_t memory, bool one_run) {
    if (memory == 0 || dt_array_fits(array, ranks, memory))
        return dt_array_fetch(array, ranks, request->data->spool, one_run);
    bool looks = request->data->missing == DT_MISSING_DROP;
    bool in_order = request->split != DT_SPLIT_TRAIN || request->in_order || looks;
    return stream_array(array, ranks, request, source, memory, in_order);
}

#define SMALL 16 /* parts of the memory: labels and values that are less are no worry */

/* What values that are targets get of it: as much of it as their rows are long. */
static size_t memory_for_values(const dt_source *source, size_t memory) {
    const dt_array *y = source->targets.y;
    double values = (double)row_bytes(y), bytes = values * (double)dt_array_rows(y);
    if (source->targets.labels || bytes < (double)memory / SMALL) return 0;
    double share = values / (values + (double)row_bytes(source->x));
    return (size_t)((double)memory * (share > 1.0 / SMALL ? share : 1.0 / SMALL));
}

/* Collective. */
static dt_status fetch_pair(dt_source *source, const dt_ranks *ranks, const dt_source_request *request) {
    dt_targets *targets = &source->targets;
    if (targets->y) dt_targets_recall(targets);
    size_t memory = memory_for(request), for_values = targets->y ? memory_for_values(source, memory) : 0;
    DT_TRY(fetch_array(source->x, ranks, request, source, memory - for_values, false));
    return targets->y ? fetch_array(targets->y, ranks, request, source, for_values, true) : dt_ok();
}

/* Collective. Leaves out rows that lack a value; the order of those that are left is another. */
static dt_status drop_missing(dt_source *source, const dt_ranks *ranks, const dt_source_request *request) {
    const bool drawn = request->split == DT_SPLIT_TRAIN && !request->in_order;
    dt_array *x = source->x, *y = source->targets.y;
    size_t memory = memory_for(request), for_values = y ? memory_for_values(source, memory) : 0;
    DT_TRY(dt_missing_drop(source, ranks));
    dt_array_release(x);
    if (y) dt_array_release(y);
    if (drawn && !dt_array_in_memory(x)) DT_TRY(stream_array(x, ranks, request, source, memory - for_values, false));
    if (drawn && y && !dt_array_in_memory(y)) return stream_array(y, ranks, request, source, for_values, false);
    return dt_ok();
}

/* Samples without targets: of these the checkpoint knows type and shape. */
static dt_status open_samples(dt_source *source, const dt_ranks *ranks, const dt_source_request *request,
                              const dt_h5_order *order) {
    const char *file = source->file, *x = source->x_name;
    dt_identity trained;
    DT_TRY(dt_identity_parse(&trained, request->trained, request->checkpoint));
    DT_TRY(dt_array_describe(&source->x, ranks, file, x, order));
    DT_TRY(dt_identity_expect(request->trained, request->checkpoint, file, x, source->x));
    DT_TRY(dt_source_select(source, ranks, request, order));
    DT_TRY(fetch_pair(source, ranks, request));
    const dt_identity_part *y = dt_identity_find(&trained, "train_y");
    if (y) DT_TRY(dt_ranks_agree(ranks, dt_array_recall(&source->targets.y, y->dtype, &y->shape)));
    if (request->data->missing == DT_MISSING_DROP) DT_TRY(drop_missing(source, ranks, request));
    return dt_source_recall_pair(source, request);
}

/* Collective. Targets have their samples in the dimension that the inputs have them in or, where there are not as many,
 * in the first. Channels are the inputs' alone. */
static dt_status describe_targets(dt_source *source, const dt_ranks *ranks, const dt_h5_order *order) {
    dt_array **y = &source->targets.y;
    dt_h5_order own = order ? *order : (dt_h5_order){.axis = 0};
    own.channels_last = false;
    own.texts = true;
    DT_TRY(dt_array_describe(y, ranks, source->file, source->targets.name, &own));
    if (own.axis == 0 || dt_array_rows(*y) == dt_array_rows(source->x)) return dt_ok();
    dt_array *first;
    own.axis = 0;
    DT_TRY(dt_array_describe(&first, ranks, source->file, source->targets.name, &own));
    bool fits = dt_array_rows(first) == dt_array_rows(source->x);
    dt_array_close(fits ? *y : first);
    if (fits) *y = first;
    return dt_ok();
}

dt_status dt_source_open_pair(dt_source *source, const dt_ranks *ranks, const dt_source_request *request,
                              const dt_h5_order *order) {
    const char *file = source->file, *x = source->x_name;
    if (request->unlabelled) return open_samples(source, ranks, request, order);
    if (request->dataset && !request->targets)
        return dt_fail(DT_ERR_USAGE, "%s:%s is judged by targets, which are to be named too: --targets DATASET", file,
                       x);
    /* What does not fit is refused before anything is unpacked: a few bytes of a file can claim any amount of disk. */
    DT_TRY(dt_array_describe(&source->x, ranks, file, x, order));
    if (request->trained) DT_TRY(dt_identity_expect(request->trained, request->checkpoint, file, x, source->x));
    DT_TRY(describe_targets(source, ranks, order));
    if (dt_array_rows(source->x) != dt_array_rows(source->targets.y)) return fail_rows(source, order);
    DT_TRY(dt_source_select(source, ranks, request, order));
    DT_TRY(fetch_pair(source, ranks, request));
    source->targets.selection = source->selection;
    bool drops = request->data->missing == DT_MISSING_DROP, cut = source->dealt.samples[source->split] > 0;
    if (drops) DT_TRY(drop_missing(source, ranks, request));
    return dt_targets_open(&source->targets, ranks, cut && !drops); /* rows to be dropped may hold anything */
}

static bool serves(const dt_recipe_data *data) {
    (void)data;
    return true;
}

static dt_status open_arrays(dt_source *source, const dt_ranks *ranks, const dt_source_request *request) {
    const dt_recipe_data *data = request->data;
    dt_h5_order order = {.axis = data->samples == DT_SAMPLES_LAST ? -1 : data->samples_axis,
                         .reversed = data->reversed,
                         .channels_last = data->channels == DT_CHANNELS_MOVED};
    return dt_source_open_pair(source, ranks, request, &order);
}

dt_status dt_source_recall_pair(dt_source *source, const dt_source_request *request) {
    if (!source->targets.y)
        return dt_fail(DT_ERR_CORRUPT, "%s: does not say what its targets were", request->checkpoint);
    dt_targets_recall(&source->targets);
    return dt_ok();
}

static void describe(const dt_source *source, dt_source_about *about) {
    *about =
        (dt_source_about){.input = dt_array_row_shape(source->x), .dtype = dt_array_dtype(source->x), .noun = "row"};
    about->inputs = dt_array_inputs(source->x, &about->input_count);
}

static const void *row(const dt_source *source, int64_t place) {
    return dt_array_row(source->x, place);
}

static int64_t count(const dt_source *source) {
    return source->selection.count;
}

void dt_source_close_pair(dt_source *source) {
    dt_array_close(source->x);
    dt_array_close(source->targets.y);
    dt_labels_destroy(source->targets.found);
    dt_labels_destroy(source->targets.whole);
    dt_free(source->selection.rows);
}

int64_t dt_source_row_place(const dt_source *source, const dt_augment *augment, int64_t index) {
    (void)augment;
    return dt_selection_row(&source->selection, index);
}

static void ahead(const dt_source *source, const dt_sampler *order, int64_t position) {
    dt_array_ahead(source->x, order, &source->selection, position);
    if (source->targets.y) dt_array_ahead(source->targets.y, order, &source->selection, position);
}

/* ---- batches ---- */

#define AHEAD 4        /* samples */
#define GATHERED 16384 /* numbers at least that are worth a thread's start */

/* Samples are drawn at random, so the hardware cannot guess the next one; we know it. */
static void prefetch_row(const char *row, size_t bytes) {
    for (size_t i = 0; i < bytes && i < 4096; i += 64) __builtin_prefetch(row + i);
}

typedef struct gathering {
    dt_real *out;
    const dt_array *array;
    const dt_selection *selection;
    const dt_fetch *wanted;
    _Atomic bool *short_of_memory;
} gathering;

static const void *sample_of(const gathering *g, int64_t i) {
    return dt_array_row(g->array, dt_selection_row(g->selection, g->wanted->index[i]));
}

/* A sample as it is used in training: moved and mirrored. `row` is room for one, where a part of it moves. */
static void gather_moved(const gathering *g, int64_t i, dt_real *out, char *row, size_t row_bytes) {
    const dt_fetch *wanted = g->wanted;
    const dt_scaling *scaling = &wanted->scales->input;
    const dt_dtype dtype = dt_array_dtype(g->array);
    const dt_augment_draw draw = dt_augment_draw_of(wanted->augment, wanted->index[i]);
    if (!row) {
        dt_augment_sample(out, sample_of(g, i), dtype, wanted->kernels, scaling, &draw);
        return;
    }
    dt_augment_picture(row, sample_of(g, i), row_bytes, dt_dtype_size(dtype), &scaling->moved, &draw);
    dt_scale_sample(out, row, dtype, wanted->kernels, scaling);
}

static void gather_inputs(void *context, int64_t begin, int64_t end) {
    const gathering *g = context;
    const dt_kernels *kernels = g->wanted->kernels;
    const dt_scaling *scaling = &g->wanted->scales->input;
    const dt_augment *augment = g->wanted->augment;
    int64_t width = row_width(g->array);
    dt_dtype dtype = dt_array_dtype(g->array);
    size_t row_bytes = (size_t)width * dt_dtype_size(dtype);
    bool moves = augment && (augment->crop_padding > 0 || augment->flip);
    bool in_memory = dt_array_in_memory(g->array), part = moves && scaling->moved.planes > 0;
    char *row = part ? dt_alloc(row_bytes, 1) : NULL;
    if (part && !row) {
        atomic_store(g->short_of_memory, true);
        return;
    }
    for (int64_t i = begin; in_memory && i < end && i < begin + AHEAD; i++) prefetch_row(sample_of(g, i), row_bytes);
    for (int64_t i = begin; i < end; i++) {
        dt_real *out = g->out + i * width;
        if (in_memory && i + AHEAD < end) prefetch_row(sample_of(g, i + AHEAD), row_bytes);
        if (moves)
            gather_moved(g, i, out, row, row_bytes);
        else
            dt_scale_sample(out, sample_of(g, i), dtype, kernels, scaling);
    }
    dt_free(row);
    dt_array_release(g->array);
}

static dt_status fetch(const dt_source *source, const dt_fetch *wanted, dt_batch *batch) {
    const dt_targets *targets = &source->targets;
    _Atomic bool short_of_memory = false;
    dt_parallel(wanted->rows, 1 + GATHERED / row_width(source->x), gather_inputs,
                &(gathering){batch->x, source->x, &source->selection, wanted, &short_of_memory});
    if (short_of_memory) return dt_fail_memory("a sample that is moved", (size_t)row_bytes(source->x));
    DT_TRY(dt_array_failure(source->x));
    if (source->unlabelled) return dt_ok();
    dt_dtype dtype = dt_array_dtype(targets->y);
    const dt_scaling *scaling = &wanted->scales->target;
    for (int64_t i = 0; i < wanted->rows; i++) {
        int64_t row = dt_selection_row(&source->selection, wanted->index[i]);
        if (targets->labels) {
            batch->labels[i] = dt_targets_class(targets, row);
            continue;
        }
        dt_real *values = batch->values + i * targets->width;
        if (scaling->channels > 0)
            dt_scale_sample(values, dt_array_row(targets->y, row), dtype, wanted->kernels, scaling);
        else
            wanted->kernels->convert(values, dt_array_row(targets->y, row), dtype, targets->width, 1, 0);
    }
    dt_array_release(targets->y);
    return dt_array_failure(targets->y);
}

const dt_source_kind dt_source_arrays = {
    .name = "arrays",
    .serves = serves,
    .field = "x",
    .at = {offsetof(dt_recipe_data, train_x), offsetof(dt_recipe_data, validation_x), offsetof(dt_recipe_data, test_x)},
    .open = open_arrays,
    .recall = dt_source_recall_pair,
    .describe = describe,
    .count = count,
    .fetch = fetch,
    .ahead = ahead,
    .row = row,
    .place = dt_source_row_place,
    .close = dt_source_close_pair};
