/* A lock file that says who holds it, and shows that its holder lives.
 *
 * The holder changes the file every few seconds, from a thread of its own; who wants the lock looks at it again and
 * again by his own clock, so the two need no common one. A lock is taken over when its holder is certainly gone (the
 * same boot of the same machine, the same PID namespace, and no such process) or when its heartbeat was not seen for as
 * long as the lock itself says. Everything else counts as in use. A holder that was taken for gone and was not, for
 * example because its job was suspended, notices and says so: it is to write nothing more. */
#ifndef DTRAIN_LEASE_H
#define DTRAIN_LEASE_H

#include <stdbool.h>

#include "base/status.h"

typedef struct dt_lease dt_lease;

/* Takes nothing yet. `file` is the lock's, `what` names in messages what it protects; `seconds` without a heartbeat
 * make a holder of this lease count as gone. */
dt_status dt_lease_create(dt_lease **out, const char *file, const char *what, double seconds);
/* One look. DT_ERR_BUSY: somebody holds it who lives. Otherwise *taken says whether it is ours now; if not, its holder
 * could not be asked and its heartbeat is being waited for, so look again, about twice a second. */
dt_status dt_lease_try(dt_lease *lease, bool *taken);
/* DT_ERR_BUSY once it is no longer ours. Reads the file. */
dt_status dt_lease_check(dt_lease *lease);
/* The same as the heartbeat last saw it; costs nothing. */
bool dt_lease_is_lost(const dt_lease *lease);
/* Releases it where it is ours. Accepts NULL. */
void dt_lease_destroy(dt_lease *lease);

#endif
