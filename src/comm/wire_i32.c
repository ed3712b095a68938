/* Integers of 32 bits: the default. Sums are the same in every order; with more than 64 shards they get tight. */
#include <math.h>

#include "wire.h"

static double encode(const dt_kernels *kernels, void *words, const dt_real *g, int64_t n, int k, bool fresh) {
    return kernels->quantise_i32(words, g, n, (dt_real)ldexp(1.0, k), fresh);
}

static void add(const dt_kernels *kernels, void *sum, const void *words, int64_t n) {
    kernels->add_i32(sum, words, n);
}

static void decode(const dt_kernels *kernels, dt_real *g, const void *words, int64_t n, int k) {
    kernels->dequantise_i32(g, words, n, (dt_real)ldexp(1.0, -k));
}

static void put(void *head, size_t at, int value) {
    ((int32_t *)head)[at] = value;
}

static void read_words(int *values, const void *head, size_t at, size_t n) {
    for (size_t i = 0; i < n; i++) values[i] = (int)((const int32_t *)head)[at + i];
}

const dt_wire_kind dt_wire_i32 = {.type = MPI_INT32_T,
                                  .word = sizeof(int32_t),
                                  .limit = 0x1p31 - 1,
                                  .first_exponent = 24,
                                  .encode = encode,
                                  .add = add,
                                  .decode = decode,
                                  .put = put,
                                  .read = read_words};
