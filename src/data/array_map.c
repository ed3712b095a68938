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
static void advise(const array_run *run) {
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    bool small = pages > 0 && page > 0 && run->map_bytes / (size_t)page < (size_t)pages / 4;
    madvise(run->map, run->map_bytes, small ? MADV_WILLNEED : MADV_RANDOM);
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
    *run = (array_run){first, (const char *)map + lead, map, bytes + lead};
    dt_mapped_add(map, run->map_bytes, file);
    advise(run);
    return dt_ok();
}
