#include "vouch.h"

#include <dirent.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/publish.h"
#include "desk.h"
#include "secret.h"
#include "store/publish.h"

#define COMMON "common-"
#define STATE ".state"
#define LOST "lost"
#define HASH 32

static bool ends_with(const char *name, const char *end) {
    size_t length = strlen(name), tail = strlen(end);
    return length > tail && strcmp(name + length - tail, end) == 0;
}

bool dt_vouch_is_named(const char *name) {
    return ends_with(name, STATE) || (strncmp(name, COMMON, sizeof COMMON - 1) == 0 && ends_with(name, ".h5"));
}

/* ---- the hash ---- */

static void hash_state(const dt_state *state, uint8_t out[HASH]) {
    crypto_generichash_state hash;
    const int64_t position[] = {state->position.step,   state->position.epoch, state->position.sample,
                                state->position.origin, state->shards,         state->seed};
    crypto_generichash_init(&hash, NULL, 0, HASH);
    crypto_generichash_update(&hash, (const uint8_t *)position, sizeof position);
    for (int i = 0; i < state->section_count; i++) {
        const dt_table *table = state->sections[i].table;
        for (int j = 0; j < table->count; j++)
            crypto_generichash_update(&hash, (const uint8_t *)(state->sections[i].data + table->tensors[j].offset),
                                      table->tensors[j].count * sizeof(float));
    }
    for (int i = 0; i < state->extra_count; i++)
        crypto_generichash_update(&hash, state->extras[i].data,
                                  (size_t)state->extras[i].count * dt_dtype_size(state->extras[i].dtype));
    crypto_generichash_final(&hash, out, HASH);
}

static dt_message_wanted wanted_state(const dt_vouching *v, int64_t round, uint64_t digest) {
    return (dt_message_wanted){.members = v->members,
                               .kind = DT_MESSAGE_STATE,
                               .round = round,
                               .common = digest,
                               .recipe = v->recipe,
                               .least = HASH,
                               .most = HASH};
}

/* ---- putting it there ---- */

static dt_status save(void *context, const char *path) {
    return dt_checkpoint_save(path, context, NULL);
}

/* Whoever comes first: the others would write the same arrays. */
static dt_status put_file(const char *directory, const dt_state *state, uint64_t digest) {
    char path[4096], name[64];
    struct stat about;
    snprintf(name, sizeof name, COMMON "%016llx.h5", (unsigned long long)digest);
    DT_TRY(dt_path_join(path, directory, name));
    if (lstat(path, &about) == 0 && S_ISREG(about.st_mode)) return dt_ok();
    dt_desk_clear(path);
    return dt_publish_file(path, save, (void *)(uintptr_t)state);
}

dt_status dt_vouch(const dt_vouching *v, int me, const dt_site_key *key, const dt_state *state) {
    const int64_t round = state->position.step;
    const uint64_t digest = dt_state_digest(state);
    const dt_message_wanted wanted = wanted_state(v, round, digest);
    uint8_t hash[HASH], header[DT_MESSAGE_HEADER];
    char directory[4096], path[4096], of[DT_DESK_NAME], name[DT_SITE_NAME + 24];
    dt_message message;
    struct stat about;
    hash_state(state, hash);
    DT_TRY(dt_message_seal(&wanted, me, key, 0, hash, HASH, header, &message));
    dt_desk_name(of, round, 0);
    dt_desk_file_name(v->members, &message, name);
    DT_TRY(dt_desk_make_directory(directory, v->mailbox, of));
    DT_TRY(dt_path_join(path, directory, name));
    if (lstat(path, &about) == 0 && S_ISREG(about.st_mode)) return dt_ok(); /* and so is the file, or was */
    DT_TRY(put_file(directory, state, digest));
    dt_desk_clear(path);
    return dt_message_write(path, header, hash, HASH);
}

/* ---- what there is ---- */

/* Calls `visit` for the entries of a directory, which may not be there. */
typedef void (*visitor)(void *context, const char *directory, const char *name);
static void each_entry(const char *directory, visitor visit, void *context) {
    DIR *listing = opendir(directory);
    for (struct dirent *entry; listing && (entry = readdir(listing)) != NULL;)
        if (entry->d_name[0] != '.') visit(context, directory, entry->d_name);
    if (listing) closedir(listing);
}

static void find_message(void *context, const char *directory, const char *name) {
    bool *found = context;
    (void)directory;
    *found = *found || ends_with(name, ".part") || ends_with(name, ".vote");
}

static bool has_messages(const char *above, const char *name) {
    char path[4096];
    bool found = false;
    if (dt_path_join(path, above, name).code == DT_OK) each_entry(path, find_message, &found);
    return found;
}

typedef struct rounds {
    int64_t asked;
    bool there, later;
} rounds;

static void take_round(void *context, const char *directory, const char *name) {
    rounds *r = context;
    int64_t round;
    if (!dt_desk_round_of(name, &round) || round < r->asked || !has_messages(directory, name)) return;
    r->there = r->there || round == r->asked;
    r->later = r->later || round > r->asked;
}

dt_status dt_vouch_is_gone(const dt_vouching *v, int64_t round, bool *gone) {
    rounds r = {.asked = round};
    each_entry(v->mailbox, take_round, &r);
    *gone = r.later && !r.there;
    return dt_ok();
}

typedef struct listing {
    int64_t least, round;
    dt_vouched *list;
    int count;
} listing;

/* The newest stay, in their order. */
static void insert(listing *l, const dt_vouched *one) {
    int at = 0;
    while (at < l->count && l->list[at].round > one->round) at++;
    if (at == DT_MOST_VOUCHED) return;
    int behind = l->count - at - (l->count == DT_MOST_VOUCHED);
    memmove(l->list + at + 1, l->list + at, (size_t)behind * sizeof *l->list);
    l->list[at] = *one;
    if (l->count < DT_MOST_VOUCHED) l->count++;
}

static void take_file(void *context, const char *directory, const char *name) {
    listing *l = context;
    char *end;
    if (ends_with(name, STATE) || !dt_vouch_is_named(name)) return;
    dt_vouched one = {.round = l->round, .digest = strtoull(name + sizeof COMMON - 1, &end, 16)};
    if (strcmp(end, ".h5") == 0 && dt_path_join(one.path, directory, name).code == DT_OK) insert(l, &one);
}

static void take_directory(void *context, const char *directory, const char *name) {
    listing *l = context;
    char path[4096];
    if (!dt_desk_round_of(name, &l->round) || l->round < l->least) return;
    if (dt_path_join(path, directory, name).code == DT_OK) each_entry(path, take_file, l);
}

dt_status dt_vouch_list(const dt_vouching *v, int64_t least, dt_vouched out[DT_MOST_VOUCHED], int *count) {
    listing l = {.least = least, .list = out};
    each_entry(v->mailbox, take_directory, &l);
    *count = l.count;
    return dt_ok();
}

/* ---- who signed it ---- */

typedef struct counting {
    dt_message_wanted wanted;
    uint8_t hash[HASH];
    bool signed_by[DT_MOST_MEMBERS];
} counting;

static void take_vouch(void *context, const char *directory, const char *name) {
    counting *c = context;
    dt_message message;
    char path[4096];
    void *payload;
    if (!ends_with(name, STATE) || dt_path_join(path, directory, name).code != DT_OK) return;
    if (dt_message_read(path, &c->wanted, &message, &payload, NULL).code != DT_OK) return;
    if (memcmp(payload, c->hash, HASH) == 0) c->signed_by[message.member] = true;
    dt_free(payload);
}

dt_status dt_vouch_count(const dt_vouching *v, const dt_vouched *of, const dt_state *state, int *count) {
    counting c = {.wanted = wanted_state(v, of->round, of->digest)};
    char directory[4096], name[DT_DESK_NAME];
    *count = 0;
    DT_TRY(dt_secret_ready());
    if (state->position.step != of->round) return dt_ok();
    hash_state(state, c.hash);
    dt_desk_name(name, of->round, 0);
    DT_TRY(dt_path_join(directory, v->mailbox, name));
    each_entry(directory, take_vouch, &c);
    for (int i = 0; i < v->members->count; i++) *count += c.signed_by[i];
    return dt_ok();
}

/* ---- a site that lost its records ---- */

typedef struct own_parts {
    const char *site;
    int64_t round, newest;
} own_parts;

static void take_own(void *context, const char *directory, const char *name) {
    own_parts *o = context;
    size_t length = strlen(o->site);
    (void)directory;
    if (strncmp(name, o->site, length) == 0 && name[length] == '-' && ends_with(name, ".part") && o->round > o->newest)
        o->newest = o->round;
}

static void take_own_round(void *context, const char *directory, const char *name) {
    own_parts *o = context;
    char path[4096];
    if (dt_desk_round_of(name, &o->round) && dt_path_join(path, directory, name).code == DT_OK)
        each_entry(path, take_own, o);
}

dt_status dt_vouch_note_lost(const dt_vouching *v, int me, const char *records) {
    own_parts o = {.site = v->members->list[me].name, .newest = -1};
    char path[4096], text[32];
    each_entry(v->mailbox, take_own_round, &o);
    DT_TRY(dt_path_join(path, records, LOST));
    snprintf(text, sizeof text, "%lld\n", (long long)o.newest);
    return dt_write_text_file(path, text);
}

bool dt_vouch_is_lost(const char *records, int64_t round) {
    char path[4096], text[32] = "";
    int fd;
    if (dt_path_join(path, records, LOST).code != DT_OK || access(path, F_OK) != 0) return false;
    if (dt_file_open(path, &fd, NULL).code != DT_OK) return false;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    return length > 0 && round <= strtoll(text, NULL, 10);
}
