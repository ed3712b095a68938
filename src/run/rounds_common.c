/* The common state as it goes through a mailbox (site/vouch.h): put there every sites.keep rounds, and taken over by a
 * site that stands before rounds whose files are gone: because it lost its run directory, or was away for longer than
 * the others wait (sites.forget). */
#include "base/log.h"
#include "base/memory.h"
#include "rounds.h"
#include "site/vouch.h"

static dt_vouching what(const dt_run *run) {
    const dt_rounds *r = run->rounds;
    return (dt_vouching){run->session.recipe->sites.mailbox, &r->members, r->recipe_hash};
}

/* What all have alike of a state, and no name of a site's file. */
static dt_state common_of(dt_run *run) {
    dt_state state = *dt_snapshot_state(&run->snapshot, &run->ledger);
    state.recipe = "# what several sites have in common\n";
    state.data = NULL;
    state.beside_count = 0;
    state.may_commit = NULL;
    return state;
}

dt_status dt_rounds_vouch(dt_run *run) {
    const dt_rounds *r = run->rounds;
    const int64_t keep = run->session.recipe->sites.keep, round = run->ledger.position.step;
    if (r->mine < 0 || !r->alone || keep == 0 || round == 0 || round % keep != 0) return dt_ok();
    const dt_vouching v = what(run);
    const dt_state state = common_of(run);
    return dt_session_agree(&run->session, run->session.first ? dt_vouch(&v, r->mine, r->key, &state) : dt_ok());
}

/* ---- taking it over ---- */

/* Nothing of what a site has to itself may be missing: the sum of all control variates is the common one, and what was
 * spent of a budget is never to be forgotten. */
static dt_status check_own(const dt_run *run, int64_t at) {
    const dt_recipe *recipe = run->session.recipe;
    const char *lacks = recipe->sites.control      ? "its control variate (sites.control)"
                        : recipe->privacy.clip > 0 ? "what it spent (privacy)"
                                                   : NULL;
    if (!lacks) return dt_ok();
    return dt_fail(DT_ERR_INPUT,
                   "round %lld: its files are gone from %s, and the common state of a later one cannot be taken over "
                   "without %s of the rounds between; give back the run directory as it was",
                   (long long)at, recipe->sites.mailbox, lacks);
}

/* Rank 0. *taken: the arrays are those of this state, and a quorum signed them. */
static dt_status try_state(dt_run *run, const dt_vouched *one, bool *taken) {
    const dt_rounds *r = run->rounds;
    const dt_vouching v = what(run);
    dt_state state = common_of(run);
    int count = 0;
    *taken = false;
    dt_status status = dt_checkpoint_verify(one->path, NULL);
    if (status.code == DT_OK) status = dt_checkpoint_load(one->path, &state, false);
    if (status.code == DT_OK) status = dt_vouch_count(&v, one, &state, &count);
    if (status.code == DT_ERR_MEMORY) return status;
    if (status.code == DT_OK && count < r->members.quorum)
        status = dt_fail(DT_ERR_CORRUPT,
                         "%s: %d of the %d sites that are needed signed that this is the common state of "
                         "round %lld",
                         one->path, count, r->members.quorum, (long long)one->round);
    *taken = status.code == DT_OK;
    if (*taken)
        run->ledger.position = state.position;
    else
        dt_log_warn("%s", status.message);
    return dt_ok();
}

/* Rank 0. */
static dt_status take_over(dt_run *run, bool *taken) {
    const dt_rounds *r = run->rounds;
    const dt_vouching v = what(run);
    const int64_t at = run->ledger.position.step;
    bool gone;
    int count = 0;
    *taken = false;
    DT_TRY(dt_vouch_is_gone(&v, at, &gone));
    if (!gone) return dt_ok();
    dt_vouched *list = dt_alloc(DT_MOST_VOUCHED, sizeof *list);
    dt_status status = list ? dt_vouch_list(&v, at + 1, list, &count)
                            : dt_fail_memory("the states in a mailbox", DT_MOST_VOUCHED * sizeof *list);
    if (status.code == DT_OK && count > 0) status = check_own(run, at);
    for (int i = 0; i < count && status.code == DT_OK && !*taken; i++) status = try_state(run, &list[i], taken);
    dt_free(list);
    DT_TRY(status);
    if (count > 0 && !*taken)
        return dt_fail(DT_ERR_CORRUPT,
                       "round %lld: its files are gone from %s, and none of the %d common states there "
                       "is what a quorum of the sites signed (see above)",
                       (long long)at, v.mailbox, count);
    return *taken ? dt_vouch_note_lost(&v, r->mine, r->records) : dt_ok();
}

static void tell(const dt_run *run, int64_t before) {
    const dt_rounds *r = run->rounds;
    dt_log_note(
        "the files of round %lld are gone from %s: the common state of round %lld is taken over, which a quorum "
        "of the sites signed",
        (long long)before, run->session.recipe->sites.mailbox, (long long)run->ledger.position.step);
    for (int i = 0; i < DT_KEPT_COUNT; i++)
        if (r->kept[i].elements > 0) {
            dt_log_warn("what this site keeps from round to round goes on as it was in its round %lld, or begins anew "
                        "(sites.optimizer, wire, local)",
                        (long long)before);
            return;
        }
}

dt_status dt_rounds_catch_up(dt_run *run) {
    const dt_rounds *r = run->rounds;
    const dt_session *session = &run->session;
    const int64_t before = run->ledger.position.step;
    bool taken = false;
    if (!r || r->mine < 0 || !r->alone) return dt_ok();
    DT_TRY(dt_session_agree(session, session->first ? take_over(run, &taken) : dt_ok()));
    DT_TRY(dt_comm_broadcast(session->comm, &taken, sizeof taken, 0));
    if (!taken) return dt_ok();
    run->rounds->middle.round = -1;
    DT_TRY(dt_run_share(run));
    if (session->first) tell(run, before);
    return dt_ok();
}
