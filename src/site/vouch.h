/* The common state as a file in a mailbox, for a site whose own is gone or of a round whose files are: every so many
 * rounds (sites.keep) one site puts it there, and every site signs its hash.
 *
 *     MAILBOX/round-00000012/common-18d2….h5        a checkpoint of what all sites have alike, and of nothing else
 *     MAILBOX/round-00000012/north-93ab….state      a message with its BLAKE2b-256: "I computed this"
 *
 * The file is a stranger's until a quorum of members have signed what it hashes to. Digests of states, which are no
 * cryptographic hashes, only find it. Not collective. */
#ifndef DTRAIN_SITE_VOUCH_H
#define DTRAIN_SITE_VOUCH_H

#include "message.h"
#include "store/checkpoint.h"

typedef struct dt_vouching {
    const char *mailbox;
    const dt_members *members;
    uint64_t recipe;
} dt_vouching;

/* A state in the mailbox. */
typedef struct dt_vouched {
    int64_t round;
    uint64_t digest; /* by its name */
    char path[4096];
} dt_vouched;
#define DT_MOST_VOUCHED 16

/* Puts the state of the round that begins there, unless it is, and this site's message. `state` has nothing beside its
 * digest. */
dt_status dt_vouch(const dt_vouching *v, int me, const dt_site_key *key, const dt_state *state);

/* Whether the files of `round` are gone, and those of later ones are not. */
dt_status dt_vouch_is_gone(const dt_vouching *v, int64_t round, bool *gone);
/* The newest states of rounds from `least` on, newest first. */
dt_status dt_vouch_list(const dt_vouching *v, int64_t least, dt_vouched out[DT_MOST_VOUCHED], int *count);
/* How many members have signed that the common state of this round is `state`. */
dt_status dt_vouch_count(const dt_vouching *v, const dt_vouched *of, const dt_state *state, int *count);

/* RUN/site/lost says up to which round this site signed parts that it has no record of: those in the mailbox count. */
dt_status dt_vouch_note_lost(const dt_vouching *v, int me, const char *records);
bool dt_vouch_is_lost(const char *records, int64_t round);

/* Whether a file of this name in a round's directory is one of those above. */
bool dt_vouch_is_named(const char *name);

#endif
