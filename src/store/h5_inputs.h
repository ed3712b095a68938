/* Several datasets side by side, as one name: see h5_rows.h. */
#ifndef DTRAIN_H5_INPUTS_H
#define DTRAIN_H5_INPUTS_H

#include <stdbool.h>

#include "store/h5_rows.h"

#define DT_H5_MOST_SIDES 64
#define DT_H5_INPUTS_TEXT 2048

typedef struct dt_h5_inputs {
    char text[DT_H5_INPUTS_TEXT]; /* the datasets' names, each ended by 0 */
    int sides;
    const char *dataset[DT_H5_MOST_SIDES];
    int input_of[DT_H5_MOST_SIDES]; /* which input a dataset is part of */
    int count;                      /* inputs; 0: no names were given */
    char name[DT_MOST_INPUTS][DT_INPUT_NAME];
} dt_h5_inputs;

/* Whether a name is of several datasets. */
bool dt_h5_is_inputs(const char *named);
/* `file` is for messages. */
dt_status dt_h5_inputs_parse(dt_h5_inputs *out, const char *file, const char *named);

#endif
