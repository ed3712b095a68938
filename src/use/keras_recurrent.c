/* Recurrent layers as Keras has them: a layer each where ours are stacked. */
#include <stdio.h>
#include <string.h>

#include "keras_layers.h"

typedef struct cell {
    const char *kind, *class;
    int gates, order[4]; /* ours, of each of Keras's: GRU's are z r h there and r z n here; the LSTM's are the same */
} cell;
static const cell cells[] = {
    {"simple_rnn", "SimpleRNN", 1, {0}},
    {"gru", "GRU", 3, {1, 0, 2}},
    {"lstm", "LSTM", 4, {0, 1, 2, 3}},
};

/* [rows, gates*units], gates in Keras's order. */
static void add_gates(dt_keras *k, dt_keras_node *node, const dt_layer *layer, const cell *c, const char *tensor,
                      const char *name) {
    const dt_tensor *from = dt_layer_tensor(layer, tensor);
    if (!node || !from) return;
    const float *values = dt_export_values(k->model, from);
    int64_t cols = dt_shape_last(&from->shape), units = cols / c->gates;
    float *own = dt_keras_own(k, node, name, &from->shape);
    for (size_t i = 0; own && i < from->count; i++) {
        int64_t row = (int64_t)i / cols, col = (int64_t)i % cols;
        own[i] = values[row * cols + c->order[col / units] * units + col % units];
    }
}

/* The GRU's [2, 3*units]: the input's bias, and the state's, of which ours has the candidate's alone. */
static void add_gru_bias(dt_keras *k, dt_keras_node *node, const dt_layer *layer, const cell *c, int number) {
    char name[16];
    snprintf(name, sizeof name, "b%d", number);
    const dt_tensor *b = dt_layer_tensor(layer, name);
    snprintf(name, sizeof name, "b_state%d", number);
    const dt_tensor *of_state = dt_layer_tensor(layer, name);
    if (!node || !b) return;
    const float *values = dt_export_values(k->model, b);
    int64_t cols = (int64_t)b->count, units = cols / 3;
    float *own = dt_keras_own(k, node, "bias", &(dt_shape){2, {2, cols}});
    for (int64_t i = 0; own && i < cols; i++) own[i] = values[c->order[i / units] * units + i % units];
    if (own && of_state)
        memcpy(own + cols + 2 * units, dt_export_values(k->model, of_state), (size_t)units * sizeof *own);
}

dt_status dt_keras_recurrent(dt_keras *k, const dt_layer *layer, dt_keras_value *x) {
    const cell *c = &cells[0];
    int layers = (int)dt_layer_whole(layer, "layers");
    char name[DT_KERAS_NAME], tensor[16];
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        if (strcmp(cells[i].kind, dt_layer_kind_name(layer)) == 0) c = &cells[i];
    if (k->model->trained.source.about.ids > 0 && x->shape.rank == 1)
        return dt_export_refuse(layer, "it reads token ids as they are; Keras's wants vectors (put an embedding before "
                                       "it)");
    if (x->shape.rank == 1) {
        snprintf(name, sizeof name, "%s_channel", dt_layer_name(layer));
        dt_keras_reshape(k, name, &(dt_shape){2, {x->shape.dim[0], 1}}, x);
    }
    for (int i = 1; i <= layers; i++) {
        bool all = i < layers || !dt_layer_truth(layer, "last"), biased = dt_layer_truth(layer, "bias");
        json_t *config = json_pack("{s:I, s:s, s:b, s:b}", "units", (json_int_t)dt_layer_whole(layer, "units"),
                                   "activation", "tanh", "use_bias", (int)biased, "return_sequences", (int)all);
        if (c->gates > 1) json_object_set_new(config, "recurrent_activation", json_string("sigmoid"));
        if (c->gates == 3) json_object_set_new(config, "reset_after", json_true());
        snprintf(name, sizeof name, layers > 1 ? "%s_%d" : "%s", dt_layer_name(layer), i);
        dt_keras_node *node = dt_keras_add(k, c->class, name, config, x);
        snprintf(tensor, sizeof tensor, "w_in%d", i);
        add_gates(k, node, layer, c, tensor, "kernel");
        snprintf(tensor, sizeof tensor, "w_state%d", i);
        add_gates(k, node, layer, c, tensor, "recurrent_kernel");
        snprintf(tensor, sizeof tensor, "b%d", i);
        if (c->gates == 3)
            add_gru_bias(k, node, layer, c, i);
        else
            add_gates(k, node, layer, c, tensor, "bias");
    }
    return dt_ok();
}
