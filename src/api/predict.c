/* Outputs from inputs. */
#include <string.h>

#include "handles.h"

#define AT_ONCE 256 /* rows of a workspace that a call makes for itself, at most */

typedef struct predict_call {
    dt_parts x;
    const dtrain_array *y;
    const float *state_in; /* [rows, states] or NULL */
    float *state_out;
} predict_call;

/* Rows [first, first + count) of the call. */
static dt_status predict_piece(dtrain_workspace *ws, const predict_call *call, int64_t first, int64_t count) {
    const dtrain_model *model = ws->model;
    int64_t outputs = model->outputs_count, states = model->states;
    DT_TRY(dt_rows_in(ws, &call->x, first, count));
    dt_pass pass = dt_call_pass(ws, count);
    if (call->state_in) pass.state_in = call->state_in + first * states;
    pass.state_out = ws->state;
    const dt_real *raw = dt_model_forward(ws->network, pass, ws->x);
    if (model->outputs.loss != DT_LOSS_MEAN_SQUARED_ERROR) {
        memcpy(ws->y, raw, (size_t)(count * outputs) * sizeof *raw);
        dt_outputs_finish(&model->outputs, model->kernels, ws->y, count);
        raw = ws->y;
    }
    dt_rows_out(ws, raw, call->y, first, count);
    if (call->state_out && states > 0)
        memcpy(call->state_out + first * states, ws->state, (size_t)(count * states) * sizeof *ws->state);
    return dt_ok();
}

static dt_status predict_rows(dtrain_workspace *ws, const predict_call *call, int64_t rows) {
    for (int64_t first = 0; first < rows; first += ws->rows)
        DT_TRY(predict_piece(ws, call, first, rows - first < ws->rows ? rows - first : ws->rows));
    return dt_ok();
}

static int predict(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows, const predict_call *arguments,
                   dtrain_error *error) {
    if (!model) return dt_api_fail(error, DTRAIN_ERR_ARGUMENT, "dtrain_predict: model is NULL");
    dt_call call;
    dt_status status = dt_call_begin(&call, model, workspace, rows, rows < AT_ONCE ? rows : AT_ONCE, false);
    if (status.code == DT_OK && rows > 0) {
        status = dt_parts_check(&arguments->x, "x", false);
        if (status.code == DT_OK) status = dt_check_array(arguments->y, "y");
        if (status.code == DT_OK) status = predict_rows(call.ws, arguments, rows);
    }
    return dt_call_end(&call, status, error);
}

int dtrain_predict(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows, const float *x, float *y,
                   dtrain_error *error) {
    const dtrain_array in = {(void *)x, DTRAIN_FLOAT, model ? model->inputs : 0, 1};
    const dtrain_array out = {y, DTRAIN_FLOAT, model ? model->outputs_count : 0, 1};
    return predict(model, workspace, rows, &(predict_call){.x = dt_parts_whole(model, &in), .y = &out}, error);
}

int dtrain_predict_double(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows, const double *x,
                          double *y, dtrain_error *error) {
    const dtrain_array in = {(void *)x, DTRAIN_DOUBLE, model ? model->inputs : 0, 1};
    const dtrain_array out = {y, DTRAIN_DOUBLE, model ? model->outputs_count : 0, 1};
    return predict(model, workspace, rows, &(predict_call){.x = dt_parts_whole(model, &in), .y = &out}, error);
}

int dtrain_predict_arrays(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows, const dtrain_array *x,
                          const dtrain_array *y, const float *state_in, float *state_out, dtrain_error *error) {
    const predict_call call = {dt_parts_whole(model, x), y, state_in, state_out};
    return predict(model, workspace, rows, &call, error);
}

int dtrain_predict_parts(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows, const dtrain_array *x,
                         const dtrain_array *y, const float *state_in, float *state_out, dtrain_error *error) {
    const predict_call call = {dt_parts_named(model, x), y, state_in, state_out};
    return predict(model, workspace, rows, &call, error);
}
