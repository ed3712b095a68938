/* The labels of a data set, and the classes they are. */
#ifndef DTRAIN_CLASSES_H
#define DTRAIN_CLASSES_H

#include <stdint.h>

#include "base/ranks.h"
#include "base/status.h"

/* The classes of a model. Of labels that are no class numbers the label of each, ascending; `count` 0: they are class
 * numbers, or names alone. Names are each ended by a 0, "" where a class has none, and not escaped. */
typedef struct dt_classes {
    int64_t count;
    int64_t *values; /* [count] */
    int64_t names_bytes;
    char *names; /* [names_bytes]; NULL: no class has one */
} dt_classes;
/* The name of a class, or "". It is looked for from the first on. */
const char *dt_class_name(const dt_classes *classes, int64_t class);
void dt_classes_finish(dt_classes *classes);
/* Collective. Those of a checkpoint. */
dt_status dt_classes_open(dt_classes *out, const dt_ranks *ranks, const char *checkpoint);

typedef struct dt_labels dt_labels;        /* which values labels have, and where */
void dt_labels_destroy(dt_labels *labels); /* accepts NULL */
/* "labels of /train/y: 0..3, 255; 255 is in row 77 alone" */
const char *dt_labels_text(const dt_labels *labels);

#endif
