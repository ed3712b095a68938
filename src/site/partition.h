/* Which samples a site has, where one data set is dealt out to sites: for rehearsals of what happens when each has data
 * of its own kind, and for comparisons with published experiments. */
#ifndef DTRAIN_PARTITION_H
#define DTRAIN_PARTITION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef enum dt_partition_kind {
    DT_PARTITION_IID,       /* at random, as many to each */
    DT_PARTITION_DIRICHLET, /* dirichlet(A): of every class, shares from Dir(A) over the sites */
    DT_PARTITION_BY_LABEL,  /* by-label(K): K classes to each, a class in equal parts to those who have it */
    DT_PARTITION_QUANTITY,  /* quantity(A): at random, how many from Dir(A) */
} dt_partition_kind;

typedef struct dt_partition {
    dt_partition_kind kind;
    double number; /* A or K */
} dt_partition;

/* From "iid", "dirichlet(0.5)", "by-label(2)", "quantity(0.5)". The failure says what would be right, not of what: see
 * dt_status_within. */
dt_status dt_partition_read(dt_partition *out, const char *text);
/* Whether the classes of samples are asked for. */
bool dt_partition_by_class(const dt_partition *partition);

/* Every sample in one site's part. */
typedef struct dt_site_parts {
    int64_t sites;
    int64_t *rows;  /* [samples] site after site, ascending within each */
    int64_t *first; /* [sites + 1] site s has rows[first[s] … first[s + 1]) */
} dt_site_parts;

/* Deals `samples` samples to `sites` sites. labels [samples] are theirs, any integers, of which each is a class; NULL
 * where dt_partition_by_class says no. A function of its arguments alone, the same bits on every machine. With
 * Dirichlet shares no site gets less than DT_PARTITION_LEAST samples, with the others none is without. Where that
 * cannot be, or not within DT_PARTITION_DRAWS draws, DT_ERR_INPUT. *out is to dt_parts_finish, also after a failure. */
#define DT_PARTITION_LEAST 10
#define DT_PARTITION_DRAWS 1000
dt_status dt_parts_deal(dt_site_parts *out, const dt_partition *partition, int64_t sites, int64_t samples,
                        const int64_t *labels, int64_t seed);
void dt_parts_finish(dt_site_parts *parts);

#endif
