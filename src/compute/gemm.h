/* Matrix products (oneDNN). */
#ifndef DTRAIN_COMPUTE_GEMM_H
#define DTRAIN_COMPUTE_GEMM_H

#include <stdbool.h>
#include <stdint.h>

#include "real.h"

/* c[m, n] = op(a)·op(b) + beta*c, row-major, leading dimensions of the arrays as stored. */
typedef enum dt_transpose { DT_PLAIN, DT_TRANSPOSED } dt_transpose;
void dt_gemm(dt_transpose ta, dt_transpose tb, int64_t m, int64_t n, int64_t k, const dt_real *a, int64_t lda,
             const dt_real *b, int64_t ldb, dt_real beta, dt_real *c, int64_t ldc);

#endif
