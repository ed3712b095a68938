/* A run as somebody sees it from another shell, or another machine: what its files say, and whether anybody is at it.
 * Nothing is asked of its processes. */
#ifndef DTRAIN_WATCH_H
#define DTRAIN_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "joint.h"
#include "store/lock_file.h"
#include "thin.h"

/* Seconds of an interval went to these; a run of before some of them has NaN there. */
enum { DT_WATCH_PHASES = 6 };
extern const char *const dt_watch_phases[DT_WATCH_PHASES]; /* "input", "compute", … */

typedef enum dt_watch_state {
    DT_WATCH_IDLE,    /* nobody holds it */
    DT_WATCH_HELD,    /* somebody does who cannot be asked from here, and showed no second heartbeat yet */
    DT_WATCH_RUNNING, /* somebody does who lives */
    DT_WATCH_SILENT   /* somebody does who is gone, or showed no heartbeat for as long as the lock says */
} dt_watch_state;

/* A rank that others waited for, in the last interval that says so. */
typedef struct dt_watch_late {
    int64_t rank;
    double busy, mean; /* seconds it computed, and all ranks did on the average */
} dt_watch_late;
#define DT_WATCH_LATE 8

typedef struct dt_watch_warning {
    char text[240];           /* escaped */
    char first[32], last[32]; /* UTC */
    int64_t count;
} dt_watch_warning;
#define DT_WATCH_WARNINGS 32

typedef struct dt_watch {
    char directory[1024], host[256], since[32]; /* escaped; host and since of who holds it */
    dt_watch_state state;
    double silent; /* seconds since a heartbeat was seen, while it is watched */

    /* of the last row of an interval; NaN before there is one */
    double step, epoch, loss, learning_rate, grad_norm, samples_per_s, tokens_per_s;
    double phases[DT_WATCH_PHASES];     /* mean over the ranks */
    double compute_least, compute_most; /* over the ranks */
    double steps_per_s;                 /* lately, all that takes time counted; NaN: not known */
    double row_age;                     /* seconds since the metrics were written to; NaN */
    dt_thin *losses;                    /* rows {step, loss} */
    dt_thin *evaluated;                 /* rows {step, loss} of evaluations */
    const char *judged_by;              /* "test" or "validation" */
    double test_loss, test_accuracy;    /* of the last evaluation; NaN */
    double best_loss, best_step;        /* NaN */
    dt_watch_late late[DT_WATCH_LATE];  /* the latest first */
    int late_count;
    double late_step;
    dt_joint joint;

    /* of the journal; NaN or "" where it does not say */
    char hosts[1024]; /* escaped: "north (4), south (4)", in the order of the ranks */
    double total_steps, ranks, shards, skipped, audits;
    double audit_share; /* of the steps: another rank computes a part of them again */
    char waits[400];    /* escaped: the other sites this one waits for; "" */
    double waits_round;
    int64_t audited, audited_bad;    /* computed again afterwards (dtrain audit), and with what was found */
    char audited_last[24];           /* escaped: what the last one found */
    double audited_from, audited_to; /* between which steps */
    int64_t starts;
    char ended[96], outcome[24], digest[24];      /* escaped; "" while it works */
    dt_watch_warning warnings[DT_WATCH_WARNINGS]; /* the last ones, the newest last */
    int warning_count;
    int64_t warnings_in_all;

    /* of checkpoints/ */
    double checkpoint_step, checkpoint_age, checkpoint_seconds; /* newest; NaN */
    int checkpoint_count;

    struct dt_watch_sources *sources;
} dt_watch;

/* A directory that is no run's is DT_ERR_INPUT. To be closed, also after a failure. */
dt_status dt_watch_open(dt_watch *watch, const char *directory);
/* Looks again; *news, which may be NULL, is whether rows or events have come. */
dt_status dt_watch_look(dt_watch *watch, bool *news);
void dt_watch_close(dt_watch *watch);

/* The host of a rank, into out; "" where that is not known. */
void dt_watch_host(const dt_watch *watch, int64_t rank, char out[256]);

/* Seconds until its last step, at the pace of late; NaN: not known. */
double dt_watch_seconds_left(const dt_watch *watch);

#endif
