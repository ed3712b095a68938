/* Predictions of a checkpoint, into files (predict.c). */
#ifndef DTRAIN_PREDICT_H
#define DTRAIN_PREDICT_H

#include "comm/comm.h"
#include "named.h"
#include "use/results.h"

typedef struct dt_predict_options {
    const char *target;        /* a checkpoint or a run directory */
    const dt_data_named *data; /* [data_count]: the samples, one data set after the other; none: the recipe's */
    int data_count;
    dt_split split;           /* which of the recipe's samples, where no dataset is named */
    bool all;                 /* rather all of the training datasets, whatever the recipe cuts from them */
    bool unsaid;              /* nobody said which */
    const char *out, *format; /* format NULL: as the name `out` ends */
    int64_t batch;            /* samples at a time and rank; 0: as many as are fast */
    const char *layers[DT_RESULTS_MOST];
    int layer_count;
    int64_t top; /* so many of the most likely classes instead of all outputs; 0: all outputs */
} dt_predict_options;

/* Collective. Predicts, writes, and prints the last line. */
dt_status dt_predict_run(dt_comm *comm, const dt_predict_options *options);

#endif
