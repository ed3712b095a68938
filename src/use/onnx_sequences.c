/* Layers on sequences of tokens, as nodes of ONNX. */
#include <math.h>
#include <string.h>

#include "base/transcendental.h"
#include "onnx_layers.h"

#define NODE(g, type, attribute, ...)                                                                                  \
    dt_onnx_node((g), (type), (const char *const[]){__VA_ARGS__, NULL},                                                \
                 (const dt_onnx_attribute[]){attribute, DT_ONNX_END})

/* 1 where there is a token, 0 where the id is -1: [batch, positions]. */
static const char *tokens_of(const dt_onnx_writer *w) {
    dt_onnx *g = w->graph;
    const char *none = dt_onnx_op(g, "Less", w->ids, dt_onnx_int(g, "zero", 0), NULL);
    const char *some = dt_onnx_op(g, "Not", none, NULL, NULL);
    return NODE(g, "Cast", DT_ONNX_INT("to", DT_ONNX_FLOAT), some);
}

static const char *with_dimension(dt_onnx *g, const char *x, int64_t axis) {
    return dt_onnx_op(g, "Unsqueeze", x, dt_onnx_ints(g, "axis", 1, &axis), NULL);
}

/* The id -1 is no token: its row is of zeros. */
dt_status dt_onnx_embedding(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    dt_onnx *g = w->graph;
    const char *ids = dt_onnx_op(g, "Max", w->ids, dt_onnx_int(g, "zero", 0), NULL);
    const char *rows = dt_onnx_op(g, "Gather", dt_onnx_tensor(w, layer, "w"), ids, NULL);
    x->name = dt_onnx_op(g, "Mul", rows, with_dimension(g, tokens_of(w), 2), NULL);
    if (dt_layer_tensor(layer, "p")) x->name = dt_onnx_op(g, "Add", x->name, dt_onnx_tensor(w, layer, "p"), NULL);
    x->first = false;
    return dt_ok();
}

/* A table that is an embedding's is a constant there already; it is turned in the graph, so that it is there once. */
dt_status dt_onnx_unembed(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    dt_onnx *g = w->graph;
    if (dt_layer_text(layer, "of")[0] == '\0') {
        dt_onnx_product(w, layer, x, "w", "b");
        return dt_ok();
    }
    const char *table =
        NODE(g, "Transpose", ((dt_onnx_attribute)DT_ONNX_INTS("perm", 2, 1, 0)), dt_layer_tensor(layer, "w")->name);
    dt_onnx_last(w, x);
    x->name = dt_onnx_op(g, "MatMul", x->name, table, NULL);
    if (dt_layer_tensor(layer, "b")) x->name = dt_onnx_op(g, "Add", x->name, dt_onnx_tensor(w, layer, "b"), NULL);
    return dt_ok();
}

/* The mean over the positions that have a token; over all where none has. */
static const char *mean_of_tokens(const dt_onnx_writer *w, const char *x) {
    dt_onnx *g = w->graph;
    const char *all = dt_onnx_ints(g, "positions", 1, (const int64_t[]){1});
    const char *tokens = tokens_of(w);
    const char *count = dt_onnx_op(g, "ReduceSum", tokens, all, NULL);
    const char *none = dt_onnx_op(g, "Less", count, dt_onnx_float(g, "half", 0.5), NULL);
    const char *counted = dt_onnx_op(g, "Add", tokens, NODE(g, "Cast", DT_ONNX_INT("to", DT_ONNX_FLOAT), none), NULL);
    const char *kept = dt_onnx_op(g, "Mul", x, with_dimension(g, counted, 2), NULL);
    const char *sum = dt_onnx_node(g, "ReduceSum", (const char *const[]){kept, all, NULL},
                                   (const dt_onnx_attribute[]){DT_ONNX_INT("keepdims", 0), DT_ONNX_END});
    return dt_onnx_op(g, "Div", sum, dt_onnx_op(g, "ReduceSum", counted, all, NULL), NULL);
}

dt_status dt_onnx_token_pool(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    const char *of = dt_layer_choice(layer, "of");
    int64_t positions = dt_layer_input(layer)->dim[0];
    dt_onnx_last(w, x);
    if (strcmp(of, "mean") != 0) {
        const char *place = dt_onnx_int(w->graph, "place", strcmp(of, "last") == 0 ? positions - 1 : 0);
        x->name = NODE(w->graph, "Gather", DT_ONNX_INT("axis", 1), x->name, place);
    } else if (w->ids && w->positions == positions) {
        x->name = mean_of_tokens(w, x->name);
    } else {
        dt_onnx_attribute attributes[] = {DT_ONNX_INTS("axes", 1, 1), DT_ONNX_INT("keepdims", 0), DT_ONNX_END};
        x->name = dt_onnx_node(w->graph, "ReduceMean", (const char *const[]){x->name, NULL}, attributes);
    }
    return dt_ok();
}

/* ---- attention ---- */

typedef struct heads {
    const dt_onnx_writer *w;
    const dt_layer *layer;
    int64_t positions, heads, kv_heads, size;
} heads;

/* [batch, positions, count*size] as [batch, count, positions, size]. */
static const char *apart(const heads *h, const char *x, int64_t count) {
    dt_onnx *g = h->w->graph;
    const char *shape = dt_onnx_ints(g, "heads", 4, (const int64_t[]){0, 0, count, h->size});
    return NODE(g, "Transpose", ((dt_onnx_attribute)DT_ONNX_INTS("perm", 4, 0, 2, 1, 3)),
                dt_onnx_op(g, "Reshape", x, shape, NULL));
}

/* Keys or values of a group of heads, for each of them. */
static const char *shared(const heads *h, const char *x) {
    dt_onnx *g = h->w->graph;
    int64_t each = h->heads / h->kv_heads;
    if (each == 1) return x;
    const char *once = with_dimension(g, x, 2);
    const char *all =
        dt_onnx_op(g, "Expand", once, dt_onnx_ints(g, "group", 5, (const int64_t[]){1, 1, each, 1, 1}), NULL);
    const char *shape = dt_onnx_ints(g, "heads", 4, (const int64_t[]){0, h->heads, h->positions, h->size});
    return dt_onnx_op(g, "Reshape", all, shape, NULL);
}

/* Cosines (or sines) of every position and pair, [positions, size/2]. */
static const char *angles_of(const heads *h, const char *name, double (*function)(double)) {
    dt_onnx *g = h->w->graph;
    int64_t half = h->size / 2;
    double base = dt_layer_real(h->layer, "rotary_base");
    float *values = dt_onnx_memory(g, (size_t)(h->positions * half) * sizeof *values);
    if (!values) return "";
    for (int64_t t = 0; t < h->positions; t++)
        for (int64_t i = 0; i < half; i++)
            values[t * half + i] = (float)function((double)t * dt_pow(base, -2.0 * (double)i / (double)h->size));
    return dt_onnx_floats(g, name, &(dt_shape){2, {h->positions, half}}, values);
}

/* Channels i and i + half of a head, as a pair, turned by its position (model/attention.c). */
static const char *turned(const heads *h, const char *x, const char *cosine, const char *sine) {
    dt_onnx *g = h->w->graph;
    const char *half[2] = {NULL, NULL};
    dt_onnx_nodes(
        g, "Split",
        (const char *const[]){x, dt_onnx_ints(g, "halves", 2, (const int64_t[]){h->size / 2, h->size / 2}), NULL},
        (const dt_onnx_attribute[]){DT_ONNX_INT("axis", -1), DT_ONNX_END}, half, 2);
    const char *low = dt_onnx_op(g, "Sub", dt_onnx_op(g, "Mul", half[0], cosine, NULL),
                                 dt_onnx_op(g, "Mul", half[1], sine, NULL), NULL);
    const char *high = dt_onnx_op(g, "Add", dt_onnx_op(g, "Mul", half[1], cosine, NULL),
                                  dt_onnx_op(g, "Mul", half[0], sine, NULL), NULL);
    return NODE(g, "Concat", DT_ONNX_INT("axis", -1), low, high);
}

#define HIDDEN (-1e30F) /* added to a score: its share is 0, unless all are hidden */

/* What is added to the scores [batch, heads, queries, keys]; NULL: nothing is hidden. */
static const char *mask_of(const heads *h) {
    dt_onnx *g = h->w->graph;
    int64_t n = h->positions;
    if (dt_layer_truth(h->layer, "causal")) {
        float *values = dt_onnx_memory(g, (size_t)(n * n) * sizeof *values);
        for (int64_t i = 0; values && i < n * n; i++) values[i] = i % n > i / n ? HIDDEN : 0;
        return values ? dt_onnx_floats(g, "later", &(dt_shape){2, {n, n}}, values) : "";
    }
    if (!h->w->ids || h->w->positions != n) return NULL;
    const char *padding = dt_onnx_op(g, "Sub", dt_onnx_float(g, "one", 1), tokens_of(h->w), NULL);
    const char *rows = dt_onnx_op(g, "Unsqueeze", padding, dt_onnx_ints(g, "axes", 2, (const int64_t[]){1, 2}), NULL);
    return dt_onnx_op(g, "Mul", rows, dt_onnx_float(g, "hidden", HIDDEN), NULL);
}

static const char *attend(const heads *h, const char *q, const char *k, const char *v) {
    dt_onnx *g = h->w->graph;
    const char *keys = NODE(g, "Transpose", ((dt_onnx_attribute)DT_ONNX_INTS("perm", 4, 0, 1, 3, 2)), shared(h, k));
    const char *scaled = dt_onnx_op(g, "Mul", q, dt_onnx_float(g, "scale", 1 / sqrt((double)h->size)), NULL);
    const char *scores = dt_onnx_op(g, "MatMul", scaled, keys, NULL), *mask = mask_of(h);
    if (mask) scores = dt_onnx_op(g, "Add", scores, mask, NULL);
    const char *shares = NODE(g, "Softmax", DT_ONNX_INT("axis", -1), scores);
    const char *seen = dt_onnx_op(g, "MatMul", shares, shared(h, v), NULL);
    const char *together = NODE(g, "Transpose", ((dt_onnx_attribute)DT_ONNX_INTS("perm", 4, 0, 2, 1, 3)), seen);
    const char *shape = dt_onnx_ints(g, "channels", 3, (const int64_t[]){0, 0, h->heads * h->size});
    return dt_onnx_op(g, "Reshape", together, shape, NULL);
}

dt_status dt_onnx_attention(const dt_onnx_writer *w, const dt_layer *layer, dt_onnx_value *x) {
    dt_onnx *g = w->graph;
    const dt_shape *in = dt_layer_input(layer);
    int64_t count = dt_layer_whole(layer, "heads"), kv = dt_layer_whole(layer, "kv_heads");
    heads h = {w, layer, in->dim[0], count, kv > 0 ? kv : count, in->dim[1] / count};
    const char *part[3] = {NULL, NULL, NULL};
    const int64_t widths[3] = {h.heads * h.size, h.kv_heads * h.size, h.kv_heads * h.size};
    dt_onnx_product(w, layer, x, "w_qkv", "b_qkv");
    dt_onnx_nodes(g, "Split", (const char *const[]){x->name, dt_onnx_ints(g, "widths", 3, widths), NULL},
                  (const dt_onnx_attribute[]){DT_ONNX_INT("axis", -1), DT_ONNX_END}, part, 3);
    const char *q = apart(&h, part[0], h.heads), *k = apart(&h, part[1], h.kv_heads);
    if (dt_layer_truth(layer, "rotary")) {
        const char *cosine = angles_of(&h, "cosine", dt_cos), *sine = angles_of(&h, "sine", dt_sin);
        q = turned(&h, q, cosine, sine);
        k = turned(&h, k, cosine, sine);
    }
    x->name = attend(&h, q, k, apart(&h, part[2], h.kv_heads));
    dt_onnx_product(w, layer, x, "w_out", "b_out");
    return dt_ok();
}
