/* The identity of data: what of it is noticed, and what a text of it may be. */
#include <string.h>
#include <sys/mman.h>

#include "data/identity.h"
#include "suite.h"

/* ---- fingerprints ---- */

START_TEST(every_byte_of_a_small_array_counts) {
    unsigned char values[4099];
    for (size_t i = 0; i < sizeof values; i++) values[i] = (unsigned char)(i * 7);
    uint64_t whole = dt_fingerprint(values, sizeof values);
    ck_assert_uint_eq(whole, dt_fingerprint(values, sizeof values));
    ck_assert_uint_ne(whole, dt_fingerprint(values, sizeof values - 1));
    for (size_t i = 0; i < sizeof values; i++) {
        values[i] ^= 1;
        ck_assert_uint_ne(whole, dt_fingerprint(values, sizeof values));
        values[i] ^= 1;
    }
}
END_TEST

#define LARGE (((size_t)256 << 20) + 1000003)

/* Whether a change of `length` bytes at `at` of a large array of zeros is seen. */
static bool is_seen(unsigned char *values, uint64_t zeros, size_t at, size_t length) {
    memset(values + at, 1, length);
    bool seen = dt_fingerprint(values, LARGE) != zeros;
    madvise(values, LARGE, MADV_DONTNEED);
    return seen;
}

START_TEST(of_a_large_array_both_ends_count_and_every_long_change) {
    unsigned char *values =
        mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ck_assert(values != MAP_FAILED);
    uint64_t zeros = dt_fingerprint(values, LARGE);
    ck_assert_uint_eq(zeros, dt_fingerprint(values, LARGE));
    ck_assert(is_seen(values, zeros, 0, 1));
    ck_assert(is_seen(values, zeros, LARGE - 1, 1));
    size_t distance = LARGE / 255 + 1;
    for (size_t at = 12345; at < LARGE - distance; at += LARGE / 23) ck_assert(is_seen(values, zeros, at, distance));
    munmap(values, LARGE);
}
END_TEST

/* ---- texts ---- */

static dt_identity example(void) {
    return (dt_identity){.count = 3,
                         .parts = {{"train_x", DT_F32, {2, {600, 8}}, 0x0123456789abcdef},
                                   {"train_y", DT_U8, {1, {600}}, 1},
                                   {"test_x", DT_F32, {4, {200, 3, 32, 32}}, UINT64_MAX}}};
}

START_TEST(a_text_says_all_there_is) {
    dt_identity identity = example(), read;
    char text[DT_IDENTITY_TEXT];
    dt_identity_text(&identity, text);
    ck_assert_str_eq(text, "train_x float32 [600, 8] 0123456789abcdef\n"
                           "train_y uint8 [600] 0000000000000001\n"
                           "test_x float32 [200, 3, 32, 32] ffffffffffffffff\n");
    ck_assert_int_eq(dt_identity_parse(&read, text, "x.h5").code, DT_OK);
    ck_assert_int_eq(dt_identity_compare(&identity, &read).code, DT_OK);
}
END_TEST

static const char *const unreadable[] = {
    "train_x",
    "train_x float32 [600, 8] 12",
    "train_x float16 [600, 8] 12\n",
    "train_x float32 [600; 8] 12\n",
    "train_x float32 [-600, 8] 12\n",
    "train_x float32 [] 12\n",
    "train_x float32 [1, 2, 3, 4, 5, 6, 7] 12\n",
    "train_x float32 [600, 8] xy\n",
    "tr\x1b[31m float32 [600, 8] 12\n",
    "\n",
    ("a uint8 [1] 1\nb uint8 [1] 1\nc uint8 [1] 1\nd uint8 [1] 1\ne uint8 [1] 1\nf uint8 [1] 1\ng uint8 [1] 1\n"
     "h uint8 [1] 1\ni uint8 [1] 1\n"),
};

START_TEST(a_text_that_is_none_of_ours_is_refused) {
    dt_identity read;
    dt_status status = dt_identity_parse(&read, unreadable[_i], "x.h5");
    ck_assert_int_eq(status.code, DT_ERR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(status.message, "x.h5"));
}
END_TEST

START_TEST(what_differs_is_said_with_what_it_was) {
    dt_identity stored = example(), found = example();
    found.parts[0].shape.dim[0] = 300;
    found.parts[1].fingerprint = 2;
    dt_status status = dt_identity_compare(&stored, &found);
    ck_assert_int_eq(status.code, DT_ERR_INPUT);
    ck_assert_str_eq(status.message,
                     "data.train_x is float32 [300, 8], and was float32 [600, 8]; data.train_y has other "
                     "values (fingerprint 0000000000000002, was 0000000000000001)");
    found = example();
    found.parts[1].dtype = DT_I64;
    ck_assert_str_eq(dt_identity_compare(&stored, &found).message, "data.train_y is int64 [600], and was uint8 [600]");
    found = example();
    found.count = 2;
    ck_assert_str_eq(dt_identity_compare(&stored, &found).message,
                     "data.test_x is not there, and was float32 [200, 3, 32, 32]");
    ck_assert_str_eq(dt_identity_compare(&found, &stored).message,
                     "data.test_x is float32 [200, 3, 32, 32], and was not there");
    for (int i = 0; i < 3; i++) stored.parts[i].fingerprint ^= 5;
    found = example();
    const char *message = dt_identity_compare(&stored, &found).message;
    ck_assert_ptr_nonnull(strstr(message, "; and 1 more"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("identity");
    TCase *tests = tcase_create("identity");
    tcase_add_test(tests, every_byte_of_a_small_array_counts);
    tcase_add_test(tests, of_a_large_array_both_ends_count_and_every_long_change);
    tcase_add_test(tests, a_text_says_all_there_is);
    tcase_add_loop_test(tests, a_text_that_is_none_of_ours_is_refused, 0, COUNT(unreadable));
    tcase_add_test(tests, what_differs_is_said_with_what_it_was);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
