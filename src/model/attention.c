/* Multi-head self-attention, softmax(q k^T/sqrt(size)) v per head between two products with weights (Vaswani et al.
 * 2017, section 3.2.2), with heads of keys and values that several heads of queries share if so asked (grouped queries;
 * Ainslie et al. 2023), and positions as rotations (RoFormer; Su et al. 2021). Queries, keys and values are one product
 * and one array; the attention between is one kernel each way, which keeps a number for each query and no matrix, so
 * memory is linear in the number of positions.
 *
 * When decoding, the layer keeps the keys and values of the positions before: a position then costs what it sees. */
#include <math.h>

#include "base/memory.h"
#include "base/transcendental.h"
#include "init.h"
#include "linear.h"
#include "plan.h"

typedef struct attention_config {
    dt_layer_common common;
    int64_t heads, kv_heads;
    bool causal, rotary, bias;
    double rotary_base;
    int init; /* dt_init */
    double std, out_std;
} attention_config;

/* What plan computes; qkv and the like are what the scratch is for. */
typedef struct attention_state {
    dt_linear project, leave;
    dt_attention shape; /* of one row */
    bool masked;        /* where there are tokens, those below 0 are padding */
    dt_real *turns;     /* [positions, size]: see dt_kernels.rotate; NULL without rotary */
} attention_state;

enum { QKV, HEADS, LOG_SUM, KEYS = LOG_SUM, VALUES }; /* scratch; the log sums are for training, keys for decoding */

#define FIELD(name) .key = #name, .offset = offsetof(attention_config, name)

static const dt_field fields[] = {
    {FIELD(heads), .type = DT_FIELD_INT, .min = 1, .max = 0x1p31,
     .flags = DT_FIELD_REQUIRED | DT_FIELD_SHORTHAND | DT_FIELD_ARITHMETIC,
     .help = "heads; the channels are divided among them"},
    {FIELD(kv_heads), .type = DT_FIELD_INT, .fallback = "0", .min = 0, .max = 0x1p31, .flags = DT_FIELD_ARITHMETIC,
     .help = "heads of keys and values, each for heads/kv_heads heads of queries; 0: as many as heads"},
    {FIELD(causal), .type = DT_FIELD_BOOL, .fallback = "true", .flags = DT_FIELD_ARITHMETIC,
     .help = "whether a position sees itself and those before only; else all that are not padding"},
    {FIELD(rotary), .type = DT_FIELD_BOOL, .fallback = "false", .flags = DT_FIELD_ARITHMETIC,
     .help = "whether queries and keys are turned by their positions; channels i and i + half of a head are a pair"},
    {FIELD(rotary_base), .type = DT_FIELD_REAL, .fallback = "10000", .min = 1, .max = 1e12,
     .flags = DT_FIELD_ARITHMETIC | DT_FIELD_ABOVE, .help = "pair i of a head of d turns by base^(-2i/d) a position"},
    {FIELD(bias), .type = DT_FIELD_BOOL, .fallback = "true", .flags = DT_FIELD_ARITHMETIC,
     .help = "whether a term follows both products"},
    {FIELD(init), .type = DT_FIELD_CHOICE, .fallback = "auto", .choices = dt_init_names, .flags = DT_FIELD_ARITHMETIC,
     .help = "initial w_qkv and w_out; auto is glorot_uniform"},
    {FIELD(std), .type = DT_FIELD_REAL, .fallback = "0.01", .min = 0, .max = 1e6,
     .flags = DT_FIELD_ARITHMETIC | DT_FIELD_ABOVE, .help = "standard deviation of init: normal"},
    {FIELD(out_std), .type = DT_FIELD_REAL, .fallback = "0", .min = 0, .max = 1e6, .flags = DT_FIELD_ARITHMETIC,
     .help = "the same of w_out; 0: as std"},
    DT_LAYER_NAME_FIELD,
    {.key = NULL},
};

static int64_t qkv_width(const dt_attention *shape) {
    return (shape->heads + 2 * shape->kv_heads) * shape->size;
}

static dt_status check_shape(const dt_layer *layer, const dt_model_spec *spec) {
    const attention_config *config = layer->config;
    int64_t channels = dt_shape_last(&layer->in), kv_heads = config->kv_heads ? config->kv_heads : config->heads;
    char text[96];
    dt_shape_text(&layer->in, text);
    if (layer->in.rank != 2)
        return dt_layer_fail(
            layer, "its input has the shape %s; attention is between the positions of [positions, channels]", text);
    if (channels % config->heads != 0)
        return dt_layer_fail(layer,
                             "%lld channels cannot be divided among %lld heads; choose a number that divides them",
                             (long long)channels, (long long)config->heads);
    if (config->heads % kv_heads != 0)
        return dt_layer_fail(layer, "kv_heads is %lld, which does not divide heads, %lld", (long long)kv_heads,
                             (long long)config->heads);
    if (config->rotary && channels / config->heads % 2 != 0)
        return dt_layer_fail(layer,
                             "rotary turns pairs of channels, and a head has %lld of them; choose heads so that it is "
                             "even",
                             (long long)(channels / config->heads));
    if (spec->decoding > 0 && layer->in.dim[0] != 1)
        return dt_layer_fail(layer, "its input has the shape %s; decoding goes position by position", text);
    return dt_ok();
}

/* Cosines and sines of every position, computed in double. */
static dt_status plan_turns(attention_state *state, double base) {
    int64_t size = state->shape.size, half = size / 2, positions = state->shape.positions;
    size_t count;
    if (!dt_size_mul((size_t)positions, (size_t)size, &count) ||
        !(state->turns = dt_alloc(count, sizeof *state->turns)))
        return dt_fail_memory("rotary positions", (unsigned long long)positions * (unsigned long long)size);
    for (int64_t t = 0; t < positions; t++) {
        for (int64_t i = 0; i < half; i++) {
            double angle = (double)t * dt_pow(base, -2.0 * (double)i / (double)size);
            state->turns[t * size + i] = (dt_real)dt_cos(angle);
            state->turns[t * size + half + i] = (dt_real)dt_sin(angle);
        }
    }
    return dt_ok();
}

static dt_status plan_params(dt_layer *layer, dt_plan *plan, int64_t channels) {
    const attention_config *config = layer->config;
    attention_state *state = layer->state;
    int64_t width = qkv_width(&state->shape);
    DT_TRY(dt_plan_param(plan, layer, "w_qkv", &(dt_shape){2, {channels, width}}, DT_TENSOR_DECAY));
    if (config->bias) DT_TRY(dt_plan_param(plan, layer, "b_qkv", &(dt_shape){1, {width}}, 0));
    DT_TRY(dt_plan_param(plan, layer, "w_out", &(dt_shape){2, {channels, channels}}, DT_TENSOR_DECAY));
    if (config->bias) DT_TRY(dt_plan_param(plan, layer, "b_out", &(dt_shape){1, {channels}}, 0));
    DT_TRY(dt_linear_plan(&state->project, plan, layer, 0, false, layer->in.dim[0]));
    return dt_linear_plan(&state->leave, plan, layer, config->bias ? 2 : 1, false, layer->in.dim[0]);
}

static dt_status plan_memory(dt_layer *layer, dt_plan *plan) {
    attention_state *state = layer->state;
    const dt_attention *shape = &state->shape;
    bool decoding = dt_plan_spec(plan)->decoding > 0, training = dt_plan_training(plan);
    int64_t here = layer->in.dim[0], pairs = shape->kv_heads * shape->size;
    DT_TRY(dt_plan_scratch(plan, layer, here * qkv_width(shape)));
    DT_TRY(dt_plan_scratch(plan, layer, dt_shape_count(&layer->in)));
    if (training) DT_TRY(dt_plan_scratch(plan, layer, shape->heads * shape->positions));
    for (int i = 0; decoding && i < 2; i++) DT_TRY(dt_plan_scratch(plan, layer, shape->positions * pairs));
    int64_t back = training ? here * qkv_width(shape) + dt_shape_count(&layer->in) : 0; /* dqkv and that of heads */
    size_t rows, bytes, work;
    if (!dt_size_mul((size_t)dt_attention_work(shape->positions, shape->size, training), (size_t)dt_threads(), &work))
        return dt_layer_fail(layer, "it is beyond any memory");
    if (!dt_size_mul((size_t)dt_plan_rows(plan), (size_t)back, &rows) || __builtin_add_overflow(rows, work, &rows) ||
        !dt_size_mul(rows, sizeof(dt_real), &bytes))
        return dt_layer_fail(layer, "its gradients are beyond any memory");
    return dt_plan_workspace(plan, layer, bytes);
}

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    const attention_config *config = layer->config;
    const dt_model_spec *spec = dt_plan_spec(plan);
    DT_TRY(check_shape(layer, spec));
    attention_state *state = layer->state = dt_alloc(1, sizeof *state);
    if (!state) return dt_fail_memory("an attention layer", sizeof *state);
    int64_t channels = dt_shape_last(&layer->in), positions = dt_plan_positions(plan, layer);
    state->shape = (dt_attention){.rows = 1,
                                  .positions = positions,
                                  .heads = config->heads,
                                  .kv_heads = config->kv_heads ? config->kv_heads : config->heads,
                                  .size = channels / config->heads,
                                  .causal = config->causal};
    state->masked = !config->causal && dt_shape_count(&spec->input) == positions;
    if (config->rotary) DT_TRY(plan_turns(state, config->rotary_base));
    DT_TRY(plan_params(layer, plan, channels));
    DT_TRY(plan_memory(layer, plan));
    layer->out = layer->in;
    layer->reads_input = true;
    layer->positionwise = spec->decoding > 0 && config->causal;
    double seen = config->causal ? ((double)positions + 1) / 2 : (double)positions, here = (double)layer->in.dim[0];
    layer->flops =
        here * (2.0 * (double)channels * (double)(qkv_width(&state->shape) + channels) + 4.0 * (double)channels * seen);
    return dt_ok();
}

static void finish(dt_layer *layer) {
    dt_free(((attention_state *)layer->state)->turns);
}

static void init(const dt_layer *layer, dt_real *weights, uint64_t seed) {
    const attention_config *config = layer->config;
    const attention_state *state = layer->state;
    dt_init how = config->init != DT_INIT_AUTO ? (dt_init)config->init : DT_INIT_GLOROT_UNIFORM;
    const dt_linear *products[] = {&state->project, &state->leave};
    const double std[] = {config->std, config->out_std > 0 ? config->out_std : config->std};
    for (int i = 0; i < 2; i++) {
        const dt_linear *w = products[i];
        dt_init_fill(DT_PARAM(layer, weights, w->param), (size_t)(w->in * w->out), how, w->in, w->out, 1, std[i], seed,
                     layer->param[w->param]);
    }
}

/* The shape of this pass. */
static dt_attention shape_of(const attention_state *state, const dt_pass *pass) {
    dt_attention shape = state->shape;
    shape.rows = pass->rows;
    shape.tokens = state->masked ? pass->tokens : NULL;
    return shape;
}

/* The term that follows a product, if there is one. */
static void add_bias(const dt_layer *layer, const dt_pass *pass, const dt_linear *product, dt_real *y, int64_t rows) {
    const attention_config *config = layer->config;
    const dt_real *b = config->bias ? DT_PARAM(layer, pass->weights, product->param + 1) : NULL;
    pass->kernels->bias_activate(y, NULL, b, rows, product->out, DT_LINEAR, 0);
}

static void sum_bias(const dt_layer *layer, const dt_pass *pass, const dt_linear *product, dt_real *dy, int64_t rows) {
    const attention_config *config = layer->config;
    dt_real *db = config->bias ? dt_param_gradient(layer, pass, product->param + 1) : NULL;
    pass->kernels->activate_backward(dy, db, NULL, NULL, rows, product->out, DT_LINEAR, 0, pass->accumulate);
}

/* One position of each row, with the keys and values of those before at hand. */
static void attend_place(const dt_layer *layer, const dt_pass *pass) {
    const attention_state *state = layer->state;
    dt_attention shape = shape_of(state, pass), alone = shape;
    alone.positions = 1;
    if (state->turns)
        pass->kernels->rotate(layer->scratch[QKV], state->turns + pass->position * shape.size, &alone, false);
    pass->kernels->attend_place(layer->scratch[HEADS], layer->scratch[KEYS], layer->scratch[VALUES],
                                layer->scratch[QKV], &shape, pass->position);
}

static void attend(const dt_layer *layer, const dt_pass *pass) {
    const attention_state *state = layer->state;
    dt_attention shape = shape_of(state, pass);
    if (state->turns) pass->kernels->rotate(layer->scratch[QKV], state->turns, &shape, false);
    pass->kernels->attend(layer->scratch[HEADS], pass->training ? layer->scratch[LOG_SUM] : NULL, layer->scratch[QKV],
                          &shape, layer->workspace);
}

static void forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    const attention_state *state = layer->state;
    int64_t rows = pass->rows * layer->in.dim[0];
    dt_linear_forward(&state->project, layer, pass, x, rows, 0, layer->scratch[QKV]);
    add_bias(layer, pass, &state->project, layer->scratch[QKV], rows);
    if (layer->positionwise)
        attend_place(layer, pass);
    else
        attend(layer, pass);
    dt_linear_forward(&state->leave, layer, pass, layer->scratch[HEADS], rows, 0, y);
    add_bias(layer, pass, &state->leave, y, rows);
}

static void backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx) {
    (void)y;
    const attention_state *state = layer->state;
    dt_attention shape = shape_of(state, pass);
    int64_t rows = pass->rows * layer->in.dim[0];
    dt_real *dqkv = layer->workspace, *dheads = dqkv + rows * state->project.out,
            *work = dheads + rows * state->leave.in;
    sum_bias(layer, pass, &state->leave, dy, rows);
    dt_linear_backward(&state->leave, layer, pass, layer->scratch[HEADS], dy, rows, pass->accumulate, 0, dheads);
    pass->kernels->attend_backward(dqkv, dheads, layer->scratch[HEADS], layer->scratch[LOG_SUM], layer->scratch[QKV],
                                   &shape, work);
    if (state->turns) pass->kernels->rotate(dqkv, state->turns, &shape, true);
    sum_bias(layer, pass, &state->project, dqkv, rows);
    dt_linear_backward(&state->project, layer, pass, x, dqkv, rows, pass->accumulate, 0, dx);
}

const dt_layer_kind dt_layer_attention = {
    .name = "attention",
    .help = "every position of [positions, channels] sees others: multi-head self-attention",
    .fields = fields,
    .config_size = sizeof(attention_config),
    .plan = plan,
    .init = init,
    .forward = forward,
    .backward = backward,
    .by_row = true,
    .finish = finish,
};
