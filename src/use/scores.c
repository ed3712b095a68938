/* The area under the ROC curve needs all scores in one order. They are probabilities, so their bits are in the order of
 * their values, and a score with its class is one number of 31 bits: ranks count theirs by the upper half of it, and
 * then go through the halves in order, together, with few enough at a time for any number of samples: those of a range
 * are gathered, or, where a single half has too many, counted by the lower half. Everything is integers until the one
 * division. */
#include "scores.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alive.h"
#include "base/memory.h"

#define MOST ((size_t)1 << 27)      /* scores of a rank: 512 MB */
#define TOGETHER ((int64_t)1 << 18) /* gathered at once */
#define HALF 15                     /* bits of a number's lower half, which has the class as its last */
#define UPPER ((size_t)1 << (31 - HALF))
#define LOWER ((size_t)1 << HALF)

void dt_scores_add(dt_scores *scores, float probability, bool positive) {
    uint32_t bits;
    memcpy(&bits, &probability, sizeof bits);
    if (scores->count == scores->room && !scores->full) {
        size_t room = scores->room ? 2 * scores->room : 4096;
        uint32_t *list = room <= MOST ? dt_alloc(room, sizeof *list) : NULL;
        scores->full = !list;
        if (list && scores->count > 0) memcpy(list, scores->list, scores->count * sizeof *list);
        if (list) {
            dt_free(scores->list);
            scores->list = list;
            scores->room = room;
        }
    }
    if (!scores->full) scores->list[scores->count++] = (bits & 0x3fffffffU) << 1 | positive;
}

void dt_scores_finish(dt_scores *scores) {
    dt_free(scores->list);
    memset(scores, 0, sizeof *scores);
}

static int by_number(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static int by_wide_number(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

__extension__ typedef unsigned __int128 wide;

/* The walk through all scores in ascending order. */
typedef struct walk {
    int64_t score; /* the one at hand, and how many of each class have it */
    int64_t equal[2];
    int64_t below, count[2]; /* negative ones below it; all so far */
    wide halves;             /* pairs in the right order, and half of those that are equal, doubled */
} walk;

static void end_score(walk *w) {
    w->halves += (wide)w->equal[1] * (wide)(2 * w->below + w->equal[0]);
    w->below += w->equal[0];
    for (int i = 0; i < 2; i++) {
        w->count[i] += w->equal[i];
        w->equal[i] = 0;
    }
}

static void step(walk *w, int64_t number, int64_t times) {
    if (number >> 1 != w->score) end_score(w);
    w->score = number >> 1;
    w->equal[number & 1] += times;
}

/* Collective. Ranks' parts of numbers, mine[count], into all[total], sorted. */
static dt_status gather(const dt_ranks *ranks, const uint32_t *mine, int64_t count, int64_t *all, int64_t total,
                        int64_t *counts) {
    int64_t at = 0;
    memset(counts, 0, (size_t)ranks->size * sizeof *counts);
    counts[ranks->rank] = count;
    DT_TRY(dt_ranks_sum(ranks, counts, (size_t)ranks->size));
    for (int i = 0; i < ranks->rank; i++) at += counts[i];
    memset(all, 0, (size_t)total * sizeof *all);
    for (int64_t i = 0; i < count; i++) all[at + i] = mine[i];
    DT_TRY(dt_ranks_sum(ranks, all, (size_t)total));
    qsort(all, (size_t)total, sizeof *all, by_wide_number);
    return dt_ok();
}

/* Collective. How often each number with this upper half is there: times[LOWER]. */
static dt_status count_lower(const dt_ranks *ranks, const uint32_t *mine, int64_t count, int64_t *times) {
    memset(times, 0, LOWER * sizeof *times);
    for (int64_t i = 0; i < count; i++) times[mine[i] & (LOWER - 1)]++;
    return dt_ranks_sum(ranks, times, LOWER);
}

/* How many of the sorted numbers from `at` on have an upper half below `end`. */
static int64_t count_below(const dt_scores *scores, size_t at, size_t end) {
    size_t to = at;
    while (to < scores->count && scores->list[to] >> HALF < end) to++;
    return (int64_t)(to - at);
}

/* Collective. `upper`[UPPER]: how many numbers of all ranks have each upper half. `work`: [TOGETHER]. */
static dt_status walk_all(walk *w, const dt_scores *scores, const dt_ranks *ranks, const int64_t *upper, int64_t *work,
                          int64_t *counts) {
    size_t at = 0;
    for (size_t first = 0, end; first < UPPER; first = end) {
        int64_t total = upper[first];
        for (end = first + 1; end < UPPER && total + upper[end] <= TOGETHER; end++) total += upper[end];
        if (total == 0) continue;
        int64_t mine = count_below(scores, at, end);
        if (total <= TOGETHER) {
            DT_TRY(gather(ranks, scores->list + at, mine, work, total, counts));
            for (int64_t i = 0; i < total; i++) step(w, work[i], 1);
        } else {
            DT_TRY(count_lower(ranks, scores->list + at, mine, work));
            for (size_t i = 0; i < LOWER; i++)
                if (work[i] > 0) step(w, (int64_t)(first << HALF | i), work[i]);
        }
        at += (size_t)mine;
        dt_alive();
    }
    end_score(w);
    return dt_ok();
}

static dt_status compute(dt_scores *scores, const dt_ranks *ranks, int64_t *upper, int64_t *work, int64_t *counts,
                         double *auc) {
    walk w = {.score = -1};
    if (scores->count > 0) qsort(scores->list, scores->count, sizeof *scores->list, by_number);
    for (size_t i = 0; i < scores->count; i++) upper[scores->list[i] >> HALF]++;
    DT_TRY(dt_ranks_sum(ranks, upper, UPPER));
    DT_TRY(walk_all(&w, scores, ranks, upper, work, counts));
    if (w.count[0] > 0 && w.count[1] > 0) *auc = (double)w.halves / 2 / ((double)w.count[0] * (double)w.count[1]);
    return dt_ok();
}

dt_status dt_scores_auc(dt_scores *scores, const dt_ranks *ranks, double *auc) {
    *auc = (double)NAN;
    if (dt_ranks_any(ranks, scores->full)) return dt_ok();
    int64_t *upper = dt_alloc(UPPER, sizeof *upper), *work = dt_alloc((size_t)TOGETHER, sizeof *work);
    int64_t *counts = dt_alloc((size_t)ranks->size, sizeof *counts);
    bool there = upper && work && counts;
    dt_status status = dt_ranks_agree(ranks, there ? dt_ok() : dt_fail_memory("an order of scores", TOGETHER * 8));
    if (status.code == DT_OK) {
        assert(upper && work && counts);
        status = compute(scores, ranks, upper, work, counts, auc);
    }
    dt_free(upper);
    dt_free(work);
    dt_free(counts);
    return status;
}
