/* The floating-point environment of a call. Programs that call the library have set
 * their own: a rounding mode for interval arithmetic, exceptions that trap, subnormals that count. Ours are those of
 * training, or the bits would be others. */
#ifndef DTRAIN_ENVIRONMENT_H
#define DTRAIN_ENVIRONMENT_H

#include <fenv.h>

#include "compute/subnormal.h"

typedef struct dt_environment {
#ifdef __x86_64__
    unsigned control; /* rounding, masks and flags of SSE and AVX, which all our arithmetic is */
#else
    fenv_t whole;
#endif
} dt_environment;

#define DT_CONTROL_OF_TRAINING 0x9fc0U /* to nearest, all masked, no flag, FTZ and DAZ */

static inline void dt_environment_enter(dt_environment *caller) {
#ifdef __x86_64__
    caller->control = _mm_getcsr();
    _mm_setcsr(DT_CONTROL_OF_TRAINING);
#else
    fegetenv(&caller->whole);
    fesetenv(FE_DFL_ENV);
    dt_flush_subnormals();
#endif
}

static inline void dt_environment_leave(const dt_environment *caller) {
#ifdef __x86_64__
    _mm_setcsr(caller->control);
#else
    fesetenv(&caller->whole);
#endif
}

#endif
