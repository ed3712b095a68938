/* That all ranks are of one run (alike.c). */
#ifndef DTRAIN_ALIKE_H
#define DTRAIN_ALIKE_H

#include "session.h"

/* Collective. Fails on every rank when one differs from rank 0 in `value`: "rank 3 has another <what> than rank 0;
 * <advice>". */
dt_status dt_check_alike(dt_comm *comm, uint64_t value, const char *what, const char *advice);
/* Collective. The same of the program, the recipe and the run directory: before anything is done that follows from
 * them, for ranks with different ones would not meet in the same collective calls. */
dt_status dt_check_ranks_alike(const dt_session *session);

#endif
