/* Pictures of others, PNG and JPEG, as numbers. */
#ifndef DTRAIN_PICTURE_H
#define DTRAIN_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* No picture has more pixels: a larger one is most likely made to fill memory. */
#define DT_MOST_PIXELS ((int64_t)1 << 27)

typedef struct dt_picture {
    int64_t height, width;
    int channels;     /* 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha */
    int bits;         /* 8 or 16: values are up to 255, or 65535 */
    int orientation;  /* as EXIF has it, until the picture is turned */
    uint16_t *pixels; /* [height][width][channels]; NULL: only looked at */
} dt_picture;

/* Reads a file in memory, upright as its EXIF data say; `path` is for messages. Looking reads no pixels. What is
 * damaged, no such picture, animated, or of colours for print (CMYK) is refused by name. To be finished, also after a
 * failure. */
dt_status dt_picture_look(dt_picture *out, const char *path, const uint8_t *file, size_t bytes);
dt_status dt_picture_read(dt_picture *out, const char *path, const uint8_t *file, size_t bytes);
void dt_picture_finish(dt_picture *picture);

/* What becomes of alpha: it stays, it is left out, or colours are mixed with white or black by it. */
typedef enum dt_alpha { DT_ALPHA_KEEP, DT_ALPHA_DROP, DT_ALPHA_WHITE, DT_ALPHA_BLACK } dt_alpha;

/* The channels of a picture once its alpha is treated. */
int dt_picture_channels(const dt_picture *picture, dt_alpha alpha);
/* In so many channels and bits, of which there are no fewer than before, or 1 of a picture in colours: grey is
 * (299 R + 587 G + 114 B) / 1000 (ITU-R BT.601). New alpha is opaque. */
dt_status dt_picture_convert(dt_picture *picture, dt_alpha alpha, int channels, int bits);
/* Another size: the mean over the area of each new pixel where a side becomes shorter, linear in between where it
 * becomes longer; in integers, so the same everywhere. `crop`: what is beyond the new ratio of the sides is cut off
 * first, half on each side. */
dt_status dt_picture_resize(dt_picture *picture, int64_t height, int64_t width, bool crop);

#endif
