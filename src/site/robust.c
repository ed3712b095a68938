/* Order statistics of words go block by block: the n values of a place stand above each other, and a sorting network
 * (Batcher's merge exchange: Knuth 5.2.2, algorithm M) exchanges whole rows, so that every comparison is of as many
 * places as a block has, and none is a branch. Its comparisons are n log² n / 4 for each place, in memory that a
 * first-level cache holds for a hundred sites.
 *
 * Squared distances are exact: two words are at most 2^32 - 1 apart, so a square has 64 bits, whose halves are added up
 * by themselves. */
#include "site/robust.h"

#include <string.h>

#include "base/alive.h"
#include "base/memory.h"
#include "config/numbered.h"

__extension__ typedef unsigned __int128 wide;

#define PLACES 64 /* of a block */

static const dt_numbered kinds[] = {[DT_ROBUST_NONE] = {.name = "none"},
                                    [DT_ROBUST_TRIMMED] = {.name = "trimmed", .sign = "f", .whole = true},
                                    [DT_ROBUST_MEDIAN] = {.name = "median"},
                                    [DT_ROBUST_KRUM] = {.name = "krum", .sign = "f", .whole = true},
                                    [DT_ROBUST_MULTI_KRUM] = {.name = "multi-krum", .sign = "f", .whole = true},
                                    {.name = NULL}};

dt_status dt_robust_read(dt_robust *out, const char *text) {
    int kind = 0;
    double number = 0;
    DT_TRY(dt_numbered_read(kinds, text, &kind, &number));
    *out = (dt_robust){(dt_robust_kind)kind, (int64_t)number};
    return dt_ok();
}

static bool is_krum(const dt_robust *robust) {
    return robust->kind == DT_ROBUST_KRUM || robust->kind == DT_ROBUST_MULTI_KRUM;
}

dt_status dt_robust_check(const dt_robust *robust, int64_t sites) {
    const int64_t f = robust->f, least = is_krum(robust) ? 2 * f + 3 : 2 * f + 1;
    if (sites >= least) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "%s(%lld) needs the changes of %lld sites or more, and there are %lld",
                   kinds[robust->kind].name, (long long)f, (long long)least, (long long)sites);
}

/* ---- order statistics ---- */

/* Puts the lesser of each pair into a, the larger into b. */
static void exchange_rows(int32_t *restrict a, int32_t *restrict b) {
    for (int i = 0; i < PLACES; i++) {
        int32_t least = a[i] < b[i] ? a[i] : b[i], most = a[i] < b[i] ? b[i] : a[i];
        a[i] = least;
        b[i] = most;
    }
}

/* Sorts each place of rows[n]: algorithm M. */
static void sort_rows(int32_t (*rows)[PLACES], int n) {
    int top = 1;
    while (2 * top < n) top *= 2;
    for (int p = n > 1 ? top : 0; p > 0; p /= 2)
        for (int q = top, r = 0, d = p;; d = q - p, q /= 2, r = p) {
            for (int i = 0; i < n - d; i++)
                if ((i & p) == r) exchange_rows(rows[i], rows[i + d]);
            if (q == p) break;
        }
}

/* Of every place the sum of rows [begin, end). One beyond 32 bits, which honest sites cannot bring about, becomes the
 * nearest that has 32. */
static void add_rows(int32_t (*rows)[PLACES], int begin, int end, int32_t out[PLACES]) {
    int64_t sums[PLACES] = {0};
    for (int row = begin; row < end; row++)
        for (int i = 0; i < PLACES; i++) sums[i] += rows[row][i];
    for (int i = 0; i < PLACES; i++) {
        int64_t sum = sums[i] < INT32_MIN ? INT32_MIN : sums[i];
        out[i] = (int32_t)(sum > INT32_MAX ? INT32_MAX : sum);
    }
}

/* Of every place the sum of those changes that count, but for the `cut` least and largest. */
static dt_status sum_middle(const dt_change *changes, int n, size_t count, const bool *counted, int cut,
                            uint32_t *words) {
    int32_t(*rows)[PLACES] = dt_alloc((size_t)n, sizeof *rows), sums[PLACES];
    if (!rows) return dt_fail_memory("words of all sites", (size_t)n * sizeof *rows);
    for (size_t at = 0; at < count; at += PLACES) {
        const size_t places = count - at < PLACES ? count - at : PLACES;
        int filled = 0;
        for (int i = 0; i < n; i++)
            if (counted[i]) memcpy(rows[filled++], changes[i].words + at, places * sizeof **rows);
        if (cut > 0) sort_rows(rows, filled);
        add_rows(rows, cut, filled - cut, sums);
        memcpy(words + at, sums, places * sizeof *words);
        if (at % (PLACES << 10) == 0) dt_alive();
    }
    dt_free(rows);
    return dt_ok();
}

/* ---- distances ---- */

#define RUN ((size_t)1 << 24) /* words, between signs of life; sums of 2^24 halves do not wrap */

static wide squared_distance(const uint32_t *a, const uint32_t *b, size_t count) {
    wide all = 0;
    for (size_t begin = 0; begin < count; begin += RUN) {
        size_t end = count - begin < RUN ? count : begin + RUN;
        uint64_t upper = 0, lower = 0;
        for (size_t i = begin; i < end; i++) {
            bool less = (int32_t)a[i] < (int32_t)b[i];
            uint32_t apart = less ? b[i] - a[i] : a[i] - b[i];
            uint64_t square = (uint64_t)apart * apart;
            upper += square >> 32;
            lower += square & 0xffffffffU;
        }
        all += ((wide)upper << 32) + lower;
        dt_alive();
    }
    return all;
}

/* Sorts a few numbers, by insertion. */
static void sort_wide(wide *numbers, int n) {
    for (int i = 1; i < n; i++) {
        wide number = numbers[i];
        int at = i;
        for (; at > 0 && numbers[at - 1] > number; at--) numbers[at] = numbers[at - 1];
        numbers[at] = number;
    }
}

static void fill_distances(wide *distance, const dt_change *changes, int n, size_t count) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++) {
            wide between = squared_distance(changes[i].words, changes[j].words, count);
            distance[(size_t)i * (size_t)n + (size_t)j] = distance[(size_t)j * (size_t)n + (size_t)i] = between;
        }
}

/* score[i]: the sum of the squared distances of change i to its `nearest` nearest others. `row` [n] is room. */
static void score_all(wide *score, wide *row, const wide *distance, int n, int nearest) {
    for (int i = 0; i < n; i++) {
        int others = 0;
        for (int j = 0; j < n; j++)
            if (j != i) row[others++] = distance[(size_t)i * (size_t)n + (size_t)j];
        sort_wide(row, others);
        score[i] = 0;
        for (int j = 0; j < nearest; j++) score[i] += row[j];
    }
}

/* The `wanted` best scores; of equal ones the first sites. */
static void choose_best(bool *counted, const wide *score, int n, int wanted) {
    memset(counted, 0, (size_t)n * sizeof *counted);
    for (int chosen = 0; chosen < wanted; chosen++) {
        int best = -1;
        for (int i = 0; i < n; i++)
            if (!counted[i] && (best < 0 || score[i] < score[best])) best = i;
        counted[best] = true;
    }
}

static dt_status choose(const dt_robust *robust, const dt_change *changes, int n, size_t count, bool *counted) {
    const int nearest = n - (int)robust->f - 2;
    const size_t size = (size_t)n;
    wide *room = dt_alloc(size * size + 2 * size, sizeof *room);
    if (!room) return dt_fail_memory("distances between sites", (size * size + 2 * size) * sizeof *room);
    wide *distance = room, *score = room + size * size, *row = score + size;
    fill_distances(distance, changes, n, count);
    score_all(score, row, distance, n, nearest);
    choose_best(counted, score, n, robust->kind == DT_ROBUST_KRUM ? 1 : nearest);
    dt_free(room);
    return dt_ok();
}

/* ---- all ---- */

static int cut_of(const dt_robust *robust, int n) {
    if (robust->kind == DT_ROBUST_MEDIAN) return (n - 1) / 2;
    return robust->kind == DT_ROBUST_TRIMMED ? (int)robust->f : 0;
}

dt_status dt_robust_sum(const dt_robust *robust, const dt_change *changes, int n, size_t count, uint32_t *words,
                        uint64_t *weight, bool *counted) {
    DT_TRY(dt_robust_check(robust, n));
    for (int i = 0; i < n; i++) counted[i] = true;
    if (is_krum(robust)) DT_TRY(choose(robust, changes, n, count, counted));
    const int cut = cut_of(robust, n);
    int those = 0;
    for (int i = 0; i < n; i++) those += counted[i];
    *weight = (uint64_t)(those - 2 * cut);
    return sum_middle(changes, n, count, counted, cut, words);
}
