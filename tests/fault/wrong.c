/* Preloaded (LD_PRELOAD), it makes a processor compute wrongly once, or memory lose a bit, at a moment the test
 * chooses:
 *
 *   DTRAIN_WRONG="weight LAYER BYTES [RANK [BEFORE]]"   a bit of a number in the middle of the first allocation of
 *     BYTES bytes or some pages more, behind so many BEFORE it, is turned over: of a rank alone that is the weights
 *   DTRAIN_WRONG="product LAYER - [RANK]"   the next power of two it is asked for (ldexp) is wrong by 2^-20 of itself:
 *     after a layer has gone back its gradient is scaled by that one
 *
 * once LAYER layers have gone forward or back on that rank (0 where it is not given). */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rank.h"

void dt_test_layer(void);
double ldexp(double value, int exponent);

static struct {
    char kind[16];
    long layer, bytes, before;
    bool due;
} plan;
static long layers;
static unsigned char *weights;

__attribute__((constructor)) static void read_plan(void) {
    const char *text = getenv("DTRAIN_WRONG");
    char bytes[32];
    long rank = 0, own = rank_of_job() > 0 ? rank_of_job() : 0;
    if (!text) return;
    if (sscanf(text, "%15s %ld %31s %ld %ld", plan.kind, &plan.layer, bytes, &rank, &plan.before) < 3) abort();
    plan.bytes = strtol(bytes, NULL, 10);
    if (own != rank) plan.layer = 0;
}

void dt_test_layer(void) {
    if (++layers != plan.layer) return;
    if (strcmp(plan.kind, "weight") != 0)
        plan.due = true;
    else if (weights)
        weights[(plan.bytes / 2 & ~3L) + 1] ^= 0x10U;
}

int posix_memalign(void **memptr, size_t alignment, size_t size) {
    static int (*real)(void **, size_t, size_t);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "posix_memalign");
    int code = real(memptr, alignment, size);
    size_t wanted = (size_t)plan.bytes;
    if (code == 0 && wanted > 0 && !weights && size >= wanted && size < wanted + 8192 && plan.before-- <= 0)
        weights = *memptr;
    return code;
}

double ldexp(double value, int exponent) {
    static double (*real)(double, int);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "ldexp");
    double result = real(value, exponent);
    if (!plan.due) return result;
    plan.due = false;
    return result + result * 0x1p-20;
}
