/* The words of a change as bytes: 32, 8 or 4 bits each, little-endian, two's complement; of 4 the first of two is the
 * lower half, and a half that is left over is 0. */
#ifndef DTRAIN_SITE_WORDS_H
#define DTRAIN_SITE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

size_t dt_words_bytes(size_t count, int bits);

/* False: a word does not fit so many bits. */
bool dt_words_pack(uint8_t *out, const uint32_t *words, size_t count, int bits);
/* words[count]; from any bytes. */
void dt_words_unpack(uint32_t *words, const uint8_t *bytes, size_t count, int bits);
/* Adds them, modulo 2^32. */
void dt_words_add(uint32_t *sum, const uint8_t *bytes, size_t count, int bits);

#endif
