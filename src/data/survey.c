/* A look at all values of a file's datasets, or at the first of very large ones. It is taken in a child (guard.h),
 * which sends one structure of fixed size; what comes is checked before it is used. */
#include "data/survey.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "store/h5.h"
#include "survey_internal.h"

/* ---- in the child ---- */

/* Where sets are put, and what a walk is at. */
typedef struct listing {
    dt_survey *survey;
    dt_h5 *file;
    const char *const *also; /* NULL: none */
    const char *dataset;     /* whose fields come */
    dt_shape shape;          /* of that */
} listing;

static bool is_printable(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f) return false;
    return true;
}

/* `strings`: it has some, in this shape. */
static bool list_set(dt_survey *survey, const char *name, const dt_shape *strings, int most) {
    survey->more = survey->count >= most;
    if (survey->more) return false;
    dt_survey_set *s = &survey->sets[survey->count];
    s->strings = strings != NULL;
    if (strings) s->shape = *strings;
    if (snprintf(s->path, sizeof s->path, "%s", name) < (int)sizeof s->path) survey->count++;
    return true;
}

/* A field as brackets have it: in quotes where it has other signs than names have, or might be a column. */
static bool list_field(void *context, const char *name, dt_h5_form form, const char *format) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char signs[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.-";
    const listing *l = context;
    char path[sizeof l->survey->sets->path];
    bool plain = strchr(letters, *name) && *name && name[strspn(name, signs)] == '\0';
    const char *quote = plain ? "" : strchr(name, '\'') ? "\"" : "'";
    (void)format;
    if (form == DT_H5_OTHER || !is_printable(name) || (*quote && strchr(name, *quote))) return true;
    if (snprintf(path, sizeof path, "%s[%s%s%s]", l->dataset, quote, name, quote) >= (int)sizeof path) return true;
    return list_set(l->survey, path, form == DT_H5_STRINGS ? &l->shape : NULL, DT_SURVEY_SETS - DT_SURVEY_ALSO);
}

static bool list_object(void *context, const char *path, char kind) {
    listing *l = context;
    dt_h5_form form = DT_H5_OTHER;
    if (kind != 'd' || strncmp(path, "/vocab/", 7) == 0) return true;
    l->dataset = path;
    if (dt_h5_form_of(l->file, path, &form, &l->shape).code == DT_OK && form == DT_H5_COMPOUND)
        return dt_h5_fields(l->file, path, list_field, l).code == DT_OK && !l->survey->more;
    return list_set(l->survey, path, form == DT_H5_STRINGS ? &l->shape : NULL, DT_SURVEY_SETS - DT_SURVEY_ALSO);
}

/* Choices that were asked for, of what is listed or not. */
static void list_also(const listing *l) {
    for (int i = 0; l->also && i < DT_SURVEY_ALSO; i++) {
        bool more = l->survey->more;
        if (strchr(l->also[i], '[') && *l->also[i] != '{' && !dt_survey_find(l->survey, l->also[i]))
            list_set(l->survey, l->also[i], NULL, DT_SURVEY_SETS);
        l->survey->more = more;
    }
}

static dt_status look_at(dt_survey_set *s, dt_h5 *file) {
    s->text = !strchr(s->path, '[') && dt_h5_has_attribute(file, s->path, "encoding");
    return s->text ? dt_ok() : dt_survey_look(s, dt_h5_path(file));
}

static dt_status send_survey(void *context, dt_h5 *file, dt_guard *to) {
    listing *l = context;
    dt_survey *survey = l->survey;
    dt_h5_info info;
    l->file = file;
    survey->checkpoint = dt_h5_has(file, "/weights");
    if (dt_h5_has(file, "/vocab/offsets") && dt_h5_describe(file, "/vocab/offsets", &info).code == DT_OK &&
        info.shape.rank == 1)
        survey->vocabulary = info.shape.dim[0] - 1;
    if (!survey->checkpoint) DT_TRY(dt_h5_walk(file, list_object, l));
    if (!survey->checkpoint) list_also(l);
    for (int32_t i = 0; i < survey->count; i++) {
        dt_survey_set *s = &survey->sets[i];
        dt_status status = look_at(s, file);
        if (status.code != DT_OK) snprintf(s->fault, sizeof s->fault, "%s", status.message);
    }
    return dt_guard_send(to, survey, sizeof *survey);
}

/* ---- here ---- */

/* Whether a text has an end. */
static bool ends(const char *text, size_t size) {
    return memchr(text, '\0', size) != NULL;
}

static bool is_sound(const dt_survey_set *s) {
    bool sound = ends(s->path, sizeof s->path) && ends(s->fault, sizeof s->fault) && s->dtype < DT_DTYPE_COUNT &&
                 s->shape.rank >= 0 && s->shape.rank <= DT_MAX_RANK && s->class_count >= 0 &&
                 s->class_count <= DT_SURVEY_CLASSES && s->sample_count >= 0 && s->sample_count <= DT_SURVEY_SAMPLE;
    int64_t values = 1;
    for (int i = 0; sound && i < s->shape.rank; i++) {
        int64_t size = s->shape.dim[i];
        sound = size >= 0 && (size == 0 || values <= INT64_MAX / 16 / size);
        values *= sound && size > 0 ? size : 1;
    }
    for (int32_t i = 0; sound && i < s->class_count; i++) sound = ends(s->classes[i].name, sizeof s->classes[i].name);
    return sound;
}

static dt_status take_survey(void *context, dt_guard *from) {
    dt_survey *survey = ((listing *)context)->survey;
    DT_TRY(dt_guard_take(from, survey, sizeof *survey));
    bool sound = survey->count >= 0 && survey->count <= DT_SURVEY_SETS;
    for (int32_t i = 0; sound && i < survey->count; i++) sound = is_sound(&survey->sets[i]);
    return sound ? dt_ok() : dt_fail(DT_ERR_CORRUPT, "the file's datasets are nothing that can be described");
}

dt_status dt_survey_open(dt_survey **out, const char *path, const char *const also[DT_SURVEY_ALSO]) {
    dt_survey *survey = *out = dt_alloc(1, sizeof *survey);
    if (!survey) return dt_fail_memory("a look at the data", sizeof *survey);
    listing l = {.survey = survey, .also = also};
    dt_status status = dt_h5_run(&(dt_h5_job){.path = path, .work = send_survey, .take = take_survey, .context = &l});
    if (status.code == DT_OK) return status;
    dt_free(survey);
    *out = NULL;
    return status;
}

const dt_survey_set *dt_survey_find(const dt_survey *survey, const char *path) {
    for (int32_t i = 0; i < survey->count; i++)
        if (strcmp(survey->sets[i].path, path) == 0) return &survey->sets[i];
    return NULL;
}
