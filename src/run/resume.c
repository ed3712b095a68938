/* Going on from a checkpoint: which one, whether it is this run's, and what it brings back. Rank 0 reads; all ranks
 * agree before anyone acts on it. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "run_internal.h"

/* That `path` can start a run whose directory may hold checkpoints of its own. Rank 0. */
static dt_status check_start(const dt_run *run, const char *path) {
    char(*paths)[4096];
    int count;
    DT_TRY(dt_checkpoint_list(run->checkpoints, &paths, &count));
    dt_status status = path[0] ? dt_checkpoint_verify(path, NULL) : dt_ok();
    if (status.code == DT_OK && count > 0 && !path[0])
        status =
            dt_fail(DT_ERR_INPUT,
                    "%s holds %d checkpoint%s; --resume never starts only in an empty run directory (choose another "
                    "with --run, or remove this one)",
                    run->directory, count, count == 1 ? "" : "s");
    else if (status.code == DT_OK && count > 0 && strcmp(paths[0], path) != 0)
        status = dt_fail(DT_ERR_INPUT,
                         "%s holds checkpoints of its own (the newest is %s); to start from %s choose another run "
                         "directory with --run",
                         run->directory, paths[0], path);
    dt_free(paths);
    return status;
}

/* A recipe that names an instruction set says what a checkpoint was trained with that is too old to. */
static dt_status isa_of(const dt_checkpoint_head *head, int *isa) {
    *isa = dt_isa_named(head->isa);
    if (head->isa[0]) return dt_ok();
    dt_recipe recipe;
    DT_TRY(dt_recipe_read_resolved(&recipe, "the checkpoint's recipe", head->recipe));
    *isa = recipe.compute.isa;
    dt_recipe_finish(&recipe);
    return dt_ok();
}

static dt_status choose(const dt_run *run, dt_start *start) {
    const char *resume = run->options->resume;
    if (strcmp(resume, "auto") == 0) {
        DT_TRY(dt_checkpoint_newest(run->checkpoints, start->path));
    } else {
        snprintf(start->path, sizeof start->path, "%s", strcmp(resume, "never") == 0 ? "" : resume);
        DT_TRY(check_start(run, start->path));
    }
    if (!start->path[0]) return dt_ok();
    dt_checkpoint_head head;
    DT_TRY(dt_checkpoint_head_read(start->path, &head));
    start->shards = head.shards;
    dt_status status = isa_of(&head, &start->isa);
    dt_checkpoint_head_finish(&head);
    return dt_status_within(status, "%s", start->path);
}

dt_status dt_resume_choose(const dt_run *run, dt_start *start) {
    memset(start, 0, sizeof *start);
    DT_TRY(dt_comm_agree(run->comm, dt_comm_rank(run->comm) == 0 ? choose(run, start) : dt_ok()));
    return dt_comm_broadcast(run->comm, start, sizeof *start, 0);
}

/* Whether the run's data is that of the checkpoint, and its position one of this data. */
static dt_status compare_data(const dt_run *run, const dt_checkpoint_head *head, const char *path) {
    if (head->data) {
        dt_identity stored;
        DT_TRY(dt_identity_parse(&stored, head->data, path));
        DT_TRY(dt_identity_compare(&stored, &run->identity));
    }
    return dt_course_check(run, &head->position);
}

/* *other: it is not, and is taken all the same. */
static dt_status check_data(const dt_run *run, const dt_checkpoint_head *head, const char *path, bool *other) {
    dt_status status = compare_data(run, head, path);
    *other = status.code == DT_ERR_INPUT && run->recipe->data.changed == DT_CHANGED_ACCEPT &&
             dt_recipe_allows(run->options->allowed, "data.changed");
    if (*other || status.code == DT_OK) return dt_ok();
    if (status.code != DT_ERR_INPUT) return status;
    return dt_fail(
        DT_ERR_INPUT,
        "%s: %s is other data than it was trained on: %s; give it back, or begin the epochs of the new data with "
        "the weights there are: --set data.changed=accept",
        path, run->recipe->data.file, status.message);
}

/* The exact sums of a tally: from the file, or where it is of a time before them, from what it has. */
static dt_status settle_sums(dt_tally *tally, bool found, const char *path) {
    if (!found) dt_tally_from_rounded(tally);
    if (tally->samples >= 0 && dt_sum_sound(&tally->loss) && dt_sum_sound(&tally->abs_error)) return dt_ok();
    return dt_fail(DT_ERR_CORRUPT, "%s: its sums of losses make no sense", path);
}

static dt_status settle_beside(dt_run *run, const char *path) {
    DT_TRY(settle_sums(&run->epoch_tally, run->beside[DT_BESIDE_EPOCH_SUMS].found, path));
    DT_TRY(settle_sums(&run->last_tally, run->beside[DT_BESIDE_LAST_SUMS].found, path));
    if (!run->beside[DT_BESIDE_BEST_VALUE].found) run->best_value = run->best.value;
    return dt_ok();
}

/* Loads on rank 0, after comparing the recipes. */
static dt_status load(dt_run *run, const char *path, bool *other, bool *older) {
    dt_checkpoint_head head;
    DT_TRY(dt_checkpoint_head_read(path, &head));
    dt_status status = run->lacks_bf16 ? dt_precision_check(head.recipe) : dt_ok();
    if (status.code == DT_OK) status = dt_recipe_compare(head.recipe, run->resolved, run->options->allowed);
    status = dt_status_within(status, "%s", path);
    if (status.code == DT_OK) status = check_data(run, &head, path, other);
    *older = !head.data;
    dt_checkpoint_head_finish(&head);
    DT_TRY(status);
    uint64_t vocabulary = dt_vocabulary_hash(&run->vocabulary);
    DT_TRY(dt_checkpoint_load(path, &run->state, false));
    DT_TRY(settle_beside(run, path));
    if (dt_vocabulary_hash(&run->vocabulary) != vocabulary)
        return dt_fail(DT_ERR_INPUT, "%s: the vocabulary of %s is another than the checkpoint's", path,
                       run->recipe->data.file);
    run->position = run->state.position;
    run->state.seed = run->recipe->seed;
    run->state.shards = run->shards;
    if (*other) dt_course_begin_anew(run);
    return dt_ok();
}

static dt_status share_state(dt_run *run) {
    DT_TRY(dt_comm_broadcast(run->comm, &run->position, sizeof run->position, 0));
    for (int i = 0; i < run->state.section_count; i++)
        DT_TRY(dt_node_share(run->node, run->sections[i].data, run->table->total * sizeof(float)));
    for (int i = 0; i < run->state.extra_count; i++) {
        const dt_extra *extra = &run->extras[i];
        size_t bytes = (size_t)extra->count * dt_dtype_size(extra->dtype);
        DT_TRY(extra == run->recurrent_state.extra ? dt_node_share(run->node, extra->data, bytes)
                                                   : dt_comm_broadcast(run->comm, extra->data, bytes, 0));
    }
    for (int i = 0; i < run->state.beside_count; i++) {
        const dt_extra *beside = &run->beside[i].array;
        DT_TRY(dt_comm_broadcast(run->comm, beside->data, (size_t)beside->count * dt_dtype_size(beside->dtype), 0));
    }
    run->recurrent_state.whole = true;
    return dt_ok();
}

static void say_loaded(const dt_run *run, const char *path, bool other, bool older) {
    if (older)
        dt_log_warn("%s: it does not say what data it was trained on, nor on what instruction set (it is of an older "
                    "dtrain); going on with %s and %s",
                    path, run->recipe->data.file, dt_isa_name(run->kernels->isa));
    if (other)
        dt_log_info(
            "%s is other data than %s was trained on: its epochs, train.steps and the schedule begin at step %lld, "
            "weights and moments go on",
            run->recipe->data.file, path, (long long)run->position.step);
}

dt_status dt_resume_load(dt_run *run, const char *path) {
    bool first = dt_comm_rank(run->comm) == 0, other = false, older = false;
    DT_TRY(dt_comm_agree(run->comm, first ? load(run, path, &other, &older) : dt_ok()));
    DT_TRY(share_state(run));
    dt_course_plan(run);
    if (first) say_loaded(run, path, other, older);
    return dt_ok();
}

/* Drops the records of steps that are to be made again. */
static dt_status rewind_metrics(dt_run *run) {
    dt_metrics *old = run->metrics;
    run->metrics = NULL;
    DT_TRY(dt_metrics_close(old));
    return dt_metrics_open(&run->metrics, run->directory, dt_run_series, 2, run->position.step);
}

dt_status dt_run_roll_back(dt_run *run) {
    bool first = dt_comm_rank(run->comm) == 0;
    struct dt_skips skips = run->skips;
    char path[4096] = "";
    dt_watchdog_note(run->watchdog, DT_ACTIVITY_STORAGE, run->position.step);
    dt_status status = first ? dt_checkpoint_newest(run->checkpoints, path) : dt_ok();
    if (first && status.code == DT_OK && !path[0])
        status = dt_fail(DT_ERR_DIVERGED,
                         "there is no checkpoint to roll back to; write them more often (checkpoint.every)");
    DT_TRY(dt_comm_agree(run->comm, status));
    DT_TRY(dt_resume_load(run, path));
    dt_run_round_weights(run);
    memcpy(run->skips.steps, skips.steps, sizeof skips.steps);
    memset(&run->local_tally, 0, sizeof run->local_tally);
    run->checkpoint_step = run->position.step;
    dt_watchdog_note(run->watchdog, DT_ACTIVITY_COMPUTE, run->position.step);
    return dt_comm_agree(run->comm, first ? rewind_metrics(run) : dt_ok());
}
