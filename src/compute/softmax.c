/* Softmax by rows, and its way back. */
#include "softmax.h"
#include "slots.h"

void DT_OF_ISA(softmax)(dt_real *y, const dt_real *x, int64_t rows, int64_t cols) {
    for (int64_t i = 0; i < rows; i++) {
        dt_real *out = y + i * cols;
        const dt_real *in = x + i * cols;
        dt_real scale = 1 / row_exp(out, in, cols, row_max(in, cols));
        SIMD for (int64_t j = 0; j < cols; j++) out[j] *= scale;
    }
}

void DT_OF_ISA(softmax_backward)(dt_real *dx, const dt_real *dy, const dt_real *y, int64_t rows, int64_t cols) {
    for (int64_t i = 0; i < rows; i++) {
        const dt_real *d = dy + i * cols, *o = y + i * cols;
        dt_real dots[LANES];
        fill_lanes(dots, 0);
        OVER_LANES(cols, dots[l] = fma_real(d[j], o[j], dots[l]););
        const dt_real dot = sum_of_lanes(dots);
        dt_real *out = dx + i * cols;
        SIMD for (int64_t j = 0; j < cols; j++) out[j] = o[j] * (d[j] - dot);
    }
}
