/* Tokenizers: text as numbers below a vocabulary's size, and back.
 *
 * Three kinds. char: a token is a character (a code point of UTF-8), numbered in the order of code points. byte: a
 * token is a byte, its own number. bpe: byte-level byte-pair encoding (Sennrich et al. 2016, on bytes as in Radford et
 * al. 2019, section 2.2): text is cut into words, and in each the pair of neighbouring tokens that was merged first in
 * training is merged, until none is left that can be.
 *
 * Words are those of GPT-2's pattern: 's 't 're 've 'm 'll 'd; an optional space with letters behind it; the same with
 * numbers (Unicode's L and N); the same with what is neither, nor space; spaces (White_Space) up to the last, which
 * belongs to what follows it, or all where nothing follows. Bytes that are no UTF-8 count as neither. A word ends after
 * DT_WORD_BYTES bytes at the latest; GPT-2's does not.
 *
 * In a file: the group /vocab (of a dataset) or datasets /state/vocab_… (of a checkpoint) with `kind` (int32: 0 char,
 * 1 byte, 2 bpe), `bytes` (uint8: all tokens' bytes one after the other), `offsets` (int64, one more than tokens: where
 * each begins) and, for bpe, `merges` (int32, [merges, 3] one after the other: left, right, result; first merged
 * first). */
#ifndef DTRAIN_TOKENIZER_H
#define DTRAIN_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ranks.h"
#include "base/status.h"

#define DT_WORD_BYTES 1024

typedef enum dt_token_kind { DT_TOKENS_CHAR, DT_TOKENS_BYTE, DT_TOKENS_BPE } dt_token_kind;
extern const char *const dt_token_kinds[4]; /* "char", "byte", "bpe", NULL */

/* What a tokenizer is made of. The arrays are owned. */
typedef struct dt_vocabulary {
    int32_t kind;     /* dt_token_kind */
    int64_t size;     /* tokens; 0: there is none */
    uint8_t *bytes;   /* [offsets[size]] */
    int64_t *offsets; /* [size + 1] */
    int64_t merge_count;
    int32_t *merges; /* [merge_count, 3]: left, right, result */
} dt_vocabulary;

/* The vocabulary of a dataset file or a checkpoint; one of size 0 where it has none. Checked: what it says fits
 * together, whoever wrote it. To dt_vocabulary_finish. */
dt_status dt_vocabulary_read(dt_vocabulary *out, const char *file);
/* Collective. Rank 0 reads. */
dt_status dt_vocabulary_open(dt_vocabulary *out, const dt_ranks *ranks, const char *file);
void dt_vocabulary_finish(dt_vocabulary *vocabulary);
/* Of everything in it; 0 when there is none. */
uint64_t dt_vocabulary_hash(const dt_vocabulary *vocabulary);
/* The 256 bytes. */
dt_status dt_vocabulary_bytes(dt_vocabulary *out);
/* Characters, given by ascending code points. */
dt_status dt_vocabulary_chars(dt_vocabulary *out, const uint32_t *points, int64_t count);
/* GPT-2's files: vocab.json, a map from tokens to numbers from 0 on without a gap, its bytes written as printable
 * characters; and merges.txt, a pair a line. */
dt_status dt_vocabulary_gpt2(dt_vocabulary *out, const char *vocab_json, const char *merges_txt);
/* Writes both, so that GPT-2's tokenizer makes the same tokens (gpt2_write.c). Characters of several bytes, which have
 * no merges, are refused. */
dt_status dt_vocabulary_write_gpt2(const dt_vocabulary *vocabulary, const char *vocab_json, const char *merges_txt);

typedef struct dt_tokenizer dt_tokenizer;

/* Of a dataset file or a checkpoint; fails where it has no vocabulary. */
dt_status dt_tokenizer_open(dt_tokenizer **out, const char *file);
/* Takes the vocabulary over, also when it fails. */
dt_status dt_tokenizer_create(dt_tokenizer **out, dt_vocabulary *vocabulary);
void dt_tokenizer_close(dt_tokenizer *tokenizer); /* accepts NULL */
const dt_vocabulary *dt_tokenizer_vocabulary(const dt_tokenizer *tokenizer);

/* The tokens of a text: *ids[*count], to dt_free. Fails at what the vocabulary cannot say: for char a character it does
 * not have or bytes that are no UTF-8, named with their offset. */
dt_status dt_tokenizer_encode(dt_tokenizer *tokenizer, const char *text, size_t bytes, int32_t **ids, int64_t *count);
/* The bytes of one token, borrowed; NULL and 0 when there is no such token. They may be part of a character. */
const uint8_t *dt_tokenizer_token(const dt_tokenizer *tokenizer, int64_t id, size_t *bytes);

/* The same piece by piece, for text that does not fit memory: tokens of the first *used bytes of text[bytes] into
 * ids[bytes], which is room for any. With `last` all of the text is used; else what more text could change is left, at
 * most DT_WORD_BYTES + 8 bytes. */
dt_status dt_tokenizer_piece(dt_tokenizer *tokenizer, const uint8_t *text, size_t bytes, bool last, int32_t *ids,
                             int64_t *count, size_t *used);

/* ---- training byte-pair encoding (bpe.c) ---- */

typedef struct dt_bpe_trainer dt_bpe_trainer;

dt_status dt_bpe_open(dt_bpe_trainer **out);
/* Counts the words of a text, piece by piece as dt_tokenizer_piece. Memory is bounded: where there are more than
 * DT_BPE_WORDS different words, or they have more than DT_BPE_BYTES, those seen least are forgotten. */
#define DT_BPE_WORDS 2000000
#define DT_BPE_BYTES (32 << 20)
dt_status dt_bpe_count(dt_bpe_trainer *trainer, const uint8_t *text, size_t bytes, bool last, size_t *used);
/* The vocabulary of 256 bytes and the merges up to `size` tokens, fewer when no pair is left that occurs twice. Always
 * the most frequent pair is merged; among equals the one with the smallest left, then right token. */
dt_status dt_bpe_train(dt_bpe_trainer *trainer, int64_t size, dt_vocabulary *out);
void dt_bpe_close(dt_bpe_trainer *trainer);

#endif
