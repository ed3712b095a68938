/* An evaluation as JSON (README.md has its keys), by jansson, which sees to it that it is JSON whatever names have in
 * them. What does not apply is not there; what cannot be computed is null. */
#include "assessment_json.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "data/publish.h"

static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

/* The same of a text that may be no UTF-8. */
static json_t *text(const char *value) {
    json_t *made = json_string(value);
    return made ? made : json_string("?");
}

static json_t *means(const dt_class_figures *f) {
    return json_pack("{s:o, s:o, s:o}", "precision", number(f->precision), "recall", number(f->recall), "f1",
                     number(f->f1));
}

static json_t *classes_of(const dt_assessment *a, dt_class_namer name, const void *context) {
    json_t *all = json_array();
    for (int64_t c = 0; c < a->classes; c++) {
        const dt_class_figures *f = &a->of_class[c];
        char room[24];
        json_t *one = means(f);
        json_object_set_new(one, "label", text(name(context, c, room)));
        json_object_set_new(one, "samples", json_integer(f->samples));
        json_object_set_new(one, "chosen", json_integer(f->chosen));
        json_object_set_new(one, "right", json_integer(f->right));
        json_array_append_new(all, one);
    }
    return all;
}

static json_t *confusion_of(const dt_assessment *a) {
    json_t *all = json_array();
    for (int64_t i = 0; i < a->classes; i++) {
        json_t *row = json_array();
        for (int64_t j = 0; j < a->classes; j++)
            json_array_append_new(row, json_integer(a->confusion[i * a->classes + j]));
        json_array_append_new(all, row);
    }
    return all;
}

static json_t *calibration_of(const dt_assessment *a) {
    json_t *bins = json_array();
    for (int b = 0; b < DT_ASSESSMENT_BINS; b++)
        json_array_append_new(bins,
                              json_pack("{s:f, s:f, s:I, s:f, s:f}", "above", (double)b / DT_ASSESSMENT_BINS, "to",
                                        (double)(b + 1) / DT_ASSESSMENT_BINS, "samples", (json_int_t)a->bins[b].samples,
                                        "accuracy", a->bins[b].accuracy, "confidence", a->bins[b].confidence));
    return json_pack("{s:o, s:o}", "ece", number(a->ece), "bins", bins);
}

static json_t *values_of(const dt_assessment *a) {
    json_t *all = json_array();
    for (int64_t j = 0; j < a->values; j++)
        json_array_append_new(all, json_pack("{s:o, s:o, s:o}", "mae", number(a->of_value[j].mae), "rmse",
                                             number(a->of_value[j].rmse), "r2", number(a->of_value[j].r2)));
    return all;
}

static void put_assessment(json_t *root, const dt_assessment *a, dt_class_namer name, const void *context) {
    if (a->values > 0) json_object_set_new(root, "outputs", values_of(a));
    if (a->classes == 0) return;
    json_object_set_new(root, "macro", means(&a->macro));
    json_object_set_new(root, "weighted", means(&a->weighted));
    if (a->classes == 2) json_object_set_new(root, "roc_auc", number(a->auc));
    if (!isnan(a->ece)) json_object_set_new(root, "calibration", calibration_of(a));
    json_object_set_new(root, "classes", classes_of(a, name, context));
    if (a->confusion) json_object_set_new(root, "confusion", confusion_of(a));
}

static dt_status write_text(const char *path, const char *text, size_t count) {
    int fd = open(path, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC); /* made by dt_publish_begin */
    bool written = fd >= 0;
    while (written && count > 0) {
        ssize_t now = write(fd, text, count);
        if (now < 0 && errno == EINTR) continue;
        written = now > 0;
        if (written) text += now, count -= (size_t)now;
    }
    int reason = errno;
    if (fd >= 0 && close(fd) != 0 && written) written = false, reason = errno;
    return written ? dt_ok() : dt_fail(DT_ERR_IO, "%s: cannot be written: %s", path, strerror(reason));
}

static dt_status write_root(void *context, const char *path) {
    char *text = json_dumps(context, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    if (!text) return dt_fail_memory("a file of figures", 0);
    size_t length = strlen(text);
    text[length] = '\n'; /* the end of the last line, for that of the text */
    dt_status status = write_text(path, text, length + 1);
    free(text);
    return status;
}

dt_status dt_assessment_json_check(const char *path) {
    return dt_file_check_target(path);
}

dt_status dt_assessment_json(const char *path, const dt_assessment_field *fields, int count, const dt_assessment *a,
                             dt_class_namer name, const void *context) {
    json_t *root = json_object();
    for (int i = 0; i < count; i++) {
        const dt_assessment_field *f = &fields[i];
        if (f->type == DT_FIELD_IS_NUMBER && isnan(f->number)) continue;
        json_t *value = f->type == DT_FIELD_IS_WHOLE    ? json_integer(f->whole)
                        : f->type == DT_FIELD_IS_NUMBER ? number(f->number)
                                                        : text(f->text);
        json_object_set_new(root, f->key, value);
    }
    put_assessment(root, a, name, context);
    dt_status status = root ? dt_publish_file(path, write_root, root) : dt_fail_memory("a file of figures", 0);
    json_decref(root);
    return status;
}
