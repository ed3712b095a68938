/* Losses: outputs become their gradient, and what each sample loses is added to the tally, in integers. */
#include "slots.h"

#include "softmax.h"

#define ROUNDED_LIMIT 0x1p38 /* losses above are not in a tally's rounded sums */
/* The index of the largest of n; the first among equals. */
static int64_t row_argmax(const dt_real *x, int64_t n) {
    int64_t best = 0;
    for (int64_t j = 1; j < n; j++)
        if (x[j] > x[best]) best = j;
    return best;
}

/* How many outputs come before the label's: larger ones, and equal ones of earlier classes. What is not a number is
 * above all, as in a pool. (There are at most 2^31 outputs; counted in half the bits it takes half the vectors.) */
static inline int64_t rank_of_label(const dt_real *output, int64_t label, int64_t cols) {
    uint32_t above = 0, count = (uint32_t)cols, own = (uint32_t)label;
    dt_real mine = output[label];
    _Pragma("omp simd reduction(+ : above)") for (uint32_t j = 0; j < count; j++) above +=
        (!(output[j] <= mine)) | ((output[j] == mine) & (j < own));
    return (int64_t)above;
}

/* One sample. A sample whose loss is not a number is right in nothing, whatever its outputs compare to. */
static void tally_sample(dt_tally *tally, double loss, double abs_error, bool correct, bool in_top5) {
    if (++tally->samples % DT_SUM_ADDS == 0) dt_tally_carry(tally);
    if (!(loss < DT_SUM_LIMIT) || !(loss > -DT_SUM_LIMIT) || !(abs_error < DT_SUM_LIMIT)) {
        tally->not_finite++;
        return;
    }
    tally->correct += correct;
    tally->correct_top5 += in_top5;
    dt_sum_add(&tally->loss, loss);
    dt_sum_add(&tally->abs_error, abs_error);
    if (!(loss < ROUNDED_LIMIT) || !(loss > -ROUNDED_LIMIT) || !(abs_error < ROUNDED_LIMIT)) return;
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

/* What a sample counts for: a weight multiplies its loss and its gradient. Of one that counts for nothing both are
 * zero, and so is its absolute error, whatever they are. */
static inline bool has_no_weight(const dt_real *weights, int64_t row) {
    return weights && !(weights[row] > 0);
}

static inline double weigh_loss(const dt_real *weights, int64_t row, double loss) {
    if (!weights) return loss;
    return weights[row] > 0 ? (double)weights[row] * loss : 0;
}

static inline void weigh_gradient(const dt_real *weights, int64_t row, dt_real *gradient, int64_t cols) {
    if (!weights) return;
    const dt_real weight = weights[row];
    SIMD for (int64_t j = 0; j < cols; j++) gradient[j] = weight > 0 ? gradient[j] * weight : 0;
}

/* Rows of few classes are worked on in whole vectors: a loop over ten elements is mostly its scalar rest. */
#define NARROW 256
#define WHOLE LANES

/* A row's softmax is a chain of short sums, each of which waits for the one before. So several rows of few classes go
 * through it side by side, step by step: while one waits another is worked on. */
#define TOGETHER 16       /* rows */
#define ROOM (8 * NARROW) /* numbers of them: few enough to stay in the nearest cache */

typedef struct soft_rows {
    int64_t count, width;      /* rows, and the numbers of each */
    dt_real room[ROOM];        /* copies of narrow rows */
    dt_real *output[TOGETHER]; /* becomes the gradient */
    dt_real *row[TOGETHER];    /* outputs, then e^(output - top): in room, or the output itself */
    int64_t number[TOGETHER];  /* in the batch */
    int64_t above[TOGETHER];   /* outputs that come before the label's */
    dt_real top[TOGETHER], sum[TOGETHER];
    dt_real dot[TOGETHER], mass[TOGETHER]; /* sum of t*(output - top), and of t, for the smoothed target t */
    double log_sum[TOGETHER];
} soft_rows;

/* The row and, up to a multiple of WHOLE, classes that cannot be. */
static inline void widen_row(dt_real *restrict to, const dt_real *restrict row, int64_t cols, int64_t width) {
    SIMD for (int64_t j = 0; j < width; j++) to[j] = j < cols ? row[j] : (dt_real)-INFINITY;
}

/* How many rows are worked on at once. */
static inline int64_t rows_together(int64_t cols, int64_t width) {
    if (cols >= NARROW) return 1;
    return ROOM / width < TOGETHER ? ROOM / width : TOGETHER;
}

/* The next rows that count, from `*next` on, which moves behind them. */
static inline void take_rows(soft_rows *s, int64_t *next, dt_real *output, const int32_t *labels, int64_t rows,
                             int64_t cols, bool gradient) {
    const int64_t most = rows_together(cols, s->width);
    for (s->count = 0; *next < rows && s->count < most; ++*next) {
        dt_real *o = output + *next * cols;
        if (!row_counts(labels, *next, o, cols, gradient)) continue;
        dt_real *row = cols < NARROW ? s->room + s->count * s->width : o;
        if (row != o) widen_row(row, o, cols, s->width);
        s->top[s->count] = row_max(row, s->width);
        s->row[s->count] = row;
        s->output[s->count] = o;
        s->number[s->count++] = *next;
    }
}

/* Where a label is all of the target. */
static inline void meet_labels(soft_rows *s, const int32_t *labels, int64_t cols, dt_real smoothing) {
    const dt_real even = smoothing / (dt_real)cols;
    for (int64_t r = 0; r < s->count; r++) {
        const dt_real *o = s->row[r], top = s->top[r];
        int64_t label = labels[s->number[r]];
        dt_real dot = 0;
        if (even > 0)
            for (int64_t j = 0; j < cols; j++) dot = fma_real(even, o[j] - top, dot);
        s->dot[r] = fma_real(1 - smoothing, o[label] - top, dot);
        s->mass[r] = 1;
        s->above[r] = rank_of_label(o, label, s->width);
    }
}

static inline void meet_values(soft_rows *s, const dt_real *values, int64_t cols, dt_real smoothing) {
    const dt_real even = smoothing / (dt_real)cols;
    for (int64_t r = 0; r < s->count; r++) {
        const dt_real *o = s->row[r], *t = values + s->number[r] * cols, top = s->top[r];
        dt_real dot = 0, mass = 0;
        for (int64_t j = 0; j < cols; j++) {
            dt_real target = fma_real(1 - smoothing, t[j], even);
            dot = fma_real(target, o[j] - top, dot);
            mass += target;
        }
        s->dot[r] = dot;
        s->mass[r] = mass;
        s->above[r] = rank_of_label(o, row_argmax(t, cols), s->width);
    }
}

/* Their sums, and what each row loses. */
static inline void sum_rows(soft_rows *s, const dt_real *weights, bool keep, dt_tally *tally) {
    for (int64_t r = 0; r < s->count; r++)
        s->sum[r] = keep ? row_exp(s->row[r], s->row[r], s->width, s->top[r]) : sum_exp(s->row[r], s->width, s->top[r]);
    SIMD for (int64_t r = 0; r < s->count; r++) s->log_sum[r] = log_normal((double)s->sum[r]);
    for (int64_t r = 0; r < s->count; r++) {
        dt_real sum = s->sum[r];
        double log_sum = sum >= 1 && sum < (dt_real)INFINITY ? s->log_sum[r] : log_double((double)sum);
        double loss = fma_double((double)s->mass[r], log_sum, -(double)s->dot[r]);
        tally_sample(tally, weigh_loss(weights, s->number[r], loss), 0, s->above[r] == 0, s->above[r] < 5);
    }
}

static inline void give_gradients(const soft_rows *s, const int32_t *labels, const dt_real *values,
                                  const dt_real *weights, int64_t cols, dt_real smoothing) {
    const dt_real even = smoothing / (dt_real)cols;
    for (int64_t r = 0; r < s->count; r++) {
        dt_real *o = s->output[r];
        const dt_real *row = s->row[r], *t = values ? values + s->number[r] * cols : NULL;
        const dt_real scale = s->mass[r] / s->sum[r];
        if (t) {
            for (int64_t j = 0; j < cols; j++) o[j] = fma_real(row[j], scale, -fma_real(1 - smoothing, t[j], even));
        } else {
            SIMD for (int64_t j = 0; j < s->width; j++) if (j < cols) o[j] = fma_real(row[j], scale, -even);
            o[labels[s->number[r]]] -= 1 - smoothing;
        }
        weigh_gradient(weights, s->number[r], o, cols);
    }
}

void DT_OF_ISA(softmax_cross_entropy)(dt_real *output, const int32_t *labels, const dt_real *values,
                                      const dt_real *weights, int64_t rows, int64_t cols, dt_real smoothing,
                                      bool gradient, dt_tally *tally) {
    soft_rows s;
    s.width = cols < NARROW ? (cols + WHOLE - 1) / WHOLE * WHOLE : cols;
    for (int64_t next = 0; next < rows;) {
        take_rows(&s, &next, output, labels, rows, cols, gradient);
        if (values)
            meet_values(&s, values, cols, smoothing);
        else
            meet_labels(&s, labels, cols, smoothing);
        sum_rows(&s, weights, gradient || cols < NARROW, tally);
        if (gradient) give_gradients(&s, labels, values, weights, cols, smoothing);
    }
}

/* Classes are counted when targets are labels, or one column decides at one half; else nothing is above nothing. */
static int64_t rank_in_vector(const dt_real *o, const int32_t *labels, int64_t row, int64_t cols) {
    return labels && cols > 1 ? rank_of_label(o, labels[row], cols) : INT64_MAX;
}

void DT_OF_ISA(mean_squared_error)(dt_real *output, const int32_t *labels, const dt_real *values,
                                   const dt_real *weights, const double *units, int64_t rows, int64_t cols,
                                   bool gradient, dt_tally *tally) {
    for (int64_t i = 0; i < rows; i++) {
        dt_real *o = output + i * cols;
        if (!row_counts(labels, i, o, cols, gradient)) continue;
        int64_t above = rank_in_vector(o, labels, i, cols);
        double loss = 0, absolute = 0;
        for (int64_t j = 0; j < cols; j++) {
            dt_real target = labels && cols == 1 ? (dt_real)labels[i] : target_at(labels, values, i, j, cols);
            dt_real error = o[j] - target;
            loss = fma_double(0.5 * (double)error, (double)error, loss);
            absolute += units ? fabs((double)error) * units[j] : fabs((double)error);
            if (gradient) o[j] = error;
        }
        if (gradient) weigh_gradient(weights, i, o, cols);
        if (has_no_weight(weights, i)) absolute = 0;
        tally_sample(tally, weigh_loss(weights, i, loss), absolute / (double)cols, above == 0, above < 5);
    }
}

void DT_OF_ISA(binary_cross_entropy)(dt_real *output, const int32_t *labels, const dt_real *values,
                                     const dt_real *weights, int64_t rows, int64_t cols, dt_real smoothing,
                                     bool gradient, dt_tally *tally) {
    for (int64_t i = 0; i < rows; i++) {
        dt_real *o = output + i * cols;
        if (!row_counts(labels, i, o, cols, gradient)) continue;
        int64_t above = rank_in_vector(o, labels, i, cols);
        double loss = 0, absolute = 0;
        int64_t right = 0;
        for (int64_t j = 0; j < cols; j++) {
            dt_real hard = labels && cols == 1 ? (dt_real)labels[i] : target_at(labels, values, i, j, cols);
            dt_real target = fma_real(1 - smoothing, hard, smoothing / 2);
            dt_real probability = sigmoid_real(o[j]);
            /* max(o, 0) - o t + log(1 + e^-|o|): no overflow for any o */
            double x = (double)o[j];
            loss += fma_double(-x, (double)target, x > 0 ? x : 0) + log_one_plus(exp_below(-fabs(x)));
            absolute += fabs((double)(probability - hard));
            right += (o[j] > 0) == (hard > LITERAL(0.5));
            if (gradient) o[j] = x != x ? o[j] : probability - target;
        }
        bool all_right = !(labels && cols > 1) && right == cols;
        if (gradient) weigh_gradient(weights, i, o, cols);
        if (has_no_weight(weights, i)) absolute = 0;
        tally_sample(tally, weigh_loss(weights, i, loss), absolute / (double)cols, above == 0 || all_right, above < 5);
    }
}
