/* What this machine can do (measure.c). */
#ifndef DTRAIN_MEASURE_H
#define DTRAIN_MEASURE_H

#include <stdint.h>

#include "base/status.h"
#include "config/recipe.h"

/* Floating-point operations a second of one core in products of n by n matrices, measured for about so many seconds. */
dt_status dt_measure_products(int64_t n, dt_precision precision, double seconds, double *rate);

#endif
