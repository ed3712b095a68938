/* Recurrent layers as ONNX has them: time first, gates in another order, weights turned. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "onnx_layers.h"

typedef struct cell {
    const char *kind, *type;
    int gates;
    int order[4]; /* ours, of each of ONNX's: LSTM's are i o f c there and i f g o here, GRU's z r h and r z n */
} cell;

static const cell cells[] = {
    {"simple_rnn", "RNN", 1, {0}},
    {"gru", "GRU", 3, {1, 0, 2}},
    {"lstm", "LSTM", 4, {0, 3, 1, 2}},
};

/* One of those that are stacked. */
typedef struct stack {
    const dt_onnx_writer *w;
    const dt_layer *layer;
    bool carries; /* its state is taken and given */
    const cell *cell;
    int64_t units;
    int number;
} stack;

static const float *tensor_of(const stack *s, const char *what, const dt_tensor **tensor) {
    char name[32];
    snprintf(name, sizeof name, "%s%d", what, s->number);
    *tensor = dt_layer_tensor(s->layer, name);
    return *tensor ? dt_export_values(s->w->model, *tensor) : NULL;
}

/* [in, gates*units] as [1, gates*units, in]. */
static const char *matrix(const stack *s, const char *what) {
    const dt_tensor *tensor;
    const float *from = tensor_of(s, what, &tensor);
    int64_t in = tensor->shape.dim[0], cols = tensor->shape.dim[1], n = s->units;
    float *to = dt_onnx_memory(s->w->graph, tensor->count * sizeof *to);
    if (!to) return "";
    for (int64_t c = 0; c < cols; c++)
        for (int64_t i = 0; i < in; i++) to[c * in + i] = from[i * cols + s->cell->order[c / n] * n + c % n];
    char name[32];
    snprintf(name, sizeof name, "%s%d", what, s->number);
    return dt_onnx_floats(s->w->graph, name, &(dt_shape){3, {1, cols, in}}, to);
}

/* The input's bias and the state's, [1, 2*gates*units]. Ours are one, but that the GRU's candidate has one of its own
 * for the state. */
static const char *biases(const stack *s) {
    const dt_tensor *tensor;
    const float *b = tensor_of(s, "b", &tensor);
    if (!b) return "";
    int64_t n = s->units, cols = n * s->cell->gates;
    float *to = dt_onnx_memory(s->w->graph, 2 * (size_t)cols * sizeof *to);
    if (!to) return "";
    for (int64_t c = 0; c < cols; c++) to[c] = b[s->cell->order[c / n] * n + c % n];
    const float *of_state = tensor_of(s, "b_state", &tensor);
    if (of_state) memcpy(to + cols + 2 * n, of_state, (size_t)n * sizeof *to);
    char name[32];
    snprintf(name, sizeof name, "b%d", s->number);
    return dt_onnx_floats(s->w->graph, name, &(dt_shape){2, {1, 2 * cols}}, to);
}

/* "lstm1_h2", and what is behind it. */
static const char *state_name(const stack *s, char which, const char *end) {
    char *name = dt_onnx_memory(s->w->graph, 160);
    if (name) snprintf(name, 160, "%.120s_%c%d%s", dt_layer_name(s->layer), which, s->number, end);
    return name ? name : "";
}

/* A state that the graph takes, [batch, units], as the node does, [1, batch, units]. */
static const char *take_state(const stack *s, char which) {
    dt_onnx *g = s->w->graph;
    const int64_t direction = 0;
    if (!s->carries) return "";
    const char *name = state_name(s, which, "");
    dt_onnx_input(g, name, DT_ONNX_FLOAT, &(dt_shape){1, {s->units}});
    return dt_onnx_op(g, "Unsqueeze", name, dt_onnx_ints(g, "direction", 1, &direction), NULL);
}

/* And one that it gives, from [1, batch, units]. */
static void give_state(const stack *s, char which, const char *state) {
    dt_onnx *g = s->w->graph;
    const int64_t direction = 0;
    if (!s->carries) return;
    const char *name = state_name(s, which, "_next");
    dt_onnx_name(g, dt_onnx_op(g, "Squeeze", state, dt_onnx_ints(g, "direction", 1, &direction), NULL), name);
    dt_onnx_output(g, name, DT_ONNX_FLOAT, &(dt_shape){1, {s->units}});
}

/* From x[positions, batch, in]: all states [positions, batch, units], or the last, [batch, units]. */
static const char *write_stack(const stack *s, const char *x, bool last) {
    dt_onnx *g = s->w->graph;
    bool gru = s->cell->gates == 3, lstm = s->cell->gates == 4;
    const char *outputs[3] = {last ? "" : NULL, last || s->carries ? NULL : "", NULL};
    dt_onnx_attribute attributes[] = {DT_ONNX_INT("hidden_size", s->units), {.kind = 0}, DT_ONNX_END};
    /* The reset gate works on what the state became. */
    if (gru) attributes[1] = (dt_onnx_attribute)DT_ONNX_INT("linear_before_reset", 1);
    const char *inputs[] = {x, matrix(s, "w_in"), matrix(s, "w_state"), biases(s), "", take_state(s, 'h'), NULL, NULL};
    if (lstm) inputs[6] = take_state(s, 'c');
    if (!s->carries) inputs[4] = NULL;
    dt_onnx_nodes(g, s->cell->type, inputs, attributes, outputs, s->carries && lstm ? 3 : last || s->carries ? 2 : 1);
    give_state(s, 'h', outputs[1]);
    if (lstm) give_state(s, 'c', outputs[2]);
    int64_t direction = last ? 0 : 1;
    return dt_onnx_op(g, "Squeeze", outputs[last], dt_onnx_ints(g, "direction", 1, &direction), NULL);
}

/* Ids as what they choose a row of a matrix with: [batch, positions, ids], of zeros where there is none. */
static const char *one_hot(const dt_onnx_writer *w, int64_t ids) {
    dt_onnx *g = w->graph;
    int64_t *all = dt_onnx_memory(g, (size_t)ids * sizeof *all), axis = 2;
    if (!all) return "";
    for (int64_t i = 0; i < ids; i++) all[i] = i;
    const char *each = dt_onnx_op(g, "Unsqueeze", w->ids, dt_onnx_ints(g, "axis", 1, &axis), NULL);
    const char *same = dt_onnx_op(g, "Equal", each, dt_onnx_ints(g, "ids", (int)ids, all), NULL);
    return dt_onnx_node(g, "Cast", (const char *const[]){same, NULL},
                        (const dt_onnx_attribute[]){DT_ONNX_INT("to", DT_ONNX_FLOAT), DT_ONNX_END});
}

static const char *swapped(dt_onnx *g, const char *x) {
    return dt_onnx_node(g, "Transpose", (const char *const[]){x, NULL},
                        (const dt_onnx_attribute[]){DT_ONNX_INTS("perm", 3, 1, 0, 2), DT_ONNX_END});
}

dt_status dt_onnx_recurrent(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    stack s = {.w = w, .layer = layer, .units = dt_layer_whole(layer, "units")};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        if (strcmp(cells[i].kind, dt_layer_kind_name(layer)) == 0) s.cell = &cells[i];
    s.carries = w->model->state && dt_layer_truth(layer, "carry");
    *w->states += s.carries;
    assert(s.cell); /* onnx_layers.c gives these kinds alone */
    int layers = (int)dt_layer_whole(layer, "layers");
    bool last = dt_layer_truth(layer, "last");
    if (x->name == w->ids) {
        x->name = one_hot(w, dt_layer_tensor(layer, "w_in1")->shape.dim[0]);
    } else {
        dt_onnx_last(w, x);
        if (x->shape.rank == 1) dt_onnx_reshape(w, x, &(dt_shape){2, {x->shape.dim[0], 1}});
    }
    x->name = swapped(w->graph, x->name);
    for (s.number = 1; s.number <= layers; s.number++) x->name = write_stack(&s, x->name, last && s.number == layers);
    if (!last) x->name = swapped(w->graph, x->name);
    x->first = false;
    return dt_ok();
}
