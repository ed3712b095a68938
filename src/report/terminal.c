/* Signals are blocked but while the terminal is waited for, so none is missed and no system call is cut short. */
#include "terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* xterm's alternate screen and cursor, which all of today's terminals know. */
#define ENTER "\033[?1049h\033[?25l\033[H\033[2J"
#define LEAVE "\033[?25h\033[?1049l"

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP};
enum { SIGNALS = sizeof signals / sizeof *signals };

static struct {
    struct termios settings;
    bool keys; /* standard input is a terminal, whose settings are ours */
    sigset_t mask;
    struct sigaction before[SIGNALS];
} at_first;
static volatile sig_atomic_t ended, resized, stopped;

static void on_signal(int number) {
    if (number == SIGWINCH)
        resized = 1;
    else if (number == SIGTSTP)
        stopped = 1;
    else
        ended = number;
}

static int environment_number(const char *name, int otherwise) {
    const char *text = getenv(name); // NOLINT(concurrency-mt-unsafe)
    long value = text ? strtol(text, NULL, 10) : 0;
    return value > 0 && value < 10000 ? (int)value : otherwise;
}

void dt_terminal_size(int *columns, int *lines) {
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    *columns = known && size.ws_col > 0 ? size.ws_col : environment_number("COLUMNS", 80);
    *lines = known && size.ws_row > 0 ? size.ws_row : environment_number("LINES", 24);
}

static void put(const char *text, size_t length) {
    while (length > 0) {
        ssize_t written = write(STDOUT_FILENO, text, length);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) { /* it is gone */
            ended = SIGHUP;
            return;
        }
        text += written;
        length -= (size_t)written;
    }
}

static void enter(void) {
    if (at_first.keys) {
        struct termios plain = at_first.settings;
        plain.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
        plain.c_cc[VMIN] = 1;
        plain.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSADRAIN, &plain);
    }
    put(ENTER, sizeof ENTER - 1);
}

static void leave(void) {
    put(LEAVE, sizeof LEAVE - 1);
    if (at_first.keys) tcsetattr(STDIN_FILENO, TCSAFLUSH, &at_first.settings);
}

dt_status dt_terminal_open(void) {
    sigset_t ours;
    sigemptyset(&ours);
    at_first.keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &at_first.settings) == 0;
    for (int i = 0; i < SIGNALS; i++) sigaddset(&ours, signals[i]);
    if (sigprocmask(SIG_BLOCK, &ours, &at_first.mask) != 0)
        return dt_fail(DT_ERR_IO, "signals cannot be blocked: %s", strerror(errno));
    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = on_signal;
    for (int i = 0; i < SIGNALS; i++) sigaction(signals[i], &action, &at_first.before[i]);
    enter();
    return dt_ok();
}

void dt_terminal_show(const char *text) {
    char *page = NULL;
    size_t length;
    FILE *to = open_memstream(&page, &length);
    if (!to) return;
    fputs("\033[H", to);
    for (const char *end; *text; text = *end ? end + 1 : end) {
        end = strchrnul(text, '\n');
        fprintf(to, "%.*s\033[K", (int)(end - text), text);
        if (end[0] && end[1]) fputc('\n', to);
    }
    fputs("\033[J", to);
    if (fclose(to) == 0) put(page, length);
    free(page);
}

/* As another program would be stopped: with the terminal as it was. */
static void stop(void) {
    stopped = 0;
    leave();
    raise(SIGSTOP);
    enter();
}

dt_terminal_event dt_terminal_wait(double seconds, char *key) {
    struct pollfd input = {.fd = at_first.keys ? STDIN_FILENO : -1, .events = POLLIN};
    struct timespec limit = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    sigset_t waiting = at_first.mask;
    for (int i = 0; i < SIGNALS; i++) sigdelset(&waiting, signals[i]);
    int ready = ended || resized || stopped ? 0 : ppoll(&input, 1, &limit, &waiting);
    if (stopped) {
        stop();
        return DT_TERMINAL_CHANGED;
    }
    if (ended) return DT_TERMINAL_END;
    if (resized) {
        resized = 0;
        return DT_TERMINAL_CHANGED;
    }
    if (ready <= 0) return DT_TERMINAL_TIME;
    return read(STDIN_FILENO, key, 1) == 1 ? DT_TERMINAL_KEY : DT_TERMINAL_END;
}

int dt_terminal_close(void) {
    leave();
    for (int i = 0; i < SIGNALS; i++) sigaction(signals[i], &at_first.before[i], NULL);
    sigprocmask(SIG_SETMASK, &at_first.mask, NULL);
    return ended;
}
