/* What this machine can do, measured: the yardstick of profiles and of dtrain bench. */
#include "measure.h"
#include "base/clock.h"
#include "base/memory.h"
#include "compute/compute.h"

dt_status dt_measure_products(int64_t n, dt_precision precision, double seconds, double *rate) {
    bool bf16 = precision == DT_PRECISION_BF16;
    size_t count = (size_t)(n * n);
    dt_real *c = dt_alloc(3 * count, sizeof *c);
    if (!c) return dt_fail_memory("products to measure", 3 * count * sizeof *c);
    dt_real *a = c + count;
    dt_bf16 *a16 = (dt_bf16 *)a, *b16 = a16 + count;
    for (size_t i = 0; i < 2 * count; i++) {
        if (bf16)
            a16[i] = (dt_bf16)(0x3f80 + i % 17);
        else
            a[i] = (dt_real)(i % 17) - 8;
    }
    *rate = 0;
    double began = dt_clock_now(), end = began + seconds;
    while (began < end && !dt_compute_failed()) {
        if (bf16)
            dt_kernels_for(DT_ISA_AUTO)
                ->product_bf16(&(dt_matrix_product_bf16){
                    .rows = n, .cols = n, .depth = n, .a = a16, .b = b16, .c = c, .lda = n, .ldb = n, .ldc = n});
        else
            dt_kernels_for(DT_ISA_AUTO)
                ->product(&(dt_matrix_product){
                    .rows = n, .cols = n, .depth = n, .a = a, .lda = n, .b = a + count, .ldb = n, .c = c, .ldc = n});
        double now = dt_clock_now(), once = 2.0 * (double)n * (double)n * (double)n / (now - began);
        if (once > *rate) *rate = once;
        began = now;
    }
    dt_free(c);
    return dt_compute_failure();
}

double dt_measure_peak(const dt_kernels *kernels, dt_precision precision, double seconds) {
    const int64_t rounds =
        kernels->isa == DT_ISA_BASELINE ? 500 : 10000; /* some 20 us: short enough to be undisturbed */
    double most = 0, began = dt_clock_now(), end = began + seconds;
    while (began < end) {
        double work = kernels->multiply_add(rounds, precision == DT_PRECISION_BF16), now = dt_clock_now();
        if (work / (now - began) > most) most = work / (now - began);
        began = now;
    }
    return most;
}
