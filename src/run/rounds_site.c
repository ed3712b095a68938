/* A site's part of a round: from a copy of the common weights, its steps, and what came of them as a change. The ranks
 * of a node do what they have in common in slices. */
#include <string.h>

#include "base/stop.h"
#include "rounds.h"
#include "step.h"

/* This rank's share of so many, of those its node has in common. */
static void share_of(const dt_rounds *r, size_t all, size_t *begin, size_t *end) {
    size_t rank = (size_t)dt_node_rank(r->trainee.node), size = (size_t)dt_node_size(r->trainee.node);
    *begin = all * rank / size;
    *end = all * (rank + 1) / size;
}

/* ---- before ---- */

/* Moments that go on, or zeros: as one array over the slots. */
static void begin_moments(dt_rounds *r, int site) {
    const dt_kept *moments = &r->kept[DT_KEPT_MOMENTS];
    const float *row = moments->elements > 0 ? dt_kept_row(moments, site) : NULL;
    dt_optimizer *optimizer = &r->trainee.optimizer;
    for (int i = 0; i < optimizer->slot_count; i++) {
        const size_t total = optimizer->slots[i].table->total;
        size_t begin, end;
        share_of(r, total, &begin, &end);
        if (row)
            memcpy(optimizer->slots[i].data + begin, row + begin, (end - begin) * sizeof *row);
        else
            memset(optimizer->slots[i].data + begin, 0, (end - begin) * sizeof(dt_real));
        if (row) row += total;
    }
}

static void keep_moments(dt_rounds *r, int place) {
    float *row = dt_kept_next(&r->kept[DT_KEPT_MOMENTS], place);
    const dt_optimizer *optimizer = &r->trainee.optimizer;
    for (int i = 0; i < optimizer->slot_count; i++) {
        const size_t total = optimizer->slots[i].table->total;
        size_t begin, end;
        share_of(r, total, &begin, &end);
        memcpy(row + begin, optimizer->slots[i].data + begin, (end - begin) * sizeof *row);
        row += total;
    }
}

/* The tensors that stay at their site, to and from its row. */
static void move_local(const dt_rounds *r, float *row, bool out) {
    const dt_table *table = r->plan.table;
    for (int i = 0; i < table->count; i++) {
        if (!r->plan.is_local[i]) continue;
        dt_real *at = r->trainee.weights + table->tensors[i].offset;
        const size_t count = table->tensors[i].count;
        memcpy(out ? row : at, out ? at : row, count * sizeof *row);
        row += count;
    }
}

static void begin_wire(dt_rounds *r, int site) {
    int32_t *exponents;
    int64_t words;
    dt_reduce_state(r->trainee.reducer, &exponents, &words);
    if (r->kept[DT_KEPT_WIRE].elements > 0)
        memcpy(exponents, dt_kept_row(&r->kept[DT_KEPT_WIRE], site), (size_t)words * sizeof *exponents);
    else
        dt_reduce_forget(r->trainee.reducer);
}

/* The trainee is as the site begins its round. */
static void begin_site(dt_run *run, int site) {
    dt_rounds *r = run->rounds;
    dt_trainee *trainee = &r->trainee;
    const dt_kept *updates = &r->kept[DT_KEPT_UPDATES], *local = &r->kept[DT_KEPT_LOCAL];
    size_t begin, end;
    share_of(r, trainee->table->total, &begin, &end);
    dt_node_meet(trainee->node); /* nobody needs the site before any more */
    memcpy(trainee->weights + begin, run->trainee.weights + begin, (end - begin) * sizeof *trainee->weights);
    begin_moments(r, site);
    begin_wire(r, site);
    dt_node_meet(trainee->node);
    if (local->elements > 0 && dt_node_rank(trainee->node) == 0) move_local(r, dt_kept_row(local, site), false);
    dt_node_meet(trainee->node);
    dt_trainee_round_weights(trainee);
    int64_t before = updates->elements > 0 ? *(const int64_t *)dt_kept_row(updates, site) : 0;
    trainee->begun = r->ledger.position.step - before;
    trainee->rates = 0;
}

/* ---- steps ---- */

/* Ranks of other groups of this machine hear of it at their next step. */
static void tell(const dt_rounds *r) {
    atomic_store_explicit(r->told, 1, memory_order_relaxed);
}

static bool is_left(const dt_trainee *trainee) {
    return dt_reduce_raised(trainee->reducer, DT_FLAG_STOP) > 0 || dt_reduce_raised(trainee->reducer, DT_FLAG_LOST) > 0;
}

static dt_status take_step(dt_run *run) {
    dt_rounds *r = run->rounds;
    dt_step step =
        dt_step_begin(&r->session, &r->data, &r->course, &r->ledger, &run->clock, &run->snapshot, &run->limit);
    step.told = atomic_load_explicit(r->told, memory_order_relaxed) != 0;
    bool again = false;
    dt_status status = dt_step_take(&step, &r->trainee, &again);
    dt_step_account(&step);
    DT_TRY(status);
    r->trainee.rates += r->trainee.rate;
    if (r->ledger.position.sample == r->course.samples) dt_ledger_end_epoch(&r->ledger);
    dt_progress_live(&run->progress);
    return dt_ok();
}

/* ---- after ---- */

/* What it learned becomes words, and what it keeps its next row. */
static dt_status end_site(dt_run *run, int place, dt_change_from *from, bool counts) {
    dt_rounds *r = run->rounds;
    dt_trainee *trainee = &r->trainee;
    const dt_kept *wire = &r->kept[DT_KEPT_WIRE], *updates = &r->kept[DT_KEPT_UPDATES],
                  *local = &r->kept[DT_KEPT_LOCAL], *control = &r->kept[DT_KEPT_CONTROL];
    size_t begin, end;
    share_of(r, (size_t)r->plan.unit_count, &begin, &end);
    const int64_t round = run->ledger.position.step;
    bool finite = true;
    if (dt_rounds_hide_sites(run))
        dt_rounds_encode_private(run, from, counts, (int64_t)begin, (int64_t)end);
    else
        finite = dt_change_encode(&r->plan, round, r->exponents, from, (int64_t)begin, (int64_t)end, r->words);
    if (control->elements > 0)
        dt_change_own_control(&r->plan, from, (int64_t)begin, (int64_t)end, dt_kept_next(control, place));
    if (r->kept[DT_KEPT_MOMENTS].elements > 0) keep_moments(r, place);
    if (dt_node_rank(trainee->node) == 0) {
        if (local->elements > 0) move_local(r, dt_kept_next(local, place), true);
        if (updates->elements > 0) *(int64_t *)dt_kept_next(updates, place) = r->ledger.position.step - trainee->begun;
        int32_t *exponents;
        int64_t words;
        dt_reduce_state(trainee->reducer, &exponents, &words);
        if (wire->elements > 0) memcpy(dt_kept_next(wire, place), exponents, (size_t)words * sizeof *exponents);
    }
    dt_node_meet(trainee->node);
    if (finite) return dt_ok();
    return dt_fail(DT_ERR_DIVERGED, "round %lld: what site %d learned is no number; nothing is sent of it",
                   (long long)round, r->now.site[place]);
}

static dt_change_from what_it_learned(const dt_run *run, int place, uint64_t weight) {
    const dt_rounds *r = run->rounds;
    const dt_kept *error = &r->kept[DT_KEPT_ERROR];
    return (dt_change_from){.now = r->trainee.weights,
                            .before = run->trainee.weights,
                            .control = r->pull.control,
                            .own = r->pull.own,
                            .rates = r->trainee.rates,
                            .weight = weight,
                            .kept = error->elements > 0 ? dt_kept_row(error, r->now.site[place]) : NULL,
                            .lost = error->elements > 0 ? dt_kept_next(error, place) : NULL};
}

/* A checkpoint in the middle of a round that takes longer than two of them are apart. */
static dt_status keep_middle(dt_run *run, int site, int64_t done) {
    const dt_rounds *r = run->rounds;
    bool due = dt_reduce_raised(r->trainee.reducer, DT_FLAG_CHECKPOINT) > 0;
    if (!r->alone || (!due && !r->now.left)) return dt_ok();
    DT_TRY(dt_rounds_note_middle(run, site, done));
    return due && !r->now.left ? dt_run_publish(run) : dt_ok(); /* who leaves the round makes one anyway */
}

/* *counts: it came to an end. Where rounds hide sites one that diverged has a change of zero, and shows in nothing
 * else.
 */
static dt_status take_steps(dt_run *run, int site, int64_t done, int64_t steps, bool *counts) {
    dt_rounds *r = run->rounds;
    *counts = true;
    while (done < steps && !r->now.left) {
        dt_status status = take_step(run);
        *counts = status.code != DT_ERR_DIVERGED || !dt_rounds_hide_sites(run);
        if (!*counts) return dt_ok();
        r->now.left = status.code == DT_OK && is_left(&r->trainee);
        if (status.code != DT_OK || r->now.left) tell(r);
        DT_TRY(status);
        DT_TRY(keep_middle(run, site, ++done));
    }
    return dt_ok();
}

dt_status dt_rounds_train(dt_run *run, int place) {
    dt_rounds *r = run->rounds;
    const int site = r->now.site[place];
    const int64_t steps = dt_rounds_steps(r, site), done = dt_rounds_take_middle(run, site);
    if (done == 0) {
        dt_rounds_be(r, site, run->ledger.position.step, 0);
        begin_site(run, site);
    }
    if (r->kept[DT_KEPT_CONTROL].elements > 0) r->pull.own = dt_kept_row(&r->kept[DT_KEPT_CONTROL], site);
    bool counts;
    DT_TRY(take_steps(run, site, done, steps, &counts));
    if (r->now.left) return dt_ok();
    if (r->alone && counts && done < steps)
        DT_TRY(dt_rounds_note_middle(run, site, steps)); /* for who waits for others */
    bool weighed = run->session.recipe->sites.weights == DT_SITE_WEIGHTS_SAMPLES;
    const uint64_t weight = weighed ? (uint64_t)r->course.samples : 1;
    dt_change_from from = what_it_learned(run, place, weight);
    DT_TRY(dt_session_agree(&r->session, end_site(run, place, &from, counts)));
    r->now.tally[place] = r->ledger.local;
    r->now.skipped += r->ledger.skips.count;
    return r->exchange.add(r->exchange.own, &(dt_change){.site = site, .words = r->words, .weight = weight});
}
