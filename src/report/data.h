/* What the plots of a report are drawn from: JSON inside the page. */
#ifndef DTRAIN_DATA_H
#define DTRAIN_DATA_H

#include <stdio.h>

#include "view.h"

/* {"runs":[{"name":…,"plots":{"loss":{"rows":N,"step":[…],…}},"marks":{…},"best":{…},"evaluation":{…}}]} */
void dt_report_data(FILE *to, const dt_view *views, int count);

#endif
