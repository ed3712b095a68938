/* What the ranks make of products that found no memory (dt_compute_failure): nobody uses what was computed beside them.
 */
#include <string.h>

#include "run_internal.h"

dt_status dt_computed_everywhere(dt_comm *comm) {
    dt_status found = dt_comm_agree(comm, dt_compute_failure());
    if (found.code == DT_OK || dt_comm_size(comm) == 1 || strncmp(found.message, "rank ", 5) == 0) return found;
    return dt_status_within(found, "rank 0"); /* whose memory it is that is short is what counts here */
}
