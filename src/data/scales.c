/* The scales of a model: those of its inputs and those of its targets, from the recipe, the data or a checkpoint. */
#include <string.h>

#include "data/source.h"
#include "scaling_internal.h"

dt_status dt_scales_open(dt_scales *out, const dt_source *source, const dt_recipe_data *data) {
    memset(out, 0, sizeof *out);
    DT_TRY(dt_scaling_open(&out->input, source, data));
    dt_status status = dt_scaling_open_targets(&out->target, source, data);
    if (status.code != DT_OK) dt_scales_close(out);
    return status;
}

void dt_scales_close(dt_scales *scales) {
    dt_scaling_close(&scales->input);
    dt_scaling_close(&scales->target);
}

#define QUICK_BYTES 0x1p26 /* a tenth of a second, when one rank looks at them all */

dt_status dt_scales_compute(dt_scales *scales, const dt_ranks *ranks, const dt_source *source,
                            const dt_recipe_data *data) {
    const bool of_numbers = source->about.ids == 0;
    const double bytes =
        (double)source->samples * (double)scales->input.count * (double)dt_dtype_size(source->about.dtype);
    if (dt_scale_is_computed(&data->scale) || scales->input.fill)
        DT_TRY(dt_scaling_compute(&scales->input, ranks, source, data));
    else if (of_numbers && bytes <= QUICK_BYTES)
        DT_TRY(dt_scaling_look(&scales->input, ranks, source));
    if (scales->target.channels == 0 || !dt_scale_is_computed(&data->target)) return dt_ok();
    return dt_scaling_compute(&scales->target, ranks, source, data);
}

void dt_scales_loaded(dt_scales *scales, const dt_recipe_data *data) {
    if (!dt_scale_is_computed(&data->scale)) dt_scaling_take_given(&scales->input, &data->scale);
    if (!dt_scale_is_computed(&data->target)) dt_scaling_take_given(&scales->target, &data->target);
    dt_scaling_settle(&scales->input);
    dt_scaling_settle(&scales->target);
}
