/* The sites of a recipe that train together through a mailbox: who they are, by what keys their messages are known, and
 * how many of them decide. */
#ifndef DTRAIN_SITE_MEMBERS_H
#define DTRAIN_SITE_MEMBERS_H

#include "agreement.h"
#include "config/yaml.h"
#include "key.h"

#define DT_GROUP_HASH 16

typedef struct dt_member {
    char name[DT_SITE_NAME];
    dt_public_key key;
} dt_member;

typedef struct dt_members {
    int count;
    int quorum; /* members that have to agree on who is in a round: more than half of them, at most all */
    dt_member *list;
    uint8_t group[DT_GROUP_HASH]; /* BLAKE2b of all the above: equal where it is all equal */
} dt_members;

/* Of a recipe's sites.members, a map of names and public keys. `quorum` is as the recipe has it, 0: by default, which
 * is all of them where `all` says so, as without a deadline, else more than half. A failure names the line. To be
 * closed, also after a failure. */
dt_status dt_members_decode(dt_members *out, const dt_yaml *tree, int64_t quorum, bool all);
void dt_members_close(dt_members *members);

/* The number of the member of this name; -1: there is none. */
int dt_members_find(const dt_members *members, const char *name);

#endif
