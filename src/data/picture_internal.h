/* Readers of one format each. */
#ifndef DTRAIN_PICTURE_INTERNAL_H
#define DTRAIN_PICTURE_INTERNAL_H

#include "picture.h"

/* picture_png.c, picture_jpeg.c. With `pixels`, or only what the picture is; not turned yet. */
dt_status dt_png_read(dt_picture *out, const char *path, const uint8_t *file, size_t bytes, bool pixels);
dt_status dt_jpeg_read(dt_picture *out, const char *path, const uint8_t *file, size_t bytes, bool pixels);

/* picture_memory.c. That the file can have so many pixels, of which a byte of it is `most` at best. */
dt_status dt_picture_check_claim(const dt_picture *picture, const char *path, size_t bytes, int64_t most);
/* picture_memory.c. Memory for the pixels. */
dt_status dt_picture_reserve(dt_picture *picture);

#endif
