/* What the ranks make of each one's part: sums of tallies, and products that found no memory (dt_compute_failure), for
 * nobody is to use what was computed beside them. */
#include "ranks.h"

#include <string.h>

static dt_status agree_alone(void *context, dt_status status) {
    (void)context;
    return status;
}

static dt_status sum_alone(void *context, int64_t *values, size_t count) {
    (void)context, (void)values, (void)count;
    return dt_ok();
}

static dt_status broadcast_alone(void *context, void *bytes, size_t count, int root) {
    (void)context, (void)bytes, (void)count, (void)root;
    return dt_ok();
}

dt_ranks dt_ranks_alone(void) {
    return (dt_ranks){.size = 1, .agree = agree_alone, .sum = sum_alone, .broadcast = broadcast_alone};
}

dt_status dt_tally_gather(const dt_ranks *ranks, dt_tally *tally) {
    int64_t words[DT_TALLY_WORDS];
    dt_tally_carry(tally);
    memcpy(words, tally, sizeof words);
    DT_TRY(ranks->sum(ranks->context, words, DT_TALLY_WORDS));
    memcpy(tally, words, sizeof words);
    dt_tally_carry(tally);
    return dt_ok();
}

dt_status dt_computed_everywhere(const dt_ranks *ranks) {
    dt_status found = dt_ranks_agree(ranks, dt_compute_failure());
    if (found.code == DT_OK || ranks->size == 1 || strncmp(found.message, "rank ", 5) == 0) return found;
    return dt_status_within(found, "rank 0"); /* whose memory it is that is short is what counts here */
}
