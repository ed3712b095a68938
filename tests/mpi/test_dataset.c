/* Datasets on any number of ranks: however an array is stored, every rank reads the same values; errors are the same on
 * every rank; and the spool directory is empty afterwards, whatever happened. The files are made with the HDF5 library
 * itself. */
#include <dirent.h>
#include <hdf5.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/ranks.h"
#include "compute/compute.h"
#include "data/sampler.h"
#include "data/source.h"
#include "isa.h"

static char directory[64], spool[80], path[80];

static bool leads(void) {
    return dt_comm_rank(world) == 0;
}

/* A directory of rank 0's making, with a spool directory inside, on all ranks. */
static void enter_directory(void) {
    snprintf(directory, sizeof directory, "/tmp/dtrain-test-XXXXXX");
    bool made = !leads() || mkdtemp(directory) != NULL;
    ranks_assert(made);
    ranks_assert_ok(dt_comm_broadcast(world, directory, sizeof directory, 0));
    snprintf(spool, sizeof spool, "%s/spool", directory);
    snprintf(path, sizeof path, "%s/set.h5", directory);
    made = !leads() || mkdir(spool, 0755) == 0;
    ranks_assert(made);
}

static int spooled(void) {
    DIR *listing = opendir(spool);
    int count = -2;
    while (listing && readdir(listing)) count++;
    if (listing) closedir(listing);
    return count;
}

static void leave_directory(void) {
    ranks_assert_ok(dt_comm_barrier(world));
    ranks_assert(spooled() == 0);
    ranks_assert_ok(dt_comm_barrier(world));
    if (!leads()) return;
    unlink(path);
    rmdir(spool);
    rmdir(directory);
}

/* ---- files ---- */

static hid_t begin_file(hsize_t user_block) {
    hid_t creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_userblock(creation, user_block);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, creation, H5P_DEFAULT);
    H5Pclose(creation);
    return file;
}

typedef enum layout { CONTIGUOUS, LATE, COMPACT, CHUNKED, GZIP } layout;

static hid_t layout_properties(layout how, int rank, const hsize_t *dimensions, hsize_t chunk_rows) {
    hsize_t chunk[4];
    for (int i = 0; i < rank; i++) chunk[i] = dimensions[i];
    chunk[0] = chunk_rows;
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    if (how == CONTIGUOUS) H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY);
    if (how == LATE) H5Pset_alloc_time(properties, H5D_ALLOC_TIME_LATE);
    if (how == COMPACT) H5Pset_layout(properties, H5D_COMPACT);
    if (how == CHUNKED || how == GZIP) H5Pset_chunk(properties, rank, chunk);
    if (how == GZIP) {
        H5Pset_shuffle(properties);
        H5Pset_deflate(properties, 4);
    }
    return properties;
}

/* `values` NULL: nothing is written. */
static bool put(hid_t file, const char *name, hid_t stored, layout how, int rank, const hsize_t *dimensions,
                hsize_t chunk_rows, hid_t memory, const void *values) {
    hid_t properties = layout_properties(how, rank, dimensions, chunk_rows);
    hid_t space = rank ? H5Screate_simple(rank, dimensions, NULL) : H5Screate(H5S_SCALAR);
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    hid_t data = H5Dcreate2(file, name, stored, space, links, properties, H5P_DEFAULT);
    bool good = data >= 0 && (!values || H5Dwrite(data, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(data);
    H5Sclose(space);
    H5Pclose(links);
    H5Pclose(properties);
    return good;
}

/* ---- arrays ---- */

/* The value of element i of any array here: fits every type. */
static int value_of(int64_t i) {
    return (int)(i * 37 % 101);
}

static double element(const dt_array *array, int64_t row, int64_t i) {
    const void *at = dt_array_row(array, row);
    switch (dt_array_dtype(array)) {
    case DT_U8: return ((const uint8_t *)at)[i];
    case DT_I8: return ((const int8_t *)at)[i];
    case DT_U16: return ((const uint16_t *)at)[i];
    case DT_I16: return ((const int16_t *)at)[i];
    case DT_U32: return ((const uint32_t *)at)[i];
    case DT_I32: return ((const int32_t *)at)[i];
    case DT_U64: return (double)((const uint64_t *)at)[i];
    case DT_I64: return (double)((const int64_t *)at)[i];
    case DT_F32: return (double)((const float *)at)[i];
    case DT_F64: return ((const double *)at)[i];
    default: return NAN;
    }
}

enum { ROWS = 1000, SIDE = 7, ROW = SIDE * SIDE };

static bool reads_as(const dt_array *array, dt_dtype dtype, int64_t rows) {
    dt_shape row = dt_array_row_shape(array);
    if (dt_array_dtype(array) != dtype || dt_array_rows(array) != rows) return false;
    if (row.rank != 2 || row.dim[0] != SIDE || row.dim[1] != SIDE) return false;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < ROW; i++)
            if (fabs(element(array, r, i) - value_of(r * ROW + i)) > 0) return false;
    return true;
}

static const struct {
    const char *what;
    const hid_t *stored; /* HDF5's types are variables */
    layout how;
    hsize_t chunk_rows;
    int rows;
    hsize_t user_block;
    dt_dtype dtype;
    bool in_place;
} arrays[] = {
    {"uint8", &H5T_NATIVE_UINT8_g, CONTIGUOUS, 0, ROWS, 0, DT_U8, true},
    {"int16", &H5T_NATIVE_INT16_g, CONTIGUOUS, 0, ROWS, 0, DT_I16, true},
    {"float32", &H5T_NATIVE_FLOAT_g, CONTIGUOUS, 0, ROWS, 0, DT_F32, true},
    {"float64", &H5T_NATIVE_DOUBLE_g, CONTIGUOUS, 0, ROWS, 0, DT_F64, true},
    {"behind a user block", &H5T_NATIVE_UINT8_g, CONTIGUOUS, 0, ROWS, 1024, DT_U8, true},
    {"big-endian int16", &H5T_STD_I16BE_g, CONTIGUOUS, 0, ROWS, 0, DT_I16, false},
    {"big-endian float64", &H5T_IEEE_F64BE_g, CONTIGUOUS, 0, ROWS, 0, DT_F64, false},
    {"compact", &H5T_NATIVE_UINT8_g, COMPACT, 0, 100, 0, DT_U8, false},
    {"in one chunk", &H5T_NATIVE_UINT16_g, CHUNKED, ROWS, ROWS, 0, DT_U16, false},
    {"in chunks that do not divide it", &H5T_NATIVE_UINT32_g, CHUNKED, 7, ROWS, 0, DT_U32, false},
    {"compressed", &H5T_NATIVE_UINT8_g, GZIP, 16, ROWS, 0, DT_U8, false},
    {"compressed big-endian int64", &H5T_STD_I64BE_g, GZIP, 100, ROWS, 0, DT_I64, false},
    {"compressed uint64", &H5T_NATIVE_UINT64_g, GZIP, 1, ROWS, 0, DT_U64, false},
    {"compressed int8", &H5T_NATIVE_INT8_g, GZIP, 999, ROWS, 0, DT_I8, false},
};

static bool make_array(int i) {
    static int values[ROWS * ROW];
    for (int e = 0; e < ROWS * ROW; e++) values[e] = value_of(e);
    hsize_t dimensions[] = {(hsize_t)arrays[i].rows, SIDE, SIDE};
    hid_t file = begin_file(arrays[i].user_block);
    /* three bytes in front, so the array does not lie at a round offset */
    bool good = put(file, "/a", H5T_NATIVE_UINT8, CONTIGUOUS, 1, (hsize_t[]){3}, 0, H5T_NATIVE_INT, values);
    good &= put(file, "/group/x", *arrays[i].stored, arrays[i].how, 3, dimensions, arrays[i].chunk_rows, H5T_NATIVE_INT,
                values);
    return H5Fclose(file) >= 0 && good;
}

START_TEST(however_an_array_is_stored_every_rank_reads_its_values) {
    bool made = !leads() || make_array(_i);
    ranks_assert(made);
    dt_array *array;
    ranks_assert_ok(dt_array_open(&array, &ranks, path, "/group/x", spool));
    ranks_assert(spooled() == 0);
    bool same = reads_as(array, arrays[_i].dtype, arrays[_i].rows);
    if (!same) fprintf(stderr, "array %s: other values\n", arrays[_i].what);
    ranks_assert(same);
    dt_array_close(array);
}
END_TEST

/* The same message on every rank. */
static bool same_everywhere(dt_status status) {
    uint64_t hash = 1469598103934665603U, all[64];
    for (const char *c = status.message; *c; c++) hash = (hash ^ (unsigned char)*c) * 1099511628211U;
    hash ^= (uint64_t)status.code;
    if (dt_comm_gather_u64(world, hash, all).code != DT_OK) return false;
    for (int i = 0; i < dt_comm_size(world); i++)
        if (all[i] != hash) return false;
    return true;
}

static bool fails_with(dt_status status, dt_code code, const char *first, const char *second) {
    bool right = status.code == code && strstr(status.message, first) && strstr(status.message, second);
    if (!right && leads())
        fprintf(stderr, "expected code %d, \"%s\" and \"%s\", got %d: %s\n", code, first, second, status.code,
                status.message);
    return same_everywhere(status) && right;
}

/* Without a spool directory what lies in the file as it is needs can be opened, and nothing else can. */
START_TEST(only_arrays_that_cannot_be_mapped_need_the_spool) {
    bool made = !leads() || make_array(_i);
    ranks_assert(made);
    dt_array *array;
    dt_status status = dt_array_open(&array, &ranks, path, "/group/x", "/nowhere/at/all");
    if (arrays[_i].in_place)
        ranks_assert_ok(status);
    else
        ranks_assert(fails_with(status, DT_ERR_IO, "/nowhere/at/all", "data.spool") && !array);
    dt_array_close(array);
}
END_TEST

START_TEST(an_array_at_an_odd_offset_is_read_right) {
    double values[] = {1, -2.5, 1e300};
    hid_t file = leads() ? begin_file(0) : -1;
    bool made = true;
    if (leads()) {
        made = put(file, "/a", H5T_NATIVE_UINT8, CONTIGUOUS, 1, (hsize_t[]){3}, 0, H5T_NATIVE_DOUBLE, values);
        made &= put(file, "/x", H5T_NATIVE_DOUBLE, CONTIGUOUS, 1, (hsize_t[]){3}, 0, H5T_NATIVE_DOUBLE, values);
        hid_t data = H5Dopen2(file, "/x", H5P_DEFAULT);
        made &= H5Dget_offset(data) % 8 != 0; /* or this test tests nothing */
        H5Dclose(data);
        made &= H5Fclose(file) >= 0;
    }
    ranks_assert(made);
    dt_array *array;
    ranks_assert_ok(dt_array_open(&array, &ranks, path, "/x", spool));
    ranks_assert((uintptr_t)dt_array_row(array, 0) % 8 == 0);
    for (int i = 0; i < 3; i++) ranks_assert(fabs(element(array, i, 0) - values[i]) <= 0);
    dt_array_close(array);
}
END_TEST

/* A mapped page of a file that has become shorter is a bus error. */
START_TEST(a_small_array_needs_its_file_no_longer) {
    enum { MANY = 1100, WIDE = 1000 }; /* 4.4 MB: 280 MB of memory for a processor are enough */
    bool made = true;
    if (leads()) {
        int *values = calloc((size_t)MANY * WIDE, sizeof *values);
        made = values != NULL;
        for (int64_t i = 0; made && i < (int64_t)MANY * WIDE; i++) values[i] = (int)(i % 997);
        hid_t file = begin_file(0);
        made = made &&
               put(file, "/x", H5T_NATIVE_INT32, CONTIGUOUS, 2, (hsize_t[]){MANY, WIDE}, 0, H5T_NATIVE_INT, values);
        made &= H5Fclose(file) >= 0;
        free(values);
    }
    ranks_assert(made);
    dt_array *array;
    ranks_assert_ok(dt_array_open(&array, &ranks, path, "/x", spool));
    ranks_assert(!leads() || truncate(path, 0) == 0);
    bool same = dt_array_copied(array) >= (size_t)MANY * WIDE * sizeof(int32_t);
    for (int64_t i = 0; same && i < (int64_t)MANY * WIDE; i++)
        same = (int)element(array, i / WIDE, i % WIDE) == (int)(i % 997);
    ranks_assert(same);
    dt_array_close(array);
}
END_TEST

/* 40 MB: several blocks of the unpacker, the last one smaller. */
START_TEST(large_compressed_arrays_are_unpacked_whole) {
    enum { MANY = 10007, WIDE = 1000 };
    bool made = true;
    if (leads()) {
        int *values = calloc((size_t)MANY * WIDE, sizeof *values);
        made = values != NULL;
        for (int64_t i = 0; made && i < (int64_t)MANY * WIDE; i++) values[i] = (int)(i * 2654435761 % 1000);
        hid_t file = begin_file(0);
        made = made && put(file, "/x", H5T_NATIVE_INT32, GZIP, 2, (hsize_t[]){MANY, WIDE}, 300, H5T_NATIVE_INT, values);
        made &= H5Fclose(file) >= 0;
        free(values);
    }
    ranks_assert(made);
    dt_array *array;
    ranks_assert_ok(dt_array_open(&array, &ranks, path, "/x", spool));
    bool same = dt_array_rows(array) == MANY;
    for (int64_t i = 0; same && i < (int64_t)MANY * WIDE; i++)
        same = (int)element(array, i / WIDE, i % WIDE) == (int)(i * 2654435761 % 1000);
    ranks_assert(same);
    dt_array_close(array);
}
END_TEST

/* A limit on the size of files fails like a full disk. */
START_TEST(a_full_spool_is_an_error_on_every_rank) {
    bool made = !leads() || make_array(11);
    ranks_assert(made);
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, limit.rlim_max});
    dt_array *array;
    dt_status status = dt_array_open(&array, &ranks, path, "/group/x", spool);
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_DFL);
    ranks_assert(fails_with(status, DT_ERR_IO, spool, "data.spool") && !array);
    ranks_assert(spooled() == 0);
}
END_TEST

/* The last rank may not map as much as the others: its failure is everybody's. */
START_TEST(a_failure_of_one_rank_is_known_to_all) {
    hsize_t rows = 128U << 20;
    bool made = true;
    if (leads()) {
        hid_t file = begin_file(0);
        hid_t properties = layout_properties(CONTIGUOUS, 1, &rows, 0), space = H5Screate_simple(1, &rows, NULL);
        H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER); /* a hole, not 128 MB */
        hid_t data = H5Dcreate2(file, "/x", H5T_NATIVE_UINT8, space, H5P_DEFAULT, properties, H5P_DEFAULT);
        made = data >= 0;
        H5Dclose(data);
        H5Sclose(space);
        H5Pclose(properties);
        made &= H5Fclose(file) >= 0;
    }
    ranks_assert(made);
    struct rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    long pages = 0;
    FILE *sizes = fopen("/proc/self/statm", "r");
    made = sizes && fscanf(sizes, "%ld", &pages) == 1; // NOLINT(cert-err34-c)
    if (sizes) fclose(sizes);
    ranks_assert(made);
    rlim_t most = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + (64U << 20);
    bool last = dt_comm_size(world) > 1 && dt_comm_rank(world) == dt_comm_size(world) - 1;
    if (last) setrlimit(RLIMIT_AS, &(struct rlimit){most, limit.rlim_max});
    dt_array *array;
    dt_status status = dt_array_open(&array, &ranks, path, "/x", spool);
    if (last) setrlimit(RLIMIT_AS, &limit);
    if (dt_comm_size(world) == 1)
        ranks_assert_ok(status);
    else
        ranks_assert(fails_with(status, DT_ERR_IO, "cannot map /x", path) && !array);
    dt_array_close(array);
}
END_TEST

START_TEST(a_truncated_file_is_an_error) {
    bool made = !leads() || (make_array(0) && truncate(path, 20000) == 0);
    ranks_assert(made);
    dt_array *array;
    dt_status status = dt_array_open(&array, &ranks, path, "/group/x", spool);
    ranks_assert(fails_with(status, status.code, path, "") && status.code != DT_OK && !array);
}
END_TEST

START_TEST(what_cannot_be_a_dataset_is_named) {
    bool made = true;
    int value = 1;
    if (leads()) {
        hid_t file = begin_file(0);
        hid_t text = H5Tcopy(H5T_C_S1);
        made = put(file, "/scalar", H5T_NATIVE_INT, CONTIGUOUS, 0, NULL, 0, H5T_NATIVE_INT, &value);
        made &= put(file, "/empty", H5T_NATIVE_INT, CONTIGUOUS, 2, (hsize_t[]){0, 4}, 0, H5T_NATIVE_INT, NULL);
        made &= put(file, "/late", H5T_NATIVE_INT, LATE, 2, (hsize_t[]){3, 4}, 0, H5T_NATIVE_INT, NULL);
        made &= put(file, "/no_chunk", H5T_NATIVE_INT, CHUNKED, 2, (hsize_t[]){3, 4}, 1, H5T_NATIVE_INT, NULL);
        made &= put(file, "/group/text", text, CONTIGUOUS, 1, (hsize_t[]){3}, 0, text, NULL);
        H5Tclose(text);
        made &= H5Fclose(file) >= 0;
    }
    ranks_assert(made);
    dt_array *array;
    ranks_assert(fails_with(dt_array_open(&array, &ranks, path, "/scalar", spool), DT_ERR_INPUT, path, "/scalar"));
    ranks_assert(fails_with(dt_array_open(&array, &ranks, path, "/empty", spool), DT_ERR_INPUT, path, "[0, 4]"));
    ranks_assert(fails_with(dt_array_open(&array, &ranks, path, "/none", spool), DT_ERR_INPUT, "no /none", "/scalar"));
    const char *unwritten[] = {"/late", "/no_chunk"};
    for (int i = 0; i < 2; i++)
        ranks_assert(fails_with(dt_array_open(&array, &ranks, path, unwritten[i], spool), DT_ERR_INPUT, unwritten[i],
                                "was never written"));
    dt_status status = dt_array_open(&array, &ranks, path, "/group/text", spool);
    ranks_assert(status.code != DT_OK && same_everywhere(status) && strstr(status.message, "/group/text"));
    status = dt_array_open(&array, &ranks, path, "/group", spool);
    ranks_assert(status.code != DT_OK && same_everywhere(status) && strstr(status.message, "/group"));
    status = dt_array_open(&array, &ranks, directory, "/x", spool);
    ranks_assert(status.code != DT_OK && same_everywhere(status) && strstr(status.message, directory));
}
END_TEST

START_TEST(missing_known_sets_come_with_the_way_to_make_them) {
    dt_array *array;
    dt_status status = dt_array_open(&array, &ranks, "/nowhere/fashion-mnist.h5", "/x", spool);
    ranks_assert(fails_with(status, DT_ERR_IO, "no such file", "(run data/fetch.sh fashion-mnist to make it)"));
    status = dt_array_open(&array, &ranks, "mnist.h5", "/x", spool);
    ranks_assert(fails_with(status, DT_ERR_IO, "mnist.h5: no such file", "(run data/fetch.sh mnist to make it)"));
    status = dt_array_open(&array, &ranks, "/nowhere/mine.h5", "/x", spool);
    ranks_assert(fails_with(status, DT_ERR_IO, "/nowhere/mine.h5", "no such file") && !strstr(status.message, "fetch"));
}
END_TEST

/* ---- splits ---- */

enum { SAMPLES = 97 };

/* A file with /x[SAMPLES, 7, 7] of int16 and a /y of doubles stored as `type`. */
static bool make_split(hid_t type, layout how, int rank, const hsize_t *dimensions, const double *y) {
    static int x[SAMPLES * ROW];
    for (int i = 0; i < SAMPLES * ROW; i++) x[i] = value_of(i);
    hid_t file = begin_file(0);
    bool good =
        put(file, "/x", H5T_NATIVE_INT16, CONTIGUOUS, 3, (hsize_t[]){SAMPLES, SIDE, SIDE}, 0, H5T_NATIVE_INT, x);
    good &= put(file, "/y", type, how, rank, dimensions, 10, H5T_NATIVE_DOUBLE, y);
    return H5Fclose(file) >= 0 && good;
}

static dt_status open_xy(dt_source *source, dt_loss loss) {
    static dt_recipe_data data = {.train_x = "/x", .train_y = "/y"};
    snprintf(data.spool, sizeof data.spool, "%s", spool);
    return dt_source_open(source, &ranks, &(dt_source_request){.file = path, .data = &data, .loss = loss});
}

/* Gathers samples in an order of its own and compares. */
static bool gathers(const dt_source *source, const double *y) {
    enum { TAKE = 40 };
    static dt_real x[TAKE * ROW], values[TAKE * 8];
    static int32_t labels[TAKE];
    int64_t index[TAKE];
    for (int i = 0; i < TAKE; i++) index[i] = (i * 31 + 5 + dt_comm_rank(world)) % SAMPLES;
    dt_batch batch = {
        .x = x, .labels = source->targets.labels ? labels : NULL, .values = source->targets.labels ? NULL : values};
    dt_scaling scaling;
    dt_recipe_data data = {.scale = {DT_NORMALIZE_GIVEN, 0, DT_REAL(50), DT_REAL(25)}};
    bool same = dt_scaling_open(&scaling, source, &data).code == DT_OK;
    dt_source_fetch(source, dt_kernels_for(test_isa()), &(dt_scales){.input = scaling}, NULL, index, TAKE, &batch);
    dt_scaling_close(&scaling);
    same &= batch.rows == TAKE;
    for (int64_t i = 0; i < TAKE; i++) {
        for (int64_t j = 0; j < ROW; j++)
            same &= fabs((double)x[i * ROW + j] - (value_of(index[i] * ROW + j) - 50) / 25.0) < 1e-6;
        for (int64_t j = 0; j < source->targets.width; j++) {
            double expected = y[index[i] * source->targets.width + j];
            same &= fabs((source->targets.labels ? (double)labels[i] : (double)values[i * source->targets.width + j]) -
                         expected) <= 1e-6 * fabs(expected);
        }
    }
    return same;
}

static const struct {
    const hid_t *type;
    layout how;
    int rank;
    int width;
    bool labels;
} targets[] = {
    {&H5T_NATIVE_UINT8_g, CONTIGUOUS, 1, 1, true},   {&H5T_NATIVE_INT8_g, CONTIGUOUS, 2, 1, true},
    {&H5T_NATIVE_UINT16_g, CONTIGUOUS, 1, 1, true},  {&H5T_STD_I16BE_g, CONTIGUOUS, 1, 1, true},
    {&H5T_NATIVE_UINT32_g, GZIP, 1, 1, true},        {&H5T_NATIVE_INT32_g, CONTIGUOUS, 2, 1, true},
    {&H5T_NATIVE_UINT64_g, CONTIGUOUS, 1, 1, true},  {&H5T_NATIVE_INT64_g, CHUNKED, 2, 1, true},
    {&H5T_NATIVE_FLOAT_g, CONTIGUOUS, 1, 1, false},  {&H5T_NATIVE_FLOAT_g, CONTIGUOUS, 2, 1, false},
    {&H5T_NATIVE_DOUBLE_g, CONTIGUOUS, 2, 3, false}, {&H5T_IEEE_F32BE_g, GZIP, 2, 8, false},
    {&H5T_NATIVE_UINT8_g, CONTIGUOUS, 2, 4, false},  {&H5T_NATIVE_INT32_g, CONTIGUOUS, 3, 1, false},
};

START_TEST(targets_of_every_kind_are_gathered) {
    double y[SAMPLES * 8];
    for (int i = 0; i < SAMPLES * 8; i++) y[i] = targets[_i].labels ? i % 11 : i % 101;
    if (targets[_i].labels) y[SAMPLES - 1] = 113;
    hsize_t dimensions[] = {SAMPLES, (hsize_t)targets[_i].width, 1};
    bool made = !leads() || make_split(*targets[_i].type, targets[_i].how, targets[_i].rank, dimensions, y);
    ranks_assert(made);
    dt_source source;
    ranks_assert_ok(open_xy(&source, targets[_i].labels ? DT_LOSS_SOFTMAX_CROSS_ENTROPY : DT_LOSS_MEAN_SQUARED_ERROR));
    ranks_assert(source.samples == SAMPLES && source.about.input.rank == 2 && source.about.input.dim[1] == SIDE);
    ranks_assert(source.targets.labels == targets[_i].labels && source.targets.width == targets[_i].width);
    ranks_assert(source.targets.classes == (source.targets.labels ? 12 : 0));
    ranks_assert(gathers(&source, y));
    dt_source_close(&source);
}
END_TEST

START_TEST(rows_that_do_not_match_are_refused) {
    double y[SAMPLES] = {0};
    bool made = !leads() || make_split(H5T_NATIVE_UINT8, CONTIGUOUS, 1, (hsize_t[]){SAMPLES - 1}, y);
    ranks_assert(made);
    dt_source source;
    dt_status status = open_xy(&source, DT_LOSS_SOFTMAX_CROSS_ENTROPY);
    ranks_assert(!source.x && !source.targets.y);
    ranks_assert(fails_with(status, DT_ERR_INPUT, "/x has 97 rows but /y has 96", path));
}
END_TEST

/* ---- computed scales ---- */

enum { PIXELS = 6, CHANNELS = 3 };

/* A split with /x[SAMPLES, 2, 3, 3] of float32 whose last channel never changes. */
static bool open_pictures(dt_source *source, double spoil) {
    static float x[SAMPLES * PIXELS * CHANNELS];
    static double y[SAMPLES];
    for (int i = 0; i < COUNT(x); i++)
        x[i] = i % CHANNELS == 2 ? 9 : (float)(1000.0 * (i % CHANNELS) + value_of(i) / 7.0);
    if (spoil != 0) x[40 * PIXELS * CHANNELS + 1] = (float)spoil;
    bool good = true;
    if (dt_comm_rank(world) == 0) {
        hid_t file = begin_file(0);
        good = put(file, "/x", H5T_NATIVE_FLOAT, CONTIGUOUS, 4, (hsize_t[]){SAMPLES, 2, 3, CHANNELS}, 0,
                   H5T_NATIVE_FLOAT, x);
        good &= put(file, "/y", H5T_NATIVE_UINT8, CONTIGUOUS, 1, (hsize_t[]){SAMPLES}, 0, H5T_NATIVE_DOUBLE, y);
        good &= H5Fclose(file) >= 0;
    }
    ranks_assert(good);
    return open_xy(source, DT_LOSS_SOFTMAX_CROSS_ENTROPY).code == DT_OK;
}

START_TEST(computed_scales_are_the_channels_moments_and_the_same_bits_on_any_ranks) {
    dt_source source;
    ranks_assert(open_pictures(&source, 0));
    dt_recipe_data data = {.scale.normalize = DT_NORMALIZE_STANDARDISE, .train_x = "/x"};
    dt_scaling s;
    ranks_assert(dt_scaling_open(&s, &source, &data).code == DT_OK && s.channels == CHANNELS && s.picture);
    ranks_assert(dt_scaling_compute(&s, &ranks, &source, &data).code == DT_OK);
    bool good = s.mean[2] == 9 && s.std[2] == 1;
    for (int c = 0; c < 2; c++) {
        double mean = 0, square = 0, n = SAMPLES * PIXELS;
        for (int i = c; i < SAMPLES * PIXELS * CHANNELS; i += CHANNELS)
            mean += (double)(float)(1000.0 * c + value_of(i) / 7.0) / n;
        for (int i = c; i < SAMPLES * PIXELS * CHANNELS; i += CHANNELS)
            square += pow((double)(float)(1000.0 * c + value_of(i) / 7.0) - mean, 2) / n;
        good &= fabs(s.mean[c] - mean) < 1e-9 && fabs(s.std[c] - sqrt(square)) < 1e-9;
    }
    ranks_assert(good);
    /* alone, every rank finds the same bits as all together */
    dt_scaling alone;
    dt_ranks self = dt_ranks_alone();
    ranks_assert(dt_scaling_open(&alone, &source, &data).code == DT_OK);
    ranks_assert(dt_scaling_compute(&alone, &self, &source, &data).code == DT_OK);
    ranks_assert(memcmp(alone.mean, s.mean, sizeof(double) * CHANNELS) == 0 &&
                 memcmp(alone.std, s.std, sizeof(double) * CHANNELS) == 0);
    /* inputs then have mean 0 and deviation 1 */
    static dt_real x[SAMPLES * PIXELS * CHANNELS];
    static int32_t labels[SAMPLES];
    int64_t index[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) index[i] = i;
    dt_batch batch = {.x = x, .labels = labels};
    dt_source_fetch(&source, dt_kernels_for(test_isa()), &(dt_scales){.input = s}, NULL, index, SAMPLES, &batch);
    double sum = 0, square = 0, last = 0;
    for (int i = 0; i < COUNT(x); i++) {
        if (i % CHANNELS == 1) sum += (double)x[i], square += (double)x[i] * (double)x[i];
        if (i % CHANNELS == 2) last += fabs((double)x[i]);
    }
    ranks_assert(fabs(sum) < 1e-2 && fabs(square - SAMPLES * PIXELS) < 1e-2 && last == 0);
    dt_scaling_close(&alone);
    dt_scaling_close(&s);
    dt_source_close(&source);
}
END_TEST

START_TEST(scales_of_data_that_is_not_finite_are_refused) {
    dt_source source;
    ranks_assert(open_pictures(&source, NAN));
    dt_recipe_data data = {.scale.normalize = DT_NORMALIZE_STANDARDISE, .train_x = "/x", .file = "d.h5"};
    dt_scaling s;
    ranks_assert(dt_scaling_open(&s, &source, &data).code == DT_OK);
    dt_status status = dt_scaling_compute(&s, &ranks, &source, &data);
    ranks_assert(fails_with(status, DT_ERR_INPUT, "row 40 of /x is not finite", "channel 1"));
    dt_scaling_close(&s);
    dt_source_close(&source);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("dataset");
    TCase *tests = tcase_create("dataset");
    tcase_add_checked_fixture(tests, enter_directory, leave_directory);
    tcase_add_loop_test(tests, however_an_array_is_stored_every_rank_reads_its_values, 0, COUNT(arrays));
    tcase_add_loop_test(tests, only_arrays_that_cannot_be_mapped_need_the_spool, 0, COUNT(arrays));
    tcase_add_test(tests, an_array_at_an_odd_offset_is_read_right);
    tcase_add_test(tests, a_small_array_needs_its_file_no_longer);
    tcase_add_test(tests, large_compressed_arrays_are_unpacked_whole);
    tcase_add_test(tests, a_full_spool_is_an_error_on_every_rank);
    tcase_add_test(tests, a_failure_of_one_rank_is_known_to_all);
    tcase_add_test(tests, a_truncated_file_is_an_error);
    tcase_add_test(tests, what_cannot_be_a_dataset_is_named);
    tcase_add_test(tests, missing_known_sets_come_with_the_way_to_make_them);
    tcase_add_loop_test(tests, targets_of_every_kind_are_gathered, 0, COUNT(targets));
    tcase_add_test(tests, rows_that_do_not_match_are_refused);
    tcase_add_test(tests, computed_scales_are_the_channels_moments_and_the_same_bits_on_any_ranks);
    tcase_add_test(tests, scales_of_data_that_is_not_finite_are_refused);
    suite_add_tcase(suite, tests);
    return run_on_ranks(suite);
}
