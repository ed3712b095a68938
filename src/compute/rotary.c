/* Rotary positions: queries and keys are turned by angles that grow with their position. */
#include "elementary.h"
#include "slots.h"

void DT_OF_ISA(rotate)(dt_real *qkv, const dt_real *turns, const dt_attention *shape, bool back) {
    int64_t size = shape->size, half = size / 2, heads = shape->heads + shape->kv_heads;
    int64_t stride = (heads + shape->kv_heads) * size;
    const dt_real sign = back ? -1 : 1;
    for (int64_t i = 0; i < shape->rows * shape->positions; i++) {
        const dt_real *restrict cosine = turns + i % shape->positions * size, *restrict sine = cosine + half;
        for (int64_t h = 0; h < heads; h++) {
            dt_real *restrict low = qkv + i * stride + h * size, *restrict high = low + half;
            SIMD for (int64_t j = 0; j < half; j++) {
                dt_real a = low[j], b = high[j], s = sign * sine[j];
                low[j] = fma_real(a, cosine[j], -(b * s));
                high[j] = fma_real(b, cosine[j], a * s);
            }
        }
    }
}
