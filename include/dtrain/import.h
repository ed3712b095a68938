/* Importers: files of other formats into the dataset layout (/train/x, /train/y, /test/x, /test/y). */
#ifndef DTRAIN_IMPORT_H
#define DTRAIN_IMPORT_H

#include "dtrain/status.h"

/* A kind of import: `dtrain import KIND SOURCE… DEST.h5`. */
typedef struct dt_importer {
    const char *name;  /* "idx" */
    const char *usage; /* "IMAGES LABELS [IMAGES LABELS] DEST.h5" */
    const char *help;
    dt_status (*run)(int source_count, const char *const *sources, const char *destination);
} dt_importer;

/* Ends with a row whose name is NULL. */
extern const dt_importer dt_importers[];

/* IDX files (LeCun, Cortes, Burges: "The MNIST database", file formats), gzip or plain: the first pair is train, the
 * second test. Headers and counts are checked before anything is written, lengths and gzip's checksums on the way;
 * destination appears complete or not at all, and an existing one is replaced only by a complete new one. */
dt_status dt_import_idx(int source_count, const char *const *sources, const char *destination);

#endif
