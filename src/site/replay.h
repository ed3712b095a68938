/* Rounds of a mailbox computed again from what one site kept of them: its records say what it signed, and which parts
 * it decided to be in; the mailbox has these parts, signed. Nothing is written, and no key is needed. Not collective.
 *
 * Of masked rounds the sum is nobody's to make once more, so what follows from a round is not known here; that the
 * site's own change was what its data give is, by a hash it kept. */
#ifndef DTRAIN_SITE_REPLAY_H
#define DTRAIN_SITE_REPLAY_H

#include "mailbox.h"

typedef struct dt_replay dt_replay;

typedef struct dt_replay_options {
    const char *mailbox;       /* it may be gone */
    const char *records;       /* of the site */
    const dt_members *members; /* kept */
    int me;
    bool masks;
} dt_replay_options;

dt_status dt_replay_open(dt_replay **out, const dt_replay_options *options);
void dt_replay_close(dt_replay *replay); /* accepts NULL */

/* As dt_mailbox_gather and dt_mailbox_fetch. DT_ERR_DIVERGED with `differs`: the own part is not what was signed;
 * DT_ERR_STOPPED with `lost`: the parts that were in are not there. */
dt_status dt_replay_gather(dt_replay *replay, const dt_gather *gather, dt_gathered *out);
dt_status dt_replay_fetch(dt_replay *replay, const dt_gather *gather, const dt_gathered *gathered, int member,
                          void **part);

typedef struct dt_replayed {
    bool differs, lost; /* of the last round */
    int64_t compared;   /* own parts that were what was signed */
} dt_replayed;
const dt_replayed *dt_replay_said(const dt_replay *replay);

/* What there is of a round, by names alone. */
typedef struct dt_replay_has {
    bool own; /* what the site signed, or that it signed nothing */
    bool sum; /* the parts it is made of */
} dt_replay_has;
dt_status dt_replay_look(const dt_replay_options *options, int64_t round, dt_replay_has *out);

/* Whose records these are, by what is signed in them; -1: nothing in them is a member's. */
dt_status dt_replay_owner(const char *records, const dt_members *members, uint64_t recipe, int *member);

/* Keeps a hash of a change that goes out masked. DT_ERR_DIVERGED: another one was kept for this round. */
typedef struct dt_replay_change {
    int64_t round;
    const uint32_t *words; /* [count] */
    size_t count;
    int bits;
    uint64_t weight;
} dt_replay_change;
dt_status dt_replay_note(dt_mailbox *box, const dt_replay_change *change);

#endif
