/* Layers that run one after another: the model is one such list, and a layer may hold others inside itself. */
#ifndef DTRAIN_SEQUENCE_H
#define DTRAIN_SEQUENCE_H

#include "plan.h"

struct dt_sequence {
    dt_layer *layers;
    int count;
    int first_trained;      /* the first layer with anything to train, of its own or in layers in it; or count */
    bool outermost;         /* the model's own list */
    bool chunks_head;       /* the last layer, if it can, is run by the caller, a chunk of the positions at a time */
    dt_real *const *result; /* where the last output will be; NULL: it is the caller's x */
    dt_layer *head;         /* that layer; NULL when it is run with the others */
    bool keeps_output;      /* a backward pass reads the last output, or it is the caller's x: do not overwrite it */
    dt_real *gradient[2];   /* [max_rows, widest], taken in turn by layers that are not in place */
    bool positionwise;      /* all its layers are (dt_layer.positionwise) */
};

/* Plans a decoded list on samples of shape `input`. `scope` is put before the layers' names ("residual1/"). `wants_dx`:
 * backward will be asked for the gradient of the list's input. */
dt_status dt_sequence_plan(dt_sequence *sequence, dt_plan *plan, const char *scope, const dt_shape *input,
                           bool wants_dx);
void dt_sequence_finish(dt_sequence *sequence);
/* The shape of what the list gives. */
const dt_shape *dt_sequence_out(const dt_sequence *sequence, const dt_shape *input);
/* Whether any tensor that is not frozen, in whatever depth, belongs to the list. */
bool dt_sequence_is_trained(const dt_sequence *sequence);
/* See dt_model_each_layer; false: it was ended. */
bool dt_sequence_each_layer(const dt_sequence *sequence, dt_layer_visitor visit, void *context);
void dt_sequence_init(const dt_sequence *sequence, dt_real *weights, uint64_t seed);

/* The last layer's output; x is not modified. */
const dt_real *dt_sequence_forward(const dt_sequence *sequence, const dt_pass *pass, const dt_real *x);
/* Whether a layer's tensors begin with one that another layer has added to before. */
bool dt_layer_begins_kept(const dt_layer *layer);
/* The pass as a layer of the model's list sees it: gradients that come in parts are its own. */
dt_pass dt_pass_of_layer(const dt_pass *pass, const dt_layer *layer);
/* Parameter gradients from dy (overwritten), and the gradient of x, borrowed until another list of the same depth goes
 * back, when `wants_dx`; else NULL, and layers before the first that is trained are left out. */
dt_real *dt_sequence_backward(const dt_sequence *sequence, const dt_pass *pass, const dt_real *x, dt_real *dy,
                              bool wants_dx);

/* After a way back with pass->squares: parameter gradients, the sum of those of the samples times their factors. */
void dt_sequence_sum_samples(const dt_sequence *sequence, const dt_pass *pass, const dt_real *factors);

#endif
