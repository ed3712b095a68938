/* Sums that a few hostile sites cannot move (sites.robust): the exchange gives the changes one by one, and what is made
 * of them takes the place of their sum. Every rank makes the same of the same words. */
#include "base/memory.h"
#include "rounds.h"

/* With a deadline a round may have less than all that are chosen: as many as desk_sets.c calls enough. */
static dt_status check_quorum(const dt_rounds *r) {
    if (r->mine < 0) return dt_ok();
    const int64_t members = r->members.count, fewest = (r->chosen * (int64_t)r->members.quorum + members - 1) / members;
    return dt_status_within(dt_robust_check(&r->robust, fewest),
                            "sites.robust, in a round of the fewest that sites.quorum %d of %d allows",
                            r->members.quorum, r->members.count);
}

dt_status dt_rounds_plan_robust(dt_rounds *r, const dt_recipe *recipe) {
    DT_TRY(dt_status_within(dt_robust_read(&r->robust, recipe->sites.robust), "sites.robust"));
    if (r->robust.kind == DT_ROBUST_NONE) return dt_ok();
    DT_TRY(dt_status_within(dt_robust_check(&r->robust, r->chosen), "sites.robust"));
    DT_TRY(check_quorum(r));
    r->robust_words = dt_alloc(r->plan.count, sizeof *r->robust_words);
    r->counted = dt_alloc((size_t)r->chosen, sizeof *r->counted);
    if (r->robust_words && r->counted) return dt_ok();
    return dt_fail_memory("the robust sum of changes", r->plan.count * sizeof *r->robust_words);
}

dt_status dt_rounds_make_robust(dt_rounds *r, const dt_session *session, int64_t round, dt_exchanged *sum) {
    dt_status status =
        dt_robust_sum(&r->robust, sum->each, sum->each_count, r->plan.count, r->robust_words, &sum->weight, r->counted);
    DT_TRY(dt_session_agree(session, dt_status_within(status, "round %lld", (long long)round)));
    for (int site = 0; site < r->sites; site++) r->now.in_sum[site] = false;
    for (int i = 0; i < sum->each_count; i++) r->now.in_sum[sum->each[i].site] = r->counted[i];
    sum->words = r->robust_words;
    return dt_ok();
}
