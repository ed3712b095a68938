/* The most likely classes, from outputs that are too many to be kept (top.c). */
#ifndef DTRAIN_TOP_H
#define DTRAIN_TOP_H

#include <stdint.h>

#include "compute/compute.h"
#include "data/batch.h"

/* Where what is found of positions goes that come one after the other, those of [from, to) alone; other positions are
 * passed over. */
typedef struct dt_top {
    const dt_kernels *kernels;
    int64_t keep;          /* classes of a position */
    int64_t from, to, at;  /* at: the next that comes */
    int64_t *classes;      /* [to - from, keep], the most likely first, among equals the one with the lower number */
    float *logs;           /* [to - from, keep]: natural logarithms of their probabilities */
    const int32_t *labels; /* [to - from], or NULL: classes whose probability is wanted; -1: none's is */
    float *of_labels;      /* [to - from], with labels; NaN where there is none */
} dt_top;

/* `context` is a dt_top. Outputs before the softmax of the next `rows` positions, output[rows, width]: dt_pass.judged,
 * whose batch is not looked at. */
void dt_top_take(void *context, const dt_real *output, const dt_batch *batch, int64_t rows, int64_t width);

#endif
