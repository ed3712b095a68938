/* What this site signs, and votes of all. A vote's payload: ballot, what it is (both 32 bits, little-endian), and of
 * each member the hash of its part, or zeros. Whatever is signed is first kept in the records. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "desk.h"
#include "store/h5.h"
#include "vouch.h"

typedef enum vote_kind { REPORT, PROPOSAL, PROPOSAL_OF_NONE, DECISION } vote_kind;

typedef struct vote_bytes {
    uint8_t bytes[8 + sizeof(dt_part_ids)];
    size_t length;
} vote_bytes;

/* ---- form ---- */

static void encode(const dt_desk *desk, unsigned ballot, vote_kind kind, int set, vote_bytes *out) {
    memset(out, 0, sizeof *out);
    for (int i = 0; i < 4; i++) out->bytes[i] = (uint8_t)(ballot >> (8 * i));
    out->bytes[4] = (uint8_t)kind;
    out->length = 8 + (size_t)desk->members->count * DT_MESSAGE_ID;
    if (set != DT_NO_SET) memcpy(out->bytes + 8, desk->sets[set].of, out->length - 8);
}

/* Into a ballot, a kind and a set; what no program signs is DT_ERR_CORRUPT. */
static dt_status decode(dt_desk *desk, const dt_message *message, const uint8_t *bytes, unsigned *ballot,
                        vote_kind *kind, int *set) {
    const char *site = desk->members->list[message->member].name;
    uint32_t number[2] = {0, 0};
    for (int i = 0; i < 8; i++) number[i / 4] |= (uint32_t)bytes[i] << (8 * (i % 4));
    dt_part_ids ids = {{{0}}};
    memcpy(ids.of, bytes + 8, (size_t)desk->members->count * DT_MESSAGE_ID);
    bool none = sodium_is_zero((const uint8_t *)&ids, sizeof ids);
    *ballot = number[0];
    *kind = (vote_kind)number[1];
    *set = DT_NO_SET;
    bool usual = number[1] <= DECISION && none == (number[1] == PROPOSAL_OF_NONE) && number[0] <= DT_LAST_BALLOT;
    for (int i = 0; i < desk->members->count; i++)
        usual = usual && (desk->gather->expected[i] || sodium_is_zero(ids.of[i], DT_MESSAGE_ID));
    if (!usual) return dt_fail(DT_ERR_CORRUPT, "a vote of site %s is none that can be", site);
    return none ? dt_ok() : dt_desk_set(desk, &ids, set);
}

/* ---- votes ---- */

static dt_status add_vote(dt_desk *desk, const dt_vote *vote) {
    if (desk->vote_count == desk->vote_room) {
        int room = desk->vote_room ? 2 * desk->vote_room : 32;
        dt_vote *more = dt_alloc((size_t)room, sizeof *more);
        if (!more) return dt_fail_memory("the votes of a round", (size_t)room * sizeof *more);
        if (desk->vote_count) memcpy(more, desk->votes, (size_t)desk->vote_count * sizeof *more);
        dt_free(desk->votes);
        desk->votes = more;
        desk->vote_room = room;
    }
    desk->votes[desk->vote_count++] = *vote;
    return dt_ok();
}

/* Of a member that signs more than one thing in one place the first two are kept: enough to prove it, and never more
 * than a bounded number. */
static dt_status join(dt_desk *desk, const dt_vote *vote) {
    int before = 0;
    for (int i = 0; i < desk->vote_count; i++) {
        const dt_vote *other = &desk->votes[i];
        if (other->member != vote->member || other->ballot != vote->ballot || other->proposal != vote->proposal)
            continue;
        if (other->set == vote->set) return dt_ok();
        before++;
    }
    const char *site = desk->members->list[vote->member].name, *what = vote->proposal ? "proposals" : "reports";
    if (before && vote->member == desk->me)
        return dt_fail(DT_ERR_DIVERGED,
                       "somebody else signs as this site, %s: there are two different %s of round %lld, ballot %d; two "
                       "runs of one site must not share a key",
                       site, what, (long long)desk->gather->round, vote->ballot);
    if (before == 1)
        dt_log_warn("site %s signed two different %s of round %lld, ballot %d", site, what,
                    (long long)desk->gather->round, vote->ballot);
    return before < 2 ? add_vote(desk, vote) : dt_ok();
}

dt_status dt_desk_take_vote(dt_desk *desk, const dt_message *message, const void *payload) {
    unsigned ballot;
    vote_kind kind;
    dt_vote vote = {.member = message->member};
    DT_TRY(decode(desk, message, payload, &ballot, &kind, &vote.set));
    if (kind == DECISION || ballot == 0)
        return dt_fail(DT_ERR_CORRUPT, "a vote of site %s is none that can be",
                       desk->members->list[message->member].name);
    vote.ballot = (int)ballot;
    vote.proposal = kind != REPORT;
    return join(desk, &vote);
}

/* ---- what this site signs ---- */

static bool is_sent(const dt_desk *desk, const char *name) {
    for (int i = 0; i < desk->count; i++)
        if (strcmp(desk->letters[i].name, name) == 0)
            return desk->letters[i].there && desk->letters[i].fault == DT_MESSAGE_SOUND;
    return false;
}

/* Into the mailbox, unless it is there. */
static dt_status send(const dt_desk *desk, const uint8_t header[DT_MESSAGE_HEADER], const dt_message *message,
                      const void *payload) {
    char name[DT_SITE_NAME + 24], path[4096];
    dt_desk_file_name(desk->members, message, name);
    if (is_sent(desk, name)) return dt_ok();
    DT_TRY(dt_path_join(path, desk->directory, name));
    dt_desk_clear(path);
    return dt_message_write(path, header, payload, (size_t)message->length);
}

static void record_name(char out[16], int ballot, bool proposal) {
    snprintf(out, 16, "%02d-%s", ballot, proposal ? "proposal" : "report");
}

static dt_status seal_and_keep(dt_desk *desk, const char *name, const vote_bytes *vote,
                               uint8_t header[DT_MESSAGE_HEADER], dt_message *message) {
    char path[4096];
    DT_TRY(dt_path_join(path, desk->records, name));
    DT_TRY(dt_message_seal(&desk->vote, desk->me, desk->key, 0, vote->bytes, vote->length, header, message));
    return dt_message_write(path, header, vote->bytes, vote->length);
}

dt_status dt_desk_sign_vote(dt_desk *desk, const dt_vote *vote) {
    char name[16];
    uint8_t header[DT_MESSAGE_HEADER];
    dt_message message;
    vote_bytes bytes;
    vote_kind kind = !vote->proposal ? REPORT : vote->set == DT_NO_SET ? PROPOSAL_OF_NONE : PROPOSAL;
    encode(desk, (unsigned)vote->ballot, kind, vote->set, &bytes);
    record_name(name, vote->ballot, vote->proposal);
    DT_TRY(seal_and_keep(desk, name, &bytes, header, &message));
    DT_TRY(send(desk, header, &message, bytes.bytes));
    return join(desk, vote);
}

/* A message of the records; *payload is NULL where there is none of this name. */
static dt_status read_record(dt_desk *desk, const char *name, dt_message *message, void **payload) {
    char path[4096];
    *payload = NULL;
    DT_TRY(dt_path_join(path, desk->records, name));
    if (access(path, F_OK) != 0) return dt_ok();
    dt_status status = dt_message_read(path, &desk->vote, message, payload, NULL);
    if (status.code == DT_OK && message->member != desk->me)
        status = dt_fail(DT_ERR_CORRUPT, "%s is of another site", path);
    if (status.code == DT_OK) return dt_ok();
    dt_free(*payload);
    *payload = NULL;
    return dt_status_within(status, "what this site signed before cannot be read");
}

static dt_status recall_vote(dt_desk *desk, int ballot, bool proposal, bool *known) {
    char name[16];
    dt_message message;
    void *payload;
    uint8_t header[DT_MESSAGE_HEADER];
    record_name(name, ballot, proposal);
    DT_TRY(read_record(desk, name, &message, &payload));
    *known = payload != NULL;
    if (!payload) return dt_ok();
    dt_status status = dt_desk_take_vote(desk, &message, payload);
    /* Signatures of the same bytes are the same. */
    if (status.code == DT_OK)
        status =
            dt_message_seal(&desk->vote, desk->me, desk->key, 0, payload, (size_t)message.length, header, &message);
    if (status.code == DT_OK) status = send(desk, header, &message, payload);
    dt_free(payload);
    return status;
}

dt_status dt_desk_recall(dt_desk *desk) {
    bool known = true;
    for (int ballot = 1; ballot <= DT_LAST_BALLOT && known; ballot++) {
        DT_TRY(recall_vote(desk, ballot, false, &known));
        if (known) DT_TRY(recall_vote(desk, ballot, true, &known));
    }
    return dt_ok();
}

dt_status dt_desk_keep_decision(dt_desk *desk, int set) {
    uint8_t header[DT_MESSAGE_HEADER];
    dt_message message;
    vote_bytes bytes;
    encode(desk, 0, DECISION, set, &bytes);
    return seal_and_keep(desk, "decision", &bytes, header, &message);
}

dt_status dt_desk_recall_decision(dt_desk *desk, int *set) {
    dt_message message;
    void *payload;
    unsigned ballot;
    vote_kind kind;
    *set = DT_NO_SET;
    DT_TRY(read_record(desk, "decision", &message, &payload));
    if (!payload) return dt_ok();
    dt_status status = decode(desk, &message, payload, &ballot, &kind, set);
    dt_free(payload);
    return status;
}

/* ---- the own part ---- */

static dt_status fail_other_part(const dt_desk *desk, const char *where) {
    return dt_fail(DT_ERR_DIVERGED,
                   "site %s has signed another part of round %lld before (%s), and does not sign a second one: what it "
                   "computes now is not what it computed then. Another recipe or other data, a second run of the site, "
                   "or a processor that errs",
                   desk->members->list[desk->me].name, (long long)desk->gather->round, where);
}

/* The hash of the part that was signed is kept for good. */
static dt_status keep_hash(const dt_desk *desk, const dt_message *message) {
    char path[4096], hex[2 * DT_MESSAGE_ID + 1], kept[2 * DT_MESSAGE_ID + 2] = "";
    int fd;
    DT_TRY(dt_path_join(path, desk->records, "part"));
    sodium_bin2hex(hex, sizeof hex, message->id, DT_MESSAGE_ID);
    if (access(path, F_OK) == 0) {
        DT_TRY(dt_file_open(path, &fd, NULL));
        ssize_t length = read(fd, kept, sizeof kept - 1);
        close(fd);
        if (length == 2 * DT_MESSAGE_ID + 1 && strncmp(kept, hex, 2 * DT_MESSAGE_ID) == 0) return dt_ok();
        return fail_other_part(desk, path);
    }
    snprintf(kept, sizeof kept, "%s\n", hex);
    DT_TRY(dt_write_text_file(path, kept));
    return dt_fsync_path(desk->records);
}

/* And the part, which is large, until nobody can need it any more (mailbox_past.c). */
static dt_status keep_copy(const dt_desk *desk, const uint8_t header[DT_MESSAGE_HEADER], const dt_message *message) {
    char path[4096];
    DT_TRY(dt_path_join(path, desk->records, "part" DT_DESK_COPY));
    if (access(path, F_OK) == 0) return dt_ok();
    return dt_message_write(path, header, desk->gather->own, (size_t)message->length);
}

dt_status dt_desk_send_part(dt_desk *desk) {
    const dt_gather *gather = desk->gather;
    uint8_t header[DT_MESSAGE_HEADER];
    dt_message message;
    if (!gather->own) return dt_ok();
    DT_TRY(dt_message_seal(&desk->part, desk->me, desk->key, gather->weight, gather->own, gather->own_bytes, header,
                           &message));
    const dt_letter *there = dt_desk_part(desk, desk->me, NULL);
    if (there && memcmp(there->message.id, message.id, DT_MESSAGE_ID) != 0) {
        if (!dt_vouch_is_lost(desk->all_records, gather->round)) return fail_other_part(desk, there->name);
        dt_log_note("round %lld: the part that counts is %s, which this site signed before it lost its records",
                    (long long)gather->round, there->name);
        return dt_ok();
    }
    DT_TRY(keep_hash(desk, &message));
    DT_TRY(keep_copy(desk, header, &message));
    return send(desk, header, &message, gather->own);
}
