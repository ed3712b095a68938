/* More positions from fewer: pictures [H, W, C] grow in both directions, series [T, C] along T. `nearest` repeats,
 * `linear` goes straight between the centres of neighbours (bilinear in a picture), as PyTorch does without
 * align_corners. */
#include "layer.h"

typedef struct upsample_config {
    dt_layer_common common;
    int64_t factor;
    int method;
} upsample_config;

static const char *const methods[] = {"nearest", "linear", NULL};

#define FIELD(name) .key = #name, .offset = offsetof(upsample_config, name)

static const dt_field fields[] = {
    {FIELD(factor), .type = DT_FIELD_INT, .min = 1, .max = 1024,
     .flags = DT_FIELD_REQUIRED | DT_FIELD_SHORTHAND | DT_FIELD_ARITHMETIC,
     .help = "how many positions become of one, in each direction"},
    {FIELD(method), .type = DT_FIELD_CHOICE, .fallback = "nearest", .choices = methods, .flags = DT_FIELD_ARITHMETIC,
     .help = "what lies between"},
    DT_LAYER_NAME_FIELD,
    {.key = NULL},
};

static dt_upsampling geometry(const dt_layer *layer) {
    const upsample_config *config = layer->config;
    const int64_t *dim = layer->in.dim;
    bool linear = config->method == 1;
    if (layer->in.rank == 2) return (dt_upsampling){1, dim[0], dim[1], 1, config->factor, linear};
    return (dt_upsampling){dim[0], dim[1], dim[2], config->factor, config->factor, linear};
}

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    (void)plan;
    const upsample_config *config = layer->config;
    if (layer->in.rank != 2 && layer->in.rank != 3) {
        char shape[96];
        dt_shape_text(&layer->in, shape);
        return dt_layer_fail(layer,
                             "its input has the shape %s but upsample takes [H, W, C] or [T, C]; put a "
                             "`- reshape: […]` before it",
                             shape);
    }
    layer->out = layer->in;
    for (int i = 0; i + 1 < layer->out.rank; i++) layer->out.dim[i] *= config->factor;
    return dt_ok();
}

static void forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    dt_upsampling u = geometry(layer);
    pass->kernels->upsample(y, x, &u, pass->rows);
}

static void backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx) {
    (void)x, (void)y;
    dt_upsampling u = geometry(layer);
    if (dx) pass->kernels->upsample_backward(dx, dy, &u, pass->rows);
}

const dt_layer_kind dt_layer_upsample = {
    .name = "upsample",
    .help = "a picture [H, W, C] or a series [T, C] with more positions",
    .fields = fields,
    .config_size = sizeof(upsample_config),
    .plan = plan,
    .init = NULL,
    .forward = forward,
    .backward = backward,
};
