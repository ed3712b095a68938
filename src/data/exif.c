/* EXIF data is a TIFF file without a picture: a byte order, and a directory of tags. Of it one tag is read. */
#include "exif.h"

#include <stdbool.h>
#include <string.h>

#define ORIENTATION 0x0112
#define SHORT 3 /* the type of 16 bits */
#define ENTRY 12

typedef struct tiff {
    const uint8_t *at;
    size_t bytes;
    bool big;
} tiff;

/* 0 behind the end. */
static uint32_t word_at(const tiff *t, size_t at, size_t bytes) {
    uint32_t word = 0;
    if (at > t->bytes || t->bytes - at < bytes) return 0;
    for (size_t i = 0; i < bytes; i++) word |= (uint32_t)t->at[at + i] << 8 * (t->big ? bytes - 1 - i : i);
    return word;
}

int dt_exif_orientation(const uint8_t *bytes, size_t count) {
    if (count < 8 || (memcmp(bytes, "II*\0", 4) != 0 && memcmp(bytes, "MM\0*", 4) != 0)) return 1;
    tiff t = {bytes, count, bytes[0] == 'M'};
    size_t directory = word_at(&t, 4, 4), entries = word_at(&t, directory, 2);
    for (size_t i = 0; i < entries; i++) {
        size_t entry = directory + 2 + i * ENTRY;
        if (word_at(&t, entry, 2) != ORIENTATION) continue;
        uint32_t value = word_at(&t, entry + 8, 2);
        return word_at(&t, entry + 2, 2) == SHORT && value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}
