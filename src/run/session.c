/* A session's beginning and end. What it holds in between is taken where it is needed: the directory in hold.c, the
 * node's memory when the model is planned (start.c). */
#include "session.h"

#include <string.h>

#include "comm/comm_ranks.h"

void dt_session_begin(dt_session *session, dt_comm *comm, dt_recipe *recipe, const dt_train_options *options) {
    memset(session, 0, sizeof *session);
    session->comm = comm;
    session->ranks = dt_ranks_of(comm);
    session->first = dt_comm_rank(comm) == 0;
    session->recipe = recipe;
    session->options = options;
    session->watchdog = dt_comm_watchdog(comm);
    dt_watchdog_limit(session->watchdog, recipe->train.timeout);
}

void dt_session_close(dt_session *session) {
    dt_node_close(session->node);
    dt_rundir_close(session->lock);
}
