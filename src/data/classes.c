/* Classes by other names: labels that are not numbers from 0 on, such as 1 to 4, -1 and 1, or codes. The different
 * values in ascending order are the classes 0, 1, …; they are trained state, for eval and a resumed run must see the
 * same classes whatever is in their data. Labels that are class numbers already have no such list. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/append.h"
#include "base/memory.h"
#include "labels.h"
#include "store/h5.h"

static const char dataset[] = "/state/class_values"; /* of a checkpoint */

void dt_classes_finish(dt_classes *classes) {
    dt_free(classes->values);
    memset(classes, 0, sizeof *classes);
}

static dt_status reserve(dt_classes *classes, int64_t count) {
    classes->values = dt_alloc((size_t)count, sizeof *classes->values);
    if (!classes->values) return dt_fail_memory("the classes", (size_t)count * sizeof *classes->values);
    classes->count = count;
    return dt_ok();
}

dt_status dt_classes_take(dt_classes *classes, const dt_labels *labels) {
    DT_TRY(reserve(classes, dt_labels_count(labels)));
    for (int64_t i = 0; i < classes->count; i++) classes->values[i] = dt_labels_at(labels, i)->value;
    return dt_ok();
}

int64_t dt_class_of(const dt_classes *classes, int64_t label) {
    int64_t low = 0, high = classes->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (classes->values[middle] < label)
            low = middle + 1;
        else
            high = middle;
    }
    return low < classes->count && classes->values[low] == label ? low : -1;
}

void dt_classes_text(const dt_classes *classes, int64_t room, char *out, size_t size) {
    if (classes->count == 0) {
        snprintf(out, size, "labels 0 to %lld", (long long)room - 1);
        return;
    }
    int64_t shown = classes->count <= 8 ? classes->count : 6;
    snprintf(out, size, "labels");
    for (int64_t i = 0; i < shown; i++) dt_append(out, size, "%s %lld", i ? "," : "", (long long)classes->values[i]);
    if (shown < classes->count) dt_append(out, size, ", … %lld", (long long)classes->values[classes->count - 1]);
}

/* ---- names ---- */

/* The name of a class, or "". */
static const char *name_of(const dt_targets *targets, int64_t class) {
    const dt_classes *known = targets->known;
    bool listed = known && known->count > 0;
    if (listed && class >= known->count) return "";
    const char *name = dt_array_member(targets->y, listed ? known->values[class] : class);
    return name ? name : "";
}

dt_status dt_class_names(const dt_targets *targets, char **names, int64_t *bytes) {
    size_t used = 0, named = 0;
    *names = NULL;
    *bytes = 0;
    int64_t classes = targets->labels && targets->found ? targets->classes : 0;
    if (classes > DT_MOST_CLASSES) return dt_ok();
    for (int64_t c = 0; c < classes; c++) {
        used += strlen(name_of(targets, c)) + 1;
        named += name_of(targets, c)[0] != '\0';
    }
    if (named == 0) return dt_ok();
    *names = dt_alloc(used, 1);
    if (!*names) return dt_fail_memory("the classes' names", used);
    char *to = *names;
    for (int64_t c = 0; c < classes; c++) to = stpcpy(to, name_of(targets, c)) + 1;
    *bytes = (int64_t)used;
    return dt_ok();
}

/* ---- of a checkpoint ---- */

static dt_status read_values(dt_classes *classes, const char *file) {
    void *values;
    DT_TRY(dt_h5_fetch(file, dataset, DT_I64, DT_MOST_CLASSES, &values, &classes->count));
    classes->values = values;
    for (int64_t i = 1; i < classes->count; i++)
        if (classes->values[i] <= classes->values[i - 1])
            return dt_fail(DT_ERR_CORRUPT, "%s: %s is not in ascending order", file, dataset);
    return dt_ok();
}

/* Collective. What rank 0 has, for all. */
static dt_status share(dt_classes *classes, const dt_ranks *ranks) {
    int64_t count = classes->count;
    DT_TRY(dt_ranks_broadcast(ranks, &count, sizeof count, 0));
    if (count == 0) return dt_ok();
    DT_TRY(dt_ranks_agree(ranks, ranks->rank == 0 ? dt_ok() : reserve(classes, count)));
    return dt_ranks_broadcast(ranks, classes->values, (size_t)count * sizeof *classes->values, 0);
}

dt_status dt_classes_open(dt_classes *out, const dt_ranks *ranks, const char *checkpoint) {
    memset(out, 0, sizeof *out);
    dt_status status = dt_ranks_agree(ranks, ranks->rank == 0 ? read_values(out, checkpoint) : dt_ok());
    if (status.code == DT_OK) status = share(out, ranks);
    if (status.code != DT_OK) dt_classes_finish(out);
    return status;
}
