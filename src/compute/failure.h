/* What could not be computed. */
#ifndef DTRAIN_COMPUTE_FAILURE_H
#define DTRAIN_COMPUTE_FAILURE_H

#include <stdbool.h>

#include "base/status.h"

/* Whether something failed inside a step on the calling thread, and what was first; the second forgets it. To be asked
 * before anything follows from what was computed. */
bool dt_compute_failed(void);
dt_status dt_compute_failure(void);
/* Keeps such a failure, if it is the first: of samples that could not be read for a step. */
void dt_compute_fail(dt_status status);

#endif
