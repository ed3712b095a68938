/* A look at all values of a file's datasets, or at the first of very large ones. It is taken in a child (guard.h),
 * which sends one structure of fixed size; what comes is checked before it is used. */
#include "data/survey.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "store/h5.h"

#define AT_ONCE ((int64_t)1 << 17)   /* values */
#define MOST_SEEN ((int64_t)1 << 27) /* of a dataset */
#define SLOTS ((size_t)4 * DT_SURVEY_DISTINCT)

/* ---- in the child ---- */

/* Different values and how often each is there; a slot with the count 0 is free. */
typedef struct tally {
    int64_t *values, *counts; /* [SLOTS] */
    int64_t distinct;
} tally;

static void count_value(tally *t, int64_t value) {
    size_t at = (uint64_t)value * UINT64_C(0x9E3779B97F4A7C15) >> 46;
    while (t->counts[at] && t->values[at] != value) at = (at + 1) % SLOTS;
    if (t->counts[at] == 0 && t->distinct++ >= DT_SURVEY_DISTINCT) return;
    t->values[at] = value;
    t->counts[at]++;
}

typedef struct look {
    dt_survey_set *set;
    tally tally;
    double sum;
    int64_t finite;
} look;

static void take_values(look *l, const double *values, int64_t count) {
    dt_survey_set *s = l->set;
    for (int64_t i = 0; i < count; i++) {
        double v = values[i];
        if (s->sample_count < DT_SURVEY_SAMPLE) s->sample[s->sample_count++] = v;
        s->missing += isnan(v) != 0;
        s->infinite += isinf(v) != 0;
        if (!isfinite(v)) continue;
        if (l->finite++ == 0) s->least = s->most = v;
        s->least = fmin(s->least, v);
        s->most = fmax(s->most, v);
        l->sum += v;
        s->whole = s->whole && v >= floor(v) && v <= floor(v) && fabs(v) < 0x1p53;
        if (l->tally.values && s->whole && l->tally.distinct <= DT_SURVEY_DISTINCT) count_value(&l->tally, (int64_t)v);
    }
}

static int by_value(const void *a, const void *b) {
    int64_t one = ((const dt_survey_class *)a)->value, two = ((const dt_survey_class *)b)->value;
    return (one > two) - (one < two);
}

static dt_status keep_classes(look *l) {
    dt_survey_set *s = l->set;
    if (!s->whole || l->tally.distinct > DT_SURVEY_DISTINCT || l->tally.distinct == 0) return dt_ok();
    dt_survey_class *all = dt_alloc((size_t)l->tally.distinct, sizeof *all);
    if (!all) return dt_fail_memory("the classes", (size_t)l->tally.distinct * sizeof *all);
    size_t count = 0;
    for (size_t at = 0; at < SLOTS; at++)
        if (l->tally.counts[at]) all[count++] = (dt_survey_class){l->tally.values[at], l->tally.counts[at], ""};
    qsort(all, count, sizeof *all, by_value);
    s->distinct = (int32_t)count;
    s->class_count = count < DT_SURVEY_CLASSES ? (int32_t)count : DT_SURVEY_CLASSES;
    memcpy(s->classes, all, (size_t)s->class_count * sizeof *all);
    dt_free(all);
    return dt_ok();
}

static bool name_class(void *context, const char *name, int64_t value) {
    dt_survey_set *s = context;
    for (int32_t i = 0; i < s->class_count; i++)
        if (s->classes[i].value == value) snprintf(s->classes[i].name, sizeof s->classes[i].name, "%s", name);
    return true;
}

static dt_status read_values(look *l, dt_h5 *file) {
    dt_survey_set *s = l->set;
    int64_t row = dt_shape_count(&s->shape) / s->shape.dim[0], rows = s->shape.dim[0];
    int64_t at_once = row < AT_ONCE ? AT_ONCE / row : 1;
    double *values = dt_alloc((size_t)at_once * (size_t)row, sizeof *values);
    if (!values) return dt_fail_memory("a block of values", (size_t)at_once * (size_t)row * sizeof *values);
    dt_status status = dt_ok();
    s->whole = true;
    while (s->rows < rows && s->rows * row < MOST_SEEN && status.code == DT_OK) {
        int64_t count = rows - s->rows < at_once ? rows - s->rows : at_once;
        status = dt_h5_read_rows(file, s->path, DT_F64, s->rows, count, values);
        if (status.code == DT_OK) take_values(l, values, count * row);
        s->rows += count;
    }
    dt_free(values);
    if (l->finite > 0) s->mean = l->sum / (double)l->finite;
    s->whole = s->whole && l->finite > 0;
    return status.code == DT_OK ? keep_classes(l) : status;
}

static dt_status look_at(dt_survey_set *s, dt_h5 *file) {
    dt_h5_info info;
    DT_TRY(dt_h5_describe(file, s->path, &info));
    s->dtype = info.dtype;
    s->shape = info.shape;
    s->text = dt_h5_has_attribute(file, s->path, "encoding");
    if (s->text || info.shape.rank == 0 || dt_shape_count(&info.shape) <= 0) return dt_ok();
    DT_TRY(dt_h5_check_values(file, s->path));
    look l = {.set = s};
    bool single = dt_shape_count(&s->shape) == s->shape.dim[0];
    if (single) {
        l.tally.values = dt_alloc(SLOTS, sizeof *l.tally.values);
        l.tally.counts = dt_alloc(SLOTS, sizeof *l.tally.counts);
    }
    dt_status status = !single || (l.tally.values && l.tally.counts)
                           ? read_values(&l, file)
                           : dt_fail_memory("counting values", SLOTS * sizeof *l.tally.values);
    dt_free(l.tally.values);
    dt_free(l.tally.counts);
    return status.code == DT_OK ? dt_h5_members(file, s->path, name_class, s) : status;
}

static bool list_set(void *context, const char *path, char kind) {
    dt_survey *survey = context;
    if (kind != 'd' || strncmp(path, "/vocab/", 7) == 0) return true;
    survey->more = survey->count == DT_SURVEY_SETS;
    if (survey->more) return false;
    dt_survey_set *s = &survey->sets[survey->count];
    if (snprintf(s->path, sizeof s->path, "%s", path) < (int)sizeof s->path) survey->count++;
    return true;
}

static dt_status send_survey(void *context, dt_h5 *file, dt_guard *to) {
    dt_survey *survey = context;
    dt_h5_info info;
    survey->checkpoint = dt_h5_has(file, "/weights");
    if (dt_h5_has(file, "/vocab/offsets") && dt_h5_describe(file, "/vocab/offsets", &info).code == DT_OK &&
        info.shape.rank == 1)
        survey->vocabulary = info.shape.dim[0] - 1;
    if (!survey->checkpoint) DT_TRY(dt_h5_walk(file, list_set, survey));
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
    dt_survey *survey = context;
    DT_TRY(dt_guard_take(from, survey, sizeof *survey));
    bool sound = survey->count >= 0 && survey->count <= DT_SURVEY_SETS;
    for (int32_t i = 0; sound && i < survey->count; i++) sound = is_sound(&survey->sets[i]);
    return sound ? dt_ok() : dt_fail(DT_ERR_CORRUPT, "the file's datasets are nothing that can be described");
}

dt_status dt_survey_open(dt_survey **out, const char *path) {
    dt_survey *survey = *out = dt_alloc(1, sizeof *survey);
    if (!survey) return dt_fail_memory("a look at the data", sizeof *survey);
    dt_status status =
        dt_h5_run(&(dt_h5_job){.path = path, .work = send_survey, .take = take_survey, .context = survey});
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
