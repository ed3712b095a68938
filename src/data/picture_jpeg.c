/* JPEG, read with libjpeg (libjpeg-turbo). Its slow integer transform has the same bits on every machine. Damage that
 * the library would paint over in grey is an error here. */
#include "picture_internal.h"

#ifdef DT_HAVE_JPEG

#    include <setjmp.h>
#    include <stdio.h>
#    include <string.h>

#    include <jpeglib.h>

#    include <jerror.h>

#    include "exif.h"

#    define MOST_SCANS 1000 /* of a progressive picture: each reads all of it, and a small file can ask for many */
#    define BEST_PACKED 512 /* pixels of a byte: eight blocks of 64, of a bit each */
#    define APP1 (JPEG_APP0 + 1)

typedef struct reader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf out;
    char reason[JMSG_LENGTH_MAX];
    unsigned char *row;
} reader;

static void on_error(j_common_ptr jpeg) {
    reader *r = jpeg->client_data;
    jpeg->err->format_message(jpeg, r->reason);
    longjmp(r->out, 1);
}

/* Level -1 are warnings, of damage. Bytes that are too many between two parts harm nothing. */
static void on_message(j_common_ptr jpeg, int level) {
    if (level < 0 && jpeg->err->msg_code != JWRN_EXTRANEOUS_DATA) on_error(jpeg);
}

static void on_output(j_common_ptr jpeg) {
    (void)jpeg;
}

static void on_progress(j_common_ptr jpeg) {
    reader *r = jpeg->client_data;
    if (r->jpeg.input_scan_number <= MOST_SCANS) return;
    snprintf(r->reason, sizeof r->reason, "more than %d scans", MOST_SCANS);
    longjmp(r->out, 1);
}

static int orientation_of(const struct jpeg_decompress_struct *jpeg) {
    for (jpeg_saved_marker_ptr m = jpeg->marker_list; m; m = m->next)
        if (m->marker == APP1 && m->data_length > 6 && memcmp(m->data, "Exif\0\0", 6) == 0)
            return dt_exif_orientation(m->data + 6, m->data_length - 6);
    return 1;
}

static dt_status read_head(reader *r, dt_picture *out, const char *path, size_t bytes) {
    struct jpeg_decompress_struct *jpeg = &r->jpeg;
    jpeg_save_markers(jpeg, APP1, 0xffff);
    jpeg_read_header(jpeg, TRUE);
    if (jpeg->num_components == 4)
        return dt_fail(DT_ERR_INPUT, "%s: is a JPEG in colours for print (CMYK); convert it to RGB", path);
    if (jpeg->num_components != 1 && jpeg->num_components != 3)
        return dt_fail(DT_ERR_INPUT, "%s: is a JPEG of %d channels; 1 and 3 are read", path, jpeg->num_components);
    out->height = jpeg->image_height;
    out->width = jpeg->image_width;
    out->channels = jpeg->num_components;
    out->bits = 8;
    out->orientation = orientation_of(jpeg);
    return dt_picture_check_claim(out, path, bytes, BEST_PACKED);
}

/* A row is read as bytes at its end of the pixels, and widened there. */
static void read_pixels(reader *r, dt_picture *out) {
    struct jpeg_decompress_struct *jpeg = &r->jpeg;
    size_t values = (size_t)out->width * (size_t)out->channels;
    jpeg->out_color_space = out->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg->dct_method = JDCT_ISLOW;
    jpeg_start_decompress(jpeg);
    while (jpeg->output_scanline < jpeg->output_height) {
        uint16_t *row = out->pixels + jpeg->output_scanline * values;
        r->row = (unsigned char *)row + values;
        JSAMPROW rows[1] = {r->row};
        if (jpeg_read_scanlines(jpeg, rows, 1) != 1) continue;
        for (size_t i = 0; i < values; i++) {
            uint16_t value = r->row[i];
            row[i] = value;
        }
    }
    jpeg_finish_decompress(jpeg);
}

/* What libjpeg does not like ends with a jump to here. */
static dt_status read_open(reader *r, dt_picture *out, const char *path, const uint8_t *file, size_t bytes,
                           bool pixels) {
    if (setjmp(r->out) != 0) return dt_fail(DT_ERR_CORRUPT, "%s: the JPEG is damaged: %s", path, r->reason);
    jpeg_create_decompress(&r->jpeg);
    r->jpeg.progress = &r->progress;
    jpeg_mem_src(&r->jpeg, file, (unsigned long)bytes);
    DT_TRY(read_head(r, out, path, bytes));
    if (!pixels) return dt_ok();
    DT_TRY(dt_picture_reserve(out));
    read_pixels(r, out);
    return dt_ok();
}

dt_status dt_jpeg_read(dt_picture *out, const char *path, const uint8_t *file, size_t bytes, bool pixels) {
    reader r;
    memset(&r, 0, sizeof r);
    r.jpeg.err = jpeg_std_error(&r.errors);
    r.jpeg.client_data = &r;
    r.errors.error_exit = on_error;
    r.errors.emit_message = on_message;
    r.errors.output_message = on_output;
    r.progress.progress_monitor = on_progress;
    dt_status status = read_open(&r, out, path, file, bytes, pixels);
    jpeg_destroy_decompress(&r.jpeg);
    return status;
}

#else

dt_status dt_jpeg_read(dt_picture *out, const char *path, const uint8_t *file, size_t bytes, bool pixels) {
    (void)out, (void)file, (void)bytes, (void)pixels;
    return dt_fail(DT_ERR_INPUT,
                   "%s: is a JPEG, and this dtrain was built without libjpeg (meson setup -Djpeg=enabled)", path);
}

#endif
