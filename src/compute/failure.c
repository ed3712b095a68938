/* Failures inside a step, whose parts return nothing so that they read like formulas: what cannot be done there is kept
 * until somebody asks. Whoever uses what a step gave asks before it acts on it. */
#include "failure.h"

static _Thread_local dt_status first; /* since it was last asked for */

void dt_compute_fail(dt_status status) {
    if (first.code == DT_OK) first = status;
}

bool dt_compute_failed(void) {
    return first.code != DT_OK;
}

dt_status dt_compute_failure(void) {
    dt_status status = first;
    first = dt_ok();
    return status;
}
