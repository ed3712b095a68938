/* The identity of processes, by what Linux says in /proc. A pid means something in one PID namespace of one boot of one
 * machine: two containers may have one host name, and a host name may be another machine's tomorrow. Of namespaces the
 * kernel reuses an inode only when the old one has no process left, so equal inodes within a boot are safe to compare.
 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* When a process was started; 0 when /proc does not say. *zombie: it has ended, and nobody has waited for it. */
static unsigned long long start_time(long pid, bool *zombie) {
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "re");
    *zombie = false;
    if (!file) return 0;
    char *got = fgets(line, sizeof line, file);
    fclose(file);
    char *field = got ? strrchr(line, ')') : NULL; /* the name before it may hold anything */
    if (!field || strlen(field) < 3) return 0;
    *zombie = strchr("ZXx", field[2]) != NULL;
    for (int i = 2; field && i < 22; i++) field = strchr(field + 1, ' ');
    return field ? strtoull(field, NULL, 10) : 0;
}

/* Whether /proc counts processes as getpid does: one that was mounted in another namespace does not. */
static bool proc_is_ours(void) {
    char text[32];
    ssize_t length = readlink("/proc/self", text, sizeof text - 1);
    if (length <= 0) return false;
    text[length] = '\0';
    return strtol(text, NULL, 10) == (long)getpid();
}

dt_process dt_process_self(void) {
    dt_process me;
    bool zombie;
    memset(&me, 0, sizeof me);
    me.boot[0] = '-';
    me.pid = getpid();
    me.started = proc_is_ours() ? start_time(me.pid, &zombie) : 0;
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file && fscanf(file, "%39s", me.boot) != 1) snprintf(me.boot, sizeof me.boot, "-");
    if (file) fclose(file);
    char link[64];
    ssize_t length = readlink("/proc/self/ns/pid", link, sizeof link - 1);
    if (length <= 0) return me;
    link[length] = '\0';
    if (sscanf(link, "pid:[%llu]", &me.space) != 1) me.space = 0;
    return me;
}

dt_fate dt_process_fate(const dt_process *process) {
    dt_process me = dt_process_self();
    bool here = strcmp(me.boot, "-") != 0 && strcmp(me.boot, process->boot) == 0 && me.space != 0 &&
                me.space == process->space && process->pid > 0;
    if (!here) return DT_FATE_UNKNOWN;
    if (kill((pid_t)process->pid, 0) != 0 && errno == ESRCH) return DT_FATE_GONE;
    bool zombie;
    unsigned long long started = proc_is_ours() ? start_time(process->pid, &zombie) : 0;
    if (started == 0 || process->started == 0) return DT_FATE_UNKNOWN;
    return zombie || started != process->started ? DT_FATE_GONE : DT_FATE_LIVES;
}

/* Open MPI's and MPICH's launchers tell each rank how many there are. Slurm's srun has PMI_SIZE too: it is no parent a
 * rank could end. */
long dt_process_ranks(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = getenv(names[i]); // NOLINT(concurrency-mt-unsafe)
        if (text) return strtol(text, NULL, 10);
    }
    return 0;
}

long dt_process_launcher(void) {
    bool srun = getenv("SLURM_STEP_ID") && !getenv("OMPI_COMM_WORLD_SIZE"); // NOLINT(concurrency-mt-unsafe)
    return dt_process_ranks() > 0 && !srun ? getppid() : 0;
}

static int columns_of(int fd) {
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* Open MPI gives ranks a pseudo-terminal whatever mpirun's own output is, and for errors a pipe, so the launcher is
 * asked what it writes to. */
bool dt_process_terminal(int fd, int *columns) {
    const long launcher = dt_process_launcher();
    if (columns) *columns = 0;
    if (!isatty(fd) && (launcher == 0 || fd != STDERR_FILENO)) return false;
    if (launcher == 0) {
        if (columns) *columns = columns_of(fd);
        return true;
    }
    char path[64], target[256];
    snprintf(path, sizeof path, "/proc/%ld/fd/%d", launcher, fd);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length <= 0) return false;
    target[length] = '\0';
    if (strncmp(target, "/dev/pts/", 9) != 0 && strncmp(target, "/dev/tty", 8) != 0) return false;
    int terminal = columns ? open(target, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) : -1;
    if (terminal >= 0) {
        *columns = columns_of(terminal);
        close(terminal);
    }
    return true;
}
