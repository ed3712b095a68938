/* Which kinds of layers there are. */
#ifndef DTRAIN_KINDS_H
#define DTRAIN_KINDS_H

#include "layer.h"

/* Ends with a NULL row. */
extern const dt_layer_kind *const dt_layer_kinds[];

/* NULL: there is no such kind. */
const dt_layer_kind *dt_layer_kind_named(const char *name);
/* "dense, flatten, …" */
void dt_layer_kinds_words(char *out, size_t size);

#endif
