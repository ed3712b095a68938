/* Where the time of a run went: a table on standard output, and a trace of every span for a viewer. The spans are noted
 * where the work is done (trace.h); every rank knows the same kinds, in the same order. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/trace.h"
#include "compute/compute.h"
#include "measure.h"
#include "profile.h"

#define EVENTS_OF_JOB 2000000 /* some 200 MB of JSON */
#define EVENTS_OF_RANK 100000

/* Before there is anything to write: a position that cannot be written to is better known before a training than after.
 * What is there already stays until the trace is whole. Rank 0. */
static dt_status create_trace(dt_profile *profile, const char *path) {
    int fd;
    DT_TRY(dt_file_check_target(path));
    if (snprintf(profile->path, sizeof profile->path, "%s.tmp", path) >= (int)sizeof profile->path)
        return dt_fail(DT_ERR_USAGE, "--trace: the path is too long");
    DT_TRY(dt_status_within(dt_file_create(profile->path, &fd), "the trace"));
    profile->file = fdopen(fd, "w");
    if (!profile->file) close(fd);
    return profile->file ? dt_ok() : dt_fail_memory("the trace", BUFSIZ);
}

void dt_profile_close(dt_profile *profile) {
    if (profile->file) {
        fclose(profile->file);
        unlink(profile->path);
    }
    dt_trace_close();
}

dt_status dt_profile_open(dt_profile *profile, const dt_session *session, dt_run_clock *clock) {
    const dt_train_options *options = session->options;
    if (!options->trace && !options->profile) return dt_ok();
    bool writes = options->trace && session->first;
    DT_TRY(dt_session_agree(session, writes ? create_trace(profile, options->trace) : dt_ok()));
    size_t events = EVENTS_OF_JOB / (size_t)session->ranks.size;
    if (events > EVENTS_OF_RANK) events = EVENTS_OF_RANK;
    bool opened = dt_trace_open(options->trace ? events : 0);
    DT_TRY(dt_session_agree(session, opened ? dt_ok() : dt_fail_memory("the trace", 24 * events)));
    dt_run_clock_trace(clock);
    profile->memory_before = (int64_t)dt_memory_share();
    DT_TRY(dt_comm_barrier(session->comm));
    profile->origin = dt_clock_now();
    return dt_ok();
}

/* ---- the table -----------------------------------------------------------------------------------------------------
 */

typedef struct spread {
    double min[DT_TRACE_KINDS], mean[DT_TRACE_KINDS], max[DT_TRACE_KINDS];
} spread;

static void print_row(const dt_trace_total *total, const spread *s, int i, double whole, double peak) {
    char rate[64] = "";
    /* work and seconds of this rank, so the rate is of one core at work */
    if (total->work > 0)
        snprintf(rate, sizeof rate, "  %7.1f GF/s %4.0f %% of peak", total->work / total->seconds / 1e9,
                 100 * total->work / total->seconds / peak);
    bool phase = strcmp(total->category, "phase") == 0;
    dt_log_info("  %s%-9s %-*s %9.3f s (%.3f to %.3f) %5.1f %%%s", phase ? "" : "  ",
                phase ? total->name : total->category, phase ? 16 : 14, phase ? "" : total->name, s->mean[i], s->min[i],
                s->max[i], 100 * s->mean[i] / whole, rate);
}

/* The rank that kept the others waiting: the one that was longest at work of its own. */
static dt_status slowest_rank(dt_comm *comm, const dt_run_clock *clock, int *rank, double *imbalance) {
    int ranks = dt_comm_size(comm);
    uint64_t *all = dt_alloc((size_t)ranks, sizeof *all);
    DT_TRY(dt_comm_agree(comm, all ? dt_ok() : dt_fail_memory("the profile", (size_t)ranks * 8)));
    uint64_t own = (uint64_t)(1e9 * (clock->phases[DT_PHASE_INPUT] + clock->phases[DT_PHASE_COMPUTE]));
    dt_status status = dt_comm_gather_u64(comm, own, all);
    double sum = 0;
    *rank = 0;
    for (int i = 0; i < ranks; i++) {
        sum += (double)all[i];
        if (all[i] > all[*rank]) *rank = i;
    }
    *imbalance = sum > 0 ? (double)all[*rank] * ranks / sum - 1 : 0;
    dt_free(all);
    return status;
}

/* Whether a kind of span is a part of a phase: what sources do is of `input`, what layers do of `compute`. */
static bool is_part(const dt_trace_total *total, int phase) {
    bool input = strcmp(total->category, "input") == 0;
    return total->count > 0 && strcmp(total->category, "phase") != 0 &&
           phase == (input ? DT_PHASE_INPUT : DT_PHASE_COMPUTE);
}

/* A row a phase, and under it one for each of its parts. */
static void print_rows(const dt_run_clock *clock, const spread *s, double peak) {
    const dt_trace_total *totals;
    int count = dt_trace_totals(&totals);
    for (int phase = 0; phase < DT_PHASE_COUNT; phase++) {
        for (int i = 0; i < count; i++)
            if (i == clock->spans[phase] && totals[i].count > 0) print_row(&totals[i], s, i, clock->loop_seconds, peak);
        for (int i = 0; i < count; i++)
            if (is_part(&totals[i], phase)) print_row(&totals[i], s, i, clock->loop_seconds, peak);
    }
    double work = 0, busy = 0;
    for (int i = 0; i < count; i++) {
        work += totals[i].work;
        if (totals[i].work > 0) busy += totals[i].seconds;
    }
    if (busy > 0)
        dt_log_info("  layers with products: %.0f %% of peak while at work, %.0f %% over the whole loop",
                    100 * work / busy / peak, 100 * work / clock->loop_seconds / peak);
}

/* Collective. What the table is made of: the spread of every kind over the ranks, and the machine's limit. */
static dt_status measure(dt_comm *comm, const dt_kernels *kernels, dt_precision precision, spread *s,
                         double *mean_peak) {
    const dt_trace_total *totals;
    double peak, seconds[DT_TRACE_KINDS];
    int count = dt_trace_totals(&totals);
    for (int i = 0; i < count; i++) seconds[i] = totals[i].seconds;
    peak = dt_measure_peak(kernels, precision, 0.05) * dt_threads(); /* a rank's work is all its threads' */
    DT_TRY(dt_comm_spread(comm, seconds, (size_t)count, s->min, s->mean, s->max));
    return dt_comm_spread(comm, &peak, 1, NULL, mean_peak, NULL);
}

static dt_status print_table(const dt_session *session, const dt_run_clock *clock, const dt_trainee *trainee,
                             int64_t steps) {
    dt_comm *comm = session->comm;
    dt_precision precision = (dt_precision)session->recipe->compute.precision;
    int slowest;
    double imbalance, peak;
    spread *s = dt_alloc(1, sizeof *s);
    DT_TRY(dt_comm_agree(comm, s ? dt_ok() : dt_fail_memory("the profile", sizeof *s)));
    dt_status status = measure(comm, trainee->kernels, precision, s, &peak);
    if (status.code == DT_OK) status = slowest_rank(comm, clock, &slowest, &imbalance);
    if (status.code != DT_OK || !session->first) {
        dt_free(s);
        return status;
    }
    dt_log_info(
        "profile of %lld steps: seconds a rank, mean (least to most), share of the training loop; peak %.1f GF/s a "
        "core in %s",
        (long long)steps, peak / dt_threads() / 1e9, precision == DT_PRECISION_BF16 ? "bf16" : "float32");
    print_rows(clock, s, peak);
    dt_free(s);
    size_t shared, crossing;
    dt_reduce_traffic(trainee->reducer, &shared, &crossing);
    dt_log_info("  a step moves %.3f MB of gradient a rank in shared memory and %.3f MB between nodes",
                (double)shared / 1e6, (double)crossing / 1e6);
    if (session->ranks.size > 1)
        dt_log_info("  slowest rank: %d, %.1f %% above the mean; %lld of %lld steps were redone for the wire", slowest,
                    100 * imbalance, (long long)clock->redone, (long long)steps);
    return dt_ok();
}

/* ---- the trace -----------------------------------------------------------------------------------------------------
 */

static void write_rank(void *file, int rank, const char *events) {
    fprintf(file, "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":%d,\"args\":{\"name\":\"rank %d\"}},\n%s", rank,
            rank, events);
}

static dt_status write_trace(const dt_profile *profile, const dt_session *session) {
    const char *path = session->options->trace;
    size_t dropped = 0;
    char *events = dt_trace_json(session->ranks.rank, profile->origin, &dropped);
    FILE *file = profile->file;
    dt_status status = dt_session_agree(session, events ? dt_ok() : dt_fail_memory("the trace", 0));
    if (file) fprintf(file, "{\"traceEvents\":[\n");
    if (status.code == DT_OK) status = dt_comm_collect_text(session->comm, events, write_rank, file);
    if (file) {
        fprintf(file, "{\"name\":\"end\",\"ph\":\"M\",\"pid\":0}\n],\"displayTimeUnit\":\"ms\"}\n");
        bool written = fflush(file) == 0 && !ferror(file) && rename(profile->path, path) == 0;
        if (!written && status.code == DT_OK)
            status = dt_fail(DT_ERR_IO, "%s: the trace cannot be written: %s", path, strerror(errno));
    }
    dt_free(events);
    DT_TRY(dt_session_agree(session, status));
    if (dropped > 0)
        dt_log_info("trace: %s (the last spans of each rank; %zu earlier ones are left out)", path, dropped);
    else
        dt_log_info("trace: %s (open it in ui.perfetto.dev or chrome://tracing)", path);
    return dt_ok();
}

dt_status dt_profile_finish(const dt_profile *profile, const dt_session *session, const dt_run_clock *clock,
                            const dt_trainee *trainee, const dt_source *source, int64_t steps,
                            const dt_memory_beside *beside) {
    if (!dt_trace_on) return dt_ok();
    DT_TRY(print_table(session, clock, trainee, steps));
    DT_TRY(dt_trainee_print_memory(trainee, session, source, beside, profile->memory_before));
    return session->options->trace ? write_trace(profile, session) : dt_ok();
}
