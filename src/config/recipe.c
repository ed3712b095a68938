/* The recipe: decoded from a tree, and written out again with every default filled in. */
#include "config/recipe.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "recipe_internal.h"
#include "shown.h"

static const char *const decoded_elsewhere[] = {DT_RECIPE_LAYERS, "model.freeze", "optimizer.groups", "sites.members",
                                                NULL};

const dt_recipe_tree dt_recipe_trees[] = {
    {DT_RECIPE_LAYERS, offsetof(dt_recipe, layers)},
    {"model.freeze", offsetof(dt_recipe, freeze)},
    {"optimizer.groups", offsetof(dt_recipe, groups)},
    {"sites.members", offsetof(dt_recipe, members)},
    {.key = NULL},
};

static dt_yaml **tree_of(dt_recipe *recipe, const dt_recipe_tree *tree) {
    return (dt_yaml **)((char *)recipe + tree->offset);
}

static bool fits_directory(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("._-", c);
}

/* A file may be called anything; what a directory may not be called becomes "-". */
static void take_fallback_name(dt_recipe *recipe, const char *fallback_name) {
    snprintf(recipe->name, sizeof recipe->name, "%s", fallback_name && fallback_name[0] ? fallback_name : "run");
    for (char *c = recipe->name; *c; c++)
        if (!fits_directory(*c) || (*c == '.' && c == recipe->name)) *c = '-';
}

static dt_status check_name(const dt_recipe *recipe, const dt_yaml *root) {
    bool usable = recipe->name[0] != '.';
    for (const char *c = recipe->name; *c && usable; c++) usable = fits_directory(*c);
    if (usable) return dt_ok();
    const char *source = dt_recipe_source_of(root, "name", NULL);
    char shown[DT_SHOWN];
    return dt_fail(
        DT_ERR_INPUT,
        "%s%s: name is \"%s\"; it names a directory, so it must be of letters, digits, '.', '_' and '-', and "
        "not begin with '.'",
        dt_source_noun(source), source, dt_shown(recipe->name, shown));
}

static dt_status take_layers(dt_recipe *recipe, const dt_yaml *root) {
    const dt_yaml *layers = dt_yaml_get(root, DT_RECIPE_LAYERS);
    const char *source = dt_recipe_source_of(root, DT_RECIPE_LAYERS, "model");
    char is[DT_SHOWN + 8] = "is missing", shown[DT_SHOWN];
    if (layers && layers->kind == DT_YAML_MAP) snprintf(is, sizeof is, "is a map");
    if (layers && layers->kind == DT_YAML_LIST) snprintf(is, sizeof is, "is empty");
    if (layers && layers->text && layers->text[0]) snprintf(is, sizeof is, "is \"%s\"", dt_shown(layers->text, shown));
    if (!layers || layers->kind != DT_YAML_LIST || !layers->first)
        return dt_fail(DT_ERR_INPUT,
                       "%s%s: %s %s; it must be a list of layers, as in "
                       "[flatten, dense: {out: 128, activation: relu}, dense: 10]",
                       dt_source_noun(source), source, DT_RECIPE_LAYERS, is);
    recipe->layers = dt_yaml_clone(layers);
    return recipe->layers ? dt_ok() : dt_fail_memory("the recipe's layers", sizeof *layers);
}

/* The others may be left out. */
static dt_status take_trees(dt_recipe *recipe, const dt_yaml *root) {
    for (const dt_recipe_tree *tree = dt_recipe_trees; tree->key; tree++) {
        const dt_yaml *node = dt_yaml_get(root, tree->key);
        dt_yaml **to = tree_of(recipe, tree);
        if (!node || *to) continue;
        *to = dt_yaml_clone(node);
        if (!*to) return dt_fail_memory("the recipe", sizeof **to);
    }
    return dt_recipe_check_trees(recipe);
}

static dt_status decode(dt_recipe *out, const dt_yaml *root, const char *fallback_name) {
    DT_TRY(dt_fields_decode(dt_recipe_fields, root, "", decoded_elsewhere, out));
    if (!out->name[0]) take_fallback_name(out, fallback_name);
    DT_TRY(check_name(out, root));
    DT_TRY(dt_recipe_check(out, root));
    DT_TRY(take_layers(out, root));
    DT_TRY(dt_recipe_check_first_layer(out));
    DT_TRY(take_trees(out, root));
    DT_TRY(dt_recipe_check_sites(out, root));
    return dt_recipe_check_privacy(out, root);
}

dt_status dt_recipe_decode(dt_recipe *out, const dt_yaml *root, const char *fallback_name) {
    memset(out, 0, sizeof *out);
    dt_status status = decode(out, root, fallback_name);
    if (status.code != DT_OK) dt_recipe_finish(out);
    return status;
}

void dt_recipe_finish(dt_recipe *recipe) {
    for (const dt_recipe_tree *tree = dt_recipe_trees; tree->key; tree++) {
        dt_yaml_destroy(*tree_of(recipe, tree));
        *tree_of(recipe, tree) = NULL;
    }
}

static dt_status put_trees(const dt_recipe *recipe, const dt_yaml *layers, dt_yaml *root) {
    for (const dt_recipe_tree *tree = dt_recipe_trees; tree->key; tree++) {
        const dt_yaml *node = *tree_of((dt_recipe *)recipe, tree);
        if (layers && node == recipe->layers) node = layers;
        if (node) DT_TRY(dt_yaml_put(root, tree->key, dt_yaml_clone(node)));
    }
    return dt_ok();
}

dt_status dt_recipe_emit(const dt_recipe *recipe, const dt_yaml *layers, char **out) {
    *out = NULL;
    dt_yaml *root = dt_yaml_new(DT_YAML_MAP, NULL, NULL, "the resolved recipe");
    dt_status status =
        root ? dt_fields_encode(dt_recipe_fields, recipe, root) : dt_fail_memory("the resolved recipe", sizeof *recipe);
    if (status.code == DT_OK) status = put_trees(recipe, layers, root);
    if (status.code == DT_OK) *out = dt_yaml_emit(root);
    if (status.code == DT_OK && !*out) status = dt_fail_memory("the resolved recipe's text", sizeof *recipe);
    dt_yaml_destroy(root);
    return status;
}

char *dt_recipe_help(void) {
    return dt_fields_help(dt_recipe_fields, "");
}

dt_status dt_recipe_read_resolved(dt_recipe *out, const char *name, const char *text) {
    dt_yaml *root;
    DT_TRY(dt_yaml_parse_text(&root, name, text));
    dt_status status = dt_recipe_decode(out, root, "run");
    dt_yaml_destroy(root);
    return status;
}
