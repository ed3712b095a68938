#include "rounds.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "comm/comm_ranks.h"
#include "nodes.h"
#include "site/chosen.h"
#include "use/figures.h"

/* ---- memory ---- */

static dt_status take_lists(dt_rounds *r) {
    dt_round_now *now = &r->now;
    now->takes_part = dt_alloc((size_t)r->sites, sizeof *now->takes_part);
    now->in_sum = dt_alloc((size_t)r->sites, sizeof *now->in_sum);
    now->site = dt_alloc((size_t)r->most, sizeof *now->site);
    now->group = dt_alloc((size_t)r->most, sizeof *now->group);
    now->tally = dt_alloc((size_t)r->most, sizeof *now->tally);
    r->exponents = dt_alloc((size_t)r->plan.unit_count, sizeof *r->exponents);
    bool complete = now->takes_part && now->in_sum && now->site && now->group && now->tally && r->exponents;
    return complete ? dt_ok() : dt_fail_memory("the rounds", (size_t)r->sites * sizeof *now->tally);
}

/* What the ranks of a machine have in common of the common state. */
static dt_status share_common(void *context) {
    dt_run *run = context;
    dt_rounds *r = run->rounds;
    dt_trainee *common = &run->trainee;
    dt_node *node = common->node = run->session.node;
    const size_t total = common->table->total;
    dt_status status;
    common->weights = dt_node_alloc(node, total, sizeof *common->weights, &status);
    if (status.code == DT_OK && run->session.recipe->compute.precision == DT_PRECISION_BF16)
        common->weights16 = dt_node_alloc(node, total, sizeof *common->weights16, &status);
    for (int i = 0; i < r->outer.slot_count && status.code == DT_OK; i++)
        r->outer.slots[i] = dt_node_alloc(node, total, sizeof(dt_real), &status);
    if (status.code == DT_OK && run->session.recipe->sites.control)
        r->control = dt_node_alloc(node, total, sizeof *r->control, &status);
    if (status.code == DT_OK) r->told = dt_node_alloc(node, 1, sizeof *r->told, &status);
    DT_TRY(status);
    if (dt_node_rank(node) == 0) dt_model_init(common->model, common->weights, (uint64_t)run->session.recipe->seed);
    dt_node_meet(node);
    return dt_ok();
}

static void give_back_common(void *context) {
    (void)context; /* all of it is the node's */
}

/* And those of a group, of its trainee. */
static dt_status share_local(void *context) {
    dt_rounds *r = context;
    DT_TRY(dt_trainee_share(&r->trainee, &r->session, &r->course));
    dt_status status;
    r->words = dt_node_alloc(r->session.node, r->plan.count, sizeof *r->words, &status);
    return status;
}

static void give_back_local(void *context) {
    dt_rounds *r = context;
    dt_trainee_unshare(&r->trainee);
}

/* ---- the start ---- */

/* The group's session and data are the run's, but for its ranks and, later, the site. */
static dt_status open_group(dt_run *run) {
    dt_rounds *r = run->rounds;
    const dt_session *session = &run->session;
    r->groups = dt_rounds_groups(session->ranks.size, r->mine < 0 ? r->chosen : 1, run->course.shards);
    for (int64_t first = 0, count = 0; r->group < r->groups; r->group++) {
        dt_shard_range(session->ranks.size, r->groups, r->group, &first, &count);
        if (session->ranks.rank < first + count) break;
    }
    DT_TRY(dt_comm_split(&r->comm, session->comm, r->group));
    r->recipe = *session->recipe;
    r->session = *session;
    r->session.recipe = &r->recipe;
    r->session.comm = r->comm;
    r->session.ranks = dt_ranks_of(r->comm);
    r->session.node = NULL;
    r->session.first &= !dt_rounds_hide_sites(run) || r->mine >= 0; /* who says nothing of a site's steps */
    r->data = run->data;
    r->course = run->course;
    r->course.batch = session->recipe->train.batch;
    /* the model, planned once, works for both; the group's trainee alone makes updates */
    r->trainee = run->trainee;
    dt_optimizer_move(&r->trainee.optimizer, &run->trainee.optimizer);
    return dt_ok();
}

static void tell_start(const dt_rounds *r) {
    if (r->mine >= 0) {
        dt_log_info("site %s of %d, %d a round; a change has %zu words", r->members.list[r->mine].name, r->sites,
                    r->chosen, r->plan.count);
        return;
    }
    dt_log_info("%d sites, %d a round, %d at a time; a change has %zu words", r->sites, r->chosen, r->groups,
                r->plan.count);
}

static dt_status plan_rounds(dt_run *run) {
    dt_rounds *r = run->rounds;
    const dt_recipe *recipe = run->session.recipe;
    r->seed = recipe->seed;
    r->sites = (int)dt_recipe_sites_of(recipe);
    r->chosen = recipe->sites.per_round > 0 ? (int)recipe->sites.per_round : r->sites;
    DT_TRY(dt_rounds_find_mine(r, &run->session));
    r->alone = (r->mine >= 0 || r->chosen == 1) && !run->session.options->again;
    r->middle.round = -1;
    r->figures = (dt_round_figures){.rounds = recipe->sites.rounds, .sites = r->sites};
    dt_outer_plan(&r->outer, &recipe->sites.outer);
    DT_TRY(dt_change_plan_make(&r->plan, run->trainee.table, &recipe->sites, r->chosen));
    DT_TRY(dt_rounds_plan_private(run));
    DT_TRY(take_lists(r));
    dt_change_exponents_begin(&r->plan, r->exponents);
    return dt_rounds_plan_robust(r, recipe);
}

dt_status dt_rounds_open(dt_run *run) {
    dt_session *session = &run->session;
    const dt_recipe *recipe = session->recipe;
    dt_rounds *r = run->rounds = dt_alloc(1, sizeof *r);
    DT_TRY(dt_session_agree(session, r ? dt_ok() : dt_fail_memory("the rounds", sizeof *r)));
    DT_TRY(dt_session_agree(session, plan_rounds(run)));
    DT_TRY(dt_rounds_deal_samples(r, session, &run->data.train));
    DT_TRY(open_group(run));
    DT_TRY(dt_nodes_open(&session->node, session->comm, &recipe->reduce, share_common, give_back_common, run));
    DT_TRY(dt_session_agree(
        session, dt_nodes_open(&r->session.node, r->comm, &recipe->reduce, share_local, give_back_local, r)));
    dt_rounds_plan_kept(r, recipe);
    DT_TRY(dt_rounds_share_kept(r, session, run->trainee.weights));
    r->pull = (dt_pull){.common = run->trainee.weights, .proximal = recipe->sites.proximal, .control = r->control};
    if (recipe->sites.proximal > 0 || recipe->sites.control) r->trainee.pull = &r->pull;
    run->progress.rounds = &r->figures;
    if (session->first) tell_start(r);
    return r->mine >= 0 ? dt_rounds_open_mailbox(run)
                        : dt_exchange_here(&r->exchange, session->comm, r->session.ranks.rank == 0);
}

void dt_rounds_close(dt_rounds *r) {
    if (!r) return;
    if (r->exchange.close) r->exchange.close(r->exchange.own);
    dt_rounds_close_mailbox(r);
    dt_trainee_unshare(&r->trainee);
    dt_optimizer_finish(&r->trainee.optimizer);
    dt_node_close(r->session.node);
    dt_comm_close(r->comm);
    dt_change_plan_finish(&r->plan);
    void *const lists[] = {r->samples.list, r->samples.first, r->now.takes_part, r->now.in_sum,
                           r->now.site,     r->now.group,     r->now.tally,      r->exponents,
                           r->robust_words, r->counted,       r->noisy};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) dt_free(lists[i]);
    dt_free(r);
}

/* ---- a round ---- */

static dt_status begin_round(dt_run *run) {
    dt_rounds *r = run->rounds;
    dt_round_now *now = &r->now;
    const int64_t number = run->ledger.position.step;
    if (dt_rounds_hide_sites(run))
        DT_TRY(dt_rounds_draw(run));
    else
        dt_sites_choose(now->takes_part, r->sites, r->chosen, r->seed, number);
    for (int site = 0, place = 0; site < r->sites; site++)
        if (now->takes_part[site]) now->site[place++] = site;
    dt_rounds_deal(r);
    memset(now->tally, 0, (size_t)r->chosen * sizeof *now->tally);
    now->began = dt_clock_now();
    now->left = false;
    now->skipped = 0;
    if (dt_node_rank(run->session.node) == 0) atomic_store(r->told, 0);
    dt_node_meet(run->session.node);
    now->round = (dt_round){.number = number,
                            .common = dt_state_digest(dt_snapshot_state(&run->snapshot, &run->ledger)),
                            .recipe = r->recipe_hash,
                            .sites = r->sites,
                            .takes_part = now->takes_part,
                            .chosen = r->chosen,
                            .count = r->plan.count,
                            .bits = dt_change_bits(&r->plan, number)};
    return r->exchange.begin(r->exchange.own, &now->round, r->robust.kind != DT_ROBUST_NONE);
}

/* This group's sites. */
static dt_status train_sites(dt_run *run) {
    dt_rounds *r = run->rounds;
    for (int place = 0; place < r->chosen && !r->now.left; place++)
        if (r->now.group[place] == r->group && dt_rounds_has(r, r->now.site[place]))
            DT_TRY(dt_rounds_train(run, place));
    return dt_ok();
}

/* Wishes of this rank, as a step raises them (gradient.c). */
static void raise_flags(dt_run *run, int64_t *raised) {
    const dt_recipe *recipe = run->session.recipe;
    dt_run_clock *clock = &run->clock;
    raised[DT_FLAG_STOP] = dt_stop_requested != 0;
    if (!run->session.first) return;
    raised[DT_FLAG_LOST] = dt_rundir_is_lost(run->session.lock);
    clock->stops = dt_run_clock_due(recipe->train.stop_after, clock->started);
    raised[DT_FLAG_STOP] |= clock->stops;
    raised[DT_FLAG_CHECKPOINT] = dt_run_clock_publishes(clock, &recipe->checkpoint, false);
    raised[DT_FLAG_EVALUATE] = dt_run_clock_due(recipe->train.eval_every, clock->evaluated);
}

/* Collective. All groups are done with it: what any rank wishes is known to all, and what all computed. */
static dt_status meet(dt_run *run, dt_status status) {
    enum { LEFT = DT_FLAG_COUNT, SKIPPED, WORDS };
    dt_rounds *r = run->rounds;
    int64_t words[WORDS] = {[LEFT] = r->now.left, [SKIPPED] = r->session.ranks.rank == 0 ? r->now.skipped : 0};
    dt_session_note(&run->session, DT_ACTIVITY_MEET, run->ledger.position.step);
    raise_flags(run, words);
    DT_TRY(dt_session_agree(&run->session, status));
    DT_TRY(dt_comm_sum_i64(run->session.comm, words, WORDS));
    for (int i = 0; i < DT_FLAG_COUNT; i++) run->raised[i] = (int)words[i];
    r->now.left = words[LEFT] > 0;
    r->now.skipped = words[SKIPPED];
    if (r->now.left) return dt_ok();
    for (int place = 0; place < r->chosen; place++) dt_tally_carry(&r->now.tally[place]);
    DT_TRY(dt_comm_sum_i64(run->session.comm, (int64_t *)r->now.tally, (size_t)r->chosen * DT_TALLY_WORDS));
    for (int place = 0; place < r->chosen; place++) dt_tally_carry(&r->now.tally[place]);
    return dt_ok();
}

/* Collective. The next common state. */
static dt_status apply(dt_run *run, const dt_exchanged *sum) {
    dt_rounds *r = run->rounds;
    dt_trainee *common = &run->trainee;
    int64_t begin, count, in_sum = 0;
    for (int site = 0; site < r->sites; site++) in_sum += r->now.in_sum[site];
    /* of trimmed sums and medians no change is in it as a whole: as many as it is the sum of */
    const int changes = r->robust.kind == DT_ROBUST_NONE ? (int)in_sum : (int)sum->weight;
    const dt_round_sum made = {
        .words = sum->words, .exponents = r->exponents, .weight = sum->weight, .sites = (int)in_sum, .all = r->sites};
    dt_shard_range(r->plan.unit_count, dt_node_size(common->node), dt_node_rank(common->node), &begin, &count);
    dt_node_meet(common->node); /* nobody needs the weights before any more */
    dt_outer_apply(&r->outer, &r->plan, &made, begin, begin + count, common->weights, r->control);
    common->grad_norm = dt_outer_norm(&r->plan, &made);
    common->rate = r->trainee.rate;
    dt_node_meet(common->node);
    dt_trainee_round_weights(common);
    const bool hides = dt_rounds_hide_sites(run); /* how many there were, and how large they were */
    if (!hides)
        dt_change_exponents_next(&r->plan, run->ledger.position.step, sum->words, changes, 0, r->plan.unit_count,
                                 r->exponents);
    r->figures.took_part = hides ? (int64_t)sum->weight : in_sum;
    r->figures.bytes += sum->bytes;
    return dt_rounds_keep(r, &run->session, sum->took_part);
}

/* A round is a step of the run, and an epoch. */
static void account(dt_run *run) {
    dt_rounds *r = run->rounds;
    const dt_round_now *now = &r->now;
    dt_ledger *ledger = &run->ledger;
    const bool hides = dt_rounds_tell_nothing(run);
    int64_t samples = hides ? dt_rounds_expected_samples(run) : 0;
    for (int place = 0; place < r->chosen && !hides; place++) {
        if (run->session.first) dt_tally_add(&ledger->local, &r->now.tally[place]); /* the sum of all ranks' */
        samples += r->now.tally[place].samples;
    }
    const int64_t positions = run->data.train.targets.labels ? run->data.train.targets.counted : 1;
    run->clock.loop_samples = r->figures.samples += samples / (positions > 0 && !hides ? positions : 1);
    run->clock.loop_seconds = r->figures.seconds +=
        dt_clock_now() - now->began; /* and not those of this group's steps */
    dt_ledger_step(ledger, 1, false);
    r->middle.round = -1;
    if (!dt_rounds_hide_sites(run)) ledger->skips.count += r->now.skipped;
}

/* Of a site elsewhere it is known whether its change is in the sum, and without masks what that counts for. */
static dt_site_row site_row(const dt_run *run, const dt_exchanged *sum, int place, bool classes) {
    const dt_rounds *r = run->rounds;
    const dt_tally *tally = &r->now.tally[place];
    const int site = r->now.site[place];
    const bool here = dt_rounds_has(r, site);
    return (dt_site_row){.step = (double)run->ledger.position.step,
                         .site = site,
                         .samples = here ? (double)tally->samples : (double)NAN,
                         .loss = here ? dt_tally_loss(tally) : (double)NAN,
                         .accuracy = here && classes ? dt_tally_share(tally->correct, tally) : (double)NAN,
                         .took_part = r->now.in_sum[site],
                         .weight = sum->weights && sum->took_part[site] ? (double)sum->weights[site] : (double)NAN};
}

/* Rank 0. */
static void record(dt_run *run, const dt_exchanged *sum) {
    const dt_rounds *r = run->rounds;
    const dt_round_figures *figures = &r->figures;
    dt_records *records = &run->progress.records;
    bool classes = dt_has_accuracy(&run->data.train, (dt_loss)run->session.recipe->loss.kind);
    for (int place = 0; place < r->chosen && !dt_rounds_tell_nothing(run); place++) {
        const dt_site_row row = site_row(run, sum, place, classes);
        dt_records_site(records, &row);
    }
    dt_records_round(records,
                     &(dt_round_row){(double)run->ledger.position.step, (double)figures->sites,
                                     (double)figures->took_part, (double)figures->bytes, run->trainee.grad_norm});
}

/* What is trained is on its way to the others, and in the checkpoint (rounds_middle.c). */
static dt_status wait_for_others(dt_run *run, const dt_status *status, bool *left) {
    *left = true;
    if (!dt_stop_requested) run->rounds->waits = true;
    if (run->session.first && !dt_stop_requested) dt_log_note("%s", status->message);
    return dt_ok();
}

dt_status dt_round_take(dt_run *run, bool *left) {
    dt_rounds *r = run->rounds;
    DT_TRY(begin_round(run));
    DT_TRY(dt_rounds_vouch(run));
    DT_TRY(meet(run, train_sites(run)));
    *left = r->now.left;
    if (*left) return dt_ok();
    if (r->mine >= 0 && r->alone)
        DT_TRY(dt_run_publish(run)); /* who is killed while others are missing trains nothing again */
    dt_exchanged sum;
    dt_status status = r->exchange.finish(r->exchange.own, &sum);
    if (status.code == DT_ERR_STOPPED && !run->session.options->again) return wait_for_others(run, &status, left);
    DT_TRY(status);
    memcpy(r->now.in_sum, sum.took_part, (size_t)r->sites * sizeof *r->now.in_sum);
    if (r->robust.kind != DT_ROBUST_NONE)
        DT_TRY(dt_rounds_make_robust(r, &run->session, run->ledger.position.step, &sum));
    if (dt_rounds_hide_sites(run)) dt_rounds_make_private(run, &sum);
    DT_TRY(apply(run, &sum));
    if (dt_rounds_hide_sites(run)) DT_TRY(dt_privacy_end(&run->privacy));
    account(run);
    if (run->session.first) record(run, &sum);
    dt_session_note(&run->session, DT_ACTIVITY_COMPUTE, run->ledger.position.step);
    return dt_ok();
}
