/* Going on from a checkpoint: which one, whether it is this run's, and what it brings back. Rank 0 reads; all ranks
 * agree before anyone acts on it. */
#include "resume.h"

#include <stdio.h>
#include <string.h>

#include "arithmetic.h"
#include "base/log.h"
#include "base/memory.h"
#include "frozen.h"
#include "notes.h"
#include "rounds.h"
#include "run.h"

/* That `path` can start a run whose directory may hold checkpoints of its own. Rank 0. */
static dt_status check_start(const dt_session *session, const char *path) {
    char(*paths)[4096];
    int count;
    DT_TRY(dt_checkpoint_list(session->checkpoints, &paths, &count));
    dt_status status = path[0] ? dt_checkpoint_verify(path, NULL) : dt_ok();
    if (status.code == DT_OK && count > 0 && !path[0])
        status =
            dt_fail(DT_ERR_INPUT,
                    "%s holds %d checkpoint%s; --resume never starts only in an empty run directory (choose another "
                    "with --run, or remove this one)",
                    session->directory, count, count == 1 ? "" : "s");
    else if (status.code == DT_OK && count > 0 && strcmp(paths[0], path) != 0)
        status = dt_fail(DT_ERR_INPUT,
                         "%s holds checkpoints of its own (the newest is %s); to start from %s choose another run "
                         "directory with --run",
                         session->directory, paths[0], path);
    dt_free(paths);
    return status;
}

static dt_status choose(const dt_session *session, dt_start *start) {
    const char *resume = session->options->resume;
    if (strcmp(resume, "auto") == 0) {
        DT_TRY(dt_checkpoint_newest(session->checkpoints, start->path));
    } else {
        snprintf(start->path, sizeof start->path, "%s", strcmp(resume, "never") == 0 ? "" : resume);
        DT_TRY(check_start(session, start->path));
    }
    if (!start->path[0]) return dt_ok();
    dt_checkpoint_head head;
    DT_TRY(dt_checkpoint_head_read(start->path, &head));
    start->shards = head.shards;
    dt_checkpoint_head_finish(&head);
    return dt_ok();
}

dt_status dt_resume_choose(const dt_session *session, dt_start *start) {
    memset(start, 0, sizeof *start);
    DT_TRY(dt_session_agree(session, session->first ? choose(session, start) : dt_ok()));
    return dt_comm_broadcast(session->comm, start, sizeof *start, 0);
}

/* Whether the run's data is that of the checkpoint, and its position one of this data. */
static dt_status compare_data(const dt_run_data *data, const dt_identity *identity, const char *file,
                              const dt_checkpoint_head *head, const char *path) {
    if (head->data) {
        dt_identity stored;
        DT_TRY(dt_identity_parse(&stored, head->data, path));
        DT_TRY(dt_identity_compare(&stored, identity));
    }
    return dt_course_check(&data->train, file, &head->position);
}

/* *other: it is not, and is taken all the same. */
static dt_status check_data(const dt_session *session, const dt_run_data *data, const dt_identity *identity,
                            const dt_checkpoint_head *head, const char *path, bool *other) {
    const dt_recipe_data *wanted = &session->recipe->data;
    dt_status status = compare_data(data, identity, wanted->file, head, path);
    *other = status.code == DT_ERR_INPUT && wanted->changed == DT_CHANGED_ACCEPT &&
             dt_recipe_allows(session->options->allowed, "data.changed");
    if (*other || status.code == DT_OK) return dt_ok();
    if (status.code != DT_ERR_INPUT) return status;
    const char *key = session->recipe->privacy.clip > 0 ? ", or the key of its noise (--privacy-key) is another" : "";
    return dt_fail(
        DT_ERR_INPUT,
        "%s: %s is other data than it was trained on%s: %s; give it back, or begin the epochs of the new data with "
        "the weights there are: --set data.changed=accept",
        path, wanted->file, key, status.message);
}

/* What a checkpoint turned out to be. */
typedef struct loaded {
    bool other, older; /* of other data, which is taken all the same; of data it does not tell */
    dt_frozen frozen;
} loaded;

/* That a checkpoint is of this run: its recipe and its data. */
static dt_status check_head(const dt_run *run, const dt_checkpoint_head *head, const char *path, loaded *found) {
    const dt_session *session = &run->session;
    dt_status status = dt_recipe_compare(head->recipe, run->snapshot.recipe, session->options->allowed);
    DT_TRY(dt_status_within(status, "%s", path));
    bool open;
    DT_TRY(dt_privacy_follows(&run->privacy, head, path, &open));
    found->older = !head->data;
    const dt_identity *identity = open ? &run->privacy.open : &run->data.identity;
    return check_data(session, &run->data, identity, head, path, &found->other);
}

/* The arrays, of a checkpoint that is this run's. */
static dt_status load_state(dt_run *run, const char *path, loaded *found) {
    dt_checkpoint_head head;
    DT_TRY(dt_checkpoint_head_read(path, &head));
    dt_status status = check_head(run, &head, path, found);
    if (status.code == DT_OK)
        status = dt_frozen_load(&run->trainee, &run->snapshot.state, head.recipe, path, &found->frozen);
    dt_checkpoint_head_finish(&head);
    return status;
}

/* Rank 0. */
static dt_status load(dt_run *run, const char *path, loaded *found) {
    dt_state *state = &run->snapshot.state;
    const int64_t shards = state->shards, seed = state->seed;
    uint64_t vocabulary = dt_vocabulary_hash(&run->data.vocabulary);
    DT_TRY(load_state(run, path, found));
    DT_TRY(dt_ledger_take(&run->ledger, run->snapshot.beside, path));
    DT_TRY(dt_privacy_take(&run->privacy, run->snapshot.privacy, state->position.step, path));
    if (dt_vocabulary_hash(&run->data.vocabulary) != vocabulary)
        return dt_fail(DT_ERR_INPUT, "%s: the vocabulary of %s is another than the checkpoint's", path,
                       run->session.recipe->data.file);
    run->ledger.position = state->position;
    state->seed = seed;
    state->shards = shards;
    if (found->other) dt_ledger_begin_anew(&run->ledger);
    return dt_ok();
}

static dt_status broadcast(dt_comm *comm, const dt_extra *extra) {
    return dt_comm_broadcast(comm, extra->data, (size_t)extra->count * dt_dtype_size(extra->dtype), 0);
}

/* Rank 0's state everywhere: once to each node what its ranks share, to each rank the rest. */
static dt_status share_state(dt_run *run) {
    dt_comm *comm = run->session.comm;
    dt_recurrent_state *recurrent = &run->trainee.recurrent_state;
    const dt_state *state = &run->snapshot.state;
    DT_TRY(dt_comm_broadcast(comm, &run->ledger.position, sizeof run->ledger.position, 0));
    for (int i = 0; i < state->section_count; i++) {
        const dt_section *section = &state->sections[i];
        DT_TRY(dt_node_share(run->session.node, section->data, section->table->total * sizeof(float)));
    }
    for (int i = 0; i < state->extra_count; i++)
        if (&state->extras[i] != recurrent->extra) DT_TRY(broadcast(comm, &state->extras[i]));
    DT_TRY(dt_recurrent_state_share(recurrent));
    for (int i = 0; i < state->beside_count; i++) {
        const dt_extra *array = &state->beside[i].array;
        DT_TRY(state->beside[i].shared
                   ? dt_node_share(run->session.node, array->data, (size_t)array->count * dt_dtype_size(array->dtype))
                   : broadcast(comm, array));
    }
    return dt_ok();
}

dt_status dt_run_share(dt_run *run) {
    DT_TRY(share_state(run));
    dt_course_plan(&run->course, run->session.recipe, &run->data.train, &run->ledger.position);
    return dt_ok();
}

static void say_loaded(const dt_run *run, const char *path, const loaded *found) {
    const char *file = run->session.recipe->data.file;
    dt_frozen_tell(&found->frozen, path);
    if (found->older)
        dt_log_warn("%s: it does not say what data it was trained on (it is of an older dtrain); going on with %s",
                    path, file);
    if (found->other)
        dt_log_info(
            "%s is other data than %s was trained on: its epochs, train.steps and the schedule begin at step %lld, "
            "weights and moments go on",
            file, path, (long long)run->ledger.position.step);
}

dt_status dt_run_load(dt_run *run, const char *path) {
    const dt_session *session = &run->session;
    loaded found = {0};
    DT_TRY(dt_session_agree(session, session->first ? load(run, path, &found) : dt_ok()));
    DT_TRY(dt_run_share(run));
    dt_scales_loaded(&run->data.scales, &session->recipe->data);
    dt_reducer *reducer = run->rounds ? run->rounds->trainee.reducer : run->trainee.reducer;
    if (run->trainee.privacy) dt_reduce_forget(reducer); /* exponents are this recipe's */
    run->snapshot.step = run->ledger.position.step;
    if (session->first) say_loaded(run, path, &found);
    return dt_ok();
}

/* Rank 0. The newest checkpoint, which there must be. */
static dt_status find_newest(const dt_session *session, char path[4096]) {
    DT_TRY(dt_checkpoint_newest(session->checkpoints, path));
    if (path[0]) return dt_ok();
    return dt_fail(DT_ERR_DIVERGED, "there is no checkpoint to roll back to; write them more often (checkpoint.every)");
}

dt_status dt_run_roll_back(dt_run *run) {
    const dt_session *session = &run->session;
    dt_skips skips = run->ledger.skips;
    char path[4096] = "";
    dt_reduce_done(run->trainee.reducer);
    DT_TRY(dt_run_finish_checkpoint(run)); /* which one is the newest is not to depend on how fast a disk is */
    dt_session_note(session, DT_ACTIVITY_STORAGE, run->ledger.position.step);
    DT_TRY(dt_session_agree(session, session->first ? find_newest(session, path) : dt_ok()));
    DT_TRY(dt_run_load(run, path));
    dt_trainee_round_weights(&run->trainee);
    dt_ledger_rolled_back(&run->ledger, &skips);
    const int64_t step = run->ledger.position.step;
    dt_session_note(session, DT_ACTIVITY_COMPUTE, step);
    dt_note_rollback(run);
    return dt_session_agree(session, session->first
                                         ? dt_records_open(&run->progress.records, session->directory, run->data.judge,
                                                           session->recipe->metrics.tensorboard, false, step)
                                         : dt_ok());
}
