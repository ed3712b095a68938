/* Teams. Shared memory is a window of MPI's: it is gone with the job, however that ends. Meeting is a row of counters,
 * one a rank and cache line: each rank raises its own and waits until no other is behind. */
#include "dtrain/team.h"

#include <assert.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#ifdef __x86_64__
#    include <immintrin.h>
#endif

#include "comm_internal.h"
#include "dtrain/memory.h"

#define MAX_WINDOWS 32
#define PAGE ((size_t)4096)
/* The update walks several arrays side by side. Each begins elsewhere in its page: at the same distance from a page's
 * start they would get in one another's way in the first-level cache (measured: 5 of 34 us in Adam on 100 000 weights).
 */
#define STAGGER ((size_t)576)
#define SPINS 4000 /* some 50 us */

typedef struct seat {
    _Atomic uint32_t turn;
    char padding[DT_ALIGNMENT - sizeof(uint32_t)];
} seat;

struct dt_team {
    dt_comm *comm;
    MPI_Comm local;  /* the team */
    MPI_Comm across; /* the ranks with this one's number in all teams; MPI_COMM_NULL where there is no such */
    int rank, size, count, owners;
    int spins;
    seat *seats;
    uint32_t turn;
    MPI_Win windows[MAX_WINDOWS];
    void *memory[MAX_WINDOWS];
    int window_count;
};

static void relax(void) {
#ifdef __x86_64__
    _mm_pause();
#endif
}

static int cores(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

/* Collective. Who is in which team. */
static dt_status split(dt_team *team, int64_t most) {
    MPI_Comm world = dt_comm_mpi(team->comm);
    int node_rank = dt_comm_node_rank(team->comm), rank = dt_comm_rank(team->comm);
    int color = most > 0 ? (int)(node_rank / most) : 0;
    DT_TRY(dt_comm_check(MPI_Comm_split(dt_comm_node_mpi(team->comm), color, rank, &team->local), "MPI_Comm_split"));
    MPI_Comm_set_errhandler(team->local, MPI_ERRORS_RETURN);
    MPI_Comm_rank(team->local, &team->rank);
    MPI_Comm_size(team->local, &team->size);
    int least = team->size, leads = team->rank == 0;
    DT_TRY(dt_comm_check(MPI_Allreduce(&least, &team->owners, 1, MPI_INT, MPI_MIN, world), "MPI_Allreduce"));
    DT_TRY(dt_comm_check(MPI_Allreduce(&leads, &team->count, 1, MPI_INT, MPI_SUM, world), "MPI_Allreduce"));
    color = team->rank < team->owners ? team->rank : MPI_UNDEFINED;
    DT_TRY(dt_comm_check(MPI_Comm_split(world, color, rank, &team->across), "MPI_Comm_split"));
    if (team->across != MPI_COMM_NULL) MPI_Comm_set_errhandler(team->across, MPI_ERRORS_RETURN);
    return dt_ok();
}

dt_status dt_team_open(dt_team **out, dt_comm *comm, int64_t most) {
    *out = NULL;
    dt_team *team = dt_alloc(1, sizeof *team);
    DT_TRY(dt_comm_agree(comm, team ? dt_ok() : dt_fail_memory("the team", sizeof *team)));
    team->comm = comm;
    team->local = team->across = MPI_COMM_NULL;
    dt_status status = split(team, most);
    if (status.code == DT_OK) team->seats = dt_team_alloc(team, (size_t)team->size, sizeof(seat), &status);
    if (status.code != DT_OK) {
        dt_team_close(team);
        return status;
    }
    /* Ranks may be bound, each to its own core: then a core is free for each. */
    int free_cores = cores();
    team->spins = dt_comm_node_size(comm) <= free_cores || free_cores == 1 ? SPINS : 0;
    *out = team;
    return dt_ok();
}

void dt_team_close(dt_team *team) {
    if (!team) return;
    for (int i = 0; i < team->window_count; i++) {
        if (team->windows[i] != MPI_WIN_NULL)
            MPI_Win_free(&team->windows[i]);
        else
            dt_free(team->memory[i]);
    }
    if (team->across != MPI_COMM_NULL) MPI_Comm_free(&team->across);
    if (team->local != MPI_COMM_NULL) MPI_Comm_free(&team->local);
    dt_free(team);
}

int dt_team_rank(const dt_team *team) {
    return team->rank;
}
int dt_team_size(const dt_team *team) {
    return team->size;
}
int dt_team_count(const dt_team *team) {
    return team->count;
}
int dt_team_owners(const dt_team *team) {
    return team->owners;
}
dt_comm *dt_team_comm(const dt_team *team) {
    return team->comm;
}
MPI_Comm dt_team_across_mpi(const dt_team *team) {
    return team->across;
}

/* What Open MPI keeps beside a window, and more. */
#define WINDOW_SLACK ((size_t)1 << 20)

/* Whether the teams of this machine find room for a window each. Open MPI looks too, but only where it makes the file,
 * and leaves the other ranks waiting for it for ever. */
static dt_status check_room(const dt_team *team, size_t bytes) {
    const char *asked = getenv("OMPI_MCA_osc_sm_backing_directory"), *directory = asked ? asked : "/dev/shm";
    struct statvfs about;
    if (team->rank != 0 || statvfs(directory, &about) != 0) return dt_ok();
    int teams = (dt_comm_node_size(team->comm) + team->size - 1) / team->size;
    double room = (double)about.f_bavail * (double)about.f_frsize, wanted = (double)(bytes + WINDOW_SLACK) * teams;
    if (room >= wanted) return dt_ok();
    return dt_fail(DT_ERR_MEMORY,
                   "%.1f MB of shared memory for the ranks of this machine are not to be had: %s has room for %.1f MB; "
                   "make it larger, or use reduce.path=flat, where each rank has memory of its own",
                   wanted / 1e6, directory, room / 1e6);
}

/* Collective over the team. */
static dt_status alloc_window(dt_team *team, size_t bytes, MPI_Win *window, void **memory) {
    MPI_Aint wanted = team->rank == 0 ? (MPI_Aint)(bytes + 2 * PAGE) : 0;
    int unit = 1;
    dt_status status = dt_comm_check(MPI_Win_allocate_shared(wanted, 1, MPI_INFO_NULL, team->local, memory, window),
                                     "MPI_Win_allocate_shared");
    if (status.code != DT_OK)
        return dt_status_within(status,
                                "%.1f MB of shared memory for the ranks of this machine (is /dev/shm large "
                                "enough? with reduce.path=flat each rank has memory of its own)",
                                (double)bytes / 1e6);
    MPI_Win_shared_query(*window, 0, &wanted, &unit, memory);
    return dt_ok();
}

/* *memory, which may be NULL, is kept for dt_team_close; MPI_WIN_NULL: it is this rank's alone. */
static void keep(dt_team *team, void *memory, MPI_Win window) {
    if (!memory) return;
    team->windows[team->window_count] = window;
    team->memory[team->window_count++] = memory;
}

/* Collective. *out begins at a page. */
static dt_status alloc_bytes(dt_team *team, size_t count, size_t size, void **out) {
    size_t bytes = 0;
    dt_status status = dt_size_mul(count, size, &bytes) && team->window_count < MAX_WINDOWS
                           ? dt_ok()
                           : dt_fail_memory("shared memory", bytes);
    if (status.code == DT_OK && team->size > 1) status = check_room(team, bytes);
    DT_TRY(dt_comm_agree(team->comm, status));
    void *base = NULL;
    MPI_Win window = MPI_WIN_NULL;
    if (team->size > 1) {
        status = alloc_window(team, bytes, &window, &base);
    } else {
        base = dt_alloc(bytes + 2 * PAGE, 1);
        if (!base) status = dt_fail_memory("a replica", bytes);
    }
    keep(team, base, window);
    DT_TRY(dt_comm_agree(team->comm, status));
    assert(base);
    char *memory = base;
    /* The same on every rank: what is shared is pages. */
    size_t skew = (size_t)(-(uintptr_t)memory % PAGE) + (size_t)team->window_count * STAGGER % PAGE;
    if (team->size > 1) {
        size_t pages = (bytes + PAGE - 1) / PAGE, own = (size_t)team->rank, all = (size_t)team->size;
        size_t begin = pages * own / all * PAGE, end = pages * (own + 1) / all * PAGE;
        memset(memory + skew + begin, 0, (end < bytes ? end : bytes) - (begin < bytes ? begin : bytes));
        DT_TRY(dt_comm_check(MPI_Barrier(team->local), "MPI_Barrier"));
    }
    *out = memory + skew;
    return dt_ok();
}

void *dt_team_alloc(dt_team *team, size_t count, size_t size, dt_status *status) {
    void *memory = NULL;
    *status = alloc_bytes(team, count, size, &memory);
    return memory;
}

void dt_team_meet(dt_team *team) {
    if (team->size == 1) return;
    dt_watchdog *watchdog = dt_comm_watchdog(team->comm);
    bool waited = dt_watchdog_wait(watchdog, true);
    uint32_t turn = ++team->turn;
    atomic_store_explicit(&team->seats[team->rank].turn, turn, memory_order_release);
    for (int r = 0; r < team->size; r++) {
        for (int spins = team->spins;
             (int32_t)(atomic_load_explicit(&team->seats[r].turn, memory_order_acquire) - turn) < 0;) {
            if (spins-- > 0)
                relax();
            else
                sched_yield();
        }
    }
    dt_watchdog_wait(watchdog, waited);
}

dt_status dt_team_share(dt_team *team, void *shared, size_t bytes) {
    const size_t piece = (size_t)1 << 30;
    dt_status status = dt_ok();
    dt_team_meet(team);
    for (size_t at = 0; team->count > 1 && team->rank == 0 && at < bytes && status.code == DT_OK; at += piece)
        status = dt_comm_check(
            MPI_Bcast((char *)shared + at, (int)(bytes - at < piece ? bytes - at : piece), MPI_BYTE, 0, team->across),
            "MPI_Bcast");
    return dt_comm_agree(team->comm, status);
}
