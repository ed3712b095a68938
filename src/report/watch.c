/* What there is to see of a run is collected from four places: metrics.jsonl, journal.jsonl, checkpoints/ and the lock.
 */
#include "watch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/file.h"
#include "base/memory.h"
#include "events.h"
#include "history.h"
#include "store/checkpoint.h"

#define CURVE_BUCKETS 2000
#define PACE_ROWS 32 /* the pace is that of so many intervals */

const char *const dt_watch_phases[DT_WATCH_PHASES] = {"input", "compute", "reduce", "update", "evaluate", "checkpoint"};

enum { STEP, EPOCH, LOSS, RATE, NORM, SAMPLES, TOKENS, PHASES, LEAST = PHASES + DT_WATCH_PHASES, MOST, TRAIN_COLUMNS };
static const char *const train_columns[] = {"step",
                                            "epoch",
                                            "loss",
                                            "learning_rate",
                                            "grad_norm",
                                            "samples_per_s",
                                            "tokens_per_s",
                                            "input_mean",
                                            "compute_mean",
                                            "reduce_mean",
                                            "update_mean",
                                            "evaluate_mean",
                                            "checkpoint_mean",
                                            "compute_min",
                                            "compute_max",
                                            NULL};
enum { TEST = 1, TEST_ACCURACY, VALIDATION, VALIDATION_ACCURACY };
static const char *const epoch_columns[] = {
    "step", "test_loss", "test_accuracy", "validation_loss", "validation_accuracy", NULL};
enum { LATE_RANK = 1, LATE_BUSY, LATE_MEAN };
static const char *const late_columns[] = {"step", "rank", "busy", "busy_mean", NULL};
static const dt_history_series series[] = {
    {"train", train_columns}, {"epoch", epoch_columns}, {"late", late_columns}, DT_JOINT_ROWS};
enum { SERIES_TRAIN, SERIES_EPOCH, SERIES_LATE, SERIES_JOINT, SERIES_COUNT = SERIES_JOINT + DT_JOINT_SERIES };

struct dt_watch_sources {
    char path[4096]; /* of the run */
    dt_history *history;
    dt_events *events;
    struct {
        double steps, seconds;
    } pace[PACE_ROWS]; /* of the last intervals, in a ring */
    int64_t intervals;
    double previous_step;
    uint64_t token, beat; /* of the lock as it was seen last */
    double beat_seen;
    bool beaten; /* while we looked */
};

static void escaped(char *out, size_t room, const char *text) {
    dt_escape(out, room, text, strlen(text), false);
}

/* ---- rows ---- */

static void forget_rows(void *context) {
    dt_watch *w = context;
    dt_thin_clear(w->losses);
    dt_thin_clear(w->evaluated);
    const double none = (double)NAN;
    w->step = w->epoch = w->loss = w->learning_rate = w->grad_norm = w->samples_per_s = w->tokens_per_s = none;
    for (int i = 0; i < DT_WATCH_PHASES; i++) w->phases[i] = none;
    w->compute_least = w->compute_most = w->steps_per_s = none;
    w->test_loss = w->test_accuracy = w->best_loss = w->best_step = w->late_step = none;
    w->late_count = 0;
    dt_joint_begin(&w->joint);
    w->sources->intervals = 0;
    w->sources->previous_step = 0;
}

/* Steps a second over the last intervals, by what their ranks spent on whatever it was. */
static void take_pace(dt_watch *w) {
    struct dt_watch_sources *s = w->sources;
    double seconds = 0, all_steps = 0, all_seconds = 0;
    for (int i = 0; i < DT_WATCH_PHASES; i++) seconds += isfinite(w->phases[i]) ? w->phases[i] : 0;
    int at = (int)(s->intervals++ % PACE_ROWS);
    s->pace[at].steps = w->step - s->previous_step;
    s->pace[at].seconds = seconds;
    s->previous_step = w->step;
    for (int i = 0; i < PACE_ROWS && i < s->intervals; i++) {
        all_steps += s->pace[i].steps;
        all_seconds += s->pace[i].seconds;
    }
    w->steps_per_s = all_seconds > 0 && all_steps > 0 ? all_steps / all_seconds : (double)NAN;
}

static void take_interval(dt_watch *w, const double *row) {
    w->step = row[STEP];
    w->epoch = row[EPOCH];
    w->loss = row[LOSS];
    w->learning_rate = row[RATE];
    w->grad_norm = row[NORM];
    w->samples_per_s = row[SAMPLES];
    w->tokens_per_s = row[TOKENS];
    memcpy(w->phases, row + PHASES, sizeof w->phases);
    w->compute_least = row[LEAST];
    w->compute_most = row[MOST];
    take_pace(w);
    dt_thin_add(w->losses, (double[]){row[STEP], row[LOSS]});
}

static void take_evaluation(dt_watch *w, const double *row) {
    bool validation = isfinite(row[VALIDATION]);
    int loss = validation ? VALIDATION : TEST;
    w->judged_by = validation ? "validation" : "test";
    w->test_loss = row[loss];
    w->test_accuracy = row[loss + 1];
    if (!isfinite(row[loss])) return;
    dt_thin_add(w->evaluated, (double[]){row[STEP], row[loss]});
    if (!(w->best_loss <= row[loss])) {
        w->best_loss = row[loss];
        w->best_step = row[STEP];
    }
}

/* Rows of one step are of one interval, the latest rank first. */
static void take_late(dt_watch *w, const double *row) {
    bool same = w->late_step <= row[STEP] && w->late_step >= row[STEP];
    if (!same) w->late_count = 0;
    w->late_step = row[STEP];
    if (w->late_count == DT_WATCH_LATE || !(row[LATE_RANK] >= 0 && row[LATE_RANK] < 1e9)) return;
    w->late[w->late_count++] = (dt_watch_late){(int64_t)row[LATE_RANK], row[LATE_BUSY], row[LATE_MEAN]};
}

static void take_row(void *context, int number, const double *row) {
    dt_watch *w = context;
    if (number == SERIES_TRAIN)
        take_interval(w, row);
    else if (number == SERIES_EPOCH)
        take_evaluation(w, row);
    else if (number == SERIES_LATE)
        take_late(w, row);
    else
        dt_joint_take(&w->joint, number - SERIES_JOINT, row);
}

/* ---- events ---- */

static void forget_events(void *context) {
    dt_watch *w = context;
    w->total_steps = w->ranks = w->shards = w->skipped = w->audits = w->checkpoint_seconds = (double)NAN;
    w->starts = w->warnings_in_all = 0;
    w->warning_count = 0;
    w->ended[0] = w->outcome[0] = w->digest[0] = w->hosts[0] = w->waits[0] = '\0';
    w->audit_share = (double)NAN;
    w->audited = w->audited_bad = 0;
}

/* The same warning again is counted; of many the newest are kept. */
static void take_warning(dt_watch *w, const dt_event *event) {
    dt_watch_warning new = {.count = 1};
    escaped(new.text, sizeof new.text, dt_event_text(event, "text"));
    escaped(new.first, sizeof new.first, event->time);
    w->warnings_in_all++;
    int at = 0;
    while (at < w->warning_count && strcmp(w->warnings[at].text, new.text) != 0) at++;
    if (at < w->warning_count) {
        new.count += w->warnings[at].count;
        memcpy(new.first, w->warnings[at].first, sizeof new.first);
    }
    if (at == DT_WATCH_WARNINGS) at = 0;
    if (at < w->warning_count) {
        memmove(&w->warnings[at], &w->warnings[at + 1], (size_t)(w->warning_count - at - 1) * sizeof new);
        w->warning_count--;
    }
    escaped(new.last, sizeof new.last, event->time);
    w->warnings[w->warning_count++] = new;
}

static void take_audited(dt_watch *w, const dt_event *event) {
    escaped(w->audited_last, sizeof w->audited_last, dt_event_text(event, "finding"));
    w->audited++;
    w->audited_bad += strcmp(w->audited_last, "agrees") != 0;
    w->audited_from = dt_event_number(event, "from");
    w->audited_to = dt_event_number(event, "to");
}

static void take_event(void *context, const dt_event *event) {
    dt_watch *w = context;
    if (strcmp(event->kind, "started") == 0) {
        w->starts++;
        w->total_steps = dt_event_number(event, "total_steps");
        w->ranks = dt_event_number(event, "ranks");
        w->shards = dt_event_number(event, "shards");
        escaped(w->hosts, sizeof w->hosts, dt_event_text(event, "hosts"));
        w->audit_share = dt_event_number(event, "audit");
        w->ended[0] = w->outcome[0] = '\0';
    } else if (strcmp(event->kind, "checkpoint") == 0) {
        w->checkpoint_seconds = dt_event_number(event, "seconds");
        if (dt_event_number(event, "step") > w->waits_round) w->waits[0] = '\0';
    } else if (strcmp(event->kind, "waits") == 0) {
        escaped(w->waits, sizeof w->waits, dt_event_text(event, "text"));
        w->waits_round = dt_event_number(event, "round");
    } else if (strcmp(event->kind, "audited") == 0) {
        take_audited(w, event);
    } else if (strcmp(event->kind, "warning") == 0) {
        take_warning(w, event);
    } else if (strcmp(event->kind, "ended") == 0) {
        escaped(w->outcome, sizeof w->outcome, dt_event_text(event, "outcome"));
        escaped(w->ended, sizeof w->ended, dt_event_text(event, "why"));
        escaped(w->digest, sizeof w->digest, dt_event_text(event, "digest"));
        w->skipped = dt_event_number(event, "skipped");
        w->audits = dt_event_number(event, "audits");
    }
}

/* ---- checkpoints ---- */

/* Seconds since a file was written to, by this machine's clock; NaN where there is none. */
static double age_of(const char *path) {
    struct stat info;
    struct timespec now;
    if (stat(path, &info) != 0) return (double)NAN;
    clock_gettime(CLOCK_REALTIME, &now);
    double age = (double)(now.tv_sec - info.st_mtim.tv_sec) + 1e-9 * (double)(now.tv_nsec - info.st_mtim.tv_nsec);
    return age > 0 ? age : 0;
}

static dt_status look_at_checkpoints(dt_watch *w) {
    char directory[4096], (*paths)[4096];
    DT_TRY(dt_path_join(directory, w->sources->path, "checkpoints"));
    DT_TRY(dt_checkpoint_list(directory, &paths, &w->checkpoint_count));
    w->checkpoint_step = w->checkpoint_age = (double)NAN;
    if (w->checkpoint_count > 0) {
        const char *name = strrchr(paths[0], '/');
        double step;
        if (sscanf(name ? name : paths[0], "/step-%lf", &step) == 1) w->checkpoint_step = step;
        w->checkpoint_age = age_of(paths[0]);
    }
    dt_free(paths);
    return dt_ok();
}

/* ---- who is at it ---- */

/* A heartbeat counts when it is another one than before, by our own clock: the holder's may be any other. */
static void look_at_beat(dt_watch *w, const dt_lock_owner *owner) {
    struct dt_watch_sources *s = w->sources;
    double now = dt_clock_now();
    bool known = s->beat_seen > 0 && s->token == owner->token;
    if (!known || s->beat != owner->beat) {
        s->beaten = known;
        s->beat_seen = now;
    }
    s->token = owner->token;
    s->beat = owner->beat;
    w->silent = now - s->beat_seen;
}

static void look_at_lock(dt_watch *w, const char *path) {
    dt_lock_owner owner;
    dt_lock_reading reading = dt_lock_read(path, &owner);
    if (reading == DT_LOCK_UNREADABLE) return; /* it is being changed */
    if (reading == DT_LOCK_ABSENT) {
        w->state = DT_WATCH_IDLE;
        w->sources->beat_seen = 0;
        return;
    }
    escaped(w->host, sizeof w->host, owner.host);
    escaped(w->since, sizeof w->since, owner.since);
    look_at_beat(w, &owner);
    dt_fate fate = dt_process_fate(&owner.process);
    if (fate == DT_FATE_GONE || w->silent > owner.seconds)
        w->state = DT_WATCH_SILENT;
    else if (fate == DT_FATE_LIVES || w->sources->beaten)
        w->state = DT_WATCH_RUNNING;
    else
        w->state = DT_WATCH_HELD;
}

/* ---- all ---- */

dt_status dt_watch_look(dt_watch *w, bool *news) {
    char path[4096];
    bool rows = false, events = false;
    DT_TRY(dt_history_follow(w->sources->history, &rows));
    DT_TRY(dt_events_follow(w->sources->events, &events));
    DT_TRY(look_at_checkpoints(w));
    DT_TRY(dt_path_join(path, w->sources->path, "metrics.jsonl"));
    w->row_age = age_of(path);
    DT_TRY(dt_path_join(path, w->sources->path, "lock"));
    look_at_lock(w, path);
    if (news) *news = rows || events;
    return dt_ok();
}

dt_status dt_watch_open(dt_watch *w, const char *directory) {
    memset(w, 0, sizeof *w);
    w->judged_by = "test";
    w->sources = dt_alloc(1, sizeof *w->sources);
    if (!w->sources) return dt_fail_memory("a run to be watched", sizeof *w->sources);
    snprintf(w->sources->path, sizeof w->sources->path, "%s", directory);
    escaped(w->directory, sizeof w->directory, directory);
    DT_TRY(dt_thin_create(&w->losses, 2, 1, CURVE_BUCKETS));
    DT_TRY(dt_thin_create(&w->evaluated, 2, 1, CURVE_BUCKETS));
    forget_rows(w);
    forget_events(w);
    w->row_age = w->checkpoint_step = w->checkpoint_age = (double)NAN;
    DT_TRY(dt_history_open(&w->sources->history, directory, series, SERIES_COUNT,
                           (dt_history_taker){forget_rows, take_row, w}));
    DT_TRY(dt_events_open(&w->sources->events, directory, (dt_event_taker){forget_events, take_event, w}));
    return dt_watch_look(w, NULL);
}

void dt_watch_close(dt_watch *w) {
    dt_thin_destroy(w->losses);
    dt_thin_destroy(w->evaluated);
    if (!w->sources) return;
    dt_history_close(w->sources->history);
    dt_events_close(w->sources->events);
    dt_free(w->sources);
    w->sources = NULL;
}

void dt_watch_host(const dt_watch *w, int64_t rank, char out[256]) {
    const char *at = w->hosts;
    out[0] = '\0';
    while (*at && rank >= 0) {
        const char *open = strstr(at, " ("), *next;
        char *end;
        long long ranks = open ? strtoll(open + 2, &end, 10) : 0;
        if (ranks < 1 || ranks > 100000000 || *end != ')') return;
        if (rank < ranks) {
            snprintf(out, 256, "%.*s", (int)(open - at), at);
            return;
        }
        rank -= ranks;
        next = end + 1;
        at = strncmp(next, ", ", 2) == 0 ? next + 2 : "";
    }
}

double dt_watch_seconds_left(const dt_watch *w) {
    double steps = w->total_steps - w->step;
    return steps >= 0 ? steps / w->steps_per_s : (double)NAN;
}
