/* Publishing checkpoints of a run: rehearsed before the first step, copied when all ranks are at the same step, written
 * beside the steps that follow and committed in one of them, pruned by the recipe's rule. How a file comes to be is the
 * store's (store/publication.c).
 *
 * What is waited for: a stop and the end, because there is no later step; an evaluation that is due, because who is
 * killed in it is to lose no step; and the next checkpoint, for two never overlap. */
#include "snapshot.h"

#include "base/clock.h"
#include "base/log.h"

dt_status dt_snapshot_rehearse(dt_snapshot *snapshot, const dt_session *session, const dt_ledger *ledger) {
    dt_session_note(session, DT_ACTIVITY_STORAGE, ledger->position.step);
    dt_status status =
        dt_checkpoint_rehearse(&session->ranks, session->checkpoints, dt_snapshot_state(snapshot, ledger));
    dt_session_note(session, DT_ACTIVITY_COMPUTE, ledger->position.step);
    return dt_status_within(status, "training does not begin, for no checkpoint could be written");
}

static void close_publisher(dt_snapshot *snapshot) {
    dt_publisher_close(snapshot->publisher);
    snapshot->publisher = NULL;
}

void dt_snapshot_open_publisher(dt_snapshot *snapshot, const dt_session *session) {
    dt_status status = dt_publisher_open(&snapshot->publisher, &session->ranks);
    if (status.code == DT_OK) return;
    close_publisher(snapshot);
    snapshot->refused = status;
}

dt_status dt_snapshot_fit_publisher(dt_snapshot *snapshot, const dt_session *session, const dt_ledger *ledger,
                                    size_t memory) {
    dt_status status = snapshot->refused;
    if (snapshot->publisher)
        status = dt_publisher_fit(snapshot->publisher, dt_snapshot_state(snapshot, ledger), memory / 2);
    bool local = status.code == DT_OK || status.code == DT_ERR_MEMORY || status.code == DT_ERR_IO;
    snapshot->refused = dt_session_agree(session, status);
    if (snapshot->refused.code == DT_OK) return dt_ok();
    close_publisher(snapshot);
    if (!local) return snapshot->refused;
    if (session->first)
        dt_log_warn("%s; so training stands still while a checkpoint is written", snapshot->refused.message);
    return dt_ok();
}

dt_status dt_snapshot_check_weights(const dt_session *session, const dt_trainee *trainee, int64_t step) {
    dt_status status = dt_ok();
    if (!dt_trainee_is_finite(trainee)) /* in another node they may be */
        status = dt_fail(DT_ERR_DIVERGED, "step %lld: the weights are no longer numbers; no checkpoint is made of them",
                         (long long)step);
    return dt_session_agree(session, status);
}

static dt_keeping keeping_of(const dt_session *session, const dt_ledger *ledger) {
    const dt_recipe_checkpoint *rule = &session->recipe->checkpoint;
    int64_t best = ledger->best.step > 0 ? (int64_t)ledger->best.step : -1;
    return (dt_keeping){rule->keep, rule->keep_every, best};
}

/* Who asked for a share of the time hears once that it is not enough. */
static void warn_of_budget(dt_snapshot *snapshot, const dt_session *session, const dt_budget *budget) {
    const dt_recipe_checkpoint *rule = &session->recipe->checkpoint;
    bool counts = session->first && rule->every.unit == DT_SPAN_BUDGET && !snapshot->warned;
    if (!counts || !dt_budget_exceeded(budget, rule->budget)) return;
    snapshot->warned = true;
    dt_log_warn("a checkpoint costs %.1f s of training; one comes every ten minutes nevertheless, which is more than "
                "checkpoint.budget, %g %%",
                budget->cost, rule->budget);
}

static void is_published(dt_snapshot *snapshot, const dt_session *session, dt_run_clock *clock, int64_t step) {
    snapshot->step = step;
    snapshot->published++;
    double work = snapshot->publisher ? dt_publisher_work(snapshot->publisher) : 0;
    dt_budget_end(&clock->budget, clock->mark, work - snapshot->work);
    snapshot->work = work;
    warn_of_budget(snapshot, session, &clock->budget);
}

/* A failure means another where the directory is somebody else's, who clears it up. */
static dt_status explain(const dt_session *session, dt_status status) {
    if (status.code != DT_OK) DT_TRY(dt_session_check_hold(session));
    return status;
}

int64_t dt_snapshot_flies(const dt_snapshot *snapshot) {
    return snapshot->publisher ? dt_publisher_flies(snapshot->publisher) : -1;
}

size_t dt_snapshot_memory(const dt_snapshot *snapshot) {
    return snapshot->publisher ? dt_publisher_memory(snapshot->publisher) : 0;
}

bool dt_snapshot_is_ready(const dt_snapshot *snapshot) {
    return snapshot->publisher && dt_publisher_is_ready(snapshot->publisher);
}

bool dt_snapshot_stands(const dt_snapshot *snapshot, double seconds) {
    return snapshot->publisher && seconds > 0 && dt_publisher_stands(snapshot->publisher) > seconds;
}

dt_status dt_snapshot_meet(dt_snapshot *snapshot, const dt_session *session, dt_run_clock *clock) {
    const int64_t step = dt_snapshot_flies(snapshot);
    bool over = false;
    dt_run_clock_mark(clock);
    DT_TRY(explain(session, dt_publisher_meet(snapshot->publisher, &over)));
    dt_run_clock_stand(clock);
    if (over) is_published(snapshot, session, clock, step);
    return dt_ok();
}

dt_status dt_snapshot_finish(dt_snapshot *snapshot, const dt_session *session, dt_run_clock *clock) {
    const int64_t step = dt_snapshot_flies(snapshot);
    if (step < 0) return dt_ok();
    dt_run_clock_mark(clock);
    dt_session_note(session, DT_ACTIVITY_STORAGE, step);
    DT_TRY(explain(session, dt_publisher_finish(snapshot->publisher)));
    dt_session_note(session, DT_ACTIVITY_COMPUTE, step);
    dt_run_clock_stand(clock);
    is_published(snapshot, session, clock, step);
    return dt_ok();
}

/* The present state, complete and worth keeping. *there: the newest checkpoint is it. */
static dt_status prepare(dt_snapshot *snapshot, const dt_session *session, dt_trainee *trainee, dt_ledger *ledger,
                         bool *there) {
    const int64_t step = ledger->position.step;
    DT_TRY(dt_ledger_gather(ledger, &session->ranks, NULL));
    DT_TRY(dt_recurrent_state_gather(&trainee->recurrent_state));
    *there = snapshot->step == step && !snapshot->behind;
    if (*there) return dt_ok();
    DT_TRY(dt_snapshot_check_weights(session, trainee, step));
    return dt_session_check_hold(session);
}

dt_status dt_snapshot_publish(dt_snapshot *snapshot, const dt_session *session, dt_trainee *trainee, dt_ledger *ledger,
                              dt_run_clock *clock) {
    const int64_t step = ledger->position.step;
    const dt_keeping keep = keeping_of(session, ledger);
    bool there;
    dt_run_clock_mark(clock);
    DT_TRY(prepare(snapshot, session, trainee, ledger, &there));
    if (there) return dt_ok();
    dt_budget_begin(&clock->budget, clock->mark);
    dt_session_note(session, DT_ACTIVITY_STORAGE, step);
    const dt_state *state = dt_snapshot_state(snapshot, ledger);
    DT_TRY(explain(session, dt_checkpoint_publish(&session->ranks, session->checkpoints, state, NULL, NULL)));
    dt_session_note(session, DT_ACTIVITY_COMPUTE, step);
    dt_run_clock_stand(clock);
    is_published(snapshot, session, clock, step);
    snapshot->behind = false;
    clock->checkpointed = clock->mark;
    const bool first = session->first;
    return dt_session_agree(
        session,
        first ? dt_checkpoint_prune(session->checkpoints, keep.keep, keep.keep_every, keep.keep_step) : dt_ok());
}

dt_status dt_snapshot_begin(dt_snapshot *snapshot, const dt_session *session, dt_trainee *trainee, dt_ledger *ledger,
                            dt_run_clock *clock) {
    if (!snapshot->publisher) return dt_snapshot_publish(snapshot, session, trainee, ledger, clock);
    bool there;
    dt_run_clock_mark(clock);
    dt_budget_begin(&clock->budget, clock->mark);
    DT_TRY(prepare(snapshot, session, trainee, ledger, &there));
    if (there) return dt_ok();
    DT_TRY(dt_publisher_begin(snapshot->publisher, session->checkpoints, dt_snapshot_state(snapshot, ledger),
                              keeping_of(session, ledger)));
    snapshot->behind = false;
    dt_run_clock_stand(clock);
    clock->checkpointed = clock->mark;
    return dt_ok();
}
