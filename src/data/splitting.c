/* Who goes to which split: a keyed permutation of the units, the same kind as the order of an epoch, is cut in three.
 * Nothing but the seed and the number of units decides, so a split is the same on any ranks, from any file that holds
 * these units, and needs not be stored. The test units are the end of the order whatever share validation has, so the
 * test set stays the same when that changes. */
#include "splitting.h"

#include <math.h>

#include "base/random.h"

void dt_splitting_count(int64_t count[DT_SPLIT_COUNT], const dt_recipe_data *data, int64_t units) {
    count[DT_SPLIT_TEST] = llround(data->split_test * (double)units);
    int64_t left = units - count[DT_SPLIT_TEST], wanted = llround(data->split_validation * (double)units);
    count[DT_SPLIT_VALIDATION] = wanted < left ? wanted : left;
    count[DT_SPLIT_TRAIN] = left - count[DT_SPLIT_VALIDATION];
}

dt_split dt_splitting_at(const int64_t count[DT_SPLIT_COUNT], int64_t position) {
    if (position < count[DT_SPLIT_TRAIN]) return DT_SPLIT_TRAIN;
    bool validates = position - count[DT_SPLIT_TRAIN] < count[DT_SPLIT_VALIDATION];
    return validates ? DT_SPLIT_VALIDATION : DT_SPLIT_TEST;
}

dt_splitting dt_splitting_of(const dt_recipe_data *data, int64_t units) {
    dt_splitting splitting = {.order = dt_permutation_of(units, DT_RANDOM_SPLIT, data->split_seed),
                              .at_random = data->split_order == DT_SPLIT_AT_RANDOM};
    dt_splitting_count(splitting.count, data, units);
    return splitting;
}

int64_t dt_splitting_move(const dt_splitting *splitting, int64_t i) {
    return splitting->at_random ? dt_permuted(&splitting->order, i) : i;
}

dt_split dt_splitting_for(const dt_splitting *splitting, int64_t unit) {
    return dt_splitting_at(splitting->count, dt_splitting_move(splitting, unit));
}
