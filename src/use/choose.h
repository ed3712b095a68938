/* The next token from the outputs for it (choose.c). */
#ifndef DTRAIN_CHOOSE_H
#define DTRAIN_CHOOSE_H

#include "compute/compute.h"

typedef struct dt_choice {
    double temperature; /* 0: the largest output, the first among equals */
    int64_t top_k;      /* only this many of the largest; 0: all */
    double top_p;       /* only the fewest that have this share of the probability together */
} dt_choice;
typedef struct dt_candidate {
    double share;
    float output;
    int32_t id;
} dt_candidate;
/* One of the tokens [0, count) by their outputs and a number `draw` in [0, 1); -1 when an output is not a number or
 * infinite. work[count]. */
int64_t dt_choose(const dt_choice *choice, const dt_real *outputs, int64_t count, double draw, dt_candidate *work);

#endif
