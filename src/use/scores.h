/* How well scores tell two classes apart (scores.c). */
#ifndef DTRAIN_SCORES_H
#define DTRAIN_SCORES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ranks.h"

/* A probability for each sample, with the class it has. Zeroed: none. */
typedef struct dt_scores {
    uint32_t *list;
    size_t count, room;
    bool full; /* there was no more memory for them */
} dt_scores;
void dt_scores_add(dt_scores *scores, float probability, bool positive);
void dt_scores_finish(dt_scores *scores);
/* Collective. The area under the ROC curve of all ranks' scores, exactly: the share of pairs, one of each class, in
 * which the positive one has the higher score, where an equal one counts half (Hanley and McNeil 1982). NaN where there
 * are not both classes, or a rank's list was full. Sorts the list. */
dt_status dt_scores_auc(dt_scores *scores, const dt_ranks *ranks, double *auc);

#endif
