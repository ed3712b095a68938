/* The order of a convolution's sums (compute/conv_loops.h), bit for bit against plain chains, with every instruction
 * set this machine has: strides, padding, dilation, groups, channels that fill no vector. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compute/compute.h"
#include "isa.h"
#include "reference.h"
#include "suite.h"

static const dt_isa isas[] = {DT_ISA_BASELINE, DT_ISA_AVX2, DT_ISA_AVX512};

/* NULL where the machine lacks it. */
static const dt_kernels *open_kernels(int i, int threads) {
    const dt_kernels *kernels;
    dt_status status = dt_compute_open(&kernels, isas[i], threads);
    if (status.code == DT_OK) return kernels;
    ck_assert_msg(isas[i] != DT_ISA_BASELINE, "%s", status.message);
    return NULL;
}

static void *take(size_t bytes) {
    void *memory = malloc(bytes ? bytes : 1);
    ck_assert_ptr_nonnull(memory);
    return memory;
}

/* ---- what is to come out ---- */

typedef struct arrays {
    int64_t nx, ny, nw; /* of all pictures */
    float *x, *w, *b, *dy, *y, *dx, *dw;
} arrays;

/* The place of pixel (i, j) of picture n in x, or -1 where output pixel (oi, oj) sees none at (p, q) of the window. */
static int64_t seen(const dt_conv_shape *s, int64_t n, int64_t oi, int64_t oj, int64_t p, int64_t q) {
    const dt_window *at = &s->window;
    int64_t i = oi * at->stride[0] - at->before[0] + p * at->dilation[0];
    int64_t j = oj * at->stride[1] - at->before[1] + q * at->dilation[1];
    if (i < 0 || j < 0 || i >= at->in[0] || j >= at->in[1]) return -1;
    return ((n * at->in[0] + i) * at->in[1] + j) * s->in_channels;
}

static int64_t weight_at(const dt_conv_shape *s, int64_t p, int64_t q, int64_t c, int64_t o) {
    return ((p * s->window.kernel[1] + q) * (s->in_channels / s->groups) + c) * s->out_channels + o;
}

#define EACH(i, n) for (int64_t i = 0; i < (n); i++)

/* Kernel row, kernel column, input channel; then the bias, then the activation. */
static void chain_forward(const dt_conv_shape *s, const arrays *a, float *y) {
    const dt_window *at = &s->window;
    const int64_t depth = s->in_channels / s->groups, share = s->out_channels / s->groups;
    EACH(n, s->rows) EACH(i, at->out[0]) EACH(j, at->out[1]) EACH(o, s->out_channels) {
        float sum = 0;
        EACH(p, at->kernel[0]) EACH(q, at->kernel[1]) {
            int64_t from = seen(s, n, i, j, p, q);
            if (from < 0) continue;
            EACH(c, depth) sum = fmaf(a->x[from + o / share * depth + c], a->w[weight_at(s, p, q, c, o)], sum);
        }
        if (s->bias) sum += a->b[o];
        if (sum < 0 && s->activation == DT_RELU) sum = 0;
        if (sum < 0 && s->activation == DT_LEAKY_RELU) sum *= s->slope;
        y[((n * at->out[0] + i) * at->out[1] + j) * s->out_channels + o] = sum;
    }
}

/* Output row, output column, output channel: pixels as they lie in dy. */
static void chain_data(const dt_conv_shape *s, const arrays *a, float *dx) {
    const dt_window *at = &s->window;
    const int64_t depth = s->in_channels / s->groups, share = s->out_channels / s->groups;
    memset(dx, 0, (size_t)a->nx * sizeof *dx);
    EACH(n, s->rows) EACH(i, at->out[0]) EACH(j, at->out[1]) EACH(p, at->kernel[0]) EACH(q, at->kernel[1]) {
        int64_t to = seen(s, n, i, j, p, q), from = ((n * at->out[0] + i) * at->out[1] + j) * s->out_channels;
        if (to < 0) continue;
        EACH(c, s->in_channels) EACH(o, share) {
            int64_t channel = c / depth * share + o;
            dx[to + c] = fmaf(a->dy[from + channel], a->w[weight_at(s, p, q, c % depth, channel)], dx[to + c]);
        }
    }
}

/* For every picture a chain over output row and column, added to what is there. */
static void chain_weights(const dt_conv_shape *s, const arrays *a, float *dw, bool add) {
    const dt_window *at = &s->window;
    const int64_t depth = s->in_channels / s->groups, share = s->out_channels / s->groups;
    EACH(p, at->kernel[0]) EACH(q, at->kernel[1]) EACH(c, depth) EACH(o, s->out_channels) {
        float *total = &dw[weight_at(s, p, q, c, o)];
        EACH(n, s->rows) {
            float sum = 0;
            EACH(i, at->out[0]) EACH(j, at->out[1]) {
                int64_t from = seen(s, n, i, j, p, q);
                if (from < 0) continue;
                sum = fmaf(a->x[from + o / share * depth + c],
                           a->dy[((n * at->out[0] + i) * at->out[1] + j) * s->out_channels + o], sum);
            }
            *total = n == 0 && !add ? sum : *total + sum;
        }
    }
}

/* ---- shapes ---- */

static int64_t among(uint64_t seed, uint64_t what, int64_t least, int64_t most) {
    double u = (ref_uniform(seed + 5000, what) + 1) / 2;
    int64_t n = least + (int64_t)(u * (double)(most - least + 1));
    return n > most ? most : n;
}

/* Of every kind: dense ones, groups, depthwise ones, series, large strides and dilations. */
static dt_conv_shape some_shape(uint64_t seed) {
    static const int64_t channels[] = {1, 3, 5, 16, 33, 64, 8, 70};
    dt_conv_shape s = {.rows = among(seed, 0, 1, 3), .groups = 1, .bias = seed % 3 != 0, .slope = 0.2F};
    dt_window *at = &s.window;
    const bool five = seed % 9 == 5; /* windows of 25 pixels of a channel */
    for (uint64_t d = 0; d < 2; d++) {
        uint64_t k = 10 * (d + 1);
        at->kernel[d] = seed % 3 == 1 ? 3 : five ? 5 : among(seed, k, 1, 5);
        at->stride[d] = seed % 2 ? 1 : among(seed, k + 1, 1, 4);
        at->dilation[d] = seed % 4 < 2 ? 1 : among(seed, k + 2, 1, 4);
        if (d == 0 && seed % 7 == 3) at->kernel[d] = at->dilation[d] = at->stride[d] = 1;
        int64_t span = (at->kernel[d] - 1) * at->dilation[d] + 1;
        at->before[d] = among(seed, k + 3, 0, span - 1);
        at->after[d] = among(seed, k + 4, 0, span - 1);
        at->in[d] = span + among(seed, k + 5, 0, d ? 30 : 6);
        if (d == 0 && seed % 7 == 3) at->in[d] = 1;
        at->out[d] = (at->in[d] + at->before[d] + at->after[d] - span) / at->stride[d] + 1;
    }
    s.in_channels = channels[among(seed, 1, 0, 7)];
    s.out_channels = channels[among(seed, 2, 0, 7)];
    if (seed % 3 == 1) s.in_channels = seed % 2 ? 1 : 40; /* windows of nine pixels of a channel, or of lanes */
    static const dt_activation activations[] = {DT_LINEAR, DT_RELU, DT_LEAKY_RELU};
    s.activation = activations[seed % 5 % 3];
    if (seed % 5 == 1) s.out_channels = s.groups = s.in_channels; /* depthwise */
    if (seed % 5 == 2) {
        s.groups = among(seed, 3, 2, 4);
        s.in_channels = s.groups * among(seed, 4, 1, 9);
        s.out_channels = s.groups * among(seed, 5, 1, 20);
    }
    if (five) {
        s.groups = s.in_channels = 1;
        s.out_channels = among(seed, 6, 1, 18);
    }
    return s;
}

static float *numbers(int64_t n, uint64_t seed) {
    float *x = take((size_t)n * sizeof *x);
    EACH(i, n) x[i] = (float)ref_uniform(seed, (uint64_t)i);
    return x;
}

static arrays make(const dt_conv_shape *s) {
    const dt_window *at = &s->window;
    arrays a = {.nx = s->rows * at->in[0] * at->in[1] * s->in_channels,
                .ny = s->rows * at->out[0] * at->out[1] * s->out_channels,
                .nw = at->kernel[0] * at->kernel[1] * (s->in_channels / s->groups) * s->out_channels};
    a.x = numbers(a.nx, 1);
    a.w = numbers(a.nw, 2);
    a.b = numbers(s->out_channels, 3);
    a.dy = numbers(a.ny, 4);
    a.y = numbers(a.ny, 5);
    a.dx = numbers(a.nx, 6);
    a.dw = numbers(a.nw, 7);
    return a;
}

static void drop(arrays *a) {
    float *all[] = {a->x, a->w, a->b, a->dy, a->y, a->dx, a->dw};
    for (int i = 0; i < COUNT(all); i++) free(all[i]);
}

typedef struct planned {
    dt_conv *conv;
    void *workspace;
} planned;

static planned plan(const dt_conv_shape *s) {
    planned p;
    dt_status status = dt_conv_create(&p.conv, s, true);
    ck_assert_msg(status.code == DT_OK, "%s", status.message);
    p.workspace = aligned_alloc(64, (dt_conv_workspace(p.conv) + 63) / 64 * 64);
    return p;
}

static void unplan(planned *p) {
    dt_conv_destroy(p->conv);
    free(p->workspace);
}

static void expect_same(const char *what, uint64_t seed, const float *got, const float *want, int64_t n) {
    EACH(i, n)
    ck_assert_msg(memcmp(&got[i], &want[i], sizeof *got) == 0, "%s of shape %d: number %d of %d is %.9g, expected %.9g",
                  what, (int)seed, (int)i, (int)n, (double)got[i], (double)want[i]);
}

/* ---- tests ---- */

static void check_chains(const dt_kernels *kernels, uint64_t seed) {
    dt_conv_shape s = some_shape(seed);
    arrays a = make(&s);
    planned p = plan(&s);
    float *y = numbers(a.ny, 8), *dx = numbers(a.nx, 9), *dw = numbers(a.nw, 10);
    chain_forward(&s, &a, y);
    dt_conv_forward(p.conv, kernels, s.rows, a.y, a.x, a.w, s.bias ? a.b : NULL, p.workspace);
    expect_same("y", seed, a.y, y, a.ny);
    chain_data(&s, &a, dx);
    dt_conv_backward_data(p.conv, kernels, s.rows, a.dx, a.dy, a.w, p.workspace);
    expect_same("dx", seed, a.dx, dx, a.nx);
    for (int add = 0; add < 2; add++) {
        chain_weights(&s, &a, dw, add);
        dt_conv_backward_weights(p.conv, kernels, s.rows, a.dw, a.x, a.dy, add, p.workspace);
        expect_same(add ? "dw, added" : "dw", seed, a.dw, dw, a.nw);
    }
    unplan(&p);
    drop(&a);
    free(y);
    free(dx);
    free(dw);
}

static void round_all(float *x, int64_t n) {
    EACH(i, n) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bits = (bits + 0x7fffU + (bits >> 16 & 1)) & 0xffff0000U;
        memcpy(&x[i], &bits, sizeof bits);
    }
}

/* Convolutions in bf16 are those of rounded numbers, to the bit: also where pairs of them are multiplied at once. */
static void check_rounded_chains(const dt_kernels *kernels, uint64_t seed) {
    dt_conv_shape s = some_shape(seed);
    s.bf16 = true;
    arrays a = make(&s), given = make(&s);
    planned p = plan(&s);
    float *const all[] = {a.x, a.w, a.dy}, *rounded = numbers(a.nx, 11), *dw = numbers(a.nw, 10);
    const int64_t counts[] = {a.nx, a.nw, a.ny};
    for (int i = 0; i < COUNT(all); i++) round_all(all[i], counts[i]);
    for (int add = 0; add < 2; add++) {
        dt_conv_forward_bf16(p.conv, kernels, s.rows, given.y, rounded, given.x, given.w, s.bias ? given.b : NULL,
                             p.workspace);
        chain_forward(&s, &a, a.y);
        expect_same("rounded y", seed, given.y, a.y, a.ny);
        float *dy = memcpy(numbers(a.ny, 4), given.dy, (size_t)a.ny * sizeof *dy);
        dt_conv_gradients to = {given.dw, given.dx, add};
        dt_conv_backward_bf16(p.conv, kernels, s.rows, &to, rounded, given.x, dy, given.w, p.workspace);
        chain_data(&s, &a, a.dx);
        expect_same("rounded dx", seed, given.dx, a.dx, a.nx);
        chain_weights(&s, &a, dw, add);
        expect_same(add ? "rounded dw, added" : "rounded dw", seed, given.dw, dw, a.nw);
        memcpy(dy, given.dy, (size_t)a.ny * sizeof *dy);
        to.dw = NULL;
        dt_conv_backward_bf16(p.conv, kernels, s.rows, &to, rounded, given.x, dy, given.w, p.workspace);
        expect_same("rounded dx alone", seed, given.dx, a.dx, a.nx);
        free(dy);
    }
    unplan(&p);
    drop(&a);
    drop(&given);
    free(rounded);
    free(dw);
}

START_TEST(sums_of_rounded_numbers_are_the_same_chains) {
    const dt_kernels *kernels = open_kernels(_i, 1);
    if (!kernels) return;
    for (uint64_t seed = 0; seed < 30; seed++) check_rounded_chains(kernels, seed);
}
END_TEST

START_TEST(sums_are_chains_in_the_order_that_is_written_down) {
    const dt_kernels *kernels = open_kernels(_i, 1);
    if (!kernels) return;
    for (uint64_t seed = 0; seed < 60; seed++) check_chains(kernels, seed);
}
END_TEST

START_TEST(threads_change_no_bit) {
    if (!open_kernels(_i, 1)) return;
    for (uint64_t seed = 0; seed < 20; seed++) {
        const dt_kernels *kernels = open_kernels(_i, 3);
        check_chains(kernels, seed);
        if (seed % 4 == 2) check_rounded_chains(kernels, seed);
    }
}
END_TEST

/* Pictures first to first + rows - 1 of a batch, by themselves. */
static void check_some(const dt_kernels *kernels, const dt_conv_shape *s, planned *p, const arrays *a, int64_t first,
                       int64_t rows) {
    int64_t nx = a->nx / s->rows, ny = a->ny / s->rows;
    float *y = numbers(rows * ny, 11), *dx = numbers(rows * nx, 12);
    dt_conv_forward(p->conv, kernels, rows, y, a->x + first * nx, a->w, s->bias ? a->b : NULL, p->workspace);
    dt_conv_backward_data(p->conv, kernels, rows, dx, a->dy + first * ny, a->w, p->workspace);
    expect_same("y of some", 0, y, a->y + first * ny, rows * ny);
    expect_same("dx of some", 0, dx, a->dx + first * nx, rows * nx);
    free(y);
    free(dx);
}

START_TEST(a_picture_has_the_same_bits_in_any_batch) {
    const dt_kernels *kernels = open_kernels(_i, 1);
    if (!kernels) return;
    for (uint64_t seed = 0; seed < 15; seed++) {
        dt_conv_shape s = some_shape(seed);
        s.rows = 5;
        arrays a = make(&s);
        planned p = plan(&s);
        dt_conv_forward(p.conv, kernels, 5, a.y, a.x, a.w, s.bias ? a.b : NULL, p.workspace);
        dt_conv_backward_data(p.conv, kernels, 5, a.dx, a.dy, a.w, p.workspace);
        for (int64_t first = 0; first < 5; first++)
            for (int64_t rows = 1; rows <= 5 - first; rows++) check_some(kernels, &s, &p, &a, first, rows);
        unplan(&p);
        drop(&a);
    }
}
END_TEST

/* A batch computed in pieces, whose gradients are accumulated, has the gradient of the whole. */
START_TEST(a_gradient_is_the_same_in_pieces) {
    const dt_kernels *kernels = open_kernels(_i, 1);
    if (!kernels) return;
    for (uint64_t seed = 0; seed < 15; seed++) {
        dt_conv_shape s = some_shape(seed);
        s.rows = 5;
        arrays a = make(&s);
        planned p = plan(&s);
        dt_conv_backward_weights(p.conv, kernels, 5, a.dw, a.x, a.dy, false, p.workspace);
        float *dw = numbers(a.nw, 13);
        for (int64_t at = 0, rows = 2; at < 5; at += rows, rows = 5 - at < 2 ? 1 : 2)
            dt_conv_backward_weights(p.conv, kernels, rows, dw, a.x + at * a.nx / 5, a.dy + at * a.ny / 5, at > 0,
                                     p.workspace);
        expect_same("dw in pieces", seed, dw, a.dw, a.nw);
        free(dw);
        unplan(&p);
        drop(&a);
    }
}
END_TEST

/* Pixels beyond the edge are left out: what is not there is no zero, which would make NaN of an infinite weight. */
START_TEST(what_lies_outside_the_picture_is_left_out) {
    const dt_kernels *kernels = open_kernels(_i, 1);
    if (!kernels) return;
    dt_conv_shape s = {.window = {{1, 4}, {1, 4}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
                       .rows = 1,
                       .in_channels = 2,
                       .out_channels = 3,
                       .groups = 1};
    arrays a = make(&s);
    planned p = plan(&s);
    EACH(i, 3 * 2 * 3) a.w[i] = INFINITY; /* the kernel's first row, above the only line */
    dt_conv_forward(p.conv, kernels, 1, a.y, a.x, a.w, NULL, p.workspace);
    dt_conv_backward_data(p.conv, kernels, 1, a.dx, a.dy, a.w, p.workspace);
    EACH(i, a.ny) ck_assert(isfinite(a.y[i]));
    EACH(i, a.nx) ck_assert(isfinite(a.dx[i]));
    unplan(&p);
    drop(&a);
}
END_TEST

START_TEST(relu_gives_zero_below_zero_and_lets_nan_through) {
    const dt_kernels *kernels = open_kernels(_i, 1);
    if (!kernels) return;
    dt_conv_shape s = {.window = {{1, 3}, {1, 3}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}},
                       .rows = 1,
                       .in_channels = 1,
                       .out_channels = 1,
                       .groups = 1,
                       .activation = DT_RELU};
    planned p = plan(&s);
    const float x[] = {-1, NAN, 2}, w[] = {3}, zero = 0;
    float y[3];
    dt_conv_forward(p.conv, kernels, 1, y, x, w, NULL, p.workspace);
    ck_assert(memcmp(&y[0], &zero, sizeof zero) == 0);
    ck_assert(isnan(y[1]));
    ck_assert(y[2] == 6);
    unplan(&p);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        sums_are_chains_in_the_order_that_is_written_down,
        sums_of_rounded_numbers_are_the_same_chains,
        threads_change_no_bit,
        a_picture_has_the_same_bits_in_any_batch,
        a_gradient_is_the_same_in_pieces,
        what_lies_outside_the_picture_is_left_out,
        relu_gives_zero_below_zero_and_lets_nan_through,
    };
    say_what_is_missing();
    Suite *suite = suite_create("convolutions");
    TCase *group = tcase_create("every instruction set");
    tcase_set_timeout(group, 120);
    for (int i = 0; i < COUNT(tests); i++) tcase_add_loop_test(group, tests[i], 0, COUNT(isas));
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
