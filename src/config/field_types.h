/* What values of fields may be: a type is how its text is read, how it is written back, and how messages and the help
 * name it. */
#ifndef DTRAIN_FIELD_TYPES_H
#define DTRAIN_FIELD_TYPES_H

#include "config/fields.h"

/* What can be wrong with a text. */
typedef enum dt_verdict { DT_FITS, DT_WRONG_TYPE, DT_TOO_LARGE, DT_OUT_OF_LIMITS } dt_verdict;

typedef union dt_value {
    bool truth;
    int64_t whole;
    double real;
    int choice;
    dt_span span;
    dt_shape list;
    dt_reals reals;
    char text[DT_TEXT_MAX];
    char texts[DT_VALUE_TEXT];
} dt_value;

typedef struct dt_value_type {
    const char *noun;  /* in messages: "it must be …" */
    const char *reach; /* the same, for what no value of the type can hold */
    const char *word;  /* in the help */
    size_t size;
    dt_verdict (*read)(const dt_field *field, const char *text, dt_value *out);
    void (*write)(const dt_field *field, const dt_value *in, char out[DT_VALUE_TEXT]);
} dt_value_type;

extern const dt_value_type dt_value_types[]; /* by dt_field_type */

/* Whether values of a type may be lists in a recipe. */
static inline bool dt_is_list(dt_field_type type) {
    return type == DT_FIELD_LIST || type == DT_FIELD_REALS;
}

bool dt_field_has_maximum(const dt_field *field);
/* "greater than 0 and at most 1" */
void dt_limits_words(const dt_field *field, char *out, size_t size);
/* " in (0, 1]", for the help */
void dt_limits_signs(const dt_field *field, char *out, size_t size);
/* "sgd, adam or rmsprop" */
void dt_choices_words(const dt_field *field, char *out, size_t size);

#endif
