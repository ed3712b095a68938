/* Keys of a site: what is written, read, refused; that both ends agree; that no one else's signature holds. */
#include <check.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"
#include "site/key.h"
#include "site/secret.h"
#include "suite.h"

static dt_site_key *made(const char *name) {
    dt_site_key *key;
    assert_ok(dt_site_key_make(&key, name));
    return key;
}

START_TEST(a_key_comes_back_from_its_file_and_signs_the_same) {
    dt_site_key *key = made("north"), *again;
    assert_ok(dt_site_key_write(key, "north.key"));
    struct stat about;
    ck_assert_int_eq(stat("north.key", &about), 0);
    ck_assert_uint_eq(about.st_mode & 07777, 0600);
    ck_assert_str_eq(names_in("."), "north.key ");
    assert_ok(dt_site_key_read(&again, "north.key"));
    ck_assert_str_eq(dt_site_key_name(again), "north");
    ck_assert_mem_eq(dt_site_key_public(again), dt_site_key_public(key), sizeof(dt_public_key));
    uint8_t first[DT_SIGNATURE_BYTES], second[DT_SIGNATURE_BYTES];
    dt_site_sign(key, "round 1", 7, first);
    dt_site_sign(again, "round 1", 7, second);
    ck_assert_mem_eq(first, second, sizeof first);
    ck_assert(dt_site_signed(dt_site_key_public(again), "round 1", 7, first));
    ck_assert(!dt_site_signed(dt_site_key_public(again), "round 2", 7, first));
    first[9] ^= 4;
    ck_assert(!dt_site_signed(dt_site_key_public(again), "round 1", 7, first));
    dt_site_key_close(key);
    dt_site_key_close(again);
}
END_TEST

START_TEST(no_two_keys_are_alike_and_none_signs_for_another) {
    dt_site_key *one = made("north"), *other = made("north");
    ck_assert_mem_ne(dt_site_key_public(one), dt_site_key_public(other), sizeof(dt_public_key));
    uint8_t signature[DT_SIGNATURE_BYTES];
    dt_site_sign(other, "x", 1, signature);
    ck_assert(!dt_site_signed(dt_site_key_public(one), "x", 1, signature));
    dt_site_key_close(one);
    dt_site_key_close(other);
}
END_TEST

START_TEST(two_sites_agree_on_a_secret_that_a_third_does_not_have) {
    dt_site_key *north = made("north"), *south = made("south"), *east = made("east");
    uint8_t a[32], b[32], c[32], other[32];
    ck_assert(dt_site_key_agree(north, dt_site_key_public(south), "masks of round 1", a));
    ck_assert(dt_site_key_agree(south, dt_site_key_public(north), "masks of round 1", b));
    ck_assert(dt_site_key_agree(east, dt_site_key_public(north), "masks of round 1", c));
    ck_assert(dt_site_key_agree(north, dt_site_key_public(south), "masks of round 2", other));
    ck_assert_mem_eq(a, b, sizeof a);
    ck_assert_mem_ne(a, c, sizeof a);
    ck_assert_mem_ne(a, other, sizeof a);
    dt_public_key nowhere = *dt_site_key_public(east);
    memset(nowhere.agree, 0, sizeof nowhere.agree); /* a point of small order: everybody knows what it agrees on */
    ck_assert(!dt_site_key_agree(north, &nowhere, "masks of round 1", a));
    dt_site_key_close(north);
    dt_site_key_close(south);
    dt_site_key_close(east);
}
END_TEST

START_TEST(a_public_key_is_text_in_which_a_wrong_letter_is_noticed) {
    dt_site_key *key = made("north");
    dt_public_key back;
    char text[DT_PUBLIC_TEXT];
    dt_public_key_text(dt_site_key_public(key), text);
    ck_assert_uint_eq(strlen(text), DT_PUBLIC_TEXT - 2);
    assert_ok(dt_public_key_parse(&back, text));
    ck_assert_mem_eq(&back, dt_site_key_public(key), sizeof back);
    int unnoticed = 0;
    for (size_t i = 0; i < strlen(text); i++) {
        char letter = text[i];
        text[i] = letter == 'A' ? 'B' : 'A';
        unnoticed += dt_public_key_parse(&back, text).code == DT_OK;
        text[i] = letter;
    }
    ck_assert_int_le(unnoticed, 1); /* by chance one in 700 of these tests has one */
    assert_fails(dt_public_key_parse(&back, "site1-abc"), DT_ERR_INPUT, "site1-abc", "dtrain keys show");
    assert_fails(dt_public_key_parse(&back, ""), DT_ERR_INPUT, "is no public key", "");
    dt_site_key_close(key);
}
END_TEST

START_TEST(a_key_is_never_overwritten) {
    dt_site_key *key = made("north"), *other = made("north"), *again;
    assert_ok(dt_site_key_write(key, "north.key"));
    assert_fails(dt_site_key_write(other, "north.key"), DT_ERR_USAGE, "north.key", "never overwritten");
    assert_ok(dt_site_key_read(&again, "north.key"));
    ck_assert_mem_eq(dt_site_key_public(again), dt_site_key_public(key), sizeof(dt_public_key));
    ck_assert_int_eq(symlink("nowhere", "link.key"), 0);
    assert_fails(dt_site_key_write(other, "link.key"), DT_ERR_USAGE, "link.key", "never overwritten");
    ck_assert_str_eq(names_in("."), "link.key north.key ");
    dt_site_key_close(key);
    dt_site_key_close(other);
    dt_site_key_close(again);
}
END_TEST

START_TEST(a_file_that_others_may_read_is_refused) {
    dt_site_key *key = made("north"), *again;
    assert_ok(dt_site_key_write(key, "north.key"));
    static const mode_t open_to[] = {0640, 0604, 0660, 0620, 0700 | 01};
    for (int i = 0; i < COUNT(open_to); i++) {
        ck_assert_int_eq(chmod("north.key", open_to[i]), 0);
        assert_fails(dt_site_key_read(&again, "north.key"), DT_ERR_INPUT, "others may read", "chmod 600");
        ck_assert_ptr_null(again);
    }
    ck_assert_int_eq(chmod("north.key", 0400), 0);
    assert_ok(dt_site_key_read(&again, "north.key"));
    dt_site_key_close(again);
    dt_site_key_close(key);
}
END_TEST

START_TEST(what_is_no_key_is_refused_in_one_line) {
    dt_site_key *key = made("north"), *again;
    size_t length;
    assert_ok(dt_site_key_write(key, "north.key"));
    char *text = file_bytes("north.key", &length);
    for (size_t cut = 0; cut < length; cut += 7) {
        put_file("cut.key", text, cut);
        ck_assert_int_eq(chmod("cut.key", 0600), 0);
        assert_fails(dt_site_key_read(&again, "cut.key"), DT_ERR_CORRUPT, "cut.key", "is no key of a site");
    }
    char *name = strstr(text, "north");
    name[1] = name[4] = '/';
    name[2] = name[3] = '.';
    put_file("name.key", text, length);
    ck_assert_int_eq(chmod("name.key", 0600), 0);
    assert_fails(dt_site_key_read(&again, "name.key"), DT_ERR_INPUT, "n/../", "name of a site");
    char *big = calloc(1, 100000);
    put_file("big.key", big, 100000);
    ck_assert_int_eq(chmod("big.key", 0600), 0);
    assert_fails(dt_site_key_read(&again, "big.key"), DT_ERR_CORRUPT, "big.key", "is no key of a site");
    ck_assert_int_eq(mkfifo("pipe.key", 0600), 0);
    assert_fails(dt_site_key_read(&again, "pipe.key"), DT_ERR_INPUT, "pipe.key", "a named pipe");
    assert_fails(dt_site_key_read(&again, "none.key"), DT_ERR_IO, "none.key", "No such file");
    free(big);
    free(text);
    dt_site_key_close(key);
}
END_TEST

START_TEST(names_are_parts_of_files_names) {
    static const char *const good[] = {"north", "St.Mary-2", "_x", "9"};
    static const char *const bad[] = {
        "",    ".",           "..",  "a/b",      "-x",
        "a b", "n\xc3\xb6rd", "a\n", "x\x1b[2J", "a234567890123456789012345678901234567890123456789012345678901234"};
    for (int i = 0; i < COUNT(good); i++) assert_ok(dt_site_name_check(good[i]));
    for (int i = 0; i < COUNT(bad); i++) {
        dt_status status = dt_site_name_check(bad[i]);
        ck_assert_int_eq(status.code, DT_ERR_INPUT);
        ck_assert_ptr_null(strchr(status.message, '\x1b'));
    }
}
END_TEST

START_TEST(the_place_is_what_is_given_else_the_environments_else_the_homes) {
    char path[4096];
    setenv("HOME", "/home/ada", 1);
    setenv("XDG_CONFIG_HOME", "/conf", 1);
    setenv("DTRAIN_SITE_KEY", "/some.key", 1);
    assert_ok(dt_site_key_path(path, "north", "given.key"));
    ck_assert_str_eq(path, "given.key");
    assert_ok(dt_site_key_path(path, "north", NULL));
    ck_assert_str_eq(path, "/some.key");
    unsetenv("DTRAIN_SITE_KEY");
    assert_ok(dt_site_key_path(path, "north", NULL));
    ck_assert_str_eq(path, "/conf/dtrain/north.key");
    unsetenv("XDG_CONFIG_HOME");
    assert_ok(dt_site_key_path(path, "north", NULL));
    ck_assert_str_eq(path, "/home/ada/.config/dtrain/north.key");
    unsetenv("HOME");
    assert_fails(dt_site_key_path(path, "north", NULL), DT_ERR_USAGE, "no place for the key", "--key FILE");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("keys");
    TCase *tests = tcase_create("keys");
    tcase_add_checked_fixture(tests, enter_directory, leave_directory);
    tcase_add_test(tests, a_key_comes_back_from_its_file_and_signs_the_same);
    tcase_add_test(tests, no_two_keys_are_alike_and_none_signs_for_another);
    tcase_add_test(tests, two_sites_agree_on_a_secret_that_a_third_does_not_have);
    tcase_add_test(tests, a_public_key_is_text_in_which_a_wrong_letter_is_noticed);
    tcase_add_test(tests, a_key_is_never_overwritten);
    tcase_add_test(tests, a_file_that_others_may_read_is_refused);
    tcase_add_test(tests, what_is_no_key_is_refused_in_one_line);
    tcase_add_test(tests, names_are_parts_of_files_names);
    tcase_add_test(tests, the_place_is_what_is_given_else_the_environments_else_the_homes);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
