/* Lists of layers from the recipe, and back. */
#ifndef DTRAIN_DECODE_H
#define DTRAIN_DECODE_H

#include "sequence.h"

/* The list `nodes`, the key `path` of the recipe, and the lists inside it. */
dt_status dt_sequence_decode(dt_sequence *sequence, const dt_yaml *nodes, const char *path);
/* The items that decode to these layers, with every default filled in, appended to `list`. */
dt_status dt_sequence_encode(const dt_sequence *sequence, dt_yaml *list);

#endif
