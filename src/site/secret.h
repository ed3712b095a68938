/* Memory for key material, and where keys come from. Pages of their own, locked, between guard pages, in no core dump,
 * and overwritten when they are given back. What is derived from a secret is one, too. */
#ifndef DTRAIN_SECRET_H
#define DTRAIN_SECRET_H

#include <stddef.h>

#include "base/status.h"

/* Before any other use of libsodium. Any number of times, from any thread. */
dt_status dt_secret_ready(void);

/* `bytes` of such memory, to be given back with dt_secret_free. It makes libsodium ready. */
dt_status dt_secret_alloc(void **out, size_t bytes);
void dt_secret_free(void *memory); /* accepts NULL */

/* Bytes of the system's generator of random numbers, which nobody foresees. dt_secret_ready was called. */
void dt_secret_random(void *out, size_t bytes);

#endif
