/* What every test made with Check shares, under mpirun or not. */
#ifndef DTRAIN_TESTS_SUITE_H
#define DTRAIN_TESTS_SUITE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

/* Check writes down where every assertion is that holds, to name the last one before a crash: in a loop over elements
 * that took half of a test's time. The same place twice in a row is written once. */
static inline void mark_place(const char *file, int line) {
    static const char *last_file;
    static int last_line;
    if (file == last_file && line == last_line) return;
    _mark_point(last_file = file, last_line = line);
}
#define _mark_point(file, line) mark_place(file, line)

static inline void assert_ok(dt_status status) {
    ck_assert_msg(status.code == DT_OK, "%s", status.message);
}

/* For a machine that lacks what a test is about: the exit code of main, which meson counts as skipped; run.sh lists the
 * reason. */
static inline int not_here(const char *reason) {
    printf("skipped: %s\n", reason);
    return 77;
}

/* Runs a suite; the exit code of main. A suite of which nothing was run has failed. */
static inline int run_suite(Suite *suite) {
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner) > 0 || srunner_ntests_run(runner) == 0;
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
