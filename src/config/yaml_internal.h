/* Between the files that read, keep and write YAML. */
#ifndef DTRAIN_YAML_INTERNAL_H
#define DTRAIN_YAML_INTERNAL_H

#include "config/yaml.h"

#define DT_YAML_MAX_DEPTH 64 /* levels of a tree */

/* Whether a plain scalar of this text is nothing. */
bool dt_yaml_is_null_word(const char *text);

#endif
