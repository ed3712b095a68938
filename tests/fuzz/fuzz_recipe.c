/* Recipes: a text as YAML, as a recipe with all its fields, its layers with theirs; a second file of the input is an
 * assignment of --set. What was read and written out again reads the same. */
#include "fuzz.h"

#include "base/memory.h"
#include "config/recipe.h"
#include "model/decode.h"

/* Two trees that say the same. What has to be quoted may have become so, but not what is nothing. */
static bool alike(const dt_yaml *a, const dt_yaml *b) {
    if (!a || !b) return a == b;
    bool same = a->kind == b->kind && !a->key == !b->key && (!a->key || strcmp(a->key, b->key) == 0);
    if (same && a->kind == DT_YAML_SCALAR)
        same = strcmp(a->text, b->text) == 0 && (a->text[0] || a->quoted == b->quoted);
    const dt_yaml *x = a->first, *y = b->first;
    for (; same && x && y; x = x->next, y = y->next) same = alike(x, y);
    return same && !x == !y;
}

static void decode(const dt_yaml *root) {
    dt_recipe recipe;
    memset(&recipe, 0, sizeof recipe);
    dt_status status = dt_recipe_decode(&recipe, root, "fuzz");
    fuzz_check(status);
    if (status.code == DT_OK) {
        dt_sequence sequence;
        memset(&sequence, 0, sizeof sequence);
        fuzz_check(dt_sequence_decode(&sequence, recipe.layers, "model.layers"));
        dt_sequence_finish(&sequence);
    }
    dt_recipe_finish(&recipe);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t part;
    const uint8_t *begin = fuzz_next(&data, &size, &part);
    char *text = strndup((const char *)begin, part), *assignment = strndup((const char *)data, size);
    if (!text || !assignment) abort();
    dt_yaml *root, *again;
    dt_status status = dt_yaml_parse_text(&root, "fuzz.yaml", text);
    fuzz_check(status);
    if (status.code == DT_OK) {
        char *emitted = dt_yaml_emit(root);
        if (!emitted || dt_yaml_parse_text(&again, "emitted", emitted).code != DT_OK) abort();
        if (!alike(root, again)) abort();
        dt_yaml_destroy(again);
        dt_free(emitted);
        decode(root);
        if (size > 0) {
            status = dt_yaml_assign(root, assignment);
            fuzz_check(status);
            if (status.code == DT_OK) decode(root);
        }
        dt_yaml_destroy(root);
    }
    free(text), free(assignment);
    return 0;
}
