/* PNG, read with libpng. Palettes become colours, and grey of few bits grey of 8; gamma and colour profiles are left
 * aside: values are those in the file. */
#include "picture_internal.h"

#ifdef DT_HAVE_PNG

#    include <png.h>
#    include <setjmp.h>
#    include <stdio.h>
#    include <string.h>

#    include "base/memory.h"
#    include "exif.h"

#    define MOST_CHUNK ((png_alloc_size_t)64 << 20) /* bytes libpng may take for one that is no picture */
#    define MOST_INFLATION 1032                     /* deflate cannot do better */

typedef struct reader {
    const uint8_t *at, *end;
    bool animated;
    char reason[120];
    png_bytep *rows; /* [height], in pixels */
    unsigned char *bytes;
} reader;

static void on_error(png_structp png, png_const_charp message) {
    reader *r = png_get_error_ptr(png);
    snprintf(r->reason, sizeof r->reason, "%s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message) {
    (void)png, (void)message;
}

static void on_read(png_structp png, png_bytep out, size_t count) {
    reader *r = png_get_io_ptr(png);
    if ((size_t)(r->end - r->at) < count) png_error(png, "the file is cut short");
    memcpy(out, r->at, count);
    r->at += count;
}

/* APNG's first chunk: libpng would show the first frame, and not say so. */
static int on_chunk(png_structp png, png_unknown_chunkp chunk) {
    reader *r = png_get_user_chunk_ptr(png);
    bool animated = memcmp(chunk->name, "acTL", 4) == 0;
    r->animated |= animated;
    return animated; /* of others libpng refuses those that matter */
}

/* How large it is, before libpng takes memory for a row. Jumps on errors. */
static void read_size(png_structp png, png_infop info, dt_picture *out) {
    png_read_info(png, info);
    out->height = png_get_image_height(png, info);
    out->width = png_get_image_width(png, info);
    out->channels = png_get_channels(png, info);
}

/* What pixels will be. Jumps on errors. */
static void read_head(png_structp png, png_infop info, dt_picture *out) {
    png_set_expand(png);
    png_set_swap(png); /* 16 bits, from big-endian */
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    out->channels = png_get_channels(png, info);
    out->bits = png_get_bit_depth(png, info);
    png_uint_32 count = 0;
    png_bytep exif = NULL;
    if (png_get_eXIf_1(png, info, &count, &exif) == PNG_INFO_eXIf) out->orientation = dt_exif_orientation(exif, count);
}

static dt_status check_size(const reader *r, const dt_picture *out, const char *path, size_t bytes) {
    if (r->animated) return dt_fail(DT_ERR_INPUT, "%s: is an animated PNG; save one frame of it", path);
    /* pixels may be of one bit, with palette and grey of few bits */
    return dt_picture_check_claim(out, path, bytes, MOST_INFLATION * 8);
}

/* Rows are read into the upper end of the pixels where they are bytes, so that they can be widened in place. */
static dt_status reserve_rows(reader *r, dt_picture *out) {
    DT_TRY(dt_picture_reserve(out));
    r->rows = dt_alloc((size_t)out->height, sizeof *r->rows);
    if (!r->rows) return dt_fail_memory("the rows of a picture", (size_t)out->height * sizeof *r->rows);
    size_t values = (size_t)(out->height * out->width) * (size_t)out->channels, size = out->bits == 16 ? 2 : 1;
    r->bytes = (unsigned char *)out->pixels + (2 - size) * values;
    for (int64_t y = 0; y < out->height; y++)
        r->rows[y] = r->bytes + (size_t)(y * out->width) * (size_t)out->channels * size;
    return dt_ok();
}

static void widen(const reader *r, dt_picture *out) {
    size_t values = (size_t)(out->height * out->width) * (size_t)out->channels;
    for (size_t i = 0; i < values && out->bits == 8; i++) {
        uint16_t value = r->bytes[i];
        out->pixels[i] = value;
    }
}

/* What libpng does not like ends with a jump to here. */
static dt_status read_open(png_structp png, png_infop info, reader *r, dt_picture *out, const char *path, size_t bytes,
                           bool pixels) {
    if (setjmp(png_jmpbuf(png)) != 0) return dt_fail(DT_ERR_CORRUPT, "%s: the PNG is damaged: %s", path, r->reason);
    read_size(png, info, out);
    DT_TRY(check_size(r, out, path, bytes));
    read_head(png, info, out);
    if (!pixels) return dt_ok();
    DT_TRY(reserve_rows(r, out));
    png_read_image(png, r->rows);
    png_read_end(png, NULL);
    widen(r, out);
    return dt_ok();
}

dt_status dt_png_read(dt_picture *out, const char *path, const uint8_t *file, size_t bytes, bool pixels) {
    reader r = {.at = file, .end = file + bytes};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    dt_status status = info ? dt_ok() : dt_fail_memory("reading a PNG", sizeof r);
    if (info) {
        png_set_read_fn(png, &r, on_read);
        png_set_read_user_chunk_fn(png, &r, on_chunk);
        png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* dt_picture_check_claim has ours */
        png_set_chunk_malloc_max(png, MOST_CHUNK);
        status = read_open(png, info, &r, out, path, bytes, pixels);
    }
    png_destroy_read_struct(&png, &info, NULL);
    dt_free(r.rows);
    return status;
}

#else

dt_status dt_png_read(dt_picture *out, const char *path, const uint8_t *file, size_t bytes, bool pixels) {
    (void)out, (void)file, (void)bytes, (void)pixels;
    return dt_fail(DT_ERR_INPUT, "%s: is a PNG, and this dtrain was built without libpng (meson setup -Dpng=enabled)",
                   path);
}

#endif
