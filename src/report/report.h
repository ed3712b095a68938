/* report.html: a run, or several beside each other, as one page that needs nothing but a browser. */
#ifndef DTRAIN_REPORT_H
#define DTRAIN_REPORT_H

#include <stdbool.h>

#include "base/status.h"

#define DT_REPORT_MOST 12 /* runs on a page */

/* Writes the report of these runs to `path`, whole or not at all. */
dt_status dt_report_write(const char *path, const char *const *runs, int count);

/* The report of a run that goes on: kept up to date in its directory by what is added to its files. */
typedef struct dt_reporter dt_reporter;
dt_status dt_reporter_open(dt_reporter **out, const char *run);
/* Writes RUN/report.html anew. `ended`: the run is over, however it looks. */
dt_status dt_reporter_write(dt_reporter *reporter, bool ended);
/* Accepts NULL. */
void dt_reporter_close(dt_reporter *reporter);

#endif
