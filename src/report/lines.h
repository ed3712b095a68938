/* The lines of a file that grows while it is read. A line counts once its end is there. Where another file has its name
 * by now, or it became shorter, lines begin anew. */
#ifndef DTRAIN_LINES_H
#define DTRAIN_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#define DT_LINES_LONGEST 65536 /* bytes; a longer line is passed over */

typedef struct dt_lines_taker {
    void (*begin)(void *context); /* lines begin, or begin anew */
    /* A line, ended by a 0 and changeable; false: it is none of those that the file should have. */
    bool (*line)(void *context, char *line);
    void *context;
} dt_lines_taker;

typedef struct dt_lines dt_lines;

/* Of the file `name` in `directory`, which may come later. Nothing is read yet. */
dt_status dt_lines_create(dt_lines **out, const char *directory, const char *name, dt_lines_taker taker);
/* Gives the lines that have come since the last call; *news, which may be NULL, is whether there was a good one, or
 * `begin`. */
dt_status dt_lines_follow(dt_lines *lines, bool *news);
/* Lines since they began that were none. */
int64_t dt_lines_odd(const dt_lines *lines);
/* Accepts NULL. */
void dt_lines_destroy(dt_lines *lines);

#endif
