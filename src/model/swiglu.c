/* The gated unit y = silu(x w_gate) * (x w_up) (Shazeer 2020, "GLU variants improve transformer"), along the last
 * dimension. The two matrices are one, [in, 2*out], gate first, so there is one product. */
#include "base/memory.h"
#include "init.h"
#include "linear.h"

typedef struct swiglu_config {
    dt_layer_common common;
    int64_t out;
    bool bias;
    int init; /* dt_init */
    double std;
} swiglu_config;

#define FIELD(name) .key = #name, .offset = offsetof(swiglu_config, name)

static const dt_field fields[] = {
    {FIELD(out), .type = DT_FIELD_INT, .min = 1, .max = 0x1p30,
     .flags = DT_FIELD_REQUIRED | DT_FIELD_SHORTHAND | DT_FIELD_ARITHMETIC, .help = "number of outputs"},
    {FIELD(bias), .type = DT_FIELD_BOOL, .fallback = "false", .flags = DT_FIELD_ARITHMETIC,
     .help = "whether there is a b, [2*out]"},
    {FIELD(init), .type = DT_FIELD_CHOICE, .fallback = "auto", .choices = dt_init_names, .flags = DT_FIELD_ARITHMETIC,
     .help = "initial w; auto is glorot_uniform"},
    {FIELD(std), .type = DT_FIELD_REAL, .fallback = "0.02", .min = 0, .max = 1e6,
     .flags = DT_FIELD_ARITHMETIC | DT_FIELD_ABOVE, .help = "standard deviation of init: normal"},
    DT_LAYER_NAME_FIELD,
    {.key = NULL},
};

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    const swiglu_config *config = layer->config;
    int64_t in = dt_shape_last(&layer->in), positions = dt_shape_count(&layer->in) / in;
    dt_linear *linear = layer->state = dt_alloc(1, sizeof *linear);
    if (!linear) return dt_fail_memory("a layer", sizeof *linear);
    DT_TRY(dt_plan_param(plan, layer, "w", &(dt_shape){2, {in, 2 * config->out}}, DT_TENSOR_DECAY));
    if (config->bias) DT_TRY(dt_plan_param(plan, layer, "b", &(dt_shape){1, {2 * config->out}}, 0));
    DT_TRY(dt_linear_plan(linear, plan, layer, 0, false, positions));
    DT_TRY(dt_plan_scratch(plan, layer, 2 * positions * config->out));
    dt_plan_along(layer, config->out);
    layer->flops = 4.0 * (double)positions * (double)in * (double)config->out;
    return dt_ok();
}

static void init(const dt_layer *layer, dt_real *weights, uint64_t seed) {
    const swiglu_config *config = layer->config;
    dt_init how = config->init == DT_INIT_AUTO ? DT_INIT_GLOROT_UNIFORM : (dt_init)config->init;
    dt_init_fill(DT_PARAM(layer, weights, 0), layer->table->tensors[layer->param[0]].count, how,
                 dt_shape_last(&layer->in), config->out, 1, config->std, seed, layer->param[0]);
}

static void forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    const swiglu_config *config = layer->config;
    int64_t rows = dt_matrix_rows(layer, pass);
    dt_real *z = layer->scratch[0];
    dt_linear_forward(layer->state, layer, pass, x, rows, 0, z);
    if (config->bias)
        pass->kernels->bias_activate(z, NULL, DT_PARAM(layer, pass->weights, 1), rows, 2 * config->out, DT_LINEAR, 0);
    pass->kernels->swiglu(y, z, rows, config->out);
}

static void backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx) {
    (void)y;
    const swiglu_config *config = layer->config;
    int64_t rows = dt_matrix_rows(layer, pass);
    dt_real *z = layer->scratch[0], *db = config->bias ? dt_param_gradient(layer, pass, 1) : NULL;
    pass->kernels->swiglu_backward(z, dy, rows, config->out);
    pass->kernels->activate_backward(z, db, NULL, NULL, rows, 2 * config->out, DT_LINEAR, 0, pass->accumulate);
    dt_linear_backward(layer->state, layer, pass, x, z, rows, pass->accumulate, 0, dx);
}

const dt_layer_kind dt_layer_swiglu = {
    .name = "swiglu",
    .help = "y = silu(x w1)*(x w2) along the last dimension, w = [w1 w2]",
    .fields = fields,
    .config_size = sizeof(swiglu_config),
    .plan = plan,
    .init = init,
    .forward = forward,
    .backward = backward,
    .by_row = true,
};
