/* Shared memory may be too small for a model (64 MB in many containers), which is found when it is asked for: then
 * there is one more try without. */
#include "nodes.h"

#include "base/log.h"

static dt_status open_nodes(dt_node **node, dt_comm *comm, int64_t most, dt_status (*take)(void *context),
                            void *context) {
    DT_TRY(dt_node_open(node, comm, most));
    return take(context);
}

dt_status dt_nodes_open(dt_node **node, dt_comm *comm, const dt_recipe_reduce *reduce, dt_status (*take)(void *context),
                        void (*give_back)(void *context), void *context) {
    int64_t shares = reduce->path == DT_PATH_AUTO && reduce->node_ranks != 1 && dt_comm_node_size(comm) > 1;
    DT_TRY(dt_comm_sum_i64(comm, &shares, 1)); /* of any machine: all ranks try again, or none */
    dt_status status = open_nodes(node, comm, reduce->path == DT_PATH_FLAT ? 1 : reduce->node_ranks, take, context);
    if (status.code == DT_OK || shares == 0) return status;
    give_back(context);
    dt_node_close(*node);
    *node = NULL;
    DT_TRY(open_nodes(node, comm, 1, take, context));
    if (dt_comm_rank(comm) == 0) dt_log_warn("%s; going on with reduce.path=flat", status.message);
    return dt_ok();
}
