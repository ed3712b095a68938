/* The state of a run: where it lives in memory, how it starts, how it is saved.
 * Opening is a list of collective steps; each that can fail on one rank alone is agreed on before the next begins. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "base/trace.h"
#include "run_internal.h"

/* ---- start ---------------------------------------------------------------------------------------------------------
 */

/* Collective. Test data that are not there are asked for by default: then the message says how to do without. */
static dt_status open_test(dt_run *run, const dt_source_request *request) {
    char missing[DT_TEXT_MAX + 32], field[32];
    snprintf(missing, sizeof missing, ": there is no %s", dt_source_dataset(request->data, true));
    dt_status status = dt_source_open(&run->test, run->comm, request);
    if (status.code != DT_ERR_INPUT || !strstr(status.message, missing)) return status;
    dt_source_field(request->data, true, field);
    return dt_fail(status.code, "%s (data.%s: \"\" trains without test data)", status.message, field);
}

static dt_status open_data(dt_run *run) {
    const dt_recipe_data *data = &run->recipe->data;
    DT_TRY(dt_source_vocabulary(&run->vocabulary, run->comm, data->file, data));
    dt_source_request request = {.file = data->file,
                                 .data = data,
                                 .loss = (dt_loss)run->recipe->loss.kind,
                                 .vocabulary = run->vocabulary.size,
                                 .streams = run->recipe->train.batch};
    DT_TRY(dt_source_open(&run->train, run->comm, &request));
    run->has_test = dt_recipe_has_test(data);
    if (!run->has_test) return dt_ok();
    request.test = request.in_order = true;
    DT_TRY(open_test(run, &request));
    char train[96], test[96];
    dt_shape_text(&run->train.about.input, train);
    dt_shape_text(&run->test.about.input, test);
    if (strcmp(train, test) != 0)
        return dt_fail(DT_ERR_INPUT, "%s: samples of %s are %s but those of %s are %s", data->file, run->train.x_name,
                       train, run->test.x_name, test);
    return dt_run_check_targets(run);
}

/* Collective. What the data is, for checkpoints. */
static dt_status identify_data(dt_run *run) {
    const char *file = run->recipe->data.file;
    DT_TRY(dt_identity_of(&run->identity, run->comm, file, &run->train, run->has_test ? &run->test : NULL));
    dt_identity_text(&run->identity, run->data);
    return dt_ok();
}

/* That what checkpoint.best says can be measured. */
static dt_status check_measure(const dt_run *run) {
    const dt_recipe *recipe = run->recipe;
    if (recipe->checkpoint.best != DT_BEST_TEST_ACCURACY || dt_has_accuracy(&run->train, (dt_loss)recipe->loss.kind))
        return dt_ok();
    return dt_fail(DT_ERR_INPUT,
                   "checkpoint.best is test_accuracy, but mean_squared_error of values has none; use test_loss");
}

/* A new run is refused a batch whose pieces are too small for its layers; one that goes on is told. */
static dt_status create_model(dt_run *run, bool goes_on) {
    const dt_recipe *recipe = run->recipe;
    dt_pieces pieces;
    dt_pieces_describe(recipe, run->shards, run->train.samples, &pieces);
    dt_model_spec spec = dt_model_spec_of(&run->train, recipe, run->rows_at_once, true);
    spec.memory = run->memory;
    spec.least_rows = pieces.least;
    spec.least_where = pieces.where;
    spec.least_remedy = pieces.remedy;
    dt_status status = dt_model_create(&run->model, recipe->layers, &recipe->loss, &spec, run->kernels);
    if (status.code == DT_OK || !goes_on) return status;
    spec.least_rows = 0;
    DT_TRY(dt_model_create(&run->model, recipe->layers, &recipe->loss, &spec, run->kernels));
    if (dt_comm_rank(run->comm) == 0) dt_log_warn("%s", status.message);
    return dt_ok();
}

static dt_status plan_model(dt_run *run, bool goes_on) {
    const dt_recipe *recipe = run->recipe;
    run->rows_at_once = dt_rows_at_once(recipe, run->shards, run->train.samples);
    DT_TRY(create_model(run, goes_on));
    run->table = dt_model_table(run->model);
    DT_TRY(dt_run_settle_targets(run));
    DT_TRY(check_measure(run));
    run->rule = dt_rule_of(&recipe->optimizer);
    run->rule->slots(&recipe->optimizer, run->slot_names);
    DT_TRY(dt_run_check_memory(run));
    return dt_batch_create(&run->batch, &run->index, &run->train, run->rows_at_once);
}

/* Collective. What the ranks of a node have in common: weights, moments, and the gradient on its way. */
static dt_status open_node(dt_run *run, int64_t most) {
    size_t total = run->table->total, blocks = (total + DT_TABLE_BLOCK - 1) / DT_TABLE_BLOCK;
    int64_t ranks = dt_comm_size(run->comm);
    DT_TRY(dt_node_open(&run->node, run->comm, most));
    dt_status status;
    run->weights = dt_node_alloc(run->node, total, sizeof *run->weights, &status);
    if (status.code == DT_OK && run->recipe->compute.precision == DT_PRECISION_BF16)
        run->weights16 = dt_node_alloc(run->node, total, sizeof *run->weights16, &status);
    for (int i = 0; run->slot_names[i] && status.code == DT_OK; i++)
        run->slots[i] = dt_node_alloc(run->node, total, sizeof *run->slots[i], &status);
    if (status.code == DT_OK) run->squares = dt_node_alloc(run->node, blocks, sizeof *run->squares, &status);
    DT_TRY(status);
    DT_TRY(dt_recurrent_state_open(run));
    return dt_reduce_create(&run->reducer, run->node, run->kernels, run->table, run->shards,
                            (run->shards + ranks - 1) / ranks, (dt_wire)run->recipe->reduce.wire);
}

static dt_status plan_node(dt_run *run) {
    const dt_recipe_reduce *reduce = &run->recipe->reduce;
    int64_t shares = reduce->path == DT_PATH_AUTO && reduce->node_ranks != 1 && dt_comm_node_size(run->comm) > 1;
    DT_TRY(dt_comm_sum_i64(run->comm, &shares, 1)); /* of any machine: all ranks try again, or none */
    dt_status status = open_node(run, reduce->path == DT_PATH_FLAT ? 1 : reduce->node_ranks);
    if (status.code != DT_OK && shares > 0) {
        dt_recurrent_state_close(run);
        dt_node_close(run->node);
        DT_TRY(open_node(run, 1));
        if (dt_comm_rank(run->comm) == 0) dt_log_warn("%s; going on with reduce.path=flat", status.message);
        status = dt_ok();
    }
    DT_TRY(status);
    if (dt_node_rank(run->node) == 0) dt_model_init(run->model, run->weights, (uint64_t)run->recipe->seed);
    dt_node_meet(run->node);
    return dt_ok();
}

/* The recipe with every field written out. */
static dt_status resolve_recipe(dt_run *run) {
    dt_yaml *layers;
    DT_TRY(dt_model_resolved(run->model, &layers));
    run->recipe->train.shards = run->shards;
    dt_status status = dt_recipe_emit(run->recipe, layers, &run->resolved);
    dt_yaml_destroy(layers);
    return status;
}

/* The bytes of the running program, so that ranks can tell whether they run the same one. */
static uint64_t program_hash(void) {
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (file < 0) return 0;
    uint64_t hash = 0;
    if (fstat(file, &info) == 0 && info.st_size > 0) {
        void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, file, 0);
        if (bytes != MAP_FAILED) {
            hash = XXH3_64bits(bytes, (size_t)info.st_size);
            munmap(bytes, (size_t)info.st_size);
        }
    }
    close(file);
    return hash;
}

/* Collective. Fails on every rank when one differs from rank 0 in `value`. */
static dt_status check_alike(dt_run *run, uint64_t value, const char *what, const char *advice) {
    int ranks = dt_comm_size(run->comm);
    uint64_t *all = dt_alloc((size_t)ranks, sizeof *all);
    DT_TRY(dt_comm_agree(run->comm, all ? dt_ok() : dt_fail_memory("hashes of the ranks", (size_t)ranks * 8)));
    dt_status status = dt_comm_gather_u64(run->comm, value, all);
    for (int i = 1; i < ranks && status.code == DT_OK; i++)
        if (all[i] != all[0]) status = dt_fail(DT_ERR_INPUT, "rank %d has another %s than rank 0; %s", i, what, advice);
    dt_free(all);
    return status;
}

/* Collective. Before anything is done that follows from the recipe: ranks with different ones would not meet in the
 * same collective calls. */
static dt_status check_ranks_alike(dt_run *run) {
    DT_TRY(check_alike(run, program_hash(), "dtrain program", "install the same one on every machine"));
    char *recipe = NULL;
    DT_TRY(dt_comm_agree(run->comm, dt_recipe_emit(run->recipe, NULL, &recipe)));
    const char *directory = run->options->run ? run->options->run : "";
    uint64_t hash = XXH3_64bits_withSeed(recipe, strlen(recipe), XXH3_64bits(directory, strlen(directory)));
    dt_free(recipe);
    return check_alike(run, hash, "recipe or run directory", "give every rank the same file and options");
}

/* Collective. The instruction set is the recipe's, or that of the checkpoint the run goes on from. */
static dt_status open_compute(dt_run *run, const dt_start *start) {
    const dt_recipe_compute *compute = &run->recipe->compute;
    dt_isa isa, best = dt_kernels_for(DT_ISA_AUTO)->isa;
    bool named = dt_recipe_allows(run->options->allowed, "compute.isa");
    dt_status status = dt_isa_resume((dt_isa)compute->isa, (dt_isa)start->isa, named, best, &isa);
    status = dt_status_within(status, "%s", start->path);
    if (status.code == DT_OK) status = dt_compute_open(&run->kernels, isa, (int)compute->threads);
    DT_TRY(dt_comm_agree(run->comm, status));
    DT_TRY(check_alike(run, (uint64_t)run->kernels->isa, "instruction set",
                       "set compute.isa to one that all machines have (avx2, or baseline)"));
    if (dt_comm_rank(run->comm) == 0 && compute->isa == DT_ISA_AUTO && isa != DT_ISA_AUTO && isa != best)
        dt_log_info("going on with compute.isa %s, as the run began; here auto is %s", dt_isa_name(isa),
                    dt_isa_name(best));
    return dt_precision_settle(run->comm, run->recipe, &run->lacks_bf16);
}

static void describe_state(dt_run *run) {
    run->sections[0] = (dt_section){.group = "/weights", .table = run->table, .data = run->weights};
    int count = 1;
    for (int i = 0; run->slot_names[i]; i++, count++) {
        snprintf(run->slot_groups[i], sizeof run->slot_groups[i], "/optimizer/%s", run->slot_names[i]);
        run->sections[count] = (dt_section){.group = run->slot_groups[i], .table = run->table, .data = run->slots[i]};
    }
    run->extras[0] = (dt_extra){"epoch_tally", DT_I64, DT_TALLY_DIGESTED, &run->epoch_tally};
    run->extras[1] = (dt_extra){"last_tally", DT_I64, DT_TALLY_DIGESTED, &run->last_tally};
    run->beside[DT_BESIDE_EPOCH_SUMS].array =
        (dt_extra){"epoch_sums", DT_I64, 2 * DT_SUM_LIMBS, (int64_t *)&run->epoch_tally + DT_TALLY_DIGESTED};
    run->beside[DT_BESIDE_LAST_SUMS].array =
        (dt_extra){"last_sums", DT_I64, 2 * DT_SUM_LIMBS, (int64_t *)&run->last_tally + DT_TALLY_DIGESTED};
    run->beside[DT_BESIDES].array = (dt_extra){"class_names", DT_U8, run->class_names_bytes, run->class_names};
    run->beside[DT_BESIDE_BEST_VALUE].array = (dt_extra){"best_value", DT_F64, 1, &run->best_value};
    int32_t *exponents;
    int64_t words;
    dt_reduce_state(run->reducer, &exponents, &words);
    run->extras[2] = (dt_extra){"best", DT_F64, sizeof run->best / sizeof(double), &run->best};
    run->extras[3] = (dt_extra){"skips", DT_I64, sizeof run->skips / sizeof(int64_t), &run->skips};
    int extras = 4;
    if (words > 0) run->extras[extras++] = (dt_extra){"wire_exponents", DT_I32, words, exponents};
    extras += dt_vocabulary_extras(&run->vocabulary, run->extras + extras);
    extras += dt_classes_extras(&run->classes, run->extras + extras);
    extras += dt_scaling_extras(&run->recipe->data, &run->scaling, run->extras + extras);
    extras += dt_recurrent_state_extras(run, run->extras + extras);
    run->state = (dt_state){.seed = run->recipe->seed,
                            .shards = run->shards,
                            .recipe = run->resolved,
                            .data = run->data,
                            .isa = dt_isa_name(run->kernels->isa),
                            .sections = run->sections,
                            .section_count = count,
                            .extras = run->extras,
                            .extra_count = extras,
                            .beside = run->beside,
                            .beside_count = DT_BESIDES + (run->class_names != NULL),
                            .may_commit = run->lock ? dt_run_may_commit : NULL,
                            .commit_context = run->lock};
}

const dt_state *dt_run_state(dt_run *run) {
    run->state.position = run->position;
    return &run->state;
}

/* ---- opening -------------------------------------------------------------------------------------------------------
 */

static dt_status settle_shards(dt_run *run, int64_t stored) {
    int64_t ranks = dt_comm_size(run->comm), wanted = run->recipe->train.shards;
    run->shards = wanted > 0 ? wanted : stored > 0 ? stored : ranks;
    if (ranks > run->shards)
        return dt_fail(DT_ERR_INPUT,
                       "%lld ranks cannot share %lld shards: start at most %lld ranks, or a new run with "
                       "train.shards=%lld",
                       (long long)ranks, (long long)run->shards, (long long)run->shards, (long long)ranks);
    return dt_ok();
}

static dt_status open_records(dt_run *run) {
    char path[4096];
    DT_TRY(dt_rundir_mark(run->lock));
    DT_TRY(dt_path_join(path, run->directory, "recipe.yaml"));
    DT_TRY(dt_write_text_file(path, run->resolved));
    return dt_metrics_open(&run->metrics, run->directory, dt_run_series, 2, run->position.step);
}

static dt_status open_run(dt_run *run) {
    bool first = dt_comm_rank(run->comm) == 0;
    run->watchdog = dt_comm_watchdog(run->comm);
    dt_watchdog_limit(run->watchdog, run->recipe->train.timeout);
    DT_TRY(dt_profile_open(run));
    DT_TRY(check_ranks_alike(run));
    DT_TRY(dt_comm_agree(run->comm, dt_isa_check((dt_isa)run->recipe->compute.isa)));
    DT_TRY(open_data(run));
    DT_TRY(identify_data(run));
    DT_TRY(dt_comm_agree(run->comm, dt_stop_status()));
    DT_TRY(dt_run_hold(run));
    DT_TRY(dt_comm_agree(run->comm, dt_scaling_open(&run->scaling, &run->train, &run->recipe->data)));
    dt_start start;
    DT_TRY(dt_resume_choose(run, &start));
    DT_TRY(open_compute(run, &start));
    if (!start.path[0] && run->recipe->data.normalize == DT_NORMALIZE_COMPUTED)
        DT_TRY(dt_scaling_compute(&run->scaling, run->comm, &run->train, &run->recipe->data));
    DT_TRY(settle_shards(run, start.shards));
    run->resumes = start.path[0] != '\0';
    if (run->resumes) DT_TRY(dt_classes_open(&run->classes, run->comm, start.path));
    DT_TRY(dt_memory_of_rank(run->comm, &run->memory));
    DT_TRY(dt_comm_agree(run->comm, plan_model(run, run->resumes)));
    dt_run_tell_targets(run);
    DT_TRY(dt_comm_agree(run->comm, resolve_recipe(run)));
    DT_TRY(plan_node(run));
    describe_state(run);
    dt_course_plan(run);
    if (start.path[0]) {
        DT_TRY(dt_resume_load(run, start.path));
        dt_scaling_settle(&run->scaling);
        run->checkpoint_step = run->position.step;
        dt_log_info("going on from %s (step %lld, epoch %lld)", start.path, (long long)run->position.step,
                    (long long)run->position.epoch);
    }
    if (run->lacks_bf16) dt_precision_warn(run->comm, run->recipe);
    dt_run_round_weights(run);
    run->first_step = run->position.step;
    DT_TRY(dt_comm_agree(run->comm, first ? open_records(run) : dt_ok()));
    return dt_comm_agree(run->comm, dt_stop_status());
}

dt_status dt_run_open(dt_run *run, dt_comm *comm, dt_recipe *recipe, const dt_train_options *options) {
    memset(run, 0, sizeof *run);
    run->comm = comm;
    run->ranks = dt_ranks_of(comm);
    run->recipe = recipe;
    run->options = options;
    run->started = dt_clock_now();
    run->checkpoint_step = -1;
    run->ended = "signal"; /* unless the loop is left for another reason */
    dt_status status = open_run(run);
    run->checkpoint_clock = run->evaluate_clock = dt_clock_now();
    return status;
}

void dt_run_close(dt_run *run) {
    dt_progress_lost(run);
    dt_status status = dt_metrics_close(run->metrics);
    if (status.code != DT_OK && run->rows_lost == 0) dt_log_warn("%s", status.message);
    dt_reduce_destroy(run->reducer);
    dt_recurrent_state_close(run);
    dt_batch_destroy(&run->batch, run->index);
    dt_node_close(run->node);
    dt_model_destroy(run->model);
    dt_source_close(&run->train);
    dt_source_close(&run->test);
    dt_vocabulary_finish(&run->vocabulary);
    dt_classes_finish(&run->classes);
    dt_free(run->class_names);
    dt_scaling_close(&run->scaling);
    dt_free(run->resolved);
    dt_rundir_close(run->lock);
    dt_profile_close(run);
    dt_trace_close();
    memset(run, 0, sizeof *run);
}

/* ---- saving --------------------------------------------------------------------------------------------------------
 */

dt_status dt_run_gather_tally(dt_run *run) {
    dt_tally all = run->local_tally;
    DT_TRY(dt_tally_gather(&run->ranks, &all));
    dt_tally_add(&run->epoch_tally, &all);
    memset(&run->local_tally, 0, sizeof run->local_tally);
    return dt_ok();
}

static dt_status prune(const dt_run *run) {
    const dt_recipe_checkpoint *rule = &run->recipe->checkpoint;
    int64_t best = run->best.step > 0 ? (int64_t)run->best.step : -1;
    return dt_checkpoint_prune(run->checkpoints, rule->keep, rule->keep_every, best);
}

/* Of this rank's replica: in another node they may be whole. */
static dt_status check_weights(const dt_run *run) {
    if (isfinite(run->kernels->sum_squares(run->weights, (int64_t)run->table->total))) return dt_ok();
    return dt_fail(DT_ERR_DIVERGED, "step %lld: the weights are no longer numbers; no checkpoint is made of them",
                   (long long)run->position.step);
}

dt_status dt_run_rehearse(dt_run *run) {
    dt_watchdog_note(run->watchdog, DT_ACTIVITY_STORAGE, run->position.step);
    dt_status status = dt_checkpoint_rehearse(run->comm, run->checkpoints, dt_run_state(run));
    dt_watchdog_note(run->watchdog, DT_ACTIVITY_COMPUTE, run->position.step);
    return dt_status_within(status, "training does not begin, for no checkpoint could be written");
}

dt_status dt_run_publish(dt_run *run) {
    DT_TRY(dt_run_gather_tally(run));
    DT_TRY(dt_recurrent_state_gather(run));
    if (run->checkpoint_step == run->position.step && !run->checkpoint_behind) return dt_ok();
    DT_TRY(dt_comm_agree(run->comm, check_weights(run)));
    DT_TRY(dt_run_check_hold(run));
    double mark = dt_clock_now();
    dt_watchdog_note(run->watchdog, DT_ACTIVITY_STORAGE, run->position.step);
    dt_status status = dt_checkpoint_publish(run->comm, run->checkpoints, dt_run_state(run), NULL, NULL);
    if (status.code != DT_OK) DT_TRY(dt_run_check_hold(run)); /* whoever took the directory over clears it up */
    DT_TRY(status);
    dt_watchdog_note(run->watchdog, DT_ACTIVITY_COMPUTE, run->position.step);
    dt_run_spend(run, DT_PHASE_CHECKPOINT, &mark);
    run->checkpoint_step = run->position.step;
    run->checkpoint_behind = false;
    run->checkpoint_clock = mark;
    bool first = dt_comm_rank(run->comm) == 0;
    return dt_comm_agree(run->comm, first ? prune(run) : dt_ok());
}
