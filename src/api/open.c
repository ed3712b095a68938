/* Opening a model. Its file is read in this process unless the caller asks for a child: a program that runs MPI, with
 * threads and much memory, is no place to fork from, and the file is the caller's own choice; its hashes are checked
 * before anything follows from what it says. */
#include <fenv.h>
#include <pthread.h>

#include "base/guard.h"
#include "base/memory.h"
#include "data/numbers.h"
#include "handles.h"

/* HDF5 may be a build without threads: one model is opened at a time. */
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

static void describe(dtrain_model *model, const dt_model *network) {
    const dt_source *source = &model->trained.source;
    model->outputs = dt_outputs_of(&source->targets, (dt_loss)model->trained.recipe.loss.kind, network);
    model->scaling = model->trained.scales.input;
    model->scaling.any_far &= dt_is_wide(source->about.dtype);
    model->inputs = dt_shape_count(&source->about.input);
    model->whole = (dt_input){.name = "input", .shape = source->about.input};
    model->parts = source->about.input_count > 0 ? source->about.inputs : &model->whole;
    model->part_count = source->about.input_count > 0 ? source->about.input_count : 1;
    model->outputs_count = dt_model_outputs(network);
    model->states = dt_model_state_width(network);
    model->output_shape = dt_model_output_shape(network);
}

static dt_status open_trained(dtrain_model *model, const char *path) {
    dt_trained *trained = &model->trained;
    DT_TRY(dt_trained_open(trained, path));
    DT_TRY(dt_compute_open(&model->kernels, dt_isa_at_hand((dt_isa)trained->recipe.compute.isa), 1));
    dt_model *network;
    dt_status status = dt_trained_model(trained, model->kernels, 1, false, &network);
    if (status.code == DT_OK) status = dt_trained_load(trained, model->kernels, network);
    if (status.code == DT_OK) describe(model, network);
    dt_model_destroy(network);
    return status;
}

/* The whole environment, with the old floating-point unit: texts with numbers are read. */
static dt_status open_in_order(dtrain_model *model, const char *path, unsigned flags) {
    fenv_t whole;
    fegetenv(&whole);
    fesetenv(FE_DFL_ENV);
    dt_environment caller;
    dt_environment_enter(&caller);
    bool before = dt_guard_within(!(flags & DTRAIN_OPEN_GUARDED));
    dt_quiet_collect(&model->warnings);
    dt_status status = open_trained(model, path);
    dt_quiet_collect(NULL);
    dt_guard_within(before);
    dt_environment_leave(&caller);
    fesetenv(&whole);
    return status;
}

int dtrain_open(dtrain_model **out, const char *path, unsigned flags, dtrain_error *error) {
    if (!out) return dt_api_fail(error, DTRAIN_ERR_ARGUMENT, "dtrain_open: model is NULL");
    *out = NULL;
    if (!path) return dt_api_fail(error, DTRAIN_ERR_ARGUMENT, "dtrain_open: path is NULL");
    if (flags & ~(unsigned)DTRAIN_OPEN_GUARDED)
        return dt_api_fail(error, DTRAIN_ERR_ARGUMENT, "dtrain_open: no such flags: %#x", flags);
    dtrain_model *model = dt_alloc(1, sizeof *model);
    if (!model) return dt_api_fail(error, DTRAIN_ERR_MEMORY, "dtrain_open: no memory for a model");
    pthread_mutex_lock(&opening);
    dt_status status = open_in_order(model, path, flags);
    pthread_mutex_unlock(&opening);
    if (status.code == DT_OK)
        *out = model;
    else
        dtrain_close(model);
    return dt_api_report(error, &status);
}

void dtrain_close(dtrain_model *model) {
    if (!model) return;
    dt_trained_close(&model->trained);
    dt_free(model->warnings);
    dt_free(model);
}
