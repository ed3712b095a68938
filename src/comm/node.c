/* Teams. Shared memory is a window of MPI's: it is gone with the job, however that ends. Meeting is a row of counters,
 * one a rank and cache line: each rank raises its own and waits until no other is behind. */
#include "comm/node.h"

#include <assert.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#ifdef __x86_64__
#    include <immintrin.h>
#endif

#include "base/alive.h"
#include "base/memory.h"
#include "comm_internal.h"

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

struct dt_node {
    dt_comm *comm;
    MPI_Comm local;  /* the node */
    MPI_Comm across; /* the ranks with this one's number in all nodes; MPI_COMM_NULL where there is no such */
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

/* Collective. Who is in which node. */
static dt_status split(dt_node *node, int64_t most) {
    MPI_Comm world = dt_comm_mpi(node->comm);
    int node_rank = dt_comm_node_rank(node->comm), rank = dt_comm_rank(node->comm);
    int color = most > 0 ? (int)(node_rank / most) : 0;
    DT_TRY(dt_comm_check(MPI_Comm_split(dt_comm_node_mpi(node->comm), color, rank, &node->local), "MPI_Comm_split"));
    MPI_Comm_set_errhandler(node->local, MPI_ERRORS_RETURN);
    MPI_Comm_rank(node->local, &node->rank);
    MPI_Comm_size(node->local, &node->size);
    int least = node->size, leads = node->rank == 0;
    DT_TRY(dt_comm_check(MPI_Allreduce(&least, &node->owners, 1, MPI_INT, MPI_MIN, world), "MPI_Allreduce"));
    DT_TRY(dt_comm_check(MPI_Allreduce(&leads, &node->count, 1, MPI_INT, MPI_SUM, world), "MPI_Allreduce"));
    color = node->rank < node->owners ? node->rank : MPI_UNDEFINED;
    DT_TRY(dt_comm_check(MPI_Comm_split(world, color, rank, &node->across), "MPI_Comm_split"));
    if (node->across != MPI_COMM_NULL) MPI_Comm_set_errhandler(node->across, MPI_ERRORS_RETURN);
    return dt_ok();
}

dt_status dt_node_open(dt_node **out, dt_comm *comm, int64_t most) {
    *out = NULL;
    dt_node *node = dt_alloc(1, sizeof *node);
    DT_TRY(dt_comm_agree(comm, node ? dt_ok() : dt_fail_memory("the node", sizeof *node)));
    node->comm = comm;
    node->local = node->across = MPI_COMM_NULL;
    dt_status status = split(node, most);
    if (status.code == DT_OK) node->seats = dt_node_alloc(node, (size_t)node->size, sizeof(seat), &status);
    if (status.code != DT_OK) {
        dt_node_close(node);
        return status;
    }
    /* Ranks may be bound, each to its own core: then a core is free for each. */
    int free_cores = cores();
    node->spins = dt_comm_node_size(comm) <= free_cores || free_cores == 1 ? SPINS : 0;
    *out = node;
    return dt_ok();
}

void dt_node_close(dt_node *node) {
    if (!node) return;
    for (int i = 0; i < node->window_count; i++) {
        if (node->windows[i] != MPI_WIN_NULL)
            MPI_Win_free(&node->windows[i]);
        else
            dt_free(node->memory[i]);
    }
    if (node->across != MPI_COMM_NULL) MPI_Comm_free(&node->across);
    if (node->local != MPI_COMM_NULL) MPI_Comm_free(&node->local);
    dt_free(node);
}

int dt_node_rank(const dt_node *node) {
    return node->rank;
}
int dt_node_size(const dt_node *node) {
    return node->size;
}
int dt_node_count(const dt_node *node) {
    return node->count;
}
int dt_node_owners(const dt_node *node) {
    return node->owners;
}
dt_comm *dt_node_comm(const dt_node *node) {
    return node->comm;
}
MPI_Comm dt_node_local_mpi(const dt_node *node) {
    return node->local;
}
MPI_Comm dt_node_across_mpi(const dt_node *node) {
    return node->across;
}

/* What Open MPI keeps beside a window, and more. */
#define WINDOW_SLACK ((size_t)1 << 20)

/* Whether the nodes of this machine find room for a window each. Open MPI looks too, but only where it makes the file,
 * and leaves the other ranks waiting for it for ever. */
static dt_status check_room(const dt_node *node, size_t bytes) {
    const char *asked = getenv("OMPI_MCA_osc_sm_backing_directory"), *directory = asked ? asked : "/dev/shm";
    struct statvfs about;
    if (node->rank != 0 || statvfs(directory, &about) != 0) return dt_ok();
    int nodes = (dt_comm_node_size(node->comm) + node->size - 1) / node->size;
    double room = (double)about.f_bavail * (double)about.f_frsize, wanted = (double)(bytes + WINDOW_SLACK) * nodes;
    if (room >= wanted) return dt_ok();
    return dt_fail(DT_ERR_MEMORY,
                   "%.1f MB of shared memory for the ranks of this machine are not to be had: %s has room for %.1f MB; "
                   "make it larger, or use reduce.path=flat, where each rank has memory of its own",
                   wanted / 1e6, directory, room / 1e6);
}

/* Collective over the node. */
static dt_status alloc_window(dt_node *node, size_t bytes, MPI_Win *window, void **memory) {
    MPI_Aint wanted = node->rank == 0 ? (MPI_Aint)(bytes + 2 * PAGE) : 0;
    int unit = 1;
    dt_status status = dt_comm_check(MPI_Win_allocate_shared(wanted, 1, MPI_INFO_NULL, node->local, memory, window),
                                     "MPI_Win_allocate_shared");
    if (status.code != DT_OK)
        return dt_status_within(status,
                                "%.1f MB of shared memory for the ranks of this machine (is /dev/shm large "
                                "enough? with reduce.path=flat each rank has memory of its own)",
                                (double)bytes / 1e6);
    MPI_Win_shared_query(*window, 0, &wanted, &unit, memory);
    return dt_ok();
}

/* *memory, which may be NULL, is kept for dt_node_close; MPI_WIN_NULL: it is this rank's alone. */
static void keep(dt_node *node, void *memory, MPI_Win window) {
    if (!memory) return;
    node->windows[node->window_count] = window;
    node->memory[node->window_count++] = memory;
}

/* Collective. *out begins at a page. */
static dt_status alloc_bytes(dt_node *node, size_t count, size_t size, void **out) {
    size_t bytes = 0;
    dt_status status = dt_size_mul(count, size, &bytes) && node->window_count < MAX_WINDOWS
                           ? dt_ok()
                           : dt_fail_memory("shared memory", bytes);
    if (status.code == DT_OK && node->size > 1) status = check_room(node, bytes);
    DT_TRY(dt_comm_agree(node->comm, status));
    void *base = NULL;
    MPI_Win window = MPI_WIN_NULL;
    if (node->size > 1) {
        status = alloc_window(node, bytes, &window, &base);
    } else {
        base = dt_alloc(bytes + 2 * PAGE, 1);
        if (!base) status = dt_fail_memory("a replica", bytes);
    }
    keep(node, base, window);
    DT_TRY(dt_comm_agree(node->comm, status));
    assert(base);
    char *memory = base;
    /* The same on every rank: what is shared is pages. */
    size_t skew = (size_t)(-(uintptr_t)memory % PAGE) + (size_t)node->window_count * STAGGER % PAGE;
    if (node->size > 1) {
        size_t pages = (bytes + PAGE - 1) / PAGE, own = (size_t)node->rank, all = (size_t)node->size;
        size_t begin = pages * own / all * PAGE, end = pages * (own + 1) / all * PAGE;
        memset(memory + skew + begin, 0, (end < bytes ? end : bytes) - (begin < bytes ? begin : bytes));
        DT_TRY(dt_comm_check(MPI_Barrier(node->local), "MPI_Barrier"));
    }
    *out = memory + skew;
    return dt_ok();
}

void *dt_node_alloc(dt_node *node, size_t count, size_t size, dt_status *status) {
    void *memory = NULL;
    *status = alloc_bytes(node, count, size, &memory);
    return memory;
}

void dt_node_meet(dt_node *node) {
    if (node->size == 1) return;
    bool waited = dt_alive_wait(true);
    uint32_t turn = ++node->turn;
    atomic_store_explicit(&node->seats[node->rank].turn, turn, memory_order_release);
    for (int r = 0; r < node->size; r++) {
        for (int spins = node->spins;
             (int32_t)(atomic_load_explicit(&node->seats[r].turn, memory_order_acquire) - turn) < 0;) {
            if (spins-- > 0)
                relax();
            else
                sched_yield();
        }
    }
    dt_alive_wait(waited);
}

dt_status dt_node_share(dt_node *node, void *shared, size_t bytes) {
    const size_t piece = (size_t)1 << 30;
    dt_status status = dt_ok();
    dt_node_meet(node);
    for (size_t at = 0; node->count > 1 && node->rank == 0 && at < bytes && status.code == DT_OK; at += piece)
        status = dt_comm_check(
            MPI_Bcast((char *)shared + at, (int)(bytes - at < piece ? bytes - at : piece), MPI_BYTE, 0, node->across),
            "MPI_Bcast");
    return dt_comm_agree(node->comm, status);
}
