/* Weights from elsewhere into a run that has not begun. The run is opened as for training, so that its first checkpoint
 * has all that belongs to it (scales, classes, vocabulary, the identity of its data), and it can be evaluated, sampled
 * from, exported and gone on with like any other. */
#include "run/import_weights.h"

#include <string.h>

#include "base/log.h"
#include "run.h"
#include "use/extras.h"
#include "use/trained.h"

/* Rank 0. A checkpoint's weights are about numbers scaled as its data was: where this run would compute scales of its
 * own, and the checkpoint has such, they are taken over. */
static dt_status read_scales(dt_run_data *data, const dt_recipe_data *wanted, const char *path) {
    dt_extra extras[DT_SCALES_EXTRAS];
    const dt_table none = {.count = 0};
    int count = dt_scales_extras(wanted, &data->scales, extras);
    if (count == 0) return dt_ok();
    dt_status fits = dt_trained_fits(path, &none, extras, count);
    if (fits.code != DT_OK) {
        dt_log_warn("%s: scales are computed from this run's data, which its weights may not be made for (%s)", path,
                    fits.message);
        return dt_ok();
    }
    DT_TRY(dt_trained_read(path, &none, extras, count, NULL));
    dt_log_info("numbers are scaled as the data of %s was", path);
    return dt_ok();
}

/* Collective. Rank 0's on all. */
static dt_status share_scales(const dt_session *session, dt_run_data *data) {
    dt_extra extras[DT_SCALES_EXTRAS];
    int count = dt_scales_extras(&session->recipe->data, &data->scales, extras);
    for (int i = 0; i < count; i++)
        DT_TRY(dt_ranks_broadcast(&session->ranks, extras[i].data,
                                  (size_t)extras[i].count * dt_dtype_size(extras[i].dtype), 0));
    dt_scales_loaded(&data->scales, &session->recipe->data);
    return dt_ok();
}

/* Rank 0. */
static dt_status read_weights(dt_run *run, const dt_import_weights_options *options) {
    char path[4096];
    dt_trainee *trainee = &run->trainee;
    dt_weights_file file;
    dt_matches matches;
    memset(&matches, 0, sizeof matches);
    DT_TRY(dt_trained_newest(options->file, path));
    dt_status status = dt_weights_open(&file, path);
    bool checkpoint = status.code == DT_OK && file.checkpoint;
    if (status.code == DT_OK) status = dt_weights_match(&matches, &file, trainee->table, &options->match);
    if (status.code == DT_OK) dt_matches_tell(&matches, &file, trainee->table);
    if (status.code == DT_OK && matches.matched == 0)
        status = dt_fail(DT_ERR_INPUT,
                         "%s: none of its %lld arrays is a tensor of the model; --map FROM=TO says which is which",
                         path, (long long)file.count);
    if (status.code == DT_OK) status = dt_weights_take(&matches, &file, trainee->table, trainee->weights);
    if (status.code == DT_OK && checkpoint) status = read_scales(&run->data, &run->session.recipe->data, path);
    dt_matches_finish(&matches);
    dt_weights_close(&file);
    return status;
}

/* A run with one shard can use one rank: that should be meant. */
static dt_status check_shards(const dt_comm *comm, const dt_recipe *recipe) {
    if (recipe->train.shards > 0 || dt_comm_size(comm) > 1) return dt_ok();
    return dt_fail(
        DT_ERR_USAGE,
        "train.shards is 0, and with one rank the run would have one shard, which more ranks cannot share; say "
        "how many it is to have: --set train.shards=8 for up to 8 ranks");
}

static dt_status begin_with(dt_run *run, const dt_import_weights_options *options) {
    dt_session *session = &run->session;
    dt_trainee *trainee = &run->trainee;
    DT_TRY(dt_session_agree(session, session->first ? read_weights(run, options) : dt_ok()));
    DT_TRY(share_scales(session, &run->data));
    DT_TRY(dt_node_share(session->node, trainee->weights, trainee->table->total * sizeof *trainee->weights));
    dt_trainee_round_weights(trainee);
    DT_TRY(dt_snapshot_rehearse(&run->snapshot, session, &run->ledger));
    return dt_run_publish(run);
}

dt_status dt_import_weights_run(dt_comm *comm, dt_recipe *recipe, const dt_import_weights_options *options) {
    const dt_train_options train = {.run = options->run, .resume = "never"};
    DT_TRY(check_shards(comm, recipe));
    dt_run run;
    dt_status status = dt_run_open(&run, comm, recipe, &train);
    if (status.code == DT_OK) status = begin_with(&run, options);
    if (status.code == DT_OK && run.session.first) {
        char digest[17];
        dt_digest_text(dt_state_digest(dt_snapshot_state(&run.snapshot, &run.ledger)), digest);
        dt_log_info("import run=%s step=0 shards=%lld digest=%s", run.session.directory, (long long)run.course.shards,
                    digest);
    }
    if (status.code != DT_OK) dt_rundir_discard(run.session.lock);
    dt_run_close(&run);
    return status;
}
