/* The lock file is made with link(2), which is atomic on NFS too, so it appears with its contents. Heartbeats are a
 * number at its end, written in place between open and close: closing is what makes a network file system show it to
 * others, and opening what makes them look. */
#include "lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

#define BEAT_DIGITS 10    /* of the count at the end of the file, before its newline */
#define MOST_SECONDS 3600 /* a lock of somebody else's is not believed more */

static const char *job_id(void) {
    static const char *const names[] = {"SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *job = getenv(names[i]); // NOLINT(concurrency-mt-unsafe)
        if (job && *job) return job;
    }
    return "-";
}

/* The lock is read word by word. */
static void make_word(char *text) {
    for (char *c = text; (c = strpbrk(c, " \t\n\v\f\r")) != NULL;) *c = '_';
}

dt_status dt_lock_describe_myself(dt_lock_owner *me, double seconds) {
    memset(me, 0, sizeof *me);
    gethostname(me->host, sizeof me->host - 1);
    snprintf(me->job, sizeof me->job, "%s", job_id());
    make_word(me->host);
    make_word(me->job);
    if (!me->host[0]) me->host[0] = '-';
    dt_clock_utc(me->since);
    me->process = dt_process_self();
    me->seconds = seconds;
    if (getrandom(&me->token, sizeof me->token, 0) == (ssize_t)sizeof me->token) return dt_ok();
    return dt_fail(DT_ERR_IO, "no random number for a lock: %s", strerror(errno));
}

static int print_owner(char *text, size_t size, const dt_lock_owner *o) {
    return snprintf(text, size,
                    "dtrain lock host %s pid %ld started %llu boot %s space %llu job %s since %s lease %.3f token "
                    "%016" PRIx64 " beat %0*" PRIu64 "\n",
                    o->host, o->process.pid, o->process.started, o->process.boot, o->process.space, o->job, o->since,
                    o->seconds, o->token, BEAT_DIGITS, o->beat);
}

/* The owner in an open file, and where the count of its heartbeats stands. */
static bool read_open(int fd, dt_lock_owner *o, off_t *beat_at) {
    char text[1024];
    memset(o, 0, sizeof *o);
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    if (got < BEAT_DIGITS + 1) return false;
    text[got] = '\0';
    *beat_at = (off_t)got - BEAT_DIGITS - 1;
    int fields =
        sscanf(text,
               "dtrain lock host %255s pid %ld started %llu boot %39s space %llu job %63s since %31s lease %lf "
               "token %" SCNx64 " beat %" SCNu64,
               o->host, &o->process.pid, &o->process.started, o->process.boot, &o->process.space, o->job, o->since,
               &o->seconds, &o->token, &o->beat);
    if (fields != 10 || !(o->seconds > 0)) return false;
    if (o->seconds > MOST_SECONDS) o->seconds = MOST_SECONDS;
    return true;
}

dt_lock_reading dt_lock_read(const char *file, dt_lock_owner *o) {
    int fd = open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    off_t beat_at;
    if (fd < 0) return errno == ENOENT ? DT_LOCK_ABSENT : DT_LOCK_UNREADABLE;
    bool whole = read_open(fd, o, &beat_at);
    close(fd);
    return whole ? DT_LOCK_READ : DT_LOCK_UNREADABLE;
}

dt_lock_reading dt_lock_count_up(const char *file, dt_lock_owner *me, bool *written) {
    dt_lock_owner found;
    char digits[BEAT_DIGITS + 1];
    off_t beat_at;
    int fd = open(file, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    *written = false;
    if (fd < 0) return errno == ENOENT ? DT_LOCK_ABSENT : DT_LOCK_UNREADABLE;
    dt_lock_reading seen = read_open(fd, &found, &beat_at) ? DT_LOCK_READ : DT_LOCK_UNREADABLE;
    bool ours = seen == DT_LOCK_READ && found.token == me->token;
    if (ours) {
        snprintf(digits, sizeof digits, "%0*" PRIu64, BEAT_DIGITS, ++me->beat % 10000000000U);
        *written = pwrite(fd, digits, BEAT_DIGITS, beat_at) == BEAT_DIGITS;
    }
    if (close(fd) != 0) *written = false;
    return seen == DT_LOCK_READ && !ours ? DT_LOCK_ABSENT : seen;
}

dt_status dt_lock_make(const char *file, const dt_lock_owner *me, bool *made) {
    char own[4096 + 320], text[1024];
    int fd, length = print_owner(text, sizeof text, me);
    snprintf(own, sizeof own, "%s.%016" PRIx64, file, me->token);
    DT_TRY(dt_file_create(own, &fd));
    bool written = write(fd, text, (size_t)length) == length;
    int reason = errno;
    if (close(fd) != 0 && written) {
        written = false;
        reason = errno;
    }
    *made = written && link(own, file) == 0;
    if (written) reason = *made ? 0 : errno;
    unlink(own);
    return *made || reason == EEXIST ? dt_ok() : dt_fail(DT_ERR_IO, "%s: %s", file, strerror(reason));
}
