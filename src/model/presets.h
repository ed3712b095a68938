/* Names for whole models. */
#ifndef DTRAIN_PRESETS_H
#define DTRAIN_PRESETS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/status.h"
#include "config/yaml.h"

/* The list with items that name a preset (`- gpt: {…}`) replaced by the layers these stand for; *out is NULL when there
 * is none. To dt_yaml_destroy. */
dt_status dt_presets_expand(const dt_yaml *nodes, const char *path, dt_yaml **out);
/* Help on every preset, into `stream`. False when memory is short. */
bool dt_presets_help(FILE *stream);

#endif
