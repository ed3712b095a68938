/* Which known key an unknown one was meant to be. */
#ifndef DTRAIN_SUGGEST_H
#define DTRAIN_SUGGEST_H

#include "config/fields.h"

#define DT_SUGGEST_NONE 32 /* to begin with: further than any key that is suggested */

/* Considers a known key and the groups it is in: one that is nearer than *best becomes `nearest`. */
void dt_suggest(const char *unknown, const char *known, char nearest[DT_TEXT_MAX], int *best);

#endif
