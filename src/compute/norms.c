/* Normalisation: by columns (batch), by rows (layer, RMS), and by groups of columns within a row. */
#include "lanes.h"
#include "slots.h"

/* Columns are taken LANES at a time, so that their sums stay in registers, and rows in blocks: within a block sums are
 * dt_real, over blocks double, so sums over a batch of pictures lose nothing. */
#define BLOCK 64

/* The vectors of `work`. */
enum { MEAN, VARIANCE, INVERSE, FACTOR, SUM, DOT, LEVEL, TILT, WORK_VECTORS };
_Static_assert(WORK_VECTORS == DT_NORM_WORK, "kernels.h says how many there are");

#define FOR_LANES for (int j = 0; j < width; j++)
/* Calls a function on LANES columns of [begin, end) at a time with a width the compiler knows, and on the rest. */
#define BY_LANES(call)                                                                                                 \
    for (int64_t c = begin; c < end; c += LANES) {                                                                     \
        if (end - c >= LANES) {                                                                                        \
            const int width = LANES;                                                                                   \
            call;                                                                                                      \
        } else {                                                                                                       \
            const int width = (int)(end - c);                                                                          \
            call;                                                                                                      \
        }                                                                                                              \
    }

/* Mean and mean squared deviation. A block's are taken in two passes while it is in cache and joined to those of the
 * blocks before (Chan, Golub, LeVeque 1983, equation 2.1). */
INLINE void lane_moments(dt_real *mean, dt_real *variance, const dt_real *restrict x, int64_t rows, int64_t cols,
                         int width) {
    double middle[LANES] = {0}, square[LANES] = {0};
    for (int64_t at = 0; at < rows; at += BLOCK) {
        int64_t n = rows - at < BLOCK ? rows - at : BLOCK;
        const dt_real *restrict block = x + at * cols;
        dt_real sum[LANES], squares[LANES];
        fill_lanes(sum, 0), fill_lanes(squares, 0);
        for (int64_t i = 0; i < n; i++) {
            SIMD FOR_LANES sum[j] += block[i * cols + j];
        }
        SIMD FOR_LANES sum[j] /= (dt_real)n;
        for (int64_t i = 0; i < n; i++) {
            SIMD FOR_LANES {
                dt_real d = block[i * cols + j] - sum[j];
                squares[j] = fma_real(d, d, squares[j]);
            }
        }
        double share = (double)n / (double)(at + n);
        SIMD FOR_LANES {
            double apart = (double)sum[j] - middle[j];
            square[j] += fma_double(apart * apart * share, (double)at, (double)squares[j]);
            middle[j] = fma_double(apart, share, middle[j]);
        }
    }
    SIMD FOR_LANES {
        mean[j] = (dt_real)middle[j];
        variance[j] = (dt_real)(square[j] / (double)rows);
    }
}

/* Column sums of g and of g*(x - mean)*inverse, where g is dy, or with `relu` dy where the output is above zero. */
INLINE void lane_sums(dt_real *sums, dt_real *dots, const dt_real *restrict dy, const dt_real *restrict x,
                      const dt_real *restrict mean, const dt_real *restrict inverse, const dt_real *restrict factor,
                      const dt_real *restrict shift, int64_t rows, int64_t cols, bool relu, int width) {
    double total[LANES] = {0}, product[LANES] = {0};
    dt_real floor[LANES];
    fill_lanes(floor, 0);
    FOR_LANES floor[j] = shift ? shift[j] : 0;
    for (int64_t at = 0; at < rows; at += BLOCK) {
        int64_t last = rows - at < BLOCK ? rows : at + BLOCK;
        dt_real sum[LANES], dot[LANES];
        fill_lanes(sum, 0), fill_lanes(dot, 0);
        for (int64_t i = at; i < last; i++) {
            SIMD FOR_LANES {
                dt_real d = x[i * cols + j] - mean[j], g = dy[i * cols + j];
                if (relu) g = fma_real(d, factor[j], floor[j]) > 0 ? g : 0;
                sum[j] += g;
                dot[j] = fma_real(g * d, inverse[j], dot[j]);
            }
        }
        SIMD FOR_LANES {
            total[j] += (double)sum[j];
            product[j] += (double)dot[j];
        }
    }
    SIMD FOR_LANES {
        sums[j] = (dt_real)total[j];
        dots[j] = (dt_real)product[j];
    }
}

/* dx = g*factor - level - (x - mean)*inverse*tilt; dx may be dy. */
INLINE void lane_gradient(dt_real *dx, const dt_real *dy, const dt_real *restrict x, const dt_real *restrict work,
                          const dt_real *restrict shift, int64_t rows, int64_t cols, bool relu, int width) {
    const dt_real *restrict mean = work + MEAN * cols, *restrict inverse = work + INVERSE * cols;
    const dt_real *restrict factor = work + FACTOR * cols, *restrict level = work + LEVEL * cols;
    const dt_real *restrict tilt = work + TILT * cols;
    dt_real slope[LANES], floor[LANES];
    FOR_LANES slope[j] = inverse[j] * tilt[j];
    FOR_LANES floor[j] = shift ? shift[j] : 0;
    for (int64_t i = 0; i < rows; i++) {
        SIMD FOR_LANES {
            dt_real d = x[i * cols + j] - mean[j], g = dy[i * cols + j];
            if (relu) g = fma_real(d, factor[j], floor[j]) > 0 ? g : 0;
            dx[i * cols + j] = fma_real(-d, slope[j], fma_real(g, factor[j], -level[j]));
        }
    }
}

INLINE void normalise_columns(dt_real *y, const dt_real *x, const dt_real *restrict mean,
                              const dt_real *restrict factor, const dt_real *restrict shift, int64_t rows, int64_t cols,
                              bool relu, int64_t begin, int64_t end) {
    const dt_real least = relu ? 0 : -(dt_real)INFINITY;
    for (int64_t i = 0; i < rows; i++) {
        const dt_real *from = x + i * cols;
        dt_real *to = y + i * cols;
        SIMD for (int64_t j = begin; j < end; j++) {
            dt_real v = fma_real(from[j] - mean[j], factor[j], shift ? shift[j] : 0);
            to[j] = v < least ? least : v;
        }
    }
}

void DT_OF_ISA(normalise)(dt_real *y, const dt_real *x, const dt_real *mean, const dt_real *factor,
                          const dt_real *shift, int64_t rows, int64_t cols, bool relu) {
    normalise_columns(y, x, mean, factor, shift, rows, cols, relu, 0, cols);
}

void DT_OF_ISA(batch_norm_columns)(dt_real *y, dt_real *work, const dt_real *x, const dt_real *scale,
                                   const dt_real *shift, int64_t rows, int64_t cols, dt_real eps, bool relu,
                                   int64_t begin, int64_t end) {
    dt_real *mean = work + MEAN * cols, *variance = work + VARIANCE * cols;
    dt_real *inverse = work + INVERSE * cols, *factor = work + FACTOR * cols;
    BY_LANES(lane_moments(mean + c, variance + c, x + c, rows, cols, width))
    for (int64_t j = begin; j < end; j++) {
        inverse[j] = 1 / sqrt_real(variance[j] + eps);
        factor[j] = inverse[j] * (scale ? scale[j] : 1);
    }
    normalise_columns(y, x, mean, factor, shift, rows, cols, relu, begin, end);
}

void DT_OF_ISA(batch_norm)(dt_real *y, dt_real *work, const dt_real *x, const dt_real *scale, const dt_real *shift,
                           int64_t rows, int64_t cols, dt_real eps, bool relu) {
    DT_OF_ISA(batch_norm_columns)(y, work, x, scale, shift, rows, cols, eps, relu, 0, cols);
}

/* to = from, or += */
static void give(dt_real *restrict to, const dt_real *restrict from, bool accumulate, int64_t begin, int64_t end) {
    if (!to) return;
    SIMD for (int64_t j = begin; j < end; j++) to[j] = (accumulate ? to[j] : 0) + from[j];
}

/* SUM and DOT from MEAN, INVERSE and FACTOR. */
static void column_sums(dt_real *work, const dt_real *dy, const dt_real *x, const dt_real *shift, int64_t rows,
                        int64_t cols, bool relu, int64_t begin, int64_t end) {
    BY_LANES(lane_sums(work + SUM * cols + c, work + DOT * cols + c, dy + c, x + c, work + MEAN * cols + c,
                       work + INVERSE * cols + c, work + FACTOR * cols + c, shift ? shift + c : NULL, rows, cols, relu,
                       width))
}

static void column_gradient(dt_real *dx, const dt_real *dy, const dt_real *x, const dt_real *work, const dt_real *shift,
                            int64_t rows, int64_t cols, bool relu, int64_t begin, int64_t end) {
    BY_LANES(lane_gradient(dx + c, dy + c, x + c, work + c, shift ? shift + c : NULL, rows, cols, relu, width))
}

void DT_OF_ISA(batch_norm_backward_columns)(dt_real *dx, dt_real *dscale, dt_real *dshift, dt_real *work,
                                            const dt_real *dy, const dt_real *x, const dt_real *shift, int64_t rows,
                                            int64_t cols, bool relu, bool accumulate, int64_t begin, int64_t end) {
    column_sums(work, dy, x, shift, rows, cols, relu, begin, end);
    give(dshift, work + SUM * cols, accumulate, begin, end);
    give(dscale, work + DOT * cols, accumulate, begin, end);
    if (!dx) return;
    for (int64_t j = begin; j < end; j++) {
        dt_real share = work[FACTOR * cols + j] / (dt_real)rows;
        work[LEVEL * cols + j] = share * work[SUM * cols + j];
        work[TILT * cols + j] = share * work[DOT * cols + j];
    }
    column_gradient(dx, dy, x, work, shift, rows, cols, relu, begin, end);
}

void DT_OF_ISA(batch_norm_backward)(dt_real *dx, dt_real *dscale, dt_real *dshift, dt_real *work, const dt_real *dy,
                                    const dt_real *x, const dt_real *shift, int64_t rows, int64_t cols, bool relu,
                                    bool accumulate) {
    DT_OF_ISA(batch_norm_backward_columns)
    (dx, dscale, dshift, work, dy, x, shift, rows, cols, relu, accumulate, 0, cols);
}

/* to = (from - mean)*inverse*scale + shift. Whoever calls it says what there is as a constant: a choice left to the
 * loop keeps clang from vectorising it. */
INLINE void scale_row(dt_real *to, const dt_real *from, dt_real mean, dt_real inverse, const dt_real *restrict scale,
                      const dt_real *restrict shift, int64_t cols, bool scaled, bool shifted) {
    SIMD for (int64_t j = 0; j < cols; j++) {
        to[j] = fma_real((from[j] - mean) * inverse, scaled ? scale[j] : 1, shifted ? shift[j] : 0);
    }
}

void DT_OF_ISA(row_norm)(dt_real *y, dt_real *stats, const dt_real *x, const dt_real *restrict scale,
                         const dt_real *restrict shift, int64_t rows, int64_t cols, dt_real eps, bool centred) {
    for (int64_t i = 0; i < rows; i++) {
        const dt_real *from = x + i * cols;
        dt_real *to = y + i * cols;
        dt_real sum[LANES], square[LANES];
        fill_lanes(sum, 0), fill_lanes(square, 0);
        if (centred) OVER_LANES(cols, sum[l] += from[j];);
        const dt_real mean = centred ? sum_of_lanes(sum) / (dt_real)cols : 0;
        OVER_LANES(cols, dt_real d = from[j] - mean; square[l] = fma_real(d, d, square[l]););
        const dt_real inverse = 1 / sqrt_real(sum_of_lanes(square) / (dt_real)cols + eps);
        if (scale && shift)
            scale_row(to, from, mean, inverse, scale, shift, cols, true, true);
        else if (scale)
            scale_row(to, from, mean, inverse, scale, NULL, cols, true, false);
        else
            scale_row(to, from, mean, inverse, NULL, shift, cols, false, shift != NULL);
        stats[2 * i] = mean;
        stats[2 * i + 1] = inverse;
    }
}

/* What a row adds to the column sums. */
INLINE void add_row_sums(dt_real *restrict dscale, dt_real *restrict dshift, const dt_real *g,
                         const dt_real *restrict from, dt_real mean, dt_real inverse, int64_t begin, int64_t end) {
    if (dshift) {
        SIMD for (int64_t j = begin; j < end; j++) dshift[j] += g[j];
    }
    if (dscale) {
        SIMD for (int64_t j = begin; j < end; j++) dscale[j] = fma_real(g[j] * (from[j] - mean), inverse, dscale[j]);
    }
}

void DT_OF_ISA(row_norm_sums_columns)(dt_real *dscale, dt_real *dshift, const dt_real *dy, const dt_real *x,
                                      const dt_real *stats, int64_t rows, int64_t cols, bool accumulate, int64_t begin,
                                      int64_t end) {
    if (dscale && !accumulate) memset(dscale + begin, 0, (size_t)(end - begin) * sizeof *dscale);
    if (dshift && !accumulate) memset(dshift + begin, 0, (size_t)(end - begin) * sizeof *dshift);
    for (int64_t i = 0; i < rows; i++)
        add_row_sums(dscale, dshift, dy + i * cols, x + i * cols, stats[2 * i], stats[2 * i + 1], begin, end);
}

void DT_OF_ISA(row_norm_backward)(dt_real *dx, dt_real *restrict dscale, dt_real *restrict dshift, const dt_real *dy,
                                  const dt_real *restrict x, const dt_real *restrict stats,
                                  const dt_real *restrict scale, int64_t rows, int64_t cols, bool centred,
                                  bool accumulate) {
    if (dscale && !accumulate) memset(dscale, 0, (size_t)cols * sizeof *dscale);
    if (dshift && !accumulate) memset(dshift, 0, (size_t)cols * sizeof *dshift);
    for (int64_t i = 0; i < rows; i++) {
        const dt_real *g = dy + i * cols, *restrict from = x + i * cols;
        const dt_real mean = stats[2 * i], inverse = stats[2 * i + 1];
        add_row_sums(dscale, dshift, g, from, mean, inverse, 0, cols);
        if (!dx) continue;
        dt_real sum[LANES], dot[LANES];
        fill_lanes(sum, 0), fill_lanes(dot, 0);
        OVER_LANES(cols, dt_real v = g[j] * (scale ? scale[j] : 1); sum[l] += v;
                   dot[l] = fma_real(v, from[j] - mean, dot[l]););
        const dt_real level = centred ? sum_of_lanes(sum) / (dt_real)cols : 0;
        const dt_real tilt = sum_of_lanes(dot) * inverse * inverse / (dt_real)cols;
        dt_real *to = dx + i * cols;
        SIMD for (int64_t j = 0; j < cols; j++) {
            to[j] = inverse * fma_real(-(from[j] - mean), tilt, fma_real(g[j], scale ? scale[j] : 1, -level));
        }
    }
}

/* MEAN, INVERSE and FACTOR of every column from its group's. */
static void spread_groups(dt_real *work, const dt_real *stats, const dt_real *scale, int64_t cols, int64_t groups,
                          int64_t begin, int64_t end) {
    const int64_t wide = cols / groups;
    for (int64_t j = begin; j < end; j++) {
        work[MEAN * cols + j] = stats[2 * (j / wide)];
        work[INVERSE * cols + j] = stats[2 * (j / wide) + 1];
        work[FACTOR * cols + j] = work[INVERSE * cols + j] * (scale ? scale[j] : 1);
    }
}

/* A group's mean and 1/deviation from its columns' means and variances. */
static void join_groups(dt_real *stats, const dt_real *work, int64_t cols, int64_t groups, dt_real eps, int64_t begin,
                        int64_t end) {
    const int64_t wide = cols / groups;
    for (int64_t g = begin / wide; g < end / wide; g++) {
        const dt_real *means = work + MEAN * cols + g * wide, *variances = work + VARIANCE * cols + g * wide;
        double mean = 0, variance = 0;
        for (int64_t j = 0; j < wide; j++) mean += (double)means[j] / (double)wide;
        for (int64_t j = 0; j < wide; j++) {
            double apart = (double)means[j] - mean;
            variance += fma_double(apart, apart, (double)variances[j]) / (double)wide;
        }
        stats[2 * g] = (dt_real)mean;
        stats[2 * g + 1] = (dt_real)(1 / sqrt(variance + (double)eps));
    }
}

void DT_OF_ISA(group_norm_columns)(dt_real *y, dt_real *stats, dt_real *work, const dt_real *x, const dt_real *scale,
                                   const dt_real *shift, int64_t rows, int64_t places, int64_t cols, int64_t groups,
                                   dt_real eps, int64_t begin, int64_t end) {
    dt_real *mean = work + MEAN * cols, *variance = work + VARIANCE * cols;
    for (int64_t i = 0; i < rows; i++) {
        const dt_real *from = x + i * places * cols;
        dt_real *own = stats + 2 * i * groups;
        BY_LANES(lane_moments(mean + c, variance + c, from + c, places, cols, width))
        join_groups(own, work, cols, groups, eps, begin, end);
        spread_groups(work, own, scale, cols, groups, begin, end);
        normalise_columns(y + i * places * cols, from, mean, work + FACTOR * cols, shift, places, cols, false, begin,
                          end);
    }
}

void DT_OF_ISA(group_norm)(dt_real *y, dt_real *stats, dt_real *work, const dt_real *x, const dt_real *scale,
                           const dt_real *shift, int64_t rows, int64_t places, int64_t cols, int64_t groups,
                           dt_real eps) {
    DT_OF_ISA(group_norm_columns)(y, stats, work, x, scale, shift, rows, places, cols, groups, eps, 0, cols);
}

void DT_OF_ISA(group_norm_backward_columns)(dt_real *dx, dt_real *dscale, dt_real *dshift, dt_real *work,
                                            const dt_real *dy, const dt_real *x, const dt_real *stats,
                                            const dt_real *scale, int64_t rows, int64_t places, int64_t cols,
                                            int64_t groups, bool accumulate, int64_t begin, int64_t end) {
    const int64_t wide = cols / groups;
    for (int64_t i = 0; i < rows; i++) {
        const dt_real *from = x + i * places * cols, *g = dy + i * places * cols;
        spread_groups(work, stats + 2 * i * groups, scale, cols, groups, begin, end);
        column_sums(work, g, from, NULL, places, cols, false, begin, end);
        give(dshift, work + SUM * cols, accumulate || i > 0, begin, end);
        give(dscale, work + DOT * cols, accumulate || i > 0, begin, end);
        if (!dx) continue;
        for (int64_t first = begin; first < end; first += wide) {
            double level = 0, tilt = 0;
            for (int64_t j = first; j < first + wide; j++) {
                level += (double)(work[FACTOR * cols + j] * work[SUM * cols + j]);
                tilt += (double)(work[FACTOR * cols + j] * work[DOT * cols + j]);
            }
            for (int64_t j = first; j < first + wide; j++) {
                work[LEVEL * cols + j] = (dt_real)(level / (double)(wide * places));
                work[TILT * cols + j] = (dt_real)(tilt / (double)(wide * places));
            }
        }
        column_gradient(dx + i * places * cols, g, from, work, NULL, places, cols, false, begin, end);
    }
}

void DT_OF_ISA(group_norm_backward)(dt_real *dx, dt_real *dscale, dt_real *dshift, dt_real *work, const dt_real *dy,
                                    const dt_real *x, const dt_real *stats, const dt_real *scale, int64_t rows,
                                    int64_t places, int64_t cols, int64_t groups, bool accumulate) {
    DT_OF_ISA(group_norm_backward_columns)
    (dx, dscale, dshift, work, dy, x, stats, scale, rows, places, cols, groups, accumulate, 0, cols);
}
