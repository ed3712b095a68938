/* A tree as YAML text: block style, but the fields of a layer on its line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "base/memory.h"
#include "yaml_internal.h"

#define FLOW_WIDTH 90

/* Whether a YAML reader that knows types would take a plain `text` for something else than a text. */
static bool looks_typed(const char *text) {
    static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "y", "n"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(text, words[i]) == 0) return true;
    return dt_yaml_is_null_word(text) || strchr("0123456789+-.=<", text[0]) != NULL;
}

/* libyaml quotes what its syntax needs; types are our affair. */
static yaml_scalar_style_t style_of(const char *text, bool quoted) {
    bool must = (quoted && looks_typed(text)) || (text[0] && dt_yaml_is_null_word(text));
    return must ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_ANY_SCALAR_STYLE;
}

static bool emit_text(yaml_emitter_t *emitter, const char *text, bool quoted) {
    yaml_event_t event;
    return yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1,
                                        style_of(text, quoted)) &&
           yaml_emitter_emit(emitter, &event);
}

/* Nothing at all: between brackets libyaml would write it as a text that is empty. */
static bool emit_nothing(yaml_emitter_t *emitter, bool in_brackets) {
    yaml_event_t event;
    const char *text = in_brackets ? "~" : "";
    return yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1,
                                        YAML_PLAIN_SCALAR_STYLE) &&
           yaml_emitter_emit(emitter, &event);
}

/* Whether nothing in a list or map has named parts. */
static bool is_leaf(const dt_yaml *node) {
    for (const dt_yaml *child = node->first; child; child = child->next)
        if (child->kind == DT_YAML_MAP || (child->kind == DT_YAML_LIST && !is_leaf(child))) return false;
    return true;
}

static size_t width(const dt_yaml *node) {
    size_t sum = (node->key ? strlen(node->key) + 2 : 0) + (node->text ? strlen(node->text) + 2 : 2);
    for (const dt_yaml *child = node->first; child && sum <= FLOW_WIDTH; child = child->next) sum += width(child);
    return sum;
}

/* Where a node is written. */
typedef struct place {
    dt_yaml_kind parent;
    bool inside_list, in_brackets;
} place;

static bool emit_node(yaml_emitter_t *emitter, const dt_yaml *node, place at);

static bool emit_children(yaml_emitter_t *emitter, const dt_yaml *node, place at) {
    at.parent = node->kind;
    at.inside_list = at.inside_list || node->kind == DT_YAML_LIST;
    for (const dt_yaml *child = node->first; child; child = child->next) {
        if (node->kind == DT_YAML_MAP && !emit_text(emitter, child->key, false)) return false;
        if (!emit_node(emitter, child, at)) return false;
    }
    return true;
}

/* The fields of a layer go on its line, and so do short lists of values; everything else has a line of its own. */
static bool emit_node(yaml_emitter_t *emitter, const dt_yaml *node, place at) {
    if (node->kind == DT_YAML_SCALAR && !node->quoted && !node->text[0]) return emit_nothing(emitter, at.in_brackets);
    if (node->kind == DT_YAML_SCALAR) return emit_text(emitter, node->text, node->quoted);
    yaml_event_t event;
    bool list = node->kind == DT_YAML_LIST;
    bool flow = (list || (at.inside_list && at.parent == DT_YAML_MAP)) && is_leaf(node) && width(node) <= FLOW_WIDTH;
    int made = list ? yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
                                                           flow ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE)
                    : yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
                                                          flow ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE);
    at.in_brackets = at.in_brackets || flow;
    if (!made || !yaml_emitter_emit(emitter, &event) || !emit_children(emitter, node, at)) return false;
    made = list ? yaml_sequence_end_event_initialize(&event) : yaml_mapping_end_event_initialize(&event);
    return made && yaml_emitter_emit(emitter, &event);
}

static bool emit_document(yaml_emitter_t *emitter, const dt_yaml *root) {
    yaml_event_t event;
    return yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) && yaml_emitter_emit(emitter, &event) &&
           yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1) && yaml_emitter_emit(emitter, &event) &&
           emit_node(emitter, root, (place){.parent = DT_YAML_MAP}) && yaml_document_end_event_initialize(&event, 1) &&
           yaml_emitter_emit(emitter, &event) && yaml_stream_end_event_initialize(&event) &&
           yaml_emitter_emit(emitter, &event);
}

char *dt_yaml_emit(const dt_yaml *root) {
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    if (!stream) return NULL;
    yaml_emitter_t emitter;
    bool complete = yaml_emitter_initialize(&emitter) == 1;
    if (complete) {
        yaml_emitter_set_output_file(&emitter, stream);
        yaml_emitter_set_unicode(&emitter, 1);
        yaml_emitter_set_indent(&emitter, 2);
        yaml_emitter_set_width(&emitter, -1);
        complete = emit_document(&emitter, root);
        yaml_emitter_delete(&emitter);
    }
    complete = fclose(stream) == 0 && complete;
    char *copy = complete ? dt_strdup(text) : NULL;
    free(text);
    return copy;
}
