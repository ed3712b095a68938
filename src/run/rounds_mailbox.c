/* A run that is one of several sites, of which the others are elsewhere: who it is, by what key, and what their recipes
 * must have alike. */
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/memory.h"
#include "notes.h"
#include "privacy_sites.h"
#include "rounds.h"
#include "site/exchange_mailbox.h"
#include "site/exchange_masked.h"
#include "site/key.h"
#include "site/mailbox.h"

/* Of data, what all must treat alike; where it is and how it lies there is a site's own affair. */
static const char *const alike_of_data[] = {"data.normalize",
                                            "data.normalize_by",
                                            "data.mean",
                                            "data.std",
                                            "data.augment.crop_padding",
                                            "data.missing",
                                            "data.augment.flip",
                                            "data.shuffle",
                                            "data.shuffle_block",
                                            "data.shuffle_window",
                                            "data.context",
                                            "data.vocabulary",
                                            "data.windows",
                                            "data.objective",
                                            "data.mask_rate",
                                            "data.pad",
                                            "data.target.mean",
                                            "data.target.std",
                                            "data.target.normalize",
                                            NULL};
/* Which sites there are is said by the members; the rest is for rehearsals. */
static const char *const not_alike[] = {"sites.count", "sites.simulate", "sites.partition", NULL};

static bool is_listed(const char *const *list, const char *key) {
    for (int i = 0; list[i]; i++)
        if (strcmp(list[i], key) == 0) return true;
    return false;
}

static bool is_alike(const dt_recipe *recipe, const dt_field *field) {
    if (strncmp(field->key, "data.", 5) == 0) return is_listed(alike_of_data, field->key);
    /* what ends a run, for all at the same time */
    if (dt_privacy_hides_sites(recipe) && strncmp(field->key, "privacy.", 8) == 0) return true;
    if (strcmp(field->key, "sites.masks") == 0 || strcmp(field->key, "sites.threshold") == 0) return true;
    if (strcmp(field->key, "sites.rounds") == 0) return recipe->schedule.kind != DT_SCHEDULE_CONSTANT;
    return (field->flags & DT_FIELD_ARITHMETIC) && !is_listed(not_alike, field->key);
}

static void add_text(XXH3_state_t *state, const char *text) {
    XXH3_64bits_update(state, text, strlen(text) + 1);
}

/* Over the resolved recipe, so that what one says and another leaves to the default is alike. */
dt_status dt_rounds_hash_recipe(const char *resolved, uint64_t *hash) {
    dt_recipe *recipe = dt_alloc(1, sizeof *recipe);
    XXH3_state_t *state = XXH3_createState();
    dt_status status = recipe && state ? dt_recipe_read_resolved(recipe, "the recipe", resolved)
                                       : dt_fail_memory("a hash of the recipe", sizeof *recipe);
    if (status.code == DT_OK) {
        XXH3_64bits_reset(state);
        for (const dt_field *field = dt_recipe_fields; field->key; field++) {
            char text[DT_VALUE_TEXT];
            if (!is_alike(recipe, field)) continue;
            dt_field_text(field, recipe, text);
            add_text(state, field->key);
            add_text(state, text);
        }
        const dt_yaml *const trees[] = {recipe->layers, recipe->groups};
        for (int i = 0; i < 2 && status.code == DT_OK; i++) {
            char *text = trees[i] ? dt_yaml_emit(trees[i]) : dt_strdup("");
            if (text)
                add_text(state, text);
            else
                status = dt_fail_memory("a hash of the recipe", 1);
            dt_free(text);
        }
        *hash = XXH3_64bits_digest(state);
    }
    if (recipe) dt_recipe_finish(recipe);
    dt_free(recipe);
    XXH3_freeState(state);
    return status;
}

static double seconds_of(dt_span span) {
    return span.unit == DT_SPAN_SECONDS ? span.value : 0;
}

static void note_waits(void *context, const char *what) {
    dt_note_waits(context, what);
}

/* Rank 0. */
static dt_status open_box(dt_run *run, dt_mailbox **out) {
    dt_rounds *r = run->rounds;
    const dt_session *session = &run->session;
    const dt_recipe_sites *sites = &session->recipe->sites;
    char path[4096];
    DT_TRY(dt_site_key_path(path, session->options->site, session->options->key));
    DT_TRY(dt_site_key_read(&r->key, path));
    if (strcmp(dt_site_key_name(r->key), session->options->site) != 0)
        return dt_fail(DT_ERR_USAGE, "--site %.60s: %s is the key of site %s", session->options->site, path,
                       dt_site_key_name(r->key));
    DT_TRY(dt_path_join(r->records, session->directory, "site"));
    const dt_mailbox_options options = {.directory = sites->mailbox,
                                        .records = r->records,
                                        .members = &r->members,
                                        .key = r->key,
                                        .recipe = r->recipe_hash,
                                        .keep = sites->keep,
                                        .forget = sites->forget,
                                        .wait = seconds_of(sites->wait),
                                        .deadline = seconds_of(sites->deadline),
                                        .waits = note_waits,
                                        .context = run};
    DT_TRY(dt_mailbox_open(out, &options));
    dt_status status = dt_mailbox_send_again(*out);
    if (status.code == DT_OK) return status;
    dt_mailbox_close(*out);
    *out = NULL;
    return status;
}

/* Rank 0. */
static dt_status open_replay(dt_run *run) {
    dt_rounds *r = run->rounds;
    const dt_recipe_sites *sites = &run->session.recipe->sites;
    char records[4096];
    DT_TRY(dt_path_join(records, run->session.options->again, "site"));
    return dt_replay_open(&r->replay,
                          &(dt_replay_options){sites->mailbox, records, &r->members, r->mine, sites->masks});
}

dt_status dt_rounds_find_mine(dt_rounds *r, const dt_session *session) {
    const dt_recipe *recipe = session->recipe;
    r->mine = -1;
    if (!dt_recipe_has_mailbox(recipe)) return dt_ok();
    bool all = recipe->sites.deadline.unit == DT_SPAN_NEVER;
    DT_TRY(dt_members_decode(&r->members, recipe->members, recipe->sites.quorum, all));
    r->mine = dt_members_find(&r->members, session->options->site);
    if (r->mine >= 0 && recipe->sites.masks)
        return dt_masked_check(&r->members, r->chosen, (int)recipe->sites.threshold);
    if (r->mine >= 0) return dt_ok();
    return dt_fail(DT_ERR_USAGE, "--site %.60s is none of sites.members", session->options->site);
}

dt_status dt_rounds_open_mailbox(dt_run *run) {
    dt_rounds *r = run->rounds;
    dt_mailbox *box = NULL;
    const dt_session *session = &run->session;
    DT_TRY(dt_session_agree(session, dt_rounds_hash_recipe(run->snapshot.recipe, &r->recipe_hash)));
    if (session->options->again) {
        DT_TRY(dt_session_agree(session, session->first ? open_replay(run) : dt_ok()));
        return dt_exchange_again(&r->exchange, &r->session.ranks, r->replay);
    }
    DT_TRY(dt_session_agree(session, session->first ? open_box(run, &box) : dt_ok()));
    const dt_recipe_sites *sites = &session->recipe->sites;
    const dt_masked_sites masked = {box, &r->members, r->key, (int)sites->threshold};
    return sites->masks ? dt_exchange_masked(&r->exchange, &r->session.ranks, &masked)
                        : dt_exchange_mailbox(&r->exchange, &r->session.ranks, box);
}

void dt_rounds_close_mailbox(dt_rounds *r) {
    dt_site_key_close(r->key);
    dt_members_close(&r->members);
}
