/* Pictures whatever their format: which it is, decided by the first bytes and not by the name, and what is done to all
 * of them. Values are 16 bits wide in memory also where they are of 8, so there is one way of doing each thing. */
#include <string.h>

#include "base/memory.h"
#include "picture_internal.h"

/* ---- reading ---- */

typedef dt_status (*read_picture)(dt_picture *out, const char *path, const uint8_t *file, size_t bytes, bool pixels);

static const struct {
    const char *begin;
    size_t bytes, at;
    read_picture read; /* NULL: not read */
    const char *what;
} formats[] = {
    {"\x89PNG\r\n\x1a\n", 8, 0, dt_png_read, "PNG"},
    {"\xff\xd8\xff", 3, 0, dt_jpeg_read, "JPEG"},
    {"GIF8", 4, 0, NULL, "a GIF"},
    {"BM", 2, 0, NULL, "a BMP"},
    {"WEBP", 4, 8, NULL, "a WebP"},
    {"II*\0", 4, 0, NULL, "a TIFF"},
    {"MM\0*", 4, 0, NULL, "a TIFF"},
    {"ftypheic", 8, 4, NULL, "an HEIC"},
    {"ftypavif", 8, 4, NULL, "an AVIF"},
    {"<svg", 4, 0, NULL, "an SVG"},
    {"<?xml", 5, 0, NULL, "XML, maybe an SVG"},
    {"%PDF", 4, 0, NULL, "a PDF"},
    {"\x8aMNG", 4, 0, NULL, "an MNG, an animation"},
    {"\0\0\0\x0cjP  ", 8, 0, NULL, "a JPEG 2000"},
    {"8BPS", 4, 0, NULL, "a Photoshop file"},
    {"\xff\x0a", 2, 0, NULL, "a JPEG XL"},
};

static bool begins_like(size_t format, const uint8_t *file, size_t bytes) {
    size_t end = formats[format].at + formats[format].bytes;
    return bytes >= end && memcmp(file + formats[format].at, formats[format].begin, formats[format].bytes) == 0;
}

static read_picture find_reader(const uint8_t *file, size_t bytes) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (formats[i].read && begins_like(i, file, bytes)) return formats[i].read;
    return NULL;
}

static dt_status fail_format(const char *path, const uint8_t *file, size_t bytes) {
    if (bytes == 0) return dt_fail(DT_ERR_CORRUPT, "%s: the file is empty; expected a picture", path);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (begins_like(i, file, bytes))
            return dt_fail(DT_ERR_INPUT, "%s: is %s; PNG and JPEG are read (ImageMagick's `convert` makes one of it)",
                           path, formats[i].what);
    return dt_fail(DT_ERR_CORRUPT, "%s: is neither PNG nor JPEG: begins with the bytes %02x %02x", path, file[0],
                   bytes > 1 ? file[1] : 0);
}

/* Takes the place of a picture's pixels. */
static void replace(dt_picture *picture, const dt_picture *other) {
    dt_free(picture->pixels);
    *picture = *other;
}

/* ---- turning ---- */

/* Where pixel (y, x) of the upright picture is in one of another orientation, of `height` rows of `width`. */
static size_t place_of(int orientation, int64_t height, int64_t width, int64_t y, int64_t x) {
    int64_t from_y = orientation > 4 ? x : y, from_x = orientation > 4 ? y : x;
    bool up = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    bool back = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    if (up) from_y = height - 1 - from_y;
    if (back) from_x = width - 1 - from_x;
    return (size_t)(from_y * width + from_x);
}

static void turn_pixels(const dt_picture *from, dt_picture *to) {
    size_t channels = (size_t)from->channels;
    uint16_t *out = to->pixels;
    for (int64_t y = 0; y < to->height; y++)
        for (int64_t x = 0; x < to->width; x++, out += channels) {
            size_t place = place_of(from->orientation, from->height, from->width, y, x);
            memcpy(out, from->pixels + place * channels, channels * sizeof *out);
        }
}

static dt_status turn(dt_picture *picture) {
    if (picture->orientation < 2) return dt_ok();
    dt_picture upright = *picture;
    upright.orientation = 1;
    if (picture->orientation > 4) upright.height = picture->width, upright.width = picture->height;
    if (picture->pixels) {
        DT_TRY(dt_picture_reserve(&upright));
        turn_pixels(picture, &upright);
    }
    replace(picture, &upright);
    return dt_ok();
}

static dt_status read_any(dt_picture *out, const char *path, const uint8_t *file, size_t bytes, bool pixels) {
    read_picture read = find_reader(file, bytes);
    *out = (dt_picture){.orientation = 1};
    if (!read) return fail_format(path, file, bytes);
    DT_TRY(read(out, path, file, bytes, pixels));
    return turn(out);
}

dt_status dt_picture_look(dt_picture *out, const char *path, const uint8_t *file, size_t bytes) {
    return read_any(out, path, file, bytes, false);
}

dt_status dt_picture_read(dt_picture *out, const char *path, const uint8_t *file, size_t bytes) {
    return read_any(out, path, file, bytes, true);
}

/* ---- channels ---- */

static bool has_alpha(int channels) {
    return channels == 2 || channels == 4;
}

int dt_picture_channels(const dt_picture *picture, dt_alpha alpha) {
    return has_alpha(picture->channels) && alpha != DT_ALPHA_KEEP ? picture->channels - 1 : picture->channels;
}

static uint16_t mix(uint32_t value, uint32_t alpha, uint32_t most, uint32_t under) {
    return (uint16_t)((uint64_t)((uint64_t)value * alpha + (uint64_t)under * (most - alpha) + most / 2) / most);
}

static uint16_t grey_of(const uint16_t *p) {
    return (uint16_t)((299 * (uint32_t)p[0] + 587 * (uint32_t)p[1] + 114 * (uint32_t)p[2] + 500) / 1000);
}

typedef struct conversion {
    dt_alpha alpha;
    int from, to;
    uint32_t most;  /* of the values */
    uint32_t scale; /* of 8 bits to 16: 257 */
} conversion;

static void convert_pixel(const conversion *c, const uint16_t *in, uint16_t *out) {
    uint16_t p[4] = {in[0], in[0], in[0], (uint16_t)c->most};
    if (c->from > 2) p[1] = in[1], p[2] = in[2];
    if (has_alpha(c->from)) p[3] = in[c->from - 1];
    for (int i = 0; i < 3 && c->alpha >= DT_ALPHA_WHITE; i++)
        p[i] = mix(p[i], p[3], c->most, c->alpha == DT_ALPHA_WHITE ? c->most : 0);
    if (c->alpha != DT_ALPHA_KEEP) p[3] = (uint16_t)c->most;
    if (c->to < 3) p[0] = c->from < 3 ? p[0] : grey_of(p);
    if (c->to == 2) p[1] = p[3];
    for (int i = 0; i < c->to; i++) out[i] = (uint16_t)(p[i] * c->scale);
}

dt_status dt_picture_convert(dt_picture *picture, dt_alpha alpha, int channels, int bits) {
    if (picture->channels == channels && picture->bits == bits) return dt_ok();
    dt_picture other = *picture;
    conversion c = {alpha, picture->channels, channels, picture->bits == 16 ? UINT16_MAX : UINT8_MAX,
                    picture->bits < bits ? 257 : 1};
    other.channels = channels;
    other.bits = bits;
    DT_TRY(dt_picture_reserve(&other));
    size_t count = (size_t)(picture->height * picture->width);
    for (size_t i = 0; i < count; i++)
        convert_pixel(&c, picture->pixels + i * (size_t)c.from, other.pixels + i * (size_t)channels);
    replace(picture, &other);
    return dt_ok();
}
