#include "notes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "base/log.h"
#include "measure.h"
#include "store/journal.h"

#define MOST_WARNINGS 200 /* of one start */
#define PEAK_SECONDS 0.004

static dt_journal_field text(const char *key, const char *value) {
    return (dt_journal_field){key, value, 0};
}

static dt_journal_field number(const char *key, double value) {
    return (dt_journal_field){key, NULL, value};
}

static void note(const dt_run *run, const char *event, const dt_journal_field *fields, int count) {
    if (!run->notes.journal) return;
    dt_status status = dt_journal_note(run->notes.journal, event, fields, count);
    if (status.code != DT_OK) dt_log_debug("%s", status.message);
}

/* As a listener: of very many warnings the first. */
static void note_warning(void *context, const char *warning) {
    dt_run *run = context;
    if (run->notes.warnings++ >= MOST_WARNINGS) return;
    const dt_journal_field fields[] = {text("text", warning), number("step", (double)run->ledger.position.step)};
    note(run, "warning", fields, 2);
}

/* ---- who computes ---- */

typedef struct hosts {
    char text[1500], last[256];
    int ranks, count;
} hosts;

static void end_host(hosts *all) {
    if (all->ranks == 0) return;
    all->count++;
    dt_append(all->text, sizeof all->text, "%s%s (%d)", all->count > 1 ? ", " : "", all->last, all->ranks);
    all->ranks = 0;
}

/* Ranks of a host follow each other, as launchers place them; where they do not, it is named again. */
static void take_host(void *context, int rank, const char *host) {
    hosts *all = context;
    (void)rank;
    if (strcmp(all->last, host) != 0) end_host(all);
    snprintf(all->last, sizeof all->last, "%s", host);
    all->ranks++;
}

static double parameters(const dt_table *table) {
    double sum = 0;
    for (int i = 0; i < table->count; i++) sum += (double)table->tensors[i].count;
    return sum;
}

dt_status dt_notes_begin(dt_run *run) {
    const dt_session *session = &run->session;
    const dt_recipe *recipe = session->recipe;
    hosts all = {.count = 0};
    double mean_peak,
        peak =
            dt_measure_peak(run->trainee.kernels, (dt_precision)recipe->compute.precision, PEAK_SECONDS) * dt_threads();
    DT_TRY(dt_comm_spread(session->comm, &peak, 1, NULL, &mean_peak, NULL));
    DT_TRY(dt_comm_collect_text(session->comm, dt_comm_host(session->comm), take_host, &all));
    if (!session->first) return dt_ok();
    dt_status opened = dt_journal_open(&run->notes.journal, session->directory);
    if (opened.code != DT_OK) dt_log_warn("%s; the run goes on without a journal", opened.message);
    end_host(&all);
    const dt_journal_field fields[] = {
        text("program", DT_VERSION),
        number("step", (double)run->ledger.position.step),
        number("total_steps", (double)run->course.total_steps),
        number("ranks", session->ranks.size),
        number("threads", dt_threads()),
        number("shards", (double)run->course.shards),
        text("hosts", all.text),
        text("isa", dt_isa_name(run->trainee.kernels->isa)),
        number("samples", (double)run->course.samples),
        number("audit", recipe->train.audit),
        number("parameters", parameters(run->trainee.table)),
        number("flops_per_sample", dt_model_flops(run->trainee.model)),
        number("peak_flops", mean_peak * session->ranks.size),
    };
    note(run, "started", fields, sizeof fields / sizeof *fields);
    dt_log_listen(note_warning, run);
    return dt_ok();
}

void dt_note_checkpoint(const dt_run *run) {
    const dt_budget *budget = &run->clock.budget;
    const dt_journal_field fields[] = {
        number("step", (double)run->snapshot.step), number("seconds", budget->duration),
        number("stood", budget->last.stood),        number("slowed", budget->last.slowed),
        number("work", budget->last.work),
    };
    note(run, "checkpoint", fields, sizeof fields / sizeof *fields);
}

void dt_note_waits(const dt_run *run, const char *what) {
    const dt_journal_field fields[] = {text("text", what), number("round", (double)run->ledger.position.step)};
    note(run, "waits", fields, 2);
}

void dt_note_rollback(const dt_run *run) {
    const dt_journal_field fields[] = {number("step", (double)run->ledger.position.step)};
    note(run, "rolled_back", fields, 1);
}

void dt_note_end(const dt_run *run, dt_outcome outcome, const char *digest) {
    const dt_journal_field fields[] = {
        text("outcome", outcome == DT_OUTCOME_STOPPED ? "stopped" : "done"),
        text("why", run->ended),
        number("step", (double)run->ledger.position.step),
        number("seconds", dt_progress_seconds(&run->progress)),
        number("samples_per_s", dt_run_clock_rate(&run->clock)),
        number("skipped", (double)run->ledger.skips.count),
        text("digest", digest),
        number("audits", (double)run->clock.audits),
        number("audit_seconds", run->clock.audit_seconds),
    };
    note(run, "ended", fields, sizeof fields / sizeof *fields);
}

void dt_note_failure(const dt_run *run, const dt_status *status) {
    const dt_journal_field fields[] = {text("outcome", "failed"), text("why", status->message),
                                       number("step", (double)run->ledger.position.step)};
    note(run, "ended", fields, sizeof fields / sizeof *fields);
}

void dt_notes_close(dt_run *run) {
    dt_log_listen(NULL, NULL);
    dt_journal_close(run->notes.journal);
    run->notes.journal = NULL;
}
