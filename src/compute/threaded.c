/* The kernels on the threads of a rank: a table whose kernels cut their work and give the serial ones a thread's turn.
 */
#include "threaded.h"

const dt_kernels *dt_serial;

int64_t dt_columns_of_thread(int64_t rows, int64_t cols, int64_t unit) {
    enum { LINE = 64 / sizeof(dt_real) };
    int64_t each = (cols + dt_threads() - 1) / dt_threads(), least = rows < DT_CELLS ? DT_CELLS / (rows + 1) : 1;
    if (each < least) each = least;
    if (unit < 2) unit = LINE;
    return (each + unit - 1) / unit * unit;
}

/* A product's rows, or its columns if those are more: whole tiles of any instruction set. Its sums are never cut. */
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

static void product(const dt_matrix_product *p) {
    bool tall = p->rows >= p->cols;
    int64_t all = tall ? p->rows : p->cols, unit = tall ? ROWS_TOGETHER : COLS_TOGETHER;
    int64_t share = (all + dt_threads() - 1) / dt_threads(), block = (share + unit - 1) / unit * unit;
    dt_matrix_product whole = *p;
    bool worth = (double)p->rows * (double)p->cols * (double)p->depth >= (double)WORTH;
    dt_parallel(all, worth ? block : all, tall ? rows_task : cols_task, &whole);
}

const dt_kernels *dt_kernels_threaded(const dt_kernels *kernels) {
    static dt_kernels table;
    dt_serial = kernels;
    table = *kernels;
    dt_thread_flat(&table);
    dt_thread_rows(&table);
    dt_thread_columns(&table);
    table.product = product;
    return &table;
}
