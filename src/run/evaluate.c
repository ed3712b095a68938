/* Evaluation of a split, and the eval command's work. The split is cut into pieces of a fixed size, dealt to the ranks
 * in turn, and the results are integers: the figures do not depend on the number of ranks. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "run_internal.h"

/* Samples of streams come in the order of a stream, all streams of a batch in step; a rank that has some of the streams
 * has all of their samples. Other samples are streams of one. odd_from: where the first batch begins
 * that has a sample whose loss is not finite; -1: there is none. */
static void evaluate_stream(const dt_evaluator *e, dt_rows_state *rows_state, dt_batch *batch, int64_t *index,
                            int64_t at, int64_t rows, dt_tally *tally, int64_t *odd_from) {
    const dt_split *split = e->split;
    int64_t streams = split->text.streams > 0 ? split->text.streams : split->samples;
    batch->first = (uint64_t)at;
    for (int64_t ahead = 0; ahead < split->samples; ahead += streams) {
        for (int64_t i = 0; i < rows; i++) index[i] = ahead + at + i;
        dt_split_gather(split, e->kernels, e->scaling, NULL, index, rows, batch);
        dt_pass pass = {.weights = e->weights, .weights16 = e->weights16};
        dt_rows_state_pass(rows_state, &pass, batch->fresh);
        int64_t before = tally->not_finite;
        dt_model_evaluate(e->model, pass, batch, tally);
        if (tally->not_finite > before && (*odd_from < 0 || ahead + at < *odd_from)) *odd_from = ahead + at;
    }
}

/* What is wrong with the first sample of a batch that has one. */
static void name_cause(const dt_evaluator *e, dt_rows_state *rows_state, dt_batch *batch, int64_t from, dt_odd *odd) {
    int64_t left = e->split->samples - from, rows = left < e->rows_at_once ? left : e->rows_at_once;
    bool tokens = e->split->text.context > 0 && !e->split->text.rows;
    dt_suspect suspect = {.split = e->split,
                          .samples = odd->samples,
                          .targets = odd->targets,
                          .model = e->model,
                          .kernels = e->kernels,
                          .batch = batch};
    for (int64_t row = from; row < from + rows; row++) {
        batch->first = (uint64_t)row;
        dt_split_gather(e->split, e->kernels, e->scaling, NULL, &row, 1, batch);
        dt_pass pass = {.weights = e->weights, .weights16 = e->weights16};
        dt_rows_state_pass(rows_state, &pass, true);
        suspect.row = tokens ? dt_text_start(e->split, NULL, row) : row;
        if (dt_find_cause(&suspect, &pass, odd->cause, sizeof odd->cause)) return;
    }
    snprintf(odd->cause, sizeof odd->cause, "the first is in samples %lld to %lld, where no value before it overflows",
             (long long)from, (long long)(from + rows - 1));
}

/* Collective. odd->cause of the rank whose batch is the first of all becomes everybody's. */
static dt_status share_cause(const dt_evaluator *e, dt_rows_state *rows_state, dt_batch *batch, int64_t from,
                             dt_odd *odd) {
    int ranks = dt_comm_size(e->comm), first = 0;
    uint64_t *all = dt_alloc((size_t)ranks, sizeof *all);
    DT_TRY(dt_comm_agree(e->comm, all ? dt_ok() : dt_fail_memory("the ranks' batches", (size_t)ranks * 8)));
    dt_status status = dt_comm_gather_u64(e->comm, (uint64_t)from, all); /* none: -1, the largest */
    for (int i = 1; i < ranks; i++)
        if (all[i] < all[first]) first = i;
    dt_free(all);
    DT_TRY(status);
    if (dt_comm_rank(e->comm) == first) name_cause(e, rows_state, batch, from, odd);
    return dt_comm_broadcast(e->comm, odd->cause, sizeof odd->cause, first);
}

dt_status dt_evaluate_split(const dt_evaluator *e, dt_tally *tally, dt_odd *odd) {
    dt_batch batch;
    int64_t *index, odd_from = -1;
    dt_rows_state rows_state = {{NULL, NULL}};
    dt_status status = dt_batch_create(&batch, &index, e->split, e->rows_at_once);
    if (status.code == DT_OK && e->split->text.streams > 0)
        status = dt_rows_state_create(&rows_state, e->model, e->rows_at_once);
    status = dt_comm_agree(e->comm, status);
    memset(tally, 0, sizeof *tally);
    int64_t streams = e->split->text.streams > 0 ? e->split->text.streams : e->split->samples;
    int64_t stride = e->rows_at_once * dt_comm_size(e->comm);
    for (int64_t at = e->rows_at_once * dt_comm_rank(e->comm); status.code == DT_OK && at < streams; at += stride) {
        int64_t rows = streams - at < e->rows_at_once ? streams - at : e->rows_at_once;
        assert(index);
        evaluate_stream(e, &rows_state, &batch, index, at, rows, tally, &odd_from);
        if (dt_compute_failed() || dt_stop_requested) break;
    }
    if (status.code == DT_OK) status = dt_computed_everywhere(e->comm);
    if (status.code == DT_OK) status = dt_comm_agree(e->comm, dt_stop_status());
    if (status.code == DT_OK) status = dt_tally_gather(e->comm, tally);
    if (status.code == DT_OK && tally->not_finite > 0) status = share_cause(e, &rows_state, &batch, odd_from, odd);
    dt_batch_destroy(&batch, index);
    dt_rows_state_finish(&rows_state);
    return status;
}

dt_odd dt_odd_names(const dt_recipe_data *data, bool test) {
    dt_odd odd = {.targets = test ? data->test_y : data->train_y};
    if (data->context > 0)
        odd.samples = test ? data->test_tokens : data->train_tokens;
    else
        odd.samples = test ? data->test_x : data->train_x;
    return odd;
}

dt_status dt_tally_gather(dt_comm *comm, dt_tally *tally) {
    int64_t words[DT_TALLY_WORDS];
    dt_tally_carry(tally);
    memcpy(words, tally, sizeof words);
    DT_TRY(dt_comm_sum_i64(comm, words, DT_TALLY_WORDS));
    memcpy(tally, words, sizeof words);
    dt_tally_carry(tally);
    return dt_ok();
}

/* What an evaluation needs of a checkpoint. */
typedef struct dt_evaluation {
    dt_checkpoint_head head;
    dt_recipe recipe;
    dt_split split;
    dt_vocabulary vocabulary; /* the checkpoint's */
    dt_classes classes;       /* likewise */
    dt_scaling scaling;
    dt_model *model;
    const dt_kernels *kernels;
    dt_real *weights;
    dt_bf16 *weights16; /* for bf16 */
} dt_evaluation;

static dt_status load_weights(dt_evaluation *e, const char *path, int64_t rows, size_t memory) {
    dt_model_spec spec = dt_model_spec_of(&e->split, &e->recipe, rows, false);
    if (e->split.found && e->split.text.context == 0) spec.outputs = 0; /* classes are the model's, not the data's */
    spec.memory = memory;
    DT_TRY(dt_model_create(&e->model, e->recipe.layers, &e->recipe.loss, &spec, e->kernels));
    DT_TRY(dt_targets_settle(&e->split, &e->classes, false, dt_model_outputs(e->model)));
    const dt_table *table = dt_model_table(e->model);
    dt_extra extras[2];
    DT_TRY(dt_scaling_open(&e->scaling, &e->split, &e->recipe.data));
    int extra_count = dt_scaling_extras(&e->recipe.data, &e->scaling, extras);
    DT_TRY(dt_trained_weights(path, table, extras, extra_count, &e->weights));
    dt_scaling_settle(&e->scaling);
    return spec.bf16 ? dt_trained_rounded(e->kernels, e->weights, table->total, &e->weights16) : dt_ok();
}

static dt_status open_compute(dt_evaluation *e, dt_comm *comm) {
    const dt_recipe_compute *compute = &e->recipe.compute;
    bool lacks;
    int threads = dt_threads_allowed(compute->threads); /* the checkpoint may be anybody's */
    if (threads < compute->threads && dt_comm_rank(comm) == 0)
        dt_log_warn("compute.threads of the checkpoint is %lld; this machine is asked for %d threads a rank",
                    (long long)compute->threads, threads);
    DT_TRY(dt_comm_agree(comm, dt_compute_open(&e->kernels, (dt_isa)compute->isa, threads)));
    DT_TRY(dt_precision_settle(comm, &e->recipe, &lacks));
    if (lacks) dt_precision_warn(comm, &e->recipe);
    return dt_ok();
}

/* Collective. The checkpoint's vocabulary, which the data's must be. */
static dt_status open_vocabulary(dt_evaluation *e, dt_comm *comm, const char *path, const char *file) {
    dt_vocabulary data;
    DT_TRY(dt_vocabulary_open(&e->vocabulary, comm, path));
    DT_TRY(dt_vocabulary_open(&data, comm, file));
    bool same = data.size == 0 || dt_vocabulary_hash(&data) == dt_vocabulary_hash(&e->vocabulary);
    dt_vocabulary_finish(&data);
    if (same) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "%s: its vocabulary is another than that of %s, so its numbers mean other tokens",
                   file, path);
}

static dt_status evaluate_checkpoint(dt_comm *comm, const dt_eval_options *options, dt_evaluation *e, char path[4096]) {
    DT_TRY(dt_comm_agree(comm, dt_comm_rank(comm) == 0 ? dt_trained_find(options->target, path) : dt_ok()));
    DT_TRY(dt_comm_broadcast(comm, path, 4096, 0));
    DT_TRY(dt_comm_agree(comm, dt_trained_recipe(path, &e->head, &e->recipe)));
    bool train = strcmp(options->split, "train") == 0;
    const dt_recipe_data *data = &e->recipe.data;
    const char *file = options->data ? options->data : data->file;
    dt_loss loss = (dt_loss)e->recipe.loss.kind;
    if (data->context > 0)
        DT_TRY(open_vocabulary(e, comm, path, file));
    else if (e->head.data)
        DT_TRY(dt_identity_expect(comm, e->head.data, path, file, train ? data->train_x : data->test_x));
    DT_TRY(dt_classes_open(&e->classes, comm, path));
    DT_TRY(dt_data_open(&e->split, comm, file, data, loss, e->vocabulary.size, e->recipe.train.batch, !train, true));
    int64_t rows = dt_rows_at_once(&e->recipe, e->head.shards, e->split.samples);
    size_t memory;
    DT_TRY(dt_memory_of_rank(comm, &memory));
    DT_TRY(open_compute(e, comm));
    DT_TRY(dt_comm_agree(comm, load_weights(e, path, rows, memory)));
    dt_watchdog_note(dt_comm_watchdog(comm), DT_ACTIVITY_EVALUATE, e->head.position.step);
    dt_evaluator evaluator = {comm, e->model, e->kernels, &e->scaling, e->weights, e->weights16, &e->split, rows};
    dt_odd odd = dt_odd_names(data, !train);
    dt_tally tally;
    DT_TRY(dt_evaluate_split(&evaluator, &tally, &odd));
    DT_TRY(dt_test_not_finite(comm, (dt_not_finite)e->recipe.train.not_finite, &odd, false, &tally));
    char figures[DT_FIGURES], digest[17];
    dt_tally_text(figures, sizeof figures, "", &tally, loss, &e->split, true);
    dt_log_info("%s, step %lld, on %s:%s", path, (long long)e->head.position.step, options->split, figures);
    dt_tally_text(figures, sizeof figures, "", &tally, loss, &e->split, false);
    dt_digest_text(e->head.digest, digest);
    dt_log_info("eval%s samples=%lld digest=%s", figures, (long long)tally.samples, digest);
    return dt_ok();
}

dt_status dt_eval_run(dt_comm *comm, const dt_eval_options *options) {
    dt_evaluation evaluation;
    memset(&evaluation, 0, sizeof evaluation);
    char path[4096] = "";
    dt_status status = evaluate_checkpoint(comm, options, &evaluation, path);
    dt_split_close(&evaluation.split);
    dt_vocabulary_finish(&evaluation.vocabulary);
    dt_classes_finish(&evaluation.classes);
    dt_scaling_close(&evaluation.scaling);
    dt_model_destroy(evaluation.model);
    dt_free(evaluation.weights);
    dt_free(evaluation.weights16);
    dt_recipe_finish(&evaluation.recipe);
    dt_checkpoint_head_finish(&evaluation.head);
    return status;
}
