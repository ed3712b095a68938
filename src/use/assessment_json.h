/* An evaluation as JSON (assessment_json.c). */
#ifndef DTRAIN_ASSESSMENT_JSON_H
#define DTRAIN_ASSESSMENT_JSON_H

#include "assessment.h"

/* What a file of --json says besides the assessment: a text, a whole number, or a number,
 * which is left out if it is NaN. */
typedef struct dt_assessment_field {
    const char *key;
    enum { DT_FIELD_IS_TEXT, DT_FIELD_IS_WHOLE, DT_FIELD_IS_NUMBER } type;
    const char *text;
    int64_t whole;
    double number;
} dt_assessment_field;

/* Whether there can be a file at `path`. */
dt_status dt_assessment_json_check(const char *path);
/* A file of these fields and the assessment, whole or not at all. */
dt_status dt_assessment_json(const char *path, const dt_assessment_field *fields, int count,
                             const dt_assessment *assessment, dt_class_namer name, const void *context);

#endif
