/* Convolutions of pictures [height, width, channels] and of series [length, channels], y = act(x * w + b). A series is
 * a picture of height 1. Activation and bias belong to the layer for the reason they do in dense.c: linear, ReLU and
 * leaky ReLU even run inside the convolution. One-channel data need no last dimension: [28, 28] is taken for [28, 28,
 * 1]. */

#include "activation.h"
#include "base/memory.h"
#include "init.h"
#include "per_sample.h"
#include "plan.h"
#include "window.h"

typedef struct conv_config {
    dt_layer_common common;
    int64_t out;
    dt_window_config window;
    int64_t groups;
    int activation; /* dt_activation */
    double slope;
    bool bias;
    int init; /* dt_init */
    double std;
} conv_config;

typedef struct conv_state {
    dt_conv_shape shape;
    dt_conv *conv;
    size_t single;    /* bytes of workspace before a sample's gradient, where samples are clipped */
    dt_real *rounded; /* [rows, in]: x in 8 bits of precision, in bf16; NULL: it is the last scratch, for backward */
} conv_state;

#define FIELD(name) .key = #name, .offset = offsetof(conv_config, name)
#define SIZE "a number or height x width (3x5); a series has a length only"

static const dt_field fields[] = {
    {FIELD(out), .type = DT_FIELD_INT, .min = 1, .max = 0x1p31,
     .flags = DT_FIELD_REQUIRED | DT_FIELD_SHORTHAND | DT_FIELD_ARITHMETIC, .help = "number of output channels"},
    DT_WINDOW_FIELD(conv_config, kernel, "3", 0, "pixels of the window: " SIZE),
    DT_WINDOW_FIELD(conv_config, stride, "1", 0, "pixels from one window to the next, as kernel"),
    DT_WINDOW_FIELD(
        conv_config, padding, "same", 0,
        "pixels of zeros around the picture: same (ceil(size/stride) pixels remain), valid (none) or a number"),
    DT_WINDOW_FIELD(conv_config, dilation, "1", 0, "distance of neighbours in the window, as kernel"),
    {FIELD(groups), .type = DT_FIELD_INT, .fallback = "1", .min = 1, .max = 0x1p31, .flags = DT_FIELD_ARITHMETIC,
     .help = "groups of channels that do not see each other; as many as input channels: depthwise"},
    {FIELD(activation), .type = DT_FIELD_CHOICE, .fallback = "linear", .choices = dt_activation_names,
     .flags = DT_FIELD_ARITHMETIC, .help = "what is applied to x * w + b"},
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

/* Whether the convolution itself applies the activation. */
static bool is_fused(const conv_config *config) {
    return config->activation == DT_LINEAR || config->activation == DT_RELU || config->activation == DT_LEAKY_RELU;
}

/* Pixels and channels of the input. */
static dt_status read_input(const dt_layer *layer, int64_t size[2], int64_t *channels) {
    int dimensions = layer->kind->variant, rank = layer->in.rank;
    if (rank != dimensions && rank != dimensions + 1) {
        char shape[96];
        dt_shape_text(&layer->in, shape);
        return dt_layer_fail(layer, "its input has the shape %s but %s takes %s", shape, layer->kind->name,
                             dimensions == 2 ? "pictures, [height, width] or [height, width, channels]"
                                             : "series, [length] or [length, channels]");
    }
    size[0] = dimensions == 2 ? layer->in.dim[0] : 1;
    size[1] = layer->in.dim[dimensions - 1];
    *channels = rank > dimensions ? layer->in.dim[dimensions] : 1;
    return dt_ok();
}

static dt_status check_groups(const dt_layer *layer, const conv_config *config, int64_t channels) {
    if (channels % config->groups == 0 && config->out % config->groups == 0) return dt_ok();
    return dt_layer_fail(layer, "groups is %lld; it must divide its %lld input channels and its %lld outputs",
                         (long long)config->groups, (long long)channels, (long long)config->out);
}

static dt_status plan_params(dt_layer *layer, dt_plan *plan, const dt_conv_shape *shape, bool bias) {
    const int64_t *kernel = shape->window.kernel;
    int64_t in = shape->in_channels / shape->groups, out = shape->out_channels;
    dt_shape w = {4, {kernel[0], kernel[1], in, out}};
    if (layer->kind->variant == 1) w = (dt_shape){3, {kernel[1], in, out}};
    DT_TRY(dt_plan_param(plan, layer, "w", &w, DT_TENSOR_DECAY));
    return bias ? dt_plan_param(plan, layer, "b", &(dt_shape){1, {out}}, 0) : dt_ok();
}

/* In bf16 what is multiplied has 8 bits of precision. Few products to a sum, or sums that share no number, stay
 * float32, as in a dense layer.
 */
static bool rounds(const dt_plan *plan, const dt_conv_shape *s) {
    int64_t products = s->window.kernel[0] * s->window.kernel[1] * (s->in_channels / s->groups);
    return dt_plan_spec(plan)->bf16 && products >= 32 && s->out_channels / s->groups >= 16;
}

static dt_status plan_rounded(dt_layer *layer, dt_plan *plan) {
    conv_state *state = layer->state;
    int64_t in = dt_shape_count(&layer->in);
    if (!state->shape.bf16) return dt_ok();
    return dt_plan_training(plan) ? dt_plan_scratch(plan, layer, in) : dt_plan_rounded(plan, &state->rounded, in);
}

static dt_real *rounded_of(const dt_layer *layer) {
    const conv_state *state = layer->state;
    return state->rounded ? state->rounded : layer->scratch[layer->scratch_count - 1];
}

/* With `clips` there is also room for one sample's gradient. */
static size_t workspace(const dt_layer *layer, bool clips) {
    conv_state *state = layer->state;
    state->single = (dt_conv_workspace(state->conv) + 63) / 64 * 64;
    size_t w = layer->table->tensors[layer->param[0]].count, out = (size_t)state->shape.out_channels;
    return state->single + (clips ? (w + out) * sizeof(dt_real) : 0);
}

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    const conv_config *config = layer->config;
    conv_state *state = layer->state = dt_alloc(1, sizeof *state);
    if (!state) return dt_fail_memory("a convolution", sizeof *state);
    dt_conv_shape *shape = &state->shape;
    int64_t size[2];
    DT_TRY(read_input(layer, size, &shape->in_channels));
    DT_TRY(dt_window_plan(&shape->window, layer, &config->window, layer->kind->variant, size));
    layer->window = &shape->window;
    DT_TRY(check_groups(layer, config, shape->in_channels));
    shape->rows = dt_plan_rows(plan);
    shape->out_channels = config->out;
    shape->groups = config->groups;
    shape->bias = config->bias;
    shape->activation = is_fused(config) ? (dt_activation)config->activation : DT_LINEAR;
    shape->slope = (dt_real)config->slope;
    shape->bf16 = rounds(plan, shape);
    const int64_t *out = shape->window.out;
    layer->out = (dt_shape){3, {out[0], out[1], config->out}};
    if (layer->kind->variant == 1) layer->out = (dt_shape){2, {out[1], config->out}};
    const int64_t *kernel = shape->window.kernel;
    int64_t products = kernel[0] * kernel[1] * (shape->in_channels / shape->groups); /* an output is the sum of */
    layer->flops = 2.0 * (double)products * (double)(out[0] * out[1]) * (double)config->out;
    layer->reads_input = true;
    const int64_t pixels = out[0] * out[1];
    layer->by_portions = pixels % 4 == 0 ? 1 : 4; /* the bias' gradient is summed up by 4 pixels */
    layer->reads_output = config->activation != DT_LINEAR && !dt_activation_keeps_slope(config->activation);
    layer->gives_relu = config->activation == DT_RELU;
    layer->final_activation = config->activation == DT_SIGMOID ? "sigmoid" : NULL;
    DT_TRY(plan_params(layer, plan, shape, config->bias));
    DT_TRY(dt_status_within(dt_conv_create(&state->conv, shape, dt_plan_training(plan)), "recipe %s: layer %s",
                            layer->source, layer->name));
    if (dt_activation_keeps_slope(config->activation) && dt_plan_training(plan))
        DT_TRY(dt_plan_scratch(plan, layer, dt_shape_count(&layer->out)));
    DT_TRY(plan_rounded(layer, plan));
    return dt_plan_workspace(plan, layer, workspace(layer, dt_plan_spec(plan)->clips));
}

static void finish(dt_layer *layer) {
    dt_conv_destroy(((conv_state *)layer->state)->conv);
}

static void init(const dt_layer *layer, dt_real *weights, uint64_t seed) {
    const conv_config *config = layer->config;
    const dt_conv_shape *shape = &((const conv_state *)layer->state)->shape;
    int64_t pixels = shape->window.kernel[0] * shape->window.kernel[1];
    int64_t in = pixels * (shape->in_channels / shape->groups), out = pixels * (shape->out_channels / shape->groups);
    dt_init_fill_before(DT_PARAM(layer, weights, 0), layer->table->tensors[layer->param[0]].count,
                        (dt_init)config->init, in, out, (dt_activation)config->activation, config->slope, config->std,
                        seed, layer->param[0]);
}

/* The batch's output as a matrix of pixels by channels. */
static int64_t pixels_of(const dt_layer *layer, const dt_pass *pass) {
    return pass->rows * (dt_shape_count(&layer->out) / ((const conv_config *)layer->config)->out);
}

/* NULL where the workspace has them already. */
static const dt_real *weights_of(const dt_layer *layer, const dt_pass *pass) {
    return pass->goes_on ? NULL : DT_PARAM(layer, pass->weights, 0);
}

/* What backward is to undo of dy. */
static dt_activation to_undo(const dt_layer *layer) {
    return layer->undone ? DT_LINEAR : (dt_activation)((const conv_config *)layer->config)->activation;
}

static void forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    const conv_config *config = layer->config;
    const conv_state *state = layer->state;
    const dt_real *b = config->bias ? DT_PARAM(layer, pass->weights, 1) : NULL;
    const dt_real *w = weights_of(layer, pass);
    if (state->shape.bf16)
        dt_conv_forward_bf16(state->conv, pass->kernels, pass->rows, y, rounded_of(layer), x, w, b, layer->workspace);
    else
        dt_conv_forward(state->conv, pass->kernels, pass->rows, y, x, w, b, layer->workspace);
    if (is_fused(config)) return;
    dt_real *slope = pass->training && dt_activation_keeps_slope(config->activation) ? layer->scratch[0] : NULL;
    pass->kernels->bias_activate(y, slope, NULL, pixels_of(layer, pass), config->out, (dt_activation)config->activation,
                                 (dt_real)config->slope);
}

static void backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx) {
    const conv_config *config = layer->config;
    const conv_state *state = layer->state;
    dt_real *db = config->bias ? dt_param_gradient(layer, pass, 1) : NULL;
    pass->kernels->activate_backward(dy, db, y, layer->scratch[0], pixels_of(layer, pass), config->out, to_undo(layer),
                                     (dt_real)config->slope, pass->accumulate);
    const dt_real *w = weights_of(layer, pass);
    dt_real *dw = pass->adjoint ? NULL : dt_param_gradient(layer, pass, 0);
    if (state->shape.bf16) {
        dt_conv_backward_bf16(state->conv, pass->kernels, pass->rows, &(dt_conv_gradients){dw, dx, pass->accumulate},
                              rounded_of(layer), x, dy, w, layer->workspace);
        return;
    }
    if (dw)
        dt_conv_backward_weights(state->conv, pass->kernels, pass->rows, dw, x, dy, pass->accumulate, layer->workspace);
    if (dx) dt_conv_backward_data(state->conv, pass->kernels, pass->rows, dx, dy, w, layer->workspace);
}

/* A sample's gradients, kept or for their norms alone. */
static double norms_of(const dt_layer *layer, const dt_pass *pass, int64_t row, const dt_real *x, dt_real *dy) {
    const conv_config *config = layer->config;
    const conv_state *state = layer->state;
    const int64_t weights = (int64_t)layer->table->tensors[layer->param[0]].count;
    const int64_t pixels = dt_shape_count(&layer->out) / config->out;
    dt_real *single = (dt_real *)(void *)((char *)layer->workspace + state->single), *kept;
    double squares = 0;
    if (!dt_param_is_frozen(layer, 0)) {
        dt_real *dw = (kept = dt_per_sample_of(layer, row, 0)) ? kept : single;
        dt_conv_backward_weights(state->conv, pass->kernels, 1, dw, x, dy, false, layer->workspace);
        squares += pass->kernels->sum_squares(dw, weights);
    }
    if (config->bias && !dt_param_is_frozen(layer, 1)) {
        dt_real *db = (kept = dt_per_sample_of(layer, row, 1)) ? kept : single;
        pass->kernels->activate_backward(dy, db, NULL, NULL, pixels, config->out, DT_LINEAR, 0, false);
        squares += pass->kernels->sum_squares(db, config->out);
    }
    return squares;
}

static void norms(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                  dt_real *dx) {
    const conv_config *config = layer->config;
    const conv_state *state = layer->state;
    const int64_t in = dt_shape_count(&layer->in), out = dt_shape_count(&layer->out);
    pass->kernels->activate_backward(dy, NULL, y, layer->scratch[0], pixels_of(layer, pass), config->out,
                                     to_undo(layer), (dt_real)config->slope, false);
    for (int64_t r = 0; r < pass->rows; r++) pass->squares[r] += norms_of(layer, pass, r, x + r * in, dy + r * out);
    if (dx)
        dt_conv_backward_data(state->conv, pass->kernels, pass->rows, dx, dy, DT_PARAM(layer, pass->weights, 0),
                              layer->workspace);
}

static void sums(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *dy) {
    const conv_config *config = layer->config;
    const conv_state *state = layer->state;
    dt_real *db = config->bias ? dt_param_gradient(layer, pass, 1) : NULL, *dw = dt_param_gradient(layer, pass, 0);
    pass->kernels->activate_backward(dy, db, NULL, NULL, pixels_of(layer, pass), config->out, DT_LINEAR, 0,
                                     pass->accumulate);
    if (dw)
        dt_conv_backward_weights(state->conv, pass->kernels, pass->rows, dw, x, dy, pass->accumulate, layer->workspace);
}

#define CONVOLUTION(symbol, text, meaning, dimensions)                                                                 \
    const dt_layer_kind dt_layer_##symbol = {                                                                          \
        .name = text,                                                                                                  \
        .help = meaning,                                                                                               \
        .fields = fields,                                                                                              \
        .config_size = sizeof(conv_config),                                                                            \
        .variant = dimensions,                                                                                         \
        .plan = plan,                                                                                                  \
        .init = init,                                                                                                  \
        .forward = forward,                                                                                            \
        .backward = backward,                                                                                          \
        .by_row = true,                                                                                                \
        .norms = norms,                                                                                                \
        .sums = sums,                                                                                                  \
        .finish = finish,                                                                                              \
    }

CONVOLUTION(conv2d, "conv2d", "y = act(x * w + b), a window over pictures [height, width, channels]", 2);
CONVOLUTION(conv1d, "conv1d", "y = act(x * w + b), a window along series [length, channels]", 1);
