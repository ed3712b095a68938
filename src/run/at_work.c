/* A checkpoint at work: what evaluations and predictions on many ranks have in common. */
#include "at_work.h"

#include <string.h>

#include "arithmetic.h"
#include "base/append.h"
#include "base/log.h"
#include "base/memory.h"
#include "data/targets.h"
#include "nodes.h"
#include "use/batch.h"

/* ---- the checkpoint, and its samples ---- */

/* Collective. The checkpoint's vocabulary must be the data's. */
static dt_status check_vocabulary(dt_at_work *w, const char *file) {
    dt_vocabulary data;
    DT_TRY(dt_source_vocabulary(&data, &w->ranks, file, &w->recipe.data));
    bool same = data.size == 0 || dt_vocabulary_hash(&data) == dt_vocabulary_hash(&w->vocabulary);
    dt_vocabulary_finish(&data);
    if (same) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "%s: its vocabulary is another than that of %s, so its numbers mean other tokens",
                   file, w->path);
}

/* What it would say of data without targets is in newer checkpoints only. */
static dt_status check_known(const dt_at_work *w, const dt_at_work_data *data) {
    if (!data->unlabelled || w->head.data) return dt_ok();
    return dt_fail(DT_ERR_INPUT,
                   "%s: an older version wrote it, which does not say what its data was; a step more of the run "
                   "writes one that does",
                   w->path);
}

/* Collective. */
static dt_status open_source(dt_at_work *w, const dt_data_named *named, const dt_at_work_data *data) {
    dt_source_request request = {.file = named->file,
                                 .dataset = named->dataset,
                                 .targets = named->targets,
                                 .data = &w->recipe.data,
                                 .loss = (dt_loss)w->recipe.loss.kind,
                                 .split = data->split,
                                 .in_order = true,
                                 .vocabulary = w->vocabulary.size,
                                 .streams = w->recipe.train.batch,
                                 .trained = w->head.data,
                                 .checkpoint = w->path,
                                 .unlabelled = data->unlabelled};
    DT_TRY(check_vocabulary(w, named->file));
    if (!named->dataset && !dt_recipe_has(&w->recipe.data, data->split))
        return dt_fail(DT_ERR_INPUT, "%s: its recipe has no %s data", w->path, dt_split_name(data->split));
    DT_TRY(dt_source_open(&w->sources[w->source_count], &w->ranks, &request));
    w->source_count++;
    return dt_ok();
}

/* Targets of all data sets are of one kind. Those that follow may make values of the first, so all are compared once
 * more. */
static dt_status check_targets(dt_at_work *w) {
    for (int pass = 0; pass < 2; pass++)
        for (int i = 1; i < w->source_count; i++)
            DT_TRY(dt_targets_check_alike(&w->sources[0].targets, &w->sources[i].targets));
    return dt_ok();
}

/* Collective. */
static dt_status open_sources(dt_at_work *w, const dt_at_work_data *data) {
    const dt_data_named own = {.file = w->recipe.data.file}, *named = data->count > 0 ? data->named : &own;
    int count = data->count > 0 ? data->count : 1;
    w->sources = dt_alloc((size_t)count, sizeof *w->sources);
    DT_TRY(dt_comm_agree(w->comm,
                         w->sources ? dt_ok() : dt_fail_memory("the data sets", (size_t)count * sizeof *w->sources)));
    for (int i = 0; i < count; i++) DT_TRY(open_source(w, &named[i], data));
    return data->unlabelled ? dt_ok() : check_targets(w);
}

dt_status dt_at_work_open(dt_at_work *w, dt_comm *comm, const char *target, const dt_at_work_data *data) {
    memset(w, 0, sizeof *w);
    w->comm = comm;
    w->ranks = dt_ranks_of(comm);
    DT_TRY(dt_comm_agree(comm, dt_comm_rank(comm) == 0 ? dt_trained_find(target, w->path) : dt_ok()));
    DT_TRY(dt_comm_broadcast(comm, w->path, sizeof w->path, 0));
    DT_TRY(dt_comm_agree(comm, dt_trained_recipe(w->path, &w->head, &w->recipe)));
    DT_TRY(check_known(w, data));
    DT_TRY(dt_source_vocabulary(&w->vocabulary, &w->ranks, w->path, &w->recipe.data));
    DT_TRY(dt_classes_open(&w->classes, &w->ranks, w->path));
    w->all = data->all || (data->count > 0 && data->unsaid && dt_recipe_cuts(&w->recipe.data, DT_SPLIT_TEST));
    if (w->all) dt_recipe_take_all(&w->recipe.data);
    return open_sources(w, data);
}

void dt_at_work_close(dt_at_work *w) {
    for (int i = 0; i < w->source_count; i++) dt_source_close(&w->sources[i]);
    dt_free(w->sources);
    dt_vocabulary_finish(&w->vocabulary);
    dt_classes_finish(&w->classes);
    dt_scales_close(&w->scales);
    dt_model_destroy(w->model);
    dt_node_close(w->node);
    dt_recipe_finish(&w->recipe);
    dt_checkpoint_head_finish(&w->head);
}

/* ---- the model ---- */

dt_status dt_at_work_compute(dt_at_work *w) {
    const dt_recipe_compute *compute = &w->recipe.compute;
    int threads = dt_threads_allowed(compute->threads); /* the checkpoint may be anybody's */
    if (threads < compute->threads && dt_comm_rank(w->comm) == 0)
        dt_log_warn("compute.threads of the checkpoint is %lld; this machine is asked for %d threads a rank",
                    (long long)compute->threads, threads);
    return dt_comm_agree(w->comm, dt_compute_open(&w->kernels, dt_isa_at_hand((dt_isa)compute->isa), threads));
}

dt_status dt_at_work_plan(dt_at_work *w, int64_t rows, bool whole, size_t memory) {
    dt_source *first = &w->sources[0]; /* what samples are is the same in all */
    dt_model_spec spec = dt_model_spec_of(first, &w->recipe, rows, false);
    spec.whole = whole;
    if (first->targets.found && first->about.ids == 0) spec.outputs = 0; /* classes are the model's, not the data's */
    spec.memory = memory;
    dt_model_destroy(w->model);
    w->model = NULL;
    DT_TRY(dt_model_create(&w->model, w->recipe.layers, &w->recipe.loss, &spec, w->kernels));
    for (int i = 0; i < w->source_count; i++)
        DT_TRY(dt_targets_settle(&w->sources[i].targets, &w->classes, false, dt_model_outputs(w->model)));
    dt_scales_close(&w->scales);
    DT_TRY(dt_scales_open(&w->scales, first, &w->recipe.data));
    w->extra_count = dt_scales_extras(&w->recipe.data, &w->scales, w->extras);
    return dt_trained_fits(w->path, dt_model_table(w->model), w->extras, w->extra_count);
}

static dt_status take_weights(void *context) {
    dt_at_work *w = context;
    size_t total = dt_model_table(w->model)->total;
    dt_status status;
    w->weights = dt_node_alloc(w->node, total, sizeof *w->weights, &status);
    if (status.code == DT_OK && w->recipe.compute.precision == DT_PRECISION_BF16)
        w->weights16 = dt_node_alloc(w->node, total, sizeof *w->weights16, &status);
    return status;
}

static void give_back_nothing(void *context) {
    (void)context; /* it goes with the node */
}

dt_status dt_at_work_load(dt_at_work *w) {
    DT_TRY(dt_nodes_open(&w->node, w->comm, &w->recipe.reduce, take_weights, give_back_nothing, w));
    const dt_table *table = dt_model_table(w->model);
    bool first = dt_comm_rank(w->comm) == 0;
    dt_status read = first ? dt_trained_read(w->path, table, w->extras, w->extra_count, w->weights) : dt_ok();
    DT_TRY(dt_comm_agree(w->comm, read));
    DT_TRY(dt_node_share(w->node, w->weights, table->total * sizeof *w->weights));
    for (int i = 0; i < w->extra_count; i++) {
        const dt_extra *extra = &w->extras[i];
        DT_TRY(dt_comm_broadcast(w->comm, extra->data, (size_t)extra->count * dt_dtype_size(extra->dtype), 0));
    }
    dt_scales_loaded(&w->scales, &w->recipe.data);
    if (w->weights16) dt_round_shared(w->kernels, w->node, w->weights16, w->weights, table->total);
    return dt_ok();
}

/* ---- what there is ---- */

int64_t dt_at_work_samples(const dt_at_work *w) {
    int64_t samples = 0;
    for (int i = 0; i < w->source_count; i++) samples += w->sources[i].samples;
    return samples;
}

int64_t dt_at_work_most(const dt_at_work *w) {
    int64_t most = 0;
    for (int i = 0; i < w->source_count; i++)
        if (w->sources[i].samples > most) most = w->sources[i].samples;
    return most;
}

void dt_at_work_names(const dt_at_work *w, bool datasets, char *out, size_t size) {
    out[0] = '\0';
    for (int i = 0; i < w->source_count; i++)
        dt_append(out, size, "%s%s", i > 0 ? ", " : "", datasets ? w->sources[i].x_name : w->sources[i].file);
}
