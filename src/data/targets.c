/* What the targets of a source mean: the loss decides, not their type. Softmax wants classes, so whole numbers are
 * labels there whatever they are stored as, and rows of numbers must be distributions; binary cross-entropy wants
 * probabilities; the squared error takes any number, and integers are class numbers to it only if the model has an
 * output for each. All targets are looked at when a source is opened, each rank its part, because one bad target would
 * end a run hours later, or spoil it without a word; the first one that does not fit is named alike by all. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alive.h"
#include "config/recipe.h"
#include "data/sampler.h"
#include "labels.h"

#define LOOKED_AT 4096 /* rows, between signs of life */
#define TOLERANCE 0.01 /* of a distribution's sum: float16 and rounded percentages */
#define AT_ONCE 512

static bool is_float(dt_dtype dtype) {
    return dtype == DT_F32 || dtype == DT_F64;
}

/* ---- checks ---- */

/* Between 0 and 1; and, of a distribution, with the sum 1. */
static bool is_share(const void *row, dt_dtype dtype, int64_t width, bool distribution) {
    double shares[AT_ONCE], sum = 0;
    for (int64_t at = 0; at < width; at += AT_ONCE) {
        int64_t count = width - at < AT_ONCE ? width - at : AT_ONCE;
        dt_apart(shares, (const char *)row + (size_t)at * dt_dtype_size(dtype), dtype, count, 1, 0);
        for (int64_t i = 0; i < count; i++) {
            if (!(shares[i] >= 0) || !(shares[i] <= 1)) return false;
            sum += shares[i];
        }
    }
    return !distribution || fabs(sum - 1) <= TOLERANCE;
}

static bool fits(const dt_targets *targets, int64_t row) {
    dt_dtype dtype = dt_array_dtype(targets->y);
    char fault[DT_FAULT_TEXT];
    if (targets->labels && dt_array_of_texts(targets->y)) return dt_label_name(targets, dt_targets_label(targets, row));
    if (targets->labels) return dt_is_integer(dt_array_row(targets->y, 0), dtype, row);
    if (targets->loss == DT_LOSS_MEAN_SQUARED_ERROR) return !dt_array_row_fault(targets->y, row, fault, sizeof fault);
    bool distribution = targets->loss == DT_LOSS_SOFTMAX_CROSS_ENTROPY;
    return is_share(dt_array_row(targets->y, row), dtype, targets->width, distribution);
}

/* The first sample of [first, end) whose target does not fit, or end. */
static int64_t scan(const dt_targets *targets, int64_t first, int64_t end) {
    for (; first < end; first++) {
        if (first % LOOKED_AT == 0) dt_alive();
        if (!fits(targets, dt_selection_row(&targets->selection, first))) break;
    }
    return first;
}

/* ---- what to say ---- */

static dt_status fail_label(const dt_targets *targets, int64_t row) {
    if (dt_array_of_texts(targets->y))
        return dt_fail(DT_ERR_INPUT,
                       "%s: %s row %lld is an empty text, which is no class (data.missing: drop leaves such rows out)",
                       targets->file, targets->name, (long long)row);
    char value[DT_NUMBER_TEXT];
    dt_dtype dtype = dt_array_dtype(targets->y);
    dt_number_text(value, dt_array_row(targets->y, 0), dtype, row);
    if (dtype == DT_U64)
        return dt_fail(DT_ERR_INPUT, "%s: %s row %lld is %s; labels are integers below 9223372036854775807",
                       targets->file, targets->name, (long long)row, value);
    return dt_fail(DT_ERR_INPUT,
                   "%s: %s row %lld is %s; softmax_cross_entropy takes a whole number a sample, its class, or as many "
                   "shares as there are classes (to predict numbers, use model.loss: mean_squared_error)",
                   targets->file, targets->name, (long long)row, value);
}

/* Of a row of 0s and 1s. */
static dt_status fail_ones(const dt_targets *targets, int64_t row, int64_t ones, const int64_t place[2]) {
    char what[96] = "no 1 in it";
    if (ones > 0)
        snprintf(what, sizeof what, "%lld of them 1, values %lld and %lld the first", (long long)ones,
                 (long long)place[0], (long long)place[1]);
    return dt_fail(
        DT_ERR_INPUT,
        "%s: %s row %lld is 0s and 1s with %s; a row of softmax_cross_entropy has one 1, in the place of its "
        "class (of classes that do not exclude each other: binary_cross_entropy)",
        targets->file, targets->name, (long long)row, what);
}

static dt_status fail_share(const dt_targets *targets, int64_t row) {
    dt_dtype dtype = dt_array_dtype(targets->y);
    const void *values = dt_array_row(targets->y, row);
    bool distribution = targets->loss == DT_LOSS_SOFTMAX_CROSS_ENTROPY;
    int64_t ones, place[2];
    if (distribution && dt_one_hot_ones(targets->y, row, &ones, place)) return fail_ones(targets, row, ones, place);
    double sum = 0;
    for (int64_t i = 0; i < targets->width; i++) {
        double value = dt_number_at(values, dtype, i);
        sum += value;
        if (value >= 0 && value <= 1) continue;
        char text[DT_NUMBER_TEXT], at[48] = "";
        dt_number_text(text, values, dtype, i);
        if (targets->width > 1) snprintf(at, sizeof at, ", value %lld,", (long long)i);
        return dt_fail(DT_ERR_INPUT,
                       "%s: %s row %lld%s is %s; targets of %s are %s from 0 to 1 (scale them in the file)",
                       targets->file, targets->name, (long long)row, at, text,
                       distribution ? "softmax_cross_entropy" : "binary_cross_entropy",
                       distribution ? "class numbers, or shares of the classes" : "probabilities");
    }
    return dt_fail(
        DT_ERR_INPUT,
        "%s: %s row %lld has the sum %.6g; targets of softmax_cross_entropy are class numbers, or shares of the "
        "classes with the sum 1 (of classes that do not exclude each other: binary_cross_entropy)",
        targets->file, targets->name, (long long)row, sum);
}

static dt_status fail_target(const dt_targets *targets, int64_t row) {
    if (targets->labels) return fail_label(targets, row);
    if (targets->loss != DT_LOSS_MEAN_SQUARED_ERROR) return fail_share(targets, row);
    char fault[DT_FAULT_TEXT] = "is not finite";
    dt_array_row_fault(targets->y, row, fault, sizeof fault);
    return dt_fail(DT_ERR_INPUT, "%s: %s row %lld %s", targets->file, targets->name, (long long)row, fault);
}

void dt_targets_text(const dt_targets *targets, char *out, size_t size) {
    const char *type = dt_dtype_name(dt_array_dtype(targets->y));
    if (dt_array_of_texts(targets->y))
        snprintf(out, size, "texts, which are classes");
    else if (targets->labels && targets->hot > 0)
        snprintf(out, size, "%s one-hot rows of %lld classes", type, (long long)targets->hot);
    else if (targets->labels)
        snprintf(out, size, "%s class numbers", type);
    else
        snprintf(out, size, "%s numbers, %lld a sample", type, (long long)targets->width);
}

/* ---- opening ---- */

void dt_targets_recall(dt_targets *targets) {
    bool floats = is_float(dt_array_dtype(targets->y));
    dt_shape shape = dt_array_row_shape(targets->y);
    targets->width = dt_shape_count(&shape);
    bool one = targets->width == 1 && shape.rank <= 1;
    targets->labels = one && !targets->scaled && (!floats || targets->loss == DT_LOSS_SOFTMAX_CROSS_ENTROPY);
    targets->either = targets->labels && targets->loss == DT_LOSS_MEAN_SQUARED_ERROR;
    targets->positions = targets->labels;
    targets->counted = 1;
}

/* Collective. That all targets of the selection fit; the first that does not is named. */
static dt_status check(const dt_targets *targets, const dt_ranks *ranks) {
    int64_t first, count, samples = targets->selection.count;
    dt_shard_range(samples, ranks->size, ranks->rank, &first, &count);
    int64_t stopped = scan(targets, first, first + count);
    DT_TRY(dt_ranks_agree(ranks, dt_array_failure(targets->y)));
    int64_t least = stopped < first + count ? stopped : samples;
    DT_TRY(dt_ranks_least(ranks, &least, 1));
    return least == samples ? dt_ok() : fail_target(targets, dt_selection_row(&targets->selection, least));
}

static dt_status check_texts(const dt_targets *targets) {
    if (!dt_array_of_texts(targets->y) || targets->labels) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "%s: %s holds texts, which are classes and no numbers: data.target cannot scale them",
                   targets->file, targets->name);
}

/* Collective. Rows of numbers that are classes. */
static dt_status find_one_hot(dt_targets *targets, const dt_ranks *ranks, const dt_selection *selection) {
    const dt_shape shape = dt_array_row_shape(targets->y);
    bool rows = !targets->labels && !targets->scaled && targets->loss == DT_LOSS_SOFTMAX_CROSS_ENTROPY, hot = false;
    if (!rows || shape.rank != 1 || targets->width < 2 || targets->width > DT_MOST_CLASSES) return dt_ok();
    DT_TRY(dt_one_hot_everywhere(&hot, ranks, targets->y, selection));
    if (!hot) return dt_ok();
    targets->hot = targets->width;
    targets->labels = true;
    targets->width = targets->positions = 1;
    return dt_ok();
}

/* Which classes there are is not to depend on how the rows are cut, so all of them are looked at. */
static dt_status collect(dt_targets *targets, const dt_ranks *ranks, bool cut) {
    dt_targets all = *targets;
    if (cut) all.selection = (dt_selection){NULL, dt_array_rows(targets->y)};
    DT_TRY(find_one_hot(&all, ranks, &all.selection));
    if (all.hot == 0) DT_TRY(check(&all, ranks));
    const dt_selection samples = targets->selection;
    *targets = all;
    targets->selection = samples;
    if (!targets->labels) return dt_ok();
    if (cut) DT_TRY(dt_labels_collect(&targets->whole, ranks, &all));
    DT_TRY(dt_labels_collect(&targets->found, ranks, targets));
    return dt_ranks_agree(ranks, dt_array_failure(targets->y));
}

dt_status dt_targets_open(dt_targets *targets, const dt_ranks *ranks, bool cut) {
    dt_targets_recall(targets);
    DT_TRY(check_texts(targets));
    DT_TRY(collect(targets, ranks, cut));
    if (!targets->labels) return dt_ok();
    targets->classes = targets->hot > 0 ? targets->hot : dt_labels_count(cut ? targets->whole : targets->found);
    return dt_ok();
}

/* ---- for a model ---- */

/* Whether a model with `room` classes has one for every label; else the first label, and the row of it, that it has
 * none for. */
static bool all_known(const dt_targets *targets, const dt_classes *classes, int64_t room, int64_t *label,
                      int64_t *row) {
    if (classes->count == 0 && dt_labels_within(targets->found, room)) return true;
    for (int64_t i = 0; i < targets->selection.count; i++) {
        if (i % LOOKED_AT == 0) dt_alive();
        *row = dt_selection_row(&targets->selection, i);
        *label = dt_targets_label(targets, *row);
        if (classes->count == 0 ? *label < 0 || *label >= room : dt_class_of(classes, *label) < 0) return false;
    }
    return true;
}

/* The class of a label of settled targets. */
static int64_t class_of(const dt_targets *targets, const dt_label *label) {
    if (targets->by_name) return label->class;
    bool listed = targets->known && targets->known->count > 0;
    return listed ? dt_class_of(targets->known, label->value) : label->value;
}

int64_t dt_targets_unseen(const dt_targets *test, const dt_targets *train) {
    uint8_t seen[DT_MOST_CLASSES] = {0};
    if (!test->labels || !test->found || !train->labels || !train->found || !dt_labels_at(train->found, 0)) return -1;
    const dt_label *each;
    for (int64_t i = 0; (each = dt_labels_at(train->found, i)) != NULL; i++) {
        int64_t class = class_of(train, each);
        if (class >= 0 && class < DT_MOST_CLASSES) seen[class] = 1;
    }
    for (int64_t i = 0; (each = dt_labels_at(test->found, i)) != NULL; i++) {
        int64_t class = class_of(test, each);
        if (class >= 0 && class < DT_MOST_CLASSES && !seen[class]) return each->row;
    }
    return -1;
}

void dt_targets_as_values(dt_targets *targets) {
    if (dt_array_of_texts(targets->y)) return;
    if (targets->hot > 0) targets->width = targets->hot;
    targets->hot = 0;
    targets->labels = targets->either = false;
    targets->positions = targets->classes = 0;
}

dt_status dt_targets_check_alike(dt_targets *one, dt_targets *other) {
    if ((one->either || one->hot > 0) && !other->labels) dt_targets_as_values(one);
    if ((other->either || other->hot > 0) && !one->labels) dt_targets_as_values(other);
    if (one->labels == other->labels && (one->labels || one->width == other->width)) return dt_ok();
    char here[64], there[64];
    dt_targets_text(one, here, sizeof here);
    dt_targets_text(other, there, sizeof there);
    return dt_fail(DT_ERR_INPUT, "%s: %s holds %s but %s holds %s; they must be of one kind", one->file, one->name,
                   here, other->name, there);
}

dt_status dt_targets_check_shared(const dt_targets *targets) {
    if (!targets->y || !dt_array_of_texts(targets->y)) return dt_ok();
    const dt_labels *labels = targets->whole ? targets->whole : targets->found;
    int64_t rows = targets->whole ? dt_array_rows(targets->y) : targets->selection.count;
    int64_t count = dt_labels_count(labels);
    if (count > DT_MOST_CLASSES)
        return dt_fail(DT_ERR_INPUT, "%s: %s has more than %d different texts, too many to be classes", targets->file,
                       targets->name, DT_MOST_CLASSES);
    if (rows < 2 || count < rows) return dt_ok();
    return dt_fail(DT_ERR_INPUT,
                   "%s: each of the %lld rows of %s has a text of its own, as names or codes of samples do; labels are "
                   "classes, which rows share",
                   targets->file, (long long)rows, targets->name);
}

/* The classes that the labels found are, of labels that are numbers. */
static dt_status open_classes(const dt_targets *targets, dt_classes *classes, const dt_labels *labels, int64_t room) {
    if (dt_labels_within(labels, room)) return dt_ok();
    if (!dt_labels_at(labels, 0))
        return dt_fail(DT_ERR_INPUT,
                       "%s: %s has more than %d different labels, and not all are class numbers below %lld",
                       targets->file, targets->name, DT_MOST_CLASSES, (long long)room);
    return dt_classes_take(classes, labels);
}

static dt_status check_known(const dt_targets *targets, const dt_classes *classes, int64_t room) {
    int64_t label = 0, row = 0;
    if (all_known(targets, classes, room, &label, &row)) return dt_ok();
    char known[400], text[DT_LABEL_TEXT];
    dt_label_text(targets, label, text);
    dt_classes_text(classes, room, known, sizeof known);
    return dt_fail(DT_ERR_INPUT, "%s: %s row %lld is %s, a class the model does not have (it has %s)", targets->file,
                   targets->name, (long long)row, text, known);
}

dt_status dt_targets_settle(dt_targets *targets, dt_classes *classes, bool open, int64_t outputs) {
    const bool texts = targets->y && dt_array_of_texts(targets->y);
    if (targets->either && outputs == 1 && texts)
        return dt_fail(DT_ERR_INPUT, "%s: %s holds texts, which are classes; the model's one output is a number",
                       targets->file, targets->name);
    if (targets->either && outputs == 1) dt_targets_as_values(targets);
    if (!targets->labels || !targets->found) return dt_ok();
    int64_t alone = targets->loss == DT_LOSS_MEAN_SQUARED_ERROR ? INT32_MAX : 2; /* of one output */
    int64_t room = outputs == 1 ? alone : outputs;
    const dt_labels *labels = targets->whole ? targets->whole : targets->found;
    if (open && !texts) DT_TRY(open_classes(targets, classes, labels, room));
    targets->classes = room;
    targets->known = classes;
    if (open) DT_TRY(dt_classes_name(classes, targets));
    if (!open || texts) DT_TRY(dt_classes_match(classes, targets));
    return targets->by_name ? dt_ok() : check_known(targets, classes, room);
}
