/* Rounds: several sites train one model (recipe: sites.…). In a round each site that takes part trains from the common
 * weights on samples of its own; then the sites' changes are summed, and the outer rule makes the next common weights.
 *
 * The ranks are divided into groups, as many as share the work best. A group trains its sites of a round one after the
 * other, with the steps that a run without sites has (step.h), cut into the recipe's shards; so neither groups nor
 * ranks show in any bit. What the run has as its trainee are the common weights; a group has a trainee of its own,
 * which begins every site's round as a copy of them. A step of the run, as ledger, course, records and checkpoints
 * count it, is a round, and an epoch too. */
#ifndef DTRAIN_ROUNDS_H
#define DTRAIN_ROUNDS_H

#include <stdatomic.h>

#include "run.h"
#include "site/change.h"
#include "site/exchange.h"
#include "site/members.h"
#include "site/outer.h"
#include "site/pull.h"
#include "site/replay.h"
#include "site/robust.h"

/* What a site keeps from one of its rounds to the next, in memory that the ranks of a machine share. A round is begun
 * from `rows` and leaves `next`, which takes their place once the round counts. */
typedef struct dt_kept {
    const char *name; /* "site_moments" is /state/site_moments in checkpoints, beside the digest */
    dt_dtype dtype;
    size_t elements; /* of a site; 0: none */
    char *rows;      /* [sites, elements] */
    char *next;      /* [chosen, elements] */
} dt_kept;

enum {
    DT_KEPT_MOMENTS, /* of the optimizer, slot after slot */
    DT_KEPT_WIRE,    /* exponents of gradients */
    DT_KEPT_UPDATES, /* steps that its moments are made of */
    DT_KEPT_CONTROL, /* SCAFFOLD's control variate, an arena */
    DT_KEPT_LOCAL,   /* tensors of sites.local, one after the other */
    DT_KEPT_ERROR,   /* what its changes lost so far (site/change.h) */
    DT_KEPT_COUNT
};

/* Which samples sites have. */
typedef struct dt_site_samples {
    int64_t *list;  /* site after site */
    int64_t *first; /* [sites + 1] */
} dt_site_samples;

/* Where a site stands in the middle of a round: in checkpoints, beside its trainee's arrays (rounds_middle.c). */
typedef struct dt_middle {
    int64_t round;      /* -1: nowhere */
    int64_t site, done; /* steps of it that were made */
    int64_t begun, skipped;
    int64_t rates; /* the bits of a double */
    dt_tally tally;
} dt_middle;

/* A round in progress. */
typedef struct dt_round_now {
    bool *takes_part; /* [sites] */
    bool *in_sum;     /* [sites] whose change counts */
    int *site;        /* [most] those, ascending: a place of the round is an index into this */
    int *group;       /* [most] who trains it */
    dt_tally *tally;  /* [most] of what this rank computed; after the round of all ranks */
    double began;     /* clock */
    int64_t skipped;  /* steps that were passed over */
    bool left;        /* a stop was asked for: what was trained of it is lost */
    dt_round round;   /* as the exchange knows it */
} dt_round_now;

struct dt_rounds {
    int sites, chosen; /* there are; take part in a round */
    int most;          /* of chosen, which is drawn where rounds hide sites */
    int mine;          /* the one that this job is, the others being elsewhere; -1: all are here */
    int groups, group; /* of ranks; this rank's */
    dt_site_samples samples;
    /* The group, as a session and the rest of a run that a step takes; the recipe's seed is that of the site. */
    dt_comm *comm;
    dt_recipe recipe;
    int64_t seed; /* of the run */
    dt_session session;
    dt_trainee trainee;
    dt_run_data data;
    dt_course course;
    dt_ledger ledger;
    dt_pull pull;
    uint32_t *words; /* [plan.count] of the site that was trained last; the group's node has them in common */
    /* The common state besides weights. */
    dt_change_plan plan;
    dt_outer outer;
    char outer_groups[DT_OUTER_SLOTS][64]; /* in a checkpoint */
    dt_real *control;                      /* an arena; NULL without SCAFFOLD */
    int32_t *exponents;                    /* [plan.unit_count] */
    /* And what is beside its digest. */
    dt_kept kept[DT_KEPT_COUNT];
    dt_round_figures figures;
    /* sites.robust */
    dt_robust robust;
    uint32_t *robust_words; /* [plan.count] */
    bool *counted;          /* [chosen] */
    uint32_t *noisy;        /* [plan.count] a sum with noise, where rounds hide sites */

    dt_exchange exchange;
    dt_replay *replay;  /* of rank 0 where rounds of a mailbox are computed again; the exchange's */
    dt_members members; /* where the others are elsewhere */
    char records[4096]; /* of rank 0: what this site signed */
    dt_site_key *key;   /* and of rank 0 this one's secret */
    dt_round_now now;
    bool alone; /* one site alone is trained here in a round: checkpoints may fall into the middle of it */
    dt_middle middle;
    char middle_names[DT_MAX_SLOTS][32];
    uint64_t recipe_hash;
    bool waits;            /* the run ends here, for now, because others are missing */
    _Atomic int32_t *told; /* the machine's ranks have it in common: the round is to be left */
};

/* ---- rounds.c ---- */

/* Collective, once the run's model is planned: groups, who has which samples, memory. To be closed, also after a
 * failure. */
dt_status dt_rounds_open(dt_run *run);
void dt_rounds_close(struct dt_rounds *rounds); /* accepts NULL */
/* Collective. One round, unless a stop is asked for: *left. */
dt_status dt_round_take(dt_run *run, bool *left);

/* ---- rounds_groups.c ---- */

/* Shards of a site's batch, where the recipe does not say: so many that all ranks can work. That there are not more
 * ranks than can. */
dt_status dt_rounds_settle_shards(const dt_recipe *recipe, int64_t ranks, int64_t stored, int64_t *shards);
/* Into how many groups `ranks` ranks are divided. */
int dt_rounds_groups(int64_t ranks, int64_t chosen, int64_t shards);
/* now.group: places of the round to groups, those with most steps first, each to the group with least so far. */
void dt_rounds_deal(dt_rounds *rounds);

/* ---- rounds_data.c ---- */

/* Collective. Which samples each site has. */
dt_status dt_rounds_deal_samples(dt_rounds *rounds, const dt_session *session, const dt_source *source);
/* The group works for `site` from here on: its samples, seed and course, `done` steps behind the beginning of `round`.
 * Returns the steps of a round. */
int64_t dt_rounds_be(dt_rounds *rounds, int site, int64_t round, int64_t done);
int64_t dt_rounds_steps(const dt_rounds *rounds, int site);

/* ---- rounds_site.c ---- */

/* Collective over the group. Trains the site at a place of the round and adds its change to the exchange; or leaves the
 * round. */
dt_status dt_rounds_train(dt_run *run, int place);

/* ---- rounds_state.c ---- */

/* How much a site keeps. Once the group's trainee has its memory. */
void dt_rounds_plan_kept(dt_rounds *rounds, const dt_recipe *recipe);
/* Collective over the run's node. Memory for it, as the first round finds it. */
dt_status dt_rounds_share_kept(dt_rounds *rounds, const dt_session *session, const dt_real *weights);
static inline void *dt_kept_row(const dt_kept *kept, int site) {
    return kept->rows + (size_t)site * kept->elements * dt_dtype_size(kept->dtype);
}
static inline void *dt_kept_next(const dt_kept *kept, int place) {
    return kept->next + (size_t)place * kept->elements * dt_dtype_size(kept->dtype);
}
/* Collective. The round counts: of the sites that took part `next` becomes what they keep, on every machine. */
dt_status dt_rounds_keep(dt_rounds *rounds, const dt_session *session, const bool *took_part);
/* Bytes that rounds take on a machine besides the trainees of its groups, and that a rank has to itself of them. */
void dt_rounds_memory(const dt_run *run, size_t *machine, size_t *own);
/* The rows of a checkpoint. */
void dt_rounds_describe(dt_rounds *rounds, dt_snapshot *snapshot);

/* ---- rounds_robust.c ---- */

/* What sites.robust says, and memory for it; that so many sites are enough. */
dt_status dt_rounds_plan_robust(dt_rounds *rounds, const dt_recipe *recipe);
/* Collective. Of the changes one by one what takes the place of their sum. */
dt_status dt_rounds_make_robust(dt_rounds *rounds, const dt_session *session, int64_t round, dt_exchanged *sum);

/* ---- rounds_private.c ---- */

bool dt_rounds_hide_sites(const dt_run *run);
/* What that needs; only r->most where rounds hide no sites. Once the change is planned. */
dt_status dt_rounds_plan_private(dt_run *run);
/* Who takes part in the round that begins: the same on every rank. */
dt_status dt_rounds_draw(dt_run *run);
/* Words of units [first, end) of a site's change. `counts`: its training came to an end. */
void dt_rounds_encode_private(dt_run *run, const dt_change_from *from, bool counts, int64_t first, int64_t end);
/* What may be known of a round takes the place of its sum. */
void dt_rounds_make_private(dt_run *run, dt_exchanged *sum);
/* The last round is one whose steps the budget of this site, or of rounds, still has. */
dt_status dt_rounds_bound(dt_run *run);
/* Whether what is tallied is nobody's: of sites, or of samples. */
bool dt_rounds_tell_nothing(const dt_run *run);
/* What a round is expected to have trained on here. */
int64_t dt_rounds_expected_samples(const dt_run *run);

/* Whether this job trains the site; those of others are trained elsewhere. */
static inline bool dt_rounds_has(const dt_rounds *rounds, int site) {
    return rounds->mine < 0 || site == rounds->mine;
}

/* ---- rounds_mailbox.c ---- */

/* Which of the recipe's members this job is. */
dt_status dt_rounds_find_mine(dt_rounds *rounds, const dt_session *session);
/* Collective. The way of changes through a mailbox, and the hash of what recipes have alike. */
dt_status dt_rounds_open_mailbox(dt_run *run);
/* Of what all sites' recipes have alike, in a resolved recipe. */
dt_status dt_rounds_hash_recipe(const char *resolved, uint64_t *hash);
void dt_rounds_close_mailbox(dt_rounds *rounds);

/* ---- rounds_common.c ---- */
/* Collective, as a round begins. Puts the common state into the mailbox, where it is due. */
dt_status dt_rounds_vouch(dt_run *run);
/* Collective, once a checkpoint is loaded or there is none: takes over a later common state where the files of the
 * present round are gone. rounds may be NULL. */
dt_status dt_rounds_catch_up(dt_run *run);

/* ---- rounds_middle.c; where rounds->alone ---- */
/* Rows of a checkpoint. */
void dt_rounds_describe_middle(dt_rounds *rounds, dt_snapshot *snapshot);
/* Collective. What a checkpoint of this moment has of the site, `done` steps into its round. */
dt_status dt_rounds_note_middle(dt_run *run, int site, int64_t done);
/* Whether a checkpoint was loaded that has the site in the middle of the present round: then the group works for it,
 * its trainee is as it was, and so many steps are made. 0: it begins. */
int64_t dt_rounds_take_middle(dt_run *run, int site);

/* ---- rounds_exchange.c ---- */

/* Collective. Changes of sites inside this job. `leads`: of the ranks that add the same change this one counts. */
dt_status dt_exchange_here(dt_exchange *out, dt_comm *comm, bool leads);

#endif
