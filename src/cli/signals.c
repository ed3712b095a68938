/* Signals. Handlers run on a stack of their own: generated code of a library may use memory further below the stack
 * pointer than the 128 bytes a signal leaves alone (oneDNN 2.6 did), and a frame put there corrupts what it writes. */
#include "signals.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alive.h"
#include "base/mapped.h"
#include "base/stop.h"

/* The first signal asks for a checkpoint and a stop; one that comes later than half a second ends the process at once.
 * (Launchers and schedulers often deliver the same signal twice in a row: to the process, and through mpirun.) */
static void on_stop(int number) {
    static volatile sig_atomic_t asked;
    static struct timespec first;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (asked && (double)(now.tv_sec - first.tv_sec) + 1e-9 * (double)(now.tv_nsec - first.tv_nsec) > 0.5)
        _exit(128 + number);
    if (!asked) first = now;
    asked = 1;
    dt_stop_requested = DT_STOP_SIGNAL;
}

static struct sigaction before; /* what a bus error elsewhere is left to */

static void say(const char *file) {
    static const char *const parts[] = {"dtrain: ", NULL,
                                        ": it became shorter, or its disk failed, while it was in use; start the same "
                                        "command again when it is whole\n"};
    char line[1024];
    size_t used = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *part = parts[i] ? parts[i] : file;
        size_t length = strlen(part);
        if (length > sizeof line - used) length = sizeof line - used;
        memcpy(line + used, part, length); // NOLINT(bugprone-not-null-terminated-result): its end is `used`
        used += length;
    }
    ssize_t ignored = write(STDERR_FILENO, line, used);
    (void)ignored;
}

/* All ranks of a machine find the same file too short: one of them says so. */
static void on_bus_error(int number, siginfo_t *about, void *context) {
    (void)context;
    const char *file = dt_mapped_file(about->si_addr);
    if (!file) {
        sigaction(number, &before, NULL); /* the instruction is tried again */
        return;
    }
    if (dt_alive_last_words()) say(file);
    _exit(1);
}

static void use_own_stack(void) {
    static char memory[1 << 16];
    stack_t stack;
    memset(&stack, 0, sizeof stack);
    stack.ss_sp = memory;
    stack.ss_size = sizeof memory;
    sigaltstack(&stack, NULL);
}

void dt_signals_begin(void) {
    signal(SIGXFSZ, SIG_IGN);
}

void dt_signals_catch(void) {
    static bool caught;
    use_own_stack();
    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = on_stop;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    if (caught) sigaction(SIGBUS, &action, &before);
    caught = true;
}
