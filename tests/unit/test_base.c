/* The base room: how files are opened and made, who a process is, and what is left of a long message. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/pattern.h"
#include "base/process.h"
#include "base/repeats.h"
#include "suite.h"

static char directory[64];

static void enter_directory(void) {
    snprintf(directory, sizeof directory, "/tmp/dtrain-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
}

static void leave_directory(void) {
    static const char *const names[] = {"folder", "pipe",   "socket",      "link",
                                        "file",   "victim", "recipe.yaml", "recipe.yaml.tmp"};
    for (int i = 0; i < COUNT(names); i++) remove(names[i]);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(directory), 0);
}

static void put_text(const char *name, const char *text) {
    FILE *out = fopen(name, "w");
    ck_assert_ptr_nonnull(out);
    ck_assert_int_ge(fputs(text, out), 0);
    ck_assert_int_eq(fclose(out), 0);
}

static void assert_file_is(const char *name, const char *text) {
    char found[256] = "";
    FILE *in = fopen(name, "r");
    ck_assert_ptr_nonnull(in);
    found[fread(found, 1, sizeof found - 1, in)] = '\0';
    fclose(in);
    ck_assert_str_eq(found, text);
}

static void assert_fails(dt_status status, const char *first, const char *second) {
    ck_assert_int_ne(status.code, DT_OK);
    ck_assert_msg(strstr(status.message, first) != NULL, "\"%s\" does not say \"%s\"", status.message, first);
    ck_assert_msg(strstr(status.message, second) != NULL, "\"%s\" does not say \"%s\"", status.message, second);
}

/* ---- files ---- */

static void make_kinds(void) {
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert(mkdir("folder", 0700) == 0 && mkfifo("pipe", 0600) == 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    close(fd);
}

static const struct {
    const char *path, *says;
} others[] = {{"folder", "is a directory"},
              {"pipe", "is a named pipe"},
              {"socket", "is a socket"},
              {"/dev/null", "is a device"},
              {"nothing", "No such file"}};

START_TEST(what_is_no_regular_file_is_refused_at_once) {
    int fd;
    make_kinds();
    assert_fails(dt_file_open(others[_i].path, &fd, NULL), others[_i].path, others[_i].says);
    ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(a_file_is_opened_with_its_size_and_through_a_link) {
    int fd;
    int64_t bytes = 0;
    put_text("file", "seed: 1\n");
    ck_assert_int_eq(symlink("file", "link"), 0);
    assert_ok(dt_file_open("link", &fd, &bytes));
    ck_assert_int_eq(bytes, 8);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}
END_TEST

/* Data that comes late, and in two pieces, arrives whole. The second is written once the first is read, or a slow
 * reader would have both at once. */
START_TEST(a_pipe_is_read_as_soon_as_its_writer_has_begun) {
    int fd;
    int64_t bytes;
    char found[16];
    ck_assert_int_eq(mkfifo("pipe", 0600), 0);
    pid_t writer = fork();
    if (writer == 0) {
        int out = open("pipe", O_WRONLY | O_CLOEXEC);
        usleep(50000); /* it is late: the reader finds a pipe with a writer, and nothing in it */
        bool written = write(out, "one", 3) == 3;
        for (int left = 3; written && left > 0 && ioctl(out, FIONREAD, &left) == 0;) usleep(1000);
        _exit(written && write(out, "two", 3) == 3 ? 0 : 1);
    }
    assert_ok(dt_file_open_stream("pipe", &fd, &bytes));
    ck_assert_int_eq(bytes, -1);
    size_t used = 0;
    for (ssize_t got; (got = read(fd, found + used, sizeof found - used)) > 0;) used += (size_t)got;
    ck_assert(used == 6 && memcmp(found, "onetwo", 6) == 0);
    close(fd);
    int status;
    ck_assert(waitpid(writer, &status, 0) == writer && status == 0);
}
END_TEST

static dt_status create(const char *path) {
    int fd;
    DT_TRY(dt_file_create(path, &fd));
    close(fd);
    return dt_ok();
}

START_TEST(a_file_is_made_in_the_place_of_a_link_or_pipe_and_not_through_it) {
    struct stat about;
    put_text("victim", "precious\n");
    ck_assert_int_eq(symlink("victim", "link"), 0);
    ck_assert_int_eq(mkfifo("pipe", 0600), 0);
    assert_ok(create("link"));
    assert_ok(create("pipe"));
    ck_assert(lstat("link", &about) == 0 && S_ISREG(about.st_mode) && about.st_size == 0);
    ck_assert(lstat("pipe", &about) == 0 && S_ISREG(about.st_mode));
    assert_file_is("victim", "precious\n");
    ck_assert_int_eq(mkdir("folder", 0700), 0);
    assert_fails(create("folder"), "folder", "Is a directory");
    assert_fails(create("nowhere/file"), "nowhere/file", "No such file");
}
END_TEST

START_TEST(a_text_is_not_written_through_a_link) {
    put_text("victim", "precious\n");
    ck_assert(symlink("victim", "recipe.yaml") == 0 && symlink("victim", "recipe.yaml.tmp") == 0);
    assert_ok(dt_write_text_file("recipe.yaml", "seed: 1\n"));
    assert_file_is("recipe.yaml", "seed: 1\n");
    assert_file_is("victim", "precious\n");
}
END_TEST

START_TEST(a_result_replaces_a_file_and_nothing_else) {
    make_kinds();
    put_text("file", "");
    assert_ok(dt_file_check_target("file"));
    assert_ok(dt_file_check_target("new"));
    ck_assert_int_eq(symlink("file", "link"), 0);
    assert_fails(dt_file_check_target("link"), "link", "is a symbolic link");
    for (int i = 0; i < 4; i++) assert_fails(dt_file_check_target(others[i].path), others[i].path, others[i].says);
}
END_TEST

/* ---- processes ---- */

START_TEST(a_process_lives_until_it_has_ended) {
    int ends[2];
    char byte;
    dt_process me = dt_process_self(), child;
    ck_assert_int_eq(dt_process_fate(&me), DT_FATE_LIVES);
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        child = dt_process_self();
        if (write(ends[1], &child, sizeof child) != (ssize_t)sizeof child) _exit(1);
        pause();
        _exit(0);
    }
    ck_assert_int_eq(read(ends[0], &child, sizeof child), (ssize_t)sizeof child);
    ck_assert_int_eq(dt_process_fate(&child), DT_FATE_LIVES);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    siginfo_t info;
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    ck_assert_int_eq(dt_process_fate(&child), DT_FATE_GONE); /* a zombie */
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_eq(dt_process_fate(&child), DT_FATE_GONE);
    ck_assert(read(ends[0], &byte, 0) == 0 && close(ends[0]) == 0 && close(ends[1]) == 0);
}
END_TEST

START_TEST(of_a_process_elsewhere_nothing_is_known) {
    dt_process other = dt_process_self();
    other.started++;
    ck_assert_int_eq(dt_process_fate(&other), DT_FATE_GONE); /* its pid is ours now */
    other.space++;
    ck_assert_int_eq(dt_process_fate(&other), DT_FATE_UNKNOWN);
    other = dt_process_self();
    other.boot[0] = other.boot[0] == 'a' ? 'b' : 'a';
    other.started++;
    ck_assert_int_eq(dt_process_fate(&other), DT_FATE_UNKNOWN);
}
END_TEST

/* ---- messages ---- */

static char long_path[4096];

static void fill_path(const char *part) {
    long_path[0] = '\0';
    size_t used = 0, length = strlen(part);
    for (; used + length < sizeof long_path; used += length) memcpy(long_path + used, part, length + 1);
}

START_TEST(a_long_path_does_not_hide_the_reason) {
    static const char *const parts[] = {"/a/folder", "/ein/größerer", " a folder", "界"};
    for (int i = 0; i < COUNT(parts); i++) {
        fill_path(parts[i]);
        dt_status status = dt_fail(DT_ERR_IO, "%s: cannot open: %s", long_path, "Permission denied");
        const char *end = strstr(status.message, ": cannot open: Permission denied");
        ck_assert_msg(end && end[32] == '\0', "\"%s\" has lost the reason", status.message);
        ck_assert(strncmp(status.message, long_path, 40) == 0 && strstr(status.message, "…"));
        status = dt_status_within(status, "%s", long_path);
        end = strstr(status.message, ": cannot open: Permission denied");
        ck_assert_msg(end && end[32] == '\0', "\"%s\" has lost the reason", status.message);
        for (const char *c = status.message; *c; c++) /* no character is cut in two */
            ck_assert(((unsigned char)*c & 0xc0) != 0x80 || ((unsigned char)c[-1] & 0x80));
    }
}
END_TEST

START_TEST(two_long_paths_leave_the_reason_too) {
    fill_path("/folder");
    dt_status status = dt_fail(DT_ERR_IO, "%s: cannot take the place of %s: No space left", long_path, long_path);
    ck_assert_ptr_nonnull(strstr(status.message, ": cannot take the place of /folder"));
    ck_assert_ptr_nonnull(strstr(status.message, ": No space left"));
}
END_TEST

START_TEST(patterns_fit_names_and_what_is_below_them) {
    static const struct {
        const char *pattern, *name;
        bool fits;
    } cases[] = {
        {"dense1/w", "dense1/w", true},
        {"dense1", "dense1/w", true},
        {"dense1", "dense12/w", false},
        {"dense1/", "dense1/w", false},
        {"*", "dense1/w", true},
        {"*/w", "block1/dense1/w", true},
        {"*/w", "block1/dense1/b", false},
        {"block?", "block1/dense1/w", true},
        {"block?", "block12/w", false},
        {"*block*", "a/myblock2/w", true},
        {"*b*d*w", "block1/dense1/w", true},
        {"", "dense1/w", false},
        {"*1/b", "dense1/w/b1/b", true},
        {"dense1/w*", "dense1/w", true},
        {"?", "/", true},
    };
    for (int i = 0; i < COUNT(cases); i++)
        ck_assert_msg(dt_pattern_fits(cases[i].pattern, cases[i].name) == cases[i].fits, "%s: %s", cases[i].pattern,
                      cases[i].name);
    /* a pattern that a search which tries every star again would never be done with */
    ck_assert(
        !dt_pattern_fits("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}
END_TEST

START_TEST(a_message_that_fits_is_left_alone) {
    char text[sizeof((dt_status *)0)->message];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    ck_assert_str_eq(dt_fail(DT_ERR_IO, "%s", text).message, text);
}
END_TEST

static int64_t hidden;
static char last_hidden[512];

static void take_hidden(int64_t count, const char *text) {
    hidden += count;
    snprintf(last_hidden, sizeof last_hidden, "%s", text);
}

START_TEST(a_warning_that_comes_again_is_counted) {
    char text[64];
    int64_t count, shown = 0;
    for (int step = 1; step <= 1000; step++) {
        snprintf(text, sizeof text, "step %d: the loss is %d.5", step * 7, step);
        bool shows = dt_repeats_take(text, &count);
        ck_assert_int_eq(count, step);
        ck_assert(shows == (step <= DT_REPEATS_SHOWN || step == 10 || step == 100 || step == 1000));
        shown += shows;
    }
    ck_assert(dt_repeats_take("step 1: the gradient is 1.5", &count) && count == 1);
    dt_repeats_tell(take_hidden);
    ck_assert_int_eq(hidden, 1000 - shown);
    ck_assert_str_eq(last_hidden, "step 6993: the loss is 999.5");
    dt_repeats_tell(take_hidden);
    ck_assert_int_eq(hidden, 1000 - shown);
}
END_TEST

START_TEST(of_more_kinds_than_are_counted_each_is_shown) {
    int64_t count;
    for (int i = 0; i < 200; i++) {
        char text[] = "a a";
        text[0] = (char)('a' + i % 26);
        text[2] = (char)('a' + i / 26);
        ck_assert(dt_repeats_take(text, &count));
        ck_assert(count == 1);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("base");
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, enter_directory, leave_directory);
    tcase_add_loop_test(files, what_is_no_regular_file_is_refused_at_once, 0, COUNT(others));
    tcase_add_test(files, patterns_fit_names_and_what_is_below_them);
    tcase_add_test(files, a_file_is_opened_with_its_size_and_through_a_link);
    tcase_add_test(files, a_pipe_is_read_as_soon_as_its_writer_has_begun);
    tcase_add_test(files, a_file_is_made_in_the_place_of_a_link_or_pipe_and_not_through_it);
    tcase_add_test(files, a_text_is_not_written_through_a_link);
    tcase_add_test(files, a_result_replaces_a_file_and_nothing_else);
    suite_add_tcase(suite, files);
    TCase *processes = tcase_create("processes");
    tcase_add_test(processes, a_process_lives_until_it_has_ended);
    tcase_add_test(processes, of_a_process_elsewhere_nothing_is_known);
    suite_add_tcase(suite, processes);
    TCase *messages = tcase_create("messages");
    tcase_add_test(messages, a_long_path_does_not_hide_the_reason);
    tcase_add_test(messages, two_long_paths_leave_the_reason_too);
    tcase_add_test(messages, a_message_that_fits_is_left_alone);
    tcase_add_test(messages, a_warning_that_comes_again_is_counted);
    tcase_add_test(messages, of_more_kinds_than_are_counted_each_is_shown);
    suite_add_tcase(suite, messages);
    return run_suite(suite);
}
