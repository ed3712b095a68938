/* Between the files of the data room. */
#ifndef DTRAIN_DATA_INTERNAL_H
#define DTRAIN_DATA_INTERNAL_H

#include <stddef.h>

#include "data/identity.h"
#include "data/sampler.h"
#include "data/source.h"
#include "data/targets.h"
#include "data/tokenizer.h"
#include "store/h5.h"

/* That a file is not there, and how to make it where that is known (array.c). */
dt_status dt_fail_missing(const char *file);

/* One sample as an input, augmented (augment.c). `sample` is its bytes in the file's format. */
void dt_augment_sample(dt_real *out, const void *sample, dt_dtype dtype, const dt_kernels *kernels,
                       const dt_scaling *scaling, const dt_augment_draw *draw);
/* The same without augmentation (scaling.c). */
void dt_scale_sample(dt_real *out, const void *sample, dt_dtype dtype, const dt_kernels *kernels,
                     const dt_scaling *scaling);

/* ---- numbers of a file, one by one (values.c) ---- */

/* out[i] = x[i*stride] - from_value, for n numbers; exact but for one rounding, also of 64-bit integers. */
void dt_apart(double *out, const void *x, dt_dtype dtype, int64_t n, int64_t stride, double from_value);
/* out[i*stride] = (x[i*stride] - mean)/std, rounded to float32 last of all. */
void dt_standardise(dt_real *out, const void *x, dt_dtype dtype, int64_t n, int64_t stride, double mean, double std);
double dt_number_at(const void *values, dt_dtype dtype, int64_t i);
#define DT_NUMBER_TEXT 32
void dt_number_text(char out[DT_NUMBER_TEXT], const void *values, dt_dtype dtype, int64_t i);
/* The first row of [first, end) with a fault, or end. */
int64_t dt_array_find_fault(const dt_array *array, int64_t first, int64_t end);

/* The name that an enumeration's type has for a value, or NULL (array.c). */
const char *dt_array_member(const dt_array *array, int64_t value);

/* Formats with numbers that float32 cannot hold. */
static inline bool dt_is_wide(dt_dtype dtype) {
    return dtype >= DT_U32 && dtype != DT_F32;
}

/* ---- targets ---- */

/* One value that labels have: in how many rows, and the first of them. */
typedef struct dt_label {
    int64_t value, count, row;
} dt_label;

/* Beyond so many different values labels are no classes. */
#define DT_MOST_CLASSES 65536

/* labels.c. Collective. Of y, called `dataset`, whose rows are integers, one each. *out is to dt_labels_destroy, also
 * after a failure. */
dt_status dt_labels_collect(dt_labels **out, dt_comm *comm, const dt_array *y, const char *dataset);
int64_t dt_labels_count(const dt_labels *labels); /* of different values; DT_MOST_CLASSES + 1 when there are more */
/* In ascending order; NULL behind the last, and where there are more than DT_MOST_CLASSES. */
const dt_label *dt_labels_at(const dt_labels *labels, int64_t i);
/* Whether all are class numbers below `classes`. */
bool dt_labels_within(const dt_labels *labels, int64_t classes);

/* targets.c. Collective. Decides by targets->loss what targets->y is, and looks at all of it. */
dt_status dt_targets_open(dt_targets *targets, dt_comm *comm);

/* classes.c. The classes are the different labels there are, at most DT_MOST_CLASSES. */
dt_status dt_classes_take(dt_classes *classes, const dt_labels *labels);
/* The class of a label, or -1; of classes with a list. */
int64_t dt_class_of(const dt_classes *classes, int64_t label);
/* "labels 0 to 9", "labels -1, 1": what a model with `room` classes has. */
void dt_classes_text(const dt_classes *classes, int64_t room, char *out, size_t size);

/* ---- scaling (scaling.c) ---- */

/* `positions` positions of a plane, as inputs; of vectors, dt_scale_vectors has to follow. */
void dt_scale_run(dt_real *out, const void *x, dt_dtype dtype, const dt_kernels *kernels, const dt_scaling *scaling,
                  int64_t plane, int64_t positions);
/* The same of zeros of the file. */
void dt_scale_black(dt_real *out, dt_dtype dtype, const dt_scaling *scaling, int64_t plane, int64_t positions);
/* What is left to do where neighbouring numbers have scales of their own: they are converted first and scaled as
 * vectors. */
void dt_scale_vectors(dt_real *out, dt_dtype dtype, const dt_kernels *kernels, const dt_scaling *scaling,
                      int64_t positions);

/* An integer of any width, or a float that is one; uint64 beyond int64 saturates. */
static inline int64_t dt_integer_at(const void *values, dt_dtype dtype, int64_t i) {
    switch (dtype) {
    case DT_U8: return ((const uint8_t *)values)[i];
    case DT_I8: return ((const int8_t *)values)[i];
    case DT_U16: return ((const uint16_t *)values)[i];
    case DT_I16: return ((const int16_t *)values)[i];
    case DT_U32: return ((const uint32_t *)values)[i];
    case DT_I32: return ((const int32_t *)values)[i];
    case DT_I64: return ((const int64_t *)values)[i];
    case DT_U64: {
        uint64_t value = ((const uint64_t *)values)[i];
        return value < INT64_MAX ? (int64_t)value : INT64_MAX;
    }
    case DT_F32: return (int64_t)((const float *)values)[i];
    case DT_F64: return (int64_t)((const double *)values)[i];
    default: return -1;
    }
}

/* The class of sample `row` of targets that are labels, once they are settled. */
static inline int32_t dt_targets_class(const dt_targets *targets, int64_t row) {
    int64_t label = dt_integer_at(dt_array_row(targets->y, 0), dt_array_dtype(targets->y), row);
    return (int32_t)(targets->known && targets->known->count > 0 ? dt_class_of(targets->known, label) : label);
}

/* Room for `size` tokens of `bytes` bytes together, and for merges (vocabulary.c). */
dt_status dt_vocabulary_reserve(dt_vocabulary *v, int64_t size, int64_t bytes, int64_t merges);
/* As the group /vocab. */
dt_status dt_vocabulary_write(const dt_vocabulary *v, dt_h5 *h5);

/* ---- characters and words (words.c) ---- */

/* Writes a code point; how many bytes. */
size_t dt_utf8_put(uint32_t point, uint8_t out[4]);
/* The length of the word (see tokenizer.h) that text[bytes] begins with; 0 when what may follow could change it, which
 * `last` rules out. */
size_t dt_word_length(const uint8_t *text, size_t bytes, bool last);

#endif
