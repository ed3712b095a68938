/* Preloaded (LD_PRELOAD), it makes a call of oneDNN find no memory: $DTRAIN_FAIL_PRODUCT is "RANK FUNCTION N", the
 * rank, which of the functions below, and the number of its call, counted from 1, from which on it fails; the call then
 * writes nothing. Without the variable, or on other ranks, all calls go through. $DTRAIN_COUNT_PRODUCTS names a file
 * that holds the numbers of calls of rank 0. */
#include <dlfcn.h>
#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rank.h"

enum { BF16, EXECUTE, FUNCTIONS };
static const char *const names[FUNCTIONS] = {"dnnl_gemm_bf16bf16f32", "dnnl_primitive_execute"};
static long calls[FUNCTIONS], fails_from[FUNCTIONS];
static const char *counts;

/* The number of a call, of the function that is named. */
static void set(long *numbers, const char *name, long number) {
    for (int i = 0; i < FUNCTIONS; i++)
        if (strcmp(name, names[i]) == 0) numbers[i] = number;
}

__attribute__((constructor)) static void read_plan(void) {
    const char *plan = getenv("DTRAIN_FAIL_PRODUCT");
    char name[64];
    int on, rank = rank_of_job() > 0 ? (int)rank_of_job() : 0;
    long from;
    if (rank == 0) counts = getenv("DTRAIN_COUNT_PRODUCTS");
    if (plan && sscanf(plan, "%d %63s %ld", &on, name, &from) == 3 && on == rank) set(fails_from, name, from);
}

static void write_counts(void) {
    FILE *file = counts ? fopen(counts, "w") : NULL;
    if (!file) return;
    for (int i = 0; i < FUNCTIONS; i++) fprintf(file, "%s %ld\n", names[i], calls[i]);
    fclose(file);
}

static int fails(int function) {
    calls[function]++;
    write_counts();
    return fails_from[function] > 0 && calls[function] >= fails_from[function];
}

/* The library's own function. */
static void *original(int function) {
    static void *found[FUNCTIONS];
    if (!found[function]) found[function] = dlsym(RTLD_NEXT, names[function]);
    if (!found[function]) abort();
    return found[function];
}

dnnl_status_t dnnl_gemm_bf16bf16f32(char transa, char transb, dnnl_dim_t m, dnnl_dim_t n, dnnl_dim_t k, float alpha,
                                    const unsigned short *a, dnnl_dim_t lda, const unsigned short *b, dnnl_dim_t ldb,
                                    float beta, float *c, dnnl_dim_t ldc);
dnnl_status_t dnnl_gemm_bf16bf16f32(char transa, char transb, dnnl_dim_t m, dnnl_dim_t n, dnnl_dim_t k, float alpha,
                                    const unsigned short *a, dnnl_dim_t lda, const unsigned short *b, dnnl_dim_t ldb,
                                    float beta, float *c, dnnl_dim_t ldc) {
    if (fails(BF16)) return dnnl_out_of_memory;
    dnnl_status_t (*real)(char, char, dnnl_dim_t, dnnl_dim_t, dnnl_dim_t, float, const unsigned short *, dnnl_dim_t,
                          const unsigned short *, dnnl_dim_t, float, float *, dnnl_dim_t);
    *(void **)&real = original(BF16);
    return real(transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

dnnl_status_t dnnl_primitive_execute(const_dnnl_primitive_t primitive, dnnl_stream_t stream, int nargs,
                                     const dnnl_exec_arg_t *args) {
    if (fails(EXECUTE)) return dnnl_out_of_memory;
    dnnl_status_t (*real)(const_dnnl_primitive_t, dnnl_stream_t, int, const dnnl_exec_arg_t *);
    *(void **)&real = original(EXECUTE);
    return real(primitive, stream, nargs, args);
}
