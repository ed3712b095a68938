/* An array's bytes as memory, wherever a file has them: its own, or the spool. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "array_internal.h"
#include "base/mapped.h"

/* Small arrays are read ahead as a whole: fast on any disk, and random access then finds them in memory. For large ones
 * reading ahead around each sample would only push others out. */
static void advise(const dt_array *array) {
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    bool small = pages > 0 && page > 0 && array->bytes / (size_t)page < (size_t)pages / 4;
    madvise(array->map, array->map_bytes, small ? MADV_WILLNEED : MADV_RANDOM);
}

/* Maps array->bytes at `offset` of an open file, which must have them all: reading behind its end would be a SIGBUS. */
dt_status dt_array_map(dt_array *array, int fd, uint64_t offset, const char *file, const char *dataset) {
    struct stat about;
    if (fstat(fd, &about) != 0) return dt_fail(DT_ERR_IO, "%s: cannot stat: %s", file, strerror(errno));
    uint64_t end;
    if (__builtin_add_overflow(offset, array->bytes, &end) || end > (uint64_t)about.st_size)
        return dt_fail(DT_ERR_CORRUPT, "%s: %s lies beyond the end of the file (%lld bytes): the file is truncated",
                       file, dataset, (long long)about.st_size);
    size_t lead = offset % (uint64_t)sysconf(_SC_PAGESIZE);
    size_t bytes = array->bytes + lead;
    void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, (off_t)(offset - lead));
    if (map == MAP_FAILED)
        return dt_fail(DT_ERR_IO, "%s: cannot map %s (%zu bytes): %s", file, dataset, bytes, strerror(errno));
    array->map = map;
    array->map_bytes = bytes;
    array->values = (const char *)map + lead;
    dt_mapped_add(map, bytes, file);
    advise(array);
    return dt_ok();
}
