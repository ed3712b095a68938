/* Products of a few rows with a matrix, for decoding: every weight is read once and used once a row, so what counts is
 * that weights come from memory in the order they lie there. The matrix is gone through in bands of neighbouring rows,
 * and each band is used for all rows of x while it is in the cache; a row's sums are made in the same order whatever
 * other rows there are. Weights may be bfloat16, which halves what is read; they are widened in registers, and products
 * and sums are those of float32. */
#include "lanes.h"
#include "slots.h"

enum {
    BAND = 8,   /* rows of w [in, out] at once: so many products are added to a number of y each time it is loaded */
    CHUNK = 64, /* numbers between two requests for what lies ahead */
    AHEAD = 2,  /* bands ahead that are asked for */
    LINE = 64,  /* bytes that come at once */
    DOTS = 4    /* rows of w [out, in] at once */
};

INLINE dt_real weight(const void *w, int64_t i, const bool half) {
    return half ? from_bf16(((const dt_bf16 *)w)[i]) : ((const dt_real *)w)[i];
}

INLINE const void *weights_at(const void *w, int64_t i, const bool half) {
    return half ? (const void *)((const dt_bf16 *)w + i) : (const void *)((const dt_real *)w + i);
}

/* Asks for the weights [i, i + count): a request beyond the end is ignored by the processor. */
INLINE void ask_for(const void *w, int64_t i, int64_t count, const bool half) {
    const char *from = weights_at(w, i, half);
    int64_t bytes = count * (int64_t)(half ? sizeof(dt_bf16) : sizeof(dt_real));
    for (int64_t at = 0; at < bytes; at += LINE) __builtin_prefetch(from + at);
}

/* y[count] += x[BAND] w, w's rows `out` apart. */
INLINE void add_band(dt_real *restrict y, const dt_real *restrict x, const void *restrict w, int64_t count, int64_t out,
                     const bool half) {
    const dt_real x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3], x4 = x[4], x5 = x[5], x6 = x[6], x7 = x[7];
    SIMD for (int64_t j = 0; j < count; j++) {
        dt_real sum = y[j];
        sum = fma_real(x0, weight(w, j, half), sum);
        sum = fma_real(x1, weight(w, j + out, half), sum);
        sum = fma_real(x2, weight(w, j + 2 * out, half), sum);
        sum = fma_real(x3, weight(w, j + 3 * out, half), sum);
        sum = fma_real(x4, weight(w, j + 4 * out, half), sum);
        sum = fma_real(x5, weight(w, j + 5 * out, half), sum);
        sum = fma_real(x6, weight(w, j + 6 * out, half), sum);
        sum = fma_real(x7, weight(w, j + 7 * out, half), sum);
        y[j] = sum;
    }
}

/* w is [in, out]. */
INLINE void plain(dt_real *y, const dt_real *x, const void *w, int64_t rows, int64_t in, int64_t out, const bool half) {
    int64_t l = 0;
    for (; l + BAND <= in; l += BAND) {
        const void *band = weights_at(w, l * out, half);
        for (int64_t r = 0; r < rows; r++) {
            int64_t j = 0;
            for (; j + CHUNK <= out; j += CHUNK) {
                if (r == 0) ask_for(band, BAND * (AHEAD * out + j), BAND * CHUNK, half);
                add_band(y + r * out + j, x + r * in + l, weights_at(band, j, half), CHUNK, out, half);
            }
            add_band(y + r * out + j, x + r * in + l, weights_at(band, j, half), out - j, out, half);
        }
    }
    for (; l < in; l++) {
        for (int64_t r = 0; r < rows; r++) {
            dt_real *restrict to = y + r * out;
            const dt_real factor = x[r * in + l];
            SIMD for (int64_t j = 0; j < out; j++) to[j] = fma_real(factor, weight(w, l * out + j, half), to[j]);
        }
    }
}

/* w is [out, in]. */
INLINE void turned(dt_real *y, const dt_real *restrict x, const void *restrict w, int64_t rows, int64_t in, int64_t out,
                   const bool half) {
    int64_t i = 0;
    for (; i + DOTS <= out; i += DOTS) {
        const void *restrict band = weights_at(w, i * in, half);
        for (int64_t r = 0; r < rows; r++) {
            const dt_real *restrict from = x + r * in;
            dt_real s0[LANES], s1[LANES], s2[LANES], s3[LANES];
            fill_lanes(s0, 0), fill_lanes(s1, 0), fill_lanes(s2, 0), fill_lanes(s3, 0);
            OVER_LANES(in, s0[l] = fma_real(from[j], weight(band, j, half), s0[l]);
                       s1[l] = fma_real(from[j], weight(band, j + in, half), s1[l]);
                       s2[l] = fma_real(from[j], weight(band, j + 2 * in, half), s2[l]);
                       s3[l] = fma_real(from[j], weight(band, j + 3 * in, half), s3[l]););
            dt_real *to = y + r * out + i;
            to[0] += sum_of_lanes(s0), to[1] += sum_of_lanes(s1), to[2] += sum_of_lanes(s2), to[3] += sum_of_lanes(s3);
        }
    }
    for (; i < out; i++) {
        for (int64_t r = 0; r < rows; r++) {
            const dt_real *restrict from = x + r * in;
            dt_real sum[LANES];
            fill_lanes(sum, 0);
            OVER_LANES(in, sum[l] = fma_real(from[j], weight(w, i * in + j, half), sum[l]););
            y[r * out + i] += sum_of_lanes(sum);
        }
    }
}

INLINE void multiply(dt_real *y, const dt_real *x, const void *w, int64_t rows, int64_t in, int64_t out,
                     bool transposed, dt_real beta, const bool half) {
    if (beta == 0)
        memset(y, 0, (size_t)(rows * out) * sizeof *y);
    else
        SIMD for (int64_t i = 0; i < rows * out; i++) y[i] *= beta;
    if (transposed)
        turned(y, x, w, rows, in, out, half);
    else
        plain(y, x, w, rows, in, out, half);
}

void DT_OF_ISA(matvec_bf16)(dt_real *y, const dt_real *x, const dt_bf16 *w, int64_t rows, int64_t in, int64_t out,
                            bool transposed, dt_real beta) {
    multiply(y, x, w, rows, in, out, transposed, beta, true);
}
