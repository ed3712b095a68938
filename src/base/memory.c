/* Memory for arenas: aligned for the widest vectors, and in huge pages from 4 MiB up, because Debian enables those on
 * request only and a large arena walked every step otherwise lives in the page tables. */
#include "base/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

bool dt_size_mul(size_t a, size_t b, size_t *product) {
    return !__builtin_mul_overflow(a, b, product);
}

void *dt_alloc(size_t count, size_t size) {
    size_t bytes;
    if (!dt_size_mul(count, size, &bytes) || bytes > SIZE_MAX / 2) return NULL;
    bool huge = bytes >= 2 * HUGE_PAGE;
    size_t alignment = huge ? HUGE_PAGE : DT_ALIGNMENT;
    size_t rounded = (bytes + DT_ALIGNMENT) / DT_ALIGNMENT * DT_ALIGNMENT;
    void *memory = NULL;
    if (posix_memalign(&memory, alignment, rounded) != 0) return NULL;
    if (huge) madvise(memory, rounded, MADV_HUGEPAGE);
    memset(memory, 0, rounded);
    return memory;
}

void dt_free(void *memory) {
    free(memory);
}

char *dt_strdup(const char *text) {
    size_t length = strlen(text) + 1;
    char *copy = dt_alloc(length, 1);
    if (copy) memcpy(copy, text, length);
    return copy;
}

/* What a file of /proc says in KiB, in bytes; 0 where it does not. */
static size_t read_kib(const char *path, const char *key) {
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    size_t kib = 0, length = strlen(key);
    char line[256];
    while (fgets(line, sizeof line, file))
        if (strncmp(line, key, length) == 0 && sscanf(line + length, "%zu", &kib) == 1) break;
    fclose(file);
    return kib * 1024;
}

size_t dt_memory_peak(void) {
    return read_kib("/proc/self/status", "VmHWM:");
}

size_t dt_memory_share(void) {
    return read_kib("/proc/self/smaps_rollup", "Pss:");
}
