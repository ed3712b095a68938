/* Text into a dataset of tokens. The files are read as one text (text_files.c), in blocks, a first time for the
 * vocabulary (and its check), then for the tokens: how many there are has to be known before the first is written, for
 * a dataset that can be mapped has a fixed length. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/escape.h"
#include "base/log.h"
#include "base/memory.h"
#include "import_internal.h"
#include "text_files.h"
#include "words.h"

#define POINTS 0x110000U
#define MOST_TOKENS 16777215

/* ---- options ---- */

typedef struct text_options {
    int tokens;    /* dt_token_kind */
    int64_t vocab; /* tokens of a vocabulary that is trained, at most */
    double split;  /* share of the bytes that is for training */
    int newlines;
    char vocab_json[DT_TEXT_MAX], merges[DT_TEXT_MAX];
} text_options;

enum { NEWLINES_KEEP, NEWLINES_LF };
static const char *const newlines[] = {"keep", "lf", NULL};

#define OPTION(name, kind, member, fallback_text)                                                                      \
    .key = (name), .type = DT_FIELD_##kind, .offset = offsetof(text_options, member), .fallback = (fallback_text)

static const dt_field fields[] = {
    {OPTION("tokens", CHOICE, tokens, NULL), .flags = DT_FIELD_REQUIRED, .choices = dt_token_kinds,
     .help = "what is a token"},
    {OPTION("vocab", INT, vocab, "4096"), .min = 256, .max = MOST_TOKENS,
     .help = "tokens of bpe at most, the 256 bytes among them"},
    {OPTION("split", REAL, split, "0.9"), .max = 1, .flags = DT_FIELD_ABOVE,
     .help = "the first so much of the text is for training, the rest for tests"},
    {OPTION("newlines", CHOICE, newlines, "keep"), .choices = newlines,
     .help = "what becomes of ends of lines that are CR LF or CR"},
    {OPTION("vocab-json", TEXT, vocab_json, ""), .help = "for bpe, file with the numbers of tokens, as GPT-2's"},
    {OPTION("merges", TEXT, merges, ""), .help = "for bpe, file with the pairs that make them, as GPT-2's"},
    {.key = NULL},
};

static dt_status check_options(const dt_import *import, const text_options *options) {
    bool json = dt_import_given(import, "vocab-json"), merges = dt_import_given(import, "merges");
    const char *vocab = dt_import_given(import, "vocab");
    if (options->tokens != DT_TOKENS_BPE && (json || merges || vocab))
        return dt_fail(DT_ERR_USAGE, "--vocab, --vocab-json and --merges are for --tokens bpe, not %s",
                       dt_token_kinds[options->tokens]);
    if (json != merges)
        return dt_fail(DT_ERR_USAGE,
                       "--vocab-json and --merges go together: the one numbers tokens, the other makes them");
    if (json && vocab)
        return dt_fail(DT_ERR_USAGE, "--vocab %s is for a vocabulary trained here; --vocab-json brings its size",
                       vocab);
    return dt_ok();
}

/* ---- what is imported ---- */

/* A part of the text that becomes a dataset. */
typedef struct part {
    dt_text_part bytes;
    const char *dataset;
    int64_t tokens, chars;
} part;

typedef struct text {
    const dt_import *import;
    const text_options *options;
    dt_text_files files;
    part parts[2]; /* training, test */
    int part_count;
    dt_tokenizer *tokenizer;
    int32_t *ids;  /* [DT_TEXT_BLOCK] */
    uint8_t *seen; /* [POINTS] of characters */
} text;

/* One reading of a part. */
typedef struct reading {
    text *t;
    part *p;
} reading;

static dt_status read_part(text *t, part *p, dt_text_step take) {
    return dt_text_walk(&t->files, &p->bytes, take, &(reading){t, p});
}

/* ---- the vocabulary ---- */

static dt_status see_chars(void *context, const uint8_t *block, size_t bytes, bool last, size_t *used) {
    const reading *r = context;
    for (*used = 0; *used < bytes;) {
        uint32_t point = 0;
        int length = dt_utf8_take(block + *used, bytes - *used, &point);
        if (length < 0 && !last) return dt_ok();
        if (length <= 0) return dt_text_fail_utf8(&r->t->files, &r->p->bytes);
        r->t->seen[point] = 1;
        *used += (size_t)length;
    }
    return dt_ok();
}

static dt_status find_chars(text *t, dt_vocabulary *v) {
    t->seen = dt_alloc(POINTS, 1);
    uint32_t *points = dt_alloc(POINTS, sizeof *points);
    dt_status status = t->seen && points ? dt_ok() : dt_fail_memory("the characters", 5 * (size_t)POINTS);
    for (int i = 0; i < t->part_count && status.code == DT_OK; i++) status = read_part(t, &t->parts[i], see_chars);
    int64_t count = 0;
    for (uint32_t i = 0; i < POINTS && status.code == DT_OK; i++)
        if (t->seen[i]) points[count++] = i;
    if (status.code == DT_OK) status = dt_vocabulary_chars(v, points, count);
    dt_free(points);
    return status;
}

static dt_status count_words(void *trainer, const uint8_t *block, size_t bytes, bool last, size_t *used) {
    return dt_bpe_count(trainer, block, bytes, last, used);
}

static dt_status train_bpe(text *t, dt_vocabulary *v) {
    dt_bpe_trainer *trainer;
    DT_TRY(dt_bpe_open(&trainer));
    dt_status status = dt_text_walk(&t->files, &t->parts[0].bytes, count_words, trainer);
    if (status.code == DT_OK) status = dt_bpe_train(trainer, t->options->vocab, v);
    dt_bpe_close(trainer);
    return status;
}

static dt_status make_tokenizer(text *t) {
    dt_vocabulary vocabulary;
    const text_options *options = t->options;
    if (options->tokens == DT_TOKENS_CHAR)
        DT_TRY(find_chars(t, &vocabulary));
    else if (options->tokens == DT_TOKENS_BYTE)
        DT_TRY(dt_vocabulary_bytes(&vocabulary));
    else if (dt_import_given(t->import, "vocab-json"))
        DT_TRY(dt_vocabulary_gpt2(&vocabulary, options->vocab_json, options->merges));
    else
        DT_TRY(train_bpe(t, &vocabulary));
    return dt_tokenizer_create(&t->tokenizer, &vocabulary);
}

/* ---- the tokens ---- */

static dt_status count_tokens(void *context, const uint8_t *block, size_t bytes, bool last, size_t *used) {
    const reading *r = context;
    int64_t count;
    DT_TRY(dt_tokenizer_piece(r->t->tokenizer, block, bytes, last, r->t->ids, &count, used));
    r->p->tokens += count;
    for (size_t i = 0; i < *used; i++) r->p->chars += (block[i] & 0xc0) != 0x80;
    return dt_ok();
}

typedef struct writer {
    text *t;
    const part *p;
    dt_h5 *file;
    dt_dtype dtype;
    int64_t written;
} writer;

static dt_status write_tokens(void *context, const uint8_t *block, size_t bytes, bool last, size_t *used) {
    writer *w = context;
    int32_t *ids = w->t->ids;
    int64_t count;
    DT_TRY(dt_tokenizer_piece(w->t->tokenizer, block, bytes, last, ids, &count, used));
    if (count > w->p->tokens - w->written)
        return dt_fail(DT_ERR_IO, "the text changed while it was read; nothing is written");
    /* narrowed in place: an id is never behind the place it goes to */
    for (int64_t i = 0; w->dtype == DT_U8 && i < count; i++) ((uint8_t *)ids)[i] = (uint8_t)ids[i];
    for (int64_t i = 0; w->dtype == DT_U16 && i < count; i++) {
        uint16_t id = (uint16_t)ids[i];
        memcpy((char *)ids + (size_t)i * sizeof id, &id, sizeof id);
    }
    if (count > 0) DT_TRY(dt_h5_write_rows(w->file, w->p->dataset, w->dtype, w->written, count, ids));
    w->written += count;
    return dt_ok();
}

static dt_status write_part(text *t, part *p, dt_h5 *file, dt_dtype dtype) {
    writer w = {t, p, file, dtype, 0};
    DT_TRY(dt_h5_create_dataset(file, p->dataset, dtype, &(dt_shape){1, {p->tokens}}, 0));
    DT_TRY(dt_h5_put_int(file, p->dataset, "chars", p->chars));
    DT_TRY(dt_text_walk(&t->files, &p->bytes, write_tokens, &w));
    return w.written == p->tokens ? dt_ok()
                                  : dt_fail(DT_ERR_IO, "the text changed while it was read; nothing is written");
}

static dt_status write_dataset(void *context, dt_h5 *file) {
    text *t = context;
    int64_t size = dt_tokenizer_vocabulary(t->tokenizer)->size;
    dt_dtype dtype = size <= 256 ? DT_U8 : size <= 65536 ? DT_U16 : DT_I32;
    DT_TRY(dt_import_label(file, t->import));
    for (int i = 0; i < t->part_count; i++) DT_TRY(write_part(t, &t->parts[i], file, dtype));
    return dt_vocabulary_write(dt_tokenizer_vocabulary(t->tokenizer), file);
}

/* ---- importing ---- */

/* Where the training part ends: before a character. */
static dt_status split_text(text *t) {
    double split = t->options->split;
    int64_t all = t->files.bytes;
    int64_t cut = split < 1 ? (int64_t)floor(split * (double)all) : all;
    uint8_t byte = 0x80;
    for (int back = 0; split < 1 && back < 3 && cut > 0 && cut < all; back++, cut--) {
        DT_TRY(dt_text_read(&t->files, cut, 1, &byte));
        if ((byte & 0xc0) != 0x80) break;
    }
    uint8_t pair[2] = {0};
    if (t->files.fold && cut > 0 && cut < all) DT_TRY(dt_text_read(&t->files, cut - 1, 2, pair));
    cut -= pair[0] == '\r' && pair[1] == '\n'; /* one end of a line is not two, in different parts */
    t->part_count = split < 1 ? 2 : 1;
    t->parts[0] = (part){.dataset = "/train/tokens", .bytes = {.end = cut}};
    t->parts[1] = (part){.dataset = "/test/tokens", .bytes = {.begin = cut, .end = all}};
    if (all == 0) return dt_fail(DT_ERR_INPUT, "%s: the text is empty", t->files.files[0].path);
    if (cut > 0 && (t->part_count == 1 || cut < all)) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "%s: a text of %lld bytes, split at %g, has an empty part; choose another --split",
                   t->files.files[0].path, (long long)all, split);
}

/* What lines end with, where that is not LF. */
static void tell_newlines(const text *t) {
    int64_t crlf = 0, cr = 0;
    for (int i = 0; i < t->part_count; i++) {
        crlf += t->parts[i].bytes.crlf;
        cr += t->parts[i].bytes.cr;
    }
    const char *file = t->files.files[0].path, *more = t->files.count > 1 ? " and others" : "";
    if (crlf + cr > 0 && t->files.fold)
        dt_log_info("%s%s: %lld ends of lines are CR LF and %lld CR alone; all are read as LF", file, more,
                    (long long)crlf, (long long)cr);
    else if (crlf + cr > 0 && !dt_import_given(t->import, "newlines"))
        dt_log_warn("%s%s: %lld ends of lines are CR LF and %lld CR alone, which are kept as characters; --newlines lf "
                    "reads them as LF (--newlines keep says that they are wanted)",
                    file, more, (long long)crlf, (long long)cr);
}

static dt_status import_into(text *t) {
    const dt_import *import = t->import;
    DT_TRY(check_options(import, t->options));
    DT_TRY(dt_import_check(import));
    DT_TRY(dt_text_open(&t->files, import->sources, import->source_count));
    DT_TRY(split_text(t));
    t->ids = dt_alloc(DT_TEXT_BLOCK, sizeof *t->ids);
    if (!t->ids) return dt_fail_memory("reading text", DT_TEXT_BLOCK * sizeof *t->ids);
    DT_TRY(make_tokenizer(t));
    for (int i = 0; i < t->part_count; i++) DT_TRY(read_part(t, &t->parts[i], count_tokens));
    tell_newlines(t);
    return dt_import_publish(import->destination, write_dataset, t);
}

static dt_status import_text(const dt_import *import, const void *options) {
    text t = {.import = import, .options = options};
    t.files.any_bytes = t.options->tokens == DT_TOKENS_BYTE;
    t.files.fold = t.options->newlines == NEWLINES_LF;
    dt_status status = import_into(&t);
    dt_text_close(&t.files);
    dt_tokenizer_close(t.tokenizer);
    dt_free(t.ids);
    dt_free(t.seen);
    return status;
}

const dt_importer dt_importer_text = {
    .name = "text",
    .usage = "FILE... DEST.h5 --tokens char|byte|bpe [--vocab N] [--split 0.9] [--vocab-json FILE --merges FILE]"
             " [--newlines keep|lf]",
    .help = "Text files, one after the other, as numbers: /train/tokens, /test/tokens, and the vocabulary as /vocab.\n"
            "char: characters of UTF-8. byte: bytes. bpe: byte-pair encoding of up to --vocab tokens, trained on the\n"
            "training part, or as GPT-2's vocab.json and merges.txt have it. The first --split of the text is for "
            "training.\n"
            "A byte-order mark is left out. Ends of lines that are CR LF or CR stay as they are; --newlines lf makes "
            "them LF.\n",
    .options = fields,
    .options_size = sizeof(text_options),
    .run = import_text,
};
