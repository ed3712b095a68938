/* All that a report shows of one run, gathered from its directory in bounded memory, and brought up to date by reading
 * what was added. */
#ifndef DTRAIN_VIEW_H
#define DTRAIN_VIEW_H

#include "config/yaml.h"
#include "history.h"
#include "joint.h"
#include "story.h"
#include "thin.h"

/* Plots of what was recorded at log intervals; evaluations have one for all their figures. */
typedef enum dt_plot {
    DT_PLOT_LOSS,
    DT_PLOT_RATE,       /* learning rate */
    DT_PLOT_NORM,       /* of the gradient */
    DT_PLOT_SPEED,      /* samples a second, or tokens */
    DT_PLOT_TIME,       /* milliseconds a step, by phase */
    DT_PLOT_SKEW,       /* the slowest rank's computing above the mean, in per cent */
    DT_PLOT_MEMORY,     /* bytes a rank */
    DT_PLOT_FIGURES,    /* evaluations */
    DT_PLOT_SITES,      /* losses of sites by rounds, of all and of the first ones */
    DT_PLOT_ACCURACIES, /* likewise */
    DT_PLOT_PARTS,      /* sites whose changes a round had, and had not */
    DT_PLOT_BYTES,      /* that sites sent, up to a round and in it */
    DT_PLOT_PRIVACY,    /* epsilon that was spent */
    DT_PLOT_COUNT
} dt_plot;

/* A rank others waited for. */
typedef struct dt_late_rank {
    int rank;
    int64_t intervals; /* in which it was among the latest */
    double seconds;    /* that it computed longer than the mean, in these */
} dt_late_rank;
#define DT_VIEW_LATE 16

#define DT_PLOT_COLUMNS 16
typedef struct dt_plot_table {
    const char *name;
    const char *columns[DT_PLOT_COLUMNS + 1]; /* NULL-terminated; first step, epoch and seconds */
    int key;                                  /* the column whose extremes stay */
    int buckets;
} dt_plot_table;
extern const dt_plot_table dt_plots[DT_PLOT_COUNT];
enum { DT_PLOT_STEP, DT_PLOT_EPOCH, DT_PLOT_SECONDS, DT_PLOT_FIRST };

/* Figures of evaluations, columns of DT_PLOT_FIGURES. */
typedef enum dt_figure {
    DT_FIGURE_TRAIN_LOSS = DT_PLOT_FIRST,
    DT_FIGURE_TRAIN_ACCURACY,
    DT_FIGURE_LOSS,
    DT_FIGURE_ACCURACY,
    DT_FIGURE_TOP5,
    DT_FIGURE_MAE,
    DT_FIGURE_PERPLEXITY,
    DT_FIGURE_BITS,
    DT_FIGURE_END
} dt_figure;

typedef enum dt_view_phase {
    DT_VIEW_INPUT,
    DT_VIEW_COMPUTE,
    DT_VIEW_REDUCE,
    DT_VIEW_UPDATE,
    DT_VIEW_EVALUATE,
    DT_VIEW_CHECKPOINT,
    DT_VIEW_PHASES
} dt_view_phase;

typedef struct dt_view {
    char directory[4096], name[256];
    dt_history *history;
    dt_thin *plots[DT_PLOT_COUNT];
    double last_step;                              /* of the last row, to count an interval's steps */
    double best[DT_FIGURE_END][DT_PLOT_FIRST + 1]; /* where each figure was best (step, epoch, seconds), and what */
    double phases[DT_VIEW_PHASES], seconds, slowest, usual; /* seconds a rank by phase; of the run; of compute */
    dt_late_rank late[DT_VIEW_LATE];                        /* the first that were */
    int late_count;
    int64_t intervals;      /* recorded */
    bool tokens, validated; /* speed counts tokens; the validation data judges */
    dt_joint joint;
    double sent; /* bytes, before the last round that was told */
    dt_story story;
    char *recipe;  /* text; NULL: there is none that can be read */
    dt_yaml *tree; /* of it, or NULL */
    bool live;     /* a job has it */
} dt_view;

/* Zeroed memory is filled; to be finished, also after a failure. */
dt_status dt_view_open(dt_view *view, const char *directory);
dt_status dt_view_update(dt_view *view);
void dt_view_finish(dt_view *view);

/* The figure the run is judged by: what checkpoint.best says, else the accuracy, absolute error or loss there is;
 * DT_FIGURE_END: it was never evaluated. */
dt_figure dt_view_judge(const dt_view *view);
const char *dt_view_figure_name(const dt_view *view, dt_figure figure); /* "test accuracy" */
/* The number of a recipe's field; NaN: it says none. */
double dt_view_number(const dt_view *view, const char *path);

#endif
