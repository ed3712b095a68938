/* What every kernel computes, as one number each: `kernel_bits` prints "ISA kernel hash" for the instruction sets this
 * machine has, or for the one that is named; `kernel_bits ISA few` for an emulator, which takes a hundred times as
 * long: of fewer sizes, and without the smallest normal number (compute/subnormal.h). Inputs are made of integers, with
 * zeros, infinities and numbers of all sizes among them, down to those whose products are flushed to zero. Denormals
 * are in what comes from files alone: whatever was computed has none. Whatever compiler made the kernels, and for
 * whatever instruction set, the lines must be the same (system/compilers.sh), and so they must on several threads:
 * `kernel_bits ISA THREADS`. A NaN is a NaN here: which of its bits an operation on two of them keeps is for no
 * compiler to promise. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef KERNEL_BITS_THREADS /* where it is linked with all of them */
#    include "compute/compute_internal.h"
#    include "compute/threads.h"
#else
#    define dt_threads() 1
#endif
#include "base/transcendental.h"
#include "compute/kernels.h"
#include "compute/subnormal.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static const dt_kernels *k;

/* ---- inputs ---- */

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t state;

static uint64_t word(void) {
    uint64_t z = state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static int64_t below(int64_t n) {
    return (int64_t)(word() % (uint64_t)n);
}

static void *memory[1024];
static int taken;

static void *take(size_t bytes) {
    if (taken == COUNT(memory) || !(memory[taken] = calloc(bytes + 64, 1))) exit(2);
    return memory[taken++];
}

static void release(void) {
    while (taken > 0) free(memory[--taken]);
}

/* In [-2, 2); of all sizes; with what is no number; with what underflows. */
static enum { PLAIN, WIDE, WILD, TINY, KINDS } inputs;
static bool few;

static float number(void) {
    uint64_t w = word();
    float plain = (float)(int32_t)(w & 0xffffff) * 0x1p-22F - 2.0F;
    if (inputs == PLAIN || w >> 61 != 0) return plain;
    if (inputs == WIDE || w >> 58 & 3) {
        static const float wide[] = {0.0F, -0.0F, 0x1.8p-125F, -0x1p-126F, 50.0F, -90.0F, 0x1.234p-60F, 3000.0F};
        return few && (w >> 32 & 7) == 3 ? 0x1p-60F : wide[w >> 32 & 7];
    }
    if (inputs == TINY) {
        static const float tiny[] = {0x1p-126F,       -0x1.8p-125F, 0x1.2p-64F,  -0x1p-100F,
                                     0x1.fffffep-63F, 0x1.9p-75F,   -0x1.3p-90F, 0};
        return few && (w >> 32 & 7) == 0 ? 0x1p-60F : tiny[w >> 32 & 7];
    }
    static const float wild[] = {INFINITY, -INFINITY, NAN, 1e38F, -3e38F, 130.0F, -130.0F, 2e-38F};
    return wild[w >> 32 & 7];
}

static float *numbers(int64_t n) {
    float *x = take((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = number();
    return x;
}

/* Weights and data, as files have them. */
static float *stored(int64_t n) {
    static const float denormals[] = {0x1p-149F, -0x1.8p-127F, 0x1.fffffcp-127F, -0x1p-130F};
    float *x = numbers(n);
    for (int64_t i = 0; inputs == TINY && i < n; i++)
        if (below(8) == 0) x[i] = denormals[below(4)];
    return x;
}

/* What cannot be below zero: variances, second moments. */
static float *sizes(int64_t n) {
    float *x = numbers(n);
    for (int64_t i = 0; i < n; i++) x[i] = fabsf(x[i]);
    return x;
}

static float *zeros(int64_t n) {
    return take((size_t)n * sizeof(float));
}

static float *copy(const float *x, int64_t n) {
    return memcpy(take((size_t)n * sizeof *x), x, (size_t)n * sizeof *x);
}

static dt_bf16 *halves(int64_t n) {
    dt_bf16 *x = take((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        float value = number();
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        x[i] = (dt_bf16)(bits >> 16);
    }
    return x;
}

static int32_t *labels_of(int64_t n, int64_t classes, bool gaps) {
    int32_t *x = take((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = gaps && below(5) == 0 ? -1 : (int32_t)below(classes);
    return x;
}

/* Of samples: some count for nothing. */
static float *weights_of(int64_t n) {
    float *x = zeros(n);
    for (int64_t i = 0; i < n; i++) x[i] = 0.25F * (float)below(9);
    return x;
}

static float *tokens_of(int64_t n, int64_t ids) {
    float *x = zeros(n);
    for (int64_t i = 0; i < n; i++) x[i] = (float)(below(ids + 1) - 1);
    return x;
}

/* ---- what came out ---- */

static uint64_t sum;

static void mix(uint64_t value) {
    sum = (sum ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    sum ^= sum >> 29;
}

static void see(const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        mix(x[i] != x[i] ? 0x7fc00000U : bits);
    }
}

static void see_bytes(const void *x, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) mix(((const unsigned char *)x)[i]);
}

static void see_halves(const dt_bf16 *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) mix((x[i] & 0x7fffU) > 0x7f80U ? 0x7fc0U : x[i]);
}

static void see_double(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    mix(x != x ? UINT64_C(0x7ff8000000000000) : bits);
}

/* ---- one function a kernel, or a pair of them ---- */

static const int64_t widths[] = {1, 2, 7, 10, 15, 16, 17, 31, 33, 48, 64, 100, 257, 1029};
static const int64_t heights[] = {1, 3, 4, 8, 67};
static int64_t rows, cols; /* of this call */

static void bias_activate(void) {
    for (int act = DT_LINEAR; act <= DT_SILU; act++) {
        float *b = stored(cols), *y = numbers(rows * cols), *plain = copy(y, rows * cols), *z = zeros(rows * cols);
        k->bias_activate(y, z, b, rows, cols, (dt_activation)act, 0.1F);
        k->bias_activate(plain, NULL, NULL, rows, cols, (dt_activation)act, 0.1F);
        see(y, rows * cols), see(z, rows * cols), see(plain, rows * cols);
    }
}

static void activate_backward(void) {
    for (int act = DT_LINEAR; act <= DT_SILU; act++) {
        float *dy = numbers(rows * cols), *db = numbers(cols), *y = numbers(rows * cols), *z = numbers(rows * cols);
        k->activate_backward(dy, db, y, z, rows, cols, (dt_activation)act, 0.1F, act & 1);
        see(dy, rows * cols), see(db, cols);
        k->activate_backward(dy, NULL, y, z, rows, cols, (dt_activation)act, 0.1F, false);
        see(dy, rows * cols);
    }
}

static void sum_activate(void) {
    float *a = numbers(rows * cols), *b = numbers(rows * cols), *y = zeros(rows * cols);
    for (int relu = 0; relu < 2; relu++) {
        k->sum_activate(y, a, b, rows * cols, relu);
        see(y, rows * cols);
    }
}

static void swiglu(void) {
    float *z = numbers(2 * rows * cols), *y = zeros(rows * cols), *dy = numbers(rows * cols);
    k->swiglu(y, z, rows, cols);
    k->swiglu_backward(z, dy, rows, cols);
    see(y, rows * cols), see(z, 2 * rows * cols);
}

static void softmax(void) {
    float *x = numbers(rows * cols), *y = zeros(rows * cols), *dy = numbers(rows * cols);
    k->softmax(y, x, rows, cols);
    see(y, rows * cols);
    k->softmax_backward(dy, dy, y, rows, cols);
    see(dy, rows * cols);
}

static void see_tally(dt_tally *tally) {
    dt_tally_carry(tally);
    see_bytes(tally, sizeof *tally);
}

static void softmax_cross_entropy(void) {
    for (int i = 0; i < 8; i++) {
        float *o = numbers(rows * cols), *values = i & 1 ? sizes(rows * cols) : NULL;
        float *weights = i & 4 ? weights_of(rows) : NULL;
        int32_t *labels = values ? NULL : labels_of(rows, cols, i & 2);
        dt_tally tally = {0};
        k->softmax_cross_entropy(o, labels, values, weights, rows, cols, i & 2 ? 0.1F : 0.0F, i & 4, &tally);
        see(o, rows * cols), see_tally(&tally);
    }
}

static void mean_squared_error(void) {
    for (int i = 0; i < 4; i++) {
        float *o = numbers(rows * cols), *values = i & 1 ? numbers(rows * cols) : NULL;
        float *weights = i & 2 ? weights_of(rows) : NULL;
        int32_t *labels = values ? NULL : labels_of(rows, cols, true);
        double *units = i & 2 ? take((size_t)cols * sizeof *units) : NULL;
        for (int64_t j = 0; units && j < cols; j++) units[j] = 0.3 * (double)(j % 11);
        dt_tally tally = {0};
        k->mean_squared_error(o, labels, values, weights, units, rows, cols, i & 2, &tally);
        see(o, rows * cols), see_tally(&tally);
    }
}

static void binary_cross_entropy(void) {
    for (int i = 0; i < 4; i++) {
        float *o = numbers(rows * cols), *values = i & 1 ? sizes(rows * cols) : NULL;
        float *weights = i & 2 ? weights_of(rows) : NULL;
        int32_t *labels = values ? NULL : labels_of(rows, cols, true);
        dt_tally tally = {0};
        k->binary_cross_entropy(o, labels, values, weights, rows, cols, 0.1F, i & 2, &tally);
        see(o, rows * cols), see_tally(&tally);
    }
}

static void batch_norm(void) {
    for (int i = 0; i < 4; i++) {
        float *x = numbers(rows * cols), *y = zeros(rows * cols), *dy = numbers(rows * cols);
        float *work = zeros(DT_NORM_WORK * cols), *scale = i & 1 ? stored(cols) : NULL;
        float *shift = i & 1 ? stored(cols) : NULL, *dscale = numbers(cols), *dshift = numbers(cols);
        k->batch_norm(y, work, x, scale, shift, rows, cols, 1e-5F, i & 2);
        see(y, rows * cols), see(work, 2 * cols);
        k->batch_norm_backward(dy, dscale, dshift, work, dy, x, shift, rows, cols, i & 2, i & 1);
        see(dy, rows * cols), see(dscale, cols), see(dshift, cols);
        k->normalise(y, x, dscale, dshift, shift, rows, cols, i & 2);
        see(y, rows * cols);
    }
}

static void row_norm(void) {
    for (int i = 0; i < 8; i++) {
        float *x = numbers(rows * cols), *y = zeros(rows * cols), *dy = numbers(rows * cols), *stats = zeros(2 * rows);
        float *scale = i & 1 ? stored(cols) : NULL, *shift = i & 2 ? stored(cols) : NULL;
        float *dscale = numbers(cols), *dshift = numbers(cols);
        k->row_norm(y, stats, x, scale, shift, rows, cols, 1e-5F, i & 4);
        see(y, rows * cols), see(stats, 2 * rows);
        k->row_norm_backward(dy, dscale, dshift, dy, x, stats, scale, rows, cols, i & 4, i & 1);
        see(dy, rows * cols), see(dscale, cols), see(dshift, cols);
    }
}

static void group_norm(void) {
    int64_t groups = cols % 3 == 0 ? 3 : cols % 2 == 0 ? 2 : 1, positions = 5, n = rows * positions * cols;
    for (int i = 0; i < 2; i++) {
        float *x = numbers(n), *y = zeros(n), *dy = numbers(n), *stats = zeros(2 * rows * groups);
        float *work = zeros(DT_NORM_WORK * cols), *scale = i ? stored(cols) : NULL, *shift = i ? stored(cols) : NULL;
        float *dscale = numbers(cols), *dshift = numbers(cols);
        k->group_norm(y, stats, work, x, scale, shift, rows, positions, cols, groups, 1e-5F);
        see(y, n), see(stats, 2 * rows * groups);
        k->group_norm_backward(dy, dscale, dshift, work, dy, x, stats, scale, rows, positions, cols, groups, i);
        see(dy, n), see(dscale, cols), see(dshift, cols);
    }
}

static void upsample(void) {
    for (int linear = 0; linear < 2; linear++) {
        dt_upsampling u = {.height = 3, .width = 4, .cols = cols, .factor_high = 2, .factor_wide = 3, .linear = linear};
        int64_t n = rows * 3 * 4 * cols;
        float *x = numbers(n), *y = zeros(6 * n), *dx = zeros(n);
        k->upsample(y, x, &u, rows);
        k->upsample_backward(dx, y, &u, rows);
        see(y, 6 * n), see(dx, n);
    }
}

static void pools(void) {
    static const dt_window windows[] = {
        {{6, 8}, {3, 4}, {2, 2}, {2, 2}, {1, 1}, {0, 0}, {0, 0}},
        {{6, 7}, {3, 4}, {3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}},
    };
    for (int i = 0; i < COUNT(windows); i++) {
        const dt_window *w = &windows[i];
        int64_t in = rows * w->in[0] * w->in[1] * cols, out = rows * w->out[0] * w->out[1] * cols;
        float *x = numbers(in), *y = zeros(out), *dx = zeros(in), *dy = numbers(out);
        int32_t *winner = take((size_t)out * sizeof *winner);
        k->max_pool(y, winner, x, w, rows, cols);
        k->max_pool_backward(dx, dy, winner, w, rows, cols);
        see(y, out), see_bytes(winner, (size_t)out * sizeof *winner), see(dx, in);
        k->avg_pool(y, x, w, rows, cols);
        k->avg_pool_backward(dx, dy, w, rows, cols);
        see(y, out), see(dx, in);
    }
}

static void dropout(void) {
    float *x = numbers(rows * cols), *y = zeros(rows * cols);
    k->dropout(y, x, rows, cols, 0.3F, (dt_stream){{5, 7}}, 11);
    see(y, rows * cols);
}

static void embed(void) {
    const int64_t ids = 9, positions = 6;
    float *table = stored(ids * cols), *at = stored(positions * cols), *y = zeros(rows * positions * cols);
    float *tokens = tokens_of(rows * positions, ids), *mean = zeros(rows * cols);
    k->embed(y, table, at, tokens, rows, positions, cols);
    k->embed_backward(table, at, y, tokens, rows, positions, cols);
    see(y, rows * positions * cols), see(table, ids * cols), see(at, positions * cols);
    k->mean_of_positions(mean, y, tokens, rows, positions, cols);
    k->mean_of_positions_backward(y, mean, tokens, rows, positions, cols);
    see(mean, rows * cols), see(y, rows * positions * cols);
}

static void cells(void) {
    static const int64_t gates[] = {1, 3, 4};
    for (int kind = 0; kind < DT_CELL_KINDS; kind++) {
        for (int apart = 0; apart < 2; apart++) {
            int64_t wide = gates[kind] * cols, n = rows * cols;
            const float **input = take((size_t)rows * sizeof *input);
            for (int64_t r = 0; r < rows; r++) input[r] = numbers(kind == DT_CELL_RNN ? cols : wide);
            dt_bf16 *h16 = take((size_t)n * sizeof *h16), *gates16 = take((size_t)(rows * wide) * sizeof *gates16);
            dt_bf16 *hidden16 = take((size_t)n * sizeof *hidden16);
            dt_cell cell = {
                .rows = rows, .units = cols, .gates = numbers(rows * wide), .product = numbers(rows * wide)};
            cell.input = apart ? input : NULL;
            cell.hidden = zeros(n), cell.b = stored(wide), cell.b_state = stored(cols);
            cell.h_before = numbers(n), cell.c_before = numbers(n), cell.h = zeros(n), cell.c = zeros(n);
            cell.dh = numbers(n), cell.dh_before = numbers(n), cell.dc = numbers(n);
            cell.db = numbers(wide), cell.db_state = numbers(cols);
            cell.h16 = h16, cell.gates16 = gates16, cell.hidden16 = hidden16;
            k->cell_forward[kind](&cell);
            see(cell.gates, rows * wide), see(cell.h, n), see(cell.c, n), see(cell.hidden, n);
            see_halves(h16, n);
            k->cell_backward[kind](&cell);
            see(cell.gates, rows * wide), see(cell.dh_before, n), see(cell.dc, n), see(cell.hidden, n);
            see(cell.db, wide), see(cell.db_state, cols);
            see_halves(gates16, rows * wide), see_halves(hidden16, n);
        }
    }
}

/* Attention is for numbers: hidden keys are weighed with 0, which makes nothing of all but what is none. */
static void attention(void) {
    static const int64_t lengths[] = {1, 5, 64, 70, 130}, wide[] = {4, 20, 24, 32, 64, 72};
    if (rows > 1 || cols > 64) return;
    int64_t size = wide[cols % COUNT(wide)], heads = 4, kv = cols % 2 ? 2 : 4, all = (heads + 2 * kv) * size;
    for (int i = 0; i < COUNT(lengths); i++) {
        for (int causal = 0; causal < 2; causal++) {
            int64_t t = lengths[i], n = 2 * t * all;
            dt_attention a = {
                .rows = 2, .positions = t, .heads = heads, .kv_heads = kv, .size = size, .causal = causal};
            if (cols % 3 == 0) a.tokens = tokens_of(2 * t, 7);
            float *qkv = numbers(n), *turns = numbers(t * size), *y = zeros(2 * t * heads * size);
            float *log_sum = zeros(2 * t * heads), *dqkv = zeros(n), *dy = numbers(2 * t * heads * size);
            float *work = zeros(dt_threads() * dt_attention_work(t, size, true));
            k->rotate(qkv, turns, &a, false);
            see(qkv, n);
            k->attend(y, log_sum, qkv, &a, work);
            see(y, 2 * t * heads * size), see(log_sum, 2 * t * heads);
            k->attend_backward(dqkv, dy, y, log_sum, qkv, &a, work);
            see(dqkv, n);
            k->rotate(dqkv, turns, &a, true);
            see(dqkv, n);
        }
        release();
    }
}

static void attend_place(void) {
    int64_t size = 24, heads = 4, kv = 2, positions = cols + 3, all = (heads + 2 * kv) * size;
    if (rows > 4) return;
    dt_attention a = {.rows = rows, .positions = positions, .heads = heads, .kv_heads = kv, .size = size};
    float *keys = numbers(rows * positions * kv * size), *values = numbers(rows * positions * kv * size);
    float *qkv = numbers(rows * all), *y = zeros(rows * heads * size);
    k->attend_place(y, keys, values, qkv, &a, cols);
    see(y, rows * heads * size), see(keys, rows * positions * kv * size);
}

static void product(void) {
    const int64_t in = 37;
    dt_matrix_product p = {.rows = rows, .cols = cols, .depth = in, .lda = in, .ldb = cols, .ldc = cols, .relu = true};
    p.a = numbers(rows * in), p.c = numbers(rows * cols), p.b = stored(in * cols), p.bias = stored(cols);
    k->product(&p);
    see(p.c, rows * cols);
}

static void product_bf16(void) {
    for (int i = 0; i < 8; i++) {
        const int64_t in = 37;
        dt_matrix_product_bf16 p = {.rows = rows, .cols = cols, .depth = in, .a_turned = i & 1, .b_turned = i & 2};
        p.a = halves(rows * in), p.b = halves(in * cols), p.c = numbers(rows * cols);
        p.lda = i & 1 ? rows : in, p.ldb = i & 2 ? in : cols, p.ldc = cols, p.add = i & 4;
        k->product_bf16(&p);
        see(p.c, rows * cols);
    }
}

static void updates(void) {
    const int64_t n = rows * cols;
    for (int i = 0; i < 4; i++) {
        dt_update u = {.lr = 0.01F, .grad_scale = 0.03F, .grad_limit = i & 1 ? 0.02F : 0, .l2 = i & 2 ? 0.1F : 0};
        u.decay = i & 1 ? 0.1F : 0, u.momentum = 0.9F, u.beta1 = 0.9F, u.beta2 = 0.999F, u.rho = 0.95F, u.eps = 1e-7F;
        u.correction1 = 5.3F, u.correction2 = 300.1F, u.nesterov = i & 2;
        float *w = stored(n), *g = numbers(n), *m = numbers(n), *v = sizes(n), *s = sizes(n);
        k->sgd(w, i & 1 ? m : NULL, g, n, &u);
        see(w, n), see(m, n);
        k->adam(w, m, v, g, n, &u);
        see(w, n), see(m, n), see(v, n);
        k->rmsprop(w, v, i & 1 ? m : NULL, g, n, &u);
        see(w, n), see(m, n), see(v, n);
        k->adagrad(w, s, g, n, &u);
        see(w, n), see(s, n);
        k->adam_moments(m, v, w, g, n, &u);
        k->adam_direction(g, m, v, w, n, &u);
        see(m, n), see(v, n), see(g, n);
    }
}

static void arrays(void) {
    const int64_t n = rows * cols;
    float *x = stored(n), *y = stored(n), *turned = zeros(n);
    see_double(k->sum_squares(x, n));
    k->blend(y, x, n, 0.9F, 0.1F), see(y, n);
    k->add(y, x, n), see(y, n);
    k->transpose(turned, x, rows, cols), see(turned, n);
    dt_bf16 *half = halves(n), *half_turned = halves(n);
    k->transpose_bf16(half_turned, half, rows, cols), see_halves(half_turned, n);
}

static void convert(void) {
    const int64_t n = rows * cols;
    for (int type = 0; type < DT_DTYPE_COUNT; type++) {
        unsigned char *x = take((size_t)n * 8);
        float *singles = stored(n);
        for (int64_t i = 0; i < n; i++) {
            uint64_t w = word();
            double wide = (double)singles[i] * (1.0 + (double)(w >> 40) * 0x1p-50);
            if (type == DT_F32)
                memcpy(x + 4 * i, &singles[i], 4);
            else if (type == DT_F64)
                memcpy(x + 8 * i, &wide, 8);
            else
                memcpy(x + i * (int64_t)dt_dtype_size((dt_dtype)type), &w, dt_dtype_size((dt_dtype)type));
        }
        float *y = zeros(n);
        k->convert(y, x, (dt_dtype)type, n, 0.37F, -1.1F);
        see(y, n);
    }
}

/* On what its type can hold, as the wire has it. */
static void quantise(void) {
    const int64_t n = rows * cols;
    if (inputs == WILD) return;
    float *g = numbers(n), *back = zeros(n);
    int32_t *q = take((size_t)n * sizeof *q), *more = labels_of(n, 1 << 20, true);
    int64_t *wide = take((size_t)n * sizeof *wide), *wider = take((size_t)n * sizeof *wider);
    for (int fresh = 1; fresh >= 0; fresh--) {
        see_double(k->quantise_i32(q, g, n, 0x1p17F, fresh));
        see_double(k->quantise_i64(wide, g, n, 0x1p40, fresh));
        k->add_i32(q, more, n), see_bytes(q, (size_t)n * sizeof *q);
        k->add_i64(wider, wide, n), see_bytes(wider, (size_t)n * sizeof *wider);
    }
    k->dequantise_i32(back, q, n, 0x1p-17F), see(back, n);
    k->dequantise_i64(back, wider, n, 0x1p-40), see(back, n);
    see_double(k->largest(g, n));
    dt_bf16 *half = halves(n);
    k->to_bf16(half, g, n), see_halves(half, n);
}

/* Whole numbers only: it knows no others. */
static void streams(void) {
    uint32_t key[8], *words = (uint32_t *)labels_of(rows * cols, 1 << 30, false);
    for (uint32_t i = 0; i < 8; i++) key[i] = 0x9e3779b9 * (i + (uint32_t)cols);
    k->add_stream(words, rows * cols, key, 48, false), see_bytes(words, (size_t)(rows * cols) * sizeof *words);
    k->add_stream(words, rows * cols, key, 0, true), see_bytes(words, (size_t)(rows * cols) * sizeof *words);
}

/* Of double, and no kernels: compiled once, for all instruction sets. */
static void transcendental(void) {
    for (int64_t i = 0; i < cols; i++) {
        double x = (double)number(), y = (double)number(), unit = ldexp((double)word(), -64), cosine, sine;
        see_double(dt_log(fabs(x))), see_double(dt_log(unit)), see_double(dt_exp(x));
        see_double(dt_pow(fabs(x), y)), see_double(dt_pow(unit, 100 * y));
        see_double(dt_cos(x)), see_double(dt_sin(1e6 * x));
        dt_turn(unit, &cosine, &sine), see_double(cosine), see_double(sine);
    }
}

#define OF(function)                                                                                                   \
    { #function, function }
static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {OF(bias_activate),
             OF(activate_backward),
             OF(sum_activate),
             OF(swiglu),
             OF(softmax),
             OF(softmax_cross_entropy),
             OF(mean_squared_error),
             OF(binary_cross_entropy),
             OF(batch_norm),
             OF(row_norm),
             OF(group_norm),
             OF(upsample),
             OF(pools),
             OF(dropout),
             OF(embed),
             OF(cells),
             OF(attention),
             OF(attend_place),
             OF(product),
             OF(product_bf16),
             OF(updates),
             OF(arrays),
             OF(convert),
             OF(quantise),
             OF(streams),
             OF(transcendental)};

static void print_isa(dt_isa isa, int threads) {
    k = dt_kernels_for(isa);
#ifdef KERNEL_BITS_THREADS
    dt_threads_open(threads > 1 ? threads : 1, dt_flush_subnormals);
    if (k && threads > 1) k = dt_kernels_threaded(k);
#else
    if (threads > 1) exit(2);
#endif
    for (int i = 0; k && i < COUNT(cases); i++) {
        sum = state = 0;
        for (inputs = PLAIN; inputs < KINDS; inputs++) {
            for (int r = 0; r < COUNT(heights); r += few ? 2 : 1) {
                for (int c = 0; c < COUNT(widths); c += few ? 3 : 1) {
                    if (few && heights[r] * widths[c] > 2000) continue;
                    rows = heights[r], cols = widths[c];
                    cases[i].run();
                    release();
                }
            }
        }
        printf("%s %s %016" PRIx64 "\n", dt_isa_name(isa), cases[i].name, sum);
    }
}

int main(int count, char **names) {
    few = count > 2 && strcmp(names[2], "few") == 0;
    dt_flush_subnormals();
    for (int isa = DT_ISA_BASELINE; isa <= DT_ISA_AVX512; isa++)
        if (count < 2 || dt_isa_named(names[1]) == (dt_isa)isa) print_isa((dt_isa)isa, count < 3 ? 1 : atoi(names[2]));
    return 0;
}
