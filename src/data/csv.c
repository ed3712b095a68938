/* Comma-separated values, record by record. The parser is our own: libcsv, the one in Debian, tells neither where in a
 * file a record began nor what is wrong with it, and has not changed since 2013. What RFC 4180 does not allow is taken
 * only where it can mean one thing: spaces around fields and quotes, any end of a line, a last line without one. All
 * else is refused with its line, for a quote that is read another way than it was meant moves every value behind it. */
#include "csv.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/headway.h"
#include "base/memory.h"

#define BLOCK_BYTES ((size_t)1 << 18)

struct dt_csv {
    const char *path;
    int fd; /* -1: the text is all there is */
    char *block;
    const char *at, *end; /* what is left of the block, or of the text */
    dt_headway headway;   /* of a file */
    int64_t taken;        /* bytes of it */
    dt_status status;     /* of the last reading */
    char delimiter;
    int64_t line, next_line; /* where the record begins; the one that is read */
    char *text;              /* the fields of the record, each ended by a NUL */
    size_t used, room;
    size_t *begin; /* [count] of the fields, in text */
    size_t count, fields_room;
};

/* ---- bytes ---- */

/* The next byte, which stays; -1 at the end, or after a failure. */
static int peek(dt_csv *csv) {
    if (csv->at < csv->end) return (unsigned char)*csv->at;
    if (csv->fd < 0 || csv->status.code != DT_OK) return -1;
    ssize_t got;
    do {
        got = read(csv->fd, csv->block, BLOCK_BYTES);
    } while (got < 0 && errno == EINTR);
    if (got < 0) csv->status = dt_fail(DT_ERR_IO, "%s: cannot read: %s", csv->path, strerror(errno));
    csv->taken += got > 0 ? got : 0;
    dt_headway_at(&csv->headway, csv->taken);
    csv->at = csv->block;
    csv->end = csv->block + (got > 0 ? got : 0);
    return got > 0 ? (unsigned char)*csv->at : -1;
}

static bool ends_record(int byte) {
    return byte == '\n' || byte == '\r' || byte < 0;
}

static void skip_spaces(dt_csv *csv) {
    for (int byte; (byte = peek(csv)) == ' ' || byte == '\t'; csv->at++)
        if (byte == csv->delimiter) return;
}

/* An end of a line: LF, CR, or both. */
static void skip_end(dt_csv *csv) {
    int byte = peek(csv);
    if (byte < 0) return;
    csv->at++;
    if (byte == '\r' && peek(csv) == '\n') csv->at++;
    csv->next_line++;
}

/* ---- a record ---- */

/* Room for one more, doubled when it is used up. */
static dt_status grow(void **memory, size_t *room, size_t used, size_t size, const char *what) {
    if (used < *room) return dt_ok();
    size_t wider = *room ? 2 * *room : 256;
    void *more = dt_alloc(wider, size);
    if (!more) return dt_fail_memory(what, (unsigned long long)wider * size);
    if (*memory) memcpy(more, *memory, used * size);
    dt_free(*memory);
    *memory = more;
    *room = wider;
    return dt_ok();
}

/* Whether it worked; csv->status says why not. A status is too large to be handed around for every byte. */
static bool append(dt_csv *csv, int byte) {
    if (csv->used == csv->room) {
        void *text = csv->text;
        csv->status = csv->used < DT_CSV_MOST_BYTES
                          ? grow(&text, &csv->room, csv->used, 1, "a record")
                          : dt_fail(DT_ERR_INPUT, "%s:%lld: a record of more than %zu bytes; is a quote missing?",
                                    csv->path, (long long)csv->line, DT_CSV_MOST_BYTES);
        csv->text = text;
        if (csv->status.code != DT_OK) return false;
    }
    csv->text[csv->used++] = (char)byte;
    return true;
}

static bool put(dt_csv *csv, int byte) {
    if (byte != 0) return append(csv, byte);
    csv->status = dt_fail(DT_ERR_INPUT, "%s:%lld: field %zu has a NUL byte; this is no text file, or a damaged one",
                          csv->path, (long long)csv->next_line, csv->count + 1);
    return false;
}

static dt_status read_quoted(dt_csv *csv) {
    int64_t opened = csv->next_line;
    int before = 0;
    for (csv->at++;; csv->at++) {
        int byte = peek(csv);
        csv->next_line += byte == '\n' ? 1 : before == '\r';
        before = byte;
        if (byte < 0 && csv->status.code != DT_OK) return csv->status;
        if (byte < 0)
            return dt_fail(DT_ERR_INPUT, "%s:%lld: the quote of field %zu is never closed", csv->path,
                           (long long)opened, csv->count + 1);
        if (byte == '"') {
            csv->at++;
            if (peek(csv) != '"') break;
        }
        if (!put(csv, byte)) return csv->status;
    }
    skip_spaces(csv);
    int byte = peek(csv);
    if (ends_record(byte) || byte == csv->delimiter) return csv->status;
    return dt_fail(DT_ERR_INPUT,
                   "%s:%lld: field %zu goes on with \"%c\" behind its closing quote; a quote inside a quoted field is "
                   "written twice",
                   csv->path, (long long)csv->next_line, csv->count + 1, byte);
}

static dt_status read_plain(dt_csv *csv) {
    size_t begin = csv->used;
    for (int byte; !ends_record(byte = peek(csv)) && byte != csv->delimiter; csv->at++) {
        if (byte == '"')
            return dt_fail(DT_ERR_INPUT,
                           "%s:%lld: field %zu has a quote inside; such a field is quoted, and the quote written twice",
                           csv->path, (long long)csv->next_line, csv->count + 1);
        if (!put(csv, byte)) return csv->status;
    }
    while (csv->used > begin && (csv->text[csv->used - 1] == ' ' || csv->text[csv->used - 1] == '\t')) csv->used--;
    return csv->status;
}

/* *empty: nothing is there, not even quotes. */
static dt_status read_field(dt_csv *csv, bool *empty) {
    void *begin = csv->begin;
    if (csv->count == DT_CSV_MOST_FIELDS)
        return dt_fail(DT_ERR_INPUT, "%s:%lld: more than %zu fields", csv->path, (long long)csv->line,
                       DT_CSV_MOST_FIELDS);
    dt_status status = grow(&begin, &csv->fields_room, csv->count, sizeof *csv->begin, "the fields of a record");
    csv->begin = begin;
    DT_TRY(status);
    csv->begin[csv->count] = csv->used;
    skip_spaces(csv);
    bool quoted = peek(csv) == '"';
    DT_TRY(quoted ? read_quoted(csv) : read_plain(csv));
    *empty = !quoted && csv->used == csv->begin[csv->count];
    csv->count++;
    append(csv, 0);
    return csv->status;
}

dt_status dt_csv_next(dt_csv *csv, bool *more) {
    bool empty = true;
    do {
        csv->count = csv->used = 0;
        csv->line = csv->next_line;
        *more = peek(csv) >= 0;
        DT_TRY(csv->status);
        if (!*more) return dt_ok();
        for (;; csv->at++) {
            DT_TRY(read_field(csv, &empty));
            if (ends_record(peek(csv))) break;
        }
        DT_TRY(csv->status);
        skip_end(csv);
    } while (csv->count == 1 && empty);
    return csv->status;
}

size_t dt_csv_count(const dt_csv *csv) {
    return csv->count;
}

const char *dt_csv_field(const dt_csv *csv, size_t i) {
    return csv->text + csv->begin[i];
}

int64_t dt_csv_line(const dt_csv *csv) {
    return csv->line;
}

const char *dt_csv_path(const dt_csv *csv) {
    return csv->path;
}

/* ---- files ---- */

/* What a file is that begins like this, if it is known to be no such text. */
static const char *other_kind(const char *begin, size_t bytes) {
    static const struct {
        const char *begin, *what;
        size_t bytes;
    } kinds[] = {
        {"\xff\xfe", "UTF-16; convert it first, as with iconv -f UTF-16 -t UTF-8", 2},
        {"\xfe\xff", "UTF-16; convert it first, as with iconv -f UTF-16 -t UTF-8", 2},
        {"\x1f\x8b", "gzip; unpack it first", 2},
        {"BZh", "bzip2; unpack it first", 3},
        {"\xfd\x37zXZ", "xz; unpack it first", 5},
        {"PK\x03\x04", "a ZIP archive or a spreadsheet; unpack it, or save the table as CSV", 4},
        {"\xd0\xcf\x11\xe0", "an old spreadsheet; save the table as CSV", 4},
        {"\x89HDF", "HDF5, which needs no import", 4},
        {"PAR1", "Parquet; save the table as CSV", 4},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (bytes >= kinds[i].bytes && memcmp(begin, kinds[i].begin, kinds[i].bytes) == 0) return kinds[i].what;
    return NULL;
}

static dt_status check_begin(dt_csv *csv) {
    peek(csv);
    DT_TRY(csv->status);
    size_t bytes = (size_t)(csv->end - csv->at);
    const char *other = other_kind(csv->at, bytes);
    if (other) return dt_fail(DT_ERR_INPUT, "%s: is no CSV but %s", csv->path, other);
    if (bytes >= 3 && memcmp(csv->at, "\xef\xbb\xbf", 3) == 0) csv->at += 3;
    return dt_ok();
}

static dt_csv *make(const char *path, char delimiter) {
    dt_csv *csv = dt_alloc(1, sizeof *csv);
    if (csv)
        *csv = (dt_csv){.path = path, .fd = -1, .delimiter = delimiter, .line = 1, .next_line = 1, .status = dt_ok()};
    return csv;
}

static dt_status open_file(dt_csv *csv) {
    csv->block = dt_alloc(BLOCK_BYTES, 1);
    if (!csv->block) return dt_fail_memory("reading CSV", BLOCK_BYTES);
    csv->at = csv->end = csv->block;
    int64_t bytes;
    DT_TRY(dt_file_open(csv->path, &csv->fd, &bytes));
    dt_headway_begin(&csv->headway, "bytes", bytes, "reading %s", csv->path);
    return check_begin(csv);
}

dt_status dt_csv_open(dt_csv **out, const char *path, char delimiter) {
    dt_csv *csv = *out = make(path, delimiter);
    if (!csv) return dt_fail_memory("a CSV file", sizeof *csv);
    dt_status status = open_file(csv);
    if (status.code == DT_OK) return status;
    dt_csv_close(csv);
    *out = NULL;
    return status;
}

dt_status dt_csv_open_text(dt_csv **out, const char *name, const char *text, size_t length, char delimiter) {
    dt_csv *csv = *out = make(name, delimiter);
    if (!csv) return dt_fail_memory("a CSV text", sizeof *csv);
    csv->at = text;
    csv->end = text + length;
    return dt_ok();
}

void dt_csv_close(dt_csv *csv) {
    if (!csv) return;
    if (csv->fd >= 0) {
        dt_headway_end(&csv->headway);
        close(csv->fd);
    }
    dt_free(csv->block);
    dt_free(csv->text);
    dt_free(csv->begin);
    dt_free(csv);
}
