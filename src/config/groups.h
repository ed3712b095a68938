/* Groups of parameters (optimizer.groups): tensors that are updated by numbers of their own. */
#ifndef DTRAIN_GROUPS_H
#define DTRAIN_GROUPS_H

#include "config/recipe.h"

/* A group. What it does not say is the optimizer's. */
typedef struct dt_group {
    char params[DT_TEXT_MAX]; /* pattern of tensors' names (base/pattern.h) */
    bool has_lr, has_weight_decay, has_l2;
    double lr, weight_decay, l2;
} dt_group;

/* Those of a recipe, in its order: (*out)[*count], to dt_free; NULL and 0 where it has none. */
dt_status dt_groups_decode(const dt_yaml *groups, dt_group **out, int *count);

#endif
