/* Derivatives of the outputs by the inputs, in the caller's units: back through the loss's function, the network and
 * the scaling. The network goes back from a gradient of its outputs, so a Jacobian is as many such products as there
 * are outputs; they are computed together, as rows of a batch that has the same sample in every row. */
#include <string.h>

#include "base/memory.h"
#include "handles.h"

/* What rows carried, and gradients of it: [rows, states] each, or NULL. */
typedef struct dt_states {
    const float *in, *d_out;
    float *d_in;
} dt_states;

static dt_states states_from(const dt_states *all, const dtrain_model *model, int64_t first) {
    int64_t at = first * model->states;
    return (dt_states){all->in ? all->in + at : NULL, all->d_out ? all->d_out + at : NULL,
                       all->d_in ? all->d_in + at : NULL};
}

/* ws->dy, a gradient by what users get, ws->y, becomes one by what the last layer gave. */
static void back_through_outputs(dtrain_workspace *ws, int64_t rows) {
    const dt_outputs *outputs = &ws->model->outputs;
    const dt_scaling *targets = &ws->model->trained.scales.target;
    int64_t width = ws->model->outputs_count, count = rows * width;
    switch (outputs->loss) {
    case DT_LOSS_SOFTMAX_CROSS_ENTROPY:
        ws->model->kernels->softmax_backward(ws->dy, ws->dy, ws->y, rows * outputs->positions, outputs->width);
        break;
    case DT_LOSS_BINARY_CROSS_ENTROPY:
        for (int64_t i = 0; i < count; i++) ws->dy[i] *= ws->y[i] * (1 - ws->y[i]);
        break;
    default: break;
    }
    if (targets->channels == 0) return;
    dt_scaling_units(ws->row, targets);
    for (int64_t i = 0; i < count; i++) ws->dy[i] = (dt_real)((double)ws->dy[i] * ws->row[i % width]);
}

/* Of the rows in ws->x, from the gradients in ws->dy; ws->y receives the outputs. Borrowed: [rows, inputs]. */
static const dt_real *go_there_and_back(dtrain_workspace *ws, int64_t rows, const dt_states *states) {
    const dtrain_model *model = ws->model;
    dt_pass pass = dt_call_pass(ws, rows);
    pass.state_in = states->in;
    pass.dstate_out = states->d_out;
    pass.dstate_in = states->d_in;
    const dt_real *raw = dt_model_forward_to_return(ws->network, pass, ws->x);
    memcpy(ws->y, raw, (size_t)(rows * model->outputs_count) * sizeof *raw);
    dt_outputs_finish(&model->outputs, model->kernels, ws->y, rows);
    back_through_outputs(ws, rows);
    return dt_model_backward(ws->network, pass, ws->x, ws->dy);
}

/* ---- vector times Jacobian ---- */

typedef struct vjp_call {
    dt_parts x, dx;
    const dtrain_array *dy, *y;
    bool some; /* of dx are wanted, and not all */
    dt_states states;
} vjp_call;

static dt_status vjp_rows(dtrain_workspace *ws, const vjp_call *call, int64_t rows) {
    for (int64_t first = 0; first < rows; first += ws->rows) {
        int64_t count = rows - first < ws->rows ? rows - first : ws->rows;
        DT_TRY(dt_rows_in(ws, &call->x, first, count));
        dt_rows_take(ws, call->dy, first, count);
        const dt_states states = states_from(&call->states, ws->model, first);
        dt_rows_gradient(ws, &call->dx, first, count, go_there_and_back(ws, count, &states));
        if (call->y) dt_rows_out(ws, ws->y, call->y, first, count);
    }
    return dt_ok();
}

static dt_status check_vjp(const vjp_call *call) {
    DT_TRY(dt_parts_check(&call->x, "x", false));
    DT_TRY(dt_check_array(call->dy, "dy"));
    DT_TRY(dt_parts_check(&call->dx, "dx", call->some));
    return call->y ? dt_check_array(call->y, "y") : dt_ok();
}

static int vjp(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows, const vjp_call *arguments,
               dtrain_error *error) {
    if (!model) return dt_api_fail(error, DTRAIN_ERR_ARGUMENT, "dtrain_vjp: model is NULL");
    dt_call call;
    dt_status status = dt_call_begin(&call, model, workspace, rows, rows < 64 ? rows : 64, true);
    if (status.code == DT_OK && rows > 0) status = check_vjp(arguments);
    if (status.code == DT_OK && rows > 0) status = vjp_rows(call.ws, arguments, rows);
    return dt_call_end(&call, status, error);
}

int dtrain_vjp(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows, const dtrain_array *x,
               const dtrain_array *dy, const dtrain_array *dx, const dtrain_array *y, dtrain_error *error) {
    const vjp_call call = {dt_parts_whole(model, x), dt_parts_whole(model, dx), dy, y, false, {NULL, NULL, NULL}};
    return vjp(model, workspace, rows, &call, error);
}

int dtrain_vjp_parts(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows, const dtrain_array *x,
                     const dtrain_array *dy, const dtrain_array *dx, const dtrain_array *y, dtrain_error *error) {
    const vjp_call call = {dt_parts_named(model, x), dt_parts_named(model, dx), dy, y, true, {NULL, NULL, NULL}};
    return vjp(model, workspace, rows, &call, error);
}

int dtrain_vjp_state(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows, const dtrain_array *x,
                     const dtrain_array *dy, const dtrain_array *dx, const dtrain_array *y, const float *state_in,
                     const float *dstate_out, float *dstate_in, dtrain_error *error) {
    const vjp_call call = {dt_parts_whole(model, x),         dt_parts_whole(model, dx), dy, y, false,
                           {state_in, dstate_out, dstate_in}};
    return vjp(model, workspace, rows, &call, error);
}

/* ---- Jacobian ---- */

/* Outputs [from, from + count) of the sample that is in the first row of ws->x, into rows of `out`. */
static void jacobian_piece(dtrain_workspace *ws, int64_t from, int64_t count, const dt_parts *out, const float *state) {
    const dt_states states = {.in = state ? ws->state : NULL};
    const int64_t width = ws->model->states;
    for (int64_t r = 0; state && r < count; r++) memcpy(ws->state + r * width, state, (size_t)width * sizeof *state);
    int64_t outputs = ws->model->outputs_count, inputs = ws->model->inputs;
    for (int64_t r = 1; r < count; r++) memcpy(ws->x + r * inputs, ws->x, (size_t)inputs * sizeof *ws->x);
    memset(ws->dy, 0, (size_t)(count * outputs) * sizeof *ws->dy);
    for (int64_t r = 0; r < count; r++) ws->dy[r * outputs + from + r] = 1;
    dt_rows_gradient(ws, out, 0, count, go_there_and_back(ws, count, &states));
}

/* Where the derivatives by a part of x begin that are of row `at` of [rows*outputs, numbers of the part]. */
static dtrain_array derivatives_at(const dtrain_array *x, const dt_input *part, void *jacobian, int64_t at) {
    const int64_t width = dt_shape_count(&part->shape);
    const size_t size = x->type == DTRAIN_FLOAT ? sizeof(float) : sizeof(double);
    return (dtrain_array){jacobian ? (char *)jacobian + (size_t)(at * width) * size : NULL, x->type, width, 1};
}

static dt_status jacobian_rows(dtrain_workspace *ws, const dt_parts *x, int64_t rows, const float *state_in,
                               void *const *jacobian) {
    const int64_t outputs = ws->model->outputs_count;
    dtrain_array out[DT_MOST_INPUTS];
    const dt_parts to = {out, x->part, x->count};
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t from = 0; from < outputs; from += ws->rows) {
            int64_t count = outputs - from < ws->rows ? outputs - from : ws->rows;
            for (int64_t p = 0; p < x->count; p++)
                out[p] = derivatives_at(&x->array[p], &x->part[p], jacobian[p], row * outputs + from);
            DT_TRY(dt_rows_in(ws, x, row, 1));
            jacobian_piece(ws, from, count, &to, state_in ? state_in + row * ws->model->states : NULL);
        }
    }
    return dt_ok();
}

static int jacobian_of(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows, const dt_parts *x,
                       const float *state_in, void *const *jacobian, dtrain_error *error) {
    if (!model) return dt_api_fail(error, DTRAIN_ERR_ARGUMENT, "dtrain_jacobian: model is NULL");
    int64_t wanted = model->outputs_count < 64 ? model->outputs_count : 64;
    dt_call call;
    dt_status status = dt_call_begin(&call, model, workspace, rows, wanted, true);
    if (status.code == DT_OK && rows > 0) status = dt_parts_check(x, "x", false);
    if (status.code == DT_OK && rows > 0 && !jacobian) status = dt_fail(DT_ERR_USAGE, "jacobian is NULL");
    if (status.code == DT_OK && rows > 0 && jacobian) status = jacobian_rows(call.ws, x, rows, state_in, jacobian);
    return dt_call_end(&call, status, error);
}

int dtrain_jacobian(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows, const dtrain_array *x,
                    void *jacobian, dtrain_error *error) {
    const dt_parts at = dt_parts_whole(model, x);
    return jacobian_of(model, workspace, rows, &at, NULL, jacobian ? &jacobian : NULL, error);
}

int dtrain_jacobian_state(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows, const dtrain_array *x,
                          const float *state_in, void *jacobian, dtrain_error *error) {
    const dt_parts at = dt_parts_whole(model, x);
    if (model && model->states == 0) state_in = NULL;
    return jacobian_of(model, workspace, rows, &at, state_in, jacobian ? &jacobian : NULL, error);
}

int dtrain_jacobian_parts(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows, const dtrain_array *x,
                          void *const *jacobian, dtrain_error *error) {
    const dt_parts at = dt_parts_named(model, x);
    return jacobian_of(model, workspace, rows, &at, NULL, jacobian, error);
}
