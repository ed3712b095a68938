/* A step computed again, without what a run writes and says. What changes the state besides the update is the same as
 * in after_step.c, in the same order: the end of an epoch, that an evaluation is owed, and the evaluation where it
 * counts. When a run evaluated may have been a matter of seconds; its metrics say, and whoever calls knows. */
#include "again.h"

#include <string.h>

#include "evaluate.h"

static dt_best best_of(const dt_run *run) {
    return (dt_best)run->session.recipe->checkpoint.best;
}

/* The evaluation of the present step, as far as it changes the state. */
static dt_status judge(dt_run *run) {
    dt_ledger *ledger = &run->ledger;
    dt_ledger_owe_evaluation(ledger, best_of(run), false);
    if (run->data.has_test) DT_TRY(dt_evaluate_test(&run->session, &run->data, &run->trainee, ledger, NULL));
    dt_ledger_judge(ledger, best_of(run));
    return dt_ok();
}

dt_status dt_again_begin(dt_run *run, const char *path) {
    dt_ledger *ledger = &run->ledger;
    DT_TRY(dt_run_load(run, path));
    dt_trainee_round_weights(&run->trainee);
    memset(&ledger->local, 0, sizeof ledger->local);
    ledger->odd_samples = 0;
    return dt_ledger_owes_evaluation(ledger) ? judge(run) : dt_ok();
}

dt_status dt_again_digest(dt_run *run, uint64_t *digest) {
    dt_comm *comm = run->session.comm;
    DT_TRY(dt_chain_digest(&run->chain, &run->session, &run->trainee, &run->ledger,
                           dt_snapshot_state(&run->snapshot, &run->ledger), digest));
    uint64_t first = *digest;
    DT_TRY(dt_comm_broadcast(comm, &first, sizeof first, 0));
    dt_status status = dt_ok();
    if (*digest != first)
        status =
            dt_fail(DT_ERR_DIVERGED,
                    "on %s step %lld comes to another result than on the machine of rank 0: one of the two computes "
                    "wrongly, and nothing can be said of the run",
                    dt_comm_host(comm), (long long)run->ledger.position.step);
    return dt_comm_agree(comm, status);
}

static dt_status end_epoch(dt_run *run) {
    if (run->ledger.position.sample != run->course.samples) return dt_ok();
    DT_TRY(dt_ledger_gather(&run->ledger, &run->session.ranks, NULL));
    dt_ledger_end_epoch(&run->ledger);
    return dt_ok();
}

dt_status dt_again_step(dt_run *run, bool evaluates, dt_again_digests *digests) {
    const int64_t step = run->ledger.position.step;
    bool judges = evaluates && best_of(run) != DT_BEST_NONE;
    DT_TRY(dt_run_take_step(run));
    if (run->raised[DT_FLAG_STOP] > 0)
        return dt_fail(DT_ERR_STOPPED, "told to stop at step %lld; what was to be computed again is not complete",
                       (long long)step);
    DT_TRY(end_epoch(run));
    dt_ledger_owe_evaluation(&run->ledger, best_of(run), judges);
    if (digests) DT_TRY(dt_again_digest(run, &digests->linked));
    if (judges) DT_TRY(judge(run));
    if (digests) digests->judged = digests->linked;
    return digests && judges ? dt_again_digest(run, &digests->judged) : dt_ok();
}
