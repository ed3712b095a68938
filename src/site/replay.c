#include "replay.h"

#include <dirent.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "desk.h"
#include "mailbox_internal.h"
#include "secret.h"
#include "store/h5.h"
#include "words.h"

#define OWN_PART "part"     /* the hash of what was signed (desk_votes.c) */
#define OWN_CHANGE "change" /* of what was masked */
#define DECISION "decision"

struct dt_replay {
    dt_replay_options options;
    char mailbox[4096], records[4096];
    dt_replayed said;
};

dt_status dt_replay_open(dt_replay **out, const dt_replay_options *options) {
    *out = NULL;
    DT_TRY(dt_secret_ready());
    dt_replay *r = dt_alloc(1, sizeof *r);
    if (!r) return dt_fail_memory("rounds that are computed again", sizeof *r);
    r->options = *options;
    snprintf(r->mailbox, sizeof r->mailbox, "%s", options->mailbox);
    snprintf(r->records, sizeof r->records, "%s", options->records);
    r->options.mailbox = r->mailbox;
    r->options.records = r->records;
    *out = r;
    return dt_ok();
}

void dt_replay_close(dt_replay *r) {
    dt_free(r);
}

const dt_replayed *dt_replay_said(const dt_replay *r) {
    return &r->said;
}

/* ---- files ---- */

static dt_status path_in(char out[4096], const char *above, int64_t round, const char *name) {
    char directory[4096], of[DT_DESK_NAME];
    dt_desk_name(of, round, 0);
    DT_TRY(dt_path_join(directory, above, of));
    return dt_path_join(out, directory, name);
}

/* The hash that a record of this name has, in `hex`; "": there is none. */
static dt_status read_hash(const char *records, int64_t round, const char *name, char hex[2 * DT_MESSAGE_ID + 1]) {
    char path[4096];
    int fd;
    hex[0] = '\0';
    DT_TRY(path_in(path, records, round, name));
    if (access(path, F_OK) != 0) return dt_ok();
    DT_TRY(dt_file_open(path, &fd, NULL));
    ssize_t length = read(fd, hex, 2 * DT_MESSAGE_ID);
    close(fd);
    hex[length > 0 ? length : 0] = '\0';
    if (strspn(hex, "0123456789abcdef") == 2 * DT_MESSAGE_ID) return dt_ok();
    return dt_fail(DT_ERR_CORRUPT, "%s: there is no hash of a part in it", path);
}

static dt_status part_path(char out[4096], const dt_replay_options *o, int64_t round, int member, const uint8_t *id) {
    char name[DT_SITE_NAME + 24];
    dt_message message = {.kind = DT_MESSAGE_PART, .member = member};
    memcpy(message.id, id, DT_MESSAGE_ID);
    dt_desk_file_name(o->members, &message, name);
    return path_in(out, o->mailbox, round, name);
}

/* ---- the own part ---- */

static void begin_hash(crypto_generichash_state *state, uint64_t weight) {
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(weight >> (8 * i));
    crypto_generichash_init(state, NULL, 0, DT_MESSAGE_ID);
    crypto_generichash_update(state, bytes, sizeof bytes);
}

/* Of words as they would travel without masks. */
static dt_status hash_words(const dt_replay_change *change, char hex[2 * DT_MESSAGE_ID + 1]) {
    enum { BLOCK = 1024 };
    uint8_t bytes[4 * BLOCK], hash[DT_MESSAGE_ID];
    crypto_generichash_state state;
    begin_hash(&state, change->weight);
    for (size_t done = 0; done < change->count; done += BLOCK) {
        size_t now = change->count - done < BLOCK ? change->count - done : BLOCK;
        if (!dt_words_pack(bytes, change->words + done, now, change->bits))
            return dt_fail(DT_ERR_DIVERGED, "a word of the change of round %lld does not fit %d bits",
                           (long long)change->round, change->bits);
        crypto_generichash_update(&state, bytes, dt_words_bytes(now, change->bits));
    }
    crypto_generichash_final(&state, hash, sizeof hash);
    sodium_bin2hex(hex, 2 * DT_MESSAGE_ID + 1, hash, sizeof hash);
    return dt_ok();
}

dt_status dt_replay_note(dt_mailbox *box, const dt_replay_change *change) {
    char hex[2 * DT_MESSAGE_ID + 2], kept[2 * DT_MESSAGE_ID + 1], directory[4096], path[4096], name[DT_DESK_NAME];
    DT_TRY(hash_words(change, hex));
    DT_TRY(read_hash(box->records, change->round, OWN_CHANGE, kept));
    if (kept[0] && strcmp(kept, hex) != 0)
        return dt_fail(DT_ERR_DIVERGED,
                       "round %lld: what this site computes now is not what it computed before (%s): another recipe or "
                       "other data, a second run of the site, or a processor that errs",
                       (long long)change->round, box->records);
    if (kept[0]) return dt_ok();
    dt_desk_name(name, change->round, 0);
    DT_TRY(dt_desk_make_directory(directory, box->records, name));
    DT_TRY(dt_path_join(path, directory, OWN_CHANGE));
    memcpy(hex + 2 * (size_t)DT_MESSAGE_ID, "\n", 2);
    return dt_write_text_file(path, hex);
}

/* What would have been signed, without the key: the hash is of what is signed, not of the signature. */
static void hash_own(const dt_replay *r, const dt_gather *gather, char hex[2 * DT_MESSAGE_ID + 1]) {
    uint8_t id[DT_MESSAGE_ID];
    if (r->options.masks) {
        crypto_generichash_state state;
        begin_hash(&state, gather->weight);
        crypto_generichash_update(&state, gather->own, gather->own_bytes);
        crypto_generichash_final(&state, id, sizeof id);
    } else {
        const dt_message_wanted wanted = dt_desk_wanted_part(r->options.members, gather);
        dt_message_identify(&wanted, r->options.me, gather->weight, gather->own, gather->own_bytes, id);
    }
    sodium_bin2hex(hex, 2 * DT_MESSAGE_ID + 1, id, sizeof id);
}

static dt_status compare_own(dt_replay *r, const dt_gather *gather) {
    char kept[2 * DT_MESSAGE_ID + 1], now[2 * DT_MESSAGE_ID + 1];
    if (!gather->own) return dt_ok();
    DT_TRY(read_hash(r->records, gather->round, r->options.masks ? OWN_CHANGE : OWN_PART, kept));
    if (!kept[0]) return dt_ok();
    hash_own(r, gather, now);
    if (strcmp(kept, now) == 0) {
        r->said.compared++;
        return dt_ok();
    }
    r->said.differs = true;
    return dt_fail(DT_ERR_DIVERGED,
                   "round %lld: what site %s signed (%.16s…, %.200s) is not what its recipe and data give (%.16s…)",
                   (long long)gather->round, r->options.members->list[r->options.me].name, kept, r->records, now);
}

/* ---- who was in ---- */

static dt_status read_decision(const dt_replay *r, const dt_gather *gather, dt_part_ids *ids, bool *there) {
    const uint64_t bytes = 8 + (uint64_t)r->options.members->count * DT_MESSAGE_ID;
    const dt_message_wanted wanted = {.members = r->options.members,
                                      .kind = DT_MESSAGE_VOTE,
                                      .round = gather->round,
                                      .common = gather->common,
                                      .recipe = gather->recipe,
                                      .least = bytes,
                                      .most = bytes};
    dt_message message;
    char path[4096];
    void *payload;
    memset(ids, 0, sizeof *ids);
    DT_TRY(path_in(path, r->records, gather->round, DECISION));
    *there = access(path, F_OK) == 0;
    if (!*there) return dt_ok();
    DT_TRY(dt_message_read(path, &wanted, &message, &payload, NULL));
    memcpy(ids->of, (uint8_t *)payload + 8, (size_t)bytes - 8);
    dt_free(payload);
    if (message.member == r->options.me) return dt_ok();
    return dt_fail(DT_ERR_CORRUPT, "%s is of another site", path);
}

static dt_status lose(dt_replay *r, const dt_gather *gather, const char *why) {
    r->said.lost = true;
    return dt_fail(DT_ERR_STOPPED, "round %lld: the sum of the sites' changes cannot be had again: %s",
                   (long long)gather->round, why);
}

static dt_status read_part(const dt_replay *r, const dt_gather *gather, int member, const uint8_t *id, void **part,
                           dt_message *message) {
    const dt_message_wanted wanted = dt_desk_wanted_part(r->options.members, gather);
    char path[4096];
    DT_TRY(part_path(path, &r->options, gather->round, member, id));
    DT_TRY(dt_message_read(path, &wanted, message, part, NULL));
    if (message->member == member && memcmp(message->id, id, DT_MESSAGE_ID) == 0) return dt_ok();
    if (part) dt_free(*part);
    return dt_fail(DT_ERR_CORRUPT, "%s is not the part that was in", path);
}

dt_status dt_replay_gather(dt_replay *r, const dt_gather *gather, dt_gathered *out) {
    dt_part_ids ids;
    dt_message message;
    bool there = false;
    memset(out, 0, sizeof *out);
    r->said.differs = r->said.lost = false;
    DT_TRY(compare_own(r, gather));
    if (r->options.masks) return lose(r, gather, "its parts are masked");
    DT_TRY(read_decision(r, gather, &ids, &there));
    if (!there) return lose(r, gather, "who was in is no longer recorded (sites.keep)");
    for (int i = 0; i < r->options.members->count; i++) {
        if (sodium_is_zero(ids.of[i], DT_MESSAGE_ID)) continue;
        dt_status status = read_part(r, gather, i, ids.of[i], NULL, &message);
        if (status.code == DT_ERR_CORRUPT) return lose(r, gather, status.message);
        DT_TRY(status);
        out->in[i] = true;
        out->weight[i] = message.weight;
        out->bytes += DT_MESSAGE_HEADER + message.length;
        memcpy(out->id[i], ids.of[i], DT_MESSAGE_ID);
    }
    return dt_ok();
}

dt_status dt_replay_fetch(dt_replay *r, const dt_gather *gather, const dt_gathered *gathered, int member, void **part) {
    dt_message message;
    return read_part(r, gather, member, gathered->id[member], part, &message);
}

/* ---- before anything is computed ---- */

static dt_status has_parts(const dt_replay_options *o, int64_t round, const char *decision, bool *all) {
    uint8_t bytes[DT_MESSAGE_HEADER + 8 + sizeof(dt_part_ids)];
    const size_t wanted = DT_MESSAGE_HEADER + 8 + (size_t)o->members->count * DT_MESSAGE_ID;
    char path[4096];
    int fd;
    DT_TRY(dt_file_open(decision, &fd, NULL));
    *all = read(fd, bytes, wanted) == (ssize_t)wanted;
    close(fd);
    for (int i = 0; *all && i < o->members->count; i++) {
        const uint8_t *id = bytes + DT_MESSAGE_HEADER + 8 + (size_t)i * DT_MESSAGE_ID;
        if (sodium_is_zero(id, DT_MESSAGE_ID)) continue;
        DT_TRY(part_path(path, o, round, i, id));
        *all = access(path, F_OK) == 0;
    }
    return dt_ok();
}

dt_status dt_replay_look(const dt_replay_options *o, int64_t round, dt_replay_has *out) {
    char path[4096], hex[2 * DT_MESSAGE_ID + 1];
    *out = (dt_replay_has){false, false};
    DT_TRY(read_hash(o->records, round, o->masks ? OWN_CHANGE : OWN_PART, hex));
    out->own = hex[0] != '\0';
    if (o->masks) return dt_ok();
    DT_TRY(path_in(path, o->records, round, DECISION));
    return access(path, F_OK) == 0 ? has_parts(o, round, path, &out->sum) : dt_ok();
}

/* ---- whose records ---- */

static bool is_signed(const char *name) {
    size_t length = strlen(name);
    return strcmp(name, DECISION) == 0 || strcmp(name, OWN_PART DT_DESK_COPY) == 0 ||
           (length > 7 && strcmp(name + length - 7, "-report") == 0);
}

static int owner_of(const char *directory, const dt_members *members, uint64_t recipe) {
    int member = -1;
    DIR *listing = opendir(directory);
    for (struct dirent *entry; listing && member < 0 && (entry = readdir(listing)) != NULL;) {
        dt_message message;
        char path[4096];
        if (!is_signed(entry->d_name) || dt_path_join(path, directory, entry->d_name).code != DT_OK) continue;
        if (dt_message_glance(path, members, recipe, &message).code == DT_OK) member = message.member;
    }
    if (listing) closedir(listing);
    return member;
}

dt_status dt_replay_owner(const char *records, const dt_members *members, uint64_t recipe, int *member) {
    *member = -1;
    DT_TRY(dt_secret_ready());
    DIR *listing = opendir(records);
    for (struct dirent *entry; listing && *member < 0 && (entry = readdir(listing)) != NULL;) {
        int64_t round;
        char path[4096];
        if (dt_desk_round_of(entry->d_name, &round) && dt_path_join(path, records, entry->d_name).code == DT_OK)
            *member = owner_of(path, members, recipe);
    }
    if (listing) closedir(listing);
    return dt_ok();
}
