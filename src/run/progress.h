/* What a run says of itself, and records (progress.c). */
#ifndef DTRAIN_PROGRESS_H
#define DTRAIN_PROGRESS_H

#include "clock.h"
#include "course.h"
#include "ledger.h"
#include "privacy.h"
#include "records.h"
#include "run_data.h"
#include "session.h"

/* Of rounds of sites. */
typedef struct dt_round_figures {
    int64_t rounds, sites;
    int64_t took_part; /* in the last round */
    int64_t samples;   /* trained by all sites, this process, */
    double seconds;    /* in so long */
    uint64_t bytes;    /* that the sites sent so far */
} dt_round_figures;

typedef struct dt_progress {
    /* what is reported on */
    const dt_session *session;
    const dt_run_data *data;
    const dt_course *course;
    const dt_ledger *ledger;
    const dt_run_clock *clock;
    const dt_round_figures *rounds; /* NULL: there are none */
    const dt_privacy *privacy;
    dt_records records;
    /* up to the last record */
    double phases[DT_PHASE_COUNT], loop_seconds;
    double before;                /* seconds of the run until this process went on with it; rank 0 */
    double memory, memory_looked; /* this process's peak in bytes, and when that was asked for */
    int64_t loop_samples;
    double loss;          /* of it */
    double shown, logged; /* when the last live line and the last line of an interval were */
} dt_progress;

void dt_progress_begin(dt_progress *progress, const dt_session *session, const dt_run_data *data,
                       const dt_course *course, const dt_ledger *ledger, const dt_run_clock *clock,
                       const dt_privacy *privacy);
/* Rank 0 with a terminal: refreshes the live line, at most ten times a second. */
void dt_progress_live(dt_progress *progress);
/* Collective. A row of metrics and a line, for the steps since the last one, of which this is the tally. */
dt_status dt_progress_record(dt_progress *progress, const dt_tally *tally, double rate, double grad_norm);
/* The same for an evaluation, ledger->test; says nothing on other ranks than 0. */
void dt_progress_evaluated(dt_progress *progress);
/* Whether an interval gets a line in the log of a job that is `age` seconds old, so many `since` the last line: all do
 * in the first minute, later as many as can be read. The metrics have all intervals. */
bool dt_progress_is_log_due(double age, double since);
/* Seconds of the run, with those of earlier processes that led to where this one took it up. Rank 0. */
double dt_progress_seconds(const dt_progress *progress);
/* Rank 0: the machine-readable last line, with the digest of the state; `ended` is why. */
void dt_progress_last_line(const dt_progress *progress, dt_outcome outcome, const char *ended, const char *digest);

#endif
