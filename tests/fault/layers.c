/* Preloaded (LD_PRELOAD), it is told of every layer that has gone forward or backward (dt_alive_layer).
 * $DTRAIN_COUNT_LAYERS names a file that holds how many these were on rank 0. $DTRAIN_SLOW_LAYER is "N MILLISECONDS
 * [RANK]": from number N on, counted from 1, each takes so much longer, on every rank or on that one.
 * $DTRAIN_GATE_LAYER is "RANK N FILE": number N waits at a gate (gate.h) there. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gate.h"
#include "rank.h"

void dt_test_layer(void);

static long layers, slow_from, gate_at;
static unsigned slow_by; /* milliseconds */
static char gate[1024];
static const char *count;

__attribute__((constructor)) static void read_plan(void) {
    const char *slow = getenv("DTRAIN_SLOW_LAYER"), *held = getenv("DTRAIN_GATE_LAYER");
    int on, slow_on = -1, rank = rank_of_job() > 0 ? (int)rank_of_job() : 0;
    long at;
    if (rank == 0) count = getenv("DTRAIN_COUNT_LAYERS");
    if (slow && sscanf(slow, "%ld %u %d", &slow_from, &slow_by, &slow_on) < 2) abort();
    if (slow_on >= 0 && slow_on != rank) slow_from = 0;
    if (held && sscanf(held, "%d %ld %1023s", &on, &at, gate) == 3 && on == rank) gate_at = at;
}

void dt_test_layer(void) {
    layers++;
    FILE *file = count ? fopen(count, "w") : NULL;
    if (file) fprintf(file, "%ld\n", layers), fclose(file);
    if (slow_from > 0 && layers >= slow_from) usleep(1000 * slow_by);
    if (layers == gate_at) wait_at_gate(gate);
}
