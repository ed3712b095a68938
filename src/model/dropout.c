/* Dropout (Srivastava et al. 2014), inverted: kept elements are scaled by 1/(1 - rate) in training, and outside
 * training nothing happens. The mask is not kept: it is a function of (seed, step, layer, sample, element), drawn again
 * on the way back, so it is the same however the batch is divided. */
#include <string.h>

#include "plan.h"

typedef struct dropout_config {
    dt_layer_common common;
    double rate;
} dropout_config;

static const dt_field fields[] = {
    {.key = "rate",
     .offset = offsetof(dropout_config, rate),
     .type = DT_FIELD_REAL,
     .min = 0,
     .max = 1,
     .flags = DT_FIELD_REQUIRED | DT_FIELD_SHORTHAND | DT_FIELD_BELOW | DT_FIELD_ARITHMETIC,
     .help = "share of the elements set to zero in training"},
    DT_LAYER_NAME_FIELD,
    {.key = NULL},
};

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    const dropout_config *config = layer->config;
    layer->out = layer->in;
    layer->in_place = true;
    layer->positionwise = true;
    layer->view = config->rate == 0 || !dt_plan_training(plan) || dt_plan_spec(plan)->adjoint;
    return dt_ok();
}

static void run(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    const dropout_config *config = layer->config;
    dt_stream stream = dt_stream_at(pass->seed, DT_RANDOM_DROPOUT, pass->step, layer->index);
    pass->kernels->dropout(y, x, pass->rows, dt_shape_count(&layer->in), (dt_real)config->rate, stream, pass->first);
}

static void forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    if (pass->training)
        run(layer, pass, x, y);
    else if (y != x)
        memcpy(y, x, (size_t)(pass->rows * dt_shape_count(&layer->in)) * sizeof *y);
}

static void backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx) {
    (void)x, (void)y;
    run(layer, pass, dy, dx);
}

const dt_layer_kind dt_layer_dropout = {
    .name = "dropout",
    .help = "sets a random share of the elements to zero in training",
    .fields = fields,
    .config_size = sizeof(dropout_config),
    .plan = plan,
    .init = NULL,
    .forward = forward,
    .backward = backward,
};
