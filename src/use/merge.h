/* Several checkpoints of one model made into one (merge.c). */
#ifndef DTRAIN_MERGE_H
#define DTRAIN_MERGE_H

#include <stdint.h>

#include "base/status.h"

typedef struct dt_merge_options {
    const char *const *targets; /* [count]: checkpoints or run directories */
    const double *weights;      /* [count]: what each is multiplied by; NULL: 1/count */
    int count;
    const char *destination;
} dt_merge_options;

/* What went into the result. */
typedef struct dt_merged {
    char path[4096];
    uint64_t digest;
    double weight;
    double distance; /* Euclidean, of its weights from the result's */
} dt_merged;

/* Writes a checkpoint whose weights are the weighted sum of the others', added up in double in their order and rounded
 * once. All else (recipe, position, classes, scales, vocabulary) is the first one's, with which the others must agree
 * in what their weights mean; there are no moments in it. merged[count] is filled in; *digest is the result's, *norm
 * the Euclidean norm of its weights. One process. */
dt_status dt_merge_run(const dt_merge_options *options, dt_merged *merged, uint64_t *digest, double *norm);

#endif
