/* What a data file holds, as far as a look at its values tells: for whoever wants to know a data set before training on
 * it, and for a first recipe (proposal.h). */
#ifndef DTRAIN_SURVEY_H
#define DTRAIN_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/table.h"

#define DT_SURVEY_SETS 64
#define DT_SURVEY_CLASSES 64     /* whose numbers of samples are kept */
#define DT_SURVEY_SAMPLE 4096    /* numbers of the first rows that are kept */
#define DT_SURVEY_DISTINCT 65536 /* different values that are counted */

typedef struct dt_survey_class {
    int64_t value, count;
    char name[64]; /* that the enumeration or the field has for it, or the string itself; or "" */
} dt_survey_class;

typedef struct dt_survey_set {
    char path[400];  /* as a recipe has it: of a field /table[name] */
    char fault[400]; /* why its values cannot be read, or "" */
    dt_dtype dtype;
    dt_shape shape;
    bool text;       /* bytes that say that they are a text */
    int64_t rows;    /* of the first so many the rest tells */
    bool strings;    /* one a row, which are classes */
    bool hot;        /* rows of 0s and one 1, the classes are its columns */
    int64_t missing; /* values that are not a number; empty strings */
    int64_t infinite;
    double least, most, mean; /* of the others */
    bool whole;               /* all are whole numbers */
    int32_t distinct;    /* classes, where a row is a whole number, a string or one-hot; 0 where not, or of too many */
    int32_t class_count; /* of the classes, by value; of more than DT_SURVEY_CLASSES the most frequent first */
    dt_survey_class classes[DT_SURVEY_CLASSES];
    int32_t sample_count;
    double sample[DT_SURVEY_SAMPLE];
} dt_survey_set;

typedef struct dt_survey {
    int32_t count;
    bool more;          /* than are here */
    bool checkpoint;    /* no data, but weights */
    int64_t vocabulary; /* tokens of /vocab, or 0 */
    dt_survey_set sets[DT_SURVEY_SETS];
} dt_survey;

/* Of an HDF5 file that may be anybody's: a child reads it. `also`, up to DT_SURVEY_ALSO names or NULL: choices of
 * datasets (h5_rows.h), as "/x[0:3]", that are looked at besides. To be dt_free'd. */
#define DT_SURVEY_ALSO 2
dt_status dt_survey_open(dt_survey **out, const char *path, const char *const also[DT_SURVEY_ALSO]);
/* The set of a path, or NULL. */
const dt_survey_set *dt_survey_find(const dt_survey *survey, const char *path);

#endif
