/* A first recipe for a data set. */
#ifndef DTRAIN_PROPOSAL_H
#define DTRAIN_PROPOSAL_H

#include "data/survey.h"

/* What to learn from what; "" where the file says it by its names. */
typedef struct dt_proposal_wish {
    const char *x, *y;
    const char *first; /* a command that makes the file, which is not there yet; NULL: it is */
} dt_proposal_wish;

/* A commented recipe that trains on `file`, as YAML, to dt_free: a perceptron for tables, a small convolutional network
 * for pictures, a small transformer for texts. DT_ERR_INPUT where the file does not say what is to be learned. */
dt_status dt_proposal_write(const dt_survey *survey, const char *file, const dt_proposal_wish *wish, char **text);

#endif
