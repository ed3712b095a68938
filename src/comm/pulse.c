/* Signs of life between machines, as datagrams over IPv4. A token that only the job knows keeps those of others out;
 * one that is lost is made good by the next, a moment later. */
#include "pulse.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "comm_internal.h"

#define MOST_ADDRESSES 8

/* Where rank 0's machine listens. */
typedef struct meeting_point {
    uint64_t token;
    uint32_t address[MOST_ADDRESSES]; /* network byte order, as the port */
    int count;
    uint16_t port;
} meeting_point;

typedef struct datagram {
    uint64_t token, moves;
    int32_t machine; /* who tells; 0 is rank 0's */
    int32_t said;
} datagram;

typedef struct peer {
    uint64_t heard, moves;
    struct sockaddr_in from;
} peer;

struct dt_pulse {
    int socket, machine, count; /* peers */
    peer *peers;                /* on rank 0's machine [i] is machine i + 1, on the others [0] is that one */
    bool spoken;
    meeting_point point;
};

static struct sockaddr_in address_of(uint32_t address, uint16_t port) {
    struct sockaddr_in to;
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = address;
    to.sin_port = port;
    return to;
}

/* This machine's addresses; its own inner one last, for machines that are only names. */
static void list_addresses(meeting_point *point) {
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0) all = NULL;
    for (const struct ifaddrs *i = all; i && point->count < MOST_ADDRESSES - 1; i = i->ifa_next) {
        if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || !(i->ifa_flags & IFF_UP)) continue;
        struct sockaddr_in own;
        memcpy(&own, i->ifa_addr, sizeof own);
        if (!(i->ifa_flags & IFF_LOOPBACK)) point->address[point->count++] = own.sin_addr.s_addr;
    }
    if (all) freeifaddrs(all);
    point->address[point->count++] = htonl(INADDR_LOOPBACK);
}

/* A socket bound to a port of its own; -1 where there is none to be had. */
static int open_socket(uint16_t *port) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in any = address_of(htonl(INADDR_ANY), 0);
    socklen_t bytes = sizeof any;
    if (fd < 0) return -1;
    if (bind(fd, (struct sockaddr *)&any, sizeof any) == 0 && getsockname(fd, (struct sockaddr *)&any, &bytes) == 0) {
        *port = any.sin_port;
        return fd;
    }
    close(fd);
    return -1;
}

/* Collective. */
static dt_status meet(dt_pulse *p, dt_comm *comm, bool leads, int machine) {
    uint16_t port = 0;
    p->machine = machine;
    p->socket = leads ? open_socket(&port) : -1;
    if (dt_comm_rank(comm) == 0) {
        p->point.port = port;
        list_addresses(&p->point);
        if (getrandom(&p->point.token, sizeof p->point.token, 0) != (ssize_t)sizeof p->point.token) p->point.port = 0;
    }
    return dt_comm_broadcast(comm, &p->point, sizeof p->point, 0);
}

dt_status dt_pulse_open(dt_pulse **out, dt_comm *comm) {
    *out = NULL;
    MPI_Comm world = dt_comm_mpi(comm);
    int leads = dt_comm_node_rank(comm) == 0, before = 0, machines = 0;
    DT_TRY(dt_comm_check(MPI_Scan(&leads, &before, 1, MPI_INT, MPI_SUM, world), "MPI_Scan"));
    DT_TRY(dt_comm_check(MPI_Allreduce(&leads, &machines, 1, MPI_INT, MPI_SUM, world), "MPI_Allreduce"));
    if (machines == 1) return dt_ok();
    dt_pulse *p = dt_alloc(1, sizeof *p);
    peer *peers = dt_alloc((size_t)machines, sizeof *peers);
    bool there = p && peers;
    dt_status status = dt_comm_agree(comm, there ? dt_ok() : dt_fail_memory("the watchdog", sizeof *p));
    if (there) {
        p->socket = -1;
        p->peers = peers;
        p->count = dt_comm_rank(comm) == 0 ? machines - 1 : 1;
        if (status.code == DT_OK) status = meet(p, comm, leads, leads ? before - 1 : -1);
        if (status.code == DT_OK && p->socket >= 0 && p->point.port != 0)
            *out = p;
        else
            dt_pulse_close(p);
    } else {
        dt_free(p);
        dt_free(peers);
    }
    return status;
}

void dt_pulse_close(dt_pulse *p) {
    if (!p) return;
    if (p->socket >= 0) close(p->socket);
    dt_free(p->peers);
    dt_free(p);
}

static void send_to(const dt_pulse *p, const struct sockaddr_in *to, const datagram *what) {
    ssize_t ignored = sendto(p->socket, what, sizeof *what, 0, (const struct sockaddr *)to, sizeof *to);
    (void)ignored; /* the next one may get through */
}

static void hear(dt_pulse *p) {
    datagram got;
    struct sockaddr_in from;
    socklen_t bytes = sizeof from;
    for (int i = 0; i < 100000; i++, bytes = sizeof from) {
        ssize_t length = recvfrom(p->socket, &got, sizeof got, 0, (struct sockaddr *)&from, &bytes);
        if (length < 0) return;
        int at = p->machine == 0 ? got.machine - 1 : 0;
        if (length != (ssize_t)sizeof got || got.token != p->point.token || at < 0 || at >= p->count) continue;
        p->peers[at].heard++;
        p->peers[at].moves = got.moves;
        p->peers[at].from = from;
        p->spoken = p->spoken || got.said;
    }
}

uint64_t dt_pulse_exchange(dt_pulse *p, uint64_t moves, bool said, bool *spoken) {
    hear(p);
    uint64_t all = p->machine == 0 ? moves : 0;
    for (int i = 0; i < p->count; i++) all += p->peers[i].moves;
    datagram own = {p->point.token, p->machine == 0 ? all : moves, p->machine, said || p->spoken};
    for (int i = 0; i < p->count; i++)
        if (p->peers[i].heard > 0) send_to(p, &p->peers[i].from, &own);
    if (p->machine != 0 && p->peers[0].heard == 0) { /* whichever of its addresses leads there */
        for (int i = 0; i < p->point.count; i++) {
            struct sockaddr_in to = address_of(p->point.address[i], p->point.port);
            send_to(p, &to, &own);
        }
    }
    *spoken = p->spoken;
    return all;
}
