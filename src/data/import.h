/* Importers: files of other formats into the dataset layout (/train/x, /train/y, /test/x, /test/y, or /train/tokens,
 * /test/tokens and /vocab). */
#ifndef DTRAIN_IMPORT_H
#define DTRAIN_IMPORT_H

#include "base/status.h"

/* `dtrain import KIND SOURCE… DEST.h5 [--OPTION VALUE]…`. Options as given; NULL: not given. */
typedef struct dt_import {
    int source_count;
    const char *const *sources;
    const char *destination;
    const char *tokens, *vocab, *split, *newlines, *vocab_json, *merges; /* of text */
} dt_import;

typedef struct dt_importer {
    const char *name;  /* "idx" */
    const char *usage; /* "IMAGES LABELS [IMAGES LABELS] DEST.h5" */
    const char *help;
    dt_status (*run)(const dt_import *import);
} dt_importer;

/* Ends with a row whose name is NULL. */
extern const dt_importer dt_importers[];

/* IDX files (LeCun, Cortes, Burges: "The MNIST database", file formats), gzip or plain: the first pair is train, the
 * second test. Headers and counts are checked before anything is written, lengths and gzip's checksums on the way;
 * destination appears complete or not at all, and an existing one is replaced only by a complete new one. */
dt_status dt_import_idx(const dt_import *import);

/* Text files, one after the other, as tokens of the kind `tokens` (see tokenizer.h): char, byte or bpe, of up to
 * `vocab` tokens (default 4096) trained on the training part, or those of GPT-2's files `vocab_json` and `merges`. The
 * first `split` (default 0.9) of the bytes, cut before a character, is /train/tokens, the rest /test/tokens; each has
 * an attribute `chars`, its characters (bytes that begin one). /vocab is the vocabulary. A byte-order mark at a file's
 * begin is left out, UTF-16 refused; ends of lines that are CR LF or CR are kept with a warning, or with `newlines`
 * "lf" read as LF. A text may be larger than memory; it is read twice or three times. */
dt_status dt_import_text(const dt_import *import);

#endif
