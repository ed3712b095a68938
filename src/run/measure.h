/* What this machine can do (measure.c). */
#ifndef DTRAIN_MEASURE_H
#define DTRAIN_MEASURE_H

#include <stdint.h>

#include "base/status.h"
#include "compute/kernels.h"
#include "config/recipe.h"

/* Floating-point operations a second of one core in products of n by n matrices, measured for about so many seconds. */
dt_status dt_measure_products(int64_t n, dt_precision precision, double seconds, double *rate);

/* The limit of all of them: fused multiply-adds a second of one core, of numbers in registers, by these kernels. */
double dt_measure_peak(const dt_kernels *kernels, dt_precision precision, double seconds);

#endif
