/* What a data file holds, printed. */
#ifndef DTRAIN_INSPECT_DATA_H
#define DTRAIN_INSPECT_DATA_H

#include "base/status.h"
#include "data/survey.h"

/* Of a checkpoint: nothing. */
dt_status dt_inspect_data(const char *path);
/* Of datasets: values, classes and a few samples; whether there are any. */
bool dt_inspect_survey(const dt_survey *survey);
/* Of a file that has an importer (data/foreign.h), which is told. */
dt_status dt_inspect_foreign(const char *path);

#endif
