/* The metrics of a run: a row for each log interval and each evaluation (records.c). */
#ifndef DTRAIN_RECORDS_H
#define DTRAIN_RECORDS_H

#include <stdbool.h>

#include "clock.h"
#include "config/recipe.h"
#include "late.h"
#include "ledger.h"
#include "store/metrics.h"

typedef struct dt_records {
    const dt_metrics_series *series;
    dt_metrics *metrics;          /* rank 0 */
    int64_t lost;                 /* rows that were not written */
    struct dt_tensorboard *board; /* NULL: no events are wanted, or none can be written */
} dt_records;

/* Figures of a log interval; those that do not apply are NaN. */
typedef struct dt_interval {
    double step, epochs, seconds, loss, learning_rate, grad_norm, samples_per_s, tokens_per_s, perplexity;
    double least[DT_PHASE_COUNT], mean[DT_PHASE_COUNT], most[DT_PHASE_COUNT]; /* seconds a rank */
    dt_late late;
    double memory[3]; /* the peak resident size of a rank's process in bytes: least, mean and most */
} dt_interval;

/* Figures of an evaluation, likewise. */
typedef struct dt_epoch_figures {
    double step, epochs, train_loss, train_accuracy, test_loss, test_accuracy, test_top5, test_mae, test_perplexity,
        test_bits_per_char, seconds;
} dt_epoch_figures;

/* Of a round, and of one of its sites. */
typedef struct dt_round_row {
    double step, sites, took_part, bytes, change; /* rounds so far; there are, and took part; sent so far; its norm */
} dt_round_row;
typedef struct dt_site_row {
    double step, site, samples, loss, accuracy, took_part; /* of the samples it trained on in this round */
    double weight;                                         /* of its change in the sum; NaN: not known one by one */
} dt_site_row;

/* All of rank 0. Rows behind `step` are dropped. Evaluations are called by the split that judges: "validation_loss".
 * `events`: rows also go to TensorBoard's event file; `rounds`: there are series of rounds and sites. */
dt_status dt_records_open(dt_records *records, const char *directory, dt_split judge, bool events, bool rounds,
                          int64_t step);
/* Says how many rows were lost. */
void dt_records_close(dt_records *records);
/* A row that cannot be written is lost, and the run goes on. */
/* What a private run has spent. */
void dt_records_privacy(dt_records *records, double step, double epsilon);
void dt_records_link(dt_records *records, const dt_link *link);
void dt_records_round(dt_records *records, const dt_round_row *row);
void dt_records_site(dt_records *records, const dt_site_row *row);
void dt_records_interval(dt_records *records, const dt_interval *figures);
void dt_records_evaluation(dt_records *records, const dt_epoch_figures *figures);
/* The seconds of the run up to its last record; 0 before there is one. */
double dt_records_seconds(const dt_records *records);
/* Whether the run has made steps itself, not only taken over a checkpoint. */
bool dt_records_begun(const dt_records *records);
/* Whether there is a row of an evaluation of this step. */
bool dt_records_evaluated(const dt_records *records, int64_t step);

#endif
