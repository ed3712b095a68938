/* A file of training data as one file for each of several sites. */
#ifndef DTRAIN_SITE_SPLIT_H
#define DTRAIN_SITE_SPLIT_H

#include "base/status.h"
#include "site/partition.h"
#include "store/h5_deal.h"

typedef struct dt_site_split {
    const char *data; /* the file */
    const char *by;   /* its dataset of labels; where classes are not asked for, any with a row for each sample */
    const char *destination; /* a directory that is new or empty; site-0.h5, site-1.h5, … appear in it together */
    const char *partition;   /* "dirichlet(0.5)": dt_partition_read */
    int64_t sites, seed;
} dt_site_split;

/* What was done; parts are to dt_parts_finish, also after a failure. */
typedef struct dt_site_split_done {
    dt_site_parts parts;
    dt_h5_dealt dealt;
    int64_t samples;
} dt_site_split_done;

dt_status dt_site_split_run(const dt_site_split *split, dt_site_split_done *done);

#endif
