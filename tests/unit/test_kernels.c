/* The float kernels of every instruction set this machine has, against the double reference on random shapes and on
 * inputs chosen to hurt. Tolerances are in units of U = 2^-24, half an ulp of 1. Where the order of a sum or the
 * position where an array is cut must not matter, results are compared bit for bit. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compute/compute.h"
#include "config/recipe.h"
#include "isa.h"
#include "reference.h"
#include "suite.h"

#include "../golden/weights.h"

#define U 0x1p-24

static const dt_isa isas[] = {DT_ISA_BASELINE, DT_ISA_AVX2, DT_ISA_AVX512};
static const int64_t widths[] = {1, 2, 7, 15, 16, 17, 33, 64, 100, 257};
static const int64_t heights[] = {1, 3, 8};

#define FOR_SHAPES(rows, cols)                                                                                         \
    for (int r_ = 0; r_ < COUNT(heights); r_++)                                                                        \
        for (int c_ = 0, once_ = 1; c_ < COUNT(widths); c_++, once_ = 1)                                               \
            for (int64_t rows = heights[r_], cols = widths[c_]; once_; once_ = 0)

/* NULL where the machine lacks it; the baseline must be there. */
static const dt_kernels *open_kernels(int i) {
    const dt_kernels *kernels;
    dt_status status = dt_compute_open(&kernels, isas[i], 1);
    if (status.code == DT_OK) return kernels;
    ck_assert_msg(isas[i] != DT_ISA_BASELINE, "%s", status.message);
    return NULL;
}

/* ---- memory of exactly the right size, freed after every test, so that the sanitizer sees any overrun ---- */

static void *pool[65536];
static int pooled;

static void *take(size_t bytes) {
    ck_assert_int_lt(pooled, COUNT(pool));
    void *memory = malloc(bytes ? bytes : 1);
    ck_assert_ptr_nonnull(memory);
    return pool[pooled++] = memory;
}

static void release(void) {
    while (pooled > 0) free(pool[--pooled]);
}

static float *floats(int64_t n, uint64_t seed, double scale) {
    float *x = take((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = (float)(scale * ref_uniform(seed, (uint64_t)i));
    return x;
}

static float *copy(const float *x, int64_t n) {
    return memcpy(take((size_t)n * sizeof *x), x, (size_t)n * sizeof *x);
}

static double *widen(const float *x, int64_t n) {
    double *y = take((size_t)n * sizeof *y);
    for (int64_t i = 0; i < n; i++) y[i] = (double)x[i];
    return y;
}

static double *zeros(int64_t n) {
    return memset(take((size_t)n * sizeof(double)), 0, (size_t)n * sizeof(double));
}

static void expect_close(const char *what, const float *got, const double *want, int64_t n, double relative,
                         double absolute) {
    for (int64_t i = 0; i < n; i++) {
        bool close = isnan(want[i]) ? isnan(got[i])
                                    : got[i] == (float)want[i] ||
                                          fabs((double)got[i] - want[i]) <= relative * fabs(want[i]) + absolute;
        ck_assert_msg(close, "%s: element %d of %d is %.9g, expected %.9g (%.3g U relative)", what, (int)i, (int)n,
                      (double)got[i], want[i], fabs((double)got[i] - want[i]) / fabs(want[i]) / U);
    }
}

static void expect_same_bits(const char *what, const void *a, const void *b, size_t bytes) {
    ck_assert_msg(memcmp(a, b, bytes) == 0, "%s: bits differ", what);
}

/* ---- activations ---- */

static const char *const act_names[] = {"linear", "sigmoid", "tanh", "relu", "leaky_relu", "gelu", "silu"};

/* How far from the true value: relative, and for GELU, whose 1 + tanh cancels below zero, relative to its input. */
static void expect_activation(dt_activation act, const float *y, const double *v, int64_t n, float slope) {
    for (int64_t i = 0; i < n; i++) {
        double want = ref_activation((int)act, v[i], (double)slope);
        double absolute = act == DT_GELU ? 4 * U * fabs(v[i]) : 1e-36;
        expect_close(act_names[act], y + i, &want, 1, 6 * U, absolute);
    }
}

/* What sigmoid and tanh lose near 1 their slopes y (1 - y) and 1 - y^2 cannot get back, so slopes are compared relative
 * to the gradient; in GELU's, what tanh loses is multiplied by x and the slope of the polynomial in it. */
static double slope_tolerance(dt_activation act, double x) {
    return act == DT_GELU ? 8 * U * (1 + fabs(x) * (1 + 3 * 0.044715 * x * x)) : 8 * U;
}

START_TEST(activations_with_and_without_bias_match_the_reference) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    FOR_SHAPES(rows, cols) {
        for (int act = DT_LINEAR; act <= DT_SILU; act++) {
            for (int variant = 0; variant < 4; variant++) {
                int64_t n = rows * cols;
                bool slopes = variant & 1 && (act == DT_GELU || act == DT_SILU);
                float *y = floats(n, (uint64_t)act, 6), *z = slopes ? floats(n, 2, 1) : NULL;
                float *b = variant & 2 ? floats(cols, 3, 2) : NULL;
                double *v = widen(y, n);
                for (int64_t i = 0; b && i < n; i++) v[i] = (double)(y[i] + b[i % cols]);
                kernels->bias_activate(y, z, b, rows, cols, (dt_activation)act, 0.2F);
                expect_activation((dt_activation)act, y, v, n, 0.2F);
                for (int64_t i = 0; z && i < n; i++) {
                    double want = ref_activation_slope(act, v[i], (double)0.2F);
                    expect_close("slope", z + i, &want, 1, 8 * U, slope_tolerance((dt_activation)act, v[i]));
                }
                release();
            }
        }
    }
}
END_TEST

START_TEST(activations_survive_extreme_inputs) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    static const float hard[] = {0.0F,    1e-45F, -1e-45F, 1e-39F, 1e-38F, -1e-30F, 1e-10F, 0.6249F, 0.6251F,
                                 -0.625F, 9.0F,   -9.0F,   20.0F,  -20.0F, 43.9F,   -43.9F, 60.1F,   -60.1F,
                                 80.3F,   -80.3F, 87.3F,   -87.3F, 88.7F,  -88.7F,  89.0F,  -89.0F,  104.0F,
                                 -104.0F, 1e4F,   -1e4F,   1e30F,  -1e30F, NAN};
    for (int act = DT_LINEAR; act <= DT_SILU; act++) {
        /* x^3 leaves float's range far from where GELU is anything but x or 0. */
        float *y = copy(hard, COUNT(hard));
        kernels->bias_activate(y, NULL, NULL, 1, COUNT(hard), (dt_activation)act, 0.01F);
        expect_activation((dt_activation)act, y, widen(hard, COUNT(hard)), COUNT(hard), 0.01F);
    }
    release();
}
END_TEST

START_TEST(slopes_of_activations_match_the_reference) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    FOR_SHAPES(rows, cols) {
        for (int act = DT_LINEAR; act <= DT_SILU; act++) {
            int64_t n = rows * cols;
            float *y = floats(n, 11, 5), *x = copy(y, n), *z = copy(y, n), *dy = floats(n, 12, 1);
            kernels->bias_activate(y, z, NULL, rows, cols, (dt_activation)act, 0.3F);
            double *want = widen(dy, n);
            for (int64_t i = 0; i < n; i++) want[i] *= ref_activation_slope(act, (double)x[i], (double)0.3F);
            kernels->activate_backward(dy, NULL, y, z, rows, cols, (dt_activation)act, 0.3F, false);
            for (int64_t i = 0; i < n; i++)
                expect_close(act_names[act], dy + i, want + i, 1, 8 * U,
                             slope_tolerance((dt_activation)act, (double)x[i]));
            release();
        }
    }
}
END_TEST

/* Columns alone go another way than all of few columns do. */
START_TEST(bias_gradients_of_few_columns_are_those_of_each_column_alone) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    for (int64_t cols = 2; cols <= 17; cols++) {
        int64_t rows = 515, n = rows * cols;
        float *y = floats(n, 21, 2), *dy = floats(n, 22, 1), *alone = copy(dy, n);
        float *db = floats(cols, 23, 1), *db_alone = copy(db, cols);
        kernels->activate_backward(dy, db, y, NULL, rows, cols, DT_RELU, 0, true);
        for (int64_t j = 0; j < cols; j++)
            kernels->activate_backward_columns(alone, db_alone, y, NULL, rows, cols, DT_RELU, 0, true, j, j + 1);
        ck_assert_mem_eq(dy, alone, (size_t)n * sizeof *dy);
        ck_assert_mem_eq(db, db_alone, (size_t)cols * sizeof *db);
        release();
    }
}
END_TEST

START_TEST(bias_gradients_are_column_sums_that_replace_or_accumulate) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    FOR_SHAPES(rows, cols) {
        for (int act = DT_LINEAR; act <= DT_SILU; act++) {
            for (int accumulate = 0; accumulate < 2; accumulate++) {
                int64_t n = rows * cols;
                float *y = floats(n, 21, 2), *z = copy(y, n), *dy = floats(n, 22, 1), *db = floats(cols, 23, 1);
                double *want = accumulate ? widen(db, cols) : zeros(cols);
                if (!accumulate) db[0] = NAN; /* what was there must not matter */
                kernels->activate_backward(dy, db, y, z, rows, cols, (dt_activation)act, 0.1F, accumulate);
                for (int64_t i = 0; i < n; i++) want[i % cols] += (double)dy[i];
                expect_close("db", db, want, cols, 16 * U, 16 * U);
                release();
            }
        }
    }
}
END_TEST

/* ---- softmax ---- */

START_TEST(softmax_and_its_gradient_match_the_reference) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    static const double scales[] = {1, 30, 1e4};
    FOR_SHAPES(rows, cols) {
        for (int s = 0; s < COUNT(scales); s++) {
            int64_t n = rows * cols;
            float *x = floats(n, 31, scales[s]), *y = floats(n, 32, 1), *dy = floats(n, 33, 1);
            double *want = zeros(n), *want_dx = zeros(n);
            ref_softmax(want, widen(x, n), rows, cols);
            kernels->softmax(y, x, rows, cols);
            /* x - max is rounded, and the exponential turns that absolute error into a relative one. */
            for (int64_t i = 0; i < n; i++)
                expect_close("softmax", y + i, want + i, 1, 16 * U - U * log(want[i]), 1e-36);
            kernels->softmax(x, x, rows, cols);
            expect_same_bits("softmax in place", x, y, (size_t)n * sizeof *x);
            ref_softmax_backward(want_dx, widen(dy, n), widen(y, n), rows, cols);
            kernels->softmax_backward(dy, dy, y, rows, cols);
            expect_close("softmax backward", dy, want_dx, n, 0, 32 * U);
            release();
        }
    }
}
END_TEST

START_TEST(an_instruction_set_is_found_by_its_name) {
    for (int isa = DT_ISA_BASELINE; isa <= DT_ISA_AVX512; isa++)
        ck_assert_int_eq(dt_isa_named(dt_isa_name((dt_isa)isa)), isa);
    ck_assert_int_eq(dt_isa_named(""), DT_ISA_AUTO);
    ck_assert_int_eq(dt_isa_named("avx1024"), DT_ISA_AUTO);
}
END_TEST

/* ---- normalisation ---- */

typedef struct norm_run {
    ref_norm_shape shape;
    int64_t n;
    float *x, *dy, *scale, *shift, *y, *dx, *dscale, *dshift, *work, *stats;
} norm_run;

/* `variant` bits: scale, shift, relu, in place on the way back, accumulating, no dx. */
enum { SCALE = 1, SHIFT = 2, RELU = 4, IN_PLACE = 8, MORE = 16, NO_DX = 32, VARIANTS = 64 };

static void norm_kernels(const dt_kernels *k, norm_run *r, int variant) {
    const ref_norm_shape *s = &r->shape;
    bool relu = s->relu, more = variant & MORE, centred = s->kind == REF_LAYER_NORM;
    float eps = (float)s->eps;
    int64_t lines = s->rows * s->positions;
    switch (s->kind) {
    case REF_BATCH_NORM:
        k->batch_norm(r->y, r->work, r->x, r->scale, r->shift, lines, s->cols, eps, relu);
        k->batch_norm_backward(r->dx, r->dscale, r->dshift, r->work, r->dy, r->x, r->shift, lines, s->cols, relu, more);
        return;
    case REF_LAYER_NORM:
    case REF_RMS_NORM:
        k->row_norm(r->y, r->stats, r->x, r->scale, r->shift, lines, s->cols, eps, centred);
        k->row_norm_backward(r->dx, r->dscale, r->dshift, r->dy, r->x, r->stats, r->scale, lines, s->cols, centred,
                             more);
        return;
    case REF_GROUP_NORM:
        k->group_norm(r->y, r->stats, r->work, r->x, r->scale, r->shift, s->rows, s->positions, s->cols, s->groups,
                      eps);
        k->group_norm_backward(r->dx, r->dscale, r->dshift, r->work, r->dy, r->x, r->stats, r->scale, s->rows,
                               s->positions, s->cols, s->groups, more);
        return;
    }
}

static void check_norm(const dt_kernels *kernels, ref_norm_shape shape, int variant) {
    shape.relu = shape.kind == REF_BATCH_NORM && variant & RELU;
    int64_t n = shape.rows * shape.positions * shape.cols, cols = shape.cols;
    norm_run r = {shape,
                  n,
                  floats(n, 111, 2),
                  floats(n, 112, 1),
                  NULL,
                  NULL,
                  floats(n, 0, 1),
                  NULL,
                  NULL,
                  NULL,
                  floats(DT_NORM_WORK * cols, 0, 1),
                  floats(2 * n, 0, 1)};
    for (int64_t i = 0; i < n; i++)
        r.x[i] += 3 * (float)(i % cols) / (float)cols; /* channels with means of their own */
    if (variant & SCALE) r.scale = floats(cols, 113, 1);
    if (variant & SHIFT) r.shift = floats(cols, 114, 1);
    if (variant & SCALE) r.dscale = floats(cols, 115, 1);
    if (variant & SHIFT) r.dshift = floats(cols, 116, 1);
    double *x = widen(r.x, n), *dy = widen(r.dy, n), *scale = r.scale ? widen(r.scale, cols) : NULL;
    double *shift = r.shift ? widen(r.shift, cols) : NULL, *y = zeros(n), *mean = zeros(n), *variance = zeros(n);
    double *dx = zeros(n), *dscale = zeros(cols), *dshift = zeros(cols);
    ref_normalise(y, mean, variance, x, scale, shift, &shape);
    ref_normalise_backward(dx, dscale, dshift, dy, x, scale, shift, &shape);
    for (int64_t j = 0; j < cols; j++) {
        if (variant & MORE && r.dscale) dscale[j] += (double)r.dscale[j];
        if (variant & MORE && r.dshift) dshift[j] += (double)r.dshift[j];
    }
    if (!(variant & NO_DX)) r.dx = variant & IN_PLACE ? r.dy : floats(n, 0, 1);
    norm_kernels(kernels, &r, variant);
    double steep = 1 / sqrt(shape.eps), lines = (double)(shape.rows * shape.positions);
    expect_close("normalised", r.y, y, n, 16 * U, 64 * U * fmin(steep, 40));
    if (shape.kind == REF_BATCH_NORM) expect_close("mean", r.work, mean, cols, 4 * U, 8 * U);
    if (shape.kind == REF_BATCH_NORM) expect_close("variance", r.work + cols, variance, cols, 16 * U, 8 * U);
    if (r.dx) expect_close("dx", r.dx, dx, n, 64 * U, 256 * U * fmin(steep, 40));
    if (r.dscale) expect_close("dscale", r.dscale, dscale, cols, 32 * U, 64 * U * lines);
    if (r.dshift) expect_close("dshift", r.dshift, dshift, cols, 32 * U, 8 * U * lines);
}

START_TEST(normalisations_and_their_gradients_match_the_reference) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    static const ref_norm_shape shapes[] = {
        {REF_BATCH_NORM, 3, 1, 7, 1, 1e-3, false},   {REF_BATCH_NORM, 2, 70, 3, 1, 1e-3, false},
        {REF_BATCH_NORM, 5, 13, 16, 1, 1e-3, false}, {REF_BATCH_NORM, 2, 33, 17, 1, 0.1, false},
        {REF_BATCH_NORM, 4, 1, 35, 1, 1e-3, false},  {REF_LAYER_NORM, 3, 5, 7, 1, 1e-3, false},
        {REF_LAYER_NORM, 2, 1, 100, 1, 0.1, false},  {REF_LAYER_NORM, 3, 2, 16, 1, 1e-3, false},
        {REF_RMS_NORM, 3, 5, 7, 1, 1e-3, false},     {REF_RMS_NORM, 2, 3, 65, 1, 0.1, false},
        {REF_GROUP_NORM, 3, 5, 6, 3, 1e-3, false},   {REF_GROUP_NORM, 2, 70, 4, 1, 0.1, false},
        {REF_GROUP_NORM, 2, 9, 34, 2, 1e-3, false},  {REF_GROUP_NORM, 2, 9, 17, 17, 1e-3, false},
    };
    for (int s = 0; s < COUNT(shapes); s++) {
        bool large =
            shapes[s].rows * shapes[s].positions * shapes[s].cols > 200; /* the reference's time is quadratic */
        for (int variant = 0; variant < VARIANTS; variant += large ? 5 : 1) {
            check_norm(kernels, shapes[s], variant);
            release();
        }
    }
}
END_TEST

START_TEST(moments_far_from_zero_lose_nothing) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    enum { LINES = 40000, COLS = 3 };
    float *x = floats(LINES * COLS, 121, 1), *y = floats(LINES * COLS, 0, 1), *work = floats(DT_NORM_WORK * COLS, 0, 1);
    double mean[COLS] = {0}, variance[COLS] = {0};
    for (int i = 0; i < LINES * COLS; i++) x[i] += 1000;
    for (int i = 0; i < LINES * COLS; i++) mean[i % COLS] += (double)x[i] / LINES;
    for (int i = 0; i < LINES * COLS; i++) variance[i % COLS] += pow((double)x[i] - mean[i % COLS], 2) / LINES;
    kernels->batch_norm(y, work, x, NULL, NULL, LINES, COLS, 1e-5F, false);
    expect_close("mean", work, mean, COLS, 2 * U, 0);
    /* a block's mean is rounded to 1000 U, which costs its square */
    expect_close("variance", work + COLS, variance, COLS, 16 * U, 1e6 * U * U * 64);
    double sum = 0;
    for (int i = 0; i < LINES; i++) sum += (double)y[i * COLS];
    ck_assert_double_le(fabs(sum / LINES), 2000 * U);
}
END_TEST

START_TEST(normalising_with_given_moments_is_a_product_and_a_sum) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    FOR_SHAPES(rows, cols) {
        for (int variant = 0; variant < 4; variant++) {
            int64_t n = rows * cols;
            float *x = floats(n, 131, 3), *mean = floats(cols, 132, 1), *factor = floats(cols, 133, 2);
            float *shift = variant & 1 ? floats(cols, 134, 1) : NULL;
            double *want = zeros(n);
            for (int64_t i = 0; i < n; i++) {
                int64_t j = i % cols;
                want[i] = ((double)x[i] - (double)mean[j]) * (double)factor[j] + (shift ? (double)shift[j] : 0);
                if (variant & 2) want[i] = fmax(want[i], 0);
            }
            kernels->normalise(x, x, mean, factor, shift, rows, cols, variant & 2);
            expect_close("normalised", x, want, n, 4 * U, 16 * U);
            release();
        }
    }
}
END_TEST

START_TEST(a_number_that_is_none_reaches_the_normalised) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    float *x = floats(40 * 20, 141, 1), *y = floats(40 * 20, 0, 1), *work = floats(DT_NORM_WORK * 20, 0, 1);
    x[7 * 20 + 3] = NAN;
    kernels->batch_norm(y, work, x, NULL, NULL, 40, 20, 1e-5F, true);
    for (int i = 0; i < 40; i++) ck_assert(isnan(y[i * 20 + 3]) && !isnan(y[i * 20 + 4]));
    kernels->sum_activate(y, x, x, 40 * 20, true);
    for (int i = 0; i < 40 * 20; i++) ck_assert(isnan(x[i]) ? isnan(y[i]) : y[i] == fmaxf(2 * x[i], 0));
}
END_TEST

/* ---- resolution ---- */

START_TEST(upsampling_matches_the_reference_and_its_reverse_is_its_transpose) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    static const dt_upsampling all[] = {{3, 4, 5, 2, 2, false}, {3, 4, 5, 2, 2, true},  {1, 6, 17, 1, 3, true},
                                        {2, 1, 1, 3, 2, true},  {1, 1, 16, 4, 4, true}, {5, 2, 3, 1, 1, true},
                                        {1, 6, 17, 1, 3, false}};
    enum { ROWS = 2 };
    for (int a = 0; a < COUNT(all); a++) {
        const dt_upsampling *u = &all[a];
        int64_t small = u->height * u->width * u->cols, high = u->height * u->factor_high;
        int64_t wide = u->width * u->factor_wide, large = high * wide * u->cols;
        float *x = floats(ROWS * small, 151, 1), *y = floats(ROWS * large, 0, 1), *dy = floats(ROWS * large, 152, 1);
        float *dx = floats(ROWS * small, 0, 1);
        double *wide_x = widen(x, ROWS * small), *want = zeros(ROWS * large), forth = 0, back = 0;
        for (int64_t i = 0; i < ROWS * large; i++)
            want[i] =
                ref_upsampled(wide_x + i / large * small, u->height, u->width, u->cols, u->factor_high, u->factor_wide,
                              u->linear, i % large / (wide * u->cols), i / u->cols % wide, i % u->cols);
        kernels->upsample(y, x, u, ROWS);
        expect_close("upsampled", y, want, ROWS * large, 4 * U, 8 * U);
        kernels->upsample_backward(dx, dy, u, ROWS);
        for (int64_t i = 0; i < ROWS * large; i++) forth += (double)y[i] * (double)dy[i];
        for (int64_t i = 0; i < ROWS * small; i++) back += (double)x[i] * (double)dx[i];
        ck_assert_double_eq_tol(forth, back, 64 * U * (double)large);
        release();
    }
}
END_TEST

/* ---- losses ---- */

enum { LABELS, VALUES, SOME_LABELS };

typedef struct loss_case {
    dt_loss kind;
    int targets;
    float smoothing;
    double scale; /* of the outputs */
} loss_case;

static void run_loss(const dt_kernels *kernels, const loss_case *c, const float *weights, float *output,
                     const int32_t *labels, const float *values, int64_t rows, int64_t cols, bool gradient,
                     dt_tally *tally) {
    switch (c->kind) {
    case DT_LOSS_SOFTMAX_CROSS_ENTROPY:
        kernels->softmax_cross_entropy(output, labels, values, weights, rows, cols, c->smoothing, gradient, tally);
        return;
    case DT_LOSS_MEAN_SQUARED_ERROR:
        kernels->mean_squared_error(output, labels, values, weights, NULL, rows, cols, gradient, tally);
        return;
    case DT_LOSS_BINARY_CROSS_ENTROPY:
        kernels->binary_cross_entropy(output, labels, values, weights, rows, cols, c->smoothing, gradient, tally);
        return;
    }
}

static int32_t *some_labels(int64_t rows, int64_t cols, uint64_t seed) {
    int32_t *labels = take((size_t)rows * sizeof *labels);
    int64_t classes = cols > 1 ? cols : 2;
    for (int64_t i = 0; i < rows; i++)
        labels[i] = (int32_t)((ref_uniform(seed, (uint64_t)i) + 1) / 2 * (double)classes);
    return labels;
}

static void check_loss(const dt_kernels *kernels, const loss_case *c, bool weighted, int64_t rows, int64_t cols) {
    int64_t n = rows * cols;
    float *weights = weighted ? floats(rows, 44, 1.5) : NULL;
    for (int64_t i = 0; weighted && i < rows; i++) weights[i] = fmaxf(0, weights[i]);
    float *output = floats(n, 41, c->scale), *values = floats(n, 42, 0.5), *gradient = copy(output, n);
    for (int64_t i = 0; i < n; i++) values[i] += 0.5F;
    int32_t *labels = some_labels(rows, cols, 43);
    if (c->targets != VALUES) values = NULL;
    if (c->targets == VALUES) labels = NULL;
    for (int64_t i = 0; c->targets == SOME_LABELS && i < rows; i += 3) labels[i] = -1;
    double *want = zeros(n);
    ref_tally expected = ref_loss((int)c->kind, want, widen(output, n), labels, values ? widen(values, n) : NULL,
                                  weighted ? widen(weights, rows) : NULL, rows, cols, (double)c->smoothing);
    dt_tally plain = {.samples = 5}, tally = {0};
    float *untouched = copy(output, n);
    run_loss(kernels, c, weights, output, labels, values, rows, cols, false, &plain);
    expect_same_bits("outputs without gradient", output, untouched, (size_t)n * sizeof *output);
    run_loss(kernels, c, weights, gradient, labels, values, rows, cols, true, &tally);
    /* Sums of cols float terms in float, all of one sign, then one rounding to a tally's unit a row. */
    double relative = ((double)cols + 8) * U, absolute = (double)rows * (DT_TALLY_UNIT + relative * c->scale / 8);
    ck_assert_double_le(fabs(dt_sum_mean(&tally.loss, 1) - expected.loss), relative * fabs(expected.loss) + absolute);
    ck_assert_double_le(fabs(dt_sum_mean(&tally.abs_error, 1) - expected.abs_error),
                        relative * expected.abs_error + absolute);
    ck_assert_double_le(fabs(dt_sum_mean(&plain.loss, 1) - dt_sum_mean(&tally.loss, 1)),
                        relative * fabs(expected.loss) + absolute);
    ck_assert_int_eq(tally.samples, expected.rows);
    ck_assert_int_eq(plain.samples, expected.rows + 5);
    ck_assert_int_eq(tally.correct, expected.correct);
    ck_assert_int_eq(tally.correct_top5, expected.correct_top5);
    ck_assert_int_eq(tally.not_finite, 0);
    double mass = values && c->kind == DT_LOSS_SOFTMAX_CROSS_ENTROPY ? (double)cols : 1;
    expect_close("gradient of the loss", gradient, want, n, relative, 16 * U * mass);
}

static const loss_case loss_cases[] = {
    {DT_LOSS_SOFTMAX_CROSS_ENTROPY, LABELS, 0, 4},     {DT_LOSS_SOFTMAX_CROSS_ENTROPY, LABELS, 0, 1e4},
    {DT_LOSS_SOFTMAX_CROSS_ENTROPY, LABELS, 0.1F, 4},  {DT_LOSS_SOFTMAX_CROSS_ENTROPY, VALUES, 0, 4},
    {DT_LOSS_SOFTMAX_CROSS_ENTROPY, VALUES, 0.1F, 50}, {DT_LOSS_MEAN_SQUARED_ERROR, LABELS, 0, 2},
    {DT_LOSS_MEAN_SQUARED_ERROR, VALUES, 0, 2},        {DT_LOSS_BINARY_CROSS_ENTROPY, LABELS, 0, 4},
    {DT_LOSS_BINARY_CROSS_ENTROPY, LABELS, 0.2F, 4},   {DT_LOSS_BINARY_CROSS_ENTROPY, VALUES, 0, 1e4},
    {DT_LOSS_BINARY_CROSS_ENTROPY, VALUES, 0.2F, 4},   {DT_LOSS_SOFTMAX_CROSS_ENTROPY, SOME_LABELS, 0.1F, 4},
    {DT_LOSS_MEAN_SQUARED_ERROR, SOME_LABELS, 0, 2},   {DT_LOSS_BINARY_CROSS_ENTROPY, SOME_LABELS, 0, 4},
};

START_TEST(losses_gradients_and_counts_match_the_reference) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    FOR_SHAPES(rows, cols) {
        for (int c = 0; c < COUNT(loss_cases); c++) {
            if (loss_cases[c].kind == DT_LOSS_SOFTMAX_CROSS_ENTROPY && cols == 1) continue;
            check_loss(kernels, &loss_cases[c], false, rows, cols);
            check_loss(kernels, &loss_cases[c], true, rows, cols);
            release();
        }
    }
}
END_TEST

/* A weight of 0 takes a sample out, whatever it is, and one of 1 leaves it as it is, to the bit. */
START_TEST(weights_of_zero_and_one_drop_and_keep_samples) {
    const dt_kernels *kernels = open_kernels(_i);
    enum { ROWS = 9, COLS = 19 };
    if (!kernels) return;
    for (int c = 0; c < COUNT(loss_cases); c++) {
        const loss_case *kind = &loss_cases[c];
        float weights[ROWS], *plain = floats(ROWS * COLS, 45, 3), *given = copy(plain, ROWS * COLS), row[COLS];
        float *values = kind->targets == VALUES ? floats(ROWS * COLS, 46, 0.5) : NULL;
        int32_t *labels = values ? NULL : some_labels(ROWS, COLS, 47);
        dt_tally all = {0}, kept = {0}, tally = {0};
        for (int i = 0; i < ROWS; i++) {
            weights[i] = i % 3 == 1 ? 0 : 1;
            memcpy(row, plain + i * COLS, sizeof row);
            if (i % 3 != 1)
                run_loss(kernels, kind, NULL, row, labels ? labels + i : NULL, values ? values + i * COLS : NULL, 1,
                         COLS, false, &kept);
        }
        run_loss(kernels, kind, NULL, plain, labels, values, ROWS, COLS, true, &all);
        given[1 * COLS + 2] = NAN;
        run_loss(kernels, kind, weights, given, labels, values, ROWS, COLS, true, &tally);
        for (int i = 0; i < ROWS; i++) {
            memset(row, 0, sizeof row);
            if (i % 3 != 1) memcpy(row, plain + i * COLS, sizeof row);
            expect_same_bits("weighed gradient", row, given + i * COLS, sizeof row);
        }
        ck_assert(tally.samples == ROWS && tally.not_finite == 0);
        expect_same_bits("weighed losses", &tally.loss, &kept.loss, sizeof kept.loss);
        release();
    }
}
END_TEST

/* Losses and gradients of tests/golden/weights.py. */
START_TEST(weights_of_classes_and_samples_are_those_of_pytorch_and_keras) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    for (int c = 0; c < COUNT(weighed); c++) {
        const loss_case kind = {.kind = (dt_loss)weighed[c].loss, .targets = weighed[c].labels ? LABELS : VALUES};
        const int64_t rows = WEIGHED_ROWS, cols = weighed[c].cols;
        float *output = take((size_t)(rows * cols) * sizeof *output), weights[WEIGHED_ROWS];
        float *values = take((size_t)(rows * cols) * sizeof *values);
        int32_t labels[WEIGHED_ROWS];
        double sum = 0;
        dt_tally tally = {0};
        for (int64_t i = 0; i < rows * cols; i++) {
            output[i] = (float)weighed[c].output[i];
            if (!weighed[c].labels) values[i] = (float)weighed[c].target[i];
        }
        for (int64_t i = 0; i < rows; i++) {
            weights[i] = (float)weighed[c].weight[i];
            if (weighed[c].labels) labels[i] = (int32_t)weighed[c].target[i];
            sum += weighed[c].weight[i];
        }
        run_loss(kernels, &kind, weights, output, weighed[c].labels ? labels : NULL, weighed[c].labels ? NULL : values,
                 rows, cols, true, &tally);
        ck_assert_double_eq_tol(dt_tally_loss(&tally), weighed[c].keras, 64 * U * weighed[c].keras);
        ck_assert_double_eq_tol(dt_tally_loss(&tally) * (double)rows / sum, weighed[c].torch,
                                64 * U * weighed[c].torch);
        expect_close("weighed gradient", output, weighed[c].gradient, rows * cols, 8 * U, 16 * U);
        release();
    }
}
END_TEST

START_TEST(ties_go_to_the_first_and_top5_counts_five) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    for (int32_t label = 0; label < 8; label++) {
        float output[8] = {0};
        dt_tally tally = {0};
        kernels->softmax_cross_entropy(output, &label, NULL, NULL, 1, 8, 0, false, &tally);
        ck_assert_int_eq(tally.correct, label == 0);
        ck_assert_int_eq(tally.correct_top5, label < 5);
    }
}
END_TEST

/* Whatever outputs, and targets, are no numbers: a model of NaN is right in nothing. */
START_TEST(what_is_not_a_number_is_never_right) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    for (int c = 0; c < COUNT(loss_cases); c++) {
        for (int64_t cols = 1; cols < 20; cols += 3) {
            if (loss_cases[c].kind == DT_LOSS_SOFTMAX_CROSS_ENTROPY && cols == 1) continue;
            for (int64_t where = 0; where <= cols; where++) { /* one output, or all */
                const bool labelled = loss_cases[c].targets != VALUES;
                float *output = floats(2 * cols, 51, 1), *values = floats(2 * cols, 52, 0);
                int32_t labels[2] = {0, (int32_t)(cols > 1 ? cols - 1 : 1)};
                for (int64_t i = 0; i < 2 * cols; i++)
                    if (where == cols || i % cols == where) output[i] = NAN;
                dt_tally tally = {0};
                run_loss(kernels, &loss_cases[c], NULL, output, labelled ? labels : NULL, labelled ? NULL : values, 2,
                         cols, where % 2, &tally);
                ck_assert_int_eq(tally.samples, 2);
                ck_assert_int_eq(tally.not_finite, 2);
                ck_assert_int_eq(tally.correct, 0);
                ck_assert_int_eq(tally.correct_top5, 0);
                release();
            }
        }
    }
}
END_TEST

/* 2^24 and more of the sum of such losses do not fit an int64 in units of 2^-24, which is what sums once were. */
START_TEST(large_and_small_losses_add_up_exactly) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    static const struct {
        float target;
        double loss; /* target^2/2 */
    } rows[] = {{5000, 12.5e6}, {1e5F, 5e9}, {1e6F, 5e11}, {0x1p127F, 0x1p253}, {0x1p-70F, 0x1p-141}, {0, 0}};
    enum { TIMES = 3000 };
    for (int r = 0; r < COUNT(rows); r++) {
        dt_tally tally = {0}, part = {0};
        for (int i = 0; i < TIMES; i++) {
            float output = 0;
            kernels->mean_squared_error(&output, NULL, &rows[r].target, NULL, NULL, 1, 1, i % 2,
                                        i % 3 ? &tally : &part);
        }
        dt_tally_add(&tally, &part);
        ck_assert_int_eq(tally.not_finite, 0);
        ck_assert_int_eq(tally.samples, TIMES);
        ck_assert_double_eq(dt_tally_loss(&tally), rows[r].loss);
        ck_assert_double_eq(dt_tally_abs_error(&tally), (double)rows[r].target);
    }
}
END_TEST

START_TEST(a_sample_that_is_not_finite_is_counted_and_leaves_the_others_alone) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    static const float bad[] = {NAN, INFINITY};
    for (int c = 0; c < COUNT(loss_cases); c++) {
        for (int b = 0; b < COUNT(bad); b++) {
            for (int where = 0; where < 9; where += 4) {
                int64_t rows = 3, cols = 9;
                float *output = floats(rows * cols, 51, 1), *values = floats(rows * cols, 52, 1);
                int32_t *labels = some_labels(rows, cols, 53);
                labels[1] = where == 0 ? 1 : 0; /* an infinite output is no loss when it is the label's */
                if (loss_cases[c].targets == LABELS) values = NULL;
                if (loss_cases[c].targets == VALUES) labels = NULL;
                dt_tally rest = {0}, all = {0};
                float *first = copy(output, cols);
                run_loss(kernels, &loss_cases[c], NULL, first, labels, values, 1, cols, false, &rest);
                float *third = copy(output + 2 * cols, cols);
                run_loss(kernels, &loss_cases[c], NULL, third, labels ? labels + 2 : NULL,
                         values ? values + 2 * cols : NULL, 1, cols, false, &rest);
                output[cols + where] = bad[b];
                run_loss(kernels, &loss_cases[c], NULL, output, labels, values, rows, cols, true, &all);
                ck_assert_int_eq(all.not_finite, 1);
                ck_assert_int_eq(all.samples, 3);
                ck_assert_int_le(llabs((long long)(all.rounded_loss - rest.rounded_loss)), 16);
                if (isnan(bad[b])) ck_assert(isnan(output[cols + where]));
                release();
            }
        }
    }
}
END_TEST

/* ---- dropout ---- */

static const dt_stream dropout_stream = {{0x12345678, 0x9abcdef0}};

static void dropout_words(uint32_t out[4], uint64_t sample, uint64_t block) {
    dt_stream_block(out, dropout_stream, sample, block);
}

START_TEST(dropout_masks_are_the_keyed_ones_on_every_instruction_set) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    static const float rates[] = {0, 0.1F, 0.5F, 0.9F};
    const uint64_t first = 0xfffffffeU; /* samples beyond 32 bits */
    FOR_SHAPES(rows, cols) {
        for (int r = 0; r < COUNT(rates); r++) {
            int64_t n = rows * cols;
            float *x = floats(n, 61, 1), *y = floats(n, 62, 1);
            double *want = widen(x, n);
            for (int64_t i = 0; i < n; i++)
                want[i] *= ref_dropout_factor(dropout_words, first + (uint64_t)(i / cols), (uint64_t)(i % cols),
                                              (double)rates[r]);
            kernels->dropout(y, x, rows, cols, rates[r], dropout_stream, first);
            expect_close("dropout", y, want, n, 3 * U, 0);
            for (int64_t i = 0; i < n; i++) ck_assert_int_eq(want[i] == 0, y[i] == 0);
            kernels->dropout(x, x, rows, cols, rates[r], dropout_stream, first);
            expect_same_bits("dropout in place", x, y, (size_t)n * sizeof *x);
            release();
        }
    }
}
END_TEST

START_TEST(dropout_does_not_depend_on_how_the_batch_is_cut) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    int64_t rows = 13, cols = 300;
    float *x = floats(rows * cols, 63, 1), *whole = floats(rows * cols, 64, 1), *parts = floats(rows * cols, 65, 1);
    kernels->dropout(whole, x, rows, cols, 0.4F, dropout_stream, 100);
    for (int64_t cut = 0; cut <= rows; cut++) {
        kernels->dropout(parts, x, cut, cols, 0.4F, dropout_stream, 100);
        kernels->dropout(parts + cut * cols, x + cut * cols, rows - cut, cols, 0.4F, dropout_stream,
                         100 + (uint64_t)cut);
        expect_same_bits("dropout in two parts", parts, whole, (size_t)(rows * cols) * sizeof *x);
    }
    release();
}
END_TEST

/* Kept elements are binomial; five sigma either way. Their mean stays 1. */
START_TEST(dropout_keeps_the_share_it_says_and_the_mean) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    static const double rates[] = {0.01, 0.25, 0.5, 0.9};
    int64_t rows = 100, cols = 1000, n = rows * cols;
    for (int r = 0; r < COUNT(rates); r++) {
        float *x = floats(n, 0, 0);
        for (int64_t i = 0; i < n; i++) x[i] = 1;
        kernels->dropout(x, x, rows, cols, (float)rates[r], dropout_stream, 0);
        double kept = 0, mean = 0;
        for (int64_t i = 0; i < n; i++) kept += x[i] != 0, mean += (double)x[i] / (double)n;
        double keep = 1 - rates[r], sigma = sqrt(keep * rates[r] / (double)n);
        ck_assert_double_le(fabs(kept / (double)n - keep), 5 * sigma);
        ck_assert_double_le(fabs(mean - 1), 5 * sigma / keep);
        release();
    }
}
END_TEST

/* ---- update rules ---- */

enum { SGD, SGD_MOMENTUM, SGD_NESTEROV, ADAM, ADAM_IN_HALVES, RMSPROP, RMSPROP_MOMENTUM, ADAGRAD, RULES };

static const dt_update updates[] = {
    {.lr = 0.1F, .grad_scale = 0.25F, .momentum = 0.9F, .beta1 = 0.9F, .beta2 = 0.99F, .rho = 0.9F, .eps = 1e-8F},
    {.lr = 0.1F,
     .grad_scale = 0.25F,
     .grad_limit = 0.1F,
     .l2 = 0.2F,
     .decay = 0.3F,
     .momentum = 0.5F,
     .beta1 = 0.5F,
     .beta2 = 0.75F,
     .rho = 0.75F,
     .eps = 0.125F},
};

/* As LAMB does it, with a ratio of 1: then it is Adam. */
static void adam_in_halves(const dt_kernels *kernels, float *w, float *m, float *v, const float *g, int64_t n,
                           const dt_update *u) {
    float *direction = floats(n, 79, 1);
    kernels->adam_moments(m, v, w, g, n, u);
    kernels->adam_direction(direction, m, v, w, n, u);
    kernels->blend(w, direction, n, 1, -u->lr);
}

static void run_rule(const dt_kernels *kernels, int rule, float *w, float *a, float *b, const float *g, int64_t n,
                     const dt_update *options) {
    dt_update u = *options;
    u.nesterov = rule == SGD_NESTEROV;
    u.correction1 = (float)(1 / (1 - pow((double)u.beta1, 3)));
    u.correction2 = (float)(1 / (1 - pow((double)u.beta2, 3)));
    switch (rule) {
    case SGD: kernels->sgd(w, NULL, g, n, &u); return;
    case SGD_MOMENTUM:
    case SGD_NESTEROV: kernels->sgd(w, a, g, n, &u); return;
    case ADAM: kernels->adam(w, a, b, g, n, &u); return;
    case ADAM_IN_HALVES: adam_in_halves(kernels, w, a, b, g, n, &u); return;
    case RMSPROP: kernels->rmsprop(w, a, NULL, g, n, &u); return;
    case RMSPROP_MOMENTUM: kernels->rmsprop(w, a, b, g, n, &u); return;
    case ADAGRAD: kernels->adagrad(w, a, g, n, &u); return;
    }
}

static void reference_rule(int rule, double *w, double *a, double *b, double g, const dt_update *o) {
    ref_update u = {.lr = (double)o->lr,
                    .grad_scale = (double)o->grad_scale,
                    .grad_limit = (double)o->grad_limit,
                    .l2 = (double)o->l2,
                    .decay = (double)o->decay,
                    .momentum = (double)o->momentum,
                    .beta1 = (double)o->beta1,
                    .beta2 = (double)o->beta2,
                    .rho = (double)o->rho,
                    .eps = (double)o->eps,
                    .t = 3,
                    .nesterov = rule == SGD_NESTEROV};
    switch (rule) {
    case SGD: ref_sgd(w, NULL, g, &u); return;
    case SGD_MOMENTUM:
    case SGD_NESTEROV: ref_sgd(w, a, g, &u); return;
    case ADAM:
    case ADAM_IN_HALVES: ref_adam(w, a, b, g, &u); return;
    case RMSPROP: ref_rmsprop(w, a, NULL, g, &u); return;
    case RMSPROP_MOMENTUM: ref_rmsprop(w, a, b, g, &u); return;
    case ADAGRAD: ref_adagrad(w, a, g, &u); return;
    }
}

/* State arrays that are squares or their sums must be positive; shifting all of them serves every rule. */
static float *positive(int64_t n, uint64_t seed) {
    float *x = floats(n, seed, 0.5);
    for (int64_t i = 0; i < n; i++) x[i] += 0.51F;
    return x;
}

START_TEST(update_rules_match_the_reference) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    for (int rule = 0; rule < RULES; rule++) {
        for (int o = 0; o < COUNT(updates); o++) {
            for (int c = 0; c < COUNT(widths); c++) {
                int64_t n = widths[c];
                float *w = floats(n, 71, 1), *g = floats(n, 72, 2), *a = positive(n, 73), *b = positive(n, 74);
                double *rw = widen(w, n), *ra = widen(a, n), *rb = widen(b, n);
                for (int64_t i = 0; i < n; i++) reference_rule(rule, rw + i, ra + i, rb + i, (double)g[i], &updates[o]);
                run_rule(kernels, rule, w, a, b, g, n, &updates[o]);
                expect_close("weights", w, rw, n, 0, 8 * U);
                expect_close("first slot", a, ra, n, 4 * U, 2 * U);
                expect_close("second slot", b, rb, n, 4 * U, 4 * U);
                release();
            }
        }
    }
}
END_TEST

/* A rank updates only its slice of the arena: where slices begin and end depends on the number of ranks. */
START_TEST(updates_do_not_depend_on_where_the_arena_is_cut) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    const int64_t n = 203;
    for (int rule = 0; rule < RULES; rule++) {
        for (int o = 0; o < COUNT(updates); o++) {
            float *w = floats(n, 75, 1), *g = floats(n, 76, 2), *a = positive(n, 77), *b = positive(n, 78);
            float *w0 = copy(w, n), *a0 = copy(a, n), *b0 = copy(b, n);
            run_rule(kernels, rule, w, a, b, g, n, &updates[o]);
            for (int64_t cut = 0; cut <= n; cut++) {
                float *w1 = copy(w0, n), *a1 = copy(a0, n), *b1 = copy(b0, n);
                run_rule(kernels, rule, w1, a1, b1, g, cut, &updates[o]);
                run_rule(kernels, rule, w1 + cut, a1 + cut, b1 + cut, g + cut, n - cut, &updates[o]);
                expect_same_bits("weights", w1, w, (size_t)n * sizeof *w);
                expect_same_bits("first slot", a1, a, (size_t)n * sizeof *a);
                expect_same_bits("second slot", b1, b, (size_t)n * sizeof *b);
            }
            release();
        }
    }
}
END_TEST

/* A NaN must reach the weights, where the comparison of replicas and the loss show it; a limit must not hide it. */
START_TEST(a_gradient_that_is_not_a_number_reaches_the_weights) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    for (int rule = 0; rule < RULES; rule++) {
        for (int o = 0; o < COUNT(updates); o++) {
            float *w = floats(20, 79, 1), *g = floats(20, 80, 1), *a = positive(20, 81), *b = positive(20, 82);
            g[3] = g[19] = NAN;
            run_rule(kernels, rule, w, a, b, g, 20, &updates[o]);
            for (int i = 0; i < 20; i++)
                ck_assert_msg(isfinite(w[i]) == !(i == 3 || i == 19), "rule %d, options %d: w[%d] is %g", rule, o, i,
                              (double)w[i]);
            release();
        }
    }
}
END_TEST

/* ---- flat arrays ---- */

START_TEST(sums_of_squares_match_the_reference) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    for (int64_t n = 0; n <= 4096; n = n < 70 ? n + 1 : n * 2 - 13) {
        float *x = floats(n, 91, 3);
        double want = 0;
        for (int64_t i = 0; i < n; i++) want += (double)x[i] * (double)x[i];
        ck_assert_double_le(fabs(kernels->sum_squares(x, n) - want), 1e-13 * want);
        release();
    }
}
END_TEST

START_TEST(add_adds) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    for (int64_t n = 0; n < 70; n++) {
        float *x = floats(n, 92, 1), *y = floats(n, 93, 1);
        double *want = widen(y, n);
        for (int64_t i = 0; i < n; i++) want[i] = (double)(x[i] + y[i]);
        kernels->add(y, x, n);
        expect_close("add", y, want, n, 0, 0);
        release();
    }
}
END_TEST

#define CHECK_CONVERT(type, dtype, low, high)                                                                          \
    do {                                                                                                               \
        type *x = take(35 * sizeof(type));                                                                             \
        float *y = floats(35, 1, 1);                                                                                   \
        double want[35];                                                                                               \
        for (int i = 0; i < 35; i++)                                                                                   \
            x[i] = i == 0   ? (type)(low)                                                                              \
                   : i == 1 ? (type)(high)                                                                             \
                            : (type)(100 * (ref_uniform(94, (uint64_t)i) + 1) / 2);                                    \
        for (int i = 0; i < 35; i++) want[i] = (double)(float)x[i] * 0.5 - 2;                                          \
        kernels->convert(y, x, dtype, 35, 0.5F, -2);                                                                   \
        expect_close(dt_dtype_name(dtype), y, want, 35, U, U * 4);                                                     \
        release();                                                                                                     \
    } while (0)

START_TEST(transposing_moves_every_element_and_changes_none) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    static const int64_t sizes[] = {1, 3, 8, 16, 31, 32, 33, 50, 64};
    for (int r = 0; r < COUNT(sizes); r++)
        for (int c = 0; c < COUNT(sizes); c++) {
            const int64_t rows = sizes[r], cols = sizes[c], n = rows * cols;
            uint32_t *x = take((size_t)n * sizeof *x), *y = take((size_t)n * sizeof *y);
            dt_bf16 *x16 = take((size_t)n * sizeof *x16), *y16 = take((size_t)n * sizeof *y16);
            for (int64_t i = 0; i < n; i++) { /* of all kinds, those that are no numbers among them */
                x[i] = (uint32_t)(i + 1) * 2654435761U;
                x16[i] = (dt_bf16)(x[i] >> 16);
            }
            kernels->transpose((float *)(void *)y, (const float *)(const void *)x, rows, cols);
            kernels->transpose_bf16(y16, x16, rows, cols);
            for (int64_t i = 0; i < n; i++) {
                const int64_t to = i % cols * rows + i / cols;
                ck_assert_msg(y[to] == x[i] && y16[to] == x16[i], "%d x %d, element %d", (int)rows, (int)cols, (int)i);
            }
        }
}
END_TEST

START_TEST(every_number_format_is_converted) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    CHECK_CONVERT(uint8_t, DT_U8, 0, UINT8_MAX);
    CHECK_CONVERT(int8_t, DT_I8, INT8_MIN, INT8_MAX);
    CHECK_CONVERT(uint16_t, DT_U16, 0, UINT16_MAX);
    CHECK_CONVERT(int16_t, DT_I16, INT16_MIN, INT16_MAX);
    CHECK_CONVERT(uint32_t, DT_U32, 0, UINT32_MAX);
    CHECK_CONVERT(int32_t, DT_I32, INT32_MIN, INT32_MAX);
    CHECK_CONVERT(uint64_t, DT_U64, 0, UINT64_MAX);
    CHECK_CONVERT(int64_t, DT_I64, INT64_MIN, INT64_MAX);
    CHECK_CONVERT(float, DT_F32, -1e30, 1e30);
    CHECK_CONVERT(double, DT_F64, -1e30, 1e30);
}
END_TEST

/* ---- alignment: a shard may start anywhere ---- */

enum { ROWS = 3, COLS = 37, SPACE = ROWS * COLS };

/* Everything that adds up floats, on the same numbers `shift` floats off a cache line. */
static void run_sums(const dt_kernels *kernels, int shift, float out[4][SPACE], double *squares, dt_tally *tally) {
    float *buffer[4];
    for (int i = 0; i < 4; i++) {
        float *aligned = aligned_alloc(64, (SPACE + 16 + 15) / 16 * 64);
        ck_assert_ptr_nonnull(aligned);
        pool[pooled++] = aligned;
        buffer[i] = aligned + shift;
        for (int j = 0; j < SPACE; j++) buffer[i][j] = (float)(3 * ref_uniform((uint64_t)i, (uint64_t)j));
    }
    const int32_t labels[ROWS] = {0, 5, 36};
    *squares = kernels->sum_squares(buffer[0], SPACE);
    kernels->softmax_backward(buffer[3], buffer[0], buffer[1], ROWS, COLS);
    kernels->softmax(buffer[0], buffer[0], ROWS, COLS);
    kernels->softmax_cross_entropy(buffer[1], labels, NULL, NULL, ROWS, COLS, 0.1F, true, tally);
    kernels->bias_activate(buffer[2], NULL, NULL, ROWS, COLS, DT_SILU, 0);
    for (int i = 0; i < 4; i++) memcpy(out[i], buffer[i], SPACE * sizeof(float));
}

START_TEST(results_do_not_depend_on_alignment) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    static float first[4][SPACE], other[4][SPACE];
    double squares, squares_shifted;
    dt_tally tally = {0};
    run_sums(kernels, 0, first, &squares, &tally);
    for (int shift = 1; shift < 16; shift++) {
        dt_tally shifted = {0};
        run_sums(kernels, shift, other, &squares_shifted, &shifted);
        expect_same_bits("kernels", first, other, sizeof first);
        expect_same_bits("sum of squares", &squares, &squares_shifted, sizeof squares);
        expect_same_bits("tally", &tally, &shifted, sizeof tally);
    }
    release();
}
END_TEST

/* ---- bfloat16 ---- */

static double from_bf16(dt_bf16 x) {
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

START_TEST(rounding_is_to_the_nearest_ties_to_even) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    static const float chosen[] = {0.0F,          -0.0F,       1.0F,       0x1.01p0F,   0x1.03p0F,       0x1.010002p0F,
                                   0x1.00fffep0F, 0x1.feffp3F, -0x1.ffp9F, FLT_MAX,     -FLT_MAX,        FLT_MIN,
                                   INFINITY,      -INFINITY,   0x1p-130F,  0x1.8p-133F, 0x1.fefffep127F, NAN};
    int64_t n = 1000 + COUNT(chosen);
    float *x = floats(n, 131, 3);
    memcpy(x + 500, chosen, sizeof chosen);
    uint32_t signalling = 0xff800001U; /* whose upper half would be infinity */
    memcpy(x, &signalling, sizeof signalling);
    dt_bf16 *y = take((size_t)(n + 1) * sizeof *y);
    y[n] = 0x1234;
    kernels->to_bf16(y, x, n);
    ck_assert_uint_eq(y[n], 0x1234);
    for (int64_t i = 0; i < n; i++) {
        bool nan = i == 0 || isnan(x[i]);
        double want = nan ? (double)NAN : ref_bf16((double)x[i]), got = from_bf16(y[i]);
        ck_assert_msg(nan ? isnan(got) : got == want && signbit(got) == signbit(want), "%a is rounded to %a, not %a",
                      (double)x[i], got, want);
    }
    kernels->round_to_bf16(x, x, n);
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        ck_assert_uint_eq(bits, (uint32_t)y[i] << 16);
    }
    release();
}
END_TEST

/* ---- threads ---- */

#define THREADED ((int64_t)130000)

typedef struct threaded {
    float bias[300 * 300], loss[300 * 300], sum[THREADED];
    int32_t q[THREADED];
    int64_t wide[THREADED];
    double tops[3];
    dt_tally tally;
} threaded;

/* What `threads` threads make of random numbers. */
static void run_on_threads(threaded *out, dt_isa isa, int threads) {
    const dt_kernels *kernels;
    ck_assert(dt_compute_open(&kernels, isa, threads).code == DT_OK);
    const float *x = floats(THREADED, 303, 3);
    memset(out, 0, sizeof *out);
    memcpy(out->bias, x, sizeof out->bias);
    kernels->bias_activate(out->bias, NULL, x, 300, 300, DT_GELU, 0);
    memcpy(out->loss, x, sizeof out->loss);
    kernels->softmax_cross_entropy(out->loss, some_labels(300, 300, 304), NULL, NULL, 300, 300, 0.1F, true,
                                   &out->tally);
    dt_tally_carry(&out->tally);
    out->tops[0] = kernels->largest(x, THREADED);
    out->tops[1] = kernels->quantise_i32(out->q, x, THREADED, 0x1p20F, true);
    kernels->quantise_i32(out->q, x, THREADED, 0x1p19F, false);
    out->tops[2] = kernels->quantise_i64(out->wide, x, THREADED, 0x1p40, true);
    kernels->add(out->sum, x, THREADED);
    ck_assert(dt_compute_open(&kernels, isa, 1).code == DT_OK);
}

START_TEST(our_passes_do_not_depend_on_the_number_of_threads) {
    if (!open_kernels(_i)) return;
    threaded *alone = take(sizeof *alone), *several = take(sizeof *several);
    run_on_threads(alone, isas[_i], 1);
    ck_assert_int_eq(alone->tally.samples, 300);
    for (int threads = 2; threads <= 5; threads++) {
        run_on_threads(several, isas[_i], threads);
        expect_same_bits("on threads", several, alone, sizeof *alone);
    }
}
END_TEST

START_TEST(a_number_that_is_none_is_the_largest_on_any_number_of_threads) {
    const dt_kernels *kernels;
    if (!open_kernels(_i)) return;
    ck_assert(dt_compute_open(&kernels, isas[_i], 3).code == DT_OK);
    float *x = floats(THREADED, 305, 1);
    for (int64_t at = 7; at < THREADED; at += THREADED / 5) {
        float kept = x[at];
        x[at] = NAN;
        ck_assert(isnan(kernels->largest(x, THREADED)));
        x[at] = kept;
    }
    ck_assert(isfinite(kernels->largest(x, THREADED)));
    ck_assert(dt_compute_open(&kernels, isas[_i], 1).code == DT_OK);
}
END_TEST

/* ---- windows over pictures ---- */

/* Whole numbers from `least` to `most`, a sequence per seed. */
static int64_t some_number(uint64_t seed, uint64_t index, int64_t least, int64_t most) {
    return least + (int64_t)((ref_uniform(seed, index) + 1) / 2 * (double)(most - least + 1));
}

static dt_window some_window(uint64_t seed, bool dilated) {
    dt_window window;
    for (uint64_t d = 0; d < 2; d++) {
        int64_t kernel = some_number(seed, 8 * d, 1, 4), dilation = dilated ? some_number(seed, 8 * d + 1, 1, 2) : 1;
        int64_t span = (kernel - 1) * dilation + 1;
        window.kernel[d] = kernel;
        window.dilation[d] = dilation;
        window.stride[d] = some_number(seed, 8 * d + 2, 1, 4);
        window.before[d] = some_number(seed, 8 * d + 3, 0, span - 1);
        window.after[d] = some_number(seed, 8 * d + 4, 0, span - 1);
        window.in[d] = some_number(seed, 8 * d + 5, span, 12);
        window.out[d] = (window.in[d] + window.before[d] + window.after[d] - span) / window.stride[d] + 1;
    }
    return window;
}

static ref_window ref_of(const dt_window *window) {
    ref_window ref;
    memcpy(ref.in, window->in, sizeof ref.in);
    memcpy(ref.out, window->out, sizeof ref.out);
    memcpy(ref.kernel, window->kernel, sizeof ref.kernel);
    memcpy(ref.stride, window->stride, sizeof ref.stride);
    memcpy(ref.dilation, window->dilation, sizeof ref.dilation);
    memcpy(ref.before, window->before, sizeof ref.before);
    return ref;
}

static int64_t count_of(const int64_t size[2], int64_t rows, int64_t channels) {
    return rows * size[0] * size[1] * channels;
}

/* Numbers with one like it behind, which must be there still. */
static float *guarded(int64_t n, uint64_t seed) {
    float *x = floats(n + 1, seed, 1);
    x[n] = 0.625F;
    return x;
}
#define expect_guard(x, n) ck_assert_msg((x)[n] == 0.625F, #x " is written beyond its end")

static void *workspace_of(const dt_conv *conv) {
    return aligned_alloc(64, (dt_conv_workspace(conv) + 64) / 64 * 64);
}

/* 48 random shapes: the first ones with few channels, the last ones in groups, down to one channel each. */
static dt_conv_shape some_shape(uint64_t seed) {
    static const int64_t channels[] = {1, 2, 3, 5, 8, 16, 17, 32, 40};
    dt_conv_shape shape = {.window = some_window(seed, true), .rows = some_number(seed, 20, 1, 5), .groups = 1};
    shape.in_channels = channels[some_number(seed, 21, 0, COUNT(channels) - 1)];
    shape.out_channels = channels[some_number(seed, 22, 0, COUNT(channels) - 1)];
    if (seed >= 24) {
        shape.groups = seed % 2 ? shape.in_channels : some_number(seed, 23, 2, 4);
        shape.in_channels *= seed % 2 ? 1 : shape.groups;
        shape.out_channels = shape.groups * some_number(seed, 24, 1, 3);
    }
    shape.bias = seed % 3 != 0;
    static const dt_activation activations[] = {DT_LINEAR, DT_RELU, DT_LEAKY_RELU};
    shape.activation = activations[seed % 4 % 3];
    shape.slope = 0.2F;
    return shape;
}

/* A sum of n products of numbers up to 1. */
static double sum_tolerance(int64_t n) {
    return (double)(n + 8) * U;
}

static void check_conv(const dt_kernels *kernels, const dt_conv_shape *s) {
    dt_conv *conv;
    dt_status status = dt_conv_create(&conv, s, true);
    ck_assert_msg(status.code == DT_OK, "%s", status.message);
    void *workspace = workspace_of(conv);
    ref_window window = ref_of(&s->window);
    int64_t pixels = window.kernel[0] * window.kernel[1], depth = s->in_channels / s->groups;
    int64_t nx = count_of(window.in, s->rows, s->in_channels), ny = count_of(window.out, s->rows, s->out_channels);
    int64_t nw = pixels * depth * s->out_channels;
    float *x = floats(nx, 111, 1), *w = floats(nw, 112, 1), *b = s->bias ? floats(s->out_channels, 113, 1) : NULL;
    float *y = guarded(ny, 114), *dx = guarded(nx, 115), *dw = guarded(nw, 116), *dy = floats(ny, 117, 1);
    double *wx = widen(x, nx), *ww = widen(w, nw), *want = zeros(ny), *want_dx = zeros(nx), *want_dw = zeros(nw);
    ref_conv(want, wx, ww, b ? widen(b, s->out_channels) : NULL, &window, s->rows, s->in_channels, s->out_channels,
             s->groups);
    for (int64_t i = 0; i < ny; i++) want[i] = ref_activation((int)s->activation, want[i], (double)s->slope);
    dt_conv_forward(conv, kernels, s->rows, y, x, w, b, workspace);
    expect_close("convolution", y, want, ny, 4 * U, sum_tolerance(pixels * depth));
    ref_conv_backward(want_dx, want_dw, widen(dy, ny), wx, ww, &window, s->rows, s->in_channels, s->out_channels,
                      s->groups);
    dt_conv_backward_data(conv, kernels, s->rows, dx, dy, w, workspace);
    expect_close("gradient of x", dx, want_dx, nx, 4 * U, sum_tolerance(pixels * s->out_channels / s->groups));
    double tolerance = sum_tolerance(s->rows * window.out[0] * window.out[1]);
    dw[0] = NAN; /* what was there must not matter */
    dt_conv_backward_weights(conv, kernels, s->rows, dw, x, dy, false, workspace);
    expect_close("gradient of w", dw, want_dw, nw, 4 * U, tolerance);
    dt_conv_backward_weights(conv, kernels, s->rows, dw, x, dy, true, workspace);
    for (int64_t i = 0; i < nw; i++) want_dw[i] *= 2;
    expect_close("gradient of w, added", dw, want_dw, nw, 4 * U, 2 * tolerance);
    expect_guard(y, ny);
    expect_guard(dx, nx);
    expect_guard(dw, nw);
    free(workspace);
    dt_conv_destroy(conv);
}

START_TEST(convolutions_match_the_reference) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    for (uint64_t seed = 0; seed < 48; seed++) {
        dt_conv_shape shape = some_shape(seed);
        check_conv(kernels, &shape);
        release();
    }
}
END_TEST

/* A row's result does not depend on the other rows, and zeros in dy take rows out of a gradient. */
START_TEST(rows_of_a_convolution_are_apart) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    dt_conv_shape s = {.window = {{7, 6}, {7, 6}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
                       .rows = 4,
                       .in_channels = 8,
                       .out_channels = 16,
                       .groups = 1};
    dt_conv *conv;
    ck_assert_int_eq(dt_conv_create(&conv, &s, true).code, DT_OK);
    void *workspace = workspace_of(conv);
    int64_t nx = count_of(s.window.in, 1, 8), ny = count_of(s.window.out, 1, 16), nw = 9 * 8 * 16;
    float *x = floats(4 * nx, 121, 1), *w = floats(nw, 122, 1), *y = floats(4 * ny, 123, 1),
          *z = floats(4 * ny, 124, 1);
    float *one = floats(nw, 125, 1), *other = floats(nw, 126, 1), *dy = floats(4 * ny, 127, 1);
    dt_conv_forward(conv, kernels, s.rows, y, x, w, NULL, workspace);
    memset(dy + 2 * ny, 0, (size_t)(2 * ny) * sizeof *dy);
    dt_conv_backward_weights(conv, kernels, s.rows, one, x, dy, false, workspace);
    for (int64_t i = 2 * nx; i < 4 * nx; i++) x[i] = -3 * x[i];
    dt_conv_forward(conv, kernels, s.rows, z, x, w, NULL, workspace);
    dt_conv_backward_weights(conv, kernels, s.rows, other, x, dy, false, workspace);
    expect_same_bits("rows", y, z, (size_t)(2 * ny) * sizeof *y);
    ck_assert_int_ne(memcmp(y, z, (size_t)(4 * ny) * sizeof *y), 0);
    expect_same_bits("gradient", one, other, (size_t)nw * sizeof *one);
    free(workspace);
    dt_conv_destroy(conv);
}
END_TEST

START_TEST(a_relu_in_a_convolution_lets_nan_through) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    dt_conv_shape s = {.window = {{5, 5}, {5, 5}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
                       .rows = 1,
                       .in_channels = 1,
                       .out_channels = 16,
                       .groups = 1,
                       .activation = DT_RELU};
    dt_conv *conv;
    ck_assert_int_eq(dt_conv_create(&conv, &s, false).code, DT_OK);
    void *workspace = workspace_of(conv);
    float *x = floats(25, 131, 1), *w = floats(9 * 16, 132, 1), *y = floats(25 * 16, 133, 1);
    x[12] = NAN; /* the middle: seen by the 3x3 pixels around it */
    dt_conv_forward(conv, kernels, s.rows, y, x, w, NULL, workspace);
    int seen = 0;
    for (int i = 0; i < 25 * 16; i++) seen += isnan(y[i]) ? 1 : 0;
    ck_assert_int_eq(seen, 9 * 16);
    free(workspace);
    dt_conv_destroy(conv);
}
END_TEST

static void check_pools(const dt_kernels *kernels, const dt_window *window, int64_t rows, int64_t channels) {
    ref_window ref = ref_of(window);
    int64_t nx = count_of(window->in, rows, channels), ny = count_of(window->out, rows, channels);
    float *x = floats(nx, 141, 1), *y = guarded(ny, 142), *dx = guarded(nx, 143), *dy = floats(ny, 144, 1);
    int32_t *winner = take((size_t)ny * sizeof *winner);
    for (int64_t i = 0; i < nx; i++) x[i] = rintf(4 * x[i]); /* many are equal: the first must win */
    double *wx = widen(x, nx), *wdy = widen(dy, ny), *want = zeros(ny), *want_dx = zeros(nx);
    ref_max_pool(want, want_dx, wdy, wx, &ref, rows, channels);
    kernels->max_pool(y, winner, x, window, rows, channels);
    expect_close("max pool", y, want, ny, 0, 0);
    kernels->max_pool_backward(dx, dy, winner, window, rows, channels);
    expect_close("max pool backward", dx, want_dx, nx, 0, 16 * U);
    ref_avg_pool(want, want_dx, wdy, wx, &ref, rows, channels);
    kernels->avg_pool(y, x, window, rows, channels);
    expect_close("avg pool", y, want, ny, 4 * U, 16 * U);
    kernels->avg_pool_backward(dx, dy, window, rows, channels);
    expect_close("avg pool backward", dx, want_dx, nx, 4 * U, 16 * U);
    expect_guard(y, ny);
    expect_guard(dx, nx);
}

START_TEST(pools_and_their_gradients_match_the_reference) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    static const int64_t channels[] = {1, 3, 16, 33};
    for (uint64_t seed = 0; seed < 64; seed++) {
        dt_window window = some_window(seed, false);
        if (seed < 4) window.kernel[0] = window.kernel[1] = 2;
        if (seed < 8) /* windows that tile the picture, where a gradient is written and not added */
            for (int d = 0; d < 2; d++) {
                window.stride[d] = window.kernel[d];
                window.in[d] = window.kernel[d] * window.out[d];
                window.before[d] = window.after[d] = 0;
            }
        for (int c = 0; c < COUNT(channels); c++) check_pools(kernels, &window, 3, channels[c]);
        release();
    }
}
END_TEST

START_TEST(a_max_pool_lets_nan_through) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    const dt_window square = {{2, 2}, {1, 1}, {2, 2}, {2, 2}, {1, 1}, {0, 0}, {0, 0}};
    const dt_window line = {{1, 4}, {1, 1}, {1, 4}, {1, 4}, {1, 1}, {0, 0}, {0, 0}};
    for (int i = 0; i < 8; i++) {
        int where = i % 4;
        float x[4] = {1, -1, 2, 0}, y = 0;
        int32_t winner = -1;
        x[where] = NAN;
        kernels->max_pool(&y, &winner, x, i < 4 ? &square : &line, 1, 1);
        ck_assert(isnan(y));
        ck_assert_int_eq(winner, where);
    }
}
END_TEST

/* ---- attention ---- */

typedef struct attention_case {
    int64_t rows, positions, heads, kv_heads, size;
    bool causal, padded;
} attention_case;

static const attention_case attention_cases[] = {
    {1, 1, 1, 1, 1, true, false},     {2, 1, 2, 1, 32, false, false},   {2, 5, 2, 2, 8, true, false},
    {1, 17, 3, 1, 20, false, false},  {2, 64, 4, 4, 32, true, false},   {1, 64, 2, 2, 64, false, true},
    {1, 65, 2, 1, 64, true, false},   {1, 130, 4, 2, 33, true, true},   {3, 100, 2, 2, 16, false, true},
    {1, 200, 1, 1, 100, true, false}, {1, 129, 2, 1, 32, false, false}, {1, 191, 1, 1, 64, true, false},
};

/* Tokens of which some are padding: the beginning of a row, its end, positions between, and all of row 1. */
static float *some_tokens(const attention_case *c, bool *hidden) {
    float *tokens = take((size_t)(c->rows * c->positions) * sizeof *tokens);
    for (int64_t i = 0; i < c->rows * c->positions; i++) {
        int64_t t = i % c->positions;
        hidden[i] = t < 2 || t > c->positions - 20 || t % 7 == 3 || i / c->positions == 1;
        tokens[i] = hidden[i] ? -1 : (float)t;
    }
    return tokens;
}

static void check_attention(const dt_kernels *kernels, const attention_case *c, double scale) {
    int64_t positions = c->rows * c->positions, width = (c->heads + 2 * c->kv_heads) * c->size,
            out = c->heads * c->size;
    bool *hidden = take((size_t)positions);
    dt_attention shape = {c->rows, c->positions, c->heads, c->kv_heads, c->size, c->causal, NULL, 0, 0};
    ref_attention_shape ref = {c->rows, c->positions, c->heads, c->kv_heads, c->size, c->causal, NULL};
    if (c->padded) shape.tokens = some_tokens(c, hidden), ref.hidden = hidden;
    float *qkv = floats(positions * width, 1, scale), *dy = floats(positions * out, 2, 1);
    float *y = floats(positions * out, 3, NAN), *sums = floats(c->heads * positions, 4, NAN);
    float *dqkv = floats(positions * width, 5, NAN);
    double *want = zeros(positions * out), *want_sums = zeros(c->heads * positions),
           *want_dqkv = zeros(positions * width);
    ref_attention(want, want_sums, want_dqkv, widen(dy, positions * out), widen(qkv, positions * width), &ref);
    kernels->attend(y, sums, qkv, &shape, floats(dt_attention_work(c->positions, c->size, false), 6, NAN));
    expect_close("attention", y, want, positions * out, 0, 40 * U * scale * (1 + scale * scale));
    expect_close("its sums", sums, want_sums, c->heads * positions, 8 * U, 40 * U * (1 + scale * scale));
    kernels->attend_backward(dqkv, dy, y, sums, qkv, &shape,
                             floats(dt_attention_work(c->positions, c->size, true), 7, NAN));
    double largest = 0;
    for (int64_t i = 0; i < positions * width; i++) largest = fmax(largest, fabs(want_dqkv[i]));
    expect_close("its gradient", dqkv, want_dqkv, positions * width, 0, 40 * U * largest * (1 + scale * scale));
}

START_TEST(attention_and_its_gradient_match_the_reference) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    for (int i = 0; i < COUNT(attention_cases); i++) {
        check_attention(kernels, &attention_cases[i], 1);
        check_attention(kernels, &attention_cases[i], 4); /* weights that differ by many powers of ten */
        release();
    }
}
END_TEST

START_TEST(a_query_that_sees_no_key_gets_zeros_and_passes_none_on) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    enum { PLACES = 70, SIZE = 8 };
    const dt_attention shape = {1, PLACES, 1, 1, SIZE, false, floats(PLACES, 1, 0), 0, 0};
    for (int i = 0; i < PLACES; i++) ((float *)shape.tokens)[i] = -1;
    float *qkv = floats(3 * PLACES * SIZE, 2, 1), *y = floats(PLACES * SIZE, 3, NAN), *sums = floats(PLACES, 4, NAN);
    float *dqkv = floats(3 * PLACES * SIZE, 5, NAN);
    kernels->attend(y, sums, qkv, &shape, floats(dt_attention_work(PLACES, SIZE, false), 6, NAN));
    expect_close("outputs", y, zeros(PLACES * SIZE), PLACES * SIZE, 0, 0);
    kernels->attend_backward(dqkv, floats(PLACES * SIZE, 7, 1), y, sums, qkv, &shape,
                             floats(dt_attention_work(PLACES, SIZE, true), 8, NAN));
    expect_close("gradient", dqkv, zeros(3 * PLACES * SIZE), 3 * PLACES * SIZE, 0, 0);
}
END_TEST

START_TEST(attention_lets_nan_through_to_those_that_see_it) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    enum { PLACES = 70, SIZE = 8, BAD = 66 };
    const dt_attention shape = {1, PLACES, 1, 1, SIZE, true, NULL, 0, 0};
    for (int part = 0; part < 3; part++) { /* of the query, the key, the value */
        float *qkv = floats(3 * PLACES * SIZE, 1, 1), *y = floats(PLACES * SIZE, 2, 1);
        qkv[(BAD * 3 + part) * SIZE] = NAN;
        kernels->attend(y, NULL, qkv, &shape, floats(dt_attention_work(PLACES, SIZE, false), 3, 1));
        for (int i = 0; i < PLACES; i++) {
            bool sees = part == 0 ? i == BAD : i >= BAD;
            bool may = part == 2 && i >= BAD - 7; /* where its weight is 0, and 0 times none is none */
            ck_assert_msg(may || isnan(y[i * SIZE]) == sees, "part %d, position %d: %g", part, i, (double)y[i * SIZE]);
            ck_assert(isnan(y[i * SIZE]) || !sees);
        }
        release();
    }
}
END_TEST

START_TEST(rows_of_attention_are_apart) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    enum {
        SAMPLES = 5,
        PLACES = 75,
        HEADS = 2,
        SIZE = 12,
        IN = PLACES * 3 * HEADS * SIZE,
        OUT = PLACES * HEADS * SIZE
    };
    dt_attention shape = {SAMPLES, PLACES, HEADS, HEADS, SIZE, true, NULL, 0, 0};
    float *qkv = floats(SAMPLES * IN, 1, 1), *dy = floats(SAMPLES * OUT, 2, 1), *work = floats(100000, 3, NAN);
    float *y = floats(SAMPLES * OUT, 4, 1), *dqkv = floats(SAMPLES * IN, 5, 1),
          *sums = floats(SAMPLES * HEADS * PLACES, 6, 1);
    float *one = floats(OUT, 7, 1), *d_one = floats(IN, 8, 1), *sums_one = floats(HEADS * PLACES, 9, 1);
    ck_assert_int_le(dt_attention_work(PLACES, SIZE, true), 100000);
    kernels->attend(y, sums, qkv, &shape, work);
    kernels->attend_backward(dqkv, dy, y, sums, qkv, &shape, work);
    shape.rows = 1;
    for (int r = 0; r < SAMPLES; r++) {
        kernels->attend(one, sums_one, qkv + r * IN, &shape, work);
        expect_same_bits("outputs", one, y + r * OUT, OUT * sizeof *one);
        expect_same_bits("sums", sums_one, sums + r * HEADS * PLACES, HEADS * PLACES * sizeof *one);
        kernels->attend_backward(d_one, dy + r * OUT, one, sums_one, qkv + r * IN, &shape, work);
        expect_same_bits("gradient", d_one, dqkv + r * IN, IN * sizeof *one);
    }
}
END_TEST

int main(void) {
    say_what_is_missing();
    const TTest *const tests[] = {
        activations_with_and_without_bias_match_the_reference,
        activations_survive_extreme_inputs,
        slopes_of_activations_match_the_reference,
        bias_gradients_of_few_columns_are_those_of_each_column_alone,
        bias_gradients_are_column_sums_that_replace_or_accumulate,
        softmax_and_its_gradient_match_the_reference,
        normalisations_and_their_gradients_match_the_reference,
        moments_far_from_zero_lose_nothing,
        normalising_with_given_moments_is_a_product_and_a_sum,
        a_number_that_is_none_reaches_the_normalised,
        upsampling_matches_the_reference_and_its_reverse_is_its_transpose,
        losses_gradients_and_counts_match_the_reference,
        weights_of_zero_and_one_drop_and_keep_samples,
        weights_of_classes_and_samples_are_those_of_pytorch_and_keras,
        ties_go_to_the_first_and_top5_counts_five,
        a_sample_that_is_not_finite_is_counted_and_leaves_the_others_alone,
        what_is_not_a_number_is_never_right,
        large_and_small_losses_add_up_exactly,
        dropout_masks_are_the_keyed_ones_on_every_instruction_set,
        dropout_does_not_depend_on_how_the_batch_is_cut,
        dropout_keeps_the_share_it_says_and_the_mean,
        update_rules_match_the_reference,
        updates_do_not_depend_on_where_the_arena_is_cut,
        a_gradient_that_is_not_a_number_reaches_the_weights,
        sums_of_squares_match_the_reference,
        add_adds,
        transposing_moves_every_element_and_changes_none,
        every_number_format_is_converted,
        results_do_not_depend_on_alignment,
        rounding_is_to_the_nearest_ties_to_even,
        our_passes_do_not_depend_on_the_number_of_threads,
        a_number_that_is_none_is_the_largest_on_any_number_of_threads,
        convolutions_match_the_reference,
        rows_of_a_convolution_are_apart,
        a_relu_in_a_convolution_lets_nan_through,
        pools_and_their_gradients_match_the_reference,
        a_max_pool_lets_nan_through,
        attention_and_its_gradient_match_the_reference,
        a_query_that_sees_no_key_gets_zeros_and_passes_none_on,
        attention_lets_nan_through_to_those_that_see_it,
        rows_of_attention_are_apart,
    };
    for (int i = 0; i < COUNT(isas); i++)
        if (!dt_kernels_for(isas[i]))
            printf("skipped: kernels of %s (this processor has none)\n", dt_isa_name(isas[i]));
    Suite *suite = suite_create("kernels");
    TCase *group = tcase_create("every instruction set");
    tcase_add_checked_fixture(group, NULL, release);
    tcase_set_timeout(group, 120);
    for (int i = 0; i < COUNT(tests); i++) tcase_add_loop_test(group, tests[i], 0, COUNT(isas));
    suite_add_tcase(suite, group);
    TCase *chosen = tcase_create("the instruction set");
    tcase_add_test(chosen, an_instruction_set_is_found_by_its_name);
    suite_add_tcase(suite, chosen);
    return run_suite(suite);
}
