/* Reading text files as one text, in blocks. What editors of other systems leave in a text is said, and not taken for
 * text: a byte-order mark at a file's begin is left out, and ends of lines are CR LF or LF as they are asked for. */
#include "text_files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/file.h"
#include "base/headway.h"
#include "base/log.h"
#include "base/memory.h"
#include "words.h"

/* ---- opening ---- */

/* UTF-16 is named by its mark, for as UTF-8 it fails anywhere, or reads as a text with a NUL in every other place. */
static dt_status look_for_mark(const dt_text_files *t, dt_text_file *s, int64_t bytes) {
    uint8_t mark[3] = {0};
    ssize_t got = pread(s->fd, mark, sizeof mark, 0);
    if (got < 0) return dt_fail(DT_ERR_IO, "%s: cannot read: %s", s->path, strerror(errno));
    bool wide = got >= 2 && ((mark[0] == 0xff && mark[1] == 0xfe) || (mark[0] == 0xfe && mark[1] == 0xff));
    if (wide && !t->any_bytes)
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

dt_status dt_text_open(dt_text_files *t, const char *const *paths, int count) {
    t->files = dt_alloc((size_t)count, sizeof *t->files);
    t->block = dt_alloc(DT_TEXT_BLOCK, 1);
    if (!t->files || !t->block) return dt_fail_memory("reading text", DT_TEXT_BLOCK + (size_t)count * sizeof *t->files);
    for (int i = 0; i < count; i++) {
        dt_text_file *s = &t->files[t->count++];
        int64_t bytes = 0;
        s->path = paths[i];
        DT_TRY(dt_file_open(s->path, &s->fd, &bytes)); /* a pipe will not do: a text is read more than once */
        DT_TRY(look_for_mark(t, s, bytes));
        s->begin = t->bytes;
        t->bytes = s->end = s->begin + bytes - s->skipped;
    }
    return dt_ok();
}

void dt_text_close(dt_text_files *t) {
    for (int i = 0; i < t->count; i++)
        if (t->files[i].fd >= 0) close(t->files[i].fd);
    dt_free(t->files);
    dt_free(t->block);
}

/* ---- reading ---- */

dt_status dt_text_read(const dt_text_files *t, int64_t from, size_t count, uint8_t *out) {
    for (int i = 0; i < t->count; i++) {
        const dt_text_file *s = &t->files[i];
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
static const dt_text_file *place_of(const dt_text_files *t, int64_t at, int64_t *offset) {
    int i = 0;
    while (i + 1 < t->count && at >= t->files[i].end) i++;
    *offset = at - t->files[i].begin + t->files[i].skipped;
    return &t->files[i];
}

/* Counts the ends of lines in bytes that follow each other, and makes them LF where that is asked for; how many bytes
 * are left. */
static size_t take_newlines(dt_text_files *t, dt_text_part *p, uint8_t *bytes, size_t count) {
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

dt_status dt_text_walk(dt_text_files *t, dt_text_part *p, dt_text_step take, void *context) {
    size_t held = 0, used = 0;
    t->after_cr = false;
    p->crlf = p->cr = 0;
    dt_headway headway;
    dt_headway_begin(&headway, "bytes", p->end - p->begin, "reading %s", t->files[0].path);
    for (int64_t at = p->begin; at < p->end || held > 0;) {
        size_t more = DT_TEXT_BLOCK - held;
        if (p->end - at < (int64_t)more) more = (size_t)(p->end - at);
        DT_TRY(dt_text_read(t, at, more, t->block + held));
        at += (int64_t)more;
        held += take_newlines(t, p, t->block + held, more);
        if (held == 0) continue;
        DT_TRY(take(context, t->block, held, at == p->end, &used));
        held -= used;
        memmove(t->block, t->block + used, held);
        dt_headway_at(&headway, at - p->begin);
    }
    dt_headway_end(&headway);
    return dt_ok();
}

/* ---- what is no UTF-8 ---- */

/* The first byte of a part that is no UTF-8, and the line of its file it is in: both are of the file as it is, not
 * as it is read. */
static dt_status find_fault(dt_text_files *t, const dt_text_part *p, int64_t *at, long long *line) {
    const dt_text_file *s = t->files;
    size_t held = 0;
    *line = 1;
    for (*at = p->begin; *at < p->end;) {
        int64_t from = *at + (int64_t)held, left = p->end - from;
        size_t more = left < (int64_t)(DT_TEXT_BLOCK - held) ? (size_t)left : DT_TEXT_BLOCK - held, used = 0;
        DT_TRY(dt_text_read(t, from, more, t->block + held));
        held += more;
        while (used < held) {
            int64_t offset;
            uint32_t point = 0;
            const dt_text_file *here = place_of(t, *at, &offset);
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
dt_status dt_text_fail_utf8(dt_text_files *t, const dt_text_part *p) {
    int64_t at, offset;
    long long line;
    uint8_t byte = 0, shown[4] = {0};
    DT_TRY(find_fault(t, p, &at, &line));
    DT_TRY(dt_text_read(t, at, 1, &byte));
    const dt_text_file *s = place_of(t, at, &offset);
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
