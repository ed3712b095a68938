/* XXH3-64 with the widest vectors that the processor has: distributions build the library for the least of their
 * processors. The value is the same with any. */
#ifndef DTRAIN_HASH_H
#define DTRAIN_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t dt_hash_bytes(const void *bytes, size_t count);

/* The same of bytes that come in pieces. */
typedef struct dt_hasher dt_hasher;
dt_hasher *dt_hasher_open(void);         /* NULL: no memory */
void dt_hasher_close(dt_hasher *hasher); /* accepts NULL */
void dt_hasher_begin(dt_hasher *hasher);
void dt_hasher_add(dt_hasher *hasher, const void *bytes, size_t count);
uint64_t dt_hasher_value(const dt_hasher *hasher);

#endif
