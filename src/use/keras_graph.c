/* A graph of Keras layers under construction: their configurations, names and weights. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "keras_layers.h"

json_t *dt_keras_sizes(int count, const int64_t *sizes) {
    json_t *list = json_array();
    for (int i = 0; i < count; i++) json_array_append_new(list, json_integer(sizes[i]));
    return list;
}

static bool is_taken(const dt_keras *k, const char *name) {
    for (int i = 0; i < k->count; i++)
        if (strcmp(k->nodes[i].name, name) == 0) return true;
    return false;
}

/* A name of its own, of letters, digits and underscores, as scopes of TensorFlow want it. */
static void settle_name(const dt_keras *k, const char *wanted, char out[DT_KERAS_NAME]) {
    char plain[DT_KERAS_NAME - 16];
    size_t length = 0;
    if (!isalnum((unsigned char)wanted[0])) plain[length++] = 'm';
    for (const char *c = wanted; *c && length + 1 < sizeof plain; c++)
        plain[length++] = (unsigned char)*c < 128 && isalnum((unsigned char)*c) ? *c : '_';
    plain[length] = '\0';
    snprintf(out, DT_KERAS_NAME, "%s", plain);
    for (int i = 2; is_taken(k, out); i++) snprintf(out, DT_KERAS_NAME, "%s_%d", plain, i);
}

static dt_keras_node *next_node(dt_keras *k, const char *name) {
    if (k->count == k->room) {
        int room = k->room ? 2 * k->room : 64;
        dt_keras_node *grown = dt_alloc((size_t)room, sizeof *grown);
        if (!grown) {
            k->short_of_memory = true;
            return NULL;
        }
        if (k->count > 0) memcpy(grown, k->nodes, (size_t)k->count * sizeof *grown);
        dt_free(k->nodes);
        k->nodes = grown;
        k->room = room;
    }
    dt_keras_node *node = &k->nodes[k->count];
    settle_name(k, name, node->name);
    k->count++;
    return node;
}

dt_keras_node *dt_keras_join(dt_keras *k, const char *class, const char *name, json_t *config, const dt_keras_value *in,
                             int count, dt_keras_value *out) {
    json_t *inputs = json_array(), *nodes = json_array();
    for (int i = 0; i < count; i++) json_array_append_new(inputs, json_pack("[s, i, i, {}]", in[i].name, 0, 0));
    dt_keras_node *node = next_node(k, name);
    if (!node) {
        json_decref(inputs);
        json_decref(nodes);
        json_decref(config);
        return NULL;
    }
    if (count > 0)
        json_array_append_new(nodes, inputs);
    else
        json_decref(inputs);
    json_object_set_new(config, "name", json_string(node->name));
    json_object_set_new(config, "trainable", json_true());
    json_object_set_new(config, "dtype", json_string("float32"));
    json_t *layer = json_pack("{s:s, s:s, s:o, s:o}", "class_name", class, "name", node->name, "config", config,
                              "inbound_nodes", nodes);
    if (!layer || json_array_append_new(k->layers, layer) != 0) k->short_of_memory = true;
    snprintf(out->name, sizeof out->name, "%s", node->name);
    return node;
}

dt_keras_node *dt_keras_add(dt_keras *k, const char *class, const char *name, json_t *config, dt_keras_value *x) {
    dt_keras_value in = *x;
    return dt_keras_join(k, class, name, config, &in, 1, x);
}

void dt_keras_reshape(dt_keras *k, const char *name, const dt_shape *shape, dt_keras_value *x) {
    dt_keras_add(k, "Reshape", name, json_pack("{s:o}", "target_shape", dt_keras_sizes(shape->rank, shape->dim)), x);
}

void dt_keras_row(dt_keras *k, dt_keras_value *x) {
    const int count = (int)dt_export_input_count(k->model);
    dt_keras_value parts[DT_MOST_INPUTS];
    char name[DT_KERAS_NAME];
    if (!x->apart) return;
    for (int i = 0; i < count; i++) {
        parts[i] = k->inputs[i];
        snprintf(name, sizeof name, "%.64s_row", dt_export_input(k->model, i)->name);
        if (parts[i].shape.rank != 1)
            dt_keras_reshape(k, name, &(dt_shape){1, {dt_shape_count(&parts[i].shape)}}, &parts[i]);
    }
    if (count > 1)
        dt_keras_join(k, "Concatenate", "row", json_pack("{s:i}", "axis", -1), parts, count, x);
    else
        snprintf(x->name, sizeof x->name, "%s", parts[0].name);
    x->apart = false;
}

void dt_keras_finish(dt_keras *k) {
    for (int i = 0; i < k->count; i++)
        for (int j = 0; j < k->nodes[i].weight_count; j++) dt_free(k->nodes[i].weights[j].own);
    dt_free(k->nodes);
    json_decref(k->layers);
}

/* ---- weights ---- */

static dt_keras_weight *next_weight(dt_keras_node *node, const char *name, const dt_shape *shape) {
    dt_keras_weight *weight = &node->weights[node->weight_count++];
    snprintf(weight->name, sizeof weight->name, "%s", name);
    weight->shape = *shape;
    return weight;
}

void dt_keras_tensor(const dt_keras *k, dt_keras_node *node, const dt_layer *layer, const char *tensor,
                     const char *name) {
    const dt_tensor *from = dt_layer_tensor(layer, tensor);
    if (!node || !from) return;
    next_weight(node, name, &from->shape)->values = dt_export_values(k->model, from);
}

float *dt_keras_own(dt_keras *k, dt_keras_node *node, const char *name, const dt_shape *shape) {
    dt_keras_weight *weight = next_weight(node, name, shape);
    weight->values = weight->own = dt_alloc((size_t)dt_shape_count(shape), sizeof *weight->own);
    if (!weight->own) k->short_of_memory = true;
    return weight->own;
}
