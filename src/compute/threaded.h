/* Between the files that put kernels on the threads of a rank. A wrapper cuts its work so that no sum does: in rows,
 * in elements, or in columns whose sums over rows belong to them alone. So the bits are the same on any number of
 * threads. What is short stays on one: a thread's start takes a microsecond or more. */
#ifndef DTRAIN_COMPUTE_THREADED_H
#define DTRAIN_COMPUTE_THREADED_H

#include "compute_internal.h"
#include "threads.h"

#define DT_CELLS ((int64_t)1 << 14) /* elements that are worth a thread's turn */

/* The kernels of this process, which has one instruction set, on one thread: kernels take no context in which they
 * could be kept. dt_kernels_threaded alone writes it, before any kernel runs. */
extern const dt_kernels *dt_serial;

/* Runs the statements for blocks of `block` of [0, count): of `some` from `begin` to `end`. */
#define IN_BLOCKS(count, block, ...)                                                                                   \
    do {                                                                                                               \
        const int64_t count_ = (count), block_ = (block), blocks_ = (count_ + block_ - 1) / block_;                    \
        if (blocks_ < 2) {                                                                                             \
            const int64_t begin = 0, end = count_, some = count_;                                                      \
            (void)end, (void)some;                                                                                     \
            __VA_ARGS__;                                                                                               \
        } else {                                                                                                       \
            _Pragma("omp parallel for schedule(static)") for (int64_t b_ = 0; b_ < blocks_; b_++) {                    \
                const int64_t begin = b_ * block_, end = b_ + 1 < blocks_ ? begin + block_ : count_;                   \
                const int64_t some = end - begin;                                                                      \
                (void)end, (void)some;                                                                                 \
                __VA_ARGS__;                                                                                           \
            }                                                                                                          \
        }                                                                                                              \
    } while (0)

/* Rows of so many elements. */
#define IN_ROWS(rows, elements, ...)                                                                                   \
    IN_BLOCKS(rows, (elements) < DT_CELLS ? DT_CELLS / ((elements) > 0 ? (elements) : 1) : 1, __VA_ARGS__)

/* As many columns for each thread, whole lines of the cache, or multiples of `unit`. */
int64_t dt_columns_of_thread(int64_t rows, int64_t cols, int64_t unit);
#define IN_COLUMNS(rows, cols, unit, ...) IN_BLOCKS(cols, dt_columns_of_thread(rows, cols, unit), __VA_ARGS__)

/* Puts the kernels of one file into the table. */
void dt_thread_flat(dt_kernels *table);     /* threaded_flat.c */
void dt_thread_rows(dt_kernels *table);     /* threaded_rows.c */
void dt_thread_columns(dt_kernels *table);  /* threaded_columns.c */
void dt_thread_products(dt_kernels *table); /* threaded_products.c */

#endif
