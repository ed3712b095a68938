/* The eval command's work: a checkpoint against a split. */
#include "run/eval.h"

#include <stdio.h>
#include <string.h>

#include "arithmetic.h"
#include "base/log.h"
#include "comm/comm_ranks.h"
#include "data/targets.h"
#include "data/tokenizer.h"
#include "evaluate.h"
#include "nodes.h"
#include "use/batch.h"
#include "use/extras.h"
#include "use/figures.h"
#include "use/pieces.h"
#include "use/trained.h"

/* A checkpoint at work: its model, which every rank plans, and its weights, which the ranks of a machine share. */
typedef struct dt_evaluation {
    dt_comm *comm;
    dt_ranks ranks; /* the same */
    dt_checkpoint_head head;
    dt_recipe recipe;
    dt_source source;
    dt_vocabulary vocabulary; /* the checkpoint's */
    dt_classes classes;       /* likewise */
    dt_scales scales;
    dt_extra extras[DT_SCALES_EXTRAS]; /* theirs, in the checkpoint */
    int extra_count;
    const dt_kernels *kernels;
    dt_model *model;
    const dt_table *table;
    dt_node *node;
    dt_real *weights;
    dt_bf16 *weights16; /* for bf16 */
} dt_evaluation;

static dt_status plan_model(dt_evaluation *e, const char *path, int64_t rows, size_t memory) {
    dt_model_spec spec = dt_model_spec_of(&e->source, &e->recipe, rows, false);
    if (e->source.targets.found && e->source.about.ids == 0)
        spec.outputs = 0; /* classes are the model's, not the data's */
    spec.memory = memory;
    DT_TRY(dt_model_create(&e->model, e->recipe.layers, &e->recipe.loss, &spec, e->kernels));
    e->table = dt_model_table(e->model);
    DT_TRY(dt_targets_settle(&e->source.targets, &e->classes, false, dt_model_outputs(e->model)));
    DT_TRY(dt_scales_open(&e->scales, &e->source, &e->recipe.data));
    e->extra_count = dt_scales_extras(&e->recipe.data, &e->scales, e->extras);
    return dt_trained_fits(path, e->table, e->extras, e->extra_count);
}

static dt_status take_weights(void *context) {
    dt_evaluation *e = context;
    dt_status status;
    e->weights = dt_node_alloc(e->node, e->table->total, sizeof *e->weights, &status);
    if (status.code == DT_OK && e->recipe.compute.precision == DT_PRECISION_BF16)
        e->weights16 = dt_node_alloc(e->node, e->table->total, sizeof *e->weights16, &status);
    return status;
}

static void give_back_nothing(void *context) {
    (void)context; /* it goes with the node */
}

/* Collective. Rank 0 reads, for all. */
static dt_status load_weights(dt_evaluation *e, const char *path) {
    DT_TRY(dt_nodes_open(&e->node, e->comm, &e->recipe.reduce, take_weights, give_back_nothing, e));
    bool first = dt_comm_rank(e->comm) == 0;
    dt_status read = first ? dt_trained_read(path, e->table, e->extras, e->extra_count, e->weights) : dt_ok();
    DT_TRY(dt_comm_agree(e->comm, read));
    DT_TRY(dt_node_share(e->node, e->weights, e->table->total * sizeof *e->weights));
    for (int i = 0; i < e->extra_count; i++) {
        const dt_extra *extra = &e->extras[i];
        DT_TRY(dt_comm_broadcast(e->comm, extra->data, (size_t)extra->count * dt_dtype_size(extra->dtype), 0));
    }
    dt_scales_loaded(&e->scales, &e->recipe.data);
    if (e->weights16) dt_round_shared(e->kernels, e->node, e->weights16, e->weights, e->table->total);
    return dt_ok();
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
static dt_status open_vocabulary(dt_evaluation *e, const char *path, const char *file) {
    dt_vocabulary data;
    DT_TRY(dt_source_vocabulary(&e->vocabulary, &e->ranks, path, &e->recipe.data));
    DT_TRY(dt_source_vocabulary(&data, &e->ranks, file, &e->recipe.data));
    bool same = data.size == 0 || dt_vocabulary_hash(&data) == dt_vocabulary_hash(&e->vocabulary);
    dt_vocabulary_finish(&data);
    if (same) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "%s: its vocabulary is another than that of %s, so its numbers mean other tokens",
                   file, path);
}

/* Collective. The checkpoint that is meant, and the data it is evaluated on. */
static dt_status open_data(dt_evaluation *e, const dt_eval_options *options, char path[4096]) {
    dt_comm *comm = e->comm;
    DT_TRY(dt_comm_agree(comm, dt_comm_rank(comm) == 0 ? dt_trained_find(options->target, path) : dt_ok()));
    DT_TRY(dt_comm_broadcast(comm, path, 4096, 0));
    DT_TRY(dt_comm_agree(comm, dt_trained_recipe(path, &e->head, &e->recipe)));
    const char *file = options->data ? options->data : e->recipe.data.file;
    DT_TRY(open_vocabulary(e, path, file));
    DT_TRY(dt_classes_open(&e->classes, &e->ranks, path));
    if (!dt_recipe_has(&e->recipe.data, options->split))
        return dt_fail(DT_ERR_INPUT, "%s: its recipe has no %s data", path, dt_split_name(options->split));
    dt_source_request request = {.file = file,
                                 .data = &e->recipe.data,
                                 .loss = (dt_loss)e->recipe.loss.kind,
                                 .split = options->split,
                                 .in_order = true,
                                 .vocabulary = e->vocabulary.size,
                                 .streams = e->recipe.train.batch,
                                 .trained = e->head.data,
                                 .checkpoint = path};
    return dt_source_open(&e->source, &e->ranks, &request);
}

static void tell(const dt_evaluation *e, const dt_tally *tally, const char *path, const char *split) {
    char figures[DT_FIGURES], digest[17];
    dt_loss loss = (dt_loss)e->recipe.loss.kind;
    dt_tally_text(figures, sizeof figures, "", tally, loss, &e->source, true);
    if (e->source.dropped > 0)
        dt_log_info("%lld rows of %s lack a value and are left out (data.missing: drop)", (long long)e->source.dropped,
                    e->source.x_name);
    dt_log_info("%s, step %lld, on %s:%s", path, (long long)e->head.position.step, split, figures);
    dt_tally_text(figures, sizeof figures, "", tally, loss, &e->source, false);
    dt_digest_text(e->head.digest, digest);
    dt_log_info("eval%s samples=%lld digest=%s", figures, (long long)tally->samples, digest);
}

static dt_status evaluate_checkpoint(dt_evaluation *e, const dt_eval_options *options, char path[4096]) {
    dt_comm *comm = e->comm;
    size_t memory;
    DT_TRY(open_data(e, options, path));
    int64_t rows = dt_rows_at_once(&e->recipe, e->head.shards, e->source.samples);
    DT_TRY(dt_memory_of_rank(comm, &memory));
    DT_TRY(open_compute(e, comm));
    DT_TRY(dt_comm_agree(comm, plan_model(e, path, rows, memory)));
    DT_TRY(load_weights(e, path));
    dt_watchdog_note(dt_comm_watchdog(comm), DT_ACTIVITY_EVALUATE, e->head.position.step);
    dt_evaluator evaluator = {&e->ranks, e->model, e->kernels, &e->scales, e->weights, e->weights16, &e->source, rows};
    dt_odd odd = {.samples = e->source.x_name};
    dt_tally tally;
    DT_TRY(dt_evaluate_split(&evaluator, &tally, &odd));
    DT_TRY(dt_test_not_finite(comm, (dt_not_finite)e->recipe.train.not_finite, &odd, false, &tally));
    tell(e, &tally, path, dt_split_name(options->split));
    return dt_ok();
}

dt_status dt_eval_run(dt_comm *comm, const dt_eval_options *options) {
    dt_evaluation evaluation;
    memset(&evaluation, 0, sizeof evaluation);
    evaluation.comm = comm;
    evaluation.ranks = dt_ranks_of(comm);
    char path[4096] = "";
    dt_status status = evaluate_checkpoint(&evaluation, options, path);
    dt_source_close(&evaluation.source);
    dt_vocabulary_finish(&evaluation.vocabulary);
    dt_classes_finish(&evaluation.classes);
    dt_scales_close(&evaluation.scales);
    dt_model_destroy(evaluation.model);
    dt_node_close(evaluation.node);
    dt_recipe_finish(&evaluation.recipe);
    dt_checkpoint_head_finish(&evaluation.head);
    return status;
}
