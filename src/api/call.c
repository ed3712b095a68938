/* What every call has in common: arguments, a workspace, the environment, and failures of products. */
#include "handles.h"

dt_status dt_check_array(const dtrain_array *array, const char *name) {
    if (!array || !array->data) return dt_fail(DT_ERR_USAGE, "%s is NULL", name);
    if (array->type == DTRAIN_FLOAT || array->type == DTRAIN_DOUBLE) return dt_ok();
    return dt_fail(DT_ERR_USAGE, "%s.type is %d; it must be DTRAIN_FLOAT or DTRAIN_DOUBLE", name, (int)array->type);
}

static dt_status check(const dtrain_model *model, const dtrain_workspace *workspace, int64_t rows, bool gradients) {
    if (rows < 0) return dt_fail(DT_ERR_USAGE, "rows is %lld", (long long)rows);
    if (gradients && model->trained.source.about.ids > 0)
        return dt_fail(DT_ERR_USAGE, "%s: inputs are token ids, which have no derivative", model->trained.path);
    if (!workspace) return dt_ok();
    if (workspace->model != model) return dt_fail(DT_ERR_USAGE, "the workspace is of another model");
    if (gradients && !workspace->gradients)
        return dt_fail(DT_ERR_USAGE, "the workspace was made without DTRAIN_GRADIENTS");
    return dt_ok();
}

dt_status dt_call_begin(dt_call *call, const dtrain_model *model, dtrain_workspace *workspace, int64_t rows,
                        int64_t wanted, bool gradients) {
    call->ws = workspace;
    call->own = NULL;
    dt_environment_enter(&call->caller);
    DT_TRY(check(model, workspace, rows, gradients));
    if (workspace || rows == 0) return dt_ok();
    dtrain_error error;
    int code = dtrain_workspace_create(&call->own, model, wanted, gradients ? DTRAIN_GRADIENTS : 0, &error);
    call->ws = call->own;
    return code == DTRAIN_OK ? dt_ok()
                             : dt_fail(code == DTRAIN_ERR_MEMORY ? DT_ERR_MEMORY : DT_ERR_INPUT, "%s", error.message);
}

int dt_call_end(dt_call *call, dt_status status, dtrain_error *error) {
    if (dt_compute_failed()) {
        dt_status failure = dt_compute_failure();
        if (status.code == DT_OK) status = failure;
    }
    dt_environment_leave(&call->caller);
    dtrain_workspace_destroy(call->own);
    return dt_api_report(error, &status);
}

dt_pass dt_call_pass(const dtrain_workspace *ws, int64_t rows) {
    const dt_trained *trained = &ws->model->trained;
    return (dt_pass){.rows = rows, .weights = trained->weights, .weights16 = trained->weights16, .grads = ws->grads};
}
