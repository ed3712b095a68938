/* A data set as a command names it: --data FILE[:DATASET], and --targets DATASET. */
#ifndef DTRAIN_NAMED_H
#define DTRAIN_NAMED_H

typedef struct dt_data_named {
    const char *file;    /* or a list or pattern of files */
    const char *dataset; /* of the samples; NULL: the recipe's */
    const char *targets; /* of their targets; NULL: the recipe's */
} dt_data_named;

#endif
