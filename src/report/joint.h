/* What rows of metrics tell of a run besides its own course: the chain of its digests, rounds of sites, what privacy
 * was spent. Memory is bounded, whatever the number of sites and rounds. */
#ifndef DTRAIN_JOINT_H
#define DTRAIN_JOINT_H

#include "history.h"

enum { DT_JOINT_CHAIN, DT_JOINT_ROUND, DT_JOINT_SITE, DT_JOINT_PRIVACY, DT_JOINT_SERIES };
/* The last rows of a table of dt_history_series, in the order of these numbers. */
#define DT_JOINT_ROWS                                                                                                  \
    {"chain", dt_joint_chain}, {"round", dt_joint_round}, {"site", dt_joint_site_row}, {                               \
        "privacy", dt_joint_privacy                                                                                    \
    }
extern const char *const dt_joint_chain[], *const dt_joint_round[], *const dt_joint_site_row[],
                                                                        *const dt_joint_privacy[];

#define DT_JOINT_SITES 24  /* those that are met first are told one by one */
#define DT_JOINT_MARKS 60  /* the last rounds */
#define DT_JOINT_CURVES 10 /* sites that have a curve, where there are no more */

typedef struct dt_joint_site {
    int64_t number, took_part, left_out; /* rounds: its change is in the sum; it was chosen, and its change is not */
    double samples, loss, accuracy;      /* of what it trained on in the last round it was in */
    double weight;                       /* what its change counted for in the last sum that tells */
    char marks[DT_JOINT_MARKS]; /* of the last rounds, the newest last: '1' took part, '0' left out, '.' not chosen */
    char now;                   /* of the round that is told */
} dt_joint_site;

/* A figure of the sites of a round; NaN. */
typedef struct dt_joint_figure {
    double least, mean, most;
    double curve[DT_JOINT_CURVES]; /* of sites 0, 1, … */
    int64_t sites;                 /* that tell it */
} dt_joint_figure;

typedef struct dt_joint {
    int64_t links; /* of the chain; 0: there is none */
    double link_step;
    uint64_t digest, link; /* the newest */

    int64_t rounds;                                /* that were recorded; 0: there are none */
    double round, sites, took_part, bytes, change; /* of the last one; bytes: sent so far */
    int64_t incomplete;                            /* rounds without somebody who was chosen, */
    double last_incomplete;
    dt_joint_site site[DT_JOINT_SITES];
    int site_count;
    double left_out;                        /* of the last round: chosen, and not in its sum */
    dt_joint_figure loss, accuracy;         /* of the last round */
    dt_joint_figure now_loss, now_accuracy; /* of the round that is told, and so far */
    int64_t now_left_out;

    double epsilon, epsilon_step; /* NaN: nothing is said of it */
} dt_joint;

/* Nothing is known. */
void dt_joint_begin(dt_joint *joint);
/* A row of that series. */
void dt_joint_take(dt_joint *joint, int series, const double *row);

#endif
