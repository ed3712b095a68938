/* Products on threads: rows of c are shared out, or its columns if those are more, in whole tiles of any instruction
 * set. Its sums are never cut. */
#include "threaded.h"

enum { ROWS_TOGETHER = 84, COLS_TOGETHER = 64 };
#define WORTH ((int64_t)1 << 20) /* multiplications that take as long as threads need to start */

static void rows_task(void *context, int64_t begin, int64_t end) {
    dt_matrix_product part = *(const dt_matrix_product *)context;
    part.rows = end - begin;
    part.a += begin * (part.a_turned ? 1 : part.lda);
    part.c += begin * part.ldc;
    dt_serial->product(&part);
}

static void cols_task(void *context, int64_t begin, int64_t end) {
    dt_matrix_product part = *(const dt_matrix_product *)context;
    part.cols = end - begin;
    part.b += begin * (part.b_turned ? part.ldb : 1);
    part.c += begin;
    if (part.bias) part.bias += begin;
    dt_serial->product(&part);
}

static void rows_task_bf16(void *context, int64_t begin, int64_t end) {
    dt_matrix_product_bf16 part = *(const dt_matrix_product_bf16 *)context;
    part.rows = end - begin;
    part.a += begin * (part.a_turned ? 1 : part.lda);
    part.c += begin * part.ldc;
    dt_serial->product_bf16(&part);
}

static void cols_task_bf16(void *context, int64_t begin, int64_t end) {
    dt_matrix_product_bf16 part = *(const dt_matrix_product_bf16 *)context;
    part.cols = end - begin;
    part.b += begin * (part.b_turned ? part.ldb : 1);
    part.c += begin;
    dt_serial->product_bf16(&part);
}

/* Runs `by_rows` or `by_cols`, whichever there are more of, on as many parts as there are threads. */
static void share_out(int64_t rows, int64_t cols, int64_t depth, dt_task by_rows, dt_task by_cols, void *whole) {
    bool tall = rows >= cols;
    int64_t all = tall ? rows : cols, unit = tall ? ROWS_TOGETHER : COLS_TOGETHER;
    int64_t share = (all + dt_threads() - 1) / dt_threads(), block = (share + unit - 1) / unit * unit;
    bool worth = (double)rows * (double)cols * (double)depth >= (double)WORTH;
    dt_parallel(all, worth ? block : all, tall ? by_rows : by_cols, whole);
}

static void product(const dt_matrix_product *p) {
    dt_matrix_product whole = *p;
    share_out(p->rows, p->cols, p->depth, rows_task, cols_task, &whole);
}

static void product_bf16(const dt_matrix_product_bf16 *p) {
    dt_matrix_product_bf16 whole = *p;
    share_out(p->rows, p->cols, p->depth, rows_task_bf16, cols_task_bf16, &whole);
}

void dt_thread_products(dt_kernels *table) {
    table->product = product;
    table->product_bf16 = product_bf16;
}
