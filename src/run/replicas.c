/* Compares the replicas, of which each node has one, and names those that differ from the majority (from rank 0 where
 * there is none). */
#include "replicas.h"

#include <string.h>

#include "base/append.h"
#include "base/memory.h"

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

dt_status dt_check_replicas(const dt_session *session, dt_trainee *trainee, dt_snapshot *snapshot,
                            const dt_ledger *ledger) {
    int ranks = session->ranks.size;
    if (dt_node_count(session->node) == 1) return dt_ok();
    DT_TRY(dt_recurrent_state_gather(&trainee->recurrent_state));
    uint64_t *all = dt_alloc((size_t)ranks, sizeof *all);
    DT_TRY(dt_session_agree(session, all ? dt_ok() : dt_fail_memory("hashes of the replicas", (size_t)ranks * 8)));
    uint64_t own = dt_state_digest(dt_snapshot_state(snapshot, ledger));
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
        (long long)ledger->position.step, names, (long long)snapshot->step);
}
