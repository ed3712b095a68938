/* Rounds that are over: what a site sends again of them, and what it removes.
 *
 * A site signs nothing in a round before a checkpoint of that round is on its disk (mailbox.h asks for it). So who
 * signed anything in round R goes on from R or later, however it ends, and needs no file of a round before. A round is
 * passed once every member has signed something in a later one. That is looked for in the mailbox, and a signature is
 * what proves it: a site that is late, or lost with its run directory still to come back, has signed nothing later, and
 * keeps all rounds it needs from being passed; but with `forget` no longer than for so many rounds: when it comes back,
 * it takes over the common state of a later one (vouch.h).
 *
 * Of rounds that are not passed a site sends again what is missing of its own. Rounds that are passed, and `keep` more,
 * are removed: first RUN/site/past says so, for good, and from then on the site signs nothing in them, so that who
 * restores an old checkpoint of it cannot sign other things in the place of those whose record is gone. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "desk.h"
#include "mailbox_internal.h"
#include "store/h5.h"
#include "vouch.h"

#define RECENT 8 /* rounds that are looked at again: a vote may come when the round is over */

/* ---- directories ---- */

typedef dt_status (*for_entry)(dt_mailbox *box, const char *directory, const char *name, void *context);

/* What is no directory any more has nothing in it. */
static dt_status each_entry(dt_mailbox *box, const char *directory, for_entry visit, void *context) {
    DIR *listing = opendir(directory);
    if (!listing && (errno == ENOENT || errno == ENOTDIR)) return dt_ok();
    if (!listing) return dt_fail(DT_ERR_IO, "%s: cannot be read: %s", directory, strerror(errno));
    dt_status status = dt_ok();
    for (struct dirent *entry; status.code == DT_OK && (entry = readdir(listing)) != NULL;)
        if (entry->d_name[0] != '.') status = visit(box, directory, entry->d_name, context);
    closedir(listing);
    return status;
}

static bool ends_with(const char *name, const char *end) {
    size_t length = strlen(name), tail = strlen(end);
    return length > tail && strcmp(name + length - tail, end) == 0;
}

/* ---- how far the members are ---- */

typedef struct search {
    int member;
    int64_t round;
    bool found;
} search;

/* The name says whose a file may be, the signature whose it is. */
static dt_status look_for(dt_mailbox *box, const char *directory, const char *name, void *context) {
    search *s = context;
    const dt_members *members = box->options.members;
    const char *site = members->list[s->member].name;
    size_t length = strlen(site);
    dt_message message;
    char path[4096];
    if (s->found || strncmp(name, site, length) != 0 || name[length] != '-') return dt_ok();
    if (!ends_with(name, ".part") && !ends_with(name, ".vote")) return dt_ok();
    if (dt_path_join(path, directory, name).code != DT_OK) return dt_ok();
    dt_status status = dt_message_glance(path, members, box->options.recipe, &message);
    s->found = status.code == DT_OK && message.member == s->member && message.round == s->round;
    return dt_ok();
}

static dt_status has_signed(dt_mailbox *box, int member, int64_t round, bool *found) {
    search s = {.member = member, .round = round};
    for (unsigned stage = 0; stage < 4 && !s.found; stage++) {
        char path[4096], name[DT_DESK_NAME];
        dt_desk_name(name, round, stage);
        DT_TRY(dt_path_join(path, box->directory, name));
        DT_TRY(each_entry(box, path, look_for, &s));
    }
    *found = s.found;
    return dt_ok();
}

/* Rounds that are looked at for a member: all at first, then the last few. */
static dt_status look_how_far(dt_mailbox *box, int member, int64_t newest) {
    int64_t *reached = &box->reached[member], least = box->looked ? newest - RECENT : box->removed;
    if (least < *reached + 1) least = *reached + 1;
    for (int64_t round = newest; round >= least && round >= 0; round--) {
        bool found;
        DT_TRY(has_signed(box, member, round, &found));
        if (!found) continue;
        *reached = round;
        break;
    }
    return dt_ok();
}

/* ---- who is ahead ---- */

static dt_status take_newest(dt_mailbox *box, const char *above, const char *name, void *context) {
    int64_t round, *newest = context;
    (void)box;
    (void)above;
    if (dt_desk_round_of(name, &round) && round > *newest) *newest = round;
    return dt_ok();
}

dt_status dt_mailbox_ahead(dt_mailbox *box, int64_t round, bool ahead[DT_MOST_MEMBERS], int64_t *newest) {
    *newest = -1;
    memset(ahead, 0, DT_MOST_MEMBERS * sizeof *ahead);
    DT_TRY(each_entry(box, box->directory, take_newest, newest));
    for (int64_t at = *newest; at > round && at > *newest - RECENT; at--)
        for (int i = 0; i < box->options.members->count; i++)
            if (!ahead[i]) DT_TRY(has_signed(box, i, at, &ahead[i]));
    return dt_ok();
}

/* ---- what is written of it ---- */

static dt_status read_past(dt_mailbox *box) {
    char path[4096], text[80] = "";
    int fd;
    DT_TRY(dt_path_join(path, box->records, "past"));
    box->passed = box->removed = 0;
    if (access(path, F_OK) != 0) return dt_ok();
    DT_TRY(dt_file_open(path, &fd, NULL));
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    long long passed, removed;
    if (length > 0 && sscanf(text, "passed %lld removed %lld", &passed, &removed) == 2 && removed >= 0 &&
        passed >= removed) {
        box->passed = passed;
        box->removed = removed;
        return dt_ok();
    }
    return dt_fail(DT_ERR_CORRUPT, "%s does not say which rounds are over; without it this site signs nothing", path);
}

static dt_status write_past(const dt_mailbox *box) {
    char path[4096], text[80];
    DT_TRY(dt_path_join(path, box->records, "past"));
    snprintf(text, sizeof text, "passed %lld removed %lld\n", (long long)box->passed, (long long)box->removed);
    DT_TRY(dt_write_text_file(path, text));
    return dt_fsync_path(box->records);
}

dt_status dt_mailbox_removed(dt_mailbox *box, int64_t *round) {
    if (box->passed < 0) DT_TRY(read_past(box));
    *round = box->removed;
    return dt_ok();
}

/* ---- removing ---- */

/* Of a record the copy alone; of a mailbox messages; of records that are over everything. */
typedef struct removal {
    const char *only; /* how names end; NULL: all */
    bool messages;    /* and those, and common states (vouch.h) */
    int64_t before;   /* rounds */
    bool directory;   /* goes, too, once it is empty */
    int64_t files;
} removal;

static bool is_message(const char *name) {
    return ends_with(name, ".part") || ends_with(name, ".vote") || dt_vouch_is_named(name);
}

static dt_status remove_file(dt_mailbox *box, const char *directory, const char *name, void *context) {
    removal *r = context;
    char path[4096];
    struct stat about;
    (void)box;
    bool ours = !r->only || ends_with(name, r->only) || (r->messages && is_message(name));
    if (!ours) return dt_ok();
    if (dt_path_join(path, directory, name).code != DT_OK) return dt_ok();
    if (lstat(path, &about) == 0 && S_ISREG(about.st_mode) && unlink(path) == 0) r->files++;
    return dt_ok();
}

/* What cannot be removed, as another user's, stays: it harms nobody. */
static dt_status remove_round(dt_mailbox *box, const char *above, const char *name, void *context) {
    removal *r = context;
    char path[4096];
    int64_t round;
    if (!dt_desk_round_of(name, &round) || round >= r->before) return dt_ok();
    DT_TRY(dt_path_join(path, above, name));
    DT_TRY(each_entry(box, path, remove_file, r));
    if (r->directory) (void)!rmdir(path);
    return dt_ok();
}

static dt_status remove_passed(dt_mailbox *box) {
    removal copies = {.only = DT_DESK_COPY, .before = box->passed};
    removal messages = {.only = ".part", .messages = true, .before = box->removed, .directory = true};
    removal records = {.before = box->removed, .directory = true};
    DT_TRY(each_entry(box, box->records, remove_round, &copies));
    if (box->removed == 0) return dt_ok();
    DT_TRY(each_entry(box, box->directory, remove_round, &messages));
    DT_TRY(each_entry(box, box->records, remove_round, &records));
    if (messages.files > 0)
        dt_log_debug("%lld files of rounds before %lld are removed from %s: all sites are past them",
                     (long long)messages.files, (long long)box->removed, box->directory);
    return dt_ok();
}

/* ---- all of it ---- */

dt_status dt_mailbox_tidy(dt_mailbox *box) {
    const int64_t forget = box->options.keep > 0 ? box->options.forget : 0;
    int64_t newest = -1, passed, removed;
    DT_TRY(dt_mailbox_removed(box, &removed));
    DT_TRY(each_entry(box, box->records, take_newest, &newest));
    passed = newest;
    for (int i = 0; i < box->options.members->count; i++) {
        DT_TRY(look_how_far(box, i, newest));
        const bool counts = forget == 0 || box->reached[i] >= newest - forget; /* else it is lost, or will catch up */
        if (counts && box->reached[i] < passed) passed = box->reached[i];
    }
    box->looked = true;
    if (passed < box->passed) passed = box->passed;
    removed = box->options.keep > 0 && passed > box->options.keep ? passed - box->options.keep : 0;
    if (removed < box->removed) removed = box->removed;
    if (passed > box->passed || removed > box->removed) {
        box->passed = passed;
        box->removed = removed;
        DT_TRY(write_past(box));
    }
    return remove_passed(box);
}

/* ---- sending again ---- */

/* Whether the mailbox has the bytes of a record. */
static bool is_there(const char *record, const char *path) {
    static const size_t block = (size_t)1 << 16;
    char *bytes = dt_alloc(2, block);
    int one = -1, other = -1;
    struct stat about;
    bool alike = bytes && lstat(path, &about) == 0 && S_ISREG(about.st_mode);
    alike = alike && dt_file_open(record, &one, NULL).code == DT_OK && dt_file_open(path, &other, NULL).code == DT_OK;
    for (ssize_t count = 1; alike && count > 0;) {
        count = read(one, bytes, block);
        alike = count >= 0 && read(other, bytes + block, block) == count &&
                memcmp(bytes, bytes + block, (size_t)count) == 0;
    }
    if (one >= 0) close(one);
    if (other >= 0) close(other);
    dt_free(bytes);
    return alike;
}

static dt_status send_record(dt_mailbox *box, const char *directory, const char *name, void *context) {
    int64_t *sent = context;
    const dt_members *members = box->options.members;
    dt_message message;
    char record[4096], to[4096], path[4096], file[DT_SITE_NAME + 24], round[DT_DESK_NAME];
    bool votes = ends_with(name, "-report") || ends_with(name, "-proposal");
    if (!votes && !ends_with(name, DT_DESK_COPY)) return dt_ok();
    DT_TRY(dt_path_join(record, directory, name));
    dt_status status = dt_message_glance(record, members, box->options.recipe, &message);
    if (status.code == DT_ERR_CORRUPT || (status.code == DT_OK && message.member != box->me))
        return dt_ok(); /* torn, when the site was killed; or of a recipe that was changed: nobody would take it */
    DT_TRY(status);
    dt_desk_name(round, message.round, message.stage);
    dt_desk_file_name(members, &message, file);
    DT_TRY(dt_desk_make_directory(to, box->directory, round));
    DT_TRY(dt_path_join(path, to, file));
    if (is_there(record, path)) return dt_ok();
    dt_desk_clear(path);
    DT_TRY(dt_message_copy(record, path));
    ++*sent;
    return dt_ok();
}

static dt_status send_round(dt_mailbox *box, const char *above, const char *name, void *context) {
    char path[4096];
    int64_t round;
    if (!dt_desk_round_of(name, &round) || round < box->passed) return dt_ok();
    DT_TRY(dt_path_join(path, above, name));
    return each_entry(box, path, send_record, context);
}

dt_status dt_mailbox_send_again(dt_mailbox *box) {
    int64_t sent = 0;
    DT_TRY(dt_mailbox_tidy(box));
    DT_TRY(each_entry(box, box->records, send_round, &sent));
    if (sent > 0)
        dt_log_note("%lld files that this site signed were missing in %s, and are sent again", (long long)sent,
                    box->directory);
    return dt_ok();
}
