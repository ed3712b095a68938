#include "members.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/memory.h"
#include "secret.h"

static dt_status fail_at(const dt_yaml *node, dt_status why) {
    return dt_status_within(why, "%s%s", dt_source_noun(node->source), node->source);
}

static dt_status take_member(const dt_yaml *node, const dt_members *so_far, dt_member *out) {
    dt_status status = dt_site_name_check(node->key);
    if (status.code != DT_OK) return fail_at(node, status);
    if (node->kind != DT_YAML_SCALAR)
        return fail_at(node, dt_fail(DT_ERR_INPUT, "site %s has no public key (dtrain keys make %s prints one)",
                                     node->key, node->key));
    status = dt_public_key_parse(&out->key, node->text);
    if (status.code != DT_OK) return fail_at(node, dt_status_within(status, "site %s", node->key));
    for (int i = 0; i < so_far->count; i++)
        if (memcmp(so_far->list[i].key.sign, out->key.sign, sizeof out->key.sign) == 0)
            return fail_at(node, dt_fail(DT_ERR_INPUT, "sites %s and %s have one key; each site makes its own",
                                         so_far->list[i].name, node->key));
    snprintf(out->name, sizeof out->name, "%s", node->key);
    return dt_ok();
}

static dt_status choose_quorum(dt_members *members, const dt_yaml *tree, int64_t quorum, bool all) {
    int most = members->count, least = most / 2 + 1;
    members->quorum = quorum > 0 ? (int)quorum : all ? most : least;
    if (quorum >= 0 && (quorum == 0 || (quorum >= least && quorum <= most))) return dt_ok();
    return fail_at(tree, dt_fail(DT_ERR_INPUT,
                                 "sites.quorum is %lld; of %d members it is %d to %d, or two halves could decide two "
                                 "things",
                                 (long long)quorum, most, least, most));
}

/* Everything that has a length of its own is preceded by it, so that no two lists give the same bytes. */
static void hash_group(dt_members *members) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof members->group);
    uint8_t numbers[8] = {(uint8_t)members->count,  (uint8_t)(members->count >> 8), 0, 0,
                          (uint8_t)members->quorum, (uint8_t)(members->quorum >> 8)};
    crypto_generichash_update(&state, numbers, sizeof numbers);
    for (int i = 0; i < members->count; i++) {
        char name[DT_SITE_NAME] = "";
        memcpy(name, members->list[i].name, strlen(members->list[i].name));
        crypto_generichash_update(&state, (const uint8_t *)name, sizeof name);
        crypto_generichash_update(&state, members->list[i].key.sign, sizeof members->list[i].key.sign);
        crypto_generichash_update(&state, members->list[i].key.agree, sizeof members->list[i].key.agree);
    }
    crypto_generichash_final(&state, members->group, sizeof members->group);
}

dt_status dt_members_decode(dt_members *out, const dt_yaml *tree, int64_t quorum, bool all) {
    memset(out, 0, sizeof *out);
    DT_TRY(dt_secret_ready());
    int count = 0;
    for (const dt_yaml *node = tree->kind == DT_YAML_MAP ? tree->first : NULL; node; node = node->next) count++;
    if (count < 2 || count > DT_MOST_MEMBERS)
        return fail_at(tree, dt_fail(DT_ERR_INPUT,
                                     "sites.members must be a map of 2 to %d sites and their public keys, as in "
                                     "{north: site1-…, south: site1-…}",
                                     DT_MOST_MEMBERS));
    out->list = dt_alloc((size_t)count, sizeof *out->list);
    if (!out->list) return dt_fail_memory("the members", (size_t)count * sizeof *out->list);
    for (const dt_yaml *node = tree->first; node; node = node->next) {
        DT_TRY(take_member(node, out, &out->list[out->count]));
        out->count++;
    }
    DT_TRY(choose_quorum(out, tree, quorum, all));
    hash_group(out);
    return dt_ok();
}

void dt_members_close(dt_members *members) {
    dt_free(members->list);
    members->list = NULL;
    members->count = 0;
}

int dt_members_find(const dt_members *members, const char *name) {
    for (int i = 0; i < members->count; i++)
        if (strcmp(members->list[i].name, name) == 0) return i;
    return -1;
}
