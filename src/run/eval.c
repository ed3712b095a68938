/* The eval command's work: a checkpoint against a split. */
#include "run/eval.h"

#include <stdlib.h>
#include <string.h>

#include "at_work.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "evaluate.h"
#include "evaluated.h"
#include "use/assessment_json.h"
#include "use/figures.h"
#include "use/pieces.h"

#define NAMES_BYTES 8192 /* of all data sets */

/* What is told of an evaluation. */
typedef struct dt_told {
    const dt_at_work *work;
    const dt_tally *tally;
    const dt_assessment *assessment;
    const char *split;
} dt_told;

/* `datasets` and `files` are their names. */
static dt_evaluated evaluated(const dt_told *told, const char *files, const char *datasets) {
    const dt_at_work *w = told->work;
    return (dt_evaluated){.checkpoint = w->path,
                          .files = files,
                          .datasets = datasets,
                          .split = told->split,
                          .digest = w->head.digest,
                          .step = w->head.position.step,
                          .loss = (dt_loss)w->recipe.loss.kind,
                          .source = &w->sources[0],
                          .classes = &w->classes,
                          .tally = told->tally,
                          .assessment = told->assessment};
}

/* Rank 0. */
static dt_status tell_assessment(const dt_told *told) {
    const dt_evaluated names = evaluated(told, "", "");
    bool terse = told->work->sources[0].about.predicts_tokens;
    char *text = dt_assessment_text(told->assessment, dt_evaluated_class, &names, terse);
    if (!text) return dt_fail_memory("the text of an evaluation", 0);
    size_t length = strlen(text);
    if (length > 0) text[length - 1] = '\0'; /* its last end of a line is the log's */
    if (length > 0) dt_log_info("%s", text);
    free(text);
    return dt_ok();
}

/* Rank 0. */
static dt_status write_json(const dt_told *told, const char *path) {
    char files[NAMES_BYTES], datasets[NAMES_BYTES];
    dt_at_work_names(told->work, false, files, sizeof files);
    dt_at_work_names(told->work, true, datasets, sizeof datasets);
    const dt_evaluated all = evaluated(told, files, datasets);
    return dt_evaluated_write(&all, path);
}

static void tell(const dt_told *told) {
    const dt_at_work *w = told->work;
    char figures[DT_FIGURES], digest[17];
    dt_loss loss = (dt_loss)w->recipe.loss.kind;
    dt_tally_text(figures, sizeof figures, "", told->tally, loss, &w->sources[0], false);
    dt_digest_text(w->head.digest, digest);
    dt_log_info("eval%s samples=%lld digest=%s", figures, (long long)told->tally->samples, digest);
}

static void tell_first(const dt_told *told) {
    const dt_at_work *w = told->work;
    char figures[DT_FIGURES];
    dt_tally_text(figures, sizeof figures, "", told->tally, (dt_loss)w->recipe.loss.kind, &w->sources[0], true);
    for (int i = 0; i < w->source_count; i++)
        if (w->sources[i].dropped > 0)
            dt_log_info("%lld rows of %s lack a value and are left out (data.missing: drop)",
                        (long long)w->sources[i].dropped, w->sources[i].x_name);
    dt_log_info("%s, step %lld, on %s:%s", w->path, (long long)w->head.position.step, told->split, figures);
}

/* Collective. Everything there is to tell: the last line comes when all else has succeeded. */
static dt_status tell_all(dt_told *told, const dt_eval_options *options) {
    dt_comm *comm = told->work->comm;
    dt_status status = dt_ok();
    if (dt_comm_rank(comm) == 0) {
        tell_first(told);
        status = tell_assessment(told);
        if (status.code == DT_OK && options->json) status = write_json(told, options->json);
    }
    DT_TRY(dt_comm_agree(comm, status));
    tell(told);
    return dt_ok();
}

/* Collective. The tally of all data sets together. */
static dt_status evaluate_sources(dt_at_work *w, int64_t rows, dt_assessor *assessor, dt_tally *sum) {
    double chars = 0;
    memset(sum, 0, sizeof *sum);
    for (int i = 0; i < w->source_count; i++) {
        const dt_source *source = &w->sources[i];
        dt_evaluator evaluator = {&w->ranks,    w->model, w->kernels, &w->scales, w->weights,
                                  w->weights16, source,   rows,       assessor};
        dt_odd odd = {.samples = source->x_name};
        dt_tally tally;
        DT_TRY(dt_evaluate_split(&evaluator, &tally, &odd));
        DT_TRY(dt_test_not_finite(w->comm, (dt_not_finite)w->recipe.train.not_finite, &odd, false, &tally));
        dt_tally_add(sum, &tally);
        chars += source->about.chars * (double)tally.samples;
    }
    if (w->source_count > 1) w->sources[0].about.chars = sum->samples > 0 ? chars / (double)sum->samples : 0;
    return dt_ok();
}

/* Collective. Loss and figures of the split, told. */
static dt_status evaluate(dt_at_work *w, const dt_eval_options *options, int64_t rows, dt_assessor *assessor) {
    dt_tally tally;
    dt_assessment assessment;
    DT_TRY(evaluate_sources(w, rows, assessor, &tally));
    dt_status status = dt_assessor_gather(assessor, &w->ranks, &assessment);
    dt_told told = {
        .work = w, .tally = &tally, .assessment = &assessment, .split = w->all ? "all" : dt_split_name(options->split)};
    if (status.code == DT_OK) status = tell_all(&told, options);
    dt_assessment_finish(&assessment);
    return status;
}

static dt_status evaluate_checkpoint(dt_at_work *w, const dt_eval_options *options) {
    dt_comm *comm = w->comm;
    size_t memory;
    int64_t rows = dt_rows_at_once(&w->recipe, w->head.shards, dt_at_work_most(w));
    DT_TRY(dt_comm_agree(comm, options->json ? dt_assessment_json_check(options->json) : dt_ok()));
    DT_TRY(dt_memory_of_rank(comm, &memory));
    DT_TRY(dt_at_work_compute(w));
    DT_TRY(dt_comm_agree(comm, dt_at_work_plan(w, rows, false, memory)));
    DT_TRY(dt_at_work_load(w));
    dt_watchdog_note(dt_comm_watchdog(comm), DT_ACTIVITY_EVALUATE, w->head.position.step);
    dt_outputs outputs = dt_outputs_of(&w->sources[0].targets, (dt_loss)w->recipe.loss.kind, w->model);
    dt_assessor *assessor = NULL;
    dt_status status = dt_comm_agree(comm, dt_assessor_create(&assessor, &outputs, w->kernels));
    if (status.code == DT_OK) status = evaluate(w, options, rows, assessor);
    dt_assessor_destroy(assessor);
    return status;
}

dt_status dt_eval_run(dt_comm *comm, const dt_eval_options *options) {
    dt_at_work work;
    dt_at_work_data data = {.named = options->data,
                            .count = options->data_count,
                            .split = options->split,
                            .all = options->all,
                            .unsaid = options->unsaid};
    dt_status status = dt_at_work_open(&work, comm, options->target, &data);
    if (status.code == DT_OK) status = evaluate_checkpoint(&work, options);
    dt_at_work_close(&work);
    return status;
}
