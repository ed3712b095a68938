/* Attention one position at a time, for sampling: the keys and values of earlier positions are kept, and one query
 * meets them all. Every number is made by the operations attention.c makes it by, in their order: blocks of as many
 * keys, each score a chain over the head, the softmax kept up from block to block, values added in the order of their
 * positions. So a text that is continued has the bits it would have if it were read at once. */
#include "lanes.h"
#include "slots.h"
#include "turning.h"

#define LOWEST LITERAL(-1e30) /* below all scores */
enum { BLOCK = DT_ATTENTION_BLOCK, DEPTH = 64 };

/* scores[count rounded up to whole vectors] = q·keys[t]: with keys in the lanes, and a part of them turned for that. */
static void score_keys(dt_real *scores, const dt_real *q, const dt_real *keys, int64_t count, int64_t size,
                       int64_t stride) {
    _Alignas(64) dt_real turned[DEPTH * PER_VECTOR];
    for (int64_t t = 0; t < count; t += PER_VECTOR) {
        vector sum = {0};
        for (int64_t from = 0; from < size; from += DEPTH) {
            int64_t depth = size - from < DEPTH ? size - from : DEPTH;
            turn_strip(turned, PER_VECTOR, keys + t * stride + from, stride, depth,
                       count - t < PER_VECTOR ? count - t : PER_VECTOR, PER_VECTOR * stride);
            for (int64_t l = 0; l < depth; l++)
                sum = fma_scaled(q[from + l], *(const vector *)(turned + l * PER_VECTOR), sum);
        }
        *(vector *)(scores + t) = sum;
    }
}

/* y += the values of `count` positions, by their weights, one after the other. */
static void add_values(dt_real *restrict y, const dt_real *restrict weights, const dt_real *restrict values,
                       int64_t count, int64_t size, int64_t stride) {
    enum { TOGETHER = 4 };
    int64_t t = 0;
    for (; t + TOGETHER <= count; t += TOGETHER, values += TOGETHER * stride) {
        const dt_real w0 = weights[t], w1 = weights[t + 1], w2 = weights[t + 2], w3 = weights[t + 3];
        SIMD for (int64_t j = 0; j < size; j++) {
            dt_real sum = fma_real(w0, values[j], y[j]);
            sum = fma_real(w1, values[stride + j], sum);
            sum = fma_real(w2, values[2 * stride + j], sum);
            y[j] = fma_real(w3, values[3 * stride + j], sum);
        }
    }
    for (; t < count; t++, values += stride) {
        const dt_real w = weights[t];
        SIMD for (int64_t j = 0; j < size; j++) y[j] = fma_real(w, values[j], y[j]);
    }
}

/* What the query has so far, of all blocks before. */
typedef struct running {
    dt_real top, sum;
} running;

/* Scores become weights, relative to the largest so far; returns what older weights are worth now. */
static dt_real soften(dt_real *scores, int64_t count, running *run) {
    dt_real top = run->top, sum = 0;
    for (int64_t t = 0; t < count; t++) top = scores[t] > top ? scores[t] : top;
    SIMD for (int64_t t = 0; t < count; t++) scores[t] = power_below(scores[t] - top);
    for (int64_t t = 0; t < count; t++) sum += scores[t];
    dt_real factor = power_below(run->top - top);
    run->sum = fma_real(run->sum, factor, sum);
    run->top = top;
    return factor;
}

static void attend_one(dt_real *restrict y, const dt_real *restrict q, const dt_real *restrict keys,
                       const dt_real *restrict values, int64_t count, int64_t size, int64_t stride) {
    running run = {LOWEST, 0};
    _Alignas(64) dt_real scores[BLOCK];
    memset(y, 0, (size_t)size * sizeof *y);
    for (int64_t first = 0; first < count; first += BLOCK) {
        int64_t some = count - first < BLOCK ? count - first : BLOCK;
        score_keys(scores, q, keys + first * stride, some, size, stride);
        dt_real factor = soften(scores, some, &run);
        if (first > 0) SIMD for (int64_t j = 0; j < size; j++) y[j] *= factor;
        add_values(y, scores, values + first * stride, some, size, stride);
    }
    const dt_real share = run.sum == 0 ? 0 : 1 / run.sum;
    SIMD for (int64_t j = 0; j < size; j++) y[j] *= share;
}

void DT_OF_ISA(attend_place)(dt_real *y, dt_real *keys, dt_real *values, dt_real *qkv, const dt_attention *shape,
                             int64_t position) {
    int64_t size = shape->size, pairs = shape->kv_heads * size, group = shape->heads / shape->kv_heads;
    int64_t out = shape->heads * size, stride = out + 2 * pairs;
    const dt_real scale = LOG2_E * (1 / sqrt_real((dt_real)size));
    for (int64_t r = 0; r < shape->rows; r++) {
        dt_real *q = qkv + r * stride;
        dt_real *k = keys + r * shape->positions * pairs, *v = values + r * shape->positions * pairs;
        memcpy(k + position * pairs, q + out, (size_t)pairs * sizeof *k);
        memcpy(v + position * pairs, q + out + pairs, (size_t)pairs * sizeof *v);
        SIMD for (int64_t j = 0; j < out; j++) q[j] *= scale;
        for (int64_t h = 0; h < shape->heads; h++) {
            int64_t pair = h / group * size;
            attend_one(y + r * out + h * size, q + h * size, k + pair, v + pair, position + 1, size, pairs);
        }
    }
}
