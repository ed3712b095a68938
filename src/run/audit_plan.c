/* The draw, and what follows from it. An interval is what lies between two digests that the run claims. Each has the
 * same chance, whatever it costs: to find a step wrong that somebody has hidden nothing must depend on what is cheap.
 * Those before an interval that was drawn, up to the nearest checkpoint, are computed on the way and compared, too. */
#include "audit_plan.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"

#define FEW_STEPS 1000

/* ---- the draw ---- */

typedef struct draw {
    uint64_t value;
    int64_t interval;
} draw;

static int by_value(const void *a, const void *b) {
    const draw *one = a, *two = b;
    if (one->value != two->value) return one->value < two->value ? -1 : 1;
    return (one->interval > two->interval) - (one->interval < two->interval);
}

dt_status dt_audit_draw(uint64_t seed, int64_t count, int64_t wanted, bool *chosen) {
    dt_stream stream = dt_stream_at(seed, DT_RANDOM_AUDIT, 0, 0);
    draw *draws = dt_alloc((size_t)count, sizeof *draws);
    if (!draws) return dt_fail_memory("the draw of intervals", (size_t)count * sizeof *draws);
    for (int64_t i = 0; i < count; i++) {
        uint32_t words[4];
        dt_stream_block(words, stream, (uint64_t)i, 0);
        draws[i] = (draw){(uint64_t)words[0] << 32 | words[1], i};
    }
    qsort(draws, (size_t)count, sizeof *draws, by_value);
    for (int64_t i = 0; i < count; i++) chosen[draws[i].interval] = i < wanted;
    dt_free(draws);
    return dt_ok();
}

/* ---- where to begin ---- */

/* Whether steps behind a claim can be computed from it. */
static bool is_beginning(const dt_claims *claims, int64_t claim, bool given) {
    int kept = claims->all[claim].kept;
    bool usable = kept >= 0 && claims->kept[kept].usable;
    return claim == 0 ? usable || !given : usable;
}

/* The nearest beginning of each claim; -1: none. */
static int64_t *find_beginnings(const dt_claims *claims, bool given) {
    int64_t *nearest = dt_alloc((size_t)claims->count, sizeof *nearest);
    for (int64_t i = 0, last = -1; nearest && i < claims->count; i++) {
        if (claims->all[i].lost) last = -1;
        if (is_beginning(claims, i, given)) last = i;
        nearest[i] = last;
    }
    return nearest;
}

static void name_beginning(const dt_claims *claims, int64_t claim, bool given, dt_segment *segment) {
    int kept = claims->all[claim].kept;
    bool loads = kept >= 0 && (claim > 0 || given);
    snprintf(segment->path, sizeof segment->path, "%s", loads ? claims->kept[kept].path : "");
}

/* ---- the plan ---- */

typedef struct planning {
    const dt_claims *claims;
    const dt_audit_options *options;
    int64_t *nearest;  /* [claims] */
    int64_t *interval; /* [claims]: the claims that end an interval which can be drawn */
    bool *chosen;
} planning;

static void find_intervals(const planning *p, dt_audit_plan *plan) {
    const dt_claim *all = p->claims->all;
    const int64_t to = p->options->to < 0 ? INT64_MAX : p->options->to;
    for (int64_t i = 1; i < p->claims->count; i++) {
        bool within =
            all[i - 1].step >= p->options->from && all[i].step <= to && p->nearest[i - 1] >= 0 && !all[i].unseen;
        if (within) p->interval[plan->intervals++] = i;
        if (within) plan->steps += all[i].step - all[i - 1].step;
    }
}

/* Segments of the intervals that were drawn: those with one beginning are one. */
static void lay_segments(const planning *p, dt_audit_plan *plan) {
    const dt_claim *all = p->claims->all;
    dt_segment *now = NULL;
    for (int64_t i = 0, begins = -1; i < plan->intervals; i++) {
        if (!p->chosen[i]) continue;
        int64_t claim = p->interval[i], from = p->nearest[claim - 1];
        if (!now || from != begins) {
            now = &plan->segments[plan->count++];
            *now = (dt_segment){.begin = all[from].step, .claim = from + 1};
            name_beginning(p->claims, from, p->options->given, now);
            begins = from;
        }
        now->last = claim;
        now->end = all[claim].step;
        now->drawn++;
    }
    for (int64_t i = 0; i < plan->count; i++) plan->again += plan->segments[i].end - plan->segments[i].begin;
}

static dt_status nothing_to_draw(const planning *p) {
    const dt_claims *c = p->claims;
    const dt_claim *last = &c->all[c->count - 1];
    if (last->lost)
        return dt_fail(DT_ERR_USAGE,
                       "%s: nothing is left to compare its rounds with: what its site signed is no longer recorded "
                       "(sites.keep), or there is no checkpoint from which a round could be computed (checkpoint.keep)",
                       c->run);
    if (p->options->given && c->all[0].kept < 0)
        return dt_fail(DT_ERR_USAGE, "%s: --given takes the checkpoint of step 0, which is not there (checkpoint.keep)",
                       c->run);
    return dt_fail(
        DT_ERR_USAGE,
        "%s: no two digests from step %" PRId64 " to %" PRId64 "; they are of %" PRId64 " steps up to step %" PRId64,
        c->run, p->options->from, p->options->to < 0 ? last->step : p->options->to, c->count - 1, last->step);
}

/* That it is worth what it costs; where not, what would be cheaper. */
static dt_status check_cost(const planning *p, const dt_audit_plan *plan) {
    const dt_audit_options *options = p->options;
    const dt_claims *c = p->claims;
    const double whole = (double)c->all[c->count - 1].step;
    double most = options->most > 0 ? options->most * whole : fmax(FEW_STEPS, 10 * options->share * whole);
    if ((double)plan->again <= most) return dt_ok();
    int64_t gap_begin = 0, gap_end = 0, before = 0;
    for (int i = 0; i <= c->kept_count; i++) {
        if (i < c->kept_count && !c->kept[i].usable) continue;
        int64_t step = i < c->kept_count ? c->kept[i].step : c->all[c->count - 1].step;
        if (step - before > gap_end - gap_begin) gap_begin = before, gap_end = step;
        before = step;
    }
    double share = (double)plan->again / whole;
    return dt_fail(
        DT_ERR_USAGE,
        "%s: to audit %" PRId64 " of %" PRId64 " intervals %" PRId64
        " steps (%.3g %%) would be computed, for there is no "
        "checkpoint between steps %" PRId64 " and %" PRId64 " (checkpoint.keep_every keeps some); cheaper are steps "
        "behind it (--from %" PRId64 "), or allow it (--most %.0f%%)",
        c->run, plan->drawn, plan->intervals, plan->again, 100 * share, gap_begin, gap_end, gap_end, ceil(100 * share));
}

static dt_status make(planning *p, dt_audit_plan *plan) {
    const int64_t count = p->claims->count;
    p->nearest = find_beginnings(p->claims, p->options->given);
    p->interval = dt_alloc((size_t)count, sizeof *p->interval);
    p->chosen = dt_alloc((size_t)count, sizeof *p->chosen);
    if (!p->nearest || !p->interval || !p->chosen) return dt_fail_memory("the plan of an audit", (size_t)count * 17);
    find_intervals(p, plan);
    if (plan->intervals == 0) return nothing_to_draw(p);
    plan->drawn = (int64_t)ceil(p->options->share * (double)plan->intervals - 1e-9);
    if (plan->drawn < 1) plan->drawn = 1;
    if (plan->drawn > plan->intervals) plan->drawn = plan->intervals;
    DT_TRY(dt_audit_draw(p->options->seed, plan->intervals, plan->drawn, p->chosen));
    size_t most = (size_t)(plan->drawn < p->claims->kept_count + 1 ? plan->drawn : p->claims->kept_count + 1);
    plan->segments = dt_alloc(most, sizeof *plan->segments);
    if (!plan->segments) return dt_fail_memory("the plan of an audit", most * sizeof *plan->segments);
    lay_segments(p, plan);
    return check_cost(p, plan);
}

dt_status dt_audit_plan_make(dt_audit_plan *plan, const dt_claims *claims, const dt_audit_options *options) {
    memset(plan, 0, sizeof *plan);
    planning p = {.claims = claims, .options = options};
    dt_status status = make(&p, plan);
    dt_free(p.nearest);
    dt_free(p.interval);
    dt_free(p.chosen);
    return status;
}

void dt_audit_plan_close(dt_audit_plan *plan) {
    dt_free(plan->segments);
    memset(plan, 0, sizeof *plan);
}
