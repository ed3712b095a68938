#include "words.h"

size_t dt_words_bytes(size_t count, int bits) {
    return bits == 32 ? 4 * count : bits == 8 ? count : count / 2 + count % 2;
}

/* Word i, widened with its sign. */
static uint32_t word_at(const uint8_t *bytes, size_t i, int bits) {
    if (bits == 32) {
        const uint8_t *b = bytes + 4 * i;
        return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    }
    if (bits == 8) return (bytes[i] ^ 0x80U) - 0x80U;
    return ((bytes[i / 2] >> (i % 2 * 4) & 0xfU) ^ 8U) - 8U;
}

bool dt_words_pack(uint8_t *out, const uint32_t *words, size_t count, int bits) {
    uint32_t lost = 0;
    if (bits == 4 && count % 2) out[count / 2] = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t word = words[i];
        if (bits == 32)
            for (int b = 0; b < 4; b++) out[4 * i + (size_t)b] = (uint8_t)(word >> (8 * b));
        else if (bits == 8)
            out[i] = (uint8_t)word;
        else if (i % 2)
            out[i / 2] = (uint8_t)(out[i / 2] | (word & 0xfU) << 4);
        else
            out[i / 2] = (uint8_t)(word & 0xfU);
        lost |= word_at(out, i, bits) ^ word;
    }
    return lost == 0;
}

void dt_words_unpack(uint32_t *words, const uint8_t *bytes, size_t count, int bits) {
    for (size_t i = 0; i < count; i++) words[i] = word_at(bytes, i, bits);
}

void dt_words_add(uint32_t *sum, const uint8_t *bytes, size_t count, int bits) {
    for (size_t i = 0; i < count; i++) sum[i] += word_at(bytes, i, bits);
}
