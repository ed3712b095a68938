/* What the ranks make of each one's part: sums of tallies, and products that found no memory (dt_compute_failure), for
 * nobody is to use what was computed beside them. */
#include "computed.h"

#include <string.h>

dt_status dt_tally_gather(const dt_ranks *ranks, dt_tally *tally) {
    int64_t words[DT_TALLY_WORDS];
    dt_tally_carry(tally);
    memcpy(words, tally, sizeof words);
    DT_TRY(dt_ranks_sum(ranks, words, DT_TALLY_WORDS));
    memcpy(tally, words, sizeof words);
    dt_tally_carry(tally);
    return dt_ok();
}

dt_status dt_computed_everywhere(const dt_ranks *ranks) {
    dt_status found = dt_ranks_agree(ranks, dt_compute_failure());
    if (found.code == DT_OK || ranks->size == 1 || strncmp(found.message, "rank ", 5) == 0) return found;
    return dt_status_within(found, "rank 0"); /* whose memory it is that is short is what counts here */
}
