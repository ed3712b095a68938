/* The most likely classes of each position, and the logarithms of their probabilities. Outputs are looked at while they
 * are there: a vocabulary of 50 000 tokens has as many at each position of a text.
 *
 * log p(k) = x(k) - x(top) + log p(top), and -log p(top) is the loss of a sample whose label is the top: it comes from
 * the kernel of the loss, so that its bits are those of an evaluation. */
#include "top.h"

#include <math.h>

#include "compute/tally.h"

/* Of one position, best[keep], in descending order. */
static void find_best(int64_t *best, const dt_real *x, int64_t width, int64_t keep) {
    int64_t found = 0;
    for (int64_t j = 0; j < width; j++) {
        if (found == keep && !(x[j] > x[best[keep - 1]])) continue;
        int64_t at = found < keep ? found++ : keep - 1;
        for (; at > 0 && x[j] > x[best[at - 1]]; at--) best[at] = best[at - 1];
        best[at] = j;
    }
}

/* NaN where one of the outputs is no number. */
static double log_of_top(const dt_kernels *kernels, const dt_real *x, int64_t width, int64_t top) {
    dt_tally tally = {.samples = 0};
    int32_t label = (int32_t)top;
    kernels->softmax_cross_entropy((dt_real *)x, &label, NULL, NULL, 1, width, 0, false, &tally);
    return tally.not_finite > 0 ? (double)NAN : -dt_tally_loss(&tally);
}

static void take_position(const dt_top *top, int64_t i, const dt_real *x, int64_t width) {
    int64_t *best = top->classes + i * top->keep;
    find_best(best, x, width, top->keep);
    double most = (double)x[best[0]], log_most = log_of_top(top->kernels, x, width, best[0]);
    for (int64_t k = 0; k < top->keep; k++)
        top->logs[i * top->keep + k] = (float)((double)x[best[k]] - most + log_most);
    if (!top->labels) return;
    int32_t label = top->labels[i];
    top->of_labels[i] = label < 0 ? NAN : (float)((double)x[label] - most + log_most);
}

void dt_top_take(void *context, const dt_real *output, const dt_batch *batch, int64_t rows, int64_t width) {
    dt_top *top = context;
    (void)batch;
    for (int64_t r = 0; r < rows; r++, top->at++)
        if (top->at >= top->from && top->at < top->to)
            take_position(top, top->at - top->from, output + r * width, width);
}
