/* Sites that agree on who is in, with couriers that bring votes in every order: never two outcomes, and one at last. A
 * world has sites, the parts each of them has, all votes that were signed, and which of them have come to whom. */
#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "site/agreement.h"
#include "suite.h"

#define MOST 7
#define VOTES 600

typedef struct signed_vote {
    dt_vote vote; /* its set: a mask of parts, or DT_NO_SET */
    uint32_t has; /* bit i: it has come to site i */
} signed_vote;

typedef struct world {
    int members, quorum;
    uint32_t parts[MOST]; /* bit i: site i's part is here */
    bool due[MOST];       /* it may name what it has */
    bool impatient[MOST];
    int decided[MOST]; /* the set, as a mask of parts; -1: not yet */
    bool broken;
    bool liar[MOST];
    int count;
    signed_vote votes[VOTES];
} world;

static void copy(world *to, const world *from) {
    memcpy(to, from, offsetof(world, votes) + (size_t)from->count * sizeof *from->votes);
}

static world begin(int members, int quorum) {
    world w = {.members = members, .quorum = quorum};
    for (int i = 0; i < members; i++) {
        w.decided[i] = -1;
        w.parts[i] = UINT32_C(1) << i;
    }
    return w;
}

static int least_parts(const world *w) {
    return w->quorum;
}

/* What site `me` does next with what it has; whether it did something. Sets are masks of parts, all of them known. */
static bool step(world *w, int me) {
    dt_vote seen[VOTES];
    dt_agreement_set sets[1 << MOST];
    for (int s = 0; s < 1 << w->members; s++)
        sets[s] = (dt_agreement_set){.order = (uint64_t)s * 2654435761U % 1009,
                                     .parts = __builtin_popcount((unsigned)s),
                                     .usable = ((uint32_t)s & ~w->parts[me]) == 0 &&
                                               __builtin_popcount((unsigned)s) >= least_parts(w)};
    dt_agreement known = {.members = w->members,
                          .quorum = w->quorum,
                          .me = me,
                          .votes = seen,
                          .sets = sets,
                          .impatient = w->impatient[me]};
    for (int i = 0; i < w->count; i++)
        if (w->votes[i].has >> me & 1) seen[known.count++] = w->votes[i].vote;
    bool enough = __builtin_popcount(w->parts[me]) >= least_parts(w);
    bool complete = w->parts[me] == (UINT32_C(1) << w->members) - 1;
    known.mine = complete || (w->due[me] && enough) ? (int)w->parts[me] : DT_NO_SET;
    if (w->decided[me] >= 0) return false;
    dt_vote vote;
    int set;
    switch (dt_agreement_next(&known, &vote, &set)) {
    case DT_AGREEMENT_WAIT: return false;
    case DT_AGREEMENT_BROKEN: w->broken = true; return false;
    case DT_AGREEMENT_DECIDED: w->decided[me] = set; return true;
    case DT_AGREEMENT_SIGN: break;
    }
    for (int i = 0; i < w->count; i++) /* honest sites sign one vote in a place */
        ck_assert(w->votes[i].vote.member != me || w->votes[i].vote.ballot != vote.ballot ||
                  w->votes[i].vote.proposal != vote.proposal);
    ck_assert_int_eq(vote.member, me);
    ck_assert_int_lt(w->count, VOTES);
    w->votes[w->count++] = (signed_vote){vote, UINT32_C(1) << me};
    return true;
}

/* Whether honest sites that decided did so alike; *set is what, -1 where none did. */
static bool agree(const world *w, int *set) {
    *set = -1;
    bool alike = true;
    for (int i = 0; i < w->members; i++) {
        if (w->decided[i] < 0 || w->liar[i]) continue;
        alike = alike && (*set < 0 || *set == w->decided[i]);
        *set = w->decided[i];
    }
    return alike;
}

static int outcome(const world *w) {
    int set;
    ck_assert_msg(agree(w, &set), "two sites decided differently");
    return set;
}

/* ---- every order, of few sites and ballots ---- */

typedef struct search {
    uint64_t *seen; /* [room], hashes of worlds that were tried */
    uint64_t room;
    long tried;
    int ballots;
    uint32_t reached; /* bit s: the set s was decided in some order */
} search;

static uint64_t mix(uint64_t h, uint64_t v) {
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

/* Alike for worlds in which the same votes were signed and came to the same sites, in whatever order. */
static uint64_t hash(const world *w) {
    uint64_t all = 0;
    for (int i = 0; i < w->count; i++) {
        const dt_vote *v = &w->votes[i].vote;
        all += mix(mix((uint64_t)v->member * 64 + (uint64_t)v->ballot * 2 + v->proposal, (uint64_t)(v->set + 1)),
                   w->votes[i].has);
    }
    for (int i = 0; i < w->members; i++) all = mix(all, (uint64_t)(w->decided[i] + 2));
    return all ? all : 1;
}

static bool is_new(search *s, uint64_t key) {
    for (uint64_t at = key % s->room;; at = (at + 1) % s->room) {
        if (s->seen[at] == key) return false;
        if (s->seen[at]) continue;
        s->seen[at] = key;
        ck_assert_uint_lt((uint64_t)++s->tried, s->room / 2);
        return true;
    }
}

static bool within(const search *s, const world *w) {
    return w->count == 0 || w->votes[w->count - 1].vote.ballot <= s->ballots;
}

static void explore(search *s, const world *w) {
    if (!is_new(s, hash(w))) return;
    int set = outcome(w);
    ck_assert(!w->broken);
    if (set >= 0) s->reached |= UINT32_C(1) << set;
    for (int i = 0; i < w->members; i++) {
        world next;
        copy(&next, w);
        if (step(&next, i) && within(s, &next)) explore(s, &next);
    }
    for (int v = 0; v < w->count; v++)
        for (int i = 0; i < w->members; i++) {
            if (w->votes[v].has >> i & 1 || w->decided[i] >= 0) continue;
            world next;
            copy(&next, w);
            next.votes[v].has |= UINT32_C(1) << i;
            explore(s, &next);
        }
}

static search explore_all(const world *w, int ballots, uint64_t room) {
    search s = {.seen = calloc(room, sizeof *s.seen), .room = room, .ballots = ballots};
    ck_assert_ptr_nonnull(s.seen);
    explore(&s, w);
    free(s.seen);
    return s;
}

/* Of three sites, a quorum of two: which parts each of them has besides its own. */
START_TEST(in_no_order_of_events_do_two_of_three_sites_decide_differently) {
    long tried = 0;
    uint32_t reached = 0;
    for (int have = 0; have < 64; have++) {
        world w = begin(3, 2);
        for (int i = 0; i < 3; i++) {
            w.parts[i] |= (have >> (2 * i) & 1 ? UINT32_C(1) << (i + 1) % 3 : 0) |
                          (have >> (2 * i + 1) & 1 ? UINT32_C(1) << (i + 2) % 3 : 0);
            w.due[i] = w.impatient[i] = true;
        }
        search s = explore_all(&w, 1, 1 << 16);
        tried += s.tried;
        reached |= s.reached;
    }
    ck_assert_int_gt(tried, 100000);
    ck_assert_int_eq(reached, 1 << 3 | 1 << 5 | 1 << 6 | 1 << 7); /* every set of two or three, somewhere */
}
END_TEST

/* With two, every order of three ballots. */
START_TEST(in_no_order_of_events_do_two_sites_decide_differently) {
    for (int have = 0; have < 4; have++) {
        world w = begin(2, 2);
        w.parts[0] |= have & 1 ? 2 : 0;
        w.parts[1] |= have & 2 ? 1 : 0;
        w.due[0] = w.due[1] = true;
        search s = explore_all(&w, 3, 1 << 16);
        ck_assert_uint_eq(s.reached, have == 3 ? 1 << 3 : 0); /* both, or nothing yet */
    }
}
END_TEST

/* ---- many sites, at random ---- */

static uint64_t state;

static int draw(int below) {
    state = mix(state + 1, 0x1234567);
    return (int)((state >> 33) % (uint64_t)below);
}

/* Something happens: a courier brings a part or a vote, a deadline passes, a site looks. */
static void happen(world *w, const bool *gone) {
    int site = draw(w->members), from = draw(w->members);
    bool alive = !gone[site] && !w->liar[site];
    switch (draw(6)) {
    case 0:
        if (draw(4) == 0) w->parts[site] |= w->parts[from];
        break;
    case 1:
        w->due[site] = true;
        if (draw(4) == 0) w->impatient[site] = !w->impatient[site];
        break;
    case 2:
        if (alive) step(w, site);
        break;
    default:
        if (w->count > 0) w->votes[draw(w->count)].has |= UINT32_C(1) << site;
    }
}

/* A liar signs anything, and shows it to anybody. */
static void lie(world *w, int liar) {
    int set = draw(3) == 0 ? DT_NO_SET : draw(1 << w->members);
    for (int i = w->count - 1; i >= 0 && draw(3); i--) /* best what somebody said */
        if (w->votes[i].vote.set != DT_NO_SET) set = w->votes[i].vote.set;
    bool proposal = draw(2);
    if (!proposal && set == DT_NO_SET) return;
    dt_vote vote = {.member = liar, .ballot = 1 + draw(3), .proposal = proposal, .set = set};
    w->votes[w->count++] = (signed_vote){vote, (uint32_t)draw(1 << w->members)};
}

/* From here on couriers bring everything that a site has to every other: `lost`: what came only to those that are gone
 * before is lost with them. */
static void come_to_an_end(world *w, const bool *gone, bool lost) {
    uint32_t live = 0, parts = 0;
    for (int i = 0; i < w->members; i++)
        if (!gone[i] || !lost) live |= UINT32_C(1) << i;
    for (int i = 0; i < w->members; i++)
        if (live >> i & 1) parts |= w->parts[i];
    for (int turn = 0; turn < 100; turn++)
        for (int site = 0; site < w->members; site++) {
            w->due[site] = w->impatient[site] = true;
            w->parts[site] |= parts;
            for (int i = 0; i < w->count; i++)
                if (w->votes[i].has & live) w->votes[i].has |= UINT32_C(1) << site;
            if (!gone[site] && !w->liar[site]) step(w, site);
        }
}

START_TEST(with_couriers_at_random_all_that_live_decide_one_thing) {
    int whole = 0, smaller = 0;
    for (int run = 0; run < 1500; run++) {
        state = (uint64_t)run * 977 + (uint64_t)_i;
        int members = 2 + draw(MOST - 1), quorum = members / 2 + 1 + draw(members - members / 2);
        world w = begin(members, quorum);
        bool gone[MOST] = {0};
        for (int events = draw(60 * members); events > 0; events--) happen(&w, gone);
        for (int dead = draw(members - quorum + 1); dead > 0; dead--) gone[draw(members)] = true;
        for (int events = draw(60 * members); events > 0; events--) happen(&w, gone);
        come_to_an_end(&w, gone, _i);
        ck_assert(!w.broken);
        int set = outcome(&w);
        for (int i = 0; i < members; i++)
            ck_assert_msg(gone[i] || w.decided[i] >= 0, "run %d: site %d of %d does not decide", run, i, members);
        ck_assert_int_ge(__builtin_popcount((unsigned)set), quorum);
        *(set == (1 << members) - 1 ? &whole : &smaller) += 1;
    }
    ck_assert_int_gt(whole, 50);
    ck_assert_int_gt(smaller, 50);
}
END_TEST

/* Runs with so many liars in which honest sites decided differently. */
static int parted(int members, int quorum, int liars, int runs, int *decided) {
    int differ = 0;
    *decided = 0;
    for (int run = 0; run < runs; run++) {
        state = (uint64_t)run * 7919 + (uint64_t)(members * 64 + quorum * 8 + liars);
        world w = begin(members, quorum);
        bool gone[MOST] = {0};
        for (int i = 0; i < liars; i++) w.liar[i] = true;
        for (int i = 0; i < members; i++) w.parts[i] = (UINT32_C(1) << members) - 1 - (draw(4) == 0 ? 1 : 0);
        for (int events = 150 * members, lies = 12; events > 0; events--) {
            happen(&w, gone);
            if (lies > 0 && draw(12) == 0) lie(&w, draw(liars)), lies--;
        }
        int set;
        differ += !agree(&w, &set);
        *decided += set >= 0;
    }
    return differ;
}

START_TEST(liars_that_the_quorum_bears_part_no_honest_sites_and_more_of_them_do) {
    int decided;
    ck_assert_int_eq(parted(4, 3, 1, 4000, &decided), 0);
    ck_assert_int_gt(decided, 100);
    ck_assert_int_eq(parted(7, 5, 2, 1000, &decided), 0);
    ck_assert_int_gt(decided, 100);
    ck_assert_int_eq(parted(5, 5, 4, 1000, &decided), 0);
    ck_assert_int_eq(parted(3, 3, 1, 2000, &decided), 0);
    ck_assert_int_gt(parted(3, 2, 1, 6000, &decided), 0); /* the control: 2q - n = 1 bears none */
}
END_TEST

/* All must agree. A liar's second report, which comes when the others have gone on to the next ballot, makes no
 * decision in the ballot behind them: there they may decide something else. */
START_TEST(a_report_that_comes_late_decides_nothing_in_a_ballot_that_is_behind) {
    enum { A, B, LIAR, FEW = 0, ALL = 1 };
    const dt_agreement_set sets[] = {{.order = 1, .parts = 2, .usable = true},
                                     {.order = 2, .parts = 3, .usable = true}};
    const dt_vote votes[] = {{A, 1, false, FEW},      {B, 1, false, FEW},      {LIAR, 1, false, ALL},
                             {A, 1, true, DT_NO_SET}, {B, 1, true, DT_NO_SET}, {LIAR, 1, true, DT_NO_SET},
                             {B, 2, false, ALL},      {LIAR, 1, false, FEW},   {LIAR, 2, false, ALL},
                             {A, 2, false, ALL}};
    dt_agreement known = {
        .members = 3, .quorum = 3, .me = B, .votes = votes, .count = COUNT(votes) - 1, .sets = sets, .mine = ALL};
    dt_vote vote;
    int set;
    ck_assert_int_eq(dt_agreement_next(&known, &vote, &set), DT_AGREEMENT_WAIT);
    known.count++;
    ck_assert_int_eq(dt_agreement_next(&known, &vote, &set), DT_AGREEMENT_DECIDED);
    ck_assert_int_eq(set, ALL);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("agreement");
    TCase *every = tcase_create("every order"), *random = tcase_create("random");
    tcase_set_timeout(every, 20);
    tcase_set_timeout(random, 20);
    tcase_add_test(every, in_no_order_of_events_do_two_of_three_sites_decide_differently);
    tcase_add_test(every, in_no_order_of_events_do_two_sites_decide_differently);
    tcase_add_test(random, a_report_that_comes_late_decides_nothing_in_a_ballot_that_is_behind);
    tcase_add_loop_test(random, with_couriers_at_random_all_that_live_decide_one_thing, 0, 2);
    tcase_add_test(random, liars_that_the_quorum_bears_part_no_honest_sites_and_more_of_them_do);
    suite_add_tcase(suite, every);
    suite_add_tcase(suite, random);
    return run_suite(suite);
}
