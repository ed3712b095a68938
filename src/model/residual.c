/* y = act(x + f(x)), f a list of layers (He et al. 2016). Where f changes the shape, `shortcut` is the list that
 * changes x likewise. The sum and ReLU are one pass. */
#include <stdio.h>
#include <string.h>

#include "activation.h"
#include "sequence.h"

typedef struct residual_config {
    dt_layer_common common;
    int activation; /* dt_rectifier_names */
} residual_config;

static const dt_field fields[] = {
    {.key = "activation",
     .offset = offsetof(residual_config, activation),
     .type = DT_FIELD_CHOICE,
     .fallback = "linear",
     .choices = dt_rectifier_names,
     .flags = DT_FIELD_ARITHMETIC,
     .help = "what is applied to the sum"},
    DT_LAYER_NAME_FIELD,
    {.key = NULL},
};

static const dt_layer_list lists[] = {
    {.key = "layers", .help = "f, whose result is added to x"},
    {.key = "shortcut", .optional = true, .help = "what x goes through before the sum, where f changes its shape"},
    {.key = NULL},
};

static bool has_shortcut(const dt_layer *layer) {
    return layer->inner_count > 1;
}

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    const residual_config *config = layer->config;
    char scope[2 * sizeof layer->name], long_way[96], short_way[96];
    snprintf(scope, sizeof scope, "%s/", layer->name);
    DT_TRY(dt_sequence_plan(&layer->inner[0], plan, scope, &layer->in, true));
    const dt_shape *f = dt_sequence_out(&layer->inner[0], &layer->in), *s = &layer->in;
    if (has_shortcut(layer)) {
        snprintf(scope, sizeof scope, "%s/shortcut/", layer->name);
        DT_TRY(dt_sequence_plan(&layer->inner[1], plan, scope, &layer->in, true));
        s = dt_sequence_out(&layer->inner[1], &layer->in);
        if (dt_plan_training(plan)) DT_TRY(dt_plan_scratch(plan, layer, dt_shape_count(s)));
    }
    dt_shape_text(f, long_way);
    dt_shape_text(s, short_way);
    if (strcmp(long_way, short_way) != 0)
        return dt_layer_fail(layer, "its layers give %s but %s %s; %s that gives the same", long_way,
                             has_shortcut(layer) ? "its shortcut gives" : "x is", short_way,
                             has_shortcut(layer) ? "it must be one" : "add a `shortcut`, a list of layers");
    layer->out = *f;
    layer->positionwise = layer->inner[0].positionwise && (!has_shortcut(layer) || layer->inner[1].positionwise);
    layer->over = layer->inner[0].keeps_output ? NULL : layer->inner[0].result;
    layer->reads_input = true;
    layer->reads_output = config->activation == DT_RECTIFIER_RELU;
    return dt_ok();
}

static void forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    const residual_config *config = layer->config;
    const dt_real *f = dt_sequence_forward(&layer->inner[0], pass, x);
    const dt_real *s = has_shortcut(layer) ? dt_sequence_forward(&layer->inner[1], pass, x) : x;
    pass->kernels->sum_activate(y, f, s, pass->rows * dt_shape_count(&layer->out),
                                config->activation == DT_RECTIFIER_RELU);
}

/* The two ways back use the same memory, one after the other: what f's gives is in dx before x's other way begins. */
static void backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx) {
    const residual_config *config = layer->config;
    int64_t cols = dt_shape_count(&layer->out), in = pass->rows * dt_shape_count(&layer->in);
    size_t bytes = (size_t)(pass->rows * cols) * sizeof *dy;
    if (config->activation == DT_RECTIFIER_RELU)
        pass->kernels->activate_backward(dy, NULL, y, NULL, pass->rows, cols, DT_RELU, 0, false);
    dt_real *copy = has_shortcut(layer) ? layer->scratch[0] : dx; /* of dy, which f's way back overwrites */
    if (copy) memcpy(copy, dy, bytes);
    const dt_real *f = dt_sequence_backward(&layer->inner[0], pass, x, dy, dx != NULL);
    if (!has_shortcut(layer)) {
        if (dx) pass->kernels->add(dx, f, in);
        return;
    }
    if (dx) memcpy(dx, f, (size_t)in * sizeof *dx);
    const dt_real *s = dt_sequence_backward(&layer->inner[1], pass, x, copy, dx != NULL);
    if (dx) pass->kernels->add(dx, s, in);
}

const dt_layer_kind dt_layer_residual = {
    .name = "residual",
    .help = "y = x + f(x), f a list of layers",
    .fields = fields,
    .lists = lists,
    .config_size = sizeof(residual_config),
    .plan = plan,
    .init = NULL,
    .forward = forward,
    .backward = backward,
};
