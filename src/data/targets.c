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

static dt_status fail_share(const dt_targets *targets, int64_t row) {
    dt_dtype dtype = dt_array_dtype(targets->y);
    const void *values = dt_array_row(targets->y, row);
    bool distribution = targets->loss == DT_LOSS_SOFTMAX_CROSS_ENTROPY;
    double sum = 0;
    for (int64_t i = 0; i < targets->width; i++) {
        double value = dt_number_at(values, dtype, i);
        sum += value;
        if (value >= 0 && value <= 1) continue;
        char text[DT_NUMBER_TEXT], place[48] = "";
        dt_number_text(text, values, dtype, i);
        if (targets->width > 1) snprintf(place, sizeof place, ", value %lld,", (long long)i);
        return dt_fail(DT_ERR_INPUT,
                       "%s: %s row %lld%s is %s; targets of %s are %s from 0 to 1 (scale them in the file)",
                       targets->file, targets->name, (long long)row, place, text,
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
    if (targets->labels)
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

/* Which classes there are is not to depend on how the rows are cut, so all of them are looked at. */
static dt_status open_whole(dt_targets *targets, const dt_ranks *ranks) {
    dt_targets all = *targets;
    all.selection = (dt_selection){NULL, dt_array_rows(targets->y)};
    DT_TRY(check(&all, ranks));
    return targets->labels ? dt_labels_collect(&targets->whole, ranks, &all) : dt_ok();
}

dt_status dt_targets_open(dt_targets *targets, const dt_ranks *ranks, bool cut) {
    dt_targets_recall(targets);
    DT_TRY(cut ? open_whole(targets, ranks) : check(targets, ranks));
    if (!targets->labels) return dt_ok();
    DT_TRY(dt_labels_collect(&targets->found, ranks, targets));
    targets->classes = dt_labels_count(cut ? targets->whole : targets->found);
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

static bool has_label(const dt_labels *labels, int64_t value) {
    const dt_label *label;
    for (int64_t i = 0; (label = dt_labels_at(labels, i)) != NULL && label->value <= value; i++)
        if (label->value == value) return true;
    return false;
}

bool dt_targets_unseen(const dt_targets *test, const dt_targets *train, int64_t *label, int64_t *row) {
    if (!test->labels || !test->found || !train->labels || !train->found || !dt_labels_at(train->found, 0))
        return false;
    const dt_label *each;
    for (int64_t i = 0; (each = dt_labels_at(test->found, i)) != NULL; i++) {
        if (has_label(train->found, each->value)) continue;
        *label = each->value;
        *row = each->row;
        return true;
    }
    return false;
}

void dt_targets_as_numbers(dt_targets *targets) {
    targets->labels = targets->either = false;
    targets->positions = targets->classes = 0;
}

dt_status dt_targets_settle(dt_targets *targets, dt_classes *classes, bool open, int64_t outputs) {
    if (targets->either && outputs == 1) dt_targets_as_numbers(targets);
    if (!targets->labels || !targets->found) return dt_ok();
    int64_t alone = targets->loss == DT_LOSS_MEAN_SQUARED_ERROR ? INT32_MAX : 2; /* of one output */
    int64_t room = outputs == 1 ? alone : outputs, label = 0, row = 0;
    const dt_labels *labels = targets->whole ? targets->whole : targets->found;
    bool foreign = open && !dt_labels_within(labels, room);
    if (foreign && !dt_labels_at(labels, 0))
        return dt_fail(DT_ERR_INPUT,
                       "%s: %s has more than %d different labels, and not all are class numbers below %lld",
                       targets->file, targets->name, DT_MOST_CLASSES, (long long)room);
    if (foreign) DT_TRY(dt_classes_take(classes, labels));
    targets->classes = room;
    targets->known = classes;
    if (all_known(targets, classes, room, &label, &row)) return dt_ok();
    char known[160];
    dt_classes_text(classes, room, known, sizeof known);
    return dt_fail(DT_ERR_INPUT, "%s: %s row %lld is %lld, a class the model does not have (it has %s)", targets->file,
                   targets->name, (long long)row, (long long)label, known);
}
