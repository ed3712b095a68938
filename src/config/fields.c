/* The engine behind every table of fields: decoding a tree by it, and encoding what was decoded. What values may be is
 * in field_types.c. */
#include "config/fields.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "field_types.h"
#include "shown.h"
#include "suggest.h"

/* ---- messages ---- */

/* What every function below needs to know about the call. */
typedef struct context {
    const dt_field *table;
    const dt_yaml *map;
    const char *prefix;
    const char *const *also;
} context;

static bool is_text(const dt_field *field) {
    return field->type == DT_FIELD_TEXT || field->type == DT_FIELD_TEXTS || field->type == DT_FIELD_DATASETS;
}

/* What would be right: "greater than 0 (default 0.001)". */
static void requirement(const dt_field *field, dt_verdict why, const char *text, char out[DT_TEXT_MAX]) {
    if (why == DT_OUT_OF_LIMITS && is_text(field))
        snprintf(out, DT_TEXT_MAX, field->min == 1 ? "one line of text, not empty" : "of another length");
    else if (why == DT_OUT_OF_LIMITS || (why == DT_TOO_LARGE && dt_field_has_maximum(field)))
        dt_limits_words(field, out, DT_TEXT_MAX);
    else if (why == DT_TOO_LARGE)
        snprintf(out, DT_TEXT_MAX, "%s", dt_value_types[field->type].reach);
    else if (field->type == DT_FIELD_CHOICE)
        dt_choices_words(field, out, DT_TEXT_MAX);
    else
        snprintf(out, DT_TEXT_MAX, "%s", dt_value_types[field->type].noun);
    bool numeric = field->type == DT_FIELD_INT || field->type == DT_FIELD_REAL || field->type == DT_FIELD_REALS;
    if (why == DT_WRONG_TYPE && numeric && isdigit((unsigned char)text[0]) && strpbrk(text, "_,'xX"))
        dt_append(out, DT_TEXT_MAX, ", in plain decimal digits");
    if (field->fallback && field->fallback[0]) dt_append(out, DT_TEXT_MAX, " (default %s)", field->fallback);
}

/* A failure of a value: "recipe m.yaml:9: train.batch is "many"; it must be …", or, when one --set gave it, shorter. */
static dt_status fail_value(const context *c, const dt_field *field, const dt_yaml *node, const char *is,
                            const char *must_be) {
    char set[DT_TEXT_MAX], shown[DT_SHOWN];
    snprintf(set, sizeof set, "--set %s%s", c->prefix, field->key);
    if (node->text && strcmp(set, node->source) == 0)
        return dt_fail(DT_ERR_INPUT, "%s=%s: it must be %s", set, dt_shown(node->text, shown), must_be);
    return dt_fail(DT_ERR_INPUT, "%s%s: %s%s %s; it must be %s", dt_source_noun(node->source), node->source, c->prefix,
                   field->key, is, must_be);
}

static dt_status fail_verdict(const context *c, const dt_field *field, const dt_yaml *node, const char *text,
                              dt_verdict why) {
    char is[DT_SHOWN + 8], must_be[DT_TEXT_MAX], shown[DT_SHOWN];
    bool bare = node->kind == DT_YAML_LIST || (why != DT_WRONG_TYPE && !is_text(field));
    snprintf(is, sizeof is, bare ? "is %s" : "is \"%s\"", dt_shown(text, shown));
    if (why == DT_WRONG_TYPE && text[0] == '\0') snprintf(is, sizeof is, "has no value");
    requirement(field, why, text, must_be);
    return fail_value(c, field, node, is, must_be);
}

static dt_status fail_kind(const context *c, const dt_field *field, const dt_yaml *node) {
    char must_be[DT_TEXT_MAX];
    requirement(field, DT_WRONG_TYPE, "", must_be);
    return fail_value(c, field, node, node->kind == DT_YAML_LIST ? "is a list" : "is a map", must_be);
}

static dt_status fail_unknown(const context *c, const dt_yaml *node, const char *key) {
    char nearest[DT_TEXT_MAX] = "", shown[DT_SHOWN];
    int best = DT_SUGGEST_NONE;
    for (const dt_field *field = c->table; field->key; field++) dt_suggest(key, field->key, nearest, &best);
    for (int i = 0; c->also && c->also[i]; i++) dt_suggest(key, c->also[i], nearest, &best);
    dt_shown(key, shown);
    if (nearest[0])
        return dt_fail(DT_ERR_INPUT, "%s%s: %s%s is not a field (did you mean %s%s?)", dt_source_noun(node->source),
                       node->source, c->prefix, shown, c->prefix, nearest);
    return dt_fail(DT_ERR_INPUT, "%s%s: %s%s is not a field (dtrain train --help-recipe lists them)",
                   dt_source_noun(node->source), node->source, c->prefix, shown);
}

/* ---- decoding ---- */

const dt_field *dt_field_find(const dt_field *table, const char *key) {
    for (const dt_field *field = table; field->key; field++)
        if (strcmp(field->key, key) == 0) return field;
    return NULL;
}

const dt_yaml *dt_field_node(const dt_field *field, const dt_yaml *map) {
    const dt_yaml *node = dt_yaml_get(map, field->key);
    return node || !field->was ? node : dt_yaml_get(map, field->was);
}

/* The row of a key, or of one that the field had before. */
static const dt_field *find_ever(const dt_field *table, const char *key) {
    const dt_field *field = dt_field_find(table, key);
    for (const dt_field *row = table; row->key && !field; row++)
        if (row->was && strcmp(row->was, key) == 0) field = row;
    return field;
}

static bool is_under(const char *key, const char *group) {
    size_t length = strlen(group);
    return strncmp(key, group, length) == 0 && key[length] == '.';
}

static bool is_group(const context *c, const char *key) {
    for (const dt_field *field = c->table; field->key; field++)
        if (is_under(field->key, key) || (field->was && is_under(field->was, key))) return true;
    for (int i = 0; c->also && c->also[i]; i++)
        if (is_under(c->also[i], key)) return true;
    return false;
}

static bool is_elsewhere(const context *c, const char *key) {
    for (int i = 0; c->also && c->also[i]; i++)
        if (strcmp(c->also[i], key) == 0) return true;
    return false;
}

static dt_status fail_group(const context *c, const dt_yaml *node, const char *key) {
    const char *example = key;
    for (const dt_field *field = c->table; field->key && example == key; field++)
        if (is_under(field->key, key)) example = field->key;
    char shown[DT_SHOWN];
    return dt_fail(DT_ERR_INPUT, "%s%s: %s%s is %s%s%s; it must be a group of fields, such as %s%s",
                   dt_source_noun(node->source), node->source, c->prefix, key, node->text ? "\"" : "",
                   node->text ? dt_shown(node->text, shown) : "a list", node->text ? "\"" : "", c->prefix, example);
}

/* Of a field under both of its names. */
static dt_status fail_twice(const context *c, const dt_field *field, const dt_yaml *old, const dt_yaml *new) {
    return dt_fail(DT_ERR_INPUT, "%s%s: %s%s is another name of %s%s, which is there too (%s); remove one of them",
                   dt_source_noun(old->source), old->source, c->prefix, field->was, c->prefix, field->key, new->source);
}

static bool takes(const dt_field *field, dt_yaml_kind kind) {
    bool datasets = field->type == DT_FIELD_DATASETS;
    if (kind == DT_YAML_MAP) return datasets;
    return kind == DT_YAML_SCALAR || datasets || dt_is_list(field->type) || field->type == DT_FIELD_TEXTS;
}

/* Every key of the tree is a field, lies in a group of fields, or is decoded elsewhere. */
static dt_status check_keys(const context *c, const dt_yaml *map, const char *path) {
    for (const dt_yaml *node = map->first; node; node = node->next) {
        char key[DT_TEXT_MAX];
        snprintf(key, sizeof key, "%s%s%s", path, path[0] ? "." : "", node->key);
        const dt_field *field = find_ever(c->table, key);
        const dt_yaml *other = field && strcmp(field->key, key) != 0 ? dt_yaml_get(c->map, field->key) : NULL;
        if (other) return fail_twice(c, field, node, other);
        if (field && !takes(field, node->kind)) return fail_kind(c, field, node);
        if (field || is_elsewhere(c, key)) continue;
        if (!is_group(c, key)) return fail_unknown(c, node, key);
        if (node->kind == DT_YAML_MAP)
            DT_TRY(check_keys(c, node, key));
        else if (node->kind == DT_YAML_LIST || node->text[0] != '\0')
            return fail_group(c, node, key);
    }
    return dt_ok();
}

static dt_status fail_missing(const context *c, const dt_field *field) {
    const dt_yaml *map = c->map;
    char must_be[DT_TEXT_MAX];
    requirement(field, DT_WRONG_TYPE, "", must_be);
    return dt_fail(DT_ERR_INPUT, "%s%s%s%s%s is missing; it must be %s: %s", map ? dt_source_noun(map->source) : "",
                   map ? map->source : "", map ? ": " : "", c->prefix, field->key, must_be, field->help);
}

/* A list of scalars as text; what is no scalar or leaves no room becomes "…", which no type reads. */
static void join(const dt_yaml *list, char out[DT_VALUE_TEXT]) {
    snprintf(out, DT_VALUE_TEXT, "[");
    for (const dt_yaml *item = list->first; item; item = item->next) {
        const char *text = item->kind == DT_YAML_SCALAR ? item->text : "…";
        if (strlen(out) + strlen(text) + 12 > DT_VALUE_TEXT) text = "…";
        dt_append(out, DT_VALUE_TEXT, "%s%s", item == list->first ? "" : ", ", text);
        if (strlen(out) + 12 > DT_VALUE_TEXT) break;
    }
    dt_append(out, DT_VALUE_TEXT, "]");
}

/* A text, in quotes where it has signs of a list in it. */
static bool append_item(char out[DT_VALUE_TEXT], const char *text) {
    const char *quote = strpbrk(text, ",[]{}:\"' ") || !text[0] ? "'" : "";
    bool fits = dt_append(out, DT_VALUE_TEXT, "%s", quote);
    for (const char *c = text; *c; c++) fits = fits && dt_append(out, DT_VALUE_TEXT, *c == '\'' ? "''" : "%c", *c);
    return fits && dt_append(out, DT_VALUE_TEXT, "%s", quote);
}

/* A list or map of texts as one text; false where it is none, or there is no room. */
static bool append_texts(char out[DT_VALUE_TEXT], const dt_yaml *node) {
    if (node->kind == DT_YAML_SCALAR) return append_item(out, node->text);
    bool map = node->kind == DT_YAML_MAP, fits = dt_append(out, DT_VALUE_TEXT, map ? "{" : "[");
    for (const dt_yaml *item = node->first; item && fits; item = item->next) {
        bool nested = item->kind == DT_YAML_MAP || (item->kind == DT_YAML_LIST && !map);
        fits = !nested && dt_append(out, DT_VALUE_TEXT, "%s%s%s", item == node->first ? "" : ", ", map ? item->key : "",
                                    map ? ": " : "");
        fits = fits && append_texts(out, item);
    }
    return fits && dt_append(out, DT_VALUE_TEXT, map ? "}" : "]");
}

static dt_status decode_field(const context *c, const dt_field *field, void *out) {
    const dt_yaml *node = c->map ? dt_field_node(field, c->map) : NULL;
    if (!node && !field->fallback) return fail_missing(c, field);
    dt_value decoded;
    memset(&decoded, 0, sizeof decoded);
    char joined[DT_VALUE_TEXT];
    const bool single = !node || node->kind == DT_YAML_SCALAR;
    joined[0] = '\0';
    if (!single && dt_is_list(field->type)) join(node, joined);
    if (!single && is_text(field) && !append_texts(joined, node))
        return fail_value(c, field, node, "is too long, or has more in it than texts",
                          "at most 2047 bytes; of many files a pattern such as run-*.h5");
    const char *text = !node ? field->fallback : single ? node->text : joined;
    dt_verdict why = dt_value_types[field->type].read(field, text, &decoded);
    if (why != DT_FITS && !node)
        return dt_fail(DT_ERR_INPUT, "the default %s of %s%s is not valid", field->fallback, c->prefix, field->key);
    if (why != DT_FITS) return fail_verdict(c, field, node, text, why);
    memcpy((char *)out + field->offset, &decoded, dt_value_types[field->type].size);
    return dt_ok();
}

dt_status dt_fields_decode(const dt_field *table, const dt_yaml *map, const char *prefix, const char *const *also,
                           void *out) {
    context c = {table, map, prefix, also};
    if (map && map->kind != DT_YAML_MAP)
        return dt_fail(DT_ERR_INPUT, "%s%s: %s must be a map of fields", dt_source_noun(map->source), map->source,
                       prefix[0] ? prefix : "it");
    if (map) DT_TRY(check_keys(&c, map, ""));
    for (const dt_field *field = table; field->key; field++) DT_TRY(decode_field(&c, field, out));
    return dt_ok();
}

/* ---- encoding ---- */

void dt_field_text(const dt_field *field, const void *in, char out[DT_VALUE_TEXT]) {
    dt_value held;
    memset(&held, 0, sizeof held);
    memcpy(&held, (const char *)in + field->offset, dt_value_types[field->type].size);
    dt_value_types[field->type].write(field, &held, out);
}

bool dt_field_is_default(const dt_field *field, const void *in) {
    dt_value fallback;
    memset(&fallback, 0, sizeof fallback);
    if (!field->fallback || dt_value_types[field->type].read(field, field->fallback, &fallback) != DT_FITS)
        return false;
    char here[DT_VALUE_TEXT], there[DT_VALUE_TEXT];
    dt_field_text(field, in, here);
    dt_value_types[field->type].write(field, &fallback, there);
    return strcmp(here, there) == 0;
}

/* A list's text, "[1, 2]", as a list of scalars; NULL when memory is short. */
static dt_yaml *list_node(const char *text, const char *source) {
    dt_yaml *node = dt_yaml_new(DT_YAML_LIST, NULL, NULL, source);
    for (const char *at = text + 1; node && *at && *at != ']'; at += strspn(at, ", ")) {
        char number[64];
        size_t length = strcspn(at, ",]");
        snprintf(number, sizeof number, "%.*s", (int)length, at);
        at += length;
        dt_yaml *item = dt_yaml_new(DT_YAML_SCALAR, NULL, number, source);
        if (item) {
            dt_yaml_append(node, item);
            continue;
        }
        dt_yaml_destroy(node);
        node = NULL;
    }
    return node;
}

dt_status dt_fields_encode(const dt_field *table, const void *in, dt_yaml *map) {
    for (const dt_field *field = table; field->key; field++) {
        char text[DT_VALUE_TEXT];
        dt_field_text(field, in, text);
        bool list = dt_is_list(field->type) && text[0] == '[';
        dt_yaml *node = list ? list_node(text, map->source) : dt_yaml_new(DT_YAML_SCALAR, NULL, text, map->source);
        if (node) node->quoted = is_text(field);
        DT_TRY(dt_yaml_put(map, field->key, node));
    }
    return dt_ok();
}
