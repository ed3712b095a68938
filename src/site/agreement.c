#include "agreement.h"

#include <stddef.h>

enum { DT_ANY = -2 }; /* whatever a vote names */

static bool is(const dt_vote *v, int ballot, bool proposal, int set) {
    return v->ballot == ballot && v->proposal == proposal && (set == DT_ANY || v->set == set);
}

/* Members, not votes: one may have signed two in one place. */
static int reports(const dt_agreement *a, int ballot, int set) {
    uint64_t who = 0;
    for (int i = 0; i < a->count; i++)
        if (is(&a->votes[i], ballot, false, set)) who |= UINT64_C(1) << a->votes[i].member;
    return __builtin_popcountll(who);
}

/* A proposal stands on the reports of a quorum; before these have come it is not there. */
static bool stands(const dt_agreement *a, const dt_vote *proposal) {
    return proposal->set == DT_NO_SET || reports(a, proposal->ballot, proposal->set) >= a->quorum;
}

static int proposals(const dt_agreement *a, int ballot, int set) {
    uint64_t who = 0;
    for (int i = 0; i < a->count; i++)
        if (is(&a->votes[i], ballot, true, set) && stands(a, &a->votes[i])) who |= UINT64_C(1) << a->votes[i].member;
    return __builtin_popcountll(who);
}

static const dt_vote *own_vote(const dt_agreement *a, int ballot, bool proposal) {
    for (int i = 0; i < a->count; i++)
        if (a->votes[i].member == a->me && is(&a->votes[i], ballot, proposal, DT_ANY)) return &a->votes[i];
    return NULL;
}

static int last_own_ballot(const dt_agreement *a) {
    int last = 0;
    for (int i = 0; i < a->count; i++)
        if (a->votes[i].member == a->me && a->votes[i].ballot > last) last = a->votes[i].ballot;
    return last;
}

/* ---- D ---- */

static bool decided_by_reports(const dt_agreement *a, const dt_vote *report) {
    if (a->quorum != a->members && 2 * a->quorum - a->members != 1) return false;
    const dt_vote *own = own_vote(a, report->ballot, true);
    if ((own && own->set != report->set) || last_own_ballot(a) > report->ballot) return false;
    return reports(a, report->ballot, report->set) == a->members;
}

static bool decided_by(const dt_agreement *a, const dt_vote *vote) {
    if (vote->set == DT_NO_SET) return false;
    if (!vote->proposal) return decided_by_reports(a, vote);
    return stands(a, vote) && proposals(a, vote->ballot, vote->set) >= a->quorum;
}

static dt_agreement_step decide(const dt_agreement *a, int *set) {
    *set = DT_NO_SET;
    for (int i = 0; i < a->count; i++) {
        if (a->votes[i].set == *set || !decided_by(a, &a->votes[i])) continue;
        if (*set != DT_NO_SET) return DT_AGREEMENT_BROKEN;
        *set = a->votes[i].set;
    }
    return *set == DT_NO_SET ? DT_AGREEMENT_WAIT : DT_AGREEMENT_DECIDED;
}

/* ---- P ---- */

static bool may_propose(const dt_agreement *a, int ballot, int *set) {
    int heard = reports(a, ballot, DT_ANY), most = 0;
    *set = DT_NO_SET;
    if (heard < a->quorum) return false;
    for (int i = 0; i < a->count; i++) {
        if (!is(&a->votes[i], ballot, false, DT_ANY)) continue;
        int named = reports(a, ballot, a->votes[i].set);
        if (named > most) {
            most = named;
            *set = a->votes[i].set;
        }
    }
    if (most >= a->quorum) return true;
    *set = DT_NO_SET;
    return a->impatient || most + (a->members - heard) < a->quorum;
}

/* ---- R ---- */

static int proposed_until(const dt_agreement *a, int ballot) {
    for (; ballot >= 1; ballot--)
        for (int i = 0; i < a->count; i++)
            if (is(&a->votes[i], ballot, true, DT_ANY) && a->votes[i].set != DT_NO_SET && stands(a, &a->votes[i]))
                return a->votes[i].set;
    return DT_NO_SET;
}

static bool better(const dt_agreement *a, int ballot, int one, int other) {
    if (other == DT_NO_SET) return true;
    const dt_agreement_set *p = &a->sets[one], *q = &a->sets[other];
    int first = reports(a, ballot, one), second = reports(a, ballot, other);
    if (first != second) return first > second;
    if (p->parts != q->parts) return p->parts < q->parts;
    return p->order < q->order;
}

/* The free choice of the ballot after this one. */
static int choose(const dt_agreement *a, int ballot) {
    int chosen = ballot == 1 ? a->mine : DT_NO_SET;
    if (chosen != DT_NO_SET) return chosen;
    for (int i = 0; i < a->count; i++) {
        const dt_vote *v = &a->votes[i];
        if (!is(&a->votes[i], ballot, false, DT_ANY) || !a->sets[v->set].usable) continue;
        if (better(a, ballot, v->set, chosen)) chosen = v->set;
    }
    return chosen != DT_NO_SET ? chosen : a->mine;
}

static bool may_report(const dt_agreement *a, int ballot, int *set) {
    *set = a->mine;
    if (ballot > DT_LAST_BALLOT) return false;
    if (ballot == 1) return *set != DT_NO_SET;
    if (proposals(a, ballot - 1, DT_ANY) < a->quorum) return false;
    *set = proposed_until(a, ballot - 1);
    if (*set == DT_NO_SET) *set = choose(a, ballot - 1);
    return *set != DT_NO_SET;
}

dt_agreement_step dt_agreement_next(const dt_agreement *known, dt_vote *vote, int *set) {
    dt_agreement_step step = decide(known, set);
    if (step != DT_AGREEMENT_WAIT) return step;
    int ballot = last_own_ballot(known);
    bool proposes = ballot > 0 && !own_vote(known, ballot, true);
    *vote = (dt_vote){.member = known->me, .ballot = proposes ? ballot : ballot + 1, .proposal = proposes};
    bool may = proposes ? may_propose(known, ballot, &vote->set) : may_report(known, ballot + 1, &vote->set);
    return may ? DT_AGREEMENT_SIGN : DT_AGREEMENT_WAIT;
}
