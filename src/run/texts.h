/* Texts that a text model writes while it learns, in samples/ of the run directory: behind the first evaluation, behind
 * the first one after each power of two of steps, and at the end. */
#ifndef DTRAIN_TEXTS_H
#define DTRAIN_TEXTS_H

#include "base/status.h"

struct dt_run;

/* Collective, behind an evaluation. Rank 0 writes, and the others wait. A text that cannot be had is a warning. */
dt_status dt_texts_sample(struct dt_run *run);

#endif
