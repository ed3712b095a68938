/* A checkpoint that can be trusted, and its way to the disk: rank 0 makes step-N.h5.tmp with everything but the bytes
 * of its arrays; every rank writes its arrays to their places in the file with plain pwrite, syncs them and reads them
 * back past the page cache; rank 0 does the same with what HDF5 wrote; only then is the file renamed. No return code of
 * a write can be believed on every file system. Every stage is agreed on before the next, so a failure on any rank
 * leaves the directory as it was.
 *
 * Why not HDF5's MPI-IO driver: its metadata calls and MPI_File_open meet the other ranks inside, so one rank that
 * fails there alone leaves the others waiting for ever (measured: 9 of 71 single faults), and on a full disk it may
 * report success. Datasets are contiguous and in this machine's format, so their place is all one needs.
 *
 * A stage is what a rank does by itself: it may be done by a thread beside the training (publisher.c). */
#include "publication.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "store/h5.h"

/* Of what each rank has for itself, ledgers and texts. Arrays that are larger are the replicas', which are compared by
 * whoever trains. */
static uint64_t hash_small(const dt_state *state, const dt_outline *outline) {
    dt_digest digest;
    dt_digest_begin(&digest, &outline->position, outline->shards, outline->seed);
    int64_t arrays = outline->digested - state->extra_count;
    for (int64_t i = arrays; i < outline->count; i++) {
        const dt_item *item = &outline->items[i];
        if (item->bytes < DT_PART_LARGE) dt_digest_add(&digest, item->dataset, dt_hash_bytes(item->data, item->bytes));
    }
    return digest.value;
}

dt_status dt_publication_open(dt_publication *p, const dt_ranks *ranks, const char *temporary, const dt_state *state) {
    p->ranks = ranks;
    p->may_commit = state->may_commit;
    p->commit_context = state->commit_context;
    p->stage = DT_STAGE_OUTLINE;
    p->status = dt_ok();
    DT_TRY(dt_outline_open(&p->outline, temporary, state));
    p->small = hash_small(state, &p->outline);
    return dt_part_open(&p->part, &p->outline, ranks->rank, ranks->size);
}

void dt_publication_close(dt_publication *p) {
    dt_outline_close(&p->outline);
    dt_part_close(&p->part);
}

dt_status dt_publication_names(dt_publication *p, char temporary[4096 + 8], const char *directory, int64_t step) {
    char name[64];
    snprintf(name, sizeof name, "step-%09lld.h5", (long long)step);
    DT_TRY(dt_path_join(p->path, directory, name));
    snprintf(p->directory, sizeof p->directory, "%s", directory);
    snprintf(temporary, 4096 + 8, "%s.tmp", p->path);
    return dt_ok();
}

/* ---- what a rank does by itself ------------------------------------------------------------------------------------
 */

static dt_status begin_file(dt_publication *p, bool first) {
    if (first) DT_TRY(dt_outliner_make(p->outliner, &p->outline));
    return dt_part_hash(&p->part, &p->outline, p->pause);
}

static dt_status fill_file(const dt_publication *p, bool first) {
    if (first) DT_TRY(dt_outliner_seal(p->outliner, &p->outline));
    DT_TRY(dt_part_write(&p->part, &p->outline, p->pause));
    return dt_part_read_back(&p->part, &p->outline, p->pause);
}

dt_status dt_checkpoint_commit(const char *temporary, const char *path, const char *directory) {
    if (rename(temporary, path) != 0)
        return dt_fail(DT_ERR_IO, "%s: renaming it to %s failed: %s", temporary, path, strerror(errno));
    return dt_fsync_path(directory);
}

static dt_status commit(const dt_publication *p) {
    if (p->may_commit) DT_TRY(p->may_commit(p->commit_context));
    DT_TRY(dt_checkpoint_commit(p->outline.path, p->path, p->directory));
    const dt_keeping *rule = &p->keeping;
    return p->prunes ? dt_checkpoint_prune(p->directory, rule->keep, rule->keep_every, rule->keep_step) : dt_ok();
}

void dt_publication_work(dt_publication *p) {
    const bool first = p->ranks->rank == 0;
    switch (p->stage) {
    case DT_STAGE_OUTLINE: p->status = begin_file(p, first); break;
    case DT_STAGE_BYTES: p->status = fill_file(p, first); break;
    case DT_STAGE_COMMIT: p->status = first ? commit(p) : dt_ok(); break;
    case DT_STAGE_OVER: break;
    }
}

/* ---- meetings ------------------------------------------------------------------------------------------------------
 */

/* Whether all ranks have the same number. */
static dt_status compare(const dt_ranks *ranks, uint64_t number, bool *same) {
    int64_t least[2] = {(int64_t)number, (int64_t)~number};
    DT_TRY(dt_ranks_least(ranks, least, 2));
    *same = least[0] == ~least[1];
    return dt_ok();
}

/* The hashes of all parts, and rank 0's places, on every rank. */
static dt_status exchange(dt_publication *p) {
    size_t count = (size_t)p->outline.count;
    bool same;
    DT_TRY(compare(p->ranks, p->small, &same));
    if (!same) return dt_fail(DT_ERR_CORRUPT, "%s: the states of the ranks are not the same", p->outline.path);
    DT_TRY(dt_ranks_sum(p->ranks, (int64_t *)p->outline.hashes, count));
    return dt_ranks_broadcast(p->ranks, p->outline.offsets, count * sizeof *p->outline.offsets, 0);
}

dt_status dt_publication_meet(dt_publication *p) {
    dt_status status = dt_ranks_agree(p->ranks, p->status);
    if (status.code == DT_OK && p->stage == DT_STAGE_OUTLINE) status = exchange(p);
    if (status.code == DT_OK) {
        p->stage++;
        return status;
    }
    if (p->ranks->rank == 0) unlink(p->outline.path);
    p->stage = DT_STAGE_OVER;
    return status;
}

dt_status dt_publication_run(dt_publication *p, dt_stage last) {
    dt_status status = dt_ok();
    while (status.code == DT_OK && p->stage <= last) {
        dt_publication_work(p);
        status = dt_publication_meet(p);
    }
    return status;
}
