/* How far long work is: an evaluation, an import, an unpacking. On a terminal a live line once it takes more than a
 * moment; in a log a line after a minute, and then each time the work has taken twice as long, so there are few of any
 * work. Lines go to standard error, for standard output may be a command's result. The first rank speaks for all.
 * In the public library nothing is said (api/quiet.c). */
#ifndef DTRAIN_HEADWAY_H
#define DTRAIN_HEADWAY_H

#include <stdint.h>

#include "base/alive.h"

typedef struct dt_headway {
    char what[200]; /* "evaluating", "reading table.csv"; escaped */
    const char *unit;
    int64_t total;
    double began, next; /* when something is to be said */
} dt_headway;

/* `what` may have text of others in it. $DTRAIN_HEADWAY_SECONDS is another time than a minute. */
void dt_headway_begin(dt_headway *headway, const char *unit, int64_t total, const char *what, ...)
    __attribute__((format(printf, 4, 5)));
/* So many of the units are done; a sign of life, too (alive.h). Between pieces: it looks at the clock. */
void dt_headway_at(dt_headway *headway, int64_t done);
/* Takes its line away. */
void dt_headway_end(dt_headway *headway);

#endif
