/* Batch normalisation (Ioffe and Szegedy 2015) over all dimensions but the last, channel by channel, with ReLU in the
 * same pass.
 *
 * Every shard (every micro-batch, where a shard is computed in pieces) is normalised with its own mean and variance, so
 * nothing has to cross ranks on the way forward and a shard's gradient is a function of the shard alone. The running
 * statistics, which evaluation uses, must be the same on any number of ranks: they are tensors of the model's table,
 * and what a batch showed, times its samples, travels in the gradient's place: summed over shards exactly, like any
 * gradient, and blended in by the optimizer. The running variance is of the unbiased one, divided by n - 1, as in
 * PyTorch; where n is 1 it is 0. `momentum` is the share that stays, 1 minus PyTorch's. */
#include <math.h>
#include <string.h>

#include "activation.h"
#include "plan.h"

typedef struct batch_norm_config {
    dt_layer_common common;
    double momentum, eps;
    bool scale, shift;
    int activation; /* dt_rectifier_names */
} batch_norm_config;

#define FIELD(name) .key = #name, .offset = offsetof(batch_norm_config, name)

static const dt_field fields[] = {
    {FIELD(momentum), .type = DT_FIELD_REAL, .fallback = "0.9", .min = 0, .max = 1,
     .flags = DT_FIELD_ARITHMETIC | DT_FIELD_BELOW,
     .help = "share of the running mean and variance that a step leaves; statistics are per shard, or per "
             "train.micro_batch"},
    {FIELD(eps), .type = DT_FIELD_REAL, .fallback = "1e-5", .max = 1, .flags = DT_FIELD_ARITHMETIC | DT_FIELD_ABOVE,
     .help = "added to the variance"},
    {FIELD(scale), .type = DT_FIELD_BOOL, .fallback = "true", .flags = DT_FIELD_ARITHMETIC,
     .help = "whether a trained factor follows, a number a channel"},
    {FIELD(shift), .type = DT_FIELD_BOOL, .fallback = "true", .flags = DT_FIELD_ARITHMETIC,
     .help = "whether a trained term follows, a number a channel"},
    {FIELD(activation), .type = DT_FIELD_CHOICE, .fallback = "linear", .choices = dt_rectifier_names,
     .flags = DT_FIELD_ARITHMETIC, .help = "what is applied to the result"},
    DT_LAYER_NAME_FIELD,
    {.key = NULL},
};

enum { RUNNING_MEAN, RUNNING_VARIANCE, FIRST_TRAINED }; /* its tensors */

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    const batch_norm_config *config = layer->config;
    dt_shape channels = {1, {dt_shape_last(&layer->in)}};
    DT_TRY(dt_plan_check_values(plan, layer, dt_shape_count(&layer->in) / channels.dim[0], false));
    DT_TRY(dt_plan_statistic(plan, layer, "running_mean", &channels, config->momentum));
    DT_TRY(dt_plan_statistic(plan, layer, "running_var", &channels, config->momentum));
    if (config->scale) DT_TRY(dt_plan_param(plan, layer, "scale", &channels, 0));
    if (config->shift) DT_TRY(dt_plan_param(plan, layer, "shift", &channels, 0));
    DT_TRY(dt_plan_fixed(plan, layer, DT_NORM_WORK * channels.dim[0]));
    layer->out = layer->in;
    layer->in_place = true;
    layer->reads_input = true;
    /* The way back through a fixed factor needs to know where the result was cut off, and nothing of x. */
    bool fixed = dt_plan_spec(plan)->adjoint || !dt_layer_is_trained(layer);
    layer->reads_output = fixed && config->activation == DT_RECTIFIER_RELU;
    return dt_ok();
}

static void init(const dt_layer *layer, dt_real *weights, uint64_t seed) {
    (void)seed;
    const batch_norm_config *config = layer->config;
    for (int64_t j = 0; j < dt_shape_last(&layer->in); j++) {
        DT_PARAM(layer, weights, RUNNING_VARIANCE)[j] = 1;
        if (config->scale) DT_PARAM(layer, weights, FIRST_TRAINED)[j] = 1;
    }
}

/* Its trained vectors; NULL where there is none. */
static const dt_real *scale_of(const dt_layer *layer, const dt_pass *pass) {
    const batch_norm_config *config = layer->config;
    return config->scale ? DT_PARAM(layer, pass->weights, FIRST_TRAINED) : NULL;
}

static const dt_real *shift_of(const dt_layer *layer, const dt_pass *pass) {
    const batch_norm_config *config = layer->config;
    return config->shift ? DT_PARAM(layer, pass->weights, FIRST_TRAINED + config->scale) : NULL;
}

/* Where their gradients are wanted. */
static dt_real *scale_gradient(const dt_layer *layer, const dt_pass *pass) {
    const batch_norm_config *config = layer->config;
    return config->scale ? dt_param_gradient(layer, pass, FIRST_TRAINED) : NULL;
}

static dt_real *shift_gradient(const dt_layer *layer, const dt_pass *pass) {
    const batch_norm_config *config = layer->config;
    return config->shift ? dt_param_gradient(layer, pass, FIRST_TRAINED + config->scale) : NULL;
}

/* At work, and frozen as a whole in training too, it is a fixed factor and term a channel. */
static bool is_fixed(const dt_layer *layer, const dt_pass *pass) {
    return !pass->training || pass->adjoint || !dt_layer_is_trained(layer);
}

/* work[cols] = the factor of each channel by the running statistics. */
static void fixed_factors(const dt_layer *layer, const dt_pass *pass, dt_real *work) {
    const batch_norm_config *config = layer->config;
    const dt_real *scale = scale_of(layer, pass);
    const dt_real *variance = DT_PARAM(layer, pass->weights, RUNNING_VARIANCE);
    for (int64_t j = 0; j < dt_shape_last(&layer->in); j++)
        work[j] = (dt_real)((scale ? (double)scale[j] : 1) / sqrt((double)variance[j] + config->eps));
}

static void forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    const batch_norm_config *config = layer->config;
    int64_t cols = dt_shape_last(&layer->in), rows = dt_matrix_rows(layer, pass);
    const dt_real *scale = scale_of(layer, pass), *shift = shift_of(layer, pass);
    bool relu = config->activation == DT_RECTIFIER_RELU;
    dt_real *work = layer->scratch[0];
    if (!is_fixed(layer, pass)) {
        pass->kernels->batch_norm(y, work, x, scale, shift, rows, cols, (dt_real)config->eps, relu);
        return;
    }
    const dt_real *mean = DT_PARAM(layer, pass->weights, RUNNING_MEAN);
    fixed_factors(layer, pass, work);
    pass->kernels->normalise(y, x, mean, work, shift, rows, cols, relu);
}

/* What the batch showed, weighted by its samples, into the gradient's arena. */
static void leave_statistic(const dt_layer *layer, const dt_pass *pass, int param, const dt_real *seen, double weight) {
    dt_real *out = dt_param_gradient(layer, pass, param);
    for (int64_t j = 0; out && j < dt_shape_last(&layer->in); j++)
        out[j] = (pass->accumulate ? out[j] : 0) + (dt_real)(weight * (double)seen[j]);
}

static void backward_fixed(const dt_layer *layer, const dt_pass *pass, const dt_real *y, dt_real *dy, dt_real *dx) {
    const batch_norm_config *config = layer->config;
    int64_t cols = dt_shape_last(&layer->in), rows = dt_matrix_rows(layer, pass);
    dt_real *factor = layer->scratch[0], *none = factor + cols;
    if (!dx) return;
    if (config->activation == DT_RECTIFIER_RELU)
        pass->kernels->activate_backward(dy, NULL, y, NULL, rows, cols, DT_RELU, 0, false);
    fixed_factors(layer, pass, factor);
    memset(none, 0, (size_t)cols * sizeof *none);
    pass->kernels->normalise(dx, dy, none, factor, NULL, rows, cols, false);
}

static void backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx) {
    if (is_fixed(layer, pass)) {
        backward_fixed(layer, pass, y, dy, dx);
        return;
    }
    const batch_norm_config *config = layer->config;
    int64_t cols = dt_shape_last(&layer->in), rows = dt_matrix_rows(layer, pass);
    dt_real *work = layer->scratch[0];
    double samples = (double)pass->rows, unbiased = rows > 1 ? (double)rows / (double)(rows - 1) : 1;
    leave_statistic(layer, pass, RUNNING_MEAN, work, samples);
    leave_statistic(layer, pass, RUNNING_VARIANCE, work + cols, samples * unbiased);
    pass->kernels->batch_norm_backward(dx, scale_gradient(layer, pass), shift_gradient(layer, pass), work, dy, x,
                                       shift_of(layer, pass), rows, cols, config->activation == DT_RECTIFIER_RELU,
                                       pass->accumulate);
}

const dt_layer_kind dt_layer_batch_norm = {
    .name = "batch_norm",
    .help = "(x - mean)/sqrt(variance + eps)*scale + shift, by channel (the last dimension) over a shard",
    .fields = fields,
    .config_size = sizeof(batch_norm_config),
    .mixes = true,
    .plan = plan,
    .init = init,
    .forward = forward,
    .backward = backward,
};
