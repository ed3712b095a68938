/* Why a sample's loss is no number: a value of its own, or the first layer that gives none. Looked for where it arose,
 * sample by sample: that is slow, but a run that lost its numbers has the time, and "row 137 of /train/x" can be acted
 * on. */
#include "cause.h"

#include <math.h>
#include <stdio.h>

static bool all_finite(const dt_suspect *s, const dt_real *values, int64_t count) {
    return isfinite(s->kernels->sum_squares(values, count));
}

/* The first layer whose output for the one sample in the batch is not finite; NULL when all are. */
static const char *overflowing_layer(const dt_suspect *s, dt_pass pass) {
    pass.first = s->batch->first;
    pass.state_out = NULL;
    return dt_model_overflowing_layer(s->model, pass, s->batch->x);
}

bool dt_find_cause(const dt_suspect *s, const dt_pass *pass, char *out, size_t size) {
    bool text = s->split->text.context > 0, tokens = text && !s->split->text.rows;
    const char *dataset = NULL, *layer = NULL;
    char fault[DT_FAULT_TEXT] = "is not finite";
    if (!all_finite(s, s->batch->x, dt_shape_count(&s->split->input)))
        dataset = s->samples;
    else if (s->batch->values && !all_finite(s, s->batch->values, s->split->width))
        dataset = s->targets;
    else
        layer = overflowing_layer(s, *pass);
    if (dataset && !text)
        dt_array_row_fault(dataset == s->samples ? s->split->x : s->split->y, s->row, fault, sizeof fault);
    if (dataset)
        snprintf(out, size, "row %lld of %s %s: correct the data", (long long)s->row, dataset, fault);
    else if (layer)
        snprintf(out, size, "%s overflows at %s %lld of %s: lower optimizer.lr or set optimizer.clip_norm", layer,
                 tokens ? "token" : "row", (long long)s->row, s->samples);
    return dataset || layer;
}
