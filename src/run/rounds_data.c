/* Which samples a site has: those of its file where there is a file for each, else a part that the data is dealt in. */
#include <string.h>

#include "base/memory.h"
#include "rounds.h"
#include "site/chosen.h"
#include "site/partition.h"

/* Of every sample its file, which is its site: samples come file after file. */
static dt_status deal_by_files(dt_rounds *r, const dt_source *source) {
    int64_t site = 0;
    for (int64_t sample = 0; sample < source->samples; sample++) {
        int64_t file = dt_source_file_of(source, sample);
        while (site <= file) r->samples.first[site++] = sample;
        r->samples.list[sample] = sample;
    }
    while (site <= r->sites) r->samples.first[site++] = source->samples;
    return dt_ok();
}

static int64_t *labels_of(const dt_source *source) {
    int64_t *labels = dt_alloc((size_t)source->samples, sizeof *labels);
    for (int64_t i = 0; labels && i < source->samples; i++) labels[i] = dt_source_label(source, i);
    return labels;
}

static dt_status deal_parts(dt_rounds *r, const dt_source *source, const dt_recipe *recipe) {
    dt_partition partition;
    dt_site_parts dealt = {0};
    DT_TRY(dt_status_within(dt_partition_read(&partition, recipe->sites.partition), "sites.partition"));
    int64_t *labels = NULL;
    if (dt_partition_by_class(&partition)) {
        if (!source->targets.labels || source->targets.positions != 1)
            return dt_fail(DT_ERR_INPUT, "sites.partition is %s, but samples of %s have no class each; use iid",
                           recipe->sites.partition, source->x_name);
        labels = labels_of(source);
        if (!labels) return dt_fail_memory("the labels of all samples", (size_t)source->samples * sizeof *labels);
    }
    dt_status status = dt_parts_deal(&dealt, &partition, r->sites, source->samples, labels, recipe->seed);
    dt_free(labels);
    if (status.code == DT_OK) {
        memcpy(r->samples.list, dealt.rows, (size_t)source->samples * sizeof *dealt.rows);
        memcpy(r->samples.first, dealt.first, ((size_t)r->sites + 1) * sizeof *dealt.first);
    }
    dt_parts_finish(&dealt);
    return dt_status_within(status, "sites.partition");
}

static dt_status check_files(const dt_source *source, const dt_recipe *recipe, int64_t files) {
    const int64_t count = recipe->sites.count;
    if (files != count)
        return dt_fail(DT_ERR_INPUT,
                       "data.file names %lld files but sites.count is %lld; there is a file for each site, or one for "
                       "all (to deal the samples of several: sites.simulate)",
                       (long long)files, (long long)count);
    if (strcmp(recipe->sites.partition, "iid") != 0)
        return dt_fail(DT_ERR_INPUT, "sites.partition is %s, but every site has a file of its own (default iid)",
                       recipe->sites.partition);
    if (source->about.tokens > 0 && source->about.predicts_tokens)
        return dt_fail(DT_ERR_INPUT, "a text of several files is one text; give sites one file (sites.partition: iid)");
    return dt_ok();
}

/* All there is, of this job's site. */
static void take_all(dt_rounds *r, const dt_source *source) {
    for (int64_t sample = 0; sample < source->samples; sample++) r->samples.list[sample] = sample;
    for (int site = 0; site <= r->sites; site++) r->samples.first[site] = site > r->mine ? source->samples : 0;
}

static dt_status check_sites(const dt_rounds *r) {
    for (int site = 0; site < r->sites; site++)
        if (r->samples.first[site] == r->samples.first[site + 1])
            return dt_fail(DT_ERR_INPUT, "site %d has no training samples", site);
    return dt_ok();
}

static dt_status deal_samples(dt_rounds *r, const dt_source *source, const dt_recipe *recipe) {
    r->samples.list = dt_alloc((size_t)source->samples, sizeof *r->samples.list);
    r->samples.first = dt_alloc((size_t)r->sites + 1, sizeof *r->samples.first);
    if (!r->samples.list || !r->samples.first)
        return dt_fail_memory("the samples of the sites", (size_t)source->samples * sizeof *r->samples.list);
    if (r->mine >= 0) {
        take_all(r, source);
        return dt_ok();
    }
    int64_t files = dt_source_files(source);
    if (recipe->sites.count == 0 || files <= 1) return deal_parts(r, source, recipe);
    DT_TRY(check_files(source, recipe, files));
    DT_TRY(deal_by_files(r, source));
    return check_sites(r);
}

dt_status dt_rounds_deal_samples(dt_rounds *r, const dt_session *session, const dt_source *source) {
    return dt_session_agree(session, deal_samples(r, source, session->recipe));
}

/* ---- one of them ---- */

static int64_t samples_of(const dt_rounds *r, int site) {
    return r->samples.first[site + 1] - r->samples.first[site];
}

static int64_t steps_per_epoch(const dt_rounds *r, int site) {
    return (samples_of(r, site) + r->recipe.train.batch - 1) / r->recipe.train.batch;
}

int64_t dt_rounds_steps(const dt_rounds *r, int site) {
    dt_course course = {.steps_per_epoch = steps_per_epoch(r, site)};
    return dt_course_span(&course, r->recipe.sites.round);
}

/* A site stands where it would if it had taken part in every round, so nothing of it has to be kept. */
int64_t dt_rounds_be(dt_rounds *r, int site, int64_t round, int64_t done) {
    const int64_t steps = dt_rounds_steps(r, site), per_epoch = steps_per_epoch(r, site);
    const int64_t at = round * steps + done;
    r->recipe.seed = dt_site_seed(r->seed, site);
    r->data.train.samples = samples_of(r, site);
    r->data.train.among = r->samples.list + r->samples.first[site];
    r->course.samples = samples_of(r, site);
    r->course.steps_per_epoch = per_epoch;
    r->course.total_steps = r->recipe.sites.rounds * steps;
    r->course.first_step = 0;
    r->ledger = (dt_ledger){
        .position = {.step = at, .epoch = at / per_epoch, .sample = at % per_epoch * r->recipe.train.batch}};
    return steps;
}
