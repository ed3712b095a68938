/* Between the files of the model room: the list runner, the planning of memory, and the kinds' rows. */
#ifndef DTRAIN_MODEL_INTERNAL_H
#define DTRAIN_MODEL_INTERNAL_H

#include <stdio.h>

#include "model/model.h"

/* What every kind's configuration begins with. */
typedef struct dt_layer_common {
    char name[DT_TEXT_MAX];
} dt_layer_common;

#define DT_LAYER_MAX_LISTS 2 /* keys of a kind that hold layers */

extern const dt_layer_kind dt_layer_dense, dt_layer_sigmoid, dt_layer_tanh, dt_layer_relu, dt_layer_leaky_relu,
    dt_layer_gelu, dt_layer_silu, dt_layer_softmax, dt_layer_flatten, dt_layer_dropout;
extern const dt_layer_kind dt_layer_conv1d, dt_layer_conv2d, dt_layer_max_pool, dt_layer_avg_pool,
    dt_layer_global_max_pool, dt_layer_global_avg_pool;
extern const dt_layer_kind dt_layer_batch_norm, dt_layer_layer_norm, dt_layer_rms_norm, dt_layer_group_norm;
extern const dt_layer_kind dt_layer_embedding, dt_layer_unembed, dt_layer_swiglu, dt_layer_token_pool;
extern const dt_layer_kind dt_layer_residual, dt_layer_concat, dt_layer_upsample, dt_layer_reshape, dt_layer_transpose;
extern const dt_layer_kind dt_layer_attention;
extern const dt_layer_kind dt_layer_rnn, dt_layer_gru, dt_layer_lstm;

/* Choices of an `activation` field that is fused into a pass which needs the output alone to go back. */
extern const char *const dt_rectifier_names[]; /* index DT_RECTIFIER_RELU is relu */
#define DT_RECTIFIER_RELU 1

/* ---- planning (layers.c) ---- */

/* One request for elements of the model's arena: *where is set once the arena exists. */
typedef struct dt_request {
    dt_real **where;
    size_t offset; /* elements; in the pool */
    int pool;      /* which of dt_plan.pools; -1: memory of its own */
} dt_request;

/* Memory that several take in turn: the layers' workspace, numbers rounded for one product, and the two gradients of
 * the lists of a depth, of which one goes back at a time. */
#define DT_MAX_DEPTH 32
enum { DT_POOL_WORKSPACE, DT_POOL_ROUNDED, DT_POOL_GRADIENTS, DT_POOLS = DT_POOL_GRADIENTS + 2 * DT_MAX_DEPTH };

struct dt_plan {
    dt_table *table;
    const dt_model_spec *spec;
    int64_t state_width; /* elements of a row's recurrent state, so far */
    bool bounded;        /* a layer has something for each position */
    uint64_t layers;     /* planned so far, nested ones included: gives each its index */
    int depth;           /* of the list that is planned: 1 is the model's own */
    dt_request *requests;
    size_t count, capacity;
    size_t total;           /* elements */
    size_t pools[DT_POOLS]; /* elements: the largest that was asked for */
};

/* Refuses a normalisation over so few values (of a channel, of a group): of one there is nothing left. `per_sample`:
 * the others are of other samples, so that these count too. */
dt_status dt_plan_check_values(const dt_plan *plan, const dt_layer *layer, int64_t values, bool per_sample);
/* Asks for [max_rows, per_row] elements at *where, which must stay where it is until dt_plan_bind. */
dt_status dt_plan_memory(dt_plan *plan, dt_real **where, int64_t per_row);
/* The same, of the list's gradient number `which`, which lists of the same depth share. */
dt_status dt_plan_gradient(dt_plan *plan, dt_real **where, int which, int64_t per_row);
/* *where will be where *of is, which has been asked for. */
dt_status dt_plan_same(dt_plan *plan, dt_real **where, dt_real *const *of);
/* Memory for rounded numbers, shared by all who ask here: nothing stays in it between calls. */
dt_status dt_plan_rounded(dt_plan *plan, dt_real **where, int64_t per_row);
/* Allocates one arena for all requests and sets their pointers. The caller frees it. */
dt_status dt_plan_bind(dt_plan *plan, dt_real **arena);
void dt_plan_finish(dt_plan *plan);

/* ---- a list of layers (sequence.c) ---- */

/* Layers that run one after another: the model is one, and a layer may hold one inside itself. */
struct dt_sequence {
    dt_layer *layers;
    int count;
    int first_trained;      /* the first layer with parameters, its own or of layers in it; count when none has */
    bool outermost;         /* the model's own list */
    bool apart;             /* the last layer, if it can, is run by the caller, a part of the positions at a time */
    dt_real *const *result; /* where the last output will be; NULL: it is the caller's x */
    dt_layer *head;         /* that layer; NULL when it is run with the others */
    bool keeps_output;      /* a backward pass reads the last output, or it is the caller's x: do not overwrite it */
    dt_real *gradient[2];   /* [max_rows, widest], taken in turn by layers that are not in place */
    int64_t max_rows;
    bool pointwise;  /* all its layers are (dt_layer.pointwise) */
    dt_real *filled; /* [max_rows, in]: x, filled up with zeros, for a layer of fixed_rows that reads it; or NULL */
};

/* The list `nodes`, the key `path` of the recipe, and the lists inside it. */
dt_status dt_sequence_decode(dt_sequence *sequence, const dt_yaml *nodes, const char *path);
/* Plans a decoded list on samples of shape `input`. `scope` is put before the layers' names ("residual1/"). `wants_dx`:
 * backward will be asked for the gradient of the list's input. */
dt_status dt_sequence_plan(dt_sequence *sequence, dt_plan *plan, const char *scope, const dt_shape *input,
                           bool wants_dx);
void dt_sequence_finish(dt_sequence *sequence);
/* The shape of what the list gives. */
const dt_shape *dt_sequence_out(const dt_sequence *sequence, const dt_shape *input);
/* Whether any tensor, in whatever depth, belongs to the list. */
bool dt_sequence_is_trained(const dt_sequence *sequence);
void dt_sequence_init(const dt_sequence *sequence, dt_real *weights, uint64_t seed);

/* The last layer's output; x is not modified. */
const dt_real *dt_sequence_forward(const dt_sequence *sequence, const dt_pass *pass, const dt_real *x);
/* Parameter gradients from dy (overwritten), and the gradient of x, borrowed until another list of the same depth goes
 * back, when `wants_dx`; else NULL, and layers
 * before the first with parameters are left out. */
dt_real *dt_sequence_backward(const dt_sequence *sequence, const dt_pass *pass, const dt_real *x, dt_real *dy,
                              bool wants_dx);

/* ---- windows (window.c) ---- */

/* The fields convolutions and pools have in common, as the recipe writes them. */
typedef struct dt_window_config {
    char kernel[DT_TEXT_MAX], stride[DT_TEXT_MAX], dilation[DT_TEXT_MAX], padding[DT_TEXT_MAX];
} dt_window_config;

/* Rows of a table of fields; `config` is the kind's configuration, whose member `window` is a dt_window_config. */
#define DT_WINDOW_FIELD(config, name, initially, bits, text)                                                           \
    {                                                                                                                  \
        .key = #name, .type = DT_FIELD_TEXT, .offset = offsetof(config, window.name), .fallback = initially, .min = 1, \
        .flags = (bits) | DT_FIELD_ARITHMETIC, .help = text                                                            \
    }

/* The window's place over pictures of `size` pixels, [height, width], or over `size[1]` places of a line when
 * `dimensions` is 1. An empty stride is the kernel's size, an empty dilation 1. */
dt_status dt_window_plan(dt_window *out, const dt_layer *layer, const dt_window_config *config, int dimensions,
                         const int64_t size[2]);
/* Whether a text says two numbers, as in 3x5. */
bool dt_window_is_pair(const char *text);

/* For plan: the layer gives `out` numbers for those along its input's last dimension, at each position by itself, and
 * reads its input on the way back. */
void dt_plan_along(dt_layer *layer, int64_t out);
/* Rows of a batch's input as a matrix with the last dimension's columns. */
int64_t dt_matrix_rows(const dt_layer *layer, const dt_pass *pass);

/* ---- products with weights (linear.c) ---- */

/* y = x w, w a parameter of the layer, [in, out], or as it is stored, [out, in], when `transposed`. Planned into
 * layer->state, or wherever it stays until the model ends. */
typedef struct dt_linear {
    int param;
    bool transposed;
    int64_t in, out;
    bool decoding; /* a few rows at a time */
    bool rounds;   /* in bf16; layers of few inputs or outputs, where that gains nothing, are always float32 */
    dt_real *x16;  /* a dt_rounded: of what forward multiplied, kept for backward when training */
    dt_real *dy16;
} dt_linear;

/* `param` counts the layer's parameters, as DT_PARAM does; `per_row`: rows of x in a sample. */
dt_status dt_linear_plan(dt_linear *linear, dt_plan *plan, dt_layer *layer, int param, bool transposed,
                         int64_t per_row);
/* y[rows, out] = x[rows, in] w + beta*y. */
void dt_linear_forward(const dt_linear *linear, const dt_layer *layer, const dt_pass *pass, const dt_real *x,
                       int64_t rows, dt_real beta, dt_real *y);
/* The same for the few rows of a decoding model, which forward calls: with weights rounded to bfloat16 where the pass
 * has them, and x as it is; of `linear` only param, transposed, in and out are used. */
void dt_linear_decode(const dt_linear *linear, const dt_layer *layer, const dt_pass *pass, const dt_real *x,
                      int64_t rows, dt_real beta, dt_real *y);
/* dw = x^T dy, added to what is there when `accumulate`; and dx[rows, in] = dy w^T + beta*dx, unless dx is NULL. After
 * the forward call of the same x; when the last one was with the same address and rows, they hold the same numbers. */
void dt_linear_backward(const dt_linear *linear, const dt_layer *layer, const dt_pass *pass, const dt_real *x,
                        const dt_real *dy, int64_t rows, bool accumulate, dt_real beta, dt_real *dx);

/* ---- presets (presets.c) ---- */

/* The list with items that name a preset (`- gpt: {…}`) replaced by the layers these stand for; *out is NULL when there
 * is none. To dt_yaml_destroy. */
dt_status dt_presets_expand(const dt_yaml *nodes, const char *path, dt_yaml **out);
/* Help on every preset, into `stream`. False when memory is short. */
bool dt_presets_help(FILE *stream);

/* ---- decoding (layers.c) ---- */

/* One item of a list of layers: kind, configuration and source, not yet planned. */
dt_status dt_layer_decode(dt_layer *layer, const dt_yaml *item, const char *path, int position);
/* The items that decode to these layers, with every default filled in, appended to `list`. */
dt_status dt_sequence_encode(const dt_sequence *sequence, dt_yaml *list);

/* ---- initial values (init.c) ---- */

typedef enum dt_init {
    DT_INIT_AUTO,
    DT_INIT_GLOROT_UNIFORM,
    DT_INIT_GLOROT_NORMAL,
    DT_INIT_HE_UNIFORM,
    DT_INIT_HE_NORMAL,
    DT_INIT_NORMAL,
    DT_INIT_ZEROS
} dt_init;
extern const char *const dt_init_names[];

/* Fills w[count] of the parameter with index `param` in the model's table. `gain` scales He's deviation (1 for ReLU),
 * `std` is the deviation of "normal". AUTO must have been resolved. */
void dt_init_fill(dt_real *w, size_t count, dt_init init, int64_t fan_in, int64_t fan_out, double gain, double std,
                  uint64_t seed, int param);

/* ---- losses (loss.c) ---- */

/* Checks that the loss, the last layer and the data's targets fit (see dt_model_create). */
/* `out` is the model's output; `last` the layer that computes it, for messages. */
dt_status dt_loss_check(const dt_recipe_loss *loss, const dt_layer *last, const dt_shape *out,
                        const dt_model_spec *spec);
void dt_loss_run(const dt_recipe_loss *loss, const dt_kernels *kernels, dt_real *output, const dt_batch *batch,
                 int64_t outputs, bool gradient, dt_tally *tally);

#endif
