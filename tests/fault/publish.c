/* What publish_faults.sh runs: publishes a state that is known by its step, or says what a directory holds.
 *
 *   publish write DIR STEP [odd|network|large [TIMES]]  on any number of ranks; exit 0, or 3 with the message
 *   publish check DIR                                   the step of the newest checkpoint, after every bit was
 * compared; exit 1 when any checkpoint in the directory is not whole
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/sample.h"
#include "dtrain/clock.h"
#include "dtrain/comm.h"
#include "dtrain/h5.h"

static sample_size size_of(const char *name) {
    return strcmp(name, "large") == 0 ? SAMPLE_LARGE : strcmp(name, "network") == 0 ? SAMPLE_NETWORK : SAMPLE_ODD;
}

static int publish(const char *directory, int64_t step, sample_size size, int times) {
    dt_comm *comm;
    sample s;
    if (dt_comm_open(&comm, NULL, NULL).code != DT_OK) return 2;
    int rank = dt_comm_rank(comm);
    dt_status status = dt_ok();
    double best = 1e9;
    sample_init(&s, size, step);
    for (int i = 0; i < times && status.code == DT_OK; i++) {
        dt_comm_barrier(comm);
        double start = dt_clock_now();
        status = dt_checkpoint_publish(comm, directory, &s.state, NULL, NULL);
        double took = dt_clock_now() - start;
        if (took < best) best = took;
    }
    sample_finish(&s);
    if (status.code != DT_OK) { /* every rank says what it was told, and leaves as the program does */
        printf("rank %d: %s\n", rank, status.message);
        fflush(stdout);
        dt_comm_barrier(comm);
        _exit(3);
    }
    if (rank == 0) printf("published step %lld in %.2f ms\n", (long long)step, 1e3 * best);
    dt_comm_close(comm);
    return 0;
}

/* Any of them must be whole: the newest one is what a resumed run starts from, the others what it falls back to. */
static int check(const char *directory, sample_size size) {
    char(*paths)[4096];
    int count;
    if (dt_checkpoint_list(directory, &paths, &count).code != DT_OK || count == 0) return 1;
    int64_t newest = -1;
    for (int i = 0; i < count; i++) {
        sample s;
        sample_init(&s, size, 0);
        dt_status status = dt_checkpoint_verify(paths[i], NULL);
        if (status.code == DT_OK) status = dt_checkpoint_load(paths[i], &s.state, false);
        int whole = status.code == DT_OK && sample_is_whole(&s, size);
        if (i == 0) newest = s.state.position.step;
        sample_finish(&s);
        if (whole) continue;
        printf("%s is not whole: %s\n", paths[i], status.message);
        dt_free(paths);
        return 1;
    }
    dt_free(paths);
    printf("%lld\n", (long long)newest);
    return 0;
}

int main(int argc, char **argv) {
    if (argc >= 4 && strcmp(argv[1], "write") == 0)
        return publish(argv[2], strtoll(argv[3], NULL, 10), size_of(argc > 4 ? argv[4] : "odd"),
                       argc > 5 ? (int)strtol(argv[5], NULL, 10) : 1);
    if (argc >= 3 && strcmp(argv[1], "check") == 0) return check(argv[2], size_of(argc > 3 ? argv[3] : "odd"));
    fprintf(stderr, "publish write DIR STEP [SIZE [TIMES]] | publish check DIR [SIZE]\n");
    return 2;
}
