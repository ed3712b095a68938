#include "tables.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "evaluated.h"
#include "run.h"

/* It is known only behind an evaluation whether a run with train.patience goes on. */
static bool may_be_last(const dt_run *run) {
    const int64_t patience = run->session.recipe->train.patience;
    return run->ledger.position.step >= run->course.total_steps ||
           (patience > 0 && run->ledger.best.since + 1 >= (double)patience);
}

/* Of very many classes nobody reads a table, and it would cost more than the evaluation. */
static bool wanted(const dt_run *run, const dt_outputs *outputs) {
    return run->session.recipe->report.tables && run->data.has_test && outputs->classes <= DT_ASSESSMENT_MOST &&
           may_be_last(run);
}

/* `status` is the same on all ranks: without memory a run has no tables, and goes on. */
static dt_status do_without(const dt_run *run, dt_status status) {
    if (status.code != DT_ERR_MEMORY) return status;
    if (run->session.first) dt_log_warn("%s; the run goes on without evaluation.json", status.message);
    return dt_ok();
}

dt_status dt_tables_begin(dt_run *run, dt_assessor **assessor) {
    const dt_loss loss = (dt_loss)run->session.recipe->loss.kind;
    *assessor = NULL;
    if (!run->data.has_test) return dt_ok();
    const dt_outputs outputs = dt_outputs_of(&run->data.test.targets, loss, run->trainee.model);
    if (!wanted(run, &outputs)) return dt_ok();
    dt_status status = dt_session_agree(&run->session, dt_assessor_create(assessor, &outputs, run->trainee.kernels));
    if (status.code == DT_OK) return status;
    dt_assessor_destroy(*assessor);
    *assessor = NULL;
    return do_without(run, status);
}

dt_status dt_tables_end(dt_run *run, dt_assessor *assessor, dt_status evaluated) {
    dt_tables *tables = &run->tables;
    if (!assessor) return evaluated;
    dt_tables_close(tables);
    dt_status status = evaluated;
    if (status.code == DT_OK) {
        status = dt_assessor_gather(assessor, &run->session.ranks, &tables->assessment);
        tables->there = status.code == DT_OK;
        tables->step = run->ledger.position.step;
        status = do_without(run, status);
    }
    dt_assessor_destroy(assessor);
    return status;
}

static dt_status write_file(const dt_run *run, uint64_t digest) {
    const dt_source *source = &run->data.test;
    char path[4096], checkpoint[4096], name[64];
    snprintf(name, sizeof name, "step-%09lld.h5", (long long)run->tables.step);
    DT_TRY(dt_path_join(checkpoint, run->session.checkpoints, name));
    DT_TRY(dt_path_join(path, run->session.directory, "evaluation.json"));
    const dt_evaluated all = {.checkpoint = checkpoint,
                              .files = source->file,
                              .datasets = source->x_name,
                              .split = dt_split_name(run->data.judge),
                              .digest = digest,
                              .step = run->tables.step,
                              .loss = (dt_loss)run->session.recipe->loss.kind,
                              .source = source,
                              .classes = &run->data.classes,
                              .tally = &run->ledger.test,
                              .assessment = &run->tables.assessment};
    return dt_evaluated_write(&all, path);
}

void dt_tables_write(const dt_run *run, uint64_t digest) {
    if (!run->tables.there || run->tables.step != run->ledger.position.step) return;
    dt_status status = write_file(run, digest);
    if (status.code != DT_OK) dt_log_warn("%s", status.message);
}

void dt_tables_close(dt_tables *tables) {
    if (tables->there) dt_assessment_finish(&tables->assessment);
    memset(tables, 0, sizeof *tables);
}
