/* From vectors back to tokens: y = x w + b, an output for each token of the vocabulary. With `of` the name of an
 * embedding, w is its table ("tied", Press and Wolf 2017); else a matrix of its own. What it gives at a position is
 * large, so a model that ends with it computes its loss in chunks (model.c). */
#include <string.h>

#include "base/memory.h"
#include "init.h"
#include "linear.h"

typedef struct unembed_config {
    dt_layer_common common;
    char of[DT_TEXT_MAX];
    bool bias;
    double std;
} unembed_config;

#define FIELD(name) .key = #name, .offset = offsetof(unembed_config, name)

static const dt_field fields[] = {
    {FIELD(of), .type = DT_FIELD_TEXT, .fallback = "", .flags = DT_FIELD_SHORTHAND | DT_FIELD_ARITHMETIC,
     .help =
         "name of the embedding whose table it uses (embedding1, unless it was given one); \"\": a matrix of its own"},
    {FIELD(bias), .type = DT_FIELD_BOOL, .fallback = "false", .flags = DT_FIELD_ARITHMETIC,
     .help = "whether there is a b"},
    {FIELD(std), .type = DT_FIELD_REAL, .fallback = "0.02", .min = 0, .max = 1e6,
     .flags = DT_FIELD_ARITHMETIC | DT_FIELD_ABOVE,
     .help = "standard deviation of the initial matrix, where it has one"},
    DT_LAYER_NAME_FIELD,
    {.key = NULL},
};

static bool is_tied(const dt_layer *layer) {
    return ((const unembed_config *)layer->config)->of[0] != '\0';
}

static dt_status plan_table(dt_layer *layer, dt_plan *plan, int64_t width) {
    const unembed_config *config = layer->config;
    const dt_model_spec *spec = dt_plan_spec(plan);
    if (is_tied(layer)) return dt_plan_share(plan, layer, config->of, "w", width);
    if (spec->outputs == 0)
        return dt_layer_fail(layer,
                             "the data has no classes, so there is no saying how many outputs it is to have; use "
                             "dense, or `of` an embedding");
    return dt_plan_param(plan, layer, "w", &(dt_shape){2, {width, spec->outputs}}, DT_TENSOR_DECAY);
}

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    const unembed_config *config = layer->config;
    int64_t width = dt_shape_last(&layer->in), positions = dt_shape_count(&layer->in) / width;
    dt_linear *linear = layer->state = dt_alloc(1, sizeof *linear);
    if (!linear) return dt_fail_memory("a layer", sizeof *linear);
    DT_TRY(plan_table(layer, plan, width));
    DT_TRY(dt_linear_plan(linear, plan, layer, 0, is_tied(layer), positions));
    if (config->bias) DT_TRY(dt_plan_param(plan, layer, "b", &(dt_shape){1, {linear->out}}, 0));
    if (dt_plan_spec(plan)->clips) DT_TRY(dt_plan_workspace(plan, layer, dt_linear_norms_workspace(linear, positions)));
    dt_plan_along(layer, linear->out);
    layer->flops = 2.0 * (double)positions * (double)width * (double)linear->out;
    layer->chunkable = true;
    return dt_ok();
}

static void init(const dt_layer *layer, dt_real *weights, uint64_t seed) {
    const unembed_config *config = layer->config;
    if (is_tied(layer)) return;
    dt_init_fill(DT_PARAM(layer, weights, 0), layer->table->tensors[layer->param[0]].count, DT_INIT_NORMAL, 1, 1, 1,
                 config->std, seed, layer->param[0]);
}

static void forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    const unembed_config *config = layer->config;
    const dt_linear *linear = layer->state;
    int64_t rows = dt_matrix_rows(layer, pass);
    dt_linear_forward(linear, layer, pass, x, rows, 0, y);
    if (config->bias)
        pass->kernels->bias_activate(y, NULL, DT_PARAM(layer, pass->weights, 1), rows, linear->out, DT_LINEAR, 0);
}

static void backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx) {
    const unembed_config *config = layer->config;
    const dt_linear *linear = layer->state;
    int64_t rows = dt_matrix_rows(layer, pass);
    dt_real *db = config->bias ? dt_param_gradient(layer, pass, 1) : NULL;
    pass->kernels->activate_backward(dy, db, y, NULL, rows, linear->out, DT_LINEAR, 0, pass->accumulate);
    dt_linear_backward(linear, layer, pass, x, dy, rows, pass->accumulate, 0, dx);
}

static void norms(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                  dt_real *dx) {
    (void)y;
    const unembed_config *config = layer->config;
    int64_t rows = dt_matrix_rows(layer, pass), positions = dt_matrix_rows(layer, &(dt_pass){.rows = 1});
    dt_linear_norms(layer->state, layer, pass, x, dy, positions, config->bias ? 1 : -1);
    dt_linear_backward(layer->state, layer, pass, x, dy, rows, false, 0, dx);
}

static void sums(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *dy) {
    backward(layer, pass, x, NULL, dy, NULL);
}

const dt_layer_kind dt_layer_unembed = {
    .name = "unembed",
    .help = "y = x w + b, an output for each token; w may be an embedding's table",
    .fields = fields,
    .config_size = sizeof(unembed_config),
    .plan = plan,
    .init = init,
    .forward = forward,
    .backward = backward,
    .norms = norms,
    .sums = sums,
};
