/* Group normalisation (Wu and He 2018): within a sample, over all positions and the channels of a group. Nothing
 * depends on the other samples, so it is for batches too small for batch_norm. One group is layer normalisation over a
 * whole sample; as many as channels is instance normalisation. */
#include "plan.h"

typedef struct group_norm_config {
    dt_layer_common common;
    int64_t groups;
    double eps;
    bool scale, shift;
} group_norm_config;

#define FIELD(name) .key = #name, .offset = offsetof(group_norm_config, name)

static const dt_field fields[] = {
    {FIELD(groups), .type = DT_FIELD_INT, .min = 1, .max = 0x1p31,
     .flags = DT_FIELD_REQUIRED | DT_FIELD_SHORTHAND | DT_FIELD_ARITHMETIC,
     .help = "groups of neighbouring channels; divides their number"},
    {FIELD(eps), .type = DT_FIELD_REAL, .fallback = "1e-5", .max = 1, .flags = DT_FIELD_ARITHMETIC | DT_FIELD_ABOVE,
     .help = "added to the variance"},
    {FIELD(scale), .type = DT_FIELD_BOOL, .fallback = "true", .flags = DT_FIELD_ARITHMETIC,
     .help = "whether a trained factor follows, a number a channel"},
    {FIELD(shift), .type = DT_FIELD_BOOL, .fallback = "true", .flags = DT_FIELD_ARITHMETIC,
     .help = "whether a trained term follows, a number a channel"},
    DT_LAYER_NAME_FIELD,
    {.key = NULL},
};

enum { STATS, WORK }; /* its scratch */

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    const group_norm_config *config = layer->config;
    dt_shape channels = {1, {dt_shape_last(&layer->in)}};
    if (channels.dim[0] % config->groups != 0)
        return dt_layer_fail(layer, "%lld channels cannot be divided into %lld groups; groups must divide them",
                             (long long)channels.dim[0], (long long)config->groups);
    DT_TRY(dt_plan_check_values(plan, layer, dt_shape_count(&layer->in) / config->groups, true));
    if (config->scale) DT_TRY(dt_plan_param(plan, layer, "scale", &channels, 0));
    if (config->shift) DT_TRY(dt_plan_param(plan, layer, "shift", &channels, 0));
    DT_TRY(dt_plan_scratch(plan, layer, 2 * config->groups));
    DT_TRY(dt_plan_fixed(plan, layer, DT_NORM_WORK * channels.dim[0]));
    layer->out = layer->in;
    layer->in_place = true;
    layer->reads_input = true;
    return dt_ok();
}

static void init(const dt_layer *layer, dt_real *weights, uint64_t seed) {
    (void)seed;
    const group_norm_config *config = layer->config;
    for (int64_t j = 0; config->scale && j < dt_shape_last(&layer->in); j++) DT_PARAM(layer, weights, 0)[j] = 1;
}

static const dt_real *scale_of(const dt_layer *layer, const dt_pass *pass) {
    const group_norm_config *config = layer->config;
    return config->scale ? DT_PARAM(layer, pass->weights, 0) : NULL;
}

static const dt_real *shift_of(const dt_layer *layer, const dt_pass *pass) {
    const group_norm_config *config = layer->config;
    return config->shift ? DT_PARAM(layer, pass->weights, config->scale) : NULL;
}

/* Where their gradients are wanted. */
static dt_real *scale_gradient(const dt_layer *layer, const dt_pass *pass) {
    const group_norm_config *config = layer->config;
    return config->scale ? dt_param_gradient(layer, pass, 0) : NULL;
}

static dt_real *shift_gradient(const dt_layer *layer, const dt_pass *pass) {
    const group_norm_config *config = layer->config;
    return config->shift ? dt_param_gradient(layer, pass, config->scale) : NULL;
}

static void forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    const group_norm_config *config = layer->config;
    int64_t cols = dt_shape_last(&layer->in), positions = dt_shape_count(&layer->in) / cols;
    pass->kernels->group_norm(y, layer->scratch[STATS], layer->scratch[WORK], x, scale_of(layer, pass),
                              shift_of(layer, pass), pass->rows, positions, cols, config->groups, (dt_real)config->eps);
}

static void backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx) {
    (void)y;
    const group_norm_config *config = layer->config;
    int64_t cols = dt_shape_last(&layer->in), positions = dt_shape_count(&layer->in) / cols;
    pass->kernels->group_norm_backward(dx, scale_gradient(layer, pass), shift_gradient(layer, pass),
                                       layer->scratch[WORK], dy, x, layer->scratch[STATS], scale_of(layer, pass),
                                       pass->rows, positions, cols, config->groups, pass->accumulate);
}

const dt_layer_kind dt_layer_group_norm = {
    .name = "group_norm",
    .help = "(x - mean)/sqrt(variance + eps)*scale + shift over a sample's positions and a group of its channels",
    .fields = fields,
    .config_size = sizeof(group_norm_config),
    .plan = plan,
    .init = init,
    .forward = forward,
    .backward = backward,
    .by_row = true,
};
