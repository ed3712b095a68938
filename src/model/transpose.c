/* The dimensions of a sample in another order, as in [1, 2, 0], which makes pictures stored channels first [C, H, W]
 * the [H, W, C] all other layers want. It moves memory and computes nothing, so it has no kernel. */
#include "layer.h"

typedef struct transpose_config {
    dt_layer_common common;
    dt_shape order;
} transpose_config;

static const dt_field fields[] = {
    {.key = "order",
     .offset = offsetof(transpose_config, order),
     .type = DT_FIELD_LIST,
     .min = 0,
     .max = DT_MAX_RANK - 1,
     .flags = DT_FIELD_REQUIRED | DT_FIELD_SHORTHAND | DT_FIELD_ARITHMETIC,
     .help = "dimension i of the result is dimension order[i] of the input, counted from 0"},
    DT_LAYER_NAME_FIELD,
    {.key = NULL},
};

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    (void)plan;
    const transpose_config *config = layer->config;
    const dt_shape *order = &config->order;
    unsigned seen = 0;
    for (int i = 0; i < order->rank; i++) seen |= 1U << order->dim[i];
    if (order->rank != layer->in.rank || seen != (1U << order->rank) - 1) {
        char from[96], to[96];
        dt_shape_text(&layer->in, from);
        dt_shape_text(order, to);
        return dt_layer_fail(layer,
                             "its input has the shape %s, and %s is no order of %d dimensions; name each of 0 to "
                             "%d once",
                             from, to, layer->in.rank, layer->in.rank - 1);
    }
    layer->out.rank = order->rank;
    for (int i = 0; i < order->rank; i++) layer->out.dim[i] = layer->in.dim[order->dim[i]];
    return dt_ok();
}

/* For every element of the result in its order: `forth`, to[result] = from[source]; else to[source] = from[result]. */
static void move(const dt_layer *layer, dt_real *to, const dt_real *from, bool forth) {
    const transpose_config *config = layer->config;
    const dt_shape *in = &layer->in, *out = &layer->out;
    int64_t stride[DT_MAX_RANK] = {0}, position[DT_MAX_RANK] = {0};
    for (int i = 0; i < out->rank; i++) {
        stride[i] = 1;
        for (int64_t d = config->order.dim[i] + 1; d < in->rank; d++) stride[i] *= in->dim[d];
    }
    int inner = out->rank - 1;
    int64_t count = dt_shape_count(out), width = out->dim[inner], step = stride[inner], source = 0;
    for (int64_t at = 0; at < count; at += width) {
        if (forth) {
            for (int64_t j = 0; j < width; j++) to[at + j] = from[source + j * step];
        } else {
            for (int64_t j = 0; j < width; j++) to[source + j * step] = from[at + j];
        }
        for (int d = inner - 1; d >= 0; d--) {
            source += stride[d];
            if (++position[d] < out->dim[d]) break;
            source -= stride[d] * out->dim[d];
            position[d] = 0;
        }
    }
}

static void forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    int64_t count = dt_shape_count(&layer->in);
    for (int64_t i = 0; i < pass->rows; i++) move(layer, y + i * count, x + i * count, true);
}

static void backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx) {
    (void)x, (void)y;
    int64_t count = dt_shape_count(&layer->in);
    for (int64_t i = 0; dx && i < pass->rows; i++) move(layer, dx + i * count, dy + i * count, false);
}

const dt_layer_kind dt_layer_transpose = {
    .name = "transpose",
    .help = "a sample's dimensions in another order",
    .fields = fields,
    .config_size = sizeof(transpose_config),
    .plan = plan,
    .init = NULL,
    .forward = forward,
    .backward = backward,
};
