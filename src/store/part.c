/* What is written and read here goes past the page cache where it can: pages of gigabytes that nobody reads again would
 * push out those of the data, copying them takes time from the ranks, and bytes that come back from memory say nothing
 * about the disk. For that, large arrays begin at pages in the file, and in the copy. */
#include "part.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/memory.h"

#define PIECE_BYTES ((size_t)4 << 20)
#define MOST_SHORT 8 /* transfers in a row that bring nothing */

/* ---- whose is what -------------------------------------------------------------------------------------------------
 */

typedef struct sized {
    size_t bytes;
    int64_t item;
} sized;

static int larger_first(const void *a, const void *b) {
    const sized *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return (x->item > y->item) - (x->item < y->item);
}

static size_t room_of(size_t bytes) {
    return (bytes + DT_PART_PAGE - 1) / DT_PART_PAGE * DT_PART_PAGE;
}

static int least_loaded(const size_t *loads, int ranks) {
    int least = 0;
    for (int i = 1; i < ranks; i++)
        if (loads[i] < loads[least]) least = i;
    return least;
}

static void choose(dt_part *part, sized *order, int64_t count, size_t *loads, int rank, int ranks) {
    qsort(order, (size_t)count, sizeof *order, larger_first);
    for (int64_t i = 0; i < count; i++) {
        bool large = order[i].bytes >= DT_PART_LARGE;
        int owner = large ? least_loaded(loads, ranks) : (int)(order[i].item % ranks);
        loads[owner] += order[i].bytes;
        if (owner != rank) continue;
        part->items[part->count++] = order[i].item;
        part->room += room_of(order[i].bytes);
    }
}

dt_status dt_part_open(dt_part *part, const dt_outline *outline, int rank, int ranks) {
    memset(part, 0, sizeof *part);
    size_t count = (size_t)outline->count;
    part->items = dt_alloc(count, sizeof *part->items);
    sized *order = dt_alloc(count, sizeof *order);
    size_t *loads = dt_alloc((size_t)ranks, sizeof *loads);
    bool there = part->items && order && loads;
    for (size_t i = 0; there && i < count; i++) order[i] = (sized){outline->items[i].bytes, (int64_t)i};
    if (there) choose(part, order, (int64_t)count, loads, rank, ranks);
    dt_free(order);
    dt_free(loads);
    return there ? dt_ok() : dt_fail_memory("a list of datasets", count * (sizeof *order + sizeof *part->items));
}

void dt_part_close(dt_part *part) {
    dt_free(part->items);
    memset(part, 0, sizeof *part);
}

void dt_part_copy(const dt_part *part, dt_outline *outline, void *to) {
    char *at = to;
    for (int64_t i = 0; i < part->count; i++) {
        dt_item *item = &outline->items[part->items[i]];
        if (item->bytes > 0) memcpy(at, item->data, item->bytes);
        item->data = at;
        at += room_of(item->bytes);
    }
}

int64_t dt_part_pieces(const dt_part *part, const dt_outline *outline) {
    int64_t pieces = 0;
    for (int64_t i = 0; i < part->count; i++)
        pieces += (int64_t)((outline->items[part->items[i]].bytes + PIECE_BYTES - 1) / PIECE_BYTES);
    return 3 * pieces; /* hashed, written, read back */
}

/* ---- hashed --------------------------------------------------------------------------------------------------------
 */

static dt_status given_up(void) {
    return dt_fail(DT_ERR_STOPPED, "given up");
}

static dt_status hash_item(dt_hasher *hasher, const dt_item *item, dt_pause pause, uint64_t *hash) {
    const char *at = item->data;
    dt_hasher_begin(hasher);
    for (size_t left = item->bytes; left > 0;) {
        size_t piece = left < PIECE_BYTES ? left : PIECE_BYTES;
        dt_hasher_add(hasher, at, piece);
        at += piece;
        left -= piece;
        if (!pause.take(pause.context)) return given_up();
    }
    *hash = dt_hasher_value(hasher);
    return dt_ok();
}

dt_status dt_part_hash(const dt_part *part, dt_outline *outline, dt_pause pause) {
    dt_hasher *hasher = dt_hasher_open();
    if (!hasher) return dt_fail_memory("a hash", 0);
    dt_status status = dt_ok();
    for (int64_t i = 0; i < part->count && status.code == DT_OK; i++) {
        int64_t at = part->items[i];
        status = hash_item(hasher, &outline->items[at], pause, &outline->hashes[at]);
    }
    dt_hasher_close(hasher);
    return status;
}

/* ---- written -------------------------------------------------------------------------------------------------------
 */

typedef struct target {
    int file, direct; /* the second goes past the page cache; -1: it does not */
    dt_pause pause;
} target;

static bool is_page(uint64_t number) {
    return number % DT_PART_PAGE == 0;
}

/* Bytes for the file as it is now: through the page cache when they do not begin at a page, or are less than one. */
static int choose_way(target *to, const char *bytes, uint64_t offset, size_t *count) {
    if (*count > PIECE_BYTES) *count = PIECE_BYTES;
    bool whole = to->direct >= 0 && is_page(offset) && is_page((uint64_t)(uintptr_t)bytes) && *count >= DT_PART_PAGE;
    if (!whole) return to->file;
    *count -= *count % DT_PART_PAGE;
    return to->direct;
}

static void no_longer_direct(target *to) {
    close(to->direct);
    to->direct = -1;
}

static dt_status write_bytes(target *to, const char *bytes, size_t count, uint64_t offset) {
    while (count > 0) {
        size_t piece = count;
        int way = choose_way(to, bytes, offset, &piece);
        ssize_t written = pwrite(way, bytes, piece, (off_t)offset);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0 && errno == EINVAL && way == to->direct) {
            no_longer_direct(to);
            continue;
        }
        if (written <= 0) return dt_fail(DT_ERR_IO, "writing failed: %s", written < 0 ? strerror(errno) : "no space");
        bytes += written;
        count -= (size_t)written;
        offset += (uint64_t)written;
        if (!to->pause.take(to->pause.context)) return given_up();
    }
    return dt_ok();
}

static dt_status write_items(target *to, const dt_part *part, const dt_outline *outline) {
    for (int64_t i = 0; i < part->count; i++) {
        int64_t at = part->items[i];
        const dt_item *item = &outline->items[at];
        dt_status status = write_bytes(to, item->data, item->bytes, outline->offsets[at]);
        if (status.code != DT_OK) return dt_status_within(status, "%s", item->dataset);
    }
    return fsync(to->file) == 0 ? dt_ok() : dt_fail(DT_ERR_IO, "fsync failed: %s", strerror(errno));
}

dt_status dt_part_write(const dt_part *part, const dt_outline *outline, dt_pause pause) {
    const char *path = outline->path;
    target to = {.direct = -1, .pause = pause};
    to.file = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (to.file < 0) return dt_fail(DT_ERR_IO, "%s: %s", path, strerror(errno));
    to.direct = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_DIRECT);
    dt_status status = write_items(&to, part, outline);
    if (to.direct >= 0) no_longer_direct(&to);
    if (close(to.file) != 0 && status.code == DT_OK) status = dt_fail(DT_ERR_IO, "closing failed: %s", strerror(errno));
    return dt_status_within(status, "%s", path);
}

/* ---- read back -----------------------------------------------------------------------------------------------------
 */

typedef struct source {
    const char *path;
    int file;
    bool direct;
    int in_vain; /* transfers in a row */
    char *piece; /* [PIECE_BYTES], aligned to pages */
    dt_hasher *hasher;
    dt_pause pause;
} source;

/* A file is open past the page cache, or what of it is there is dropped. */
static dt_status open_source(source *from) {
    from->file = open(from->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_DIRECT);
    from->direct = from->file >= 0;
    if (!from->direct) from->file = open(from->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (from->file < 0) return dt_fail(DT_ERR_IO, "%s: %s", from->path, strerror(errno));
    if (!from->direct) posix_fadvise(from->file, 0, 0, POSIX_FADV_DONTNEED);
    return dt_ok();
}

static dt_status reopen_cached(source *from) {
    close(from->file);
    from->direct = false;
    from->file = open(from->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (from->file < 0) return dt_fail(DT_ERR_IO, "%s: %s", from->path, strerror(errno));
    posix_fadvise(from->file, 0, 0, POSIX_FADV_DONTNEED);
    return dt_ok();
}

static dt_status fail_other(const source *from) {
    return dt_fail(DT_ERR_CORRUPT, "%s: what was read back is not what was written", from->path);
}

/* Whole pages that have the bytes [at, end), or some of them. */
static dt_status read_piece(source *from, uint64_t at, uint64_t end, size_t *found) {
    uint64_t first = at - at % DT_PART_PAGE;
    size_t wanted = end - first < PIECE_BYTES ? room_of((size_t)(end - first)) : PIECE_BYTES;
    ssize_t got = pread(from->file, from->piece, wanted, (off_t)first);
    *found = 0;
    if (got < 0 && errno == EINTR) return dt_ok();
    if (got < 0 && errno == EINVAL && from->direct) return reopen_cached(from);
    if (got < 0) return dt_fail(DT_ERR_IO, "%s: reading it back failed: %s", from->path, strerror(errno));
    size_t skipped = (size_t)(at - first);
    bool brings = (size_t)got > skipped; /* else it was short, or the file ends here */
    from->in_vain = brings ? 0 : from->in_vain + 1;
    if (!brings) return got > 0 && from->in_vain < MOST_SHORT ? dt_ok() : fail_other(from);
    *found = (size_t)got - skipped;
    if (*found > end - at) *found = (size_t)(end - at);
    dt_hasher_add(from->hasher, from->piece + skipped, *found);
    return dt_ok();
}

static dt_status read_item(source *from, const dt_item *item, uint64_t offset, uint64_t hash) {
    const uint64_t end = offset + item->bytes;
    dt_hasher_begin(from->hasher);
    for (uint64_t at = offset; at < end;) {
        size_t found;
        DT_TRY(read_piece(from, at, end, &found));
        at += found;
        if (!from->pause.take(from->pause.context)) return given_up();
    }
    return dt_hasher_value(from->hasher) == hash ? dt_ok() : fail_other(from);
}

static dt_status read_items(source *from, const dt_part *part, const dt_outline *outline) {
    DT_TRY(open_source(from));
    dt_status status = dt_ok();
    for (int64_t i = 0; i < part->count && status.code == DT_OK; i++) {
        int64_t at = part->items[i];
        status = read_item(from, &outline->items[at], outline->offsets[at], outline->hashes[at]);
    }
    if (from->file >= 0) close(from->file);
    return status;
}

dt_status dt_part_read_back(const dt_part *part, const dt_outline *outline, dt_pause pause) {
    source from = {.path = outline->path, .file = -1, .pause = pause};
    from.piece = dt_alloc(1, PIECE_BYTES); /* in huge pages: what goes past the page cache is looked up page by page */
    from.hasher = dt_hasher_open();
    dt_status status =
        from.piece && from.hasher ? read_items(&from, part, outline) : dt_fail_memory("what is read back", PIECE_BYTES);
    dt_free(from.piece);
    dt_hasher_close(from.hasher);
    return status;
}
