/* Rows with missing values (missing.c). */
#ifndef DTRAIN_DATA_MISSING_H
#define DTRAIN_DATA_MISSING_H

#include "data/source.h"

/* Collective. Leaves rows of a source with a NaN out of its selection, the same ones on every rank; source->dropped is
 * how many. Fails where none is left. */
dt_status dt_missing_drop(dt_source *source, const dt_ranks *ranks);

#endif
