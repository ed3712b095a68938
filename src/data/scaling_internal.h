/* What the parts of scaling share. */
#ifndef DTRAIN_SCALING_INTERNAL_H
#define DTRAIN_SCALING_INTERNAL_H

#include "data/scaling.h"

/* Whether some channels of `dtype` are to be scaled in double. */
bool dt_scaling_is_far(const dt_scaling *scaling, dt_dtype dtype);

#endif
