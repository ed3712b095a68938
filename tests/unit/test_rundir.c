/* The run directory: what is taken for one, and its lock, which is held by a heartbeat. Several processes of ours are
 * the several jobs; one that is said to run on another machine is one whose lock names another boot. */
#include <check.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"
#include "folder.h"
#include "store/rundir.h"
#include "suite.h"

#define LEASE 1.5 /* seconds; a heartbeat is due in a fifteenth of them */

static void wait_briefly(void) {
    nanosleep(&(struct timespec){0, 20000000}, NULL);
}

/* Tries until it is known whether the run is free; *looks, which may be NULL, is how often. */
static dt_status open_counting(dt_rundir **run, int *looks) {
    bool taken = false;
    int count = 0;
    DT_TRY(dt_rundir_open(run, "runs/one", LEASE));
    dt_status status = dt_rundir_lock(*run, &taken);
    for (count = 1; status.code == DT_OK && !taken; count++) {
        wait_briefly();
        status = dt_rundir_lock(*run, &taken);
    }
    if (looks) *looks = count;
    if (status.code == DT_OK) return status;
    dt_rundir_close(*run);
    *run = NULL;
    return status;
}

static dt_status open_run(dt_rundir **run) {
    return open_counting(run, NULL);
}

/* What a job on `host` wrote. */
static void put_lock(const char *file, const char *host, const dt_process *process, const char *job, uint64_t token,
                     double lease) {
    char text[1024];
    snprintf(text, sizeof text,
             "dtrain lock host %s pid %ld started %llu boot %s space %llu job %s since 2024-02-29T12:00:00Z lease %.3f "
             "token %016" PRIx64 " beat %010d\n",
             host, process->pid, process->started, process->boot, process->space, job, lease, token, 7);
    put_text(file, text);
}

static void make_marked(void) {
    ck_assert((mkdir("runs", 0755) == 0 || access("runs", F_OK) == 0) && mkdir("runs/one", 0755) == 0);
    put_text("runs/one/.dtrain-run", "");
}

/* A process of ours with something to do: it says what came of it, then waits for the parent to close `go_on`. */
typedef struct helper {
    pid_t pid;
    int answer, go_on;
} helper;

enum { TAKEN = 't', BUSY = 'b', OTHER = 'o', LOST = 9 };

static char try_to_open(dt_rundir **run) {
    dt_status status = open_run(run);
    return status.code == DT_OK ? TAKEN : status.code == DT_ERR_BUSY ? BUSY : OTHER;
}

/* A helper opens the run as soon as `start` is closed by everyone else, and releases it when told unless `kept`. */
static helper start_helper(const int start[2], bool kept) {
    int answer[2], go_on[2];
    ck_assert(pipe2(answer, O_CLOEXEC) == 0 && pipe2(go_on, O_CLOEXEC) == 0);
    helper h = {fork(), answer[0], go_on[1]};
    ck_assert_int_ge(h.pid, 0);
    if (h.pid > 0) {
        close(answer[1]);
        close(go_on[0]);
        return h;
    }
    char byte;
    dt_rundir *run = NULL;
    close(go_on[1]);
    if (start) {
        close(start[1]);
        if (read(start[0], &byte, 1) != 0) _exit(3);
    }
    byte = try_to_open(&run);
    if (write(answer[1], &byte, 1) != 1 || read(go_on[0], &byte, 1) != 0) _exit(3);
    bool lost = run && dt_rundir_check(run).code == DT_ERR_BUSY;
    if (!kept) dt_rundir_close(run);
    _exit(lost ? LOST : 0);
}

static char answer_of(helper h) {
    char byte = 0;
    ck_assert_int_eq(read(h.answer, &byte, 1), 1);
    return byte;
}

static void let_go(helper h) {
    close(h.go_on);
    close(h.answer);
}

static void await(helper h) {
    int code;
    ck_assert_int_eq(waitpid(h.pid, &code, 0), h.pid);
    ck_assert(WIFEXITED(code) && WEXITSTATUS(code) == 0);
}

static void assert_run_is_ours(dt_rundir *run) {
    char ours[32];
    size_t count;
    snprintf(ours, sizeof ours, " pid %ld ", (long)getpid());
    char *lock = file_bytes("runs/one/lock", &count);
    ck_assert_msg(strstr(lock, ours) != NULL, "\"%s\" is not ours", lock);
    free(lock);
    ck_assert_str_eq(names_in("runs/one"), "checkpoints lock ");
    dt_rundir_close(run);
    ck_assert_str_eq(names_in("runs/one"), "checkpoints ");
}

START_TEST(a_free_run_is_made_and_taken_and_released) {
    dt_rundir *run;
    for (int i = 0; i < 2; i++) {
        assert_ok(open_run(&run));
        assert_run_is_ours(run);
    }
    dt_rundir_close(NULL);
}
END_TEST

START_TEST(a_run_in_use_is_busy) {
    dt_rundir *run, *again;
    char pid[32];
    helper h = start_helper(NULL, false);
    ck_assert_int_eq(answer_of(h), TAKEN);
    snprintf(pid, sizeof pid, "process %ld on ", (long)h.pid);
    dt_status status = open_run(&run);
    assert_fails(status, DT_ERR_BUSY, pid, "remove runs/one/lock");
    ck_assert_ptr_null(run);
    let_go(h);
    await(h);
    assert_ok(open_run(&run));
    snprintf(pid, sizeof pid, "process %ld on ", (long)getpid());
    assert_fails(open_run(&again), DT_ERR_BUSY, pid, "runs/one/lock");
    assert_run_is_ours(run);
}
END_TEST

START_TEST(a_zombie_holds_no_lock) {
    dt_rundir *run;
    helper h = start_helper(NULL, true);
    ck_assert_int_eq(answer_of(h), TAKEN);
    let_go(h);
    siginfo_t info;
    ck_assert_int_eq(waitid(P_PID, (id_t)h.pid, &info, WEXITED | WNOWAIT), 0);
    assert_ok(open_run(&run));
    await(h);
    assert_run_is_ours(run);
}
END_TEST

START_TEST(a_killed_process_holds_no_lock) {
    dt_rundir *run;
    helper h = start_helper(NULL, true);
    ck_assert_int_eq(answer_of(h), TAKEN);
    ck_assert_int_eq(kill(h.pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(h.pid, NULL, 0), h.pid);
    let_go(h);
    assert_ok(open_run(&run));
    assert_run_is_ours(run);
}
END_TEST

static long dead_pid(void) {
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    ck_assert(pid > 0 && waitpid(pid, NULL, 0) == pid);
    return pid;
}

/* ---- locks that were left ---- */

typedef enum owner { OURSELVES, DEAD, RECYCLED, OTHER_BOOT, OTHER_SPACE } owner;

static dt_process process_of(owner kind) {
    dt_process process = dt_process_self();
    if (kind == DEAD) process.pid = dead_pid();
    if (kind == RECYCLED) process.started--;
    if (kind == OTHER_BOOT) process.boot[0] = process.boot[0] == 'a' ? 'b' : 'a';
    if (kind == OTHER_SPACE) process.space++;
    return process;
}

static const struct {
    const char *what;
    owner owner;
    const char *host, *their_job, *our_job;
    bool at_once;
} locks[] = {
    {"its process is gone", DEAD, "here", "-", NULL, true},
    {"its process is gone, and the host was renamed", DEAD, "elsewhere", "-", NULL, true},
    {"its process number is another process now", RECYCLED, "here", "-", NULL, true},
    {"another machine's, which is silent", OTHER_BOOT, "elsewhere", "-", NULL, false},
    {"another job's on another machine", OTHER_BOOT, "elsewhere", "76", "77", false},
    {"our own job's on another machine, as after a requeue", OTHER_BOOT, "elsewhere", "77", "77", false},
    {"of another PID namespace with our host's name", OTHER_SPACE, "here", "-", NULL, false},
};

START_TEST(a_lock_is_taken_over_when_its_owner_is_surely_gone_or_long_silent) {
    dt_process process = process_of(locks[_i].owner);
    make_marked();
    put_lock("runs/one/lock", locks[_i].host, &process, locks[_i].their_job, 5, 0.6);
    if (locks[_i].our_job) setenv("SLURM_JOB_ID", locks[_i].our_job, 1);
    dt_rundir *run;
    int looks;
    double began = dt_clock_now();
    assert_ok(open_counting(&run, &looks));
    double waited = dt_clock_now() - began;
    if (locks[_i].at_once) ck_assert_msg(looks == 1, "%s: %d looks", locks[_i].what, looks);
    if (!locks[_i].at_once) ck_assert_msg(looks > 2 && waited >= 0.6, "%s: after %.3f s", locks[_i].what, waited);
    assert_run_is_ours(run);
}
END_TEST

/* A helper has the run, and its lock is made to say that it is of another machine. */
static helper start_helper_elsewhere(void) {
    size_t count;
    helper h = start_helper(NULL, false);
    ck_assert_int_eq(answer_of(h), TAKEN);
    char *lock = file_bytes("runs/one/lock", &count), *boot = strstr(lock, " boot ");
    ck_assert_ptr_nonnull(boot);
    char other = boot[6] == 'a' ? 'b' : 'a';
    int fd = open("runs/one/lock", O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(pwrite(fd, &other, 1, boot + 6 - lock), 1);
    close(fd);
    free(lock);
    return h;
}

/* As with two jobs of one allocation on two nodes: the old rule took the lock for a requeued job's. */
START_TEST(a_job_elsewhere_that_lives_keeps_its_lock) {
    dt_rundir *run;
    char pid[32];
    setenv("SLURM_JOB_ID", "77", 1);
    helper h = start_helper_elsewhere();
    snprintf(pid, sizeof pid, "process %ld on ", (long)h.pid);
    assert_fails(open_run(&run), DT_ERR_BUSY, pid, "(job 77, since ");
    let_go(h);
    await(h);
    assert_ok(open_run(&run));
    assert_run_is_ours(run);
}
END_TEST

START_TEST(a_job_that_was_suspended_notices_that_its_run_was_taken) {
    dt_rundir *run;
    int code;
    helper h = start_helper_elsewhere();
    ck_assert_int_eq(kill(h.pid, SIGSTOP), 0);
    ck_assert(waitpid(h.pid, &code, WUNTRACED) == h.pid && WIFSTOPPED(code));
    assert_ok(open_run(&run));
    ck_assert_int_eq(kill(h.pid, SIGCONT), 0);
    let_go(h);
    ck_assert(waitpid(h.pid, &code, 0) == h.pid && WIFEXITED(code));
    ck_assert_int_eq(WEXITSTATUS(code), LOST);
    assert_run_is_ours(run);
}
END_TEST

START_TEST(who_was_taken_over_from_is_told_by_whom) {
    dt_process other = process_of(OTHER_BOOT);
    dt_rundir *run;
    assert_ok(open_run(&run));
    assert_ok(dt_rundir_check(run));
    put_lock("runs/one/lock", "elsewhere", &other, "78", 6, LEASE);
    assert_fails(dt_rundir_check(run), DT_ERR_BUSY, "on elsewhere (job 78, since ", "writes nothing more");
    ck_assert_int_eq(unlink("runs/one/lock"), 0);
    assert_fails(dt_rundir_check(run), DT_ERR_BUSY, "runs/one/lock", "was removed");
    dt_rundir_close(run);
}
END_TEST

static unsigned long beats(void) {
    size_t count;
    char *lock = file_bytes("runs/one/lock", &count);
    const char *at = strstr(lock, " beat ");
    unsigned long found = at ? strtoul(at + 6, NULL, 10) : 0;
    free(lock);
    return found;
}

START_TEST(the_heartbeat_goes_on_by_itself_and_notices_a_loss) {
    dt_rundir *run;
    assert_ok(open_run(&run));
    unsigned long before = beats();
    for (int i = 0; i < 500 && beats() < before + 3; i++) wait_briefly();
    ck_assert_uint_ge(beats(), before + 3);
    ck_assert(!dt_rundir_is_lost(run));
    ck_assert_int_eq(unlink("runs/one/lock"), 0);
    for (int i = 0; i < 500 && !dt_rundir_is_lost(run); i++) wait_briefly();
    ck_assert(dt_rundir_is_lost(run));
    dt_rundir_close(run);
}
END_TEST

static const char *const unreadable[] = {"",
                                         "\n",
                                         "garbage\n",
                                         "host elsewhere pid 12",
                                         "host elsewhere pid x started 1",
                                         "host elsewhere pid 12 started 1 job - since 2024-02-29T12:00:00Z\n"};

START_TEST(a_lock_that_cannot_be_read_is_left_alone) {
    make_marked();
    put_text("runs/one/lock", unreadable[_i]);
    dt_rundir *run;
    assert_fails(open_run(&run), DT_ERR_BUSY, "cannot be read", "remove runs/one/lock");
    ck_assert_ptr_null(run);
    assert_file_is("runs/one/lock", unreadable[_i]);
    ck_assert_str_eq(names_in("runs/one"), "checkpoints lock ");
}
END_TEST

START_TEST(a_lock_that_became_anothers_is_not_released) {
    dt_process other = process_of(OTHER_BOOT);
    dt_rundir *run;
    assert_ok(open_run(&run));
    put_lock("runs/one/lock", "elsewhere", &other, "-", 6, LEASE);
    dt_rundir_close(run);
    ck_assert_uint_eq(beats(), 7);
}
END_TEST

/* JOB_ID is a name anybody may use. */
static const char *const job_ids[] = {
    "12",
    "1234[].server.example",
    "",
    " ",
    "nightly build",
    "a\nb",
    "a job whose name is longer than the sixty-three characters that there is room for in the lock"};

START_TEST(any_job_id_is_locked_and_released) {
    dt_rundir *run, *again;
    setenv("JOB_ID", job_ids[_i], 1);
    assert_ok(open_run(&run));
    assert_fails(open_run(&again), DT_ERR_BUSY, "in use by process", "runs/one/lock");
    assert_run_is_ours(run);
}
END_TEST

/* As a job leaves it that was killed in the middle: nobody knows whether it was, so nobody takes the run. */
START_TEST(a_takeover_by_another_is_left_alone) {
    static const char claim[] = "runs/one/lock.stale.0000000000000005";
    dt_process gone = process_of(DEAD);
    make_marked();
    put_lock("runs/one/lock", "here", &gone, "-", 5, LEASE);
    put_text(claim, "");
    dt_rundir *run;
    assert_fails(open_run(&run), DT_ERR_BUSY, "another job is taking", "runs/one/lock*");
    ck_assert_uint_eq(beats(), 7);
    unlink(claim);
    assert_ok(open_run(&run));
    assert_run_is_ours(run);
}
END_TEST

/* Of several processes that try at once one gets the run, whether its lock is free or left by a dead process. */
START_TEST(of_several_processes_one_gets_the_run) {
    enum { ROUNDS = 60, HELPERS = 6 };
    dt_rundir *run;
    ck_assert_int_eq(try_to_open(&run), TAKEN);
    dt_rundir_close(run);
    for (int round = 0; round < ROUNDS; round++) {
        int start[2], taken = 0, busy = 0;
        helper helpers[HELPERS];
        dt_process gone = process_of(RECYCLED);
        if (_i) put_lock("runs/one/lock", "here", &gone, "-", 5, LEASE);
        ck_assert_int_eq(pipe2(start, O_CLOEXEC), 0);
        for (int i = 0; i < HELPERS; i++) helpers[i] = start_helper(start, false);
        close(start[0]);
        close(start[1]);
        for (int i = 0; i < HELPERS; i++) {
            char answer = answer_of(helpers[i]);
            taken += answer == TAKEN;
            busy += answer == BUSY;
        }
        for (int i = 0; i < HELPERS; i++) let_go(helpers[i]);
        for (int i = 0; i < HELPERS; i++) await(helpers[i]);
        ck_assert_msg(taken == 1 && busy == HELPERS - 1, "round %d: %d took it, %d were told it is busy", round, taken,
                      busy);
        ck_assert_str_eq(names_in("runs/one"), "checkpoints ");
    }
}
END_TEST

/* ---- what is taken for a run directory ---- */

static dt_status open_directory(const char *path) {
    dt_rundir *run;
    dt_status status = dt_rundir_open(&run, path, LEASE);
    dt_rundir_close(run);
    return status;
}

START_TEST(what_cannot_be_a_run_directory_is_named) {
    static char long_path[5000];
    put_text("file", "");
    assert_fails(open_directory("file"), DT_ERR_INPUT, "file", "not a directory");
    assert_fails(open_directory("file/under/it"), DT_ERR_IO, "file", "Not a directory");
    ck_assert(mkdir("one", 0755) == 0);
    put_text("one/.dtrain-run", "");
    put_text("one/checkpoints", "");
    assert_fails(open_directory("one"), DT_ERR_INPUT, "one/checkpoints", "not a directory");
    memset(long_path, 'x', sizeof long_path - 1);
    assert_fails(open_directory(long_path), DT_ERR_INPUT, "xxx", "too long");
    ck_assert_str_eq(names_in("."), "file one ");
    assert_ok(open_directory("two/three/"));
    ck_assert_str_eq(names_in("two/three"), "checkpoints ");
}
END_TEST

START_TEST(a_directory_that_is_not_a_run_s_is_refused_and_left_as_it_is) {
    static const char *const names[] = {"recipe.yaml", "notes.txt", "data.h5.tmp", ".git", "metrics.jsonl"};
    ck_assert(mkdir("mine", 0755) == 0 && mkdir("mine/checkpoints", 0755) == 0);
    put_text("mine/checkpoints/step.h5", "");
    for (int i = 0; i < COUNT(names); i++) {
        char path[64];
        snprintf(path, sizeof path, "mine/%s", names[i]);
        put_text(path, "precious\n");
        assert_fails(open_directory("mine"), DT_ERR_INPUT, "mine: is not empty and no run directory", "it holds ");
        assert_file_is(path, "precious\n");
        ck_assert_int_eq(access("mine/.dtrain-run", F_OK), -1);
        unlink(path);
    }
}
END_TEST

static const struct {
    const char *file, *text;
} olds[] = {{"checkpoints/step-000000042.h5", "damaged"},
            {"metrics.jsonl", "{\"series\":\"train\",\"step\":1}\n"},
            {"lock", "host elsewhere pid 12 started 1 job - since 2024-02-29T12:00:00Z\n"},
            {"lost+found", ""}};

START_TEST(a_run_directory_of_an_earlier_version_is_recognised_and_marked) {
    char path[64];
    ck_assert(mkdir("old", 0755) == 0 && mkdir("old/checkpoints", 0755) == 0);
    if (strcmp(olds[_i].file, "lost+found") == 0) ck_assert_int_eq(rmdir("old/checkpoints"), 0); /* an empty volume */
    snprintf(path, sizeof path, "old/%s", olds[_i].file);
    put_text(path, olds[_i].text);
    dt_rundir *run;
    assert_ok(dt_rundir_open(&run, "old", LEASE));
    for (int i = 0; i < 2; i++) {
        assert_ok(dt_rundir_mark(run));
        assert_file_is("old/.dtrain-run", "This is a run directory of dtrain.\n");
    }
    dt_rundir_close(run);
    unlink(path);
    put_text("old/notes.txt", "");
    assert_ok(open_directory("old"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("rundir");
    TCase *locks_held = tcase_create("locks");
    tcase_add_checked_fixture(locks_held, enter_directory, leave_directory);
    tcase_add_test(locks_held, a_free_run_is_made_and_taken_and_released);
    tcase_add_test(locks_held, a_run_in_use_is_busy);
    tcase_add_test(locks_held, a_zombie_holds_no_lock);
    tcase_add_test(locks_held, a_killed_process_holds_no_lock);
    tcase_add_loop_test(locks_held, a_lock_is_taken_over_when_its_owner_is_surely_gone_or_long_silent, 0, COUNT(locks));
    tcase_add_test(locks_held, a_job_elsewhere_that_lives_keeps_its_lock);
    tcase_add_test(locks_held, a_job_that_was_suspended_notices_that_its_run_was_taken);
    tcase_add_test(locks_held, who_was_taken_over_from_is_told_by_whom);
    tcase_add_test(locks_held, the_heartbeat_goes_on_by_itself_and_notices_a_loss);
    tcase_add_loop_test(locks_held, a_lock_that_cannot_be_read_is_left_alone, 0, COUNT(unreadable));
    tcase_add_test(locks_held, a_lock_that_became_anothers_is_not_released);
    tcase_add_loop_test(locks_held, any_job_id_is_locked_and_released, 0, COUNT(job_ids));
    tcase_add_test(locks_held, a_takeover_by_another_is_left_alone);
    tcase_add_loop_test(locks_held, of_several_processes_one_gets_the_run, 0, 2);
    suite_add_tcase(suite, locks_held);
    TCase *directories = tcase_create("directories");
    tcase_add_checked_fixture(directories, enter_directory, leave_directory);
    tcase_add_test(directories, what_cannot_be_a_run_directory_is_named);
    tcase_add_test(directories, a_directory_that_is_not_a_run_s_is_refused_and_left_as_it_is);
    tcase_add_loop_test(directories, a_run_directory_of_an_earlier_version_is_recognised_and_marked, 0, COUNT(olds));
    suite_add_tcase(suite, directories);
    return run_suite(suite);
}
