/* What can keep a checkpoint from being written is tried before there is anything to lose: a run of hours must not find
 * out at its first one that the disk is too small, the directory read-only or the recipe unwritable. A small file with
 * all that is not an array goes through everything a checkpoint goes through, on every rank, and room for the arrays is
 * asked for without writing them: it takes milliseconds for a model of any size. What only happens later, as a disk
 * that others fill meanwhile, is still noticed when it happens. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "store/publish.h"
#include "store_internal.h"

#define DATASET_BYTES ((size_t)1024) /* what HDF5 keeps of each besides its values, and more */
#define TMPFS 0x01021994             /* linux/magic.h */

static size_t file_bytes(const dt_state *state) {
    size_t bytes = 1 << 16;
    for (int i = 0; i < dt_state_count_all(state); i++) {
        size_t array = dt_state_item(state, i).bytes;
        bytes += array + DATASET_BYTES + (array >= DT_PART_LARGE ? DT_PART_PAGE : 0);
    }
    return bytes;
}

static dt_status fail_room(const char *directory, size_t bytes, const char *why) {
    return dt_fail(DT_ERR_IO, "%s: a checkpoint of this run takes %.1f MB: %s", directory, (double)bytes / 1e6, why);
}

/* The room there is, and then whether it is ours to have, which only an attempt can tell where there are quotas.
 * Memory that is a file system would be filled by one. */
static dt_status ask_for_room(const char *path, const char *directory, size_t bytes) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < bytes)
        return fail_room(directory, bytes, "files may not become so large (ulimit -f)");
    struct statvfs room;
    struct statfs kind;
    if (statvfs(directory, &room) == 0 && (double)room.f_bavail * (double)room.f_frsize < (double)bytes)
        return fail_room(directory, bytes, strerror(ENOSPC));
    if (statfs(directory, &kind) != 0 || kind.f_type == TMPFS) return dt_ok();
    int file = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) return dt_fail(DT_ERR_IO, "%s: %s", path, strerror(errno));
    bool refused = fallocate(file, 0, 0, (off_t)bytes) != 0;
    int reason = refused ? errno : 0;
    close(file);
    bool full = reason == ENOSPC || reason == EDQUOT || reason == EFBIG;
    return full ? fail_room(directory, bytes, strerror(reason)) : dt_ok(); /* else it cannot be asked */
}

/* All of a state but its arrays, of which only the longest name is left: `array`, with one byte. */
static dt_state without_arrays(const dt_state *state, dt_extra *array, char name[192], uint8_t *byte) {
    snprintf(name, 192, "/weights/w");
    for (int i = 0; i < state->section_count; i++)
        for (int j = 0; j < state->sections[i].table->count; j++) {
            const dt_section *section = &state->sections[i];
            const char *tensor = section->table->tensors[j].name;
            if (strlen(section->group) + strlen(tensor) + 1 > strlen(name))
                snprintf(name, 192, "%s/%s", section->group, tensor);
        }
    *array = (dt_extra){name, DT_U8, 1, byte};
    dt_state small = *state;
    small.section_count = 0;
    small.extras = array;
    small.extra_count = 1;
    return small;
}

/* Rank 0: the rest of a checkpoint's way, from the file that all have written. */
static dt_status finish(const char *path, const char *other, const char *directory, size_t bytes) {
    DT_TRY(ask_for_room(path, directory, bytes));
    DT_TRY(dt_checkpoint_commit(path, other, directory));
    if (unlink(other) != 0)
        return dt_fail(DT_ERR_IO, "%s: it cannot be removed, as old checkpoints are: %s", other, strerror(errno));
    return dt_ok();
}

dt_status dt_checkpoint_rehearse(const dt_ranks *ranks, const char *directory, const dt_state *state) {
    char path[4096], other[4096], file[64], longest[192];
    long long step = (long long)state->position.step;
    snprintf(file, sizeof file, "step-%09lld.h5.tmp", step);
    DT_TRY(dt_path_join(path, directory, file));
    snprintf(file, sizeof file, "step-%09lld.h5.tmp", step + 1);
    DT_TRY(dt_path_join(other, directory, file));
    if (dt_state_count_all(state) > DT_MOST_DATASETS)
        return dt_fail(DT_ERR_INPUT, "a checkpoint of this model has %d datasets; %d are the most",
                       dt_state_count_all(state), DT_MOST_DATASETS);
    dt_extra array;
    uint8_t byte = 1;
    dt_state small = without_arrays(state, &array, longest, &byte);
    bool first = ranks->rank == 0;
    dt_status status = dt_checkpoint_write(ranks, path, &small, NULL);
    if (status.code == DT_OK)
        status = dt_ranks_agree(ranks, first ? finish(path, other, directory, file_bytes(state)) : dt_ok());
    if (status.code == DT_OK || !first) return status;
    unlink(path);
    unlink(other);
    return status;
}
