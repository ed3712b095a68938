/* Layers as Keras's: a table by kind (keras_layers.c). The model is a graph of named layers; each has a configuration
 * and names those it reads. Layouts are ours: channels last, products [in, out], convolutions [height, width, in, out].
 */
#ifndef DTRAIN_KERAS_LAYERS_H
#define DTRAIN_KERAS_LAYERS_H

#include "export_json.h"

#define DT_KERAS_NAME 96
#define DT_KERAS_WEIGHTS 4 /* of a layer, at most */

typedef struct dt_keras_weight {
    char name[24]; /* "kernel" */
    dt_shape shape;
    const float *values;
    float *own; /* its memory, where it is not the model's */
} dt_keras_weight;

typedef struct dt_keras_node {
    char name[DT_KERAS_NAME];
    int weight_count;
    dt_keras_weight weights[DT_KERAS_WEIGHTS];
} dt_keras_node;

/* What flows from layer to layer. */
typedef struct dt_keras_value {
    char name[DT_KERAS_NAME]; /* of the layer that gives it */
    dt_shape shape;           /* of a sample */
    bool apart; /* it is the row of all inputs that have names, which is put together when a layer wants it */
} dt_keras_value;

typedef struct dt_keras {
    const dt_export *model;
    json_t *layers; /* of the configuration */
    int count, room;
    dt_keras_node *nodes;
    bool short_of_memory;
    dt_keras_value inputs[DT_MOST_INPUTS], given[DT_MOST_INPUTS]; /* those that have names, scaled and as they come */
} dt_keras;

/* The row of inputs that have names as one value. */
void dt_keras_row(dt_keras *k, dt_keras_value *x);
/* Appends a layer of a class that reads *x, which becomes its output. Takes `config` over. */
dt_keras_node *dt_keras_add(dt_keras *k, const char *class, const char *name, json_t *config, dt_keras_value *x);
/* The same of several inputs. */
dt_keras_node *dt_keras_join(dt_keras *k, const char *class, const char *name, json_t *config, const dt_keras_value *in,
                             int count, dt_keras_value *out);
/* A sample under another shape. */
void dt_keras_reshape(dt_keras *k, const char *name, const dt_shape *shape, dt_keras_value *x);
/* A tensor as the node's next weight, if there is a node and the layer has the tensor. */
void dt_keras_tensor(const dt_keras *k, dt_keras_node *node, const dt_layer *layer, const char *tensor,
                     const char *name);
/* Memory for the node's next weight, to be filled in; NULL when it is short. */
float *dt_keras_own(dt_keras *k, dt_keras_node *node, const char *name, const dt_shape *shape);

typedef dt_status dt_keras_layer(dt_keras *k, const dt_layer *layer, dt_keras_value *x);
dt_keras_layer dt_keras_recurrent;
/* Appends a layer of any kind; what Keras has no layer for is refused by name. */
dt_keras_layer dt_keras_write_layer;
/* A list of sizes, as JSON. */
json_t *dt_keras_sizes(int count, const int64_t *sizes);
/* Puts all nodes into a file, in Keras's order (keras_order.c): order[i] is the number of the node to put, and of those
 * put before. */
typedef dt_status dt_keras_put(void *context, const dt_keras *k, const int *order, int i);
dt_status dt_keras_put_nodes(const dt_keras *k, const char *path, dt_keras_put *put, void *context);
void dt_keras_finish(dt_keras *k);

/* keras_archive.c. A file of Keras 3 at `path`, of a graph as it is in the other file; it becomes Keras 3's. */
dt_status dt_keras_write_archive(const dt_keras *k, json_t *graph, const char *path);

#endif
