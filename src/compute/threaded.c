/* The kernels that pay for it, on the threads of a rank: each cuts its work in blocks and gives the serial one a
 * thread's turn. Only what walks all weights or is as long as the model's output is worth a thread's start (some
 * microseconds). */
#include "compute_internal.h"
#include "threads.h"

#define FLAT ((int64_t)1 << 15)  /* elements of a block of a flat array: whole vectors, some microseconds */
#define CELLS ((int64_t)1 << 14) /* elements of a block of rows */

/* Of this process, which has one instruction set: kernels take no context in which it could be kept.
 * dt_kernels_threaded alone writes it, before any kernel runs. */
static const dt_kernels *serial;

static int64_t rows_of_block(int64_t cols) {
    return cols < CELLS ? CELLS / cols : 1;
}

typedef struct bias_work {
    dt_real *y, *z;
    const dt_real *b;
    int64_t cols;
    dt_activation act;
    dt_real slope;
} bias_work;

static void bias_task(void *context, int64_t begin, int64_t end) {
    const bias_work *w = context;
    dt_real *z = w->z ? w->z + begin * w->cols : NULL;
    serial->bias_activate(w->y + begin * w->cols, z, w->b, end - begin, w->cols, w->act, w->slope);
}

static void bias_activate(dt_real *y, dt_real *z, const dt_real *b, int64_t rows, int64_t cols, dt_activation act,
                          dt_real slope) {
    dt_parallel(rows, rows_of_block(cols), bias_task, &(bias_work){y, z, b, cols, act, slope});
}

/* A product's rows, or its columns if those are more: whole tiles of any instruction set. Its sums are never cut. */
enum { ROWS_TOGETHER = 84, COLS_TOGETHER = 64 };
#define WORTH ((int64_t)1 << 20) /* multiplications that take as long as threads need to start */

static void rows_task(void *context, int64_t begin, int64_t end) {
    dt_matrix_product part = *(const dt_matrix_product *)context;
    part.rows = end - begin;
    part.a += begin * (part.a_turned ? 1 : part.lda);
    part.c += begin * part.ldc;
    serial->product(&part);
}

static void cols_task(void *context, int64_t begin, int64_t end) {
    dt_matrix_product part = *(const dt_matrix_product *)context;
    part.cols = end - begin;
    part.b += begin * (part.b_turned ? part.ldb : 1);
    part.c += begin;
    if (part.bias) part.bias += begin;
    serial->product(&part);
}

static void product(const dt_matrix_product *p) {
    bool tall = p->rows >= p->cols;
    int64_t all = tall ? p->rows : p->cols, unit = tall ? ROWS_TOGETHER : COLS_TOGETHER;
    int64_t share = (all + dt_threads() - 1) / dt_threads(), block = (share + unit - 1) / unit * unit;
    dt_matrix_product whole = *p;
    bool worth = (double)p->rows * (double)p->cols * (double)p->depth >= (double)WORTH;
    dt_parallel(all, worth ? block : all, tall ? rows_task : cols_task, &whole);
}

typedef struct loss_work {
    dt_real *output;
    const int32_t *labels;
    const dt_real *values, *weights;
    int64_t cols;
    dt_real smoothing;
    bool gradient;
    dt_tally *tally;
} loss_work;

static void loss_task(void *context, int64_t begin, int64_t end) {
    const loss_work *w = context;
    dt_tally own = {0};
    serial->softmax_cross_entropy(w->output + begin * w->cols, w->labels ? w->labels + begin : NULL,
                                  w->values ? w->values + begin * w->cols : NULL,
                                  w->weights ? w->weights + begin : NULL, end - begin, w->cols, w->smoothing,
                                  w->gradient, &own);
#pragma omp critical(dt_loss)
    dt_tally_add(w->tally, &own);
}

static void softmax_cross_entropy(dt_real *output, const int32_t *labels, const dt_real *values, const dt_real *weights,
                                  int64_t rows, int64_t cols, dt_real smoothing, bool gradient, dt_tally *tally) {
    dt_parallel(rows, rows_of_block(cols), loss_task,
                &(loss_work){output, labels, values, weights, cols, smoothing, gradient, tally});
}

/* A pass over flat arrays that looks for the largest |x|. */
typedef struct flat_work {
    const dt_real *x;
    void *q;
    double scale, top;
    bool fresh, wide;
} flat_work;

/* The larger; NaN is larger than all. */
static void raise_top(flat_work *w, double top) {
#pragma omp critical(dt_top)
    if (!(top <= w->top) && w->top == w->top) w->top = top;
}

static void largest_task(void *context, int64_t begin, int64_t end) {
    flat_work *w = context;
    raise_top(w, serial->largest(w->x + begin, end - begin));
}

static double largest(const dt_real *x, int64_t n) {
    flat_work work = {.x = x};
    dt_parallel(n, FLAT, largest_task, &work);
    return work.top;
}

static void quantise_task(void *context, int64_t begin, int64_t end) {
    flat_work *w = context;
    raise_top(w, w->wide ? serial->quantise_i64((int64_t *)w->q + begin, w->x + begin, end - begin, w->scale, w->fresh)
                         : serial->quantise_i32((int32_t *)w->q + begin, w->x + begin, end - begin, (dt_real)w->scale,
                                                w->fresh));
}

static double quantise_i32(int32_t *q, const dt_real *g, int64_t n, dt_real scale, bool fresh) {
    flat_work work = {.x = g, .q = q, .scale = (double)scale, .fresh = fresh};
    dt_parallel(n, FLAT, quantise_task, &work);
    return work.top;
}

static double quantise_i64(int64_t *q, const dt_real *g, int64_t n, double scale, bool fresh) {
    flat_work work = {.x = g, .q = q, .scale = scale, .fresh = fresh, .wide = true};
    dt_parallel(n, FLAT, quantise_task, &work);
    return work.top;
}

static void add_task(void *context, int64_t begin, int64_t end) {
    const flat_work *w = context;
    serial->add((dt_real *)w->q + begin, w->x + begin, end - begin);
}

static void add(dt_real *y, const dt_real *x, int64_t n) {
    dt_parallel(n, FLAT, add_task, &(flat_work){.x = x, .q = y});
}

const dt_kernels *dt_kernels_threaded(const dt_kernels *kernels) {
    static dt_kernels threaded;
    serial = kernels;
    threaded = *kernels;
    threaded.bias_activate = bias_activate;
    threaded.product = product;
    threaded.softmax_cross_entropy = softmax_cross_entropy;
    threaded.largest = largest;
    threaded.quantise_i32 = quantise_i32;
    threaded.quantise_i64 = quantise_i64;
    threaded.add = add;
    return &threaded;
}
