/* Files of other worlds: that they appear whole or not at all, and that what is written is read back to the bit. */
#include "folder.h"

#include <sys/wait.h>

#include "base/file.h"

#include "data/publish.h"

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

int main(void) {
    Suite *suite = suite_create("formats");
    TCase *results = tcase_create("results");
    tcase_add_checked_fixture(results, enter_directory, leave_directory);
    tcase_add_test(results, a_file_takes_the_place_of_another_only_when_it_is_whole);
    tcase_add_test(results, a_directory_appears_whole_and_replaces_nothing);
    tcase_add_test(results, what_a_killed_one_left_is_removed_by_the_next);
    suite_add_tcase(suite, results);
    return run_suite(suite);
}
