/* What a resumed run may not change: two recipes compute the same when all fields flagged DT_FIELD_ARITHMETIC and all
 * layers are equal, compared in their resolved form. */
#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "base/memory.h"
#include "recipe_internal.h"
#include "shown.h"

/* A checkpoint's recipe and the one it is to go on with, and what was found different so far. */
typedef struct comparison {
    dt_recipe old, new;
    const char *const *allowed;
    bool equals; /* neither is the other's checkpoint */
    char list[300];
    int listed, unlisted;
} comparison;

static bool is_in(const char *group, const char *key) {
    size_t length = strlen(group);
    return strncmp(key, group, length) == 0 && (key[length] == '\0' || key[length] == '.');
}

bool dt_recipe_allows(const char *const *allowed, const char *key) {
    const dt_field *field = dt_field_find(dt_recipe_fields, key);
    for (int i = 0; allowed && allowed[i]; i++)
        if (is_in(allowed[i], key) || (field && field->was && is_in(allowed[i], field->was))) return true;
    return false;
}

/* `old`, `new`: the values as text, or NULL where there is none. */
static void differ(comparison *c, const char *key, const char *old, const char *new) {
    char entry[300], shown_old[DT_SHOWN], shown_new[DT_SHOWN];
    if (c->equals && old && new)
        snprintf(entry, sizeof entry, "%s is %s and %s", key, dt_shown(old, shown_old), dt_shown(new, shown_new));
    else if (c->equals)
        snprintf(entry, sizeof entry, "%s is in the %s alone", key, new ? "second" : "first");
    else if (old && new)
        snprintf(entry, sizeof entry, "%s is %s but the checkpoint was trained with %s", key, dt_shown(new, shown_new),
                 dt_shown(old, shown_old));
    else
        snprintf(entry, sizeof entry, "%s is %s but the checkpoint was trained with%s it", key,
                 new ? "there" : "missing", new ? "out" : "");
    if (strlen(c->list) + strlen(entry) + 3 > sizeof c->list) {
        c->unlisted++;
        return;
    }
    dt_append(c->list, sizeof c->list, "%s%s", c->listed++ ? "; " : "", entry);
}

/* Whether a field decides what is computed, in these two recipes. */
static bool matters(const comparison *c, const dt_field *field) {
    bool steps = strcmp(field->key, "train.steps") == 0;
    if (strcmp(field->key, "train.epochs") == 0 && c->old.train.steps > 0 && c->new.train.steps > 0) return false;
    if (steps || strcmp(field->key, "train.epochs") == 0) /* they stretch every schedule but a constant one */
        return c->old.schedule.kind != DT_SCHEDULE_CONSTANT || c->new.schedule.kind != DT_SCHEDULE_CONSTANT;
    if (strcmp(field->key, "sites.rounds") == 0)
        return c->old.schedule.kind != DT_SCHEDULE_CONSTANT || c->new.schedule.kind != DT_SCHEDULE_CONSTANT;
    if (strcmp(field->key, "train.shards") == 0 && c->new.train.shards == 0)
        return false; /* as the checkpoint has it */
    return field->flags & DT_FIELD_ARITHMETIC;
}

static void compare_fields(comparison *c) {
    for (const dt_field *field = dt_recipe_fields; field->key; field++) {
        if (!matters(c, field) || dt_recipe_allows(c->allowed, field->key)) continue;
        char old[DT_VALUE_TEXT], new[DT_VALUE_TEXT];
        dt_field_text(field, &c->old, old);
        dt_field_text(field, &c->new, new);
        if (strcmp(old, new) != 0) differ(c, field->key, old, new);
    }
}

static bool compare_nodes(comparison *c, const char *path, const dt_yaml *old, const dt_yaml *new);

/* Walks the children of `one`, each with its counterpart in `two`; `swapped`: `one` is of the new recipe, and only
 * children without a counterpart are looked for. */
static bool compare_children(comparison *c, const char *path, const dt_yaml *one, const dt_yaml *two, bool swapped) {
    int index = 0;
    for (const dt_yaml *child = one->first; child; child = child->next, index++) {
        char number[16], below[512];
        snprintf(number, sizeof number, "%d", index);
        const char *part = child->key ? child->key : number;
        snprintf(below, sizeof below, "%s.%s", path, part);
        const dt_yaml *twin = dt_yaml_get(two, part);
        if (twin && swapped) continue;
        if (compare_nodes(c, below, swapped ? twin : child, swapped ? child : twin)) return true;
    }
    return false;
}

/* Reports the first difference that is not allowed; whether there was one. */
static bool compare_nodes(comparison *c, const char *path, const dt_yaml *old, const dt_yaml *new) {
    if (dt_recipe_allows(c->allowed, path)) return false;
    if (old && new && old->kind == new->kind && old->kind != DT_YAML_SCALAR)
        return compare_children(c, path, old, new, false) || compare_children(c, path, new, old, true);
    if (old && new && old->text &&new->text && strcmp(old->text, new->text) == 0) return false;
    static const char *const kinds[] = {"a value", "a list", "a map"};
    differ(c, path, old ? old->text ? old->text : kinds[old->kind] : NULL,
           new ? new->text ? new->text : kinds[new->kind] : NULL);
    return true;
}

static dt_status compare(comparison *c, const char *old_text, const char *new_text) {
    DT_TRY(dt_recipe_read_resolved(&c->old, "the checkpoint's recipe", old_text));
    DT_TRY(dt_recipe_read_resolved(&c->new, "the new recipe", new_text));
    compare_fields(c);
    for (const dt_recipe_tree *tree = dt_recipe_trees; tree->key; tree++) {
        const dt_yaml *old = *(dt_yaml *const *)((const char *)&c->old + tree->offset);
        const dt_yaml *new = *(dt_yaml *const *)((const char *)&c->new + tree->offset);
        if (old || new) compare_nodes(c, tree->key, old, new);
    }
    if (c->listed + c->unlisted == 0) return dt_ok();
    char more[48] = "";
    if (c->unlisted) snprintf(more, sizeof more, "; and %d more", c->unlisted);
    if (c->equals) return dt_fail(DT_ERR_INPUT, "%s%s", c->list, more);
    return dt_fail(DT_ERR_INPUT, "%s%s; change it back, or name it with --set to go on with the new value", c->list,
                   more);
}

static dt_status compare_as(const char *old_text, const char *new_text, const char *const *allowed, bool equals) {
    comparison *c = dt_alloc(1, sizeof *c);
    if (!c) return dt_fail_memory("the comparison of recipes", sizeof *c);
    c->allowed = allowed;
    c->equals = equals;
    dt_status status = compare(c, old_text, new_text);
    dt_recipe_finish(&c->old);
    dt_recipe_finish(&c->new);
    dt_free(c);
    return status;
}

dt_status dt_recipe_compare(const char *old_text, const char *new_text, const char *const *allowed) {
    return compare_as(old_text, new_text, allowed, false);
}

dt_status dt_recipe_differ(const char *one, const char *two) {
    return compare_as(one, two, NULL, true);
}
