/* HDF5 files of every make, with odd ones made by the HDF5 library itself, and damage by plain writes. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "folder.h"
#include "store/h5.h"
#include "store/metrics.h"
#include "store/rundir.h"
#include "suite.h"

/* ---- arrays ---- */

static dt_h5 *h5_new(void) {
    dt_h5 *file;
    assert_ok(dt_h5_create(&file, "file.h5"));
    return file;
}

static dt_h5 *h5_old(void) {
    dt_h5 *file;
    assert_ok(dt_h5_open(&file, "file.h5"));
    return file;
}

static hid_t begin_file(void) {
    hid_t file = H5Fcreate("file.h5", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(file >= 0);
    return file;
}

typedef enum layout { CONTIGUOUS, LATE, COMPACT, CHUNKED, GZIP } layout;

enum { ROWS = 11, SIDE = 3, CHUNK = 4 };

static const struct {
    const char *what;
    const hid_t *stored; /* HDF5's types are variables */
    int bits;            /* other than the type's own; 0: these */
    layout how;
    dt_dtype dtype;
    bool native;
} arrays[] = {
    {"uint8", &H5T_NATIVE_UINT8_g, 0, CONTIGUOUS, DT_U8, true},
    {"int8", &H5T_NATIVE_INT8_g, 0, CONTIGUOUS, DT_I8, true},
    {"uint16 in chunks", &H5T_NATIVE_UINT16_g, 0, CHUNKED, DT_U16, true},
    {"int16, compressed", &H5T_NATIVE_INT16_g, 0, GZIP, DT_I16, true},
    {"uint32, compact", &H5T_NATIVE_UINT32_g, 0, COMPACT, DT_U32, true},
    {"int32", &H5T_NATIVE_INT32_g, 0, CONTIGUOUS, DT_I32, true},
    {"uint64", &H5T_NATIVE_UINT64_g, 0, CONTIGUOUS, DT_U64, true},
    {"int64", &H5T_NATIVE_INT64_g, 0, CHUNKED, DT_I64, true},
    {"float32", &H5T_NATIVE_FLOAT_g, 0, CONTIGUOUS, DT_F32, true},
    {"float64, compressed", &H5T_NATIVE_DOUBLE_g, 0, GZIP, DT_F64, true},
    {"float64", &H5T_NATIVE_DOUBLE_g, 0, CONTIGUOUS, DT_F64, true},
    {"float16", &H5T_NATIVE_FLOAT_g, 16, CONTIGUOUS, DT_F32, false},
    {"big-endian uint16", &H5T_STD_U16BE_g, 0, CONTIGUOUS, DT_U16, false},
    {"big-endian int32, compressed", &H5T_STD_I32BE_g, 0, GZIP, DT_I32, false},
    {"big-endian float32", &H5T_IEEE_F32BE_g, 0, CONTIGUOUS, DT_F32, false},
    {"big-endian float64", &H5T_IEEE_F64BE_g, 0, CHUNKED, DT_F64, false},
    {"24-bit unsigned", &H5T_NATIVE_UINT32_g, 24, CONTIGUOUS, DT_U32, false},
    {"24-bit signed", &H5T_NATIVE_INT32_g, 24, CONTIGUOUS, DT_I32, false},
    {"56-bit signed, compressed", &H5T_NATIVE_INT64_g, 56, GZIP, DT_I64, false},
    {"never written", &H5T_NATIVE_INT32_g, 0, LATE, DT_I32, true},
};

/* Fits every type. */
static int value_of(int i) {
    return i * 37 % 101;
}

static hid_t stored_type(int i) {
    hid_t type = H5Tcopy(*arrays[i].stored);
    if (!arrays[i].bits) return type;
    if (H5Tget_class(type) == H5T_FLOAT) {
        H5Tset_fields(type, 15, 10, 5, 0, 10); /* IEEE 754 binary16 */
        H5Tset_ebias(type, 15);
    }
    H5Tset_precision(type, (size_t)arrays[i].bits);
    H5Tset_size(type, (size_t)arrays[i].bits / 8);
    return type;
}

static void make_array(int i) {
    hsize_t dimensions[] = {ROWS, SIDE}, chunk[] = {CHUNK, SIDE};
    int values[ROWS * SIDE];
    for (int e = 0; e < ROWS * SIDE; e++) values[e] = value_of(e);
    hid_t file = begin_file(), type = stored_type(i), space = H5Screate_simple(2, dimensions, NULL);
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    if (arrays[i].how == COMPACT) H5Pset_layout(properties, H5D_COMPACT);
    if (arrays[i].how == CHUNKED || arrays[i].how == GZIP) H5Pset_chunk(properties, 2, chunk);
    if (arrays[i].how == GZIP) H5Pset_deflate(properties, 4);
    hid_t data = H5Dcreate2(file, "/x", type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    ck_assert_msg(data >= 0, "%s cannot be made", arrays[i].what);
    if (arrays[i].how != LATE) ck_assert(H5Dwrite(data, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(data);
    H5Pclose(properties);
    H5Sclose(space);
    H5Tclose(type);
    ck_assert(H5Fclose(file) >= 0);
}

START_TEST(an_array_is_described_as_it_is_stored) {
    make_array(_i);
    dt_h5 *file = h5_old();
    dt_h5_info info;
    assert_ok(dt_h5_describe(file, "/x", &info));
    bool one_run = arrays[_i].how == CONTIGUOUS || arrays[_i].how == LATE;
    bool chunked = arrays[_i].how == CHUNKED || arrays[_i].how == GZIP;
    ck_assert_str_eq(dt_dtype_name(info.dtype), dt_dtype_name(arrays[_i].dtype));
    ck_assert(info.shape.rank == 2 && info.shape.dim[0] == ROWS && info.shape.dim[1] == SIDE);
    ck_assert_int_eq(info.native, arrays[_i].native);
    ck_assert_int_eq(info.contiguous, one_run);
    ck_assert_int_eq(info.chunk_rows, chunked ? CHUNK : 0);
    ck_assert_int_eq(info.allocated, arrays[_i].how != LATE);
    assert_ok(dt_h5_close(&file));
    if (!info.contiguous || !info.native || !info.allocated) return;
    size_t count, size = dt_dtype_size(info.dtype);
    char *bytes = file_bytes("file.h5", &count), in_memory[ROWS * SIDE * 8];
    file = h5_old();
    assert_ok(dt_h5_read_rows(file, "/x", info.dtype, 0, ROWS, in_memory));
    ck_assert(info.offset + ROWS * SIDE * size <= count);
    ck_assert_mem_eq(bytes + info.offset, in_memory, ROWS * SIDE * size);
    assert_ok(dt_h5_close(&file));
    free(bytes);
}
END_TEST

static int expected(int array, int i) {
    return arrays[array].how == LATE ? 0 : value_of(i);
}

START_TEST(an_array_is_read_as_any_type_and_in_any_part) {
    make_array(_i);
    dt_h5 *file = h5_old();
    for (int first = 0; first <= ROWS; first++) {
        for (int count = 0; first + count <= ROWS; count++) {
            float floats[ROWS * SIDE];
            double doubles[ROWS * SIDE];
            int64_t integers[ROWS * SIDE];
            uint8_t bytes[ROWS * SIDE];
            assert_ok(dt_h5_read_rows(file, "/x", DT_F32, first, count, floats));
            assert_ok(dt_h5_read_rows(file, "/x", DT_F64, first, count, doubles));
            assert_ok(dt_h5_read_rows(file, "/x", DT_I64, first, count, integers));
            assert_ok(dt_h5_read_rows(file, "/x", DT_U8, first, count, bytes));
            for (int i = 0; i < count * SIDE; i++) {
                int value = expected(_i, first * SIDE + i);
                ck_assert_msg(lrintf(floats[i]) == value && lrint(doubles[i]) == value && integers[i] == value &&
                                  bytes[i] == value,
                              "%s: element %d of rows from %d", arrays[_i].what, i, first);
            }
        }
    }
    assert_ok(dt_h5_close(&file));
}
END_TEST

START_TEST(every_bit_pattern_of_every_type_comes_back) {
    unsigned char bits[240], read[240];
    for (int i = 0; i < COUNT(bits); i++) bits[i] = (unsigned char)(i * 89 + i / 16);
    memcpy(bits, (float[]){NAN, -NAN, INFINITY, -INFINITY, -0.0F, 1e-45F}, 24);
    dt_h5 *file = h5_new();
    for (int chunked = 0; chunked < 2; chunked++) {
        for (int type = 0; type < DT_DTYPE_COUNT; type++) {
            char name[64];
            snprintf(name, sizeof name, "/%d/%s", chunked, dt_dtype_name((dt_dtype)type));
            int64_t rows = COUNT(bits) / 3 / (int64_t)dt_dtype_size((dt_dtype)type), row = COUNT(bits) / rows;
            dt_shape shape = {2, {rows, 3}};
            assert_ok(dt_h5_create_dataset(file, name, (dt_dtype)type, &shape, chunked ? 4 : 0));
            assert_ok(dt_h5_write_rows(file, name, (dt_dtype)type, 2, rows - 2, bits + 2 * row));
            assert_ok(dt_h5_write_rows(file, name, (dt_dtype)type, 0, 2, bits));
        }
    }
    assert_ok(dt_h5_close(&file));
    file = h5_old();
    for (int chunked = 0; chunked < 2; chunked++) {
        for (int type = 0; type < DT_DTYPE_COUNT; type++) {
            char name[64];
            snprintf(name, sizeof name, "/%d/%s", chunked, dt_dtype_name((dt_dtype)type));
            int64_t rows = COUNT(bits) / 3 / (int64_t)dt_dtype_size((dt_dtype)type);
            memset(read, 0, sizeof read);
            assert_ok(dt_h5_read_rows(file, name, (dt_dtype)type, 0, rows, read));
            ck_assert_mem_eq(read, bits, sizeof read);
        }
    }
    assert_ok(dt_h5_close(&file));
}
END_TEST

START_TEST(a_scalar_is_one_row) {
    dt_h5 *file = h5_new();
    double value = 0;
    dt_h5_info info;
    assert_ok(dt_h5_create_dataset(file, "/a/scalar", DT_F64, &(dt_shape){0, {0}}, 0));
    assert_ok(dt_h5_write_rows(file, "/a/scalar", DT_F64, 0, 1, &(double){2.5}));
    assert_ok(dt_h5_read_rows(file, "/a/scalar", DT_F64, 0, 1, &value));
    ck_assert_double_eq(value, 2.5);
    assert_ok(dt_h5_describe(file, "/a/scalar", &info));
    ck_assert_int_eq(info.shape.rank, 0);
    assert_fails(dt_h5_read_rows(file, "/a/scalar", DT_F64, 0, 2, &value), DT_ERR_INPUT, "/a/scalar has 1 rows", "2");
    assert_ok(dt_h5_close(&file));
}
END_TEST

START_TEST(rows_outside_an_array_are_refused) {
    static const int64_t parts[][2] = {{-1, 1}, {0, 6},  {5, 1},         {4, 2},
                                       {6, 0},  {0, -1}, {INT64_MAX, 1}, {1, INT64_MAX}};
    dt_h5 *file = h5_new();
    int16_t row[8] = {0};
    assert_ok(dt_h5_create_dataset(file, "/x", DT_I16, &(dt_shape){1, {5}}, 0));
    assert_ok(dt_h5_write_rows(file, "/x", DT_I16, 0, 5, row));
    for (int i = 0; i < COUNT(parts); i++) {
        assert_fails(dt_h5_read_rows(file, "/x", DT_I16, parts[i][0], parts[i][1], row), DT_ERR_INPUT, "file.h5",
                     "/x has 5");
        assert_fails(dt_h5_write_rows(file, "/x", DT_I16, parts[i][0], parts[i][1], row), DT_ERR_INPUT, "file.h5",
                     "/x has 5");
    }
    assert_ok(dt_h5_read_rows(file, "/x", DT_I16, 5, 0, row));
    assert_ok(dt_h5_close(&file));
}
END_TEST

START_TEST(an_array_grows_and_keeps_what_it_had) {
    dt_h5 *file = h5_new();
    int32_t read[20];
    assert_ok(dt_h5_create_dataset(file, "/x", DT_I32, &(dt_shape){2, {0, 2}}, 3));
    for (int rows = 1; rows <= 10; rows++) {
        assert_ok(dt_h5_extend(file, "/x", rows));
        assert_ok(dt_h5_write_rows(file, "/x", DT_I32, rows - 1, 1, (int32_t[]){rows, -rows}));
    }
    assert_ok(dt_h5_close(&file));
    assert_ok(dt_h5_append(&file, "file.h5"));
    assert_ok(dt_h5_make_group(file, "/made/later"));
    assert_ok(dt_h5_make_group(file, "/made/later"));
    assert_ok(dt_h5_close(&file));
    file = h5_old();
    ck_assert(dt_h5_has(file, "/made/later") && dt_h5_has(file, "/") && !dt_h5_has(file, "/made/never/later"));
    assert_ok(dt_h5_read_rows(file, "/x", DT_I32, 0, 10, read));
    for (int i = 0; i < 20; i++) ck_assert_int_eq(read[i], i % 2 ? -(i / 2 + 1) : i / 2 + 1);
    assert_fails(dt_h5_write_rows(file, "/x", DT_I32, 0, 1, read), DT_ERR_IO, "file.h5", "/x");
    assert_fails(dt_h5_create_dataset(file, "/y", DT_I32, &(dt_shape){1, {1}}, 0), DT_ERR_IO, "file.h5", "/y");
    assert_ok(dt_h5_close(&file));
}
END_TEST

/* ---- what is a number under another name ---- */

/* [3] values of a type as they lie in memory. */
static void put_values(hid_t file, const char *name, hid_t type, const void *values) {
    hid_t space = H5Screate_simple(1, (hsize_t[]){3}, NULL);
    hid_t data = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(data >= 0 && H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(data);
    H5Sclose(space);
}

static bool note_member(void *context, const char *name, int64_t value) {
    char *said = context;
    size_t used = strlen(said);
    snprintf(said + used, 128 - used, "%s=%lld ", name, (long long)value);
    return strcmp(name, "last") != 0;
}

START_TEST(enumerations_are_the_integers_they_are_stored_as) {
    hid_t made = begin_file();
    hid_t small = H5Tenum_create(H5T_NATIVE_INT8), big = H5Tenum_create(H5T_STD_I16BE);
    H5Tenum_insert(small, "FALSE", &(int8_t){0});
    H5Tenum_insert(small, "TRUE", &(int8_t){1});
    H5Tenum_insert(big, "low", &(uint16_t){__builtin_bswap16((uint16_t)-300)});
    H5Tenum_insert(big, "last", &(uint16_t){__builtin_bswap16(7)});
    H5Tenum_insert(big, "beyond", &(uint16_t){__builtin_bswap16(9)});
    put_values(made, "/small", small, (int8_t[]){1, 0, 1});
    put_values(made, "/big", big,
               (uint16_t[]){__builtin_bswap16(7), __builtin_bswap16((uint16_t)-300), __builtin_bswap16(7)});
    H5Tclose(small);
    H5Tclose(big);
    ck_assert(H5Fclose(made) >= 0);
    dt_h5 *file = h5_old();
    dt_h5_info info;
    int8_t bytes[3];
    int16_t words[3];
    char said[128] = "";
    assert_ok(dt_h5_describe(file, "/small", &info));
    ck_assert(info.dtype == DT_I8 && info.native && info.contiguous);
    assert_ok(dt_h5_read_rows(file, "/small", DT_I8, 0, 3, bytes));
    ck_assert(bytes[0] == 1 && bytes[1] == 0 && bytes[2] == 1);
    assert_ok(dt_h5_describe(file, "/big", &info));
    ck_assert(info.dtype == DT_I16 && !info.native);
    assert_ok(dt_h5_read_rows(file, "/big", DT_I16, 0, 3, words));
    ck_assert(words[0] == 7 && words[1] == -300 && words[2] == 7);
    assert_ok(dt_h5_members(file, "/small", note_member, said));
    assert_ok(dt_h5_members(file, "/big", note_member, said));
    ck_assert_str_eq(said, "FALSE=0 TRUE=1 low=-300 last=7 ");
    assert_ok(dt_h5_close(&file));
}
END_TEST

START_TEST(bit_fields_are_unsigned_integers) {
    hid_t made = begin_file();
    put_values(made, "/bits", H5T_NATIVE_B8, (uint8_t[]){1, 200, 0});
    put_values(made, "/turned", H5T_STD_B32BE,
               (uint32_t[]){__builtin_bswap32(70000), 0, __builtin_bswap32(UINT32_MAX)});
    ck_assert(H5Fclose(made) >= 0);
    dt_h5 *file = h5_old();
    dt_h5_info info;
    uint8_t bytes[3];
    uint32_t words[3];
    char said[128] = "";
    assert_ok(dt_h5_describe(file, "/bits", &info));
    ck_assert(info.dtype == DT_U8 && info.native);
    assert_ok(dt_h5_read_rows(file, "/bits", DT_U8, 0, 3, bytes));
    ck_assert(bytes[0] == 1 && bytes[1] == 200 && bytes[2] == 0);
    assert_ok(dt_h5_describe(file, "/turned", &info));
    ck_assert(info.dtype == DT_U32 && !info.native);
    assert_ok(dt_h5_read_rows(file, "/turned", DT_U32, 0, 3, words));
    ck_assert(words[0] == 70000 && words[1] == 0 && words[2] == UINT32_MAX);
    assert_ok(dt_h5_members(file, "/bits", note_member, said));
    ck_assert_str_eq(said, "");
    assert_ok(dt_h5_close(&file));
}
END_TEST

/* ---- what is no array ---- */

static bool put_data(hid_t file, const char *name, hid_t type, hid_t space, hid_t properties) {
    hid_t data = H5Dcreate2(file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    H5Sclose(space);
    if (properties != H5P_DEFAULT) H5Pclose(properties);
    return data >= 0 && H5Dclose(data) >= 0;
}

static hid_t row_of(int rank) {
    hsize_t dimensions[] = {2, 1, 1, 1, 1, 1, 1};
    return H5Screate_simple(rank, dimensions, NULL);
}

static bool make_nothing(hid_t file) {
    return file >= 0;
}
static bool make_group(hid_t file) {
    return H5Gclose(H5Gcreate2(file, "/x", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)) >= 0;
}
static bool make_text(hid_t file) {
    return put_data(file, "/x", H5T_C_S1, row_of(1), H5P_DEFAULT);
}
static bool make_compound(hid_t file) {
    hid_t type = H5Tcreate(H5T_COMPOUND, 8);
    H5Tinsert(type, "real", 0, H5T_NATIVE_FLOAT);
    H5Tinsert(type, "imaginary", 4, H5T_NATIVE_FLOAT);
    bool made = put_data(file, "/x", type, row_of(1), H5P_DEFAULT);
    H5Tclose(type);
    return made;
}
static bool make_opaque(hid_t file) {
    hid_t type = H5Tcreate(H5T_OPAQUE, 2);
    bool made = put_data(file, "/x", type, row_of(1), H5P_DEFAULT);
    H5Tclose(type);
    return made;
}
static bool make_wide_float(hid_t file) {
    return put_data(file, "/x", H5T_NATIVE_LDOUBLE, row_of(1), H5P_DEFAULT);
}
static bool make_seven_dimensions(hid_t file) {
    return put_data(file, "/x", H5T_NATIVE_INT, row_of(7), H5P_DEFAULT);
}
static bool make_null(hid_t file) {
    return put_data(file, "/x", H5T_NATIVE_INT, H5Screate(H5S_NULL), H5P_DEFAULT);
}
static bool make_dangling(hid_t file) {
    return H5Lcreate_soft("/nowhere", file, "/x", H5P_DEFAULT, H5P_DEFAULT) >= 0;
}
static bool make_external_storage(hid_t file) {
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(properties, "secret", 0, 8);
    return put_data(file, "/x", H5T_NATIVE_INT, row_of(1), properties);
}

/* Another file, with a /x and a /group/x that must not be found by way of this one. */
static bool make_other_file(void) {
    hid_t other = H5Fcreate("other.h5", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t group = H5Gcreate2(other, "/group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    bool made = put_data(other, "/x", H5T_NATIVE_INT, row_of(1), H5P_DEFAULT);
    made &= put_data(group, "x", H5T_NATIVE_INT, row_of(1), H5P_DEFAULT);
    H5Gclose(group);
    return H5Fclose(other) >= 0 && made;
}
static bool make_external_link(hid_t file) {
    return make_other_file() && H5Lcreate_external("other.h5", "/x", file, "/x", H5P_DEFAULT, H5P_DEFAULT) >= 0;
}
static bool make_external_group(hid_t file) {
    return make_other_file() && H5Lcreate_external("other.h5", "/group", file, "/g", H5P_DEFAULT, H5P_DEFAULT) >= 0;
}
static bool make_detour(hid_t file) {
    return make_other_file() && H5Lcreate_external("other.h5", "/x", file, "/far", H5P_DEFAULT, H5P_DEFAULT) >= 0 &&
           H5Lcreate_soft("/far", file, "/x", H5P_DEFAULT, H5P_DEFAULT) >= 0;
}

static const struct {
    bool (*make)(hid_t file);
    const char *name, *says;
} unusable[] = {
    {make_nothing, "/x", "there is no /x"},
    {make_nothing, "/x/y/z", "there is no /x/y/z"},
    {make_text, "/x/y", "there is no /x/y"},
    {make_group, "/x", "/x: opening the dataset failed"},
    {make_text, "/x", "/x is text"},
    {make_opaque, "/x", "/x is opaque bytes"},
    {make_compound, "/x", "/x is compound"},
    {make_wide_float, "/x", "/x is a float wider than 64 bits"},
    {make_seven_dimensions, "/x", "/x has 7 dimensions; at most 6"},
    {make_null, "/x", "/x is empty"},
    {make_dangling, "/x", "/x: opening the dataset failed"},
    {make_external_storage, "/x", "/x keeps its data in another file"},
    {make_external_link, "/x", "/x is a link to another file"},
    {make_external_group, "/g/x", "another file"},
    {make_detour, "/x", "another file"},
};

START_TEST(what_is_no_array_of_this_file_is_refused_by_name) {
    put_file("secret", "01234567", 8);
    hid_t made = begin_file();
    ck_assert(unusable[_i].make(made));
    ck_assert(H5Fclose(made) >= 0);
    dt_h5 *file = h5_old();
    dt_h5_info info;
    int64_t read[2];
    dt_status status = dt_h5_describe(file, unusable[_i].name, &info);
    ck_assert_int_ne(status.code, DT_OK);
    assert_fails(status, status.code, "file.h5", unusable[_i].says);
    if (unusable[_i].make == make_external_link || unusable[_i].make == make_external_group ||
        unusable[_i].make == make_detour)
        ck_assert_int_ne(dt_h5_read_rows(file, unusable[_i].name, DT_I64, 0, 2, read).code, DT_OK);
    assert_ok(dt_h5_close(&file));
}
END_TEST

START_TEST(what_is_no_hdf5_file_is_refused_by_name) {
    dt_h5 *file;
    assert_fails(dt_h5_open(&file, "missing.h5"), DT_ERR_IO, "missing.h5", "No such file");
    ck_assert_ptr_null(file);
    put_text("empty.h5", "");
    assert_fails(dt_h5_open(&file, "empty.h5"), DT_ERR_CORRUPT, "empty.h5", "empty");
    put_text("text.h5", "layers: [dense]\n");
    assert_fails(dt_h5_open(&file, "text.h5"), DT_ERR_CORRUPT, "text.h5", "not an HDF5 file");
    assert_fails(dt_h5_append(&file, "text.h5"), DT_ERR_CORRUPT, "text.h5", "not an HDF5 file");
    assert_file_is("text.h5", "layers: [dense]\n");
    ck_assert_int_eq(mkdir("folder.h5", 0755), 0);
    assert_fails(dt_h5_open(&file, "folder.h5"), DT_ERR_INPUT, "folder.h5", "is a directory");
    assert_fails(dt_h5_create(&file, "folder.h5"), DT_ERR_IO, "folder.h5", "cannot be removed");
    assert_fails(dt_h5_create(&file, "nowhere/file.h5"), DT_ERR_IO, "nowhere/file.h5", "cannot be made");
    assert_fails(dt_h5_append(&file, "missing.h5"), DT_ERR_IO, "missing.h5", "No such file");
    ck_assert_ptr_null(file);
    ck_assert_str_eq(names_in("."), "empty.h5 folder.h5 text.h5 ");
}
END_TEST

START_TEST(every_cut_of_a_file_is_noticed) {
    make_array(0);
    size_t count;
    char *bytes = file_bytes("file.h5", &count);
    for (size_t length = 1; length < count; length += 13) {
        dt_h5 *file;
        put_file("cut.h5", bytes, length);
        assert_fails(dt_h5_open(&file, "cut.h5"), DT_ERR_CORRUPT, "cut.h5", "");
    }
    free(bytes);
}
END_TEST

/* ---- attributes and walks ---- */

START_TEST(attributes_come_back_and_are_replaced) {
    static char long_text[60000];
    memset(long_text, 'x', sizeof long_text - 1);
    const char *const texts[] = {"", "digest", "names: [\"\xc3\xa9\xe2\x82\xac\"]\n", long_text, "short again"};
    const int64_t integers[] = {0, -1, INT64_MAX, INT64_MIN, 7};
    const double reals[] = {0, -0.0, 1e-320, 1.7976931348623157e308, (double)INFINITY, 0.1};
    dt_h5 *file = h5_new();
    assert_ok(dt_h5_create_dataset(file, "/x", DT_I32, &(dt_shape){1, {2}}, 0));
    for (int object = 0; object < 2; object++) {
        const char *at = object ? "/x" : "/";
        for (int i = 0; i < COUNT(texts); i++) {
            char *text;
            assert_ok(dt_h5_put_text(file, at, "text", texts[i]));
            assert_ok(dt_h5_get_text(file, at, "text", &text));
            ck_assert_str_eq(text, texts[i]);
            dt_free(text);
        }
        for (int i = 0; i < COUNT(integers); i++) {
            int64_t value = 99;
            assert_ok(dt_h5_put_int(file, at, "integer", integers[i]));
            assert_ok(dt_h5_get_int(file, at, "integer", &value));
            ck_assert_int_eq(value, integers[i]);
        }
        for (int i = 0; i < COUNT(reals); i++) {
            double value = 99;
            assert_ok(dt_h5_put_real(file, at, "real", reals[i]));
            assert_ok(dt_h5_get_real(file, at, "real", &value));
            ck_assert_mem_eq(&value, &reals[i], sizeof value);
        }
        ck_assert(dt_h5_has_attribute(file, at, "real") && !dt_h5_has_attribute(file, at, "imaginary"));
    }
    ck_assert(!dt_h5_has_attribute(file, "/nowhere", "real"));
    assert_ok(dt_h5_close(&file));
}
END_TEST

/* Each of three arrays is held by turns, and all three are asked for: names find what they name, held or not. */
START_TEST(what_is_held_is_what_its_name_says) {
    static const char *const names[] = {"/a", "/b", "/deep/c"};
    dt_h5 *file = h5_new();
    for (int i = 0; i < COUNT(names); i++) {
        assert_ok(dt_h5_create_dataset(file, names[i], DT_I32, &(dt_shape){1, {1}}, 0));
        assert_ok(dt_h5_put_int(file, names[i], "number", i));
    }
    for (int held = 0; held < COUNT(names); held++) {
        assert_ok(dt_h5_hold(file, names[held]));
        for (int i = 0; i < COUNT(names); i++) {
            int64_t number = -1;
            int32_t value = 10 * i + held, found = -1;
            assert_ok(dt_h5_get_int(file, names[i], "number", &number));
            ck_assert_int_eq(number, i);
            assert_ok(dt_h5_write_rows(file, names[i], DT_I32, 0, 1, &value));
            assert_ok(dt_h5_read_rows(file, names[i], DT_I32, 0, 1, &found));
            ck_assert_int_eq(found, value);
        }
    }
    assert_fails(dt_h5_hold(file, "/none"), DT_ERR_INPUT, "file.h5", "there is no /none");
    assert_ok(dt_h5_close(&file));
    ck_assert_int_eq(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}
END_TEST

START_TEST(an_attribute_of_another_kind_is_refused) {
    dt_h5 *file = h5_new();
    char *text;
    int64_t integer;
    double real;
    assert_ok(dt_h5_put_text(file, "/", "text", "3"));
    assert_ok(dt_h5_put_int(file, "/", "integer", 3));
    assert_fails(dt_h5_get_text(file, "/", "none", &text), DT_ERR_CORRUPT, "file.h5", "no attribute `none`");
    assert_fails(dt_h5_get_int(file, "/", "none", &integer), DT_ERR_CORRUPT, "file.h5", "no attribute `none`");
    assert_fails(dt_h5_get_text(file, "/", "integer", &text), DT_ERR_CORRUPT, "`integer`", "not a text");
    ck_assert_ptr_null(text);
    assert_fails(dt_h5_get_int(file, "/", "text", &integer), DT_ERR_CORRUPT, "`text`", "not a number");
    assert_fails(dt_h5_get_real(file, "/", "text", &real), DT_ERR_CORRUPT, "`text`", "not a number");
    assert_fails(dt_h5_get_int(file, "/nowhere", "x", &integer), DT_ERR_CORRUPT, "/nowhere", "`x`");
    assert_ok(dt_h5_close(&file));
}
END_TEST

static void put_attribute(hid_t file, const char *name, hid_t type, hid_t space, hid_t memory, const void *value) {
    hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(attribute >= 0 && (!value || H5Awrite(attribute, memory, value) >= 0));
    H5Aclose(attribute);
}

/* As h5py, MATLAB and Fortran programs write them. */
static void make_foreign_attributes(void) {
    hid_t file = begin_file(), scalar = H5Screate(H5S_SCALAR), null = H5Screate(H5S_NULL), two = row_of(1);
    hid_t variable = H5Tcopy(H5T_C_S1), padded = H5Tcopy(H5T_C_S1);
    H5Tset_size(variable, H5T_VARIABLE);
    H5Tset_size(padded, 4);
    H5Tset_strpad(padded, H5T_STR_NULLPAD);
    put_attribute(file, "variable", variable, scalar, variable, &(const char *){"of any length"});
    put_attribute(file, "unset", variable, scalar, variable, NULL);
    put_attribute(file, "full", padded, scalar, padded, "four");
    put_attribute(file, "list", padded, two, padded, "fourfive");
    put_attribute(file, "big", H5T_STD_I16BE, scalar, H5T_NATIVE_INT, &(int){-300});
    put_attribute(file, "numbers", H5T_NATIVE_INT, two, H5T_NATIVE_INT, (int[]){1, 2});
    put_attribute(file, "nothing", H5T_NATIVE_INT, null, H5T_NATIVE_INT, NULL);
    put_attribute(file, "third", H5T_IEEE_F64BE, scalar, H5T_NATIVE_DOUBLE, &(double){1.0 / 3});
    H5Tclose(variable);
    H5Tclose(padded);
    H5Sclose(scalar);
    H5Sclose(null);
    H5Sclose(two);
    ck_assert(H5Fclose(file) >= 0);
}

static const struct {
    const char *name, *text, *shown;
} foreign[] = {
    {"big", NULL, "-300"},
    {"full", "four", "four"},
    {"list", NULL, "(not shown)"},
    {"nothing", NULL, "(not shown)"},
    {"numbers", NULL, "(not shown)"},
    {"third", NULL, "0.333333333"},
    {"unset", "", ""},
    {"variable", "of any length", "of any length"},
};

static bool check_name(void *context, const char *name, char kind) {
    int *index = context;
    ck_assert_int_eq(kind, 'a');
    ck_assert_str_eq(name, foreign[*index].name);
    return ++*index < COUNT(foreign) - 1;
}

START_TEST(attributes_of_other_programs_are_read) {
    make_foreign_attributes();
    dt_h5 *file = h5_old();
    for (int i = 0; i < COUNT(foreign); i++) {
        char *text;
        assert_ok(dt_h5_attribute_text(file, "/", foreign[i].name, &text));
        ck_assert_str_eq(text, foreign[i].shown);
        dt_free(text);
        dt_status status = dt_h5_get_text(file, "/", foreign[i].name, &text);
        ck_assert_int_eq(status.code, foreign[i].text ? DT_OK : DT_ERR_CORRUPT);
        if (foreign[i].text) ck_assert_str_eq(text, foreign[i].text);
        dt_free(text);
    }
    int64_t value = 0;
    assert_ok(dt_h5_get_int(file, "/", "big", &value));
    ck_assert_int_eq(value, -300);
    assert_fails(dt_h5_get_int(file, "/", "numbers", &value), DT_ERR_CORRUPT, "`numbers`", "not a number");
    int visited = 0;
    assert_ok(dt_h5_walk_attributes(file, "/", check_name, &visited));
    ck_assert_int_eq(visited, COUNT(foreign) - 1);
    assert_ok(dt_h5_close(&file));
}
END_TEST

typedef struct visits {
    char seen[256];
    int most;
} visits;

static bool note_visit(void *context, const char *path, char kind) {
    visits *v = context;
    size_t used = strlen(v->seen);
    snprintf(v->seen + used, sizeof v->seen - used, "%c%s ", kind, path);
    return --v->most > 0;
}

START_TEST(a_walk_goes_in_name_order_and_stops_when_told) {
    dt_h5 *file = h5_new();
    static const char *const names[] = {"/weights/b/w", "/optimizer/m/b/w", "/weights/a/w", "/state"};
    for (int i = 0; i < COUNT(names); i++)
        assert_ok(dt_h5_create_dataset(file, names[i], DT_U8, &(dt_shape){1, {1}}, 0));
    visits all = {.most = 100}, three = {.most = 3};
    assert_ok(dt_h5_walk(file, note_visit, &all));
    ck_assert_str_eq(all.seen, "g/optimizer g/optimizer/m g/optimizer/m/b d/optimizer/m/b/w d/state g/weights "
                               "g/weights/a d/weights/a/w g/weights/b d/weights/b/w ");
    assert_ok(dt_h5_walk(file, note_visit, &three));
    ck_assert_str_eq(three.seen, "g/optimizer g/optimizer/m g/optimizer/m/b ");
    assert_ok(dt_h5_close(&file));
}
END_TEST

static TCase *h5_tests(void) {
    TCase *tests = tcase_create("h5");
    tcase_add_checked_fixture(tests, enter_directory, leave_directory);
    tcase_add_loop_test(tests, an_array_is_described_as_it_is_stored, 0, COUNT(arrays));
    tcase_add_loop_test(tests, an_array_is_read_as_any_type_and_in_any_part, 0, COUNT(arrays));
    tcase_add_test(tests, every_bit_pattern_of_every_type_comes_back);
    tcase_add_test(tests, a_scalar_is_one_row);
    tcase_add_test(tests, rows_outside_an_array_are_refused);
    tcase_add_test(tests, an_array_grows_and_keeps_what_it_had);
    tcase_add_test(tests, enumerations_are_the_integers_they_are_stored_as);
    tcase_add_test(tests, bit_fields_are_unsigned_integers);
    tcase_add_loop_test(tests, what_is_no_array_of_this_file_is_refused_by_name, 0, COUNT(unusable));
    tcase_add_test(tests, what_is_no_hdf5_file_is_refused_by_name);
    tcase_add_test(tests, every_cut_of_a_file_is_noticed);
    tcase_add_test(tests, attributes_come_back_and_are_replaced);
    tcase_add_test(tests, what_is_held_is_what_its_name_says);
    tcase_add_test(tests, an_attribute_of_another_kind_is_refused);
    tcase_add_test(tests, attributes_of_other_programs_are_read);
    tcase_add_test(tests, a_walk_goes_in_name_order_and_stops_when_told);
    return tests;
}

int main(void) {
    Suite *suite = suite_create("h5");
    suite_add_tcase(suite, h5_tests());
    return run_suite(suite);
}
