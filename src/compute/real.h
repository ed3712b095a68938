/* The numbers of the arithmetic. Everything is written for `dt_real`, float in the program. The unit tests compile the
 * model room and the kernels a second time with double, so gradient checks run on the very code that trains. */
#ifndef DTRAIN_COMPUTE_REAL_H
#define DTRAIN_COMPUTE_REAL_H

#include <stdint.h>

#ifdef DT_REAL_DOUBLE
typedef double dt_real;
#else
typedef float dt_real;
#endif

/* The upper half of a float32: 8 bits of precision. */
typedef uint16_t dt_bf16;

#endif
