/* Recurrent layers: simple_rnn, gru and lstm, one or several stacked, over series [positions, channels] or token ids
 * [positions]. The formulas are at dt_cell (compute.h). There is one bias for both products, for two would be trained
 * as their sum; but the GRU's candidate has a second one, for what the reset gate is applied to.
 *
 * Inside, everything is time-major, [positions, rows, …]: then a step is one product of [rows, units], of which
 * operands and result are dense, and one kernel, and everything that need not wait for the step before is one product
 * over all positions: the input's share, on the way back the gradients of both weights and of the input. The gradient
 * goes back through the positions of the sample and not beyond them (truncated back-propagation through time, Williams
 * and Peng 1990), whether the state came from an earlier sample or not.
 *
 * Token ids are not multiplied: a one-hot vector's product is a row of the weights, which the kernel adds, and its
 * gradient is added to that row. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "init.h"
#include "linear.h"
#include "plan.h"

#define MAX_STACKED 8

typedef struct recurrent_config {
    dt_layer_common common;
    int64_t units, layers;
    double dropout;
    bool last, carry, bias;
    int init; /* dt_init */
    double std, forget_bias;
} recurrent_config;

#define FIELD(name) .key = #name, .offset = offsetof(recurrent_config, name)

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
         .max = MAX_STACKED,                                                                                           \
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

/* One of those that are stacked. The bfloat16 arrays are asked for as elements of the arena. */
typedef struct stack {
    int64_t in;                    /* channels it reads */
    int w_in, w_state, b, b_state; /* parameters; -1: none */
    dt_linear linear;              /* the input's product, unless it reads ids */
    dt_real *x;                    /* [positions, rows, in]: what it reads, where that is not h of the one below */
    dt_real *gates, *hidden;       /* [positions, rows, …], of dt_cell */
    dt_real *h, *c;                /* [1 + positions, rows, units], from what they were before the first position */
    dt_real *h16, *gates16, *hidden16;
} stack;

typedef struct recurrent {
    dt_cell_kind kind;
    int64_t units, cols, positions; /* cols: of all gates */
    bool ids, bf16, carries, decoding;
    int count;
    stack stacks[MAX_STACKED];
    /* In the workspace, elements: dh[1 + positions, rows, units], dc[rows, units], product[rows, cols], dx[positions,
     * rows, in], W_state turned[cols, units] and input[rows] pointers. */
    size_t dc, product, dx, turned, input;
} recurrent;

static const int64_t gates_of[] = {[DT_CELL_RNN] = 1, [DT_CELL_GRU] = 3, [DT_CELL_LSTM] = 4};

/* ---- planning ----
 */

static dt_status plan_params(dt_layer *layer, dt_plan *plan, stack *s, int number, bool bias) {
    const recurrent *net = layer->state;
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
    const recurrent_config *config = layer->config;
    recurrent *net = layer->state;
    stack *s = &net->stacks[i];
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
    recurrent *net = layer->state;
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
    const recurrent_config *config = layer->config;
    const dt_model_spec *spec = dt_plan_spec(plan);
    recurrent *net = layer->state = dt_alloc(1, sizeof *net);
    if (!net) return dt_fail_memory("a recurrent layer", sizeof *net);
    DT_TRY(check_input(layer));
    net->kind = (dt_cell_kind)layer->kind->variant;
    net->units = config->units;
    net->cols = config->units * gates_of[net->kind];
    net->positions = layer->in.dim[0];
    net->ids = spec->ids > 0 && layer->in.rank == 1 && layer->index == 0;
    net->bf16 = spec->bf16;
    net->decoding = spec->decoding > 0;
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
    layer->pointwise = spec->decoding > 0 && !config->last;
    return plan_workspace(layer, plan);
}

static void init(const dt_layer *layer, dt_real *weights, uint64_t seed) {
    const recurrent_config *config = layer->config;
    const recurrent *net = layer->state;
    dt_init how = config->init == DT_INIT_AUTO ? DT_INIT_GLOROT_UNIFORM : (dt_init)config->init;
    for (int i = 0; i < net->count; i++) {
        const stack *s = &net->stacks[i];
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

/* ---- rows and positions ----
 */

/* [rows, positions, width] to and from [positions, rows, width]. */
static void to_time_major(dt_real *to, const dt_real *from, int64_t rows, int64_t positions, int64_t width) {
    for (int64_t t = 0; t < positions; t++)
        for (int64_t r = 0; r < rows; r++, to += width)
            memcpy(to, from + (r * positions + t) * width, (size_t)width * sizeof *to);
}

static void from_time_major(dt_real *to, const dt_real *from, int64_t rows, int64_t positions, int64_t width) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t t = 0; t < positions; t++, to += width)
            memcpy(to, from + (t * rows + r) * width, (size_t)width * sizeof *to);
}

/* What the rows carry of one stack: h, and behind that of all stacks c. */
static int64_t state_offset(const dt_layer *layer, const recurrent *net, int i, bool c) {
    return layer->state_at + ((c ? net->count : 0) + i) * net->units;
}

static void load_state(const dt_layer *layer, const dt_pass *pass, int i, bool c, dt_real *to) {
    const recurrent *net = layer->state;
    const dt_real *from = net->carries ? pass->state_in : NULL;
    size_t bytes = (size_t)net->units * sizeof *to;
    if (!from) memset(to, 0, (size_t)pass->rows * bytes);
    for (int64_t r = 0; from && r < pass->rows; r++)
        memcpy(to + r * net->units, from + r * pass->state_stride + state_offset(layer, net, i, c), bytes);
}

static void store_state(const dt_layer *layer, const dt_pass *pass, int i, bool c, const dt_real *from) {
    const recurrent *net = layer->state;
    dt_real *to = net->carries ? pass->state_out : NULL;
    for (int64_t r = 0; to && r < pass->rows; r++)
        memcpy(to + r * pass->state_stride + state_offset(layer, net, i, c), from + r * net->units,
               (size_t)net->units * sizeof *to);
}

/* Between stacks: the mask of position t is keyed by layer, stack and position, and by row as everywhere. */
static void drop(const dt_layer *layer, const dt_pass *pass, int i, dt_real *y, const dt_real *x) {
    const recurrent_config *config = layer->config;
    const recurrent *net = layer->state;
    int64_t step = pass->rows * net->units;
    for (int64_t t = 0; t < net->positions; t++) {
        uint64_t key = layer->index | (uint64_t)i << 20 | (uint64_t)t << 24;
        dt_stream stream = dt_stream_at(pass->seed, DT_RANDOM_DROPOUT, pass->step, key);
        pass->kernels->dropout(y + t * step, x + t * step, pass->rows, net->units, (dt_real)config->dropout, stream,
                               pass->first);
    }
}

/* ---- one step ----
 */

static dt_bf16 *halves(dt_real *array, int64_t at) {
    return array ? (dt_bf16 *)(void *)array + at : NULL;
}

/* Place t of a stack. */
static dt_cell cell_at(const dt_layer *layer, const dt_pass *pass, const stack *s, int64_t t) {
    const recurrent *net = layer->state;
    int64_t rows = pass->rows, step = rows * net->units, wide = rows * net->cols;
    dt_real *zeros = layer->scratch[0], *nowhere = layer->scratch[1], *dh = layer->workspace;
    dt_cell cell = {.rows = rows,
                    .units = net->units,
                    .gates = s->gates + t * wide,
                    .hidden = s->hidden ? s->hidden + t * step : NULL,
                    .product = layer->workspace + net->product,
                    .b = s->b < 0 ? zeros : DT_PARAM(layer, pass->weights, s->b),
                    .b_state = s->b_state < 0 ? zeros : DT_PARAM(layer, pass->weights, s->b_state),
                    .h_before = s->h + t * step,
                    .h = s->h + (t + 1) * step,
                    .c_before = s->c ? s->c + t * step : NULL,
                    .c = s->c ? s->c + (t + 1) * step : NULL,
                    .h16 = halves(s->h16, (t + 1) * step)};
    if (!pass->grads) return cell;
    cell.dh = dh + (t + 1) * step;
    cell.dh_before = dh + t * step;
    cell.dc = layer->workspace + net->dc;
    cell.db = s->b < 0 ? nowhere : DT_PARAM(layer, pass->grads, s->b);
    cell.db_state = s->b_state < 0 ? nowhere : DT_PARAM(layer, pass->grads, s->b_state);
    cell.gates16 = halves(s->gates16, t * wide);
    cell.hidden16 = halves(s->hidden16, t * step);
    return cell;
}

/* y = h W_state + beta*y, h that before position t. */
static void multiply_state(const dt_layer *layer, const dt_pass *pass, const stack *s, int64_t t, dt_real beta,
                           dt_real *y) {
    const recurrent *net = layer->state;
    int64_t rows = pass->rows, units = net->units, cols = net->cols, at = t * rows * units;
    if (net->decoding)
        dt_linear_decode(&(dt_linear){.param = s->w_state, .in = units, .out = cols}, layer, pass, s->h + at, rows,
                         beta, y);
    else if (net->bf16)
        dt_gemm_bf16(DT_PLAIN, DT_PLAIN, rows, cols, units, halves(s->h16, at), units,
                     DT_PARAM(layer, pass->weights16, s->w_state), cols, beta, y, cols);
    else
        dt_gemm(DT_PLAIN, DT_PLAIN, rows, cols, units, s->h + at, units, DT_PARAM(layer, pass->weights, s->w_state),
                cols, beta, y, cols);
}

/* The gradient that h W_state has, as matrices with neighbouring columns of W_state. */
typedef struct part {
    dt_real *d, *d16;
    int64_t stride, first, cols;
} part;

static int parts_of(const recurrent *net, const stack *s, part parts[2]) {
    parts[0] = (part){s->gates, s->gates16, net->cols, 0, net->cols};
    if (net->kind != DT_CELL_GRU) return 1;
    parts[0].cols = 2 * net->units;
    parts[1] = (part){s->hidden, s->hidden16, net->units, 2 * net->units, net->units};
    return 2;
}

/* Every position multiplies with W_state^T, which a product would turn each time: for few rows that takes half as long
 * again. */
static void turn_state(const dt_layer *layer, const dt_pass *pass, const stack *s) {
    const recurrent *net = layer->state;
    dt_real *turned = layer->workspace + net->turned;
    if (net->bf16)
        pass->kernels->transpose_bf16(halves(turned, 0), DT_PARAM(layer, pass->weights16, s->w_state), net->units,
                                      net->cols);
    else
        pass->kernels->transpose(turned, DT_PARAM(layer, pass->weights, s->w_state), net->units, net->cols);
}

/* dh += d W_state^T, of position t; after turn_state. */
static void multiply_gradient(const dt_layer *layer, const dt_pass *pass, const stack *s, int64_t t, dt_real *dh) {
    const recurrent *net = layer->state;
    int64_t rows = pass->rows, units = net->units;
    dt_real *turned = layer->workspace + net->turned;
    part parts[2];
    for (int i = 0, count = parts_of(net, s, parts); i < count; i++) {
        const part *p = &parts[i];
        int64_t at = t * rows * p->stride;
        if (net->bf16)
            dt_gemm_bf16(DT_PLAIN, DT_PLAIN, rows, units, p->cols, halves(p->d16, at), p->stride,
                         halves(turned, p->first * units), units, 1, dh, units);
        else
            dt_gemm(DT_PLAIN, DT_PLAIN, rows, units, p->cols, p->d + at, p->stride, turned + p->first * units, units, 1,
                    dh, units);
    }
}

/* The gradient of W_state, of all positions at once. */
static void state_weights(const dt_layer *layer, const dt_pass *pass, const stack *s) {
    const recurrent *net = layer->state;
    int64_t all = net->positions * pass->rows, units = net->units;
    dt_real *dw = DT_PARAM(layer, pass->grads, s->w_state), keep = pass->accumulate ? 1 : 0;
    part parts[2];
    for (int i = 0, count = parts_of(net, s, parts); i < count; i++) {
        const part *p = &parts[i];
        if (net->bf16)
            dt_gemm_bf16(DT_TRANSPOSED, DT_PLAIN, units, p->cols, all, halves(s->h16, 0), units, halves(p->d16, 0),
                         p->stride, keep, dw + p->first, net->cols);
        else
            dt_gemm(DT_TRANSPOSED, DT_PLAIN, units, p->cols, all, s->h, units, p->d, p->stride, keep, dw + p->first,
                    net->cols);
    }
}

/* ---- forward ----
 */

/* The rows of W_in that the tokens at position t stand for. */
static void point_inputs(const dt_layer *layer, const dt_pass *pass, const stack *s, int64_t t, const dt_real **input) {
    const recurrent *net = layer->state;
    const dt_real *w = DT_PARAM(layer, pass->weights, s->w_in), *ids = pass->tokens + t;
    for (int64_t r = 0; r < pass->rows; r++, ids += net->positions)
        input[r] = *ids < 0 ? layer->scratch[0] : w + (int64_t)*ids * net->cols;
}

static void stack_forward(const dt_layer *layer, const dt_pass *pass, int i, const dt_real *x) {
    const recurrent *net = layer->state;
    const stack *s = &net->stacks[i];
    bool gathers = i == 0 && net->ids;
    const dt_real **input = (const dt_real **)(void *)(layer->workspace + net->input);
    int64_t step = pass->rows * net->units;
    load_state(layer, pass, i, false, s->h);
    if (s->c) load_state(layer, pass, i, true, s->c);
    if (s->h16) pass->kernels->to_bf16(halves(s->h16, 0), s->h, step);
    if (!gathers) dt_linear_forward(&s->linear, layer, pass, x, net->positions * pass->rows, 0, s->gates);
    for (int64_t t = 0; t < net->positions; t++) {
        dt_cell cell = cell_at(layer, pass, s, t);
        bool apart = net->kind == DT_CELL_GRU;
        multiply_state(layer, pass, s, t, apart || gathers ? 0 : 1, apart ? (dt_real *)cell.product : cell.gates);
        if (gathers) {
            point_inputs(layer, pass, s, t, input);
            cell.input = input;
        }
        pass->kernels->cell_forward[net->kind](&cell);
    }
    store_state(layer, pass, i, false, s->h + net->positions * step);
    if (s->c) store_state(layer, pass, i, true, s->c + net->positions * step);
}

/* What stack i reads; for i = count, what the last gives. */
static const dt_real *input_of(const dt_pass *pass, const recurrent *net, int i) {
    if (i < net->count && net->stacks[i].x) return net->stacks[i].x;
    return i > 0 ? net->stacks[i - 1].h + pass->rows * net->units : NULL;
}

static void forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    const recurrent_config *config = layer->config;
    const recurrent *net = layer->state;
    int64_t rows = pass->rows, step = rows * net->units;
    const stack *first = &net->stacks[0];
    if (first->x) to_time_major(first->x, x, rows, net->positions, first->in);
    for (int i = 0; i < net->count; i++) {
        dt_real *dropped = i > 0 ? net->stacks[i].x : NULL;
        if (dropped && pass->training)
            drop(layer, pass, i, dropped, net->stacks[i - 1].h + step);
        else if (dropped)
            memcpy(dropped, net->stacks[i - 1].h + step, (size_t)(net->positions * step) * sizeof *dropped);
        stack_forward(layer, pass, i, input_of(pass, net, i));
    }
    const dt_real *h = input_of(pass, net, net->count);
    if (config->last)
        memcpy(y, h + (net->positions - 1) * step, (size_t)step * sizeof *y);
    else
        from_time_major(y, h, rows, net->positions, net->units);
}

/* ---- backward ----
 */

static void zero_gradient(const dt_layer *layer, const dt_pass *pass, int param) {
    if (param < 0) return;
    const dt_tensor *tensor = &layer->table->tensors[layer->param[param]];
    memset(pass->grads + tensor->offset, 0, tensor->count * sizeof *pass->grads);
}

/* The rows of W_in's gradient gain those of the tokens at position t. */
static void scatter(const dt_layer *layer, const dt_pass *pass, const stack *s, int64_t t) {
    const recurrent *net = layer->state;
    dt_real *dw = DT_PARAM(layer, pass->grads, s->w_in);
    const dt_real *d = s->gates + t * pass->rows * net->cols, *ids = pass->tokens + t;
    for (int64_t r = 0; r < pass->rows; r++, ids += net->positions, d += net->cols)
        if (*ids >= 0) pass->kernels->add(dw + (int64_t)*ids * net->cols, d, net->cols);
}

/* From the gradient of h at all positions, in dh[1…], to that of what the stack read, unless dx is NULL. */
static void stack_backward(const dt_layer *layer, const dt_pass *pass, int i, dt_real *dx) {
    const recurrent *net = layer->state;
    const stack *s = &net->stacks[i];
    bool gathers = i == 0 && net->ids;
    if (!pass->accumulate) {
        zero_gradient(layer, pass, s->b);
        zero_gradient(layer, pass, s->b_state);
        if (gathers) zero_gradient(layer, pass, s->w_in);
    }
    turn_state(layer, pass, s);
    memset(layer->workspace + net->dc, 0, (size_t)(pass->rows * net->units) * sizeof(dt_real));
    for (int64_t t = net->positions - 1; t >= 0; t--) {
        dt_cell cell = cell_at(layer, pass, s, t);
        pass->kernels->cell_backward[net->kind](&cell);
        if (t > 0) multiply_gradient(layer, pass, s, t, cell.dh_before);
        if (gathers) scatter(layer, pass, s, t);
    }
    state_weights(layer, pass, s);
    if (!gathers)
        dt_linear_backward(&s->linear, layer, pass, input_of(pass, net, i), s->gates, net->positions * pass->rows,
                           pass->accumulate, 0, dx);
}

static void backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx) {
    (void)x, (void)y;
    const recurrent_config *config = layer->config;
    const recurrent *net = layer->state;
    int64_t rows = pass->rows, step = rows * net->units;
    dt_real *dh = layer->workspace + step;
    if (config->last) {
        memset(dh, 0, (size_t)((net->positions - 1) * step) * sizeof *dh);
        memcpy(dh + (net->positions - 1) * step, dy, (size_t)step * sizeof *dh);
    } else {
        to_time_major(dh, dy, rows, net->positions, net->units);
    }
    for (int i = net->count - 1; i > 0; i--) {
        stack_backward(layer, pass, i, dh);
        if (net->stacks[i].x) drop(layer, pass, i, dh, dh);
    }
    dt_real *inside = dx && !net->ids ? layer->workspace + net->dx : NULL;
    stack_backward(layer, pass, 0, inside);
    if (inside)
        from_time_major(dx, inside, rows, net->positions, net->stacks[0].in);
    else if (dx)
        memset(dx, 0, (size_t)(rows * net->positions) * sizeof *dx); /* ids have no gradient */
}

const dt_layer_kind dt_layer_rnn = {
    .name = "simple_rnn",
    .help = "recurrent: at each position h = tanh(x w_in + h w_state + b)",
    .fields = fields,
    .config_size = sizeof(recurrent_config),
    .variant = DT_CELL_RNN,
    .plan = plan,
    .init = init,
    .forward = forward,
    .backward = backward,
};

const dt_layer_kind dt_layer_gru = {
    .name = "gru",
    .help = "recurrent, with gates that reset and update the state (r z n); the reset one works on h w_state",
    .fields = fields,
    .config_size = sizeof(recurrent_config),
    .variant = DT_CELL_GRU,
    .plan = plan,
    .init = init,
    .forward = forward,
    .backward = backward,
};

const dt_layer_kind dt_layer_lstm = {
    .name = "lstm",
    .help = "recurrent, with a memory and gates that write, keep and read it (i f g o)",
    .fields = lstm_fields,
    .config_size = sizeof(recurrent_config),
    .variant = DT_CELL_LSTM,
    .plan = plan,
    .init = init,
    .forward = forward,
    .backward = backward,
};
