/* The team: ranks of one machine that share one replica of the model. Weights and moments are in memory all of them
 * see; every rank updates its slice of them. A team of one is a rank with a replica of its own.
 *
 * Functions marked "collective" must be called by every rank of the job, in the same order. */
#ifndef DTRAIN_TEAM_H
#define DTRAIN_TEAM_H

#include "dtrain/comm.h"

typedef struct dt_team dt_team;

/* Collective. Ranks of a machine, in the order of their numbers, at most `most` of them to a team (0: all). */
dt_status dt_team_open(dt_team **out, dt_comm *comm, int64_t most);
/* Collective. Frees what dt_team_alloc gave. Accepts NULL. */
void dt_team_close(dt_team *team);

int dt_team_rank(const dt_team *team);
int dt_team_size(const dt_team *team);
int dt_team_count(const dt_team *team); /* teams in the job */
/* Ranks of a team that have a counterpart in every other team: those own a slice. Rank r of a team is one when
 * r < dt_team_owners(team). */
int dt_team_owners(const dt_team *team);

/* Collective. Zeroed memory every rank of the team sees, which begins at a page; lives until dt_team_close. Each page
 * is touched first by the rank that owns that share of it, so it is near that rank. NULL on every rank when it cannot
 * be had, and *status says why. (It returns the memory, and not through a void **: that would store a void * into a
 * pointer of another type, which compilers that look across files may take to be unrelated.) */
void *dt_team_alloc(dt_team *team, size_t count, size_t size, dt_status *status);

/* Returns when every rank of the team has called it; what they wrote to shared memory before is then seen by all. Waits
 * by spinning for some microseconds, then by giving way, at once where ranks outnumber cores. */
void dt_team_meet(dt_team *team);

/* Collective. What rank 0 of the job has in memory of dt_team_alloc, in every team. */
dt_status dt_team_share(dt_team *team, void *shared, size_t bytes);

#endif
