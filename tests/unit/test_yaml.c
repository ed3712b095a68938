/* YAML: trees are checked by round trips of random ones; the parser by documents that are broken on purpose or by
 * chance. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "recipes.h"

static dt_status parse_status(const char *text) {
    dt_yaml *root;
    dt_status status = dt_yaml_parse_text(&root, "t.yaml", text);
    ck_assert((root != NULL) == (status.code == DT_OK));
    dt_yaml_destroy(root);
    return status;
}

/* ---- --set ---- */

START_TEST(set_puts_values_lists_and_maps_where_the_path_says) {
    static const struct {
        const char *assignment, *path, *text;
    } rows[] = {
        {"optimizer.lr=0.5", "optimizer.lr", "0.5"},
        {"new.group.key=x", "new.group.key", "x"},
        {"model.layers=[{dense: 7}, relu]", "model.layers.0.dense", "7"},
        {"model.layers.0=relu", "model.layers.0", "relu"},
        {"model.layers.1.dense.out=9", "model.layers.1.dense.out", "9"},
        {"model.layers.1.dense.activation=tanh", "model.layers.1.dense.out", "128"},
        {"model.layers.2=softmax", "model.layers.2", "softmax"}, /* one past the end */
        {"model.layers.2.dense.out=9", "model.layers.2.dense.out", "9"},
        {"optimizer={kind: sgd}", "optimizer.kind", "sgd"},
        {"run=a=b", "run", "a=b"},
        {"run='a=b: c'", "run", "a=b: c"},
        {"run=", "run", ""},
        {"run=null", "run", ""},
        {"run='null'", "run", "null"},
        {"empty.x=1", "empty.x", "1"},
        {"name= 1  # comment", "name", "1"},
    };
    for (int i = 0; i < COUNT(rows); i++) {
        dt_yaml *root = parse("optimizer: {lr: 1}\nempty:\nmodel:\n  layers: [flatten, dense: {out: 128}]\n");
        assert_ok(dt_yaml_assign(root, rows[i].assignment));
        const dt_yaml *node = dt_yaml_get(root, rows[i].path);
        ck_assert_msg(node && node->text && strcmp(node->text, rows[i].text) == 0, "%s", rows[i].assignment);
        dt_yaml_destroy(root);
    }
}
END_TEST

START_TEST(a_replaced_value_keeps_its_place_and_names_the_set_as_its_source) {
    dt_yaml *root = parse("a: 1\nb: 2\nc: 3");
    assert_ok(dt_yaml_assign(root, "b=[x, {y: z}]"));
    ck_assert_str_eq(root->first->next->key, "b");
    ck_assert_str_eq(dt_yaml_get(root, "b.1.y")->source, "--set b");
    ck_assert_str_eq(root->first->next->next->key, "c");
    ck_assert_str_eq(root->first->next->next->source, "t.yaml:3");
    dt_yaml_destroy(root);
}
END_TEST

START_TEST(a_malformed_set_is_wrong_use_and_says_why) {
    static const char *const rows[][2] = {
        {"optimizer.lr", "--set optimizer.lr: it must be KEY=VALUE"},
        {"=3", "it must be KEY=VALUE"},
        {"", "it must be KEY=VALUE"},
        {"a..b=1", "empty part"},
        {".a=1", "empty part"},
        {"a.=1", "empty part"},
        {"a b=1", "no blanks"},
        {"a\nb=1", "no blanks"},
        {"list.3=x", "list is a list of 2; what follows must be a number from 0 to 2, not 3"},
        {"list.-1=x", "not -1"},
        {"list.one=x", "not one"},
        {"list.99999999999999999999=x", "must be a number from 0 to 2"},
        {"list.1.out=3", "list.1 is \"b\" and has no fields yet; give it as a whole, as in list.1={…}"},
        {"scalar.x=3", "scalar is \"s\""},
        {"x=[", "--set x: not valid YAML"},
        {"x={a: 1, a: 2}", "the key a stands here again"},
        {"x=*a", "alias"},
        {"x=\xff", "not a text"},
    };
    for (int i = 0; i < COUNT(rows); i++) {
        dt_yaml *root = parse("list: [a, b]\nscalar: s\n");
        assert_fails(dt_yaml_assign(root, rows[i][0]), DT_ERR_USAGE, rows[i][1]);
        dt_yaml_destroy(root);
    }
    dt_yaml *root = parse("");
    char path[400];
    for (int i = 0; i < 160; i++) path[i] = i % 2 ? '.' : 'a';
    snprintf(path + 159, sizeof path - 159, "=1");
    assert_fails(dt_yaml_assign(root, path), DT_ERR_USAGE, "deeper than 64");
    memset(path, 'a', sizeof path);
    snprintf(path + 300, sizeof path - 300, "=1");
    assert_fails(dt_yaml_assign(root, path), DT_ERR_USAGE, "longer than any field");
    dt_yaml_destroy(root);
}
END_TEST

/* ---- documents ---- */

START_TEST(a_bad_document_is_refused_in_one_line_that_names_the_place) {
    static const char *const rows[][2] = {
        {"a: 1\n\tb: 2\n", "recipe t.yaml:2: not valid YAML: the line is indented with a tab; YAML wants spaces"},
        {"a:\n\t- b", "recipe t.yaml:2: not valid YAML: the line is indented with a tab"},
        {"a: 1\nb: [1, 2\nc: 3", "recipe t.yaml:3: not valid YAML"},
        {"a: b: c", "recipe t.yaml:1: not valid YAML: mapping values are not allowed"},
        {"a: 1\nfoo\nb: 1", "from line 2 on"},
        {"a: 'x", "recipe t.yaml:1: not valid YAML"},
        {"a: 1\nb: \x01", "recipe t.yaml:2: this is not a text: control characters are not allowed (0x01, at byte 8)"},
        {"\x89HDF\r\n\x1a\n", "recipe t.yaml:1: this is not a text"},
        {"a: 1\nb: &x 2", "recipe t.yaml:2: &x is an anchor"},
        {"a: &x [1]", "&x is an anchor"},
        {"a: &x {b: 1}", "&x is an anchor"},
        {"a: *x", "recipe t.yaml:1: *x is an alias"},
        {"a: !!int 3", "tag:yaml.org,2002:int is a tag"},
        {"a: !x [3]", "!x is a tag"},
        {"a: !x {b: 1}", "!x is a tag"},
        {"a: 1\nb: 2\na: 3", "recipe t.yaml:3: the key a stands here again (first at t.yaml:1)"},
        {"x: {b: 1, c: 2, b: 3}", "the key b stands here again"},
        {"optimizer.lr: 1", "recipe t.yaml:1: the key optimizer.lr has a dot in it"},
        {"? [a]\n: b", "a key must be a word"},
        {"a: {{ x }}", "a key must be a word"},
        {"\"\": 1", "there is a value without a key"},
        {"a: 1\n---\nb: 2", "recipe t.yaml:2: a second document begins here"},
        {"- a\n- b", "recipe t.yaml:1: it holds a list; a recipe is a map of fields"},
        {"hello", "it holds a single value"},
        {"a: \"x\\0y\"", "a value holds a NUL character"},
        {"%YAML 9.9\n---\na: 1", "not valid YAML: found incompatible YAML document"},
    };
    for (int i = 0; i < COUNT(rows); i++) assert_fails(parse_status(rows[i][0]), DT_ERR_INPUT, rows[i][1]);
}
END_TEST

START_TEST(an_empty_document_is_an_empty_map) {
    static const char *const texts[] = {"", "\n\n", "# only a comment\n", "---\n", "---\n...\n", "~", "{}"};
    for (int i = 0; i < COUNT(texts); i++) {
        dt_yaml *root = parse(texts[i]);
        ck_assert(root->kind == DT_YAML_MAP && !root->first);
        ck_assert_ptr_nonnull(root->source);
        dt_yaml_destroy(root);
    }
}
END_TEST

START_TEST(every_value_knows_its_line) {
    dt_yaml *root = parse("# c\na: 1\nb:\n  c:\n    - x\n    - {y: 1,\n       z: 2}\n  d: |\n    text\n    more\n");
    static const char *const rows[][2] = {{"a", "t.yaml:2"},     {"b", "t.yaml:3"},     {"b.c", "t.yaml:4"},
                                          {"b.c.0", "t.yaml:5"}, {"b.c.1", "t.yaml:6"}, {"b.c.1.z", "t.yaml:7"},
                                          {"b.d", "t.yaml:8"}};
    for (int i = 0; i < COUNT(rows); i++) ck_assert_str_eq(dt_yaml_get(root, rows[i][0])->source, rows[i][1]);
    static const char *const none[] = {"x", "a.b", "b.c.2", "b.c.x", "b.c.-1", "b..c", ".a", "b.c.99999999999"};
    for (int i = 0; i < COUNT(none); i++) ck_assert_ptr_null(dt_yaml_get(root, none[i]));
    dt_yaml_destroy(root);
}
END_TEST

/* `count` times `part`, after `head`. */
static char *repeat(const char *head, const char *part, size_t count) {
    size_t a = strlen(head), b = strlen(part);
    char *text = malloc(a + b * count + 1);
    ck_assert_ptr_nonnull(text);
    memcpy(text, head, a);
    for (size_t i = 0; i < count; i++) memcpy(text + a + b * i, part, b);
    text[a + b * count] = '\0';
    return text;
}

START_TEST(what_is_too_large_or_too_deep_is_refused_soon) {
    static const struct {
        const char *head, *part;
        size_t count;
        const char *message;
    } rows[] = {
        {"a: ", "[", 100, "nested deeper than 64"},           {"a: ", "[", 1000000, "nested deeper than 64"},
        {"a: ", "{b: ", 1000000, "nested deeper than 64"},    {"a:\n", "- ", 100000, "nested deeper than 64"},
        {"a:\n", "- 1\n", 200000, "more than 100000 values"}, {"a: ", "x", ((size_t)16 << 20) + 1, "more than 16 MiB"},
        {"", "a: 1\n", 90000, "stands here again"},
    };
    char *text = repeat(rows[_i].head, rows[_i].part, rows[_i].count);
    assert_fails(parse_status(text), DT_ERR_INPUT, rows[_i].message);
    free(text);
}
END_TEST

START_TEST(sixty_four_levels_and_a_long_value_are_accepted) {
    char *text = repeat("a: ", "[", 63), *close = repeat("", "]", 63), *whole = malloc(200);
    snprintf(whole, 200, "%s%s", text, close);
    dt_yaml *root = parse(whole);
    dt_yaml *copy = dt_yaml_clone(root);
    assert_equal(root, copy);
    dt_yaml_destroy(copy);
    dt_yaml_destroy(root);
    free(text);
    free(close);
    free(whole);
    text = repeat("a: ", "x", 1 << 20);
    assert_ok(parse_status(text));
    assert_fails(decode_status(text), DT_ERR_INPUT, "a is not a field");
    free(text);
}
END_TEST

START_TEST(files_that_are_none_are_refused) {
    char directory[] = "/tmp/dtrain-config-XXXXXX", path[64], message[160];
    ck_assert_ptr_nonnull(mkdtemp(directory));
    dt_yaml *root;
    snprintf(message, sizeof message, "recipe %s is a directory; it must be a YAML file", directory);
    assert_fails(dt_yaml_parse_file(&root, directory), DT_ERR_INPUT, message);
    snprintf(path, sizeof path, "%s/r.yaml", directory);
    snprintf(message, sizeof message, "recipe %s cannot be opened: No such file", path);
    assert_fails(dt_yaml_parse_file(&root, path), DT_ERR_IO, message);
    ck_assert_ptr_null(root);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    assert_fails(dt_yaml_parse_file(&root, path), DT_ERR_INPUT, "not a regular file");
    unlink(path);
    FILE *file = fopen(path, "w");
    fputs("a: 1\nb:\n  c: 2", file);
    fclose(file);
    assert_ok(dt_yaml_parse_file(&root, path));
    snprintf(message, sizeof message, "%s:3", path);
    ck_assert_str_eq(dt_yaml_get(root, "b.c")->source, message);
    dt_yaml_destroy(root);
    ck_assert_int_eq(truncate(path, (off_t)1 << 40), 0);
    assert_fails(dt_yaml_parse_file(&root, path), DT_ERR_INPUT, "more than 16 MiB");
    unlink(path);
    rmdir(directory);
}
END_TEST

/* ---- writing ---- */

static uint32_t draw(uint32_t *state, uint32_t below) {
    *state = *state * 1664525U + 1013904223U;
    return (*state >> 8) % below;
}

static const char *const nasty[] = {
    "",
    " ",
    "a",
    "no",
    "NO",
    "null",
    "~",
    "Null",
    "1e3",
    "-1",
    ".5",
    "=",
    "<<",
    " lead",
    "trail ",
    "a: b",
    "a:",
    ":a",
    "#x",
    "a #b",
    "a#b",
    "- a",
    "-",
    "?",
    "? a",
    "-a",
    "[",
    "]",
    "{",
    "}",
    ",",
    "a,b",
    "&a",
    "*a",
    "!a",
    "|",
    ">",
    "%a",
    "@a",
    "`a",
    "'",
    "\"",
    "it's",
    "\\",
    "a\nb",
    "\n",
    "a\n\n b\n",
    "\t",
    "a\tb",
    "größe",
    "ラン",
    "\xc2\x85",
    "\xe2\x80\xa8",
    "\xef\xbb\xbf",
    "\xf0\x9f\x98\x80",
    "---",
    "...",
    "--- a",
    "a ? b",
    "{a: b}",
    "[a, b]",
    "\x7f",
    "true",
    "0x10",
    "2020-01-01",
    "a  b",
    "\r",
    "a\r\nb",
    "x\n ",
    " \n x",
};

static dt_yaml *random_tree(uint32_t *state, int depth, const char *key) {
    dt_yaml_kind kind = depth == 0 ? DT_YAML_MAP : depth > 4 ? DT_YAML_SCALAR : (dt_yaml_kind)draw(state, 3);
    dt_yaml *node = dt_yaml_new(kind, key, nasty[draw(state, COUNT(nasty))], "here");
    ck_assert_ptr_nonnull(node);
    node->quoted = draw(state, 2);
    uint32_t count = kind == DT_YAML_SCALAR ? 0 : draw(state, 5);
    for (uint32_t i = 0; i < count; i++) {
        char name[300];
        const char *word = nasty[draw(state, COUNT(nasty))];
        while (strchr(word, '.')) word = nasty[draw(state, COUNT(nasty))];
        snprintf(name, sizeof name, "%s%u", word, i);
        if (draw(state, 20) == 0) snprintf(name, sizeof name, "%0200u", i);
        dt_yaml_append(node, random_tree(state, depth + 1, kind == DT_YAML_MAP ? name : NULL));
    }
    return node;
}

START_TEST(random_trees_survive_writing_and_reading) {
    uint32_t state = 12345;
    for (int i = 0; i < 3000; i++) {
        dt_yaml *tree = random_tree(&state, 0, NULL), *back;
        char *text = dt_yaml_emit(tree);
        ck_assert_ptr_nonnull(text);
        dt_status status = dt_yaml_parse_text(&back, "t.yaml", text);
        ck_assert_msg(status.code == DT_OK, "%s in:\n%s", status.message, text);
        assert_equal(tree, back);
        dt_yaml *copy = dt_yaml_clone(tree);
        char *again = dt_yaml_emit(copy);
        ck_assert_pstr_eq(again, text);
        dt_free(again);
        dt_yaml_destroy(copy);
        dt_yaml_destroy(tree);
        dt_yaml_destroy(back);
        dt_free(text);
    }
}
END_TEST

START_TEST(text_is_written_in_the_documented_style) {
    static const char text[] =
        "a: 1\nb:\n  c: \"no\"\n  d: x y\n  e: {}\nlist:\n- flatten\n- dense: {out: 128, bias: true}\n"
        "- dense: 10\n- residual:\n  - dense: 10\n  - relu\nshort: [1, 2, 3]\n";
    dt_yaml *root = parse(text);
    char *written = dt_yaml_emit(root);
    ck_assert_str_eq(written, text);
    dt_free(written);
    dt_yaml_destroy(root);
}
END_TEST

START_TEST(damaged_recipes_never_crash_and_fail_in_one_line) {
    uint32_t state = 99;
    size_t length = strlen(dt_recipe_default_text);
    char *text = malloc(length + 1);
    ck_assert_ptr_nonnull(text);
    int failures = 0;
    for (int i = 0; i < 4000; i++) {
        memcpy(text, dt_recipe_default_text, length + 1);
        uint32_t wounds = 1 + draw(&state, 4);
        for (uint32_t j = 0; j < wounds; j++) {
            static const char bytes[] = "\t\n :-[]{}&*!|>'\"%@#,?0\x01\xff\x80";
            bool cut = draw(&state, 30) == 0;
            text[draw(&state, (uint32_t)length)] = cut ? '\0' : bytes[draw(&state, sizeof bytes - 1)];
        }
        dt_yaml *root;
        dt_recipe recipe;
        dt_status status = dt_yaml_parse_text(&root, "t.yaml", text);
        if (status.code == DT_OK) {
            status = dt_recipe_decode(&recipe, root, "t");
            dt_recipe_finish(&recipe);
        }
        dt_yaml_destroy(root);
        if (status.code != DT_OK) assert_fails(status, DT_ERR_INPUT, "t.yaml:");
        failures += status.code != DT_OK;
    }
    ck_assert_int_gt(failures, 500); /* the damage does something */
    free(text);
}
END_TEST

static void add_nodes(Suite *suite) {
    TCase *nodes = tcase_create("nodes");
    tcase_set_timeout(nodes, 60);
    tcase_add_test(nodes, set_puts_values_lists_and_maps_where_the_path_says);
    tcase_add_test(nodes, a_replaced_value_keeps_its_place_and_names_the_set_as_its_source);
    tcase_add_test(nodes, a_malformed_set_is_wrong_use_and_says_why);
    tcase_add_test(nodes, a_bad_document_is_refused_in_one_line_that_names_the_place);
    tcase_add_test(nodes, an_empty_document_is_an_empty_map);
    tcase_add_test(nodes, every_value_knows_its_line);
    tcase_add_loop_test(nodes, what_is_too_large_or_too_deep_is_refused_soon, 0, 7);
    tcase_add_test(nodes, sixty_four_levels_and_a_long_value_are_accepted);
    tcase_add_test(nodes, files_that_are_none_are_refused);
    tcase_add_test(nodes, random_trees_survive_writing_and_reading);
    tcase_add_test(nodes, text_is_written_in_the_documented_style);
    tcase_add_test(nodes, damaged_recipes_never_crash_and_fail_in_one_line);
    suite_add_tcase(suite, nodes);
}

int main(void) {
    Suite *suite = suite_create("yaml");
    add_nodes(suite);
    return run_suite(suite);
}
