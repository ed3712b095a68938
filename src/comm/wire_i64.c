/* Integers of 64 bits: the oracle, at twice the traffic. */
#include <math.h>

#include "wire.h"

static double encode(const dt_kernels *kernels, void *words, const dt_real *g, int64_t n, int k, bool fresh) {
    return kernels->quantise_i64(words, g, n, ldexp(1.0, k), fresh);
}

static void add(const dt_kernels *kernels, void *sum, const void *words, int64_t n) {
    kernels->add_i64(sum, words, n);
}

static void decode(const dt_kernels *kernels, dt_real *g, const void *words, int64_t n, int k) {
    kernels->dequantise_i64(g, words, n, ldexp(1.0, -k));
}

static void put(void *head, size_t at, int value) {
    ((int64_t *)head)[at] = value;
}

static void read_words(int *values, const void *head, size_t at, size_t n) {
    for (size_t i = 0; i < n; i++) values[i] = (int)((const int64_t *)head)[at + i];
}

const dt_wire_kind dt_wire_i64 = {.type = MPI_INT64_T,
                                  .word = sizeof(int64_t),
                                  .limit = 0x1p62,
                                  .first_exponent = 55,
                                  .encode = encode,
                                  .add = add,
                                  .decode = decode,
                                  .put = put,
                                  .read = read_words};
