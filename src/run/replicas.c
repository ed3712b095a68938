/* Compares the replicas, of which each node has one, and names those that differ from the majority (from rank 0 where
 * there is none). The ranks of a node hash what they share in turns, block by block: blocks are the same in nodes of
 * any size, and so is the hash of their hashes. What each rank keeps for itself, each hashes. */
#include "replicas.h"

#include <string.h>

#include <xxhash.h>

#include "base/alive.h"
#include "base/append.h"
#include "base/hash.h"
#include "base/memory.h"

#define BLOCK ((size_t)1 << 20) /* bytes */

static size_t blocks_of(size_t bytes) {
    return (bytes + BLOCK - 1) / BLOCK;
}

static size_t extra_bytes(const dt_extra *extra) {
    return (size_t)extra->count * dt_dtype_size(extra->dtype);
}

dt_status dt_replicas_open(dt_replicas *replicas, const dt_session *session, const dt_state *state) {
    if (dt_node_count(session->node) == 1) return dt_ok();
    replicas->count = 0;
    for (int i = 0; i < state->section_count; i++)
        replicas->count += blocks_of(state->sections[i].table->total * sizeof(float));
    for (int i = 0; i < state->extra_count; i++) replicas->count += blocks_of(extra_bytes(&state->extras[i]));
    dt_status status;
    replicas->hashes = dt_node_alloc(session->node, replicas->count, sizeof *replicas->hashes, &status);
    return status;
}

/* Hashes those blocks of an array that are this rank's turn; `at` is the number of its first. Returns that of the next
 * array's first. */
static size_t hash_blocks(const dt_replicas *replicas, const dt_node *node, const void *array, size_t bytes,
                          size_t at) {
    const char *from = array;
    for (; bytes > 0; at++) {
        size_t part = bytes < BLOCK ? bytes : BLOCK;
        if (at % (size_t)dt_node_size(node) == (size_t)dt_node_rank(node)) {
            replicas->hashes[at] = dt_hash_bytes(from, part);
            dt_alive();
        }
        from += part;
        bytes -= part;
    }
    return at;
}

/* Of this node's arrays and this rank's. */
static uint64_t hash_state(const dt_replicas *replicas, dt_node *node, const dt_state *state, const dt_extra *shared) {
    size_t at = 0;
    for (int i = 0; i < state->section_count; i++) {
        const dt_section *section = &state->sections[i];
        at = hash_blocks(replicas, node, section->data, section->table->total * sizeof(float), at);
    }
    if (shared) at = hash_blocks(replicas, node, shared->data, extra_bytes(shared), at);
    dt_node_meet(node);
    uint64_t hash = dt_hash_bytes(replicas->hashes, at * sizeof *replicas->hashes);
    for (int i = 0; i < state->extra_count; i++) {
        const dt_extra *extra = &state->extras[i];
        if (extra != shared) hash = XXH3_64bits_withSeed(extra->data, extra_bytes(extra), hash);
    }
    return XXH3_64bits_withSeed(&state->position, sizeof state->position, hash);
}

/* The value most have; among equally frequent ones the first. */
static uint64_t majority(const uint64_t *all, int count) {
    uint64_t common = all[0];
    int best = 0;
    for (int i = 0; i < count; i++) {
        int same = 0;
        for (int j = 0; j < count; j++) same += all[j] == all[i];
        if (same <= best) continue;
        best = same;
        common = all[i];
    }
    return common;
}

dt_status dt_replicas_compare(const dt_replicas *replicas, const dt_session *session, const dt_state *state,
                              const dt_extra *shared, int64_t newest) {
    int ranks = session->ranks.size;
    if (!replicas->hashes) return dt_ok();
    uint64_t *all = dt_alloc((size_t)ranks, sizeof *all);
    DT_TRY(dt_session_agree(session, all ? dt_ok() : dt_fail_memory("hashes of the replicas", (size_t)ranks * 8)));
    uint64_t own = hash_state(replicas, session->node, state, shared);
    dt_status status = dt_comm_gather_u64(session->comm, own, all);
    uint64_t common = majority(all, ranks);
    char names[128] = "";
    for (int i = 0; i < ranks && strlen(names) + 16 < sizeof names; i++)
        if (all[i] != common) dt_append(names, sizeof names, "%s%d", names[0] ? ", " : "", i);
    dt_free(all);
    if (status.code != DT_OK || !names[0]) return status;
    return dt_fail(
        DT_ERR_DIVERGED,
        "after step %lld the model of rank %s differs from that of the other ranks (bad memory or processor?); "
        "the newest checkpoint is of step %lld: start again without that machine",
        (long long)state->position.step, names, (long long)newest);
}
