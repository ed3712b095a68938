/* Seconds cross as whole nanoseconds. */
#include "late.h"

#include "base/memory.h"

static void insert(dt_late *late, int rank, double busy) {
    int at = late->count < DT_LATE_RANKS ? late->count++ : DT_LATE_RANKS - 1;
    if (at == DT_LATE_RANKS - 1 && late->count == DT_LATE_RANKS && late->busy[at] >= busy) return;
    for (; at > 0 && late->busy[at - 1] < busy; at--) {
        late->busy[at] = late->busy[at - 1];
        late->rank[at] = late->rank[at - 1];
    }
    late->busy[at] = busy;
    late->rank[at] = rank;
}

dt_status dt_late_find(dt_comm *comm, double busy, dt_late *out) {
    const int size = dt_comm_size(comm);
    *out = (dt_late){.count = 0};
    if (size == 1) return dt_ok();
    uint64_t *all = dt_alloc((size_t)size, sizeof *all);
    DT_TRY(dt_comm_agree(comm, all ? dt_ok() : dt_fail_memory("the ranks' seconds", (size_t)size * sizeof *all)));
    dt_status status = dt_comm_gather_u64(comm, busy > 0 ? (uint64_t)(busy * 1e9) : 0, all);
    for (int rank = 0; rank < size && status.code == DT_OK; rank++) {
        double seconds = (double)all[rank] * 1e-9;
        out->mean += seconds / size;
        insert(out, rank, seconds);
    }
    dt_free(all);
    return status;
}
