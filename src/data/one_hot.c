/* Labels as rows of numbers, a 1 in the column of the class and 0 in all others, in whatever format: to a loss of
 * classes they are the class, so figures, weights and names of classes are there as for any labels. Rows of shares that
 * are no such rows stay what they are; one of both kinds in a data set makes all of it shares. */
#include "base/alive.h"
#include "data/sampler.h"
#include "labels.h"

#define LOOKED_AT 4096 /* rows, between signs of life */
#define AT_ONCE 256

bool dt_one_hot_ones(const dt_array *y, int64_t row, int64_t *ones, int64_t place[2]) {
    const dt_dtype dtype = dt_array_dtype(y);
    const dt_shape shape = dt_array_row_shape(y);
    const int64_t columns = dt_shape_count(&shape);
    const char *values = dt_array_row(y, row);
    double numbers[AT_ONCE];
    *ones = 0;
    for (int64_t at = 0; at < columns; at += AT_ONCE) {
        const int64_t count = columns - at < AT_ONCE ? columns - at : AT_ONCE;
        dt_apart(numbers, values + (size_t)at * dt_dtype_size(dtype), dtype, count, 1, 0);
        for (int64_t i = 0; i < count; i++) {
            if (!(numbers[i] >= 0) || (numbers[i] > 0 && numbers[i] < 1) || numbers[i] > 1) return false;
            if (numbers[i] > 0 && (*ones)++ < 2) place[*ones - 1] = at + i;
        }
    }
    return true;
}

int64_t dt_one_hot_at(const dt_array *y, int64_t row, int64_t columns) {
    const char *values = dt_array_row(y, row);
    const dt_dtype dtype = dt_array_dtype(y);
    int64_t at = 0;
    while (at < columns && !(dt_number_at(values, dtype, at) > 0)) at++;
    return at < columns ? at : 0; /* zeros stand for what could not be read, which is said elsewhere */
}

dt_status dt_one_hot_everywhere(bool *out, const dt_ranks *ranks, const dt_array *y, const dt_selection *selection) {
    int64_t first, count, ones, place[2], all = 1;
    dt_shard_range(selection->count, ranks->size, ranks->rank, &first, &count);
    for (int64_t i = first; i < first + count && all; i++) {
        if (i % LOOKED_AT == 0) dt_alive();
        all = dt_one_hot_ones(y, dt_selection_row(selection, i), &ones, place) && ones == 1;
    }
    DT_TRY(dt_ranks_agree(ranks, dt_array_failure(y)));
    DT_TRY(dt_ranks_least(ranks, &all, 1));
    *out = all != 0;
    return dt_ok();
}
