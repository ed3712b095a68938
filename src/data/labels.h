/* Which labels targets have, and which classes they are, inside this room. */
#ifndef DTRAIN_DATA_LABELS_H
#define DTRAIN_DATA_LABELS_H

#include "data/targets.h"
#include "numbers.h"

/* One value that labels have: in how many rows, and the first of them. */
typedef struct dt_label {
    int64_t value, count, row;
} dt_label;

/* Beyond so many different values labels are no classes. */
#define DT_MOST_CLASSES 65536

/* labels.c. Collective. Of targets whose rows are integers, one each. *out is to dt_labels_destroy, also
 * after a failure. */
dt_status dt_labels_collect(dt_labels **out, const dt_ranks *ranks, const dt_targets *targets);
int64_t dt_labels_count(const dt_labels *labels); /* of different values; DT_MOST_CLASSES + 1 when there are more */
/* In ascending order; NULL behind the last, and where there are more than DT_MOST_CLASSES. */
const dt_label *dt_labels_at(const dt_labels *labels, int64_t i);
/* Whether all are class numbers below `classes`. */
bool dt_labels_within(const dt_labels *labels, int64_t classes);

/* targets.c. Collective. Decides by targets->loss what targets->y is, and looks at all samples of it; `cut`: at all
 * rows, of which they are some (data.split). */
dt_status dt_targets_open(dt_targets *targets, const dt_ranks *ranks, bool cut);

/* targets.c. The same as far as the type and shape of targets->y tell. */
void dt_targets_recall(dt_targets *targets);

/* classes.c. The classes are the different labels there are, at most DT_MOST_CLASSES. */
dt_status dt_classes_take(dt_classes *classes, const dt_labels *labels);
/* The class of a label, or -1; of classes with a list. */
int64_t dt_class_of(const dt_classes *classes, int64_t label);
/* "labels 0 to 9", "labels -1, 1": what a model with `room` classes has. */
void dt_classes_text(const dt_classes *classes, int64_t room, char *out, size_t size);

/* The label in a row of targets that are labels. */
static inline int64_t dt_targets_label(const dt_targets *targets, int64_t row) {
    return dt_integer_at(dt_array_row(targets->y, 0), dt_array_dtype(targets->y), row);
}

/* The class of row `row` of targets that are labels, once they are settled. */
static inline int32_t dt_targets_class(const dt_targets *targets, int64_t row) {
    int64_t label = dt_targets_label(targets, row);
    return (int32_t)(targets->known && targets->known->count > 0 ? dt_class_of(targets->known, label) : label);
}

#endif
