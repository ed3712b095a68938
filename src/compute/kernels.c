/* Every kernel that is not a matrix product, compiled once per instruction set (DT_KERNELS names the table, see
 * src/meson.build).
 *
 * The code is plain C that the compiler vectorises: loops over columns or flat arrays, no branches inside, elementary
 * functions written so that they inline. Reductions are marked `omp simd`, which fixes their order for a given
 * instruction set and length; nothing depends on alignment, thread or rank. */
#include "attention.h"
#include "elementary.h"
#include "matvec.h"
#include "recurrent.h"
#include "tokens.h"

#define ROUNDED_LIMIT 0x1p38 /* losses above are not in a tally's rounded sums */

/* ---- bias and activation --------------------------------------------------------------------------------------------
 */

/* One row: y = expression of v, where v = y + bias. */
#define ROWS_FORWARD(expression)                                                                                       \
    for (int64_t i = 0; i < rows; i++) {                                                                               \
        dt_real *restrict row = y + i * cols;                                                                          \
        if (b) {                                                                                                       \
            SIMD for (int64_t j = 0; j < cols; j++) {                                                                  \
                dt_real v = row[j] + b[j];                                                                             \
                row[j] = (expression);                                                                                 \
            }                                                                                                          \
        } else {                                                                                                       \
            SIMD for (int64_t j = 0; j < cols; j++) {                                                                  \
                dt_real v = row[j];                                                                                    \
                row[j] = (expression);                                                                                 \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    break

/* One row: y = expression of v and z = slope of v, where v = y + bias. What they have in common is computed once. */
#define ROWS_FORWARD_AND_SLOPE(expression, slope)                                                                      \
    for (int64_t i = 0; i < rows; i++) {                                                                               \
        dt_real *restrict row = y + i * cols, *restrict way_back = z + i * cols;                                       \
        if (b) SIMD for (int64_t j = 0; j < cols; j++) row[j] += b[j];                                                 \
        SIMD for (int64_t j = 0; j < cols; j++) {                                                                      \
            dt_real v = row[j];                                                                                        \
            way_back[j] = (slope);                                                                                     \
            row[j] = (expression);                                                                                     \
        }                                                                                                              \
    }                                                                                                                  \
    return

static void bias_activate(dt_real *y, dt_real *z, const dt_real *restrict b, int64_t rows, int64_t cols,
                          dt_activation act, dt_real slope) {
    switch (act) {
    case DT_LINEAR:
        if (!b) return;
        ROWS_FORWARD(v);
    case DT_SIGMOID: ROWS_FORWARD(sigmoid_real(v));
    case DT_TANH: ROWS_FORWARD(tanh_real(v));
    case DT_RELU: ROWS_FORWARD(v < 0 ? 0 : v);
    case DT_LEAKY_RELU: ROWS_FORWARD(v < 0 ? v * slope : v);
    case DT_GELU:
        if (z) {
            ROWS_FORWARD_AND_SLOPE(gelu_real(v), gelu_slope(v));
        }
        ROWS_FORWARD(gelu_real(v));
    case DT_SILU:
        if (z) {
            ROWS_FORWARD_AND_SLOPE(v * sigmoid_real(v), silu_slope(v));
        }
        ROWS_FORWARD(v * sigmoid_real(v));
    }
}

/* d *= factor, where o is the activation's output (from y) or slope (from z); the column sums follow in the same pass,
 * four rows at a time: a sum that waited for the row before would set the pace. */
#define ROWS_BACKWARD(source, factor)                                                                                  \
    for (int64_t i = 0; i < rows; i += 4) {                                                                            \
        dt_real *restrict d = dy + i * cols;                                                                           \
        const dt_real *restrict from = (source) + i * cols;                                                            \
        if (db && rows - i >= 4) {                                                                                     \
            SIMD for (int64_t j = 0; j < cols; j++) {                                                                  \
                dt_real sum[4];                                                                                        \
                for (int r = 0; r < 4; r++) {                                                                          \
                    dt_real o = from[r * cols + j];                                                                    \
                    sum[r] = d[r * cols + j] * (factor);                                                               \
                    d[r * cols + j] = sum[r];                                                                          \
                }                                                                                                      \
                db[j] += (sum[0] + sum[1]) + (sum[2] + sum[3]);                                                        \
            }                                                                                                          \
            continue;                                                                                                  \
        }                                                                                                              \
        const int64_t left = rows - i < 4 ? rows - i : 4;                                                              \
        SIMD for (int64_t j = 0; j < left * cols; j++) {                                                               \
            dt_real o = from[j];                                                                                       \
            d[j] = d[j] * (factor);                                                                                    \
        }                                                                                                              \
        for (int64_t r = 0; db && r < left; r++) SIMD for (int64_t j = 0; j < cols; j++) db[j] += d[r * cols + j];     \
    }                                                                                                                  \
    break

/* db += the sum of the rows of d, likewise. */
static void add_rows(dt_real *restrict db, const dt_real *restrict dy, int64_t rows, int64_t cols) {
    int64_t i = 0;
    for (; i + 4 <= rows; i += 4) {
        const dt_real *restrict d = dy + i * cols;
        SIMD for (int64_t j = 0; j < cols; j++) db[j] += (d[j] + d[cols + j]) + (d[2 * cols + j] + d[3 * cols + j]);
    }
    for (; i < rows; i++) SIMD for (int64_t j = 0; j < cols; j++) db[j] += dy[i * cols + j];
}

static void activate_backward(dt_real *dy, dt_real *restrict db, const dt_real *y, const dt_real *z, int64_t rows,
                              int64_t cols, dt_activation act, dt_real slope, bool accumulate) {
    if (db && !accumulate) memset(db, 0, (size_t)cols * sizeof *db);
    switch (act) {
    case DT_LINEAR:
        if (!db) return;
        add_rows(db, dy, rows, cols);
        break;
    case DT_SIGMOID: ROWS_BACKWARD(y, o * (1 - o));
    case DT_TANH: ROWS_BACKWARD(y, 1 - o * o);
    case DT_RELU: ROWS_BACKWARD(y, o > 0 ? LITERAL(1.0) : LITERAL(0.0));
    case DT_LEAKY_RELU: ROWS_BACKWARD(y, o > 0 ? LITERAL(1.0) : slope);
    case DT_GELU:
    case DT_SILU: ROWS_BACKWARD(z, o);
    }
}

/* ---- softmax --------------------------------------------------------------------------------------------------------
 */

static inline dt_real row_max(const dt_real *restrict x, int64_t n) {
    dt_real top = x[0];
    _Pragma("omp simd reduction(max : top)") for (int64_t j = 1; j < n; j++) top = x[j] > top ? x[j] : top;
    return top;
}

/* y = e^(x - top); returns the sum. y may be x. */
static inline dt_real row_exp(dt_real *y, const dt_real *x, int64_t n, dt_real top) {
    dt_real sum = 0;
    _Pragma("omp simd reduction(+ : sum)") for (int64_t j = 0; j < n; j++) {
        y[j] = exp_real(x[j] - top);
        sum += y[j];
    }
    return sum;
}

static inline dt_real sum_exp(const dt_real *x, int64_t n, dt_real top) {
    dt_real sum = 0;
    _Pragma("omp simd reduction(+ : sum)") for (int64_t j = 0; j < n; j++) sum += exp_real(x[j] - top);
    return sum;
}

static void softmax(dt_real *y, const dt_real *x, int64_t rows, int64_t cols) {
    for (int64_t i = 0; i < rows; i++) {
        dt_real *out = y + i * cols;
        const dt_real *in = x + i * cols;
        dt_real scale = 1 / row_exp(out, in, cols, row_max(in, cols));
        SIMD for (int64_t j = 0; j < cols; j++) out[j] *= scale;
    }
}

static void softmax_backward(dt_real *dx, const dt_real *dy, const dt_real *y, int64_t rows, int64_t cols) {
    for (int64_t i = 0; i < rows; i++) {
        const dt_real *d = dy + i * cols, *o = y + i * cols;
        dt_real dot = 0;
        _Pragma("omp simd reduction(+ : dot)") for (int64_t j = 0; j < cols; j++) dot += d[j] * o[j];
        dt_real *out = dx + i * cols;
        SIMD for (int64_t j = 0; j < cols; j++) out[j] = o[j] * (d[j] - dot);
    }
}

/* ---- losses ---------------------------------------------------------------------------------------------------------
 */

/* The index of the largest of n; the first among equals. */
static int64_t row_argmax(const dt_real *x, int64_t n) {
    int64_t best = 0;
    for (int64_t j = 1; j < n; j++)
        if (x[j] > x[best]) best = j;
    return best;
}

/* How many outputs come before the label's: larger ones, and equal ones of earlier classes. What is not a number is
 * above all, as in a pool. */
static int64_t rank_of_label(const dt_real *output, int64_t label, int64_t cols) {
    int64_t above = 0;
    dt_real mine = output[label];
    _Pragma("omp simd reduction(+ : above)") for (int64_t j = 0; j < cols; j++) above +=
        (!(output[j] <= mine)) | ((output[j] == mine) & (j < label));
    return above;
}

/* One sample. A sample whose loss is not a number is right in nothing, whatever its outputs compare to. */
static void tally_sample(dt_tally *tally, double loss, double abs_error, bool correct, bool in_top5) {
    if (++tally->samples % DT_SUM_ADDS == 0) dt_tally_carry(tally);
    if (!(loss < DT_SUM_LIMIT) || !(loss > -DT_SUM_LIMIT)) {
        tally->not_finite++;
        return;
    }
    tally->correct += correct;
    tally->correct_top5 += in_top5;
    dt_sum_add(&tally->loss, loss);
    dt_sum_add(&tally->abs_error, abs_error);
    if (!(loss < ROUNDED_LIMIT) || !(loss > -ROUNDED_LIMIT)) return;
    tally->rounded_loss = (int64_t)((uint64_t)tally->rounded_loss + (uint64_t)llrint(loss / DT_TALLY_UNIT));
    tally->rounded_abs_error =
        (int64_t)((uint64_t)tally->rounded_abs_error + (uint64_t)llrint(abs_error / DT_TALLY_UNIT));
}

/* Whether row i counts; where it does not its gradient is zero. */
static inline bool row_counts(const int32_t *labels, int64_t row, dt_real *output, int64_t cols, bool gradient) {
    if (!labels || labels[row] >= 0) return true;
    if (gradient) memset(output, 0, (size_t)cols * sizeof *output);
    return false;
}

static inline dt_real target_at(const int32_t *labels, const dt_real *values, int64_t row, int64_t col, int64_t cols) {
    if (values) return values[row * cols + col];
    return labels[row] == col ? LITERAL(1.0) : LITERAL(0.0);
}

/* Rows of few classes are worked on in whole vectors: a loop over ten elements is mostly its scalar rest. */
#define NARROW 64
#define WHOLE 16

/* The row and, up to a multiple of WHOLE, classes that cannot be; their number. */
static inline int64_t widen_row(dt_real *restrict to, const dt_real *restrict row, int64_t cols) {
    int64_t width = (cols + WHOLE - 1) / WHOLE * WHOLE;
    SIMD for (int64_t j = 0; j < width; j++) to[j] = j < cols ? row[j] : (dt_real)-INFINITY;
    return width;
}

static void softmax_cross_entropy(dt_real *output, const int32_t *labels, const dt_real *values, int64_t rows,
                                  int64_t cols, dt_real smoothing, bool gradient, dt_tally *tally) {
    const dt_real even = smoothing / (dt_real)cols;
    for (int64_t i = 0; i < rows; i++) {
        dt_real *o = output + i * cols;
        if (!row_counts(labels, i, o, cols, gradient)) continue;
        const dt_real *t = values ? values + i * cols : NULL;
        dt_real narrow[NARROW], *row = o;
        int64_t width = cols;
        if (cols < NARROW) width = widen_row(row = narrow, o, cols);
        dt_real top = row_max(row, width);
        /* sum of t*(o - top), and of t, for the smoothed target t */
        dt_real dot = 0, mass = 0;
        if (t) {
            for (int64_t j = 0; j < cols; j++) {
                dt_real target = (1 - smoothing) * t[j] + even;
                dot += target * (o[j] - top);
                mass += target;
            }
        } else {
            if (even > 0)
                for (int64_t j = 0; j < cols; j++) dot += even * (o[j] - top);
            dot += (1 - smoothing) * (o[labels[i]] - top);
            mass = 1;
        }
        int64_t above = rank_of_label(row, t ? row_argmax(t, cols) : labels[i], width);
        dt_real sum = gradient || row == narrow ? row_exp(row, row, width, top) : sum_exp(row, width, top);
        tally_sample(tally, (double)mass * log((double)sum) - (double)dot, 0, above == 0, above < 5);
        if (!gradient) continue;
        dt_real scale = mass / sum;
        if (t) {
            for (int64_t j = 0; j < cols; j++) o[j] = row[j] * scale - ((1 - smoothing) * t[j] + even);
        } else {
            SIMD for (int64_t j = 0; j < width; j++) if (j < cols) o[j] = row[j] * scale - even;
            o[labels[i]] -= 1 - smoothing;
        }
    }
}

/* Classes are counted when targets are labels, or one column decides at one half; else nothing is above nothing. */
static int64_t rank_in_vector(const dt_real *o, const int32_t *labels, int64_t row, int64_t cols) {
    return labels && cols > 1 ? rank_of_label(o, labels[row], cols) : INT64_MAX;
}

static void mean_squared_error(dt_real *output, const int32_t *labels, const dt_real *values, int64_t rows,
                               int64_t cols, bool gradient, dt_tally *tally) {
    for (int64_t i = 0; i < rows; i++) {
        dt_real *o = output + i * cols;
        if (!row_counts(labels, i, o, cols, gradient)) continue;
        int64_t above = rank_in_vector(o, labels, i, cols);
        double loss = 0, absolute = 0;
        for (int64_t j = 0; j < cols; j++) {
            dt_real target = labels && cols == 1 ? (dt_real)labels[i] : target_at(labels, values, i, j, cols);
            dt_real error = o[j] - target;
            loss += 0.5 * (double)error * (double)error;
            absolute += fabs((double)error);
            if (gradient) o[j] = error;
        }
        tally_sample(tally, loss, absolute / (double)cols, above == 0, above < 5);
    }
}

static void binary_cross_entropy(dt_real *output, const int32_t *labels, const dt_real *values, int64_t rows,
                                 int64_t cols, dt_real smoothing, bool gradient, dt_tally *tally) {
    for (int64_t i = 0; i < rows; i++) {
        dt_real *o = output + i * cols;
        if (!row_counts(labels, i, o, cols, gradient)) continue;
        int64_t above = rank_in_vector(o, labels, i, cols);
        double loss = 0, absolute = 0;
        int64_t right = 0;
        for (int64_t j = 0; j < cols; j++) {
            dt_real hard = labels && cols == 1 ? (dt_real)labels[i] : target_at(labels, values, i, j, cols);
            dt_real target = (1 - smoothing) * hard + smoothing / 2;
            dt_real probability = sigmoid_real(o[j]);
            /* max(o, 0) - o t + log(1 + e^-|o|): no overflow for any o */
            double x = (double)o[j];
            loss += (x > 0 ? x : 0) - x * (double)target + log1p(exp(-fabs(x)));
            absolute += fabs((double)(probability - hard));
            right += (o[j] > 0) == (hard > LITERAL(0.5));
            if (gradient) o[j] = x != x ? o[j] : probability - target;
        }
        bool all_right = !(labels && cols > 1) && right == cols;
        tally_sample(tally, loss, absolute / (double)cols, above == 0 || all_right, above < 5);
    }
}

/* ---- normalisation --------------------------------------------------------------------------------------------------
 */

/* Columns are taken LANES at a time, so that their sums stay in registers, and rows in blocks: within a block sums are
 * dt_real, over blocks double, so sums over a batch of pictures lose nothing. */
#define LANES 16
#define BLOCK 64

/* The vectors of `work`. */
enum { MEAN, VARIANCE, INVERSE, FACTOR, SUM, DOT, LEVEL, TILT, WORK_VECTORS };
_Static_assert(WORK_VECTORS == DT_NORM_WORK, "compute.h says how many there are");

#define FOR_LANES for (int j = 0; j < width; j++)
/* Calls a function on LANES columns at a time with a width the compiler knows, and on the rest. */
#define BY_LANES(cols, call)                                                                                           \
    for (int64_t c = 0; c < (cols); c += LANES) {                                                                      \
        if ((cols)-c >= LANES) {                                                                                       \
            const int width = LANES;                                                                                   \
            call;                                                                                                      \
        } else {                                                                                                       \
            const int width = (int)((cols)-c);                                                                         \
            call;                                                                                                      \
        }                                                                                                              \
    }
#define INLINE static inline __attribute__((always_inline))

/* Mean and mean squared deviation. A block's are taken in two passes while it is in cache and joined to those of the
 * blocks before (Chan, Golub, LeVeque 1983, equation 2.1). */
INLINE void lane_moments(dt_real *mean, dt_real *variance, const dt_real *restrict x, int64_t rows, int64_t cols,
                         int width) {
    double middle[LANES] = {0}, square[LANES] = {0};
    for (int64_t at = 0; at < rows; at += BLOCK) {
        int64_t n = rows - at < BLOCK ? rows - at : BLOCK;
        const dt_real *restrict block = x + at * cols;
        dt_real sum[LANES] = {0}, squares[LANES] = {0};
        for (int64_t i = 0; i < n; i++) {
            SIMD FOR_LANES sum[j] += block[i * cols + j];
        }
        SIMD FOR_LANES sum[j] /= (dt_real)n;
        for (int64_t i = 0; i < n; i++) {
            SIMD FOR_LANES squares[j] += (block[i * cols + j] - sum[j]) * (block[i * cols + j] - sum[j]);
        }
        double share = (double)n / (double)(at + n);
        SIMD FOR_LANES {
            double apart = (double)sum[j] - middle[j];
            square[j] += (double)squares[j] + apart * apart * share * (double)at;
            middle[j] += apart * share;
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
    dt_real floor[LANES] = {0};
    FOR_LANES floor[j] = shift ? shift[j] : 0;
    for (int64_t at = 0; at < rows; at += BLOCK) {
        int64_t end = rows - at < BLOCK ? rows : at + BLOCK;
        dt_real sum[LANES] = {0}, dot[LANES] = {0};
        for (int64_t i = at; i < end; i++) {
            SIMD FOR_LANES {
                dt_real d = x[i * cols + j] - mean[j], g = dy[i * cols + j];
                if (relu) g = d * factor[j] + floor[j] > 0 ? g : 0;
                sum[j] += g;
                dot[j] += g * d * inverse[j];
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
            if (relu) g = d * factor[j] + floor[j] > 0 ? g : 0;
            dx[i * cols + j] = g * factor[j] - level[j] - d * slope[j];
        }
    }
}

static void normalise(dt_real *y, const dt_real *x, const dt_real *restrict mean, const dt_real *restrict factor,
                      const dt_real *restrict shift, int64_t rows, int64_t cols, bool relu) {
    const dt_real least = relu ? 0 : -(dt_real)INFINITY;
    for (int64_t i = 0; i < rows; i++) {
        const dt_real *from = x + i * cols;
        dt_real *to = y + i * cols;
        SIMD for (int64_t j = 0; j < cols; j++) {
            dt_real v = (from[j] - mean[j]) * factor[j] + (shift ? shift[j] : 0);
            to[j] = v < least ? least : v;
        }
    }
}

static void batch_norm(dt_real *y, dt_real *work, const dt_real *x, const dt_real *scale, const dt_real *shift,
                       int64_t rows, int64_t cols, dt_real eps, bool relu) {
    dt_real *mean = work + MEAN * cols, *variance = work + VARIANCE * cols;
    dt_real *inverse = work + INVERSE * cols, *factor = work + FACTOR * cols;
    BY_LANES(cols, lane_moments(mean + c, variance + c, x + c, rows, cols, width))
    for (int64_t j = 0; j < cols; j++) {
        inverse[j] = 1 / sqrt_real(variance[j] + eps);
        factor[j] = inverse[j] * (scale ? scale[j] : 1);
    }
    normalise(y, x, mean, factor, shift, rows, cols, relu);
}

/* to = from, or += */
static void give(dt_real *restrict to, const dt_real *restrict from, int64_t n, bool accumulate) {
    if (!to) return;
    SIMD for (int64_t j = 0; j < n; j++) to[j] = (accumulate ? to[j] : 0) + from[j];
}

/* SUM and DOT from MEAN, INVERSE and FACTOR. */
static void column_sums(dt_real *work, const dt_real *dy, const dt_real *x, const dt_real *shift, int64_t rows,
                        int64_t cols, bool relu) {
    BY_LANES(cols, lane_sums(work + SUM * cols + c, work + DOT * cols + c, dy + c, x + c, work + MEAN * cols + c,
                             work + INVERSE * cols + c, work + FACTOR * cols + c, shift ? shift + c : NULL, rows, cols,
                             relu, width))
}

static void column_gradient(dt_real *dx, const dt_real *dy, const dt_real *x, const dt_real *work, const dt_real *shift,
                            int64_t rows, int64_t cols, bool relu) {
    BY_LANES(cols, lane_gradient(dx + c, dy + c, x + c, work + c, shift ? shift + c : NULL, rows, cols, relu, width))
}

static void batch_norm_backward(dt_real *dx, dt_real *dscale, dt_real *dshift, dt_real *work, const dt_real *dy,
                                const dt_real *x, const dt_real *shift, int64_t rows, int64_t cols, bool relu,
                                bool accumulate) {
    column_sums(work, dy, x, shift, rows, cols, relu);
    give(dshift, work + SUM * cols, cols, accumulate);
    give(dscale, work + DOT * cols, cols, accumulate);
    if (!dx) return;
    for (int64_t j = 0; j < cols; j++) {
        dt_real share = work[FACTOR * cols + j] / (dt_real)rows;
        work[LEVEL * cols + j] = share * work[SUM * cols + j];
        work[TILT * cols + j] = share * work[DOT * cols + j];
    }
    column_gradient(dx, dy, x, work, shift, rows, cols, relu);
}

static void row_norm(dt_real *y, dt_real *stats, const dt_real *x, const dt_real *restrict scale,
                     const dt_real *restrict shift, int64_t rows, int64_t cols, dt_real eps, bool centred) {
    for (int64_t i = 0; i < rows; i++) {
        const dt_real *from = x + i * cols;
        dt_real *to = y + i * cols;
        dt_real sum = 0, square = 0;
        if (centred) {
            _Pragma("omp simd reduction(+ : sum)") for (int64_t j = 0; j < cols; j++) sum += from[j];
        }
        dt_real mean = sum / (dt_real)cols;
        _Pragma("omp simd reduction(+ : square)") for (int64_t j = 0; j < cols; j++) square +=
            (from[j] - mean) * (from[j] - mean);
        dt_real inverse = 1 / sqrt_real(square / (dt_real)cols + eps);
        SIMD for (int64_t j = 0; j < cols; j++) {
            to[j] = (from[j] - mean) * inverse * (scale ? scale[j] : 1) + (shift ? shift[j] : 0);
        }
        stats[2 * i] = mean;
        stats[2 * i + 1] = inverse;
    }
}

static void row_norm_backward(dt_real *dx, dt_real *restrict dscale, dt_real *restrict dshift, const dt_real *dy,
                              const dt_real *restrict x, const dt_real *restrict stats, const dt_real *restrict scale,
                              int64_t rows, int64_t cols, bool centred, bool accumulate) {
    if (dscale && !accumulate) memset(dscale, 0, (size_t)cols * sizeof *dscale);
    if (dshift && !accumulate) memset(dshift, 0, (size_t)cols * sizeof *dshift);
    for (int64_t i = 0; i < rows; i++) {
        const dt_real *g = dy + i * cols, *restrict from = x + i * cols;
        const dt_real mean = stats[2 * i], inverse = stats[2 * i + 1];
        if (dshift) {
            SIMD for (int64_t j = 0; j < cols; j++) dshift[j] += g[j];
        }
        if (dscale) {
            SIMD for (int64_t j = 0; j < cols; j++) dscale[j] += g[j] * (from[j] - mean) * inverse;
        }
        if (!dx) continue;
        dt_real sum = 0, dot = 0;
        _Pragma("omp simd reduction(+ : sum, dot)") for (int64_t j = 0; j < cols; j++) {
            dt_real v = g[j] * (scale ? scale[j] : 1);
            sum += v;
            dot += v * (from[j] - mean);
        }
        const dt_real level = centred ? sum / (dt_real)cols : 0, tilt = dot * inverse * inverse / (dt_real)cols;
        dt_real *to = dx + i * cols;
        SIMD for (int64_t j = 0; j < cols; j++) {
            to[j] = inverse * (g[j] * (scale ? scale[j] : 1) - level - (from[j] - mean) * tilt);
        }
    }
}

/* MEAN, INVERSE and FACTOR of every column from its group's. */
static void spread_groups(dt_real *work, const dt_real *stats, const dt_real *scale, int64_t cols, int64_t groups) {
    const int64_t wide = cols / groups;
    for (int64_t j = 0; j < cols; j++) {
        work[MEAN * cols + j] = stats[2 * (j / wide)];
        work[INVERSE * cols + j] = stats[2 * (j / wide) + 1];
        work[FACTOR * cols + j] = work[INVERSE * cols + j] * (scale ? scale[j] : 1);
    }
}

/* A group's mean and 1/deviation from its columns' means and variances. */
static void join_groups(dt_real *stats, const dt_real *work, int64_t cols, int64_t groups, dt_real eps) {
    const int64_t wide = cols / groups;
    for (int64_t g = 0; g < groups; g++) {
        const dt_real *means = work + MEAN * cols + g * wide, *variances = work + VARIANCE * cols + g * wide;
        double mean = 0, variance = 0;
        for (int64_t j = 0; j < wide; j++) mean += (double)means[j] / (double)wide;
        for (int64_t j = 0; j < wide; j++) {
            double apart = (double)means[j] - mean;
            variance += ((double)variances[j] + apart * apart) / (double)wide;
        }
        stats[2 * g] = (dt_real)mean;
        stats[2 * g + 1] = (dt_real)(1 / sqrt(variance + (double)eps));
    }
}

static void group_norm(dt_real *y, dt_real *stats, dt_real *work, const dt_real *x, const dt_real *scale,
                       const dt_real *shift, int64_t rows, int64_t places, int64_t cols, int64_t groups, dt_real eps) {
    dt_real *mean = work + MEAN * cols, *variance = work + VARIANCE * cols;
    for (int64_t i = 0; i < rows; i++) {
        const dt_real *from = x + i * places * cols;
        dt_real *own = stats + 2 * i * groups;
        BY_LANES(cols, lane_moments(mean + c, variance + c, from + c, places, cols, width))
        join_groups(own, work, cols, groups, eps);
        spread_groups(work, own, scale, cols, groups);
        normalise(y + i * places * cols, from, mean, work + FACTOR * cols, shift, places, cols, false);
    }
}

static void group_norm_backward(dt_real *dx, dt_real *dscale, dt_real *dshift, dt_real *work, const dt_real *dy,
                                const dt_real *x, const dt_real *stats, const dt_real *scale, int64_t rows,
                                int64_t places, int64_t cols, int64_t groups, bool accumulate) {
    const int64_t wide = cols / groups;
    for (int64_t i = 0; i < rows; i++) {
        const dt_real *from = x + i * places * cols, *g = dy + i * places * cols;
        spread_groups(work, stats + 2 * i * groups, scale, cols, groups);
        column_sums(work, g, from, NULL, places, cols, false);
        give(dshift, work + SUM * cols, cols, accumulate || i > 0);
        give(dscale, work + DOT * cols, cols, accumulate || i > 0);
        if (!dx) continue;
        for (int64_t first = 0; first < cols; first += wide) {
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
        column_gradient(dx + i * places * cols, g, from, work, NULL, places, cols, false);
    }
}

/* ---- branches and resolution ----------------------------------------------------------------------------------------
 */

static void sum_activate(dt_real *y, const dt_real *a, const dt_real *b, int64_t n, bool relu) {
    const dt_real least = relu ? 0 : -(dt_real)INFINITY;
    SIMD for (int64_t i = 0; i < n; i++) {
        dt_real v = a[i] + b[i];
        y[i] = v < least ? least : v;
    }
}

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

static void upsample(dt_real *restrict y, const dt_real *x, const dt_upsampling *u, int64_t rows) {
    FOR_TARGETS(u, rows) {
        CORNERS(u, x);
        dt_real *restrict to = y + (line * columns + column) * cols;
        if (u->linear) {
            SIMD for (int64_t j = 0; j < cols; j++) to[j] = w0 * p0[j] + w1 * p1[j] + w2 * p2[j] + w3 * p3[j];
        } else {
            SIMD for (int64_t j = 0; j < cols; j++) to[j] = p0[j];
        }
    }
}

static void upsample_backward(dt_real *dx, const dt_real *restrict dy, const dt_upsampling *u, int64_t rows) {
    memset(dx, 0, (size_t)(rows * u->height * u->width * u->cols) * sizeof *dx);
    FOR_TARGETS(u, rows) {
        CORNERS(u, dx);
        const dt_real *restrict from = dy + (line * columns + column) * cols;
        if (u->linear) {
            for (int64_t j = 0; j < cols; j++) {
                p0[j] += w0 * from[j];
                p1[j] += w1 * from[j];
                p2[j] += w2 * from[j];
                p3[j] += w3 * from[j];
            }
        } else {
            SIMD for (int64_t j = 0; j < cols; j++) p0[j] += from[j];
        }
    }
}

/* ---- dropout --------------------------------------------------------------------------------------------------------
 */

#define DROPOUT_BLOCKS 64 /* Philox blocks at a time; 4 words each */

/* words[w][b] is word w of block first + b of a sample: dt_stream_block for a run of blocks, in vectors. */
static void philox_run(uint32_t words[4][DROPOUT_BLOCKS], dt_stream stream, uint64_t sample, uint64_t first) {
    SIMD for (int b = 0; b < DROPOUT_BLOCKS; b++) {
        uint64_t block = first + (uint64_t)b;
        uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32), c2 = (uint32_t)sample,
                 c3 = (uint32_t)(sample >> 32);
        uint32_t k0 = stream.key[0], k1 = stream.key[1];
        for (int round = 0; round < 10; round++) {
            uint64_t p0 = (uint64_t)c0 * UINT64_C(0xD2511F53), p1 = (uint64_t)c2 * UINT64_C(0xCD9E8D57);
            uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
            c1 = (uint32_t)p1;
            c3 = (uint32_t)p0;
            c0 = n0;
            c2 = n2;
            k0 += 0x9E3779B9U;
            k1 += 0xBB67AE85U;
        }
        words[0][b] = c0;
        words[1][b] = c1;
        words[2][b] = c2;
        words[3][b] = c3;
    }
}

/* Element e of a sample uses word (e/64)%4 of block (e/256)*64 + e%64. */
static void dropout(dt_real *y, const dt_real *x, int64_t rows, int64_t cols, dt_real rate, dt_stream stream,
                    uint64_t first_sample) {
    const int64_t run = 4 * DROPOUT_BLOCKS;
    double limit = (double)rate * 0x1p32;
    uint32_t threshold = limit < 4294967295.0 ? (uint32_t)limit : UINT32_MAX;
    dt_real scale = 1 / (1 - rate);
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t at = 0; at < cols; at += run) {
            uint32_t words[4][DROPOUT_BLOCKS];
            philox_run(words, stream, first_sample + (uint64_t)i, (uint64_t)(at / 4));
            const uint32_t *restrict draw = &words[0][0];
            const dt_real *from = x + i * cols + at;
            dt_real *to = y + i * cols + at;
            int64_t n = cols - at < run ? cols - at : run;
            SIMD for (int64_t j = 0; j < n; j++) to[j] = draw[j] >= threshold ? from[j] * scale : 0;
        }
    }
}

/* ---- pools ----------------------------------------------------------------------------------------------------------
 */

/* The part of one output pixel's window that is inside the picture: `n` of the window's pixels down and across, from
 * `first` on, and the picture's pixel there. */
typedef struct visible {
    int64_t first[2], n[2], pixel;
} visible;

static inline visible visible_at(const dt_window *window, int64_t i, int64_t j) {
    visible v;
    int64_t at[2] = {i * window->stride[0] - window->before[0], j * window->stride[1] - window->before[1]};
    for (int d = 0; d < 2; d++) {
        int64_t end = window->in[d] - at[d];
        if (end > window->kernel[d]) end = window->kernel[d];
        v.first[d] = at[d] < 0 ? -at[d] : 0;
        v.n[d] = end - v.first[d];
        at[d] += v.first[d];
    }
    v.pixel = at[0] * window->in[1] + at[1];
    return v;
}

/* Runs `body` for every output pixel of every row, with its window `v`, the pictures `in` and the output pixel's place
 * `out`, both in elements. */
#define FOR_WINDOWS(body)                                                                                              \
    for (int64_t row_ = 0; row_ < rows; row_++)                                                                        \
        for (int64_t i_ = 0; i_ < window->out[0]; i_++)                                                                \
            for (int64_t j_ = 0; j_ < window->out[1]; j_++) {                                                          \
                const visible v = visible_at(window, i_, j_);                                                          \
                const int64_t in = (row_ * window->in[0] * window->in[1] + v.pixel) * channels;                        \
                const int64_t out = ((row_ * window->out[0] + i_) * window->out[1] + j_) * channels;                   \
                body                                                                                                   \
            }

/* Runs `body` for every pixel of window v, in scan order: its number `tap` in the whole window and its place `at`. */
#define FOR_TAPS(body)                                                                                                 \
    for (int64_t a_ = 0; a_ < v.n[0]; a_++)                                                                            \
        for (int64_t b_ = 0; b_ < v.n[1]; b_++) {                                                                      \
            const int32_t tap = (int32_t)((v.first[0] + a_) * window->kernel[1] + v.first[1] + b_);                    \
            const int64_t at = in + (a_ * window->in[1] + b_) * channels;                                              \
            body                                                                                                       \
        }

/* Whether all of a window of 2x2 is inside: what nearly every max pool has, so it gets a pass of its own. */
static inline bool is_square_of_two(const dt_window *window, visible v) {
    return window->kernel[0] == 2 && window->kernel[1] == 2 && v.n[0] == 2 && v.n[1] == 2;
}

/* The larger of a and b and whose it is: a's among equals, and whichever is NaN. */
#define LARGER(a, a_is, b, b_is)                                                                                       \
    do {                                                                                                               \
        bool larger_ = ((b) > (a)) | ((b) != (b));                                                                     \
        (a) = larger_ ? (b) : (a);                                                                                     \
        (a_is) = larger_ ? (b_is) : (a_is);                                                                            \
    } while (0)

static inline void max_of_four(dt_real *restrict best, int32_t *restrict won, const dt_real *restrict x, int64_t down,
                               int64_t channels) {
    const dt_real *restrict x1 = x + channels, *restrict x2 = x + down, *restrict x3 = x2 + channels;
    SIMD for (int64_t c = 0; c < channels; c++) {
        dt_real a = x[c];
        int32_t tap = 0;
        LARGER(a, tap, x1[c], 1);
        LARGER(a, tap, x2[c], 2);
        LARGER(a, tap, x3[c], 3);
        best[c] = a;
        won[c] = tap;
    }
}

static void max_pool(dt_real *restrict y, int32_t *restrict winner, const dt_real *restrict x, const dt_window *window,
                     int64_t rows, int64_t channels) {
    FOR_WINDOWS({
        dt_real *restrict best = y + out;
        int32_t *restrict won = winner + out;
        if (is_square_of_two(window, v)) {
            max_of_four(best, won, x + in, window->in[1] * channels, channels);
            continue;
        }
        const int32_t start = (int32_t)(v.first[0] * window->kernel[1] + v.first[1]);
        FOR_TAPS({
            const dt_real *restrict here = x + at;
            if (tap == start) {
                memcpy(best, here, (size_t)channels * sizeof *best);
                for (int64_t c = 0; c < channels; c++) won[c] = tap;
            } else {
                SIMD for (int64_t c = 0; c < channels; c++) LARGER(best[c], won[c], here[c], tap);
            }
        })
    })
}

/* Whether windows of 2x2 cover the picture without overlap: a backward pass then writes where it adds otherwise. */
static bool squares_tile(const dt_window *window) {
    for (int d = 0; d < 2; d++)
        if (window->kernel[d] != 2 || window->stride[d] != 2 || window->before[d] != 0 ||
            window->in[d] != 2 * window->out[d])
            return false;
    return true;
}

static inline void give_to_one_of_four(dt_real *restrict dx, const dt_real *restrict dy, const int32_t *restrict won,
                                       int64_t down, int64_t channels) {
    dt_real *restrict d1 = dx + channels, *restrict d2 = dx + down, *restrict d3 = d2 + channels;
    SIMD for (int64_t c = 0; c < channels; c++) {
        const dt_real d = dy[c];
        const int32_t tap = won[c];
        dx[c] = tap == 0 ? d : 0;
        d1[c] = tap == 1 ? d : 0;
        d2[c] = tap == 2 ? d : 0;
        d3[c] = tap == 3 ? d : 0;
    }
}

static void max_pool_backward(dt_real *restrict dx, const dt_real *restrict dy, const int32_t *restrict winner,
                              const dt_window *window, int64_t rows, int64_t channels) {
    const bool write = squares_tile(window);
    if (!write) memset(dx, 0, (size_t)(rows * window->in[0] * window->in[1] * channels) * sizeof *dx);
    FOR_WINDOWS({
        const dt_real *restrict d = dy + out;
        const int32_t *restrict won = winner + out;
        if (write) {
            give_to_one_of_four(dx + in, d, won, window->in[1] * channels, channels);
            continue;
        }
        FOR_TAPS({
            dt_real *restrict to = dx + at;
            SIMD for (int64_t c = 0; c < channels; c++) to[c] += won[c] == tap ? d[c] : 0;
        })
    })
}

static void avg_pool(dt_real *restrict y, const dt_real *restrict x, const dt_window *window, int64_t rows,
                     int64_t channels) {
    FOR_WINDOWS({
        dt_real *restrict mean = y + out;
        const dt_real share = 1 / (dt_real)(v.n[0] * v.n[1]);
        memset(mean, 0, (size_t)channels * sizeof *mean);
        FOR_TAPS({
            (void)tap;
            const dt_real *restrict here = x + at;
            SIMD for (int64_t c = 0; c < channels; c++) mean[c] += here[c];
        })
        SIMD for (int64_t c = 0; c < channels; c++) mean[c] *= share;
    })
}

static void avg_pool_backward(dt_real *restrict dx, const dt_real *restrict dy, const dt_window *window, int64_t rows,
                              int64_t channels) {
    memset(dx, 0, (size_t)(rows * window->in[0] * window->in[1] * channels) * sizeof *dx);
    FOR_WINDOWS({
        const dt_real *restrict d = dy + out;
        const dt_real share = 1 / (dt_real)(v.n[0] * v.n[1]);
        FOR_TAPS({
            (void)tap;
            dt_real *restrict to = dx + at;
            SIMD for (int64_t c = 0; c < channels; c++) to[c] += d[c] * share;
        })
    })
}

/* ---- update rules ---------------------------------------------------------------------------------------------------
 */

/* The gradient an update rule sees: scaled, limited, with L2. The limits are written so that NaN passes. */
static inline dt_real effective(dt_real g, dt_real w, dt_real scale, dt_real limit, dt_real l2) {
    dt_real scaled = g * scale;
    scaled = scaled > limit ? limit : scaled;
    scaled = scaled < -limit ? -limit : scaled;
    return scaled + l2 * w;
}

/* A limit of 0 means none. */
static inline dt_real limit_of(const dt_update *u) {
    return u->grad_limit > 0 ? u->grad_limit : (dt_real)INFINITY;
}

static void sgd(dt_real *restrict w, dt_real *restrict velocity, const dt_real *restrict g, int64_t n,
                const dt_update *u) {
    const dt_real lr = u->lr, scale = u->grad_scale, limit = limit_of(u), l2 = u->l2, decay = u->lr * u->decay;
    const dt_real momentum = u->momentum;
    if (!velocity) {
        SIMD for (int64_t i = 0; i < n; i++) {
            dt_real d = effective(g[i], w[i], scale, limit, l2);
            w[i] -= lr * d + decay * w[i];
        }
        return;
    }
    const dt_real look = u->nesterov ? momentum : 1, fresh = u->nesterov ? 1 : 0;
    SIMD for (int64_t i = 0; i < n; i++) {
        dt_real d = effective(g[i], w[i], scale, limit, l2);
        dt_real v = momentum * velocity[i] + d;
        velocity[i] = v;
        w[i] -= lr * (look * v + fresh * d) + decay * w[i];
    }
}

static void adam(dt_real *restrict w, dt_real *restrict m, dt_real *restrict v, const dt_real *restrict g, int64_t n,
                 const dt_update *u) {
    const dt_real scale = u->grad_scale, limit = limit_of(u), l2 = u->l2, decay = u->lr * u->decay;
    const dt_real b1 = u->beta1, b2 = u->beta2, n1 = 1 - u->beta1, n2 = 1 - u->beta2, eps = u->eps;
    const dt_real rate = u->lr * u->correction1, c2 = u->correction2;
    SIMD for (int64_t i = 0; i < n; i++) {
        dt_real d = effective(g[i], w[i], scale, limit, l2);
        dt_real mi = b1 * m[i] + n1 * d;
        dt_real vi = b2 * v[i] + n2 * d * d;
        m[i] = mi;
        v[i] = vi;
#ifdef DT_REAL_DOUBLE
        w[i] -= rate * mi / (sqrt(vi * c2) + eps) + decay * w[i];
#else
        w[i] -= rate * mi / (sqrtf(vi * c2) + eps) + decay * w[i];
#endif
    }
}

static void rmsprop(dt_real *restrict w, dt_real *restrict v, dt_real *restrict velocity, const dt_real *restrict g,
                    int64_t n, const dt_update *u) {
    const dt_real lr = u->lr, scale = u->grad_scale, limit = limit_of(u), l2 = u->l2, decay = u->lr * u->decay;
    const dt_real rho = u->rho, fresh = 1 - u->rho, eps = u->eps, momentum = u->momentum;
    if (!velocity) {
        SIMD for (int64_t i = 0; i < n; i++) {
            dt_real d = effective(g[i], w[i], scale, limit, l2);
            v[i] = rho * v[i] + fresh * d * d;
            w[i] -= lr * d / (sqrt_real(v[i]) + eps) + decay * w[i];
        }
        return;
    }
    SIMD for (int64_t i = 0; i < n; i++) {
        dt_real d = effective(g[i], w[i], scale, limit, l2);
        v[i] = rho * v[i] + fresh * d * d;
        velocity[i] = momentum * velocity[i] + d / (sqrt_real(v[i]) + eps);
        w[i] -= lr * velocity[i] + decay * w[i];
    }
}

static void adagrad(dt_real *restrict w, dt_real *restrict sum, const dt_real *restrict g, int64_t n,
                    const dt_update *u) {
    const dt_real lr = u->lr, scale = u->grad_scale, limit = limit_of(u), l2 = u->l2, decay = u->lr * u->decay;
    const dt_real eps = u->eps;
    SIMD for (int64_t i = 0; i < n; i++) {
        dt_real d = effective(g[i], w[i], scale, limit, l2);
        sum[i] += d * d;
        w[i] -= lr * d / (sqrt_real(sum[i]) + eps) + decay * w[i];
    }
}

/* ---- flat arrays ----------------------------------------------------------------------------------------------------
 */

static double sum_squares(const dt_real *restrict x, int64_t n) {
    double sum = 0;
    _Pragma("omp simd reduction(+ : sum)") for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    return sum;
}

static void blend(dt_real *restrict w, const dt_real *restrict g, int64_t n, dt_real keep, dt_real share) {
    SIMD for (int64_t i = 0; i < n; i++) w[i] = keep * w[i] + share * g[i];
}

/* Square by square, so that both sides stay in the cache. */
#define TRANSPOSE(y, x, rows, cols)                                                                                    \
    do {                                                                                                               \
        enum { SIDE = 16 };                                                                                            \
        for (int64_t i = 0; i < (rows); i += SIDE)                                                                     \
            for (int64_t j = 0; j < (cols); j += SIDE)                                                                 \
                for (int64_t b = j; b < (cols) && b < j + SIDE; b++)                                                   \
                    for (int64_t a = i; a < (rows) && a < i + SIDE; a++) (y)[b * (rows) + a] = (x)[a * (cols) + b];    \
    } while (0)

static void transpose(dt_real *restrict y, const dt_real *restrict x, int64_t rows, int64_t cols) {
    TRANSPOSE(y, x, rows, cols);
}

static void transpose_bf16(dt_bf16 *restrict y, const dt_bf16 *restrict x, int64_t rows, int64_t cols) {
    TRANSPOSE(y, x, rows, cols);
}

static void add(dt_real *restrict y, const dt_real *restrict x, int64_t n) {
    SIMD for (int64_t i = 0; i < n; i++) y[i] += x[i];
}

static void to_bf16(dt_bf16 *restrict y, const dt_real *restrict x, int64_t n) {
    SIMD for (int64_t i = 0; i < n; i++) y[i] = round_bf16(x[i]);
}

static void add_i32(int32_t *restrict y, const int32_t *restrict x, int64_t n) {
    SIMD for (int64_t i = 0; i < n; i++) y[i] = (int32_t)((uint32_t)y[i] + (uint32_t)x[i]);
}

static void add_i64(int64_t *restrict y, const int64_t *restrict x, int64_t n) {
    SIMD for (int64_t i = 0; i < n; i++) y[i] = (int64_t)((uint64_t)y[i] + (uint64_t)x[i]);
}

/* |x| as an integer, which orders as the numbers do, with infinity and NaN above all others. */
#ifdef DT_REAL_DOUBLE
typedef uint64_t real_bits;
#else
typedef uint32_t real_bits;
#endif

static inline real_bits magnitude_bits(dt_real x) {
    real_bits bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & ((real_bits)-1 >> 1);
}

static inline double bits_value(real_bits bits) {
    dt_real value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

static double largest(const dt_real *restrict x, int64_t n) {
    real_bits top = 0;
    _Pragma("omp simd reduction(max : top)") for (int64_t i = 0; i < n; i++) {
        real_bits bits = magnitude_bits(x[i]);
        top = bits > top ? bits : top;
    }
    return bits_value(top);
}

static inline int32_t round_i32(dt_real x) {
#ifdef DT_REAL_DOUBLE
    return (int32_t)rint(x);
#else
    return (int32_t)rintf(x);
#endif
}

static double quantise_i32(int32_t *restrict q, const dt_real *restrict g, int64_t n, dt_real scale, bool fresh) {
    real_bits top = 0;
    if (fresh) {
        _Pragma("omp simd reduction(max : top)") for (int64_t i = 0; i < n; i++) {
            real_bits bits = magnitude_bits(g[i]);
            top = bits > top ? bits : top;
            q[i] = round_i32(g[i] * scale);
        }
    } else {
        _Pragma("omp simd reduction(max : top)") for (int64_t i = 0; i < n; i++) {
            real_bits bits = magnitude_bits(g[i]);
            top = bits > top ? bits : top;
            q[i] = (int32_t)((uint32_t)q[i] + (uint32_t)round_i32(g[i] * scale));
        }
    }
    return bits_value(top);
}

static double quantise_i64(int64_t *restrict q, const dt_real *restrict g, int64_t n, double scale, bool fresh) {
    real_bits top = 0;
    for (int64_t i = 0; i < n; i++) {
        real_bits bits = magnitude_bits(g[i]);
        top = bits > top ? bits : top;
        int64_t rounded = (int64_t)rint((double)g[i] * scale);
        q[i] = fresh ? rounded : (int64_t)((uint64_t)q[i] + (uint64_t)rounded);
    }
    return bits_value(top);
}

static void dequantise_i32(dt_real *restrict g, const int32_t *restrict q, int64_t n, dt_real scale) {
    SIMD for (int64_t i = 0; i < n; i++) g[i] = (dt_real)q[i] * scale;
}

static void dequantise_i64(dt_real *restrict g, const int64_t *restrict q, int64_t n, double scale) {
    SIMD for (int64_t i = 0; i < n; i++) g[i] = (dt_real)((double)q[i] * scale);
}

#define CONVERT_FROM(type)                                                                                             \
    do {                                                                                                               \
        const type *restrict from = x;                                                                                 \
        SIMD for (int64_t i = 0; i < n; i++) y[i] = (dt_real)from[i] * scale + shift;                                  \
    } while (0)

static void convert(dt_real *restrict y, const void *x, dt_dtype dtype, int64_t n, dt_real scale, dt_real shift) {
    switch (dtype) {
    case DT_U8: CONVERT_FROM(uint8_t); break;
    case DT_I8: CONVERT_FROM(int8_t); break;
    case DT_U16: CONVERT_FROM(uint16_t); break;
    case DT_I16: CONVERT_FROM(int16_t); break;
    case DT_U32: CONVERT_FROM(uint32_t); break;
    case DT_I32: CONVERT_FROM(int32_t); break;
    case DT_U64: CONVERT_FROM(uint64_t); break;
    case DT_I64: CONVERT_FROM(int64_t); break;
    case DT_F32: CONVERT_FROM(float); break;
    case DT_F64: CONVERT_FROM(double); break;
    case DT_DTYPE_COUNT: break;
    }
}

extern const dt_kernels DT_KERNELS;
const dt_kernels DT_KERNELS = {
    .isa = DT_KERNELS_ISA,
    .bias_activate = bias_activate,
    .activate_backward = activate_backward,
    .softmax = softmax,
    .softmax_backward = softmax_backward,
    .normalise = normalise,
    .batch_norm = batch_norm,
    .batch_norm_backward = batch_norm_backward,
    .row_norm = row_norm,
    .row_norm_backward = row_norm_backward,
    .group_norm = group_norm,
    .group_norm_backward = group_norm_backward,
    .sum_activate = sum_activate,
    .upsample = upsample,
    .upsample_backward = upsample_backward,
    .softmax_cross_entropy = softmax_cross_entropy,
    .mean_squared_error = mean_squared_error,
    .binary_cross_entropy = binary_cross_entropy,
    .embed = DT_OF_ISA(embed),
    .embed_backward = DT_OF_ISA(embed_backward),
    .mean_of_places = DT_OF_ISA(mean_of_places),
    .mean_of_places_backward = DT_OF_ISA(mean_of_places_backward),
    .swiglu = DT_OF_ISA(swiglu),
    .swiglu_backward = DT_OF_ISA(swiglu_backward),
    .dropout = dropout,
    .cell_forward = {DT_OF_ISA(dt_rnn_forward), DT_OF_ISA(dt_gru_forward), DT_OF_ISA(dt_lstm_forward)},
    .cell_backward = {DT_OF_ISA(dt_rnn_backward), DT_OF_ISA(dt_gru_backward), DT_OF_ISA(dt_lstm_backward)},
    .max_pool = max_pool,
    .max_pool_backward = max_pool_backward,
    .avg_pool = avg_pool,
    .avg_pool_backward = avg_pool_backward,
    .attend = DT_OF_ISA(attend),
    .attend_backward = DT_OF_ISA(attend_backward),
    .attend_place = DT_OF_ISA(attend_place),
    .rotate = DT_OF_ISA(rotate),
    .matvec = DT_OF_ISA(matvec),
    .matvec_bf16 = DT_OF_ISA(matvec_bf16),
    .sgd = sgd,
    .adam = adam,
    .rmsprop = rmsprop,
    .adagrad = adagrad,
    .sum_squares = sum_squares,
    .largest = largest,
    .blend = blend,
    .transpose = transpose,
    .transpose_bf16 = transpose_bf16,
    .add = add,
    .add_i32 = add_i32,
    .add_i64 = add_i64,
    .quantise_i32 = quantise_i32,
    .quantise_i64 = quantise_i64,
    .dequantise_i32 = dequantise_i32,
    .dequantise_i64 = dequantise_i64,
    .to_bf16 = to_bf16,
    .convert = convert,
};
