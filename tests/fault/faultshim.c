/* A disk that fails on request: preloaded (LD_PRELOAD), it makes the n-th chosen system call on a chosen path go wrong
 * on a chosen rank. Full disks, bad sectors and kills in the middle of a write come at a time of our choosing, and can
 * be tried at every point of a publication. It sleeps until the program calls dt_fault_arm(true), or is armed from the
 * start.
 *
 *   DTRAIN_FAULT="rank=1 path=/checkpoints nth=3 do=ENOSPC"
 *
 * rank   of the job (as its launcher says); every rank when it is not given
 * path   a part of the file's path; every path when it is not given
 * call   open, write, read, truncate, sync, rename, unlink or close, each with its relatives, all of these when it is
 *        not given; or list, a directory
 * nth    counted among the matching calls of this process and its children by fork, from 1; "3+" is the third and all
 *        later ones
 * do     ENOSPC, EIO, EDQUOT, EACCES: fail with it;  short: transfer half, say so;  torn: transfer half, then die;
 *        kill: die before the call;  lie: do nothing and report success;  delay: so many ms late;  gate: wait there
 * ms     of a delay; 20 when it is not given
 * gate   the file that is the gate (gate.h)
 * armed  1: from the start
 *
 * DTRAIN_FAULT_LOG=FILE receives a line for every matching call, "rank number call function", with " fault" at its end
 * where one was made: by the first a test learns what there is to try, by the second that it tried it. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "gate.h"
#include "rank.h"

typedef enum action { NOTHING, FAIL, SHORT, TORN, KILL, LIE, DELAY, GATE } action;

static const struct {
    const char *name;
    action what;
    int code;
} actions[] = {
    {"ENOSPC", FAIL, ENOSPC}, {"EIO", FAIL, EIO}, {"EDQUOT", FAIL, EDQUOT}, {"EACCES", FAIL, EACCES},
    {"short", SHORT, 0},      {"torn", TORN, 0},  {"kill", KILL, 0},        {"lie", LIE, 0},
    {"delay", DELAY, 0},      {"gate", GATE, 0},
};

static struct {
    bool armed, read;
    char call[16], path[256], log[1024], gate[1024];
    long only_rank, rank;
    long nth, ms;
    long *seen; /* children by fork count on */
    bool and_later;
    action what;
    int code;
} fault;

void dt_fault_arm(bool armed);

static bool field(const char *spec, const char *name, char *out, size_t size) {
    size_t length = strlen(name);
    for (const char *at = spec; (at = strstr(at, name)) != NULL; at += length) {
        if ((at != spec && at[-1] != ' ') || at[length] != '=') continue;
        snprintf(out, size, "%.*s", (int)strcspn(at + length + 1, " "), at + length + 1);
        return true;
    }
    return false;
}

static void read_action(const char *text) {
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(text, actions[i].name) != 0) continue;
        fault.what = actions[i].what;
        fault.code = actions[i].code;
        return;
    }
    fprintf(stderr, "faultshim: do=%s is not known\n", text);
    _exit(99);
}

static void read_request(void) {
    const char *spec = getenv("DTRAIN_FAULT"), *log = getenv("DTRAIN_FAULT_LOG");
    char text[64];
    fault.read = true;
    void *shared = mmap(NULL, sizeof *fault.seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) _exit(99);
    fault.seen = shared;
    fault.only_rank = -1;
    fault.rank = rank_of_job() > 0 ? rank_of_job() : 0;
    if (log) snprintf(fault.log, sizeof fault.log, "%s", log);
    if (!spec) return;
    if (field(spec, "rank", text, sizeof text)) fault.only_rank = strtol(text, NULL, 10);
    field(spec, "call", fault.call, sizeof fault.call);
    field(spec, "path", fault.path, sizeof fault.path);
    if (field(spec, "nth", text, sizeof text)) {
        char *end;
        fault.nth = strtol(text, &end, 10);
        fault.and_later = *end == '+';
    }
    fault.ms = field(spec, "ms", text, sizeof text) ? strtol(text, NULL, 10) : 20;
    field(spec, "gate", fault.gate, sizeof fault.gate);
    if (field(spec, "do", text, sizeof text)) read_action(text);
}

void dt_fault_arm(bool armed) {
    if (!fault.read) read_request();
    fault.armed = armed && (fault.only_rank < 0 || fault.only_rank == fault.rank);
}

__attribute__((constructor)) static void arm_from_the_start(void) {
    const char *spec = getenv("DTRAIN_FAULT");
    char text[8];
    if (spec && field(spec, "armed", text, sizeof text)) dt_fault_arm(strcmp(text, "1") == 0);
}

static void log_call(long number, const char *call, const char *name, bool faulty) {
    char line[128];
    int length =
        snprintf(line, sizeof line, "%ld %ld %s %s%s\n", fault.rank, number, call, name, faulty ? " fault" : "");
    int fd = (int)syscall(SYS_openat, AT_FDCWD, fault.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) return;
    syscall(SYS_write, fd, line, length);
    syscall(SYS_close, fd);
}

/* What is to become of this call. */
static action judge(const char *call, const char *name, const char *path) {
    bool chosen = fault.call[0] ? strcmp(call, fault.call) == 0 : strcmp(call, "list") != 0;
    if (!fault.armed || !chosen || !strstr(path, fault.path)) return NOTHING;
    long number = __atomic_add_fetch(fault.seen, 1, __ATOMIC_RELAXED);
    bool faulty = fault.nth > 0 && (fault.and_later ? number >= fault.nth : number == fault.nth);
    if (fault.log[0]) log_call(number, call, name, faulty);
    if (!faulty) return NOTHING;
    if (fault.what == KILL) kill(getpid(), SIGKILL);
    if (fault.what == FAIL) errno = fault.code;
    if (fault.what == DELAY) usleep(1000 * (useconds_t)fault.ms);
    if (fault.what == GATE) wait_at_gate(fault.gate);
    return fault.what;
}

static action judge_fd(const char *call, const char *name, int fd) {
    char link[64], path[PATH_MAX];
    if (!fault.armed) return NOTHING;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return NOTHING;
    path[length] = '\0';
    return judge(call, name, path);
}

/* *function becomes the C library's. */
static void find_real(void *function, const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    memcpy(function, &found, sizeof found);
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's have underscores
 *
 * The C library's function of this name. */
#define REAL(name, type, parameters)                                                                                   \
    static type(*real) parameters;                                                                                     \
    if (!real) find_real(&real, #name)

/* The half of a transfer that was made. */
static ssize_t end_transfer(action what, ssize_t moved) {
    if (what == TORN) kill(getpid(), SIGKILL);
    return moved;
}

#define TRANSFER(name, call, parameters, arguments_half, arguments)                                                    \
    ssize_t name parameters;                                                                                           \
    ssize_t name parameters {                                                                                          \
        REAL(name, ssize_t, parameters);                                                                               \
        action what = judge_fd(call, #name, fd);                                                                       \
        if (what == FAIL) return -1;                                                                                   \
        if (what == LIE) return (ssize_t)count;                                                                        \
        if (what == SHORT || what == TORN) return end_transfer(what, real arguments_half);                             \
        return real arguments;                                                                                         \
    }

TRANSFER(write, "write", (int fd, const void *bytes, size_t count), (fd, bytes, count / 2), (fd, bytes, count))
TRANSFER(pwrite, "write", (int fd, const void *bytes, size_t count, off_t at), (fd, bytes, count / 2, at),
         (fd, bytes, count, at))
TRANSFER(pwrite64, "write", (int fd, const void *bytes, size_t count, off64_t at), (fd, bytes, count / 2, at),
         (fd, bytes, count, at))
TRANSFER(read, "read", (int fd, void *bytes, size_t count), (fd, bytes, (count + 1) / 2), (fd, bytes, count))
TRANSFER(pread, "read", (int fd, void *bytes, size_t count, off_t at), (fd, bytes, (count + 1) / 2, at),
         (fd, bytes, count, at))
TRANSFER(pread64, "read", (int fd, void *bytes, size_t count, off64_t at), (fd, bytes, (count + 1) / 2, at),
         (fd, bytes, count, at))

static ssize_t vector_bytes(const struct iovec *vector, int count) {
    size_t bytes = 0;
    for (int i = 0; i < count; i++) bytes += vector[i].iov_len;
    return (ssize_t)bytes;
}

/* Several buffers: half of them, or half of the only one. */
#define TRANSFER_VECTOR(name, call, parameters, arguments_half, arguments_first, arguments)                            \
    ssize_t name parameters;                                                                                           \
    ssize_t name parameters {                                                                                          \
        REAL(name, ssize_t, parameters);                                                                               \
        action what = judge_fd(call, #name, fd);                                                                       \
        if (what == FAIL) return -1;                                                                                   \
        if (what == LIE) return vector_bytes(vector, count);                                                           \
        if (what != SHORT && what != TORN) return real arguments;                                                      \
        struct iovec first = {vector[0].iov_base, (vector[0].iov_len + 1) / 2};                                        \
        return end_transfer(what, count > 1 ? real arguments_half : real arguments_first);                             \
    }

TRANSFER_VECTOR(writev, "write", (int fd, const struct iovec *vector, int count), (fd, vector, count / 2),
                (fd, &first, 1), (fd, vector, count))
TRANSFER_VECTOR(pwritev, "write", (int fd, const struct iovec *vector, int count, off_t at),
                (fd, vector, count / 2, at), (fd, &first, 1, at), (fd, vector, count, at))
TRANSFER_VECTOR(pwritev64, "write", (int fd, const struct iovec *vector, int count, off64_t at),
                (fd, vector, count / 2, at), (fd, &first, 1, at), (fd, vector, count, at))
TRANSFER_VECTOR(readv, "read", (int fd, const struct iovec *vector, int count), (fd, vector, count / 2),
                (fd, &first, 1), (fd, vector, count))
TRANSFER_VECTOR(preadv, "read", (int fd, const struct iovec *vector, int count, off_t at), (fd, vector, count / 2, at),
                (fd, &first, 1, at), (fd, vector, count, at))
TRANSFER_VECTOR(preadv64, "read", (int fd, const struct iovec *vector, int count, off64_t at),
                (fd, vector, count / 2, at), (fd, &first, 1, at), (fd, vector, count, at))

/* Calls that move no bytes: they fail, kill, or do nothing and say that they did. */
#define SIMPLE(name, judgement, parameters, arguments)                                                                 \
    int name parameters;                                                                                               \
    int name parameters {                                                                                              \
        REAL(name, int, parameters);                                                                                   \
        action what = judgement;                                                                                       \
        if (what == FAIL) return -1;                                                                                   \
        return what == LIE ? 0 : real arguments;                                                                       \
    }

SIMPLE(fsync, judge_fd("sync", "fsync", fd), (int fd), (fd))
SIMPLE(fdatasync, judge_fd("sync", "fdatasync", fd), (int fd), (fd))
SIMPLE(ftruncate, judge_fd("truncate", "ftruncate", fd), (int fd, off_t size), (fd, size))
SIMPLE(ftruncate64, judge_fd("truncate", "ftruncate64", fd), (int fd, off64_t size), (fd, size))
SIMPLE(rename, judge("rename", "rename", from), (const char *from, const char *to), (from, to))
SIMPLE(unlink, judge("unlink", "unlink", path), (const char *path), (path))

/* A close that fails has closed nevertheless, as on Linux. */
int close(int fd) {
    REAL(close, int, (int));
    action what = judge_fd("close", "close", fd);
    int code = real(fd);
    if (what != FAIL) return code;
    errno = fault.code;
    return -1;
}

/* A directory that cannot be read to its end: all other actions than to fail leave it alone. */
#define LIST(name, entry)                                                                                              \
    struct entry *name(DIR *dir) {                                                                                     \
        REAL(name, struct entry *, (DIR *));                                                                           \
        return judge_fd("list", #name, dirfd(dir)) == FAIL ? NULL : real(dir);                                         \
    }

LIST(readdir, dirent)
LIST(readdir64, dirent64)

#define OPEN(name, path_parameters, type_parameters, path_arguments)                                                   \
    int name path_parameters;                                                                                          \
    int name path_parameters {                                                                                         \
        REAL(name, int, type_parameters);                                                                              \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                        \
        va_end(rest);                                                                                                  \
        return judge("open", #name, path) == FAIL ? -1 : real path_arguments;                                          \
    }

OPEN(open, (const char *path, int flags, ...), (const char *, int, ...), (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), (const char *, int, ...), (path, flags, mode))
OPEN(openat, (int at, const char *path, int flags, ...), (int, const char *, int, ...), (at, path, flags, mode))
OPEN(openat64, (int at, const char *path, int flags, ...), (int, const char *, int, ...), (at, path, flags, mode))
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
