/* Pictures and series made larger. */
#include "elementary.h"
#include "slots.h"

/* Where an element of the larger array lies in the smaller: between two, `part` of the way. */
typedef struct source {
    int64_t at, next;
    dt_real part;
} source;

static source source_of(int64_t i, int64_t factor, int64_t count, bool linear) {
    if (!linear) return (source){i / factor, i / factor, 0};
    double place = ((double)i + 0.5) / (double)factor - 0.5;
    if (place < 0) place = 0;
    int64_t at = (int64_t)place;
    return (source){at, at + 1 < count ? at + 1 : at, (dt_real)(place - (double)at)};
}

#define FOR_TARGETS(u, rows)                                                                                           \
    for (int64_t line = 0, lines = (rows) * (u)->height * (u)->factor_high; line < lines; line++)                      \
        for (int64_t column = 0, columns = (u)->width * (u)->factor_wide; column < columns; column++)

/* The four elements around the one at (line, column) of all rows' lines. */
#define CORNERS(u, base)                                                                                               \
    const int64_t high = (u)->height * (u)->factor_high, cols = (u)->cols;                                             \
    const source v = source_of(line % high, (u)->factor_high, (u)->height, (u)->linear);                               \
    const source h = source_of(column, (u)->factor_wide, (u)->width, (u)->linear);                                     \
    const int64_t above = (line / high * (u)->height + v.at) * (u)->width;                                             \
    const int64_t below = (line / high * (u)->height + v.next) * (u)->width;                                           \
    const dt_real w0 = (1 - v.part) * (1 - h.part), w1 = (1 - v.part) * h.part;                                        \
    const dt_real w2 = v.part * (1 - h.part), w3 = v.part * h.part;                                                    \
    __typeof__(base) p0 = (base) + (above + h.at) * cols, p1 = (base) + (above + h.next) * cols;                       \
    __typeof__(base) p2 = (base) + (below + h.at) * cols, p3 = (base) + (below + h.next) * cols

void DT_OF_ISA(upsample)(dt_real *restrict y, const dt_real *x, const dt_upsampling *u, int64_t rows) {
    FOR_TARGETS(u, rows) {
        CORNERS(u, x);
        dt_real *restrict to = y + (line * columns + column) * cols;
        if (u->linear) {
            SIMD for (int64_t j = 0; j < cols; j++) to[j] =
                fma_real(w3, p3[j], fma_real(w2, p2[j], fma_real(w0, p0[j], w1 * p1[j])));
        } else {
            SIMD for (int64_t j = 0; j < cols; j++) to[j] = p0[j];
        }
    }
}

void DT_OF_ISA(upsample_backward)(dt_real *dx, const dt_real *restrict dy, const dt_upsampling *u, int64_t rows) {
    memset(dx, 0, (size_t)(rows * u->height * u->width * u->cols) * sizeof *dx);
    FOR_TARGETS(u, rows) {
        CORNERS(u, dx);
        const dt_real *restrict from = dy + (line * columns + column) * cols;
        if (u->linear) {
            for (int64_t j = 0; j < cols; j++) {
                p0[j] = fma_real(w0, from[j], p0[j]);
                p1[j] = fma_real(w1, from[j], p1[j]);
                p2[j] = fma_real(w2, from[j], p2[j]);
                p3[j] = fma_real(w3, from[j], p3[j]);
            }
        } else {
            SIMD for (int64_t j = 0; j < cols; j++) p0[j] += from[j];
        }
    }
}
