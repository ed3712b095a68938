/* The fully connected layer, y = act(x w + b), along the last dimension: of [positions, in] at each position by itself.
 * The activation belongs to it because bias and activation are then one pass over y while it is in cache, and sigmoid,
 * tanh and (leaky) ReLU need nothing but y to go back. GELU and SiLU keep their slope as well. */

#include "activation.h"
#include "base/memory.h"
#include "init.h"
#include "linear.h"

typedef struct dense_config {
    dt_layer_common common;
    int64_t out;
    int activation; /* dt_activation */
    double slope;
    bool bias;
    int init; /* dt_init */
    double std;
} dense_config;

#define FIELD(name) .key = #name, .offset = offsetof(dense_config, name)

static const dt_field fields[] = {
    {FIELD(out), .type = DT_FIELD_INT, .min = 1, .max = 0x1p31,
     .flags = DT_FIELD_REQUIRED | DT_FIELD_SHORTHAND | DT_FIELD_ARITHMETIC, .help = "number of outputs"},
    {FIELD(activation), .type = DT_FIELD_CHOICE, .fallback = "linear", .choices = dt_activation_names,
     .flags = DT_FIELD_ARITHMETIC, .help = "what is applied to x w + b"},
    {FIELD(slope), .type = DT_FIELD_REAL, .fallback = "0.01", .min = 0, .max = 1, .flags = DT_FIELD_ARITHMETIC,
     .help = "slope of leaky_relu below zero"},
    {FIELD(bias), .type = DT_FIELD_BOOL, .fallback = "true", .flags = DT_FIELD_ARITHMETIC,
     .help = "whether there is a b"},
    {FIELD(init), .type = DT_FIELD_CHOICE, .fallback = "auto", .choices = dt_init_names, .flags = DT_FIELD_ARITHMETIC,
     .help = "initial w; auto is he_normal before relu, leaky_relu, gelu and silu, else glorot_uniform"},
    {FIELD(std), .type = DT_FIELD_REAL, .fallback = "0.01", .min = 0, .max = 1e6,
     .flags = DT_FIELD_ARITHMETIC | DT_FIELD_ABOVE, .help = "standard deviation of init: normal"},
    DT_LAYER_NAME_FIELD,
    {.key = NULL},
};

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    const dense_config *config = layer->config;
    int64_t in = dt_shape_last(&layer->in), positions = dt_shape_count(&layer->in) / in;
    dt_linear *linear = layer->state = dt_alloc(1, sizeof *linear);
    if (!linear) return dt_fail_memory("a dense layer", sizeof *linear);
    DT_TRY(dt_plan_param(plan, layer, "w", &(dt_shape){2, {in, config->out}}, DT_TENSOR_DECAY));
    if (config->bias) DT_TRY(dt_plan_param(plan, layer, "b", &(dt_shape){1, {config->out}}, 0));
    DT_TRY(dt_linear_plan(linear, plan, layer, 0, false, positions));
    if (dt_activation_keeps_slope(config->activation) && dt_plan_training(plan))
        DT_TRY(dt_plan_scratch(plan, layer, positions * config->out));
    if (dt_plan_spec(plan)->clips)
        DT_TRY(dt_plan_workspace(plan, layer, dt_linear_norms_workspace(layer->state, positions)));
    dt_plan_along(layer, config->out);
    layer->chunkable = config->activation == DT_LINEAR;
    layer->flops = 2.0 * (double)positions * (double)in * (double)config->out;
    layer->reads_output = config->activation != DT_LINEAR && !dt_activation_keeps_slope(config->activation);
    layer->final_activation = config->activation == DT_SIGMOID ? "sigmoid" : NULL;
    return dt_ok();
}

static void init(const dt_layer *layer, dt_real *weights, uint64_t seed) {
    const dense_config *config = layer->config;
    int64_t in = dt_shape_last(&layer->in), out = config->out;
    dt_init_fill_before(DT_PARAM(layer, weights, 0), (size_t)(in * out), (dt_init)config->init, in, out,
                        (dt_activation)config->activation, config->slope, config->std, seed, layer->param[0]);
}

static void forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    const dense_config *config = layer->config;
    int64_t rows = dt_matrix_rows(layer, pass);
    const dt_real *b = config->bias ? DT_PARAM(layer, pass->weights, 1) : NULL;
    dt_real *slope = pass->training && layer->scratch_count > 0 ? layer->scratch[0] : NULL;
    bool relu = config->activation == DT_RELU;
    if (dt_linear_forward_biased(layer->state, layer, pass, x, rows, b, relu, y)) {
        if (relu || config->activation == DT_LINEAR) return;
        b = NULL;
    } else {
        dt_linear_forward(layer->state, layer, pass, x, rows, 0, y);
    }
    pass->kernels->bias_activate(y, slope, b, rows, config->out, (dt_activation)config->activation,
                                 (dt_real)config->slope);
}

static void backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx) {
    const dense_config *config = layer->config;
    int64_t rows = dt_matrix_rows(layer, pass);
    dt_real *db = config->bias ? dt_param_gradient(layer, pass, 1) : NULL;
    pass->kernels->activate_backward(dy, db, y, layer->scratch[0], rows, config->out, (dt_activation)config->activation,
                                     (dt_real)config->slope, pass->accumulate);
    dt_linear_backward(layer->state, layer, pass, x, dy, rows, pass->accumulate, 0, dx);
}

static double gradient_bound(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *dy) {
    return dt_linear_gradient_bound(layer->state, pass->kernels, x, dy, dt_matrix_rows(layer, pass));
}

static void norms(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                  dt_real *dx) {
    const dense_config *config = layer->config;
    int64_t rows = dt_matrix_rows(layer, pass), positions = dt_matrix_rows(layer, &(dt_pass){.rows = 1});
    pass->kernels->activate_backward(dy, NULL, y, layer->scratch[0], rows, config->out,
                                     (dt_activation)config->activation, (dt_real)config->slope, false);
    dt_linear_norms(layer->state, layer, pass, x, dy, positions, config->bias ? 1 : -1);
    dt_linear_backward(layer->state, layer, pass, x, dy, rows, false, 0, dx);
}

static void sums(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *dy) {
    const dense_config *config = layer->config;
    int64_t rows = dt_matrix_rows(layer, pass);
    dt_real *db = config->bias ? dt_param_gradient(layer, pass, 1) : NULL;
    pass->kernels->activate_backward(dy, db, NULL, NULL, rows, config->out, DT_LINEAR, 0, pass->accumulate);
    dt_linear_backward(layer->state, layer, pass, x, dy, rows, pass->accumulate, 0, NULL);
}

const dt_layer_kind dt_layer_dense = {
    .name = "dense",
    .help = "y = act(x w + b) along the last dimension, every output from every input",
    .fields = fields,
    .config_size = sizeof(dense_config),
    .plan = plan,
    .init = init,
    .forward = forward,
    .backward = backward,
    .gradient_bound = gradient_bound,
    .norms = norms,
    .sums = sums,
};
