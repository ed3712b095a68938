/* Tables and texts of a report. */
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/append.h"
#include "base/file.h"
#include "base/memory.h"
#include "compare.h"
#include "html.h"
#include "page.h"

/* The share of the processors' limit that training reaches; NaN: unknown. */
static double share_of_limit(const dt_view *view) {
    const dt_start_told *start = dt_story_start(&view->story);
    const double *speed = dt_thin_last(view->plots[DT_PLOT_SPEED]);
    double rate = view->story.ended        ? view->story.end_rate
                  : speed && !view->tokens ? speed[DT_PLOT_FIRST]
                                           : (double)NAN;
    return start && start->peak_flops > 0 && rate > 0 ? rate * start->flops_per_sample / start->peak_flops
                                                      : (double)NAN;
}

/* ---- summary ---- */

typedef void (*put_cell)(FILE *to, const dt_view *view);

static void put_last(FILE *to, const dt_view *view, dt_plot plot, int column, int digits) {
    const double *row = dt_thin_last(view->plots[plot]);
    dt_html_number(to, row ? row[column] : (double)NAN, digits);
}

static void put_best(FILE *to, const dt_view *view) {
    dt_figure judge = dt_view_judge(view);
    if (judge == DT_FIGURE_END) {
        fputs("–", to);
        return;
    }
    dt_report_figure(to, judge, view->best[judge][DT_PLOT_FIRST]);
    fprintf(to, " <small>%s, epoch %.4g</small>", dt_view_figure_name(view, judge), view->best[judge][DT_PLOT_EPOCH]);
}

static void put_train_loss(FILE *to, const dt_view *view) {
    put_last(to, view, DT_PLOT_LOSS, DT_PLOT_FIRST, 4);
}

static void put_steps(FILE *to, const dt_view *view) {
    const dt_start_told *start = dt_story_start(&view->story);
    put_last(to, view, DT_PLOT_LOSS, DT_PLOT_STEP, 6);
    if (!start) return;
    fputs(" <small>of ", to);
    dt_html_number(to, start->total_steps, 6);
    fputs("</small>", to);
}

static void put_seconds(FILE *to, const dt_view *view) {
    dt_html_seconds(to, view->seconds > 0 ? view->seconds : (double)NAN);
}

static void put_speed(FILE *to, const dt_view *view) {
    if (view->story.ended && !view->tokens && view->story.end_rate > 0)
        dt_html_number(to, view->story.end_rate, 3);
    else
        put_last(to, view, DT_PLOT_SPEED, DT_PLOT_FIRST, 3);
    fprintf(to, " <small>%s</small>", view->tokens ? "tokens/s" : "samples/s");
}

static void put_share(FILE *to, const dt_view *view) {
    double share = share_of_limit(view);
    if (isnan(share))
        fputs("–", to);
    else
        fprintf(to, "%.2g\u202f%% <small>of the processors' multiply-adds</small>", 100 * share);
}

static void put_parameters(FILE *to, const dt_view *view) {
    const dt_start_told *start = dt_story_start(&view->story);
    dt_html_number(to, start ? start->parameters : (double)NAN, 6);
}

static void put_restarts(FILE *to, const dt_view *view) {
    int64_t starts = view->story.all_starts;
    fprintf(to, "%lld", (long long)(starts > 0 ? starts - 1 : 0));
    if (view->story.rollbacks > 0) fprintf(to, " <small>and %lld rollbacks</small>", (long long)view->story.rollbacks);
}

static void put_checkpoints(FILE *to, const dt_view *view) {
    const dt_story *story = &view->story;
    fprintf(to, "%lld", (long long)story->all_checkpoints);
    if (story->all_checkpoints > 0)
        fprintf(to, " <small>%.2g s each, %.2g s of them from training</small>",
                story->checkpoint_seconds / (double)story->all_checkpoints,
                story->checkpoint_cost / (double)story->all_checkpoints);
}

static void put_memory(FILE *to, const dt_view *view) {
    const double *row = dt_thin_last(view->plots[DT_PLOT_MEMORY]);
    if (row)
        fprintf(to, "%.3g MB <small>of the largest rank</small>", row[DT_PLOT_FIRST + 1] / 1e6);
    else
        fputs("–", to);
}

static void put_digest(FILE *to, const dt_view *view) {
    fputs("<code>", to);
    dt_html_text(to, view->story.ended ? view->story.digest : "–", false);
    fputs("</code>", to);
}

/* Two runs whose newest links are alike were alike at every link before. */
static void put_chain(FILE *to, const dt_view *view) {
    const dt_joint *joint = &view->joint;
    if (joint->links == 0) {
        fputs("–", to);
        return;
    }
    fprintf(to, "<code>%016llx</code> <small>link %lld, step ", (unsigned long long)joint->link,
            (long long)joint->links);
    dt_html_number(to, joint->link_step, 6);
    fputs("</small>", to);
}

static void put_rounds(FILE *to, const dt_view *view) {
    const dt_joint *joint = &view->joint;
    dt_html_number(to, joint->rounds > 0 ? joint->round : (double)NAN, 6);
    if (joint->rounds == 0) return;
    fputs(" <small>of ", to);
    dt_html_number(to, joint->sites, 6);
    fputs(" sites, ", to);
    dt_html_number(to, joint->bytes / 1e6, 3);
    fputs(" MB sent</small>", to);
}

static void put_privacy(FILE *to, const dt_view *view) {
    const dt_joint *joint = &view->joint;
    dt_html_number(to, joint->epsilon, 5);
    if (!isfinite(joint->epsilon)) return;
    fputs(" <small>at step ", to);
    dt_html_number(to, joint->epsilon_step, 6);
    fputs("</small>", to);
}

static void put_audits(FILE *to, const dt_view *view) {
    dt_html_number(to, view->story.audits, 6);
    fputs(" <small>steps computed again by another rank, in ", to);
    dt_html_seconds(to, view->story.audit_seconds);
    fputs("</small>", to);
}

static bool is_audited(const dt_view *view) {
    return view->story.all_audits > 0;
}

static bool has_audits(const dt_view *view) {
    return view->story.audits > 0;
}

static bool has_chain(const dt_view *view) {
    return view->joint.links > 0;
}

static bool has_rounds(const dt_view *view) {
    return view->joint.rounds > 0;
}

static bool has_privacy(const dt_view *view) {
    return !isnan(view->joint.epsilon);
}

static const struct {
    const char *title;
    put_cell put;
    bool (*has)(const dt_view *view); /* NULL: all runs have it */
} facts[] = {{"Best", put_best, NULL},
             {"Training loss", put_train_loss, NULL},
             {"Steps", put_steps, NULL},
             {"Time", put_seconds, NULL},
             {"Throughput", put_speed, NULL},
             {"Share of the limit", put_share, NULL},
             {"Parameters", put_parameters, NULL},
             {"Restarts", put_restarts, NULL},
             {"Checkpoints", put_checkpoints, NULL},
             {"Memory", put_memory, NULL},
             {"Digest", put_digest, NULL},
             {"Chain of digests", put_chain, has_chain},
             {"Audits", put_audits, has_audits},
             {"Computed again", dt_report_audited, is_audited},
             {"Rounds", put_rounds, has_rounds},
             {"Privacy spent, ε", put_privacy, has_privacy}};
#define FACTS (sizeof facts / sizeof *facts)

/* Whether fact i is one of any of these runs. */
static bool is_known(size_t i, const dt_view *views, int count) {
    bool known = !facts[i].has;
    for (int j = 0; j < count && !known; j++) known = facts[i].has(&views[j]);
    return known;
}

static void put_run_head(FILE *to, const dt_view *view, int number) {
    fprintf(to, "<th scope=col><i class=\"key k%d\"></i>", number);
    dt_html_text(to, view->name, false);
    fprintf(to, " <span class=\"state %c\">%s</span></th>", dt_report_state(view)[0], dt_report_state(view));
}

void dt_report_summary(FILE *to, const dt_view *views, int count) {
    if (count == 1) {
        fputs("<section id=summary><dl class=facts>\n", to);
        for (size_t i = 0; i < FACTS; i++) {
            if (!is_known(i, views, 1)) continue;
            fprintf(to, "<div><dt>%s</dt><dd>", facts[i].title);
            facts[i].put(to, views);
            fputs("</dd></div>\n", to);
        }
        fputs("</dl></section>\n", to);
        return;
    }
    fputs("<section id=summary><h2>Runs and what differs</h2><div class=scroll><table class=runs><thead><tr><td></td>",
          to);
    for (int j = 0; j < count; j++) put_run_head(to, &views[j], j);
    fputs("</tr></thead><tbody>\n", to);
    for (size_t i = 0; i < FACTS; i++) {
        if (!is_known(i, views, count)) continue;
        fprintf(to, "<tr><th scope=row>%s</th>", facts[i].title);
        for (int j = 0; j < count; j++) {
            fputs("<td>", to);
            facts[i].put(to, &views[j]);
            fputs("</td>", to);
        }
        fputs("</tr>\n", to);
    }
    dt_report_differences(to, views, count);
    fputs("</tbody></table></div></section>\n", to);
}

/* ---- where the time goes ---- */

static int by_seconds(const void *a, const void *b) {
    double first = ((const dt_late_rank *)a)->seconds, second = ((const dt_late_rank *)b)->seconds;
    return (first < second) - (first > second);
}

/* Bars by rank: the ranks others waited for most. */
static void put_late(FILE *to, const dt_view *view) {
    dt_late_rank late[DT_VIEW_LATE];
    if (view->late_count == 0) return;
    memcpy(late, view->late, sizeof late);
    qsort(late, (size_t)view->late_count, sizeof *late, by_seconds);
    fputs("<table class=late><caption>Ranks that computed longer than the mean, for which the others "
          "waited</caption><tbody>",
          to);
    for (int i = 0; i < view->late_count && i < 8; i++)
        fprintf(
            to,
            "<tr><th scope=row>rank %d</th><td class=n>%.3g s</td><td><span class=\"part p1\" style=\"width:%.3g%%\">"
            "</span></td><td class=n>in %lld of %lld intervals</td></tr>",
            late[i].rank, late[i].seconds, 100 * late[i].seconds / late[0].seconds, (long long)late[i].intervals,
            (long long)view->intervals);
    fputs("</tbody></table>", to);
}

void dt_report_time(FILE *to, const dt_view *views, int count) {
    static const char *const names[DT_VIEW_PHASES] = {"input", "compute", "reduce", "update", "evaluate", "checkpoint"};
    static const char *const means[DT_VIEW_PHASES] = {"fetching and scaling samples",
                                                      "forward and backward",
                                                      "gradients across ranks, and waiting for them",
                                                      "the optimizer",
                                                      "evaluations",
                                                      "checkpoints"};
    fputs("<section id=time><h2>Where the time goes</h2>\n", to);
    for (int j = 0; j < count; j++) {
        double sum = 0;
        for (int i = 0; i < DT_VIEW_PHASES; i++) sum += views[j].phases[i];
        if (!(sum > 0)) continue;
        fputs("<figure class=bar>", to);
        if (count > 1) {
            fprintf(to, "<figcaption><i class=\"key k%d\"></i>", j);
            dt_html_text(to, views[j].name, false);
            fputs("</figcaption>", to);
        }
        fputs("<div class=stack>", to);
        for (int i = 0; i < DT_VIEW_PHASES; i++) {
            double share = 100 * views[j].phases[i] / sum;
            if (share < 0.05) continue;
            fprintf(to, "<span class=\"part p%d\" style=\"flex-grow:%.4g\" title=\"%s: %s, %.3g s of a rank\">", i,
                    share, names[i], means[i], views[j].phases[i]);
            if (share >= 7) fprintf(to, "<b>%s</b> %.0f\u202f%%", names[i], share);
            fputs("</span>", to);
        }
        fputs("</div><p class=note>", to);
        for (int i = 0, shown = 0; i < DT_VIEW_PHASES; i++)
            if (views[j].phases[i] > 0)
                fprintf(to, "%s<i class=\"dot p%d\"></i>%s %.3g s (%.1f\u202f%%)", shown++ ? " · " : "", i, names[i],
                        views[j].phases[i], 100 * views[j].phases[i] / sum);
        if (views[j].usual > 0 && views[j].slowest > views[j].usual)
            fprintf(to, " · the slowest rank of an interval computes %.1f\u202f%% longer than the mean",
                    100 * (views[j].slowest / views[j].usual - 1));
        fputs("</p>", to);
        put_late(to, &views[j]);
        fputs("</figure>\n", to);
    }
    fputs("</section>\n", to);
}

/* ---- samples of text ---- */

#define MOST_SAMPLES 6
#define MOST_SAMPLE 1500 /* bytes of one */

static int is_text(const struct dirent *entry) {
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > 4 && strcmp(entry->d_name + length - 4, ".txt") == 0;
}

static void put_sample(FILE *to, const char *directory, const char *name) {
    char path[4096], text[MOST_SAMPLE + 1];
    int fd;
    int64_t bytes;
    if (dt_path_join(path, directory, name).code != DT_OK || dt_file_open(path, &fd, &bytes).code != DT_OK) return;
    ssize_t got = read(fd, text, MOST_SAMPLE);
    close(fd);
    if (got <= 0) return;
    text[got] = '\0';
    fputs("<figure class=sample><figcaption>", to);
    dt_html_text(to, name, false);
    fputs("</figcaption><pre>", to);
    dt_html_text(to, text, true);
    fprintf(to, "%s</pre></figure>\n", bytes > got ? " […]" : "");
}

void dt_report_samples(FILE *to, const dt_view *views, int count) {
    bool begun = false;
    for (int j = 0; j < count; j++) {
        char directory[4096];
        struct dirent **names = NULL;
        if (dt_path_join(directory, views[j].directory, "samples").code != DT_OK) continue;
        int found = scandir(directory, &names, is_text, versionsort);
        if (found > 0 && !begun) fputs("<section id=samples><h2>Samples</h2><div class=samples>\n", to);
        begun = begun || found > 0;
        for (int i = 0; i < found; i++) {
            bool shown = found <= MOST_SAMPLES || i == 0 || i > found - MOST_SAMPLES; /* the first, and the newest */
            if (shown) put_sample(to, directory, names[i]->d_name);
            free(names[i]);
        }
        free(names);
    }
    if (begun) fputs("</div></section>\n", to);
}

/* ---- warnings ---- */

void dt_report_warnings(FILE *to, const dt_view *views, int count) {
    bool begun = false;
    for (int j = 0; j < count; j++) {
        const dt_story *story = &views[j].story;
        if (story->all_warnings == 0) continue;
        if (!begun) fputs("<section id=warnings><h2>Warnings</h2><ul class=warnings>\n", to);
        begun = true;
        for (int i = 0; i < story->warning_count; i++) {
            const dt_warning_told *w = &story->warnings[i];
            fputs("<li>", to);
            if (w->count > 1) fprintf(to, "<b>%lld times</b> ", (long long)w->count);
            dt_html_text(to, w->text, false);
            if (w->count > 1)
                fprintf(to, " <small>steps %.0f to %.0f</small>", w->first_step, w->last_step);
            else
                fprintf(to, " <small>step %.0f</small>", w->first_step);
            fputs("</li>\n", to);
        }
        if (story->other_warnings > 0) fprintf(to, "<li>and %lld others</li>\n", (long long)story->other_warnings);
    }
    if (begun) fputs("</ul></section>\n", to);
}

/* ---- starts ---- */

static void put_start(FILE *to, const dt_start_told *s) {
    fputs("<tr><td>", to);
    dt_html_text(to, s->time, false);
    fputs("</td><td class=n>", to);
    dt_html_number(to, s->step, 6);
    fprintf(to, "</td><td class=n>%.0f</td><td class=n>%.0f</td><td class=n>%.0f</td><td>", s->ranks, s->threads,
            s->shards);
    dt_html_text(to, s->hosts, false);
    fputs("</td><td>", to);
    dt_html_text(to, s->isa, false);
    fprintf(to, "</td><td class=n>%.3g</td><td>dtrain ", s->peak_flops / 1e9);
    dt_html_text(to, s->program, false);
    fputs("</td></tr>\n", to);
}

void dt_report_starts(FILE *to, const dt_view *views, int count) {
    fputs("<section id=machines><h2>Starts and machines</h2><div class=scroll><table><thead><tr>", to);
    fputs("<th>Time (UTC)</th><th class=n>From step</th><th class=n>Ranks</th><th class=n>Threads</th><th "
          "class=n>Shards</th>"
          "<th>Hosts (ranks)</th><th>Instructions</th><th class=n>Limit, GF/s</th><th>Version</th></tr></thead>\n",
          to);
    for (int j = 0; j < count; j++) {
        fputs("<tbody>", to);
        if (count > 1) {
            fputs("<tr><th colspan=9 scope=rowgroup>", to);
            dt_html_text(to, views[j].name, false);
            fputs("</th></tr>", to);
        }
        for (int i = 0; i < views[j].story.start_count; i++) {
            put_start(to, &views[j].story.starts[i]);
        }
        fputs("</tbody>\n", to);
    }
    fputs("</table></div></section>\n", to);
}

/* ---- recipes ---- */

/* As a shell takes it. */
static void put_quoted(FILE *to, const char *text) {
    bool plain =
        *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+,")] == '\0';
    if (plain) {
        dt_html_text(to, text, false);
        return;
    }
    fputs("&#39;", to);
    while (*text) {
        char piece[4096];
        size_t length = strcspn(text, "'");
        snprintf(piece, sizeof piece, "%.*s", (int)length, text);
        dt_html_text(to, piece, false);
        text += length;
        if (*text) fputs("&#39;\\&#39;&#39;", to), text++;
    }
    fputs("&#39;", to);
}

static void put_command(FILE *to, const dt_view *view) {
    const dt_start_told *start = dt_story_start(&view->story);
    char path[4096], again[4096] = "";
    if (dt_path_join(path, view->directory, "recipe.yaml").code != DT_OK) return;
    dt_append(again, sizeof again, "%s-again", view->directory);
    fprintf(to, "<pre class=command>mpirun -n %.0f dtrain train ", start ? start->ranks : 1);
    put_quoted(to, path);
    fputs(" --run ", to);
    put_quoted(to, again);
    fputs("</pre>", to);
}

void dt_report_recipes(FILE *to, const dt_view *views, int count) {
    fputs("<section id=recipe><h2>Recipe, and the command that repeats the run</h2>\n", to);
    for (int j = 0; j < count; j++) {
        if (count > 1) {
            fprintf(to, "<h3><i class=\"key k%d\"></i>", j);
            dt_html_text(to, views[j].name, false);
            fputs("</h3>", to);
        }
        put_command(to, &views[j]);
        fputs(
            "<p class=note>Gives the same digest on any number of ranks up to the run's shards.</p><details><summary>",
            to);
        dt_html_text(to, views[j].directory, false);
        fputs("/recipe.yaml, every field with its value</summary><pre class=recipe>", to);
        dt_html_text(to, views[j].recipe ? views[j].recipe : "There is no recipe.yaml that can be read.", true);
        fputs("</pre></details>\n", to);
    }
    fputs("</section>\n", to);
}
