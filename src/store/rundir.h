/* The run directory: made, recognised, locked against a second job. */
#ifndef DTRAIN_RUNDIR_H
#define DTRAIN_RUNDIR_H

#include <stdbool.h>

#include "base/status.h"

typedef struct dt_rundir dt_rundir;

/* Makes `path` and path/checkpoints where missing. A directory that holds files, none of which is a run's, is
 * DT_ERR_INPUT. Takes no lock yet; a holder that shows no heartbeat for `seconds` will count as gone. Rank 0 only. */
dt_status dt_rundir_open(dt_rundir **out, const char *path, double seconds);
/* One try to take path/lock. DT_ERR_BUSY: a job that lives has it; the message says who, and which file to remove
 * should that be wrong. *taken false: its holder cannot be asked from here, and nobody knows yet; try again in half a
 * second. A holder that is certainly gone, or showed no heartbeat for as long as it said, is taken over from, with a
 * warning. */
dt_status dt_rundir_lock(dt_rundir *dir, bool *taken);
/* Says in the directory that it is a run's: before anything but the lock is written to it, and once it is locked. */
dt_status dt_rundir_mark(dt_rundir *dir);
/* DT_ERR_BUSY once the lock is somebody else's: nothing is to be written then. Before every checkpoint; reads a file.
 */
dt_status dt_rundir_check(dt_rundir *dir);
/* Whether the heartbeat noticed that it is; costs nothing. Accepts NULL: nothing is held. */
bool dt_rundir_is_lost(const dt_rundir *dir);
/* The run never began: what was made for it here goes when the directory is closed, and the directory with it if it was
 * not there before. One that was a run's, or has a checkpoint by now, stays as it is. Accepts NULL. */
void dt_rundir_discard(dt_rundir *dir);
/* Releases the lock where it is ours. Accepts NULL. */
void dt_rundir_close(dt_rundir *dir);

#endif
