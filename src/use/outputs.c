/* From the last layer to what users get. The loss has a softmax or a logistic function in it, which training computes
 * together with its gradient; whoever uses the model wants what comes after it. There is this one way from a model to
 * its outputs, for all who use one: the same sample has the same bits in a file of predictions and in a simulation. */
#include "outputs.h"

#include <string.h>

dt_outputs dt_outputs_of(const dt_targets *targets, dt_loss loss, const dt_model *model) {
    dt_outputs outputs = {.loss = loss, .positions = targets->positions > 1 ? targets->positions : 1};
    outputs.width = dt_model_outputs(model) / outputs.positions;
    bool single = outputs.width == 1, shares = !targets->labels && loss == DT_LOSS_SOFTMAX_CROSS_ENTROPY;
    if (targets->labels || shares)
        outputs.classes = !single ? outputs.width : loss == DT_LOSS_BINARY_CROSS_ENTROPY ? 2 : 0;
    return outputs;
}

static int32_t largest(const dt_real *raw, int64_t width) {
    int64_t best = 0;
    for (int64_t j = 1; j < width; j++)
        if (raw[j] > raw[best]) best = j;
    return (int32_t)best;
}

void dt_outputs_choose(const dt_outputs *outputs, const dt_real *raw, int64_t rows, int32_t *classes) {
    int64_t count = rows * outputs->positions, width = outputs->width;
    for (int64_t i = 0; i < count; i++) classes[i] = width == 1 ? raw[i] > 0 : largest(raw + i * width, width);
}

void dt_outputs_finish(const dt_outputs *outputs, const dt_kernels *kernels, dt_real *values, int64_t rows) {
    int64_t count = rows * outputs->positions;
    switch (outputs->loss) {
    case DT_LOSS_SOFTMAX_CROSS_ENTROPY: kernels->softmax(values, values, count, outputs->width); break;
    case DT_LOSS_BINARY_CROSS_ENTROPY:
        kernels->bias_activate(values, NULL, NULL, count, outputs->width, DT_SIGMOID, 0);
        break;
    default: break; /* the squared error takes outputs as they are */
    }
    if (outputs->scaling) dt_scaling_undo_here(values, outputs->scaling, count * outputs->width);
}
