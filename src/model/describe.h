/* What a model is made of, for those who write it down in another world's words: kinds, names, fields, shapes, tensors
 * of its layers, after planning (describe.c). */
#ifndef DTRAIN_DESCRIBE_H
#define DTRAIN_DESCRIBE_H

#include "base/table.h"
#include "compute/compute.h"
#include "model/model.h"

const char *dt_layer_kind_name(const dt_layer *layer); /* "dense" */
const char *dt_layer_name(const dt_layer *layer);      /* "residual1/dense1" */
const char *dt_layer_source(const dt_layer *layer);    /* where the recipe says so */
const dt_shape *dt_layer_input(const dt_layer *layer); /* of one sample */
const dt_shape *dt_layer_output(const dt_layer *layer);

/* Fields of its configuration, which its kind must have with that type. Texts are borrowed. */
bool dt_layer_truth(const dt_layer *layer, const char *key);
int64_t dt_layer_whole(const dt_layer *layer, const char *key);
double dt_layer_real(const dt_layer *layer, const char *key);
const char *dt_layer_choice(const dt_layer *layer, const char *key);
const char *dt_layer_text(const dt_layer *layer, const char *key);
const dt_shape *dt_layer_sizes(const dt_layer *layer, const char *key);

/* The tensor that a layer calls `name` ("w"), its own or one that another lends it; NULL: it has none. */
const dt_tensor *dt_layer_tensor(const dt_layer *layer, const char *name);
/* The window of a convolution or a pool; NULL of other kinds. */
const dt_window *dt_layer_window(const dt_layer *layer);

/* Lists of layers it holds, in the order of its kind's keys; and layer i of such a list. */
int dt_layer_list_count(const dt_layer *layer);
int dt_layer_list_length(const dt_layer *layer, int list);
const dt_layer *dt_layer_of_list(const dt_layer *layer, int list, int i);

/* The names of all kinds, NULL behind the last. */
const char *dt_layer_kind_at(int i);

#endif
