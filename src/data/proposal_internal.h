/* Parts of a proposal. */
#ifndef DTRAIN_PROPOSAL_INTERNAL_H
#define DTRAIN_PROPOSAL_INTERNAL_H

#include "data/proposal.h"

#define DT_PLAN_LEFT 8
#define DT_PLAN_NAME 1000 /* bytes of a dataset's name, with what is chosen of it */

/* What is learned from what. */
typedef struct dt_plan {
    const dt_survey *survey;
    const char *file, *first;
    const dt_survey_set *x, *y;                  /* y is NULL for texts */
    char x_name[DT_PLAN_NAME];                   /* of x; of several "[/a, /b]" or "/table[a, b]" */
    dt_survey_set *joined;                       /* several as one, to be freed; else NULL */
    const dt_survey_set *left_out[DT_PLAN_LEFT]; /* the first of those that might have been in x; NULL: no more */
    bool tests, classes, pictures, channels_first, tokens;
    int64_t outputs, rows, inputs;
    char *text;
} dt_plan;

/* What x and y are: what is wished, or else has the usual names, or else a column of strings beside numbers. */
dt_status dt_proposal_choose(dt_plan *plan, const dt_proposal_wish *wish);

#endif
