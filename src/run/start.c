/* How a run starts: a list of collective steps, each of which can use what those before it settled. What can fail on
 * one rank alone is agreed on before the next begins. */
#include <string.h>

#include "alike.h"
#include "arithmetic.h"
#include "base/file.h"
#include "base/log.h"
#include "base/stop.h"
#include "nodes.h"
#include "notes.h"
#include "resume.h"
#include "rounds.h"

static dt_status settle_shards(dt_course *course, const dt_session *session, int64_t stored) {
    int64_t ranks = session->ranks.size, wanted = session->recipe->train.shards;
    if (dt_recipe_sites_of(session->recipe) > 0)
        return dt_rounds_settle_shards(session->recipe, ranks, stored, &course->shards);
    course->shards = wanted > 0 ? wanted : stored > 0 ? stored : ranks;
    if (ranks > course->shards)
        return dt_fail(DT_ERR_INPUT,
                       "%lld ranks cannot share %lld shards: start at most %lld ranks, or a new run with "
                       "train.shards=%lld",
                       (long long)ranks, (long long)course->shards, (long long)course->shards, (long long)ranks);
    return dt_ok();
}

/* Ranks and data, in the order in which messages make sense. */
static dt_status open_surroundings(dt_run *run) {
    dt_session *session = &run->session;
    DT_TRY(dt_limit_open(&run->limit, session, &run->clock));
    DT_TRY(dt_profile_open(&run->profile, session, &run->clock));
    DT_TRY(dt_check_ranks_alike(session));
    DT_TRY(dt_session_agree(session, dt_isa_check((dt_isa)session->recipe->compute.isa)));
    DT_TRY(dt_run_data_open(&run->data, session));
    return dt_session_agree(session, dt_stop_status());
}

/* What follows from the checkpoint to go on from, if there is one: scaling, shards, classes. */
static dt_status settle_start(dt_run *run, dt_start *start) {
    dt_session *session = &run->session;
    dt_run_data *data = &run->data;
    const dt_recipe_data *wanted = &session->recipe->data;
    DT_TRY(dt_session_agree(session, dt_scales_open(&data->scales, &data->train, wanted)));
    DT_TRY(dt_resume_choose(session, start));
    DT_TRY(dt_arithmetic_open(session, &run->trainee.kernels));
    bool goes_on = start->path[0] != '\0';
    DT_TRY(dt_privacy_open(&run->privacy, session, data, goes_on));
    if (dt_privacy_is_of_steps(&run->privacy)) run->trainee.privacy = &run->privacy;
    if (!goes_on) DT_TRY(dt_scales_compute(&data->scales, &session->ranks, &data->train, wanted));
    DT_TRY(settle_shards(&run->course, session, start->shards));
    dt_course_plan(&run->course, session->recipe, &data->train, &run->ledger.position);
    DT_TRY(dt_privacy_plan(&run->privacy, session, &run->course, data->train.samples));
    return goes_on ? dt_classes_open(&data->classes, &session->ranks, start->path) : dt_ok();
}

static dt_status take_shared(void *context) {
    dt_run *run = context;
    return dt_trainee_share(&run->trainee, &run->session, &run->course);
}

static void give_back_shared(void *context) {
    dt_run *run = context;
    dt_trainee_unshare(&run->trainee);
}

static dt_status plan_trainee(dt_run *run, bool goes_on) {
    dt_session *session = &run->session;
    dt_trainee *trainee = &run->trainee;
    dt_trainee_plan plan = {.goes_on = goes_on};
    DT_TRY(dt_memory_of_rank(session->comm, &plan.memory));
    DT_TRY(dt_session_agree(session, dt_trainee_plan_model(trainee, session, &run->data, &run->course, &plan)));
    if (session->first) dt_run_data_tell_targets(&run->data);
    dt_status resolved = dt_snapshot_resolve(&run->snapshot, session->recipe, trainee->model, run->course.shards);
    if (resolved.code == DT_OK)
        resolved = dt_privacy_settle(&run->privacy, session, &run->data, trainee->model, &run->course);
    DT_TRY(dt_session_agree(session, resolved));
    bool rounds = dt_recipe_sites_of(session->recipe) > 0;
    DT_TRY(rounds ? dt_rounds_open(run)
                  : dt_nodes_open(&session->node, session->comm, &session->recipe->reduce, take_shared,
                                  give_back_shared, run));
    dt_snapshot_describe(&run->snapshot, session, &run->data, trainee, &run->ledger, &run->privacy, run->course.shards,
                         rounds);
    if (rounds) dt_rounds_describe(run->rounds, &run->snapshot);
    DT_TRY(dt_replicas_open(&run->replicas, session, &run->snapshot.state));
    return dt_chain_open(&run->chain, session, &run->snapshot.state);
}

static dt_status go_on(dt_run *run, const char *path) {
    const dt_position *at = &run->ledger.position;
    DT_TRY(dt_run_load(run, path));
    dt_log_info("going on from %s (step %lld, epoch %lld)", path, (long long)at->step, (long long)at->epoch);
    return dt_ok();
}

/* Rank 0. */
static dt_status open_records(dt_run *run) {
    const dt_session *session = &run->session;
    char path[4096];
    DT_TRY(dt_rundir_mark(session->lock));
    DT_TRY(dt_path_join(path, session->directory, "recipe.yaml"));
    DT_TRY(dt_write_text_file(path, run->snapshot.recipe));
    DT_TRY(dt_records_open(&run->progress.records, session->directory, run->data.judge,
                           session->recipe->metrics.tensorboard, run->rounds != NULL, run->ledger.position.step));
    run->progress.before = dt_records_seconds(&run->progress.records);
    return dt_ok();
}

static dt_status open_run(dt_run *run) {
    dt_session *session = &run->session;
    dt_start start;
    dt_snapshot_open_publisher(&run->snapshot, session);
    DT_TRY(open_surroundings(run));
    DT_TRY(dt_session_hold(session));
    DT_TRY(settle_start(run, &start));
    DT_TRY(plan_trainee(run, start.path[0] != '\0'));
    if (start.path[0]) DT_TRY(go_on(run, start.path));
    if (run->rounds) DT_TRY(dt_rounds_catch_up(run));
    DT_TRY(run->rounds ? dt_rounds_bound(run) : dt_privacy_bound(&run->privacy, &run->course, &run->ledger.position));
    dt_privacy_warn(session, &run->data);
    dt_trainee_round_weights(&run->trainee);
    run->course.first_step = run->evaluated = run->ledger.position.step;
    DT_TRY(dt_session_agree(session, session->first ? open_records(run) : dt_ok()));
    return dt_session_agree(session, dt_stop_status());
}

static double checkpoint_bytes(const dt_trainee *trainee) {
    return (double)(trainee->table->total * sizeof(dt_real)) + (double)dt_optimizer_bytes(&trainee->optimizer);
}

static void begin(dt_run *run, dt_comm *comm, dt_recipe *recipe, const dt_train_options *options) {
    memset(run, 0, sizeof *run);
    dt_run_clock_begin(&run->clock);
    dt_session_begin(&run->session, comm, recipe, options);
    dt_progress_begin(&run->progress, &run->session, &run->data, &run->course, &run->ledger, &run->clock,
                      &run->privacy);
    run->snapshot.step = -1;
    run->ended = "signal"; /* unless the loop is left for another reason */
}

dt_status dt_run_open(dt_run *run, dt_comm *comm, dt_recipe *recipe, const dt_train_options *options) {
    begin(run, comm, recipe, options);
    dt_status status = open_run(run);
    dt_run_clock_mark(&run->clock);
    run->clock.checkpointed = run->clock.evaluated = run->clock.mark;
    if (status.code == DT_OK) dt_limit_expect(&run->limit, checkpoint_bytes(&run->trainee), &run->clock);
    return status;
}

dt_status dt_run_open_again(dt_run *run, dt_comm *comm, dt_recipe *recipe, const dt_train_options *options) {
    dt_start start;
    begin(run, comm, recipe, options);
    recipe->train.stop_after = (dt_span){0, DT_SPAN_NEVER};
    recipe->train.chain = 1; /* memory for digests */
    recipe->train.audit = 0;
    DT_TRY(open_surroundings(run));
    DT_TRY(settle_start(run, &start));
    DT_TRY(plan_trainee(run, true));
    dt_trainee_round_weights(&run->trainee);
    recipe->train.not_finite =
        recipe->train.not_finite == DT_NOT_FINITE_ROLLBACK ? DT_NOT_FINITE_STOP : recipe->train.not_finite;
    return dt_session_agree(&run->session, dt_stop_status());
}

void dt_run_close(dt_run *run) {
    dt_notes_close(run);
    dt_tables_close(&run->tables);
    dt_limit_close(&run->limit);
    dt_records_close(&run->progress.records);
    dt_rounds_close(run->rounds);
    dt_trainee_close(&run->trainee);
    dt_privacy_close(&run->privacy);
    dt_run_data_close(&run->data);
    dt_snapshot_close(&run->snapshot);
    dt_session_close(&run->session);
    dt_profile_close(&run->profile);
}
