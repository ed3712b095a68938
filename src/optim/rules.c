#include "optim/optim.h"

#define ROW(NAME, name) [DT_##NAME] = &dt_rule_##name,
static const dt_rule *const rules[] = {DT_OPTIMIZERS(ROW)};

const dt_rule *dt_rule_of(const dt_recipe_optimizer *config) {
    return rules[config->kind];
}
