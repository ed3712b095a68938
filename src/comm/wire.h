/* Wires: the number formats gradients have while they are summed. A wire is a table of functions over whole tensors or
 * blocks of words; a new one is a file with such a table and a row in DT_WIRES (config/recipe.h). */
#ifndef DTRAIN_COMM_WIRE_H
#define DTRAIN_COMM_WIRE_H

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compute/compute.h"
#include "config/recipe.h"

typedef struct dt_wire_kind {
    MPI_Datatype type; /* of a word, for MPI_SUM */
    size_t word;       /* its bytes */
    double limit; /* of a tensor's Σ|q|, beyond which its words do not hold the sum; 0: it needs no exponents (k) */
    int first_exponent;
    /* Writes n words from a shard's gradient g[n] of a tensor, or adds to them unless `fresh`. Returns the largest |g|,
     * or infinity or NaN where one is not finite. Where decode is NULL a fresh g may be the words themselves. */
    double (*encode)(const dt_kernels *kernels, void *words, const dt_real *g, int64_t n, int k, bool fresh);
    /* sum += words, in an order that does not matter, or in the given one. */
    void (*add)(const dt_kernels *kernels, void *sum, const void *words, int64_t n);
    /* g[n] from words that are sums; NULL: the words are g. */
    void (*decode)(const dt_kernels *kernels, dt_real *g, const void *words, int64_t n, int k);
    /* Writes a word of a message's head, a small whole number, and reads n of them from `at` on. */
    void (*put)(void *head, size_t at, int value);
    void (*read)(int *values, const void *head, size_t at, size_t n);
} dt_wire_kind;

const dt_wire_kind *dt_wire_of(dt_wire wire);

#define DT_WIRE_DECLARE(NAME, name) extern const dt_wire_kind dt_wire_##name;
DT_WIRES(DT_WIRE_DECLARE)

#endif
