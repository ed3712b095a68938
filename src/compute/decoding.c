/* Attention one position at a time, for sampling: the keys and values of earlier positions are kept, and one query
 * meets them all. */
#include "lanes.h"
#include "slots.h"

#define LOWEST LITERAL(-1e30) /* below all scores */

/* weights[t] = q·keys[t] for `positions` positions, TOGETHER or 1: several sums at once wait for none of them. */
INLINE void score_places(dt_real *restrict weights, const dt_real *restrict q, const dt_real *restrict keys,
                         int64_t size, int64_t stride, const int positions) {
    dt_real s0[LANES], s1[LANES], s2[LANES], s3[LANES];
    fill_lanes(s0, 0), fill_lanes(s1, 0), fill_lanes(s2, 0), fill_lanes(s3, 0);
    OVER_LANES(
        size, s0[l] = fma_real(q[j], keys[j], s0[l]); if (positions > 1) {
            s1[l] = fma_real(q[j], keys[stride + j], s1[l]);
            s2[l] = fma_real(q[j], keys[2 * stride + j], s2[l]);
            s3[l] = fma_real(q[j], keys[3 * stride + j], s3[l]);
        });
    weights[0] = sum_of_lanes(s0);
    if (positions == 1) return;
    weights[1] = sum_of_lanes(s1), weights[2] = sum_of_lanes(s2), weights[3] = sum_of_lanes(s3);
}

/* y += the values of `positions` positions, by their weights. */
INLINE void add_places(dt_real *restrict y, const dt_real *restrict weights, const dt_real *restrict values,
                       int64_t size, int64_t stride, const int positions) {
    SIMD for (int64_t j = 0; j < size; j++) {
        dt_real sum = fma_real(weights[0], values[j], y[j]);
        if (positions > 1) {
            sum = fma_real(weights[1], values[stride + j], sum);
            sum = fma_real(weights[2], values[2 * stride + j], sum);
            sum = fma_real(weights[3], values[3 * stride + j], sum);
        }
        y[j] = sum;
    }
}

static void attend_one(dt_real *restrict y, dt_real *restrict weights, const dt_real *restrict q,
                       const dt_real *restrict keys, const dt_real *restrict values, int64_t count, int64_t size,
                       int64_t stride) {
    enum { TOGETHER = 4 };
    const dt_real scale = LOG2_E / sqrt_real((dt_real)size);
    dt_real tops[LANES], sum[LANES];
    fill_lanes(tops, LOWEST), fill_lanes(sum, 0);
    int64_t t = 0;
    for (; t + TOGETHER <= count; t += TOGETHER)
        score_places(weights + t, q, keys + t * stride, size, stride, TOGETHER);
    for (; t < count; t++) score_places(weights + t, q, keys + t * stride, size, stride, 1);
    OVER_LANES(count, dt_real w = weights[j] * scale; weights[j] = w; tops[l] = w > tops[l] ? w : tops[l];);
    const dt_real top = largest_of_lanes(tops);
    OVER_LANES(count, dt_real w = power_below(weights[j] - top); weights[j] = w; sum[l] += w;);
    const dt_real share = 1 / sum_of_lanes(sum);
    SIMD for (int64_t i = 0; i < count; i++) weights[i] *= share;
    memset(y, 0, (size_t)size * sizeof *y);
    for (t = 0; t + TOGETHER <= count; t += TOGETHER)
        add_places(y, weights + t, values + t * stride, size, stride, TOGETHER);
    for (; t < count; t++) add_places(y, weights + t, values + t * stride, size, stride, 1);
}

void DT_OF_ISA(attend_place)(dt_real *y, dt_real *keys, dt_real *values, const dt_real *qkv, const dt_attention *shape,
                             int64_t position, dt_real *work) {
    int64_t size = shape->size, pairs = shape->kv_heads * size, group = shape->heads / shape->kv_heads;
    int64_t out = shape->heads * size, stride = out + 2 * pairs;
    for (int64_t r = 0; r < shape->rows; r++) {
        const dt_real *q = qkv + r * stride;
        dt_real *k = keys + r * shape->positions * pairs, *v = values + r * shape->positions * pairs;
        memcpy(k + position * pairs, q + out, (size_t)pairs * sizeof *k);
        memcpy(v + position * pairs, q + out + pairs, (size_t)pairs * sizeof *v);
        for (int64_t h = 0; h < shape->heads; h++) {
            int64_t pair = h / group * size;
            attend_one(y + r * out + h * size, work, q + h * size, k + pair, v + pair, position + 1, size, pairs);
        }
    }
}
