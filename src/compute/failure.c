/* Failures of the kernels. They run inside a step and return nothing, so that layers read like formulas; what they
 * cannot do, which is only to find no memory, is kept here until somebody asks. Whoever uses the result of products
 * asks before it acts on them: numbers after a failure are whatever was there before. */
#include <sys/mman.h>

#include "base/memory.h"
#include "compute_internal.h"
#include "failure.h"

#define CODE ((size_t)16 << 20) /* bytes; the products' took 7 MB */

static _Thread_local dt_status first; /* since it was last asked for */

void dt_compute_fail(dt_status status) {
    if (first.code == DT_OK) first = status;
}

bool dt_compute_failed(void) {
    return first.code != DT_OK;
}

dt_status dt_compute_room(void) {
    void *room = mmap(NULL, CODE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* asked for, not used */
    if (room == MAP_FAILED) return dt_fail_memory("oneDNN's code", CODE);
    munmap(room, CODE);
    return dt_ok();
}

dt_status dt_compute_failure(void) {
    dt_status status = first;
    first = dt_ok();
    return status;
}
