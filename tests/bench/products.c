/* The recipes' matrix products beside oneDNN's (dnnl_sgemm) and libxsmm's: GF/s, the share of what fused multiply-adds
 * in registers reach, and ours beside the better of the two. Processor time of this thread, the least of many short
 * alternating repetitions, for machines that others use, too. libxsmm has a kernel made for the shape, of all columns
 * or of strips of 64, whichever is faster; what it has no kernel for it transposes first, which counts. Attention's
 * products, which are made inside its kernels, are not among them.
 *
 *     products avx2|avx512 [seconds a line [part of a name]]
 *     products avx2|avx512 errors FILE…
 *
 * The second form tells how far sums are from those of float64 (root mean square, in units of 2^-24 of the results'),
 * for operands from files (operands.py), and how far they would be if they were cut in blocks of other lengths. Run it
 * by products.sh, with one thread. */
#include <dnnl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef WITH_LIBXSMM
#    include <libxsmm.h>
#endif

#include "compute/chain.h"
#include "compute/compute.h"

typedef struct layer {
    const char *name;
    int64_t rows, in, out;
    bool first;      /* no gradient of its input is asked for */
    bool transposed; /* weights are stored [out, in] */
} layer;

/* Rows are what one call has: samples, or positions, of a shard (of 1, where a recipe does not say), or of a step. */
static const layer layers[] = {
    {"mlp 32, 1", 32, 784, 128, true, false},        {"mlp 32, 2", 32, 128, 10, false, false},
    {"mlp 256, 1", 256, 784, 128, true, false},      {"mlp 256, 2", 256, 128, 10, false, false},
    {"cnn dense 1", 64, 3136, 128, false, false},    {"cnn dense 2", 64, 128, 10, false, false},
    {"resnet dense", 32, 64, 10, false, false},      {"pendulum", 13, 64, 64, false, false},
    {"penguins", 16, 32, 32, false, false},          {"lstm 128 x", 2500, 128, 512, false, false},
    {"lstm 128 h", 50, 128, 512, false, false},      {"lstm 512 x", 2500, 512, 2048, false, false},
    {"lstm 512 h", 50, 512, 2048, false, false},     {"lstm dense", 2500, 128, 65, false, false},
    {"gpt qkv", 768, 128, 384, false, false},        {"gpt out", 768, 128, 128, false, false},
    {"gpt up", 768, 128, 512, false, false},         {"gpt down", 768, 512, 128, false, false},
    {"gpt unembed", 768, 128, 65, false, true},      {"bert qkv", 2048, 128, 384, false, false},
    {"bert up", 2048, 128, 512, false, false},       {"bert down", 2048, 512, 128, false, false},
    {"baby gpt qkv", 2048, 384, 1152, false, false}, {"baby gpt out", 2048, 384, 384, false, false},
    {"baby gpt up", 2048, 384, 1536, false, false},  {"baby gpt down", 2048, 1536, 384, false, false},
    {"gpt2 qkv", 1024, 768, 2304, false, false},     {"gpt2 out", 1024, 768, 768, false, false},
    {"gpt2 up", 1024, 768, 3072, false, false},      {"gpt2 down", 1024, 3072, 768, false, false},
    {"gpt2 unembed", 64, 768, 50257, false, true},
};

enum { FORWARD, DATA, WEIGHTS, PASSES };
static const char *const passes[] = {"forward", "data", "weights"};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double least_of(double a, double b) {
    return a < b ? a : b;
}

static float *room(int64_t n) {
    float *x = aligned_alloc(64, (size_t)(n * 4 + 63) / 64 * 64);
    if (!x) abort();
    return x;
}

static float *numbers(int64_t n, uint32_t seed) {
    float *x = room(n);
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        x[i] = (float)((int32_t)seed >> 8) * 0x1p-24F;
    }
    return x;
}

/* ---- the peers ---- */

static void run_onednn(const dt_matrix_product *p, float *c) {
    dnnl_status_t code = dnnl_sgemm(p->a_turned ? 'T' : 'N', p->b_turned ? 'T' : 'N', p->rows, p->cols, p->depth, 1,
                                    p->a, p->lda, p->b, p->ldb, 0, c, p->ldc);
    if (code == dnnl_success) return;
    fprintf(stderr, "oneDNN's error %d\n", (int)code);
    exit(1);
}

typedef struct xsmm {
    bool there;
#ifdef WITH_LIBXSMM
    bool turns_a, turns_b; /* by hand */
    libxsmm_smmfunction whole, strip, rest;
    float *a, *b;
#endif
} xsmm;

enum { STRIP = 64 };

#ifdef WITH_LIBXSMM
/* Its matrices are stored by columns: our C is its C transposed, the product of our B and A, in this order. */
static libxsmm_smmfunction kernel_for(const dt_matrix_product *p, int64_t cols, bool turned) {
    const float one = 1, zero = 0;
    const int none = LIBXSMM_GEMM_PREFETCH_NONE, flags = turned ? LIBXSMM_GEMM_FLAG_TRANS_B : LIBXSMM_GEMM_FLAG_NONE;
    libxsmm_blasint lda = (libxsmm_blasint)p->cols, ldc = (libxsmm_blasint)p->ldc;
    libxsmm_blasint ldb = (libxsmm_blasint)(turned ? p->rows : p->depth);
    if (cols == 0) return NULL;
    return libxsmm_smmdispatch((libxsmm_blasint)cols, (libxsmm_blasint)p->rows, (libxsmm_blasint)p->depth, &lda, &ldb,
                               &ldc, &one, &zero, &flags, &none);
}

static xsmm plan_xsmm(const dt_matrix_product *p) {
    xsmm x = {.turns_b = p->b_turned, .whole = kernel_for(p, p->cols, p->a_turned)};
    if (!x.whole && p->a_turned) {
        x.turns_a = true;
        x.whole = kernel_for(p, p->cols, false);
    }
    bool turned = p->a_turned && !x.turns_a;
    x.strip = p->cols > STRIP ? kernel_for(p, STRIP, turned) : NULL;
    x.rest = p->cols > STRIP ? kernel_for(p, p->cols % STRIP, turned) : NULL;
    x.a = x.turns_a ? room(p->rows * p->depth) : NULL;
    x.b = x.turns_b ? room(p->cols * p->depth) : NULL;
    x.there = x.whole != NULL;
    return x;
}

static void run_xsmm(const xsmm *x, const dt_matrix_product *p, float *c, bool strips) {
    const libxsmm_blasint rows = (libxsmm_blasint)p->rows, cols = (libxsmm_blasint)p->cols,
                          depth = (libxsmm_blasint)p->depth;
    const float *a = p->a, *b = p->b;
    if (x->turns_a) libxsmm_otrans(x->a, a, sizeof *a, rows, depth, rows, depth), a = x->a;
    if (x->turns_b) libxsmm_otrans(x->b, b, sizeof *b, depth, cols, depth, cols), b = x->b;
    if (!strips || !x->strip) {
        x->whole(b, a, c);
        return;
    }
    int64_t j = 0;
    for (; j + STRIP <= p->cols; j += STRIP) x->strip(b + j, a, c + j);
    if (x->rest) x->rest(b + j, a, c + j);
}

static void drop_xsmm(xsmm *x) {
    free(x->a), free(x->b);
}
#else
static xsmm plan_xsmm(const dt_matrix_product *p) {
    (void)p;
    return (xsmm){.there = false};
}
static void run_xsmm(const xsmm *x, const dt_matrix_product *p, float *c, bool strips) {
    (void)x, (void)p, (void)c, (void)strips;
}
static void drop_xsmm(xsmm *x) {
    (void)x;
}
#endif

/* ---- speed ---- */

/* The product of a layer's pass, with operands of its own. */
static dt_matrix_product make(const layer *l, int pass) {
    dt_matrix_product p = {.rows = l->rows, .cols = l->out, .depth = l->in, .b_turned = l->transposed};
    if (pass == DATA) p = (dt_matrix_product){l->rows, l->in, l->out, .b_turned = !l->transposed};
    if (pass == WEIGHTS)
        p = (dt_matrix_product){l->transposed ? l->out : l->in, l->transposed ? l->in : l->out, l->rows,
                                .a_turned = true};
    p.lda = p.a_turned ? p.rows : p.depth;
    p.ldb = p.b_turned ? p.depth : p.cols;
    p.ldc = p.cols;
    p.a = numbers(p.rows * p.depth, 1);
    p.b = numbers(p.depth * p.cols, 2);
    p.c = room(p.rows * p.cols);
    return p;
}

/* The same numbers to as many digits as sums of so many keep; it would be no peer otherwise. */
static void expect_alike(const char *of, const char *what, const dt_matrix_product *p, const float *c) {
    for (int64_t i = 0; i < p->rows * p->cols; i++)
        if (!(fabsf(c[i] - p->c[i]) <= 1e-6F * (float)p->depth)) {
            fprintf(stderr, "%s: %s gives %g, not %g\n", of, what, (double)c[i], (double)p->c[i]);
            exit(1);
        }
}

typedef struct times {
    double ours, onednn, xsmm;
} times;

static times measure(const char *name, const dt_kernels *kernels, const dt_matrix_product *p, double seconds) {
    times t = {1e9, 1e9, 1e9};
    xsmm x = plan_xsmm(p);
    float *c = room(p->rows * p->cols);
    kernels->product(p);
    run_onednn(p, c);
    expect_alike(name, "oneDNN", p, c);
    for (int strips = 0; x.there && strips < 2; strips++) {
        run_xsmm(&x, p, c, strips);
        expect_alike(name, "libxsmm", p, c);
    }
    /* so many that the clock does not count */
    int64_t times_each = (int64_t)(1e7 / (2.0 * (double)p->rows * (double)p->cols * (double)p->depth)) + 1;
    double until = now() + seconds;
    int round = 0;
    do {
        double t0 = now();
        for (int64_t i = 0; i < times_each; i++) kernels->product(p);
        double t1 = now();
        for (int64_t i = 0; i < times_each; i++) run_onednn(p, c);
        double t2 = now();
        for (int64_t i = 0; x.there && i < times_each; i++) run_xsmm(&x, p, c, round % 2);
        double t3 = now();
        t.ours = least_of(t.ours, (t1 - t0) / (double)times_each);
        t.onednn = least_of(t.onednn, (t2 - t1) / (double)times_each);
        if (x.there) t.xsmm = least_of(t.xsmm, (t3 - t2) / (double)times_each);
    } while (++round < 4 || now() < until);
    drop_xsmm(&x);
    free(c);
    return t;
}

/* Independent fused multiply-adds in registers a second. */
static double measure_peak(const dt_kernels *kernels) {
    double best = 0;
    for (int i = 0; i < 300; i++) {
        double began = now(), work = kernels->multiply_add(100000, false), rate = work / (now() - began);
        if (rate > best) best = rate;
    }
    return best / 1e9;
}

static void compare_speed(const dt_kernels *kernels, double seconds, const char *only) {
    double peak = measure_peak(kernels);
    printf("%s, fused multiply-adds in registers: %.1f GF/s\n\n", dt_isa_name(kernels->isa), peak);
    printf("| layer | pass | rows x columns x depth | GF/s | of peak | oneDNN | libxsmm | beside the better |\n");
    printf("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    double logs = 0, onednn_logs = 0, least = 1e9, shares = 0;
    int counted = 0;
    char where[80] = "";
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        for (int pass = 0; pass < PASSES; pass++) {
            const layer *l = &layers[i];
            if ((only && !strstr(l->name, only)) || (pass == DATA && l->first)) continue;
            dt_matrix_product p = make(l, pass);
            times t = measure(l->name, kernels, &p, seconds);
            double work = 2e-9 * (double)p.rows * (double)p.cols * (double)p.depth;
            double ratio = least_of(t.onednn, t.xsmm) / t.ours;
            char libxsmm[16] = "-";
            if (t.xsmm < 1e9) snprintf(libxsmm, sizeof libxsmm, "%.1f", work / t.xsmm);
            printf("| %s | %s | %lld x %lld x %lld | %.1f | %.0f %% | %.1f | %s | %.2f |\n", l->name, passes[pass],
                   (long long)p.rows, (long long)p.cols, (long long)p.depth, work / t.ours, 100 * work / t.ours / peak,
                   work / t.onednn, libxsmm, ratio);
            fflush(stdout);
            logs += log(ratio);
            onednn_logs += log(t.onednn / t.ours);
            shares += work / t.ours / peak;
            counted++;
            if (ratio < least) snprintf(where, sizeof where, "%s %s", l->name, passes[pass]);
            least = least_of(least, ratio);
            free((void *)(uintptr_t)p.a), free((void *)(uintptr_t)p.b), free(p.c);
        }
    if (counted > 0)
        printf("\nGeometric mean %.3f of the better, least %.2f (%s); %.3f of oneDNN alone. On average %.0f %% of "
               "peak, %d "
               "products.\n",
               exp(logs / counted), least, where, exp(onednn_logs / counted), 100 * shares / counted, counted);
}

/* ---- errors ---- */

enum { SAMPLES = 3000 };

/* Sums number `at` of the product: in float64, and in chains of `length` that are added up; 0: as chain.h cuts. */
__attribute__((target("fma"))) static double sum_of(const dt_matrix_product *p, int64_t at, int64_t length,
                                                    bool exact) {
    int64_t i = at / p->cols, j = at % p->cols;
    const float *a = p->a + (p->a_turned ? i : i * p->lda), *b = p->b + (p->b_turned ? j * p->ldb : j);
    int64_t across = p->a_turned ? p->lda : 1, down = p->b_turned ? 1 : p->ldb;
    double sum = 0;
    float blocks = 0;
    for (int64_t k = 0; exact && k < p->depth; k++) sum += (double)a[k * across] * (double)b[k * down];
    for (int64_t k = 0, end; !exact && k < p->depth;) {
        float chain = 0;
        end = k + (length > 0 ? length : block_of(p->depth - k));
        for (; k < end && k < p->depth; k++) chain = __builtin_fmaf(a[k * across], b[k * down], chain);
        blocks += chain;
    }
    return exact ? sum : (double)blocks;
}

/* Of some of the results: c, or where it is NULL those of chains of `length`. */
static double error_of(const dt_matrix_product *p, const float *c, int64_t length) {
    double errors = 0, squares = 0;
    for (int64_t s = 0; s < SAMPLES; s++) {
        int64_t at = (int64_t)((uint64_t)(s + 1) * 11400714819323198485U % (uint64_t)(p->rows * p->cols));
        double want = sum_of(p, at, 0, true), got = c ? (double)c[at] : sum_of(p, at, length, false);
        errors += (got - want) * (got - want);
        squares += want * want;
    }
    return sqrt(errors / squares) * 0x1p24;
}

/* A file has rows, columns, depth, whether A and B are turned (int64), A and B (float32). */
static bool read_product(dt_matrix_product *p, const char *path) {
    int64_t head[5];
    FILE *file = fopen(path, "rb");
    if (!file || fread(head, sizeof *head, 5, file) != 5) return false;
    *p = (dt_matrix_product){
        .rows = head[0], .cols = head[1], .depth = head[2], .a_turned = head[3], .b_turned = head[4]};
    p->lda = p->a_turned ? p->rows : p->depth;
    p->ldb = p->b_turned ? p->depth : p->cols;
    p->ldc = p->cols;
    size_t a_count = (size_t)(p->rows * p->depth), b_count = (size_t)(p->depth * p->cols);
    float *a = room((int64_t)a_count), *b = room((int64_t)b_count);
    bool read = fread(a, sizeof *a, a_count, file) == a_count && fread(b, sizeof *b, b_count, file) == b_count;
    fclose(file);
    p->a = a, p->b = b, p->c = room(p->rows * p->cols);
    return read;
}

static bool compare_errors(const dt_kernels *kernels, int count, char **files) {
    static const int64_t lengths[] = {48, 96, 192, 384, 768, INT64_MAX / 2};
    printf("%s; root mean square errors against float64, in 2^-24 of the results\n\n", dt_isa_name(kernels->isa));
    printf("| product | rows x columns x depth | ours | oneDNN | chains of 48 | 96 | 192 | 384 | 768 | one chain |\n");
    printf("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    for (int i = 0; i < count; i++) {
        dt_matrix_product p;
        if (!read_product(&p, files[i])) return fprintf(stderr, "%s is no product's operands\n", files[i]), false;
        const char *name = strrchr(files[i], '/');
        kernels->product(&p);
        printf("| %s | %lld x %lld x %lld | %.1f |", name ? name + 1 : files[i], (long long)p.rows, (long long)p.cols,
               (long long)p.depth, error_of(&p, p.c, 0));
        run_onednn(&p, p.c);
        printf(" %.1f |", error_of(&p, p.c, 0));
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) printf(" %.1f |", error_of(&p, NULL, lengths[k]));
        printf("\n");
        fflush(stdout);
        free((void *)(uintptr_t)p.a), free((void *)(uintptr_t)p.b), free(p.c);
    }
    return true;
}

int main(int argc, char **argv) {
    dt_isa isa = argc > 1 ? dt_isa_named(argv[1]) : DT_ISA_AUTO;
    if (isa != DT_ISA_AVX2 && isa != DT_ISA_AVX512)
        return fprintf(stderr, "products avx2|avx512 [seconds a line [part of a name]]\n"), 2;
    bool avx2 = isa == DT_ISA_AVX2;
    const dt_kernels *kernels;
    dt_status status = dt_compute_open(&kernels, isa, 1);
    if (status.code != DT_OK) return fprintf(stderr, "%s\n", status.message), 1;
    if (avx2) dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx2);
#ifdef WITH_LIBXSMM
    libxsmm_init();
    libxsmm_set_target_archid(avx2 ? LIBXSMM_X86_AVX2 : LIBXSMM_X86_AVX512_CORE);
#else
    printf("libxsmm is missing (libxsmm-dev): its column is empty\n");
#endif
    if (argc > 2 && strcmp(argv[2], "errors") == 0) return compare_errors(kernels, argc - 3, argv + 3) ? 0 : 1;
    compare_speed(kernels, argc > 2 ? atof(argv[2]) : 0.2, argc > 3 ? argv[3] : NULL);
    return 0;
}
