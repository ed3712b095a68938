/* HDF5 1.10 can crash, go round in circles or ask for any amount of memory on a damaged file (145 public ones end a
 * tool by signal 23 times): that is to end a child process, not the run. Everything about the file happens in the
 * child; the parent takes bytes from a pipe. A fork and not a new program: libraries and tests have no program to
 * start, and what is to be done is a function and its arguments. What is given up: the child has the rights of its
 * parent.
 *
 * The child's side is guard_child.c; one that stays and answers questions is guard_server.c. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alive.h"
#include "base/clock.h"
#include "base/stop.h"
#include "guard_pipe.h"

/* Seconds of processor time for any file, and bytes a second on top: a tenth of what unpacking and hashing reach. */
#define LEAST_SECONDS 10
#define BYTES_A_SECOND (8.0 * (1 << 20))
/* On the wall, where others use the machine and disks are slow. */
#define WALL_FACTOR 8
#define WALL_SECONDS 60

#define PIPE_BYTES (1 << 20)

static double cpu_seconds(const dt_guard_job *job) {
    struct stat info;
    if (job->seconds > 0) return job->seconds;
    size_t bytes = stat(job->path, &info) == 0 && info.st_size > 0 ? (size_t)info.st_size : 0;
    return LEAST_SECONDS + ((double)bytes + (double)job->file_bytes) / BYTES_A_SECOND;
}

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
            from->state = DT_GUARD_SILENT;
            return false;
        }
        at += got;
        count -= (size_t)got;
    }
    return true;
}

/* The head of the next data frame, or the status. */
static void next_frame(dt_guard *from) {
    dt_frame head = {0, 0};
    if (!read_all(from, &head, sizeof head)) return;
    if (head.kind == DT_FRAME_DATA && head.bytes <= DT_GUARD_MOST_FRAME) {
        from->pending = head.bytes;
    } else if (head.kind != DT_FRAME_STATUS || head.bytes != sizeof from->status) {
        from->state = DT_GUARD_FOUL;
    } else if (read_all(from, &from->status, sizeof from->status)) {
        from->status.where[sizeof from->status.where - 1] = '\0';
        from->status.message[sizeof from->status.message - 1] = '\0';
        from->state = DT_GUARD_ENDED;
    }
}

static dt_status fail_early(const dt_guard *from) {
    if (from->state == DT_GUARD_ENDED && from->status.code != DT_OK) return from->status;
    return dt_fail(DT_ERR_CORRUPT, "%s: the process that read it said less than it should", from->path);
}

dt_status dt_guard_take(dt_guard *from, void *bytes, size_t count) {
    if (from->kept) return dt_guard_take_kept(from->kept, bytes, count) ? dt_ok() : fail_early(from);
    char *at = bytes;
    while (count > 0) {
        if (from->pending == 0) next_frame(from);
        if (from->state != DT_GUARD_TALKING) return fail_early(from);
        size_t piece = from->pending < count ? from->pending : count;
        if (!read_all(from, at, piece)) return fail_early(from);
        from->pending -= piece;
        at += piece;
        count -= piece;
    }
    return dt_ok();
}

/* How a child ended that did not say its status. */
dt_status dt_guard_explain(const dt_guard *from, int ended) {
    const char *path = from->path;
    int number = WIFSIGNALED(ended) ? WTERMSIG(ended) : 0;
    if (from->left <= 0)
        return dt_fail(DT_ERR_CORRUPT, "%s: reading it took longer than its size allows: the file is damaged", path);
    if (number == SIGXCPU)
        return dt_fail(DT_ERR_CORRUPT, "%s: reading it took more than %.0f s of processor time: the file is damaged",
                       path, from->seconds);
    if (from->state == DT_GUARD_FOUL || number == 0)
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
    if (taken.code == DT_OK && from.state == DT_GUARD_TALKING && from.pending == 0) next_frame(&from);
    if (taken.code == DT_OK && from.pending > 0) from.state = DT_GUARD_FOUL;
    kill(child, SIGKILL);
    int ended = 0;
    while (waitpid(child, &ended, 0) < 0 && errno == EINTR) continue;
    if (from.state == DT_GUARD_ENDED && from.status.code != DT_OK) return from.status;
    if (from.state == DT_GUARD_SILENT && is_stopped(&from)) return dt_stop_status();
    return from.state == DT_GUARD_SILENT || from.state == DT_GUARD_FOUL ? dt_guard_explain(&from, ended) : taken;
}

dt_status dt_guard_run(const dt_guard_job *job) {
    if (dt_guard_is_within()) return dt_guard_run_within(job);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return dt_fail(DT_ERR_IO, "%s: no pipe: %s", job->path, strerror(errno));
    fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        close(ends[0]);
        dt_guard_work(job, parent, ends[1], cpu_seconds(job));
    }
    int reason = errno;
    close(ends[1]);
    dt_status status =
        child > 0 ? take_from(job, child, ends[0])
                  : dt_fail(DT_ERR_IO, "%s: no process could be started to read it: %s", job->path, strerror(reason));
    close(ends[0]);
    return status;
}
