/* What one site says to the others in a round, as a file: a header of fixed size, a payload, and a signature over both.
 * Little-endian:
 *
 *     0  magic          8   89 'd' 't' 'm' 'a' 'i' 'l' 0a
 *     8  version        4   1
 *    12  kind           4   dt_message_kind
 *    16  site          64   its name, zeros behind it
 *    80  round          8
 *    88  stage          4   of the round: 0 where it has one alone
 *    92  bits           4   of a word of a change: 32, 8 or 4; else 0
 *    96  common         8   digest of the common state that the round begins from
 *   104  recipe         8   hash of what must be alike in all sites' recipes
 *   112  group         16   hash of the members, their keys and the quorum (members.h)
 *   128  weight         8   what a change counts for
 *   136  count          8   words of a change; else 0
 *   144  length         8   bytes of the payload
 *   152  hash          32   of the payload, BLAKE2b-256
 *   184  zeros          8
 *   192  signature     64   Ed25519, of the 192 bytes before, and so of the payload, too
 *   256  payload
 *
 * Nothing of such a file is believed before the signature holds, but the name of the site whose key is to be tried; no
 * byte of the payload before its hash does; and no memory is taken for more than the round expects. What else may lie
 * there, a pipe, a link, a file of another kind or of terabytes, costs a look. Each fault has words of its own. */
#ifndef DTRAIN_SITE_MESSAGE_H
#define DTRAIN_SITE_MESSAGE_H

#include "base/status.h"
#include "members.h"

#define DT_MESSAGE_HEADER 256
#define DT_MESSAGE_ID 32

typedef enum dt_message_kind { DT_MESSAGE_PART = 1, DT_MESSAGE_VOTE = 2, DT_MESSAGE_STATE = 3 } dt_message_kind;

typedef struct dt_message {
    uint32_t kind, stage, bits;
    int member; /* whose it is */
    int64_t round;
    uint64_t common, recipe, weight, count, length;
    uint8_t id[DT_MESSAGE_ID]; /* BLAKE2b-256 of what is signed: two messages with one id say the same */
} dt_message;

/* What a message must be to count. */
typedef struct dt_message_wanted {
    const dt_members *members;
    uint32_t kind, stage;
    int64_t round;
    uint64_t common, recipe;
    uint32_t bits;        /* exactly */
    uint64_t count;       /* exactly */
    uint64_t least, most; /* bytes of its payload */
} dt_message_wanted;

typedef enum dt_message_fault {
    DT_MESSAGE_SOUND,
    DT_MESSAGE_GONE,     /* no file, or no longer */
    DT_MESSAGE_NO_FILE,  /* a pipe, a link, a device, a directory; or the system cannot read it */
    DT_MESSAGE_TORN,     /* shorter than it says; it may still be on its way */
    DT_MESSAGE_GARBAGE,  /* something else */
    DT_MESSAGE_FOREIGN,  /* of a site that is no member, or of a later version */
    DT_MESSAGE_FORGED,   /* the signature is not its site's, or the header was altered */
    DT_MESSAGE_RECIPE,   /* of another recipe, or of another list of members */
    DT_MESSAGE_REPLAYED, /* of another round, stage or kind */
    DT_MESSAGE_PARTED,   /* of this round, but from another common state */
    DT_MESSAGE_SIZE,     /* signed, and yet not of the size the round has; or longer than it says */
    DT_MESSAGE_ALTERED,  /* the payload is not what was signed */
} dt_message_fault;

/* Makes the header of a message of `wanted` by the owner of `key`, the member `member`, with this payload. */
dt_status dt_message_seal(const dt_message_wanted *wanted, int member, const dt_site_key *key, uint64_t weight,
                          const void *payload, size_t length, uint8_t header[DT_MESSAGE_HEADER], dt_message *out);

/* The id that such a message has. */
void dt_message_identify(const dt_message_wanted *wanted, int member, uint64_t weight, const void *payload,
                         size_t length, uint8_t id[DT_MESSAGE_ID]);

/* Puts it at `path`, whole or not at all, and on the disk. */
dt_status dt_message_write(const char *path, const uint8_t header[DT_MESSAGE_HEADER], const void *payload,
                           size_t length);

/* Reads and checks. *payload, to dt_free, is what it says, [out->length]; a `payload` of NULL only has it checked. A
 * failure names the file, the site where it is known, and what is wrong; *fault says it for programs. */
dt_status dt_message_read(const char *path, const dt_message_wanted *wanted, dt_message *out, void **payload,
                          dt_message_fault *fault);

/* The header alone, of a message of any round of these members and this recipe: who signed it, and where it belongs. */
dt_status dt_message_glance(const char *path, const dt_members *members, uint64_t recipe, dt_message *out);

/* Puts a file, such as a message that was written before, at `path`, whole or not at all, and on the disk. */
dt_status dt_message_copy(const char *from, const char *path);

#endif
