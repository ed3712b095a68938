/* The files that a data set is in, as a recipe names them (data.file) or a command (--data):
 *
 *   run.h5             one file
 *   run-*.h5           those that match, as a shell's patterns do: * ? [...]
 *   site-%r.h5         site-0.h5, site-1.h5, … as many as there are, without a gap
 *   [a.h5, 'b c.h5']   one after the other, each one of the above
 *
 * The files of a pattern are in the order of their names, in which numbers count by their value: run-2 comes before
 * run-10. A file that is called like a pattern is that file. */
#ifndef DTRAIN_FILES_H
#define DTRAIN_FILES_H

#include <stdint.h>

#include "base/ranks.h"
#include "base/status.h"

typedef struct dt_files {
    int64_t count;
    const char **name; /* [count] */
    char *text;        /* of the names */
} dt_files;

/* Collective. Rank 0 looks for files, and all ranks get its list. To be closed, also after a failure. */
dt_status dt_files_open(dt_files *out, const dt_ranks *ranks, const char *named);
void dt_files_close(dt_files *files);
/* < 0, 0, > 0: the order of names. */
int dt_files_compare(const char *a, const char *b);

#endif
