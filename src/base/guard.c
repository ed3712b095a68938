/* HDF5 1.10 can crash, go round in circles or ask for any amount of memory on a damaged file (145 public ones end a
 * tool by signal 23 times): that is to end a child process, not the run. Everything about the file happens in the
 * child; the parent takes bytes from a pipe. A fork and not a new program: libraries and tests have no program to
 * start, and what is to be done is a function and its arguments. What is given up: the child has the rights of its
 * parent.
 *
 * The pipe carries frames, a head and its bytes: data as `work` sends it, and last the status. */
#include "base/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alive.h"
#include "base/clock.h"
#include "base/stop.h"

/* Seconds of processor time for any file, and bytes a second on top: a tenth of what unpacking and hashing reach. */
#define LEAST_SECONDS 10
#define BYTES_A_SECOND (8.0 * (1 << 20))
/* On the wall, where others use the machine and disks are slow. */
#define WALL_FACTOR 8
#define WALL_SECONDS 60

#define PIPE_BYTES (1 << 20)
#define MOST_FRAME ((size_t)1 << 30)

typedef enum frame_kind { FRAME_DATA = 1, FRAME_STATUS } frame_kind;

typedef struct frame {
    uint32_t kind, bytes;
} frame;

typedef struct kept_bytes kept_bytes;

struct dt_guard {
    const char *path;
    kept_bytes *kept; /* instead of a pipe, where `work` runs in this process */
    int pipe;
    bool stoppable;
    enum { TALKING, ENDED, SILENT, FOUL } state; /* ENDED: status has come; FOUL: what came were no frames */
    double seconds, left;                        /* of the processor; on the wall */
    size_t pending;                              /* bytes of the data frame in progress */
    dt_status status;                            /* the child's */
};

/* ---- in this process ---- */

static _Thread_local bool within_process;

bool dt_guard_within(bool within) {
    bool before = within_process;
    within_process = within;
    return before;
}

bool dt_guard_is_within(void) {
    return within_process;
}

/* What was sent, piece by piece: one is freed when all of it was taken. */
typedef struct kept_piece {
    struct kept_piece *next;
    size_t count, taken;
    char bytes[];
} kept_piece;

struct kept_bytes {
    kept_piece *first, *last;
};

static dt_status keep_bytes(kept_bytes *kept, const void *bytes, size_t count) {
    kept_piece *piece = malloc(sizeof *piece + count);
    if (!piece) return dt_fail_memory("what a file says", count);
    *piece = (kept_piece){.count = count};
    memcpy(piece->bytes, bytes, count);
    if (kept->last)
        kept->last->next = piece;
    else
        kept->first = piece;
    kept->last = piece;
    return dt_ok();
}

static void forget_first(kept_bytes *kept) {
    kept_piece *first = kept->first;
    kept->first = first->next;
    if (!kept->first) kept->last = NULL;
    free(first);
}

/* False where less was kept. */
static bool take_kept(kept_bytes *kept, char *to, size_t count) {
    while (count > 0 && kept->first) {
        kept_piece *first = kept->first;
        size_t piece = first->count - first->taken < count ? first->count - first->taken : count;
        memcpy(to, first->bytes + first->taken, piece);
        first->taken += piece;
        to += piece;
        count -= piece;
        if (first->taken == first->count) forget_first(kept);
    }
    return count == 0;
}

static dt_status run_within(const dt_guard_job *job) {
    kept_bytes kept = {0};
    dt_guard both = {.path = job->path, .kept = &kept};
    dt_status status = job->work(job->context, &both);
    if (status.code == DT_OK && job->take) status = job->take(job->context, &both);
    while (kept.first) forget_first(&kept);
    return status;
}

/* ---- bounds ---- */

static double cpu_seconds(const dt_guard_job *job) {
    struct stat info;
    if (job->seconds > 0) return job->seconds;
    size_t bytes = stat(job->path, &info) == 0 && info.st_size > 0 ? (size_t)info.st_size : 0;
    return LEAST_SECONDS + ((double)bytes + (double)job->file_bytes) / BYTES_A_SECOND;
}

/* ---- the child ---- */

static void lower_limit(int which, rlim_t value) {
    struct rlimit limit;
    if (getrlimit(which, &limit) != 0) return;
    if (value < limit.rlim_cur) limit.rlim_cur = value;
    setrlimit(which, &limit);
}

/* Of this process's address space. */
static size_t mapped_bytes(void) {
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file) return 0;
    if (fscanf(file, "%zu", &pages) != 1) pages = 0;
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

void dt_guard_allow(size_t bytes) {
    if (within_process) return;
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
    if (__builtin_add_overflow(limit.rlim_cur, bytes, &limit.rlim_cur) || limit.rlim_cur > limit.rlim_max)
        limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_AS, &limit);
}

static void limit_child(const dt_guard_job *job, pid_t parent) {
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU, SIGXFSZ, SIGPIPE, SIGALRM};
    static const int asked[] = {SIGINT, SIGTERM, SIGUSR1, SIGHUP}; /* the parent decides what they mean */
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) signal(crashes[i], SIG_DFL);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) signal(asked[i], SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    lower_limit(RLIMIT_CORE, 0);
    lower_limit(RLIMIT_FSIZE, job->file_bytes);
    lower_limit(RLIMIT_CPU, (rlim_t)cpu_seconds(job));
    size_t mapped = mapped_bytes();
    if (mapped > 0) lower_limit(RLIMIT_AS, mapped + (job->memory ? job->memory : DT_GUARD_MEMORY));
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) dup2(nowhere, STDERR_FILENO); /* for what the C library says of a broken heap */
}

static dt_status write_all(int file, const void *bytes, size_t count) {
    const char *at = bytes;
    while (count > 0) {
        ssize_t written = write(file, at, count);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return dt_fail(DT_ERR_IO, "the pipe to the parent process failed: %s", strerror(errno));
        at += written;
        count -= (size_t)written;
    }
    return dt_ok();
}

static dt_status send_frame(int file, frame_kind kind, const void *bytes, size_t count) {
    frame head = {kind, (uint32_t)count};
    DT_TRY(write_all(file, &head, sizeof head));
    return write_all(file, bytes, count);
}

dt_status dt_guard_send(dt_guard *to, const void *bytes, size_t count) {
    if (to->kept) return count > 0 ? keep_bytes(to->kept, bytes, count) : dt_ok();
    const char *at = bytes;
    for (size_t piece; count > 0; at += piece, count -= piece) {
        piece = count < MOST_FRAME ? count : MOST_FRAME;
        DT_TRY(send_frame(to->pipe, FRAME_DATA, at, piece));
    }
    return dt_ok();
}

static void work_in_child(const dt_guard_job *job, pid_t parent, int pipe) {
    limit_child(job, parent);
    dt_guard to = {.path = job->path, .pipe = pipe};
    dt_status status = job->work(job->context, &to);
    dt_status sent = send_frame(pipe, FRAME_STATUS, &status, sizeof status);
    _exit(sent.code == DT_OK ? 0 : 1);
}

/* ---- the parent ---- */

static bool is_stopped(const dt_guard *from) {
    return from->stoppable && dt_stop_requested;
}

/* Waits for bytes. Time in which this process did not run either (it was suspended) does not count. */
static bool await_bytes(dt_guard *from) {
    while (from->left > 0 && !is_stopped(from)) {
        double before = dt_clock_now();
        struct pollfd wanted = {.fd = from->pipe, .events = POLLIN};
        int ready = poll(&wanted, 1, 1000);
        double spent = dt_clock_now() - before;
        from->left -= spent < 2 ? spent : 2;
        dt_alive(); /* the child has bounds of its own */
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) return false;
    }
    return false;
}

static bool read_all(dt_guard *from, void *bytes, size_t count) {
    char *at = bytes;
    while (count > 0) {
        ssize_t got = await_bytes(from) ? read(from->pipe, at, count) : 0;
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            from->state = SILENT;
            return false;
        }
        at += got;
        count -= (size_t)got;
    }
    return true;
}

/* The head of the next data frame, or the status. */
static void next_frame(dt_guard *from) {
    frame head = {0, 0};
    if (!read_all(from, &head, sizeof head)) return;
    if (head.kind == FRAME_DATA && head.bytes <= MOST_FRAME) {
        from->pending = head.bytes;
    } else if (head.kind != FRAME_STATUS || head.bytes != sizeof from->status) {
        from->state = FOUL;
    } else if (read_all(from, &from->status, sizeof from->status)) {
        from->status.where[sizeof from->status.where - 1] = '\0';
        from->status.message[sizeof from->status.message - 1] = '\0';
        from->state = ENDED;
    }
}

static dt_status fail_early(const dt_guard *from) {
    if (from->state == ENDED && from->status.code != DT_OK) return from->status;
    return dt_fail(DT_ERR_CORRUPT, "%s: the process that read it said less than it should", from->path);
}

dt_status dt_guard_take(dt_guard *from, void *bytes, size_t count) {
    if (from->kept) return take_kept(from->kept, bytes, count) ? dt_ok() : fail_early(from);
    char *at = bytes;
    while (count > 0) {
        if (from->pending == 0) next_frame(from);
        if (from->state != TALKING) return fail_early(from);
        size_t piece = from->pending < count ? from->pending : count;
        if (!read_all(from, at, piece)) return fail_early(from);
        from->pending -= piece;
        at += piece;
        count -= piece;
    }
    return dt_ok();
}

/* How a child ended that did not say its status. */
static dt_status explain(const dt_guard *from, int ended) {
    const char *path = from->path;
    int number = WIFSIGNALED(ended) ? WTERMSIG(ended) : 0;
    if (from->left <= 0)
        return dt_fail(DT_ERR_CORRUPT, "%s: reading it took longer than its size allows: the file is damaged", path);
    if (number == SIGXCPU)
        return dt_fail(DT_ERR_CORRUPT, "%s: reading it took more than %.0f s of processor time: the file is damaged",
                       path, from->seconds);
    if (from->state == FOUL || number == 0)
        return dt_fail(DT_ERR_CORRUPT, "%s: the process that read it lost its mind: the file is damaged", path);
    if (number == SIGKILL)
        return dt_fail(DT_ERR_MEMORY,
                       "%s: the process that read it was killed, by the system for want of memory or by hand", path);
    return dt_fail(DT_ERR_CORRUPT, "%s: the process that read it ended with signal %d: the file is damaged", path,
                   number);
}

/* A child that is at its end by itself keeps the signal it died of. */
static dt_status take_from(const dt_guard_job *job, pid_t child, int pipe) {
    dt_guard from = {.path = job->path, .pipe = pipe, .seconds = cpu_seconds(job), .stoppable = job->stoppable};
    from.left = WALL_SECONDS + WALL_FACTOR * from.seconds;
    dt_status taken = job->take ? job->take(job->context, &from) : dt_ok();
    if (taken.code == DT_OK && from.state == TALKING && from.pending == 0) next_frame(&from);
    if (taken.code == DT_OK && from.pending > 0) from.state = FOUL;
    kill(child, SIGKILL);
    int ended = 0;
    while (waitpid(child, &ended, 0) < 0 && errno == EINTR) continue;
    if (from.state == ENDED && from.status.code != DT_OK) return from.status;
    if (from.state == SILENT && is_stopped(&from)) return dt_stop_status();
    return from.state == SILENT || from.state == FOUL ? explain(&from, ended) : taken;
}

dt_status dt_guard_run(const dt_guard_job *job) {
    if (within_process) return run_within(job);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return dt_fail(DT_ERR_IO, "%s: no pipe: %s", job->path, strerror(errno));
    fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        close(ends[0]);
        work_in_child(job, parent, ends[1]);
    }
    int reason = errno;
    close(ends[1]);
    dt_status status =
        child > 0 ? take_from(job, child, ends[0])
                  : dt_fail(DT_ERR_IO, "%s: no process could be started to read it: %s", job->path, strerror(reason));
    close(ends[0]);
    return status;
}
