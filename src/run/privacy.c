/* How a step is private. The sum over a batch that Poisson sampling drew, of gradients clipped sample by sample,
 * crosses as integers whose exponent was fixed beforehand; Gaussian noise is added to the sum, once, by whoever takes
 * it; it is divided by the size batches are expected to have; and the accountant knows of it. Nothing else of the
 * samples is told: no loss, no size of a batch. */
#include "privacy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "privacy_key.h"
#include "privacy_sites.h"
#include "site/private_change.h"

#define SLACK 0x1p-12      /* of a norm: what float32 may make of it, and of sums */
#define LIMIT (0x1p31 - 1) /* of a word */
#define AT_ONCE 128        /* rows whose gradients, one by one, are still in the caches when all norms are known */

/* ---- planning ---- */

/* The identity of private data is in checkpoints, and fingerprints answer to whoever has all samples but one: only
 * whoever has the key can compare them then. */
static void hide_identity(dt_privacy *privacy, dt_run_data *data) {
    privacy->open = data->identity;
    for (int i = 0; i < data->identity.count; i++) {
        dt_identity_part *part = &data->identity.parts[i];
        if (strncmp(part->role, "train_", 6) == 0) part->fingerprint = dt_noise_hide(privacy->noise, part->fingerprint);
    }
    dt_identity_text(&data->identity, data->identity_text);
}

void dt_privacy_warn(const dt_session *session, const dt_run_data *data) {
    const dt_recipe *recipe = session->recipe;
    const dt_recipe_privacy *privacy = &recipe->privacy;
    if (!session->first || privacy->clip == 0) return;
    if (privacy->reproducible_noise >= 0)
        dt_log_warn("privacy.reproducible_noise is %lld: whoever knows that can take the noise off, so this run is a "
                    "rehearsal and not private",
                    (long long)privacy->reproducible_noise);
    if (privacy->noise == 0)
        dt_log_warn("privacy.noise is 0: what there is to hide is clipped, but this run is not private");
    const bool of_sites = dt_privacy_hides_sites(recipe);
    const int64_t all = of_sites ? dt_recipe_sites_of(recipe) : data->train.samples;
    const char *noun = of_sites ? "site" : "sample";
    if (privacy->delta * (double)all > 1)
        dt_log_warn("privacy.delta is %g, which is above 1/%lld %ss: publishing a %s would count as private",
                    privacy->delta, (long long)all, noun, noun);
    if (dt_recipe_cuts(&recipe->data, DT_SPLIT_TRAIN))
        dt_log_warn(
            "the data a private run is judged by is cut from its training data (data.split): its figures tell of "
            "these samples, which no epsilon accounts for");
    else if (recipe->checkpoint.best != DT_BEST_NONE || recipe->train.patience > 0)
        dt_log_warn("%s: what is chosen by evaluations is private only if the data they are made on is public",
                    recipe->train.patience > 0 ? "train.patience" : "checkpoint.best");
}

dt_status dt_privacy_open(dt_privacy *privacy, const dt_session *session, dt_run_data *data, bool goes_on) {
    const dt_recipe *recipe = session->recipe;
    if (recipe->privacy.clip == 0) return dt_ok();
    privacy->recipe = &recipe->privacy;
    DT_TRY(dt_session_agree(session, dt_noise_open(&privacy->noise)));
    DT_TRY(dt_session_agree(session, session->first ? dt_privacy_key(privacy->noise, session, goes_on) : dt_ok()));
    DT_TRY(dt_comm_broadcast(session->comm, dt_noise_secret(privacy->noise), DT_NOISE_SECRET, 0));
    dt_noise_name(privacy->noise, privacy->name);
    hide_identity(privacy, data);
    return dt_ok();
}

/* No batch is as large as that in the life of the universe: by Chernoff's bound one is in one of e^72 steps. */
static int64_t largest_batch(const dt_course *course, int64_t samples) {
    double batch = (double)course->batch;
    int64_t most = (int64_t)ceil(batch + 12 * sqrt(batch) + 48);
    return most < samples ? most : samples;
}

static dt_status scale_samples(const dt_privacy *privacy, const dt_course *course, dt_privacy_scale *out) {
    const dt_recipe_privacy *recipe = privacy->recipe;
    const int64_t samples = privacy->samples;
    if (course->batch > samples)
        return dt_fail(DT_ERR_INPUT,
                       "train.batch is %lld but there are %lld samples; a sample would have to be drawn with "
                       "a probability above 1",
                       (long long)course->batch, (long long)samples);
    out->rate = (double)course->batch / (double)samples;
    out->draw = recipe->noise * recipe->clip;
    out->most = (double)largest_batch(course, samples) * recipe->clip + DT_NOISE_MOST * out->draw;
    return dt_ok();
}

dt_status dt_privacy_plan(dt_privacy *privacy, const dt_session *session, const dt_course *course, int64_t samples) {
    const dt_recipe *recipe = session->recipe;
    if (!privacy->recipe) return dt_ok();
    privacy->samples = samples;
    const bool of_sites = dt_privacy_hides_sites(recipe);
    dt_privacy_scale scale;
    DT_TRY(of_sites ? dt_privacy_scale_sites(&scale, recipe) : scale_samples(privacy, course, &scale));
    privacy->rate = scale.rate;
    privacy->room = of_sites ? dt_recipe_sites_of(recipe) : largest_batch(course, samples);
    privacy->chosen = dt_alloc((size_t)privacy->room, sizeof *privacy->chosen);
    dt_status status = privacy->chosen ? dt_ok() : dt_fail_memory("a batch", (size_t)privacy->room * sizeof(int64_t));
    DT_TRY(dt_session_agree(session, status));
    privacy->exponent = ilogb(LIMIT / scale.most / (1 + SLACK));
    if (privacy->exponent > 100 || privacy->exponent < -100)
        return dt_fail(DT_ERR_INPUT,
                       "privacy.clip is %g, and words of the wire cannot be scaled for that; choose one "
                       "nearer to 1",
                       recipe->privacy.clip);
    privacy->deviation = ldexp(scale.draw, privacy->exponent);
    if (!of_sites || scale.draw == 0 || privacy->deviation >= DT_SHARE_LEAST) return dt_ok();
    return dt_fail(DT_ERR_INPUT,
                   "privacy.noise is %g, which is too little to be told from rounding; raise it or leave it out",
                   recipe->privacy.noise);
}

int64_t dt_privacy_rows_at_once(const dt_privacy *privacy, const dt_recipe *recipe, const dt_course *course) {
    double batch = (double)course->batch;
    int64_t usual = (int64_t)ceil((batch + 2 * sqrt(batch)) / (double)course->shards);
    if (usual > privacy->samples) usual = privacy->samples;
    if (recipe->train.micro_batch == 0 && usual > AT_ONCE) return AT_ONCE;
    return recipe->train.micro_batch > 0 && recipe->train.micro_batch < usual ? recipe->train.micro_batch : usual;
}

/* What becomes of a sum has no part in it: the optimizer and its schedule of a step's, the outer rule of a round's; nor
 * has in which of two ways it is said how many sites there are. */
static bool is_behind(const dt_recipe *recipe, const char *key) {
    if (dt_privacy_hides_sites(recipe))
        return strncmp(key, "sites.outer.", 12) == 0 || strcmp(key, "sites.count") == 0 ||
               strcmp(key, "sites.simulate") == 0;
    return strncmp(key, "optimizer.", 10) == 0 || strncmp(key, "schedule.", 9) == 0;
}

/* The fields of the recipe that a sum follows from, the layers and the data, as text; of a site among others who it is,
 * and who they are. */
static dt_status describe(dt_privacy *privacy, const dt_session *session, const dt_run_data *data,
                          const dt_yaml *layers) {
    const dt_recipe *recipe = session->recipe;
    const bool elsewhere = dt_recipe_has_mailbox(recipe);
    FILE *stream = open_memstream(&privacy->about, &privacy->about_bytes);
    char *text = dt_yaml_emit(layers), *members = elsewhere ? dt_yaml_emit(recipe->members) : NULL;
    bool complete = stream && text && (members || !elsewhere);
    for (const dt_field *field = dt_recipe_fields; complete && field->key; field++) {
        char value[DT_VALUE_TEXT];
        if (!(field->flags & DT_FIELD_ARITHMETIC) || is_behind(recipe, field->key) ||
            dt_field_is_default(field, recipe))
            continue; /* a field that a later version adds has its default in older recipes */
        dt_field_text(field, recipe, value);
        fprintf(stream, "%s: %s\n", field->key, value);
    }
    if (complete) fprintf(stream, "%s\n%s\n", text, data->identity_text);
    if (complete && dt_privacy_hides_sites(recipe))
        fprintf(stream, "%lld sites, draws of %a\n", (long long)dt_recipe_sites_of(recipe), privacy->deviation);
    if (complete && dt_privacy_hides_sites(recipe) && recipe->schedule.kind != DT_SCHEDULE_CONSTANT)
        fprintf(stream, "of %lld rounds\n", (long long)recipe->sites.rounds);
    if (complete && members) fprintf(stream, "%s of\n%s\n", session->options->site, members);
    dt_free(members);
    dt_free(text);
    if (stream && fclose(stream) != 0) complete = false;
    return complete ? dt_ok() : dt_fail_memory("the recipe", DT_VALUE_TEXT);
}

dt_status dt_privacy_settle(dt_privacy *privacy, const dt_session *session, const dt_run_data *data,
                            const dt_model *model, const dt_course *course) {
    if (!privacy->recipe) return dt_ok();
    dt_yaml *layers = NULL;
    dt_status status = dt_model_resolved(model, &layers);
    if (status.code == DT_OK) status = describe(privacy, session, data, layers);
    dt_yaml_destroy(layers);
    DT_TRY(status);
    /* With another sample, each shard's words may be rounded otherwise: by one, in every element. */
    double elements = (double)dt_model_table(model)->trained, rounding = (double)course->shards * sqrt(elements);
    if (dt_privacy_hides_sites(session->recipe)) rounding = dt_change_rounding(elements);
    double left = privacy->recipe->clip - ldexp(rounding, -privacy->exponent);
    privacy->clip = left * (1 - SLACK);
    if (left > 0.5 * privacy->recipe->clip) return dt_ok();
    return dt_fail(DT_ERR_INPUT,
                   "privacy: %.0f elements in %lld shards are rounded by as much as a sample may count for; use fewer "
                   "shards (train.shards) or a smaller batch",
                   elements, (long long)course->shards);
}

bool dt_privacy_is_of_steps(const dt_privacy *privacy) {
    return privacy->recipe && privacy->recipe->unit == DT_PRIVATE_SAMPLE;
}

void dt_privacy_close(dt_privacy *privacy) {
    dt_noise_close(privacy->noise);
    dt_free(privacy->chosen);
    free(privacy->about);
    *privacy = (dt_privacy){.recipe = NULL};
}

/* ---- in a checkpoint ---- */

int dt_privacy_put(dt_privacy *privacy, dt_beside *out) {
    if (!privacy->recipe) return 0;
    out[0].array = (dt_extra){"privacy_spent", DT_F64, sizeof privacy->spent / sizeof(double), &privacy->spent};
    out[1].array = (dt_extra){"privacy_key", DT_U8, DT_NOISE_NAME, privacy->name};
    return DT_PRIVACY_BESIDE;
}

dt_status dt_privacy_follows(const dt_privacy *privacy, const dt_checkpoint_head *head, const char *path, bool *open) {
    dt_recipe before;
    *open = false;
    if (!privacy->recipe) return dt_ok();
    DT_TRY(dt_recipe_read_resolved(&before, path, head->recipe));
    *open = before.privacy.clip == 0;
    const bool other = !*open && before.privacy.unit != privacy->recipe->unit;
    dt_recipe_finish(&before);
    if (other)
        return dt_fail(DT_ERR_INPUT, "%s: privacy.unit was another; what was spent on samples is not spent on sites",
                       path);
    if (!*open || head->position.step == 0) return dt_ok(); /* weights that were brought here */
    return dt_fail(DT_ERR_INPUT, "%s: its %lld steps were not private, and further ones do not change that", path,
                   (long long)head->position.step);
}

dt_status dt_privacy_take(const dt_privacy *privacy, const dt_beside *beside, int64_t step, const char *path) {
    uint8_t name[DT_NOISE_NAME];
    if (!privacy->recipe) return dt_ok();
    if (step == 0 && !beside[0].found) return dt_ok();
    if (!beside[0].found || !beside[1].found)
        return dt_fail(DT_ERR_CORRUPT, "%s: it does not say what it has spent of its privacy", path);
    DT_TRY(dt_status_within(dt_spent_check(&privacy->spent), "%s", path));
    dt_noise_name(privacy->noise, name);
    if (memcmp(name, privacy->name, sizeof name) == 0) return dt_ok();
    return dt_fail(
        DT_ERR_INPUT,
        "%s: was made with the noise of another key; steps that are made again would have other noise, which "
        "nobody accounts for: give the key it was made with (--privacy-key)",
        path);
}

dt_status dt_privacy_bound(dt_privacy *privacy, dt_course *course, const dt_position *position) {
    const dt_recipe_privacy *recipe = privacy->recipe;
    if (!recipe || recipe->max_epsilon == 0) return dt_ok();
    int64_t wanted = course->total_steps - position->step;
    if (wanted <= 0) return dt_ok();
    int64_t fits =
        dt_steps_within(&privacy->spent, privacy->rate, recipe->noise, recipe->delta, recipe->max_epsilon, wanted);
    privacy->limits = fits < wanted;
    course->total_steps = position->step + fits;
    if (course->total_steps > 0) return dt_ok();
    return dt_fail(DT_ERR_INPUT,
                   "privacy.max_epsilon is %g, and the first %s would be above it; raise it or privacy.noise",
                   recipe->max_epsilon, recipe->unit == DT_PRIVATE_SITE ? "round" : "step");
}

/* ---- a step ---- */

/* What is known of a run's end by its model alone, and not by any sample (per_sample.h leaves those out that are no
 * numbers). */
static dt_status check_weights(int64_t step, const dt_real *weights, size_t count) {
    dt_real sum = 0;
    for (size_t i = 0; i < count; i++) sum += weights[i] * 0;
    if (sum == 0) return dt_ok();
    return dt_fail(DT_ERR_DIVERGED, "step %lld: the weights are no longer numbers; lower optimizer.lr",
                   (long long)step);
}

dt_status dt_privacy_begin(dt_privacy *privacy, int64_t all, int64_t step, const dt_real *weights, size_t count) {
    DT_TRY(check_weights(step, weights, count));
    dt_noise_begin(privacy->noise, step, privacy->about, privacy->about_bytes, weights, count * sizeof *weights);
    privacy->rows = dt_noise_choose(privacy->noise, privacy->rate, all, privacy->chosen, privacy->room);
    if (privacy->rows <= privacy->room) return dt_ok();
    return dt_fail(DT_ERR_MEMORY, "step %lld: a batch was drawn that is larger than any was expected to be",
                   (long long)step);
}

void dt_privacy_disturb(void *privacy, int32_t *words, size_t begin, size_t count) {
    const dt_privacy *own = privacy;
    dt_noise_add(own->noise, own->deviation, words, begin, count);
}

dt_status dt_privacy_end(dt_privacy *privacy) {
    return dt_spend(&privacy->spent, privacy->rate, privacy->recipe->noise);
}

double dt_privacy_epsilon(const dt_privacy *privacy) {
    return dt_epsilon(&privacy->spent, privacy->recipe->delta);
}
