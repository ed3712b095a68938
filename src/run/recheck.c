/* Now and then a rank computes again what another has computed in the same step (train.audit), and both are compared
 * before anything follows from them: a processor that computes wrongly, of which nothing else would tell, is named. In
 * which steps, and who computes whose, is a function of seed and step; nothing of it is part of the run's numbers. */
#include <math.h>

#include "base/clock.h"
#include "base/random.h"
#include "comm/crosscheck.h"
#include "step.h"
#include "use/computed.h"

/* Whether a step is one of these, and by how many ranks who computes again is ahead of whose gradient it is. A rank's
 * shards are computed again as a whole, so the share of steps is that of shards, and of time; one step in each window
 * of as many as make that share, so that it is never more. */
static bool is_due(const dt_step *step, int *shift) {
    const dt_recipe *recipe = step->session->recipe;
    const uint32_t others = (uint32_t)step->session->ranks.size - 1;
    const int64_t window = (int64_t)fmin(ceil(1 / recipe->train.audit - 1e-9), 1e15);
    const dt_stream stream = dt_stream_at((uint64_t)recipe->seed, DT_RANDOM_AUDIT, 1, 0);
    uint32_t words[4];
    dt_stream_block(words, stream, (uint64_t)(step->at.step / window), 0);
    *shift = others > 0 ? (int)(1 + words[1] % others) : 0;
    uint64_t draw = (uint64_t)words[2] << 32 | words[0];
    return (int64_t)(draw % (uint64_t)window) == step->at.step % window;
}

/* What this rank counted of its own samples stays as it is. */
static void compute_aside(const dt_step *step, dt_trainee *trainee, int whose) {
    const dt_tally counted = step->ledger->local;
    dt_step again = *step;
    int64_t count;
    dt_rank_shards(step->course->shards, step->session->ranks.size, whose, &again.first_shard, &count);
    again.end_shard = again.first_shard + count;
    dt_reduce_begin_aside(trainee->reducer);
    for (int64_t shard = again.first_shard; shard < again.end_shard; shard++) dt_step_shard(&again, trainee, shard);
    dt_reduce_end_aside(trainee->reducer);
    step->ledger->local = counted;
}

static dt_status compare(const dt_step *step, dt_trainee *trainee, int shift) {
    const dt_ranks *ranks = &step->session->ranks;
    dt_crosscheck *check = trainee->crosscheck;
    dt_disagreement found;
    compute_aside(step, trainee, dt_crosscheck_whose(check, shift));
    DT_TRY(dt_computed_everywhere(ranks));
    DT_TRY(dt_crosscheck_compare(check, shift, &found));
    if (found.tensor < 0) return dt_ok();
    if (found.third == ranks->rank) compute_aside(step, trainee, found.whose);
    DT_TRY(dt_computed_everywhere(ranks));
    dt_status wrong = dt_status_within(dt_crosscheck_judge(check, &found), "step %lld", (long long)step->at.step);
    int64_t newest = dt_snapshot_flies(step->snapshot); /* which still counts, before the end */
    if (newest < 0) newest = step->snapshot->step;
    if (newest < 0)
        return dt_fail(wrong.code, "%s; the step is not taken, and there is no checkpoint yet", wrong.message);
    return dt_fail(wrong.code,
                   "%s; the step is not taken; the newest checkpoint is of step %lld: go on without that machine",
                   wrong.message, (long long)newest);
}

dt_status dt_step_recheck(dt_step *step, dt_trainee *trainee) {
    int shift;
    if (!trainee->crosscheck || !is_due(step, &shift)) return dt_ok();
    const double began = dt_clock_now();
    DT_TRY(compare(step, trainee, shift));
    step->clock->audits++;
    step->clock->audit_seconds += dt_clock_now() - began;
    return dt_ok();
}
