/* Layers that go over pictures and series by windows, and those that normalise: as nodes of ONNX. */
#include <math.h>
#include <string.h>

#include "onnx_layers.h"

/* ---- products ---- */

dt_status dt_onnx_dense(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    dt_onnx_product(w, layer, x, "w", "b");
    dt_onnx_activation(w, x, dt_layer_choice(layer, "activation"), dt_layer_real(layer, "slope"));
    return dt_ok();
}

dt_status dt_onnx_swiglu(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    const char *halves[2] = {NULL, NULL};
    int64_t out = dt_layer_whole(layer, "out");
    dt_onnx_product(w, layer, x, "w", "b");
    dt_onnx_nodes(
        w->graph, "Split",
        (const char *const[]){x->name, dt_onnx_ints(w->graph, "halves", 2, (const int64_t[]){out, out}), NULL},
        (const dt_onnx_attribute[]){DT_ONNX_INT("axis", -1), DT_ONNX_END}, halves, 2);
    dt_onnx_value gate = {.name = halves[0]};
    dt_onnx_activation(w, &gate, "silu", 0);
    x->name = dt_onnx_op(w->graph, "Mul", gate.name, halves[1], NULL);
    return dt_ok();
}

/* ---- windows ---- */

/* Channels first, with a dimension for the channels also where there is but one. Gives the number of dimensions that a
 * window has. */
static int begin_window(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    int dimensions = dt_layer_output(layer)->rank - 1;
    if (x->shape.rank == dimensions) {
        dt_shape one = {dimensions + 1, {1}};
        for (int i = 0; i < dimensions; i++) one.dim[i + 1] = x->shape.dim[i];
        dt_onnx_reshape(w, x, &one);
        x->first = true;
    }
    x->shape.rank = dimensions + 1;
    dt_onnx_first(w, x);
    return dimensions;
}

/* kernel_shape, strides, pads and dilations. */
static void window_of(const dt_layer *layer, int dimensions, dt_onnx_attribute out[4]) {
    const dt_window *window = dt_layer_window(layer);
    const struct {
        const char *name;
        const int64_t *from, *behind;
    } lists[4] = {{"kernel_shape", window->kernel, NULL},
                  {"strides", window->stride, NULL},
                  {"dilations", window->dilation, NULL},
                  {"pads", window->before, window->after}};
    int skipped = 2 - dimensions; /* a series has no height */
    for (int i = 0; i < 4; i++) {
        out[i] = (dt_onnx_attribute){.name = lists[i].name, .kind = 'I'};
        for (int d = skipped; d < 2; d++) out[i].list[out[i].count++] = lists[i].from[d];
        for (int d = skipped; d < 2 && lists[i].behind; d++) out[i].list[out[i].count++] = lists[i].behind[d];
    }
}

dt_status dt_onnx_conv(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    static const int orders[3][4] = {{0}, {2, 1, 0}, {3, 2, 0, 1}}; /* [kernel…, in, out] as [out, in, kernel…] */
    dt_onnx_attribute attributes[6] = {{.kind = 0}};
    int dimensions = begin_window(w, layer, x);
    window_of(layer, dimensions, attributes);
    attributes[4] = (dt_onnx_attribute)DT_ONNX_INT("group", dt_layer_whole(layer, "groups"));
    const char *weight = dt_onnx_turned(w, layer, "w", orders[dimensions]);
    x->name = dt_onnx_node(w->graph, "Conv",
                           (const char *const[]){x->name, weight, dt_onnx_tensor(w, layer, "b"), NULL}, attributes);
    dt_onnx_activation(w, x, dt_layer_choice(layer, "activation"), dt_layer_real(layer, "slope"));
    return dt_ok();
}

dt_status dt_onnx_max_pool(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    dt_onnx_attribute attributes[5] = {{.kind = 0}};
    window_of(layer, begin_window(w, layer, x), attributes);
    x->name = dt_onnx_node(w->graph, "MaxPool", (const char *const[]){x->name, NULL}, attributes);
    return dt_ok();
}

/* AveragePool knows no dilations in this version, and ours has none: pads stand in their place. */
dt_status dt_onnx_avg_pool(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    dt_onnx_attribute attributes[5] = {{.kind = 0}};
    window_of(layer, begin_window(w, layer, x), attributes);
    attributes[2] = attributes[3];
    attributes[3] = (dt_onnx_attribute)DT_ONNX_INT("count_include_pad", 0);
    x->name = dt_onnx_node(w->graph, "AveragePool", (const char *const[]){x->name, NULL}, attributes);
    return dt_ok();
}

static dt_status write_global(const dt_onnx_writer *w, dt_onnx_value *x, const char *type) {
    int rank = x->shape.rank, count = rank > 1 ? rank - 1 : 1, from = x->first ? 2 : 1;
    dt_onnx_attribute attributes[] = {{.name = "axes", .kind = 'I', .count = count},
                                      DT_ONNX_INT("keepdims", rank == 1), /* a series of one channel */
                                      DT_ONNX_END};
    for (int i = 0; i < count; i++) attributes[0].list[i] = from + i;
    x->name = dt_onnx_node(w->graph, type, (const char *const[]){x->name, NULL}, attributes);
    x->first = false;
    return dt_ok();
}

dt_status dt_onnx_global_max(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    (void)layer;
    return write_global(w, x, "ReduceMax");
}

dt_status dt_onnx_global_avg(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    (void)layer;
    return write_global(w, x, "ReduceMean");
}

dt_status dt_onnx_upsample(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    bool linear = strcmp(dt_layer_choice(layer, "method"), "linear") == 0, series = x->shape.rank == 2;
    float *factors = dt_onnx_memory(w->graph, 4 * sizeof *factors), factor = (float)dt_layer_whole(layer, "factor");
    if (!factors) return dt_fail_memory("a graph", 4 * sizeof *factors);
    dt_shape in = *dt_layer_input(layer), out = *dt_layer_output(layer);
    if (series) { /* a picture of height 1 */
        dt_onnx_reshape(w, x, &(dt_shape){3, {1, in.dim[0], in.dim[1]}});
        out = (dt_shape){3, {1, out.dim[0], out.dim[1]}};
    }
    dt_onnx_first(w, x);
    factors[0] = factors[1] = 1;
    factors[2] = series ? 1 : factor;
    factors[3] = factor;
    const char *scales = dt_onnx_floats(w->graph, "scales", &(dt_shape){1, {4}}, factors);
    dt_onnx_attribute attributes[] = {
        DT_ONNX_TEXT("mode", linear ? "linear" : "nearest"),
        DT_ONNX_TEXT("coordinate_transformation_mode", linear ? "half_pixel" : "asymmetric"),
        DT_ONNX_TEXT("nearest_mode", "floor"), DT_ONNX_END};
    x->name = dt_onnx_node(w->graph, "Resize", (const char *const[]){x->name, "", scales, NULL}, attributes);
    x->shape = out;
    if (series) dt_onnx_reshape(w, x, dt_layer_output(layer));
    return dt_ok();
}

/* ---- norms ---- */

/* A layer's tensor, or as many of `value`. */
static const float *channels_of(const dt_onnx_writer *w, const dt_layer *layer, const char *name, int64_t count,
                                float value) {
    const dt_tensor *tensor = dt_layer_tensor(layer, name);
    if (tensor) return dt_export_values(w->model, tensor);
    float *all = dt_onnx_memory(w->graph, (size_t)count * sizeof *all);
    for (int64_t i = 0; all && i < count; i++) all[i] = value;
    return all;
}

dt_status dt_onnx_batch_norm(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    static const char *const names[4] = {"scale", "shift", "running_mean", "running_var"};
    static const float otherwise[4] = {1, 0, 0, 0};
    int64_t count = dt_shape_last(dt_layer_input(layer));
    const char *inputs[6] = {NULL};
    dt_onnx_first(w, x);
    inputs[0] = x->name;
    for (int i = 0; i < 4; i++) {
        const float *values = channels_of(w, layer, names[i], count, otherwise[i]);
        if (!values) return dt_fail_memory("a graph", (size_t)count * sizeof *values);
        inputs[i + 1] = dt_onnx_floats(w->graph, names[i], &(dt_shape){1, {count}}, values);
    }
    x->name = dt_onnx_node(
        w->graph, "BatchNormalization", inputs,
        (const dt_onnx_attribute[]){DT_ONNX_FLOAT_OF("epsilon", dt_layer_real(layer, "eps")), DT_ONNX_END});
    dt_onnx_activation(w, x, dt_layer_choice(layer, "activation"), 0);
    return dt_ok();
}

dt_status dt_onnx_layer_norm(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    int64_t count = dt_shape_last(dt_layer_input(layer));
    dt_onnx_last(w, x);
    const float *scale = channels_of(w, layer, "scale", count, 1);
    if (!scale) return dt_fail_memory("a graph", (size_t)count * sizeof *scale);
    const char *inputs[] = {x->name, dt_onnx_floats(w->graph, "scale", &(dt_shape){1, {count}}, scale),
                            dt_onnx_tensor(w, layer, "shift"), NULL};
    x->name = dt_onnx_node(w->graph, "LayerNormalization", inputs,
                           (const dt_onnx_attribute[]){DT_ONNX_INT("axis", -1),
                                                       DT_ONNX_FLOAT_OF("epsilon", dt_layer_real(layer, "eps")),
                                                       DT_ONNX_END});
    return dt_ok();
}

/* scale and shift, channels last. */
static void scale_channels(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    static const char *const names[2][2] = {{"scale", "Mul"}, {"shift", "Add"}};
    for (int i = 0; i < 2; i++)
        if (dt_layer_tensor(layer, names[i][0]))
            x->name = dt_onnx_op(w->graph, names[i][1], x->name, dt_onnx_tensor(w, layer, names[i][0]), NULL);
}

dt_status dt_onnx_rms_norm(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    dt_onnx *g = w->graph;
    dt_onnx_last(w, x);
    const char *square = dt_onnx_op(g, "Mul", x->name, x->name, NULL);
    const char *mean = dt_onnx_node(g, "ReduceMean", (const char *const[]){square, NULL},
                                    (const dt_onnx_attribute[]){DT_ONNX_INTS("axes", 1, -1), DT_ONNX_END});
    const char *sum = dt_onnx_op(g, "Add", mean, dt_onnx_float(g, "eps", dt_layer_real(layer, "eps")), NULL);
    x->name = dt_onnx_op(g, "Div", x->name, dt_onnx_op(g, "Sqrt", sum, NULL, NULL), NULL);
    scale_channels(w, layer, x);
    return dt_ok();
}

/* An instance is a group, all of whose channels and positions lie one after the other. */
dt_status dt_onnx_group_norm(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    dt_onnx *g = w->graph;
    dt_shape shape = *dt_layer_input(layer);
    int64_t groups = dt_layer_whole(layer, "groups"), sizes[DT_MAX_RANK + 1] = {0, dt_shape_last(&shape)};
    for (int i = 0; i + 1 < shape.rank; i++) sizes[i + 2] = shape.dim[i];
    float *one = dt_onnx_memory(g, (size_t)groups * sizeof *one),
          *zero = dt_onnx_memory(g, (size_t)groups * sizeof *zero);
    if (!one || !zero) return dt_fail_memory("a graph", (size_t)groups * sizeof *one);
    for (int64_t i = 0; i < groups; i++) one[i] = 1;
    dt_onnx_first(w, x);
    const char *rows = dt_onnx_ints(g, "groups", 3, (const int64_t[]){0, groups, -1});
    const char *inputs[] = {dt_onnx_op(g, "Reshape", x->name, rows, NULL),
                            dt_onnx_floats(g, "ones", &(dt_shape){1, {groups}}, one),
                            dt_onnx_floats(g, "zeros", &(dt_shape){1, {groups}}, zero), NULL};
    x->name = dt_onnx_node(
        g, "InstanceNormalization", inputs,
        (const dt_onnx_attribute[]){DT_ONNX_FLOAT_OF("epsilon", dt_layer_real(layer, "eps")), DT_ONNX_END});
    x->name = dt_onnx_op(g, "Reshape", x->name, dt_onnx_ints(g, "channels", shape.rank + 1, sizes), NULL);
    dt_onnx_last(w, x);
    scale_channels(w, layer, x);
    return dt_ok();
}
