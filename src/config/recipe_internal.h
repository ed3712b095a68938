/* Between the files of the recipe. */
#ifndef DTRAIN_RECIPE_INTERNAL_H
#define DTRAIN_RECIPE_INTERNAL_H

#include "config/recipe.h"

#define DT_RECIPE_LAYERS "model.layers" /* decoded by the model room */

/* What fields ask of each other. `root` is the tree the recipe was decoded from, for messages. */
dt_status dt_recipe_check(const dt_recipe *recipe, const dt_yaml *root);

/* Where to look for the cause of a failure of `key`: its own line, else that of `other`, else the recipe's. */
const char *dt_recipe_source_of(const dt_yaml *root, const char *key, const char *other);

#endif
