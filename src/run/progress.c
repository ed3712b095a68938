/* What a run says. Standard output is rank 0's: one live line on a terminal, else a line per log interval; both kinds
 * end with the machine-readable last line. The same figures go to the metrics files (records.c). */
#include "progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "late.h"
#include "use/figures.h"

#define LOG_ALL_SECONDS 60
#define LOG_LINES 300

void dt_progress_begin(dt_progress *progress, const dt_session *session, const dt_run_data *data,
                       const dt_course *course, const dt_ledger *ledger, const dt_run_clock *clock,
                       const dt_privacy *privacy) {
    *progress = (dt_progress){
        .session = session, .data = data, .course = course, .ledger = ledger, .clock = clock, .privacy = privacy};
    progress->loss = (double)NAN;
}

/* ---- figures ---- */

static double epochs_done(const dt_progress *p) {
    const dt_position *at = &p->ledger->position;
    return (double)at->epoch + (double)at->sample / (double)p->course->samples;
}

/* The epochs of the whole run. */
static const char *all_epochs(const dt_progress *p, char out[32]) {
    const dt_recipe_train *train = &p->session->recipe->train;
    if (train->steps > 0)
        snprintf(out, 32, "%.4g", (double)train->steps / (double)p->course->steps_per_epoch);
    else
        snprintf(out, 32, "%lld", (long long)train->epochs);
    return out;
}

/* "epoch 1.25/5 step 100/400", "round 3/50"; `between` the two. */
static const char *where_text(const dt_progress *p, const char *between, char out[96]) {
    const long long at = p->ledger->position.step, end = p->course->total_steps;
    char all[32];
    if (p->rounds)
        snprintf(out, 96, "round %lld/%lld", at, end);
    else
        snprintf(out, 96, "epoch %.2f/%s%sstep %lld/%lld", epochs_done(p), all_epochs(p, all), between, at, end);
    return out;
}

static void duration_text(double seconds, char out[32]) {
    long s = seconds > 0 && seconds < 1e9 ? lround(seconds) : 0;
    if (s >= 3600)
        snprintf(out, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, 32, "%ld:%02ld", s / 60, s % 60);
}

/* What is counted a second: tokens, where samples are made of them. */
static double shown_rate(const dt_progress *p, double samples_per_s, const char **unit) {
    int64_t tokens = p->data->train.about.tokens;
    *unit = tokens > 0 ? "tokens/s" : "samples/s";
    return tokens > 0 ? samples_per_s * (double)tokens : samples_per_s;
}

static double seconds_left(const dt_progress *p) {
    double rate = dt_run_clock_rate(p->clock), steps = (double)(p->course->total_steps - p->ledger->position.step);
    if (p->rounds) { /* of the rounds of this process */
        double done = (double)(p->ledger->position.step - p->course->first_step);
        return done > 0 ? steps / done * p->clock->loop_seconds : 0;
    }
    return rate > 0 ? steps / (double)p->course->steps_per_epoch * (double)p->course->samples / rate : 0;
}

/* Of this process, as the last line has them. */
static double seconds_so_far(const dt_progress *p) {
    return dt_clock_now() - p->clock->started;
}

double dt_progress_seconds(const dt_progress *p) {
    return p->before + seconds_so_far(p);
}

/* Asked for at most once a second, for the system takes its time to say it. */
static double peak_memory(dt_progress *p) {
    double now = dt_clock_now();
    if (p->memory_looked > 0 && now - p->memory_looked < 1) return p->memory;
    p->memory_looked = now;
    p->memory = (double)dt_memory_peak();
    return p->memory;
}

/* Samples a second since the last record, and of the whole job's phases what that took. Collective. */
static dt_status take_interval(dt_progress *p, dt_interval *out) {
    enum { MEMORY = DT_PHASE_COUNT, COUNT };
    double own[COUNT], least[COUNT], mean[COUNT], most[COUNT];
    for (int i = 0; i < DT_PHASE_COUNT; i++) own[i] = p->clock->phases[i] - p->phases[i];
    own[MEMORY] = peak_memory(p);
    DT_TRY(dt_comm_spread(p->session->comm, own, COUNT, least, mean, most));
    memcpy(out->least, least, sizeof out->least);
    memcpy(out->mean, mean, sizeof out->mean);
    memcpy(out->most, most, sizeof out->most);
    out->memory[0] = least[MEMORY];
    out->memory[1] = mean[MEMORY];
    out->memory[2] = most[MEMORY];
    DT_TRY(dt_late_find(p->session->comm, own[DT_PHASE_INPUT] + own[DT_PHASE_COMPUTE], &out->late));
    double seconds = p->clock->loop_seconds - p->loop_seconds;
    out->samples_per_s = seconds > 0 ? (double)(p->clock->loop_samples - p->loop_samples) / seconds : 0;
    memcpy(p->phases, p->clock->phases, sizeof p->phases);
    p->loop_samples = p->clock->loop_samples;
    p->loop_seconds = p->clock->loop_seconds;
    return dt_ok();
}

static dt_epoch_figures epoch_figures(const dt_progress *p, const dt_tally *train) {
    const dt_tally *test = &p->ledger->test;
    const dt_run_data *data = p->data;
    dt_loss loss = (dt_loss)p->session->recipe->loss.kind;
    bool classes = dt_has_accuracy(&data->train, loss), vectors = loss != DT_LOSS_SOFTMAX_CROSS_ENTROPY;
    return (dt_epoch_figures){.step = (double)p->ledger->position.step,
                              .epochs = epochs_done(p),
                              .train_loss = dt_tally_loss(train),
                              .train_accuracy = classes ? dt_tally_share(train->correct, train) : (double)NAN,
                              .test_loss = dt_tally_loss(test),
                              .test_accuracy = classes ? dt_tally_share(test->correct, test) : (double)NAN,
                              .test_top5 = classes ? dt_tally_share(test->correct_top5, test) : (double)NAN,
                              .test_mae = vectors ? dt_tally_abs_error(test) : (double)NAN,
                              .test_perplexity = data->has_test ? dt_perplexity(test, &data->test) : (double)NAN,
                              .test_bits_per_char = data->has_test ? dt_bits_per_char(test, &data->test) : (double)NAN,
                              .seconds = dt_progress_seconds(p)};
}

/* ---- lines ---- */

/* Of the figures of what the run is judged by. */
static const char *judge_prefix(const dt_progress *p) {
    return p->data->judge == DT_SPLIT_VALIDATION ? "validation_" : "test_";
}

/* What there is to say of how well it learns: of a private run, whose losses are nobody's, what it has spent. */
static const char *loss_text(const dt_progress *p, double loss, char out[48]) {
    if (p->privacy->recipe)
        snprintf(out, 48, "epsilon %.4g", dt_privacy_epsilon(p->privacy));
    else
        snprintf(out, 48, "loss %.4f", loss);
    return out;
}

void dt_progress_live(dt_progress *progress) {
    const dt_progress *p = progress;
    if (!p->session->options->live || !p->session->first) return;
    double now = dt_clock_now();
    if (now - p->shown < 0.1) return;
    progress->shown = now;
    char text[512] = "", left[32], where[96], saved[32], words[48];
    const char *unit;
    double shown = shown_rate(p, dt_run_clock_rate(p->clock), &unit);
    duration_text(seconds_left(p), left);
    /* the loss of this rank's samples since the last record stands in for the run's */
    double loss = p->ledger->local.samples > 0 ? dt_tally_loss(&p->ledger->local) : p->loss;
    dt_append(text, sizeof text, "%s  %s  %.0f %s  %s left", where_text(p, "  ", where), loss_text(p, loss, words),
              shown, unit, left);
    if (p->clock->checkpointed > p->clock->started) {
        duration_text(now - p->clock->checkpointed, saved);
        dt_append(text, sizeof text, "  saved %s ago", saved);
    }
    int64_t warnings = dt_log_warning_count();
    if (warnings > 0) dt_append(text, sizeof text, "  %lld warning%s", (long long)warnings, warnings > 1 ? "s" : "");
    dt_log_live(text);
}

bool dt_progress_is_log_due(double age, double since) {
    return age <= LOG_ALL_SECONDS || since >= age / LOG_LINES;
}

static bool take_log_turn(dt_progress *p) {
    double now = dt_clock_now();
    if (!dt_progress_is_log_due(now - p->clock->started, now - p->logged)) return false;
    p->logged = now;
    return true;
}

dt_status dt_progress_record(dt_progress *p, const dt_tally *tally, double rate, double grad_norm) {
    if (tally->samples == 0 && !p->privacy->recipe) return dt_ok();
    dt_interval figures;
    p->loss = dt_tally_loss(tally);
    DT_TRY(take_interval(p, &figures));
    if (!p->session->first) return dt_ok();
    int64_t tokens = p->data->train.about.tokens;
    figures.step = (double)p->ledger->position.step;
    figures.epochs = epochs_done(p);
    figures.seconds = dt_progress_seconds(p);
    figures.loss = p->loss;
    figures.learning_rate = rate;
    figures.grad_norm = grad_norm;
    figures.tokens_per_s = figures.samples_per_s * (tokens > 0 ? (double)tokens : (double)NAN);
    figures.perplexity = dt_perplexity(tally, &p->data->train);
    dt_records_interval(&p->records, &figures);
    if (p->privacy->recipe) dt_records_privacy(&p->records, figures.step, dt_privacy_epsilon(p->privacy));
    const char *unit;
    char where[96], left[32], words[48];
    double shown = shown_rate(p, figures.samples_per_s, &unit);
    duration_text(seconds_left(p), left);
    if (!p->session->options->live && take_log_turn(p))
        dt_log_info("%s %s lr %.3g %s %.3g %s %.0f left %s", where_text(p, " ", where), loss_text(p, p->loss, words),
                    rate, p->rounds ? "change" : "grad_norm", grad_norm, unit, shown, left);
    return dt_ok();
}

/* " epsilon=2.57 delta=1e-05", and whether that is true. */
static void epsilon_text(const dt_progress *p, char out[DT_FIGURES]) {
    const dt_recipe_privacy *privacy = p->privacy->recipe;
    snprintf(out, DT_FIGURES, " epsilon=%.6g delta=%g%s", dt_privacy_epsilon(p->privacy), privacy->delta,
             privacy->reproducible_noise >= 0 ? " noise=reproducible" : "");
}

void dt_progress_evaluated(dt_progress *p) {
    if (!p->session->first) return;
    const dt_ledger *ledger = p->ledger;
    const dt_tally *train = ledger->position.sample == 0 ? &ledger->last : &ledger->epoch;
    dt_epoch_figures figures = epoch_figures(p, train);
    /* a run that was killed behind its evaluation has the row, and evaluates again */
    if (!dt_records_evaluated(&p->records, ledger->position.step)) dt_records_evaluation(&p->records, &figures);
    char trained[DT_FIGURES] = "", tested[DT_FIGURES] = "", elapsed[32], all[32], where[96];
    dt_loss loss = (dt_loss)p->session->recipe->loss.kind;
    if (p->privacy->recipe)
        epsilon_text(p, trained);
    else
        dt_tally_text(trained, sizeof trained, "train_", train, loss, &p->data->train, false);
    if (p->data->has_test)
        dt_tally_text(tested, sizeof tested, judge_prefix(p), &ledger->test, loss, &p->data->test, true);
    duration_text(seconds_so_far(p), elapsed);
    if (p->rounds)
        snprintf(where, sizeof where, "round %lld/%lld", (long long)ledger->position.step,
                 (long long)p->rounds->rounds);
    else
        snprintf(where, sizeof where, "epoch %.4g/%s step %lld", figures.epochs, all_epochs(p, all),
                 (long long)ledger->position.step);
    dt_log_info("%s%s%s  %s", where, trained, tested, elapsed);
}

void dt_progress_last_line(const dt_progress *p, dt_outcome outcome, const char *ended, const char *digest) {
    if (!p->session->first) return;
    const dt_ledger *ledger = p->ledger;
    const dt_tally *train = ledger->epoch.samples > 0 ? &ledger->epoch : &ledger->last;
    char trained[DT_FIGURES] = "", test[DT_FIGURES] = "", skipped[48] = "", tokens[48] = "", audits[64] = "",
         passes[96];
    if (ledger->test.samples > 0)
        dt_tally_text(test, sizeof test, judge_prefix(p), &ledger->test, (dt_loss)p->session->recipe->loss.kind,
                      &p->data->test, false);
    if (ledger->skips.count > 0) snprintf(skipped, sizeof skipped, " skipped=%lld", (long long)ledger->skips.count);
    double rate = dt_run_clock_rate(p->clock);
    if (p->data->train.about.tokens > 0)
        snprintf(tokens, sizeof tokens, " tokens_per_s=%.0f", rate * (double)p->data->train.about.tokens);
    if (p->session->recipe->train.audit > 0)
        snprintf(audits, sizeof audits, " audits=%lld audit_seconds=%.3f", (long long)p->clock->audits,
                 p->clock->audit_seconds);
    if (p->privacy->recipe)
        epsilon_text(p, trained);
    else if (train->samples > 0)
        dt_loss_text(trained, sizeof trained, "train_", train);
    if (p->rounds)
        snprintf(passes, sizeof passes, "rounds=%lld sites=%lld bytes=%llu", (long long)ledger->position.step,
                 (long long)p->rounds->sites, (unsigned long long)p->rounds->bytes);
    else
        snprintf(passes, sizeof passes, "epoch=%lld", (long long)ledger->position.epoch);
    dt_log_info("%s run=%s step=%lld %s%s%s%s ended=%s samples_per_s=%.0f%s seconds=%.2f ranks=%d shards=%lld%s "
                "digest=%s",
                outcome == DT_OUTCOME_STOPPED ? "stopped" : "done", p->session->directory,
                (long long)ledger->position.step, passes, trained, test, skipped, ended, rate, tokens,
                seconds_so_far(p), p->session->ranks.size, (long long)p->course->shards, audits, digest);
}
