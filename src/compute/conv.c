/* Convolutions: what is planned for a shape, and how its passes are shared out among threads. The loops and the order
 * of every sum are in conv_loops.h.
 *
 * Pictures are always plain and channels last, [rows, height, width, channels], the layout data come in and pools
 * vectorise over. Weights are [height, width, in/groups, out], output channel last, as a dense layer's w[in, out] is:
 * TensorFlow, Keras and JAX read and write them as they are, PyTorch's [out, in, height, width] after permute(2, 3, 1,
 * 0). The output channels of group 0 come first, as in all of them. Weights are packed at the start of a call, which
 * costs a thousandth of a batch; pictures are read where they lie. */
#include "conv.h"
#include "base/memory.h"
#include "conv_walk.h"
#include "threads.h"

struct dt_conv {
    dt_conv_shape shape;
    dt_conv_walk forward, data;
    size_t packed;             /* bytes of packed weights */
    int64_t run_room, weights; /* weights: how many are rounded, in bf16 */
};

/* Arrays that would not fit into any memory are refused before a size overflows. */
static dt_status check_sizes(const dt_conv_shape *s) {
    const int64_t *const pixels[] = {s->window.in, s->window.out};
    const int64_t channels[] = {s->in_channels, s->out_channels};
    for (int i = 0; i < 2; i++) {
        size_t count = sizeof(dt_real);
        const int64_t factors[] = {s->rows, pixels[i][0], pixels[i][1], channels[i]};
        for (int f = 0; f < 4; f++)
            if (!dt_size_mul(count, (size_t)factors[f], &count) || count > (size_t)1 << 56)
                return dt_fail(DT_ERR_MEMORY, "%lld pictures of [%lld, %lld, %lld] are beyond any memory",
                               (long long)factors[0], (long long)factors[1], (long long)factors[2],
                               (long long)factors[3]);
    }
    return dt_ok();
}

/* ---- which targets meet which sources ---- */

static int64_t divide_up(int64_t a, int64_t b) { /* b > 0 */
    return a > 0 ? (a + b - 1) / b : -(-a / b);
}

static int64_t within(int64_t value, int64_t most) {
    return value < 0 ? 0 : value < most ? value : most;
}

/* Targets whose source is inside the picture. */
static dt_conv_tap tap_at(const dt_conv_axis *axis, const dt_conv_phase *phase, int64_t index, int64_t source) {
    return (dt_conv_tap){.index = index,
                         .source = source,
                         .begin = within(divide_up(-source, axis->source_step), phase->count),
                         .end = within(divide_up(axis->sources - source, axis->source_step), phase->count)};
}

static dt_status make_axis(dt_conv_axis *axis, int64_t phases) {
    axis->phases = phases;
    axis->phase = dt_alloc((size_t)phases, sizeof *axis->phase);
    axis->tap = dt_alloc((size_t)axis->kernel, sizeof *axis->tap);
    if (axis->phase && axis->tap) return dt_ok();
    return dt_fail_memory("a convolution",
                          (size_t)phases * sizeof *axis->phase + (size_t)axis->kernel * sizeof *axis->tap);
}

static dt_status plan_forward_axis(dt_conv_axis *axis, const dt_window *at, int d) {
    *axis = (dt_conv_axis){.kernel = at->kernel[d],
                           .sources = at->in[d],
                           .targets = at->out[d],
                           .source_step = at->stride[d],
                           .target_step = 1,
                           .source_tap = at->dilation[d],
                           .index_tap = 1};
    DT_TRY(make_axis(axis, 1));
    axis->phase[0] = (dt_conv_phase){.count = at->out[d], .taps = at->kernel[d]};
    for (int64_t k = 0; k < at->kernel[d]; k++)
        axis->tap[k] = tap_at(axis, &axis->phase[0], k, k * at->dilation[d] - at->before[d]);
    return dt_ok();
}

static int64_t common_divisor(int64_t a, int64_t b) {
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Pixel h of x meets pixel i of y at k of the window where i*stride = h + before - k*dilation. Pixels a stride apart
 * meet the same k, and i goes up with h; so a phase is what one convolution of stride 1 computes. */
static dt_status plan_data_axis(dt_conv_axis *axis, const dt_window *at, int d) {
    const int64_t stride = at->stride[d], dilation = at->dilation[d], common = common_divisor(stride, dilation);
    const int64_t kernel = at->kernel[d], pixels = at->in[d], phases = stride < pixels ? stride : pixels;
    *axis = (dt_conv_axis){.kernel = kernel,
                           .sources = at->out[d],
                           .targets = pixels,
                           .source_step = 1,
                           .target_step = stride,
                           .source_tap = dilation / common,
                           .index_tap = stride / common};
    DT_TRY(make_axis(axis, phases));
    int64_t taps = 0;
    for (int64_t p = 0; p < phases; p++) {
        dt_conv_phase *phase = &axis->phase[p];
        *phase = (dt_conv_phase){.target = p, .count = (pixels - p + stride - 1) / stride, .first = taps};
        for (int64_t k = kernel - 1; k >= 0; k--) {
            int64_t from = p + at->before[d] - k * dilation;
            if (from % stride == 0) axis->tap[taps++] = tap_at(axis, phase, kernel - 1 - k, from / stride);
        }
        phase->taps = taps - phase->first;
    }
    return dt_ok();
}

static dt_status plan_walk(dt_conv_walk *walk, const dt_conv_shape *s, const dt_window *window, bool data) {
    const int64_t in = s->in_channels, out = s->out_channels;
    *walk = (dt_conv_walk){.groups = s->groups,
                           .depth = (data ? out : in) / s->groups,
                           .width = (data ? in : out) / s->groups,
                           .source_channels = data ? out : in,
                           .target_channels = data ? in : out,
                           .lanewise = s->groups > 1 && in == s->groups && out == s->groups};
    if (walk->lanewise) {
        walk->groups = 1;
        walk->width = in;
    }
    for (int d = 0; d < 2; d++)
        DT_TRY(data ? plan_data_axis(&walk->axis[d], window, d) : plan_forward_axis(&walk->axis[d], window, d));
    return dt_ok();
}

static void free_walk(dt_conv_walk *walk) {
    for (int d = 0; d < 2; d++) {
        dt_free(walk->axis[d].phase);
        dt_free(walk->axis[d].tap);
    }
}

/* A window of one pixel sees no lines: the picture is one long one. */
static dt_window flattened(dt_window window) {
    for (int d = 0; d < 2; d++)
        if (window.kernel[d] != 1 || window.stride[d] != 1 || window.in[d] != window.out[d]) return window;
    window.in[1] = window.out[1] = window.in[0] * window.in[1];
    window.in[0] = window.out[0] = 1;
    window.before[1] = window.after[1] = 0;
    return window;
}

/* ---- a planned convolution ---- */

static size_t packed_bytes(const dt_conv_walk *walk) {
    int64_t taps = walk->axis[0].kernel * walk->axis[1].kernel;
    return (size_t)(walk->groups * dt_conv_packed_width(walk->width) * taps * walk->depth) * sizeof(dt_real);
}

static dt_status plan(dt_conv *conv, bool training) {
    const dt_window window = flattened(conv->shape.window);
    DT_TRY(plan_walk(&conv->forward, &conv->shape, &window, false));
    conv->packed = packed_bytes(&conv->forward);
    if (training) {
        DT_TRY(plan_walk(&conv->data, &conv->shape, &window, true));
        if (packed_bytes(&conv->data) > conv->packed) conv->packed = packed_bytes(&conv->data);
    }
    /* A line of taps, or of output pixels, is no longer than this. */
    conv->run_room = (window.kernel[1] > window.out[1] ? window.kernel[1] : window.out[1]) + 1;
    const int64_t square = (int64_t)DT_CONV_SQUARE_PARTS * DT_CONV_SQUARE_LINE;
    if (conv->run_room < square) conv->run_room = square;
    if (conv->shape.bf16)
        conv->weights = window.kernel[0] * window.kernel[1] * (conv->shape.in_channels / conv->shape.groups) *
                        conv->shape.out_channels;
    return dt_ok();
}

dt_status dt_conv_create(dt_conv **out, const dt_conv_shape *shape, bool training) {
    *out = NULL;
    DT_TRY(check_sizes(shape));
    dt_conv *conv = dt_alloc(1, sizeof *conv);
    if (!conv) return dt_fail_memory("a convolution", sizeof *conv);
    conv->shape = *shape;
    dt_status status = plan(conv, training);
    if (status.code != DT_OK) {
        dt_conv_destroy(conv);
        return status;
    }
    *out = conv;
    return dt_ok();
}

void dt_conv_destroy(dt_conv *conv) {
    if (!conv) return;
    free_walk(&conv->forward);
    free_walk(&conv->data);
    dt_free(conv);
}

size_t dt_conv_workspace(const dt_conv *conv) {
    return conv->packed + (size_t)(conv->run_room * dt_threads()) * sizeof(dt_conv_run) +
           (size_t)conv->weights * sizeof(dt_real);
}

/* ---- passes ---- */

typedef void dt_conv_units(const dt_conv_pass *pass, int64_t begin, int64_t end);

typedef struct dt_conv_work {
    const dt_conv_pass *pass;
    dt_conv_units *units;
} dt_conv_work;

static void work(void *context, int64_t begin, int64_t end) {
    const dt_conv_work *of = context;
    dt_conv_pass pass = *of->pass;
    pass.runs += dt_thread() * pass.run_room;
    of->units(&pass, begin, end);
}

static dt_conv_run *runs_of(const dt_conv *conv, void *workspace) {
    return (dt_conv_run *)(void *)((char *)workspace + conv->packed);
}

/* Few pictures are cut in bands of lines, that every thread has some. */
#define UNITS 16

/* `pass` with its weights packed, in bands of lines. */
static dt_conv_pass in_bands(const dt_conv *conv, dt_conv_pass pass, void *workspace) {
    const dt_conv_walk *walk = pass.walk;
    int64_t pictures = pass.rows * walk->groups, lines = walk->axis[0].targets;
    pass.bands = pictures < UNITS ? UNITS / (pictures > 0 ? pictures : 1) : 1;
    if (pass.bands > lines) pass.bands = lines;
    if (dt_threads() == 1) pass.bands = 1;
    pass.other = workspace;
    pass.runs = runs_of(conv, workspace);
    pass.run_room = conv->run_room;
    return pass;
}

static void gather(const dt_conv_pass *pass, dt_conv_units *units) {
    dt_parallel(pass->rows * pass->walk->groups * pass->bands, 1, work, &(dt_conv_work){pass, units});
}

static int64_t source_numbers(const dt_conv_walk *walk) { /* of a picture */
    return walk->axis[0].sources * walk->axis[1].sources * walk->source_channels;
}

static void gather_reals(const dt_conv *conv, const dt_kernels *kernels, dt_conv_pass pass, const dt_real *w,
                         void *workspace) {
    pass = in_bands(conv, pass, workspace);
    pass.source_picture = source_numbers(pass.walk);
    if (w) kernels->conv_pack(workspace, w, pass.walk, pass.walk == &conv->data);
    gather(&pass, kernels->conv_gather);
}

/* Sources are pairs, each picture's in the first half of where its numbers were. */
static void gather_pairs(const dt_conv *conv, const dt_conv_pairs *pairs, dt_conv_pass pass, const dt_real *w,
                         void *workspace) {
    const dt_conv_walk *walk = pass.walk;
    dt_conv_walk paired = *walk;
    paired.depth = (walk->depth + 1) / 2;
    paired.source_channels = walk->groups * paired.depth;
    pass.walk = &paired;
    pass = in_bands(conv, pass, workspace);
    pass.source_picture = source_numbers(walk);
    if (w) pairs->pack(workspace, w, &paired, walk->depth, walk == &conv->data);
    gather(&pass, pairs->gather);
}

static dt_conv_pass forward_pass(const dt_conv *conv, int64_t rows, dt_real *y, const dt_real *x, const dt_real *b) {
    const dt_conv_shape *s = &conv->shape;
    return (dt_conv_pass){.walk = &conv->forward,
                          .rows = rows,
                          .source = x,
                          .target = y,
                          .bias = s->bias ? b : NULL,
                          .bend = s->activation != DT_LINEAR,
                          .slope = s->activation == DT_LEAKY_RELU ? s->slope : 0};
}

static dt_conv_pass data_pass(const dt_conv *conv, int64_t rows, dt_real *dx, const dt_real *dy) {
    return (dt_conv_pass){.walk = &conv->data, .rows = rows, .source = dy, .target = dx};
}

void dt_conv_forward(const dt_conv *conv, const dt_kernels *kernels, int64_t rows, dt_real *y, const dt_real *x,
                     const dt_real *w, const dt_real *b, void *workspace) {
    gather_reals(conv, kernels, forward_pass(conv, rows, y, x, b), w, workspace);
}

void dt_conv_backward_data(const dt_conv *conv, const dt_kernels *kernels, int64_t rows, dt_real *dx, const dt_real *dy,
                           const dt_real *w, void *workspace) {
    gather_reals(conv, kernels, data_pass(conv, rows, dx, dy), w, workspace);
}

static void sum_weights(const dt_conv *conv, dt_conv_units *units, int64_t rows, dt_real *dw, const dt_real *x,
                        const dt_real *dy, bool accumulate, void *workspace) {
    const dt_conv_walk *walk = &conv->forward;
    dt_conv_pass pass = {.walk = walk,
                         .rows = rows,
                         .source = x,
                         .other = dy,
                         .target = dw,
                         .runs = runs_of(conv, workspace),
                         .run_room = conv->run_room,
                         .add = accumulate};
    int64_t blocks = dt_conv_weight_units(walk);
    /* A block a thread, that pictures are gone through once. */
    dt_parallel(blocks, (blocks + dt_threads() - 1) / dt_threads(), work, &(dt_conv_work){&pass, units});
}

void dt_conv_backward_weights(const dt_conv *conv, const dt_kernels *kernels, int64_t rows, dt_real *dw,
                              const dt_real *x, const dt_real *dy, bool accumulate, void *workspace) {
    sum_weights(conv, kernels->conv_weights, rows, dw, x, dy, accumulate, workspace);
}

/* ---- passes in bf16 ---- */

/* What multiplies pairs, or NULL: where sums share no number there are none, and not every processor can. */
static const dt_conv_pairs *pairs_of(const dt_conv *conv, const dt_kernels *kernels) {
    return conv->forward.lanewise ? NULL : kernels->conv_pairs();
}

/* Pairs of numbers of pictures; `ahead` is 0 for pairs of channels. */
typedef struct pairing {
    const dt_conv_pairs *pairs;
    dt_real *to;
    const dt_real *from;
    int64_t numbers, depth, ahead;
    bool whole;
} pairing;

static void pair_pictures(void *context, int64_t begin, int64_t end) {
    const pairing *p = context;
    for (int64_t at = begin * p->numbers; at < end * p->numbers; at += p->numbers)
        if (p->ahead > 0)
            p->pairs->of_pixels(p->to + at, p->from + at, p->numbers, p->ahead);
        else
            p->pairs->of_channels(p->to + at, p->from + at, p->numbers / p->depth, p->depth, p->whole);
}

static void pair_channels(const dt_conv_pairs *pairs, const dt_conv_walk *walk, int64_t rows, dt_real *to,
                          const dt_real *from, bool whole) {
    pairing p = {pairs, to, from, source_numbers(walk), walk->depth, 0, whole};
    dt_parallel(rows, 1, pair_pictures, &p);
}

static void pair_pixels(const dt_conv_pairs *pairs, int64_t rows, dt_real *to, const dt_real *from, int64_t numbers,
                        int64_t ahead) {
    pairing p = {pairs, to, from, numbers, 0, ahead, true};
    dt_parallel(rows, 1, pair_pictures, &p);
}

/* The weights in 8 bits of precision, as float32. */
static const dt_real *round_weights(const dt_conv *conv, const dt_kernels *kernels, const dt_real *w, void *workspace) {
    if (!w) return NULL;
    dt_real *rounded = (dt_real *)(void *)(runs_of(conv, workspace) + conv->run_room * dt_threads());
    kernels->round_to_bf16(rounded, w, conv->weights);
    return rounded;
}

void dt_conv_forward_bf16(const dt_conv *conv, const dt_kernels *kernels, int64_t rows, dt_real *y, dt_real *rounded,
                          const dt_real *x, const dt_real *w, const dt_real *b, void *workspace) {
    const dt_conv_pairs *pairs = pairs_of(conv, kernels);
    dt_conv_pass pass = forward_pass(conv, rows, y, rounded, b);
    if (pairs) {
        pair_channels(pairs, pass.walk, rows, rounded, x, true);
        gather_pairs(conv, pairs, pass, w, workspace);
        return;
    }
    kernels->round_to_bf16(rounded, x, rows * source_numbers(pass.walk));
    gather_reals(conv, kernels, pass, round_weights(conv, kernels, w, workspace), workspace);
}

static void backward_pairs(const dt_conv *conv, const dt_conv_pairs *pairs, int64_t rows, const dt_conv_gradients *to,
                           dt_real *rounded, const dt_real *x, dt_real *dy, const dt_real *w, void *workspace) {
    const dt_conv_walk *walk = &conv->forward;
    if (to->dw) {
        pair_pixels(pairs, rows, rounded, x, source_numbers(walk), walk->axis[1].source_step * walk->source_channels);
        pair_pixels(pairs, rows, dy, dy, source_numbers(&conv->data), walk->target_channels);
        sum_weights(conv, pairs->weights, rows, to->dw, rounded, dy, to->accumulate, workspace);
    }
    if (!to->dx) return;
    pair_channels(pairs, &conv->data, rows, dy, dy, !to->dw);
    gather_pairs(conv, pairs, data_pass(conv, rows, to->dx, dy), w, workspace);
}

void dt_conv_backward_bf16(const dt_conv *conv, const dt_kernels *kernels, int64_t rows, const dt_conv_gradients *to,
                           dt_real *rounded, const dt_real *x, dt_real *dy, const dt_real *w, void *workspace) {
    const dt_conv_pairs *pairs = pairs_of(conv, kernels);
    if (pairs) {
        backward_pairs(conv, pairs, rows, to, rounded, x, dy, w, workspace);
        return;
    }
    kernels->round_to_bf16(dy, dy, rows * source_numbers(&conv->data));
    if (to->dw) dt_conv_backward_weights(conv, kernels, rows, to->dw, rounded, dy, to->accumulate, workspace);
    if (to->dx)
        dt_conv_backward_data(conv, kernels, rows, to->dx, dy, round_weights(conv, kernels, w, workspace), workspace);
}
