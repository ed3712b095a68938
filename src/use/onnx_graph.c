#include "onnx_graph.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/headway.h"
#include "base/memory.h"
#include "onnx.pb-c.h"

typedef struct piece {
    struct piece *next;
    size_t used, room;
    _Alignas(16) char bytes[];
} piece;

/* Pointers to messages, growing. */
typedef struct list {
    void **items;
    size_t count, room;
} list;

struct dt_onnx {
    piece *pieces;
    bool short_of_memory;
    const char *scope;
    int names;
    list nodes, constants, inputs, outputs;
};

#define PIECE ((size_t)1 << 16)
#define LARGE_BYTES ((size_t)1 << 12)   /* what is written in one go that takes a time */
#define MOST_BYTES ((size_t)2147483647) /* of a message of protobuf */

void *dt_onnx_memory(dt_onnx *g, size_t bytes) {
    bytes = (bytes + 15) / 16 * 16;
    if (!g->pieces || g->pieces->room - g->pieces->used < bytes) {
        size_t room = bytes > PIECE ? bytes : PIECE;
        piece *more = dt_alloc(1, sizeof *more + room);
        if (!more) {
            g->short_of_memory = true;
            return NULL;
        }
        more->room = room;
        more->next = g->pieces;
        g->pieces = more;
    }
    void *memory = g->pieces->bytes + g->pieces->used;
    g->pieces->used += bytes;
    return memory;
}

static void append(dt_onnx *g, list *to, void *item) {
    if (item && to->count == to->room) {
        size_t room = to->room ? 2 * to->room : 256;
        void **grown = dt_onnx_memory(g, room * sizeof *grown);
        if (!grown) return;
        if (to->count) memcpy(grown, to->items, to->count * sizeof *grown);
        to->items = grown;
        to->room = room;
    }
    if (item) to->items[to->count++] = item;
}

static char *copy(dt_onnx *g, const char *text) {
    size_t bytes = strlen(text) + 1;
    char *own = dt_onnx_memory(g, bytes);
    return own ? memcpy(own, text, bytes) : "";
}

dt_status dt_onnx_open(dt_onnx **out) {
    *out = dt_alloc(1, sizeof **out);
    return *out ? dt_ok() : dt_fail_memory("a graph", sizeof **out);
}

void dt_onnx_close(dt_onnx *g) {
    while (g && g->pieces) {
        piece *next = g->pieces->next;
        dt_free(g->pieces);
        g->pieces = next;
    }
    dt_free(g);
}

void dt_onnx_scope(dt_onnx *g, const char *name) {
    g->scope = name;
}

static char *name_in_scope(dt_onnx *g, const char *what, bool numbered) {
    char text[256];
    const char *scope = g->scope ? g->scope : "", *slash = *scope ? "/" : "";
    if (numbered)
        snprintf(text, sizeof text, "%s%s%s.%d", scope, slash, what, ++g->names);
    else
        snprintf(text, sizeof text, "%s%s%s", scope, slash, what);
    return copy(g, text);
}

/* ---- inputs and outputs ---- */

static Onnx__TensorShapeProto__Dimension *dimension(dt_onnx *g, int64_t size) {
    Onnx__TensorShapeProto__Dimension *dim = dt_onnx_memory(g, sizeof *dim);
    if (!dim) return NULL;
    onnx__tensor_shape_proto__dimension__init(dim);
    dim->value_case = size > 0 ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE
                               : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    if (size > 0)
        dim->dim_value = size;
    else
        dim->dim_param = "batch";
    return dim;
}

static Onnx__ValueInfoProto *value_info(dt_onnx *g, const char *name, dt_onnx_type type, const dt_shape *shape) {
    list sizes = {0};
    Onnx__TensorShapeProto *sizes_of = dt_onnx_memory(g, sizeof *sizes_of);
    Onnx__TypeProto__Tensor *tensor = dt_onnx_memory(g, sizeof *tensor);
    Onnx__TypeProto *type_of = dt_onnx_memory(g, sizeof *type_of);
    Onnx__ValueInfoProto *value = dt_onnx_memory(g, sizeof *value);
    append(g, &sizes, dimension(g, 0));
    for (int i = 0; i < shape->rank; i++) append(g, &sizes, dimension(g, shape->dim[i]));
    if (!sizes_of || !tensor || !type_of || !value) return NULL;
    onnx__tensor_shape_proto__init(sizes_of);
    sizes_of->dim = (Onnx__TensorShapeProto__Dimension **)sizes.items;
    sizes_of->n_dim = sizes.count;
    onnx__type_proto__tensor__init(tensor);
    tensor->has_elem_type = true;
    tensor->elem_type = (int32_t)type;
    tensor->shape = sizes_of;
    onnx__type_proto__init(type_of);
    type_of->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type_of->tensor_type = tensor;
    onnx__value_info_proto__init(value);
    value->name = copy(g, name);
    value->type = type_of;
    return value;
}

void dt_onnx_input(dt_onnx *g, const char *name, dt_onnx_type type, const dt_shape *shape) {
    append(g, &g->inputs, value_info(g, name, type, shape));
}

void dt_onnx_output(dt_onnx *g, const char *name, dt_onnx_type type, const dt_shape *shape) {
    append(g, &g->outputs, value_info(g, name, type, shape));
}

/* ---- nodes ---- */

static Onnx__AttributeProto *attribute_of(dt_onnx *g, const dt_onnx_attribute *from) {
    Onnx__AttributeProto *to = dt_onnx_memory(g, sizeof *to);
    int64_t *whole = from->kind == 'I' ? dt_onnx_memory(g, (size_t)from->count * sizeof *whole) : NULL;
    if (!to || (from->kind == 'I' && !whole)) return NULL;
    onnx__attribute_proto__init(to);
    to->name = copy(g, from->name);
    to->has_type = true;
    switch (from->kind) {
    case 'i':
        to->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
        to->has_i = true;
        to->i = from->whole;
        break;
    case 'f':
        to->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
        to->has_f = true;
        to->f = (float)from->real;
        break;
    case 's':
        to->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
        to->has_s = true;
        to->s = (ProtobufCBinaryData){strlen(from->text), (uint8_t *)copy(g, from->text)};
        break;
    default:
        to->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
        to->ints = whole;
        for (int i = 0; whole && i < from->count; i++) whole[i] = from->list[i];
        to->n_ints = (size_t)from->count;
    }
    return to;
}

void dt_onnx_nodes(dt_onnx *g, const char *type, const char *const *inputs, const dt_onnx_attribute *attributes,
                   const char **outputs, int output_count) {
    list in = {0}, out = {0}, with = {0};
    for (int i = 0; inputs[i]; i++) append(g, &in, copy(g, inputs[i]));
    for (int i = 0; i < output_count; i++) {
        if (!outputs[i]) outputs[i] = name_in_scope(g, type, true);
        append(g, &out, (void *)outputs[i]);
    }
    for (int i = 0; attributes && attributes[i].kind; i++) append(g, &with, attribute_of(g, &attributes[i]));
    Onnx__NodeProto *node = dt_onnx_memory(g, sizeof *node);
    if (!node) return;
    onnx__node_proto__init(node);
    node->op_type = copy(g, type);
    node->name = (char *)outputs[0];
    node->input = (char **)in.items;
    node->n_input = in.count;
    node->output = (char **)out.items;
    node->n_output = out.count;
    node->attribute = (Onnx__AttributeProto **)with.items;
    node->n_attribute = with.count;
    append(g, &g->nodes, node);
}

const char *dt_onnx_node(dt_onnx *g, const char *type, const char *const *inputs, const dt_onnx_attribute *attributes) {
    const char *output = NULL;
    dt_onnx_nodes(g, type, inputs, attributes, &output, 1);
    return output;
}

const char *dt_onnx_op(dt_onnx *g, const char *type, const char *a, const char *b, const char *c) {
    return dt_onnx_node(g, type, (const char *const[]){a, b, c, NULL}, NULL);
}

void dt_onnx_name(dt_onnx *g, const char *from, const char *name) {
    dt_onnx_nodes(g, "Identity", (const char *const[]){from, NULL}, NULL, &name, 1);
}

/* ---- constants ---- */

static const char *constant(dt_onnx *g, const char *name, dt_onnx_type type, const dt_shape *shape, const void *values,
                            size_t bytes, bool numbered) {
    Onnx__TensorProto *tensor = dt_onnx_memory(g, sizeof *tensor);
    int64_t *dims = dt_onnx_memory(g, sizeof shape->dim);
    if (!tensor || !dims) return "";
    onnx__tensor_proto__init(tensor);
    tensor->name = name_in_scope(g, name, numbered);
    tensor->has_data_type = true;
    tensor->data_type = (int32_t)type;
    tensor->dims = memcpy(dims, shape->dim, sizeof shape->dim);
    tensor->n_dims = (size_t)shape->rank;
    tensor->has_raw_data = true;
    tensor->raw_data = (ProtobufCBinaryData){bytes, (uint8_t *)values};
    append(g, &g->constants, tensor);
    return tensor->name;
}

const char *dt_onnx_floats(dt_onnx *g, const char *name, const dt_shape *shape, const float *values) {
    return constant(g, name, DT_ONNX_FLOAT, shape, values, (size_t)dt_shape_count(shape) * sizeof *values, false);
}

const char *dt_onnx_doubles(dt_onnx *g, const char *name, const dt_shape *shape, const double *values) {
    return constant(g, name, DT_ONNX_DOUBLE, shape, values, (size_t)dt_shape_count(shape) * sizeof *values, false);
}

const char *dt_onnx_float(dt_onnx *g, const char *name, double value) {
    float *own = dt_onnx_memory(g, sizeof *own);
    if (!own) return "";
    *own = (float)value;
    return constant(g, name, DT_ONNX_FLOAT, &(dt_shape){0}, own, sizeof *own, true);
}

const char *dt_onnx_ints(dt_onnx *g, const char *name, int count, const int64_t *values) {
    int64_t *own = dt_onnx_memory(g, (size_t)count * sizeof *own);
    if (!own) return "";
    memcpy(own, values, (size_t)count * sizeof *own);
    return constant(g, name, DT_ONNX_INT64, &(dt_shape){1, {count}}, own, (size_t)count * sizeof *own, true);
}

const char *dt_onnx_int(dt_onnx *g, const char *name, int64_t value) {
    int64_t *own = dt_onnx_memory(g, sizeof *own);
    if (!own) return "";
    *own = value;
    return constant(g, name, DT_ONNX_INT64, &(dt_shape){0}, own, sizeof *own, true);
}

/* ---- the file ---- */

/* Written as it is packed: no second copy of the weights. */
typedef struct sink {
    ProtobufCBuffer base;
    FILE *out;
    bool failed;
    dt_headway headway;
    int64_t done;
} sink;

static void sink_append(ProtobufCBuffer *buffer, size_t length, const uint8_t *data) {
    sink *s = (sink *)buffer;
    if (fwrite(data, 1, length, s->out) != length) s->failed = true;
    s->done += (int64_t)length;
    if (length >= LARGE_BYTES) dt_headway_at(&s->headway, s->done);
}

static dt_status write_file(const Onnx__ModelProto *model, size_t bytes, const char *path) {
    int fd;
    DT_TRY(dt_file_create(path, &fd));
    FILE *out = fdopen(fd, "wb");
    if (!out) {
        close(fd);
        return dt_fail_memory("a file", BUFSIZ);
    }
    sink s = {.base = {.append = sink_append}, .out = out};
    dt_headway_begin(&s.headway, "bytes", (int64_t)bytes, "writing %s", path);
    onnx__model_proto__pack_to_buffer(model, &s.base);
    dt_headway_end(&s.headway);
    if (fclose(out) != 0 || s.failed) return dt_fail(DT_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    return dt_ok();
}

static void add_texts(dt_onnx *g, list *to, const dt_named_text *texts, int count) {
    for (int i = 0; i < count; i++) {
        Onnx__StringStringEntryProto *entry = dt_onnx_memory(g, sizeof *entry);
        if (!entry) return;
        onnx__string_string_entry_proto__init(entry);
        entry->key = (char *)texts[i].name;
        entry->value = (char *)texts[i].text;
        append(g, to, entry);
    }
}

dt_status dt_onnx_write(dt_onnx *g, const char *path, const dt_named_text *texts, int text_count) {
    Onnx__GraphProto graph = ONNX__GRAPH_PROTO__INIT;
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT, *opsets[] = {&opset};
    list entries = {0};
    add_texts(g, &entries, texts, text_count);
    graph.name = "model";
    graph.node = (Onnx__NodeProto **)g->nodes.items;
    graph.n_node = g->nodes.count;
    graph.initializer = (Onnx__TensorProto **)g->constants.items;
    graph.n_initializer = g->constants.count;
    graph.input = (Onnx__ValueInfoProto **)g->inputs.items;
    graph.n_input = g->inputs.count;
    graph.output = (Onnx__ValueInfoProto **)g->outputs.items;
    graph.n_output = g->outputs.count;
    opset.domain = "";
    opset.has_version = true;
    opset.version = DT_ONNX_OPSET;
    model.has_ir_version = true;
    model.ir_version = DT_ONNX_IR;
    model.opset_import = opsets;
    model.n_opset_import = 1;
    model.producer_name = "dtrain";
    model.producer_version = DT_VERSION;
    model.graph = &graph;
    model.metadata_props = (Onnx__StringStringEntryProto **)entries.items;
    model.n_metadata_props = entries.count;
    if (g->short_of_memory) return dt_fail_memory("a graph", 0);
    size_t bytes = onnx__model_proto__get_packed_size(&model);
    if (bytes > MOST_BYTES)
        return dt_fail(DT_ERR_INPUT, "the model takes %zu MiB; a file of ONNX holds 2047 at most", bytes >> 20);
    return write_file(&model, bytes, path);
}
