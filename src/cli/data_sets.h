/* --data FILE[:DATASET] and --targets DATASET, as often as there are data sets (data_sets.c). */
#ifndef DTRAIN_DATA_SETS_H
#define DTRAIN_DATA_SETS_H

#include "base/status.h"
#include "run/named.h"

typedef struct dt_data_sets {
    dt_data_named *all; /* [count]; to dt_free */
    int count;
} dt_data_sets;

/* Room for as many as a command with `argc` arguments can name. */
dt_status dt_data_sets_create(dt_data_sets *out, int argc);
/* One more, from an argument that is kept and cut: "FILE:/dataset", where no file has that name. */
dt_status dt_data_sets_add(dt_data_sets *sets, char *argument);
/* Where the targets are of the one that was added last. */
dt_status dt_data_sets_target(dt_data_sets *sets, const char *dataset);
/* What was asked for by --split, NULL for nothing, is of data sets whose own is not named. */
dt_status dt_data_sets_check(const dt_data_sets *sets, const char *split);

#endif
