/* A trainee's memory: what the model plans for itself, and what the ranks of a node share. */
#include "trainee.h"

#include <math.h>
#include <stdio.h>

#include "arithmetic.h"
#include "base/log.h"
#include "use/batch.h"
#include "use/figures.h"
#include "use/pieces.h"

/* A new run is refused a batch whose pieces are too small for its layers; one that goes on is told. */
static dt_status create_model(dt_trainee *trainee, const dt_session *session, const dt_source *source,
                              const dt_course *course, const dt_trainee_plan *plan) {
    const dt_recipe *recipe = session->recipe;
    dt_pieces pieces;
    dt_pieces_describe(recipe, course->shards, source->samples, &pieces);
    dt_model_spec spec = dt_model_spec_of(source, recipe, trainee->rows_at_once, true);
    spec.memory = plan->memory;
    spec.least_rows = pieces.least;
    spec.clips = trainee->privacy != NULL;
    spec.least_where = pieces.where;
    spec.least_remedy = pieces.remedy;
    dt_status status = dt_model_create(&trainee->model, recipe->layers, &recipe->loss, &spec, trainee->kernels);
    if (status.code == DT_OK || !plan->goes_on) return status;
    spec.least_rows = 0;
    DT_TRY(dt_model_create(&trainee->model, recipe->layers, &recipe->loss, &spec, trainee->kernels));
    if (session->first) dt_log_warn("%s", status.message);
    return dt_ok();
}

/* That what checkpoint.best says can be measured. */
static dt_status check_measure(const dt_recipe *recipe, const dt_source *source) {
    bool validation = recipe->checkpoint.best == DT_BEST_VALIDATION_ACCURACY;
    if ((!validation && recipe->checkpoint.best != DT_BEST_TEST_ACCURACY) ||
        dt_has_accuracy(source, (dt_loss)recipe->loss.kind))
        return dt_ok();
    const char *split = validation ? "validation" : "test";
    return dt_fail(DT_ERR_INPUT,
                   "checkpoint.best is %s_accuracy, but mean_squared_error of values has none; use %s_loss", split,
                   split);
}

/* What is carried from batch to batch is on the machine of who computes it alone. */
static dt_status check_audit(const dt_recipe *recipe, const dt_course *course, const dt_model *model) {
    if (recipe->train.audit == 0 || course->streams == 0 || dt_model_state_width(model) == 0) return dt_ok();
    return dt_fail(
        DT_ERR_INPUT,
        "train.audit is %g, but what recurrent layers carry along streams (data.windows: stream) has only the "
        "rank that computes them; set train.audit to 0",
        recipe->train.audit);
}

dt_status dt_trainee_plan_model(dt_trainee *trainee, const dt_session *session, dt_run_data *data,
                                const dt_course *course, const dt_trainee_plan *plan) {
    const dt_recipe *recipe = session->recipe;
    trainee->rows_at_once = trainee->privacy ? dt_privacy_rows_at_once(trainee->privacy, recipe, course)
                                             : dt_rows_at_once(recipe, course->shards, data->train.samples);
    DT_TRY(create_model(trainee, session, &data->train, course, plan));
    trainee->table = dt_model_table(trainee->model);
    DT_TRY(check_audit(recipe, course, trainee->model));
    DT_TRY(dt_run_data_settle_targets(data, &recipe->train.class_weights, dt_model_outputs(trainee->model),
                                      plan->goes_on));
    DT_TRY(check_measure(recipe, &data->train));
    DT_TRY(
        dt_optimizer_plan(&trainee->optimizer, trainee->kernels, &recipe->optimizer, recipe->groups, trainee->table));
    DT_TRY(dt_trainee_check_memory(trainee, session, &data->train, course, plan->memory));
    return dt_batch_create(&trainee->batch, &trainee->index, &data->train, trainee->rows_at_once);
}

dt_status dt_trainee_share(dt_trainee *trainee, const dt_session *session, const dt_course *course) {
    dt_node *node = trainee->node = session->node;
    const dt_recipe *recipe = session->recipe;
    const size_t total = trainee->table->total,
                 blocks = (trainee->table->trained + DT_TABLE_BLOCK - 1) / DT_TABLE_BLOCK;
    dt_status status;
    trainee->weights = dt_node_alloc(node, total, sizeof *trainee->weights, &status);
    if (status.code == DT_OK && recipe->compute.precision == DT_PRECISION_BF16)
        trainee->weights16 = dt_node_alloc(node, total, sizeof *trainee->weights16, &status);
    dt_optimizer *optimizer = &trainee->optimizer;
    for (int i = 0; i < optimizer->slot_count && status.code == DT_OK; i++)
        optimizer->slots[i].data = dt_node_alloc(node, optimizer->slots[i].table->total, sizeof(dt_real), &status);
    size_t sums = dt_optimizer_sums(optimizer);
    if (status.code == DT_OK && sums > 0) optimizer->sums = dt_node_alloc(node, sums, sizeof *optimizer->sums, &status);
    if (status.code == DT_OK) trainee->squares = dt_node_alloc(node, blocks, sizeof *trainee->squares, &status);
    DT_TRY(status);
    DT_TRY(dt_recurrent_state_open(&trainee->recurrent_state, session->comm, node, course->streams,
                                   dt_model_state_width(trainee->model), course->shards));
    dt_work work = dt_trainee_work(trainee, session, course);
    DT_TRY(dt_reduce_create(&trainee->reducer, node, trainee->kernels, &optimizer->table, &work));
    if (work.checked) DT_TRY(dt_crosscheck_open(&trainee->crosscheck, trainee->reducer, node));
    if (trainee->privacy) dt_reduce_disturb(trainee->reducer, dt_privacy_disturb, trainee->privacy);
    if (dt_node_rank(node) == 0) dt_model_init(trainee->model, trainee->weights, (uint64_t)recipe->seed);
    dt_node_meet(node);
    return dt_ok();
}

void dt_trainee_unshare(dt_trainee *trainee) {
    dt_crosscheck_close(trainee->crosscheck);
    trainee->crosscheck = NULL;
    dt_reduce_destroy(trainee->reducer);
    trainee->reducer = NULL;
    dt_recurrent_state_close(&trainee->recurrent_state);
}

void dt_trainee_close(dt_trainee *trainee) {
    dt_trainee_unshare(trainee);
    dt_batch_destroy(&trainee->batch, trainee->index);
    dt_optimizer_finish(&trainee->optimizer);
    dt_model_destroy(trainee->model);
}

int dt_trainee_sections(dt_trainee *trainee, dt_section *out) {
    int count = 0;
    out[count++] = (dt_section){.group = "/weights", .table = trainee->table, .data = trainee->weights};
    for (int i = 0; i < trainee->optimizer.slot_count; i++) {
        const dt_slot *slot = &trainee->optimizer.slots[i];
        char *group = trainee->slot_groups[i];
        snprintf(group, sizeof trainee->slot_groups[i], "/optimizer/%s", slot->name);
        out[count++] = (dt_section){.group = group, .table = slot->table, .data = slot->data};
    }
    return count;
}

void dt_trainee_round_weights(dt_trainee *trainee) {
    const dt_trainee *t = trainee;
    if (t->weights16) dt_round_shared(t->kernels, t->node, t->weights16, t->weights, t->table->total);
}

bool dt_trainee_is_finite(const dt_trainee *trainee) {
    const size_t total = trainee->table->total;
    size_t rank = (size_t)dt_node_rank(trainee->node), size = (size_t)dt_node_size(trainee->node);
    size_t begin = total * rank / size, end = total * (rank + 1) / size;
    return isfinite(trainee->kernels->sum_squares(trainee->weights + begin, (int64_t)(end - begin)));
}
