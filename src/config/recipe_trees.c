/* The fields of a recipe that are trees and are decoded here: model.freeze, optimizer.groups and sites.members. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "groups.h"
#include "recipe_internal.h"
#include "shown.h"

/* ---- optimizer.groups ---- */

#define ROW(name, what) .key = #name, .type = DT_FIELD_##what, .offset = offsetof(dt_group, name)

static const dt_field group_fields[] = {
    {ROW(params, TEXT), .fallback = NULL, .min = 1, .flags = DT_FIELD_REQUIRED,
     .help =
         "pattern of tensors' names, as dtrain inspect shows them: \"dense1/*\", \"*/b\"; of several the first counts"},
    {ROW(lr, REAL), .fallback = "1", .flags = DT_FIELD_ABOVE,
     .help = "their learning rate, in the place of optimizer.lr; the schedule applies to it alike"},
    {ROW(weight_decay, REAL), .fallback = "0", .max = INFINITY, .help = "in the place of optimizer.weight_decay"},
    {ROW(l2, REAL), .fallback = "0", .max = INFINITY, .help = "in the place of optimizer.l2"},
    {.key = NULL},
};

static dt_status decode_group(const dt_yaml *node, int index, dt_group *out) {
    char prefix[48];
    snprintf(prefix, sizeof prefix, "optimizer.groups.%d.", index);
    DT_TRY(dt_fields_decode(group_fields, node, prefix, NULL, out));
    out->has_lr = dt_yaml_get(node, "lr") != NULL;
    out->has_weight_decay = dt_yaml_get(node, "weight_decay") != NULL;
    out->has_l2 = dt_yaml_get(node, "l2") != NULL;
    if (out->has_lr || out->has_weight_decay || out->has_l2) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "%s%s: optimizer.groups.%d says nothing of %s; give lr, weight_decay or l2",
                   dt_source_noun(node->source), node->source, index, out->params);
}

static dt_status fail_groups(const dt_yaml *node) {
    return dt_fail(DT_ERR_INPUT,
                   "%s%s: optimizer.groups must be a list of groups, as in [{params: \"dense1/*\", lr: 0.0001}]",
                   dt_source_noun(node->source), node->source);
}

dt_status dt_groups_decode(const dt_yaml *groups, dt_group **out, int *count) {
    *out = NULL;
    *count = 0;
    if (!groups) return dt_ok();
    if (groups->kind != DT_YAML_LIST) return fail_groups(groups);
    int all = 0;
    for (const dt_yaml *node = groups->first; node; node = node->next) all++;
    if (all == 0) return dt_ok();
    dt_group *list = dt_alloc((size_t)all, sizeof *list);
    if (!list) return dt_fail_memory("the optimizer's groups", (size_t)all * sizeof *list);
    dt_status status = dt_ok();
    for (const dt_yaml *node = groups->first; node && status.code == DT_OK; node = node->next) {
        status = node->kind == DT_YAML_MAP ? decode_group(node, *count, &list[*count]) : fail_groups(node);
        ++*count;
    }
    if (status.code == DT_OK)
        *out = list;
    else
        dt_free(list);
    return status;
}

/* ---- model.freeze ---- */

static dt_status check_freeze(const dt_yaml *freeze) {
    bool usable = freeze->kind == DT_YAML_LIST;
    for (const dt_yaml *item = freeze->first; usable && item; item = item->next)
        usable = item->kind == DT_YAML_SCALAR && item->text[0];
    if (usable) return dt_ok();
    char shown[DT_SHOWN];
    return dt_fail(DT_ERR_INPUT,
                   "%s%s: model.freeze%s%s%s must be a list of patterns of tensors' names, as in [\"embedding1\", "
                   "\"block*\"]",
                   dt_source_noun(freeze->source), freeze->source, freeze->text ? " is \"" : "",
                   freeze->text ? dt_shown(freeze->text, shown) : "", freeze->text ? "\"; it" : "");
}

/* ---- sites.members ---- */

/* Names and keys themselves: site/members.h. */
static dt_status check_members(const dt_yaml *members) {
    bool usable = members->kind == DT_YAML_MAP && members->first && members->first->next;
    for (const dt_yaml *item = members->first; usable && item; item = item->next)
        usable = item->kind == DT_YAML_SCALAR && item->text[0];
    if (usable) return dt_ok();
    return dt_fail(
        DT_ERR_INPUT,
        "%s%s: sites.members must be a map of two sites or more and the public keys that dtrain keys prints, as "
        "in {north: site1-…, south: site1-…}",
        dt_source_noun(members->source), members->source);
}

/* ---- all ---- */

dt_status dt_recipe_check_trees(const dt_recipe *recipe) {
    dt_group *groups;
    int count;
    DT_TRY(dt_groups_decode(recipe->groups, &groups, &count));
    dt_free(groups);
    if (recipe->freeze) DT_TRY(check_freeze(recipe->freeze));
    return recipe->members ? check_members(recipe->members) : dt_ok();
}

char *dt_recipe_trees_help(void) {
    static const char intro[] =
        "model.freeze      list of patterns of tensors' names (see dtrain inspect) that stay as they are; a batch_norm "
        "all\n"
        "                  of whose tensors are frozen normalises by its running statistics: [\"embedding1\", "
        "\"block*\"]\n"
        "optimizer.groups  list of groups of tensors with numbers of their own: [{params: \"dense2\", lr: 0.01}].\n"
        "                  What a group does not say is the optimizer's. Its fields:\n";
    static const char after[] =
        "sites.members     map of the sites that train together through sites.mailbox, each with the public key that\n"
        "                  dtrain keys prints, in the same order in all recipes: {north: site1-..., south: "
        "site1-...}\n";
    char *fields = dt_fields_help(group_fields, "  "), *all = NULL;
    size_t size = fields ? sizeof intro + sizeof after + strlen(fields) : 0;
    if (fields) all = dt_alloc(size, 1);
    if (all) snprintf(all, size, "%s%s%s", intro, fields, after);
    dt_free(fields);
    return all;
}
