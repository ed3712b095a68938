/* Attention without its matrix of weights: blocks of queries meet blocks of keys, the softmax is kept up online, and of
 * each query nothing is stored but the logarithm of its sum; going back computes the weights again (Dao et al. 2022,
 * FlashAttention; Dao 2023).
 *
 * A block of scores is held transposed, [keys, queries]: with queries in the lanes the softmax's maxima and sums are
 * plain element-wise loops, and all seven products of the two passes become one form, rows of scalars times rows of
 * vectors. That form is written with the compiler's vector types, because a tile of sums has to stay in registers,
 * which loops over arrays do not promise. Heads are copied out of qkv first, filled up with zeros to whole vectors, so
 * that no loop has a remainder; the sizes of most models, 32 and 64, are constants of their own copies of the code. */
#include "lanes.h"
#include "slots.h"
#include "turning.h"

enum {
    TILE = VECTOR_BYTES == 64 ? 8 : 4, /* rows of a tile of sums, which is two vectors wide */
    GRAIN = 8,                         /* what a causal mask spares, it spares by so many at once, on every machine */
    BLOCK = DT_ATTENTION_BLOCK
};

#define LOWEST LITERAL(-1e30) /* below all scores, and still a number when another is subtracted */

static inline int64_t round_up(int64_t n, int64_t unit) {
    return (n + unit - 1) / unit * unit;
}

static inline int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* ---- products ---- */

/* Rows of scalars: element (i, l) is at[i*down + l*across]. */
typedef struct scalars {
    const dt_real *at;
    int64_t down, across;
} scalars;

/* c[TILE, width vectors] = a[TILE, depth] b[depth, width vectors], or += with `add`. */
INLINE void tile(dt_real *c, int64_t ldc, scalars a, const dt_real *b, int64_t ldb, int64_t depth, bool add,
                 const int width) {
    vector sum[TILE][2];
#pragma GCC unroll 8
    for (int i = 0; i < TILE; i++)
#pragma GCC unroll 2
        for (int v = 0; v < width; v++) sum[i][v] = add ? *(const vector *)(c + i * ldc + v * PER_VECTOR) : (vector){0};
    for (int64_t l = 0; l < depth; l++) {
        vector row[2];
#pragma GCC unroll 2
        for (int v = 0; v < width; v++) row[v] = *(const vector *)(b + l * ldb + v * PER_VECTOR);
#pragma GCC unroll 8
        for (int i = 0; i < TILE; i++)
#pragma GCC unroll 2
            for (int v = 0; v < width; v++) sum[i][v] = fma_scaled(a.at[i * a.down + l * a.across], row[v], sum[i][v]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < TILE; i++)
#pragma GCC unroll 2
        for (int v = 0; v < width; v++) *(vector *)(c + i * ldc + v * PER_VECTOR) = sum[i][v];
}

/* The same for columns [from, to), whole vectors. */
INLINE void strip(dt_real *c, int64_t ldc, scalars a, const dt_real *b, int64_t ldb, int64_t depth, bool add,
                  int64_t from, int64_t to) {
    int64_t j = from;
    for (; j + 2 * PER_VECTOR <= to; j += 2 * PER_VECTOR) tile(c + j, ldc, a, b + j, ldb, depth, add, 2);
    if (j < to) tile(c + j, ldc, a, b + j, ldb, depth, add, 1);
}

/* ---- where things are ---- */

/* What the next head will be copied from and to: its rows lie apart, so the processor does not see them coming. They
 * are asked for bit by bit while scores of this head are computed, and are in the second cache when they are wanted. */
typedef struct strand {
    const dt_real *at;
    int64_t count, stride; /* numbers in a row, and from row to row */
    bool written;
} strand;

typedef struct coming {
    strand strands[5];
    int count;
    int64_t rows;
} coming;

INLINE void ask_for(const coming *next, int64_t from, int64_t to) {
    enum { LINE = 64 / (int)sizeof(dt_real) };
    for (const strand *s = next->strands; s < next->strands + next->count; s++)
        for (int64_t i = from; i < smaller(to, next->rows); i++)
            for (const dt_real *at = s->at + i * s->stride, *end = at + s->count; at < end; at += LINE)
                if (s->written)
                    __builtin_prefetch(at, 1, 2);
                else
                    __builtin_prefetch(at, 0, 2);
}

/* What is known of where a block of scores lies. */
typedef struct block {
    int64_t keys, queries; /* that exist */
    bool diagonal;         /* queries see keys up to their own number only */
    const dt_real *hidden; /* [BLOCK]: keys that nobody sees are not 0; NULL: there are none */
} block;

/* The first column of scores that is computed for the keys from `key` on. */
INLINE int64_t first_query(const block *b, int64_t key) {
    enum { UNIT = PER_VECTOR > GRAIN ? PER_VECTOR : GRAIN };
    return b->diagonal ? key / UNIT * UNIT : 0;
}

/* s[keys, queries] = rows of one side [keys, width] times columns of the other, [width, BLOCK]. Asks for the rows of
 * `next` from `from` on, if it is not NULL. */
INLINE void scores(dt_real *s, const block *b, const dt_real *keys, const dt_real *queries, const int64_t width,
                   const coming *next, int64_t from) {
    int64_t to = round_up(b->queries, PER_VECTOR);
    for (int64_t k = 0; k < b->keys; k += TILE) {
        if (next) ask_for(next, from + k, from + k + TILE);
        strip(s + k * BLOCK, BLOCK, (scalars){keys + k * width, width, 1}, queries, BLOCK, width, false,
              first_query(b, k), to);
    }
}

/* Scores of keys that a query does not see become -infinity. */
static void hide(dt_real *restrict s, const block *b) {
    int64_t to = round_up(b->queries, PER_VECTOR);
    for (int64_t k = 0; k < round_up(b->keys, TILE); k++) {
        dt_real *row = s + k * BLOCK;
        bool gone = k >= b->keys || (b->hidden && b->hidden[k] != 0);
        int64_t end = gone ? to : b->diagonal ? k : 0;
        for (int64_t q = first_query(b, k / TILE * TILE); q < end; q++) row[q] = -(dt_real)INFINITY;
    }
}

/* sums[queries, width] += weights^T values: over the keys. */
INLINE void gather_keys(dt_real *sums, const block *b, const dt_real *weights, const dt_real *values,
                        const int64_t width) {
    for (int64_t q = 0; q < b->queries; q += TILE) {
        int64_t depth = b->diagonal ? smaller(b->keys, q / GRAIN * GRAIN + GRAIN) : b->keys;
        strip(sums + q * width, width, (scalars){weights + q, 1, BLOCK}, values, width, depth, true, 0, width);
    }
}

/* sums[keys, width] += weights values: over the queries. */
INLINE void gather_queries(dt_real *sums, const block *b, const dt_real *weights, const dt_real *values,
                           const int64_t width) {
    for (int64_t k = 0; k < b->keys; k += TILE) {
        int64_t from = b->diagonal ? k / GRAIN * GRAIN : 0;
        if (from >= b->queries) continue;
        strip(sums + k * width, width, (scalars){weights + k * BLOCK + from, BLOCK, 1}, values + from * width, width,
              b->queries - from, true, 0, width);
    }
}

/* ---- copies of heads ---- */

/* to[n rounded up to whole vectors and tiles, width] = from[n, size], rows `stride` apart, times `scale`; the rest is
 * zero. */
static void pack(dt_real *restrict to, const dt_real *restrict from, int64_t n, int64_t size, int64_t stride,
                 int64_t width, dt_real scale) {
    for (int64_t i = 0; i < n; i++) {
        SIMD for (int64_t j = 0; j < size; j++) to[i * width + j] = from[i * stride + j] * scale;
        for (int64_t j = size; j < width; j++) to[i * width + j] = 0;
    }
    memset(to + n * width, 0, (size_t)((round_up(n, PER_VECTOR > TILE ? PER_VECTOR : TILE) - n) * width) * sizeof *to);
}

/* to[n, size] = from[n, width] times `scale`. */
static void unpack(dt_real *restrict to, const dt_real *restrict from, int64_t n, int64_t size, int64_t stride,
                   int64_t width, dt_real scale) {
    for (int64_t i = 0; i < n; i++)
        SIMD for (int64_t j = 0; j < size; j++) to[i * stride + j] = from[i * width + j] * scale;
}

/* to[width, BLOCK] = the transposed from[n, width], as pack leaves it; n at most BLOCK. */
static void turn(dt_real *restrict to, const dt_real *restrict from, int64_t n, int64_t width) {
    for (int64_t i = 0; i < n; i += PER_VECTOR)
        for (int64_t j = 0; j < width; j += PER_VECTOR)
            transpose_square(to + j * BLOCK + i, BLOCK, from + i * width + j, width);
}

/* Which of the keys of a block are padding; NULL where none can be. */
static const dt_real *hidden_keys(dt_real *hidden, const dt_attention *shape, int64_t row) {
    if (!shape->tokens) return NULL;
    const dt_real *tokens = shape->tokens + row * shape->positions;
    for (int64_t t = 0; t < shape->positions; t++) hidden[t] = tokens[t] < 0 ? 1 : 0;
    return hidden;
}

static block block_at(const dt_attention *shape, int64_t q0, int64_t k0, const dt_real *hidden) {
    return (block){.keys = smaller(BLOCK, shape->positions - k0),
                   .queries = smaller(BLOCK, shape->positions - q0),
                   .diagonal = shape->causal && q0 == k0,
                   .hidden = hidden ? hidden + k0 : NULL};
}

static inline bool needs_hiding(const block *b) {
    return b->diagonal || b->hidden || b->keys % TILE != 0;
}

static inline dt_real scale_of(const dt_attention *shape) {
    return 1 / sqrt_real((dt_real)shape->size);
}

static inline int64_t end_of(const dt_attention *shape) {
    return shape->end > 0 ? shape->end : shape->rows * shape->kv_heads;
}

static inline int64_t qkv_stride(const dt_attention *shape) {
    return (shape->heads + 2 * shape->kv_heads) * shape->size;
}

/* The strands in qkv, or its gradient, of the head of queries after head h of row r: they are there if it is worked on
 * at all, and those of keys and values where it is the first that meets them. */
static void expect(coming *next, const dt_real *qkv, const dt_attention *shape, int64_t r, int64_t h, bool written) {
    const int64_t group = shape->heads / shape->kv_heads, all = r * shape->heads + h + 1, stride = qkv_stride(shape);
    if (all / group >= end_of(shape)) return;
    const dt_real *row = qkv + all / shape->heads * shape->positions * stride;
    const int64_t head = all % shape->heads, size = shape->size;
    next->rows = shape->positions;
    next->strands[next->count++] = (strand){row + head * size, size, stride, written};
    for (int i = 0; i < 2 && head % group == 0; i++)
        next->strands[next->count++] =
            (strand){row + (shape->heads + i * shape->kv_heads + head / group) * size, size, stride, written};
}

/* The strand of that head in an array of heads alone. */
static void expect_head(coming *next, const dt_real *heads, const dt_attention *shape, int64_t r, int64_t h,
                        bool written) {
    const int64_t all = r * shape->heads + h + 1, out = shape->heads * shape->size;
    if (all / (shape->heads / shape->kv_heads) >= end_of(shape)) return;
    next->strands[next->count++] =
        (strand){heads + all / shape->heads * shape->positions * out + all % shape->heads * shape->size, shape->size,
                 out, written};
}

/* Runs the statements for each head of keys and values: number `pair` of row r. */
#define OVER_PAIRS(shape, ...)                                                                                         \
    do {                                                                                                               \
        for (int64_t at_ = (shape)->begin; at_ < end_of(shape); at_++) {                                               \
            const int64_t r = at_ / (shape)->kv_heads, pair = at_ % (shape)->kv_heads;                                 \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    } while (0);

/* ---- forward ---- */

/* What the queries of a block have so far. */
typedef struct running {
    dt_real top[BLOCK], sum[BLOCK], factor[BLOCK];
} running;

/* Scores become weights, relative to the largest so far; factor says what older weights are worth now. */
static void soften(dt_real *restrict s, running *restrict run, const block *b) {
    int64_t to = round_up(b->queries, PER_VECTOR), keys = round_up(b->keys, TILE);
    dt_real top[BLOCK], sum[BLOCK];
    SIMD for (int64_t q = 0; q < to; q++) top[q] = run->top[q], sum[q] = 0;
    for (int64_t k = 0; k < keys; k++) {
        const dt_real *row = s + k * BLOCK;
        SIMD for (int64_t q = first_query(b, k / TILE * TILE); q < to; q++) top[q] = row[q] > top[q] ? row[q] : top[q];
    }
    for (int64_t k = 0; k < keys; k++) {
        dt_real *row = s + k * BLOCK;
        SIMD for (int64_t q = first_query(b, k / TILE * TILE); q < to; q++) {
            dt_real e = power_below(row[q] - top[q]);
            row[q] = e;
            sum[q] += e;
        }
    }
    SIMD for (int64_t q = 0; q < to; q++) {
        dt_real factor = power_below(run->top[q] - top[q]);
        run->factor[q] = factor;
        run->sum[q] = fma_real(run->sum[q], factor, sum[q]);
        run->top[q] = top[q];
    }
}

/* Where a call keeps its copies; from one piece of memory, in this order. */
typedef struct forward_work {
    dt_real *k, *v;    /* [positions, width] */
    dt_real *q, *qt;   /* [BLOCK, width] and transposed */
    dt_real *s, *sums; /* [BLOCK, BLOCK], [BLOCK, width] */
    dt_real *hidden;   /* [positions] */
} forward_work;

static dt_real *cut(dt_real **work, int64_t count) {
    dt_real *piece = *work;
    *work += round_up(count, 16);
    return piece;
}

INLINE void attend_head(dt_real *y, dt_real *log_sum, const dt_real *q, const forward_work *w, const dt_real *hidden,
                        const dt_attention *shape, const int64_t width, const coming *next) {
    int64_t stride = qkv_stride(shape), out = shape->heads * shape->size;
    for (int64_t q0 = 0; q0 < shape->positions; q0 += BLOCK) {
        running run;
        int64_t queries = smaller(BLOCK, shape->positions - q0), end = shape->causal ? q0 + queries : shape->positions;
        pack(w->q, q + q0 * stride, queries, shape->size, stride, width, LOG2_E * scale_of(shape));
        turn(w->qt, w->q, queries, width);
        memset(w->sums, 0, (size_t)(BLOCK * width) * sizeof *w->sums);
        for (int64_t i = 0; i < BLOCK; i++) run.top[i] = LOWEST, run.sum[i] = 0;
        for (int64_t k0 = 0; k0 < end; k0 += BLOCK) {
            block b = block_at(shape, q0, k0, hidden);
            scores(w->s, &b, w->k + k0 * width, w->qt, width, k0 == q0 ? next : NULL, k0);
            if (needs_hiding(&b)) hide(w->s, &b);
            soften(w->s, &run, &b);
            for (int64_t i = 0; k0 > 0 && i < queries; i++)
                SIMD for (int64_t j = 0; j < width; j++) w->sums[i * width + j] *= run.factor[i];
            gather_keys(w->sums, &b, w->s, w->v + k0 * width, width);
        }
        for (int64_t i = 0; i < queries; i++) {
            dt_real sum = run.sum[i], share = sum == 0 ? 0 : 1 / sum; /* 0: a query that sees no key */
            unpack(y + (q0 + i) * out, w->sums + i * width, 1, shape->size, 0, width, share);
            if (log_sum) log_sum[q0 + i] = sum == 0 ? 0 : run.top[i] + log2_real(sum);
        }
    }
}

INLINE void attend_rows(dt_real *y, dt_real *log_sum, const dt_real *qkv, const dt_attention *shape, dt_real *work,
                        const int64_t width) {
    int64_t positions = shape->positions, size = shape->size, group = shape->heads / shape->kv_heads;
    int64_t stride = qkv_stride(shape), out = shape->heads * size;
    int64_t rows = round_up(positions, BLOCK);
    forward_work w = {.k = cut(&work, rows * width), .v = cut(&work, rows * width)};
    w.q = cut(&work, BLOCK * width), w.qt = cut(&work, BLOCK * width), w.s = cut(&work, BLOCK * BLOCK);
    w.sums = cut(&work, BLOCK * width), w.hidden = cut(&work, rows);
    OVER_PAIRS(shape, {
        const dt_real *q = qkv + r * positions * stride, *k = q + shape->heads * size, *v = k + shape->kv_heads * size;
        const dt_real *hidden = hidden_keys(w.hidden, shape, r);
        pack(w.k, k + pair * size, positions, size, stride, width, 1);
        pack(w.v, v + pair * size, positions, size, stride, width, 1);
        for (int64_t h = pair * group; h < (pair + 1) * group; h++) {
            coming next = {.count = 0};
            expect(&next, qkv, shape, r, h, false);
            expect_head(&next, y, shape, r, h, true);
            attend_head(y + r * positions * out + h * size,
                        log_sum ? log_sum + (r * shape->heads + h) * positions : NULL, q + h * size, &w, hidden, shape,
                        width, &next);
        }
    })
}

void DT_OF_ISA(attend)(dt_real *y, dt_real *log_sum, const dt_real *qkv, const dt_attention *shape, dt_real *work) {
    switch (shape->size) {
    case 32: attend_rows(y, log_sum, qkv, shape, work, 32); break;
    case 64: attend_rows(y, log_sum, qkv, shape, work, 64); break;
    default: attend_rows(y, log_sum, qkv, shape, work, round_up(shape->size, PER_VECTOR));
    }
}

/* ---- backward ---- */

typedef struct backward_work {
    dt_real *k, *v, *q, *g;   /* [positions, width]; q is scaled, g is dy */
    dt_real *qt, *gt;         /* q and g transposed, block by block */
    dt_real *dk, *dv, *dq;    /* [positions, width] */
    dt_real *p, *ds;          /* [BLOCK, BLOCK] */
    dt_real *log_sum, *delta; /* [positions] */
    dt_real *hidden;
} backward_work;

/* From scores and dy·v: the weights into p, and the gradient of the scores into ds. */
static void harden(dt_real *restrict p, dt_real *restrict ds, const dt_real *restrict log_sum,
                   const dt_real *restrict delta, const block *b) {
    int64_t to = round_up(b->queries, PER_VECTOR);
    for (int64_t k = 0; k < round_up(b->keys, TILE); k++) {
        dt_real *restrict weight = p + k * BLOCK, *restrict slope = ds + k * BLOCK;
        SIMD for (int64_t q = first_query(b, k / TILE * TILE); q < to; q++) {
            dt_real e = power_below(weight[q] - log_sum[q]);
            weight[q] = e;
            slope[q] = e * (slope[q] - delta[q]);
        }
    }
}

/* delta[i] = the sum of dy*y of query i, which is that of weights times their gradients. */
static void sum_products(dt_real *restrict delta, const dt_real *restrict dy, const dt_real *restrict y, int64_t n,
                         int64_t size, int64_t stride) {
    for (int64_t i = 0; i < n; i++) {
        dt_real sum[LANES];
        fill_lanes(sum, 0);
        OVER_LANES(size, sum[l] = fma_real(dy[i * stride + j], y[i * stride + j], sum[l]););
        delta[i] = sum_of_lanes(sum);
    }
}

INLINE void back_through_head(const backward_work *w, const dt_real *hidden, const dt_attention *shape,
                              const int64_t width, const coming *read, const coming *written) {
    int64_t positions = shape->positions;
    for (int64_t k0 = 0; k0 < positions; k0 += BLOCK) {
        for (int64_t q0 = shape->causal ? k0 : 0; q0 < positions; q0 += BLOCK) {
            block b = block_at(shape, q0, k0, hidden);
            scores(w->p, &b, w->k + k0 * width, w->qt + q0 * width, width, k0 == q0 ? read : NULL, k0);
            scores(w->ds, &b, w->v + k0 * width, w->gt + q0 * width, width, k0 == q0 ? written : NULL, k0);
            if (needs_hiding(&b)) hide(w->p, &b);
            harden(w->p, w->ds, w->log_sum + q0, w->delta + q0, &b);
            gather_queries(w->dv + k0 * width, &b, w->p, w->g + q0 * width, width);
            gather_queries(w->dk + k0 * width, &b, w->ds, w->q + q0 * width, width);
            gather_keys(w->dq + q0 * width, &b, w->ds, w->k + k0 * width, width);
        }
    }
}

/* What one head of queries needs: its copies, and the numbers of each query, zero beyond the last. */
static void prepare_head(const backward_work *w, const dt_real *q, const dt_real *dy, const dt_real *y,
                         const dt_real *log_sum, const dt_attention *shape, int64_t width) {
    int64_t positions = shape->positions, size = shape->size, rows = round_up(positions, BLOCK);
    int64_t stride = qkv_stride(shape), out = shape->heads * size;
    pack(w->q, q, positions, size, stride, width, LOG2_E * scale_of(shape));
    pack(w->g, dy, positions, size, out, width, 1);
    for (int64_t q0 = 0; q0 < positions; q0 += BLOCK) {
        turn(w->qt + q0 * width, w->q + q0 * width, smaller(BLOCK, positions - q0), width);
        turn(w->gt + q0 * width, w->g + q0 * width, smaller(BLOCK, positions - q0), width);
    }
    memset(w->dq, 0, (size_t)(rows * width) * sizeof *w->dq);
    memset(w->log_sum + positions, 0, (size_t)(rows - positions) * sizeof *w->log_sum);
    memset(w->delta + positions, 0, (size_t)(rows - positions) * sizeof *w->delta);
    memcpy(w->log_sum, log_sum, (size_t)positions * sizeof *w->log_sum);
    sum_products(w->delta, dy, y, positions, size, out);
}

static backward_work divide(dt_real *work, int64_t rows, int64_t width) {
    backward_work w;
    dt_real **const whole[] = {&w.k, &w.v, &w.q, &w.g, &w.qt, &w.gt, &w.dk, &w.dv, &w.dq};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) *whole[i] = cut(&work, rows * width);
    w.p = cut(&work, BLOCK * BLOCK), w.ds = cut(&work, BLOCK * BLOCK);
    w.log_sum = cut(&work, rows), w.delta = cut(&work, rows), w.hidden = cut(&work, rows);
    return w;
}

INLINE void back_through_rows(dt_real *dqkv, const dt_real *dy, const dt_real *y, const dt_real *log_sum,
                              const dt_real *qkv, const dt_attention *shape, dt_real *work, const int64_t width) {
    int64_t positions = shape->positions, size = shape->size, group = shape->heads / shape->kv_heads;
    int64_t stride = qkv_stride(shape), out = shape->heads * size;
    int64_t rows = round_up(positions, BLOCK), to_k = shape->heads * size, to_v = to_k + shape->kv_heads * size;
    backward_work w = divide(work, rows, width);
    OVER_PAIRS(shape, {
        const dt_real *from = qkv + r * positions * stride;
        dt_real *to = dqkv + r * positions * stride;
        const dt_real *hidden = hidden_keys(w.hidden, shape, r);
        pack(w.k, from + to_k + pair * size, positions, size, stride, width, 1);
        pack(w.v, from + to_v + pair * size, positions, size, stride, width, 1);
        memset(w.dk, 0, (size_t)(rows * width) * sizeof *w.dk);
        memset(w.dv, 0, (size_t)(rows * width) * sizeof *w.dv);
        for (int64_t h = pair * group; h < (pair + 1) * group; h++) {
            int64_t at = r * positions * out + h * size;
            prepare_head(&w, from + h * size, dy + at, y + at, log_sum + (r * shape->heads + h) * positions, shape,
                         width);
            coming read = {.count = 0}, written = {.count = 0};
            expect(&read, qkv, shape, r, h, false);
            expect_head(&read, dy, shape, r, h, false);
            expect_head(&read, y, shape, r, h, false);
            expect(&written, dqkv, shape, r, h, true);
            back_through_head(&w, hidden, shape, width, &read, &written);
            unpack(to + h * size, w.dq, positions, size, stride, width, scale_of(shape));
        }
        unpack(to + to_k + pair * size, w.dk, positions, size, stride, width, LN_2); /* q is scaled */
        unpack(to + to_v + pair * size, w.dv, positions, size, stride, width, 1);
    })
}

void DT_OF_ISA(attend_backward)(dt_real *dqkv, const dt_real *dy, const dt_real *y, const dt_real *log_sum,
                                const dt_real *qkv, const dt_attention *shape, dt_real *work) {
    switch (shape->size) {
    case 32: back_through_rows(dqkv, dy, y, log_sum, qkv, shape, work, 32); break;
    case 64: back_through_rows(dqkv, dy, y, log_sum, qkv, shape, work, 64); break;
    default: back_through_rows(dqkv, dy, y, log_sum, qkv, shape, work, round_up(shape->size, PER_VECTOR));
    }
}
