/* Layers as PyTorch code: a table by kind (pytorch_layers.c). What is written is a module as a person would write it: a
 * line in __init__ for what has weights, lines in the function that computes, and tensors under PyTorch's names and in
 * its layout. */
#ifndef DTRAIN_PYTORCH_LAYERS_H
#define DTRAIN_PYTORCH_LAYERS_H

#include <stdio.h>

#include "export_internal.h"

#define DT_PYTORCH_NAME 96

/* What flows from layer to layer, a Python variable. */
typedef struct dt_pytorch_value {
    char name[DT_PYTORCH_NAME];
    dt_shape shape; /* of a sample, channels last */
    bool first;     /* it is channels first */
    bool ids;       /* it is still the token ids */
    bool apart;     /* it is the row of all inputs that have names, which is put together when a layer wants it */
} dt_pytorch_value;

/* Classes and functions that the module needs of those written in the file. */
enum { DT_PYTORCH_RMS_NORM = 1, DT_PYTORCH_ATTENTION = 2, DT_PYTORCH_EMBED = 4 };

typedef struct dt_pytorch {
    const dt_export *model;
    FILE *init, *body;                            /* of the module */
    const char *ids;                              /* the variable with token ids; NULL: there are none */
    int64_t positions;                            /* of them */
    char inputs[DT_MOST_INPUTS][DT_PYTORCH_NAME]; /* variables of those that have names */
    unsigned needs;
    int variables;
    int names_count;
    char (*names)[DT_PYTORCH_NAME]; /* of attributes that are taken */
    int64_t array_count, array_room;
    dt_named_array *arrays; /* the state */
    void **owned;           /* their memory, where it is not the model's: [array_count] */
    bool short_of_memory;
} dt_pytorch;

typedef dt_status dt_pytorch_layer(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x);

dt_pytorch_layer dt_pytorch_write_layer; /* of any kind; one that cannot be exported is refused by name */

/* Families (pytorch_sequences.c). */
dt_pytorch_layer dt_pytorch_embedding, dt_pytorch_unembed, dt_pytorch_token_pool, dt_pytorch_attention,
    dt_pytorch_recurrent;

/* ---- what they share ---- */

/* The attribute of a layer: its name as a Python identifier of its own. */
void dt_pytorch_attribute(dt_pytorch *p, const dt_layer *layer, char out[DT_PYTORCH_NAME]);
/* A name as a Python identifier of its own. */
void dt_pytorch_identifier(dt_pytorch *p, const char *name, char out[DT_PYTORCH_NAME]);
/* The same of an input that has a name, as an argument. */
void dt_pytorch_variable(dt_pytorch *p, const char *name, char out[DT_PYTORCH_NAME]);
/* The row of inputs that have names as one value. */
void dt_pytorch_row(dt_pytorch *p, dt_pytorch_value *x);
/* A tensor of the state, attribute.name: from a tensor of the layer, with its dimensions in another order (NULL: as
 * they are) and in another shape (NULL: the one that follows); or `count` of one value, where the layer has none of
 * that name. */
void dt_pytorch_state(dt_pytorch *p, const char *attribute, const char *name, const dt_layer *layer, const char *tensor,
                      const int *order);
void dt_pytorch_constant(dt_pytorch *p, const char *attribute, const char *name, const dt_shape *shape, float value);
/* A copy of values in the state. */
void dt_pytorch_values(dt_pytorch *p, const char *attribute, const char *name, dt_dtype dtype, const dt_shape *shape,
                       const void *values);
void dt_pytorch_last(dt_pytorch *p, dt_pytorch_value *x);
void dt_pytorch_first(dt_pytorch *p, dt_pytorch_value *x);
void dt_pytorch_activation(dt_pytorch *p, const dt_pytorch_value *x, const char *activation, double slope);
/* nn.Linear of tensors `weight` [in, out] and `bias`, under an attribute. */
void dt_pytorch_linear(dt_pytorch *p, const dt_layer *layer, const char *attribute, const char *weight,
                       const char *bias);

#endif
