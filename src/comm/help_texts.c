/* Where the MPI library's own help texts go. Open MPI 4 has a rank send them to mpirun, which reads them with two
 * threads and no lock: of 12000 texts some ten came damaged, and now and then mpirun itself crashed (Open MPI 4.1.4
 * with PMIx 4.2.2). When a rank dies the others may send one, so the line that names the dead rank went down with
 * mpirun. Once MPI is up ranks write such texts on their own standard error instead, which a launcher passes on like
 * any other line. */
#include <dlfcn.h>
#include <string.h>

#include "comm_internal.h"

void dt_help_texts_own(void) {
    void (*finalize)(void);
    void *found = dlsym(RTLD_DEFAULT, "orte_show_help_finalize"); /* Open MPI 4 alone has it */
    if (!found) return;
    memcpy(&finalize, &found, sizeof finalize);
    finalize(); /* MPI_Finalize's own call then finds nothing to do */
}
