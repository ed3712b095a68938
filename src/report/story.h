/* What the journal of a run (store/journal.h) tells: its starts, checkpoints, warnings by kind, and how it ended. Of
 * very many of anything the first and the last are kept and the rest counted, so memory is bounded. */
#ifndef DTRAIN_STORY_H
#define DTRAIN_STORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#define DT_STORY_STARTS 64
#define DT_STORY_WARNINGS 24
#define DT_STORY_MARKS 400 /* checkpoints that are shown */

typedef struct dt_start_told {
    char time[32], hosts[1024], isa[32], program[64];
    double step, total_steps, ranks, threads, shards, samples, parameters, flops_per_sample, peak_flops;
} dt_start_told;

typedef struct dt_warning_told {
    char text[512]; /* the first of its kind: those that differ in numbers alone are of one kind */
    int64_t count;
    double first_step, last_step;
} dt_warning_told;

/* One audit (dtrain audit): intervals of the run computed again. */
typedef struct dt_audit_told {
    char time[32], finding[16]; /* "agrees", "differs", "contradicts" */
    double steps, of_steps, links, agree, probability, from, to;
} dt_audit_told;

typedef struct dt_story {
    dt_start_told starts[DT_STORY_STARTS]; /* the last place is the newest start */
    int start_count;                       /* of them */
    int64_t all_starts, rollbacks;
    double checkpoints[DT_STORY_MARKS]; /* steps, some left out evenly where there are more */
    int checkpoint_count;
    int64_t all_checkpoints;
    double checkpoint_seconds; /* from their copies to their ends, of all */
    double checkpoint_cost;    /* seconds that all of them took from training; helpers' processor time counts in full */
    char last_checkpoint[32];  /* when */
    dt_warning_told warnings[DT_STORY_WARNINGS];
    int warning_count;
    int64_t all_warnings, other_warnings;
    bool ended; /* the last thing told is an end */
    char outcome[16], why[512], digest[32], ended_at[32];
    double end_step, end_seconds, end_rate, skipped;
    double audits, audit_seconds; /* steps in which ranks computed each other's gradients again, of all ends together */
    dt_audit_told audit;          /* the newest one that found something, else the newest */
    int64_t all_audits, bad_audits;
} dt_story;

/* Reads it anew. A run without a journal, as those of earlier versions, has an empty story. */
dt_status dt_story_read(dt_story *story, const char *directory);
/* The newest start; NULL: none is known. */
const dt_start_told *dt_story_start(const dt_story *story);

#endif
