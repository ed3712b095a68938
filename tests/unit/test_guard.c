/* What reads the files of others: a child that may do anything, and its parent that lives on; text that may be
 * anything, and a terminal that sees letters. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/guard.h"
#include "suite.h"

/* ---- children ---- */

enum { WORDS = 1 << 20 };
static uint32_t words[WORDS]; /* more than a pipe holds */

static dt_status send_words(void *context, dt_guard *to) {
    (void)context;
    for (uint32_t i = 0; i < WORDS; i++) words[i] = i * 2654435761U;
    DT_TRY(dt_guard_send(to, words, sizeof words / 2));
    return dt_guard_send(to, words + WORDS / 2, sizeof words / 2);
}

static dt_status take_words(void *context, dt_guard *from) {
    (void)context;
    DT_TRY(dt_guard_take(from, words, 12)); /* other pieces than were sent */
    return dt_guard_take(from, words + 3, sizeof words - 12);
}

START_TEST(what_a_child_sends_arrives_and_what_it_changes_does_not) {
    memset(words, 0, sizeof words);
    assert_ok(dt_guard_run(&(dt_guard_job){.path = "f.h5", .work = send_words, .take = take_words}));
    for (uint32_t i = 0; i < WORDS; i++) ck_assert_uint_eq(words[i], i * 2654435761U);
    memset(words, 0, sizeof words);
    ck_assert_int_ne(dt_guard_run(&(dt_guard_job){.path = "f.h5", .work = send_words}).code, DT_OK);
    ck_assert_uint_eq(words[1], 0);
}
END_TEST

static dt_status fail_in_the_middle(void *context, dt_guard *to) {
    (void)context;
    DT_TRY(dt_guard_send(to, "half", 4));
    return dt_fail(DT_ERR_INPUT, "f.h5: a reason");
}

START_TEST(a_childs_failure_is_the_callers) {
    dt_status status = dt_guard_run(&(dt_guard_job){.path = "f.h5", .work = fail_in_the_middle, .take = take_words});
    ck_assert_int_eq(status.code, DT_ERR_INPUT);
    ck_assert_str_eq(status.message, "f.h5: a reason");
}
END_TEST

static dt_status end_by(void *context, dt_guard *to) {
    (void)to;
    raise(*(int *)context);
    return dt_ok();
}

static dt_status circle(void *context, dt_guard *to) {
    (void)context;
    (void)to;
    for (volatile unsigned i = 0;; i++) continue;
    return dt_ok();
}

static dt_status take_much(void *context, dt_guard *to) {
    (void)to;
    size_t bytes = *(size_t *)context;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory != MAP_FAILED ? dt_ok() : dt_fail(DT_ERR_MEMORY, "no %zu bytes", bytes);
}

static dt_status take_allowed(void *context, dt_guard *to) {
    dt_guard_allow(*(size_t *)context);
    return take_much(context, to);
}

static dt_status write_file(void *context, dt_guard *to) {
    (void)to;
    int file = *(int *)context;
    return pwrite(file, words, 4096, 0) == 4096 ? dt_ok() : dt_fail(DT_ERR_IO, "nothing was written");
}

static dt_status end_silently(void *context, dt_guard *to) {
    (void)context;
    (void)to;
    _exit(0);
}

static void assert_refused(dt_status status, dt_code code, const char *text) {
    ck_assert_msg(status.code == code && strstr(status.message, text) && strstr(status.message, "f.h5"), "%d: %s",
                  (int)status.code, status.message);
}

START_TEST(a_child_that_crashes_is_named_by_its_file) {
    int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    for (int i = 0; i < COUNT(crashes); i++) {
        dt_status status = dt_guard_run(&(dt_guard_job){.path = "f.h5", .work = end_by, .context = &crashes[i]});
        char number[16];
        snprintf(number, sizeof number, "signal %d", crashes[i]);
        assert_refused(status, DT_ERR_CORRUPT, number);
    }
    assert_refused(dt_guard_run(&(dt_guard_job){.path = "f.h5", .work = end_silently}), DT_ERR_CORRUPT, "damaged");
}
END_TEST

/* The system's killer, or a hand, says nothing of the file. */
START_TEST(a_child_that_was_killed_is_not_called_damage) {
    int killed = SIGKILL;
    assert_refused(dt_guard_run(&(dt_guard_job){.path = "f.h5", .work = end_by, .context = &killed}), DT_ERR_MEMORY,
                   "killed");
}
END_TEST

/* They are for the parent: the child of a run that is asked to stop finishes what it reads. */
START_TEST(signals_that_ask_to_stop_do_not_end_a_child) {
    int asked[] = {SIGINT, SIGTERM, SIGUSR1, SIGHUP};
    for (int i = 0; i < COUNT(asked); i++)
        assert_ok(dt_guard_run(&(dt_guard_job){.path = "f.h5", .work = end_by, .context = &asked[i]}));
}
END_TEST

START_TEST(a_child_that_goes_round_in_circles_is_ended) {
    dt_status status = dt_guard_run(&(dt_guard_job){.path = "f.h5", .seconds = 1, .work = circle});
    assert_refused(status, DT_ERR_CORRUPT, "more than 1 s of processor time");
}
END_TEST

START_TEST(a_child_has_a_limit_of_memory_that_it_can_raise) {
    size_t little = (size_t)16 << 20, much = (size_t)200 << 20;
    dt_guard_job job = {.path = "f.h5", .memory = (size_t)100 << 20, .work = take_much, .context = &little};
    assert_ok(dt_guard_run(&job));
    job.context = &much;
    ck_assert_int_eq(dt_guard_run(&job).code, DT_ERR_MEMORY);
    job.work = take_allowed;
    assert_ok(dt_guard_run(&job));
}
END_TEST

START_TEST(a_child_writes_no_file_it_was_not_given) {
    char path[] = "/tmp/dtrain-guard-XXXXXX";
    int file = mkostemp(path, O_CLOEXEC);
    ck_assert_int_ge(file, 0);
    unlink(path);
    dt_guard_job job = {.path = "f.h5", .work = write_file, .context = &file};
    assert_refused(dt_guard_run(&job), DT_ERR_CORRUPT, "signal");
    job.file_bytes = 4096;
    assert_ok(dt_guard_run(&job));
    close(file);
}
END_TEST

static dt_status take_four(void *context, dt_guard *from) {
    return dt_guard_take(from, context, 4);
}

START_TEST(a_child_that_says_more_or_less_than_it_should_is_refused) {
    char four[4];
    assert_refused(
        dt_guard_run(&(dt_guard_job){.path = "f.h5", .work = send_words, .take = take_four, .context = four}),
        DT_ERR_CORRUPT, "");
    int harmless = SIGHUP;
    assert_refused(
        dt_guard_run(&(dt_guard_job){.path = "f.h5", .work = end_by, .take = take_words, .context = &harmless}),
        DT_ERR_CORRUPT, "less");
}
END_TEST

/* ---- children that stay ---- */

/* Answers with the square, until it is asked for 13, which it fails at, or for a signal's number below 0. */
static dt_status square(void *context, dt_guard *to) {
    int64_t number;
    if (context) return dt_fail(DT_ERR_INPUT, "f.h5: not today");
    while (dt_guard_receive(to, &number, sizeof number)) {
        if (number == 13) return dt_fail(DT_ERR_INPUT, "f.h5: 13 is not a number");
        if (number == 1000) circle(NULL, to);
        if (number < 0) raise((int)-number);
        number *= number;
        DT_TRY(dt_guard_send(to, &number, sizeof number));
    }
    return dt_ok();
}

static dt_status ask(dt_guard_server *server, int64_t number, double seconds, int64_t *answer) {
    return dt_guard_ask(server, &number, sizeof number, seconds, answer, sizeof *answer);
}

static dt_guard_server *start_square(void) {
    dt_guard_server *server;
    assert_ok(dt_guard_serve(&server, &(dt_guard_job){.path = "f.h5", .work = square}));
    return server;
}

START_TEST(a_child_that_stays_answers_one_question_after_another) {
    dt_guard_server *one = start_square(), *two = start_square();
    int64_t answer;
    for (int64_t i = 14; i < 300; i++) {
        assert_ok(ask(i % 2 ? one : two, i, 60, &answer));
        ck_assert_int_eq(answer, i * i);
    }
    dt_guard_dismiss(one);
    assert_ok(ask(two, 7, 60, &answer));
    ck_assert_int_eq(answer, 49);
    dt_guard_dismiss(two);
    dt_guard_dismiss(NULL);
}
END_TEST

START_TEST(a_child_that_stays_fails_for_good) {
    int64_t answer;
    dt_guard_server *server = start_square();
    for (int again = 0; again < 3; again++) {
        dt_status status = ask(server, again ? 5 : 13, 60, &answer);
        ck_assert_int_eq(status.code, DT_ERR_INPUT);
        ck_assert_str_eq(status.message, "f.h5: 13 is not a number");
    }
    dt_guard_dismiss(server);
    int refuses = 1;
    assert_ok(dt_guard_serve(&server, &(dt_guard_job){.path = "f.h5", .work = square, .context = &refuses}));
    ck_assert_str_eq(ask(server, 1, 60, &answer).message, "f.h5: not today");
    dt_guard_dismiss(server);
}
END_TEST

START_TEST(a_child_that_stays_and_crashes_or_is_slow_is_named_by_its_file) {
    int64_t answer;
    dt_guard_server *server = start_square();
    assert_refused(ask(server, -SIGSEGV, 60, &answer), DT_ERR_CORRUPT, "signal 11");
    assert_refused(ask(server, 2, 60, &answer), DT_ERR_CORRUPT, "signal 11");
    dt_guard_dismiss(server);
    server = start_square();
    assert_refused(ask(server, -SIGKILL, 60, &answer), DT_ERR_MEMORY, "killed");
    dt_guard_dismiss(server);
    server = start_square();
    assert_refused(ask(server, 1000, 0.2, &answer), DT_ERR_CORRUPT, "longer");
    dt_guard_dismiss(server);
}
END_TEST

/* ---- text ---- */

static const struct {
    const char *text, *shown;
} texts[] = {
    {"", ""},
    {"/train/x", "/train/x"},
    {"a\tb \\n c", "a\tb \\n c"},
    {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"}, /* ä € and a face */
    {"\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"},
    {"\x1b]0;title\a", "\\x1b]0;title\\x07"},
    {"one\ntwo\r\x7f", "one\\ntwo\\r\\x7f"},
    {"\xc2\x9b"
     "2J",
     "\\u{9b}2J"}, /* a control sequence in one character */
    {"\x9b"
     "2J",
     "\\x9b"
     "2J"}, /* and in one byte */
    {"a\xe2\x80\xae"
     "b",
     "a\\u{202e}b"}, /* right-to-left override */
    {"a\xe2\x80\x8b"
     "b\xef\xbb\xbf",
     "a\\u{200b}b\\u{feff}"},             /* zero width */
    {"a\xf3\xa0\x81\x81", "a\\u{e0041}"}, /* a tag */
    {"\xff\xfe", "\\xff\\xfe"},
    {"\xe2\x82", "\\xe2\\x82"},          /* cut short */
    {"\xc0\x80", "\\xc0\\x80"},          /* overlong */
    {"\xed\xa0\x80", "\\xed\\xa0\\x80"}, /* a surrogate */
};

START_TEST(text_of_files_is_shown_and_not_obeyed) {
    for (int i = 0; i < COUNT(texts); i++) {
        char out[256];
        size_t length = dt_escape(out, sizeof out, texts[i].text, strlen(texts[i].text), false);
        ck_assert_str_eq(out, texts[i].shown);
        ck_assert_uint_eq(length, strlen(texts[i].shown));
        for (size_t room = 1; room <= length; room++) {
            ck_assert_uint_eq(dt_escape(out, room, texts[i].text, strlen(texts[i].text), false), length);
            ck_assert_uint_lt(strlen(out), room);
            ck_assert_int_eq(strncmp(out, texts[i].shown, strlen(out)), 0);
        }
    }
    char out[32];
    dt_escape(out, sizeof out, "one\ntwo\r", 8, true);
    ck_assert_str_eq(out, "one\ntwo\\r");
    dt_escape(out, sizeof out, "a\0b", 3, true);
    ck_assert_str_eq(out, "a\\x00b");
}
END_TEST

START_TEST(a_long_name_keeps_its_ends) {
    char name[5000], out[80];
    memset(name, 'm', sizeof name);
    const char *begin = "/begin", *end = "end\x1b";
    for (size_t i = 0; i < 6; i++) name[i] = begin[i];
    for (size_t i = 0; i < 5; i++) name[sizeof name - 5 + i] = end[i];
    ck_assert_str_eq(dt_escape_name(out, sizeof out, "/short"), "/short");
    dt_escape_name(out, sizeof out, name);
    ck_assert_uint_lt(strlen(out), sizeof out);
    ck_assert_uint_gt(strlen(out), sizeof out - 12);
    ck_assert_int_eq(strncmp(out, "/beginm", 7), 0);
    ck_assert_ptr_nonnull(strstr(out, "m[...]m"));
    ck_assert_str_eq(out + strlen(out) - 8, "mend\\x1b");
    for (size_t i = 0; i + 1 < sizeof name; i++) name[i] = (char)(i % 255 + 1);
    for (size_t room = 32; room < 600; room++) {
        char shown[600];
        dt_escape_name(shown, room, name);
        ck_assert_uint_lt(strlen(shown), room);
        ck_assert_uint_eq(dt_escape(NULL, 0, shown, strlen(shown), false),
                          strlen(shown)); /* nothing is left to escape */
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("guard");
    TCase *children = tcase_create("children");
    tcase_add_test(children, what_a_child_sends_arrives_and_what_it_changes_does_not);
    tcase_add_test(children, a_childs_failure_is_the_callers);
    tcase_add_test(children, a_child_that_crashes_is_named_by_its_file);
    tcase_add_test(children, a_child_that_was_killed_is_not_called_damage);
    tcase_add_test(children, signals_that_ask_to_stop_do_not_end_a_child);
    tcase_add_test(children, a_child_that_goes_round_in_circles_is_ended);
    tcase_add_test(children, a_child_has_a_limit_of_memory_that_it_can_raise);
    tcase_add_test(children, a_child_writes_no_file_it_was_not_given);
    tcase_add_test(children, a_child_that_says_more_or_less_than_it_should_is_refused);
    tcase_add_test(children, a_child_that_stays_answers_one_question_after_another);
    tcase_add_test(children, a_child_that_stays_fails_for_good);
    tcase_add_test(children, a_child_that_stays_and_crashes_or_is_slow_is_named_by_its_file);
    suite_add_tcase(suite, children);
    TCase *text = tcase_create("text");
    tcase_add_test(text, text_of_files_is_shown_and_not_obeyed);
    tcase_add_test(text, a_long_name_keeps_its_ends);
    suite_add_tcase(suite, text);
    return run_suite(suite);
}
