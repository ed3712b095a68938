/* Sites for tests: their keys, a recipe's members, and what each of them says in a round. */
#ifndef DTRAIN_TESTS_SITES_H
#define DTRAIN_TESTS_SITES_H

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/append.h"
#include "config/yaml.h"
#include "site/mailbox.h"
#include "suite.h"

#define SITES_MOST 7

static const char *const site_names[SITES_MOST] = {"north", "south", "east", "west", "up", "down", "out"};

typedef struct sites {
    dt_site_key *key[SITES_MOST];
    dt_members members;
} sites;

/* `count` sites with new keys. */
static inline void begin_sites(sites *s, int count, int quorum) {
    char text[SITES_MOST * 160] = "", line[160], shown[DT_PUBLIC_TEXT];
    for (int i = 0; i < count; i++) {
        assert_ok(dt_site_key_make(&s->key[i], site_names[i]));
        dt_public_key_text(dt_site_key_public(s->key[i]), shown);
        snprintf(line, sizeof line, "%s: %s\n", site_names[i], shown);
        dt_append(text, sizeof text, "%s", line);
    }
    dt_yaml *tree;
    assert_ok(dt_yaml_parse_text(&tree, "members", text));
    assert_ok(dt_members_decode(&s->members, tree, quorum, false));
    dt_yaml_destroy(tree);
}

static inline void end_sites(sites *s) {
    for (int i = 0; i < s->members.count; i++) dt_site_key_close(s->key[i]);
    dt_members_close(&s->members);
}

#define WORDS 100

static const bool everybody[DT_MOST_MEMBERS] = {1, 1, 1, 1, 1, 1, 1};

/* Round 3 of all sites, in which `site` gives `part` [4*WORDS]; NULL: nothing. */
static inline dt_gather gather_of(const uint8_t *part) {
    return (dt_gather){.round = 3,
                       .common = 0xabcd,
                       .recipe = 0x1234,
                       .expected = everybody,
                       .bits = 32,
                       .count = WORDS,
                       .least = 4 * WORDS,
                       .most = 4 * WORDS,
                       .own = part,
                       .own_bytes = part ? 4 * WORDS : 0,
                       .weight = 10};
}

static inline dt_message_wanted wanted_of(const sites *s) {
    return (dt_message_wanted){.members = &s->members,
                               .kind = DT_MESSAGE_PART,
                               .round = 3,
                               .common = 0xabcd,
                               .recipe = 0x1234,
                               .bits = 32,
                               .count = WORDS,
                               .least = 4 * WORDS,
                               .most = 4 * WORDS};
}

#endif
