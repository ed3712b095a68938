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
    const dt_source *source = s->source;
    bool in_x = !all_finite(s, s->batch->x, dt_shape_count(&source->about.input));
    bool in_y = !in_x && s->batch->values && !all_finite(s, s->batch->values, source->targets.width);
    const char *layer = in_x || in_y ? NULL : overflowing_layer(s, *pass);
    char fault[DT_FAULT_TEXT] = "is not finite";
    if (in_x || in_y) {
        dt_source_fault(source, in_y, s->place, fault, sizeof fault);
        snprintf(out, size, "%s %lld of %s %s: correct the data", source->about.noun, (long long)s->place,
                 in_y ? source->targets.name : source->x_name, fault);
    } else if (layer) {
        snprintf(out, size, "%s overflows at %s %lld of %s: lower optimizer.lr or set optimizer.clip_norm", layer,
                 source->about.noun, (long long)s->place, source->x_name);
    }
    return in_x || in_y || layer;
}
