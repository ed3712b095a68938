/* The chain of digests (run/chain.h) as a run directory tells of it: rows of metrics.jsonl, and of each checkpoint the
 * newest link. Nothing of it is trusted: it is what somebody claims, to be compared. */
#ifndef DTRAIN_LINKS_H
#define DTRAIN_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* The columns of the series `chain`: numbers of 64 bits in halves, which a double holds. NULL-terminated. */
#define DT_LINK_SERIES "chain"
extern const char *const dt_link_columns[];

/* The newest link of a chain. */
typedef struct dt_link {
    uint64_t links;  /* there are so many; 0: none yet */
    uint64_t step;   /* of the newest */
    uint64_t digest; /* of the trained state at that step */
    uint64_t value;  /* of the link: what the whole chain up to there comes to */
} dt_link;

/* What a link comes to: XXH3-64 of {value before, step, digest} as three words of 64 bits, little-endian; before the
 * first link the value is 0. */
uint64_t dt_link_value(uint64_t before, uint64_t step, uint64_t digest);

typedef struct dt_link_row {
    int64_t step;
    uint64_t digest, value;
} dt_link_row;

/* What metrics.jsonl has of a chain. */
typedef struct dt_links {
    dt_link_row *rows; /* [count], in the file's order */
    int64_t count;
    int64_t *evaluated; /* [evaluations]: steps of which there is an evaluation, in the file's order */
    int64_t evaluations;
    int64_t odd; /* lines that are no row, and rows of the chain that cannot be */
} dt_links;

/* Reads RUN/metrics.jsonl. To dt_links_finish, also after a failure. Not collective. */
dt_status dt_links_read(const char *run, dt_links *links);
void dt_links_finish(dt_links *links);

/* The newest link that a checkpoint knows of; all 0 where it knows of none. Its values are compared with their hash.
 * Not collective. */
dt_status dt_link_of_checkpoint(const char *path, dt_link *link);

#endif
