/* The run's page: written by whoever the options name, when it is due. Rank 0's. */
#ifndef DTRAIN_SHOW_H
#define DTRAIN_SHOW_H

#include "run.h"

/* After a step: writes the page if report.every says so, but never so often that it takes more than half a per cent of
 * the time. A failure is said once, and ends nothing. */
void dt_run_show(dt_run *run);
/* The run is over: its last page. */
void dt_run_show_last(dt_run *run);

#endif
