/* What a data file holds, printed. */
#ifndef DTRAIN_INSPECT_DATA_H
#define DTRAIN_INSPECT_DATA_H

#include "base/status.h"

/* Of a checkpoint: nothing. */
dt_status dt_inspect_data(const char *path);

#endif
