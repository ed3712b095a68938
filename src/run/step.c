/* A step's beginning and end. What it computes is a function of its position, the seed and the weights: it can be
 * computed again, on any rank. */
#include "step.h"

#include "base/clock.h"

dt_step dt_step_begin(const dt_session *session, const dt_run_data *data, const dt_course *course, dt_ledger *ledger,
                      dt_run_clock *clock, const dt_snapshot *snapshot, dt_limit *limit) {
    const dt_recipe *recipe = session->recipe;
    const dt_position at = ledger->position;
    dt_step step = {.session = session,
                    .data = data,
                    .course = course,
                    .ledger = ledger,
                    .clock = clock,
                    .snapshot = snapshot,
                    .limit = limit,
                    .at = at,
                    .next = at};
    step.order = dt_source_order(&data->train, &recipe->data, recipe->seed, at.epoch);
    dt_source_ahead(&data->train, &step.order, at.sample);
    step.augment = dt_augment_at(&recipe->data, recipe->seed, at.epoch);
    step.rows = dt_course_rows(course, &at);
    int64_t own;
    dt_rank_shards(course->shards, session->ranks.size, session->ranks.rank, &step.first_shard, &own);
    step.end_shard = step.first_shard + own;
    step.next.step++;
    step.next.sample += step.rows;
    step.measures = step.next.sample == course->samples || step.next.step == course->total_steps ||
                    dt_course_due(course, recipe->train.log_every, &step.next);
    step.before = ledger->local;
    step.began = dt_clock_now();
    step.ran = dt_watchdog_ran(session->watchdog);
    dt_run_clock_mark(clock);
    return step;
}

void dt_step_pass_over(dt_step *step, dt_trainee *trainee) {
    step->ledger->local = step->before;
    dt_recurrent_state_skip(&trainee->recurrent_state, step->at.sample == 0);
}

void dt_step_end(dt_step *step, dt_trainee *trainee, bool passed_over) {
    dt_run_clock_spend(step->clock, DT_PHASE_UPDATE);
    dt_session_note(step->session, DT_ACTIVITY_MEET, step->at.step);
    dt_reduce_done(trainee->reducer);
    dt_session_note(step->session, DT_ACTIVITY_COMPUTE, step->at.step);
    dt_ledger_step(step->ledger, step->rows, passed_over);
    step->clock->loop_samples += step->rows;
    dt_run_clock_spend(step->clock, DT_PHASE_REDUCE);
}

void dt_step_account(const dt_step *step) {
    dt_watchdog *watchdog = step->session->watchdog;
    dt_run_clock_step(step->clock, step->began, dt_snapshot_flies(step->snapshot) >= 0);
    dt_watchdog_allow(watchdog, 20 * (dt_watchdog_ran(watchdog) - step->ran));
}
