/* Which nodes a kind of layer becomes; those that have no family are here, and those that hold layers. */
#include "onnx_layers.h"

#include <string.h>

/* ---- kinds without a family ---- */

static dt_status write_view(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    dt_onnx_reshape(w, x, dt_layer_output(layer));
    return dt_ok();
}

static dt_status write_transpose(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    const dt_shape *order = dt_layer_sizes(layer, "order");
    dt_onnx_attribute perm[] = {{.name = "perm", .kind = 'I', .count = order->rank + 1}, DT_ONNX_END};
    for (int i = 0; i < order->rank; i++) perm[0].list[i + 1] = order->dim[i] + 1;
    dt_onnx_last(w, x);
    x->name = dt_onnx_node(w->graph, "Transpose", (const char *const[]){x->name, NULL}, perm);
    return dt_ok();
}

/* An input that has a name; of a row that a layer has made, its place there. */
static dt_status write_input(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    const int64_t i = dt_export_input_of(w->model, layer);
    const dt_input *input = dt_export_input(w->model, i);
    if (x->apart) {
        *x = (dt_onnx_value){.name = w->inputs[i], .shape = input->shape};
        return dt_ok();
    }
    const int64_t first = input->first, end = first + dt_shape_count(&input->shape), last = 1;
    x->name = dt_onnx_node(w->graph, "Slice",
                           (const char *const[]){x->name, dt_onnx_ints(w->graph, "first", 1, &first),
                                                 dt_onnx_ints(w->graph, "end", 1, &end),
                                                 dt_onnx_ints(w->graph, "axis", 1, &last), NULL},
                           NULL);
    dt_onnx_reshape(w, x, &input->shape);
    return dt_ok();
}

/* Dropout does nothing outside training. */
static dt_status write_nothing(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    (void)w, (void)layer, (void)x;
    return dt_ok();
}

static dt_status write_activation(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    const char *kind = dt_layer_kind_name(layer);
    dt_onnx_activation(w, x, kind, strcmp(kind, "leaky_relu") == 0 ? dt_layer_real(layer, "slope") : 0);
    return dt_ok();
}

static dt_status write_softmax(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    (void)layer;
    dt_onnx_last(w, x);
    x->name = dt_onnx_node(w->graph, "Softmax", (const char *const[]){x->name, NULL},
                           (const dt_onnx_attribute[]){DT_ONNX_INT("axis", -1), DT_ONNX_END});
    return dt_ok();
}

static dt_status write_list(const dt_onnx_writer *w, const dt_layer *layer, int list, dt_onnx_value *x) {
    for (int i = 0; i < dt_layer_list_length(layer, list); i++)
        DT_TRY(dt_onnx_write_layer(w, dt_layer_of_list(layer, list, i), x));
    return dt_ok();
}

static dt_status write_residual(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    dt_onnx_value around = *x;
    DT_TRY(write_list(w, layer, 0, x));
    if (dt_layer_list_count(layer) > 1) DT_TRY(write_list(w, layer, 1, &around));
    dt_onnx_scope(w->graph, dt_layer_name(layer));
    if (x->first != around.first) {
        dt_onnx_last(w, x);
        dt_onnx_last(w, &around);
    }
    x->name = dt_onnx_op(w->graph, "Add", x->name, around.name, NULL);
    dt_onnx_activation(w, x, dt_layer_choice(layer, "activation"), 0);
    return dt_ok();
}

#define MOST_BRANCHES 256

static dt_status write_concat(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    const char *parts[MOST_BRANCHES + 1] = {NULL};
    int count = dt_layer_list_count(layer);
    if (count > MOST_BRANCHES)
        return dt_export_refuse(layer, "it has %d branches; at most %d are exported", count, MOST_BRANCHES);
    for (int i = 0; i < count; i++) {
        dt_onnx_value branch = *x;
        DT_TRY(write_list(w, layer, i, &branch));
        dt_onnx_row(w, &branch);
        dt_onnx_last(w, &branch);
        parts[i] = branch.name;
    }
    dt_onnx_scope(w->graph, dt_layer_name(layer));
    x->name =
        dt_onnx_node(w->graph, "Concat", parts, (const dt_onnx_attribute[]){DT_ONNX_INT("axis", -1), DT_ONNX_END});
    x->first = x->apart = false;
    return dt_ok();
}

/* ---- the table ---- */

static const struct {
    const char *kind;
    dt_onnx_layer *write;
} rows[] = {
    {"input", write_input},
    {"dense", dt_onnx_dense},
    {"flatten", write_view},
    {"conv2d", dt_onnx_conv},
    {"conv1d", dt_onnx_conv},
    {"max_pool", dt_onnx_max_pool},
    {"avg_pool", dt_onnx_avg_pool},
    {"global_max_pool", dt_onnx_global_max},
    {"global_avg_pool", dt_onnx_global_avg},
    {"dropout", write_nothing},
    {"batch_norm", dt_onnx_batch_norm},
    {"layer_norm", dt_onnx_layer_norm},
    {"rms_norm", dt_onnx_rms_norm},
    {"group_norm", dt_onnx_group_norm},
    {"residual", write_residual},
    {"concat", write_concat},
    {"upsample", dt_onnx_upsample},
    {"reshape", write_view},
    {"transpose", write_transpose},
    {"embedding", dt_onnx_embedding},
    {"unembed", dt_onnx_unembed},
    {"swiglu", dt_onnx_swiglu},
    {"token_pool", dt_onnx_token_pool},
    {"attention", dt_onnx_attention},
    {"simple_rnn", dt_onnx_recurrent},
    {"gru", dt_onnx_recurrent},
    {"lstm", dt_onnx_recurrent},
    {"relu", write_activation},
    {"leaky_relu", write_activation},
    {"gelu", write_activation},
    {"silu", write_activation},
    {"tanh", write_activation},
    {"sigmoid", write_activation},
    {"softmax", write_softmax},
};

dt_status dt_onnx_write_layer(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].kind, dt_layer_kind_name(layer)) != 0) continue;
        dt_onnx_scope(w->graph, dt_layer_name(layer));
        if (rows[i].write != write_input && rows[i].write != write_concat) dt_onnx_row(w, x);
        DT_TRY(rows[i].write(w, layer, x));
        x->shape = *dt_layer_output(layer);
        return dt_ok();
    }
    return dt_export_refuse(layer, "ONNX has no layer of this kind, and none is made of its operators yet");
}
