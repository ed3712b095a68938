/* What the targets of a split mean, to its loss and to a model. */
#ifndef DTRAIN_TARGETS_H
#define DTRAIN_TARGETS_H

#include <stdbool.h>
#include <stdint.h>

#include "data/source.h"

/* What the targets of a split are to a model with so many outputs at a position: one class for each, or with one output
 * two classes or, to the squared error, numbers. Labels that are class numbers stay so. Others are classes in ascending
 * order: those in `classes`, which must live as long as the split, or, with `open`, those found in this split, which
 * are put there. A label without a class is named with its row. The same on every rank, but memory may fail on one. */
dt_status dt_targets_settle(dt_split *split, dt_classes *classes, bool open, int64_t outputs);
/* The names that an enumeration has for the classes of a settled split, each ended by a 0, "" where it has none: *names
 * [*bytes] is to dt_free, NULL where there are none at all. Not escaped. */
dt_status dt_class_names(const dt_split *split, char **names, int64_t *bytes);
/* Labels that may be `either` are numbers. */
void dt_targets_as_numbers(dt_split *split);
/* A label of `test` that no sample of `train` has: it cannot be learned. False: there is none. */
bool dt_targets_unseen(const dt_split *test, const dt_split *train, int64_t *label, int64_t *row);
/* "uint8 class numbers", "float32 numbers, 4 a sample" */
void dt_targets_text(const dt_split *split, char *out, size_t size);

#endif
