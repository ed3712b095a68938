/* From the recipe to layers and back: an item of a list is decoded by its kind's own table of fields, and the lists it
 * holds like the one it is in. */
#include "decode.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "kinds.h"
#include "presets.h"

static dt_status unknown_kind(const char *source, const char *name) {
    char known[512];
    dt_layer_kinds_words(known, sizeof known);
    return dt_fail(DT_ERR_INPUT, "recipe %s: there is no layer kind `%.64s`; there are %s", source, name, known);
}

/* The map of a layer's fields, whichever way it was written; NULL when memory is short. `shorthand` is the key of a
 * value without one. */
static dt_yaml *fields_of(const dt_yaml *value, const char *shorthand, const char *source) {
    if (value && value->kind == DT_YAML_MAP) return dt_yaml_clone(value);
    dt_yaml *map = dt_yaml_new(DT_YAML_MAP, NULL, NULL, source);
    bool empty = !value || (value->kind == DT_YAML_SCALAR && value->text[0] == '\0');
    if (!map || empty || !shorthand || dt_yaml_put(map, shorthand, dt_yaml_clone(value)).code == DT_OK) return map;
    dt_yaml_destroy(map);
    return NULL;
}

/* The key of a value that stands alone: a field's, or the first list's; NULL when the kind has no such key. */
static const char *shorthand_of(const dt_layer_kind *kind, bool *takes_list) {
    *takes_list = kind->lists != NULL;
    if (kind->lists) return kind->lists[0].key;
    for (const dt_field *field = kind->fields; field->key; field++) {
        if (!(field->flags & DT_FIELD_SHORTHAND)) continue;
        *takes_list = field->type == DT_FIELD_LIST;
        return field->key;
    }
    return NULL;
}

static dt_status fail_lists(const dt_layer *layer, const dt_yaml *node, const char *path, const dt_layer_list *list) {
    return dt_fail(DT_ERR_INPUT, "recipe %s: %s%s %s; it must be a list of %s", node ? node->source : layer->source,
                   path, list->key, node ? "is no such list" : "is missing",
                   list->many ? "branches, each a list of layers, as in [[dense: 10], []]"
                              : "layers, as in [dense: 10, relu]");
}

/* The lists of layers in a layer's map of fields. */
static dt_status decode_lists(dt_layer *layer, const dt_yaml *map, const char *prefix) {
    int count = 0;
    for (const dt_layer_list *list = layer->kind->lists; list->key; list++) {
        const dt_yaml *node = dt_yaml_get(map, list->key);
        if (!node && list->optional) continue;
        if (!node || node->kind != DT_YAML_LIST || !node->first) return fail_lists(layer, node, prefix, list);
        count++;
        for (const dt_yaml *branch = list->many ? node->first : NULL; branch; branch = branch->next, count++)
            if (branch->kind != DT_YAML_LIST) return fail_lists(layer, branch, prefix, list);
    }
    layer->inner = dt_alloc((size_t)count, sizeof *layer->inner);
    if (!layer->inner) return dt_fail_memory("the layers in a layer", (size_t)count * sizeof *layer->inner);
    for (const dt_layer_list *list = layer->kind->lists; list->key; list++) {
        const dt_yaml *node = dt_yaml_get(map, list->key);
        const dt_yaml *branch = node && list->many ? node->first : node;
        for (int i = 0; branch; branch = list->many ? branch->next : NULL, i++) {
            char path[256];
            snprintf(path, sizeof path, list->many ? "%s%s.%d" : "%s%s", prefix, list->key, i);
            dt_sequence *inner = &layer->inner[layer->inner_count++];
            if (branch->first) DT_TRY(dt_sequence_decode(inner, branch, path));
        }
    }
    return dt_ok();
}

static dt_status decode_map(dt_layer *layer, const dt_yaml *map, const char *path, int position) {
    const dt_layer_kind *kind = layer->kind;
    const char *elsewhere[DT_LAYER_MAX_LISTS + 1] = {NULL};
    for (int i = 0; kind->lists && kind->lists[i].key; i++) elsewhere[i] = kind->lists[i].key;
    char prefix[256];
    snprintf(prefix, sizeof prefix, "%s.%d.%s.", path, position, kind->name);
    DT_TRY(dt_fields_decode(kind->fields, map, prefix, elsewhere, layer->config));
    return kind->lists ? decode_lists(layer, map, prefix) : dt_ok();
}

static dt_status decode_fields(dt_layer *layer, const dt_yaml *value, const char *path, int position) {
    const dt_layer_kind *kind = layer->kind;
    bool takes_list;
    const char *shorthand = shorthand_of(kind, &takes_list);
    bool scalar = value && value->kind == DT_YAML_SCALAR && value->text[0] != '\0';
    if ((value && value->kind == DT_YAML_LIST && !takes_list) || (scalar && !shorthand))
        return dt_fail(DT_ERR_INPUT, "recipe %s: %s takes named fields%s; write `- %s: {…}`%s", layer->source,
                       kind->name, shorthand ? " or one value" : "", kind->name, shorthand ? "" : " or the name alone");
    dt_yaml *map = fields_of(value, shorthand, layer->source);
    layer->config = dt_alloc(1, kind->config_size);
    dt_status status = map && layer->config ? decode_map(layer, map, path, position)
                                            : dt_fail_memory("a layer's fields", kind->config_size);
    dt_yaml_destroy(map);
    return status;
}

/* One item of a list of layers: kind, configuration and source, not yet planned. */
static dt_status decode_layer(dt_layer *layer, const dt_yaml *item, const char *path, int position) {
    const dt_yaml *value = NULL;
    const char *name = item->text;
    if (item->kind == DT_YAML_MAP && item->first && !item->first->next) {
        value = item->first;
        name = value->key;
    } else if (item->kind != DT_YAML_SCALAR) {
        return dt_fail(DT_ERR_INPUT,
                       "recipe %s: %s.%d is not a layer; an item names one kind, as in `- dense: 10`, `- flatten` or "
                       "`- dense: {out: 10, activation: relu}`",
                       item->source, path, position);
    }
    snprintf(layer->source, sizeof layer->source, "%s", value ? value->source : item->source);
    layer->kind = dt_layer_kind_named(name);
    if (!layer->kind) return unknown_kind(layer->source, name);
    return decode_fields(layer, value, path, position);
}

/* ---- lists ---- */

static bool plain_name(const char *name) {
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return name[length] == '\0' && length < sizeof((dt_layer *)0)->name;
}

/* The given name, or kind and number among its kind; unique in the list. */
static dt_status name_layer(dt_sequence *sequence, int position) {
    dt_layer *layer = &sequence->layers[position];
    dt_layer_common *common = layer->config;
    int number = 1;
    for (int i = 0; i < position; i++) number += sequence->layers[i].kind == layer->kind;
    if (!plain_name(common->name))
        return dt_fail(DT_ERR_INPUT,
                       "recipe %s: the layer name `%.80s` cannot be used; use up to %d letters, digits, - and _",
                       layer->source, common->name, (int)sizeof layer->name - 1);
    if (common->name[0] == '\0') snprintf(common->name, sizeof common->name, "%s%d", layer->kind->name, number);
    snprintf(layer->name, sizeof layer->name, "%s", common->name);
    for (int i = 0; i < position; i++)
        if (strcmp(sequence->layers[i].name, layer->name) == 0)
            return dt_layer_fail(layer, "there is a layer of this name already (%s); give one of them another `name`",
                                 sequence->layers[i].source);
    return dt_ok();
}

static dt_status decode_items(dt_sequence *sequence, const dt_yaml *nodes, const char *path) {
    if (!nodes || nodes->kind != DT_YAML_LIST || !nodes->first)
        return dt_fail(DT_ERR_INPUT,
                       "recipe %s: %s must be a list of layers with at least one, as in [flatten, {dense: 10}]",
                       nodes ? nodes->source : "(nowhere)", path);
    int count = 0;
    for (const dt_yaml *node = nodes->first; node; node = node->next) count++;
    sequence->layers = dt_alloc((size_t)count, sizeof *sequence->layers);
    if (!sequence->layers) return dt_fail_memory("the layers", (size_t)count * sizeof *sequence->layers);
    for (const dt_yaml *node = nodes->first; node; node = node->next) {
        int position = sequence->count++;
        DT_TRY(decode_layer(&sequence->layers[position], node, path, position));
        DT_TRY(name_layer(sequence, position));
    }
    return dt_ok();
}

dt_status dt_sequence_decode(dt_sequence *sequence, const dt_yaml *nodes, const char *path) {
    dt_yaml *expanded = NULL;
    if (nodes && nodes->kind == DT_YAML_LIST) DT_TRY(dt_presets_expand(nodes, path, &expanded));
    dt_status status = decode_items(sequence, expanded ? expanded : nodes, path);
    dt_yaml_destroy(expanded);
    return status;
}

/* ---- and back ---- */

/* The lists of layers a layer holds, at their keys of `fields`. */
static dt_status encode_lists(const dt_layer *layer, dt_yaml *fields) {
    int next = 0;
    for (const dt_layer_list *list = layer->kind->lists; list->key && next < layer->inner_count; list++) {
        dt_yaml *node = dt_yaml_new(DT_YAML_LIST, NULL, NULL, layer->source);
        DT_TRY(dt_yaml_put(fields, list->key, node));
        if (!list->many) {
            DT_TRY(dt_sequence_encode(&layer->inner[next++], node));
            continue;
        }
        while (next < layer->inner_count) {
            dt_yaml *branch = dt_yaml_new(DT_YAML_LIST, NULL, NULL, layer->source);
            if (!branch) return dt_fail_memory("the resolved layers", sizeof *branch);
            dt_yaml_append(node, branch);
            DT_TRY(dt_sequence_encode(&layer->inner[next++], branch));
        }
    }
    return dt_ok();
}

static dt_status encode(const dt_layer *layer, dt_yaml *list) {
    dt_yaml *item = dt_yaml_new(DT_YAML_MAP, NULL, NULL, layer->source);
    dt_yaml *fields = dt_yaml_new(DT_YAML_MAP, layer->kind->name, NULL, layer->source);
    if (!item || !fields) {
        dt_yaml_destroy(item);
        dt_yaml_destroy(fields);
        return dt_fail_memory("the resolved layers", sizeof *item);
    }
    dt_yaml_append(item, fields);
    dt_yaml_append(list, item);
    DT_TRY(dt_fields_encode(layer->kind->fields, layer->config, fields));
    return layer->kind->lists ? encode_lists(layer, fields) : dt_ok();
}

dt_status dt_sequence_encode(const dt_sequence *sequence, dt_yaml *list) {
    for (int i = 0; i < sequence->count; i++) DT_TRY(encode(&sequence->layers[i], list));
    return dt_ok();
}
