/* Matrix products. oneDNN's sgemm was within 5 % of the peak for every shape of a batch-32 to batch-256 network on Zen
 * 4, with code generated for AVX2, AVX-512 and AMX at run time, so one function is all this room needs of it. Compiled
 * for double (the gradient checks) it is three plain loops. */
#include "gemm.h"

#include "compute_internal.h"
#include "failure.h"
#include "threads.h"

/* oneDNN's sums have the order of our own where it works on one thread, with vectors of 512 bits and no more than 384
 * products in a sum (it cuts longer ones) of at least two columns; and, with those of 256 bits too, for a single row.
 * Tried for 26 lengths of sums, 14 numbers of columns and 19 of rows with oneDNN 2.6. Below the limit it takes less
 * time. */
bool dt_product_is_small(const dt_kernels *kernels, int64_t rows, int64_t in, int64_t out) {
    const int64_t longest = 384, limit = INT64_C(1) << 23;
    if (dt_threads() > 1 || in > limit || out > limit || rows > limit / in / out) return false;
    if (kernels->isa == DT_ISA_AVX512) return rows == 1 || (out > 1 && in <= longest);
    return kernels->isa == DT_ISA_AVX2 && rows == 1;
}

#ifdef DT_REAL_DOUBLE

dt_status dt_products_open(dt_isa isa) {
    (void)isa;
    return dt_ok();
}

void dt_gemm(dt_transpose ta, dt_transpose tb, int64_t m, int64_t n, int64_t k, const dt_real *a, int64_t lda,
             const dt_real *b, int64_t ldb, dt_real beta, dt_real *c, int64_t ldc) {
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            dt_real sum = 0;
            for (int64_t l = 0; l < k; l++)
                sum += (ta == DT_PLAIN ? a[i * lda + l] : a[l * lda + i]) *
                       (tb == DT_PLAIN ? b[l * ldb + j] : b[j * ldb + l]);
            c[i * ldc + j] = (beta == 0 ? 0 : beta * c[i * ldc + j]) + sum;
        }
    }
}

#else

#    include "onednn.h"

/* oneDNN writes its code when it is first asked for a product of some kind: where there is no memory for that, it is
 * found out before a run begins. */
static dt_status warm_up(void) {
    enum { SIDE = 16 };
    DT_TRY(dt_compute_room());
    static dt_real a[SIDE * SIDE], b[SIDE * SIDE], c[SIDE * SIDE];
    for (int i = 0; i < 4; i++)
        for (int64_t rows = 1; rows <= SIDE; rows += SIDE - 1)
            dt_gemm(i & 1 ? DT_TRANSPOSED : DT_PLAIN, i & 2 ? DT_TRANSPOSED : DT_PLAIN, rows, SIDE, SIDE, a, SIDE, b,
                    SIDE, 1, c, SIDE);
    return dt_compute_failure();
}

dt_status dt_products_open(dt_isa isa) {
    static const dnnl_cpu_isa_t pins[] = {[DT_ISA_BASELINE] = dnnl_cpu_isa_sse41,
                                          [DT_ISA_AVX2] = dnnl_cpu_isa_avx2,
                                          [DT_ISA_AVX512] = DT_ONEDNN_ALL_ISAS};
    static dt_isa pinned = DT_ISA_AUTO;
    if (pinned == isa) return dt_ok();
    dnnl_status_t code = dnnl_set_max_cpu_isa(pins[isa]);
    if (code != dnnl_success && code != dnnl_unimplemented) /* the latter: not an x86, nothing to choose from */
        return dt_fail(DT_ERR_INPUT,
                       "compute.isa cannot become %s: oneDNN was pinned before in this process (error %d)",
                       dt_isa_name(isa), (int)code);
    pinned = isa;
    return warm_up();
}

/* A product packs its operands into memory it takes for each call, 8 MB of it for the largest here. */
static void note(dnnl_status_t code, const char *numbers, int64_t m, int64_t n, int64_t k) {
    if (code == dnnl_success) return;
    dt_compute_fail(dt_fail(code == dnnl_out_of_memory ? DT_ERR_MEMORY : DT_ERR_INPUT,
                            "the %s product [%lld, %lld] x [%lld, %lld] was not computed: %s (oneDNN's error %d)",
                            numbers, (long long)m, (long long)k, (long long)k, (long long)n,
                            code == dnnl_out_of_memory ? "no memory left" : "oneDNN refuses it", (int)code));
}

void dt_gemm(dt_transpose ta, dt_transpose tb, int64_t m, int64_t n, int64_t k, const dt_real *a, int64_t lda,
             const dt_real *b, int64_t ldb, dt_real beta, dt_real *c, int64_t ldc) {
    note(
        dnnl_sgemm(ta == DT_PLAIN ? 'N' : 'T', tb == DT_PLAIN ? 'N' : 'T', m, n, k, 1.0F, a, lda, b, ldb, beta, c, ldc),
        "float32", m, n, k);
}

#endif
