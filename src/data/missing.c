/* Samples without all of their values: NaN in the input or in the targets, or an empty text for a label; as NaN the
 * readers of foreign files hand over what those mark as missing. With data.missing: drop the rows that have one are no
 * samples. Which they are is found by all ranks together, in one look at all data, when a source is opened. */
#include "missing.h"

#include <math.h>

#include "base/alive.h"
#include "base/memory.h"
#include "data/sampler.h"
#include "numbers.h"

#define AT_ONCE 256
#define WORD 64

/* Whether a row has a NaN. */
static bool lacks_value(const dt_array *array, int64_t row) {
    const dt_shape shape = dt_array_row_shape(array);
    const dt_dtype dtype = dt_array_dtype(array);
    const int64_t n = dt_shape_count(&shape);
    if (dt_array_of_texts(array)) return !*dt_array_member(array, dt_integer_at(dt_array_row(array, 0), dtype, row));
    const char *values = dt_array_row(array, row);
    double numbers[AT_ONCE];
    for (int64_t at = 0; at < n; at += AT_ONCE) {
        const int64_t count = n - at < AT_ONCE ? n - at : AT_ONCE;
        int64_t missing = 0;
        dt_apart(numbers, values + (size_t)at * dt_dtype_size(dtype), dtype, count, 1, 0);
        for (int64_t i = 0; i < count; i++) missing += isnan(numbers[i]) != 0;
        if (missing > 0) return true;
    }
    return false;
}

static bool may_lack(const dt_array *array) {
    return dt_array_dtype(array) == DT_F32 || dt_array_dtype(array) == DT_F64 || dt_array_of_texts(array);
}

/* Bit i of missing[] for each sample i of this rank's part. */
static void mark(int64_t *missing, const dt_source *source, const dt_ranks *ranks) {
    int64_t first, count;
    const dt_array *x = source->x, *y = source->targets.y;
    dt_shard_range(source->selection.count, ranks->size, ranks->rank, &first, &count);
    for (int64_t i = first; i < first + count; i++) {
        const int64_t row = dt_selection_row(&source->selection, i);
        const bool lacks =
            (may_lack(x) && lacks_value(x, row)) || (!source->unlabelled && may_lack(y) && lacks_value(y, row));
        if (lacks) missing[i / WORD] = (int64_t)((uint64_t)missing[i / WORD] | (uint64_t)1 << (i % WORD));
        dt_alive();
    }
}

/* Rows that could not be read were zeros. */
static dt_status failure(const dt_source *source) {
    DT_TRY(dt_array_failure(source->x));
    return source->targets.y ? dt_array_failure(source->targets.y) : dt_ok();
}

static bool is_marked(const int64_t *missing, int64_t i) {
    return (uint64_t)missing[i / WORD] >> (i % WORD) & 1;
}

/* The samples that are left. */
static dt_status keep(dt_selection *selection, const int64_t *missing) {
    int64_t left = 0;
    for (int64_t i = 0; i < selection->count; i++) left += !is_marked(missing, i);
    if (left == selection->count) return dt_ok();
    int64_t *rows = dt_alloc((size_t)left + 1, sizeof *rows);
    if (!rows) return dt_fail_memory("the samples' rows", (size_t)left * sizeof *rows);
    left = 0;
    for (int64_t i = 0; i < selection->count; i++)
        if (!is_marked(missing, i)) rows[left++] = dt_selection_row(selection, i);
    dt_free(selection->rows);
    *selection = (dt_selection){rows, left};
    return dt_ok();
}

/* Collective. `missing` is room for a bit of each sample. */
static dt_status find(dt_source *source, const dt_ranks *ranks, int64_t *missing, size_t words) {
    mark(missing, source, ranks);
    DT_TRY(dt_ranks_agree(ranks, failure(source)));
    DT_TRY(dt_ranks_sum(ranks, missing, words)); /* each bit is set by one rank at most */
    return dt_ranks_agree(ranks, keep(&source->selection, missing));
}

dt_status dt_missing_drop(dt_source *source, const dt_ranks *ranks) {
    const int64_t all = source->selection.count;
    const size_t words = (size_t)(all / WORD + 1);
    int64_t *missing = dt_alloc(words, sizeof *missing);
    dt_status status =
        dt_ranks_agree(ranks, missing ? dt_ok() : dt_fail_memory("a mark a sample", words * sizeof *missing));
    if (status.code == DT_OK && missing) status = find(source, ranks, missing, words);
    dt_free(missing);
    DT_TRY(status);
    source->dropped = all - source->selection.count;
    source->targets.selection = source->selection;
    if (source->selection.count > 0) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "%s: every row of %s or %s has a missing value, so data.missing: drop leaves none",
                   source->file, source->x_name, source->targets.name);
}
