/* The same numbers in the same order under another shape: a view, like flatten. */
#include "layer.h"

typedef struct reshape_config {
    dt_layer_common common;
    dt_shape shape;
} reshape_config;

static const dt_field fields[] = {
    {.key = "shape",
     .offset = offsetof(reshape_config, shape),
     .type = DT_FIELD_LIST,
     .min = -1,
     .max = 0x1p40,
     .flags = DT_FIELD_REQUIRED | DT_FIELD_SHORTHAND | DT_FIELD_ARITHMETIC,
     .help = "of a sample, as in [28, 28, 1]; one dimension may be -1: what is left"},
    DT_LAYER_NAME_FIELD,
    {.key = NULL},
};

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    (void)plan;
    const reshape_config *config = layer->config;
    int64_t count = dt_shape_count(&layer->in), known = 1, open = -1;
    dt_shape out = config->shape;
    bool fits = true;
    for (int i = 0; fits && i < out.rank; i++) {
        fits = out.dim[i] > 0 ? !__builtin_mul_overflow(known, out.dim[i], &known) : out.dim[i] == -1 && open < 0;
        if (out.dim[i] == -1) open = i;
    }
    if (fits && open >= 0 && count % known == 0) {
        out.dim[open] = count / known;
        known = count;
    }
    if (!fits || known != count) {
        char from[96], to[96];
        dt_shape_text(&layer->in, from);
        dt_shape_text(&config->shape, to);
        return dt_layer_fail(layer, "its input has the shape %s, %lld values, which cannot become %s", from,
                             (long long)count, to);
    }
    layer->out = out;
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

const dt_layer_kind dt_layer_reshape = {
    .name = "reshape",
    .help = "a sample's values under another shape",
    .fields = fields,
    .config_size = sizeof(reshape_config),
    .plan = plan,
    .init = NULL,
    .forward = forward,
    .backward = backward,
};
