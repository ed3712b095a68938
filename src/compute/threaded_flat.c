/* Kernels over flat arrays on threads: blocks of elements. */
#include "threaded.h"

#define FLAT (2 * DT_CELLS) /* elements of a block: whole vectors, some microseconds */

static void sum_activate(dt_real *y, const dt_real *a, const dt_real *b, int64_t n, bool relu) {
    IN_BLOCKS(n, FLAT, dt_serial->sum_activate(y + begin, a + begin, b + begin, some, relu));
}

static void add(dt_real *y, const dt_real *x, int64_t n) {
    IN_BLOCKS(n, FLAT, dt_serial->add(y + begin, x + begin, some));
}

static void to_bf16(dt_bf16 *y, const dt_real *x, int64_t n) {
    IN_BLOCKS(n, FLAT, dt_serial->to_bf16(y + begin, x + begin, some));
}

/* The larger; NaN is larger than all. */
static void raise_top(double *most, double top) {
#pragma omp critical(dt_top)
    if (!(top <= *most) && *most == *most) *most = top;
}

static double largest(const dt_real *x, int64_t n) {
    double most = 0;
    IN_BLOCKS(n, FLAT, raise_top(&most, dt_serial->largest(x + begin, some)));
    return most;
}

static double quantise_i32(int32_t *q, const dt_real *g, int64_t n, dt_real scale, bool fresh) {
    double most = 0;
    IN_BLOCKS(n, FLAT, raise_top(&most, dt_serial->quantise_i32(q + begin, g + begin, some, scale, fresh)));
    return most;
}

static double quantise_i64(int64_t *q, const dt_real *g, int64_t n, double scale, bool fresh) {
    double most = 0;
    IN_BLOCKS(n, FLAT, raise_top(&most, dt_serial->quantise_i64(q + begin, g + begin, some, scale, fresh)));
    return most;
}

void dt_thread_flat(dt_kernels *table) {
    table->sum_activate = sum_activate;
    table->add = add;
    table->to_bf16 = to_bf16;
    table->largest = largest;
    table->quantise_i32 = quantise_i32;
    table->quantise_i64 = quantise_i64;
}
