/* The model: a list of layers with a loss at its end, on flat arenas.
 *
 * Losses, per sample, for output o[cols] and target t[cols] (labels become one-hot):
 *
 *   softmax_cross_entropy   -sum t log softmax(o)
 *                           label smoothing e: t = (1-e)*t + e/cols (Szegedy et al. 2016, section 7)
 *   mean_squared_error      1/2 sum (o-t)^2: the 1/2 makes the gradient o-t, as in the textbooks; the sum, not the
 *                           mean, over outputs
 *   binary_cross_entropy    -sum t log s(o) + (1-t) log(1-s(o)), s the logistic function
 *                           label smoothing e: t = (1-e)*t + e/2
 *
 * The loss of a batch is the mean over its samples; a gradient travels as the sum over samples.
 *
 * A sample with several labels has one for each position of an output [positions…, cols], and the loss is that of the
 * positions whose label is not -1: they take the place of samples in all of the above. */
#ifndef DTRAIN_MODEL_H
#define DTRAIN_MODEL_H

#include "base/table.h"
#include "compute/compute.h"
#include "config/fields.h"
#include "config/recipe.h"
#include "data/batch.h"

typedef struct dt_model dt_model;
typedef struct dt_layer dt_layer;
typedef struct dt_plan dt_plan;
typedef struct dt_sequence dt_sequence;

/* What the data is to a model, and what the model is for. */
typedef struct dt_model_spec {
    dt_shape input; /* of a sample */
    int64_t ids;    /* inputs are token ids below this, or -1 for none; 0: they are any numbers */
    /* `targets` is the number of labels of a sample and `outputs` that of classes: at least as many outputs are needed
     * at each of as many positions as there are labels. With `targets` 0 the data has values, `outputs` of them per
     * sample, and exactly as many are needed. `outputs` 0: any. */
    int64_t outputs, targets;
    const char *labels; /* for messages: which labels there are; NULL: 0 to outputs - 1 */
    int64_t rows;       /* samples at once, at most */
    /* Samples at once, at least, and what to say of them: "a batch of 32 samples in 32 shards …"; a normalisation that
     * would see a single value, and so give the same whatever its input, is then refused. 0: they are not looked at. */
    int64_t least_rows;
    const char *least_where, *least_remedy; /* "train.batch=64 or train.shards=16" */
    size_t memory;                          /* bytes that activations and scratch may take; 0: any */
    bool training;                          /* else no memory for gradients is planned */
    bool bf16; /* products multiply bfloat16 numbers, of pass->weights16 and of activations rounded to them */
    /* Not 0: samples are token sequences of up to so many positions, computed one position at a time
     * (dt_pass.position). `input` is then [1]. Fails for models that look at positions behind the present one. Products
     * then read pass->weights16 instead of pass->weights where it is not NULL, and round nothing: bf16 stays false. */
    int64_t decoding;
} dt_model_spec;

/* What a layer sees of one pass over `rows` samples. */
typedef struct dt_pass {
    const dt_kernels *kernels;
    int64_t rows;
    bool training;
    bool accumulate;            /* gradients are added to what is there, instead of replacing it */
    uint64_t seed, step, first; /* key the random draws: seed, step, position of row 0 in the global batch */
    const dt_real *weights;     /* arena */
    const dt_bf16 *weights16;   /* the same, rounded; where the model was created for bf16 */
    dt_real *grads;             /* arena; NULL outside training */
    const dt_real *tokens;      /* [rows, positions]: the model's input where it is token ids; set by the model */
    int64_t positions;          /* of a sample of tokens */
    int64_t position;           /* of the one place that is computed, when decoding */
    /* State that rows carry from one batch to the next, [rows, dt_model_state_width]: what it was (NULL: zeros), and
     * where what it becomes is written (NULL: nowhere). */
    const dt_real *state_in;
    dt_real *state_out;
    int64_t state_stride; /* of a row: dt_model_state_width; set by the model */
    /* Called on the way back, where not NULL: the gradients from element `begin` of the arena on are final. */
    void (*ready)(void *context, size_t begin);
    void *ready_context;
} dt_pass;

/* A key of a kind's configuration that holds layers. */
typedef struct dt_layer_list {
    const char *key;
    bool optional;
    bool many; /* a list of lists of layers, each of which may be empty; only as the last key */
    const char *help;
} dt_layer_list;

/* One kind of layer. Adding a kind is one file and one row of dt_layer_kinds. */
typedef struct dt_layer_kind {
    const char *name;
    const char *help;
    const dt_field *fields; /* of its configuration; ends with a NULL key */
    /* For kinds that hold layers; ends with a NULL key. The first key is the shorthand: `- residual: [dense: 10]`. */
    const dt_layer_list *lists;
    size_t config_size; /* its first member is char name[DT_TEXT_MAX], its table's last row DT_LAYER_NAME_FIELD */
    int variant;        /* tells apart kinds that share functions (activations: dt_activation) */
    /* Everything that can fail: reads layer->config and layer->in, sets layer->out and what backward reads, declares
     * parameters and scratch. */
    dt_status (*plan)(dt_layer *layer, dt_plan *plan);
    /* Initial values of its parameters. NULL: it has none. */
    void (*init)(const dt_layer *layer, dt_real *weights, uint64_t seed);
    /* y[rows, out] from x[rows, in]. y may be x for a layer that is in_place. */
    void (*forward)(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y);
    /* From dy[rows, out] (may be overwritten): parameter gradients into pass->grads, and dx[rows, in] unless dx is
     * NULL. For an in_place layer dx is dy. x and y hold what forward saw and gave only where the layer said that it
     * reads them. */
    void (*backward)(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx);
    /* Frees what layer->state, if there is one, holds besides itself. NULL: nothing. */
    void (*finish)(dt_layer *layer);
} dt_layer_kind;

#define DT_LAYER_MAX_PARAMS 32
#define DT_LAYER_MAX_SCRATCH 4

struct dt_layer {
    const dt_layer_kind *kind;
    char name[64];            /* unique in the model: given, or kind + number ("dense1"), behind the names of the
                               * layers it is in ("residual1/dense1") */
    char source[DT_TEXT_MAX]; /* where the recipe says so */
    void *config;             /* kind->config_size bytes, decoded */
    dt_sequence *inner;       /* the lists of layers it holds, in the order of kind->lists */
    int inner_count;
    dt_shape in, out;               /* of one sample */
    bool in_place;                  /* set by plan: forward works with y == x, and backward with dx == dy */
    bool view;                      /* set by plan: y is x under another shape; forward and backward do nothing */
    bool reads_input, reads_output; /* set by plan: what backward reads, so nobody overwrites it in between */
    bool fixed_rows;                /* set by plan: works on all the rows there is room for; those of x and dy beyond
                                     * pass->rows are zero when it is called */
    const char *squash;             /* set by plan: "softmax" or "sigmoid" when that is what it ends with, or NULL */
    int param[DT_LAYER_MAX_PARAMS]; /* indices into the model's table, in order of declaration */
    int param_count;
    dt_real *scratch[DT_LAYER_MAX_SCRATCH]; /* as asked for, kept from forward to backward */
    int scratch_count;
    dt_real *workspace;   /* shared by all layers: nothing stays in it between calls */
    void *state;          /* of dt_alloc: what plan computed and the kind's other functions use; freed with the layer */
    dt_real *output;      /* [max_rows, out]; NULL where y is x */
    dt_real *const *over; /* set by plan: output of a layer in it, that its own may be written over; or NULL */
    uint64_t index;       /* position in the model: keys random draws */
    size_t begin;         /* its tensors, and those of the layers behind it, are from this element of the arena on */
    double flops;         /* set by plan: of its products, for one row forward */
    /* Set by plan: what it gives at a position (along all dimensions but the last) follows from its input there alone,
     * or, when decoding, from what it keeps of the positions before. */
    bool pointwise;
    bool in_pieces; /* set by plan: pointwise, and nothing is kept for backward but x: it may be run on any part of the
                     * positions, forward and backward */
    int64_t state_at;      /* where its part of a row's recurrent state begins, of dt_plan_recurrent_state */
    int trace[2];          /* kinds of span: forward, backward */
    const dt_table *table; /* the model's */
};

/* For plan functions. Scratch is asked for in elements per row and is there from the end of planning on. */
bool dt_plan_training(const dt_plan *plan);
int64_t dt_plan_rows(const dt_plan *plan); /* at most this many at once */
const dt_model_spec *dt_plan_spec(const dt_plan *plan);
/* Places of a sample that is a sequence: its first dimension or, when decoding, as many as there can be. For layers
 * that have something for each position, and so can go on no further. */
int64_t dt_plan_places(dt_plan *plan, const dt_layer *layer);
/* Elements of a row's recurrent state, at layer->state_at. Once a layer. */
dt_status dt_plan_recurrent_state(dt_plan *plan, dt_layer *layer, int64_t per_row);
dt_status dt_plan_param(dt_plan *plan, dt_layer *layer, const char *name, const dt_shape *shape, unsigned flags);
/* Another layer's parameter, [any, width], as the layer's own next one; both add to its gradient. `owner` must be a
 * layer planned before, and the tensor one it lends (DT_TENSOR_LENT). */
dt_status dt_plan_share(dt_plan *plan, dt_layer *layer, const char *owner, const char *name, int64_t width);
/* A running mean of what the batches show (DT_TENSOR_STATISTIC); `keep` as in the table. */
dt_status dt_plan_statistic(dt_plan *plan, dt_layer *layer, const char *name, const dt_shape *shape, double keep);
dt_status dt_plan_scratch(dt_plan *plan, dt_layer *layer, int64_t per_row);
/* Scratch of `count` elements, however many rows there are. */
dt_status dt_plan_fixed(dt_plan *plan, dt_layer *layer, int64_t count);
dt_status dt_plan_workspace(dt_plan *plan, dt_layer *layer, size_t bytes); /* at least this much layer->workspace */
/* A failure that names the layer and its line: "recipe m.yaml:9: dense2: …". */
dt_status dt_layer_fail(const dt_layer *layer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A layer's own parameter in an arena. */
#define DT_PARAM(layer, arena, i) ((arena) + (layer)->table->tensors[(layer)->param[i]].offset)

/* The row every table of layer fields ends with: the configuration begins with char name[DT_TEXT_MAX]. */
#define DT_LAYER_NAME_FIELD                                                                                            \
    {                                                                                                                  \
        .key = "name", .type = DT_FIELD_TEXT, .offset = 0, .fallback = "", .flags = 0,                                 \
        .help = "name of the layer and its tensors (default: the kind and its number, as in dense1)"                   \
    }

/* Ends with a NULL row. */
extern const dt_layer_kind *const dt_layer_kinds[];

/* `layers` is model.layers of a recipe, needed during the call only. */
dt_status dt_model_create(dt_model **out, const dt_yaml *layers, const dt_recipe_loss *loss, const dt_model_spec *spec,
                          const dt_kernels *kernels);
void dt_model_destroy(dt_model *model); /* accepts NULL */

const dt_table *dt_model_table(const dt_model *model);
int dt_model_layer_count(const dt_model *model);
const dt_layer *dt_model_layer(const dt_model *model, int i);
int64_t dt_model_outputs(const dt_model *model);
size_t dt_model_memory(const dt_model *model);       /* bytes of activations and scratch */
int64_t dt_model_state_width(const dt_model *model); /* elements a row carries from batch to batch */
/* Whether decoding ends after spec.decoding positions; else, with all that was before in its recurrent state, a row may
 * go on for ever. */
bool dt_model_bounded(const dt_model *model);

/* model.layers with every default filled in, to dt_yaml_destroy. */
dt_status dt_model_resolved(const dt_model *model, dt_yaml **out);

/* Initial weights from a seed: a pure function of (model, seed). */
void dt_model_init(const dt_model *model, dt_real *weights, uint64_t seed);

/* Forward, loss and backward on a batch of at most max_rows: grads[total] receives (or, with pass->accumulate, gains)
 * the gradient of the summed loss; tally gains the batch. pass->rows and pass->first are taken from the batch. */
void dt_model_train(dt_model *model, dt_pass pass, const dt_batch *batch, dt_tally *tally);

/* Forward and loss without gradients; of the pass only weights, weights16 and recurrent state are used. */
void dt_model_evaluate(dt_model *model, dt_pass pass, const dt_batch *batch, dt_tally *tally);

/* Forward only: the outputs [rows, outputs], before the loss's softmax or logistic function. Borrowed, until the next
 * call. NULL where the last layer is run in pieces, because there are too many outputs (dt_model_pieces). */
const dt_real *dt_model_forward(dt_model *model, dt_pass pass, const dt_real *x);
/* Places whose outputs and loss are computed at once; 0: all of a batch. */
int64_t dt_model_pieces(const dt_model *model);

/* Help on every layer kind, for --help-recipe. Free with dt_free. */
char *dt_model_help(void);

#endif
