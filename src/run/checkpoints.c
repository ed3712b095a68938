/* Publishing checkpoints of a run: rehearsed before the first step, made when all ranks are at the same step, pruned by
 * the recipe's rule. How a file comes to be is the store's (store/publish.c). */
#include "snapshot.h"

#include "store/publish.h"

dt_status dt_snapshot_rehearse(dt_snapshot *snapshot, const dt_session *session, const dt_ledger *ledger) {
    dt_session_note(session, DT_ACTIVITY_STORAGE, ledger->position.step);
    dt_status status =
        dt_checkpoint_rehearse(&session->ranks, session->checkpoints, dt_snapshot_state(snapshot, ledger));
    dt_session_note(session, DT_ACTIVITY_COMPUTE, ledger->position.step);
    return dt_status_within(status, "training does not begin, for no checkpoint could be written");
}

static dt_status prune(const dt_session *session, const dt_ledger *ledger) {
    const dt_recipe_checkpoint *rule = &session->recipe->checkpoint;
    int64_t best = ledger->best.step > 0 ? (int64_t)ledger->best.step : -1;
    return dt_checkpoint_prune(session->checkpoints, rule->keep, rule->keep_every, best);
}

/* Of this rank's part of its replica: in another node they may be whole. */
static dt_status check_weights(const dt_trainee *trainee, int64_t step) {
    if (dt_trainee_is_finite(trainee)) return dt_ok();
    return dt_fail(DT_ERR_DIVERGED, "step %lld: the weights are no longer numbers; no checkpoint is made of them",
                   (long long)step);
}

dt_status dt_snapshot_publish(dt_snapshot *snapshot, const dt_session *session, dt_trainee *trainee, dt_ledger *ledger,
                              dt_run_clock *clock) {
    const int64_t step = ledger->position.step;
    DT_TRY(dt_ledger_gather(ledger, &session->ranks, NULL));
    DT_TRY(dt_recurrent_state_gather(&trainee->recurrent_state));
    if (snapshot->step == step && !snapshot->behind) return dt_ok();
    DT_TRY(dt_session_agree(session, check_weights(trainee, step)));
    DT_TRY(dt_session_check_hold(session));
    dt_run_clock_mark(clock);
    dt_session_note(session, DT_ACTIVITY_STORAGE, step);
    dt_status status =
        dt_checkpoint_publish(&session->ranks, session->checkpoints, dt_snapshot_state(snapshot, ledger), NULL, NULL);
    if (status.code != DT_OK) DT_TRY(dt_session_check_hold(session)); /* whoever took the directory clears it up */
    DT_TRY(status);
    dt_session_note(session, DT_ACTIVITY_COMPUTE, step);
    dt_run_clock_spend(clock, DT_PHASE_CHECKPOINT);
    snapshot->step = step;
    snapshot->behind = false;
    clock->checkpointed = clock->mark;
    return dt_session_agree(session, session->first ? prune(session, ledger) : dt_ok());
}
