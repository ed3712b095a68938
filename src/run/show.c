#include "show.h"

#include "base/clock.h"
#include "base/log.h"

#define RARITY 200 /* times what the last page took */

static void show(dt_run *run, bool ended) {
    const dt_train_options *options = run->session.options;
    double began = dt_clock_now();
    dt_status status = options->show(options->show_context, run->session.directory, ended);
    run->show.last = dt_clock_now();
    run->show.cost = run->show.last - began;
    if (status.code == DT_OK) return;
    run->show.failed = true;
    dt_log_warn("%s; the run goes on without its report", status.message);
}

static bool wanted(const dt_run *run) {
    return run->session.first && run->session.options->show && !run->show.failed &&
           run->session.recipe->report.every.unit != DT_SPAN_NEVER;
}

void dt_run_show(dt_run *run) {
    if (!wanted(run)) return;
    const dt_span every = run->session.recipe->report.every;
    double now = dt_clock_now(), last = run->show.last > 0 ? run->show.last : run->clock.started;
    bool due = every.unit == DT_SPAN_SECONDS ? now - last >= every.value
                                             : dt_course_due(&run->course, every, &run->ledger.position);
    if (due && now - last >= RARITY * run->show.cost) show(run, false);
}

void dt_run_show_last(dt_run *run) {
    if (wanted(run)) show(run, true);
}
