/* Activations: bias and function in one pass over what a product left in the cache, and the way back with the column
 * sums that are the bias's gradient. */
#include "slots.h"
#include "vector.h"

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

void DT_OF_ISA(bias_activate)(dt_real *y, dt_real *z, const dt_real *restrict b, int64_t rows, int64_t cols,
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
            SIMD for (int64_t j = begin; j < end; j++) {                                                               \
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
        for (int64_t at = db ? begin : 0, r = 0; r < (db ? left : 1); r++, at += cols) {                               \
            const int64_t count = db ? end - begin : left * cols;                                                      \
            SIMD for (int64_t j = at; j < at + count; j++) {                                                           \
                dt_real o = from[j];                                                                                   \
                d[j] = d[j] * (factor);                                                                                \
            }                                                                                                          \
            if (db) SIMD for (int64_t j = begin; j < end; j++) db[j] += d[r * cols + j];                               \
        }                                                                                                              \
    }                                                                                                                  \
    break

/* db += the sum of the rows of d, likewise. */
static void add_rows(dt_real *restrict db, const dt_real *restrict dy, int64_t rows, int64_t cols, int64_t begin,
                     int64_t end) {
    int64_t i = 0;
    for (; i + 4 <= rows; i += 4) {
        const dt_real *restrict d = dy + i * cols;
        SIMD for (int64_t j = begin; j < end; j++) db[j] += (d[j] + d[cols + j]) + (d[2 * cols + j] + d[3 * cols + j]);
    }
    for (; i < rows; i++) SIMD for (int64_t j = begin; j < end; j++) db[j] += dy[i * cols + j];
}

/* ReLU's, of no more columns than a vector has lanes, in the same order: pictures of few channels have many rows. Some
 * rows are multiplied as one array first, since a load that meets part of what was just stored waits for it. */
static void relu_backward_narrow(dt_real *dy, dt_real *db, const dt_real *y, int64_t rows, int64_t cols) {
    enum { TOGETHER = 256 }; /* a multiple of 4 */
    const lane_mask some = first_lanes(cols);
    vector sum = load_lanes(db, some);
    for (int64_t first = 0; first < rows; first += TOGETHER) {
        const int64_t count = rows - first < TOGETHER ? rows - first : TOGETHER;
        dt_real *restrict d = dy + first * cols;
        const dt_real *restrict o = y + first * cols;
        SIMD for (int64_t j = 0; j < count * cols; j++) d[j] = d[j] * (o[j] > 0 ? LITERAL(1.0) : LITERAL(0.0));
        int64_t i = 0;
        for (; i + 4 <= count; i += 4, d += 4 * cols)
            sum += (load_lanes(d, some) + load_lanes(d + cols, some)) +
                   (load_lanes(d + 2 * cols, some) + load_lanes(d + 3 * cols, some));
        for (; i < count; i++, d += cols) sum += load_lanes(d, some);
    }
    store_lanes(db, sum, some);
}

void DT_OF_ISA(activate_backward_columns)(dt_real *dy, dt_real *restrict db, const dt_real *y, const dt_real *z,
                                          int64_t rows, int64_t cols, dt_activation act, dt_real slope, bool accumulate,
                                          int64_t begin, int64_t end) {
    if (db && !accumulate) memset(db + begin, 0, (size_t)(end - begin) * sizeof *db);
    switch (act) {
    case DT_LINEAR:
        if (!db) return;
        add_rows(db, dy, rows, cols, begin, end);
        break;
    case DT_SIGMOID: ROWS_BACKWARD(y, o * (1 - o));
    case DT_TANH: ROWS_BACKWARD(y, fma_real(-o, o, 1));
    case DT_RELU:
        if (db && begin == 0 && end == cols && cols <= PER_VECTOR) {
            relu_backward_narrow(dy, db, y, rows, cols);
            return;
        }
        ROWS_BACKWARD(y, o > 0 ? LITERAL(1.0) : LITERAL(0.0));
    case DT_LEAKY_RELU: ROWS_BACKWARD(y, o > 0 ? LITERAL(1.0) : slope);
    case DT_GELU:
    case DT_SILU: ROWS_BACKWARD(z, o);
    }
}

void DT_OF_ISA(activate_backward)(dt_real *dy, dt_real *db, const dt_real *y, const dt_real *z, int64_t rows,
                                  int64_t cols, dt_activation act, dt_real slope, bool accumulate) {
    DT_OF_ISA(activate_backward_columns)(dy, db, y, z, rows, cols, act, slope, accumulate, 0, cols);
}

void DT_OF_ISA(sum_activate)(dt_real *y, const dt_real *a, const dt_real *b, int64_t n, bool relu) {
    const dt_real least = relu ? 0 : -(dt_real)INFINITY;
    SIMD for (int64_t i = 0; i < n; i++) {
        dt_real v = a[i] + b[i];
        y[i] = v < least ? least : v;
    }
}

void DT_OF_ISA(swiglu)(dt_real *y, const dt_real *z, int64_t rows, int64_t cols) {
    for (int64_t i = 0; i < rows; i++) {
        dt_real *restrict out = y + i * cols;
        const dt_real *restrict gate = z + 2 * i * cols, *restrict up = gate + cols;
        SIMD for (int64_t j = 0; j < cols; j++) out[j] = gate[j] * sigmoid_real(gate[j]) * up[j];
    }
}

void DT_OF_ISA(swiglu_backward)(dt_real *z, const dt_real *dy, int64_t rows, int64_t cols) {
    for (int64_t i = 0; i < rows; i++) {
        const dt_real *restrict d = dy + i * cols;
        dt_real *restrict gate = z + 2 * i * cols, *restrict up = gate + cols;
        SIMD for (int64_t j = 0; j < cols; j++) {
            const dt_real g = gate[j], s = sigmoid_real(g);
            gate[j] = d[j] * up[j] * s * fma_real(g, 1 - s, 1);
            up[j] = d[j] * g * s;
        }
    }
}
