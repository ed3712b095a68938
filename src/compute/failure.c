/* Failures of the kernels. They run inside a step and return nothing, so that layers read like formulas; what they
 * cannot do, which is only to find no memory, is kept here until somebody asks. Whoever uses the result of products
 * asks before it acts on them: numbers after a failure are whatever was there before. */
#include "compute_internal.h"

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
