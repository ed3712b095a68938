/* What a site knows of one stage of one round: the files that are in its mailbox, what is wrong with them, whose parts
 * are there, and all votes. */
#ifndef DTRAIN_SITE_DESK_H
#define DTRAIN_SITE_DESK_H

#include <sys/stat.h>

#include "mailbox.h"

/* A set: of each member its part; zeros: it is not in. */
typedef struct dt_part_ids {
    uint8_t of[DT_MOST_MEMBERS][DT_MESSAGE_ID];
} dt_part_ids;

/* A file as it was when it was last looked at. */
typedef struct dt_letter {
    char name[DT_SITE_NAME + 24];
    struct stat about;
    bool there, vote, told;
    dt_message_fault fault;
    dt_message message;
    char complaint[sizeof((dt_status *)0)->message];
} dt_letter;

typedef struct dt_desk {
    const dt_members *members;
    const dt_site_key *key;
    int me;
    const dt_gather *gather;
    dt_message_wanted part, vote;                           /* what such messages must be */
    char directory[4096], records[4096], all_records[4096]; /* of the stage; of all rounds */
    dt_letter *letters;                                     /* [count], room for `room` */
    int count, room;
    bool crowded; /* that has been said */
    bool doubled[DT_MOST_MEMBERS];
    dt_part_ids *sets;
    dt_agreement_set *about; /* of the sets */
    int set_count, set_room;
    dt_vote *votes;
    int vote_count, vote_room;
    double since; /* when this site began with it, in seconds since 1970 */
} dt_desk;

#define DT_DESK_NAME 40      /* room for the name of a round's directory */
#define DT_DESK_COPY ".copy" /* how the names of records end that are there to be sent again */

/* ---- names (desk_files.c) ---- */

/* What the files of a stage of a round are in: "round-00000012-1". */
void dt_desk_name(char out[DT_DESK_NAME], int64_t round, unsigned stage);
/* The round whose files, or records, are in a directory of this name. False: it is none. */
bool dt_desk_round_of(const char *name, int64_t *round);
/* What a message is called in there. */
void dt_desk_file_name(const dt_members *members, const dt_message *message, char out[DT_SITE_NAME + 24]);
/* above/name, into `out`, with the rights that `above` gives others. */
dt_status dt_desk_make_directory(char out[4096], const char *above, const char *name);
/* What stands at `path` and is no file, a pipe or a link, say, goes: it is nobody's work. */
void dt_desk_clear(const char *path);

/* ---- files (desk.c) ---- */

/* What a part of this stage of a round must be. */
dt_message_wanted dt_desk_wanted_part(const dt_members *members, const dt_gather *gather);
/* Of a mailbox and the records of a site. To be closed, also after a failure. */
dt_status dt_desk_open(dt_desk *desk, const dt_mailbox_options *options, int me, const dt_gather *gather);
void dt_desk_close(dt_desk *desk);

/* Looks at all files that are new or changed; warns of what is wrong with them, once. Only memory can fail. */
dt_status dt_desk_look(dt_desk *desk);

/* A sound part of this member that is here, with this id, or any where `id` is NULL. */
const dt_letter *dt_desk_part(const dt_desk *desk, int member, const uint8_t *id);

/* The number of a set, which is added where it is new. */
dt_status dt_desk_set(dt_desk *desk, const dt_part_ids *ids, int *set);
/* Of all sets, what is usable of them now. */
void dt_desk_assess(dt_desk *desk);

/* Parts that a set must have to be named after a deadline: of those expected the share that the quorum is of members.
 */
int dt_desk_enough(const dt_desk *desk);

/* Warns of what may still be on its way: when the wait is over. */
void dt_desk_complain(dt_desk *desk);

/* ---- votes (desk_votes.c) ---- */

/* Puts a vote of a sound message among the votes. */
dt_status dt_desk_take_vote(dt_desk *desk, const dt_message *message, const void *payload);
/* Signs this vote, keeps it for good, and sends it. */
dt_status dt_desk_sign_vote(dt_desk *desk, const dt_vote *vote);
/* What this site signed before: votes join the votes, and are sent again where they are missing. */
dt_status dt_desk_recall(dt_desk *desk);
/* Signs and sends the own part, unless another one was signed before. */
dt_status dt_desk_send_part(dt_desk *desk);
/* The set that this site decided before; DT_NO_SET: none. And to keep that for good. */
dt_status dt_desk_recall_decision(dt_desk *desk, int *set);
dt_status dt_desk_keep_decision(dt_desk *desk, int set);

#endif
