/* Products of activations with weights, in the precision the model was planned for: the one place that knows both. */
#include "model_internal.h"

dt_status dt_linear_plan(dt_linear *linear, dt_plan *plan, dt_layer *layer, int param, bool transposed,
                         int64_t per_row) {
    (void)per_row;
    const dt_shape *shape = &layer->table->tensors[layer->param[param]].shape;
    *linear = (dt_linear){.param = param,
                          .transposed = transposed,
                          .in = shape->dim[transposed ? 1 : 0],
                          .out = shape->dim[transposed ? 0 : 1],
                          .decoding = dt_plan_spec(plan)->decoding > 0};
    return dt_ok();
}

void dt_linear_decode(const dt_linear *linear, const dt_layer *layer, const dt_pass *pass, const dt_real *x,
                      int64_t rows, dt_real beta, dt_real *y) {
    if (pass->weights16)
        pass->kernels->matvec_bf16(y, x, DT_PARAM(layer, pass->weights16, linear->param), rows, linear->in, linear->out,
                                   linear->transposed, beta);
    else
        pass->kernels->matvec(y, x, DT_PARAM(layer, pass->weights, linear->param), rows, linear->in, linear->out,
                              linear->transposed, beta);
}

void dt_linear_forward(const dt_linear *linear, const dt_layer *layer, const dt_pass *pass, const dt_real *x,
                       int64_t rows, dt_real beta, dt_real *y) {
    if (linear->decoding) {
        dt_linear_decode(linear, layer, pass, x, rows, beta, y);
        return;
    }
    int64_t in = linear->in, out = linear->out;
    const dt_real *w = DT_PARAM(layer, pass->weights, linear->param);
    dt_gemm(DT_PLAIN, linear->transposed ? DT_TRANSPOSED : DT_PLAIN, rows, out, in, x, in, w,
            linear->transposed ? in : out, beta, y, out);
}

void dt_linear_backward(const dt_linear *linear, const dt_layer *layer, const dt_pass *pass, const dt_real *x,
                        const dt_real *dy, int64_t rows, bool accumulate, dt_real beta, dt_real *dx) {
    int64_t in = linear->in, out = linear->out;
    dt_real *dw = DT_PARAM(layer, pass->grads, linear->param), keep = accumulate ? 1 : 0;
    if (linear->transposed)
        dt_gemm(DT_TRANSPOSED, DT_PLAIN, out, in, rows, dy, out, x, in, keep, dw, in);
    else
        dt_gemm(DT_TRANSPOSED, DT_PLAIN, in, out, rows, x, in, dy, out, keep, dw, out);
    if (!dx) return;
    const dt_real *w = DT_PARAM(layer, pass->weights, linear->param);
    dt_gemm(DT_PLAIN, linear->transposed ? DT_PLAIN : DT_TRANSPOSED, rows, in, out, dy, out, w,
            linear->transposed ? in : out, beta, dx, in);
}
