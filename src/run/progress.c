/* What a run says and records. Standard output is rank 0's: one live line on a terminal, else a line per log interval;
 * both kinds end with the machine-readable last line. The same figures go to the metrics files. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "run_internal.h"

static const char *const train_columns[] = {
    "step",       "epoch",       "loss",       "learning_rate", "grad_norm",   "samples_per_s", "tokens_per_s",
    "perplexity", "input_min",   "input_mean", "input_max",     "compute_min", "compute_mean",  "compute_max",
    "reduce_min", "reduce_mean", "reduce_max", "update_min",    "update_mean", "update_max",    NULL};
static const char *const epoch_columns[] = {
    "step",      "epoch",    "train_loss",      "train_accuracy",     "test_loss", "test_accuracy",
    "test_top5", "test_mae", "test_perplexity", "test_bits_per_char", "seconds",   NULL};

const dt_metrics_series dt_run_series[2] = {{"train", train_columns}, {"epoch", epoch_columns}};
enum { SERIES_TRAIN, SERIES_EPOCH };

static double epochs_done(const dt_run *run) {
    return (double)run->position.epoch + (double)run->position.sample / (double)run->train.samples;
}

/* The epochs of the whole run. */
static const char *all_epochs(const dt_run *run, char out[32]) {
    if (run->recipe->train.steps > 0)
        snprintf(out, 32, "%.4g", (double)run->recipe->train.steps / (double)run->steps_per_epoch);
    else
        snprintf(out, 32, "%lld", (long long)run->recipe->train.epochs);
    return out;
}

static void duration_text(double seconds, char out[32]) {
    long s = seconds > 0 && seconds < 1e9 ? lround(seconds) : 0;
    if (s >= 3600)
        snprintf(out, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, 32, "%ld:%02ld", s / 60, s % 60);
}

static double rate_of(int64_t samples, double seconds) {
    return seconds > 0 ? (double)samples / seconds : 0;
}

/* A disk that is full stays full: the first row that is not written is said at once, and at the end how many were not.
 */
static void note_row(dt_run *run, const dt_status *status) {
    if (status->code == DT_OK) return;
    if (run->rows_lost++ == 0) dt_log_warn("%s; the run goes on without it", status->message);
}

void dt_progress_lost(const dt_run *run) {
    if (run->rows_lost > 1) dt_log_warn("%lld rows of metrics were not written whole", (long long)run->rows_lost);
}

/* What is counted a second: tokens, where samples are made of them. */
static double shown_rate(const dt_run *run, double samples_per_s, const char **unit) {
    int64_t tokens = run->train.about.tokens;
    *unit = tokens > 0 ? "tokens/s" : "samples/s";
    return tokens > 0 ? samples_per_s * (double)tokens : samples_per_s;
}

static double seconds_left(const dt_run *run) {
    double rate = rate_of(run->loop_samples, run->loop_seconds);
    double steps = (double)(run->total_steps - run->position.step);
    return rate > 0 ? steps / (double)run->steps_per_epoch * (double)run->train.samples / rate : 0;
}

void dt_progress_begin(dt_progress *progress, const dt_run *run) {
    memset(progress, 0, sizeof *progress);
    progress->clock = dt_clock_now();
    progress->loss = (double)NAN;
    memcpy(progress->phases, run->phases, sizeof progress->phases);
}

void dt_progress_live(dt_progress *progress, const dt_run *run) {
    if (!run->options->live || dt_comm_rank(run->comm) != 0) return;
    double now = dt_clock_now();
    if (now - progress->shown < 0.1) return;
    progress->shown = now;
    progress->live_line = true;
    char left[32], all[32];
    const char *unit;
    double shown = shown_rate(run, rate_of(run->loop_samples, run->loop_seconds), &unit);
    duration_text(seconds_left(run), left);
    /* the loss of this rank's samples since the last record stands in for the run's */
    double loss = run->local_tally.samples > 0 ? dt_tally_loss(&run->local_tally) : progress->loss;
    printf("\r\033[Kepoch %.2f/%s  step %lld/%lld  loss %.4f  %.0f %s  %s left", epochs_done(run), all_epochs(run, all),
           (long long)run->position.step, (long long)run->total_steps, loss, shown, unit, left);
    fflush(stdout);
}

void dt_progress_clear(dt_progress *progress) {
    if (!progress->live_line) return;
    fputs("\r\033[K", stdout);
    fflush(stdout);
    progress->live_line = false;
}

dt_status dt_progress_record(dt_progress *progress, dt_run *run) {
    dt_tally before = run->epoch_tally;
    DT_TRY(dt_run_gather_tally(run));
    dt_tally interval = run->epoch_tally;
    dt_tally_subtract(&interval, &before);
    if (interval.samples == 0) return dt_ok();
    progress->loss = dt_tally_loss(&interval);

    double spent[DT_PHASE_COUNT], min[DT_PHASE_COUNT], mean[DT_PHASE_COUNT], max[DT_PHASE_COUNT];
    for (int i = 0; i < DT_PHASE_COUNT; i++) spent[i] = run->phases[i] - progress->phases[i];
    DT_TRY(dt_comm_spread(run->comm, spent, DT_PHASE_COUNT, min, mean, max));
    memcpy(progress->phases, run->phases, sizeof progress->phases);
    double rate = rate_of(run->loop_samples - progress->loop_samples, run->loop_seconds - progress->loop_seconds);
    progress->loop_samples = run->loop_samples;
    progress->loop_seconds = run->loop_seconds;

    if (dt_comm_rank(run->comm) != 0) return dt_ok();
    double tokens = run->train.about.tokens > 0 ? (double)run->train.about.tokens : (double)NAN;
    double row[] = {(double)run->position.step,
                    epochs_done(run),
                    progress->loss,
                    run->rate,
                    run->grad_norm,
                    rate,
                    rate * tokens,
                    dt_perplexity(&interval, &run->train),
                    min[DT_PHASE_INPUT],
                    mean[DT_PHASE_INPUT],
                    max[DT_PHASE_INPUT],
                    min[DT_PHASE_COMPUTE],
                    mean[DT_PHASE_COMPUTE],
                    max[DT_PHASE_COMPUTE],
                    min[DT_PHASE_REDUCE],
                    mean[DT_PHASE_REDUCE],
                    max[DT_PHASE_REDUCE],
                    min[DT_PHASE_UPDATE],
                    mean[DT_PHASE_UPDATE],
                    max[DT_PHASE_UPDATE]};
    dt_status status = dt_metrics_append(run->metrics, SERIES_TRAIN, row);
    note_row(run, &status);
    const char *unit;
    char all[32];
    double shown = shown_rate(run, rate, &unit);
    if (!run->options->live)
        dt_log_info("epoch %.2f/%s step %lld/%lld loss %.4f lr %.3g grad_norm %.3g %s %.0f", epochs_done(run),
                    all_epochs(run, all), (long long)run->position.step, (long long)run->total_steps, progress->loss,
                    run->rate, run->grad_norm, unit, shown);
    return dt_ok();
}

bool dt_progress_is_recorded(const dt_run *run) {
    return dt_metrics_last(run->metrics, SERIES_TRAIN) >= 0;
}

bool dt_progress_is_evaluated(const dt_run *run) {
    return dt_metrics_last(run->metrics, SERIES_EPOCH) == run->position.step;
}

dt_status dt_progress_evaluated(dt_progress *progress, dt_run *run) {
    DT_TRY(dt_run_gather_tally(run));
    if (dt_comm_rank(run->comm) != 0) return dt_ok();
    const dt_tally *train = run->position.sample == 0 ? &run->last_tally : &run->epoch_tally;
    const dt_tally *test = &run->test_tally;
    bool classes = dt_has_accuracy(&run->train, (dt_loss)run->recipe->loss.kind);
    bool vectors = run->recipe->loss.kind != DT_LOSS_SOFTMAX_CROSS_ENTROPY;
    double row[] = {(double)run->position.step,
                    epochs_done(run),
                    dt_tally_loss(train),
                    classes ? dt_tally_share(train->correct, train) : (double)NAN,
                    dt_tally_loss(test),
                    classes ? dt_tally_share(test->correct, test) : (double)NAN,
                    classes ? dt_tally_share(test->correct_top5, test) : (double)NAN,
                    vectors ? dt_tally_abs_error(test) : (double)NAN,
                    run->has_test ? dt_perplexity(test, &run->test) : (double)NAN,
                    run->has_test ? dt_bits_per_char(test, &run->test) : (double)NAN,
                    dt_clock_now() - run->started};
    /* a run that was killed behind its evaluation has the row, and evaluates again */
    bool recorded = dt_progress_is_evaluated(run);
    dt_status status = recorded ? dt_ok() : dt_metrics_append(run->metrics, SERIES_EPOCH, row);
    note_row(run, &status);
    char trained[DT_FIGURES] = "", tested[DT_FIGURES] = "", elapsed[32], all[32];
    dt_loss loss = (dt_loss)run->recipe->loss.kind;
    dt_tally_text(trained, sizeof trained, "train_", train, loss, &run->train, false);
    if (run->has_test) dt_tally_text(tested, sizeof tested, "test_", test, loss, &run->test, true);
    duration_text(dt_clock_now() - run->started, elapsed);
    dt_progress_clear(progress);
    dt_log_info("epoch %.4g/%s step %lld%s%s  %s", epochs_done(run), all_epochs(run, all),
                (long long)run->position.step, trained, tested, elapsed);
    return dt_ok();
}

void dt_progress_last_line(const dt_run *run, dt_outcome outcome, uint64_t digest) {
    char trained[DT_FIGURES], test[DT_FIGURES] = "", skipped[48] = "", tokens[48] = "", hex[17];
    if (run->test_tally.samples > 0)
        dt_tally_text(test, sizeof test, "test_", &run->test_tally, (dt_loss)run->recipe->loss.kind, &run->test, false);
    if (run->skips.count > 0) snprintf(skipped, sizeof skipped, " skipped=%lld", (long long)run->skips.count);
    double rate = rate_of(run->loop_samples, run->loop_seconds);
    if (run->train.about.tokens > 0)
        snprintf(tokens, sizeof tokens, " tokens_per_s=%.0f", rate * (double)run->train.about.tokens);
    dt_digest_text(digest, hex);
    dt_loss_text(trained, sizeof trained, "train_",
                 run->epoch_tally.samples > 0 ? &run->epoch_tally : &run->last_tally);
    dt_log_info("%s run=%s step=%lld epoch=%lld%s%s%s ended=%s samples_per_s=%.0f%s seconds=%.2f ranks=%d shards=%lld "
                "digest=%s",
                outcome == DT_OUTCOME_STOPPED ? "stopped" : "done", run->directory, (long long)run->position.step,
                (long long)run->position.epoch, trained, test, skipped, run->ended, rate, tokens,
                dt_clock_now() - run->started, dt_comm_size(run->comm), (long long)run->shards, hex);
}
