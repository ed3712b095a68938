/* Characters and words of texts (words.c), and how a vocabulary is kept (vocabulary.c). */
#ifndef DTRAIN_DATA_WORDS_H
#define DTRAIN_DATA_WORDS_H

#include "data/tokenizer.h"
#include "store/h5.h"

/* Writes a code point; how many bytes. */
size_t dt_utf8_put(uint32_t point, uint8_t out[4]);
/* The length of the word (see tokenizer.h) that text[bytes] begins with; 0 when what may follow could change it, which
 * `last` rules out. */
size_t dt_word_length(const uint8_t *text, size_t bytes, bool last);

/* Room for `size` tokens of `bytes` bytes together, and for merges (vocabulary.c). */
dt_status dt_vocabulary_reserve(dt_vocabulary *v, int64_t size, int64_t bytes, int64_t merges);
/* As the group /vocab. */
dt_status dt_vocabulary_write(const dt_vocabulary *v, dt_h5 *h5);

#endif
