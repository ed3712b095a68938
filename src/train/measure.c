/* What this machine can do, measured: the yardstick of profiles and of dtrain bench. */
#include <string.h>

#include "dtrain/clock.h"
#include "dtrain/memory.h"
#include "train_internal.h"

double dt_measure_products(int64_t n, double seconds) {
    size_t count = (size_t)(n * n);
    dt_real *a = dt_alloc(3 * count, sizeof *a);
    if (!a) return (double)__builtin_nanf("");
    for (size_t i = 0; i < 2 * count; i++) a[i] = (dt_real)(i % 17) - 8;
    double best = 0, began = dt_clock_now(), end = began + seconds;
    while (began < end) {
        dt_gemm(DT_PLAIN, DT_PLAIN, n, n, n, a, n, a + count, n, 0, a + 2 * count, n);
        double now = dt_clock_now(), rate = 2.0 * (double)n * (double)n * (double)n / (now - began);
        if (rate > best) best = rate;
        began = now;
    }
    dt_free(a);
    return best;
}
