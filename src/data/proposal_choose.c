/* Which datasets a first recipe learns what from: those that are wished; those with the usual names; or, of a table,
 * the one column of strings that are classes from the columns of numbers beside it. */
#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "base/escape.h"
#include "base/memory.h"
#include "proposal_internal.h"

/* ---- by name ---- */

static const dt_survey_set *find_first(const dt_survey *survey, const char *const *paths) {
    for (; *paths; paths++) {
        const dt_survey_set *found = dt_survey_find(survey, *paths);
        if (found) return found;
    }
    return NULL;
}

static dt_status fail_unclear(const dt_plan *p, const char *which, const char *option) {
    char names[256] = "";
    for (int32_t i = 0; i < p->survey->count; i++) {
        char name[60];
        dt_append(names, sizeof names, "%s%s", i ? ", " : "",
                  dt_escape_name(name, sizeof name, p->survey->sets[i].path));
    }
    return dt_fail(DT_ERR_INPUT, "%s: which dataset has the %s? %s names it; the file holds %s", p->file, which, option,
                   *names ? names : "none");
}

static dt_status find_named(const dt_plan *p, const char *path, const char *option, const dt_survey_set **out) {
    *out = dt_survey_find(p->survey, path);
    if (*out) return dt_ok();
    size_t length = strlen(path);
    for (int32_t i = 0; i < p->survey->count; i++)
        if (strncmp(p->survey->sets[i].path, path, length) == 0 && p->survey->sets[i].path[length] == '[')
            return dt_fail(DT_ERR_INPUT, "%s: %s: %.80s is compound: say which of its fields, as in %.200s", p->file,
                           option, path, p->survey->sets[i].path);
    return dt_fail(DT_ERR_INPUT, "%s: %s: there is no dataset %.80s", p->file, option, path);
}

/* ---- by what they are ---- */

/* The length of what comes before a column's own name: "/group/", "/table[". */
static size_t parent_of(const char *path) {
    const char *bracket = strchr(path, '['), *slash = strrchr(path, '/');
    return bracket ? (size_t)(bracket - path) + 1 : slash ? (size_t)(slash - path) + 1 : 0;
}

static bool has_rows(const dt_survey_set *s, int64_t rows) {
    return !s->fault[0] && !s->text && s->shape.rank > 0 && s->shape.dim[0] == rows;
}

static bool is_beside(const dt_survey_set *one, const dt_survey_set *other) {
    size_t parent = parent_of(one->path);
    return parent == parent_of(other->path) && strncmp(one->path, other->path, parent) == 0;
}

/* Few strings, each of several rows. */
static bool is_category(const dt_survey_set *s) {
    return s->strings && !s->fault[0] && s->distinct > 1 && s->distinct <= (s->rows - s->missing) / 2;
}

/* Each row's own number, one after the other: it says nothing of the row. */
static bool is_counter(const dt_survey_set *s) {
    return s->distinct > 2 && s->distinct == s->shape.dim[0] && s->whole &&
           s->most - s->least <= (double)(s->distinct - 1);
}

/* Numbers beside y that may be learned from. */
static bool is_input(const dt_plan *p, const dt_survey_set *s) {
    return s != p->y && has_rows(s, p->y->shape.dim[0]) && is_beside(s, p->y) && !s->strings && !is_counter(s);
}

/* The one set of strings that are classes, beside numbers of as many rows; NULL: there is none, or there are more. */
static const dt_survey_set *find_category(const dt_plan *p) {
    const dt_survey_set *found = NULL;
    for (int32_t i = 0; i < p->survey->count; i++) {
        const dt_survey_set *s = &p->survey->sets[i];
        bool numbers = p->x != NULL;
        if (!is_category(s) || (p->x && !has_rows(s, p->x->shape.dim[0]))) continue;
        for (int32_t k = 0; k < p->survey->count && !numbers; k++) {
            const dt_survey_set *other = &p->survey->sets[k];
            numbers = has_rows(other, s->shape.dim[0]) && is_beside(other, s) && !other->strings;
        }
        if (numbers && found) return NULL;
        if (numbers) found = s;
    }
    return found;
}

/* ---- several as one ---- */

/* A dataset as a list of them has it: in quotes where it has signs of the list in it. */
static bool append_dataset(dt_plan *p, bool first, const char *path) {
    bool plain = !strpbrk(path, ",[]{}'\" ");
    bool fits = dt_append(p->x_name, sizeof p->x_name, first ? "[%s" : ", %s", plain ? "" : "'");
    for (; *path && fits; path++) {
        fits = dt_append(p->x_name, sizeof p->x_name, !plain && *path == '\'' ? "''" : "%.1s", path);
    }
    return fits && (plain || dt_append(p->x_name, sizeof p->x_name, "'"));
}

static bool append_field(dt_plan *p, bool first, const char *path) {
    size_t parent = parent_of(path), length = strlen(path);
    return dt_append(p->x_name, sizeof p->x_name, "%.*s%.*s", first ? (int)parent : 2, first ? path : ", ",
                     (int)(length - parent - 1), path + parent);
}

static void take_in(dt_survey_set *joined, const dt_survey_set *s, bool first) {
    if (first || s->least < joined->least) joined->least = s->least;
    if (first || s->most > joined->most) joined->most = s->most;
    joined->missing += s->missing;
    joined->shape.dim[1] += dt_shape_count(&s->shape) / s->shape.dim[0];
}

/* Side by side, all that may be learned from. */
static dt_status join_inputs(dt_plan *p) {
    const bool fields = strchr(p->y->path, '[') != NULL;
    bool first = true, fits = true;
    p->joined = dt_alloc(1, sizeof *p->joined);
    if (!p->joined) return dt_fail_memory("a dataset", sizeof *p->joined);
    p->joined->shape = (dt_shape){2, {p->y->shape.dim[0], 0}};
    for (int32_t i = 0; i < p->survey->count; i++) {
        const dt_survey_set *s = &p->survey->sets[i];
        if (!is_input(p, s)) continue;
        fits = fits && s->shape.rank <= 2 && (!fields || s->shape.rank == 1) &&
               (fields ? append_field(p, first, s->path) : append_dataset(p, first, s->path));
        take_in(p->joined, s, first);
        first = false;
    }
    fits = fits && dt_append(p->x_name, sizeof p->x_name, "]");
    p->x = p->joined;
    return fits ? dt_ok() : fail_unclear(p, "samples", "--x");
}

static dt_status find_inputs(dt_plan *p) {
    int count = 0;
    for (int32_t i = 0; i < p->survey->count; i++) {
        const dt_survey_set *s = &p->survey->sets[i];
        if (!is_input(p, s)) continue;
        p->x = s;
        count++;
    }
    if (!p->x || p->survey->more) return fail_unclear(p, "samples", "--x");
    if (count > 1) DT_TRY(join_inputs(p));
    int left = 0;
    for (int32_t i = 0; i < p->survey->count && left < DT_PLAN_LEFT; i++) {
        const dt_survey_set *s = &p->survey->sets[i];
        bool beside = is_beside(s, p->y) && s->shape.rank > 0 && s->shape.dim[0] == p->y->shape.dim[0];
        if (beside && s != p->y && s != p->x && !is_input(p, s)) p->left_out[left++] = s;
    }
    return dt_ok();
}

/* ---- */

static const dt_survey_set *find_targets(const dt_plan *p) {
    static const char *const ys[] = {"/train/y",       "/y_train", "/Y_train", "/y",       "/Y",      "/train/labels",
                                     "/train/targets", "/labels",  "/label",   "/targets", "/target", NULL};
    const dt_survey_set *found = find_first(p->survey, ys);
    return found ? found : find_category(p);
}

dt_status dt_proposal_choose(dt_plan *p, const dt_proposal_wish *wish) {
    static const char *const xs[] = {"/train/x", "/x_train", "/X_train", "/x", "/X", NULL};
    if (p->survey->checkpoint)
        return dt_fail(DT_ERR_INPUT, "%s: is a checkpoint, which has a recipe (dtrain inspect shows it)", p->file);
    if (*wish->x) DT_TRY(find_named(p, wish->x, "--x", &p->x));
    if (*wish->y) DT_TRY(find_named(p, wish->y, "--y", &p->y));
    if (!p->x && !p->y && (p->x = dt_survey_find(p->survey, "/train/tokens"))) p->tokens = true;
    if (!p->x) p->x = find_first(p->survey, xs);
    if (p->x && p->x->fault[0]) return dt_fail(DT_ERR_INPUT, "%s", p->x->fault);
    if (p->tokens) return dt_ok();
    if (!p->y) p->y = find_targets(p);
    if (!p->y) return p->x ? fail_unclear(p, "labels or targets", "--y") : fail_unclear(p, "samples", "--x");
    if (p->y->fault[0]) return dt_fail(DT_ERR_INPUT, "%s", p->y->fault);
    if (!p->x) {
        dt_status found = find_inputs(p);
        if (found.code != DT_OK || !p->x) return found;
    }
    if (!*p->x_name) snprintf(p->x_name, sizeof p->x_name, "%s", p->x->path);
    p->tests = strcmp(p->x->path, "/train/x") == 0 && strcmp(p->y->path, "/train/y") == 0 &&
               dt_survey_find(p->survey, "/test/x") && dt_survey_find(p->survey, "/test/y");
    return dt_ok();
}
