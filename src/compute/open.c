/* What is done once a process before anything is computed: oneDNN is pinned to the kernels' instruction set, and every
 * thread flushes denormals. */
#ifdef __x86_64__
#    include <immintrin.h>
#endif

#include "compute.h"
#include "compute_internal.h"

/* Denormals cost a hundred cycles each; sigmoid, tanh and Adam make many. */
static void flush_denormals(void) {
#ifdef __x86_64__
    _mm_setcsr(_mm_getcsr() | 0x8040U); /* FTZ and DAZ */
#endif
}

dt_status dt_compute_open(const dt_kernels **out, dt_isa isa, int threads) {
    DT_TRY(dt_isa_check(isa));
    *out = dt_kernels_for(isa);
    flush_denormals();
    dt_threads_open(threads, flush_denormals);
    DT_TRY(dt_onednn_open((*out)->isa));
    if (threads > 1) *out = dt_kernels_threaded(*out);
    return dt_ok();
}
