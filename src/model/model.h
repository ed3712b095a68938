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

/* What the data is to a model, and what the model is for. */
typedef struct dt_model_spec {
    dt_shape input;         /* of a sample */
    const dt_input *inputs; /* its parts that have names: [input_count] */
    int64_t input_count;
    int64_t ids; /* inputs are token ids below this, or -1 for none; 0: they are any numbers */
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
    const dt_yaml
        *freeze;   /* patterns of the names of tensors that are DT_TENSOR_FROZEN; NULL: none. Only for training */
    bool whole;    /* outputs of all positions are wanted at once (dt_model_forward), however many they are */
    bool training; /* else no memory for gradients is planned */
    /* With `training`: the gradients are those of the inputs of a model at work (dt_model_backward), where nothing is
     * dropped and batch_norm has its running statistics. The outputs are there as a whole. */
    bool adjoint;
    /* With `training`: gradients are clipped sample by sample (pass->clip, per_sample.h). What cannot be clipped that
     * way is refused by name. */
    bool clips;
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
    bool adjoint;               /* with `training`: of a model at work (dt_model_spec); set by the model */
    bool accumulate;            /* gradients are added to what is there, instead of replacing it */
    bool goes_on;               /* the layer itself was the last to use its workspace, in this direction and batch */
    uint64_t seed, step, first; /* key the random draws: seed, step, position of row 0 in the global batch */
    const dt_real *weights;     /* arena */
    const dt_bf16 *weights16;   /* the same, rounded; where the model was created for bf16 */
    dt_real *grads;             /* [table.trained] of an arena; NULL outside training */
    /* Or they come in parts, a layer of the model's list at a time, each in the place of the one before, once `ready`
     * has been told of that; the gradient of the tensor two layers use has a place of its own, and behind it what else
     * the first of them has. Elements: dt_model_parts. */
    bool grads_in_parts;
    dt_real *grads_kept;
    size_t grads_begin;    /* of the part: the element of the arena that grads[0] is; set by the model */
    const dt_real *tokens; /* [rows, positions]: the model's input where it is token ids; set by the model */
    int64_t positions;     /* of a sample of tokens */
    int64_t position;      /* of the one position that is computed, when decoding */
    /* State that rows carry from one batch to the next, [rows, dt_model_state_width]: what it was (NULL: zeros), and
     * where what it becomes is written (NULL: nowhere). */
    const dt_real *state_in;
    dt_real *state_out;
    /* On the way back through a model planned with `adjoint`: the gradient of what the state became (NULL: zeros), and
     * where that of what it was is written (NULL: nowhere). */
    const dt_real *dstate_out;
    dt_real *dstate_in;
    int64_t state_stride; /* of a row: dt_model_state_width; set by the model */
    double clip; /* of a model planned with `clips`: each sample's gradient is of at most this norm in their sum */
    /* [rows]: on a way back that finds each sample's norm, where its square is added up; set by the model */
    double *squares;
    /* Called on the way back, where not NULL: the gradients from element `begin` of the arena on are final. Those that
     * became it since the last call are not above `most` in size, which is infinity or NaN where nobody knows. */
    void (*ready)(void *context, size_t begin, double most);
    void *ready_context;
    bool bounded; /* `most` is worth some work */
    /* Called in an evaluation, where not NULL, with outputs before the loss's function, output[rows, cols], and the
     * labels or values of these rows: of positions, where samples have several labels, and then of some at a time. */
    void (*judged)(void *context, const dt_real *output, const dt_batch *batch, int64_t rows, int64_t cols);
    void *judged_context;
    /* Called on the way forward, where not NULL, with what a layer of whatever list gave: y[rows, out], before a layer
     * behind it may write there. */
    void (*seen)(void *context, const dt_layer *layer, const dt_real *y);
    void *seen_context;
} dt_pass;

/* `layers` is model.layers of a recipe, needed during the call only. */
dt_status dt_model_create(dt_model **out, const dt_yaml *layers, const dt_recipe_loss *loss, const dt_model_spec *spec,
                          const dt_kernels *kernels);
void dt_model_destroy(dt_model *model); /* accepts NULL */

const dt_table *dt_model_table(const dt_model *model);
int dt_model_layer_count(const dt_model *model);
const dt_layer *dt_model_layer(const dt_model *model, int i);
/* Calls visit(context, layer, name, shape of what it gives for a sample) for every layer, of whatever list, in the
 * order of the recipe. A false return ends it. */
typedef bool (*dt_layer_visitor)(void *context, const dt_layer *layer, const char *name, const dt_shape *out);
void dt_model_each_layer(const dt_model *model, dt_layer_visitor visit, void *context);
/* Floating-point operations in the products of a sample's part of a step, forward and back. */
double dt_model_flops(const dt_model *model);
int64_t dt_model_outputs(const dt_model *model);
dt_shape dt_model_output_shape(const dt_model *model); /* of a sample */
size_t dt_model_memory(const dt_model *model);         /* bytes of activations and scratch */
int64_t dt_model_state_width(const dt_model *model);   /* elements a row carries from batch to batch */
/* Whether decoding ends after spec.decoding positions; else, with all that was before in its recurrent state, a row may
 * go on for ever. */
bool dt_model_bounded(const dt_model *model);

/* model.layers with every default filled in, to dt_yaml_destroy. */
dt_status dt_model_resolved(const dt_model *model, dt_yaml **out);

/* Of gradients that come in parts: elements of the largest part, and which of the tensors that are trained is kept (-1:
 * none). */
void dt_model_parts(const dt_model *model, size_t *most, int *kept);

/* Initial weights from a seed: a pure function of (model, seed). */
void dt_model_init(const dt_model *model, dt_real *weights, uint64_t seed);

/* Forward, loss and backward on a batch of at most max_rows: grads[table.trained] receives (or, with pass->accumulate,
 * gains) the gradient of the summed loss; tally gains the batch. pass->rows and pass->first are taken from the batch.
 */
void dt_model_train(dt_model *model, dt_pass pass, const dt_batch *batch, dt_tally *tally);

/* Forward and loss without gradients; of the pass only weights, weights16 and recurrent state are used. */
void dt_model_evaluate(dt_model *model, dt_pass pass, const dt_batch *batch, dt_tally *tally);

/* Forward only: the outputs [rows, outputs], before the loss's softmax or logistic function. Borrowed, until the next
 * call. NULL where the last layer is run in chunks, because there are too many outputs (dt_model_chunk, spec.whole). */
const dt_real *dt_model_forward(dt_model *model, dt_pass pass, const dt_real *x);
/* The same for whoever looks at outputs while they are there: pass->judged is called with those of all rows, in order,
 * some positions at a time where the last layer is run in chunks. There are no labels, and the batch is NULL. */
void dt_model_show(dt_model *model, dt_pass pass, const dt_real *x);
/* Of a model planned with `adjoint`: forward, as above, to go back from. */
const dt_real *dt_model_forward_to_return(dt_model *model, dt_pass pass, const dt_real *x);
/* After it, with the same pass and x: the gradient of x, [rows, inputs], from that of the outputs, dy[rows, outputs],
 * which is overwritten. Borrowed, until the next call; of token ids it means nothing. pass->grads takes what the layers
 * have to say of their parameters, but for products with weights, and may be anything afterwards. */
const dt_real *dt_model_backward(dt_model *model, dt_pass pass, const dt_real *x, dt_real *dy);
/* Forward for a single row: the first layer whose outputs are not all finite, by its name; NULL: there is none. */
const char *dt_model_overflowing_layer(dt_model *model, dt_pass pass, const dt_real *x);
/* Positions whose outputs and loss are computed at once; 0: all of a batch. */
int64_t dt_model_chunk(const dt_model *model);

/* Help on every layer kind, for --help-recipe. Free with dt_free. */
char *dt_model_help(void);

#endif
