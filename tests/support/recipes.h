/* Recipes and trees of YAML in tests. */
#ifndef DTRAIN_TESTS_RECIPES_H
#define DTRAIN_TESTS_RECIPES_H

#include <check.h>
#include <string.h>

#include "config/recipe.h"
#include "suite.h"

/* One line, the code, and `part` in it. */
static inline void assert_fails(dt_status status, dt_code code, const char *part) {
    ck_assert_msg(status.code == code, "code %d instead of %d: %s", status.code, code, status.message);
    ck_assert_msg(strstr(status.message, part) != NULL, "no \"%s\" in \"%s\"", part, status.message);
    for (const char *c = status.message; *c; c++) ck_assert_msg((unsigned char)*c >= ' ', "a control character");
}

static inline dt_yaml *parse(const char *text) {
    dt_yaml *root;
    assert_ok(dt_yaml_parse_text(&root, "t.yaml", text));
    return root;
}

static inline dt_status decode_text(dt_recipe *recipe, const char *text) {
    dt_yaml *root = parse(text);
    dt_status status = dt_recipe_decode(recipe, root, "t");
    dt_yaml_destroy(root);
    return status;
}

static inline dt_status decode_status(const char *text) {
    dt_recipe recipe;
    dt_status status = decode_text(&recipe, text);
    dt_recipe_finish(&recipe);
    return status;
}

static inline void assert_equal(const dt_yaml *a, const dt_yaml *b) {
    ck_assert_int_eq(a->kind, b->kind);
    ck_assert_pstr_eq(a->key, b->key);
    ck_assert_pstr_eq(a->text, b->text);
    const dt_yaml *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next) assert_equal(x, y);
    ck_assert(!x && !y);
}

#endif
