/* Texts: words and characters, byte-pair encoding trained on the input, and tokenizers of all kinds over it. Tokens
 * are the same whether the text comes whole or in pieces, and give the text back. */
#include "fuzz.h"

#include "base/memory.h"
#include "data/tokenizer.h"
#include "data/words.h"

/* The tokens of the text in pieces: `step` more bytes are shown each time. */
static int64_t in_pieces(dt_tokenizer *tokenizer, const uint8_t *text, size_t size, size_t step, int32_t *ids) {
    int64_t all = 0, count;
    size_t at = 0, shown = 0, used;
    while (at < size || shown < size) {
        shown = size - shown < step ? size : shown + step;
        fuzz_check(dt_tokenizer_piece(tokenizer, text + at, shown - at, shown == size, ids + all, &count, &used));
        if (used > shown - at || count > (int64_t)used) abort();
        at += used;
        all += count;
        if (shown == size) break;
    }
    if (at != size) abort();
    return all;
}

static void tokenize(dt_vocabulary *vocabulary, const uint8_t *text, size_t size) {
    dt_tokenizer *tokenizer;
    fuzz_check(dt_tokenizer_create(&tokenizer, vocabulary));
    int32_t *ids, *pieces = calloc(size + 1, sizeof *pieces);
    int64_t count;
    dt_status status = dt_tokenizer_encode(tokenizer, (const char *)text, size, &ids, &count);
    fuzz_check(status);
    if (!pieces || status.code != DT_OK) {
        dt_tokenizer_close(tokenizer);
        free(pieces);
        return;
    }
    if (in_pieces(tokenizer, text, size, 1 + size % 97 * 7, pieces) != count ||
        memcmp(ids, pieces, (size_t)count * sizeof *ids) != 0)
        abort();
    size_t at = 0, bytes;
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *token = dt_tokenizer_token(tokenizer, ids[i], &bytes);
        if (!token || at + bytes > size || memcmp(text + at, token, bytes) != 0) abort();
        at += bytes;
    }
    if (at != size) abort();
    dt_free(ids), free(pieces);
    dt_tokenizer_close(tokenizer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (size_t at = 0, length; at < size; at += length) {
        length = dt_word_length(data + at, size - at, true);
        if (length == 0 || length > size - at) abort();
    }
    dt_bpe_trainer *trainer;
    dt_vocabulary vocabulary;
    size_t used;
    fuzz_check(dt_bpe_open(&trainer));
    fuzz_check(dt_bpe_count(trainer, data, size, true, &used));
    if (used != size) abort();
    fuzz_check(dt_bpe_train(trainer, 300, &vocabulary));
    dt_bpe_close(trainer);
    tokenize(&vocabulary, data, size);
    fuzz_check(dt_vocabulary_bytes(&vocabulary));
    tokenize(&vocabulary, data, size);
    static const uint32_t points[] = {'\n', ' ', 'a', 'b', 'e', 0xe9, 0x20ac, 0x1f600};
    fuzz_check(dt_vocabulary_chars(&vocabulary, points, sizeof points / sizeof *points));
    tokenize(&vocabulary, data, size);
    return 0;
}
