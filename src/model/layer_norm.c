/* Normalisation along the last dimension, each position for itself: layer normalisation (Ba, Kiros, Hinton 2016), and
 * its cheaper relative that leaves the mean where it is and divides by the root of the mean square (RMS norm; Zhang and
 * Sennrich 2019). */
#include "plan.h"

typedef struct layer_norm_config {
    dt_layer_common common;
    double eps;
    bool scale, shift;
} layer_norm_config;

#define FIELD(name) .key = #name, .offset = offsetof(layer_norm_config, name)
#define EPS_FIELD(standard)                                                                                            \
    {                                                                                                                  \
        FIELD(eps), .type = DT_FIELD_REAL, .fallback = (standard), .max = 1,                                           \
                    .flags = DT_FIELD_ARITHMETIC | DT_FIELD_ABOVE, .help = "added to the variance, or mean square"     \
    }
#define SCALE_FIELD                                                                                                    \
    {                                                                                                                  \
        FIELD(scale), .type = DT_FIELD_BOOL, .fallback = "true", .flags = DT_FIELD_ARITHMETIC,                         \
                      .help = "whether a trained factor follows, a number a channel"                                   \
    }

static const dt_field layer_fields[] = {
    EPS_FIELD("1e-5"),
    SCALE_FIELD,
    {FIELD(shift), .type = DT_FIELD_BOOL, .fallback = "true", .flags = DT_FIELD_ARITHMETIC,
     .help = "whether a trained term follows, a number a channel"},
    DT_LAYER_NAME_FIELD,
    {.key = NULL},
};

/* No shift: the configuration's stays false. */
static const dt_field rms_fields[] = {EPS_FIELD("1e-6"), SCALE_FIELD, DT_LAYER_NAME_FIELD, {.key = NULL}};

enum { RMS, CENTRED }; /* variants */

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    const layer_norm_config *config = layer->config;
    dt_shape channels = {1, {dt_shape_last(&layer->in)}};
    DT_TRY(dt_plan_check_values(plan, layer, channels.dim[0], true));
    if (config->scale) DT_TRY(dt_plan_param(plan, layer, "scale", &channels, 0));
    if (config->shift) DT_TRY(dt_plan_param(plan, layer, "shift", &channels, 0));
    DT_TRY(dt_plan_scratch(plan, layer, 2 * (dt_shape_count(&layer->in) / channels.dim[0])));
    layer->out = layer->in;
    layer->in_place = true;
    layer->reads_input = true;
    layer->positionwise = layer->in.rank > 1;
    return dt_ok();
}

static void init(const dt_layer *layer, dt_real *weights, uint64_t seed) {
    (void)seed;
    const layer_norm_config *config = layer->config;
    for (int64_t j = 0; config->scale && j < dt_shape_last(&layer->in); j++) DT_PARAM(layer, weights, 0)[j] = 1;
}

static const dt_real *scale_of(const dt_layer *layer, const dt_pass *pass) {
    const layer_norm_config *config = layer->config;
    return config->scale ? DT_PARAM(layer, pass->weights, 0) : NULL;
}

static const dt_real *shift_of(const dt_layer *layer, const dt_pass *pass) {
    const layer_norm_config *config = layer->config;
    return config->shift ? DT_PARAM(layer, pass->weights, config->scale) : NULL;
}

/* Where their gradients are wanted. */
static dt_real *scale_gradient(const dt_layer *layer, const dt_pass *pass) {
    const layer_norm_config *config = layer->config;
    return config->scale ? dt_param_gradient(layer, pass, 0) : NULL;
}

static dt_real *shift_gradient(const dt_layer *layer, const dt_pass *pass) {
    const layer_norm_config *config = layer->config;
    return config->shift ? dt_param_gradient(layer, pass, config->scale) : NULL;
}

static void forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    const layer_norm_config *config = layer->config;
    int64_t cols = dt_shape_last(&layer->in), rows = dt_matrix_rows(layer, pass);
    pass->kernels->row_norm(y, layer->scratch[0], x, scale_of(layer, pass), shift_of(layer, pass), rows, cols,
                            (dt_real)config->eps, layer->kind->variant == CENTRED);
}

static void backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx) {
    (void)y;
    int64_t cols = dt_shape_last(&layer->in), rows = dt_matrix_rows(layer, pass);
    pass->kernels->row_norm_backward(dx, scale_gradient(layer, pass), shift_gradient(layer, pass), dy, x,
                                     layer->scratch[0], scale_of(layer, pass), rows, cols,
                                     layer->kind->variant == CENTRED, pass->accumulate);
}

const dt_layer_kind dt_layer_layer_norm = {
    .name = "layer_norm",
    .help = "(x - mean)/sqrt(variance + eps)*scale + shift along the last dimension",
    .fields = layer_fields,
    .config_size = sizeof(layer_norm_config),
    .variant = CENTRED,
    .plan = plan,
    .init = init,
    .forward = forward,
    .backward = backward,
    .by_row = true,
};

const dt_layer_kind dt_layer_rms_norm = {
    .name = "rms_norm",
    .help = "x/sqrt(mean of x^2 + eps)*scale along the last dimension",
    .fields = rms_fields,
    .config_size = sizeof(layer_norm_config),
    .variant = RMS,
    .plan = plan,
    .init = init,
    .forward = forward,
    .backward = backward,
    .by_row = true,
};
