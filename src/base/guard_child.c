/* The child's side of guard.h: its bounds, and what it hears and says. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "guard_pipe.h"

/* ---- bounds ---- */

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
    if (dt_guard_is_within()) return;
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
    if (__builtin_add_overflow(limit.rlim_cur, bytes, &limit.rlim_cur) || limit.rlim_cur > limit.rlim_max)
        limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_AS, &limit);
}

static void limit_child(const dt_guard_job *job, pid_t parent, double seconds) {
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU, SIGXFSZ, SIGPIPE, SIGALRM};
    static const int asked[] = {SIGINT, SIGTERM, SIGUSR1, SIGHUP}; /* the parent decides what they mean */
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) signal(crashes[i], SIG_DFL);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) signal(asked[i], SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    lower_limit(RLIMIT_CORE, 0);
    lower_limit(RLIMIT_FSIZE, job->file_bytes);
    if (seconds > 0) lower_limit(RLIMIT_CPU, (rlim_t)seconds);
    size_t mapped = mapped_bytes();
    if (mapped > 0) lower_limit(RLIMIT_AS, mapped + (job->memory ? job->memory : DT_GUARD_MEMORY));
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) dup2(nowhere, STDERR_FILENO); /* for what the C library says of a broken heap */
}

/* ---- words ---- */

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

static dt_status send_frame(int file, dt_frame_kind kind, const void *bytes, size_t count) {
    dt_frame head = {kind, (uint32_t)count};
    DT_TRY(write_all(file, &head, sizeof head));
    return write_all(file, bytes, count);
}

dt_status dt_guard_send(dt_guard *to, const void *bytes, size_t count) {
    if (to->kept) return count > 0 ? dt_guard_keep(to->kept, bytes, count) : dt_ok();
    const char *at = bytes;
    for (size_t piece; count > 0; at += piece, count -= piece) {
        piece = count < DT_GUARD_MOST_FRAME ? count : DT_GUARD_MOST_FRAME;
        DT_TRY(send_frame(to->pipe, DT_FRAME_DATA, at, piece));
    }
    return dt_ok();
}

bool dt_guard_receive(dt_guard *from, void *question, size_t bytes) {
    char *at = question;
    while (bytes > 0) {
        ssize_t got = read(from->pipe, at, bytes);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        at += got;
        bytes -= (size_t)got;
    }
    return true;
}

_Noreturn void dt_guard_work(const dt_guard_job *job, pid_t parent, int pipe, double seconds) {
    limit_child(job, parent, seconds);
    dt_guard to = {.path = job->path, .pipe = pipe};
    dt_status status = job->work(job->context, &to);
    dt_status sent = send_frame(pipe, DT_FRAME_STATUS, &status, sizeof status);
    _exit(sent.code == DT_OK ? 0 : 1);
}
