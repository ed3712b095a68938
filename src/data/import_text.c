/* Text into a dataset of tokens. The files are read as one text, in blocks, a first time for the vocabulary (and its
 * check), then for the tokens: how many there are has to be known before the first is written, for a dataset that can
 * be mapped has a fixed length. What editors of other systems leave in a text is said, and not taken for text: a
 * byte-order mark at a file's begin is left out, and ends of lines are CR LF or LF as they are asked for. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/append.h"
#include "base/escape.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "data/import.h"
#include "data_internal.h"

#define BLOCK_BYTES ((size_t)1 << 20)
#define POINTS 0x110000U
#define MOST_TOKENS 16777215

typedef struct source {
    const char *path;
    int fd;
    int64_t skipped;    /* bytes at its begin that are no text */
    int64_t begin, end; /* of the others in the text */
} source;

typedef struct part {
    const char *dataset;
    int64_t begin, end; /* bytes of the text */
    int64_t tokens, chars;
    int64_t crlf, cr; /* ends of lines that are CR LF, or CR alone, in the files */
} part;

typedef struct text {
    source *sources;
    int source_count;
    int64_t bytes;
    part parts[2]; /* training, test */
    int part_count;
    dt_token_kind kind;
    int64_t vocab;
    dt_tokenizer *tokenizer;
    bool asked;    /* --newlines says what is to become of the ends of lines */
    bool fold;     /* CR LF and CR become LF */
    bool after_cr; /* the last byte read was a CR */
    uint8_t *block;
    int32_t *ids;  /* [BLOCK_BYTES] */
    uint8_t *seen; /* [POINTS] of characters */
} text;

/* ---- reading ---- */

/* UTF-16 is named by its mark, for as UTF-8 it fails anywhere, or reads as a text with a NUL in every other place. */
static dt_status look_for_mark(const text *t, source *s, int64_t bytes) {
    uint8_t mark[3] = {0};
    ssize_t got = pread(s->fd, mark, sizeof mark, 0);
    if (got < 0) return dt_fail(DT_ERR_IO, "%s: cannot read: %s", s->path, strerror(errno));
    bool wide = got >= 2 && ((mark[0] == 0xff && mark[1] == 0xfe) || (mark[0] == 0xfe && mark[1] == 0xff));
    if (wide && t->kind != DT_TOKENS_BYTE)
        return dt_fail(
            DT_ERR_INPUT,
            "%s: begins with the byte-order mark of UTF-16; a text is read as UTF-8, which iconv -f UTF-16 -t "
            "UTF-8 makes of it",
            s->path);
    if (got < 3 || memcmp(mark, "\xef\xbb\xbf", 3) != 0 || bytes < 3) return dt_ok();
    s->skipped = 3;
    dt_log_info("%s: begins with a byte-order mark, which is left out", s->path);
    return dt_ok();
}

static dt_status open_sources(text *t, const dt_import *import) {
    t->sources = dt_alloc((size_t)import->source_count, sizeof *t->sources);
    if (!t->sources) return dt_fail_memory("reading text", (size_t)import->source_count * sizeof *t->sources);
    for (int i = 0; i < import->source_count; i++) {
        source *s = &t->sources[t->source_count++];
        int64_t bytes = 0;
        s->path = import->sources[i];
        DT_TRY(dt_file_open(s->path, &s->fd, &bytes)); /* a pipe will not do: a text is read more than once */
        DT_TRY(look_for_mark(t, s, bytes));
        s->begin = t->bytes;
        t->bytes = s->end = s->begin + bytes - s->skipped;
    }
    return dt_ok();
}

/* The bytes [from, from + count) of the text. */
static dt_status read_bytes(const text *t, int64_t from, size_t count, uint8_t *out) {
    for (int i = 0; i < t->source_count; i++) {
        const source *s = &t->sources[i];
        while (count > 0 && from >= s->begin && from < s->end) {
            size_t here = s->end - from < (int64_t)count ? (size_t)(s->end - from) : count;
            ssize_t got = pread(s->fd, out, here, (off_t)(from - s->begin + s->skipped));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return dt_fail(DT_ERR_IO, "%s: cannot read: %s", s->path, strerror(errno));
            if (got == 0) return dt_fail(DT_ERR_IO, "%s: became shorter while it was read", s->path);
            out += got;
            from += got;
            count -= (size_t)got;
        }
    }
    return dt_ok();
}

/* The file that byte `at` of the text is in, and where. */
static const source *place_of(const text *t, int64_t at, int64_t *offset) {
    int i = 0;
    while (i + 1 < t->source_count && at >= t->sources[i].end) i++;
    *offset = at - t->sources[i].begin + t->sources[i].skipped;
    return &t->sources[i];
}

/* Counts the ends of lines in bytes that follow each other, and makes them LF where that is asked for; how many bytes
 * are left. */
static size_t take_newlines(text *t, part *p, uint8_t *bytes, size_t count) {
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t byte = bytes[i];
        bool second = byte == '\n' && t->after_cr;
        if (second) {
            p->crlf++;
            p->cr--;
        }
        t->after_cr = byte == '\r';
        p->cr += t->after_cr;
        if (!t->fold)
            left++;
        else if (!second)
            bytes[left++] = t->after_cr ? '\n' : byte;
    }
    return left;
}

/* Calls step(text, part, block, bytes, last, &used) with the bytes of a part; what a step leaves is given to the next.
 */
typedef dt_status (*step)(text *t, part *p, const uint8_t *block, size_t bytes, bool last, size_t *used, void *context);

static dt_status walk(text *t, part *p, step take, void *context) {
    size_t held = 0, used = 0;
    t->after_cr = false;
    p->crlf = p->cr = 0;
    for (int64_t at = p->begin; at < p->end || held > 0;) {
        size_t more = BLOCK_BYTES - held;
        if (p->end - at < (int64_t)more) more = (size_t)(p->end - at);
        DT_TRY(read_bytes(t, at, more, t->block + held));
        at += (int64_t)more;
        held += take_newlines(t, p, t->block + held, more);
        if (held == 0) continue;
        DT_TRY(take(t, p, t->block, held, at == p->end, &used, context));
        held -= used;
        memmove(t->block, t->block + used, held);
    }
    return dt_ok();
}

/* ---- the vocabulary ---- */

/* The first byte from `from` on that is no UTF-8, and the line of its file it is in: both are of the file as it is, not
 * as it is read. */
static dt_status find_fault(text *t, const part *p, int64_t *at, long long *line) {
    const source *s = t->sources;
    size_t held = 0;
    *line = 1;
    for (*at = p->begin; *at < p->end;) {
        int64_t from = *at + (int64_t)held, left = p->end - from;
        size_t more = left < (int64_t)(BLOCK_BYTES - held) ? (size_t)left : BLOCK_BYTES - held, used = 0;
        DT_TRY(read_bytes(t, from, more, t->block + held));
        held += more;
        while (used < held) {
            int64_t offset;
            uint32_t point = 0;
            const source *here = place_of(t, *at, &offset);
            if (here != s) *line = 1;
            s = here;
            int length = dt_utf8_take(t->block + used, held - used, &point);
            if (length < 0 && from + (int64_t)more < p->end) break;
            if (length <= 0) return dt_ok();
            *line += point == '\n' || (point == '\r' && used + 1 < held && t->block[used + 1] != '\n');
            used += (size_t)length;
            *at += length;
        }
        held -= used;
        memmove(t->block, t->block + used, held);
    }
    return dt_fail(DT_ERR_IO, "the text changed while it was read; nothing is written");
}

/* What a byte that is no UTF-8 probably is. */
static dt_status fail_utf8(text *t, const part *p) {
    int64_t at, offset;
    long long line;
    uint8_t byte = 0, shown[4] = {0};
    DT_TRY(find_fault(t, p, &at, &line));
    DT_TRY(read_bytes(t, at, 1, &byte));
    const source *s = place_of(t, at, &offset);
    char guess[128] = "is it a text at all?";
    dt_utf8_put(byte, shown);
    if (byte >= 0xa0)
        snprintf(guess, sizeof guess, "in Latin-1 it is %s: iconv -f LATIN1 -t UTF-8 makes UTF-8 of such a file",
                 shown);
    else if (byte >= 0x80)
        snprintf(guess, sizeof guess, "iconv -f WINDOWS-1252 -t UTF-8 makes UTF-8 of a file from Windows");
    return dt_fail(
        DT_ERR_INPUT,
        "%s: the byte 0x%02x at offset %lld (line %lld) does not belong to a character of UTF-8; %s; --tokens "
        "byte or bpe take any bytes",
        s->path, byte, (long long)offset, line, guess);
}

static dt_status see_chars(text *t, part *p, const uint8_t *block, size_t bytes, bool last, size_t *used,
                           void *context) {
    (void)context;
    for (*used = 0; *used < bytes;) {
        uint32_t point = 0;
        int length = dt_utf8_take(block + *used, bytes - *used, &point);
        if (length < 0 && !last) return dt_ok();
        if (length <= 0) return fail_utf8(t, p);
        t->seen[point] = 1;
        *used += (size_t)length;
    }
    return dt_ok();
}

static dt_status find_chars(text *t, dt_vocabulary *v) {
    t->seen = dt_alloc(POINTS, 1);
    uint32_t *points = dt_alloc(POINTS, sizeof *points);
    dt_status status = t->seen && points ? dt_ok() : dt_fail_memory("the characters", 5 * (size_t)POINTS);
    for (int i = 0; i < t->part_count && status.code == DT_OK; i++) status = walk(t, &t->parts[i], see_chars, NULL);
    int64_t count = 0;
    for (uint32_t i = 0; i < POINTS && status.code == DT_OK; i++)
        if (t->seen[i]) points[count++] = i;
    if (status.code == DT_OK) status = dt_vocabulary_chars(v, points, count);
    dt_free(points);
    return status;
}

static dt_status count_words(text *t, part *p, const uint8_t *block, size_t bytes, bool last, size_t *used,
                             void *context) {
    (void)t, (void)p;
    return dt_bpe_count(context, block, bytes, last, used);
}

static dt_status train_bpe(text *t, dt_vocabulary *v) {
    dt_bpe_trainer *trainer;
    DT_TRY(dt_bpe_open(&trainer));
    dt_status status = walk(t, &t->parts[0], count_words, trainer);
    if (status.code == DT_OK) status = dt_bpe_train(trainer, t->vocab, v);
    dt_bpe_close(trainer);
    return status;
}

static dt_status make_tokenizer(text *t, const dt_import *import) {
    dt_vocabulary vocabulary;
    if (t->kind == DT_TOKENS_CHAR)
        DT_TRY(find_chars(t, &vocabulary));
    else if (t->kind == DT_TOKENS_BYTE)
        DT_TRY(dt_vocabulary_bytes(&vocabulary));
    else if (import->vocab_json)
        DT_TRY(dt_vocabulary_gpt2(&vocabulary, import->vocab_json, import->merges));
    else
        DT_TRY(train_bpe(t, &vocabulary));
    return dt_tokenizer_create(&t->tokenizer, &vocabulary);
}

/* ---- the tokens ---- */

static dt_status count_tokens(text *t, part *p, const uint8_t *block, size_t bytes, bool last, size_t *used,
                              void *context) {
    (void)context;
    int64_t count;
    DT_TRY(dt_tokenizer_piece(t->tokenizer, block, bytes, last, t->ids, &count, used));
    p->tokens += count;
    for (size_t i = 0; i < *used; i++) p->chars += (block[i] & 0xc0) != 0x80;
    return dt_ok();
}

typedef struct writer {
    dt_h5 *file;
    dt_dtype dtype;
    int64_t written;
} writer;

static dt_status write_tokens(text *t, part *p, const uint8_t *block, size_t bytes, bool last, size_t *used,
                              void *context) {
    writer *w = context;
    int64_t count;
    DT_TRY(dt_tokenizer_piece(t->tokenizer, block, bytes, last, t->ids, &count, used));
    if (count > p->tokens - w->written)
        return dt_fail(DT_ERR_IO, "the text changed while it was read; nothing is written");
    /* narrowed in place: an id is never behind the place it goes to */
    for (int64_t i = 0; w->dtype == DT_U8 && i < count; i++) ((uint8_t *)t->ids)[i] = (uint8_t)t->ids[i];
    for (int64_t i = 0; w->dtype == DT_U16 && i < count; i++) {
        uint16_t id = (uint16_t)t->ids[i];
        memcpy((char *)t->ids + (size_t)i * sizeof id, &id, sizeof id);
    }
    if (count > 0) DT_TRY(dt_h5_write_rows(w->file, p->dataset, w->dtype, w->written, count, t->ids));
    w->written += count;
    return dt_ok();
}

static dt_status write_part(text *t, part *p, writer *w) {
    w->written = 0;
    DT_TRY(dt_h5_create_dataset(w->file, p->dataset, w->dtype, &(dt_shape){1, {p->tokens}}, 0));
    DT_TRY(dt_h5_put_int(w->file, p->dataset, "chars", p->chars));
    DT_TRY(walk(t, p, write_tokens, w));
    return w->written == p->tokens ? dt_ok()
                                   : dt_fail(DT_ERR_IO, "the text changed while it was read; nothing is written");
}

static dt_status describe(const text *t, dt_h5 *file) {
    char sources[1024] = "";
    for (int i = 0; i < t->source_count; i++) {
        const char *path = t->sources[i].path, *slash = strrchr(path, '/');
        dt_append(sources, sizeof sources, "%s%s", i ? ", " : "", slash ? slash + 1 : path);
    }
    DT_TRY(dt_h5_put_text(file, "/", "format", "dtrain dataset"));
    DT_TRY(dt_h5_put_int(file, "/", "version", 1));
    return dt_h5_put_text(file, "/", "sources", sources);
}

static dt_status write_dataset(void *context, dt_h5 *file) {
    text *t = context;
    int64_t size = dt_tokenizer_vocabulary(t->tokenizer)->size;
    writer w = {.file = file, .dtype = size <= 256 ? DT_U8 : size <= 65536 ? DT_U16 : DT_I32};
    DT_TRY(describe(t, file));
    for (int i = 0; i < t->part_count; i++) DT_TRY(write_part(t, &t->parts[i], &w));
    return dt_vocabulary_write(dt_tokenizer_vocabulary(t->tokenizer), file);
}

/* ---- options ---- */

static dt_status read_kind(text *t, const dt_import *import) {
    bool files = import->vocab_json || import->merges;
    if (!import->tokens) return dt_fail(DT_ERR_USAGE, "import text needs --tokens char, byte or bpe");
    int kind = 0;
    while (dt_token_kinds[kind] && strcmp(dt_token_kinds[kind], import->tokens) != 0) kind++;
    if (!dt_token_kinds[kind])
        return dt_fail(DT_ERR_USAGE, "--tokens is \"%s\"; it must be char, byte or bpe", import->tokens);
    t->kind = (dt_token_kind)kind;
    if (t->kind != DT_TOKENS_BPE && (files || import->vocab))
        return dt_fail(DT_ERR_USAGE, "--vocab, --vocab-json and --merges are for --tokens bpe, not %s", import->tokens);
    if (files && !(import->vocab_json && import->merges))
        return dt_fail(DT_ERR_USAGE,
                       "--vocab-json and --merges go together: the one numbers tokens, the other makes them");
    if (files && import->vocab)
        return dt_fail(DT_ERR_USAGE, "--vocab %s is for a vocabulary trained here; --vocab-json brings its size",
                       import->vocab);
    return dt_ok();
}

static dt_status read_options(text *t, const dt_import *import, double *split) {
    char *end = NULL;
    DT_TRY(read_kind(t, import));
    errno = 0;
    t->vocab = import->vocab ? strtoll(import->vocab, &end, 10) : 4096;
    if (import->vocab && (end == import->vocab || *end || errno || t->vocab < 256 || t->vocab > MOST_TOKENS))
        return dt_fail(DT_ERR_USAGE, "--vocab is \"%s\"; it must be a number from 256 (the bytes) to %d", import->vocab,
                       MOST_TOKENS);
    if (import->newlines && strcmp(import->newlines, "keep") != 0 && strcmp(import->newlines, "lf") != 0)
        return dt_fail(DT_ERR_USAGE, "--newlines is \"%s\"; it must be keep or lf", import->newlines);
    t->asked = import->newlines != NULL;
    t->fold = import->newlines && strcmp(import->newlines, "lf") == 0;
    *split = import->split ? strtod(import->split, &end) : 0.9;
    if (import->split && (end == import->split || *end || !(*split > 0) || *split > 1))
        return dt_fail(DT_ERR_USAGE, "--split is \"%s\"; it is the share of the training data, above 0 and up to 1",
                       import->split);
    return dt_ok();
}

/* Where the training part ends: before a character. */
static dt_status split_text(text *t, double split) {
    int64_t cut = split < 1 ? (int64_t)floor(split * (double)t->bytes) : t->bytes;
    uint8_t byte = 0x80;
    for (int back = 0; split < 1 && back < 3 && cut > 0 && cut < t->bytes; back++, cut--) {
        DT_TRY(read_bytes(t, cut, 1, &byte));
        if ((byte & 0xc0) != 0x80) break;
    }
    uint8_t pair[2] = {0};
    if (t->fold && cut > 0 && cut < t->bytes) DT_TRY(read_bytes(t, cut - 1, 2, pair));
    cut -= pair[0] == '\r' && pair[1] == '\n'; /* one end of a line is not two, in different parts */
    t->part_count = split < 1 ? 2 : 1;
    t->parts[0] = (part){.dataset = "/train/tokens", .end = cut};
    t->parts[1] = (part){.dataset = "/test/tokens", .begin = cut, .end = t->bytes};
    if (t->bytes == 0) return dt_fail(DT_ERR_INPUT, "%s: the text is empty", t->sources[0].path);
    if (cut > 0 && (t->part_count == 1 || cut < t->bytes)) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "%s: a text of %lld bytes, split at %g, has an empty part; choose another --split",
                   t->sources[0].path, (long long)t->bytes, split);
}

/* What lines end with, where that is not LF. */
static void tell_newlines(const text *t) {
    int64_t crlf = 0, cr = 0;
    for (int i = 0; i < t->part_count; i++) {
        crlf += t->parts[i].crlf;
        cr += t->parts[i].cr;
    }
    const char *file = t->sources[0].path, *more = t->source_count > 1 ? " and others" : "";
    if (crlf + cr > 0 && t->fold)
        dt_log_info("%s%s: %lld ends of lines are CR LF and %lld CR alone; all are read as LF", file, more,
                    (long long)crlf, (long long)cr);
    else if (crlf + cr > 0 && !t->asked)
        dt_log_warn("%s%s: %lld ends of lines are CR LF and %lld CR alone, which are kept as characters; --newlines lf "
                    "reads them as LF (--newlines keep says that they are wanted)",
                    file, more, (long long)crlf, (long long)cr);
}

static dt_status import_text(text *t, const dt_import *import) {
    double split = 0;
    DT_TRY(read_options(t, import, &split));
    DT_TRY(dt_import_check(import->source_count, import->sources, import->destination));
    DT_TRY(open_sources(t, import));
    DT_TRY(split_text(t, split));
    t->block = dt_alloc(BLOCK_BYTES, 1);
    t->ids = dt_alloc(BLOCK_BYTES, sizeof *t->ids);
    if (!t->block || !t->ids) return dt_fail_memory("reading text", 5 * BLOCK_BYTES);
    DT_TRY(make_tokenizer(t, import));
    for (int i = 0; i < t->part_count; i++) DT_TRY(walk(t, &t->parts[i], count_tokens, NULL));
    tell_newlines(t);
    return dt_import_publish(import->destination, write_dataset, t);
}

dt_status dt_import_text(const dt_import *import) {
    text t;
    memset(&t, 0, sizeof t);
    dt_status status = import_text(&t, import);
    for (int i = 0; i < t.source_count; i++)
        if (t.sources[i].fd >= 0) close(t.sources[i].fd);
    dt_tokenizer_close(t.tokenizer);
    dt_free(t.sources);
    dt_free(t.block);
    dt_free(t.ids);
    dt_free(t.seen);
    return status;
}
