/* Which file a piece of memory is: a table of fixed size, since a signal handler can wait for no lock and follow no
 * list that is being changed. An entry counts once its end is there, which is written last. */
#include "base/mapped.h"

#include <stdatomic.h>
#include <stdint.h>

#include "base/escape.h"

#define MOST 64

static struct {
    _Atomic uintptr_t begin, end; /* end 0: free */
    char file[512];
} mapped[MOST];

void dt_mapped_add(const void *begin, size_t bytes, const char *file) {
    for (int i = 0; i < MOST; i++) {
        if (mapped[i].end != 0) continue;
        dt_escape_name(mapped[i].file, sizeof mapped[i].file, file);
        mapped[i].begin = (uintptr_t)begin;
        mapped[i].end = (uintptr_t)begin + bytes;
        return;
    }
}

void dt_mapped_remove(const void *begin) {
    for (int i = 0; i < MOST; i++)
        if (mapped[i].end != 0 && mapped[i].begin == (uintptr_t)begin) mapped[i].end = 0;
}

const char *dt_mapped_file(const void *address) {
    uintptr_t at = (uintptr_t)address;
    for (int i = 0; i < MOST; i++)
        if (at < mapped[i].end && at >= mapped[i].begin) return mapped[i].file;
    return NULL;
}
