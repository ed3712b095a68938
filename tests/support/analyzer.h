/* Included by tidy.sh before the files clang-tidy reads. The analyzer sees one file at a time. Told here what status.c,
 * comm.c and a dt_ranks do, it follows no path on which a function fails and its caller sees success. */
#include <stdio.h>

#include "base/ranks.h"
#include "base/status.h"
#include "comm/comm.h"

static inline dt_status seen_agree(dt_comm *comm, dt_status status) {
    dt_status agreed = dt_comm_agree(comm, status);
    return status.code != DT_OK ? status : agreed;
}

static inline dt_status seen_ranks_agree(const dt_ranks *ranks, dt_status status) {
    dt_status agreed = dt_ranks_agree(ranks, status);
    return status.code != DT_OK ? status : agreed;
}

#undef dt_fail
#define dt_fail(error, ...) (snprintf(NULL, 0, __VA_ARGS__), (dt_status){.code = (error)})
#define dt_fail_memory(what, bytes) ((void)(what), (void)(bytes), (dt_status){.code = DT_ERR_MEMORY})
#define dt_comm_agree(comm, status) seen_agree((comm), (status))
#define dt_ranks_agree(ranks, status) seen_ranks_agree((ranks), (status))
