/* The model: a list of layers, the loss at its end, and the one arena that holds everything a pass needs. All that can
 * fail fails in dt_model_create; a pass allocates nothing. Weights and gradients belong to the caller, laid out by the
 * model's table. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/alive.h"
#include "base/memory.h"
#include "base/pattern.h"
#include "base/trace.h"
#include "decode.h"
#include "loss.h"
#include "per_sample.h"
#include "sequence.h"

struct dt_model {
    dt_sequence sequence;
    dt_table table;
    dt_recipe_loss loss;
    const dt_kernels *kernels;
    dt_model_spec spec;
    int64_t outputs, state_width;
    bool bounded;
    dt_real *arena;
    size_t bytes;
    int trace;   /* kind of the loss's spans */
    dt_real *dy; /* [rows, outputs]; NULL when the loss may overwrite the outputs with their gradient */
    /* Where the last layer is run in chunks: it, as a layer of one position; how many positions at once; their outputs.
     */
    dt_layer head;
    int64_t chunk;
    dt_real *logits;
    /* Where gradients are clipped sample by sample: doubles, and what each sample's counts for; [rows]. */
    dt_real *squares, *factors;
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

static bool fits_any(const dt_table *table, const char *pattern) {
    for (int i = 0; i < table->count; i++)
        if (dt_pattern_fits(pattern, table->tensors[i].name)) return true;
    return false;
}

/* That every pattern freezes something, and that something is left to train. */
static dt_status check_freeze(const dt_table *table, const dt_yaml *freeze) {
    for (const dt_yaml *pattern = freeze ? freeze->first : NULL; pattern; pattern = pattern->next)
        if (!fits_any(table, pattern->text))
            return dt_fail(
                DT_ERR_INPUT,
                "%s%s: no tensor of the model fits \"%s\" of model.freeze; they are %s to %s (dtrain inspect "
                "lists those of a checkpoint)",
                dt_source_noun(pattern->source), pattern->source, pattern->text, table->tensors[0].name,
                table->tensors[table->count - 1].name);
    for (int i = 0; i < table->count; i++)
        if (!(table->tensors[i].flags & (DT_TENSOR_STATISTIC | DT_TENSOR_FROZEN))) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "%s%s: model.freeze leaves nothing to train", dt_source_noun(freeze->source),
                   freeze->source);
}

/* As many positions as fill a second-level cache with outputs, but enough for a product to be worth its weights. */
#define CHUNK_OUTPUTS (INT64_C(1) << 18)
#define CHUNK_LEAST 256

/* Positions whose outputs are computed at once, when they are computed in chunks. */
static int64_t chunk_of(const dt_model *model, int64_t width) {
    int64_t chunk = CHUNK_OUTPUTS / width, all = model->spec.rows * model->spec.targets;
    if (chunk < CHUNK_LEAST) chunk = CHUNK_LEAST;
    return chunk < all ? chunk : all;
}

static dt_status plan_head(dt_model *model, dt_plan *plan) {
    const dt_layer *last = model->sequence.head;
    if (!last) return dt_ok();
    int64_t width = dt_shape_last(&last->out);
    model->chunk = chunk_of(model, width);
    model->head = *last;
    model->head.in = (dt_shape){1, {dt_shape_last(&last->in)}};
    model->head.out = (dt_shape){1, {width}};
    model->head.flops = last->flops / (double)model->spec.targets;
    /* A row of the plan is a sample: as many as hold the chunk. */
    return dt_plan_memory(plan, &model->logits, (model->chunk + model->spec.rows - 1) / model->spec.rows * width);
}

/* Everything that is planned, then the arena. */
static dt_status build(dt_model *model, dt_plan *plan, const dt_yaml *layers) {
    const dt_model_spec *spec = &model->spec;
    DT_TRY(check_input(&spec->input));
    DT_TRY(dt_sequence_decode(&model->sequence, layers, "model.layers"));
    model->sequence.chunks_head = spec->targets > 1 && !spec->whole && !spec->adjoint && !spec->clips;
    DT_TRY(dt_sequence_plan(&model->sequence, plan, "", &spec->input, spec->adjoint));
    dt_table_settle(&model->table);
    const dt_layer *last = &model->sequence.layers[model->sequence.count - 1];
    if (!has_weights(&model->table))
        return dt_layer_fail(last, "no layer up to this last one has anything to train; add one, as in `- dense: 10`");
    if (spec->training && spec->freeze) DT_TRY(check_freeze(&model->table, spec->freeze));
    const dt_shape *out = &last->out;
    while (last->view && last > model->sequence.layers) last--;
    DT_TRY(dt_loss_check(&model->loss, last, out, spec));
    model->outputs = dt_shape_count(&last->out);
    model->state_width = plan->state_width;
    model->bounded = plan->bounded;
    model->trace = dt_trace_kind("loss", "loss");
    DT_TRY(plan_head(model, plan));
    if (spec->training && !spec->adjoint && model->sequence.keeps_output && !model->sequence.head)
        DT_TRY(dt_plan_memory(plan, &model->dy, model->outputs));
    if (spec->clips) {
        DT_TRY(dt_plan_memory(plan, &model->squares, sizeof(double) / sizeof *model->squares));
        DT_TRY(dt_plan_memory(plan, &model->factors, 1));
    }
    DT_TRY(dt_plan_bind(plan, &model->arena));
    model->bytes = plan->total * sizeof *model->arena;
    return dt_ok();
}

dt_status dt_model_create(dt_model **out, const dt_yaml *layers, const dt_recipe_loss *loss, const dt_model_spec *spec,
                          const dt_kernels *kernels) {
    *out = NULL;
    if (spec->rows < 1) return dt_fail(DT_ERR_INPUT, "a batch of %lld samples is too small", (long long)spec->rows);
    dt_model *model = dt_alloc(1, sizeof *model);
    if (!model) return dt_fail_memory("a model", sizeof *model);
    model->loss = *loss;
    model->kernels = kernels;
    model->spec = *spec;
    model->sequence.outermost = true;
    dt_plan plan = {.table = &model->table, .spec = &model->spec};
    dt_status status = build(model, &plan, layers);
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
void dt_model_each_layer(const dt_model *model, dt_layer_visitor visit, void *context) {
    dt_sequence_each_layer(&model->sequence, visit, context);
}
/* The first layer that has any gives no gradient of its input. */
static bool add_flops(void *context, const dt_layer *layer, const char *name, const dt_shape *out) {
    double *flops = context;
    (void)name, (void)out;
    *flops += layer->flops * (*flops > 0 ? 3 : 2);
    return true;
}

double dt_model_flops(const dt_model *model) {
    double flops = 0;
    dt_model_each_layer(model, add_flops, &flops);
    return flops;
}

int64_t dt_model_outputs(const dt_model *model) {
    return model->outputs;
}
dt_shape dt_model_output_shape(const dt_model *model) {
    return model->sequence.layers[model->sequence.count - 1].out;
}
size_t dt_model_memory(const dt_model *model) {
    return model->bytes;
}
int64_t dt_model_state_width(const dt_model *model) {
    return model->state_width;
}
bool dt_model_bounded(const dt_model *model) {
    return model->bounded;
}
int64_t dt_model_chunk(const dt_model *model) {
    return model->chunk;
}

dt_status dt_model_resolved(const dt_model *model, dt_yaml **out) {
    const dt_sequence *sequence = &model->sequence;
    *out = dt_yaml_new(DT_YAML_LIST, "layers", NULL, sequence->layers[0].source);
    if (!*out) return dt_fail_memory("the resolved layers", sizeof **out);
    dt_status status = dt_sequence_encode(sequence, *out);
    if (status.code == DT_OK) return status;
    dt_yaml_destroy(*out);
    *out = NULL;
    return status;
}

void dt_model_parts(const dt_model *model, size_t *most, int *kept) {
    const dt_sequence *sequence = &model->sequence;
    size_t end = model->table.trained;
    *most = 0;
    *kept = -1;
    for (int i = sequence->count - 1; i >= 0; i--) {
        const dt_layer *layer = &sequence->layers[i];
        size_t own = end - layer->begin;
        if (dt_layer_begins_kept(layer)) own -= model->table.tensors[layer->param[0]].count;
        if (own > *most) *most = own;
        end = layer->begin;
    }
    for (int i = 0, trained = 0; i < model->table.count; i++) {
        unsigned flags = model->table.tensors[i].flags;
        if (flags & DT_TENSOR_FROZEN) continue;
        if (flags & DT_TENSOR_SHARED) *kept = trained;
        trained++;
    }
}

void dt_model_init(const dt_model *model, dt_real *weights, uint64_t seed) {
    memset(weights, 0, model->table.total * sizeof *weights);
    dt_sequence_init(&model->sequence, weights, seed);
}

/* The pass of a batch through this model. */
static dt_pass pass_through(const dt_model *model, dt_pass pass, const dt_real *x) {
    assert(pass.rows <= model->spec.rows);
    assert(pass.weights16 || !model->spec.bf16);
    pass.kernels = model->kernels;
    pass.training = pass.training && model->spec.training;
    pass.adjoint = model->spec.adjoint;
    pass.tokens = model->spec.ids > 0 ? x : NULL;
    pass.positions = dt_shape_count(&model->spec.input);
    pass.state_stride = model->state_width;
    return pass;
}

/* The last layer alone, a chunk of the positions at a time: what it gives is never there as a whole. */
static void show_head(const dt_model *model, dt_pass pass, const dt_real *x) {
    const dt_layer *head = &model->head;
    int64_t positions = pass.rows * model->spec.targets, width = head->in.dim[0];
    for (int64_t at = 0; at < positions; at += model->chunk) {
        pass.rows = positions - at < model->chunk ? positions - at : model->chunk;
        dt_alive();
        head->kind->forward(head, &pass, x + at * width, model->logits);
        pass.judged(pass.judged_context, model->logits, NULL, pass.rows, head->out.dim[0]);
    }
}

/* The last layer and the loss, a chunk of the batch's positions at a time: what it gives is never there as a whole.
 * With gradients, dx[positions, in] is what the layers before go back from. */
static void run_head(const dt_model *model, dt_pass pass, const dt_batch *batch, const dt_real *x, dt_real *dx,
                     dt_tally *tally) {
    const dt_layer *head = &model->head;
    int64_t positions = batch->rows * model->spec.targets, width = head->in.dim[0];
    pass = dt_pass_of_layer(&pass, head);
    for (int64_t at = 0; at < positions; at += model->chunk) {
        pass.rows = positions - at < model->chunk ? positions - at : model->chunk;
        dt_alive();
        double began = dt_trace_begin();
        head->kind->forward(head, &pass, x + at * width, model->logits);
        if (pass.training) dt_trace_end(head->trace[0], began, head->flops * (double)pass.rows);
        began = dt_trace_begin();
        dt_batch chunk = {
            .rows = pass.rows, .weights = batch->weights ? batch->weights + at : NULL, .labels = batch->labels + at};
        if (pass.judged) pass.judged(pass.judged_context, model->logits, &chunk, chunk.rows, head->out.dim[0]);
        dt_loss_run(&model->loss, model->kernels, model->logits, &chunk, head->out.dim[0], pass.training, tally);
        if (!pass.training) continue;
        dt_trace_end(model->trace, began, 0);
        began = dt_trace_begin();
        head->kind->backward(head, &pass, x + at * width, model->logits, model->logits, dx ? dx + at * width : NULL);
        dt_trace_end(head->trace[1], began, (dx ? 2 : 1) * head->flops * (double)pass.rows);
        pass.accumulate = true;
    }
    if (!pass.training) return;
    if (pass.ready) pass.ready(pass.ready_context, head->begin, INFINITY);
}

/* The way back that finds each sample's norm, and then the sum of what is left of them. */
static void backward_clipped(const dt_model *model, dt_pass pass, const dt_real *x, dt_real *dy) {
    pass.squares = (double *)(void *)model->squares;
    memset(pass.squares, 0, (size_t)pass.rows * sizeof *pass.squares);
    dt_sequence_backward(&model->sequence, &pass, x, dy, false);
    dt_per_sample_factors(model->factors, pass.squares, pass.rows, pass.clip);
    pass.squares = NULL;
    dt_sequence_sum_samples(&model->sequence, &pass, model->factors);
}

void dt_model_train(dt_model *model, dt_pass pass, const dt_batch *batch, dt_tally *tally) {
    assert(model->spec.training);
    pass.training = true;
    pass.rows = batch->rows;
    pass.first = batch->first;
    pass = pass_through(model, pass, batch->x);
    if (batch->rows == 0) { /* a shard without a sample has a gradient too: zero */
        if (!pass.accumulate) memset(pass.grads, 0, model->table.trained * sizeof *pass.grads);
        return;
    }
    dt_real *dy = (dt_real *)dt_sequence_forward(&model->sequence, &pass, batch->x);
    if (model->sequence.head) {
        run_head(model, pass, batch, dy, model->sequence.gradient[0], tally);
        dy = model->sequence.gradient[0];
    } else {
        if (model->dy) dy = memcpy(model->dy, dy, (size_t)(batch->rows * model->outputs) * sizeof *dy);
        double began = dt_trace_begin();
        dt_loss_run(&model->loss, model->kernels, dy, batch, model->outputs, true, tally);
        dt_trace_end(model->trace, began, 0);
    }
    if (model->spec.clips)
        backward_clipped(model, pass, batch->x, dy);
    else
        dt_sequence_backward(&model->sequence, &pass, batch->x, dy, false);
}

void dt_model_evaluate(dt_model *model, dt_pass pass, const dt_batch *batch, dt_tally *tally) {
    pass.training = false;
    pass.rows = batch->rows;
    pass.first = batch->first;
    pass = pass_through(model, pass, batch->x);
    dt_real *output = (dt_real *)dt_sequence_forward(&model->sequence, &pass, batch->x);
    if (model->sequence.head) run_head(model, pass, batch, output, NULL, tally);
    if (model->sequence.head) return;
    int64_t positions = batch->targets > 1 ? batch->targets : 1;
    if (pass.judged)
        pass.judged(pass.judged_context, output, batch, batch->rows * positions, model->outputs / positions);
    /* the loss leaves the outputs alone when no gradient is asked for */
    dt_loss_run(&model->loss, model->kernels, output, batch, model->outputs, false, tally);
}

const dt_real *dt_model_forward(dt_model *model, dt_pass pass, const dt_real *x) {
    pass = pass_through(model, pass, x);
    const dt_real *output = dt_sequence_forward(&model->sequence, &pass, x);
    return model->sequence.head ? NULL : output;
}

void dt_model_show(dt_model *model, dt_pass pass, const dt_real *x) {
    pass = pass_through(model, pass, x);
    const dt_real *output = dt_sequence_forward(&model->sequence, &pass, x);
    int64_t positions = model->spec.targets > 1 ? model->spec.targets : 1;
    if (model->sequence.head)
        show_head(model, pass, output);
    else
        pass.judged(pass.judged_context, output, NULL, pass.rows * positions, model->outputs / positions);
}

const dt_real *dt_model_forward_to_return(dt_model *model, dt_pass pass, const dt_real *x) {
    assert(model->spec.adjoint);
    pass.training = true;
    return dt_model_forward(model, pass, x);
}

const dt_real *dt_model_backward(dt_model *model, dt_pass pass, const dt_real *x, dt_real *dy) {
    assert(model->spec.adjoint);
    pass.training = true;
    pass = pass_through(model, pass, x);
    return dt_sequence_backward(&model->sequence, &pass, x, dy, true);
}

const char *dt_model_overflowing_layer(dt_model *model, dt_pass pass, const dt_real *x) {
    pass.rows = 1;
    dt_model_forward(model, pass, x);
    for (int i = 0; i < model->sequence.count; i++) {
        const dt_layer *layer = &model->sequence.layers[i];
        int64_t count = dt_shape_count(&layer->out);
        if (layer->output && !isfinite(model->kernels->sum_squares(layer->output, count))) return layer->name;
    }
    return NULL;
}
