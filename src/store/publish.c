/* Publishing a checkpoint that can be trusted: rank 0 makes step-N.h5.tmp with everything but the data; every rank
 * writes its part of the data to its place in the file, with plain pwrite, and syncs it; rank 0 reads the whole file
 * back through HDF5 and compares it with memory, because no return code of a write can be believed on every file
 * system; only then is it renamed. Every stage is agreed on before the next, so a failure on any rank leaves the
 * directory as it was.
 *
 * Why not HDF5's MPI-IO driver: its metadata calls and MPI_File_open meet the other ranks inside, so one rank that
 * fails there alone leaves the others waiting for ever (measured: 9 of 71 single faults), and on a full disk it may
 * report success. Datasets are contiguous and in this machine's format, so their place is all one needs.
 *
 * A tensor is written by one rank, whole: its rows are contiguous in the file, and small tensors need no more calls
 * than ranks. Large ones are dealt out by rows. Each dataset carries the hash of its bytes and its place in the
 * digest's order. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alive.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "store/h5.h"
#include "store/publish.h"
#include "store_internal.h"

#define SPLIT_BYTES ((size_t)4 << 20) /* tensors above this are written by all ranks together */
#define PIECE_BYTES ((size_t)1 << 26) /* Linux moves less than 2 GiB at once; and signs of life are due */

/* ---- write ---------------------------------------------------------------------------------------------------------
 */

/* The digest, gone on with over what is beside it. */
static uint64_t seal_of(const dt_state *state, uint64_t digest) {
    dt_digest seal = {digest};
    for (int i = dt_state_count(state); i < dt_state_count_all(state); i++) {
        dt_item item = dt_state_item(state, i);
        dt_digest_add(&seal, item.dataset, dt_hash_bytes(item.data, item.bytes));
    }
    return seal.value;
}

static dt_status write_head(dt_h5 *file, const dt_state *state, uint64_t digest) {
    char text[32];
    DT_TRY(dt_h5_put_text(file, "/", "format", DT_CHECKPOINT_FORMAT));
    DT_TRY(dt_h5_put_int(file, "/", "version", DT_CHECKPOINT_VERSION));
    DT_TRY(dt_h5_put_int(file, "/", "step", state->position.step));
    DT_TRY(dt_h5_put_int(file, "/", "epoch", state->position.epoch));
    DT_TRY(dt_h5_put_int(file, "/", "sample", state->position.sample));
    DT_TRY(dt_h5_put_int(file, "/", "shards", state->shards));
    DT_TRY(dt_h5_put_int(file, "/", "seed", state->seed));
    DT_TRY(dt_h5_put_int(file, "/", "datasets", dt_state_count(state)));
    DT_TRY(dt_h5_put_int(file, "/", "origin", state->position.origin));
    DT_TRY(dt_h5_put_int(file, "/", "beside", dt_state_count_all(state) - dt_state_count(state)));
    dt_digest_text(digest, text);
    DT_TRY(dt_h5_put_text(file, "/", "digest", text));
    dt_digest_text(seal_of(state, digest), text);
    return dt_h5_put_text(file, "/", "seal", text);
}

static dt_status write_datasets(dt_h5 *file, const dt_state *state, uint64_t *offsets) {
    char created[32];
    dt_clock_utc(created);
    DT_TRY(write_head(file, state, dt_state_digest(state)));
    DT_TRY(dt_h5_put_text(file, "/", "created", created));
    DT_TRY(dt_h5_put_text(file, "/", "program", "dtrain " DT_VERSION));
    for (int i = 0; i < dt_state_count_all(state); i++) {
        dt_item item = dt_state_item(state, i);
        dt_h5_info info;
        char hash[17];
        dt_digest_text(dt_hash_bytes(item.data, item.bytes), hash);
        DT_TRY(dt_h5_create_dataset(file, item.dataset, item.dtype, &item.shape, 0));
        DT_TRY(dt_h5_put_text(file, item.dataset, "hash", hash));
        DT_TRY(dt_h5_put_int(file, item.dataset, "order", i));
        if (item.text) DT_TRY(dt_h5_put_text(file, item.dataset, "encoding", "UTF-8"));
        DT_TRY(dt_h5_describe(file, item.dataset, &info));
        offsets[i] = info.offset;
    }
    return dt_ok();
}

/* Everything but the data, and where that begins. Rank 0. */
static dt_status write_structure(const char *path, const dt_state *state, uint64_t *offsets) {
    dt_h5 *file;
    DT_TRY(dt_h5_create(&file, path));
    dt_status status = write_datasets(file, state, offsets);
    dt_status closed = dt_h5_close(&file);
    return status.code == DT_OK ? closed : status;
}

static dt_status write_bytes(int file, const char *bytes, size_t count, uint64_t offset) {
    while (count > 0) {
        ssize_t written = pwrite(file, bytes, count < PIECE_BYTES ? count : PIECE_BYTES, (off_t)offset);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return dt_fail(DT_ERR_IO, "writing failed: %s", written < 0 ? strerror(errno) : "no space");
        bytes += written;
        count -= (size_t)written;
        offset += (uint64_t)written;
        dt_alive();
    }
    return dt_ok();
}

/* This rank's part of the data. */
static dt_status write_part(int file, const dt_state *state, const uint64_t *offsets, int rank, int ranks) {
    for (int i = 0; i < dt_state_count_all(state); i++) {
        dt_item item = dt_state_item(state, i);
        if (item.bytes == 0) continue;
        int64_t rows = item.shape.rank ? item.shape.dim[0] : 1, first = 0, count = rows;
        if (item.bytes > SPLIT_BYTES && rows >= ranks) {
            first = rows * rank / ranks;
            count = rows * (rank + 1) / ranks - first;
        } else if (i % ranks != rank) {
            continue;
        }
        size_t row_bytes = rows > 0 ? item.bytes / (size_t)rows : 0, skipped = (size_t)first * row_bytes;
        dt_status status =
            write_bytes(file, (char *)item.data + skipped, (size_t)count * row_bytes, offsets[i] + skipped);
        if (status.code != DT_OK) return dt_status_within(status, "%s", item.dataset);
    }
    return fsync(file) == 0 ? dt_ok() : dt_fail(DT_ERR_IO, "fsync failed: %s", strerror(errno));
}

static dt_status write_data(const char *path, const dt_state *state, const uint64_t *offsets, int rank, int ranks) {
    int file = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0) return dt_fail(DT_ERR_IO, "%s: %s", path, strerror(errno));
    dt_status status = write_part(file, state, offsets, rank, ranks);
    if (close(file) != 0 && status.code == DT_OK) status = dt_fail(DT_ERR_IO, "closing failed: %s", strerror(errno));
    return dt_status_within(status, "%s", path);
}

dt_status dt_checkpoint_write(const dt_ranks *ranks, const char *path, const dt_state *state) {
    size_t count = (size_t)dt_state_count_all(state);
    uint64_t *offsets = dt_alloc(count, sizeof *offsets);
    dt_status status = offsets ? dt_ok() : dt_fail_memory("a list of datasets", count * sizeof *offsets);
    status = dt_ranks_agree(ranks, status);
    if (status.code == DT_OK)
        status = dt_ranks_agree(ranks, ranks->rank == 0 ? write_structure(path, state, offsets) : dt_ok());
    if (status.code == DT_OK) status = dt_ranks_broadcast(ranks, offsets, count * sizeof *offsets, 0);
    if (status.code == DT_OK)
        status = dt_ranks_agree(ranks, write_data(path, state, offsets, ranks->rank, ranks->size));
    dt_free(offsets);
    return status;
}

dt_status dt_checkpoint_compare(const char *path, const dt_state *state) {
    uint64_t digest = 0;
    DT_TRY(dt_checkpoint_verify_here(path, &digest));
    uint64_t expected = dt_state_digest(state);
    if (digest == expected) return dt_ok();
    return dt_fail(DT_ERR_CORRUPT, "%s: what was read back is not what was written", path);
}

dt_status dt_checkpoint_save(const char *path, const dt_state *state, uint64_t *digest) {
    const dt_ranks alone = dt_ranks_alone();
    DT_TRY(dt_checkpoint_write(&alone, path, state));
    DT_TRY(dt_checkpoint_compare(path, state));
    *digest = dt_state_digest(state);
    return dt_ok();
}

dt_status dt_checkpoint_commit(const char *temporary, const char *path, const char *directory) {
    if (rename(temporary, path) != 0)
        return dt_fail(DT_ERR_IO, "%s: renaming it to %s failed: %s", temporary, path, strerror(errno));
    return dt_fsync_path(directory);
}

static dt_status commit(const dt_state *state, const char *temporary, const char *path, const char *directory) {
    if (state->may_commit) DT_TRY(state->may_commit(state->commit_context));
    return dt_checkpoint_commit(temporary, path, directory);
}

dt_status dt_checkpoint_publish(const dt_ranks *ranks, const char *directory, const dt_state *state, char *path,
                                uint64_t *digest) {
    char name[64], final[4096], temporary[4096 + 8];
    snprintf(name, sizeof name, "step-%09lld.h5", (long long)state->position.step);
    DT_TRY(dt_path_join(final, directory, name));
    snprintf(temporary, sizeof temporary, "%s.tmp", final);
    bool first = ranks->rank == 0;
    dt_status status = dt_checkpoint_write(ranks, temporary, state);
    if (status.code == DT_OK) status = dt_ranks_agree(ranks, first ? dt_checkpoint_compare(temporary, state) : dt_ok());
    if (status.code == DT_OK)
        status = dt_ranks_agree(ranks, first ? commit(state, temporary, final, directory) : dt_ok());
    if (status.code != DT_OK) {
        if (first) unlink(temporary);
        return dt_status_within(status, "the checkpoint of step %lld was not written (older ones are untouched)",
                                (long long)state->position.step);
    }
    if (path) snprintf(path, 4096, "%s", final);
    if (digest) *digest = dt_state_digest(state);
    return dt_ok();
}
