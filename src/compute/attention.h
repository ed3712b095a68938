/* The kernels of attention.c, as the table of their instruction set takes them up; documented in compute/compute.h. */
#ifndef DTRAIN_ATTENTION_H
#define DTRAIN_ATTENTION_H

#include "elementary.h"

void DT_OF_ISA(attend)(dt_real *y, dt_real *log_sum, const dt_real *qkv, const dt_attention *shape, dt_real *work);
void DT_OF_ISA(attend_backward)(dt_real *dqkv, const dt_real *dy, const dt_real *y, const dt_real *log_sum,
                                const dt_real *qkv, const dt_attention *shape, dt_real *work);
void DT_OF_ISA(attend_place)(dt_real *y, dt_real *keys, dt_real *values, const dt_real *qkv, const dt_attention *shape,
                             int64_t position, dt_real *work);
void DT_OF_ISA(rotate)(dt_real *qkv, const dt_real *turns, const dt_attention *shape, bool back);

#endif
