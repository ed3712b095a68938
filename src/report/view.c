#include "view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

#define MOST_RECIPE (1 << 18) /* bytes */

#define SITE_COLUMNS                                                                                                   \
    { "step", "epoch", "seconds", "least", "mean", "most", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9" }
const dt_plot_table dt_plots[DT_PLOT_COUNT] = {
    [DT_PLOT_LOSS] = {"loss", {"step", "epoch", "seconds", "loss"}, 3, 500},
    [DT_PLOT_RATE] = {"rate", {"step", "epoch", "seconds", "learning_rate"}, 3, 250},
    [DT_PLOT_NORM] = {"norm", {"step", "epoch", "seconds", "grad_norm"}, 3, 250},
    [DT_PLOT_SPEED] = {"speed", {"step", "epoch", "seconds", "per_second"}, 3, 250},
    [DT_PLOT_TIME] = {"time", {"step", "epoch", "seconds", "input", "compute", "reduce", "update", "all"}, 7, 250},
    [DT_PLOT_SKEW] = {"skew", {"step", "epoch", "seconds", "skew"}, 3, 250},
    [DT_PLOT_MEMORY] = {"memory", {"step", "epoch", "seconds", "mean", "most"}, 4, 250},
    [DT_PLOT_FIGURES] = {"figures",
                         {"step", "epoch", "seconds", "train_loss", "train_accuracy", "loss", "accuracy", "top5", "mae",
                          "perplexity", "bits_per_char"},
                         DT_FIGURE_LOSS,
                         250},
    [DT_PLOT_SITES] = {"sites", SITE_COLUMNS, 4, 250},
    [DT_PLOT_ACCURACIES] = {"accuracies", SITE_COLUMNS, 4, 250},
    [DT_PLOT_PARTS] = {"parts", {"step", "epoch", "seconds", "took_part", "left_out"}, 4, 250},
    [DT_PLOT_BYTES] = {"bytes", {"step", "epoch", "seconds", "sent", "round"}, 4, 250},
    [DT_PLOT_PRIVACY] = {"privacy", {"step", "epoch", "seconds", "epsilon"}, 3, 250},
};

/* ---- rows ---- */

enum {
    LOSS = DT_PLOT_FIRST,
    RATE,
    NORM,
    SAMPLES,
    TOKENS,
    INPUT,
    COMPUTE,
    COMPUTE_MOST,
    REDUCE,
    UPDATE,
    EVALUATE,
    CHECKPOINT,
    MEMORY,
    MEMORY_MOST,
};
static const char *const train_columns[] = {
    "step",          "epoch",         "seconds",         "loss",         "learning_rate", "grad_norm",
    "samples_per_s", "tokens_per_s",  "input_mean",      "compute_mean", "compute_max",   "reduce_mean",
    "update_mean",   "evaluate_mean", "checkpoint_mean", "memory_mean",  "memory_max",    NULL};
static const char *const epoch_columns[] = {"step",
                                            "epoch",
                                            "seconds",
                                            "train_loss",
                                            "train_accuracy",
                                            "test_loss",
                                            "test_accuracy",
                                            "test_top5",
                                            "test_mae",
                                            "test_perplexity",
                                            "test_bits_per_char",
                                            "validation_loss",
                                            "validation_accuracy",
                                            "validation_top5",
                                            "validation_mae",
                                            "validation_perplexity",
                                            "validation_bits_per_char",
                                            NULL};
static const char *const late_columns[] = {"step", "rank", "busy", "busy_mean", NULL};
static const dt_history_series wanted[] = {
    {"train", train_columns}, {"epoch", epoch_columns}, {"late", late_columns}, DT_JOINT_ROWS};
enum { TRAIN, EPOCH, LATE, JOINT, WANTED = JOINT + DT_JOINT_SERIES };
enum { JUDGED = DT_FIGURE_END - DT_FIGURE_LOSS }; /* figures of the data that judges */

static void begin(void *context) {
    dt_view *v = context;
    for (int i = 0; i < DT_PLOT_COUNT; i++) dt_thin_clear(v->plots[i]);
    for (int i = 0; i < DT_FIGURE_END; i++) v->best[i][DT_PLOT_FIRST] = (double)NAN;
    memset(v->phases, 0, sizeof v->phases);
    v->last_step = v->seconds = v->slowest = v->usual = v->sent = 0;
    v->validated = false;
    v->late_count = 0;
    v->intervals = 0;
    dt_joint_begin(&v->joint);
}

static void add(dt_view *v, dt_plot plot, const double *row, double value) {
    dt_thin_add(v->plots[plot], (double[]){row[0], row[1], row[2], value});
}

static void add_times(dt_view *v, const double *row) {
    static const int columns[DT_VIEW_PHASES] = {INPUT, COMPUTE, REDUCE, UPDATE, EVALUATE, CHECKPOINT};
    double steps = row[DT_PLOT_STEP] - v->last_step, times[8] = {row[0], row[1], row[2]};
    for (int i = 0; i < DT_VIEW_PHASES; i++)
        if (row[columns[i]] > 0) v->phases[i] += row[columns[i]];
    if (row[COMPUTE_MOST] > 0) {
        v->slowest += row[COMPUTE_MOST];
        v->usual += row[COMPUTE];
    }
    if (!(steps > 0)) return;
    for (int i = 0; i < 4; i++) {
        times[DT_PLOT_FIRST + i] = 1e3 * row[columns[i]] / steps;
        times[7] += times[DT_PLOT_FIRST + i];
    }
    dt_thin_add(v->plots[DT_PLOT_TIME], times);
}

static void take_interval(dt_view *v, const double *row) {
    if (!isnan(row[TOKENS])) v->tokens = true;
    v->intervals++;
    add(v, DT_PLOT_LOSS, row, row[LOSS]);
    add(v, DT_PLOT_RATE, row, row[RATE]);
    add(v, DT_PLOT_NORM, row, row[NORM]);
    add(v, DT_PLOT_SPEED, row, v->tokens ? row[TOKENS] : row[SAMPLES]);
    add(v, DT_PLOT_SKEW, row, 100 * (row[COMPUTE_MOST] / row[COMPUTE] - 1));
    add_times(v, row);
    dt_thin_add(v->plots[DT_PLOT_MEMORY], (double[]){row[0], row[1], row[2], row[MEMORY], row[MEMORY_MOST]});
    v->last_step = row[DT_PLOT_STEP];
    if (row[DT_PLOT_SECONDS] > v->seconds) v->seconds = row[DT_PLOT_SECONDS];
}

static bool larger_is_better(int figure) {
    return figure == DT_FIGURE_ACCURACY || figure == DT_FIGURE_TRAIN_ACCURACY || figure == DT_FIGURE_TOP5;
}

static void take_evaluation(dt_view *v, const double *values) {
    double row[DT_FIGURE_END];
    memcpy(row, values, DT_FIGURE_LOSS * sizeof *row);
    if (!isnan(values[DT_FIGURE_END])) v->validated = true; /* validation_loss is behind test_… */
    memcpy(row + DT_FIGURE_LOSS, values + DT_FIGURE_LOSS + (v->validated ? JUDGED : 0), JUDGED * sizeof *row);
    if (isnan(row[DT_FIGURE_LOSS])) return; /* there is no data to judge by */
    dt_thin_add(v->plots[DT_PLOT_FIGURES], row);
    if (row[DT_PLOT_SECONDS] > v->seconds) v->seconds = row[DT_PLOT_SECONDS];
    for (int i = DT_PLOT_FIRST; i < DT_FIGURE_END; i++) {
        double *best = v->best[i], before = best[DT_PLOT_FIRST];
        bool better = isnan(before) || (larger_is_better(i) ? row[i] > before : row[i] < before);
        if (isnan(row[i]) || !better) continue;
        memcpy(best, row, DT_PLOT_FIRST * sizeof *best);
        best[DT_PLOT_FIRST] = row[i];
    }
}

/* Those at the mean or below are late only in name. */
static void take_late(dt_view *v, const double *row) {
    double longer = row[2] - row[3];
    int at = 0;
    if (!(longer > 0)) return;
    while (at < v->late_count && v->late[at].rank != (int)row[1]) at++;
    if (at == DT_VIEW_LATE) return;
    if (at == v->late_count) v->late[v->late_count++] = (dt_late_rank){.rank = (int)row[1]};
    v->late[at].intervals++;
    v->late[at].seconds += longer;
}

/* Few sites have a curve each; else the least and the most of them have. */
static void take_sites(dt_view *v, dt_plot plot, const dt_joint_figure *figure) {
    const double none = (double)NAN, round = v->joint.round;
    const bool few = v->joint.sites <= DT_JOINT_CURVES;
    double row[DT_PLOT_FIRST + 3 + DT_JOINT_CURVES] = {
        round, round, v->seconds, few ? none : figure->least, figure->mean, few ? none : figure->most};
    for (int i = 0; i < DT_JOINT_CURVES; i++) row[DT_PLOT_FIRST + 3 + i] = few ? figure->curve[i] : none;
    dt_thin_add(v->plots[plot], row);
}

/* A round is an epoch of its run; by the clock it was when the interval before it ended. */
static void take_joint(dt_view *v, int series, const double *values) {
    const dt_joint *j = &v->joint;
    dt_joint_take(&v->joint, series, values);
    const double *last = dt_thin_last(v->plots[DT_PLOT_LOSS]), step = values[0];
    if (series == DT_JOINT_PRIVACY)
        dt_thin_add(v->plots[DT_PLOT_PRIVACY],
                    (double[]){step, last ? last[DT_PLOT_EPOCH] : (double)NAN, v->seconds, j->epsilon});
    if (series != DT_JOINT_ROUND) return;
    take_sites(v, DT_PLOT_SITES, &j->loss);
    take_sites(v, DT_PLOT_ACCURACIES, &j->accuracy);
    dt_thin_add(v->plots[DT_PLOT_PARTS], (double[]){step, step, v->seconds, j->took_part, j->left_out});
    dt_thin_add(v->plots[DT_PLOT_BYTES], (double[]){step, step, v->seconds, j->bytes, j->bytes - v->sent});
    v->sent = j->bytes;
}

static void take_row(void *context, int series, const double *values) {
    if (series == TRAIN)
        take_interval(context, values);
    else if (series == EPOCH)
        take_evaluation(context, values);
    else if (series == LATE)
        take_late(context, values);
    else
        take_joint(context, series - JOINT, values);
}

/* ---- the recipe ---- */

static dt_status read_text(const char *path, char **out) {
    int fd;
    int64_t bytes;
    *out = NULL;
    DT_TRY(dt_file_open(path, &fd, &bytes));
    char *text = bytes <= MOST_RECIPE ? dt_alloc((size_t)bytes + 1, 1) : NULL;
    ssize_t got = text ? read(fd, text, (size_t)bytes) : -1;
    close(fd);
    if (got == bytes) {
        *out = text;
        return dt_ok();
    }
    dt_free(text);
    return dt_fail(DT_ERR_INPUT, "%s: cannot be read, or has more than %d bytes", path, MOST_RECIPE);
}

/* A run without a recipe that can be read is shown without one. */
static void read_recipe(dt_view *v) {
    char path[4096];
    if (dt_path_join(path, v->directory, "recipe.yaml").code != DT_OK) return;
    if (access(path, F_OK) != 0 || read_text(path, &v->recipe).code != DT_OK) return;
    (void)dt_yaml_parse_text(&v->tree, "recipe.yaml", v->recipe);
}

static const char *field(const dt_view *v, const char *path) {
    const dt_yaml *node = v->tree ? dt_yaml_get(v->tree, path) : NULL;
    return node && node->kind == DT_YAML_SCALAR ? node->text : "";
}

double dt_view_number(const dt_view *v, const char *path) {
    const char *text = field(v, path);
    char *end;
    double value = strtod(text, &end);
    return *text && !*end ? value : (double)NAN;
}

/* ---- the run ---- */

/* A run is called what its recipe calls it, or else as its directory. */
static void name_run(dt_view *v) {
    const char *base = v->directory + strlen(v->directory);
    while (base > v->directory && base[-1] != '/') base--;
    snprintf(v->name, sizeof v->name, "%.255s", *base ? base : v->directory);
}

dt_status dt_view_open(dt_view *v, const char *directory) {
    snprintf(v->directory, sizeof v->directory, "%s", directory);
    for (size_t length = strlen(v->directory); length > 1 && v->directory[length - 1] == '/';)
        v->directory[--length] = '\0';
    name_run(v);
    for (int i = 0; i < DT_PLOT_COUNT; i++) {
        const dt_plot_table *plot = &dt_plots[i];
        int columns = 0;
        while (plot->columns[columns]) columns++;
        DT_TRY(dt_thin_create(&v->plots[i], columns, plot->key, plot->buckets));
    }
    begin(v);
    DT_TRY(dt_history_open(&v->history, v->directory, wanted, WANTED, (dt_history_taker){begin, take_row, v}));
    read_recipe(v);
    return dt_ok();
}

dt_status dt_view_update(dt_view *v) {
    char lock[4096];
    DT_TRY(dt_history_follow(v->history, NULL));
    DT_TRY(dt_path_join(lock, v->directory, "lock"));
    v->live = access(lock, F_OK) == 0;
    if (!v->recipe) read_recipe(v);
    return dt_story_read(&v->story, v->directory);
}

void dt_view_finish(dt_view *v) {
    for (int i = 0; i < DT_PLOT_COUNT; i++) dt_thin_destroy(v->plots[i]);
    dt_history_close(v->history);
    dt_free(v->recipe);
    dt_yaml_destroy(v->tree);
    memset(v, 0, sizeof *v);
}

/* ---- its judge ---- */

static bool has(const dt_view *v, dt_figure figure) {
    return !isnan(v->best[figure][DT_PLOT_FIRST]);
}

dt_figure dt_view_judge(const dt_view *v) {
    const char *best = field(v, "checkpoint.best");
    if (strstr(best, "loss") && has(v, DT_FIGURE_LOSS)) return DT_FIGURE_LOSS;
    static const dt_figure order[] = {DT_FIGURE_ACCURACY, DT_FIGURE_PERPLEXITY, DT_FIGURE_MAE, DT_FIGURE_LOSS};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (has(v, order[i])) return order[i];
    return DT_FIGURE_END;
}

const char *dt_view_figure_name(const dt_view *v, dt_figure figure) {
    static const char *const names[][2] = {{"training loss", "training loss"},
                                           {"training accuracy", "training accuracy"},
                                           {"test loss", "validation loss"},
                                           {"test accuracy", "validation accuracy"},
                                           {"test top-5 accuracy", "validation top-5 accuracy"},
                                           {"test mean absolute error", "validation mean absolute error"},
                                           {"test perplexity", "validation perplexity"},
                                           {"test bits per character", "validation bits per character"}};
    return figure >= DT_FIGURE_END ? "" : names[figure - DT_PLOT_FIRST][v->validated];
}
