/* Text files, one after the other, as one text that is read in blocks. */
#ifndef DTRAIN_TEXT_FILES_H
#define DTRAIN_TEXT_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define DT_TEXT_BLOCK ((size_t)1 << 20) /* bytes */

typedef struct dt_text_file {
    const char *path;
    int fd;
    int64_t skipped;    /* bytes at its begin that are no text */
    int64_t begin, end; /* of the others in the text */
} dt_text_file;

typedef struct dt_text_files {
    dt_text_file *files; /* [count] */
    int count;
    int64_t bytes;  /* of the text */
    bool any_bytes; /* it need not be UTF-8 */
    bool fold;      /* CR LF and CR become LF as they are read by dt_text_walk */
    bool after_cr;  /* the last byte read was a CR */
    uint8_t *block; /* [DT_TEXT_BLOCK] */
} dt_text_files;

/* A part of the text. */
typedef struct dt_text_part {
    int64_t begin, end; /* bytes of the text */
    int64_t crlf, cr;   /* ends of lines that are CR LF, or CR alone, in the files; of the last dt_text_walk */
} dt_text_part;

/* To be closed, also after a failure; zeroed before but for any_bytes and fold. A byte-order mark at a file's begin is
 * left out, which is said; UTF-16 is refused, unless any bytes are taken. */
dt_status dt_text_open(dt_text_files *text, const char *const *paths, int count);
void dt_text_close(dt_text_files *text);
/* The bytes [from, from + count) of the text, as they are in the files. */
dt_status dt_text_read(const dt_text_files *text, int64_t from, size_t count, uint8_t *out);

/* Takes bytes of a part, the next of those before; `last`: no others follow. What it leaves of them, beyond *used,
 * comes again with more behind it. */
typedef dt_status (*dt_text_step)(void *context, const uint8_t *bytes, size_t count, bool last, size_t *used);
dt_status dt_text_walk(dt_text_files *text, dt_text_part *part, dt_text_step take, void *context);

/* The failure that names the first byte of a part that is no UTF-8, which there is, and what it probably is. */
dt_status dt_text_fail_utf8(dt_text_files *text, const dt_text_part *part);

#endif
