/* Classes by name. Strings, members of an enumeration and fields of a compound name the classes of the data a model is
 * trained on; the names stay with the model. Other data may have the same classes in another order, or some of them, or
 * written in another way: where both sides have names, a label is the class of its name and its number means nothing.
 * A number without a name has itself for one to strings: the label 7 and the text "7" are the same class. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "labels.h"

/* ---- the names of a model's classes ---- */

/* The name that the data has for a class, or "". Strings are classes in the order of all labels there are. */
static const char *name_of(const dt_targets *targets, int64_t class) {
    const dt_classes *known = targets->known;
    const char *name = NULL;
    if (dt_array_of_texts(targets->y)) {
        const dt_label *label = dt_labels_at(targets->whole ? targets->whole : targets->found, class);
        name = label ? dt_label_name(targets, label->value) : NULL;
    } else if (known->count == 0 || class < known->count) {
        name = dt_label_name(targets, known->count > 0 ? known->values[class] : class);
    }
    return name ? name : "";
}

dt_status dt_classes_name(dt_classes *classes, const dt_targets *targets) {
    size_t used = 0, named = 0;
    if (targets->classes > DT_MOST_CLASSES) return dt_ok();
    for (int64_t c = 0; c < targets->classes; c++) {
        used += strlen(name_of(targets, c)) + 1;
        named += name_of(targets, c)[0] != '\0';
    }
    if (named == 0) return dt_ok();
    classes->names = dt_alloc(used, 1);
    if (!classes->names) return dt_fail_memory("the classes' names", used);
    char *to = classes->names;
    for (int64_t c = 0; c < targets->classes; c++) to = stpcpy(to, name_of(targets, c)) + 1;
    classes->names_bytes = (int64_t)used;
    return dt_ok();
}

/* ---- finding them again ---- */

typedef struct named {
    const char *name;
    int64_t class;
} named;

/* A model's classes, to be looked for. */
typedef struct name_index {
    const dt_classes *classes;
    int64_t room;  /* classes it has */
    named *sorted; /* [count], by name; classes without one are not there */
    int64_t count;
} name_index;

static int by_name(const void *left, const void *right) {
    const named *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order ? order : (a->class > b->class) - (a->class < b->class);
}

static dt_status make_index(name_index *x, const dt_classes *classes, int64_t room) {
    *x = (name_index){.classes = classes, .room = room};
    const char *end = classes->names ? classes->names + classes->names_bytes : NULL;
    int64_t count = 0, class = 0;
    for (const char *name = classes->names; name && name < end; name += strlen(name) + 1) count += *name != '\0';
    if (count == 0) return dt_ok();
    x->sorted = dt_alloc((size_t)count, sizeof *x->sorted);
    if (!x->sorted) return dt_fail_memory("the classes' names", (size_t)count * sizeof *x->sorted);
    for (const char *name = classes->names; name < end; name += strlen(name) + 1, class ++)
        if (*name) x->sorted[x->count++] = (named){name, class};
    qsort(x->sorted, (size_t)count, sizeof *x->sorted, by_name);
    return dt_ok();
}

/* Whether a text is an integer as it is printed, and no other way of writing one. */
static bool is_integer(const char *text, int64_t *value) {
    char again[24], *end;
    errno = 0;
    *value = strtoll(text, &end, 10);
    snprintf(again, sizeof again, "%" PRId64, *value);
    return errno == 0 && strcmp(again, text) == 0;
}

static bool all_integers(const name_index *x) {
    int64_t value;
    for (int64_t i = 0; i < x->count; i++)
        if (!is_integer(x->sorted[i].name, &value)) return false;
    return true;
}

/* The class of that name, or -1. */
static int64_t find_name(const name_index *x, const char *name) {
    const named wanted = {name, -1};
    int64_t low = 0, high = x->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (by_name(&x->sorted[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < x->count && strcmp(x->sorted[low].name, name) == 0 ? x->sorted[low].class : -1;
}

/* The class of that label in the data the model was trained on, or -1. */
static int64_t find_value(const name_index *x, int64_t value) {
    if (x->classes->count > 0) return dt_class_of(x->classes, value);
    return value >= 0 && value < x->room ? value : -1;
}

static bool has_name(const name_index *x, int64_t class) {
    for (int64_t i = 0; i < x->count; i++)
        if (x->sorted[i].class == class) return true;
    return false;
}

static int64_t find_label(const name_index *x, const char *name, int64_t value) {
    char text[24];
    int64_t as_number;
    if (x->count == 0) return name && is_integer(name, &as_number) ? find_value(x, as_number) : -1;
    if (name) return find_name(x, name);
    snprintf(text, sizeof text, "%" PRId64, value);
    int64_t class = find_name(x, text);
    if (class >= 0) return class;
    class = find_value(x, value);
    return class >= 0 && !has_name(x, class) ? class : -1;
}

/* Whether names decide: both sides have some, or one has them and the other's numbers are names to it. */
static bool names_decide(const name_index *x, const dt_targets *targets) {
    const dt_label *label;
    bool any = false;
    for (int64_t i = 0; (label = dt_labels_at(targets->found, i)) != NULL && !any; i++)
        any = dt_label_name(targets, label->value) != NULL;
    if (dt_array_of_texts(targets->y)) return true;
    return x->count > 0 && (any || (targets->hot == 0 && all_integers(x)));
}

static dt_status fail_unknown(const name_index *x, const dt_targets *targets, const dt_label *label) {
    char text[DT_LABEL_TEXT], known[400];
    dt_label_text(targets, label->value, text);
    dt_classes_text(x->classes, x->room, known, sizeof known);
    return dt_fail(DT_ERR_INPUT, "%s: %s row %lld is %s, a class the model does not have (it has %s)", targets->file,
                   targets->name, (long long)label->row, text, known);
}

static dt_status match(const name_index *x, dt_targets *targets) {
    const dt_label *label;
    targets->by_name = names_decide(x, targets);
    if (!targets->by_name) return dt_ok();
    if (!dt_labels_at(targets->found, 0))
        return dt_fail(DT_ERR_INPUT, "%s: %s has more than %d different labels, too many to be found by their names",
                       targets->file, targets->name, DT_MOST_CLASSES);
    for (int64_t i = 0; (label = dt_labels_at(targets->found, i)) != NULL; i++) {
        int64_t class = find_label(x, dt_label_name(targets, label->value), label->value);
        if (class < 0 || class >= x->room) return fail_unknown(x, targets, label);
        dt_labels_name(targets->found, i, class);
    }
    return dt_ok();
}

dt_status dt_classes_match(const dt_classes *classes, dt_targets *targets) {
    name_index x;
    DT_TRY(make_index(&x, classes, targets->classes));
    dt_status status = match(&x, targets);
    dt_free(x.sorted);
    return status;
}
