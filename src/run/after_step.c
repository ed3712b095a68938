/* What follows a step: records, checks, checkpoint, evaluation, and whether the run ends here. All ranks come to the
 * same decisions: they follow from the position, and from what crossed with the gradient (dt_flag). */
#include "base/stop.h"
#include "evaluate.h"
#include "notes.h"
#include "rounds.h"
#include "run.h"
#include "show.h"
#include "texts.h"

/* Another one counts than when there were `before`. */
static void note_newer(const dt_run *run, int64_t before) {
    if (run->snapshot.published <= before) return;
    dt_note_checkpoint(run);
    dt_limit_arm(&run->limit, &run->clock);
}

dt_status dt_run_finish_checkpoint(dt_run *run) {
    const int64_t before = run->snapshot.published;
    DT_TRY(dt_snapshot_finish(&run->snapshot, &run->session, &run->clock));
    note_newer(run, before);
    return dt_ok();
}

dt_status dt_run_publish(dt_run *run) {
    DT_TRY(dt_run_finish_checkpoint(run));
    const int64_t before = run->snapshot.published;
    DT_TRY(dt_snapshot_publish(&run->snapshot, &run->session, &run->trainee, &run->ledger, &run->clock));
    note_newer(run, before);
    return dt_ok();
}

/* Ranks of a round do not meet before its end: nothing is to be in flight then. */
static dt_status publish_beside(dt_run *run) {
    if (run->rounds) return dt_run_publish(run);
    DT_TRY(dt_run_finish_checkpoint(run));
    const int64_t before = run->snapshot.published;
    DT_TRY(dt_snapshot_begin(&run->snapshot, &run->session, &run->trainee, &run->ledger, &run->clock));
    note_newer(run, before);
    return dt_ok();
}

static dt_best best_by(const dt_run *run) {
    return (dt_best)run->session.recipe->checkpoint.best;
}

static bool is_due(const dt_run *run, dt_span span) {
    return dt_course_due(&run->course, span, &run->ledger.position);
}

static bool is_raised(const dt_run *run, dt_flag flag) {
    return run->raised[flag] > 0;
}

static bool is_last_step(const dt_run *run) {
    return run->ledger.position.step == run->course.total_steps;
}

/* Who has checkpoints of some steps kept for good wants them made. */
static bool is_milestone(const dt_run *run) {
    const dt_recipe_checkpoint *rule = &run->session.recipe->checkpoint;
    bool counts = rule->every.unit == DT_SPAN_BUDGET && rule->keep_every > 0;
    return counts && run->ledger.position.step % rule->keep_every == 0;
}

bool dt_run_is_out_of_patience(const dt_run *run) {
    int64_t patience = run->session.recipe->train.patience;
    return patience > 0 && run->ledger.best.since >= (double)patience;
}

bool dt_run_is_finished(const dt_run *run) {
    return run->ledger.position.step >= run->course.total_steps || dt_run_is_out_of_patience(run);
}

/* Rank 0: who asked for a stop, of a clock or a signal, here or elsewhere. */
static const char *who_stopped(const dt_run *run) {
    if (run->rounds && run->rounds->waits) return "waiting";
    if (dt_stop_requested == DT_STOP_SIGNAL) return "signal";
    if (dt_stop_requested == DT_STOP_LIMIT) return "time_limit";
    bool elsewhere = run->raised[DT_FLAG_STOP] > run->clock.stops;
    if (!elsewhere) return "stop_after";
    return dt_limit_is_due(&run->limit, &run->clock) ? "time_limit" : "signal"; /* of two timers one is first */
}

const char *dt_run_reason(const dt_run *run, bool stops, bool told) {
    if (stops) return told ? who_stopped(run) : "stop_after";
    if (run->ledger.position.step < run->course.total_steps) return "patience";
    if (run->privacy.limits) return "epsilon";
    if (run->rounds) return "rounds";
    return run->session.recipe->train.steps > 0 ? "steps" : "epochs";
}

/* What is in flight goes on where all ranks are ready to. Where one's storage stands still, all wait for it, and the
 * watchdog says whose it is. */
static dt_status meet_for_checkpoint(dt_run *run) {
    if (dt_snapshot_flies(&run->snapshot) < 0) return dt_ok();
    if (is_raised(run, DT_FLAG_STANDS)) return dt_run_finish_checkpoint(run);
    bool all = run->raised[DT_FLAG_READY] == run->session.ranks.size;
    const int64_t before = run->snapshot.published;
    if (all) DT_TRY(dt_snapshot_meet(&run->snapshot, &run->session, &run->clock));
    note_newer(run, before);
    return dt_ok();
}

/* ---- evaluation ---- */

static bool evaluation_falls_here(const dt_run *run) {
    return is_last_step(run) || is_due(run, run->session.recipe->train.eval_every);
}

bool dt_run_owes_evaluation(const dt_run *run) {
    bool owes = dt_ledger_owes_evaluation(&run->ledger);
    const dt_records *records = &run->progress.records;
    if (run->session.first && best_by(run) == DT_BEST_NONE && run->snapshot.step > 0)
        owes = evaluation_falls_here(run) && dt_records_begun(records) &&
               !dt_records_evaluated(records, run->ledger.position.step);
    return dt_comm_any(run->session.comm, owes);
}

static void owe_evaluation(dt_run *run, bool owes) {
    dt_ledger_owe_evaluation(&run->ledger, best_by(run), owes);
}

static dt_status evaluate_test(dt_run *run) {
    dt_assessor *assessor;
    if (!run->data.has_test) return dt_ok();
    DT_TRY(dt_tables_begin(run, &assessor));
    dt_status status = dt_evaluate_test(&run->session, &run->data, &run->trainee, &run->ledger, assessor);
    return dt_tables_end(run, assessor, status);
}

/* Evaluates; *better: this is the best evaluation so far by checkpoint.best. */
static dt_status evaluate(dt_run *run, bool *better) {
    dt_run_clock_mark(&run->clock);
    owe_evaluation(run, false);
    DT_TRY(evaluate_test(run));
    DT_TRY(dt_texts_sample(run));
    dt_run_clock_spend(&run->clock, DT_PHASE_EVALUATE);
    run->clock.evaluated = run->clock.mark;
    if (best_by(run) != DT_BEST_NONE) {
        *better = dt_ledger_judge(&run->ledger, best_by(run));
        run->snapshot.behind = true;
    }
    DT_TRY(dt_ledger_gather(&run->ledger, &run->session.ranks, NULL));
    dt_progress_evaluated(&run->progress);
    return dt_ok();
}

dt_status dt_run_catch_up(dt_run *run) {
    bool better = false;
    DT_TRY(evaluate(run, &better));
    run->ended = dt_run_reason(run, false, false);
    return dt_run_is_finished(run) ? dt_run_publish(run) : dt_ok();
}

/* Evaluates behind a step that was `published` or not. Who is told to stop amid it leaves it to who goes on (*stop). */
static dt_status evaluate_step(dt_run *run, bool published, bool *better, bool *stop) {
    dt_status status = evaluate(run, better);
    *stop = status.code == DT_ERR_STOPPED;
    if (*stop) {
        run->ended = who_stopped(run);
        owe_evaluation(run, true);
        return dt_run_publish(run);
    }
    if (status.code == DT_ERR_DIVERGED && !published) { /* of the test set: the steps are not to be lost for that */
        owe_evaluation(run, true);
        DT_TRY(dt_run_publish(run));
    }
    return status;
}

/* ---- records and checks ---- */

static dt_status record(dt_run *run) {
    bool epoch_ends = run->ledger.position.sample == run->course.samples;
    if (is_due(run, run->session.recipe->train.log_every) || epoch_ends || is_last_step(run)) {
        dt_tally interval;
        DT_TRY(dt_ledger_gather(&run->ledger, &run->session.ranks, &interval));
        DT_TRY(dt_progress_record(&run->progress, &interval, run->trainee.rate, run->trainee.grad_norm));
    }
    if (epoch_ends) dt_ledger_end_epoch(&run->ledger);
    return dt_ok();
}

/* `now`: a checkpoint is to be made, of which each array is one rank's. */
static dt_status check(dt_run *run, bool now) {
    int64_t every = run->session.recipe->train.check_every, step = run->ledger.position.step;
    if (!now && (every == 0 || step % every != 0)) return dt_ok();
    dt_recurrent_state *recurrent = &run->trainee.recurrent_state;
    dt_run_clock_mark(&run->clock);
    DT_TRY(dt_recurrent_state_gather(recurrent));
    dt_status alike =
        dt_replicas_compare(&run->replicas, &run->session, dt_snapshot_state(&run->snapshot, &run->ledger),
                            recurrent->extra, run->snapshot.step);
    if (alike.code != DT_OK) { /* on all ranks; what is no number is named as that, where it was not looked for */
        if (every == 0) DT_TRY(dt_snapshot_check_weights(&run->session, &run->trainee, step));
        return alike;
    }
    if (now) dt_run_clock_stand(&run->clock);
    return dt_ok();
}

/* A link of the chain, of the state that a checkpoint of this step has. */
static dt_status link_chain(dt_run *run) {
    const int64_t every = run->session.recipe->train.chain;
    dt_ledger *ledger = &run->ledger;
    if (every == 0 || ledger->position.step % every != 0) return dt_ok();
    DT_TRY(dt_chain_add(&run->chain, &run->session, &run->trainee, ledger, dt_snapshot_state(&run->snapshot, ledger)));
    if (run->session.first) dt_records_link(&run->progress.records, &ledger->chain);
    return dt_ok();
}

/* A checkpoint comes before the evaluation, and again after it where that found the best, or the last. */
dt_status dt_run_after_step(dt_run *run, bool *stop) {
    const dt_recipe *recipe = run->session.recipe;
    if (is_raised(run, DT_FLAG_LOST)) DT_TRY(dt_session_check_hold(&run->session));
    DT_TRY(meet_for_checkpoint(run));
    DT_TRY(record(run));
    dt_run_show(run);
    const int64_t allowed = dt_course_span(&run->course, recipe->train.stop_after);
    const int64_t made = run->ledger.position.step - run->course.first_step;
    bool last = is_last_step(run), better = false;
    bool told = !last && is_raised(run, DT_FLAG_STOP);
    bool stops = told || (!last && allowed > 0 && made >= allowed);
    bool evaluates = evaluation_falls_here(run) || is_raised(run, DT_FLAG_EVALUATE);
    bool due = is_due(run, recipe->checkpoint.every) || is_raised(run, DT_FLAG_CHECKPOINT) || is_milestone(run);
    bool publishes = last || stops || due;
    DT_TRY(check(run, publishes));
    if (evaluates) owe_evaluation(run, true);
    DT_TRY(link_chain(run));
    if (publishes) DT_TRY(last || stops || evaluates ? dt_run_publish(run) : publish_beside(run));
    if (evaluates && !told) {
        DT_TRY(evaluate_step(run, publishes, &better, stop));
        if (*stop) return dt_ok();
    }
    bool finished = dt_run_is_finished(run);
    *stop = stops && !finished;
    run->ended = dt_run_reason(run, *stop, told);
    if (!finished && !*stop && (publishes || !better)) return dt_ok();
    if (!publishes) DT_TRY(check(run, true));
    return finished || *stop ? dt_run_publish(run) : publish_beside(run);
}

dt_status dt_run_leave(dt_run *run, bool *stop) {
    if (is_raised(run, DT_FLAG_LOST)) DT_TRY(dt_session_check_hold(&run->session));
    *stop = true;
    run->ended = dt_run_reason(run, true, true);
    return dt_run_publish(run);
}
