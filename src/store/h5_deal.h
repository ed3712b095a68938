/* A file's rows dealt out to several new files, each dataset with the type and the attributes that it has: what is
 * trained on a part is then what the whole was made of, fields, enumerations and strings included. */
#ifndef DTRAIN_H5_DEAL_H
#define DTRAIN_H5_DEAL_H

#include "store/h5.h"

/* Parts that are written at once. */
#define DT_H5_DEAL_PARTS 32

typedef struct dt_h5_deal {
    const char *by; /* the dataset whose rows are dealt, and with them those of every other one in its group that has as
                     * many; all else is in each part */
    int64_t rows, parts;
    const int64_t *first, *row; /* part p gets rows row[first[p]] … row[first[p + 1] - 1], ascending */
    const char *const *paths;   /* [parts] */
    /* Where `by` has strings, what is written instead: the number of each row's, and their names as an enumeration, so
     * that a part that lacks one counts the others as the whole does. NULL: it is written as it is. */
    const int32_t *numbers;
    const char *const *names;
    int32_t name_count;
    /* Attributes of a part's root: `part` is its number, `parts` how many, and what is said here. */
    const char *partition;
    int64_t seed;
} dt_h5_deal;

/* What will be done. */
typedef struct dt_h5_dealt {
    int64_t bytes;                   /* of the rows that are dealt, unpacked */
    int32_t dealt_count, rest_count; /* datasets */
    char dealt[400], rest[400];      /* their names */
} dt_h5_dealt;

/* Looks, without writing. The file is read by a child, so it may be anybody's. */
dt_status dt_h5_deal_look(dt_h5_dealt *out, const dt_h5_deal *deal, const char *path);
/* What a child may write: dt_h5_job.file_bytes, for as many parts as are written at once. */
size_t dt_h5_deal_most_bytes(const dt_h5_dealt *dealt, const char *path);
/* In a child (dt_h5_run): makes the parts [begin, begin + count), at most DT_H5_DEAL_PARTS. Memory is bounded whatever
 * the sizes. References to other objects are refused by name where rows are dealt, virtual datasets where they are
 * copied. */
dt_status dt_h5_deal_parts(const dt_h5_deal *deal, dt_h5 *from, int64_t begin, int64_t count);

#endif
