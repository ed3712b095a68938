/* Which arrays a prediction makes: decided before anything is computed, so that a file for them can be laid out, and a
 * name that the model does not have is refused with those it has. */
#include "results.h"

#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "base/memory.h"

size_t dt_result_bytes(const dt_result *result) {
    return (size_t)result->width * dt_dtype_size(result->dtype);
}

static dt_result *add(dt_results *out, const char *name, dt_dtype dtype, const dt_shape *shape) {
    dt_result *result = &out->all[out->count++];
    snprintf(result->name, sizeof result->name, "%s", name);
    result->dtype = dtype;
    result->shape = *shape;
    result->width = dt_shape_count(shape);
    return result;
}

/* ---- layers ---- */

typedef struct search {
    const char *name;
    const dt_layer *found;
    dt_shape shape;
    char names[300]; /* those there are */
    bool more;
} search;

static bool visit_layer(void *context, const dt_layer *layer, const char *name, const dt_shape *out) {
    search *s = context;
    if (!s->more) s->more = !dt_append(s->names, sizeof s->names - 4, "%s%s", s->names[0] ? ", " : "", name);
    if (strcmp(name, s->name) != 0) return true;
    s->found = layer;
    s->shape = *out;
    return false;
}

/* Whether a file can have both: one is not a group that the other is in. */
static bool apart(const char *a, const char *b) {
    size_t length = strlen(a);
    return strcmp(a, b) != 0 && !(strncmp(a, b, length) == 0 && b[length] == '/');
}

static dt_status add_layer(dt_results *out, const dt_model *model, const char *name) {
    search s = {.name = name};
    dt_model_each_layer(model, visit_layer, &s);
    if (s.found && dt_model_chunk(model) > 0 && s.found == dt_model_layer(model, dt_model_layer_count(model) - 1))
        return dt_fail(DT_ERR_USAGE, "--layer %s: it is the last layer, whose outputs --top does not keep", name);
    if (!s.found)
        return dt_fail(DT_ERR_USAGE, "--layer \"%.60s\" is no layer of the model; it has %s%s", name, s.names,
                       s.more ? ", …" : "");
    for (int i = 0; i < out->count; i++) {
        const char *other = out->all[i].name;
        if (apart(name, other) && apart(other, name)) continue;
        return dt_fail(DT_ERR_USAGE,
                       strcmp(name, other) != 0 ? "--layer %s and %s cannot be in one file, where one is a group of "
                                                  "the other; predict them one by one"
                                                : "--layer %s: the file has a /%s already",
                       name, other);
    }
    if (out->count == DT_RESULTS_MOST)
        return dt_fail(DT_ERR_USAGE, "--layer is given too often; at most %d arrays go into a file", DT_RESULTS_MOST);
    add(out, name, DT_F32, &s.shape)->layer = s.found;
    return dt_ok();
}

/* ---- all ---- */

static bool keep_last(void *context, const dt_layer *layer, const char *name, const dt_shape *out) {
    (void)layer, (void)name;
    *(dt_shape *)context = *out;
    return true;
}

/* [positions, width], or the shape of what the last layer gives. */
static dt_status plan_outputs(dt_results *out, const dt_model *model, const dt_targets *targets,
                              const dt_scales *scales, dt_loss loss) {
    out->outputs = dt_outputs_of(targets, loss, model);
    if (scales->target.channels > 0) out->outputs.scaling = &scales->target;
    const dt_outputs *o = &out->outputs;
    if (o->width < 1 || o->positions * o->width != dt_model_outputs(model))
        return dt_fail(DT_ERR_CORRUPT, "the model gives %lld numbers a sample, which are not as many at %lld positions",
                       (long long)dt_model_outputs(model), (long long)o->positions);
    return dt_ok();
}

static void add_outputs(dt_results *out, const dt_model *model) {
    const dt_outputs *o = &out->outputs;
    dt_shape last = {0}, shape = {1, {o->width}};
    dt_model_each_layer(model, keep_last, &last);
    if (o->positions > 1) shape = (dt_shape){2, {o->positions, o->width}};
    bool whole = o->positions == 1 && last.rank > 1 && dt_shape_count(&last) == o->width;
    add(out, "output", DT_F32, whole ? &last : &shape);
}

/* [positions, top] each. */
static dt_status add_top(dt_results *out, const dt_results_wanted *wanted, const dt_shape *each) {
    int64_t top = wanted->top;
    const dt_outputs *o = &out->outputs;
    if (o->classes == 0 || o->width < 2 || o->loss != DT_LOSS_SOFTMAX_CROSS_ENTROPY)
        return dt_fail(DT_ERR_USAGE, "--top %lld: there are no classes to choose from: outputs are %s", (long long)top,
                       o->loss == DT_LOSS_MEAN_SQUARED_ERROR ? "values" : "likelihoods that do not exclude each other");
    if (top > o->width)
        return dt_fail(DT_ERR_USAGE, "--top %lld: the model has %lld classes", (long long)top, (long long)o->width);
    dt_shape shape = {1, {top}};
    if (o->positions > 1) shape = (dt_shape){2, {o->positions, top}};
    add(out, "top_log_probability", DT_F32, &shape);
    out->top = add(out, "top", DT_I64, &shape);
    if (wanted->next) out->of_next = add(out, "log_probability", DT_F32, each);
    return dt_ok();
}

dt_status dt_results_plan(dt_results *out, const dt_model *model, const dt_source *source, const dt_scales *scales,
                          dt_loss loss, const dt_classes *known, const dt_results_wanted *wanted) {
    memset(out, 0, sizeof *out);
    DT_TRY(plan_outputs(out, model, &source->targets, scales, loss));
    dt_shape one = {0}, each = {1, {out->outputs.positions}};
    const dt_shape *shape = out->outputs.positions > 1 ? &each : &one;
    if (wanted->top > 0)
        DT_TRY(add_top(out, wanted, shape));
    else
        add_outputs(out, model);
    out->known = known && known->count > 0 ? known : NULL;
    if (out->outputs.classes > 0) out->classes = add(out, "class", DT_I64, shape);
    if (source->about.tokens > 0 || source->selection.rows) out->places = add(out, source->about.noun, DT_I64, &one);
    for (int i = 0; i < wanted->layer_count; i++) DT_TRY(add_layer(out, model, wanted->layers[i]));
    return dt_ok();
}

dt_status dt_results_reserve(dt_results *results, int64_t rows) {
    for (int i = 0; i < results->count; i++) {
        dt_result *result = &results->all[i];
        result->block = dt_alloc((size_t)rows, dt_result_bytes(result));
        if (!result->block) return dt_fail_memory("results", (unsigned long long)rows * dt_result_bytes(result));
    }
    return dt_ok();
}

void dt_results_finish(dt_results *results) {
    for (int i = 0; i < results->count; i++) dt_free(results->all[i].block);
    memset(results, 0, sizeof *results);
}
