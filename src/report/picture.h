/* What a watched run looks like in so many columns and lines of text. */
#ifndef DTRAIN_PICTURE_H
#define DTRAIN_PICTURE_H

#include <stdbool.h>

#include "watch.h"

typedef struct dt_picture {
    int width, height; /* columns, lines; no line is longer, and there are no more */
    bool utf8;         /* else all is ASCII */
    bool styled;       /* with bold and dim (ECMA-48), for a terminal */
    bool keys;         /* the last line says how to leave */
} dt_picture;

/* Lines, each ended by a newline; to free(). NULL: no memory. */
char *dt_picture_of(const dt_watch *watch, const dt_picture *how);

#endif
