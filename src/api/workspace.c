/* Workspaces: the memory of one thread's calls, and the layers' plan for it. The weights are the model's. */
#include "base/memory.h"
#include "handles.h"
#include "use/batch.h"

dt_status dt_api_plan(const dtrain_model *model, int64_t rows, bool gradients, dt_model **out) {
    const dt_trained *trained = &model->trained;
    dt_model_spec spec = dt_model_spec_of(&trained->source, &trained->recipe, rows, gradients);
    spec.adjoint = gradients;
    spec.outputs = 0;                       /* they were settled when the model was opened */
    if (spec.targets > 1) spec.targets = 0; /* the outputs of all positions are wanted as a whole */
    return dt_model_create(out, trained->recipe.layers, &trained->recipe.loss, &spec, model->kernels);
}

static dt_real *numbers(int64_t rows, int64_t cols) {
    size_t count;
    return dt_size_mul((size_t)rows, (size_t)cols, &count) ? dt_alloc(count, sizeof(dt_real)) : NULL;
}

static dt_status fill(dtrain_workspace *ws) {
    const dtrain_model *model = ws->model;
    int64_t widest = model->inputs > model->outputs_count ? model->inputs : model->outputs_count;
    DT_TRY(dt_api_plan(model, ws->rows, ws->gradients, &ws->network));
    ws->x = numbers(ws->rows, model->inputs);
    ws->y = numbers(ws->rows, model->outputs_count);
    ws->row = dt_alloc((size_t)widest, sizeof *ws->row);
    bool there = ws->x && ws->y && ws->row;
    if (there && model->states > 0) there = (ws->state = numbers(ws->rows, model->states)) != NULL;
    if (there && ws->gradients) {
        ws->dy = numbers(ws->rows, model->outputs_count);
        ws->grads = dt_alloc(dt_model_table(ws->network)->total, sizeof *ws->grads);
        there = ws->dy && ws->grads;
    }
    return there ? dt_ok() : dt_fail_memory("a workspace", (size_t)ws->rows * (size_t)(model->inputs + widest));
}

static dt_status create(dtrain_workspace **out, const dtrain_model *model, int64_t rows, bool gradients) {
    dtrain_workspace *ws = dt_alloc(1, sizeof *ws);
    if (!ws) return dt_fail_memory("a workspace", sizeof *ws);
    *ws = (dtrain_workspace){.model = model, .rows = rows, .gradients = gradients};
    dt_status status = fill(ws);
    if (status.code == DT_OK)
        *out = ws;
    else
        dtrain_workspace_destroy(ws);
    return status;
}

int dtrain_workspace_create(dtrain_workspace **out, const dtrain_model *model, int64_t rows, unsigned flags,
                            dtrain_error *error) {
    static const char name[] = "dtrain_workspace_create";
    if (!out || !model)
        return dt_api_fail(error, DTRAIN_ERR_ARGUMENT, "%s: %s is NULL", name, out ? "model" : "workspace");
    *out = NULL;
    if (rows < 1)
        return dt_api_fail(error, DTRAIN_ERR_ARGUMENT, "%s: rows is %lld; it must be at least 1", name,
                           (long long)rows);
    if (flags & ~(unsigned)DTRAIN_GRADIENTS)
        return dt_api_fail(error, DTRAIN_ERR_ARGUMENT, "%s: no such flags: %#x", name, flags);
    dt_environment caller;
    dt_environment_enter(&caller);
    dt_status status = create(out, model, rows, flags & DTRAIN_GRADIENTS);
    dt_environment_leave(&caller);
    return dt_api_report(error, &status);
}

void dtrain_workspace_destroy(dtrain_workspace *ws) {
    if (!ws) return;
    dt_model_destroy(ws->network);
    dt_free(ws->x);
    dt_free(ws->y);
    dt_free(ws->dy);
    dt_free(ws->state);
    dt_free(ws->grads);
    dt_free(ws->row);
    dt_free(ws);
}
