/* The dispute command's work: first what differs between recipes and data, then the first step of which two runs claim
 * different digests, then who of them agrees with what is computed here, and last the first tensor in which their
 * states differ. Rank 0 compares; all compute. */
#include "dispute.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "parting.h"
#include "rerun.h"

#define MORE_STEPS                                                                                                     \
    1000 /* that are computed besides, for a state to compare tensors with; or ten times those before                  \
          */

typedef struct side {
    const char *name;
    dt_claims claims;
    int64_t same, parted; /* of what is computed here: the last step of which it has this digest, and the first of which
                             it has another; -1: none */
} side;

typedef struct dispute {
    const dt_dispute_options *options;
    dt_comm *comm;
    bool first;
    side sides[2]; /* rank 0 */
    bool same_recipe, same_data;
    dt_parting parting;
    dt_rerun rerun;
    bool computed;
    char begin[4096]; /* the checkpoint it begins with; "": the recipe's beginning */
    int64_t from;     /* its step */
    int64_t at;       /* the step tensors are compared at; -1: none */
    dt_difference tensors;
} dispute;

static const dt_kept_checkpoint *kept_at(const dt_claims *claims, int64_t step) {
    for (int i = 0; i < claims->kept_count; i++)
        if (claims->kept[i].step == step) return &claims->kept[i];
    return NULL;
}

/* ---- what they claim; rank 0 ---- */

/* 12 characters of difference say more than that there is one. */
static dt_status compare_data(dispute *d) {
    const char *data[2] = {d->sides[0].claims.data, d->sides[1].claims.data};
    dt_identity found[2];
    if (!data[0] || !data[1]) {
        d->same_data = true;
        dt_log_warn("not both say what data they were trained on (they are of an older dtrain)");
        return dt_ok();
    }
    for (int i = 0; i < 2; i++) DT_TRY(dt_identity_parse(&found[i], data[i], d->sides[i].name));
    dt_status differs = dt_identity_compare(&found[0], &found[1]);
    d->same_data = differs.code == DT_OK;
    if (d->same_data) return dt_ok();
    dt_log_info("data: of %s %s (of %s)", d->sides[1].name, differs.message, d->sides[0].name);
    return differs.code == DT_ERR_INPUT ? dt_ok() : differs;
}

static dt_status compare_recipes(dispute *d) {
    dt_status differs = dt_recipe_differ(d->sides[0].claims.recipe, d->sides[1].claims.recipe);
    d->same_recipe = differs.code == DT_OK;
    if (d->same_recipe) return dt_ok();
    dt_log_info("recipes: %s (%s and %s)", differs.message, d->sides[0].name, d->sides[1].name);
    return differs.code == DT_ERR_INPUT ? dt_ok() : differs;
}

static dt_status compare_claims(dispute *d) {
    const dt_parting *p = &d->parting;
    d->parting = dt_claims_part(&d->sides[0].claims, &d->sides[1].claims);
    if (p->common == 0)
        return dt_fail(
            DT_ERR_USAGE,
            "%s and %s have no step in common of which both claim a digest (train.chain, checkpoint.keep_every)",
            d->sides[0].name, d->sides[1].name);
    if (p->parted < 0)
        dt_log_info("digests: the same of all %" PRId64 " steps of which both claim one, the last of them %" PRId64,
                    p->common, p->same);
    else
        dt_log_info("digests: the same up to step %" PRId64 ", and different at step %" PRId64, p->same, p->parted);
    return dt_ok();
}

static dt_status prepare(dispute *d) {
    for (int i = 0; i < 2; i++) {
        side *one = &d->sides[i];
        *one = (side){.name = d->options->sides[i], .parted = -1};
        DT_TRY(dt_claims_open(&one->claims, one->name, DT_CLAIMED_BY_EITHER));
    }
    DT_TRY(compare_recipes(d));
    DT_TRY(compare_data(d));
    return compare_claims(d);
}

/* ---- what is computed here ---- */

/* The last state that both had: a checkpoint of either, or the recipe's beginning. */
static void find_beginning(dispute *d) {
    for (int i = 0; i < 2; i++) {
        const dt_claims *c = &d->sides[i].claims;
        for (int k = 0; k < c->kept_count; k++) {
            const dt_kept_checkpoint *kept = &c->kept[k];
            if (!kept->usable || kept->step > d->parting.same || kept->step <= d->from) continue;
            d->from = kept->step;
            snprintf(d->begin, sizeof d->begin, "%s", kept->path);
        }
    }
}

/* The next step of which one that has not parted yet claims a digest; -1: there is nothing more to learn. */
static int64_t next_step(const dispute *d, int64_t now) {
    int64_t next = -1;
    for (int i = 0; i < 2; i++) {
        const side *one = &d->sides[i];
        for (int64_t k = 0; k < one->claims.count && one->parted < 0; k++) {
            int64_t step = one->claims.all[k].step;
            if (step <= now || step > d->parting.parted) continue;
            if (next < 0 || step < next) next = step;
            break;
        }
    }
    return next;
}

static void note(dispute *d, int64_t step, const dt_again_digests *found) {
    for (int i = 0; i < 2; i++) {
        side *one = &d->sides[i];
        for (int64_t k = 0; k < one->claims.count && one->parted < 0; k++) {
            const dt_claim *claim = &one->claims.all[k];
            if (claim->step != step) continue;
            uint64_t kept = claim->kept >= 0 ? one->claims.kept[claim->kept].digest : found->linked;
            bool agrees = (!claim->linked || claim->link.digest == found->linked) &&
                          (kept == found->linked || kept == found->judged);
            if (agrees)
                one->same = step;
            else
                one->parted = step;
        }
    }
}

static void tell_sides(const dispute *d) {
    for (int i = 0; i < 2; i++) {
        const side *one = &d->sides[i];
        if (one->parted < 0)
            dt_log_info("%s agrees with what was computed here from step %" PRId64 ", up to step %" PRId64, one->name,
                        d->from, one->same);
        else
            dt_log_info("%s parts from what was computed here between steps %" PRId64 " and %" PRId64, one->name,
                        one->same > d->from ? one->same : d->from, one->parted);
    }
}

/* Collective. */
static dt_status walk(dispute *d) {
    int64_t now = d->from;
    DT_TRY(dt_comm_broadcast(d->comm, d->begin, sizeof d->begin, 0));
    if (d->begin[0]) DT_TRY(dt_again_begin(&d->rerun.run, d->begin));
    for (;;) {
        int64_t next = d->first ? next_step(d, now) : 0;
        dt_again_digests found;
        DT_TRY(dt_comm_broadcast(d->comm, &next, sizeof next, 0));
        if (next < 0) return dt_ok();
        DT_TRY(dt_rerun_to(&d->rerun, next, &found));
        if (d->first) note(d, next, &found);
        now = next;
    }
}

/* Collective. What cannot be computed here is no failure: files are compared all the same. */
static dt_status compute(dispute *d) {
    bool wanted = d->first && d->same_recipe && d->same_data && d->parting.parted >= 0 && !d->options->files;
    DT_TRY(dt_comm_broadcast(d->comm, &wanted, sizeof wanted, 0));
    if (!wanted) return dt_ok();
    if (d->first) find_beginning(d);
    bool second = d->first && d->sides[1].claims.recorded && !d->sides[0].claims.recorded;
    dt_status status = dt_rerun_open(&d->rerun, d->comm, d->first ? &d->sides[second].claims : NULL, d->options->data);
    if (status.code == DT_ERR_USAGE) {
        if (d->first) dt_log_warn("nothing is computed here: %s", status.message);
        return dt_ok();
    }
    DT_TRY(status);
    status = walk(d);
    if (status.code != DT_OK) {
        dt_rerun_end end;
        DT_TRY(dt_rerun_why(&d->rerun, &end));
        if (end == DT_RERUN_THERE) return status;
        if (d->first) dt_log_warn("not all is computed here: %s", status.message);
        return dt_ok();
    }
    d->computed = true;
    if (d->first) tell_sides(d);
    return dt_ok();
}

/* ---- tensors ---- */

/* The side that is wrong, where the other agrees with what was computed; -1: there is not one. */
static int find_wrong(const dispute *d) {
    if (!d->computed || (d->sides[0].parted < 0) == (d->sides[1].parted < 0)) return -1;
    return d->sides[0].parted < 0 ? 1 : 0;
}

/* Rank 0. The step at which to compare tensors, and the states; NULL, NULL: what is computed here is the side's. */
static void choose_states(dispute *d, dt_seen_state seen[2]) {
    int wrong = find_wrong(d);
    const int64_t done = d->computed ? d->rerun.run.ledger.position.step : 0;
    const int64_t most = done + MORE_STEPS + 10 * (done - d->from);
    int64_t since = d->parting.parted;
    if (d->computed) /* one may have parted before the other says anything */
        for (int i = 0; i < 2; i++)
            if (d->sides[i].parted >= 0 && d->sides[i].parted < since) since = d->sides[i].parted;
    d->at = -1;
    for (int i = 0; i < 2; i++) {
        const dt_claims *own = &d->sides[i].claims, *others = &d->sides[1 - i].claims;
        for (int k = 0; k < own->kept_count; k++) {
            const int64_t step = own->kept[k].step;
            const dt_kept_checkpoint *other = kept_at(others, step);
            bool can = other || (i == wrong && step >= done && step <= most);
            if (step < since || !can || (d->at >= 0 && step >= d->at)) continue;
            d->at = step;
            seen[i] = (dt_seen_state){.path = own->kept[k].path};
            seen[1 - i] = (dt_seen_state){.path = other ? other->path : NULL};
        }
    }
}

static void tell_tensors(const dispute *d, const dt_seen_state seen[2]) {
    const dt_difference *t = &d->tensors;
    if (!t->name[0]) {
        dt_log_info("step %" PRId64 ": the states are the same", d->at);
        return;
    }
    dt_log_info("step %" PRId64 ": %" PRId64 " of %" PRId64 " tensors differ; the first is %s", d->at, t->different,
                t->datasets, t->name);
    if (t->element < 0)
        dt_log_info("  which has another shape, or is not there");
    else
        dt_log_info("  %" PRId64 " of its %" PRId64 " elements differ; element %" PRId64 " is %s in %s, and %s in %s",
                    t->differing, t->elements, t->element, t->values[0],
                    seen[0].path ? seen[0].path : "what was computed here", t->values[1],
                    seen[1].path ? seen[1].path : "what was computed here");
}

/* Collective. */
static dt_status compare_tensors(dispute *d) {
    dt_seen_state seen[2] = {{NULL, NULL}, {NULL, NULL}};
    if (d->first && d->parting.parted >= 0)
        choose_states(d, seen);
    else
        d->at = -1;
    bool here = d->at >= 0 && (!seen[0].path || !seen[1].path);
    int64_t step = here ? d->at : -1;
    DT_TRY(dt_comm_broadcast(d->comm, &step, sizeof step, 0));
    if (step >= 0) {
        dt_run *run = &d->rerun.run;
        if (run->ledger.position.step < step) DT_TRY(dt_rerun_to(&d->rerun, step, NULL));
        DT_TRY(dt_ledger_gather(&run->ledger, &run->session.ranks, NULL));
        DT_TRY(dt_recurrent_state_gather(&run->trainee.recurrent_state));
        for (int i = 0; i < 2; i++) seen[i].state = dt_snapshot_state(&run->snapshot, &run->ledger);
    }
    dt_status status = d->first && d->at >= 0 ? dt_states_differ(seen, &d->tensors) : dt_ok();
    DT_TRY(dt_comm_agree(d->comm, status));
    if (!d->first || d->parting.parted < 0) return dt_ok();
    if (d->at >= 0)
        tell_tensors(d, seen);
    else
        dt_log_info("tensors: there is no later checkpoint of both, or of one that is wrong and near enough "
                    "(checkpoint.keep_every)");
    return dt_ok();
}

/* ---- the whole ---- */

static const char *who_agrees(const dispute *d) {
    if (!d->computed) return "-";
    if (d->sides[0].parted < 0) return d->sides[1].parted < 0 ? "both" : "a";
    return d->sides[1].parted < 0 ? "b" : "neither";
}

/* Rank 0. */
static dt_status conclude(const dispute *d) {
    const dt_parting *p = &d->parting;
    int contradictions = d->sides[0].claims.contradictions + d->sides[1].claims.contradictions;
    dt_log_info("dispute a=%s b=%s recipes=%s data=%s links=%" PRId64 " same=%" PRId64 " parted=%" PRId64
                " here=%s at=%" PRId64 " tensor=%s element=%" PRId64,
                d->sides[0].name, d->sides[1].name, d->same_recipe ? "same" : "differ",
                d->same_data ? "same" : "differ", p->common, p->same, p->parted, who_agrees(d), d->at,
                d->tensors.name[0] ? d->tensors.name : "-", d->tensors.name[0] ? d->tensors.element : -1);
    if (p->parted < 0 && contradictions == 0 && d->same_recipe && d->same_data) return dt_ok();
    if (p->parted < 0 && contradictions > 0) return dt_fail(DT_ERR_DIVERGED, "files of a run contradict each other");
    if (p->parted < 0) return dt_fail(DT_ERR_DIVERGED, "recipes or data differ, and no digest of both does");
    return dt_fail(DT_ERR_DIVERGED, "%s and %s part between steps %" PRId64 " and %" PRId64, d->sides[0].name,
                   d->sides[1].name, p->same, p->parted);
}

dt_status dt_dispute_run(dt_comm *comm, const dt_dispute_options *options) {
    dispute d = {.options = options, .comm = comm, .first = dt_comm_rank(comm) == 0, .at = -1};
    dt_status status = dt_comm_agree(comm, d.first ? prepare(&d) : dt_ok());
    if (status.code == DT_OK) status = compute(&d);
    if (status.code == DT_OK) status = compare_tensors(&d);
    if (status.code == DT_OK) status = dt_comm_agree(comm, d.first ? conclude(&d) : dt_ok());
    dt_rerun_close(&d.rerun);
    for (int i = 0; i < 2; i++) dt_claims_close(&d.sides[i].claims);
    return status;
}
