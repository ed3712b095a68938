/* How a camera was held: the orientation in a picture's EXIF data (CIPA DC-008, tag 0x0112). */
#ifndef DTRAIN_EXIF_H
#define DTRAIN_EXIF_H

#include <stddef.h>
#include <stdint.h>

/* 1 to 8, as EXIF counts: 1 is upright. Of a TIFF structure that says nothing, or is damaged, 1. */
int dt_exif_orientation(const uint8_t *bytes, size_t count);

#endif
