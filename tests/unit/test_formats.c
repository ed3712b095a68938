/* Files of other worlds: that they appear whole or not at all, and that what is written is read back to the bit. */
#include "folder.h"

#include <sys/wait.h>

#include <math.h>
#include <stdint.h>

#include "base/absent.h"
#include "base/file.h"

#include "data/npz.h"
#include "data/publish.h"
#include "data/safetensors.h"

/* ---- results ---- */

static dt_status write_half(void *context, const char *path) {
    put_text(path, "half of it");
    return context ? dt_fail(DT_ERR_IO, "the other half is missing") : dt_ok();
}

START_TEST(a_file_takes_the_place_of_another_only_when_it_is_whole) {
    put_text("result", "before");
    assert_fails(dt_publish_file("result", write_half, "fail"), DT_ERR_IO, "the other half", "missing");
    assert_file_is("result", "before");
    assert_ok(dt_publish_file("result", write_half, NULL));
    assert_file_is("result", "half of it");
    ck_assert_str_eq(names_in("."), "result ");
    ck_assert_int_eq(mkdir("folder", 0777), 0);
    assert_fails(dt_publish_file("folder", write_half, NULL), DT_ERR_USAGE, "folder", "a directory");
    ck_assert_str_eq(names_in("."), "folder result ");
}
END_TEST

static dt_status write_two(void *context, const char *path) {
    char name[4096];
    assert_ok(dt_path_join(name, path, "one"));
    put_text(name, "1");
    if (context) return dt_fail(DT_ERR_IO, "there is no two");
    assert_ok(dt_path_join(name, path, "two"));
    put_text(name, "2");
    return dt_ok();
}

START_TEST(a_directory_appears_whole_and_replaces_nothing) {
    assert_fails(dt_publish_directory("result", write_two, "fail"), DT_ERR_IO, "there is no two", "");
    ck_assert_str_eq(names_in("."), "");
    assert_ok(dt_publish_directory("result//", write_two, NULL));
    ck_assert_str_eq(names_in("."), "result ");
    ck_assert_str_eq(names_in("result"), "one two ");
    assert_fails(dt_publish_directory("result", write_two, NULL), DT_ERR_USAGE, "something in it", "new");
    ck_assert_int_eq(mkdir("empty", 0777), 0);
    assert_ok(dt_publish_directory("empty/", write_two, NULL));
    ck_assert_str_eq(names_in("empty"), "one two ");
    assert_fails(dt_publish_directory("result/one", write_two, NULL), DT_ERR_USAGE, "result/one", "a regular file");
}
END_TEST

static dt_status die(void *context, const char *path) {
    write_two(NULL, path);
    _exit(*(int *)context);
}

START_TEST(what_a_killed_one_left_is_removed_by_the_next) {
    int code = 7, status;
    pid_t child = fork();
    if (child == 0) dt_publish_directory("result", die, &code);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(WEXITSTATUS(status), 7);
    ck_assert_ptr_nonnull(strstr(names_in("."), "result.tmp."));
    assert_ok(dt_publish_directory("result", write_two, NULL));
    ck_assert_str_eq(names_in("."), "result ");
}
END_TEST

/* ---- safetensors ---- */

static const uint32_t odd_bits[6] = {0x80000000, 0x00000001, 0x7fc12345, 0xff800000, 0x3f9d70a4, 0xcafebabe};

START_TEST(what_is_written_as_safetensors_is_read_back_to_the_bit) {
    const uint8_t small[3] = {0, 7, 255};
    const int64_t large[1] = {-5};
    const dt_named_array arrays[] = {
        {"dense1/w", DT_F32, {2, {2, 3}}, odd_bits},
        {"größe \"x\"\n", DT_U8, {1, {3}}, small},
        {"none", DT_F32, {2, {0, 3}}, odd_bits},
        {"one", DT_I64, {0, {0}}, large},
    };
    const dt_named_text texts[] = {{"recipe", "name: x\n"}, {"leer", ""}};
    assert_ok(dt_safetensors_write("a", arrays, COUNT(arrays), texts, COUNT(texts)));
    dt_safetensors file;
    assert_ok(dt_safetensors_open(&file, "a"));
    ck_assert_int_eq(file.count, COUNT(arrays));
    ck_assert_str_eq(dt_safetensors_text(&file, "recipe"), "name: x\n");
    ck_assert_str_eq(dt_safetensors_text(&file, "leer"), "");
    ck_assert_ptr_null(dt_safetensors_text(&file, "other"));
    float read[6];
    const dt_safetensor *w = dt_safetensors_find(&file, "dense1/w");
    ck_assert_int_eq(w->shape.rank, 2);
    ck_assert_int_eq(w->shape.dim[1], 3);
    ck_assert_int_eq(w->begin % 8, 0);
    assert_ok(dt_safetensors_read(&file, w, read));
    ck_assert_mem_eq(read, odd_bits, sizeof read);
    assert_ok(dt_safetensors_read(&file, dt_safetensors_find(&file, arrays[1].name), read));
    ck_assert(read[0] == 0 && read[1] == 7 && read[2] == 255);
    ck_assert_int_eq(dt_safetensors_find(&file, "none")->count, 0);
    assert_ok(dt_safetensors_read(&file, dt_safetensors_find(&file, "one"), read));
    ck_assert(read[0] == -5);
    dt_safetensors_close(&file);
    assert_fails(dt_safetensors_write("b", arrays, 1, &(dt_named_text){"bad", "\xff"}, 1), DT_ERR_INPUT, "b", "UTF-8");
}
END_TEST

START_TEST(arrays_begin_at_a_multiple_of_eight_whatever_the_header) {
    const dt_named_array array = {"a", DT_F32, {1, {6}}, odd_bits};
    char text[9] = "";
    for (int i = 0; i < 8; i++) {
        text[i] = 'x';
        dt_safetensors file;
        assert_ok(dt_safetensors_write("a", &array, 1, &(dt_named_text){"t", text}, 1));
        assert_ok(dt_safetensors_open(&file, "a"));
        ck_assert_uint_eq(file.tensors[0].begin % 8, 0);
        dt_safetensors_close(&file);
    }
}
END_TEST

/* A file of this header and as many bytes behind it. */
static void put_safetensors(const char *header, size_t length, size_t bytes) {
    char *text = calloc(8 + strlen(header) + 1 + bytes, 1);
    uint64_t word = length;
    memcpy(text, &word, sizeof word);
    memcpy(text + 8, header, strlen(header) + 1);
    put_file("m", text, 8 + strlen(header) + bytes);
    free(text);
}

START_TEST(numbers_of_half_the_width_are_exact) {
    const struct {
        uint16_t bits;
        float value;
    } halves[] = {{0x3c00, 1},        {0xc000, -2},        {0x7bff, 65504},
                  {0x0400, 0x1p-14F}, {0x0001, 0x1p-24F},  {0x83ff, -0x3ffp-24F},
                  {0x7c00, INFINITY}, {0xfc00, -INFINITY}, {0x3555, 0x1.554p-2F}};
    const char header[] = "{\"a\":{\"dtype\":\"F16\",\"shape\":[9],\"data_offsets\":[0,18]},"
                          "\"b\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[18,22]}}";
    uint8_t bytes[8 + sizeof header - 1 + 22];
    uint64_t length = sizeof header - 1;
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, length);
    for (int i = 0; i < 9; i++) memcpy(bytes + 8 + length + 2 * i, &halves[i].bits, 2);
    memcpy(bytes + 8 + length + 18, (const uint16_t[]){0x3fc0, 0xc2f7}, 4);
    put_file("m", bytes, sizeof bytes);
    dt_safetensors file;
    float read[9];
    assert_ok(dt_safetensors_open(&file, "m"));
    assert_ok(dt_safetensors_read(&file, &file.tensors[0], read));
    for (int i = 0; i < 9; i++) ck_assert_msg(read[i] == halves[i].value, "%x is %g", halves[i].bits, read[i]);
    assert_ok(dt_safetensors_read(&file, &file.tensors[1], read));
    ck_assert(read[0] == 1.5F && read[1] == -123.5F);
    dt_safetensors_close(&file);
}
END_TEST

#define ENTRY(type, shape, from, to) "{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":[" #from "," #to "]}"

static const struct {
    const char *header;
    size_t bytes; /* behind it */
    const char *says, *name;
} malformed[] = {
    {"[]", 0, "no JSON", ""},
    {"{\"a\"", 0, "no JSON", "byte"},
    {"{}x", 0, "no JSON", "byte"},
    {"{\"a\":1}", 0, "no map", "array a"},
    {"{\"a\":{}}", 0, "no dtype", "array a"},
    {"{\"a\":{\"dtype\":3,\"shape\":[],\"data_offsets\":[0,0]}}", 0, "no dtype", "array a"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "shape is no list", "array a"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "no pair", "array a"},
    {"{\"a\":" ENTRY("F32", "[1]", 0, 4) ",\"a\":" ENTRY("F32", "[1]", 0, 4) "}", 4, "no JSON", "uplicate"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"more\":1}}", 4, "key besides", "array a"},
    {"{\"a\":" ENTRY("F32", "[2]", 0, 4) "}", 4, "different sizes", "array a"},
    {"{\"a\":" ENTRY("F32", "[1]", 0, 8) "}", 4, "outside of the file", "array a"},
    {"{\"a\":" ENTRY("F32", "[1]", 4, 0) "}", 4, "outside of the file", "array a"},
    {"{\"a\":" ENTRY("F32", "[1]", -4, 0) "}", 4, "outside of the file", "array a"},
    {"{\"a\":" ENTRY("F32", "[1]", 0.0, 4) "}", 4, "no pair", "array a"},
    {"{\"a\":" ENTRY("F32", "[1]", 0, 99999999999999999999) "}", 4, "no JSON", "byte"},
    {"{\"a\":" ENTRY("F32", "[-1]", 0, 4) "}", 4, "at least 0", "array a"},
    {"{\"a\":" ENTRY("F32", "[1.5]", 0, 4) "}", 4, "at least 0", "array a"},
    {"{\"a\":" ENTRY("F32", "[9223372036854775807,9]", 0, 4) "}", 4, "beyond any memory", "array a"},
    {"{\"a\":" ENTRY("F64", "[4611686018427387904]", 0, 8) "}", 8, "different sizes", "array a"},
    {"{\"a\":" ENTRY("F32", "[1,1,1,1,1,1,1]", 0, 4) "}", 4, "more than 6", "array a"},
    {"{\"a\":" ENTRY("F32", "[1]", 0, 4) ",\"b\":" ENTRY("F32", "[1]", 2, 6) "}", 6, "shares bytes", "array b"},
    {"{\"a\":" ENTRY("F32", "[1]", 0, 4) ",\"b\":" ENTRY("F32", "[1]", 6, 10) "}", 10, "belong to no", "array b"},
    {"{\"a\":" ENTRY("F32", "[1]", 4, 8) "}", 8, "belong to no", "array a"},
    {"{\"a\":" ENTRY("F32", "[1]", 0, 4) "}", 6, "2 bytes", "at its end"},
    {"{\"__metadata__\":3}", 0, "__metadata__", "no map"},
    {"{\"__metadata__\":{\"a\":3}}", 0, "__metadata__", "no text"},
    {"{\"\\u001b[31m\":1}", 0, "no map", "\\x1b[31m"},
    {"{\"\xff\":1}", 0, "no JSON", "byte"},
};

START_TEST(what_is_wrong_with_safetensors_is_named) {
    dt_safetensors file;
    put_safetensors(malformed[_i].header, strlen(malformed[_i].header), malformed[_i].bytes);
    assert_fails(dt_safetensors_open(&file, "m"), DT_ERR_CORRUPT, malformed[_i].says, malformed[_i].name);
    dt_safetensors_close(&file);
}
END_TEST

START_TEST(lengths_of_headers_are_not_trusted) {
    dt_safetensors file;
    put_file("m", "123", 3);
    assert_fails(dt_safetensors_open(&file, "m"), DT_ERR_CORRUPT, "3 bytes", "");
    dt_safetensors_close(&file);
    const size_t lengths[] = {0, 1, 3, (size_t)1 << 40, SIZE_MAX};
    for (int i = 0; i < COUNT(lengths); i++) {
        put_safetensors("{}", lengths[i], 0);
        assert_fails(dt_safetensors_open(&file, "m"), DT_ERR_CORRUPT, "no safetensors file", "header");
        dt_safetensors_close(&file);
    }
    const dt_named_array array = {"a", DT_F32, {1, {6}}, odd_bits};
    assert_ok(dt_safetensors_write("m", &array, 1, NULL, 0));
    size_t bytes;
    char *whole = file_bytes("m", &bytes);
    for (size_t cut = 0; cut < bytes; cut++) {
        put_file("m", whole, cut);
        ck_assert_int_eq(dt_safetensors_open(&file, "m").code, DT_ERR_CORRUPT);
        dt_safetensors_close(&file);
    }
    free(whole);
    assert_fails(dt_safetensors_open(&file, "not there"), DT_ERR_IO, "not there", "");
    dt_safetensors_close(&file);
}
END_TEST

START_TEST(a_type_that_is_not_read_is_named_and_may_be_left_alone) {
    put_safetensors("{\"a\":" ENTRY("F8_E4M3", "[4]", 0, 4) ",\"b\":" ENTRY("F32", "[1]", 4, 8) "}",
                    strlen("{\"a\":" ENTRY("F8_E4M3", "[4]", 0, 4) ",\"b\":" ENTRY("F32", "[1]", 4, 8) "}"), 8);
    dt_safetensors file;
    float read[4];
    assert_ok(dt_safetensors_open(&file, "m"));
    assert_fails(dt_safetensors_read(&file, &file.tensors[0], read), DT_ERR_INPUT, "array a", "F8_E4M3");
    assert_ok(dt_safetensors_read(&file, &file.tensors[1], read));
    dt_safetensors_close(&file);
}
END_TEST

/* ---- npz ---- */

START_TEST(archives_of_numpy_are_what_numpy_writes) {
    const dt_named_array arrays[] = {{"dense1/w", DT_F32, {2, {2, 3}}, odd_bits}, {"s", DT_I64, {0, {0}}, odd_bits}};
    const dt_named_text text = {"name", "aö😀"};
    assert_ok(dt_npz_write("a.npz", arrays, COUNT(arrays), &text, 1));
    size_t bytes, again;
    char *first = file_bytes("a.npz", &bytes);
    const char magic[] = "\x93NUMPY\x01";
    const char *npy = memmem(first, bytes, magic, sizeof magic - 1);
    ck_assert_ptr_nonnull(npy);
    ck_assert_int_eq((npy[8] & 255) + 10, 192);
    ck_assert_int_eq(strncmp(npy + 10, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, )}   ", 62), 0);
    ck_assert_int_eq(npy[191], '\n');
    ck_assert_mem_eq(npy + 192, odd_bits, sizeof odd_bits);
    ck_assert_ptr_nonnull(memmem(first, bytes, "dense1/w.npy", 12));
    ck_assert_ptr_nonnull(memmem(first, bytes, "'<U3', 'fortran_order': False, 'shape': ()}", 43));
    ck_assert_ptr_nonnull(memmem(first, bytes, (const uint32_t[]){'a', 0xf6, 0x1f600}, 12));
    assert_ok(dt_npz_write("b.npz", arrays, COUNT(arrays), &text, 1));
    char *second = file_bytes("b.npz", &again);
    ck_assert_uint_eq(bytes, again);
    ck_assert_mem_eq(first, second, bytes);
    free(first);
    free(second);
    assert_fails(dt_npz_write("no/a.npz", arrays, 1, NULL, 0), DT_ERR_IO, "no/a.npz", "");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("formats");
    TCase *results = tcase_create("results"), *containers = tcase_create("containers");
    tcase_add_checked_fixture(results, enter_directory, leave_directory);
    tcase_add_test(results, a_file_takes_the_place_of_another_only_when_it_is_whole);
    tcase_add_test(results, a_directory_appears_whole_and_replaces_nothing);
    tcase_add_test(results, what_a_killed_one_left_is_removed_by_the_next);
    suite_add_tcase(suite, results);
    tcase_add_checked_fixture(containers, enter_directory, leave_directory);
    suite_add_tcase(suite, containers);
    if (DT_LACKS_ZIP)
        printf("skipped: NumPy's archives: this build lacks libzip\n");
    else
        tcase_add_test(containers, archives_of_numpy_are_what_numpy_writes);
    if (DT_LACKS_JSON) {
        printf("skipped: safetensors: this build lacks jansson\n");
        return run_suite(suite);
    }
    tcase_add_test(containers, what_is_written_as_safetensors_is_read_back_to_the_bit);
    tcase_add_test(containers, arrays_begin_at_a_multiple_of_eight_whatever_the_header);
    tcase_add_test(containers, numbers_of_half_the_width_are_exact);
    tcase_add_loop_test(containers, what_is_wrong_with_safetensors_is_named, 0, COUNT(malformed));
    tcase_add_test(containers, lengths_of_headers_are_not_trusted);
    tcase_add_test(containers, a_type_that_is_not_read_is_named_and_may_be_left_alone);
    return run_suite(suite);
}
