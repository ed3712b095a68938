/* Between the files of kernels of one instruction set: what kernels.c puts into the table. What they do is said at
 * their slot in compute.h. */
#ifndef DTRAIN_KERNELS_INTERNAL_H
#define DTRAIN_KERNELS_INTERNAL_H

#include "elementary.h"

/* ---- tokens.c ---- */

void DT_OF_ISA(embed)(dt_real *y, const dt_real *table, const dt_real *at_position, const dt_real *ids, int64_t rows,
                      int64_t positions, int64_t cols);
void DT_OF_ISA(embed_backward)(dt_real *dtable, dt_real *dat_place, const dt_real *dy, const dt_real *ids, int64_t rows,
                               int64_t positions, int64_t cols);
void DT_OF_ISA(mean_of_places)(dt_real *y, const dt_real *x, const dt_real *ids, int64_t rows, int64_t positions,
                               int64_t cols);
void DT_OF_ISA(mean_of_places_backward)(dt_real *dx, const dt_real *dy, const dt_real *ids, int64_t rows,
                                        int64_t positions, int64_t cols);
void DT_OF_ISA(swiglu)(dt_real *y, const dt_real *z, int64_t rows, int64_t cols);
void DT_OF_ISA(swiglu_backward)(dt_real *z, const dt_real *dy, int64_t rows, int64_t cols);

#endif
