/* Rows of metrics. What a row has is said once, by the columns below and the figures that fill them in their order. */
#include "records.h"

#include <stdio.h>

#include "base/log.h"
#include "store/tensorboard.h"

#define DT_RECORDS_COLUMNS 64

static const char *const train_columns[] = {
    "step",          "epoch",           "seconds",     "loss",        "learning_rate", "grad_norm",   "samples_per_s",
    "tokens_per_s",  "perplexity",      "input_min",   "input_mean",  "input_max",     "compute_min", "compute_mean",
    "compute_max",   "reduce_min",      "reduce_mean", "reduce_max",  "update_min",    "update_mean", "update_max",
    "evaluate_mean", "checkpoint_mean", "memory_min",  "memory_mean", "memory_max",    NULL};
static const char *const epoch_columns[] = {
    "step",      "epoch",    "train_loss",      "train_accuracy",     "test_loss", "test_accuracy",
    "test_top5", "test_mae", "test_perplexity", "test_bits_per_char", "seconds",   NULL};

static const char *const validated_columns[] = {"step",
                                                "epoch",
                                                "train_loss",
                                                "train_accuracy",
                                                "validation_loss",
                                                "validation_accuracy",
                                                "validation_top5",
                                                "validation_mae",
                                                "validation_perplexity",
                                                "validation_bits_per_char",
                                                "seconds",
                                                NULL};

/* Ranks that others waited for, a few an interval; seconds that they computed, and all ranks did on the average. */
static const char *const late_columns[] = {"step", "rank", "busy", "busy_mean", NULL};

static const char *const round_columns[] = {"step", "sites", "took_part", "bytes", "change", NULL};
static const char *const privacy_columns[] = {"step", "epsilon", NULL};
static const char *const site_columns[] = {"step", "site", "samples", "loss", "accuracy", "took_part", "weight", NULL};

enum { SERIES_TRAIN, SERIES_EPOCH, SERIES_LATE, SERIES_CHAIN, SERIES_PRIVACY, SERIES_COUNT };
enum { SERIES_ROUND = SERIES_COUNT, SERIES_SITE, SERIES_ALL }; /* of runs of sites alone */
#define SERIES(epoch)                                                                                                  \
    {                                                                                                                  \
        {"train", train_columns}, {"epoch", epoch}, {"late", late_columns}, {DT_LINK_SERIES, dt_link_columns},         \
            {"privacy", privacy_columns}, {"round", round_columns}, {                                                  \
            "site", site_columns                                                                                       \
        }                                                                                                              \
    }
static const dt_metrics_series tested[SERIES_ALL] = SERIES(epoch_columns);
static const dt_metrics_series validated[SERIES_ALL] = SERIES(validated_columns);
enum { TRAIN_SECONDS = 2 }; /* its column */

/* Events are a copy for viewers: a run goes on without them. */
static void open_board(dt_records *records, const char *directory, bool wanted, int64_t step) {
    dt_tensorboard_close(records->board);
    records->board = NULL;
    dt_status status = wanted ? dt_tensorboard_open(&records->board, directory, step) : dt_ok();
    if (status.code != DT_OK) dt_log_warn("%s; the run goes on without TensorBoard's events", status.message);
}

static void append_to_board(dt_records *records, const dt_metrics_series *series, const double *row) {
    char names[DT_RECORDS_COLUMNS][64];
    const char *tags[DT_RECORDS_COLUMNS];
    int count = 0;
    for (; series->columns[count + 1] && count < DT_RECORDS_COLUMNS; count++) { /* behind the step */
        snprintf(names[count], sizeof names[count], "%s/%s", series->name, series->columns[count + 1]);
        tags[count] = names[count];
    }
    dt_status status = dt_tensorboard_append(records->board, (int64_t)row[0], tags, row + 1, count);
    if (status.code == DT_OK) return;
    dt_log_warn("%s; the run goes on without TensorBoard's events", status.message);
    dt_tensorboard_close(records->board);
    records->board = NULL;
}

dt_status dt_records_open(dt_records *records, const char *directory, dt_split judge, bool events, bool rounds,
                          int64_t step) {
    dt_metrics *old = records->metrics; /* its last rows are to be made again */
    records->metrics = NULL;
    DT_TRY(dt_metrics_close(old));
    records->series = judge == DT_SPLIT_VALIDATION ? validated : tested;
    open_board(records, directory, events, step);
    return dt_metrics_open(&records->metrics, directory, records->series, rounds ? SERIES_ALL : SERIES_COUNT, step);
}

void dt_records_close(dt_records *records) {
    if (records->lost > 1) dt_log_warn("%lld rows of metrics were not written whole", (long long)records->lost);
    dt_tensorboard_close(records->board);
    dt_status status = dt_metrics_close(records->metrics);
    if (status.code != DT_OK && records->lost == 0) dt_log_warn("%s", status.message);
}

/* A disk that is full stays full: the first row that is not written is said at once, and at the end how many were not.
 */
static void append(dt_records *records, int number, const double *row) {
    if (!records->metrics) return; /* what is computed again is not recorded */
    if (records->board && number < SERIES_LATE) append_to_board(records, &records->series[number], row);
    dt_status status = dt_metrics_append(records->metrics, number, row);
    if (status.code != DT_OK && records->lost++ == 0) dt_log_warn("%s; the run goes on without it", status.message);
}

void dt_records_interval(dt_records *records, const dt_interval *f) {
    double row[14 + 3 * (DT_PHASE_UPDATE + 1)] = {f->step,          f->epochs,        f->seconds,
                                                  f->loss,          f->learning_rate, f->grad_norm,
                                                  f->samples_per_s, f->tokens_per_s,  f->perplexity};
    int at = 9;
    for (int phase = 0; phase <= DT_PHASE_UPDATE; phase++) {
        row[at++] = f->least[phase];
        row[at++] = f->mean[phase];
        row[at++] = f->most[phase];
    }
    row[at++] = f->mean[DT_PHASE_EVALUATE];
    row[at++] = f->mean[DT_PHASE_CHECKPOINT];
    row[at++] = f->memory[0];
    row[at++] = f->memory[1];
    row[at++] = f->memory[2];
    append(records, SERIES_TRAIN, row);
    for (int i = 0; i < f->late.count; i++) {
        const double late[] = {f->step, f->late.rank[i], f->late.busy[i], f->late.mean};
        append(records, SERIES_LATE, late);
    }
}

void dt_records_evaluation(dt_records *records, const dt_epoch_figures *f) {
    double row[] = {f->step,          f->epochs,    f->train_loss, f->train_accuracy,  f->test_loss,
                    f->test_accuracy, f->test_top5, f->test_mae,   f->test_perplexity, f->test_bits_per_char,
                    f->seconds};
    append(records, SERIES_EPOCH, row);
}

void dt_records_privacy(dt_records *records, double step, double epsilon) {
    append(records, SERIES_PRIVACY, (double[]){step, epsilon});
}

void dt_records_link(dt_records *records, const dt_link *link) {
    double row[] = {(double)link->step, (double)(link->digest >> 32), (double)(link->digest & UINT32_MAX),
                    (double)(link->value >> 32), (double)(link->value & UINT32_MAX)};
    append(records, SERIES_CHAIN, row);
}

void dt_records_round(dt_records *records, const dt_round_row *r) {
    const double row[] = {r->step, r->sites, r->took_part, r->bytes, r->change};
    append(records, SERIES_ROUND, row);
}

void dt_records_site(dt_records *records, const dt_site_row *r) {
    const double row[] = {r->step, r->site, r->samples, r->loss, r->accuracy, r->took_part, r->weight};
    append(records, SERIES_SITE, row);
}

double dt_records_seconds(const dt_records *records) {
    double seconds = dt_metrics_last_value(records->metrics, SERIES_TRAIN, TRAIN_SECONDS);
    return seconds > 0 ? seconds : 0;
}

bool dt_records_begun(const dt_records *records) {
    return dt_metrics_last(records->metrics, SERIES_TRAIN) >= 0;
}

bool dt_records_evaluated(const dt_records *records, int64_t step) {
    return dt_metrics_last(records->metrics, SERIES_EPOCH) == step;
}
