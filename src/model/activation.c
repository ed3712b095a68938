/* Element-wise activations as layers of their own, and softmax along the last dimension. After a dense layer its
 * `activation` field does the same in one pass less; these are for where there is no such field. They work in
 * place where the layer before them allows it: the way back takes their output or, of GELU and SiLU, the slope,
 * which forward keeps. */
#include "activation.h"

#include <string.h>

#include "plan.h"

const char *const dt_activation_names[] = {"linear", "sigmoid", "tanh", "relu", "leaky_relu", "gelu", "silu", NULL};
const char *const dt_rectifier_names[] = {"linear", "relu", NULL};

bool dt_activation_keeps_slope(dt_activation act) {
    return act == DT_GELU || act == DT_SILU;
}

typedef struct activation_config {
    dt_layer_common common;
    double slope; /* leaky_relu */
} activation_config;

static const dt_field plain_fields[] = {DT_LAYER_NAME_FIELD, {.key = NULL}};

static const dt_field leaky_fields[] = {
    {.key = "slope",
     .offset = offsetof(activation_config, slope),
     .type = DT_FIELD_REAL,
     .fallback = "0.01",
     .min = 0,
     .max = 1,
     .flags = DT_FIELD_SHORTHAND | DT_FIELD_ARITHMETIC,
     .help = "slope below zero"},
    DT_LAYER_NAME_FIELD,
    {.key = NULL},
};

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    dt_activation act = (dt_activation)layer->kind->variant;
    bool keeps_slope = dt_activation_keeps_slope(act);
    layer->out = layer->in;
    layer->in_place = true;
    layer->positionwise = true;
    layer->reads_output = !keeps_slope;
    layer->final_activation = act == DT_SIGMOID ? "sigmoid" : NULL;
    return keeps_slope && dt_plan_training(plan) ? dt_plan_scratch(plan, layer, dt_shape_count(&layer->in)) : dt_ok();
}

static void forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    const activation_config *config = layer->config;
    int64_t cols = dt_shape_count(&layer->in);
    if (y != x) memcpy(y, x, (size_t)(pass->rows * cols) * sizeof *y);
    pass->kernels->bias_activate(y, layer->scratch[0], NULL, pass->rows, cols, (dt_activation)layer->kind->variant,
                                 (dt_real)config->slope);
}

static void backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx) {
    (void)x, (void)dx; /* dx is dy */
    const activation_config *config = layer->config;
    pass->kernels->activate_backward(dy, NULL, y, layer->scratch[0], pass->rows, dt_shape_count(&layer->in),
                                     (dt_activation)layer->kind->variant, (dt_real)config->slope, false);
}

static dt_status softmax_plan(dt_layer *layer, dt_plan *plan) {
    (void)plan;
    layer->out = layer->in;
    layer->in_place = true;
    layer->positionwise = layer->in.rank > 1;
    layer->reads_output = true;
    layer->final_activation = "softmax";
    return dt_ok();
}

static void softmax_forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    int64_t cols = dt_shape_last(&layer->in);
    pass->kernels->softmax(y, x, dt_matrix_rows(layer, pass), cols);
}

static void softmax_backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y,
                             dt_real *dy, dt_real *dx) {
    (void)x;
    int64_t cols = dt_shape_last(&layer->in);
    pass->kernels->softmax_backward(dx, dy, y, dt_matrix_rows(layer, pass), cols);
}

#define ACTIVATION(symbol, act, text, meaning, table)                                                                  \
    const dt_layer_kind dt_layer_##symbol = {                                                                          \
        .name = text,                                                                                                  \
        .help = meaning,                                                                                               \
        .fields = table,                                                                                               \
        .config_size = sizeof(activation_config),                                                                      \
        .variant = act,                                                                                                \
        .plan = plan,                                                                                                  \
        .init = NULL,                                                                                                  \
        .forward = forward,                                                                                            \
        .backward = backward,                                                                                          \
    }

ACTIVATION(sigmoid, DT_SIGMOID, "sigmoid", "1/(1 + e^-x)", plain_fields);
ACTIVATION(tanh, DT_TANH, "tanh", "hyperbolic tangent", plain_fields);
ACTIVATION(relu, DT_RELU, "relu", "max(x, 0)", plain_fields);
ACTIVATION(leaky_relu, DT_LEAKY_RELU, "leaky_relu", "x above zero, slope*x below", leaky_fields);
ACTIVATION(gelu, DT_GELU, "gelu", "Gaussian error linear unit, tanh form", plain_fields);
ACTIVATION(silu, DT_SILU, "silu", "x/(1 + e^-x), also called swish", plain_fields);

const dt_layer_kind dt_layer_softmax = {
    .name = "softmax",
    .help = "e^x / sum e^x along the last dimension; the loss softmax_cross_entropy contains one already",
    .fields = plain_fields,
    .config_size = sizeof(activation_config),
    .plan = softmax_plan,
    .init = NULL,
    .forward = softmax_forward,
    .backward = softmax_backward,
};
