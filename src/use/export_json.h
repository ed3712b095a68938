/* What exporters share that is JSON; export_internal.h has the rest. */
#ifndef DTRAIN_EXPORT_JSON_H
#define DTRAIN_EXPORT_JSON_H

#include <jansson.h>

#include "export_internal.h"

/* Names of the classes as UTF-8 (bytes that are none are escaped), or their labels; an empty list where classes are
 * their numbers, or there are none. NULL when memory is short. */
json_t *dt_export_class_names(const dt_export *model);

#endif
