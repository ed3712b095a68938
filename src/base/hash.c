#include "hash.h"

#include <stdlib.h>

#include "hash_kernel.h"

extern const dt_hash_kernel dt_hash_kernel_baseline;
#if defined(__x86_64__) && !defined(DT_REAL_DOUBLE)
extern const dt_hash_kernel dt_hash_kernel_avx2, dt_hash_kernel_avx512;
#endif

static const dt_hash_kernel *kernel(void) {
#if defined(__x86_64__) && !defined(DT_REAL_DOUBLE)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return &dt_hash_kernel_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &dt_hash_kernel_avx2;
#endif
    return &dt_hash_kernel_baseline;
}

uint64_t dt_hash_bytes(const void *bytes, size_t count) {
    return kernel()->whole(bytes, count);
}

dt_hasher *dt_hasher_open(void) {
    const dt_hash_kernel *by = kernel();
    size_t room = (by->state_bytes + by->alignment - 1) / by->alignment * by->alignment;
    dt_hasher *hasher = aligned_alloc(by->alignment, room);
    if (hasher) by->begin(hasher);
    return hasher;
}

void dt_hasher_close(dt_hasher *hasher) {
    free(hasher);
}

void dt_hasher_begin(dt_hasher *hasher) {
    kernel()->begin(hasher);
}

void dt_hasher_add(dt_hasher *hasher, const void *bytes, size_t count) {
    kernel()->add(hasher, bytes, count);
}

uint64_t dt_hasher_value(const dt_hasher *hasher) {
    return kernel()->value(hasher);
}
