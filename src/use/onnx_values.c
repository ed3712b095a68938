/* What nodes are made of: values one way round or the other, tensors as constants, products and activations. */
#include <math.h>
#include <string.h>

#include "onnx_layers.h"

/* The order of [batch, shape…] with the channels moved. */
static void turn(const dt_onnx_writer *w, dt_onnx_value *x, bool first) {
    dt_onnx_attribute order[] = {{.name = "perm", .kind = 'I', .count = x->shape.rank + 1}, DT_ONNX_END};
    int rank = x->shape.rank;
    for (int i = 1; i <= rank; i++) order[0].list[i] = first ? (i == 1 ? rank : i - 1) : (i == rank ? 1 : i + 1);
    x->name = dt_onnx_node(w->graph, "Transpose", (const char *const[]){x->name, NULL}, order);
    x->first = first;
}

void dt_onnx_last(const dt_onnx_writer *w, dt_onnx_value *x) {
    if (x->first) turn(w, x, false);
}

void dt_onnx_first(const dt_onnx_writer *w, dt_onnx_value *x) {
    if (!x->first && x->shape.rank > 1) turn(w, x, true);
}

/* To [batch, dim…]. */
static void reshape(const dt_onnx_writer *w, dt_onnx_value *x, int count, const int64_t *dim) {
    int64_t sizes[DT_MAX_RANK + 2] = {0}; /* 0: the batch stays what it is */
    memcpy(sizes + 1, dim, (size_t)count * sizeof *dim);
    x->name = dt_onnx_op(w->graph, "Reshape", x->name, dt_onnx_ints(w->graph, "shape", count + 1, sizes), NULL);
}

void dt_onnx_reshape(const dt_onnx_writer *w, dt_onnx_value *x, const dt_shape *shape) {
    dt_onnx_last(w, x);
    reshape(w, x, shape->rank, shape->dim);
    x->shape = *shape;
}

void dt_onnx_row(const dt_onnx_writer *w, dt_onnx_value *x) {
    const char *parts[DT_MOST_INPUTS + 1] = {NULL};
    if (!x->apart) return;
    for (int64_t i = 0; i < dt_export_input_count(w->model); i++) {
        const dt_input *input = dt_export_input(w->model, i);
        dt_onnx_value part = {.name = w->inputs[i], .shape = input->shape};
        if (input->shape.rank != 1) dt_onnx_reshape(w, &part, &(dt_shape){1, {dt_shape_count(&input->shape)}});
        parts[i] = part.name;
    }
    x->name =
        dt_onnx_node(w->graph, "Concat", parts, (const dt_onnx_attribute[]){DT_ONNX_INT("axis", -1), DT_ONNX_END});
    x->apart = false;
}

const char *dt_onnx_tensor(const dt_onnx_writer *w, const dt_layer *layer, const char *name) {
    const dt_tensor *tensor = dt_layer_tensor(layer, name);
    return tensor ? dt_onnx_floats(w->graph, name, &tensor->shape, dt_export_values(w->model, tensor)) : NULL;
}

const char *dt_onnx_turned(const dt_onnx_writer *w, const dt_layer *layer, const char *name, const int *order) {
    const dt_tensor *tensor = dt_layer_tensor(layer, name);
    dt_shape shape;
    float *values = dt_onnx_memory(w->graph, tensor->count * sizeof *values);
    dt_export_turn(values, &shape, dt_export_values(w->model, tensor), &tensor->shape, order);
    return values ? dt_onnx_floats(w->graph, name, &shape, values) : "";
}

void dt_onnx_product(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x, const char *weight,
                     const char *bias) {
    dt_onnx_last(w, x);
    const dt_tensor *tensor = dt_layer_tensor(layer, weight);
    x->name = dt_onnx_op(w->graph, "MatMul", x->name, dt_onnx_tensor(w, layer, weight), NULL);
    if (dt_layer_tensor(layer, bias))
        x->name = dt_onnx_op(w->graph, "Add", x->name, dt_onnx_tensor(w, layer, bias), NULL);
    x->shape.dim[x->shape.rank - 1] = tensor->shape.dim[1];
}

/* 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (Hendrycks and Gimpel 2016). */
static const char *gelu(dt_onnx *g, const char *x) {
    const char *cube = dt_onnx_op(g, "Mul", dt_onnx_op(g, "Mul", x, x, NULL), x, NULL);
    const char *bent = dt_onnx_op(g, "Mul", cube, dt_onnx_float(g, "gelu_cubic", 0.044715), NULL);
    const char *inner = dt_onnx_op(g, "Mul", dt_onnx_op(g, "Add", x, bent, NULL),
                                   dt_onnx_float(g, "gelu_scale", sqrt(2 / acos(-1))), NULL);
    const char *gate = dt_onnx_op(g, "Add", dt_onnx_op(g, "Tanh", inner, NULL, NULL), dt_onnx_float(g, "one", 1), NULL);
    return dt_onnx_op(g, "Mul", dt_onnx_op(g, "Mul", x, gate, NULL), dt_onnx_float(g, "half", 0.5), NULL);
}

void dt_onnx_activation(const dt_onnx_writer *w, dt_onnx_value *x, const char *activation, double slope) {
    static const char *const plain[][2] = {{"relu", "Relu"}, {"tanh", "Tanh"}, {"sigmoid", "Sigmoid"}};
    dt_onnx *g = w->graph;
    for (int i = 0; i < 3; i++)
        if (strcmp(activation, plain[i][0]) == 0) x->name = dt_onnx_op(g, plain[i][1], x->name, NULL, NULL);
    if (strcmp(activation, "leaky_relu") == 0)
        x->name = dt_onnx_node(g, "LeakyRelu", (const char *const[]){x->name, NULL},
                               (const dt_onnx_attribute[]){DT_ONNX_FLOAT_OF("alpha", slope), DT_ONNX_END});
    if (strcmp(activation, "silu") == 0)
        x->name = dt_onnx_op(g, "Mul", x->name, dt_onnx_op(g, "Sigmoid", x->name, NULL, NULL), NULL);
    if (strcmp(activation, "gelu") == 0) x->name = gelu(g, x->name);
}
