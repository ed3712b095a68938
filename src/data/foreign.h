/* Files that an importer makes a dataset of, before one has: which importer, with which options, and what would come of
 * it. */
#ifndef DTRAIN_FOREIGN_H
#define DTRAIN_FOREIGN_H

#include "data/import.h"
#include "data/survey.h"

/* The import that makes a dataset of a file. */
typedef struct dt_foreign {
    const dt_importer *importer;
    dt_import import;
    const char *sources[2];
    dt_option options[6];
    char texts[6][256];     /* what they were given */
    char destination[4096]; /* the dataset: beside the caller, under the file's name */
} dt_foreign;

/* NULL: nothing an importer takes as one file by itself. By the first bytes (NumPy's), or the ending of its name (csv,
 * tsv, tab). */
const dt_importer *dt_foreign_importer(const char *path);
/* `x` and `y` name the samples and what is to be learned: arrays of an archive, a column of a table, y also another
 * file of NumPy's; "" where the file says it. *out borrows `path`, x and y. */
dt_status dt_foreign_open(dt_foreign *out, const char *path, const char *x, const char *y);
/* "dtrain import csv 't 1.csv' t.h5 --target kind", as a shell takes it. */
void dt_foreign_command(const dt_foreign *foreign, char *out, size_t size);
/* What the dataset would hold: it is made in the system's directory for temporary files, and removed. */
dt_status dt_foreign_survey(const dt_foreign *foreign, dt_survey **out);

#endif
