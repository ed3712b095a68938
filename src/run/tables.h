/* What a run's last evaluation shows beyond its figures (confusion, calibration, errors of outputs), for the run's
 * page: evaluation.json in its directory, as `dtrain eval --json` writes it. */
#ifndef DTRAIN_TABLES_H
#define DTRAIN_TABLES_H

#include <stdint.h>

#include "use/assessment.h"

typedef struct dt_tables {
    dt_assessment assessment;
    bool there;
    int64_t step; /* of it */
} dt_tables;

struct dt_run;

/* Collective. Who collects in the evaluation that follows; NULL where it is not the last, or no tables are wanted. To
 * be given to dt_tables_end. */
dt_status dt_tables_begin(struct dt_run *run, dt_assessor **assessor);
/* Collective. The evaluation ended so; returns that. */
dt_status dt_tables_end(struct dt_run *run, dt_assessor *assessor, dt_status evaluated);
/* Rank 0, at the end of a run that is done, whose state has this digest. A file that cannot be written is a warning. */
void dt_tables_write(const struct dt_run *run, uint64_t digest);
void dt_tables_close(dt_tables *tables);

#endif
