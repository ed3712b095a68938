/* Importers: files of other formats into the dataset layout (/train/x, /train/y, /test/x, /test/y, or /train/tokens,
 * /test/tokens and /vocab). Each is a file that fills in a dt_importer, and a row in import.c; its options are a table
 * of fields, which drives their parsing, their checks and their help. */
#ifndef DTRAIN_IMPORT_H
#define DTRAIN_IMPORT_H

#include <stddef.h>

#include "base/status.h"
#include "config/fields.h"

/* An option as it was given: "--vocab 300" is {"vocab", "300"}. Of two with one name the second counts. */
typedef struct dt_option {
    const char *name, *value;
} dt_option;

/* `dtrain import KIND SOURCE… DEST.h5 [--OPTION VALUE]…` */
typedef struct dt_import {
    int source_count;
    const char *const *sources;
    const char *destination;
    const dt_option *options; /* [option_count] */
    int option_count;
} dt_import;

typedef struct dt_importer {
    const char *name;        /* "idx" */
    const char *usage;       /* "IMAGES LABELS [IMAGES LABELS] DEST.h5" */
    const char *help;        /* lines, each ended by a newline */
    const dt_field *options; /* of a struct of options_size bytes; a key is the option's name without its dashes */
    size_t options_size;
    const char *lacks; /* what this build lacks for it; NULL: nothing */
    dt_status (*run)(const dt_import *import, const void *options);
} dt_importer;

extern const dt_importer *const dt_importers[]; /* ends with NULL */

/* NULL: there is none of that name. */
const dt_importer *dt_importer_find(const char *name);
/* Reads the options and imports. The destination appears complete or not at all, and an existing one is replaced only
 * by a complete new one. What is wrong with an option is DT_ERR_USAGE. */
dt_status dt_import_run(const dt_importer *importer, const dt_import *import);
/* What an option was given, as text; NULL where it has its default. */
const char *dt_import_given(const dt_import *import, const char *name);

#endif
