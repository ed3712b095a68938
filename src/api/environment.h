/* The floating-point environment of a call, and the threads of oneDNN in it. Programs that call the library have set
 * their own: a rounding mode for interval arithmetic, exceptions that trap, subnormals that count. Ours are those of
 * training, or the bits would be others. */
#ifndef DTRAIN_ENVIRONMENT_H
#define DTRAIN_ENVIRONMENT_H

#include <fenv.h>

#include "compute/subnormal.h"

/* Debian's oneDNN runs on OpenMP, and would start as many threads in a call as its runtime likes: which changes bits,
 * and is not what somebody expects of a function called by each of his own threads. NULL where there is no OpenMP in
 * the process. */
typedef struct dt_openmp {
    int (*get_max_threads)(void);
    void (*set_num_threads)(int);
} dt_openmp;

void dt_openmp_find(dt_openmp *out);

typedef struct dt_environment {
    const dt_openmp *openmp;
    int threads; /* of the caller; 1: it was left alone */
#ifdef __x86_64__
    unsigned control; /* rounding, masks and flags of SSE and AVX, which all our arithmetic is */
#else
    fenv_t whole;
#endif
} dt_environment;

#define DT_CONTROL_OF_TRAINING 0x9fc0U /* to nearest, all masked, no flag, FTZ and DAZ */

static inline void dt_environment_enter(dt_environment *caller, const dt_openmp *openmp) {
#ifdef __x86_64__
    caller->control = _mm_getcsr();
    _mm_setcsr(DT_CONTROL_OF_TRAINING);
#else
    fegetenv(&caller->whole);
    fesetenv(FE_DFL_ENV);
    dt_flush_subnormals();
#endif
    caller->openmp = openmp;
    caller->threads = openmp->get_max_threads ? openmp->get_max_threads() : 1;
    if (caller->threads > 1) openmp->set_num_threads(1);
}

static inline void dt_environment_leave(const dt_environment *caller) {
    if (caller->threads > 1) caller->openmp->set_num_threads(caller->threads);
#ifdef __x86_64__
    _mm_setcsr(caller->control);
#else
    fesetenv(&caller->whole);
#endif
}

#endif
