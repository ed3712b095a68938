/* The model is walked layer by layer against what GPT-2 is made of (Radford et al. 2019). */
#include "gpt2_model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "gpt2_names.h"
#include "model/describe.h"

static dt_status refuse(const dt_layer *layer, const char *format, ...) __attribute__((format(printf, 2, 3)));
static dt_status refuse(const dt_layer *layer, const char *format, ...) {
    char reason[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return dt_fail(DT_ERR_INPUT, "layer %s (%s): %s", dt_layer_name(layer), dt_layer_kind_name(layer), reason);
}

/* ---- walking ---- */

typedef struct walk {
    dt_gpt2 *gpt2;
    const dt_model *model; /* NULL within a block */
    const dt_layer *block; /* whose first list is walked */
    int at;
} walk;

static int length_of(const walk *w) {
    return w->block ? dt_layer_list_length(w->block, 0) : dt_model_layer_count(w->model);
}

static const dt_layer *peek(const walk *w) {
    if (w->at >= length_of(w)) return NULL;
    return w->block ? dt_layer_of_list(w->block, 0, w->at) : dt_model_layer(w->model, w->at);
}

static bool is(const dt_layer *layer, const char *kind) {
    return layer && strcmp(dt_layer_kind_name(layer), kind) == 0;
}

/* The next layer, which must be of a kind. */
static dt_status take(walk *w, const char *kind, const dt_layer **layer) {
    *layer = peek(w);
    if (is(*layer, kind)) {
        w->at++;
        return dt_ok();
    }
    if (*layer) return refuse(*layer, "GPT-2 has %s here", kind);
    const dt_layer *last = w->block ? w->block : dt_model_layer(w->model, w->at - 1);
    return refuse(last, "GPT-2 has %s %s it", kind, w->block ? "at the end of" : "behind");
}

static void take_dropout(walk *w, double *rate) {
    if (!is(peek(w), "dropout")) return;
    *rate = dt_layer_real(peek(w), "rate");
    w->at++;
}

static dt_status take_end(const walk *w) {
    const dt_layer *more = peek(w);
    return more ? refuse(more, "GPT-2 has nothing more here") : dt_ok();
}

/* ---- arrays ---- */

/* `ours` is the tensor's name in a model of the preset gpt; GPT-2's name follows from it. */
static void add(dt_gpt2 *g, const dt_layer *layer, const char *ours, dt_shape shape) {
    dt_gpt2_array *array = &g->arrays[g->count++];
    if (!dt_gpt2_theirs(ours, array->name)) snprintf(array->name, sizeof array->name, "lm_head.weight");
    array->tensor = dt_layer_tensor(layer, strrchr(ours, '/') + 1);
    array->shape = shape;
}

/* Two arrays of the layer that the preset calls `ours`: a weight, and a bias of its last dimension. */
static void add_pair(dt_gpt2 *g, const dt_layer *layer, const char *ours, const char *weight, const char *bias,
                     dt_shape shape) {
    char name[DT_GPT2_NAME];
    snprintf(name, sizeof name, "%s/%s", ours, weight);
    add(g, layer, name, shape);
    snprintf(name, sizeof name, "%s/%s", ours, bias);
    add(g, layer, name, (dt_shape){1, {dt_shape_last(&shape)}});
}

static dt_status take_norm(walk *w, const char *ours) {
    const dt_layer *norm;
    DT_TRY(take(w, "layer_norm", &norm));
    double eps = dt_layer_real(norm, "eps");
    if (w->gpt2->eps != 0 && eps != w->gpt2->eps)
        return refuse(norm, "its eps is %g and that of those before is %g; GPT-2 has one for all", eps, w->gpt2->eps);
    if (!dt_layer_truth(norm, "scale")) return refuse(norm, "it has no scale, and GPT-2's norms have one");
    w->gpt2->eps = eps;
    add_pair(w->gpt2, norm, ours, "scale", "shift", (dt_shape){1, {w->gpt2->width}});
    return dt_ok();
}

static dt_status take_attention(walk *w, int64_t number) {
    const dt_layer *layer;
    char name[DT_GPT2_NAME];
    dt_gpt2 *g = w->gpt2;
    DT_TRY(take(w, "attention", &layer));
    int64_t heads = dt_layer_whole(layer, "heads"), kv = dt_layer_whole(layer, "kv_heads");
    if (!dt_layer_truth(layer, "causal")) return refuse(layer, "it sees what comes later, and GPT-2's does not");
    if (dt_layer_truth(layer, "rotary")) return refuse(layer, "GPT-2 has no rotary positions");
    if (kv > 0 && kv != heads) return refuse(layer, "GPT-2 has as many heads of keys and values as of queries");
    if (g->heads > 0 && heads != g->heads)
        return refuse(layer, "it has %lld heads and those before %lld; GPT-2 has one number for all", (long long)heads,
                      (long long)g->heads);
    g->heads = heads;
    snprintf(name, sizeof name, "block%lld_attention/attention1", (long long)number);
    add_pair(g, layer, name, "w_qkv", "b_qkv", (dt_shape){2, {g->width, 3 * g->width}});
    add_pair(g, layer, name, "w_out", "b_out", (dt_shape){2, {g->width, g->width}});
    return dt_ok();
}

static dt_status take_dense(walk *w, const char *activation, const char *ours, int64_t in, int64_t *out) {
    const dt_layer *layer;
    DT_TRY(take(w, "dense", &layer));
    int64_t width = dt_layer_whole(layer, "out");
    if (strcmp(dt_layer_choice(layer, "activation"), activation) != 0)
        return refuse(layer, "its activation is %s; GPT-2 has %s here", dt_layer_choice(layer, "activation"),
                      activation);
    if (*out > 0 && width != *out)
        return refuse(layer, "it gives %lld numbers; GPT-2 has %lld here", (long long)width, (long long)*out);
    *out = width;
    add_pair(w->gpt2, layer, ours, "w", "b", (dt_shape){2, {in, width}});
    return dt_ok();
}

static dt_status begin_block(walk *w, walk *inner) {
    const dt_layer *block;
    DT_TRY(take(w, "residual", &block));
    if (dt_layer_list_count(block) > 1) return refuse(block, "it has a shortcut, and GPT-2's blocks have none");
    if (strcmp(dt_layer_choice(block, "activation"), "linear") != 0)
        return refuse(block, "GPT-2 has no activation behind the sum");
    *inner = (walk){.gpt2 = w->gpt2, .block = block};
    return dt_ok();
}

static dt_status take_block(walk *w, int64_t number) {
    walk inner = {.gpt2 = w->gpt2};
    char name[DT_GPT2_NAME];
    dt_gpt2 *g = w->gpt2;
    DT_TRY(begin_block(w, &inner));
    snprintf(name, sizeof name, "block%lld_attention/layer_norm1", (long long)number);
    DT_TRY(take_norm(&inner, name));
    DT_TRY(take_attention(&inner, number));
    take_dropout(&inner, &g->dropout);
    DT_TRY(take_end(&inner));
    DT_TRY(begin_block(w, &inner));
    snprintf(name, sizeof name, "block%lld_mlp/layer_norm1", (long long)number);
    DT_TRY(take_norm(&inner, name));
    snprintf(name, sizeof name, "block%lld_mlp/dense1", (long long)number);
    DT_TRY(take_dense(&inner, "gelu", name, g->width, &g->hidden));
    snprintf(name, sizeof name, "block%lld_mlp/dense2", (long long)number);
    DT_TRY(take_dense(&inner, "linear", name, g->hidden, &g->width));
    take_dropout(&inner, &g->dropout);
    return take_end(&inner);
}

static dt_status take_embedding(walk *w) {
    const dt_layer *layer;
    dt_gpt2 *g = w->gpt2;
    DT_TRY(take(w, "embedding", &layer));
    const dt_tensor *table = dt_layer_tensor(layer, "w"), *places = dt_layer_tensor(layer, "p");
    if (!places) return refuse(layer, "it learns no positions, and GPT-2's does");
    g->vocabulary = table->shape.dim[0];
    g->width = table->shape.dim[1];
    g->positions = places->shape.dim[0];
    add(g, layer, "embedding1/w", table->shape);
    add(g, layer, "embedding1/p", places->shape);
    return dt_ok();
}

static dt_status take_output(walk *w) {
    const dt_layer *layer;
    dt_gpt2 *g = w->gpt2;
    DT_TRY(take(w, "unembed", &layer));
    if (dt_layer_tensor(layer, "b")) return refuse(layer, "it has a bias, and GPT-2's output has none");
    if (dt_shape_last(dt_layer_output(layer)) != g->vocabulary)
        return refuse(layer, "it has %lld outputs for a table of %lld tokens",
                      (long long)dt_shape_last(dt_layer_output(layer)), (long long)g->vocabulary);
    g->tied = dt_layer_text(layer, "of")[0] != '\0';
    if (!g->tied) {
        add(g, layer, "unembed1/w", (dt_shape){2, {g->vocabulary, g->width}});
        g->arrays[g->count - 1].turned = true;
    }
    return take_end(w);
}

dt_status dt_gpt2_of(dt_gpt2 *out, const dt_model *model) {
    walk w = {.gpt2 = out, .model = model};
    memset(out, 0, sizeof *out);
    size_t most = 6 * (size_t)dt_model_layer_count(model) + 8; /* a block has twelve, and is two layers */
    out->arrays = dt_alloc(most, sizeof *out->arrays);
    if (!out->arrays) return dt_fail_memory("a list of arrays", most * sizeof *out->arrays);
    DT_TRY(take_embedding(&w));
    take_dropout(&w, &out->embedding_dropout);
    while (is(peek(&w), "residual")) DT_TRY(take_block(&w, ++out->layers));
    DT_TRY(take_norm(&w, "layer_norm1"));
    return take_output(&w);
}

void dt_gpt2_finish(dt_gpt2 *gpt2) {
    dt_free(gpt2->arrays);
    memset(gpt2, 0, sizeof *gpt2);
}
