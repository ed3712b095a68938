/* Which labels targets have, and which classes they are, inside this room. */
#ifndef DTRAIN_DATA_LABELS_H
#define DTRAIN_DATA_LABELS_H

#include "data/targets.h"
#include "numbers.h"

/* One value that labels have: in how many rows, and the first of them. */
typedef struct dt_label {
    int64_t value, count, row;
    int64_t class; /* by its name, where that decides (dt_targets.by_name) */
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
/* Label i of the list is this class; the class of a value that is in it. */
void dt_labels_name(dt_labels *labels, int64_t i, int64_t class);
int64_t dt_labels_class(const dt_labels *labels, int64_t value);
/* The name of a label, or NULL. */
const char *dt_label_name(const dt_targets *targets, int64_t label);
/* "7", "\"dog\"", of targets that are labels. */
void dt_label_text(const dt_targets *targets, int64_t label, char out[DT_LABEL_TEXT]);

/* targets.c. Collective. Decides by targets->loss what targets->y is, and looks at all samples of it; `cut`: at all
 * rows, of which they are some (data.split). */
dt_status dt_targets_open(dt_targets *targets, const dt_ranks *ranks, bool cut);

/* targets.c. The same as far as the type and shape of targets->y tell. */
void dt_targets_recall(dt_targets *targets);

/* classes.c. The classes are the different labels there are, at most DT_MOST_CLASSES. */
dt_status dt_classes_take(dt_classes *classes, const dt_labels *labels);

/* ---- class_names.c ---- */

/* Of targets whose classes are decided: gives `classes` the names there are for them. */
dt_status dt_classes_name(dt_classes *classes, const dt_targets *targets);
/* Sets targets->by_name, and the class of every label where it is true; then a label that has none is refused. */
dt_status dt_classes_match(const dt_classes *classes, dt_targets *targets);

/* ---- one_hot.c ---- */

/* Collective. Whether targets that are rows of numbers have a 1 and nothing but 0s beside it in every row of
 * `selection`. */
dt_status dt_one_hot_everywhere(bool *out, const dt_ranks *ranks, const dt_array *y, const dt_selection *selection);
/* Whether a row has 0s and 1s alone, and how many 1s and the places of the first two. */
bool dt_one_hot_ones(const dt_array *y, int64_t row, int64_t *ones, int64_t place[2]);
/* The place of the 1 in a one-hot row. */
int64_t dt_one_hot_at(const dt_array *y, int64_t row, int64_t columns);

/* classes.c. The class of a label, or -1; of classes with a list. */
int64_t dt_class_of(const dt_classes *classes, int64_t label);
/* "labels 0 to 9", "labels -1, 1": what a model with `room` classes has. */
void dt_classes_text(const dt_classes *classes, int64_t room, char *out, size_t size);

/* The label in a row of targets that are labels. */
static inline int64_t dt_targets_label(const dt_targets *targets, int64_t row) {
    if (targets->hot > 0) return dt_one_hot_at(targets->y, row, targets->hot);
    return dt_integer_at(dt_array_row(targets->y, 0), dt_array_dtype(targets->y), row);
}

/* The class of row `row` of targets that are labels, once they are settled. */
static inline int32_t dt_targets_class(const dt_targets *targets, int64_t row) {
    int64_t label = dt_targets_label(targets, row);
    if (targets->by_name) return (int32_t)dt_labels_class(targets->found, label);
    return (int32_t)(targets->known && targets->known->count > 0 ? dt_class_of(targets->known, label) : label);
}

#endif
