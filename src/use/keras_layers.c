/* Which of Keras's layers a kind becomes. */
#include "keras_layers.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/* ---- activations ---- */

static const char *keras_activation(const char *activation) {
    static const char *const names[][2] = {{"linear", "linear"},   {"relu", "relu"},  {"tanh", "tanh"},
                                           {"sigmoid", "sigmoid"}, {"silu", "swish"}, {"softmax", "softmax"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], activation) == 0) return names[i][1];
    return NULL;
}

static dt_status refuse_gelu(const dt_layer *layer) {
    return dt_export_refuse(layer,
                            "its activation is GELU in its tanh form, and the one Keras has by name is the exact "
                            "one");
}

/* The activation within a layer: its name in the configuration, or a layer behind it. */
static dt_status check_activation(const dt_layer *layer, const char *activation) {
    return strcmp(activation, "gelu") == 0 ? refuse_gelu(layer) : dt_ok();
}

static json_t *fused(const char *activation) {
    const char *name = keras_activation(activation);
    return json_string(name ? name : "linear");
}

static void add_activation(dt_keras *k, const char *name, const char *activation, double slope, dt_keras_value *x) {
    if (strcmp(activation, "leaky_relu") == 0)
        dt_keras_add(k, "LeakyReLU", name, json_pack("{s:f}", "alpha", slope), x);
    else if (strcmp(activation, "linear") != 0)
        dt_keras_add(k, "Activation", name, json_pack("{s:s}", "activation", keras_activation(activation)), x);
}

/* Behind a layer that applies what it can itself. */
static void add_rest(dt_keras *k, const dt_layer *layer, dt_keras_value *x) {
    char name[DT_KERAS_NAME];
    snprintf(name, sizeof name, "%s_activation", dt_layer_name(layer));
    if (strcmp(dt_layer_choice(layer, "activation"), "leaky_relu") == 0)
        add_activation(k, name, "leaky_relu", dt_layer_real(layer, "slope"), x);
}

/* ---- kinds ---- */

static dt_status write_dense(dt_keras *k, const dt_layer *layer, dt_keras_value *x) {
    const char *activation = dt_layer_choice(layer, "activation");
    DT_TRY(check_activation(layer, activation));
    dt_keras_node *node =
        dt_keras_add(k, "Dense", dt_layer_name(layer),
                     json_pack("{s:I, s:o, s:b}", "units", (json_int_t)dt_layer_whole(layer, "out"), "activation",
                               fused(activation), "use_bias", dt_layer_tensor(layer, "b") != NULL),
                     x);
    dt_keras_tensor(k, node, layer, "w", "kernel");
    dt_keras_tensor(k, node, layer, "b", "bias");
    add_rest(k, layer, x);
    return dt_ok();
}

static dt_status write_view(dt_keras *k, const dt_layer *layer, dt_keras_value *x) {
    bool flat = strcmp(dt_layer_kind_name(layer), "flatten") == 0;
    if (flat && x->shape.rank == 1) return dt_ok(); /* Flatten wants something to do */
    if (flat)
        dt_keras_add(k, "Flatten", dt_layer_name(layer), json_pack("{s:s}", "data_format", "channels_last"), x);
    else
        dt_keras_reshape(k, dt_layer_name(layer), dt_layer_output(layer), x);
    return dt_ok();
}

static dt_status write_transpose(dt_keras *k, const dt_layer *layer, dt_keras_value *x) {
    dt_shape order = *dt_layer_sizes(layer, "order");
    for (int i = 0; i < order.rank; i++) order.dim[i]++;
    dt_keras_add(k, "Permute", dt_layer_name(layer), json_pack("{s:o}", "dims", dt_keras_sizes(order.rank, order.dim)),
                 x);
    return dt_ok();
}

static dt_status write_dropout(dt_keras *k, const dt_layer *layer, dt_keras_value *x) {
    dt_keras_add(k, "Dropout", dt_layer_name(layer), json_pack("{s:f}", "rate", dt_layer_real(layer, "rate")), x);
    return dt_ok();
}

static dt_status write_activation(dt_keras *k, const dt_layer *layer, dt_keras_value *x) {
    const char *kind = dt_layer_kind_name(layer);
    DT_TRY(check_activation(layer, kind));
    add_activation(k, dt_layer_name(layer), kind, strcmp(kind, "leaky_relu") == 0 ? dt_layer_real(layer, "slope") : 0,
                   x);
    return dt_ok();
}

/* ---- windows ---- */

/* Sizes of a window, [height, width] or [length]. */
static json_t *window_sizes(const int64_t *sizes, int dimensions) {
    return dt_keras_sizes(dimensions, sizes + 2 - dimensions);
}

/* A dimension for the channels where there is but one. */
static int begin_window(dt_keras *k, const dt_layer *layer, dt_keras_value *x) {
    int dimensions = dt_layer_output(layer)->rank - 1;
    char name[DT_KERAS_NAME];
    if (x->shape.rank != dimensions) return dimensions;
    snprintf(name, sizeof name, "%s_channel", dt_layer_name(layer));
    x->shape.dim[x->shape.rank++] = 1;
    dt_keras_reshape(k, name, &x->shape, x);
    return dimensions;
}

static bool is_padded(const dt_window *w) {
    return w->before[0] || w->before[1] || w->after[0] || w->after[1];
}

/* Zeros around the picture, as numbers. */
static void add_padding(dt_keras *k, const dt_layer *layer, int dimensions, dt_keras_value *x) {
    const dt_window *w = dt_layer_window(layer);
    char name[DT_KERAS_NAME];
    if (!is_padded(w)) return;
    snprintf(name, sizeof name, "%s_padding", dt_layer_name(layer));
    json_t *line = json_pack("[I, I]", (json_int_t)w->before[1], (json_int_t)w->after[1]);
    if (dimensions == 2) line = json_pack("[[I, I], o]", (json_int_t)w->before[0], (json_int_t)w->after[0], line);
    dt_keras_add(k, dimensions == 2 ? "ZeroPadding2D" : "ZeroPadding1D", name, json_pack("{s:o}", "padding", line), x);
}

static dt_status write_conv(dt_keras *k, const dt_layer *layer, dt_keras_value *x) {
    const dt_window *w = dt_layer_window(layer);
    const char *activation = dt_layer_choice(layer, "activation");
    DT_TRY(check_activation(layer, activation));
    int dimensions = begin_window(k, layer, x);
    add_padding(k, layer, dimensions, x);
    json_t *config =
        json_pack("{s:I, s:o, s:o, s:o, s:s, s:s, s:I, s:o, s:b}", "filters", (json_int_t)dt_layer_whole(layer, "out"),
                  "kernel_size", window_sizes(w->kernel, dimensions), "strides", window_sizes(w->stride, dimensions),
                  "dilation_rate", window_sizes(w->dilation, dimensions), "padding", "valid", "data_format",
                  "channels_last", "groups", (json_int_t)dt_layer_whole(layer, "groups"), "activation",
                  fused(activation), "use_bias", dt_layer_tensor(layer, "b") != NULL);
    dt_keras_node *node = dt_keras_add(k, dimensions == 2 ? "Conv2D" : "Conv1D", dt_layer_name(layer), config, x);
    dt_keras_tensor(k, node, layer, "w", "kernel");
    dt_keras_tensor(k, node, layer, "b", "bias");
    add_rest(k, layer, x);
    return dt_ok();
}

static dt_status write_pool(dt_keras *k, const dt_layer *layer, dt_keras_value *x) {
    const dt_window *w = dt_layer_window(layer);
    bool largest = strcmp(dt_layer_kind_name(layer), "max_pool") == 0;
    bool same = strcmp(dt_layer_text(layer, "padding"), "same") == 0;
    char class[32];
    if (is_padded(w) && !same)
        return dt_export_refuse(layer, "Keras's pools are padded by `same` or not at all, and this one by numbers");
    int dimensions = begin_window(k, layer, x);
    snprintf(class, sizeof class, "%sPooling%dD", largest ? "Max" : "Average", dimensions);
    dt_keras_add(k, class, dt_layer_name(layer),
                 json_pack("{s:o, s:o, s:s, s:s}", "pool_size", window_sizes(w->kernel, dimensions), "strides",
                           window_sizes(w->stride, dimensions), "padding", same ? "same" : "valid", "data_format",
                           "channels_last"),
                 x);
    return dt_ok();
}

static dt_status write_global(dt_keras *k, const dt_layer *layer, dt_keras_value *x) {
    bool largest = strcmp(dt_layer_kind_name(layer), "global_max_pool") == 0;
    char class[32];
    if (x->shape.rank == 1) return dt_export_refuse(layer, "Keras's global pools want a dimension for the channels");
    snprintf(class, sizeof class, "Global%sPooling%dD", largest ? "Max" : "Average", x->shape.rank - 1);
    dt_keras_add(k, class, dt_layer_name(layer), json_pack("{s:s}", "data_format", "channels_last"), x);
    return dt_ok();
}

static dt_status write_upsample(dt_keras *k, const dt_layer *layer, dt_keras_value *x) {
    bool linear = strcmp(dt_layer_choice(layer, "method"), "linear") == 0;
    json_int_t factor = dt_layer_whole(layer, "factor");
    if (x->shape.rank == 2 && linear) return dt_export_refuse(layer, "Keras's UpSampling1D only repeats");
    if (x->shape.rank == 2)
        dt_keras_add(k, "UpSampling1D", dt_layer_name(layer), json_pack("{s:I}", "size", factor), x);
    else
        dt_keras_add(k, "UpSampling2D", dt_layer_name(layer),
                     json_pack("{s:[I, I], s:s, s:s}", "size", factor, factor, "interpolation",
                               linear ? "bilinear" : "nearest", "data_format", "channels_last"),
                     x);
    return dt_ok();
}

/* ---- norms ---- */

static dt_status write_batch_norm(dt_keras *k, const dt_layer *layer, dt_keras_value *x) {
    char name[DT_KERAS_NAME];
    dt_keras_node *node = dt_keras_add(
        k, "BatchNormalization", dt_layer_name(layer),
        json_pack("{s:i, s:f, s:f, s:b, s:b}", "axis", x->shape.rank, "momentum", dt_layer_real(layer, "momentum"),
                  "epsilon", dt_layer_real(layer, "eps"), "center", dt_layer_tensor(layer, "shift") != NULL, "scale",
                  dt_layer_tensor(layer, "scale") != NULL),
        x);
    dt_keras_tensor(k, node, layer, "scale", "gamma");
    dt_keras_tensor(k, node, layer, "shift", "beta");
    dt_keras_tensor(k, node, layer, "running_mean", "moving_mean");
    dt_keras_tensor(k, node, layer, "running_var", "moving_variance");
    snprintf(name, sizeof name, "%s_activation", dt_layer_name(layer));
    add_activation(k, name, dt_layer_choice(layer, "activation"), 0, x);
    return dt_ok();
}

static dt_status write_layer_norm(dt_keras *k, const dt_layer *layer, dt_keras_value *x) {
    dt_keras_node *node = dt_keras_add(
        k, "LayerNormalization", dt_layer_name(layer),
        json_pack("{s:i, s:f, s:b, s:b}", "axis", x->shape.rank, "epsilon", dt_layer_real(layer, "eps"), "center",
                  dt_layer_tensor(layer, "shift") != NULL, "scale", dt_layer_tensor(layer, "scale") != NULL),
        x);
    dt_keras_tensor(k, node, layer, "scale", "gamma");
    dt_keras_tensor(k, node, layer, "shift", "beta");
    return dt_ok();
}

/* ---- sequences ---- */

static dt_status write_embedding(dt_keras *k, const dt_layer *layer, dt_keras_value *x) {
    const dt_tensor *w = dt_layer_tensor(layer, "w");
    if (dt_layer_tensor(layer, "p"))
        return dt_export_refuse(layer, "it learns positions, for which Keras has no layer of its own");
    if (k->model->trained.recipe.data.objective == DT_OBJECTIVE_CLASS)
        return dt_export_refuse(layer, "its data has the id -1 for no token, which Keras's has no vector for");
    dt_keras_node *node =
        dt_keras_add(k, "Embedding", dt_layer_name(layer),
                     json_pack("{s:I, s:I, s:I}", "input_dim", (json_int_t)w->shape.dim[0], "output_dim",
                               (json_int_t)w->shape.dim[1], "input_length", (json_int_t)dt_layer_output(layer)->dim[0]),
                     x);
    dt_keras_tensor(k, node, layer, "w", "embeddings");
    return dt_ok();
}

static dt_status write_unembed(dt_keras *k, const dt_layer *layer, dt_keras_value *x) {
    const dt_tensor *w = dt_layer_tensor(layer, "w");
    if (dt_layer_text(layer, "of")[0])
        return dt_export_refuse(layer, "it uses the table of %s, and Keras's layers share no weights",
                                dt_layer_text(layer, "of"));
    dt_keras_node *node = dt_keras_add(k, "Dense", dt_layer_name(layer),
                                       json_pack("{s:I, s:s, s:b}", "units", (json_int_t)w->shape.dim[1], "activation",
                                                 "linear", "use_bias", dt_layer_tensor(layer, "b") != NULL),
                                       x);
    dt_keras_tensor(k, node, layer, "w", "kernel");
    dt_keras_tensor(k, node, layer, "b", "bias");
    return dt_ok();
}

/* ---- lists ---- */

static dt_status write_list(dt_keras *k, const dt_layer *layer, int list, dt_keras_value *x) {
    for (int i = 0; i < dt_layer_list_length(layer, list); i++)
        DT_TRY(dt_keras_write_layer(k, dt_layer_of_list(layer, list, i), x));
    return dt_ok();
}

static dt_status write_residual(dt_keras *k, const dt_layer *layer, dt_keras_value *x) {
    dt_keras_value both[2] = {*x, *x};
    char name[DT_KERAS_NAME];
    DT_TRY(write_list(k, layer, 0, &both[0]));
    if (dt_layer_list_count(layer) > 1) DT_TRY(write_list(k, layer, 1, &both[1]));
    dt_keras_join(k, "Add", dt_layer_name(layer), json_object(), both, 2, x);
    snprintf(name, sizeof name, "%s_activation", dt_layer_name(layer));
    add_activation(k, name, dt_layer_choice(layer, "activation"), 0, x);
    return dt_ok();
}

static dt_status write_concat(dt_keras *k, const dt_layer *layer, dt_keras_value *x) {
    int count = dt_layer_list_count(layer);
    dt_keras_value *branches = dt_alloc((size_t)count, sizeof *branches);
    if (!branches) return dt_fail_memory("branches", (size_t)count * sizeof *branches);
    dt_status status = dt_ok();
    for (int i = 0; i < count && status.code == DT_OK; i++) {
        branches[i] = *x;
        status = write_list(k, layer, i, &branches[i]);
        dt_keras_row(k, &branches[i]);
    }
    if (status.code == DT_OK)
        dt_keras_join(k, "Concatenate", dt_layer_name(layer), json_pack("{s:i}", "axis", -1), branches, count, x);
    dt_free(branches);
    x->apart = false;
    return status;
}

static dt_status write_input(dt_keras *k, const dt_layer *layer, dt_keras_value *x) {
    if (!x->apart)
        return dt_export_refuse(layer, "it takes a part of what a layer gives, for which Keras has no layer");
    *x = k->inputs[dt_export_input_of(k->model, layer)];
    return dt_ok();
}

/* ---- the table ---- */

static const struct {
    const char *kind;
    dt_keras_layer *write; /* NULL: it is refused */
    const char *why;
} rows[] = {
    {"input", write_input, NULL},
    {"dense", write_dense, NULL},
    {"flatten", write_view, NULL},
    {"conv2d", write_conv, NULL},
    {"conv1d", write_conv, NULL},
    {"max_pool", write_pool, NULL},
    {"avg_pool", write_pool, NULL},
    {"global_max_pool", write_global, NULL},
    {"global_avg_pool", write_global, NULL},
    {"dropout", write_dropout, NULL},
    {"batch_norm", write_batch_norm, NULL},
    {"layer_norm", write_layer_norm, NULL},
    {"rms_norm", NULL, "Keras 2 has no RMS norm"},
    {"group_norm", NULL, "Keras 2 has no group norm that all its releases know"},
    {"residual", write_residual, NULL},
    {"concat", write_concat, NULL},
    {"upsample", write_upsample, NULL},
    {"reshape", write_view, NULL},
    {"transpose", write_transpose, NULL},
    {"embedding", write_embedding, NULL},
    {"unembed", write_unembed, NULL},
    {"swiglu", NULL, "Keras has no gated unit"},
    {"token_pool", NULL, "Keras has no layer that chooses a position"},
    {"attention", NULL, "Keras's MultiHeadAttention is another layer"},
    {"simple_rnn", dt_keras_recurrent, NULL},
    {"gru", dt_keras_recurrent, NULL},
    {"lstm", dt_keras_recurrent, NULL},
    {"relu", write_activation, NULL},
    {"leaky_relu", write_activation, NULL},
    {"gelu", write_activation, NULL},
    {"silu", write_activation, NULL},
    {"tanh", write_activation, NULL},
    {"sigmoid", write_activation, NULL},
    {"softmax", write_activation, NULL},
};

dt_status dt_keras_write_layer(dt_keras *k, const dt_layer *layer, dt_keras_value *x) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].kind, dt_layer_kind_name(layer)) != 0) continue;
        if (!rows[i].write) return dt_export_refuse(layer, "%s (--to onnx and pytorch have it)", rows[i].why);
        if (rows[i].write != write_input && rows[i].write != write_concat) dt_keras_row(k, x);
        DT_TRY(rows[i].write(k, layer, x));
        x->shape = *dt_layer_output(layer);
        return dt_ok();
    }
    return dt_export_refuse(layer, "there is no layer of Keras for this kind yet");
}
