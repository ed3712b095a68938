/* Aligned, zeroed, overflow-checked memory. */
#ifndef DTRAIN_MEMORY_H
#define DTRAIN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#define DT_ALIGNMENT 64

/* `count` elements of `size` bytes, zeroed, 64-byte aligned, in huge pages where that helps.
 * NULL when count*size overflows or memory is short. Free with dt_free. */
void *dt_alloc(size_t count, size_t size);

/* Accepts NULL. */
void dt_free(void *memory);

/* A copy of `text`; NULL when memory is short. Free with dt_free. */
char *dt_strdup(const char *text);

/* *product = a*b; false when it overflows. */
bool dt_size_mul(size_t a, size_t b, size_t *product);

/* Bytes this process could still take before the machine, its control groups (a container, a scheduler's job) or its
 * own limit of address space stop it; SIZE_MAX where nobody says. `root` is put before the paths of /proc and /sys, ""
 * but in tests. */
size_t dt_memory_available(const char *root);

/* The peak resident size of this process in bytes (VmHWM); 0 where it cannot be read. */
size_t dt_memory_peak(void);
/* The resident size now, of pages that processes share this one's part (Pss): they add up; 0 where it cannot be read.
 */
size_t dt_memory_share(void);

#endif
