/* The importers, and what they share. */
#ifndef DTRAIN_IMPORT_INTERNAL_H
#define DTRAIN_IMPORT_INTERNAL_H

#include "data/import.h"
#include "store/h5.h"

extern const dt_importer dt_importer_csv, dt_importer_idx, dt_importer_images, dt_importer_npy, dt_importer_npz,
    dt_importer_text;

/* import.c. What a dataset says of itself: its format, and the names of its sources. */
dt_status dt_import_label(dt_h5 *file, const dt_import *import);

/* publish.c. That the destination of an import is no directory and none of its sources. */
dt_status dt_import_check(const dt_import *import);
/* A file that appears complete or not at all: write(context, file) makes it beside its destination, whose place it then
 * takes. */
dt_status dt_import_publish(const char *destination, dt_status (*write)(void *context, dt_h5 *file), void *context);

#endif
