/* Pools: the largest or the mean of each window, channel by channel, over pictures [height, width, channels] or series
 * [length, channels]; the global ones have one window, which is everything. Two dimensions may be either a picture of
 * one channel or a series: they are a series, as a layer before leaves it, unless the kernel is written for a picture
 * (2x2). What a window has outside the picture does not count, neither as a candidate nor in the mean. */
#include <string.h>

#include "base/memory.h"
#include "plan.h"
#include "window.h"

typedef struct pool_config {
    dt_layer_common common;
    dt_window_config window;
} pool_config;

typedef struct pool_state {
    dt_window window;
    int64_t channels;
} pool_state;

enum { MAX = 1, GLOBAL = 2 }; /* bits of a kind's variant */

static const dt_field fields[] = {
    DT_WINDOW_FIELD(pool_config, kernel, "2", DT_FIELD_SHORTHAND,
                    "pixels of the window: a number or height x width (2x2); a series has a length only"),
    DT_WINDOW_FIELD(pool_config, stride, "kernel", 0,
                    "pixels from one window to the next, as kernel; kernel: its size"),
    DT_WINDOW_FIELD(pool_config, padding, "valid", 0,
                    "pixels added around the picture, that do not count: same, valid (none) or a number"),
    DT_LAYER_NAME_FIELD,
    {.key = NULL},
};

static const dt_field global_fields[] = {DT_LAYER_NAME_FIELD, {.key = NULL}};

/* A window that is the whole input. */
static dt_window everything(const int64_t size[2]) {
    return (dt_window){.in = {size[0], size[1]},
                       .out = {1, 1},
                       .kernel = {size[0], size[1]},
                       .stride = {size[0], size[1]},
                       .dilation = {1, 1}};
}

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    const pool_config *config = layer->config;
    const bool global = layer->kind->variant & GLOBAL;
    pool_state *state = layer->state = dt_alloc(1, sizeof *state);
    if (!state) return dt_fail_memory("a pool", sizeof *state);
    const dt_shape *in = &layer->in;
    char shape[96];
    dt_shape_text(in, shape);
    if (in->rank < 1 || in->rank > 3)
        return dt_layer_fail(layer,
                             "its input has the shape %s but %s takes [height, width, channels] or [length, channels]",
                             shape, layer->kind->name);
    int dimensions = in->rank == 3 || (in->rank == 2 && !global && dt_window_is_pair(config->window.kernel)) ? 2 : 1;
    int64_t size[2] = {dimensions == 2 ? in->dim[0] : 1, in->dim[dimensions - 1]};
    state->channels = in->rank > dimensions ? in->dim[dimensions] : 1;
    state->window = everything(size);
    layer->window = &state->window;
    layer->out = (dt_shape){1, {state->channels}};
    if (!global) {
        dt_window_config window = config->window;
        if (strcmp(window.stride, "kernel") == 0) window.stride[0] = '\0';
        DT_TRY(dt_window_plan(&state->window, layer, &window, dimensions, size));
        const int64_t *out = state->window.out;
        layer->out = (dt_shape){3, {out[0], out[1], state->channels}};
        if (dimensions == 1) layer->out = (dt_shape){2, {out[1], state->channels}};
    }
    layer->by_portions = 1;
    bool largest = layer->kind->variant & MAX;
    layer->undoes_relu = largest && dt_plan_training(plan) && layer->before && layer->before->gives_relu &&
                         dt_window_squares_tile(&state->window);
    layer->reads_output = layer->undoes_relu;
    return largest ? dt_plan_scratch(plan, layer, dt_shape_count(&layer->out)) : dt_ok();
}

static void max_forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    const pool_state *state = layer->state;
    pass->kernels->max_pool(y, (int32_t *)layer->scratch[0], x, &state->window, pass->rows, state->channels);
}

static int64_t pixels_of(const dt_layer *layer, const pool_state *state) {
    return dt_shape_count(&layer->out) / state->channels;
}

/* A gradient goes to the pixel that was largest, and then through the ReLU that made it, if one did, by the sign of
 * that pixel, which is that of the pool's output: here that takes a quarter of the numbers, and the other pixels'
 * gradients are 0 either way. Where windows overlap a pixel has several, whose zeros might get another sign. */
static void max_backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                         dt_real *dx) {
    (void)x;
    const pool_state *state = layer->state;
    if (layer->undoes_relu)
        pass->kernels->activate_backward(dy, NULL, y, NULL, pass->rows * pixels_of(layer, state), state->channels,
                                         DT_RELU, 0, false);
    pass->kernels->max_pool_backward(dx, dy, (const int32_t *)layer->scratch[0], &state->window, pass->rows,
                                     state->channels);
}

static void avg_forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    const pool_state *state = layer->state;
    pass->kernels->avg_pool(y, x, &state->window, pass->rows, state->channels);
}

static void avg_backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                         dt_real *dx) {
    (void)x, (void)y;
    const pool_state *state = layer->state;
    pass->kernels->avg_pool_backward(dx, dy, &state->window, pass->rows, state->channels);
}

#define POOL(symbol, text, meaning, bits, table, way)                                                                  \
    const dt_layer_kind dt_layer_##symbol = {                                                                          \
        .name = text,                                                                                                  \
        .help = meaning,                                                                                               \
        .fields = table,                                                                                               \
        .config_size = sizeof(pool_config),                                                                            \
        .variant = bits,                                                                                               \
        .plan = plan,                                                                                                  \
        .init = NULL,                                                                                                  \
        .forward = way##_forward,                                                                                      \
        .backward = way##_backward,                                                                                    \
    }

POOL(max_pool, "max_pool", "the largest of each window, channel by channel", MAX, fields, max);
POOL(avg_pool, "avg_pool", "the mean of each window, channel by channel", 0, fields, avg);
POOL(global_max_pool, "global_max_pool", "the largest of each channel", MAX | GLOBAL, global_fields, max);
POOL(global_avg_pool, "global_avg_pool", "the mean of each channel", GLOBAL, global_fields, avg);
