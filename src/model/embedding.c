/* Token ids as vectors: a row of a table for each, and, with learned positions, one for each position added to it
 * (Vaswani et al. 2017, section 3.4; learned positions as in Devlin et al. 2019 and Radford et al. 2019). The table may
 * be used again at the end (unembed.c); its gradient then has that part in it when this layer, the first, comes to add
 * its own. The id -1 is no token: it is a vector of zeros, and learns nothing. */
#include <string.h>

#include "init.h"
#include "plan.h"

typedef struct embedding_config {
    dt_layer_common common;
    int64_t width;
    int positions; /* index into positions[] */
    double std;
} embedding_config;

enum { W, P }; /* parameters */
static const char *const positions[] = {"none", "learned", NULL};
#define LEARNED 1

#define FIELD(name) .key = #name, .offset = offsetof(embedding_config, name)

static const dt_field fields[] = {
    {FIELD(width), .type = DT_FIELD_INT, .min = 1, .max = 0x1p31,
     .flags = DT_FIELD_REQUIRED | DT_FIELD_SHORTHAND | DT_FIELD_ARITHMETIC, .help = "numbers of a token's vector"},
    {FIELD(positions), .type = DT_FIELD_CHOICE, .fallback = "none", .choices = positions, .flags = DT_FIELD_ARITHMETIC,
     .help = "whether each position has a vector too, which is added"},
    {FIELD(std), .type = DT_FIELD_REAL, .fallback = "0.02", .min = 0, .max = 1e6,
     .flags = DT_FIELD_ARITHMETIC | DT_FIELD_ABOVE, .help = "standard deviation of the initial vectors"},
    DT_LAYER_NAME_FIELD,
    {.key = NULL},
};

static bool learns_positions(const dt_layer *layer) {
    return ((const embedding_config *)layer->config)->positions == LEARNED;
}

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    const embedding_config *config = layer->config;
    const dt_model_spec *spec = dt_plan_spec(plan);
    if (layer->index > 0 || layer->in.rank != 1)
        return dt_layer_fail(layer, "an embedding turns the data's token ids into vectors; it must be the first layer");
    if (spec->ids == 0)
        return dt_layer_fail(layer, "the data is no text; an embedding needs token ids (set data.context)");
    DT_TRY(
        dt_plan_param(plan, layer, "w", &(dt_shape){2, {spec->ids, config->width}}, DT_TENSOR_DECAY | DT_TENSOR_LENT));
    if (learns_positions(layer))
        DT_TRY(dt_plan_param(plan, layer, "p", &(dt_shape){2, {dt_plan_positions(plan, layer), config->width}},
                             DT_TENSOR_DECAY));
    layer->out = (dt_shape){2, {layer->in.dim[0], config->width}};
    layer->positionwise = true;
    if (spec->clips) DT_TRY(dt_plan_workspace(plan, layer, (size_t)config->width * sizeof(dt_real)));
    return dt_ok();
}

static void init(const dt_layer *layer, dt_real *weights, uint64_t seed) {
    const embedding_config *config = layer->config;
    for (int i = 0; i < layer->param_count; i++)
        dt_init_fill(DT_PARAM(layer, weights, i), layer->table->tensors[layer->param[i]].count, DT_INIT_NORMAL, 1, 1, 1,
                     config->std, seed, layer->param[i]);
}

static void forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    (void)x; /* the tokens */
    int64_t width = layer->out.dim[1];
    const dt_real *at_position =
        learns_positions(layer) ? DT_PARAM(layer, pass->weights, P) + pass->position * width : NULL;
    pass->kernels->embed(y, DT_PARAM(layer, pass->weights, W), at_position, pass->tokens, pass->rows, layer->in.dim[0],
                         width);
}

/* The gradient of a parameter, to be added to; NULL where it has none. */
static dt_real *begin_gradient(const dt_layer *layer, const dt_pass *pass, int param) {
    const dt_tensor *tensor = &layer->table->tensors[layer->param[param]];
    dt_real *gradient = dt_param_gradient(layer, pass, param);
    bool written = pass->accumulate || (tensor->flags & DT_TENSOR_SHARED);
    if (gradient && !written) memset(gradient, 0, tensor->count * sizeof *gradient);
    return gradient;
}

static void backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx) {
    (void)x, (void)y, (void)dx; /* nobody asks for the gradient of ids */
    dt_real *dw = begin_gradient(layer, pass, W);
    dt_real *dp = learns_positions(layer) ? begin_gradient(layer, pass, P) : NULL;
    pass->kernels->embed_backward(dw, dp, dy, pass->tokens, pass->rows, layer->in.dim[0], layer->out.dim[1]);
}

/* Of a sample, the rows of the table that its tokens name: each is the sum over the token's positions. */
static double squares_of_table(const dt_layer *layer, const dt_kernels *kernels, const dt_real *ids,
                               const dt_real *dy) {
    const int64_t count = layer->in.dim[0], width = layer->out.dim[1];
    dt_real *sum = layer->workspace;
    double squares = 0;
    for (int64_t t = 0; t < count; t++) {
        int64_t before = 0;
        while (ids[before] != ids[t]) before++;
        if (before < t || ids[t] < 0) continue;
        memcpy(sum, dy + t * width, (size_t)width * sizeof *sum);
        for (int64_t s = t + 1; s < count; s++)
            if (ids[s] == ids[t]) kernels->add(sum, dy + s * width, width);
        squares += kernels->sum_squares(sum, width);
    }
    return squares;
}

static void norms(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                  dt_real *dx) {
    (void)x, (void)y, (void)dx;
    const int64_t out = dt_shape_count(&layer->out);
    for (int64_t r = 0; r < pass->rows; r++) {
        const dt_real *ids = pass->tokens + r * layer->in.dim[0], *own = dy + r * out;
        if (!dt_param_is_frozen(layer, W)) pass->squares[r] += squares_of_table(layer, pass->kernels, ids, own);
        if (learns_positions(layer) && !dt_param_is_frozen(layer, P))
            pass->squares[r] += pass->kernels->sum_squares(own, out);
    }
}

static void sums(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *dy) {
    backward(layer, pass, x, NULL, dy, NULL);
}

const dt_layer_kind dt_layer_embedding = {
    .name = "embedding",
    .help = "a vector for each token id of a text: [positions] becomes [positions, width]",
    .fields = fields,
    .config_size = sizeof(embedding_config),
    .plan = plan,
    .init = init,
    .forward = forward,
    .backward = backward,
    .norms = norms,
    .sums = sums,
};
