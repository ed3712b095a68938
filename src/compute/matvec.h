/* The kernels of matvec.c, as the table of their instruction set takes them up; documented in compute/compute.h. */
#ifndef DTRAIN_MATVEC_H
#define DTRAIN_MATVEC_H

#include "elementary.h"

void DT_OF_ISA(matvec)(dt_real *y, const dt_real *x, const dt_real *w, int64_t rows, int64_t in, int64_t out,
                       bool transposed, dt_real beta);
void DT_OF_ISA(matvec_bf16)(dt_real *y, const dt_real *x, const dt_bf16 *w, int64_t rows, int64_t in, int64_t out,
                            bool transposed, dt_real beta);

#endif
