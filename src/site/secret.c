/* libsodium itself, as far as it is not about keys or signatures. */
#include "secret.h"

#include <sodium.h>

dt_status dt_secret_ready(void) {
    if (sodium_init() >= 0) return dt_ok();
    return dt_fail(DT_ERR_IO, "libsodium cannot be used: the system gives no random numbers");
}

dt_status dt_secret_alloc(void **out, size_t bytes) {
    *out = NULL;
    DT_TRY(dt_secret_ready());
    *out = sodium_malloc(bytes);
    return *out ? dt_ok() : dt_fail_memory("a key", bytes);
}

void dt_secret_free(void *memory) {
    sodium_free(memory);
}

void dt_secret_random(void *out, size_t bytes) {
    randombytes_buf(out, bytes);
}
