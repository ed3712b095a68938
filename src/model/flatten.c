/* A sample of any shape as a vector. Samples are contiguous, so nothing moves: the layer is a view of its input. */
#include "layer.h"

static const dt_field fields[] = {DT_LAYER_NAME_FIELD, {.key = NULL}};

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    (void)plan;
    layer->out = (dt_shape){1, {dt_shape_count(&layer->in)}};
    layer->view = true;
    return dt_ok();
}

static void forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    (void)layer, (void)pass, (void)x, (void)y;
}

static void backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx) {
    (void)layer, (void)pass, (void)x, (void)y, (void)dy, (void)dx;
}

const dt_layer_kind dt_layer_flatten = {
    .name = "flatten",
    .help = "a sample of any shape as a vector",
    .fields = fields,
    .config_size = sizeof(dt_layer_common),
    .plan = plan,
    .init = NULL,
    .forward = forward,
    .backward = backward,
};
