/* The tree a recipe is read into: every value remembers where it stood, and --set can change the tree before anything
 * looks at it. */
#include "config/yaml.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "shown.h"
#include "yaml_internal.h"

const char *dt_source_noun(const char *source) {
    return strncmp(source, "--set ", 6) == 0 || strncmp(source, "the ", 4) == 0 ? "" : "recipe ";
}

dt_yaml *dt_yaml_new(dt_yaml_kind kind, const char *key, const char *text, const char *source) {
    dt_yaml *node = dt_alloc(1, sizeof *node);
    if (!node) return NULL;
    node->kind = kind;
    node->source = dt_strdup(source ? source : "");
    if (key) node->key = dt_strdup(key);
    if (kind == DT_YAML_SCALAR) node->text = dt_strdup(text ? text : "");
    if (node->source && (!key || node->key) && (kind != DT_YAML_SCALAR || node->text)) return node;
    dt_yaml_destroy(node);
    return NULL;
}

void dt_yaml_append(dt_yaml *parent, dt_yaml *child) {
    dt_yaml **at = &parent->first;
    while (*at) at = &(*at)->next;
    *at = child;
}

void dt_yaml_destroy(dt_yaml *node) {
    if (!node) return;
    for (dt_yaml *child = node->first, *next; child; child = next) {
        next = child->next;
        dt_yaml_destroy(child);
    }
    dt_free(node->key);
    dt_free(node->text);
    dt_free(node->source);
    dt_free(node);
}

dt_yaml *dt_yaml_clone(const dt_yaml *node) {
    if (!node) return NULL;
    dt_yaml *copy = dt_yaml_new(node->kind, node->key, node->text, node->source);
    if (!copy) return NULL;
    copy->quoted = node->quoted;
    dt_yaml **at = &copy->first;
    for (const dt_yaml *child = node->first; child; child = child->next, at = &(*at)->next) {
        *at = dt_yaml_clone(child);
        if (!*at) {
            dt_yaml_destroy(copy);
            return NULL;
        }
    }
    return copy;
}

/* Levels of the tree: 1 for a scalar. */
static int height(const dt_yaml *node) {
    int tallest = 0;
    for (const dt_yaml *child = node->first; child; child = child->next) {
        int tall = height(child);
        if (tall > tallest) tallest = tall;
    }
    return tallest + 1;
}

/* The place in `parent` of the child called part[length]: where it hangs or, at the end, where it would. `count` is
 * how many children come before. NULL: such a child cannot be, because part is no index of the list. */
static dt_yaml **find(dt_yaml *parent, const char *part, size_t length, long *count) {
    bool list = parent->kind == DT_YAML_LIST;
    long index = -1;
    if (list && length > 0 && length < 8 && strspn(part, "0123456789") >= length) index = strtol(part, NULL, 10);
    *count = 0;
    dt_yaml **at = &parent->first;
    for (; *at; at = &(*at)->next, ++*count) {
        const char *key = (*at)->key;
        if (list ? *count == index : key && strlen(key) == length && memcmp(key, part, length) == 0) return at;
    }
    return !list || index == *count ? at : NULL;
}

dt_yaml *dt_yaml_get(const dt_yaml *root, const char *path) {
    dt_yaml *node = (dt_yaml *)root;
    while (node && *path) {
        size_t length = strcspn(path, ".");
        long count;
        dt_yaml **at = node->kind == DT_YAML_SCALAR ? NULL : find(node, path, length, &count);
        node = at ? *at : NULL;
        path += length + (path[length] == '.');
    }
    return node;
}

/* An empty value, as in `optimizer:`, may become a map; any other value cannot. */
static dt_status open_group(dt_yaml *node, const char *path, int length) {
    if (node->kind != DT_YAML_SCALAR) return dt_ok();
    char shown[DT_SHOWN];
    if (node->text[0] != '\0')
        return dt_fail(DT_ERR_INPUT, "%.*s is \"%s\" and has no fields yet; give it as a whole, as in %.*s={…}", length,
                       path, dt_shown(node->text, shown), length, path);
    node->kind = DT_YAML_MAP;
    dt_free(node->text);
    node->text = NULL;
    return dt_ok();
}

/* Hangs `value` at a place `find` gave, in the stead of what hung there. */
static dt_status hang(dt_yaml **at, dt_yaml *value, bool in_list, const char *part) {
    char *key = in_list ? NULL : dt_strdup(part);
    if (!in_list && !key) return dt_fail_memory("a key", strlen(part));
    dt_free(value->key);
    value->key = key;
    dt_yaml *old = *at;
    value->next = old ? old->next : NULL;
    *at = value;
    dt_yaml_destroy(old);
    return dt_ok();
}

/* A new empty map called part[length], or without a name in a list; NULL when memory is short. */
static dt_yaml *make_group(bool in_list, const char *part, size_t length, const char *source) {
    dt_yaml *group = dt_yaml_new(DT_YAML_MAP, NULL, NULL, source);
    if (!group || in_list) return group;
    group->key = dt_alloc(length + 1, 1);
    if (group->key) {
        memcpy(group->key, part, length);
        return group;
    }
    dt_yaml_destroy(group);
    return NULL;
}

static dt_status put(dt_yaml *root, const char *path, dt_yaml *value) {
    dt_yaml *node = root;
    int room = DT_YAML_MAX_DEPTH - height(value);
    for (const char *part = path;; room--) {
        size_t length = strcspn(part, ".");
        int above = part > path ? (int)(part - path) - 1 : 0; /* bytes of the path to `node` */
        if (length == 0) return dt_fail(DT_ERR_INPUT, "%s has an empty part; it must be like optimizer.lr", path);
        if (room == 0) return dt_fail(DT_ERR_INPUT, "%.40s… nests deeper than %d levels", path, DT_YAML_MAX_DEPTH);
        DT_TRY(open_group(node, path, above));
        bool in_list = node->kind == DT_YAML_LIST;
        long count;
        dt_yaml **at = find(node, part, length, &count);
        if (!at)
            return dt_fail(DT_ERR_INPUT, "%.*s is a list of %ld; what follows must be a number from 0 to %ld, not %.*s",
                           above, path, count, count, (int)length, part);
        if (part[length] == '\0') return hang(at, value, in_list, part);
        if (!*at) *at = make_group(in_list, part, length, value->source);
        if (!*at) return dt_fail_memory("a group of fields", length);
        node = *at;
        part += length + 1;
    }
}

dt_status dt_yaml_put(dt_yaml *root, const char *path, dt_yaml *value) {
    dt_status status = value ? put(root, path, value) : dt_fail_memory(path, sizeof *value);
    if (status.code != DT_OK) dt_yaml_destroy(value);
    return status;
}
