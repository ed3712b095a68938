/* The eval command's work: a checkpoint against a split. */
#include "run/eval.h"

#include <stdio.h>

#include "at_work.h"
#include "base/log.h"
#include "evaluate.h"
#include "use/figures.h"
#include "use/pieces.h"

static void tell(const dt_at_work *w, const dt_tally *tally, const char *split) {
    char figures[DT_FIGURES], digest[17];
    dt_loss loss = (dt_loss)w->recipe.loss.kind;
    dt_tally_text(figures, sizeof figures, "", tally, loss, &w->source, true);
    if (w->source.dropped > 0)
        dt_log_info("%lld rows of %s lack a value and are left out (data.missing: drop)", (long long)w->source.dropped,
                    w->source.x_name);
    dt_log_info("%s, step %lld, on %s:%s", w->path, (long long)w->head.position.step, split, figures);
    dt_tally_text(figures, sizeof figures, "", tally, loss, &w->source, false);
    dt_digest_text(w->head.digest, digest);
    dt_log_info("eval%s samples=%lld digest=%s", figures, (long long)tally->samples, digest);
}

static dt_status evaluate_checkpoint(dt_at_work *w, const dt_eval_options *options) {
    dt_comm *comm = w->comm;
    size_t memory;
    int64_t rows = dt_rows_at_once(&w->recipe, w->head.shards, w->source.samples);
    DT_TRY(dt_memory_of_rank(comm, &memory));
    DT_TRY(dt_at_work_compute(w));
    DT_TRY(dt_comm_agree(comm, dt_at_work_plan(w, rows, false, memory)));
    DT_TRY(dt_at_work_load(w));
    dt_watchdog_note(dt_comm_watchdog(comm), DT_ACTIVITY_EVALUATE, w->head.position.step);
    dt_evaluator evaluator = {&w->ranks, w->model, w->kernels, &w->scales, w->weights, w->weights16, &w->source, rows};
    dt_odd odd = {.samples = w->source.x_name};
    dt_tally tally;
    DT_TRY(dt_evaluate_split(&evaluator, &tally, &odd));
    DT_TRY(dt_test_not_finite(comm, (dt_not_finite)w->recipe.train.not_finite, &odd, false, &tally));
    tell(w, &tally, w->all ? "all" : dt_split_name(options->split));
    return dt_ok();
}

dt_status dt_eval_run(dt_comm *comm, const dt_eval_options *options) {
    dt_at_work work;
    dt_at_work_data data = {
        .file = options->data, .split = options->split, .all = options->all, .unsaid = options->unsaid};
    dt_status status = dt_at_work_open(&work, comm, options->target, &data);
    if (status.code == DT_OK) status = evaluate_checkpoint(&work, options);
    dt_at_work_close(&work);
    return status;
}
