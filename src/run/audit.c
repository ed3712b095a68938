/* The audit command's work. Rank 0 reads what the run claims and draws; all compute. What is compared are digests of
 * whole states, so a step that was computed wrongly anywhere in an interval is noticed at its end, whatever the
 * checkpoints around it say. */
#include "audit.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "again.h"
#include "audit_plan.h"
#include "base/clock.h"
#include "base/headway.h"
#include "base/log.h"
#include "base/memory.h"
#include "odds.h"
#include "rerun.h"
#include "rounds.h"
#include "store/journal.h"

typedef struct audit {
    const dt_audit_options *options;
    dt_comm *comm;
    bool first;
    dt_claims claims;   /* rank 0 */
    dt_audit_plan plan; /* its segments are on all */
    dt_rerun rerun;
    dt_headway headway;
    int64_t links, agree, steps; /* digests compared, those that agree, steps computed */
    int64_t reached;             /* of the segment that is computed */
    int64_t from, to;            /* between which the first difference is; to -1: there is none */
    double seconds;
} audit;

/* ---- telling ---- */

static void tell_plan(const audit *a) {
    const dt_audit_plan *plan = &a->plan;
    const dt_claims *c = &a->claims;
    dt_log_info("%s: digests of %" PRId64 " steps up to step %" PRId64 "; %d checkpoint%s to begin with", c->run,
                c->count - 1, c->all[c->count - 1].step, c->usable, c->usable == 1 ? "" : "s");
    if (c->usable < c->kept_count)
        dt_log_info("%d checkpoints are of another recipe or other data than the newest, and steps behind them are not "
                    "computed",
                    c->kept_count - c->usable);
    if (c->missing > 0)
        dt_log_warn("%" PRId64 " links of the chain are not in metrics.jsonl; %" PRId64
                    " could not be compared with the one before",
                    c->missing, c->unchecked);
    if (c->links.odd > 0) dt_log_warn("%" PRId64 " lines of metrics.jsonl are none", c->links.odd);
    dt_log_info("--seed %" PRIu64 " draws %" PRId64 " of %" PRId64 " intervals; %" PRId64 " of %" PRId64
                " steps are to be computed",
                a->options->seed, plan->drawn, plan->intervals, plan->again, plan->steps);
}

static void tell_odds(const audit *a) {
    const dt_audit_plan *plan = &a->plan;
    double chosen = dt_odds_of_choice(plan->intervals, plan->drawn);
    dt_log_info("computed again: %" PRId64 " of %" PRId64 " steps (%.3g %%) in %.2f s", a->steps, plan->steps,
                100 * (double)a->steps / (double)plan->steps, a->seconds);
    dt_log_info(
        "a single wrong step would have been found with probability %.4g, wherever in these steps somebody hid it",
        chosen);
    char text[256] = "";
    size_t used = 0;
    for (int64_t n = 10; n <= plan->steps && used + 40 < sizeof text; n *= 10) {
        double found = dt_odds_of_chance(plan->steps, a->steps, (plan->steps + n / 2) / n);
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s one in %" PRId64 " %.4g", used ? "," : "", n, found);
    }
    if (used) dt_log_info("wrong steps at random places:%s", text);
}

/* Rank 0. Those of a site whose others are elsewhere that were computed again and agree; -1: all sites are in the run.
 */
static int64_t own_parts(const audit *a) {
    const dt_replay *replay = a->rerun.run.rounds ? a->rerun.run.rounds->replay : NULL;
    return replay ? dt_replay_said(replay)->compared : -1;
}

static void tell_last(const audit *a) {
    const dt_audit_plan *plan = &a->plan;
    double found = dt_odds_of_choice(plan->intervals, plan->drawn);
    char parts[40] = "";
    if (own_parts(a) >= 0) snprintf(parts, sizeof parts, " parts=%" PRId64, own_parts(a));
    dt_log_info("audit run=%s steps=%" PRId64 " links=%" PRId64 " agree=%" PRId64
                "%s seconds=%.2f found_probability=%.6g",
                a->options->run, a->steps, a->links, a->agree, parts, a->seconds, found);
}

/* ---- what is compared ---- */

static void differs(audit *a, int64_t from, int64_t to) {
    if (a->to < 0 || to < a->to) a->from = from, a->to = to;
}

/* Rank 0. Whether a claim is the digest that came out. */
static bool compare(audit *a, const dt_claim *claim, const dt_again_digests *found, int64_t before) {
    const dt_claims *c = &a->claims;
    const dt_kept_checkpoint *kept = claim->kept >= 0 && c->kept[claim->kept].usable ? &c->kept[claim->kept] : NULL;
    bool link = !claim->linked || claim->link.digest == found->linked;
    bool file = !kept || kept->digest == found->linked || kept->digest == found->judged;
    a->links++;
    a->agree += link && file;
    if (link && file) return true;
    differs(a, before, claim->step);
    dt_log_error("%s: between steps %" PRId64 " and %" PRId64
                 " it is not what its recipe and data give: the state of step %" PRId64 " has digest %016" PRIx64
                 " in %s, and %016" PRIx64 " computed here",
                 c->run, before, claim->step, claim->step, link ? kept->digest : claim->link.digest,
                 link ? kept->path : "metrics.jsonl", link ? found->judged : found->linked);
    return false;
}

/* Collective. Rank 0's answer, for all. */
static dt_status share_answer(const audit *a, bool *answer) {
    return dt_comm_broadcast(a->comm, answer, sizeof *answer, 0);
}

/* Collective. The state of step 0, where the run has a checkpoint of it. */
static dt_status check_beginning(audit *a, bool *agrees) {
    dt_again_digests found;
    DT_TRY(dt_again_digest(&a->rerun.run, &found.linked));
    found.judged = found.linked;
    const dt_claim *claim = a->first ? &a->claims.all[0] : NULL;
    *agrees = !claim || claim->kept < 0 || compare(a, claim, &found, 0);
    if (!*agrees)
        dt_log_error("the run did not begin with its recipe's initial weights; if it was given others "
                     "(dtrain import weights), --given takes its checkpoint of step 0 for true");
    return share_answer(a, agrees);
}

/* Collective. The steps to a claim were not made whole: of a site whose others are elsewhere its own part may differ,
 * or agree, and the sum of all is not to be had, as the plan knew. */
static dt_status end_early(audit *a, const dt_status *status, int64_t claim, int64_t before, bool *agrees) {
    dt_rerun_end end;
    DT_TRY(dt_rerun_why(&a->rerun, &end));
    bool known = end == DT_RERUN_DIFFERS || (end == DT_RERUN_LOST && a->first && a->claims.all[claim].lost);
    DT_TRY(share_answer(a, &known));
    if (!known && end == DT_RERUN_LOST) return dt_fail(DT_ERR_CORRUPT, "%s", status->message);
    if (!known) return *status;
    *agrees = end == DT_RERUN_LOST;
    if (*agrees || !a->first) return dt_ok();
    a->links++;
    differs(a, before, a->rerun.run.ledger.position.step + 1);
    dt_log_error("%s: %s", a->claims.run, status->message);
    return dt_ok();
}

static dt_status walk(audit *a, const dt_segment *segment, bool *agrees) {
    int64_t before = segment->begin;
    for (int64_t i = segment->claim; i <= segment->last && *agrees; i++) {
        dt_again_digests found;
        const int64_t step = a->rerun.steps[i];
        dt_status status = dt_rerun_to(&a->rerun, step, &found);
        a->steps += step - before;
        a->reached = step;
        dt_headway_at(&a->headway, a->steps);
        if (status.code != DT_OK) {
            DT_TRY(end_early(a, &status, i, before, agrees));
            return share_answer(a, agrees);
        }
        if (a->first) *agrees = compare(a, &a->claims.all[i], &found, before);
        DT_TRY(share_answer(a, agrees));
        before = step;
    }
    return dt_ok();
}

/* Rank 0. What came of it, beside what there was before. */
static void tell_segment(const audit *a, const dt_segment *segment, int64_t links, int64_t agree, int64_t parts) {
    char own[120] = "";
    if (parts >= 0)
        snprintf(own, sizeof own, "; %" PRId64 " parts of site %s are what it signed", own_parts(a) - parts,
                 a->rerun.site);
    dt_log_info("steps %" PRId64 " to %" PRId64 ", from %s: %" PRId64 " of %" PRId64 " digests agree%s", segment->begin,
                a->reached, segment->path[0] ? segment->path : "the recipe's beginning", a->agree - agree,
                a->links - links, own);
}

static dt_status audit_segment(audit *a, const dt_segment *segment) {
    bool agrees = true;
    const int64_t links = a->links, agree = a->agree, parts = a->first ? own_parts(a) : -1;
    if (segment->path[0])
        DT_TRY(dt_again_begin(&a->rerun.run, segment->path));
    else
        DT_TRY(check_beginning(a, &agrees));
    DT_TRY(walk(a, segment, &agrees));
    if (a->first) tell_segment(a, segment, links, agree, parts);
    return dt_ok();
}

/* ---- the whole ---- */

/* Rank 0. */
static dt_status prepare(audit *a) {
    const dt_audit_options *options = a->options;
    DT_TRY(dt_claims_open(&a->claims, options->run,
                          options->checkpoints ? DT_CLAIMED_BY_CHECKPOINTS : DT_CLAIMED_BY_CHAIN));
    DT_TRY(dt_rerun_mark_rounds(&a->claims));
    if (a->claims.contradictions > 0) differs(a, a->claims.first_contradiction, a->claims.first_contradiction);
    return dt_audit_plan_make(&a->plan, &a->claims, options);
}

static dt_status share_plan(audit *a) {
    dt_audit_plan *plan = &a->plan;
    int64_t count = plan->count;
    DT_TRY(dt_comm_broadcast(a->comm, &count, sizeof count, 0));
    if (!a->first) plan->segments = dt_alloc((size_t)count, sizeof *plan->segments);
    plan->count = count;
    DT_TRY(dt_comm_agree(
        a->comm,
        plan->segments ? dt_ok() : dt_fail_memory("the plan of an audit", (size_t)count * sizeof *plan->segments)));
    return dt_comm_broadcast(a->comm, plan->segments, (size_t)count * sizeof *plan->segments, 0);
}

static dt_status compute(audit *a) {
    DT_TRY(share_plan(a));
    DT_TRY(dt_rerun_open(&a->rerun, a->comm, &a->claims, a->options->data));
    const double began = dt_clock_now();
    dt_status status = dt_ok();
    dt_headway_begin(&a->headway, "steps", a->plan.again, "computing %s again", a->options->run);
    for (int64_t i = 0; i < a->plan.count && status.code == DT_OK; i++) status = audit_segment(a, &a->plan.segments[i]);
    dt_headway_end(&a->headway);
    DT_TRY(status);
    a->seconds = dt_clock_now() - began;
    return dt_ok();
}

static const char *finding(const audit *a) {
    if (a->to < 0) return "agrees";
    return a->agree == a->links ? "contradicts" : "differs";
}

static dt_status note_audit(const audit *a) {
    const dt_audit_plan *plan = &a->plan;
    const bool found = a->to >= 0;
    char seed[24];
    snprintf(seed, sizeof seed, "%" PRIu64, a->options->seed);
    const dt_journal_field fields[] = {{"finding", finding(a), 0},
                                       {"steps", NULL, (double)a->steps},
                                       {"of_steps", NULL, (double)plan->steps},
                                       {"links", NULL, (double)a->links},
                                       {"agree", NULL, (double)a->agree},
                                       {"probability", NULL, dt_odds_of_choice(plan->intervals, plan->drawn)},
                                       {"from", NULL, found ? (double)a->from : (double)NAN},
                                       {"to", NULL, found ? (double)a->to : (double)NAN},
                                       {"seconds", NULL, a->seconds},
                                       {"ranks", NULL, (double)dt_comm_size(a->comm)},
                                       {"seed", seed, 0}};
    dt_journal *journal;
    DT_TRY(dt_journal_open(&journal, a->options->run));
    dt_status status = dt_journal_note(journal, "audited", fields, sizeof fields / sizeof *fields);
    dt_journal_close(journal);
    return status;
}

/* For the run's report. An audit counts also where nothing may be written. */
static void record(const audit *a) {
    dt_status status = note_audit(a);
    if (status.code != DT_OK) dt_log_note("the run's journal does not tell of this audit: %s", status.message);
}

/* Rank 0. */
static dt_status conclude(const audit *a) {
    const dt_claims *c = &a->claims;
    tell_odds(a);
    record(a);
    tell_last(a);
    if (a->to < 0) return dt_ok();
    if (a->agree == a->links)
        return dt_fail(DT_ERR_DIVERGED,
                       "%s: its files contradict each other, first at step %" PRId64
                       "; what was computed agrees with the chain",
                       c->run, a->to);
    return dt_fail(DT_ERR_DIVERGED,
                   "%s: %" PRId64 " of %" PRId64 " digests differ, first between steps %" PRId64 " and %" PRId64,
                   c->run, a->links - a->agree, a->links, a->from, a->to);
}

dt_status dt_audit_run(dt_comm *comm, const dt_audit_options *options) {
    audit a = {.options = options, .comm = comm, .first = dt_comm_rank(comm) == 0, .to = -1};
    dt_status status = dt_comm_agree(comm, a.first ? prepare(&a) : dt_ok());
    if (status.code == DT_OK) {
        if (a.first) tell_plan(&a);
        status = compute(&a);
        if (status.code == DT_OK) status = dt_comm_agree(comm, a.first ? conclude(&a) : dt_ok());
        dt_rerun_close(&a.rerun);
    }
    dt_audit_plan_close(&a.plan);
    dt_claims_close(&a.claims);
    return status;
}
