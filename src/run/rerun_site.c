/* Steps of one site of several, the others being elsewhere: its own part of a round is computed again and compared with
 * what it signed, and the parts of the others come from the mailbox, as signed. Where they are no longer there, or
 * masked, the next common state comes from a checkpoint. */
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "rerun.h"
#include "rounds.h"

typedef struct own {
    dt_recipe recipe;
    dt_members members;
    char records[4096];
    int member;
} own;

static void finish(own *o) {
    dt_members_close(&o->members);
    dt_recipe_finish(&o->recipe);
}

static dt_status find(own *o, const dt_claims *c) {
    uint64_t hash;
    struct stat about;
    const bool all = o->recipe.sites.deadline.unit == DT_SPAN_NEVER;
    if (o->recipe.privacy.clip > 0)
        return dt_fail(
            DT_ERR_USAGE,
            "%s: its noise is a secret of the site's (sites.members, privacy), and no audit asks for it; what "
            "it spent is in its checkpoints",
            c->run);
    DT_TRY(dt_members_decode(&o->members, o->recipe.members, o->recipe.sites.quorum, all));
    DT_TRY(dt_rounds_hash_recipe(c->recipe, &hash));
    if (stat(c->run, &about) != 0 || !S_ISDIR(about.st_mode))
        return dt_fail(
            DT_ERR_USAGE,
            "%s: its rounds have changes of sites that are elsewhere (sites.mailbox); what its own site signed "
            "is in the run directory: name that",
            c->run);
    DT_TRY(dt_path_join(o->records, c->run, "site"));
    DT_TRY(dt_replay_owner(o->records, &o->members, hash, &o->member));
    if (o->member >= 0) return dt_ok();
    return dt_fail(
        DT_ERR_USAGE,
        "%s: its rounds have changes of sites that are elsewhere (sites.mailbox), and %s has nothing that one "
        "of sites.members signed for this recipe: only the directory of a site's own run can be audited",
        c->run, o->records);
}

static dt_status open_own(own *o, const dt_claims *c) {
    memset(o, 0, sizeof *o);
    DT_TRY(dt_recipe_read_resolved(&o->recipe, "the recipe of the newest checkpoint", c->recipe));
    return dt_recipe_has_mailbox(&o->recipe) ? find(o, c) : dt_ok();
}

dt_status dt_rerun_find_site(dt_rerun *r, const dt_claims *claims) {
    own o;
    dt_status status = open_own(&o, claims);
    if (status.code == DT_OK) memcpy(r->site, o.members.list[o.member].name, sizeof r->site);
    finish(&o);
    return status;
}

/* Rounds between two claims: of all but the last the sum is needed, of the last something to compare with. */
static dt_status mark(const own *o, dt_claim *claim, int64_t from) {
    const dt_recipe_sites *sites = &o->recipe.sites;
    const dt_replay_options options = {sites->mailbox, o->records, &o->members, o->member, sites->masks};
    dt_replay_has has = {false, false};
    for (int64_t round = from; round < claim->step; round++) {
        DT_TRY(dt_replay_look(&options, round, &has));
        claim->lost = claim->lost || !has.sum;
        claim->unseen = claim->unseen || (!has.sum && (round + 1 < claim->step || !has.own));
    }
    return dt_ok();
}

dt_status dt_rerun_mark_rounds(dt_claims *claims) {
    own o;
    dt_status status = open_own(&o, claims);
    bool elsewhere = status.code == DT_OK && dt_recipe_has_mailbox(&o.recipe);
    for (int64_t i = 1; elsewhere && i < claims->count && status.code == DT_OK; i++)
        status = mark(&o, &claims->all[i], claims->all[i - 1].step);
    finish(&o);
    return status;
}

dt_status dt_rerun_why(dt_rerun *r, dt_rerun_end *end) {
    const dt_rounds *rounds = r->run.rounds;
    const dt_replayed *said = rounds && rounds->replay ? dt_replay_said(rounds->replay) : NULL;
    *end = said && said->differs ? DT_RERUN_DIFFERS : said && said->lost ? DT_RERUN_LOST : DT_RERUN_THERE;
    return dt_comm_broadcast(r->run.session.comm, end, sizeof *end, 0);
}
