/* The file of an evaluation, evaluation.json: `dtrain eval --json` writes it, and a run at its end. */
#ifndef DTRAIN_EVALUATED_H
#define DTRAIN_EVALUATED_H

#include "data/classes.h"
#include "data/source.h"
#include "use/assessment.h"

/* What was evaluated, on what, and what came of it. */
typedef struct dt_evaluated {
    const char *checkpoint;               /* its path */
    const char *files, *datasets, *split; /* of the samples */
    uint64_t digest;
    int64_t step;
    dt_loss loss;
    const dt_source *source; /* what samples are */
    const dt_classes *classes;
    const dt_tally *tally;
    const dt_assessment *assessment;
} dt_evaluated;

/* A dt_class_namer; `evaluated` is a dt_evaluated. The name of a class, or the label it has in the data. */
const char *dt_evaluated_class(const void *evaluated, int64_t class, char room[24]);
/* The file, whole or not at all. */
dt_status dt_evaluated_write(const dt_evaluated *evaluated, const char *path);

#endif
