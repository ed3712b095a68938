/* The table of layer kinds, and how a layer gets from the recipe to its place: one item of model.layers is decoded by
 * its kind's own table of fields, then planned. Planning only adds up what the layers ask for; the memory is one arena,
 * allocated when everything is known, so a model that does not fit fails at once and with one number. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dtrain/memory.h"
#include "model_internal.h"

const dt_layer_kind *const dt_layer_kinds[] = {
    &dt_layer_dense,
    &dt_layer_flatten,
    &dt_layer_conv2d,
    &dt_layer_conv1d,
    &dt_layer_max_pool,
    &dt_layer_avg_pool,
    &dt_layer_global_max_pool,
    &dt_layer_global_avg_pool,
    &dt_layer_dropout,
    &dt_layer_relu,
    &dt_layer_leaky_relu,
    &dt_layer_gelu,
    &dt_layer_silu,
    &dt_layer_tanh,
    &dt_layer_sigmoid,
    &dt_layer_softmax,
    NULL,
};

#define ALIGN_ELEMENTS ((size_t)16)
#define WORKSPACE SIZE_MAX /* the offset of what is in the workspace, which comes last */

dt_status dt_layer_fail(const dt_layer *layer, const char *format, ...) {
    char text[320];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return dt_status_make(DT_ERR_INPUT, layer->kind->name, "recipe %s: layer %s: %s", layer->source, layer->name, text);
}

/* ---- planning ---- */

bool dt_plan_training(const dt_plan *plan) {
    return plan->training;
}

int64_t dt_plan_rows(const dt_plan *plan) {
    return plan->max_rows;
}

dt_status dt_plan_param(dt_plan *plan, dt_layer *layer, const char *name, const dt_shape *shape, unsigned flags) {
    if (layer->param_count == DT_LAYER_MAX_PARAMS)
        return dt_layer_fail(layer, "a layer may have %d parameter tensors", DT_LAYER_MAX_PARAMS);
    char full[sizeof((dt_tensor *)0)->name];
    snprintf(full, sizeof full, "%s/%s", layer->name, name);
    dt_status status = dt_table_add(plan->table, full, shape, flags);
    if (status.code != DT_OK) return dt_status_within(status, "recipe %s: layer %s", layer->source, layer->name);
    layer->param[layer->param_count++] = plan->table->count - 1;
    return dt_ok();
}

static dt_status add_request(dt_plan *plan, dt_real **where, size_t offset) {
    if (plan->count == plan->capacity) {
        size_t capacity = plan->capacity ? 2 * plan->capacity : 32;
        dt_request *grown = dt_alloc(capacity, sizeof *grown);
        if (!grown) return dt_fail_memory("the model's plan", capacity * sizeof *grown);
        if (plan->count) memcpy(grown, plan->requests, plan->count * sizeof *grown);
        dt_free(plan->requests);
        plan->requests = grown;
        plan->capacity = capacity;
    }
    plan->requests[plan->count++] = (dt_request){where, offset};
    return dt_ok();
}

dt_status dt_plan_memory(dt_plan *plan, dt_real **where, int64_t per_row) {
    size_t count, total, bytes;
    if (!dt_size_mul((size_t)plan->max_rows, (size_t)per_row, &count) ||
        __builtin_add_overflow(count, plan->total + ALIGN_ELEMENTS, &total) ||
        !dt_size_mul(total, sizeof(dt_real), &bytes))
        return dt_fail(DT_ERR_MEMORY, "activations of %lld samples with %lld values each are beyond any memory",
                       (long long)plan->max_rows, (long long)per_row);
    DT_TRY(add_request(plan, where, plan->total));
    plan->total += (count + ALIGN_ELEMENTS - 1) / ALIGN_ELEMENTS * ALIGN_ELEMENTS;
    return dt_ok();
}

dt_status dt_plan_scratch(dt_plan *plan, dt_layer *layer, int64_t per_row) {
    if (layer->scratch_count == DT_LAYER_MAX_SCRATCH)
        return dt_layer_fail(layer, "a layer may have %d pieces of scratch", DT_LAYER_MAX_SCRATCH);
    return dt_plan_memory(plan, &layer->scratch[layer->scratch_count++], per_row);
}

dt_status dt_plan_workspace(dt_plan *plan, dt_layer *layer, size_t bytes) {
    size_t wanted = bytes / sizeof(dt_real) + (bytes % sizeof(dt_real) != 0);
    if (wanted > plan->workspace) plan->workspace = wanted;
    return add_request(plan, &layer->workspace, WORKSPACE);
}

dt_status dt_plan_bind(dt_plan *plan, dt_real **arena) {
    size_t workspace = plan->total;
    if (__builtin_add_overflow(plan->total, plan->workspace, &plan->total))
        return dt_fail_memory("activations", SIZE_MAX);
    *arena = dt_alloc(plan->total, sizeof **arena);
    if (!*arena) return dt_fail_memory("activations", (unsigned long long)plan->total * sizeof **arena);
    for (size_t i = 0; i < plan->count; i++) {
        const dt_request *request = &plan->requests[i];
        *request->where = *arena + (request->offset == WORKSPACE ? workspace : request->offset);
    }
    return dt_ok();
}

void dt_plan_finish(dt_plan *plan) {
    dt_free(plan->requests);
    plan->requests = NULL;
    plan->count = plan->capacity = 0;
}

/* ---- decoding ---- */

static const dt_layer_kind *find_kind(const char *name) {
    for (const dt_layer_kind *const *kind = dt_layer_kinds; *kind; kind++)
        if (strcmp((*kind)->name, name) == 0) return *kind;
    return NULL;
}

static dt_status unknown_kind(const char *source, const char *name) {
    char known[256] = "";
    size_t used = 0;
    for (const dt_layer_kind *const *kind = dt_layer_kinds; *kind && used < sizeof known; kind++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", (*kind)->name);
    return dt_fail(DT_ERR_INPUT, "recipe %s: there is no layer kind `%.64s`; there are %s", source, name, known);
}

/* The map of a layer's fields, whichever way it was written; NULL when memory is short. */
static dt_node *fields_of(const dt_node *value, const dt_field *shorthand, const char *source) {
    if (value && value->kind == DT_NODE_MAP) return dt_node_clone(value);
    dt_node *map = dt_node_new(DT_NODE_MAP, NULL, NULL, source);
    if (!map || !value || !shorthand || value->text[0] == '\0') return map;
    dt_node *field = dt_node_new(DT_NODE_SCALAR, shorthand->key, value->text, source);
    if (field) {
        dt_node_append(map, field);
        return map;
    }
    dt_node_destroy(map);
    return NULL;
}

static const dt_field *shorthand_of(const dt_layer_kind *kind) {
    for (const dt_field *field = kind->fields; field->key; field++)
        if (field->flags & DT_FIELD_SHORTHAND) return field;
    return NULL;
}

static dt_status decode_fields(dt_layer *layer, const dt_node *value, const char *path, int position) {
    const dt_layer_kind *kind = layer->kind;
    const dt_field *shorthand = shorthand_of(kind);
    bool scalar = value && value->kind == DT_NODE_SCALAR && value->text[0] != '\0';
    if ((value && value->kind == DT_NODE_LIST) || (scalar && !shorthand))
        return dt_fail(DT_ERR_INPUT, "recipe %s: %s takes named fields%s; write `- %s: {…}`%s", layer->source,
                       kind->name, shorthand ? " or one value" : "", kind->name, shorthand ? "" : " or the name alone");
    dt_node *map = fields_of(value, shorthand, layer->source);
    layer->config = dt_alloc(1, kind->config_size);
    if (!map || !layer->config) {
        dt_node_destroy(map);
        return dt_fail_memory("a layer's fields", kind->config_size);
    }
    char prefix[128];
    snprintf(prefix, sizeof prefix, "%s.%d.%s.", path, position, kind->name);
    dt_status status = dt_fields_decode(kind->fields, map, prefix, NULL, layer->config);
    dt_node_destroy(map);
    return status;
}

dt_status dt_layer_decode(dt_layer *layer, const dt_node *item, const char *path, int position) {
    const dt_node *value = NULL;
    const char *name = item->text;
    if (item->kind == DT_NODE_MAP && item->first && !item->first->next) {
        value = item->first;
        name = value->key;
    } else if (item->kind != DT_NODE_SCALAR) {
        return dt_fail(DT_ERR_INPUT,
                       "recipe %s: %s.%d is not a layer; an item names one kind, as in `- dense: 10`, `- flatten` or "
                       "`- dense: {out: 10, activation: relu}`",
                       item->source, path, position);
    }
    snprintf(layer->source, sizeof layer->source, "%s", value ? value->source : item->source);
    layer->kind = find_kind(name);
    if (!layer->kind) return unknown_kind(layer->source, name);
    return decode_fields(layer, value, path, position);
}

dt_status dt_layer_encode(const dt_layer *layer, dt_node *list) {
    dt_node *item = dt_node_new(DT_NODE_MAP, NULL, NULL, layer->source);
    dt_node *fields = dt_node_new(DT_NODE_MAP, layer->kind->name, NULL, layer->source);
    if (!item || !fields) {
        dt_node_destroy(item);
        dt_node_destroy(fields);
        return dt_fail_memory("the resolved layers", sizeof *item);
    }
    dt_node_append(item, fields);
    dt_node_append(list, item);
    return dt_fields_encode(layer->kind->fields, layer->config, fields);
}

/* ---- help ---- */

char *dt_model_help(void) {
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    if (!stream) return NULL;
    fprintf(stream,
            "model.layers: a list, first layer first. An item is `- kind`, `- kind: value` for the field marked\n"
            "as shorthand, or `- kind: {field: value, …}`.\n");
    bool complete = true;
    for (const dt_layer_kind *const *kind = dt_layer_kinds; *kind; kind++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "  %s.", (*kind)->name);
        char *fields = dt_fields_help((*kind)->fields, prefix);
        complete = complete && fields;
        fprintf(stream, "\n%s: %s\n%s", (*kind)->name, (*kind)->help, fields ? fields : "");
        dt_free(fields);
    }
    bool written = fclose(stream) == 0;
    char *copy = written && complete ? dt_strdup(text) : NULL;
    free(text);
    return copy;
}
