/* GPT-2's vocabulary files, vocab.json and merges.txt. What is read makes a tokenizer that gives any text back. */
#include "fuzz.h"

#include "base/memory.h"
#include "data/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t part;
    const uint8_t *json = fuzz_next(&data, &size, &part);
    fuzz_write("vocab.json", json, part);
    fuzz_write("merges.txt", data, size);
    dt_vocabulary vocabulary;
    memset(&vocabulary, 0, sizeof vocabulary);
    dt_status status = dt_vocabulary_gpt2(&vocabulary, "vocab.json", "merges.txt");
    fuzz_check(status);
    if (status.code != DT_OK) {
        dt_vocabulary_finish(&vocabulary);
        return 0;
    }
    dt_tokenizer *tokenizer;
    status = dt_tokenizer_create(&tokenizer, &vocabulary);
    fuzz_check(status);
    if (status.code != DT_OK) return 0;
    int32_t *ids = NULL;
    int64_t count = 0;
    size_t at = 0, bytes;
    status = dt_tokenizer_encode(tokenizer, (const char *)data, size, &ids, &count);
    fuzz_check(status);
    for (int64_t i = 0; status.code == DT_OK && i < count; i++, at += bytes) {
        const uint8_t *token = dt_tokenizer_token(tokenizer, ids[i], &bytes);
        if (!token || at + bytes > size || memcmp(data + at, token, bytes) != 0) abort();
    }
    if (status.code == DT_OK && at != size) abort();
    dt_free(ids);
    dt_tokenizer_close(tokenizer);
    return 0;
}
