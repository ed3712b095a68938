/* The model: a list of layers, the loss at its end, and the one arena that holds everything a pass needs. All that can
 * fail fails in dt_model_create; a pass allocates nothing. Weights and gradients belong to the caller, laid out by the
 * model's table. */
#include <assert.h>
#include <string.h>

#include "dtrain/memory.h"
#include "dtrain/trace.h"
#include "model_internal.h"

struct dt_model {
    dt_sequence sequence;
    dt_table table;
    dt_recipe_loss loss;
    const dt_kernels *kernels;
    int64_t max_rows, outputs;
    bool training;
    dt_real *arena;
    size_t bytes;
    int trace;   /* kind of the loss's spans */
    dt_real *dy; /* [max_rows, outputs]; NULL when the loss may overwrite the outputs with their gradient */
};

static dt_status check_input(const dt_shape *input) {
    size_t count = 1;
    bool usable = input->rank >= 0 && input->rank <= DT_MAX_RANK;
    for (int i = 0; usable && i < input->rank; i++)
        usable = input->dim[i] > 0 && dt_size_mul(count, (size_t)input->dim[i], &count) && count <= (size_t)1 << 40;
    if (usable) return dt_ok();
    char text[96];
    dt_shape_text(input, text);
    return dt_fail(DT_ERR_INPUT, "samples of shape %s cannot be the input of a model", text);
}

static bool has_weights(const dt_table *table) {
    for (int i = 0; i < table->count; i++)
        if (!(table->tensors[i].flags & DT_TENSOR_STATISTIC)) return true;
    return false;
}

/* Everything that is planned, then the arena. */
static dt_status build(dt_model *model, dt_plan *plan, const dt_node *layers, const dt_shape *input, int64_t outputs,
                       int64_t targets) {
    DT_TRY(check_input(input));
    DT_TRY(dt_sequence_decode(&model->sequence, layers, "model.layers"));
    DT_TRY(dt_sequence_plan(&model->sequence, plan, "", input, false));
    const dt_layer *last = &model->sequence.layers[model->sequence.count - 1];
    if (!has_weights(&model->table))
        return dt_layer_fail(last, "no layer up to this last one has anything to train; add one, as in `- dense: 10`");
    const dt_shape *out = &last->out;
    while (last->view && last > model->sequence.layers) last--;
    DT_TRY(dt_loss_check(&model->loss, last, out, outputs, targets));
    model->outputs = dt_shape_count(&last->out);
    model->trace = dt_trace_kind("loss", "loss");
    if (model->training && model->sequence.keeps_output) DT_TRY(dt_plan_memory(plan, &model->dy, model->outputs));
    DT_TRY(dt_plan_bind(plan, &model->arena));
    model->bytes = plan->total * sizeof *model->arena;
    return dt_ok();
}

dt_status dt_model_create(dt_model **out, const dt_node *layers, const dt_recipe_loss *loss, const dt_shape *input,
                          int64_t outputs, int64_t targets, int64_t max_rows, bool training,
                          const dt_kernels *kernels) {
    *out = NULL;
    if (max_rows < 1) return dt_fail(DT_ERR_INPUT, "a batch of %lld samples is too small", (long long)max_rows);
    dt_model *model = dt_alloc(1, sizeof *model);
    if (!model) return dt_fail_memory("a model", sizeof *model);
    model->loss = *loss;
    model->kernels = kernels;
    model->max_rows = max_rows;
    model->training = training;
    model->sequence.outermost = true;
    dt_plan plan = {.table = &model->table, .max_rows = max_rows, .training = training};
    dt_status status = build(model, &plan, layers, input, outputs, targets);
    dt_plan_finish(&plan);
    if (status.code != DT_OK) {
        dt_model_destroy(model);
        return status;
    }
    *out = model;
    return dt_ok();
}

void dt_model_destroy(dt_model *model) {
    if (!model) return;
    dt_sequence_finish(&model->sequence);
    dt_table_finish(&model->table);
    dt_free(model->arena);
    dt_free(model);
}

const dt_table *dt_model_table(const dt_model *model) {
    return &model->table;
}
int dt_model_layer_count(const dt_model *model) {
    return model->sequence.count;
}
const dt_layer *dt_model_layer(const dt_model *model, int i) {
    return &model->sequence.layers[i];
}
int64_t dt_model_outputs(const dt_model *model) {
    return model->outputs;
}
size_t dt_model_memory(const dt_model *model) {
    return model->bytes;
}

dt_status dt_model_resolved(const dt_model *model, dt_node **out) {
    const dt_sequence *sequence = &model->sequence;
    *out = dt_node_new(DT_NODE_LIST, "layers", NULL, sequence->layers[0].source);
    if (!*out) return dt_fail_memory("the resolved layers", sizeof **out);
    dt_status status = dt_sequence_encode(sequence, *out);
    if (status.code == DT_OK) return status;
    dt_node_destroy(*out);
    *out = NULL;
    return status;
}

void dt_model_init(const dt_model *model, dt_real *weights, uint64_t seed) {
    memset(weights, 0, model->table.total * sizeof *weights);
    dt_sequence_init(&model->sequence, weights, seed);
}

void dt_model_train(dt_model *model, dt_pass pass, const dt_batch *batch, dt_tally *tally) {
    assert(model->training && batch->rows <= model->max_rows);
    pass.kernels = model->kernels;
    pass.training = true;
    pass.rows = batch->rows;
    pass.first = batch->first;
    if (batch->rows == 0) { /* a shard without a sample has a gradient too: zero */
        if (!pass.accumulate) memset(pass.grads, 0, model->table.total * sizeof *pass.grads);
        return;
    }
    dt_real *dy = (dt_real *)dt_sequence_forward(&model->sequence, &pass, batch->x);
    if (model->dy) dy = memcpy(model->dy, dy, (size_t)(batch->rows * model->outputs) * sizeof *dy);
    double began = dt_trace_begin();
    dt_loss_run(&model->loss, model->kernels, dy, batch, model->outputs, true, tally);
    dt_trace_end(model->trace, began, 0);
    dt_sequence_backward(&model->sequence, &pass, batch->x, dy, false);
}

void dt_model_evaluate(dt_model *model, const dt_real *weights, const dt_batch *batch, dt_tally *tally) {
    dt_pass pass = {.rows = batch->rows, .first = batch->first, .weights = weights};
    /* The loss leaves the outputs alone when no gradient is asked for. */
    dt_real *output = (dt_real *)dt_model_forward(model, pass, batch->x);
    dt_loss_run(&model->loss, model->kernels, output, batch, model->outputs, false, tally);
}

const dt_real *dt_model_forward(dt_model *model, dt_pass pass, const dt_real *x) {
    assert(pass.rows <= model->max_rows);
    pass.kernels = model->kernels;
    if (!model->training) pass.training = false;
    return dt_sequence_forward(&model->sequence, &pass, x);
}
