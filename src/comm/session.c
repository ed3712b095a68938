/* A process among the ranks, from MPI_Init to MPI_Finalize. Both wait for every rank, and no watchdog looks on yet, or
 * any more: a timer does (launch.c). Between them the watchdog has the world. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alive.h"
#include "base/memory.h"
#include "base/process.h"
#include "comm/watchdog.h"
#include "comm_internal.h"

#define LAUNCH_SECONDS 300
#define END_SECONDS 60

/* What the world has, and other communicators have not. */
struct dt_comm_session {
    dt_watchdog *watchdog;
    bool owns_mpi;
};

static unsigned launch_seconds(void) {
    const char *text = getenv("DTRAIN_LAUNCH_TIMEOUT");
    long seconds = text ? strtol(text, NULL, 10) : 0;
    return seconds > 0 && seconds < 1000000 ? (unsigned)seconds : LAUNCH_SECONDS;
}

/* A signal in the middle of the launcher's handshake would break it; it waits until MPI is up. */
static int init_undisturbed(int *argc, char ***argv) {
    sigset_t ours, before;
    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &ours, &before);
    dt_launch_timer_begin(launch_seconds());
    int provided;
    int code = MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided);
    dt_help_texts_own();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

dt_watchdog *dt_comm_watchdog(const dt_comm *comm) {
    const dt_comm_session *session = dt_comm_session_of(comm);
    return session ? session->watchdog : NULL;
}

void dt_comm_library(char *out, size_t size) {
    char library[MPI_MAX_LIBRARY_VERSION_STRING];
    int length, standard, minor;
    MPI_Get_library_version(library, &length);
    MPI_Get_version(&standard, &minor);
    for (char *at = library; (at = strpbrk(at, "\n\t")) != NULL;) *at = ' ';
    while (*library && library[strlen(library) - 1] == ' ') library[strlen(library) - 1] = '\0';
    snprintf(out, size, "%s, standard %d.%d", library, standard, minor);
}

/* An mpirun of another MPI starts as many jobs of one rank as there should be ranks in one. */
static dt_status check_launcher(const dt_comm *comm) {
    long ranks = dt_process_ranks();
    if (dt_comm_size(comm) > 1 || ranks <= 1) return dt_ok();
    char library[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(library, &length);
    library[strcspn(library, ",\n")] = '\0';
    return dt_fail(DT_ERR_INPUT,
                   "the launcher started %ld ranks, but they cannot see each other: it is another MPI's than dtrain "
                   "was built with (%s); start ranks with that one's mpirun",
                   ranks, library);
}

static dt_status open_world(dt_comm **out, bool owns_mpi) {
    DT_TRY(dt_comm_create(out, MPI_COMM_WORLD));
    if (owns_mpi) DT_TRY(check_launcher(*out));
    dt_comm_session *session = dt_alloc(1, sizeof *session);
    DT_TRY(dt_comm_agree(*out, session ? dt_ok() : dt_fail_memory("the ranks", sizeof *session)));
    session->owns_mpi = owns_mpi;
    dt_comm_attach(*out, session);
    return dt_watchdog_open(&session->watchdog, *out, launch_seconds());
}

dt_status dt_comm_open(dt_comm **out, int *argc, char ***argv) {
    *out = NULL;
    int running = 0;
    MPI_Initialized(&running);
    if (!running) DT_TRY(dt_comm_check(init_undisturbed(argc, argv), "MPI_Init_thread"));
    dt_status status = open_world(out, !running);
    dt_launch_timer_end();
    return status;
}

void dt_comm_close(dt_comm *comm) {
    dt_comm_session *session = comm ? dt_comm_session_of(comm) : NULL;
    bool ends = session && session->owns_mpi;
    if (ends) dt_launch_timer_begin(END_SECONDS);
    if (session) dt_watchdog_close(session->watchdog);
    dt_free(session);
    dt_comm_destroy(comm);
    if (!ends) return;
    MPI_Finalize();
    dt_launch_timer_end();
}

void dt_comm_leave(dt_comm *comm, int exit_code) {
    dt_launch_timer_begin(END_SECONDS);
    dt_comm_barrier(comm);
    _exit(exit_code);
}

void dt_comm_abort(dt_comm *comm, int exit_code) {
    dt_alive_last_words(); /* the caller has said them */
    MPI_Abort(comm ? dt_comm_mpi(comm) : MPI_COMM_WORLD, exit_code);
    _exit(exit_code);
}
