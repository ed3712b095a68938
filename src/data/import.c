/* The formats a dataset can be made from. A new one is a file and a row. */
#include "data/import.h"

#include <stddef.h>

const dt_importer dt_importers[] = {
    {"idx", "IMAGES LABELS [TEST_IMAGES TEST_LABELS] DEST.h5",
     "IDX files as MNIST and Fashion-MNIST use them, gzip or plain", dt_import_idx},
    {"text", "FILE... DEST.h5 --tokens char|byte|bpe [--vocab N] [--split 0.9] [--vocab-json FILE --merges FILE]",
     "text as characters, bytes or byte-pair encoding", dt_import_text},
    {NULL, NULL, NULL, NULL},
};
