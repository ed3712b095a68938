/* Arrays under names, as files of other worlds hold them: what writers of such files take. */
#ifndef DTRAIN_NAMED_ARRAYS_H
#define DTRAIN_NAMED_ARRAYS_H

#include "base/table.h"

/* `data` is borrowed, in this machine's byte order, which is little-endian in all these files. */
typedef struct dt_named_array {
    char name[192];
    dt_dtype dtype;
    dt_shape shape;
    const void *data;
} dt_named_array;

/* A text beside the arrays; both are UTF-8 and borrowed. */
typedef struct dt_named_text {
    const char *name, *text;
} dt_named_text;

#endif
