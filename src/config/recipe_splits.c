/* Which data a recipe has for what: training, validation, test; and for how many sites. */
#include <string.h>

#include "config/recipe.h"

static const char *const names[DT_SPLIT_COUNT] = {"train", "validation", "test"};

const char *dt_split_name(dt_split split) {
    return names[split];
}

bool dt_split_named(const char *name, dt_split *split) {
    for (int i = 0; i < DT_SPLIT_COUNT; i++) {
        *split = (dt_split)i;
        if (strcmp(names[i], name) == 0) return true;
    }
    return false;
}

bool dt_recipe_cuts(const dt_recipe_data *data, dt_split split) {
    const bool cut[DT_SPLIT_COUNT] = {data->split_test > 0 || data->split_validation > 0, data->split_validation > 0,
                                      data->split_test > 0};
    return cut[split];
}

void dt_recipe_take_all(dt_recipe_data *data) {
    memcpy(data->test_x, data->train_x, sizeof data->test_x);
    memcpy(data->test_y, data->train_y, sizeof data->test_y);
    memcpy(data->test_tokens, data->train_tokens, sizeof data->test_tokens);
    data->split_test = data->split_validation = 0;
}

bool dt_recipe_has(const dt_recipe_data *data, dt_split split) {
    if (dt_recipe_cuts(data, split)) return true;
    const char *const arrays[DT_SPLIT_COUNT] = {data->train_x, data->validation_x, data->test_x};
    const char *const texts[DT_SPLIT_COUNT] = {data->train_tokens, data->validation_tokens, data->test_tokens};
    return (data->context > 0 ? texts : arrays)[split][0] != '\0';
}

dt_split dt_recipe_judge(const dt_recipe_data *data) {
    if (dt_recipe_has(data, DT_SPLIT_VALIDATION)) return DT_SPLIT_VALIDATION;
    return dt_recipe_has(data, DT_SPLIT_TEST) ? DT_SPLIT_TEST : DT_SPLIT_TRAIN;
}

int64_t dt_recipe_sites_of(const dt_recipe *recipe) {
    int64_t members = 0;
    if (recipe->sites.simulate > 0 || recipe->sites.count > 0)
        return recipe->sites.simulate > 0 ? recipe->sites.simulate : recipe->sites.count;
    for (const dt_yaml *node = recipe->members ? recipe->members->first : NULL; node; node = node->next) members++;
    return members;
}

bool dt_recipe_has_mailbox(const dt_recipe *recipe) {
    return recipe->members && recipe->sites.simulate == 0 && recipe->sites.count == 0;
}
