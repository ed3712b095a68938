/* An array's bytes as memory, wherever a file has them: its own, or the spool. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "array_internal.h"
#include "base/mapped.h"
#include "base/memory.h"

/* Small arrays are read ahead as a whole: fast on any disk, and random access then finds them in memory. For large ones
 * reading ahead around each sample would only push others out. */
static void advise(const array_run *run) {
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    bool small = pages > 0 && page > 0 && run->map_bytes / (size_t)page < (size_t)pages / 4;
    madvise(run->map, run->map_bytes, small ? MADV_WILLNEED : MADV_RANDOM);
}

#define LEAST_COPIED ((size_t)4 << 20) /* bytes: from there on dt_alloc gives huge pages */
#define SHARE 64                       /* of a machine's memory, with a rank on every processor */

/* Rows are drawn at random, and each is in pages of its own. To look these up takes as long as to read the row, for
 * their tables are in no cache either, and nothing can be asked for before. What is small beside the memory is
 * therefore copied into huge pages. (MLP of 784-128-10, batch 32: 4 % of a step.) */
static void copy_small(array_run *run, size_t bytes) {
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE), processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (pages <= 0 || page <= 0 || processors <= 0 || bytes < LEAST_COPIED) return;
    if (bytes / (size_t)page > (size_t)pages / SHARE / (size_t)processors) return;
    run->copy = dt_alloc(bytes, 1);
    if (!run->copy) return; /* it stays where it is */
    memcpy(run->copy, run->values, bytes);
    run->values = run->copy;
    dt_array_unmap(run);
}

void dt_array_unmap(array_run *run) {
    if (!run->map) return;
    dt_mapped_remove(run->map);
    munmap(run->map, run->map_bytes);
    run->map = NULL;
}

/* Reading behind the end of a file would be a SIGBUS. */
dt_status dt_array_map(dt_array *array, int64_t first, size_t bytes, int fd, uint64_t offset, const char *file) {
    struct stat about;
    if (fstat(fd, &about) != 0) return dt_fail(DT_ERR_IO, "%s: cannot stat: %s", file, strerror(errno));
    uint64_t end;
    if (__builtin_add_overflow(offset, bytes, &end) || end > (uint64_t)about.st_size)
        return dt_fail(DT_ERR_CORRUPT, "%s: %s lies beyond the end of the file (%lld bytes): the file is truncated",
                       file, array->dataset, (long long)about.st_size);
    size_t lead = offset % (uint64_t)sysconf(_SC_PAGESIZE);
    void *map = mmap(NULL, bytes + lead, PROT_READ, MAP_SHARED, fd, (off_t)(offset - lead));
    if (map == MAP_FAILED)
        return dt_fail(DT_ERR_IO, "%s: cannot map %s (%zu bytes): %s", file, array->dataset, bytes + lead,
                       strerror(errno));
    array_run *run = &array->runs[array->run_count++];
    *run = (array_run){.first = first, .values = (const char *)map + lead, .map = map, .map_bytes = bytes + lead};
    dt_mapped_add(map, run->map_bytes, file);
    advise(run);
    copy_small(run, bytes);
    return dt_ok();
}
