/* The training loop. One step: every rank computes the gradients of its shards of the global batch, the gradients are
 * summed over all ranks, and every rank makes the same update of its replica.
 *
 * Decisions that depend on a clock or a signal (stop, checkpoint, evaluate) are raised with the gradient, so all ranks
 * learn of them in the same step and none has to ask. */
#include "run/train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "base/trace.h"
#include "run_internal.h"

void dt_run_spend(dt_run *run, dt_phase phase, double *mark) {
    double now = dt_clock_now();
    run->phases[phase] += now - *mark;
    dt_trace_span(run->trace[phase], *mark, now, 0);
    *mark = now;
}

static void gradient_ready(void *reducer, size_t begin) {
    dt_reduce_ready(reducer, begin, false);
}

static void last_gradient_ready(void *reducer, size_t begin) {
    dt_reduce_ready(reducer, begin, true);
}

/* The gradient of one shard: positions [offset, offset + count) of the step, in pieces that fit the model. `last`: no
 * other shard of this rank follows. */
static void compute_shard(dt_run *run, const dt_sampler *sampler, int64_t offset, int64_t count, bool last,
                          double *mark) {
    dt_pass pass = {.kernels = run->kernels,
                    .training = true,
                    .seed = (uint64_t)run->recipe->seed,
                    .step = (uint64_t)run->position.step,
                    .weights = run->weights,
                    .weights16 = run->weights16,
                    .grads = dt_reduce_next(run->reducer),
                    .ready_context = run->reducer};
    dt_augment augment = dt_augment_at(&run->recipe->data, run->recipe->seed, run->position.epoch);
    int64_t at_once = run->recipe->train.micro_batch > 0 ? run->recipe->train.micro_batch : count;
    for (int64_t done = 0; done < count; done += at_once) {
        int64_t rows = count - done < at_once ? count - done : at_once;
        for (int64_t i = 0; i < rows; i++)
            run->index[i] = dt_sampler_index(sampler, run->position.sample + offset + done + i);
        run->batch.first = (uint64_t)(offset + done);
        dt_source_fetch(&run->train, run->kernels, &run->scaling, &augment, run->index, rows, &run->batch);
        dt_run_spend(run, DT_PHASE_INPUT, mark);
        pass.accumulate = done > 0;
        dt_recurrent_state_pass(run, &pass, offset + done, run->batch.fresh);
        if (done + rows == count) pass.ready = last ? last_gradient_ready : gradient_ready;
        dt_model_train(run->model, pass, &run->batch, &run->local_tally);
        dt_run_spend(run, DT_PHASE_COMPUTE, mark);
    }
    dt_reduce_add(run->reducer);
}

static bool seconds_due(dt_span span, double since) {
    return span.unit == DT_SPAN_SECONDS && dt_clock_now() - since >= span.value;
}

/* What this rank has to say besides its gradient. */
static void raise_flags(dt_run *run) {
    if (dt_stop_requested) dt_reduce_raise(run->reducer, DT_FLAG_STOP);
    if (dt_compute_failed()) dt_reduce_raise(run->reducer, DT_FLAG_FAILED);
    if (run->local_tally.not_finite > 0) dt_reduce_raise(run->reducer, DT_FLAG_NOT_FINITE);
    if (dt_comm_rank(run->comm) != 0) return;
    if (dt_rundir_is_lost(run->lock)) dt_reduce_raise(run->reducer, DT_FLAG_LOST);
    run->asked_by_clock = seconds_due(run->recipe->train.stop_after, run->started);
    if (run->asked_by_clock) dt_reduce_raise(run->reducer, DT_FLAG_STOP);
    if (seconds_due(run->recipe->checkpoint.every, run->checkpoint_clock))
        dt_reduce_raise(run->reducer, DT_FLAG_CHECKPOINT);
    if (seconds_due(run->recipe->train.eval_every, run->evaluate_clock))
        dt_reduce_raise(run->reducer, DT_FLAG_EVALUATE);
}

/* Steps between two events of a span; 0 when it does not count steps. */
static int64_t span_steps(const dt_run *run, dt_span span) {
    double steps = span.unit == DT_SPAN_STEPS    ? span.value
                   : span.unit == DT_SPAN_EPOCHS ? span.value * (double)run->steps_per_epoch
                                                 : 0;
    return steps > 0 ? (int64_t)fmax(1, round(steps)) : 0;
}

/* Whether an event is due at a position: spans in steps count updates, those in epochs what was used of the data. */
static bool due_at(const dt_run *run, dt_span span, const dt_position *position) {
    int64_t every = span_steps(run, span);
    int64_t at = span.unit == DT_SPAN_EPOCHS ? dt_course_step(run, position) : position->step;
    return every > 0 && at > 0 && at % every == 0;
}

static bool steps_due(const dt_run *run, dt_span span) {
    return due_at(run, span, &run->position);
}

/* Collective. A rank's products failed in this step, which is then nobody's: no weight has changed. */
static dt_status not_computed(dt_run *run) {
    dt_status found = dt_computed_everywhere(&run->ranks);
    char newest[64] = "there is no checkpoint yet";
    if (run->checkpoint_step >= 0)
        snprintf(newest, sizeof newest, "the newest checkpoint is of step %lld", (long long)run->checkpoint_step);
    return dt_fail(found.code, "step %lld: %s; %s", (long long)run->position.step, found.message, newest);
}

/* The summed gradient of the global batch of `rows` samples at the present position. */
static dt_status compute_gradient(dt_run *run, const dt_sampler *sampler, int64_t rows, double *mark) {
    int64_t first_shard, own_shards;
    dt_rank_shards(run->shards, dt_comm_size(run->comm), dt_comm_rank(run->comm), &first_shard, &own_shards);
    dt_tally before = run->local_tally;
    for (bool redo = true; redo;) {
        run->local_tally = before;
        dt_reduce_begin(run->reducer);
        for (int64_t shard = first_shard; shard < first_shard + own_shards; shard++) {
            int64_t offset, count, next_offset, next_count = 0;
            dt_shard_range(rows, run->shards, shard, &offset, &count);
            if (shard + 1 < first_shard + own_shards)
                dt_shard_range(rows, run->shards, shard + 1, &next_offset, &next_count);
            if (count > 0) compute_shard(run, sampler, offset, count, next_count == 0, mark);
        }
        raise_flags(run);
        dt_watchdog_note(run->watchdog, DT_ACTIVITY_MEET, run->position.step);
        DT_TRY(dt_reduce_finish(run->reducer, &redo));
        if (dt_reduce_raised(run->reducer, DT_FLAG_FAILED) > 0) return not_computed(run);
        dt_watchdog_note(run->watchdog, DT_ACTIVITY_COMPUTE, run->position.step);
        dt_run_spend(run, DT_PHASE_REDUCE, mark);
        run->redone += redo;
    }
    return dt_ok();
}

/* What is done to the blocks of this rank's slice, on its threads: both measure and update go block by block, so that
 * the rule finds in the cache what the sums brought there. */
typedef struct slice_work {
    dt_run *run;
    size_t begin, end;
    int64_t rows, targets;
} slice_work;

static size_t block_end(const slice_work *work, size_t at) {
    return work->end - at < DT_TABLE_BLOCK ? work->end : at + DT_TABLE_BLOCK;
}

static void measure_blocks(void *context, int64_t first, int64_t last) {
    const slice_work *work = context;
    dt_run *run = work->run;
    for (size_t at = work->begin + (size_t)first, to; at < work->begin + (size_t)last; at = to) {
        to = block_end(work, at);
        run->squares[at / DT_TABLE_BLOCK] =
            dt_grad_squares(run->kernels, run->table, dt_reduce_take(run->reducer, at, to), at, to);
    }
}

static void update_blocks(void *context, int64_t first, int64_t last) {
    const slice_work *work = context;
    dt_run *run = work->run;
    for (size_t at = work->begin + (size_t)first, to; at < work->begin + (size_t)last; at = to) {
        to = block_end(work, at);
        dt_optim_update(run->kernels, &run->recipe->optimizer, run->table, run->weights, run->slots,
                        dt_reduce_take(run->reducer, at, to), at, to, run->position.step, work->rows, work->targets,
                        run->grad_norm, run->rate);
        if (run->weights16) run->kernels->to_bf16(run->weights16 + at, run->weights + at, (int64_t)(to - at));
    }
}

static void over_slice(slice_work *work, dt_task task) {
    const int64_t block = 4 * DT_TABLE_BLOCK; /* less is not worth a thread's start */
    dt_parallel((int64_t)(work->end - work->begin), block, task, work);
}

/* The norm of the mean gradient. Every rank of a node measures the blocks of its slice. */
static double gradient_norm(slice_work *work) {
    const dt_run *run = work->run;
    over_slice(work, measure_blocks);
    dt_node_meet(run->node);
    double sum = 0;
    for (size_t at = 0; at < run->table->total; at += DT_TABLE_BLOCK) sum += run->squares[at / DT_TABLE_BLOCK];
    return sqrt(sum) / (double)work->targets;
}

/* Every rank of a node updates its slice. */
static void update_weights(dt_run *run, int64_t rows, bool last_of_epoch) {
    const dt_recipe_optimizer *optimizer = &run->recipe->optimizer;
    int64_t origin = run->position.origin;
    run->rate =
        dt_schedule_rate(&run->recipe->schedule, optimizer->lr, run->position.step - origin, run->total_steps - origin);
    dt_position next = run->position;
    next.step++;
    next.sample += rows;
    bool logged = last_of_epoch || next.step == run->total_steps || due_at(run, run->recipe->train.log_every, &next);
    slice_work work = {.run = run, .rows = rows, .targets = rows * run->train.targets.counted};
    dt_reduce_slice(run->reducer, &work.begin, &work.end);
    if (optimizer->clip_norm > 0 || logged) run->grad_norm = gradient_norm(&work);
    over_slice(&work, update_blocks);
}

/* One step: gradient and update. After a rollback *redo is true, and the position is another. */
static dt_status train_step(dt_run *run, const dt_sampler *sampler, bool *redo) {
    double mark = dt_clock_now();
    int64_t left = run->train.samples - run->position.sample;
    int64_t rows = left < run->recipe->train.batch ? left : run->recipe->train.batch;
    dt_tally before = run->local_tally;
    bool skip = dt_run_skips(run, run->position.step);
    if (skip) {
        dt_reduce_begin(run->reducer);
    } else {
        DT_TRY(compute_gradient(run, sampler, rows, &mark));
        skip = dt_reduce_raised(run->reducer, DT_FLAG_NOT_FINITE) > 0;
        if (skip) {
            DT_TRY(dt_run_not_finite(run, sampler, rows, redo));
            if (*redo) return dt_ok();
            run->local_tally = before;
        }
    }
    if (skip) {
        dt_recurrent_state_skip(run);
    } else {
        update_weights(run, rows, left <= rows);
        dt_recurrent_state_commit(run);
    }
    dt_run_spend(run, DT_PHASE_UPDATE, &mark);
    dt_watchdog_note(run->watchdog, DT_ACTIVITY_MEET, run->position.step);
    dt_reduce_done(run->reducer);
    dt_watchdog_note(run->watchdog, DT_ACTIVITY_COMPUTE, run->position.step);
    run->skips.count += skip;
    run->skips.in_a_row = skip ? run->skips.in_a_row + 1 : 0;
    run->position.step++;
    run->position.sample += rows;
    run->loop_samples += rows;
    dt_run_spend(run, DT_PHASE_REDUCE, &mark);
    return dt_ok();
}

/* Compares the replicas, of which each node has one, and names those that differ from the majority (from rank 0 where
 * there is none). */
static dt_status check_replicas(dt_run *run) {
    int ranks = dt_comm_size(run->comm);
    if (dt_node_count(run->node) == 1) return dt_ok();
    DT_TRY(dt_recurrent_state_gather(run));
    uint64_t *all = dt_alloc((size_t)ranks, sizeof *all);
    DT_TRY(dt_comm_agree(run->comm, all ? dt_ok() : dt_fail_memory("hashes of the replicas", (size_t)ranks * 8)));
    dt_status status = dt_comm_gather_u64(run->comm, dt_state_digest(dt_run_state(run)), all);
    uint64_t common = all[0];
    int best = 0;
    for (int i = 0; i < ranks; i++) {
        int same = 0;
        for (int j = 0; j < ranks; j++) same += all[j] == all[i];
        if (same > best) {
            best = same;
            common = all[i];
        }
    }
    char names[128] = "";
    for (int i = 0; i < ranks && strlen(names) + 16 < sizeof names; i++)
        if (all[i] != common) dt_append(names, sizeof names, "%s%d", names[0] ? ", " : "", i);
    dt_free(all);
    if (status.code != DT_OK || !names[0]) return status;
    return dt_fail(
        DT_ERR_DIVERGED,
        "after step %lld the model of rank %s differs from that of the other ranks (bad memory or processor?); "
        "the newest checkpoint is of step %lld: start again without that machine",
        (long long)run->position.step, names, (long long)run->checkpoint_step);
}

static dt_status evaluate_test(dt_run *run) {
    dt_evaluator evaluator = {&run->ranks,  run->model,     run->kernels, &run->scaling,
                              run->weights, run->weights16, &run->test,   run->rows_at_once};
    dt_odd odd = {.samples = run->test.x_name};
    dt_watchdog_note(run->watchdog, DT_ACTIVITY_EVALUATE, run->position.step);
    DT_TRY(dt_evaluate_split(&evaluator, &run->test_tally, &odd));
    dt_watchdog_note(run->watchdog, DT_ACTIVITY_COMPUTE, run->position.step);
    bool told = run->test_tally.not_finite == run->odd_samples;
    run->odd_samples = run->test_tally.not_finite;
    dt_status status =
        dt_test_not_finite(run->comm, (dt_not_finite)run->recipe->train.not_finite, &odd, told, &run->test_tally);
    return dt_status_within(status, "evaluation at step %lld", (long long)run->position.step);
}

/* Checkpoints come before the evaluation of their step, which may take long, or die. What it changes of the state is
 * the best so far: where that counts, such a checkpoint says that its evaluation is still to be made. */
static void set_evaluation_due(dt_run *run, bool due) {
    bool judged = run->recipe->checkpoint.best != DT_BEST_NONE;
    if (judged && due != (run->best.since < 0)) run->best.since = -1 - run->best.since;
}

/* Evaluates; *better: this is the best evaluation so far by checkpoint.best. */
static dt_status evaluate(dt_run *run, dt_progress *progress, bool *better) {
    double mark = dt_clock_now();
    set_evaluation_due(run, false);
    if (run->has_test) DT_TRY(evaluate_test(run));
    dt_run_spend(run, DT_PHASE_EVALUATE, &mark);
    run->evaluate_clock = mark;
    if (run->recipe->checkpoint.best != DT_BEST_NONE) {
        const dt_tally *test = &run->test_tally;
        bool loss = run->recipe->checkpoint.best == DT_BEST_TEST_LOSS;
        double value = loss ? -dt_tally_loss(test) : (double)test->correct / (double)test->samples;
        *better = isfinite(value) && (run->best.step == 0 || value > run->best_value);
        if (*better) {
            run->best_value = value;
            run->best.value = loss ? -dt_tally_rounded_loss(test) : value;
            run->best.step = (double)run->position.step;
        }
        run->best.since = *better ? 0 : run->best.since + 1;
        run->checkpoint_behind = true;
    }
    return dt_progress_evaluated(progress, run);
}

static bool out_of_patience(const dt_run *run) {
    return run->recipe->train.patience > 0 && run->best.since >= (double)run->recipe->train.patience;
}

static bool is_finished(const dt_run *run) {
    return run->position.step >= run->total_steps || out_of_patience(run);
}

static bool evaluation_falls_here(const dt_run *run) {
    return run->position.step == run->total_steps || steps_due(run, run->recipe->train.eval_every);
}

/* Collective, after a checkpoint was loaded: whether its step was never evaluated. */
static bool evaluation_is_due(dt_run *run) {
    bool due = run->best.since < 0;
    if (dt_comm_rank(run->comm) == 0 && run->recipe->checkpoint.best == DT_BEST_NONE && run->checkpoint_step > 0)
        due = evaluation_falls_here(run) && dt_progress_is_recorded(run) && !dt_progress_is_evaluated(run);
    return dt_comm_any(run->comm, due);
}

/* Why the loop is left: `told` to stop, or by the number of steps train.stop_after allows. */
static const char *reason(const dt_run *run, bool stops, bool told) {
    bool signal = told && dt_reduce_raised(run->reducer, DT_FLAG_STOP) > run->asked_by_clock;
    if (stops) return signal ? "signal" : "stop_after";
    if (run->position.step < run->total_steps) return "patience";
    return run->recipe->train.steps > 0 ? "steps" : "epochs";
}

/* The evaluation that was due when the checkpoint was made. */
static dt_status catch_up(dt_run *run, dt_progress *progress) {
    bool better = false;
    DT_TRY(evaluate(run, progress, &better));
    run->ended = reason(run, false, false);
    return is_finished(run) ? dt_run_publish(run) : dt_ok();
}

static dt_status record(dt_run *run, dt_progress *progress) {
    bool epoch_ends = run->position.sample == run->train.samples;
    bool ends = epoch_ends || run->position.step == run->total_steps;
    if (steps_due(run, run->recipe->train.log_every) || ends) DT_TRY(dt_progress_record(progress, run));
    if (!epoch_ends) return dt_ok();
    run->last_tally = run->epoch_tally;
    run->epoch_tally = (dt_tally){0};
    run->position.epoch++;
    run->position.sample = 0;
    return dt_ok();
}

static dt_status check(dt_run *run, bool now) {
    int64_t every = run->recipe->train.check_every;
    return every > 0 && (now || run->position.step % every == 0) ? check_replicas(run) : dt_ok();
}

/* Who is told to stop in the middle of an evaluation leaves it to who goes on. */
static dt_status stop_evaluating(dt_run *run, bool *stop) {
    *stop = true;
    run->ended = "signal";
    set_evaluation_due(run, true);
    return dt_run_publish(run);
}

/* What follows a step: records, checks, checkpoint, evaluation; and a checkpoint of what that found, where it is the
 * best or the last. Who is told to stop does not begin to evaluate: that is done by who goes on. */
static dt_status after_step(dt_run *run, dt_progress *progress, bool *stop) {
    const dt_recipe *recipe = run->recipe;
    if (dt_reduce_raised(run->reducer, DT_FLAG_LOST) > 0) DT_TRY(dt_run_check_hold(run));
    DT_TRY(record(run, progress));
    int64_t stop_steps = span_steps(run, recipe->train.stop_after);
    bool last = run->position.step == run->total_steps, better = false;
    bool told = !last && dt_reduce_raised(run->reducer, DT_FLAG_STOP) > 0;
    bool stops = told || (!last && stop_steps > 0 && run->position.step - run->first_step >= stop_steps);
    bool evaluates = evaluation_falls_here(run) || dt_reduce_raised(run->reducer, DT_FLAG_EVALUATE) > 0;
    bool publishes = last || stops || steps_due(run, recipe->checkpoint.every) ||
                     dt_reduce_raised(run->reducer, DT_FLAG_CHECKPOINT) > 0;
    DT_TRY(check(run, publishes));
    if (evaluates) set_evaluation_due(run, true);
    if (publishes) DT_TRY(dt_run_publish(run));
    if (evaluates && !told) {
        dt_status status = evaluate(run, progress, &better);
        if (status.code == DT_ERR_STOPPED) return stop_evaluating(run, stop);
        if (status.code == DT_ERR_DIVERGED && !publishes) { /* of the test set: the steps are not to be lost for that */
            set_evaluation_due(run, true);
            DT_TRY(dt_run_publish(run));
        }
        DT_TRY(status);
    }
    bool finished = is_finished(run);
    *stop = stops && !finished;
    run->ended = reason(run, *stop, told);
    if (!finished && !*stop && (publishes || !better)) return dt_ok();
    if (!publishes) DT_TRY(check(run, true));
    return dt_run_publish(run);
}

/* The order of the epoch in progress. */
static dt_sampler epoch_order(const dt_run *run) {
    return dt_source_order(&run->train, run->recipe->data.shuffle, run->recipe->seed, run->position.epoch);
}

/* `due`: the evaluation of the step to go on from is still to be made. */
static dt_status train_loop(dt_run *run, bool due, dt_outcome *outcome) {
    dt_progress progress;
    dt_progress_begin(&progress, run);
    dt_sampler sampler = epoch_order(run);
    bool stop = false;
    dt_status status = due ? catch_up(run, &progress) : dt_ok();
    while (!is_finished(run) && !stop && status.code == DT_OK) {
        if (run->position.sample == 0) sampler = epoch_order(run);
        double mark = dt_clock_now(), ran = dt_watchdog_ran(run->watchdog);
        bool redo = false;
        status = train_step(run, &sampler, &redo);
        if (redo) sampler = epoch_order(run);
        if (redo && status.code == DT_OK && evaluation_is_due(run)) status = catch_up(run, &progress);
        double seconds = dt_clock_now() - mark;
        run->loop_seconds += seconds;
        dt_watchdog_allow(run->watchdog, 20 * (dt_watchdog_ran(run->watchdog) - ran));
        if (status.code != DT_OK || redo) continue;
        dt_progress_live(&progress, run);
        status = after_step(run, &progress, &stop);
    }
    dt_watchdog_note(run->watchdog, DT_ACTIVITY_END, run->position.step);
    dt_progress_clear(&progress);
    *outcome = stop ? DT_OUTCOME_STOPPED : DT_OUTCOME_DONE;
    return status;
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* A run whose recipe is fulfilled is evaluated again rather than remembered: the checkpoint is the truth. */
static dt_status finished_already(dt_run *run) {
    const dt_recipe_train *train = &run->recipe->train;
    int64_t steps = run->position.step - run->position.origin;
    char more[128];
    if (out_of_patience(run))
        snprintf(more, sizeof more, "%.0f evaluations without a better one; for more, raise train.patience (now %lld)",
                 run->best.since, (long long)train->patience);
    else if (train->steps > 0)
        snprintf(more, sizeof more, "for more, raise train.steps, now %lld (--set train.steps=%lld)",
                 (long long)train->steps, (long long)(2 * larger(train->steps, steps)));
    else
        snprintf(more, sizeof more, "for more, raise train.epochs, now %lld (--set train.epochs=%lld)",
                 (long long)train->epochs, (long long)(2 * larger(train->epochs, run->position.epoch)));
    dt_log_info("%s is finished: %lld steps, %lld epochs; %s", run->directory, (long long)run->position.step,
                (long long)run->position.epoch, more);
    run->ended = reason(run, false, false);
    return run->has_test ? evaluate_test(run) : dt_ok();
}

dt_status dt_train_run(dt_comm *comm, dt_recipe *recipe, const dt_train_options *options, dt_outcome *outcome) {
    *outcome = DT_OUTCOME_DONE;
    dt_run run;
    dt_status status = dt_run_open(&run, comm, recipe, options);
    bool due = status.code == DT_OK && evaluation_is_due(&run);
    if (status.code == DT_OK && is_finished(&run) && !due) {
        status = finished_already(&run);
    } else if (status.code == DT_OK) {
        bool needs_start = recipe->train.not_finite == DT_NOT_FINITE_ROLLBACK && run.checkpoint_step < 0;
        status = dt_run_rehearse(&run);
        if (status.code == DT_OK && needs_start) status = dt_run_publish(&run);
        if (status.code == DT_OK) status = train_loop(&run, due, outcome);
    }
    dt_status profile = status.code == DT_OK ? dt_profile_finish(&run) : dt_ok();
    if (status.code == DT_OK) dt_progress_last_line(&run, *outcome, dt_state_digest(dt_run_state(&run)));
    if (status.code == DT_OK) status = profile;
    dt_run_close(&run);
    return status;
}
