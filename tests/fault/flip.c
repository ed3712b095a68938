/* One flipped bit in the replica of one rank: preloaded (LD_PRELOAD), it does to a run what bad memory does.
 *
 *   DTRAIN_FLIP="RANK ARRAY STEP [nan]"
 *
 * A resumed run with reduce.path=flat broadcasts its state: the arrays above 100 kB are the weights (0) and the moments
 * (1, 2). Gradients cross in one MPI_Allreduce a step, the only one of that size. After the STEP-th of these the lowest
 * bit of one number in the middle of the array is turned over, the least that can differ; with "nan" the number becomes
 * none. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rank.h"

enum { LARGE = 100000 };

static unsigned char *array;
static int arrays, steps;

/* 0: rank, 1: array, 2: step */
static int wanted(int field) {
    int fields[3] = {-1, -1, -1};
    const char *text = getenv("DTRAIN_FLIP");
    if (!text || sscanf(text, "%d %d %d", &fields[0], &fields[1], &fields[2]) != 3) return -1;
    return fields[field];
}

static int is_our_rank(void) {
    long rank = rank_of_job();
    return rank >= 0 && rank == wanted(0);
}

static void flip(void) {
    const char *text = getenv("DTRAIN_FLIP");
    if (text && strstr(text, "nan"))
        memset(array, 0xff, sizeof(float));
    else
        *array ^= 1;
}

int MPI_Bcast(void *buffer, int count, MPI_Datatype type, int root, MPI_Comm comm) {
    if (count > LARGE && arrays++ == wanted(1)) array = (unsigned char *)buffer + count / 8 * 4;
    return PMPI_Bcast(buffer, count, type, root, comm);
}

int MPI_Allreduce(const void *from, void *to, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm) {
    int code = PMPI_Allreduce(from, to, count, type, op, comm);
    if (count > LARGE / 4 && array && ++steps == wanted(2) && is_our_rank()) flip();
    return code;
}
