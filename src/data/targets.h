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
    int64_t hot;             /* labels are rows of so many numbers, 0s and one 1, which is the class; 0: they are not */
    bool by_name;            /* labels are classes by their names; from dt_targets_settle on */
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
 * those in `classes`, which must live as long as the targets, or, with `open`, those found here, which are put there
 * with the names that strings, enumerations or fields have for them. Where both the classes that were there and the
 * labels have names, a label is the class of its name (class_names.c). A label without a class is named with its row.
 * The same on every rank, but memory may fail on one. */
dt_status dt_targets_settle(dt_targets *targets, dt_classes *classes, bool open, int64_t outputs);
/* That both are labels, or values of one width: what may be either becomes what the other is. */
dt_status dt_targets_check_alike(dt_targets *one, dt_targets *other);
/* That training labels are no strings that tell every row from all others: those are names or codes of samples. */
dt_status dt_targets_check_shared(const dt_targets *targets);
/* Labels that are class numbers to one kind of model and values to another become values: those that may be `either`
 * numbers, one-hot rows shares. Strings stay labels. */
void dt_targets_as_values(dt_targets *targets);
/* The row of a label of `test` that no sample of `train` has: it cannot be learned. Below 0: there is none. Both are
 * settled. */
int64_t dt_targets_unseen(const dt_targets *test, const dt_targets *train);
/* A label as messages have it: 7, "dog". */
#define DT_LABEL_TEXT 100
void dt_targets_label_text(const dt_targets *targets, int64_t row, char out[DT_LABEL_TEXT]);
/* "uint8 class numbers", "float32 numbers, 4 a sample" */
void dt_targets_text(const dt_targets *targets, char *out, size_t size);

#endif
