#include "claims.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "config/recipe.h"

/* Two files say different things of a step. */
static void contradict(dt_claims *c, int64_t step, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void contradict(dt_claims *c, int64_t step, const char *format, ...) {
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (c->contradictions++ == 0) c->first_contradiction = step;
    if (c->contradictions <= 10) dt_log_error("%s: %s", c->run, text);
}

static const char *name_of(const dt_kept_checkpoint *kept) {
    const char *slash = strrchr(kept->path, '/');
    return slash ? slash + 1 : kept->path;
}

/* ---- checkpoints ---- */

static bool is_alike(const dt_claims *c, const dt_checkpoint_head *head) {
    bool same_data = (!head->data && !c->data) || (head->data && c->data && strcmp(head->data, c->data) == 0);
    return same_data && dt_recipe_compare(head->recipe, c->recipe, NULL).code == DT_OK;
}

/* The newest that is whole gives the recipe; it is the first that is asked for. */
static dt_status take_head(dt_claims *c, dt_kept_checkpoint *kept, dt_checkpoint_head *head) {
    if (!c->recipe) {
        DT_TRY(dt_checkpoint_verify(kept->path, NULL));
        c->recipe = head->recipe;
        c->data = head->data;
        head->recipe = head->data = NULL;
        kept->usable = true;
    } else {
        kept->usable = is_alike(c, head);
    }
    kept->step = head->position.step;
    kept->digest = head->digest;
    return dt_link_of_checkpoint(kept->path, &kept->chain);
}

static dt_status look_at(dt_claims *c, const char *path) {
    dt_kept_checkpoint *kept = &c->kept[c->kept_count];
    dt_checkpoint_head head;
    snprintf(kept->path, sizeof kept->path, "%s", path);
    dt_status status = dt_checkpoint_head_read(path, &head);
    if (status.code == DT_OK) {
        status = take_head(c, kept, &head);
        dt_checkpoint_head_finish(&head);
    }
    if (status.code == DT_ERR_CORRUPT || status.code == DT_ERR_INPUT) {
        contradict(c, kept->step, "%s", status.message);
        return dt_ok();
    }
    if (status.code != DT_OK) return dt_checkpoint_vanished(path) ? dt_ok() : status;
    c->usable += kept->usable;
    c->kept_count++;
    return dt_ok();
}

static int by_step(const void *a, const void *b) {
    const dt_kept_checkpoint *one = a, *two = b;
    return (one->step > two->step) - (one->step < two->step);
}

/* Newest first; of a checkpoint itself. *paths is to dt_free. */
static dt_status list_checkpoints(const char *target, char (**paths)[4096], int *count) {
    struct stat info;
    char directory[4096];
    if (stat(target, &info) != 0) return dt_fail(DT_ERR_USAGE, "%s: no such run directory or checkpoint", target);
    if (!S_ISREG(info.st_mode)) {
        DT_TRY(dt_path_join(directory, target, "checkpoints"));
        return dt_checkpoint_list(directory, paths, count);
    }
    *paths = dt_alloc(1, sizeof **paths);
    if (!*paths) return dt_fail_memory("a path", sizeof **paths);
    snprintf(**paths, sizeof **paths, "%s", target);
    *count = 1;
    return dt_ok();
}

static dt_status open_checkpoints(dt_claims *c) {
    char(*paths)[4096];
    int count;
    DT_TRY(list_checkpoints(c->run, &paths, &count));
    c->kept = dt_alloc((size_t)count + 1, sizeof *c->kept);
    dt_status status = c->kept ? dt_ok() : dt_fail_memory("the list of checkpoints", (size_t)count * sizeof *c->kept);
    for (int i = 0; i < count && status.code == DT_OK; i++) status = look_at(c, paths[i]);
    dt_free(paths);
    DT_TRY(status);
    if (c->kept_count == 0)
        return dt_fail(DT_ERR_USAGE,
                       "%s: no checkpoint that is whole here; recipe and final state of a run are in its newest one",
                       c->run);
    qsort(c->kept, (size_t)c->kept_count, sizeof *c->kept, by_step);
    c->newest = c->kept_count - 1;
    for (int i = 1; i < c->kept_count; i++)
        if (c->kept[i].step == c->kept[i - 1].step)
            return dt_fail(DT_ERR_INPUT, "%s and %s are both of step %" PRId64, c->kept[i - 1].path,
                           name_of(&c->kept[i]), c->kept[i].step);
    return dt_ok();
}

/* ---- the chain ---- */

/* Rows up to a step; they are in order. */
static int64_t rows_until(const dt_links *links, int64_t step) {
    int64_t low = 0, high = links->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (links->rows[middle].step <= step)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void check_order(dt_claims *c) {
    dt_links *links = &c->links;
    for (int64_t i = 1; i < links->count; i++) {
        if (links->rows[i].step > links->rows[i - 1].step) continue;
        contradict(c, links->rows[i].step,
                   "metrics.jsonl: the link of step %" PRId64 " comes behind that of step %" PRId64,
                   links->rows[i].step, links->rows[i - 1].step);
        links->count = i;
    }
}

/* A value follows from the one before. Where that one is missing nothing can be said, which is no way out for who
 * changed one: of rows at their distance none is missing between. */
static void check_values(dt_claims *c, int64_t every) {
    const dt_links *links = &c->links;
    dt_link_row before = {0, 0, 0};
    for (int64_t i = 0; i < links->count; i++) {
        const dt_link_row *row = &links->rows[i];
        bool follows = row->value == dt_link_value(before.value, (uint64_t)row->step, row->digest);
        bool next = row->step - before.step == every;
        if (!follows && (next || c->missing == 0))
            contradict(c, row->step,
                       "metrics.jsonl: the link of step %" PRId64 " does not follow from that of step %" PRId64
                       ": a row was changed",
                       row->step, before.step);
        else
            c->unchecked += !follows;
        before = *row;
    }
}

/* What a checkpoint knows of the chain, and its own digest, beside the rows. */
static void check_kept(dt_claims *c, const dt_kept_checkpoint *kept, bool judged) {
    const dt_links *links = &c->links;
    const dt_link *chain = &kept->chain;
    const int64_t step = (int64_t)chain->step, rows = rows_until(links, step);
    const dt_link_row *row = rows > 0 ? &links->rows[rows - 1] : NULL;
    bool there = row && row->step == step;
    if (chain->links > 0 && there && (row->digest != chain->digest || row->value != chain->value))
        contradict(c, step,
                   "the link of step %" PRId64 " is %016" PRIx64 " of digest %016" PRIx64
                   " in metrics.jsonl, and %016" PRIx64 " of digest %016" PRIx64 " in %s",
                   step, row->value, row->digest, chain->value, chain->digest, name_of(kept));
    if (chain->links < (uint64_t)rows)
        contradict(c, step,
                   "%s has a chain of %" PRIu64 " links, of which metrics.jsonl has %" PRId64 " up to step %" PRId64,
                   name_of(kept), chain->links, rows, step);
    int64_t own = rows_until(links, kept->step);
    row = own > 0 ? &links->rows[own - 1] : NULL;
    if (!judged && row && row->step == kept->step && row->digest != kept->digest)
        contradict(c, kept->step,
                   "the state of step %" PRId64 " has digest %016" PRIx64 " in metrics.jsonl, and %016" PRIx64 " in %s",
                   kept->step, row->digest, kept->digest, name_of(kept));
}

static dt_status check_chain(dt_claims *c) {
    dt_recipe recipe;
    memset(&recipe, 0, sizeof recipe);
    dt_status status = dt_recipe_read_resolved(&recipe, c->kept[c->newest].path, c->recipe);
    bool judged = recipe.checkpoint.best != DT_BEST_NONE;
    const int64_t every = recipe.train.chain;
    dt_recipe_finish(&recipe);
    DT_TRY(status);
    check_order(c);
    const dt_link *newest = &c->kept[c->newest].chain;
    int64_t there = rows_until(&c->links, (int64_t)newest->step);
    if (newest->links > (uint64_t)there) c->missing = (int64_t)(newest->links - (uint64_t)there);
    check_values(c, every);
    for (int i = 0; i < c->kept_count; i++)
        if (c->kept[i].usable) check_kept(c, &c->kept[i], judged);
    return dt_ok();
}

static dt_status open_chain(dt_claims *c) {
    dt_status read = dt_links_read(c->run, &c->links);
    c->recorded = read.code == DT_OK;
    const char *instead = "--checkpoints audits by the digests of checkpoints instead";
    const uint64_t known = c->kept[c->newest].chain.links;
    if (read.code != DT_OK)
        return read.code == DT_ERR_MEMORY ? read
                                          : dt_fail(DT_ERR_USAGE, "%s; of %d checkpoints there are digests: %s",
                                                    read.message, c->kept_count, instead);
    if (c->links.count == 0 && known == 0)
        return dt_fail(
            DT_ERR_USAGE,
            "%s has no chain of digests (train.chain, steps between two links, was 0, or more than it made); "
            "%s (of %d)",
            c->run, instead, c->kept_count);
    if (c->links.count == 0)
        return dt_fail(DT_ERR_USAGE, "%s: metrics.jsonl has none of the %" PRIu64 " links of its chain; %s (of %d)",
                       c->run, known, instead, c->kept_count);
    return check_chain(c);
}

/* Where there are no rows: what each checkpoint knows as the newest link. */
static dt_status take_links_of_checkpoints(dt_claims *c) {
    dt_links *links = &c->links;
    dt_free(links->rows);
    links->count = 0;
    links->rows = dt_alloc((size_t)c->kept_count, sizeof *links->rows);
    if (!links->rows) return dt_fail_memory("links", (size_t)c->kept_count * sizeof *links->rows);
    for (int i = 0; i < c->kept_count; i++) {
        const dt_link *chain = &c->kept[i].chain;
        int64_t before = links->count > 0 ? links->rows[links->count - 1].step : 0;
        if (chain->links > 0 && chain->step <= (uint64_t)c->kept[i].step && (int64_t)chain->step > before)
            links->rows[links->count++] = (dt_link_row){(int64_t)chain->step, chain->digest, chain->value};
    }
    return dt_ok();
}

/* ---- together ---- */

static dt_status merge(dt_claims *c) {
    const dt_links *links = &c->links;
    size_t most = (size_t)links->count + (size_t)c->kept_count + 1;
    c->all = dt_alloc(most, sizeof *c->all);
    if (!c->all) return dt_fail_memory("the list of digests", most * sizeof *c->all);
    c->all[0].kept = -1;
    c->count = 1;
    int64_t row = 0;
    for (int kept = 0; row < links->count || kept < c->kept_count;) {
        int64_t linked = row < links->count ? links->rows[row].step : INT64_MAX;
        int64_t of_kept = kept < c->kept_count ? c->kept[kept].step : INT64_MAX;
        int64_t step = linked < of_kept ? linked : of_kept;
        dt_claim *claim = step == 0 ? &c->all[0] : &c->all[c->count++];
        *claim = (dt_claim){.step = step, .linked = linked == step, .kept = of_kept == step ? kept : -1};
        if (claim->linked) claim->link = links->rows[row++];
        kept += of_kept == step;
    }
    return dt_ok();
}

dt_status dt_claims_open(dt_claims *c, const char *run, dt_claimed_by by) {
    memset(c, 0, sizeof *c);
    c->run = run;
    DT_TRY(open_checkpoints(c));
    if (by == DT_CLAIMED_BY_CHAIN) DT_TRY(open_chain(c));
    if (by != DT_CLAIMED_BY_CHAIN) c->recorded = dt_links_read(run, &c->links).code == DT_OK;
    if (by == DT_CLAIMED_BY_CHECKPOINTS) c->links.count = 0; /* its evaluations count */
    if (by == DT_CLAIMED_BY_EITHER)
        DT_TRY(c->recorded && c->links.count > 0 ? check_chain(c) : take_links_of_checkpoints(c));
    return merge(c);
}

void dt_claims_close(dt_claims *c) {
    dt_links_finish(&c->links);
    dt_free(c->kept);
    dt_free(c->recipe);
    dt_free(c->data);
    dt_free(c->all);
    memset(c, 0, sizeof *c);
}
