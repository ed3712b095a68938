/* The run directory: made, locked against a second job, kept. */
#ifndef DTRAIN_RUNDIR_H
#define DTRAIN_RUNDIR_H

#include "dtrain/status.h"

typedef struct dt_rundir dt_rundir;

/* Makes `path` and path/checkpoints where missing, and takes path/lock (host, pid, job id, start time). A lock whose
 * owner is on this host and no longer lives is taken over with a warning; a live or foreign one is DT_ERR_BUSY, saying
 * who holds it and which file to remove should that job be gone. Rank 0 only. */
dt_status dt_rundir_open(dt_rundir **out, const char *path);
/* Releases the lock. Accepts NULL. */
void dt_rundir_close(dt_rundir *dir);

/* path/name, into out[4096]. */
dt_status dt_path_join(char out[4096], const char *directory, const char *name);

#endif
