/* Kernels whose rows are independent, on threads: blocks of rows. */
#include "threaded.h"

/* The part of an array that may be missing. */
#define AT(array, offset) ((array) ? (array) + (offset) : NULL)

static void bias_activate(dt_real *y, dt_real *z, const dt_real *b, int64_t rows, int64_t cols, dt_activation act,
                          dt_real slope) {
    IN_ROWS(rows, cols, dt_serial->bias_activate(y + begin * cols, AT(z, begin * cols), b, some, cols, act, slope));
}

static void softmax(dt_real *y, const dt_real *x, int64_t rows, int64_t cols) {
    IN_ROWS(rows, cols, dt_serial->softmax(y + begin * cols, x + begin * cols, some, cols));
}

static void softmax_backward(dt_real *dx, const dt_real *dy, const dt_real *y, int64_t rows, int64_t cols) {
    IN_ROWS(rows, cols,
            dt_serial->softmax_backward(dx + begin * cols, dy + begin * cols, y + begin * cols, some, cols));
}

static void swiglu(dt_real *y, const dt_real *z, int64_t rows, int64_t cols) {
    IN_ROWS(rows, cols, dt_serial->swiglu(y + begin * cols, z + 2 * begin * cols, some, cols));
}

static void swiglu_backward(dt_real *z, const dt_real *dy, int64_t rows, int64_t cols) {
    IN_ROWS(rows, cols, dt_serial->swiglu_backward(z + 2 * begin * cols, dy + begin * cols, some, cols));
}

static void normalise(dt_real *y, const dt_real *x, const dt_real *mean, const dt_real *factor, const dt_real *shift,
                      int64_t rows, int64_t cols, bool relu) {
    IN_ROWS(rows, cols,
            dt_serial->normalise(y + begin * cols, x + begin * cols, mean, factor, shift, some, cols, relu));
}

static void row_norm(dt_real *y, dt_real *stats, const dt_real *x, const dt_real *scale, const dt_real *shift,
                     int64_t rows, int64_t cols, dt_real eps, bool centred) {
    IN_ROWS(rows, cols,
            dt_serial->row_norm(y + begin * cols, stats + 2 * begin, x + begin * cols, scale, shift, some, cols, eps,
                                centred));
}

static void dropout(dt_real *y, const dt_real *x, int64_t rows, int64_t cols, dt_real rate, dt_stream stream,
                    uint64_t first_sample) {
    IN_ROWS(rows, cols,
            dt_serial->dropout(y + begin * cols, x + begin * cols, some, cols, rate, stream,
                               first_sample + (uint64_t)begin));
}

/* ---- losses: tallies are sums of integers, whatever their order ---- */

static void join(dt_tally *tally, const dt_tally *own) {
#pragma omp critical(dt_loss)
    dt_tally_add(tally, own);
}

static void softmax_cross_entropy(dt_real *output, const int32_t *labels, const dt_real *values, const dt_real *weights,
                                  int64_t rows, int64_t cols, dt_real smoothing, bool gradient, dt_tally *tally) {
    IN_ROWS(rows, cols, {
        dt_tally own = {0};
        dt_serial->softmax_cross_entropy(output + begin * cols, AT(labels, begin), AT(values, begin * cols),
                                         AT(weights, begin), some, cols, smoothing, gradient, &own);
        join(tally, &own);
    });
}

static void mean_squared_error(dt_real *output, const int32_t *labels, const dt_real *values, const dt_real *weights,
                               const double *units, int64_t rows, int64_t cols, bool gradient, dt_tally *tally) {
    IN_ROWS(rows, cols, {
        dt_tally own = {0};
        dt_serial->mean_squared_error(output + begin * cols, AT(labels, begin), AT(values, begin * cols),
                                      AT(weights, begin), units, some, cols, gradient, &own);
        join(tally, &own);
    });
}

static void binary_cross_entropy(dt_real *output, const int32_t *labels, const dt_real *values, const dt_real *weights,
                                 int64_t rows, int64_t cols, dt_real smoothing, bool gradient, dt_tally *tally) {
    IN_ROWS(rows, cols, {
        dt_tally own = {0};
        dt_serial->binary_cross_entropy(output + begin * cols, AT(labels, begin), AT(values, begin * cols),
                                        AT(weights, begin), some, cols, smoothing, gradient, &own);
        join(tally, &own);
    });
}

/* ---- pictures ---- */

static int64_t pixels(const int64_t size[2], int64_t channels) {
    return size[0] * size[1] * channels;
}

static void max_pool(dt_real *y, int32_t *winner, const dt_real *x, const dt_window *window, int64_t rows,
                     int64_t channels) {
    const int64_t in = pixels(window->in, channels), out = pixels(window->out, channels);
    IN_ROWS(rows, in,
            dt_serial->max_pool(y + begin * out, AT(winner, begin * out), x + begin * in, window, some, channels));
}

static void max_pool_backward(dt_real *dx, const dt_real *dy, const int32_t *winner, const dt_window *window,
                              int64_t rows, int64_t channels) {
    const int64_t in = pixels(window->in, channels), out = pixels(window->out, channels);
    IN_ROWS(
        rows, in,
        dt_serial->max_pool_backward(dx + begin * in, dy + begin * out, winner + begin * out, window, some, channels));
}

static void avg_pool(dt_real *y, const dt_real *x, const dt_window *window, int64_t rows, int64_t channels) {
    const int64_t in = pixels(window->in, channels), out = pixels(window->out, channels);
    IN_ROWS(rows, in, dt_serial->avg_pool(y + begin * out, x + begin * in, window, some, channels));
}

static void avg_pool_backward(dt_real *dx, const dt_real *dy, const dt_window *window, int64_t rows, int64_t channels) {
    const int64_t in = pixels(window->in, channels), out = pixels(window->out, channels);
    IN_ROWS(rows, in, dt_serial->avg_pool_backward(dx + begin * in, dy + begin * out, window, some, channels));
}

static void upsample(dt_real *y, const dt_real *x, const dt_upsampling *u, int64_t rows) {
    const int64_t in = u->height * u->width * u->cols, out = in * u->factor_high * u->factor_wide;
    IN_ROWS(rows, out, dt_serial->upsample(y + begin * out, x + begin * in, u, some));
}

static void upsample_backward(dt_real *dx, const dt_real *dy, const dt_upsampling *u, int64_t rows) {
    const int64_t in = u->height * u->width * u->cols, out = in * u->factor_high * u->factor_wide;
    IN_ROWS(rows, out, dt_serial->upsample_backward(dx + begin * in, dy + begin * out, u, some));
}

/* ---- sequences ---- */

static void embed(dt_real *y, const dt_real *table, const dt_real *at_position, const dt_real *ids, int64_t rows,
                  int64_t positions, int64_t cols) {
    const int64_t all = positions * cols;
    IN_ROWS(rows, all,
            dt_serial->embed(y + begin * all, table, at_position, ids + begin * positions, some, positions, cols));
}

static void mean_of_positions(dt_real *y, const dt_real *x, const dt_real *ids, int64_t rows, int64_t positions,
                              int64_t cols) {
    const int64_t all = positions * cols;
    IN_ROWS(rows, all,
            dt_serial->mean_of_positions(y + begin * cols, x + begin * all, AT(ids, begin * positions), some, positions,
                                         cols));
}

static void mean_of_positions_backward(dt_real *dx, const dt_real *dy, const dt_real *ids, int64_t rows,
                                       int64_t positions, int64_t cols) {
    const int64_t all = positions * cols;
    IN_ROWS(rows, all,
            dt_serial->mean_of_positions_backward(dx + begin * all, dy + begin * cols, AT(ids, begin * positions), some,
                                                  positions, cols));
}

static void rotate(dt_real *qkv, const dt_real *turns, const dt_attention *shape, bool back) {
    const int64_t all = shape->positions * (shape->heads + 2 * shape->kv_heads) * shape->size;
    IN_ROWS(shape->rows, all, {
        dt_attention part = *shape;
        part.rows = some;
        dt_serial->rotate(qkv + begin * all, turns, &part, back);
    });
}

/* A thread takes some heads of keys and values, with the heads of queries that meet them, and works in memory of its
 * own: a part of `work`. */
static int64_t heads_of_block(const dt_attention *shape) {
    int64_t scores = shape->positions * shape->positions * (shape->heads / shape->kv_heads);
    return scores < DT_CELLS ? DT_CELLS / scores : 1;
}

static void attend(dt_real *y, dt_real *log_sum, const dt_real *qkv, const dt_attention *shape, dt_real *work) {
    const int64_t each = dt_attention_work(shape->positions, shape->size, false);
    IN_BLOCKS(shape->rows * shape->kv_heads, heads_of_block(shape), {
        dt_attention part = *shape;
        part.begin = begin, part.end = end;
        dt_serial->attend(y, log_sum, qkv, &part, work + dt_thread() * each);
    });
}

static void attend_backward(dt_real *dqkv, const dt_real *dy, const dt_real *y, const dt_real *log_sum,
                            const dt_real *qkv, const dt_attention *shape, dt_real *work) {
    const int64_t each = dt_attention_work(shape->positions, shape->size, true);
    IN_BLOCKS(shape->rows * shape->kv_heads, heads_of_block(shape), {
        dt_attention part = *shape;
        part.begin = begin, part.end = end;
        dt_serial->attend_backward(dqkv, dy, y, log_sum, qkv, &part, work + dt_thread() * each);
    });
}

/* clang-format off */
#define FOR_ROWS(X) \
    X(bias_activate) X(softmax) X(softmax_backward) X(swiglu) X(swiglu_backward) X(normalise) X(row_norm) X(dropout) \
    X(softmax_cross_entropy) X(mean_squared_error) X(binary_cross_entropy) \
    X(max_pool) X(max_pool_backward) X(avg_pool) X(avg_pool_backward) X(upsample) X(upsample_backward) \
    X(embed) X(mean_of_positions) X(mean_of_positions_backward) X(rotate) X(attend) X(attend_backward)
/* clang-format on */

void dt_thread_rows(dt_kernels *table) {
#define PUT(slot) table->slot = slot;
    FOR_ROWS(PUT)
}
