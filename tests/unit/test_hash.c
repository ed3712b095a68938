/* XXH3-64 by any instruction set is the library's: checkpoints of other builds are compared with it. */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/hash.h"
#include "base/hash_kernel.h"
#include "suite.h"

#define MOST ((size_t)1 << 20)

extern const dt_hash_kernel dt_hash_kernel_baseline;
#if defined(__x86_64__)
extern const dt_hash_kernel dt_hash_kernel_avx2, dt_hash_kernel_avx512;
#endif

static uint8_t *bytes;

static void fill(void) {
    bytes = malloc(MOST + 64);
    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < MOST + 64; i++) bytes[i] = (uint8_t)(i * 2654435761U >> 13);
}

static void give_back(void) {
    free(bytes);
}

static const size_t lengths[] = {0,   1,   3,   4,   8,    9,    16,   17,    128,   129,
                                 240, 241, 256, 512, 1023, 1024, 1025, 65536, 65599, MOST};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

/* At any address. */
static void compare_whole(uint64_t (*whole)(const void *bytes, size_t count)) {
    for (int i = 0; i < LENGTHS; i++)
        for (size_t at = 0; at < 64; at += 21)
            ck_assert_uint_eq(whole(bytes + at, lengths[i]), XXH3_64bits(bytes + at, lengths[i]));
}

START_TEST(a_hash_is_the_library_s) {
    compare_whole(dt_hash_bytes);
}
END_TEST

START_TEST(by_every_instruction_set_there_is) {
    compare_whole(dt_hash_kernel_baseline.whole);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) compare_whole(dt_hash_kernel_avx2.whole);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        compare_whole(dt_hash_kernel_avx512.whole);
#endif
}
END_TEST

/* Pieces of all lengths, an empty one among them; and again with the same hasher. */
START_TEST(pieces_have_the_hash_of_the_whole) {
    dt_hasher *hasher = dt_hasher_open();
    ck_assert_ptr_nonnull(hasher);
    for (int again = 0; again < 2; again++) {
        size_t at = 0;
        dt_hasher_begin(hasher);
        for (int i = 0; at < MOST; i = (i + 1) % (LENGTHS - 1)) {
            size_t piece = lengths[i] < MOST - at ? lengths[i] : MOST - at;
            dt_hasher_add(hasher, bytes + at, piece);
            at += piece;
            ck_assert_uint_eq(dt_hasher_value(hasher), XXH3_64bits(bytes, at));
        }
    }
    dt_hasher_close(hasher);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("hash");
    TCase *tests = tcase_create("hash");
    tcase_add_unchecked_fixture(tests, fill, give_back);
    tcase_add_test(tests, a_hash_is_the_library_s);
    tcase_add_test(tests, by_every_instruction_set_there_is);
    tcase_add_test(tests, pieces_have_the_hash_of_the_whole);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
