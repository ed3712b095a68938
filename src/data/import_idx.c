/* IDX files into a dataset. The input is somebody else's download, so nothing in it is believed: the header is checked
 * against the size of the file before any space is reserved, and gzip is read with inflate instead of gzread, which
 * passes over garbage behind the data. Files stream through one block, so memory does not depend on them; the result is
 * written beside its destination and renamed over it only when it is complete and on the disk. */
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/headway.h"
#include "base/memory.h"
#include "import_internal.h"

#define INPUT_BYTES ((size_t)256 << 10)
#define BLOCK_BYTES ((size_t)4 << 20)
#define MOST_ROW_BYTES ((uint64_t)1 << 30)
#define MOST_DIMENSIONS 4
#define MOST_INFLATION 1032U /* deflate cannot do better: 258 bytes from 2 bits */
#define MOST_SOURCES 4

/* A file being read, unpacked on the way when it is gzip. The stream's input side serves plain files too. */
typedef struct reader {
    const char *path;
    int fd;
    uint64_t file_bytes; /* 0 where that cannot be known, for example a pipe */
    bool gzip, between;  /* between: the gzip member read last is complete */
    z_stream stream;
    unsigned char *input;
} reader;

typedef struct idx {
    reader in;
    dt_dtype dtype;
    dt_shape shape;
    uint64_t row_bytes, bytes; /* of a sample, of all */
} idx;

static dt_status refill(reader *in) {
    ssize_t got;
    do {
        got = read(in->fd, in->input, INPUT_BYTES);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return dt_fail(DT_ERR_IO, "%s: cannot read: %s", in->path, strerror(errno));
    in->stream.next_in = in->input;
    in->stream.avail_in = (uInt)got;
    return dt_ok();
}

static dt_status reader_open(reader *in, const char *path) {
    in->path = path;
    int64_t bytes;
    DT_TRY(dt_file_open_stream(path, &in->fd, &bytes));
    if (bytes > 0) in->file_bytes = (uint64_t)bytes;
    in->input = dt_alloc(INPUT_BYTES, 1);
    if (!in->input) return dt_fail_memory("reading an IDX file", INPUT_BYTES);
    DT_TRY(refill(in));
    if (in->stream.avail_in == 0) return dt_fail(DT_ERR_CORRUPT, "%s: the file is empty; expected an IDX file", path);
    bool gzip = in->stream.avail_in >= 2 && in->input[0] == 0x1f && in->input[1] == 0x8b;
    if (gzip && inflateInit2(&in->stream, 15 + 16) != Z_OK) return dt_fail_memory("unpacking gzip", (size_t)1 << 15);
    in->gzip = gzip;
    return dt_ok();
}

static void reader_close(reader *in) {
    if (in->gzip) inflateEnd(&in->stream);
    dt_free(in->input);
    if (in->fd >= 0) close(in->fd);
}

static void take_plain(reader *in) {
    uInt count = in->stream.avail_in < in->stream.avail_out ? in->stream.avail_in : in->stream.avail_out;
    memcpy(in->stream.next_out, in->stream.next_in, count);
    in->stream.next_in += count;
    in->stream.avail_in -= count;
    in->stream.next_out += count;
    in->stream.avail_out -= count;
}

static dt_status take_gzip(reader *in) {
    if (in->between) { /* gzip files may be concatenated */
        if (in->stream.next_in[0] != 0x1f)
            return dt_fail(DT_ERR_CORRUPT, "%s: something that is not gzip follows the gzip data", in->path);
        if (inflateReset(&in->stream) != Z_OK) return dt_fail(DT_ERR_CORRUPT, "%s: zlib failed", in->path);
    }
    int code = inflate(&in->stream, Z_NO_FLUSH);
    in->between = code == Z_STREAM_END;
    if (code == Z_OK || code == Z_STREAM_END) return dt_ok();
    if (code == Z_MEM_ERROR) return dt_fail_memory("unpacking gzip", (size_t)1 << 15);
    return dt_fail(DT_ERR_CORRUPT, "%s: the gzip data is damaged (%s)", in->path,
                   in->stream.msg ? in->stream.msg : "zlib does not say how");
}

/* Up to `want` bytes; fewer only at the end of the file. */
static dt_status reader_take(reader *in, void *out, size_t want, size_t *got) {
    in->stream.next_out = out;
    in->stream.avail_out = (uInt)want;
    while (in->stream.avail_out > 0) {
        if (in->stream.avail_in == 0) DT_TRY(refill(in));
        if (in->stream.avail_in == 0) {
            if (in->gzip && !in->between)
                return dt_fail(DT_ERR_CORRUPT, "%s: the gzip data is cut short; the file is incomplete", in->path);
            break;
        }
        if (in->gzip)
            DT_TRY(take_gzip(in));
        else
            take_plain(in);
    }
    *got = want - in->stream.avail_out;
    return dt_ok();
}

static dt_status parse_type(idx *file, const unsigned char magic[4]) {
    static const struct {
        unsigned char code;
        dt_dtype dtype;
    } types[] = {{0x08, DT_U8}, {0x09, DT_I8}, {0x0B, DT_I16}, {0x0C, DT_I32}, {0x0D, DT_F32}, {0x0E, DT_F64}};
    const char *path = file->in.path;
    if (magic[0] != 0 || magic[1] != 0)
        return dt_fail(DT_ERR_CORRUPT, "%s: not an IDX file: begins with the bytes %02x %02x instead of 00 00", path,
                       magic[0], magic[1]);
    if (magic[3] < 1 || magic[3] > MOST_DIMENSIONS)
        return dt_fail(DT_ERR_CORRUPT, "%s: the IDX header says %d dimensions; 1 to %d can be imported", path, magic[3],
                       MOST_DIMENSIONS);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].code != magic[2]) continue;
        file->dtype = types[i].dtype;
        file->shape.rank = magic[3];
        return dt_ok();
    }
    return dt_fail(DT_ERR_CORRUPT, "%s: the IDX header has the type 0x%02x; known are 08 09 0b 0c 0d 0e", path,
                   magic[2]);
}

static dt_status parse_dimensions(idx *file, const unsigned char *words) {
    file->row_bytes = dt_dtype_size(file->dtype);
    for (int i = 0; i < file->shape.rank; i++, words += 4) {
        file->shape.dim[i] = (int64_t)words[0] << 24 | words[1] << 16 | words[2] << 8 | words[3];
        if (file->shape.dim[i] == 0)
            return dt_fail(DT_ERR_CORRUPT, "%s: dimension %d of the IDX header is 0", file->in.path, i + 1);
        /* 2^30 at most before, 2^32 the factor: no overflow */
        if (i > 0) file->row_bytes *= (uint64_t)file->shape.dim[i];
        if (file->row_bytes > MOST_ROW_BYTES)
            return dt_fail(DT_ERR_CORRUPT,
                           "%s: the dimensions of the IDX header are too large (a sample of more than 1 GiB)",
                           file->in.path);
    }
    file->bytes = (uint64_t)file->shape.dim[0] * file->row_bytes;
    return dt_ok();
}

static dt_status fail_length(const idx *file, uint64_t bytes) {
    char shape[96];
    dt_shape_text(&file->shape, shape);
    bool shorter = bytes < file->bytes;
    return dt_fail(DT_ERR_CORRUPT,
                   "%s: %llu bytes too %s: its header says %s %s, %llu bytes of data, but there are %llu",
                   file->in.path, (unsigned long long)(shorter ? file->bytes - bytes : bytes - file->bytes),
                   shorter ? "short" : "long", dt_dtype_name(file->dtype), shape, (unsigned long long)file->bytes,
                   (unsigned long long)bytes);
}

/* Before space is reserved for what a header promises: could the file hold it? */
static dt_status check_size(const idx *file, uint64_t header_bytes) {
    uint64_t size = file->in.file_bytes;
    if (size == 0) return dt_ok();
    if (!file->in.gzip) return size - header_bytes == file->bytes ? dt_ok() : fail_length(file, size - header_bytes);
    if (file->bytes / MOST_INFLATION <= size) return dt_ok();
    return dt_fail(DT_ERR_CORRUPT, "%s: its header says %llu bytes of data, more than %llu bytes of gzip can hold",
                   file->in.path, (unsigned long long)file->bytes, (unsigned long long)size);
}

static dt_status idx_open(idx *file, const char *path) {
    unsigned char header[4 + 4 * MOST_DIMENSIONS];
    size_t got;
    DT_TRY(reader_open(&file->in, path));
    DT_TRY(reader_take(&file->in, header, 4, &got));
    if (got < 4) return dt_fail(DT_ERR_CORRUPT, "%s: too short for an IDX header (%zu bytes)", path, got);
    DT_TRY(parse_type(file, header));
    size_t dimensions = 4 * (size_t)file->shape.rank;
    DT_TRY(reader_take(&file->in, header + 4, dimensions, &got));
    if (got < dimensions) return dt_fail(DT_ERR_CORRUPT, "%s: ends inside its IDX header", path);
    DT_TRY(parse_dimensions(file, header + 4));
    return check_size(file, 4 + dimensions);
}

static dt_status check_pair(const idx *images, const idx *labels) {
    char shape[96];
    dt_shape_text(&labels->shape, shape);
    if (labels->shape.rank != 1)
        return dt_fail(DT_ERR_INPUT, "%s: labels are %s; expected one dimension (is the order IMAGES LABELS?)",
                       labels->in.path, shape);
    if (images->shape.dim[0] != labels->shape.dim[0])
        return dt_fail(DT_ERR_INPUT, "%s has %lld images but %s has %lld labels", images->in.path,
                       (long long)images->shape.dim[0], labels->in.path, (long long)labels->shape.dim[0]);
    return dt_ok();
}

/* A model trained on one must be able to read the other. */
static dt_status check_splits(const idx *train, const idx *test) {
    bool same = train->shape.rank == test->shape.rank;
    for (int i = 1; same && i < train->shape.rank; i++) same = train->shape.dim[i] == test->shape.dim[i];
    if (same) return dt_ok();
    char first[96], second[96];
    dt_shape_text(&train->shape, first);
    dt_shape_text(&test->shape, second);
    return dt_fail(DT_ERR_INPUT, "%s is %s but %s is %s; a training and a test sample must have one shape",
                   train->in.path, first, test->in.path, second);
}

static void to_native(void *values, size_t bytes, size_t size) {
    if (size == 2)
        for (uint16_t *v = values, *end = v + bytes / 2; v < end; v++) *v = be16toh(*v);
    if (size == 4)
        for (uint32_t *v = values, *end = v + bytes / 4; v < end; v++) *v = be32toh(*v);
    if (size == 8)
        for (uint64_t *v = values, *end = v + bytes / 8; v < end; v++) *v = be64toh(*v);
}

/* The bytes of the file behind the data: none, or how many too many. */
static dt_status check_end(idx *file, void *block, size_t block_bytes) {
    uint64_t extra = 0;
    size_t got;
    do {
        DT_TRY(reader_take(&file->in, block, block_bytes, &got));
        extra += got;
    } while (got > 0);
    return extra == 0 ? dt_ok() : fail_length(file, file->bytes + extra);
}

static dt_status copy_rows(idx *file, dt_h5 *to, const char *dataset, void *block, int64_t rows_at_once) {
    int64_t rows = file->shape.dim[0];
    dt_headway headway;
    dt_headway_begin(&headway, "rows", rows, "importing %s", dataset);
    for (int64_t first = 0; first < rows;) {
        int64_t count = rows - first < rows_at_once ? rows - first : rows_at_once;
        size_t want = (size_t)count * file->row_bytes, got;
        DT_TRY(reader_take(&file->in, block, want, &got));
        if (got < want) return fail_length(file, (uint64_t)first * file->row_bytes + got);
        to_native(block, want, dt_dtype_size(file->dtype));
        DT_TRY(dt_h5_write_rows(to, dataset, file->dtype, first, count, block));
        first += count;
        dt_headway_at(&headway, first);
    }
    dt_headway_end(&headway);
    return dt_ok();
}

static dt_status copy(idx *file, dt_h5 *to, const char *dataset) {
    DT_TRY(dt_h5_create_dataset(to, dataset, file->dtype, &file->shape, 0));
    int64_t rows_at_once = file->row_bytes < BLOCK_BYTES ? (int64_t)(BLOCK_BYTES / file->row_bytes) : 1;
    size_t block_bytes = (size_t)rows_at_once * file->row_bytes;
    void *block = dt_alloc(block_bytes, 1);
    if (!block) return dt_fail_memory("a block of samples", block_bytes);
    dt_status status = copy_rows(file, to, dataset, block, rows_at_once);
    if (status.code == DT_OK) status = check_end(file, block, block_bytes);
    dt_free(block);
    return status;
}

typedef struct pairs {
    const dt_import *import;
    idx *files;
    int count;
} pairs;

static dt_status write_dataset(void *context, dt_h5 *file) {
    static const char *const names[MOST_SOURCES] = {"/train/x", "/train/y", "/test/x", "/test/y"};
    pairs *all = context;
    DT_TRY(dt_import_label(file, all->import));
    for (int i = 0; i < all->count; i++) DT_TRY(copy(&all->files[i], file, names[i]));
    return dt_ok();
}

static const dt_field options[] = {{.key = NULL}}; /* none */

/* The first pair is train, the second test. Headers and counts are checked before anything is written, lengths and
 * gzip's checksums on the way. */
static dt_status import_idx(const dt_import *import, const void *none) {
    (void)none;
    int source_count = import->source_count;
    if (source_count != 2 && source_count != MOST_SOURCES)
        return dt_fail(DT_ERR_USAGE, "import idx needs IMAGES LABELS [TEST_IMAGES TEST_LABELS] DEST.h5, not %d files",
                       source_count + 1);
    DT_TRY(dt_import_check(import));
    idx files[MOST_SOURCES];
    memset(files, 0, sizeof files);
    for (int i = 0; i < MOST_SOURCES; i++) files[i].in.fd = -1;
    dt_status status = dt_ok();
    for (int i = 0; i < source_count && status.code == DT_OK; i++) status = idx_open(&files[i], import->sources[i]);
    for (int i = 0; i < source_count && status.code == DT_OK; i += 2) status = check_pair(&files[i], &files[i + 1]);
    if (source_count == MOST_SOURCES && status.code == DT_OK) status = check_splits(&files[0], &files[2]);
    if (status.code == DT_OK)
        status = dt_import_publish(import->destination, write_dataset, &(pairs){import, files, source_count});
    for (int i = 0; i < MOST_SOURCES; i++) reader_close(&files[i].in);
    return status;
}

const dt_importer dt_importer_idx = {
    .name = "idx",
    .usage = "IMAGES LABELS [TEST_IMAGES TEST_LABELS] DEST.h5",
    .help = "IDX files as MNIST and Fashion-MNIST use them (LeCun, Cortes, Burges), gzip or plain, into /train/x,\n"
            "/train/y (and /test/x, /test/y).\n",
    .options = options,
    .run = import_idx,
};
