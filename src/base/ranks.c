/* One process alone: it agrees with itself. */
#include "base/ranks.h"

static dt_status agree_alone(void *context, dt_status status) {
    (void)context;
    return status;
}

static dt_status numbers_alone(void *context, int64_t *values, size_t count) {
    (void)context, (void)values, (void)count;
    return dt_ok();
}

static dt_status broadcast_alone(void *context, void *bytes, size_t count, int root) {
    (void)context, (void)bytes, (void)count, (void)root;
    return dt_ok();
}

static dt_status node_broadcast_alone(void *context, void *bytes, size_t count) {
    (void)context, (void)bytes, (void)count;
    return dt_ok();
}

dt_ranks dt_ranks_alone(void) {
    return (dt_ranks){.size = 1,
                      .host = "this machine",
                      .agree = agree_alone,
                      .sum = numbers_alone,
                      .least = numbers_alone,
                      .broadcast = broadcast_alone,
                      .node_broadcast = node_broadcast_alone};
}

bool dt_ranks_any(const dt_ranks *ranks, bool flag) {
    int64_t least = flag ? -1 : 0;
    dt_status status = dt_ranks_least(ranks, &least, 1);
    return status.code == DT_OK ? least < 0 : true;
}
