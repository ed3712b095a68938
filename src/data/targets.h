/* What the targets of a source mean, to its loss and to a model. */
#ifndef DTRAIN_TARGETS_H
#define DTRAIN_TARGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ranks.h"
#include "base/status.h"
#include "data/array.h"
#include "data/classes.h"
#include "data/selection.h"

typedef struct dt_targets {
    dt_array *y;             /* a row for each row of samples; NULL: the targets are tokens of their own dataset */
    dt_selection selection;  /* borrowed: the rows that are samples; no other is looked at */
    const char *file;        /* borrowed, for messages */
    const char *name;        /* of y's dataset, likewise */
    int loss;                /* dt_loss, which decides what targets are */
    bool scaled;             /* the recipe scales them, so they are values */
    bool labels;             /* they are classes; else values */
    bool either;             /* labels, unless the model has one output only; until dt_targets_settle */
    int64_t width;           /* values of a sample; 1 with labels */
    int64_t positions;       /* labels of a sample, one at each position; 0 without */
    int64_t counted;         /* those that count in every training sample, or 1 where there are values */
    int64_t classes;         /* with labels: the classes there are at least; from dt_targets_settle on, the model's */
    dt_labels *found;        /* what labels the samples have; NULL without */
    dt_labels *whole;        /* what labels y has, where samples are cut from its rows (data.split); else NULL */
    const dt_classes *known; /* borrowed, of dt_targets_settle; NULL: labels are class numbers */
} dt_targets;

/* What targets are to a model with so many outputs at a position: one class for each, or with one output two classes
 * or, to the squared error, numbers. Labels that are class numbers stay so. Others are classes in ascending order:
 * those in `classes`, which must live as long as the targets, or, with `open`, those found here, which are put there. A
 * label without a class is named with its row. The same on every rank, but memory may fail on one. */
dt_status dt_targets_settle(dt_targets *targets, dt_classes *classes, bool open, int64_t outputs);
/* The names that an enumeration has for the classes of settled targets, each ended by a 0, "" where it has none: *names
 * [*bytes] is to dt_free, NULL where there are none at all. Not escaped. */
dt_status dt_class_names(const dt_targets *targets, char **names, int64_t *bytes);
/* Labels that may be `either` are numbers. */
void dt_targets_as_numbers(dt_targets *targets);
/* A label of `test` that no sample of `train` has: it cannot be learned. False: there is none. */
bool dt_targets_unseen(const dt_targets *test, const dt_targets *train, int64_t *label, int64_t *row);
/* "uint8 class numbers", "float32 numbers, 4 a sample" */
void dt_targets_text(const dt_targets *targets, char *out, size_t size);

#endif
