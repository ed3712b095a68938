/* For what is preloaded into ranks: which one this process is, as its launcher says, Open MPI's or MPICH's. */
#ifndef DTRAIN_TESTS_RANK_H
#define DTRAIN_TESTS_RANK_H

#include <stdlib.h>

/* -1: none, no launcher started it. */
static long rank_of_job(void) {
    const char *text = getenv("OMPI_COMM_WORLD_RANK");
    if (!text) text = getenv("PMI_RANK");
    return text ? strtol(text, NULL, 10) : -1;
}

#endif
