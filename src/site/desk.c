/* Files of a stage: found, judged, remembered, complained of. */
#include "desk.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

/* Files that are looked at, for each member: a part and votes of many ballots; more is mischief. */
#define FILES_A_MEMBER 64

/* ---- files ---- */

static bool ends_with(const char *name, const char *end) {
    size_t length = strlen(name), tail = strlen(end);
    return length > tail && strcmp(name + length - tail, end) == 0;
}

static bool unchanged(const struct stat *a, const struct stat *b) {
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size && a->st_mode == b->st_mode &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* The letter of this name, or a new one. NULL: there are too many, or memory is short. */
static dt_letter *letter_named(dt_desk *desk, const char *name, dt_status *status) {
    for (int i = 0; i < desk->count; i++)
        if (strcmp(desk->letters[i].name, name) == 0) return &desk->letters[i];
    if (desk->count >= FILES_A_MEMBER * desk->members->count) {
        if (!desk->crowded)
            dt_log_warn("%s: has more than %d files of parts and votes; the others are passed over", desk->directory,
                        desk->count);
        desk->crowded = true;
        return NULL;
    }
    if (desk->count == desk->room) {
        int room = desk->room ? 2 * desk->room : 16;
        dt_letter *more = dt_alloc((size_t)room, sizeof *more);
        if (!more) {
            *status = dt_fail_memory("the files of a round", (size_t)room * sizeof *more);
            return NULL;
        }
        if (desk->count) memcpy(more, desk->letters, (size_t)desk->count * sizeof *more);
        dt_free(desk->letters);
        desk->letters = more;
        desk->room = room;
    }
    dt_letter *letter = &desk->letters[desk->count++];
    memset(letter, 0, sizeof *letter);
    snprintf(letter->name, sizeof letter->name, "%s", name);
    letter->vote = ends_with(name, ".vote");
    return letter;
}

/* What a part must be besides a sound message. */
static dt_status check_part(const dt_desk *desk, dt_letter *letter, const void *payload) {
    const dt_gather *gather = desk->gather;
    int member = letter->message.member;
    const char *site = desk->members->list[member].name;
    dt_status status = dt_ok();
    if (!gather->expected[member])
        status = dt_fail(DT_ERR_CORRUPT, "%s: site %s takes no part in round %lld", letter->name, site,
                         (long long)gather->round);
    else if (gather->check)
        status = dt_status_within(gather->check(gather->context, member, payload, (size_t)letter->message.length),
                                  "%s of site %s", letter->name, site);
    return status;
}

/* Reads it anew. What is wrong with the file is no failure, but kept with it. */
static dt_status judge(dt_desk *desk, dt_letter *letter) {
    char path[4096];
    void *payload = NULL;
    bool whole = letter->vote || desk->gather->check;
    DT_TRY(dt_path_join(path, desk->directory, letter->name));
    dt_status status = dt_message_read(path, letter->vote ? &desk->vote : &desk->part, &letter->message,
                                       whole ? &payload : NULL, &letter->fault);
    if (status.code == DT_OK)
        status = letter->vote ? dt_desk_take_vote(desk, &letter->message, payload) : check_part(desk, letter, payload);
    dt_free(payload);
    bool wrong = status.code == DT_ERR_CORRUPT || status.code == DT_ERR_INPUT;
    if (wrong && letter->fault == DT_MESSAGE_SOUND) letter->fault = DT_MESSAGE_GARBAGE;
    letter->told = false;
    snprintf(letter->complaint, sizeof letter->complaint, "%s", status.message);
    return status.code != DT_OK && letter->fault == DT_MESSAGE_SOUND ? status : dt_ok();
}

static dt_status look_at(dt_desk *desk, const char *name) {
    char path[4096];
    struct stat about;
    dt_status status = dt_ok();
    if (name[0] == '.' || !(ends_with(name, ".part") || ends_with(name, ".vote"))) return dt_ok();
    if (strlen(name) >= sizeof desk->letters->name) return dt_ok(); /* none of ours is so long */
    DT_TRY(dt_path_join(path, desk->directory, name));
    if (lstat(path, &about) != 0) return dt_ok();
    dt_letter *letter = letter_named(desk, name, &status);
    if (!letter) return status;
    letter->there = true;
    if (unchanged(&letter->about, &about)) return dt_ok();
    letter->about = about;
    return judge(desk, letter);
}

static void say(dt_letter *letter) {
    if (letter->told) return;
    letter->told = true;
    dt_log_warn("%s", letter->complaint);
}

/* What is torn may still be on its way. */
static void complain(dt_desk *desk, bool of_torn) {
    for (int i = 0; i < desk->count; i++) {
        dt_message_fault fault = desk->letters[i].fault;
        if (desk->letters[i].there && fault != DT_MESSAGE_SOUND && fault != DT_MESSAGE_GONE &&
            (fault != DT_MESSAGE_TORN || of_torn))
            say(&desk->letters[i]);
    }
}

void dt_desk_complain(dt_desk *desk) {
    complain(desk, true);
}

static void find_doubled(dt_desk *desk) {
    for (int i = 0; i < desk->count; i++) {
        const dt_letter *one = &desk->letters[i];
        if (one->vote || !one->there || one->fault != DT_MESSAGE_SOUND) continue;
        const dt_letter *other = dt_desk_part(desk, one->message.member, NULL);
        if (memcmp(one->message.id, other->message.id, DT_MESSAGE_ID) == 0 || desk->doubled[one->message.member])
            continue;
        desk->doubled[one->message.member] = true;
        dt_log_warn("site %s signed two different parts of round %lld (%s, %s): it is left out here, and all others "
                    "should hear of it",
                    desk->members->list[one->message.member].name, (long long)desk->gather->round, other->name,
                    one->name);
    }
}

dt_status dt_desk_look(dt_desk *desk) {
    for (int i = 0; i < desk->count; i++) desk->letters[i].there = false;
    DIR *listing = opendir(desk->directory);
    if (!listing) return dt_fail(DT_ERR_IO, "%s: cannot be read: %s", desk->directory, strerror(errno));
    dt_status status = dt_ok();
    for (struct dirent *entry; status.code == DT_OK && (entry = readdir(listing)) != NULL;)
        status = look_at(desk, entry->d_name);
    closedir(listing);
    DT_TRY(status);
    complain(desk, false);
    find_doubled(desk);
    return dt_ok();
}

/* ---- beginning and end ---- */

/* When this site began: kept, so that a deadline is the same for one that was killed. */
static dt_status recall_since(dt_desk *desk) {
    char path[4096], text[64];
    double now = dt_clock_epoch();
    DT_TRY(dt_path_join(path, desk->records, "since"));
    bool known = false;
    int fd;
    if (access(path, F_OK) == 0) {
        DT_TRY(dt_file_open(path, &fd, NULL));
        ssize_t length = read(fd, text, sizeof text - 1);
        close(fd);
        text[length > 0 ? length : 0] = '\0';
        known = sscanf(text, "%lf", &desk->since) == 1;
    }
    if (known && desk->since <= now) return dt_ok(); /* else the clock was set back */
    desk->since = now;
    snprintf(text, sizeof text, "%.3f\n", now);
    return dt_write_text_file(path, text);
}

dt_message_wanted dt_desk_wanted_part(const dt_members *members, const dt_gather *gather) {
    return (dt_message_wanted){.members = members,
                               .kind = DT_MESSAGE_PART,
                               .stage = gather->stage,
                               .round = gather->round,
                               .common = gather->common,
                               .recipe = gather->recipe,
                               .bits = gather->bits,
                               .count = gather->count,
                               .least = gather->least,
                               .most = gather->most};
}

dt_status dt_desk_open(dt_desk *desk, const dt_mailbox_options *options, int me, const dt_gather *gather) {
    *desk = (dt_desk){.members = options->members, .key = options->key, .me = me, .gather = gather};
    desk->part = dt_desk_wanted_part(options->members, gather);
    desk->vote = desk->part;
    desk->vote.kind = DT_MESSAGE_VOTE;
    desk->vote.bits = 0;
    desk->vote.count = 0;
    desk->vote.least = desk->vote.most = 8 + (uint64_t)options->members->count * DT_MESSAGE_ID;
    char name[DT_DESK_NAME];
    snprintf(desk->all_records, sizeof desk->all_records, "%s", options->records);
    dt_desk_name(name, gather->round, gather->stage);
    DT_TRY(dt_desk_make_directory(desk->directory, options->directory, name));
    DT_TRY(dt_desk_make_directory(desk->records, options->records, name));
    return recall_since(desk);
}

void dt_desk_close(dt_desk *desk) {
    dt_free(desk->letters);
    dt_free(desk->sets);
    dt_free(desk->about);
    dt_free(desk->votes);
    *desk = (dt_desk){.me = -1};
}
