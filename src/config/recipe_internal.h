/* Between the files of the recipe. */
#ifndef DTRAIN_RECIPE_INTERNAL_H
#define DTRAIN_RECIPE_INTERNAL_H

#include "config/recipe.h"
#include "shown.h"

#define DT_RECIPE_LAYERS "model.layers" /* decoded by the model room */

/* A field that is a tree. */
typedef struct dt_recipe_tree {
    const char *key;
    size_t offset; /* of the dt_yaml * in dt_recipe */
} dt_recipe_tree;
extern const dt_recipe_tree dt_recipe_trees[]; /* ends with a NULL key */
/* recipe_trees.c. That those of config/ can be decoded. */
dt_status dt_recipe_check_trees(const dt_recipe *recipe);

/* What fields ask of each other. `root` is the tree the recipe was decoded from, for messages. */
dt_status dt_recipe_check(const dt_recipe *recipe, const dt_yaml *root);

/* recipe_sites.c. The same of those that are there for sites. */
dt_status dt_recipe_check_sites(const dt_recipe *recipe, const dt_yaml *root);
/* That a field has its default, for it would be read by nobody; "why" goes on after "… is VALUE but ". */
dt_status dt_recipe_check_default(const dt_recipe *recipe, const dt_yaml *root, const char *key, const char *why);
/* The value of a field as messages show it. */
void dt_recipe_show_value(const dt_field *field, const dt_recipe *recipe, char out[DT_SHOWN + 2]);
/* recipe_privacy.c. What would void the promise of a private recipe. */
dt_status dt_recipe_check_privacy(const dt_recipe *recipe, const dt_yaml *root);

/* What the first layer asks of the data. */
dt_status dt_recipe_check_first_layer(const dt_recipe *recipe);

/* Where to look for the cause of a failure of `key`: its own line, else that of `other`, else the recipe's. */
const char *dt_recipe_source_of(const dt_yaml *root, const char *key, const char *other);

#endif
