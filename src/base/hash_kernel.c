/* XXH3-64 from the library's header, which takes the vectors it is compiled for: once for each instruction set. */
#define XXH_INLINE_ALL
#include "hash_kernel.h"

#include <stdalign.h>
#include <xxhash.h>

#define JOINED(a, b) a##b
#define NAMED(suffix) JOINED(dt_hash_kernel_, suffix)

static uint64_t whole(const void *bytes, size_t count) {
    return XXH3_64bits(bytes, count);
}

static void begin(void *state) {
    XXH3_64bits_reset(state);
}

static void add(void *state, const void *bytes, size_t count) {
    XXH3_64bits_update(state, bytes, count);
}

static uint64_t value(const void *state) {
    return XXH3_64bits_digest(state);
}

extern const dt_hash_kernel NAMED(DT_KERNELS_SUFFIX);
const dt_hash_kernel NAMED(DT_KERNELS_SUFFIX) = {sizeof(XXH3_state_t), alignof(XXH3_state_t), whole, begin, add, value};
