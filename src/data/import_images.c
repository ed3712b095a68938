/* Folders of pictures into a dataset. All are looked at first: what shape the samples have follows from all of them,
 * and one that does not fit is named before anything is written. Then they are read one by one, so memory depends on
 * the largest picture. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alive.h"
#include "base/append.h"
#include "base/escape.h"
#include "base/file.h"
#include "base/headway.h"
#include "base/log.h"
#include "base/memory.h"
#include "folders.h"
#include "import_internal.h"
#include "picture.h"

#define BLOCK_BYTES ((size_t)4 << 20)
#define MOST_FILE ((int64_t)1 << 30)
#define MOST_SIDE 16384

/* ---- options ---- */

typedef struct image_options {
    char size[DT_TEXT_MAX], test[DT_TEXT_MAX];
    int fit, channels, alpha;
} image_options;

enum { FIT_STRETCH, FIT_CROP };
enum { CHANNELS_AUTO, CHANNELS_GREY, CHANNELS_RGB };
static const char *const fits[] = {"stretch", "crop", NULL};
static const char *const channel_choices[] = {"auto", "grey", "rgb", NULL};
static const char *const alphas[] = {"keep", "drop", "white", "black", NULL}; /* dt_alpha */

#define OPTION(name, kind, member, fallback_text)                                                                      \
    .key = (name), .type = DT_FIELD_##kind, .offset = offsetof(image_options, member), .fallback = (fallback_text)

static const dt_field fields[] = {
    {OPTION("size", TEXT, size, ""),
     .help = "height and width all pictures are brought to, as 64x64; without it they must be of one size"},
    {OPTION("fit", CHOICE, fit, "stretch"), .choices = fits,
     .help = "how a picture of another ratio of the sides gets --size; crop keeps its middle"},
    {OPTION("channels", CHOICE, channels, "auto"), .choices = channel_choices,
     .help = "auto: grey where all pictures are, else rgb"},
    {OPTION("alpha", CHOICE, alpha, "keep"), .choices = alphas,
     .help = "transparency: a channel more, or left out, or colours mixed with white or black by it"},
    {OPTION("test", TEXT, test, ""), .help = "a folder of pictures for tests, as /test/x and /test/y"},
    {.key = NULL},
};

/* ---- what is imported ---- */

enum { TRAIN, TEST, VALIDATION, PARTS = DT_FOLDER_PARTS };
static const char *const part_names[PARTS] = {"train", "test", "validation"};

typedef struct images {
    const dt_import *import;
    const image_options *options;
    dt_folder parts[PARTS];
    int64_t height, width; /* of the samples */
    int channels, bits;
    const char *first; /* the picture that said so */
    bool sized;
    uint8_t *file; /* the one that is read */
    size_t file_room;
} images;

/* ---- reading ---- */

static dt_status read_all(int fd, const char *path, uint8_t *out, size_t bytes) {
    for (size_t done = 0; done < bytes;) {
        ssize_t got = read(fd, out + done, bytes - done);
        if (got <= 0) return dt_fail(DT_ERR_IO, "%s: cannot be read to its end", path);
        done += (size_t)got;
    }
    return dt_ok();
}

static dt_status load_file(images *im, const char *path, size_t *bytes) {
    int fd;
    int64_t size;
    DT_TRY(dt_file_open(path, &fd, &size));
    *bytes = (size_t)size;
    dt_status status = size <= MOST_FILE ? dt_ok()
                                         : dt_fail(DT_ERR_INPUT, "%s: %lld bytes; a picture has at most %lld", path,
                                                   (long long)size, (long long)MOST_FILE);
    if (status.code == DT_OK && *bytes > im->file_room) {
        dt_free(im->file);
        im->file = dt_alloc(*bytes, 1);
        im->file_room = im->file ? *bytes : 0;
        if (!im->file) status = dt_fail_memory("a picture's file", *bytes);
    }
    if (status.code == DT_OK) status = read_all(fd, path, im->file, *bytes);
    close(fd);
    dt_alive();
    return status;
}

/* ---- looking ---- */

static dt_status check_size(const images *im, const dt_picture *p, const char *path) {
    if (im->sized || (p->height == im->height && p->width == im->width)) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "%s is %lldx%lld but %s is %lldx%lld; --size %lldx%lld brings all to one size", path,
                   (long long)p->height, (long long)p->width, im->first, (long long)im->height, (long long)im->width,
                   (long long)im->height, (long long)im->width);
}

static dt_status look_at(images *im, const char *path) {
    size_t bytes;
    dt_picture p;
    DT_TRY(load_file(im, path, &bytes));
    DT_TRY(dt_picture_look(&p, path, im->file, bytes));
    if (!im->first && !im->sized) im->height = p.height, im->width = p.width;
    if (!im->first) im->first = path;
    DT_TRY(check_size(im, &p, path));
    int channels = dt_picture_channels(&p, (dt_alpha)im->options->alpha);
    bool colour = (channels > 2 || im->channels > 2) && im->options->channels != CHANNELS_GREY;
    bool alpha = channels % 2 == 0 || (im->channels > 0 && im->channels % 2 == 0);
    if (im->options->channels == CHANNELS_RGB) colour = true;
    im->channels = (colour ? 3 : 1) + alpha;
    if (p.bits > im->bits) im->bits = p.bits;
    return dt_ok();
}

static dt_status look_at_all(images *im) {
    for (int part = 0; part < PARTS; part++) {
        dt_headway headway;
        dt_headway_begin(&headway, "pictures", im->parts[part].count, "looking at pictures for /%s/x",
                         part_names[part]);
        for (int64_t i = 0; i < im->parts[part].count; i++) {
            DT_TRY(look_at(im, im->parts[part].files[i].path));
            dt_headway_at(&headway, i + 1);
        }
        dt_headway_end(&headway);
    }
    return dt_ok();
}

/* ---- writing ---- */

typedef struct block {
    char *values;
    int64_t room, used, written;
    size_t row_bytes;
    char dataset[32];
} block;

static dt_dtype dtype_of(const images *im) {
    return im->bits == 16 ? DT_U16 : DT_U8;
}

static dt_status flush(block *b, const images *im, dt_h5 *file) {
    if (b->used > 0) DT_TRY(dt_h5_write_rows(file, b->dataset, dtype_of(im), b->written, b->used, b->values));
    b->written += b->used;
    b->used = 0;
    return dt_ok();
}

/* Whether the file is still what was looked at. */
static dt_status fit(const images *im, dt_picture *p, const char *path) {
    const image_options *o = im->options;
    if (p->bits > im->bits || (!im->sized && (p->height != im->height || p->width != im->width)))
        return dt_fail(DT_ERR_IO, "%s: the file changed while it was read; nothing is written", path);
    DT_TRY(dt_picture_convert(p, (dt_alpha)o->alpha, im->channels, im->bits));
    return im->sized ? dt_picture_resize(p, im->height, im->width, o->fit == FIT_CROP) : dt_ok();
}

static void put(const images *im, const dt_picture *p, char *out) {
    size_t values = (size_t)(p->height * p->width) * (size_t)p->channels;
    if (im->bits == 16) memcpy(out, p->pixels, values * sizeof *p->pixels);
    for (size_t i = 0; i < values && im->bits == 8; i++) out[i] = (char)p->pixels[i];
}

static dt_status put_picture(images *im, block *b, const char *path) {
    size_t bytes;
    dt_picture p = {0};
    DT_TRY(load_file(im, path, &bytes));
    dt_status status = dt_picture_read(&p, path, im->file, bytes);
    if (status.code == DT_OK) status = fit(im, &p, path);
    if (status.code == DT_OK) put(im, &p, b->values + (size_t)b->used++ * b->row_bytes);
    dt_picture_finish(&p);
    return status;
}

static dt_status write_pictures(images *im, const dt_folder *folder, block *b, dt_h5 *file) {
    dt_headway headway;
    dt_headway_begin(&headway, "pictures", folder->count, "importing %s", b->dataset);
    dt_status status = dt_ok();
    for (int64_t i = 0; i < folder->count && status.code == DT_OK; i++) {
        status = put_picture(im, b, folder->files[i].path);
        if (status.code == DT_OK && b->used == b->room) status = flush(b, im, file);
        dt_headway_at(&headway, i + 1);
    }
    dt_headway_end(&headway);
    return status.code == DT_OK ? flush(b, im, file) : status;
}

static dt_status write_x(images *im, int part, dt_h5 *file) {
    block b = {.row_bytes = (size_t)(im->height * im->width) * (size_t)im->channels * dt_dtype_size(dtype_of(im))};
    snprintf(b.dataset, sizeof b.dataset, "/%s/x", part_names[part]);
    b.room = (int64_t)(b.row_bytes < BLOCK_BYTES ? BLOCK_BYTES / b.row_bytes : 1);
    dt_shape shape = {4, {im->parts[part].count, im->height, im->width, im->channels}};
    DT_TRY(dt_h5_create_dataset(file, b.dataset, dtype_of(im), &shape, 0));
    b.values = dt_alloc((size_t)b.room, b.row_bytes);
    if (!b.values) return dt_fail_memory("a block of pictures", (size_t)b.room * b.row_bytes);
    dt_status status = write_pictures(im, &im->parts[part], &b, file);
    dt_free(b.values);
    return status;
}

/* The classes are those of the training pictures, whichever of them other parts have. */
static dt_status write_y(const images *im, int part, dt_h5 *file) {
    const dt_folder *train = &im->parts[TRAIN], *folder = &im->parts[part];
    char dataset[32];
    snprintf(dataset, sizeof dataset, "/%s/y", part_names[part]);
    bool wide = train->class_count > UINT8_MAX + 1;
    dt_dtype dtype = wide ? DT_U16 : DT_U8;
    dt_shape shape = {1, {folder->count}};
    dt_status status =
        dt_h5_create_classes(file, dataset, dtype, &shape, (const char *const *)train->classes, train->class_count);
    if (status.code == DT_ERR_INPUT) { /* too many for an enumeration */
        dt_log_warn("%s: %d classes, whose names are too long to be kept", dataset, train->class_count);
        status = dt_h5_create_dataset(file, dataset, dtype, &shape, 0);
    }
    DT_TRY(status);
    uint16_t *labels = dt_alloc((size_t)folder->count, sizeof *labels);
    if (!labels) return dt_fail_memory("the labels", (size_t)folder->count * sizeof *labels);
    for (int64_t i = 0; i < folder->count; i++) {
        uint16_t label = (uint16_t)folder->files[i].class;
        if (wide)
            labels[i] = label;
        else
            ((uint8_t *)labels)[i] = (uint8_t)label;
    }
    status = dt_h5_write_rows(file, dataset, dtype, 0, folder->count, labels);
    dt_free(labels);
    return status;
}

static dt_status write_dataset(void *context, dt_h5 *file) {
    images *im = context;
    DT_TRY(dt_import_label(file, im->import));
    for (int part = 0; part < PARTS; part++) {
        if (im->parts[part].count == 0) continue;
        DT_TRY(write_x(im, part, file));
        if (im->parts[part].class_count > 0) DT_TRY(write_y(im, part, file));
    }
    return dt_ok();
}

/* ---- folders ---- */

/* Classes of another part by the numbers they have in the training part. */
static dt_status match_classes(dt_folder *folder, const dt_folder *train, const char *path) {
    int32_t *number = dt_alloc((size_t)folder->class_count + 1, sizeof *number);
    if (!number) return dt_fail_memory("the classes", (size_t)folder->class_count * sizeof *number);
    dt_status status = dt_ok();
    for (int32_t i = 0, k = 0; i < folder->class_count && status.code == DT_OK; i++) {
        while (k < train->class_count && strcmp(train->classes[k], folder->classes[i]) < 0) k++;
        number[i] = k;
        if (k == train->class_count || strcmp(train->classes[k], folder->classes[i]) != 0)
            status = dt_fail(DT_ERR_INPUT, "%s/%s: is a class that the training pictures do not have", path,
                             folder->classes[i]);
    }
    if ((folder->class_count > 0) != (train->class_count > 0))
        status = dt_fail(DT_ERR_INPUT, "%s: its pictures are %s folders of classes, unlike those for training", path,
                         folder->class_count > 0 ? "in" : "in no");
    for (int64_t i = 0; i < folder->count && status.code == DT_OK && folder->class_count > 0; i++)
        folder->files[i].class = number[folder->files[i].class];
    dt_free(number);
    return status;
}

static dt_status list_parts(images *im) {
    char parts[DT_FOLDER_PARTS][4096];
    const char *test = im->options->test;
    DT_TRY(dt_folder_parts(parts, im->import->sources[0]));
    if (*test && *parts[TEST])
        return dt_fail(DT_ERR_USAGE, "--test %s: there are tests in %s already", test, parts[TEST]);
    if (*test) snprintf(parts[TEST], sizeof parts[TEST], "%s", test);
    for (int part = 0; part < PARTS; part++) {
        if (!*parts[part]) continue;
        DT_TRY(dt_folder_list(&im->parts[part], parts[part]));
        if (part == TRAIN) DT_TRY(dt_folder_check_only(&im->parts[part], parts[part]));
        if (part != TRAIN) DT_TRY(match_classes(&im->parts[part], &im->parts[TRAIN], parts[part]));
    }
    return dt_ok();
}

/* ---- importing ---- */

static dt_status read_size(images *im) {
    const char *size = im->options->size;
    if (!*size) {
        if (im->options->fit == FIT_CROP) return dt_fail(DT_ERR_USAGE, "--fit crop goes with --size");
        return dt_ok();
    }
    long height = 0, width = 0;
    int used = 0;
    bool read = sscanf(size, "%6ldx%6ld%n", &height, &width, &used) == 2 && size[used] == '\0';
    if (!read || height < 1 || width < 1 || height > MOST_SIDE || width > MOST_SIDE)
        return dt_fail(DT_ERR_USAGE, "--size is \"%s\"; it is height and width, as 64x64, of at most %d", size,
                       MOST_SIDE);
    im->sized = true;
    im->height = height;
    im->width = width;
    return dt_ok();
}

/* What was found, so that one who knows the pictures sees what became of them. */
static void tell(const images *im) {
    char line[400] = "";
    for (int part = 0; part < PARTS; part++)
        if (im->parts[part].count > 0)
            dt_append(line, sizeof line, "%s%lld for %s", part ? ", " : "", (long long)im->parts[part].count,
                      part_names[part]);
    dt_append(line, sizeof line, "; %lldx%lld, %d channel%s of %d bits", (long long)im->height, (long long)im->width,
              im->channels, im->channels > 1 ? "s" : "", im->bits);
    if (im->parts[TRAIN].class_count > 0) dt_append(line, sizeof line, "; %d classes", im->parts[TRAIN].class_count);
    dt_log_info("pictures: %s", line);
    for (int part = 0; part < PARTS; part++)
        if (im->parts[part].passed) {
            char name[200];
            dt_log_info("%lld files are no pictures by their names, as %s", (long long)im->parts[part].passed_count,
                        dt_escape_name(name, sizeof name, im->parts[part].passed));
        }
}

static dt_status import_into(images *im) {
    DT_TRY(read_size(im));
    DT_TRY(dt_import_check(im->import));
    DT_TRY(list_parts(im));
    DT_TRY(look_at_all(im));
    DT_TRY(dt_import_publish(im->import->destination, write_dataset, im));
    tell(im);
    return dt_ok();
}

static dt_status import_images(const dt_import *import, const void *options) {
    if (import->source_count != 1)
        return dt_fail(DT_ERR_USAGE, "import images needs one FOLDER and DEST.h5, not %d", import->source_count + 1);
    images im = {.import = import, .options = options};
    dt_status status = import_into(&im);
    for (int part = 0; part < PARTS; part++) dt_folder_finish(&im.parts[part]);
    dt_free(im.file);
    return status;
}

const dt_importer dt_importer_images = {
    .name = "images",
    .usage = "FOLDER DEST.h5 [--size HxW] [--test FOLDER] [--OPTION VALUE]...",
    .help =
        "PNG and JPEG pictures in FOLDER/CLASS/, or in FOLDER/train/CLASS/, FOLDER/test/CLASS/ (and validation), into\n"
        "/train/x [pictures, height, width, channels] and /train/y, whose classes have the folders' names; pictures "
        "in\n"
        "folders inside a class's (CLASS/2024/may/) are of that class. Pictures\n"
        "are turned upright as their EXIF data say; palettes become colours; 16 bits are kept. Animated pictures and\n"
        "colours for print (CMYK) are refused by name, and so is a picture of another size than the first without\n"
        "--size, which takes means over the area of a new pixel, or between old ones where it makes them larger.\n"
        "  dtrain import images photos photos.h5 --size 64x64 --fit crop\n",
    .options = fields,
    .options_size = sizeof(image_options),
    .run = import_images,
};
