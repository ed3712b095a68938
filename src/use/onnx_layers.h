/* Layers as nodes of an ONNX graph: a table by kind (onnx_layers.c), whose rows are functions in a file for each
 * family.
 *
 * Our arrays are channels-last, ONNX's convolutions and pools channels-first. A value is turned only where a layer
 * needs it the other way, so that a stack of convolutions has one transposition at its begin and one at its end. */
#ifndef DTRAIN_ONNX_LAYERS_H
#define DTRAIN_ONNX_LAYERS_H

#include "export_internal.h"
#include "onnx_graph.h"

/* What flows from layer to layer. */
typedef struct dt_onnx_value {
    const char *name;
    dt_shape shape; /* of a sample, channels last */
    bool first;     /* it is stored channels first */
    bool apart;     /* it is the row of all inputs that have names, which is put together when a layer wants it */
} dt_onnx_value;

typedef struct dt_onnx_writer {
    dt_onnx *graph;
    const dt_export *model;
    const char *ids;                    /* the graph's input where it is token ids, [batch, positions]; else NULL */
    int64_t positions;                  /* of them */
    const char *inputs[DT_MOST_INPUTS]; /* those that have names, scaled */
    int *states;                        /* layers whose states the graph takes and gives */
} dt_onnx_writer;

/* Appends the nodes of a layer; *x is its input and becomes its output. */
typedef dt_status dt_onnx_layer(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x);

dt_onnx_layer dt_onnx_write_layer; /* of any kind; one that cannot be exported is refused by name */

/* ---- families ---- */

dt_onnx_layer dt_onnx_dense, dt_onnx_swiglu, dt_onnx_conv, dt_onnx_max_pool, dt_onnx_avg_pool, dt_onnx_global_max,
    dt_onnx_global_avg, dt_onnx_upsample, dt_onnx_batch_norm, dt_onnx_layer_norm, dt_onnx_rms_norm, dt_onnx_group_norm,
    dt_onnx_embedding, dt_onnx_unembed, dt_onnx_token_pool, dt_onnx_attention, dt_onnx_recurrent;

/* ---- what they share ---- */

/* The value channels last, or first. */
void dt_onnx_last(const dt_onnx_writer *w, dt_onnx_value *x);
void dt_onnx_first(const dt_onnx_writer *w, dt_onnx_value *x);
/* A sample under another shape, of which a dimension may be -1; channels last before and after. */
void dt_onnx_reshape(const dt_onnx_writer *w, dt_onnx_value *x, const dt_shape *shape);
/* The row of inputs that have names as one value. */
void dt_onnx_row(const dt_onnx_writer *w, dt_onnx_value *x);
/* A tensor of the layer as a constant, as it is; NULL where it has none of that name. */
const char *dt_onnx_tensor(const dt_onnx_writer *w, const dt_layer *layer, const char *name);
/* The same with its dimensions in another order: dimension i is its dimension order[i]. */
const char *dt_onnx_turned(const dt_onnx_writer *w, const dt_layer *layer, const char *name, const int *order);
/* x w + b, for tensors w and b; b may be none. */
void dt_onnx_product(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x, const char *weight,
                     const char *bias);
void dt_onnx_activation(const dt_onnx_writer *w, dt_onnx_value *x, const char *activation, double slope);

#define DT_ONNX_INTS(key, n, ...)                                                                                      \
    {                                                                                                                  \
        .name = (key), .kind = 'I', .count = (n), .list = { __VA_ARGS__ }                                              \
    }
#define DT_ONNX_INT(key, value)                                                                                        \
    { .name = (key), .kind = 'i', .whole = (value) }
#define DT_ONNX_FLOAT_OF(key, value)                                                                                   \
    { .name = (key), .kind = 'f', .real = (value) }
#define DT_ONNX_TEXT(key, value)                                                                                       \
    { .name = (key), .kind = 's', .text = (value) }
#define DT_ONNX_END                                                                                                    \
    { .kind = 0 }

#endif
