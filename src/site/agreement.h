/* Who is in: how sites agree on the parts a round is made of, with nothing but signed files that couriers bring in any
 * order, some late, some never; no server, no clock in common. A set says of each member which part of it is in, by its
 * hash. There are n members, and a quorum q of them, n/2 < q <= n. In ballot 1, 2, … a member signs at most one report,
 * which names a set, and then at most one proposal, which names a set or none (after Ben-Or 1983, whose coin is here
 * what has arrived meanwhile):
 *
 * - R1: the report of ballot 1 names the parts it has, once these are all that are expected, or its deadline has passed
 *   and they are enough.
 * - P: with reports of q members in a ballot it proposes the set that q of them name. When no set can come to that any
 *   more, or it has waited long, it proposes none.
 * - R: with proposals of q members, if one of them names a set, the report of the next ballot names that one. If none
 *   does, it is free: see dt_agreement_next.
 * - D: a set is decided when in one ballot q members propose it. Also when all n report it, where 2q - n = 1 or q = n.
 *   Who has decided signs nothing more in this round.
 *
 * Never two sets. (1) In a ballot one set at most is proposed, for a proposal stands on q reports, two times q members
 * have at least 2q - n >= 1 in common, and a member reports once. (2) Let S be decided in ballot b, by q proposals. Who
 * goes on to b + 1 has seen q proposals, one of which is S, and reports S. So all reports of b + 1 are S, all proposals
 * stand on q of them and are S, and so on: no other set is proposed, nor decided, ever again. (3) Let S be decided by n
 * reports in b: every proposal of b stands on q of them and is S; and then as (2).
 *
 * Members that sign two different things in one place (a liar, or a site of which somebody runs a copy) break (1) and
 * (2) only if they are 2q - n or more: a proposal is believed only with the q reports it stands on, and then what was
 * shared by any two times q members still includes an honest one. (3) does not hold with them, so it is used only where
 * 2q - n = 1, which promises nothing about liars, and where q = n: there nobody decides anything without the votes of
 * one who has decided by n reports before it signed any vote that came after them, and who signs no more. With q = n no
 * number of liars makes two honest members decide differently.
 *
 * What is decided can be had: a set that is not adopted is named by a member that has its parts, and an adopted one
 * stands on q reports, at least one of them honest and so on back to such a member.
 *
 * It ends as soon as q members that answer have the same of each other's parts at the time of a ballot; until then it
 * waits. (That it ends in every case no such rule can promise: Fischer, Lynch and Paterson 1985.)
 *
 * This file is about votes alone, and knows of no file: a function of what a member knows, so that all orders in which
 * it may come to know it can be tried (tests/unit/test_agreement.c). */
#ifndef DTRAIN_SITE_AGREEMENT_H
#define DTRAIN_SITE_AGREEMENT_H

#include <stdbool.h>
#include <stdint.h>

#define DT_NO_SET (-1)
#define DT_LAST_BALLOT 60 /* none is begun after it */
#define DT_MOST_MEMBERS 64

typedef struct dt_vote {
    int member;
    int ballot;    /* from 1 */
    bool proposal; /* else a report */
    int set;       /* number in `sets`; DT_NO_SET: a proposal of none */
} dt_vote;

typedef struct dt_agreement_set {
    uint64_t order; /* of sets, the same everywhere: of their hashes */
    int parts;
    bool usable; /* this site has all its parts, they are enough, and none is of a site that signed two */
} dt_agreement_set;

/* What a member knows. */
typedef struct dt_agreement {
    int members, quorum, me;
    const dt_vote *votes; /* [count] signed ones, its own among them; a member that signed two in one place has both */
    int count;
    const dt_agreement_set *sets;
    int mine;       /* the set of all that it has; DT_NO_SET: it may name none yet (R1) */
    bool impatient; /* it has waited long since its last vote */
} dt_agreement;

typedef enum dt_agreement_step {
    DT_AGREEMENT_WAIT,
    DT_AGREEMENT_SIGN,    /* *vote is to be kept for good, then signed and sent */
    DT_AGREEMENT_DECIDED, /* *set is */
    DT_AGREEMENT_BROKEN   /* two sets were: more members signed twice than the quorum bears */
} dt_agreement_step;

/* What is next. A free report names, by what is known: a set that was proposed in any ballot before; else in ballot 2
 * all that is there; else of the sets in the ballot before that are usable here the one most members report, of these
 * the one with the fewest parts, of these the first: so members that do not get each other's last parts come to name
 * what both have. */
dt_agreement_step dt_agreement_next(const dt_agreement *known, dt_vote *vote, int *set);

#endif
