/* One vector of a sequence's: its first (the position of BERT's [CLS], Devlin et al. 2019, section 3), its last, or the
 * mean of those that are tokens. */
#include <string.h>

#include "layer.h"

typedef struct token_pool_config {
    dt_layer_common common;
    int of; /* index into choices[] */
} token_pool_config;

enum { MEAN, FIRST, LAST };
static const char *const choices[] = {"mean", "first", "last", NULL};

static const dt_field fields[] = {
    {.key = "of",
     .offset = offsetof(token_pool_config, of),
     .type = DT_FIELD_CHOICE,
     .fallback = "mean",
     .choices = choices,
     .flags = DT_FIELD_SHORTHAND | DT_FIELD_ARITHMETIC,
     .help = "which position; mean is over all that have a token"},
    DT_LAYER_NAME_FIELD,
    {.key = NULL},
};

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    (void)plan;
    char shape[96];
    dt_shape_text(&layer->in, shape);
    if (layer->in.rank != 2)
        return dt_layer_fail(layer, "its input has the shape %s; it takes a sequence, [positions, width]", shape);
    layer->out = (dt_shape){1, {layer->in.dim[1]}};
    return dt_ok();
}

/* The ids, where they are those of this layer's positions. */
static const dt_real *ids_of(const dt_layer *layer, const dt_pass *pass) {
    return pass->tokens && pass->positions == layer->in.dim[0] ? pass->tokens : NULL;
}

/* The position that is taken, unless it is the mean. */
static int64_t place_of(const dt_layer *layer) {
    return ((const token_pool_config *)layer->config)->of == LAST ? layer->in.dim[0] - 1 : 0;
}

static void forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    const token_pool_config *config = layer->config;
    int64_t positions = layer->in.dim[0], cols = layer->in.dim[1];
    if (config->of == MEAN) {
        pass->kernels->mean_of_positions(y, x, ids_of(layer, pass), pass->rows, positions, cols);
        return;
    }
    for (int64_t i = 0; i < pass->rows; i++)
        memcpy(y + i * cols, x + (i * positions + place_of(layer)) * cols, (size_t)cols * sizeof *y);
}

static void backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx) {
    (void)x, (void)y;
    const token_pool_config *config = layer->config;
    int64_t positions = layer->in.dim[0], cols = layer->in.dim[1];
    if (!dx) return;
    if (config->of == MEAN) {
        pass->kernels->mean_of_positions_backward(dx, dy, ids_of(layer, pass), pass->rows, positions, cols);
        return;
    }
    memset(dx, 0, (size_t)(pass->rows * positions * cols) * sizeof *dx);
    for (int64_t i = 0; i < pass->rows; i++)
        memcpy(dx + (i * positions + place_of(layer)) * cols, dy + i * cols, (size_t)cols * sizeof *dx);
}

const dt_layer_kind dt_layer_token_pool = {
    .name = "token_pool",
    .help = "[positions, width] becomes [width]: the mean of the positions, the first or the last",
    .fields = fields,
    .config_size = sizeof(token_pool_config),
    .plan = plan,
    .init = NULL,
    .forward = forward,
    .backward = backward,
};
