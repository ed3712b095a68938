/* Parts of a survey. */
#ifndef DTRAIN_SURVEY_INTERNAL_H
#define DTRAIN_SURVEY_INTERNAL_H

#include "data/survey.h"

/* In a child: all that a set says besides its path, from the values that the file has for it. */
dt_status dt_survey_look(dt_survey_set *set, const char *file);

#endif
