/* Fields of a recipe in messages: where they stand, what they are, and that they are what they would be anyway. */
#include <stdio.h>

#include "recipe_internal.h"

static const dt_yaml *node_of(const dt_yaml *root, const char *key) {
    const dt_field *field = dt_field_find(dt_recipe_fields, key);
    return field ? dt_field_node(field, root) : dt_yaml_get(root, key);
}

const char *dt_recipe_source_of(const dt_yaml *root, const char *key, const char *other) {
    const dt_yaml *node = node_of(root, key);
    if (!node && other) node = node_of(root, other);
    return node ? node->source : root->source;
}

/* The value of a field as messages show it. */
void dt_recipe_show_value(const dt_field *field, const dt_recipe *recipe, char out[DT_SHOWN + 2]) {
    char text[DT_VALUE_TEXT], shown[DT_SHOWN];
    dt_field_text(field, recipe, text);
    bool name = field->type == DT_FIELD_DATASETS && text[0] != '[' && text[0] != '{';
    snprintf(out, DT_SHOWN + 2, field->type == DT_FIELD_TEXT || name ? "\"%s\"" : "%s", dt_shown(text, shown));
}

dt_status dt_recipe_check_default(const dt_recipe *recipe, const dt_yaml *root, const char *key, const char *why) {
    const dt_field *field = dt_field_find(dt_recipe_fields, key);
    if (dt_field_is_default(field, recipe)) return dt_ok();
    char is[DT_SHOWN + 2];
    dt_recipe_show_value(field, recipe, is);
    const char *source = dt_recipe_source_of(root, key, NULL);
    return dt_fail(DT_ERR_INPUT, "%s%s: %s is %s but %s (default %s)", dt_source_noun(source), source, key, is, why,
                   field->fallback[0] ? field->fallback : "\"\"");
}
