/* The train command's work: a run from its start to its last line. */
#include "run/train.h"

#include <stdio.h>

#include "base/log.h"
#include "evaluate.h"
#include "notes.h"
#include "rounds.h"
#include "show.h"

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* A run whose recipe is fulfilled is evaluated again rather than remembered: the checkpoint is the truth. */
static dt_status finished_already(dt_run *run) {
    const dt_recipe_train *train = &run->session.recipe->train;
    dt_ledger *ledger = &run->ledger;
    int64_t steps = ledger->position.step - ledger->position.origin;
    char more[128];
    if (run->privacy.limits)
        snprintf(more, sizeof more, "its privacy budget is spent: another step is above privacy.max_epsilon, %g",
                 run->privacy.recipe->max_epsilon);
    else if (run->rounds && !dt_run_is_out_of_patience(run))
        snprintf(more, sizeof more, "for more, raise sites.rounds, now %lld (--set sites.rounds=%lld)",
                 (long long)run->course.total_steps, (long long)(2 * run->course.total_steps));
    else if (dt_run_is_out_of_patience(run))
        snprintf(more, sizeof more, "%.0f evaluations without a better one; for more, raise train.patience (now %lld)",
                 ledger->best.since, (long long)train->patience);
    else if (train->steps > 0)
        snprintf(more, sizeof more, "for more, raise train.steps, now %lld (--set train.steps=%lld)",
                 (long long)train->steps, (long long)(2 * larger(train->steps, steps)));
    else
        snprintf(more, sizeof more, "for more, raise train.epochs, now %lld (--set train.epochs=%lld)",
                 (long long)train->epochs, (long long)(2 * larger(train->epochs, ledger->position.epoch)));
    dt_log_info("%s is finished: %lld steps, %lld epochs; %s", run->session.directory, (long long)ledger->position.step,
                (long long)ledger->position.epoch, more);
    run->ended = dt_run_reason(run, false, false);
    return run->data.has_test ? dt_evaluate_test(&run->session, &run->data, &run->trainee, ledger, NULL) : dt_ok();
}

/* Nothing is trained that could not be kept. */
static dt_status train(dt_run *run, bool owes, dt_outcome *outcome) {
    bool needs_start =
        run->session.recipe->train.not_finite == DT_NOT_FINITE_ROLLBACK && run->snapshot.step < 0; /* to go back to */
    DT_TRY(dt_snapshot_rehearse(&run->snapshot, &run->session, &run->ledger));
    size_t memory;
    DT_TRY(dt_memory_of_rank(run->session.comm, &memory));
    DT_TRY(dt_snapshot_fit_publisher(&run->snapshot, &run->session, &run->ledger, memory));
    if (run->trainee.crosscheck && run->session.ranks.size == 1)
        dt_log_info(
            "train.audit on one rank computes its own gradients twice: that finds what goes wrong once, and not a "
            "processor that always computes alike wrongly");
    DT_TRY(dt_notes_begin(run));
    if (needs_start) DT_TRY(dt_run_publish(run));
    return dt_run_loop(run, owes, outcome);
}

static dt_memory_beside what_is_beside(const dt_run *run) {
    dt_memory_beside beside = {.copy = dt_snapshot_memory(&run->snapshot)};
    if (run->rounds) dt_rounds_memory(run, &beside.rounds, &beside.rounds_own);
    return beside;
}

dt_status dt_train_run(dt_comm *comm, dt_recipe *recipe, const dt_train_options *options, dt_outcome *outcome) {
    *outcome = DT_OUTCOME_DONE;
    dt_run run;
    dt_status status = dt_run_open(&run, comm, recipe, options);
    bool owes = status.code == DT_OK && dt_run_owes_evaluation(&run);
    if (status.code == DT_OK)
        status = dt_run_is_finished(&run) && !owes ? finished_already(&run) : train(&run, owes, outcome);
    if (status.code == DT_OK) {
        int64_t steps = run.ledger.position.step - run.course.first_step;
        const dt_trainee *trainee = run.rounds ? &run.rounds->trainee : &run.trainee;
        const dt_memory_beside beside = what_is_beside(&run);
        status = dt_profile_finish(&run.profile, &run.session, &run.clock, trainee, &run.data.train, steps, &beside);
        char digest[17];
        const uint64_t state = dt_state_digest(dt_snapshot_state(&run.snapshot, &run.ledger));
        dt_digest_text(state, digest);
        if (run.session.first && *outcome == DT_OUTCOME_DONE) dt_tables_write(&run, state);
        dt_progress_last_line(&run.progress, *outcome, run.ended, digest);
        if (run.notes.journal) dt_note_end(&run, *outcome, digest);
    }
    if (status.code != DT_OK && run.notes.journal) dt_note_failure(&run, &status);
    if (run.notes.journal) dt_run_show_last(&run);
    dt_run_close(&run);
    return status;
}
