/* The digest is the one a checkpoint of this step would have. The ranks of a node hash what they share in turns,
 * dataset by dataset; every node does it for its own replica, so no word crosses between nodes but the tally's. */
#include "chain.h"

#include "use/computed.h"

dt_status dt_chain_open(dt_chain *chain, const dt_session *session, const dt_state *state) {
    dt_status status = dt_ok();
    if (session->recipe->train.chain > 0)
        chain->hashes = dt_node_alloc(session->node, (size_t)dt_state_datasets(state), sizeof *chain->hashes, &status);
    return status;
}

static uint64_t digest_of(const dt_chain *chain, dt_node *node, const dt_state *state) {
    dt_node_meet(node); /* all have read the last one's hashes */
    dt_state_hash(state, dt_node_rank(node), dt_node_size(node), chain->hashes);
    dt_node_meet(node);
    return dt_state_digest_of(state, chain->hashes);
}

dt_status dt_chain_digest(const dt_chain *chain, const dt_session *session, dt_trainee *trainee, dt_ledger *ledger,
                          const dt_state *state, uint64_t *digest) {
    const dt_tally epoch = ledger->epoch;
    dt_tally all = ledger->local;
    DT_TRY(dt_recurrent_state_gather(&trainee->recurrent_state));
    DT_TRY(dt_tally_gather(&session->ranks, &all));
    dt_tally_add(&ledger->epoch, &all); /* as a checkpoint has it; but who records the interval gathers it once more */
    *digest = digest_of(chain, session->node, state);
    ledger->epoch = epoch;
    return dt_ok();
}

dt_status dt_chain_add(const dt_chain *chain, const dt_session *session, dt_trainee *trainee, dt_ledger *ledger,
                       const dt_state *state) {
    dt_link *link = &ledger->chain;
    DT_TRY(dt_chain_digest(chain, session, trainee, ledger, state, &link->digest));
    link->step = (uint64_t)ledger->position.step;
    link->value = dt_link_value(link->value, link->step, link->digest);
    link->links++;
    return dt_ok();
}
