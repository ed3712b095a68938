/* Recurrent layers: simple_rnn, gru and lstm, one or several stacked, over series [positions, channels] or token ids
 * [positions]. The formulas are at dt_cell (compute.h). There is one bias for both products, for two would be trained
 * as their sum; but the GRU's candidate has a second one, for what the reset gate is applied to. */
#include "recurrent.h"

#include <stdio.h>

#include "base/memory.h"
#include "init.h"

#define FIELD(name) .key = #name, .offset = offsetof(dt_recurrent_config, name)

#define COMMON_FIELDS                                                                                                  \
    {FIELD(units),                                                                                                     \
     .type = DT_FIELD_INT,                                                                                             \
     .min = 1,                                                                                                         \
     .max = 65536,                                                                                                     \
     .flags = DT_FIELD_REQUIRED | DT_FIELD_SHORTHAND | DT_FIELD_ARITHMETIC,                                            \
     .help = "numbers in the state, and given at each position"},                                                      \
        {FIELD(layers),                                                                                                \
         .type = DT_FIELD_INT,                                                                                         \
         .fallback = "1",                                                                                              \
         .min = 1,                                                                                                     \
         .max = DT_RECURRENT_STACKS,                                                                                   \
         .flags = DT_FIELD_ARITHMETIC,                                                                                 \
         .help = "how many are stacked, each reading what the one below gives"},                                       \
        {FIELD(dropout),                                                                                               \
         .type = DT_FIELD_REAL,                                                                                        \
         .fallback = "0",                                                                                              \
         .min = 0,                                                                                                     \
         .max = 1,                                                                                                     \
         .flags = DT_FIELD_BELOW | DT_FIELD_ARITHMETIC,                                                                \
         .help = "share of what one gives to the one above that is set to zero in training"},                          \
        {FIELD(last), .type = DT_FIELD_BOOL, .fallback = "false", .flags = DT_FIELD_ARITHMETIC,                        \
         .help = "give the last position only, [units]; to tell classes of whole series"},                             \
        {FIELD(carry), .type = DT_FIELD_BOOL, .fallback = "true", .flags = DT_FIELD_ARITHMETIC,                        \
         .help = "with data.windows stream: a window goes on from the state the one before it left; else from zeros"}, \
        {FIELD(bias), .type = DT_FIELD_BOOL, .fallback = "true", .flags = DT_FIELD_ARITHMETIC,                         \
         .help = "whether there is a b"},                                                                              \
        {FIELD(init),                                                                                                  \
         .type = DT_FIELD_CHOICE,                                                                                      \
         .fallback = "auto",                                                                                           \
         .choices = dt_init_names,                                                                                     \
         .flags = DT_FIELD_ARITHMETIC,                                                                                 \
         .help = "initial w_in and w_state; auto is glorot_uniform, of each gate by itself"},                          \
    {                                                                                                                  \
        FIELD(std), .type = DT_FIELD_REAL, .fallback = "0.01", .min = 0, .max = 1e6,                                   \
                    .flags = DT_FIELD_ARITHMETIC | DT_FIELD_ABOVE, .help = "standard deviation of init: normal"        \
    }

static const dt_field fields[] = {
    COMMON_FIELDS,
    DT_LAYER_NAME_FIELD,
    {.key = NULL},
};

static const dt_field lstm_fields[] = {
    COMMON_FIELDS,
    {FIELD(forget_bias), .type = DT_FIELD_REAL, .fallback = "1", .min = -1e6, .max = 1e6, .flags = DT_FIELD_ARITHMETIC,
     .help = "initial b of the gate that keeps the state; 1 lets it keep more than it forgets at first"},
    DT_LAYER_NAME_FIELD,
    {.key = NULL},
};

static const int64_t gates_of[] = {[DT_CELL_RNN] = 1, [DT_CELL_GRU] = 3, [DT_CELL_LSTM] = 4};

static dt_status plan_params(dt_layer *layer, dt_plan *plan, dt_recurrent_stack *s, int number, bool bias) {
    const dt_recurrent *net = layer->state;
    char name[32];
    s->b = s->b_state = -1;
    s->w_in = layer->param_count;
    snprintf(name, sizeof name, "w_in%d", number);
    DT_TRY(dt_plan_param(plan, layer, name, &(dt_shape){2, {s->in, net->cols}}, DT_TENSOR_DECAY));
    s->w_state = layer->param_count;
    snprintf(name, sizeof name, "w_state%d", number);
    DT_TRY(dt_plan_param(plan, layer, name, &(dt_shape){2, {net->units, net->cols}}, DT_TENSOR_DECAY));
    if (!bias) return dt_ok();
    s->b = layer->param_count;
    snprintf(name, sizeof name, "b%d", number);
    DT_TRY(dt_plan_param(plan, layer, name, &(dt_shape){1, {net->cols}}, 0));
    if (net->kind != DT_CELL_GRU) return dt_ok();
    s->b_state = layer->param_count;
    snprintf(name, sizeof name, "b_state%d", number);
    return dt_plan_param(plan, layer, name, &(dt_shape){1, {net->units}}, 0);
}

static dt_status plan_bf16(dt_plan *plan, dt_real **where, int64_t per_row) {
    return dt_plan_memory(plan, where, (per_row + 1) / 2);
}

static dt_status plan_stack(dt_layer *layer, dt_plan *plan, int i) {
    const dt_recurrent_config *config = layer->config;
    dt_recurrent *net = layer->state;
    dt_recurrent_stack *s = &net->stacks[i];
    int64_t positions = net->positions, units = net->units;
    if (i > 0) s->in = units;
    DT_TRY(plan_params(layer, plan, s, i + 1, config->bias));
    bool multiplies = i > 0 || !net->ids;
    if (multiplies) DT_TRY(dt_linear_plan(&s->linear, plan, layer, s->w_in, false, positions));
    bool copies = i > 0 ? config->dropout > 0 && dt_plan_training(plan) : multiplies;
    if (copies) DT_TRY(dt_plan_memory(plan, &s->x, positions * s->in));
    DT_TRY(dt_plan_memory(plan, &s->gates, positions * net->cols));
    DT_TRY(dt_plan_memory(plan, &s->h, (1 + positions) * units));
    if (net->kind == DT_CELL_LSTM) DT_TRY(dt_plan_memory(plan, &s->c, (1 + positions) * units));
    if (net->kind == DT_CELL_GRU) DT_TRY(dt_plan_memory(plan, &s->hidden, positions * units));
    layer->flops += 2.0 * (double)positions * (double)((multiplies ? s->in : 0) + units) * (double)net->cols;
    if (!net->bf16) return dt_ok();
    DT_TRY(plan_bf16(plan, &s->h16, (1 + positions) * units));
    if (!dt_plan_training(plan)) return dt_ok();
    DT_TRY(plan_bf16(plan, &s->gates16, positions * net->cols));
    return net->kind == DT_CELL_GRU ? plan_bf16(plan, &s->hidden16, positions * units) : dt_ok();
}

/* Never more than has been asked for above, so the sums cannot overflow. */
static dt_status plan_workspace(dt_layer *layer, dt_plan *plan) {
    dt_recurrent *net = layer->state;
    bool training = dt_plan_training(plan);
    size_t rows = (size_t)dt_plan_rows(plan), units = (size_t)net->units, positions = (size_t)net->positions;
    net->dc = training ? (1 + positions) * rows * units : 0;
    net->product = net->dc + (training ? rows * units : 0);
    net->dx = net->product + rows * (size_t)net->cols;
    net->turned = net->dx + (training && !net->ids ? positions * rows * (size_t)net->stacks[0].in : 0);
    net->turned = (net->turned + 15) / 16 * 16; /* a vector's boundary, and a pointer's */
    net->input = net->turned + (training ? (size_t)(net->cols * net->units + 15) / 16 * 16 : 0);
    return dt_plan_workspace(plan, layer, net->input * sizeof(dt_real) + rows * sizeof(dt_real *));
}

static dt_status check_input(const dt_layer *layer) {
    if (layer->in.rank == 2 || layer->in.rank == 1) return dt_ok();
    char text[96];
    dt_shape_text(&layer->in, text);
    return dt_layer_fail(layer, "reads series, [positions, channels], and not %s", text);
}

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    const dt_recurrent_config *config = layer->config;
    const dt_model_spec *spec = dt_plan_spec(plan);
    dt_recurrent *net = layer->state = dt_alloc(1, sizeof *net);
    if (!net) return dt_fail_memory("a recurrent layer", sizeof *net);
    DT_TRY(check_input(layer));
    net->kind = (dt_cell_kind)layer->kind->variant;
    net->units = config->units;
    net->cols = config->units * gates_of[net->kind];
    net->positions = layer->in.dim[0];
    net->ids = spec->ids > 0 && layer->in.rank == 1 && layer->index == 0;
    net->bf16 = spec->bf16;
    net->carries = config->carry || spec->decoding > 0;
    net->count = (int)config->layers;
    net->stacks[0].in = net->ids ? spec->ids : layer->in.rank == 2 ? layer->in.dim[1] : 1;
    if (net->carries)
        DT_TRY(
            dt_plan_recurrent_state(plan, layer, config->layers * config->units * (net->kind == DT_CELL_LSTM ? 2 : 1)));
    for (int i = 0; i < net->count; i++) DT_TRY(plan_stack(layer, plan, i));
    /* What is read where there is no bias, and written in place of its gradient. */
    DT_TRY(dt_plan_fixed(plan, layer, net->cols));
    DT_TRY(dt_plan_fixed(plan, layer, net->cols));
    layer->out = (dt_shape){2, {net->positions, net->units}};
    if (config->last) layer->out = (dt_shape){1, {net->units}};
    layer->positionwise = spec->decoding > 0 && !config->last;
    return plan_workspace(layer, plan);
}

static void init(const dt_layer *layer, dt_real *weights, uint64_t seed) {
    const dt_recurrent_config *config = layer->config;
    const dt_recurrent *net = layer->state;
    dt_init how = config->init == DT_INIT_AUTO ? DT_INIT_GLOROT_UNIFORM : (dt_init)config->init;
    for (int i = 0; i < net->count; i++) {
        const dt_recurrent_stack *s = &net->stacks[i];
        const int params[] = {s->w_in, s->w_state};
        const int64_t fan_in[] = {s->in, net->units};
        for (int p = 0; p < 2; p++)
            dt_init_fill(DT_PARAM(layer, weights, params[p]), (size_t)(fan_in[p] * net->cols), how, fan_in[p],
                         net->units, 1, config->std, seed, layer->param[params[p]]);
        if (net->kind != DT_CELL_LSTM || s->b < 0) continue;
        dt_real *forget = DT_PARAM(layer, weights, s->b) + net->units;
        for (int64_t j = 0; j < net->units; j++) forget[j] = (dt_real)config->forget_bias;
    }
}

const dt_layer_kind dt_layer_rnn = {
    .name = "simple_rnn",
    .help = "recurrent: at each position h = tanh(x w_in + h w_state + b)",
    .fields = fields,
    .config_size = sizeof(dt_recurrent_config),
    .variant = DT_CELL_RNN,
    .plan = plan,
    .init = init,
    .forward = dt_recurrent_forward,
    .backward = dt_recurrent_backward,
};

const dt_layer_kind dt_layer_gru = {
    .name = "gru",
    .help = "recurrent, with gates that reset and update the state (r z n); the reset one works on h w_state",
    .fields = fields,
    .config_size = sizeof(dt_recurrent_config),
    .variant = DT_CELL_GRU,
    .plan = plan,
    .init = init,
    .forward = dt_recurrent_forward,
    .backward = dt_recurrent_backward,
};

const dt_layer_kind dt_layer_lstm = {
    .name = "lstm",
    .help = "recurrent, with a memory and gates that write, keep and read it (i f g o)",
    .fields = lstm_fields,
    .config_size = sizeof(dt_recurrent_config),
    .variant = DT_CELL_LSTM,
    .plan = plan,
    .init = init,
    .forward = dt_recurrent_forward,
    .backward = dt_recurrent_backward,
};
