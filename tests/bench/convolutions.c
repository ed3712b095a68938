/* The recipes' convolutions beside oneDNN's: GF/s of the three passes, their ratio, the share of what fused
 * multiply-adds in registers reach, and how far the results are from float64 (root mean square, in units of 2^-24 of
 * the results'). oneDNN has its weights in the order it likes best; ours are packed in every call. What is outside a
 * picture is not counted as work. Processor time of this thread, the least of many short alternating repetitions, for
 * machines that others use, too.
 *
 *     convolutions [avx2|avx512|auto [seconds a line [part of a name]]] */
#include <dnnl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compute/compute.h"
#include "onednn.h"

typedef struct shape {
    const char *name;
    int64_t rows, height, width, in, out, kernel[2], stride, dilation, groups;
    bool first; /* no gradient of its input is asked for */
} shape;

static const shape shapes[] = {
    {"cnn 1", 64, 28, 28, 1, 32, {3, 3}, 1, 1, 1, true},
    {"cnn 2", 64, 14, 14, 32, 64, {3, 3}, 1, 1, 1, false},
    {"resnet stem", 32, 28, 28, 1, 16, {3, 3}, 1, 1, 1, true},
    {"resnet 28", 32, 28, 28, 16, 16, {3, 3}, 1, 1, 1, false},
    {"resnet 28/2", 32, 28, 28, 16, 32, {3, 3}, 2, 1, 1, false},
    {"resnet short 28", 32, 28, 28, 16, 32, {1, 1}, 2, 1, 1, false},
    {"resnet 14", 32, 14, 14, 32, 32, {3, 3}, 1, 1, 1, false},
    {"resnet 14/2", 32, 14, 14, 32, 64, {3, 3}, 2, 1, 1, false},
    {"resnet short 14", 32, 14, 14, 32, 64, {1, 1}, 2, 1, 1, false},
    {"resnet 7", 32, 7, 7, 64, 64, {3, 3}, 1, 1, 1, false},
    {"lenet 5x5", 64, 24, 24, 6, 16, {5, 5}, 1, 1, 1, false},
    {"colour first", 32, 32, 32, 3, 32, {3, 3}, 1, 1, 1, true},
    {"32x32", 32, 32, 32, 64, 64, {3, 3}, 1, 1, 1, false},
    {"8x8 of 256", 32, 8, 8, 256, 256, {3, 3}, 1, 1, 1, false},
    {"1x1", 32, 14, 14, 128, 128, {1, 1}, 1, 1, 1, false},
    {"series", 32, 1, 256, 32, 64, {1, 5}, 1, 1, 1, false},
    {"series dilated", 32, 1, 256, 32, 32, {1, 3}, 1, 4, 1, false},
    {"depthwise", 32, 14, 14, 64, 64, {3, 3}, 1, 1, 64, false},
    {"groups", 32, 14, 14, 64, 64, {3, 3}, 1, 1, 4, false},
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *numbers(int64_t n, uint32_t seed) {
    float *x = aligned_alloc(64, (size_t)(n * 4 + 63) / 64 * 64);
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        x[i] = (float)((int32_t)seed >> 8) * 0x1p-24F;
    }
    return x;
}

typedef struct peer {
    dnnl_primitive_t step;
    dnnl_exec_arg_t arguments[6];
    int count;
} peer;

typedef struct arrays {
    float *x, *w, *b, *y, *dx, *dw, *dy;
} arrays;

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static void check(dnnl_status_t code) {
    if (code == dnnl_success) return;
    fprintf(stderr, "oneDNN's error %d\n", (int)code);
    exit(1);
}

static dnnl_memory_t memory_of(const dt_onednn_shape *s, dnnl_format_tag_t order, void *at) {
    dnnl_memory_t m;
    check(dt_onednn_memory(&m, engine, s, order));
    check(dnnl_memory_set_data_handle(m, at));
    return m;
}

static dt_onednn_format format_of(dnnl_memory_t m) {
    dt_onednn_format f;
    check(dt_onednn_format_of(&f, m));
    return f;
}

/* Where output pixel (i, j) of picture n looks in x at (p, q) of the window, or -1. */
static int64_t seen(const dt_conv_shape *s, int64_t n, int64_t i, int64_t j, int64_t p, int64_t q) {
    const dt_window *at = &s->window;
    int64_t h = i * at->stride[0] - at->before[0] + p * at->dilation[0];
    int64_t w = j * at->stride[1] - at->before[1] + q * at->dilation[1];
    if (h < 0 || w < 0 || h >= at->in[0] || w >= at->in[1]) return -1;
    return ((n * at->in[0] + h) * at->in[1] + w) * s->in_channels;
}

/* Products within the picture. */
static double products_of(const dt_conv_shape *s) {
    double pairs = 0;
    for (int64_t i = 0; i < s->window.out[0]; i++)
        for (int64_t j = 0; j < s->window.out[1]; j++)
            for (int64_t p = 0; p < s->window.kernel[0]; p++)
                for (int64_t q = 0; q < s->window.kernel[1]; q++) pairs += seen(s, 0, i, j, p, q) >= 0;
    int64_t seen_by_one = s->in_channels / s->groups;
    return pairs * (double)(s->rows * seen_by_one * s->out_channels);
}

/* All that the sum at place `at` of y, dx or dw consists of. */
static double exact(const dt_conv_shape *s, int pass, const arrays *a, int64_t at) {
    const dt_window *window = &s->window;
    const int64_t depth = s->in_channels / s->groups, share = s->out_channels / s->groups;
    const int64_t pixels = window->out[0] * window->out[1];
    double sum = 0;
    int64_t o = at % s->out_channels, row = at / (pixels * s->out_channels);
    int64_t first = pass == 1 ? at / (window->in[0] * window->in[1] * s->in_channels) : pass == 0 ? row : 0;
    for (int64_t n = first; n < (pass == 2 ? s->rows : first + 1); n++)
        for (int64_t ij = 0; ij < pixels; ij++)
            for (int64_t pq = 0; pq < window->kernel[0] * window->kernel[1]; pq++) {
                int64_t from = seen(s, n, ij / window->out[1], ij % window->out[1], pq / window->kernel[1],
                                    pq % window->kernel[1]);
                int64_t y = (n * pixels + ij) * s->out_channels, w = pq * depth * s->out_channels;
                if (from < 0) continue;
                if (pass == 0 && at / s->out_channels == n * pixels + ij)
                    for (int64_t c = 0; c < depth; c++)
                        sum += (double)a->x[from + o / share * depth + c] * (double)a->w[w + c * s->out_channels + o];
                if (pass == 1 && at / s->in_channels == from / s->in_channels)
                    for (int64_t k = 0, c = at % s->in_channels; k < share; k++)
                        sum += (double)a->dy[y + c / depth * share + k] *
                               (double)a->w[w + c % depth * s->out_channels + c / depth * share + k];
                if (pass == 2 && at / (depth * s->out_channels) == pq)
                    sum += (double)a->x[from + o / share * depth + at / s->out_channels % depth] * (double)a->dy[y + o];
            }
    return pass == 0 ? sum + (double)a->b[o] : sum;
}

/* Of some of the results. */
static double error_of(const dt_conv_shape *s, int pass, const arrays *a, const float *got, int64_t n) {
    double errors = 0, squares = 0;
    for (int64_t i = 0; i < 150; i++) {
        int64_t at = (int64_t)((uint64_t)(i + 1) * 2654435761U % (uint64_t)n);
        double want = exact(s, pass, a, at), error = (double)got[at] - want;
        errors += error * error;
        squares += want * want;
    }
    return sqrt(errors / squares) * 0x1p24;
}

/* The gradient of w as we have it. */
static void reorder(dnnl_memory_t from, const dt_conv_shape *s, float *to) {
    const int64_t groups = s->groups, in = s->in_channels / groups, out = s->out_channels / groups;
    const int64_t *kernel = s->window.kernel;
    dt_onednn_shape w = groups > 1 ? (dt_onednn_shape){5, {groups, out, in, kernel[0], kernel[1]}, dnnl_f32}
                                   : (dt_onednn_shape){4, {out, in, kernel[0], kernel[1]}, dnnl_f32};
    dnnl_memory_t plain = memory_of(&w, groups > 1 ? dnnl_hwigo : dnnl_hwio, to);
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t step;
    check(dnnl_reorder_primitive_desc_create(&desc, format_of(from), engine, format_of(plain), engine, NULL));
    check(dnnl_primitive_create(&step, desc));
    check(dnnl_primitive_execute(step, stream, 2, (dnnl_exec_arg_t[]){{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, plain}}));
}

static void fill_weights(dnnl_memory_t to, const dt_conv_shape *s, float *from) {
    const int64_t groups = s->groups, in = s->in_channels / groups, out = s->out_channels / groups;
    const int64_t *kernel = s->window.kernel;
    dt_onednn_shape w = groups > 1 ? (dt_onednn_shape){5, {groups, out, in, kernel[0], kernel[1]}, dnnl_f32}
                                   : (dt_onednn_shape){4, {out, in, kernel[0], kernel[1]}, dnnl_f32};
    dnnl_memory_t plain = memory_of(&w, groups > 1 ? dnnl_hwigo : dnnl_hwio, from);
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t step;
    check(dnnl_reorder_primitive_desc_create(&desc, format_of(plain), engine, format_of(to), engine, NULL));
    check(dnnl_primitive_create(&step, desc));
    check(dnnl_primitive_execute(step, stream, 2, (dnnl_exec_arg_t[]){{DNNL_ARG_FROM, plain}, {DNNL_ARG_TO, to}}));
}

/* A pass of oneDNN's with weights in the order it likes best, which ours packs in every call. */
static dnnl_primitive_desc_t plan_peer(peer *out, const dt_conv_shape *s, dt_onednn_pass pass, const arrays *a,
                                       dnnl_primitive_desc_t forward) {
    const dt_window *at = &s->window;
    const int64_t groups = s->groups, in = s->in_channels, outs = s->out_channels;
    dt_onednn_shape x = {4, {s->rows, in, at->in[0], at->in[1]}, dnnl_f32};
    dt_onednn_shape y = {4, {s->rows, outs, at->out[0], at->out[1]}, dnnl_f32};
    dt_onednn_shape w =
        groups > 1 ? (dt_onednn_shape){5, {groups, outs / groups, in / groups, at->kernel[0], at->kernel[1]}, dnnl_f32}
                   : (dt_onednn_shape){4, {outs, in, at->kernel[0], at->kernel[1]}, dnnl_f32};
    dnnl_memory_t xm = memory_of(&x, dnnl_nhwc, pass == DT_ONEDNN_DATA ? a->dx : a->x);
    dnnl_memory_t ym = memory_of(&y, dnnl_nhwc, pass == DT_ONEDNN_FORWARD ? a->y : a->dy);
    dnnl_memory_t bm = memory_of(&(dt_onednn_shape){1, {outs}, dnnl_f32}, dnnl_a, a->b);
    dt_onednn_convolution c = {.pass = pass, .x = format_of(xm), .y = format_of(ym), .weights = w};
    if (pass == DT_ONEDNN_FORWARD) c.bias = format_of(bm);
    for (int d = 0; d < 2; d++) {
        c.stride[d] = at->stride[d];
        c.dilation[d] = at->dilation[d] - 1;
        c.before[d] = at->before[d];
        c.after[d] = at->after[d];
    }
    dnnl_primitive_attr_t attr;
    check(dnnl_primitive_attr_create(&attr));
    dnnl_primitive_desc_t desc;
    check(dt_onednn_plan(&desc, engine, &c, attr, forward));
    check(dnnl_primitive_create(&out->step, desc));
    dt_onednn_format wf = dnnl_primitive_desc_query_md(
        desc, pass == DT_ONEDNN_WEIGHTS ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
    dnnl_memory_t wm;
    check(dnnl_memory_create(&wm, wf, engine, DNNL_MEMORY_ALLOCATE));
    if (pass != DT_ONEDNN_WEIGHTS) fill_weights(wm, s, a->w);
    const dnnl_exec_arg_t all[3][4] = {
        {{DNNL_ARG_SRC, xm}, {DNNL_ARG_WEIGHTS, wm}, {DNNL_ARG_DST, ym}, {DNNL_ARG_BIAS, bm}},
        {{DNNL_ARG_DIFF_SRC, xm}, {DNNL_ARG_WEIGHTS, wm}, {DNNL_ARG_DIFF_DST, ym}},
        {{DNNL_ARG_SRC, xm}, {DNNL_ARG_DIFF_WEIGHTS, wm}, {DNNL_ARG_DIFF_DST, ym}}};
    out->count = pass == DT_ONEDNN_FORWARD ? 4 : 3;
    memcpy(out->arguments, all[pass], sizeof all[pass]);
    return desc;
}

static void run_ours(const dt_conv *conv, const dt_kernels *kernels, int pass, int64_t rows, const arrays *a,
                     void *work) {
    if (pass == 0) dt_conv_forward(conv, kernels, rows, a->y, a->x, a->w, a->b, work);
    if (pass == 1) dt_conv_backward_data(conv, kernels, rows, a->dx, a->dy, a->w, work);
    if (pass == 2) dt_conv_backward_weights(conv, kernels, rows, a->dw, a->x, a->dy, false, work);
}

/* Independent fused multiply-adds in registers, GF/s. */
__attribute__((target("avx512f"))) static double peak_avx512(void) {
    typedef float vector __attribute__((vector_size(64)));
    double best = 1e9;
    for (int i = 0; i < 300; i++) {
        vector s[16] = {0}, x = {0}, y = {0};
        double began = now();
        for (int k = 0; k < 20000; k++) {
#pragma GCC unroll 16
            for (int j = 0; j < 16; j++) __asm__ volatile("vfmadd231ps %1, %2, %0" : "+v"(s[j]) : "v"(x), "v"(y));
        }
        double took = now() - began;
        if (took < best) best = took;
    }
    return 20000 * 16 * 32 / best / 1e9;
}
__attribute__((target("avx2,fma"))) static double peak_avx2(void) {
    typedef float vector __attribute__((vector_size(32)));
    double best = 1e9;
    for (int i = 0; i < 300; i++) {
        vector s[12] = {0}, x = {0}, y = {0};
        double began = now();
        for (int k = 0; k < 20000; k++) {
#pragma GCC unroll 16
            for (int j = 0; j < 12; j++) __asm__ volatile("vfmadd231ps %1, %2, %0" : "+x"(s[j]) : "x"(x), "x"(y));
        }
        double took = now() - began;
        if (took < best) best = took;
    }
    return 20000 * 12 * 16 / best / 1e9;
}

static double best_of(double a, double b) {
    return a < b ? a : b;
}

/* As wide as the picture over the stride, the rest of the window on both sides. */
static void place_window(dt_window *at, const shape *s) {
    const int64_t size[] = {s->height, s->width};
    for (int d = 0; d < 2; d++) {
        at->in[d] = size[d];
        at->kernel[d] = s->kernel[d];
        at->stride[d] = d == 0 && s->height == 1 ? 1 : s->stride;
        at->dilation[d] = s->dilation;
        at->out[d] = (size[d] + at->stride[d] - 1) / at->stride[d];
        int64_t total = (at->out[d] - 1) * at->stride[d] + (s->kernel[d] - 1) * s->dilation + 1 - size[d];
        at->before[d] = total > 0 ? total / 2 : 0;
        at->after[d] = total > 0 ? total - total / 2 : 0;
    }
}

int main(int argc, char **argv) {
    dt_isa isa = argc > 1 ? dt_isa_named(argv[1]) : DT_ISA_AUTO;
    double seconds = argc > 2 ? atof(argv[2]) : 0.6;
    const char *only = argc > 3 ? argv[3] : NULL;
    const dt_kernels *kernels;
    dt_status status = dt_compute_open(&kernels, isa, 1);
    if (status.code != DT_OK) return fprintf(stderr, "%s\n", status.message), 1;
    check(dnnl_engine_create(&engine, dnnl_cpu, 0));
    check(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
    double peak = kernels->isa == DT_ISA_AVX512 ? peak_avx512() : peak_avx2();
    printf("%s, fused multiply-adds in registers: %.1f GF/s\n", dt_isa_name(kernels->isa), peak);
    static const char *const passes[] = {"forward", "data", "weights"};
    double logs = 0, least = 1e9;
    int counted = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const shape *s = &shapes[i];
        if (only && !strstr(s->name, only)) continue;
        dt_conv_shape c = {
            .rows = s->rows, .in_channels = s->in, .out_channels = s->out, .groups = s->groups, .bias = true};
        place_window(&c.window, s);
        int64_t nx = s->rows * s->height * s->width * s->in, ny = s->rows * c.window.out[0] * c.window.out[1] * s->out;
        int64_t nw = s->kernel[0] * s->kernel[1] * s->in / s->groups * s->out;
        arrays a = {numbers(nx, 1), numbers(nw, 2), numbers(s->out, 3), numbers(ny, 4),
                    numbers(nx, 5), numbers(nw, 6), numbers(ny, 7)};
        dt_conv *conv;
        status = dt_conv_create(&conv, &c, true);
        if (status.code != DT_OK) return fprintf(stderr, "%s\n", status.message), 1;
        void *work = aligned_alloc(64, (dt_conv_workspace(conv) + 64) / 64 * 64);
        double flops = 2 * products_of(&c);
        for (int64_t k = 0; k < nx; k++) a.x[k] = a.x[k] > 0 ? a.x[k] : 0; /* as after a ReLU */
        dnnl_primitive_desc_t forward = NULL;
        for (int pass = 0; pass < 3; pass++) {
            peer p;
            dnnl_primitive_desc_t desc = plan_peer(&p, &c, (dt_onednn_pass)pass, &a, forward);
            if (pass == 0) forward = desc;
            if (pass == 1 && s->first) continue;
            double ours = 1e9, theirs = 1e9, until = now() + seconds;
            do {
                double t0 = now();
                run_ours(conv, kernels, pass, s->rows, &a, work);
                double t1 = now();
                check(dnnl_primitive_execute(p.step, stream, p.count, p.arguments));
                double t2 = now();
                ours = best_of(ours, t1 - t0);
                theirs = best_of(theirs, t2 - t1);
            } while (now() < until);
            float *const results[] = {a.y, a.dx, a.dw};
            const int64_t counts[] = {ny, nx, nw};
            if (pass == 2) reorder(p.arguments[1].memory, &c, a.dw);
            double their_error = error_of(&c, pass, &a, results[pass], counts[pass]);
            run_ours(conv, kernels, pass, s->rows, &a, work);
            double error = error_of(&c, pass, &a, results[pass], counts[pass]);
            double ratio = theirs / ours;
            logs += log(ratio);
            counted++;
            least = best_of(least, ratio);
            printf("%-16s %-8s %7.1f GF/s, oneDNN %7.1f, ratio %.2f, %3.0f %% of peak; errors %5.1f, oneDNN %5.1f\n",
                   s->name, passes[pass], flops / ours / 1e9, flops / theirs / 1e9, ratio,
                   100 * flops / ours / 1e9 / peak, error, their_error);
            fflush(stdout);
        }
        free(work);
        dt_conv_destroy(conv);
    }
    printf("geometric mean %.3f of oneDNN, least %.2f\n", exp(logs / counted), least);
    return 0;
}
