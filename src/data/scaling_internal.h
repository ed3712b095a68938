/* What the parts of scaling share. */
#ifndef DTRAIN_SCALING_INTERNAL_H
#define DTRAIN_SCALING_INTERNAL_H

#include "data/scaling.h"

/* Of targets that are values and that the recipe scales; zeros where there are none. */
dt_status dt_scaling_open_targets(dt_scaling *out, const dt_source *source, const dt_recipe_data *data);
/* Mean and std are what the recipe gives, or change nothing. */
void dt_scaling_take_given(dt_scaling *scaling, const dt_recipe_scale *wanted);
/* Whether some channels of `dtype` are to be scaled in double. */
bool dt_scaling_is_far(const dt_scaling *scaling, dt_dtype dtype);

#endif
