/* Evaluation of a split, and the eval command's work. The split is cut into pieces of a fixed size, dealt to the ranks
 * in turn, and the results are integers: the figures do not depend on the number of ranks. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dtrain/log.h"
#include "dtrain/memory.h"
#include "dtrain/stop.h"
#include "train_internal.h"

dt_status dt_batch_create(dt_batch *batch, int64_t **index, const dt_split *split, int64_t rows) {
    memset(batch, 0, sizeof *batch);
    *index = dt_alloc((size_t)rows, sizeof **index);
    size_t inputs = (size_t)dt_shape_count(&split->input), bytes = 0;
    if (dt_size_mul((size_t)rows, inputs, &bytes)) batch->x = dt_alloc(bytes, sizeof *batch->x);
    if (split->labels)
        batch->labels = dt_alloc((size_t)(rows * split->targets), sizeof *batch->labels);
    else
        batch->values = dt_alloc((size_t)rows * (size_t)split->width, sizeof *batch->values);
    if (*index && batch->x && (batch->labels || batch->values)) return dt_ok();
    dt_batch_destroy(batch, *index);
    *index = NULL;
    return dt_fail_memory("a batch", (unsigned long long)rows * inputs * sizeof(dt_real));
}

void dt_batch_destroy(dt_batch *batch, int64_t *index) {
    dt_free(batch->x);
    dt_free(batch->labels);
    dt_free(batch->values);
    dt_free(index);
    memset(batch, 0, sizeof *batch);
}

dt_model_spec dt_model_spec_of(const dt_split *split, const dt_recipe *recipe, int64_t rows, bool training) {
    return (dt_model_spec){.input = split->input,
                           .ids = split->ids,
                           .outputs = split->labels ? split->classes : split->width,
                           .targets = split->targets,
                           .labels = split->found ? dt_labels_text(split->found) : NULL,
                           .rows = rows,
                           .training = training,
                           .bf16 = recipe->compute.precision == DT_PRECISION_BF16};
}

int dt_scaling_extras(const dt_recipe_data *data, const dt_scaling *scaling, dt_extra *out) {
    if (data->normalize == DT_NORMALIZE_GIVEN) return 0;
    out[0] = (dt_extra){"input_mean", DT_F64, scaling->channels, scaling->mean};
    out[1] = (dt_extra){"input_std", DT_F64, scaling->channels, scaling->std};
    return 2;
}

int dt_vocabulary_extras(dt_vocabulary *v, dt_extra *out) {
    if (v->size == 0) return 0;
    out[0] = (dt_extra){"vocab_kind", DT_I32, 1, &v->kind};
    out[1] = (dt_extra){"vocab_bytes", DT_U8, v->offsets[v->size], v->bytes};
    out[2] = (dt_extra){"vocab_offsets", DT_I64, v->size + 1, v->offsets};
    if (v->merge_count == 0) return 3;
    out[3] = (dt_extra){"vocab_merges", DT_I32, 3 * v->merge_count, v->merges};
    return 4;
}

/* Samples of streams come in the order of a stream, all streams of a batch in step; a rank that has some of the streams
 * has all of their samples. Other samples are streams of one. */
dt_status dt_evaluate_split(dt_comm *comm, dt_model *model, const dt_kernels *kernels, const dt_scaling *scaling,
                            const dt_pass *weights, const dt_split *split, int64_t rows_at_once, dt_tally *tally) {
    dt_batch batch;
    int64_t *index;
    dt_relay relay = {{NULL, NULL}};
    dt_status status = dt_batch_create(&batch, &index, split, rows_at_once);
    if (status.code == DT_OK && split->text.streams > 0) status = dt_relay_create(&relay, model, rows_at_once);
    status = dt_comm_agree(comm, status);
    memset(tally, 0, sizeof *tally);
    int64_t streams = split->text.streams > 0 ? split->text.streams : split->samples;
    int64_t stride = rows_at_once * dt_comm_size(comm);
    for (int64_t at = rows_at_once * dt_comm_rank(comm); status.code == DT_OK && at < streams; at += stride) {
        int64_t rows = streams - at < rows_at_once ? streams - at : rows_at_once;
        assert(index);
        batch.first = (uint64_t)at;
        for (int64_t ahead = 0; ahead < split->samples; ahead += streams) {
            for (int64_t i = 0; i < rows; i++) index[i] = ahead + at + i;
            dt_split_gather(split, kernels, scaling, NULL, index, rows, &batch);
            dt_pass pass = *weights;
            dt_relay_pass(&relay, &pass, batch.fresh);
            dt_model_evaluate(model, pass, &batch, tally);
        }
        if (dt_compute_failed() || dt_stop_requested) break;
    }
    dt_batch_destroy(&batch, index);
    dt_relay_finish(&relay);
    DT_TRY(status);
    DT_TRY(dt_computed_everywhere(comm));
    DT_TRY(dt_comm_agree(comm, dt_stop_status()));
    return dt_tally_gather(comm, tally);
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

double dt_perplexity(const dt_tally *tally, const dt_split *split) {
    bool tokens = split->text.context > 0 && !split->text.rows;
    return tokens ? exp(dt_tally_loss(tally)) : (double)NAN;
}

double dt_bits_per_char(const dt_tally *tally, const dt_split *split) {
    bool counted = split->text.chars > 0 && !split->text.masked;
    return counted ? dt_tally_loss(tally) / log(2) / split->text.chars : (double)NAN;
}

void dt_tally_text(char *out, size_t size, const char *prefix, const dt_tally *tally, dt_loss loss,
                   const dt_split *split, bool all) {
    double samples = (double)tally->samples;
    bool classes = split->labels ? split->classes > 1 : loss == DT_LOSS_SOFTMAX_CROSS_ENTROPY;
    int used = snprintf(out, size, " %sloss=%.6f", prefix, dt_tally_loss(tally));
    if (classes || loss == DT_LOSS_BINARY_CROSS_ENTROPY)
        used += snprintf(out + used, size - (size_t)used, " %saccuracy=%.4f", prefix, (double)tally->correct / samples);
    if (!isnan(dt_perplexity(tally, split)))
        used += snprintf(out + used, size - (size_t)used, " %sperplexity=%.4f", prefix, dt_perplexity(tally, split));
    if (all && !isnan(dt_bits_per_char(tally, split)))
        used +=
            snprintf(out + used, size - (size_t)used, " %sbits_per_char=%.4f", prefix, dt_bits_per_char(tally, split));
    if (all && classes && (split->labels ? split->classes : split->width) > 5)
        used +=
            snprintf(out + used, size - (size_t)used, " %stop5=%.4f", prefix, (double)tally->correct_top5 / samples);
    if (all && loss != DT_LOSS_SOFTMAX_CROSS_ENTROPY)
        snprintf(out + used, size - (size_t)used, " %smae=%.6f", prefix, dt_tally_abs_error(tally));
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

static dt_status load_weights(dt_evaluation *e, const char *path, int64_t rows) {
    dt_model_spec spec = dt_model_spec_of(&e->split, &e->recipe, rows, false);
    if (e->split.found && e->split.text.context == 0) spec.outputs = 0; /* classes are the model's, not the data's */
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
    int64_t rows = dt_rows_at_once(&e->recipe, e->head.shards);
    DT_TRY(open_compute(e, comm));
    DT_TRY(dt_comm_agree(comm, load_weights(e, path, rows)));
    dt_watchdog_note(dt_comm_watchdog(comm), DT_ACTIVITY_EVALUATE, e->head.position.step);
    dt_pass pass = {.weights = e->weights, .weights16 = e->weights16};
    dt_tally tally;
    DT_TRY(dt_evaluate_split(comm, e->model, e->kernels, &e->scaling, &pass, &e->split, rows, &tally));
    char figures[256], digest[17];
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
