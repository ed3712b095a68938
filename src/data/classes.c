/* Classes by other names: labels that are not numbers from 0 on, such as 1 to 4, -1 and 1, or codes. The different
 * values in ascending order are the classes 0, 1, …; they are trained state, for eval and a resumed run must see the
 * same classes whatever is in their data. Labels that are class numbers already have no such list. Names that classes
 * have in the data (class_names.c) are kept beside it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/append.h"
#include "base/escape.h"
#include "base/memory.h"
#include "labels.h"
#include "store/h5.h"

static const char dataset[] = "/state/class_values", names[] = "/state/class_names"; /* of a checkpoint */

#define MOST_NAMES ((int64_t)1 << 26) /* bytes */

void dt_classes_finish(dt_classes *classes) {
    dt_free(classes->values);
    dt_free(classes->names);
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

const char *dt_class_name(const dt_classes *classes, int64_t class) {
    const char *name = classes->names, *end = classes->names ? classes->names + classes->names_bytes : NULL;
    while (name && name<end &&class --> 0) name += strlen(name) + 1;
    return name && name < end ? name : "";
}

/* "\"bird\", \"cat\", \"dog\"" */
static void names_text(const dt_classes *classes, char *out, size_t size) {
    const char *name = classes->names, *end = name + classes->names_bytes;
    for (int shown = 0; name < end; name += strlen(name) + 1) {
        if (!*name) continue;
        char text[40];
        size_t used = strlen(out);
        bool fits = shown < 8 &&
                    dt_append(out, size - 8, "%s\"%s\"", shown++ ? ", " : "", dt_escape_name(text, sizeof text, name));
        if (fits) continue;
        out[used] = '\0';
        dt_append(out, size, ", …");
        return;
    }
}

void dt_classes_text(const dt_classes *classes, int64_t room, char *out, size_t size) {
    out[0] = '\0';
    if (classes->names) {
        names_text(classes, out, size);
        return;
    }
    if (classes->count == 0) {
        snprintf(out, size, "labels 0 to %lld", (long long)room - 1);
        return;
    }
    int64_t shown = classes->count <= 8 ? classes->count : 6;
    snprintf(out, size, "labels");
    for (int64_t i = 0; i < shown; i++) dt_append(out, size, "%s %lld", i ? "," : "", (long long)classes->values[i]);
    if (shown < classes->count) dt_append(out, size, ", … %lld", (long long)classes->values[classes->count - 1]);
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

static dt_status read_names(dt_classes *classes, const char *file) {
    void *read;
    DT_TRY(dt_h5_fetch(file, names, DT_U8, MOST_NAMES, &read, &classes->names_bytes));
    classes->names = read;
    if (classes->names_bytes == 0 || classes->names[classes->names_bytes - 1] == '\0') return dt_ok();
    return dt_fail(DT_ERR_CORRUPT, "%s: the last of %s has no end", file, names);
}

static dt_status read_all(dt_classes *classes, const char *file) {
    DT_TRY(read_values(classes, file));
    return read_names(classes, file);
}

static dt_status reserve_names(dt_classes *classes, int64_t bytes) {
    classes->names_bytes = bytes;
    classes->names = dt_alloc((size_t)bytes, 1);
    return classes->names ? dt_ok() : dt_fail_memory("the classes' names", (size_t)bytes);
}

/* Collective. What rank 0 has, for all. */
static dt_status share(dt_classes *classes, const dt_ranks *ranks) {
    int64_t sizes[2] = {classes->count, classes->names_bytes};
    const bool first = ranks->rank == 0;
    DT_TRY(dt_ranks_broadcast(ranks, sizes, sizeof sizes, 0));
    if (sizes[0] > 0) {
        DT_TRY(dt_ranks_agree(ranks, first ? dt_ok() : reserve(classes, sizes[0])));
        DT_TRY(dt_ranks_broadcast(ranks, classes->values, (size_t)sizes[0] * sizeof *classes->values, 0));
    }
    if (sizes[1] == 0) return dt_ok();
    DT_TRY(dt_ranks_agree(ranks, first ? dt_ok() : reserve_names(classes, sizes[1])));
    return dt_ranks_broadcast(ranks, classes->names, (size_t)sizes[1], 0);
}

dt_status dt_classes_open(dt_classes *out, const dt_ranks *ranks, const char *checkpoint) {
    memset(out, 0, sizeof *out);
    dt_status status = dt_ranks_agree(ranks, ranks->rank == 0 ? read_all(out, checkpoint) : dt_ok());
    if (status.code == DT_OK) status = share(out, ranks);
    if (status.code != DT_OK) dt_classes_finish(out);
    return status;
}
