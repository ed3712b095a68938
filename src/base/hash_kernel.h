/* What hash_kernel.c is, compiled for one instruction set. */
#ifndef DTRAIN_HASH_KERNEL_H
#define DTRAIN_HASH_KERNEL_H

#include <stddef.h>
#include <stdint.h>

typedef struct dt_hash_kernel {
    size_t state_bytes, alignment;
    uint64_t (*whole)(const void *bytes, size_t count);
    void (*begin)(void *state);
    void (*add)(void *state, const void *bytes, size_t count);
    uint64_t (*value)(const void *state);
} dt_hash_kernel;

#endif
