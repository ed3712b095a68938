/* Check under mpirun: no fork, and a condition is agreed on by all ranks before it is asserted, because a rank that
 * stopped alone at a failed assertion would leave the others waiting in their next collective call. */
#ifndef DTRAIN_TESTS_RANKS_H
#define DTRAIN_TESTS_RANKS_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "comm/comm.h"
#include "comm/comm_ranks.h"
#include "suite.h"

static dt_comm *world;
static dt_ranks ranks; /* the same */

/* Fails on all ranks when `condition` is false on any. Collective. */
#define ranks_assert(condition)                                                                                        \
    do {                                                                                                               \
        dt_status agreed_ = dt_comm_agree(                                                                             \
            world, (condition) ? dt_ok() : dt_fail(DT_ERR_INPUT, "%s:%d: %s", __FILE__, __LINE__, #condition));        \
        ck_assert_msg(agreed_.code == DT_OK, "%s", agreed_.message);                                                   \
    } while (0)

/* Fails on all ranks when the status is a failure on any. Collective. */
#define ranks_assert_ok(status)                                                                                        \
    do {                                                                                                               \
        dt_status agreed_ = dt_comm_agree(world, (status));                                                            \
        ck_assert_msg(agreed_.code == DT_OK, "%s", agreed_.message);                                                   \
    } while (0)

/* Opens the world, for a suite whose tests depend on the number of ranks. */
static bool open_world(void) {
    dt_status status = world ? dt_ok() : dt_comm_open(&world, NULL, NULL);
    if (status.code != DT_OK) fprintf(stderr, "%s\n", status.message);
    if (status.code == DT_OK) ranks = dt_ranks_of(world);
    return status.code == DT_OK;
}

/* Runs a suite on all ranks; rank 0 reports. The exit code is non-zero on every rank when a test failed on any. */
static int run_on_ranks(Suite *suite) {
    if (!open_world()) return EXIT_FAILURE;
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, dt_comm_rank(world) == 0 ? CK_NORMAL : CK_SILENT);
    int failed = dt_comm_any(world, srunner_ntests_failed(runner) > 0 || srunner_ntests_run(runner) == 0);
    srunner_free(runner);
    dt_comm_close(world);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
