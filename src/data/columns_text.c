/* Columns as a text in a dataset: names, and the classes that numbers stand for. With it the next table of the same
 * kind gets the same numbers, and whoever opens the file sees what it has. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "columns.h"
#include "config/yaml.h"

#define MOST_BYTES ((int64_t)16 << 20) /* what is read of a text of YAML */

/* ---- writing ---- */

/* Lists are long: children are chained here, for dt_yaml_append looks for the last one each time. */
typedef struct chain {
    dt_yaml *parent, *last;
} chain;

static dt_status append(chain *c, dt_yaml *child) {
    if (!child || !c->parent) return dt_fail_memory("the columns", sizeof *child);
    if (c->last)
        c->last->next = child;
    else
        c->parent->first = child;
    c->last = child;
    return dt_ok();
}

static dt_yaml *text_node(const char *key, const char *text) {
    dt_yaml *node = dt_yaml_new(DT_YAML_SCALAR, key, text, "columns");
    if (node) node->quoted = true;
    return node;
}

static dt_status put_categories(const dt_columns *columns, const dt_column *column, chain *entry) {
    if (!column->categories) return dt_ok();
    chain list = {.parent = dt_yaml_new(DT_YAML_LIST, "classes", NULL, "columns")};
    DT_TRY(append(entry, list.parent));
    for (int32_t i = 0; i < dt_categories_count(column->categories); i++)
        DT_TRY(append(&list, text_node(NULL, dt_categories_text(column->categories, i))));
    if (!columns->one_hot || column->role == DT_ROLE_TARGET) return dt_ok();
    return append(entry, dt_yaml_new(DT_YAML_SCALAR, "one_hot", "true", "columns"));
}

static dt_status put_role(const dt_columns *columns, dt_role role, const char *key, chain *root) {
    chain list = {.parent = dt_yaml_new(DT_YAML_LIST, key, NULL, "columns")};
    DT_TRY(append(root, list.parent));
    for (size_t i = 0; i < columns->count; i++) {
        if (columns->all[i].role != role) continue;
        chain entry = {.parent = dt_yaml_new(DT_YAML_MAP, NULL, NULL, "columns")};
        DT_TRY(append(&list, entry.parent));
        DT_TRY(append(&entry, text_node("name", columns->all[i].name)));
        DT_TRY(put_categories(columns, &columns->all[i], &entry));
    }
    return dt_ok();
}

static dt_status write_text(dt_h5 *file, const char *text) {
    int64_t bytes = (int64_t)strlen(text);
    DT_TRY(dt_h5_create_dataset(file, "/columns", DT_U8, &(dt_shape){1, {bytes}}, 0));
    DT_TRY(dt_h5_put_text(file, "/columns", "encoding", "UTF-8"));
    return dt_h5_write_rows(file, "/columns", DT_U8, 0, bytes, text);
}

static dt_status make_tree(const dt_columns *columns, dt_yaml *tree) {
    chain root = {.parent = tree};
    DT_TRY(put_role(columns, DT_ROLE_INPUT, "inputs", &root));
    return columns->targets > 0 ? put_role(columns, DT_ROLE_TARGET, "targets", &root) : dt_ok();
}

dt_status dt_columns_text(const dt_columns *columns, char **text) {
    dt_yaml *tree = dt_yaml_new(DT_YAML_MAP, NULL, NULL, "columns");
    *text = NULL;
    if (!tree) return dt_fail_memory("the columns", sizeof *tree);
    dt_status status = make_tree(columns, tree);
    if (status.code == DT_OK && !(*text = dt_yaml_emit(tree))) status = dt_fail_memory("the columns", sizeof *tree);
    dt_yaml_destroy(tree);
    return status;
}

dt_status dt_columns_write(const dt_columns *columns, dt_h5 *file) {
    char *text;
    dt_status status = dt_columns_text(columns, &text);
    if (status.code == DT_OK) status = write_text(file, text);
    dt_free(text);
    return status;
}

/* ---- reading ---- */

static size_t length_of(const dt_yaml *list) {
    size_t count = 0;
    for (const dt_yaml *node = list ? list->first : NULL; node; node = node->next) count++;
    return count;
}

static dt_status take_categories(const dt_columns *columns, dt_column *column, const dt_yaml *list) {
    DT_TRY(dt_categories_create(&column->categories));
    for (const dt_yaml *node = list->first; node; node = node->next)
        if (node->text) DT_TRY(dt_categories_add(column->categories, node->text));
    if (dt_categories_count(column->categories) > DT_MOST_CATEGORIES)
        return dt_fail(DT_ERR_CORRUPT, "%s: /columns has more than %d classes of the column \"%.60s\"",
                       columns->known_from, DT_MOST_CATEGORIES, column->name);
    return dt_categories_sort(column->categories);
}

static dt_status take_role(dt_columns *columns, const dt_yaml *list, dt_role role) {
    for (const dt_yaml *node = list ? list->first : NULL; node; node = node->next) {
        dt_column *column = &columns->all[columns->count++];
        const dt_yaml *name = dt_yaml_get(node, "name"), *classes = dt_yaml_get(node, "classes");
        column->role = role;
        column->name = dt_strdup(name && name->text ? name->text : "");
        if (!column->name) return dt_fail_memory("the names of columns", 1);
        if (!name || !name->text)
            return dt_fail(DT_ERR_CORRUPT, "%s: /columns has a column without a name", columns->known_from);
        if (classes) DT_TRY(take_categories(columns, column, classes));
        columns->one_hot |= dt_yaml_get(node, "one_hot") != NULL;
        columns->targets += role == DT_ROLE_TARGET;
    }
    return dt_ok();
}

static dt_status take_tree(dt_columns *columns, const dt_yaml *root) {
    const dt_yaml *inputs = dt_yaml_get(root, "inputs"), *targets = dt_yaml_get(root, "targets");
    size_t count = length_of(inputs) + length_of(targets);
    columns->all = dt_alloc(count + 1, sizeof *columns->all);
    if (!columns->all) return dt_fail_memory("the columns", count * sizeof *columns->all);
    DT_TRY(take_role(columns, inputs, DT_ROLE_INPUT));
    return take_role(columns, targets, DT_ROLE_TARGET);
}

dt_status dt_columns_parse(dt_columns *columns, const char *text, const char *path) {
    columns->known = true;
    columns->known_from = path;
    dt_yaml *root = NULL;
    dt_status status = dt_yaml_parse_text(&root, "/columns", text);
    if (status.code == DT_OK) status = take_tree(columns, root);
    dt_yaml_destroy(root);
    return status;
}

dt_status dt_columns_read(dt_columns *columns, const char *path) {
    void *bytes;
    int64_t count;
    DT_TRY(dt_h5_fetch(path, "/columns", DT_U8, MOST_BYTES, &bytes, &count));
    if (count == 0)
        return dt_fail(DT_ERR_INPUT, "%s: has no /columns, so it was not made by import csv; --like needs one that was",
                       path);
    char *text = dt_alloc((size_t)count + 1, 1);
    if (text) memcpy(text, bytes, (size_t)count);
    dt_free(bytes);
    dt_status status = text ? dt_columns_parse(columns, text, path) : dt_fail_memory("the columns", count);
    dt_free(text);
    return status;
}
