/* Subnormal numbers are taken for zero, and made zero, on every processor: they cost a hundred cycles each, and
 * sigmoid, tanh and Adam make many. Arm looks whether a result is subnormal before it rounds it and x86 after: what
 * would round up to the smallest normal number, 2^-126, is 0 there. That is the one thing in which they differ. */
#ifndef DTRAIN_COMPUTE_SUBNORMAL_H
#define DTRAIN_COMPUTE_SUBNORMAL_H

#include <stdint.h>

#ifdef __x86_64__
#    include <immintrin.h>
#endif

/* Of the calling thread. */
static inline void dt_flush_subnormals(void) {
#if defined __x86_64__
    _mm_setcsr(_mm_getcsr() | 0x8040U); /* FTZ and DAZ */
#elif defined __aarch64__
    uint64_t control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    __asm__ volatile("msr fpcr, %0" : : "r"(control | UINT64_C(1) << 24)); /* FZ */
#endif
}

#endif
