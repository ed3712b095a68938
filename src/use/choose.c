/* The next token from the outputs for it: temperature, then the k largest, then the smallest set that has a share p of
 * the probability (nucleus sampling; Holtzman et al. 2020, section 3.1), then one of those left, by its share. Sums go
 * in the order of the outputs from the largest down (equals by number), or by number where none is left out: the same
 * draw is the same token. */
#include "choose.h"

#include <math.h>
#include <stdlib.h>

#include "base/transcendental.h"

/* The largest output first; among equals the lower number. */
static int by_output(const void *left, const void *right) {
    const dt_candidate *a = left, *b = right;
    if (a->output != b->output) return a->output > b->output ? -1 : 1;
    return a->id < b->id ? -1 : 1;
}

static void swap(dt_candidate *a, dt_candidate *b) {
    dt_candidate kept = *a;
    *a = *b;
    *b = kept;
}

/* The `want` first in the order of by_output come to the front, in whatever order (quickselect; Hoare 1961). */
static void select_first(dt_candidate *c, int64_t count, int64_t want) {
    while (want > 0 && want < count) {
        swap(&c[count / 2], &c[count - 1]);
        int64_t front = 0;
        for (int64_t i = 0; i < count - 1; i++)
            if (by_output(&c[i], &c[count - 1]) < 0) swap(&c[i], &c[front++]);
        swap(&c[front], &c[count - 1]);
        if (front >= want) {
            count = front;
        } else {
            c += front + 1;
            count -= front + 1;
            want -= front + 1;
        }
    }
}

/* How many of the sorted candidates, whose shares have this sum, are the nucleus. */
static int64_t nucleus(const dt_candidate *c, int64_t count, double sum, double top_p) {
    double so_far = 0;
    for (int64_t i = 0; i < count; i++) {
        so_far += c[i].share;
        if (so_far >= top_p * sum) return i + 1;
    }
    return count;
}

static double sum_shares(const dt_candidate *c, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += c[i].share;
    return sum;
}

/* The largest output; false when one is not finite. */
static bool find_largest(const dt_real *outputs, int64_t count, int64_t *largest) {
    *largest = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(outputs[i])) return false;
        if (outputs[i] > outputs[*largest]) *largest = i;
    }
    return true;
}

int64_t dt_choose(const dt_choice *choice, const dt_real *outputs, int64_t count, double draw, dt_candidate *work) {
    int64_t largest;
    if (!find_largest(outputs, count, &largest)) return -1;
    if (choice->temperature == 0 || choice->top_k == 1) return largest;
    for (int64_t i = 0; i < count; i++) work[i] = (dt_candidate){0, (float)outputs[i], (int32_t)i};
    bool some = choice->top_k > 0 && choice->top_k < count, sorted = some || choice->top_p < 1;
    if (some) {
        select_first(work, count, choice->top_k);
        count = choice->top_k;
    }
    if (sorted) qsort(work, (size_t)count, sizeof *work, by_output);
    for (int64_t i = 0; i < count; i++)
        work[i].share = dt_exp(((double)work[i].output - (double)outputs[largest]) / choice->temperature);
    if (choice->top_p < 1) count = nucleus(work, count, sum_shares(work, count), choice->top_p);
    double wanted = draw * sum_shares(work, count), so_far = 0;
    for (int64_t i = 0; i < count; i++) {
        so_far += work[i].share;
        if (so_far > wanted) return work[i].id;
    }
    return largest; /* not reached: draw*sum is below the sum, which the last so_far is */
}
