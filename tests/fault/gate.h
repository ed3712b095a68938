/* A gate, by which a test holds a program at a call of its choice for as long as it looks at it. A file is the gate:
 * while it is there, who comes waits, and says so by another, FILE.reached. It goes on when the file is gone, or a
 * signal has come. */
#ifndef DTRAIN_TESTS_GATE_H
#define DTRAIN_TESTS_GATE_H

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* By system calls of its own, for those of the C library may be what is held. */
static inline void wait_at_gate(const char *file) {
    char reached[PATH_MAX];
    sigset_t all, before;
    snprintf(reached, sizeof reached, "%s.reached", file);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before); /* a signal that comes between two looks is noticed by ppoll */
    int fd = (int)syscall(SYS_openat, AT_FDCWD, reached, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd >= 0) syscall(SYS_close, fd);
    while (syscall(SYS_faccessat, AT_FDCWD, file, F_OK) == 0)
        if (ppoll(NULL, 0, &(struct timespec){0, 2000000}, &before) < 0) break;
    sigprocmask(SIG_SETMASK, &before, NULL);
}

#endif
