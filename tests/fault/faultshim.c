/* A disk that fails on request: preloaded (LD_PRELOAD), it makes the n-th chosen system call on a chosen path go wrong
 * on a chosen rank. Full disks, bad sectors and kills in the middle of a write come at a time of our choosing, and can
 * be tried at every point of a publication.
 *
 *   DTRAIN_FAULT="call=write nth=3 rank=1 path=.h5.tmp do=ENOSPC"
 *
 * call   write, read, sync, rename, open or truncate: each with its relatives (pwrite, pwritev, …)
 * nth    counted among this process's matching calls, from 1; "3+" is the third and all later ones
 * rank   of the job (OMPI_COMM_WORLD_RANK); every rank when it is not given
 * path   how the file's path ends
 * do     ENOSPC, EIO, EDQUOT, EACCES: fail with it;  short: transfer half, say so;  torn: transfer half, then die;
 *        kill: die before the call;  lie: transfer nothing and report success
 *
 * DTRAIN_FAULT_LOG=FILE appends "rank call" for every matching call, by which a test learns how many there are. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

typedef enum action { NOTHING, FAIL, SHORT, TORN, KILL, LIE } action;

static const struct {
    const char *name;
    action what;
    int code;
} actions[] = {
    {"ENOSPC", FAIL, ENOSPC}, {"EIO", FAIL, EIO}, {"EDQUOT", FAIL, EDQUOT}, {"EACCES", FAIL, EACCES},
    {"short", SHORT, 0},      {"torn", TORN, 0},  {"kill", KILL, 0},        {"lie", LIE, 0},
};

static struct {
    bool ready, on;
    char call[16], path[256], log[1024];
    int rank;
    long nth, seen;
    bool and_later;
    action what;
    int code;
} fault;

static bool field(const char *spec, const char *name, char *out, size_t size) {
    size_t length = strlen(name);
    for (const char *at = spec; (at = strstr(at, name)) != NULL; at += length) {
        if ((at != spec && at[-1] != ' ') || at[length] != '=') continue;
        snprintf(out, size, "%.*s", (int)strcspn(at + length + 1, " "), at + length + 1);
        return true;
    }
    return false;
}

static void set_up(void) {
    fault.ready = true;
    const char *spec = getenv("DTRAIN_FAULT"), *rank = getenv("OMPI_COMM_WORLD_RANK"),
               *log = getenv("DTRAIN_FAULT_LOG");
    if (!spec) return;
    char text[64];
    fault.rank = rank ? (int)strtol(rank, NULL, 10) : 0;
    if (log) snprintf(fault.log, sizeof fault.log, "%s", log);
    if (field(spec, "rank", text, sizeof text) && strtol(text, NULL, 10) != fault.rank) return;
    if (!field(spec, "call", fault.call, sizeof fault.call)) return;
    field(spec, "path", fault.path, sizeof fault.path);
    if (field(spec, "nth", text, sizeof text)) {
        char *end;
        fault.nth = strtol(text, &end, 10);
        fault.and_later = *end == '+';
    }
    if (field(spec, "do", text, sizeof text))
        for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
            if (strcmp(text, actions[i].name) == 0) {
                fault.what = actions[i].what;
                fault.code = actions[i].code;
            }
    fault.on = true;
}

static void log_call(void) {
    char line[64];
    int length = snprintf(line, sizeof line, "%d %s\n", fault.rank, fault.call);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, fault.log, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (fd < 0) return;
    syscall(SYS_write, fd, line, length);
    syscall(SYS_close, fd);
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* What is to become of this call. */
static action judge(const char *call, const char *path) {
    if (!fault.ready) set_up();
    if (!fault.on || strcmp(call, fault.call) != 0 || !ends_with(path, fault.path)) return NOTHING;
    if (fault.log[0]) log_call();
    long number = __atomic_add_fetch(&fault.seen, 1, __ATOMIC_RELAXED);
    if (fault.nth == 0 || (fault.and_later ? number < fault.nth : number != fault.nth)) return NOTHING;
    if (fault.what == KILL) kill(getpid(), SIGKILL);
    if (fault.what == FAIL) errno = fault.code;
    return fault.what;
}

static action judge_fd(const char *call, int fd) {
    char link[64], path[4096];
    if (fault.ready && !fault.on) return NOTHING;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return NOTHING;
    path[length] = '\0';
    return judge(call, path);
}

static void *next(const char *name) {
    return dlsym(RTLD_NEXT, name);
}

/* The rest of a transfer that goes wrong: `half` was asked to move half of it. */
static ssize_t end_transfer(action what, ssize_t moved) {
    if (what == TORN) kill(getpid(), SIGKILL);
    return moved;
}

/* One buffer. `at` says whether the call takes an offset. */
#define TRANSFER(name, group, buffer, parameters, arguments_half, arguments)                                           \
    ssize_t name parameters;                                                                                           \
    ssize_t name parameters {                                                                                          \
        static ssize_t(*real) parameters;                                                                              \
        if (!real) *(void **)(&real) = next(#name);                                                                    \
        action what = judge_fd(group, fd);                                                                             \
        if (what == FAIL) return -1;                                                                                   \
        if (what == LIE) return (ssize_t)count;                                                                        \
        if (what == SHORT || what == TORN) return end_transfer(what, real arguments_half);                             \
        return real arguments;                                                                                         \
    }

TRANSFER(write, "write", bytes, (int fd, const void *bytes, size_t count), (fd, bytes, count / 2), (fd, bytes, count))
TRANSFER(pwrite, "write", bytes, (int fd, const void *bytes, size_t count, off_t at), (fd, bytes, count / 2, at),
         (fd, bytes, count, at))
TRANSFER(pwrite64, "write", bytes, (int fd, const void *bytes, size_t count, off64_t at), (fd, bytes, count / 2, at),
         (fd, bytes, count, at))
TRANSFER(read, "read", bytes, (int fd, void *bytes, size_t count), (fd, bytes, count / 2), (fd, bytes, count))
TRANSFER(pread, "read", bytes, (int fd, void *bytes, size_t count, off_t at), (fd, bytes, count / 2, at),
         (fd, bytes, count, at))
TRANSFER(pread64, "read", bytes, (int fd, void *bytes, size_t count, off64_t at), (fd, bytes, count / 2, at),
         (fd, bytes, count, at))

static size_t vector_bytes(const struct iovec *vector, int count) {
    size_t bytes = 0;
    for (int i = 0; i < count; i++) bytes += vector[i].iov_len;
    return bytes;
}

/* Several buffers: half of them, or half of the only one. */
#define TRANSFER_VECTOR(name, offset)                                                                                  \
    ssize_t name(int fd, const struct iovec *vector, int count, offset at);                                            \
    ssize_t name(int fd, const struct iovec *vector, int count, offset at) {                                           \
        static ssize_t (*real)(int, const struct iovec *, int, offset);                                                \
        if (!real) *(void **)(&real) = next(#name);                                                                    \
        action what = judge_fd("write", fd);                                                                           \
        if (what == FAIL) return -1;                                                                                   \
        if (what == LIE) return (ssize_t)vector_bytes(vector, count);                                                  \
        if (what != SHORT && what != TORN) return real(fd, vector, count, at);                                         \
        struct iovec first = {vector[0].iov_base, vector[0].iov_len / 2};                                              \
        return end_transfer(what, count > 1 ? real(fd, vector, count / 2, at) : real(fd, &first, 1, at));              \
    }

TRANSFER_VECTOR(pwritev, off_t)
TRANSFER_VECTOR(pwritev64, off64_t)

/* Calls that move no bytes: they fail, kill, or do nothing and say that they did. */
#define SIMPLE(name, judgement, parameters, arguments)                                                                 \
    int name parameters;                                                                                               \
    int name parameters {                                                                                              \
        static int(*real) parameters;                                                                                  \
        if (!real) *(void **)(&real) = next(#name);                                                                    \
        action what = judgement;                                                                                       \
        if (what == FAIL) return -1;                                                                                   \
        return what == LIE ? 0 : real arguments;                                                                       \
    }

SIMPLE(fsync, judge_fd("sync", fd), (int fd), (fd))
SIMPLE(fdatasync, judge_fd("sync", fd), (int fd), (fd))
SIMPLE(ftruncate, judge_fd("truncate", fd), (int fd, off_t size), (fd, size))
SIMPLE(ftruncate64, judge_fd("truncate", fd), (int fd, off64_t size), (fd, size))
SIMPLE(rename, judge("rename", from), (const char *from, const char *to), (from, to))

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...);                                                                        \
    int name(const char *path, int flags, ...) {                                                                       \
        static int (*real)(const char *, int, ...);                                                                    \
        if (!real) *(void **)(&real) = next(#name);                                                                    \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                        \
        va_end(rest);                                                                                                  \
        return judge("open", path) == FAIL ? -1 : real(path, flags, mode);                                             \
    }

OPEN(open)
OPEN(open64)
