/* A stage of a round, from the own part to the set of all: look, sign what the agreement says, wait, look again. */
#include "mailbox.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/alive.h"
#include "base/append.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "desk.h"
#include "mailbox_internal.h"
#include "secret.h"

#define SHORTEST_PAUSE 0.02 /* seconds between two looks, then longer */
#define LONGEST_PAUSE 2.0
#define QUIET_SECONDS 10.0 /* then who waits says so */

/* ---- opening ---- */

static dt_status check_directory(const char *path) {
    struct stat about;
    if (stat(path, &about) != 0)
        return dt_fail(DT_ERR_INPUT, "sites.mailbox: %s cannot be used: %s; it must be a directory that is there", path,
                       strerror(errno));
    if (S_ISDIR(about.st_mode)) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "sites.mailbox: %s is %s; it must be a directory", path, dt_file_kind(about.st_mode));
}

static dt_status find_me(const dt_mailbox_options *options, int *me) {
    const char *name = dt_site_key_name(options->key);
    *me = dt_members_find(options->members, name);
    if (*me < 0) return dt_fail(DT_ERR_INPUT, "the key is of site %s, which is none of sites.members", name);
    if (memcmp(&options->members->list[*me].key, dt_site_key_public(options->key), sizeof(dt_public_key)) == 0)
        return dt_ok();
    return dt_fail(DT_ERR_INPUT,
                   "the key is not the one that sites.members has for %s; dtrain keys show prints its line", name);
}

dt_status dt_mailbox_open(dt_mailbox **out, const dt_mailbox_options *options) {
    int me;
    *out = NULL;
    DT_TRY(dt_secret_ready());
    DT_TRY(find_me(options, &me));
    DT_TRY(check_directory(options->directory));
    if (mkdir(options->records, 0777) != 0 && errno != EEXIST)
        return dt_fail(DT_ERR_IO, "%s: cannot be made: %s", options->records, strerror(errno));
    dt_mailbox *box = dt_alloc(1, sizeof *box);
    if (!box) return dt_fail_memory("a mailbox", sizeof *box);
    box->options = *options;
    snprintf(box->directory, sizeof box->directory, "%s", options->directory);
    snprintf(box->records, sizeof box->records, "%s", options->records);
    box->options.directory = box->directory;
    box->options.records = box->records;
    box->me = me;
    box->passed = box->removed = -1;
    for (int i = 0; i < DT_MOST_MEMBERS; i++) box->reached[i] = -1;
    *out = box;
    return dt_ok();
}

void dt_mailbox_close(dt_mailbox *box) {
    dt_free(box);
}

int dt_mailbox_me(const dt_mailbox *box) {
    return box->me;
}

/* ---- who is in ---- */

/* What this site may name: all that are expected, or after the deadline those that are there. */
static dt_status own_set(dt_desk *desk, bool late, int *set) {
    dt_part_ids ids = {{{0}}};
    int there = 0, missing = 0;
    *set = DT_NO_SET;
    for (int i = 0; i < desk->members->count; i++) {
        const dt_letter *part = dt_desk_part(desk, i, NULL);
        if (!desk->gather->expected[i] || desk->doubled[i]) continue;
        if (part) memcpy(ids.of[i], part->message.id, DT_MESSAGE_ID);
        there += part != NULL;
        missing += part == NULL;
    }
    if (there == 0 || (missing > 0 && !(late && there >= dt_desk_enough(desk)))) return dt_ok();
    return dt_desk_set(desk, &ids, set);
}

static dt_status fail_broken(const dt_desk *desk) {
    return dt_fail(DT_ERR_DIVERGED,
                   "round %lld was closed in two ways: more sites signed twice than a quorum of %d of %d bears; the "
                   "warnings above name them",
                   (long long)desk->gather->round, desk->members->quorum, desk->members->count);
}

/* Signs all there is to sign; *set is decided, or DT_NO_SET. */
static dt_status vote(dt_desk *desk, double deadline, int *set) {
    DT_TRY(dt_desk_recall_decision(desk, set));
    double last = desk->since;
    while (*set == DT_NO_SET) {
        bool late = deadline > 0 && dt_clock_epoch() - desk->since >= deadline;
        bool impatient = deadline > 0 && dt_clock_epoch() - last >= 2 * deadline;
        dt_agreement known = {.members = desk->members->count,
                              .quorum = desk->members->quorum,
                              .me = desk->me,
                              .votes = desk->votes,
                              .count = desk->vote_count,
                              .impatient = impatient};
        DT_TRY(own_set(desk, late, &known.mine));
        dt_desk_assess(desk);
        known.sets = desk->about;
        dt_vote next;
        switch (dt_agreement_next(&known, &next, set)) {
        case DT_AGREEMENT_WAIT: return dt_ok();
        case DT_AGREEMENT_BROKEN: return fail_broken(desk);
        case DT_AGREEMENT_DECIDED: return dt_desk_keep_decision(desk, *set);
        case DT_AGREEMENT_SIGN: DT_TRY(dt_desk_sign_vote(desk, &next)); break;
        }
        *set = DT_NO_SET;
    }
    return dt_ok();
}

/* Whether all parts of the set are here. */
static bool has_all(const dt_desk *desk, int set) {
    for (int i = 0; i < desk->members->count; i++) {
        const uint8_t *id = desk->sets[set].of[i];
        if (!sodium_is_zero(id, DT_MESSAGE_ID) && !dt_desk_part(desk, i, id)) return false;
    }
    return true;
}

/* ---- what is said when the wait is over ---- */

typedef bool (*dt_lacks)(const dt_desk *desk, int member, int set);

static bool lacks_part(const dt_desk *desk, int member, int set) {
    (void)set;
    return desk->gather->expected[member] && !desk->doubled[member] && !dt_desk_part(desk, member, NULL);
}

static bool lacks_decided_part(const dt_desk *desk, int member, int set) {
    const uint8_t *id = desk->sets[set].of[member];
    return !sodium_is_zero(id, DT_MESSAGE_ID) && !dt_desk_part(desk, member, id);
}

/* Of the ballot this site is in. */
static bool lacks_vote(const dt_desk *desk, int member, int set) {
    (void)set;
    int ballot = 0;
    bool proposal = false, there = false;
    for (int i = 0; i < desk->vote_count; i++)
        if (desk->votes[i].member == desk->me && desk->votes[i].ballot >= ballot) {
            proposal = desk->votes[i].ballot > ballot ? desk->votes[i].proposal : proposal || desk->votes[i].proposal;
            ballot = desk->votes[i].ballot;
        }
    for (int i = 0; i < desk->vote_count; i++)
        there = there || (desk->votes[i].member == member && desk->votes[i].ballot == ballot &&
                          desk->votes[i].proposal == proposal);
    return !there;
}

static int list_lacking(const dt_desk *desk, dt_lacks lacks, int set, char out[200]) {
    int count = 0;
    out[0] = '\0';
    for (int i = 0; i < desk->members->count; i++)
        if (lacks(desk, i, set)) dt_append(out, 200, "%s%s", count++ ? ", " : "", desk->members->list[i].name);
    return count;
}

/* "round 3 waits for the parts of south", and why. */
static void tell_waiting(dt_desk *desk, int set, char out[400]) {
    char names[200];
    const char *what = "the parts of", *lost = "";
    dt_desk_complain(desk);
    if (set != DT_NO_SET) {
        list_lacking(desk, lacks_decided_part, set, names);
        lost = ", which others have: a courier is to bring all that is in a mailbox";
    } else if (list_lacking(desk, lacks_part, set, names) == 0 || desk->vote_count > 0) {
        list_lacking(desk, lacks_vote, set, names);
        what = "the votes of";
    }
    snprintf(out, 400, "round %lld waits for %s %s%s (%.120s)", (long long)desk->gather->round, what,
             *names ? names : "other sites", lost, desk->directory);
}

/* What is missing was there once, where others are in later rounds. */
static dt_status fail_waiting(dt_mailbox *box, dt_desk *desk, int set) {
    char why[400], names[200] = "";
    bool ahead[DT_MOST_MEMBERS];
    int64_t newest;
    int count = 0;
    tell_waiting(desk, set, why);
    if (box->options.waits) box->options.waits(box->options.context, why);
    DT_TRY(dt_mailbox_ahead(box, desk->gather->round, ahead, &newest));
    for (int i = 0; i < desk->members->count; i++)
        if (ahead[i]) dt_append(names, sizeof names, "%s%s", count++ ? ", " : "", desk->members->list[i].name);
    if (count == 0) return dt_fail(DT_ERR_STOPPED, "%s; run the same command again later", why);
    return dt_fail(
        DT_ERR_STOPPED,
        "%s; %s signed in rounds up to %lld already: files of this one are still on their way, or were removed "
        "(sites.keep), and then only this site's run directory as it was, or a later checkpoint in it, goes on",
        why, names, (long long)newest);
}

/* Once, for those who look at a job that does nothing. */
static void note_waiting(const dt_mailbox *box, dt_desk *desk, int set, double left) {
    char why[400];
    tell_waiting(desk, set, why);
    dt_log_note("%s, for %.0f s at most", why, left);
    if (box->options.waits) box->options.waits(box->options.context, why);
}

/* ---- all of it ---- */

static void pause_for(double seconds) {
    bool before = dt_alive_wait(true);
    nanosleep(&(struct timespec){(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)}, NULL);
    dt_alive_wait(before);
}

static dt_status settle(dt_mailbox *box, dt_desk *desk, int *set) {
    double began = dt_clock_now(), until = began + box->options.wait, pause = SHORTEST_PAUSE;
    bool told = false;
    for (bool first = true;; first = false) {
        int votes = desk->vote_count, letters = desk->count;
        DT_TRY(dt_desk_look(desk));
        if (first) {
            DT_TRY(dt_desk_recall(desk));
            DT_TRY(dt_desk_send_part(desk));
            DT_TRY(dt_desk_look(desk));
        }
        DT_TRY(vote(desk, box->options.deadline, set));
        if (*set != DT_NO_SET && has_all(desk, *set)) return dt_ok();
        DT_TRY(dt_stop_status());
        double left = until - dt_clock_now();
        if (left <= 0) return fail_waiting(box, desk, *set);
        if (!told && dt_clock_now() - began > QUIET_SECONDS) note_waiting(box, desk, *set, left);
        told = told || dt_clock_now() - began > QUIET_SECONDS;
        bool news = votes != desk->vote_count || letters != desk->count;
        pause = news ? SHORTEST_PAUSE : pause * 1.5 < LONGEST_PAUSE ? pause * 1.5 : LONGEST_PAUSE;
        pause_for(pause < left ? pause : left);
    }
}

static void tell_gathered(const dt_desk *desk, int set, dt_gathered *out) {
    memset(out, 0, sizeof *out);
    for (int i = 0; i < desk->members->count; i++) {
        const uint8_t *id = desk->sets[set].of[i];
        if (sodium_is_zero(id, DT_MESSAGE_ID)) continue;
        const dt_letter *part = dt_desk_part(desk, i, id);
        out->in[i] = true;
        out->weight[i] = part->message.weight;
        out->bytes += DT_MESSAGE_HEADER + part->message.length;
        memcpy(out->id[i], id, DT_MESSAGE_ID);
        snprintf(out->file[i], sizeof out->file[i], "%s", part->name);
    }
}

/* Of rounds whose record is gone nobody knows what this site signed. */
static dt_status check_record(dt_mailbox *box, const dt_gather *gather) {
    int64_t removed;
    DT_TRY(dt_mailbox_removed(box, &removed));
    if (gather->round >= removed) return dt_ok();
    return dt_fail(DT_ERR_DIVERGED,
                   "round %lld is over at all sites, and what was signed in it is removed (sites.keep, %s/past): this "
                   "site goes on from a checkpoint of round %lld or later",
                   (long long)gather->round, box->records, (long long)removed);
}

dt_status dt_mailbox_gather(dt_mailbox *box, const dt_gather *gather, dt_gathered *out) {
    dt_desk desk;
    int set = DT_NO_SET;
    DT_TRY(check_record(box, gather));
    dt_status status = dt_desk_open(&desk, &box->options, box->me, gather);
    if (status.code == DT_OK) status = settle(box, &desk, &set);
    if (status.code == DT_OK) tell_gathered(&desk, set, out);
    dt_desk_close(&desk);
    return status;
}

dt_status dt_mailbox_fetch(dt_mailbox *box, const dt_gather *gather, const dt_gathered *gathered, int member,
                           void **part) {
    dt_desk desk;
    dt_message message;
    char path[4096];
    *part = NULL;
    dt_status status = dt_desk_open(&desk, &box->options, box->me, gather);
    if (status.code == DT_OK) status = dt_path_join(path, desk.directory, gathered->file[member]);
    if (status.code == DT_OK) status = dt_message_read(path, &desk.part, &message, part, NULL);
    if (status.code == DT_OK && memcmp(message.id, gathered->id[member], DT_MESSAGE_ID) != 0)
        status = dt_fail(DT_ERR_CORRUPT, "%s has become another part", path);
    dt_desk_close(&desk);
    if (status.code == DT_OK) return status;
    dt_free(*part);
    *part = NULL;
    return status.code == DT_ERR_CORRUPT ? dt_fail(DT_ERR_STOPPED, "%.300s; run the same command again", status.message)
                                         : status;
}
