/* The guard of MPI_Init and MPI_Finalize, which wait for every rank while no watchdog looks on yet, or any more. It
 * counts seconds in which it ran, so a job that is suspended meanwhile is none the worse. */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/process.h"
#include "comm_internal.h"

static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool running;
static unsigned left; /* seconds; 0: nothing is guarded */
static pid_t launcher;

/* mpirun may itself be stuck when a rank ends in the middle of MPI_Init; it hears a signal, but then forwards no more
 * text. */
static void too_long(void) {
    static const char text[] =
        "dtrain: the ranks did not all start, or did not all end; a rank or a machine is stuck\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    if (launcher != 0 && getppid() == launcher) {
        sleep(1);
        kill(launcher, SIGTERM);
    }
    _exit(1);
}

static void *count_down(void *unused) {
    (void)unused;
    pthread_mutex_lock(&lock);
    while (left > 0) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        if (pthread_cond_timedwait(&changed, &lock, &until) == 0 || left == 0) continue;
        if (launcher != 0 && getppid() != launcher) _exit(1); /* nobody is left to end this rank */
        if (--left == 0) too_long();
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

void dt_launch_timer_begin(unsigned seconds) {
    dt_launch_timer_end();
    if (launcher == 0) launcher = (pid_t)dt_process_launcher();
    left = seconds;
    running = pthread_create(&thread, NULL, count_down, NULL) == 0;
}

void dt_launch_timer_end(void) {
    if (!running) return;
    pthread_mutex_lock(&lock);
    left = 0;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    running = false;
}
