/* What publish.sh runs: a program that goes on from the newest checkpoint of a directory and publishes the next, as
 * training does, with a state that is known by its step. Faults (faultshim.c) are armed for the publication alone.
 *
 *   publish step DIR [SIZE]   on any number of ranks; exit 0, or 1 with the message
 *   publish beside DIR [SIZE] the same, by helpers, while the program goes on and meets when all are ready
 *   publish check DIR [SIZE]  prints the step of the newest checkpoint, after every bit of each was compared; exit 1
 *                             when any of them is not whole
 *
 * SIZE: odd (a few kB, the default), network (1.2 MB) or large (14 MB, tensors that several ranks write together). */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "comm/comm.h"
#include "comm/comm_ranks.h"
#include "sample.h"
#include "store/publish.h"

static void arm(bool armed) {
    void (*call)(bool);
    void *found = dlsym(RTLD_DEFAULT, "dt_fault_arm");
    memcpy(&call, &found, sizeof call);
    if (call) call(armed);
}

/* The state of the newest checkpoint that verifies; that of step 0 when there is none yet. */
static dt_status resume(const char *directory, sample *s, sample_size size) {
    char(*paths)[4096];
    int count;
    DT_TRY(dt_checkpoint_list(directory, &paths, &count));
    dt_status status = dt_ok();
    for (int i = 0; i < count; i++) {
        status = dt_checkpoint_verify(paths[i], NULL);
        if (status.code != DT_OK) continue;
        status = dt_checkpoint_load(paths[i], &s->state, false);
        break;
    }
    dt_free(paths);
    DT_TRY(status);
    return sample_is_whole(s, size) ? status : dt_fail(DT_ERR_CORRUPT, "a checkpoint loads, but is of no one step");
}

/* What follows a step, again and again; the state is no longer that of the checkpoint. */
static dt_status go_on(dt_comm *comm, dt_publisher *publisher, sample *s) {
    bool over = false;
    while (!over) {
        sample_set(s, s->state.position.step + 1);
        int64_t ready = dt_publisher_is_ready(publisher);
        DT_TRY(dt_comm_sum_i64(comm, &ready, 1));
        if (ready == dt_comm_size(comm)) DT_TRY(dt_publisher_meet(publisher, &over));
    }
    return dt_ok();
}

/* Armed before its helpers are there, for one is a child. */
static dt_status publish_beside(dt_comm *comm, const char *directory, sample *s) {
    const int64_t step = s->state.position.step;
    const dt_ranks ranks = dt_ranks_of(comm);
    dt_publisher *publisher;
    arm(true);
    dt_status status = dt_publisher_open(&publisher, &ranks);
    if (status.code == DT_OK) status = dt_publisher_fit(publisher, &s->state, 0);
    status = dt_comm_agree(comm, status);
    if (status.code == DT_OK) status = dt_publisher_begin(publisher, directory, &s->state, (dt_keeping){2, 0, -1});
    if (status.code == DT_OK) status = go_on(comm, publisher, s);
    dt_publisher_close(publisher);
    arm(false);
    sample_set(s, step);
    return status;
}

static dt_status publish_waiting(dt_comm *comm, const char *directory, const sample *s) {
    const dt_ranks ranks = dt_ranks_of(comm);
    arm(true);
    dt_status status = dt_checkpoint_publish(&ranks, directory, &s->state, NULL, NULL);
    bool first = status.code == DT_OK && dt_comm_rank(comm) == 0;
    if (status.code == DT_OK) status = dt_comm_agree(comm, first ? dt_checkpoint_prune(directory, 2, 0, -1) : dt_ok());
    arm(false);
    return status;
}

static dt_status publish_next(dt_comm *comm, const char *directory, sample *s, sample_size size, bool beside) {
    bool first = dt_comm_rank(comm) == 0;
    DT_TRY(dt_comm_agree(comm, first ? resume(directory, s, size) : dt_ok()));
    int64_t step = s->state.position.step + 1;
    DT_TRY(dt_comm_broadcast(comm, &step, sizeof step, 0));
    sample_set(s, step);
    return beside ? publish_beside(comm, directory, s) : publish_waiting(comm, directory, s);
}

static int publish(const char *directory, sample_size size, bool beside) {
    dt_comm *comm;
    sample s;
    if (dt_comm_open(&comm, NULL, NULL).code != DT_OK) return 2;
    sample_init(&s, size, 0);
    dt_status status = publish_next(comm, directory, &s, size, beside);
    if (dt_comm_rank(comm) == 0 && status.code == DT_OK) printf("published %lld\n", (long long)s.state.position.step);
    if (dt_comm_rank(comm) == 0 && status.code != DT_OK) dt_log_error("%s", status.message);
    fflush(stdout);
    sample_finish(&s);
    if (status.code != DT_OK) dt_comm_leave(comm, 1);
    dt_comm_close(comm);
    return 0;
}

static dt_status check_file(const char *path, sample_size size, int64_t *step) {
    sample s;
    sample_init(&s, size, 0);
    dt_status status = dt_checkpoint_verify(path, NULL);
    if (status.code == DT_OK) status = dt_checkpoint_load(path, &s.state, false);
    if (status.code == DT_OK && !sample_is_whole(&s, size))
        status = dt_fail(DT_ERR_CORRUPT, "%s: loads, but is of no one step", path);
    char name[64];
    snprintf(name, sizeof name, "/step-%09lld.h5", (long long)s.state.position.step);
    if (status.code == DT_OK && !strstr(path, name))
        status = dt_fail(DT_ERR_CORRUPT, "%s: holds step %lld", path, (long long)s.state.position.step);
    *step = s.state.position.step;
    sample_finish(&s);
    return status;
}

static int check(const char *directory, sample_size size) {
    char(*paths)[4096];
    int count;
    int64_t newest = 0, step;
    dt_status status = dt_checkpoint_list(directory, &paths, &count);
    for (int i = 0; i < count && status.code == DT_OK; i++) {
        status = check_file(paths[i], size, &step);
        if (i == 0) newest = step;
    }
    dt_free(paths);
    if (status.code != DT_OK) printf("%s\n", status.message);
    if (status.code == DT_OK) printf("%lld\n", (long long)newest);
    return status.code != DT_OK;
}

static sample_size size_of(const char *name) {
    return strcmp(name, "large") == 0 ? SAMPLE_LARGE : strcmp(name, "network") == 0 ? SAMPLE_NETWORK : SAMPLE_ODD;
}

int main(int argc, char **argv) {
    sample_size size = size_of(argc > 3 ? argv[3] : "odd");
    bool beside = argc >= 3 && strcmp(argv[1], "beside") == 0;
    if (beside || (argc >= 3 && strcmp(argv[1], "step") == 0)) return publish(argv[2], size, beside);
    if (argc >= 3 && strcmp(argv[1], "check") == 0) return check(argv[2], size);
    fprintf(stderr, "publish step|beside|check DIR [odd|network|large]\n");
    return 2;
}
