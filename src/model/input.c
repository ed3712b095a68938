/* The part of the model's input that has a name. The data's inputs lie one behind the other in one flat row; branches
 * of a concat begin with the ones they are for, and get them with their own shape. */
#include <string.h>

#include "base/append.h"
#include "base/memory.h"
#include "plan.h"

typedef struct input_config {
    dt_layer_common common;
    char part[DT_TEXT_MAX];
} input_config;

static const dt_field fields[] = {
    {.key = "part",
     .offset = offsetof(input_config, part),
     .type = DT_FIELD_TEXT,
     .min = 1,
     .flags = DT_FIELD_REQUIRED | DT_FIELD_SHORTHAND | DT_FIELD_ARITHMETIC,
     .help = "its name in data.inputs (data.train_x), as in {image: /a, meta: [/b, /c]}"},
    DT_LAYER_NAME_FIELD,
    {.key = NULL},
};

static dt_status fail_name(const dt_layer *layer, const dt_model_spec *spec) {
    const input_config *config = layer->config;
    char names[200] = "";
    for (int64_t i = 0; i < spec->input_count; i++)
        dt_append(names, sizeof names, "%s%s", i > 0 ? ", " : "", spec->inputs[i].name);
    if (spec->input_count == 0)
        return dt_layer_fail(layer, "the data has no named inputs; data.inputs: {%s: DATASET, ...} names them",
                             config->part);
    return dt_layer_fail(layer, "the data has no input `%s`; it has %s", config->part, names);
}

/* Where the input begins in a row. */
typedef struct input_state {
    int64_t first;
} input_state;

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    const input_config *config = layer->config;
    const dt_model_spec *spec = dt_plan_spec(plan);
    const dt_input *found = NULL;
    for (int64_t i = 0; i < spec->input_count; i++)
        if (strcmp(spec->inputs[i].name, config->part) == 0) found = &spec->inputs[i];
    if (!found) return fail_name(layer, spec);
    if (layer->in.rank != 1 || layer->in.dim[0] != dt_shape_count(&spec->input))
        return dt_layer_fail(layer, "it takes its part of the model's input, so it comes first, or first in a branch");
    input_state *state = dt_alloc(1, sizeof *state);
    if (!state) return dt_fail_memory("a layer", sizeof *state);
    state->first = found->first;
    layer->state = state;
    layer->out = found->shape;
    return dt_ok();
}

static void forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    const input_state *state = layer->state;
    int64_t width = dt_shape_count(&layer->in), own = dt_shape_count(&layer->out);
    for (int64_t r = 0; r < pass->rows; r++) memcpy(y + r * own, x + r * width + state->first, (size_t)own * sizeof *y);
}

static void backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx) {
    (void)x, (void)y;
    const input_state *state = layer->state;
    int64_t width = dt_shape_count(&layer->in), own = dt_shape_count(&layer->out);
    if (!dx) return;
    memset(dx, 0, (size_t)(pass->rows * width) * sizeof *dx);
    for (int64_t r = 0; r < pass->rows; r++)
        memcpy(dx + r * width + state->first, dy + r * own, (size_t)own * sizeof *dx);
}

const dt_layer_kind dt_layer_named_input = {
    .name = "input",
    .help = "the part of the model's input that has a name in data.inputs, with its own shape",
    .fields = fields,
    .config_size = sizeof(input_config),
    .plan = plan,
    .init = NULL,
    .forward = forward,
    .backward = backward,
};
