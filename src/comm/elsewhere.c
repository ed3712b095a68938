/* A machine that falls silent (frozen, its network gone) takes its own watchdog with it, and mpirun notices nothing: no
 * connection breaks. So the ranks of the others say where they wait, end, and see to it that the launcher ends too.
 * That is done by a process that outlives them, by a handle of the launcher, whose number may be another's by then. */
#include "elsewhere.h"

#include <fcntl.h>
#include <mpi.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"
#include "comm_internal.h"

/* One line of the list: ranks [first, last] are on `host`, others between them may be too. */
static size_t put_machine(char *out, size_t size, const char *host, int first, int last) {
    const char *comma = *out ? ", " : "";
    size_t used = strlen(out);
    if (size - used < strlen(host) + 48) return used;
    if (first == last)
        snprintf(out + used, size - used, "%s%s (rank %d)", comma, host, first);
    else
        snprintf(out + used, size - used, "%s%s (ranks %d to %d)", comma, host, first, last);
    return strlen(out);
}

static void list_machines(char *out, size_t size, const char *hosts, const uint64_t *leaders, const dt_comm *comm) {
    int ranks = dt_comm_size(comm);
    for (int first = 0; first < ranks; first++) {
        if (leaders[first] != (uint64_t)first || leaders[first] == leaders[dt_comm_rank(comm)]) continue;
        int last = first;
        for (int i = first; i < ranks; i++)
            if (leaders[i] == leaders[first]) last = i;
        put_machine(out, size, hosts + (size_t)first * MPI_MAX_PROCESSOR_NAME, first, last);
    }
}

dt_status dt_elsewhere_describe(char *out, size_t size, dt_comm *comm) {
    size_t ranks = (size_t)dt_comm_size(comm), name = MPI_MAX_PROCESSOR_NAME;
    *out = '\0';
    if (!dt_comm_any(comm, dt_comm_node_size(comm) < dt_comm_size(comm))) return dt_ok();
    char *hosts = dt_alloc(ranks, name);
    uint64_t *leaders = dt_alloc(ranks, sizeof *leaders), leader = (uint64_t)dt_comm_rank(comm);
    dt_status status =
        dt_comm_agree(comm, hosts && leaders ? dt_ok() : dt_fail_memory("the list of hosts", ranks * name));
    if (status.code == DT_OK) status = dt_comm_node_broadcast(comm, &leader, sizeof leader);
    if (status.code == DT_OK) status = dt_comm_gather_u64(comm, leader, leaders);
    char own[MPI_MAX_PROCESSOR_NAME] = "";
    snprintf(own, sizeof own, "%s", dt_comm_host(comm));
    if (status.code == DT_OK)
        status = dt_comm_check(MPI_Allgather(own, (int)name, MPI_CHAR, hosts, (int)name, MPI_CHAR, dt_comm_mpi(comm)),
                               "MPI_Allgather");
    if (status.code == DT_OK) list_machines(out, size, hosts, leaders, comm);
    dt_free(hosts);
    dt_free(leaders);
    return status;
}

/* Others (slurmstepd, a shell) have children that are not ours. */
static bool is_mpirun(pid_t pid) {
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/%ld/comm", (long)pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    ssize_t length = read(file, name, sizeof name - 1);
    close(file);
    name[length > 0 ? length - 1 : 0] = '\0';
    return strcmp(name, "mpirun") == 0 || strcmp(name, "mpiexec") == 0 || strcmp(name, "orterun") == 0;
}

void dt_elsewhere_end_launcher(pid_t launcher, int seconds) {
    int handle = launcher > 0 && is_mpirun(launcher) ? (int)syscall(SYS_pidfd_open, launcher, 0) : -1;
    if (handle < 0) return;
    if (fork() != 0) {
        close(handle);
        return;
    }
    /* A child of a process with threads: only what may be called in a signal handler. The launcher waits for the end of
     * output, too. */
    setsid();
    for (int file = 0; file < 1024; file++)
        if (file != handle) close(file);
    struct pollfd end = {.fd = handle, .events = POLLIN};
    /* Not SIGTERM: mpirun 4.1.4 has heard of the ranks' end, and crashes on being told again, with a trace of its own.
     */
    if (poll(&end, 1, 1000 * seconds) == 0) syscall(SYS_pidfd_send_signal, handle, SIGKILL, NULL, 0);
    _exit(0);
}
