/* A chain of digests: every train.chain steps a link, made of the one before and of the digest of the trained state.
 * Two runs of one recipe and data have the same chain, whoever computed them and however often they were interrupted;
 * where they part, the last link they have in common and the first they have not say between which steps to look. */
#ifndef DTRAIN_CHAIN_H
#define DTRAIN_CHAIN_H

#include "ledger.h"
#include "session.h"
#include "trainee.h"

typedef struct dt_chain {
    uint64_t *hashes; /* [datasets of the digest], the node's */
} dt_chain;

/* Collective. For the datasets of `state`, in memory that goes with session->node. */
dt_status dt_chain_open(dt_chain *chain, const dt_session *session, const dt_state *state);
/* Collective. The digest that a checkpoint of the present step would have, of which `state` is. */
dt_status dt_chain_digest(const dt_chain *chain, const dt_session *session, dt_trainee *trainee, dt_ledger *ledger,
                          const dt_state *state, uint64_t *digest);
/* Collective. Adds the link of the present step (dt_link_value) to ledger->chain. */
dt_status dt_chain_add(const dt_chain *chain, const dt_session *session, dt_trainee *trainee, dt_ledger *ledger,
                       const dt_state *state);

#endif
