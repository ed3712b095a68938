/* Least and largest numbers, of each column. They are in no order, so ranks can share the work as they like; as
 * integers that are ordered like the doubles they cross in one message. */
#include "data/ranges.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

#define LANES 8 /* of one column: minima that do not wait for each other */

dt_status dt_ranges_open(dt_ranges *out, int64_t columns) {
    memset(out, 0, sizeof *out);
    out->columns = columns;
    out->least = dt_alloc((size_t)columns, sizeof *out->least);
    out->most = dt_alloc((size_t)columns, sizeof *out->most);
    out->message = dt_alloc(2 * (size_t)columns, sizeof *out->message);
    if (!out->least || !out->most || !out->message)
        return dt_fail_memory("the ranges of the inputs", (size_t)columns * 4 * sizeof *out->least);
    for (int64_t c = 0; c < columns; c++) out->least[c] = out->most[c] = (double)NAN;
    return dt_ok();
}

void dt_ranges_close(dt_ranges *ranges) {
    dt_free(ranges->least);
    dt_free(ranges->most);
    dt_free(ranges->message);
    memset(ranges, 0, sizeof *ranges);
}

void dt_ranges_empty(dt_ranges *ranges) {
    for (int64_t c = 0; c < ranges->columns; c++) {
        ranges->least[c] = (double)INFINITY;
        ranges->most[c] = -(double)INFINITY;
    }
}

/* Comparisons are such that what is no number changes nothing. */
static void widen(double *restrict least, double *restrict most, const double *restrict x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        least[i] = x[i] < least[i] ? x[i] : least[i];
        most[i] = x[i] > most[i] ? x[i] : most[i];
    }
}

static void widen_one(double *least, double *most, const double *x, int64_t n) {
    if (n < LANES) {
        for (int64_t i = 0; i < n; i++) widen(least, most, x + i, 1);
        return;
    }
    double low[LANES], high[LANES];
    for (int i = 0; i < LANES; i++) low[i] = *least, high[i] = *most;
    int64_t whole = n / LANES * LANES;
    for (int64_t at = 0; at < whole; at += LANES) widen(low, high, x + at, LANES);
    widen(low, high, x + whole, n - whole);
    for (int i = 0; i < LANES; i++) widen(least, most, low + i, 1), widen(least, most, high + i, 1);
}

void dt_ranges_widen_column(dt_ranges *ranges, int64_t column, const double *numbers, int64_t n) {
    widen_one(ranges->least + column, ranges->most + column, numbers, n);
}

void dt_ranges_copy(dt_ranges *to, const dt_ranges *from) {
    memcpy(to->least, from->least, (size_t)from->columns * sizeof *to->least);
    memcpy(to->most, from->most, (size_t)from->columns * sizeof *to->most);
}

void dt_ranges_widen(dt_ranges *ranges, const double *numbers, int64_t planes, int64_t positions, int64_t depth) {
    for (int64_t p = 0; p < planes && depth == 1; p++, numbers += positions)
        widen_one(ranges->least + p, ranges->most + p, numbers, positions);
    for (int64_t i = 0; i < positions && depth > 1; i++, numbers += depth)
        widen(ranges->least, ranges->most, numbers, depth);
}

/* An involution on the bits of a double that makes them integers of the same order. -0 is 0. */
static int64_t order_of(double x) {
    int64_t bits;
    x += 0.0;
    memcpy(&bits, &x, sizeof bits);
    return bits ^ (bits >> 63 & INT64_MAX);
}

static double from_order(int64_t order) {
    double x;
    order ^= order >> 63 & INT64_MAX;
    memcpy(&x, &order, sizeof x);
    return x;
}

dt_status dt_ranges_share(dt_ranges *ranges, const dt_ranks *among) {
    const int64_t columns = ranges->columns;
    for (int64_t c = 0; c < columns; c++) {
        ranges->message[c] = order_of(ranges->least[c]);
        ranges->message[columns + c] = order_of(-ranges->most[c]);
    }
    DT_TRY(dt_ranks_least(among, ranges->message, (size_t)columns * 2));
    for (int64_t c = 0; c < columns; c++) {
        ranges->least[c] = from_order(ranges->message[c]);
        ranges->most[c] = -from_order(ranges->message[columns + c]);
    }
    return dt_ok();
}
