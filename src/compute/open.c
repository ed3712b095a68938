/* What is done once a process before anything is computed: every thread flushes denormals. */
#include "compute.h"
#include "compute_internal.h"
#include "subnormal.h"

dt_status dt_compute_open(const dt_kernels **out, dt_isa isa, int threads) {
    DT_TRY(dt_isa_check(isa));
    *out = dt_kernels_for(isa);
    dt_flush_subnormals();
    dt_threads_open(threads, dt_flush_subnormals);
    if (threads > 1) *out = dt_kernels_threaded(*out);
    return dt_ok();
}
