/* The building block of convolutions: a tile of sums, so many rows by so many vectors of columns, stays in registers
 * while its chains of fused multiply-adds run,
 *
 *     c[r, j] = fma(a[r, l], b[l, j], c[r, j]),  l ascending,
 *
 * as in tile.h, but l goes over lines and runs of a picture, and at its edge a run leaves out some of the rows: they
 * are skipped, not multiplied with zeros. Where a tile is lanewise, a[r, l] is a vector as b[l] is, and lanes are
 * channels that do not see each other.
 *
 * With CONV_PAIRS (convolve_pairs.c) a number of a and b is a pair of bfloat16 numbers, and l goes by twos. */
#ifndef DTRAIN_COMPUTE_CONV_TILE_H
#define DTRAIN_COMPUTE_CONV_TILE_H

#include "conv_walk.h"
#include "vector.h"

/* Rows of the largest tiles with 1, 2 and 4 vectors, and of lanewise ones: what leaves registers for a row of b and a
 * number of a. */
#if VECTOR_BYTES == 64 && !defined DT_REAL_DOUBLE
#    define CONV_TALL_ROWS 24
#    define CONV_ROWS 14
#    define CONV_WIDE_ROWS 6
#    define CONV_LANEWISE_ROWS 14
#elif defined __aarch64__
#    define CONV_TALL_ROWS 24
#    define CONV_ROWS 12
#    define CONV_WIDE_ROWS 6
#    define CONV_LANEWISE_ROWS 12
#elif VECTOR_BYTES == 32 && !defined DT_REAL_DOUBLE
#    define CONV_TALL_ROWS 12
#    define CONV_ROWS 6
#    define CONV_WIDE_ROWS 3
#    define CONV_LANEWISE_ROWS 6
#else
#    define CONV_TALL_ROWS 2
#    define CONV_ROWS 2
#    define CONV_WIDE_ROWS 1
#    define CONV_LANEWISE_ROWS 2
#endif
enum {
    CONV_WIDEST = 4,
    CONV_SQUARE = CONV_TALL_ROWS == 24 ? 5 : 3, /* the largest side */
    CONV_MOST_ROWS = CONV_SQUARE * CONV_SQUARE > CONV_TALL_ROWS ? CONV_SQUARE *CONV_SQUARE : CONV_TALL_ROWS
};

/* Lines that have the same runs, and where the first of them lies from the tile's a and b. */
typedef struct conv_lines {
    int64_t a, b, count;
    const dt_conv_run *runs;
    int64_t run_count;
} conv_lines;

typedef struct conv_tile {
    dt_real *c;
    const dt_real *a, *b, *bias;
    int64_t c_row, a_row;                /* distances of rows */
    int64_t a_next, b_next;              /* within a run */
    int64_t lines, a_line, b_line;       /* every line has the same runs */
    int64_t targets, a_target, c_target; /* tiles below each other that differ in a and c alone */
    const dt_conv_run *runs;
    int64_t run_count;
    const conv_lines
        *parts; /* of a square tile instead, each of whose lines of rows lies a_side after the one before */
    int64_t part_count, a_side;
    lane_mask last; /* lanes of the last vector, where it is `masked` */
    bool masked;
    bool add; /* to what is stored */
    bool bend;
    dt_real slope;
} conv_tile;

#define CONV_BYTES ((int64_t)sizeof(dt_real))
#define CONV_HIDE(number) __asm__("" : "+r"(number)) /* its value from the compiler */

INLINE const dt_real *conv_at(const dt_real *from, int64_t bytes) {
    return (const dt_real *)(const void *)((const char *)from + bytes);
}

#ifdef CONV_PAIRS
enum { CONV_AT_ONCE = 2 }; /* products of a multiplication */

/* fma of the members in the upper halves, then of the others (product_pairs.c). */
INLINE vector conv_multiply(vector a, vector b, vector c) {
    return (vector)_mm512_dpbf16_ps((__m512)c, (__m512bh)a, (__m512bh)b);
}

/* Upper halves alone: the lower ones become -0 and 0, whose product changes no sum. */
INLINE vector conv_half_a(vector a) {
    __m512i upper = _mm512_and_si512((__m512i)a, _mm512_set1_epi32((int)0xffff0000U));
    return (vector)_mm512_or_si512(upper, _mm512_set1_epi32(0x8000));
}
INLINE vector conv_half_b(vector b) {
    return (vector)_mm512_and_si512((__m512i)b, _mm512_set1_epi32((int)0xffff0000U));
}
#else
enum { CONV_AT_ONCE = 1 };

INLINE vector conv_multiply(vector a, vector b, vector c) {
    return fma_vector(a, b, c);
}
INLINE vector conv_half_a(vector a) {
    return a;
}
INLINE vector conv_half_b(vector b) {
    return b;
}
#endif

INLINE vector conv_load(const dt_real *from, const int v, const int vectors, const bool masked, lane_mask last) {
    from += v * PER_VECTOR;
    return masked && v == vectors - 1 ? load_lanes(from, last) : *(const vector *)from;
}

/* Row r of a: every fifth has a pointer of its own, the others lie 1 to 4 rows after it, in registers enough for 24;
 * in a square tile it is the first of every line. */
enum { CONV_POINTERS = 5 };

typedef struct conv_rows {
    const dt_real *fifth[CONV_POINTERS];
    int64_t down, thrice; /* bytes from a row to the next, and 3 of them */
} conv_rows;

INLINE const dt_real *conv_row(const conv_rows *a, const int r, const int side) {
    const int line = side > 0 ? side : 5;
    const dt_real *from = a->fifth[r / line];
    switch (r % line) {
    case 0: return from;
    case 1: return conv_at(from, a->down);
    case 2: return conv_at(from, 2 * a->down);
    case 3: return conv_at(from, a->thrice);
    default: return conv_at(from, 4 * a->down);
    }
}

/* Which rows of a tile take part in a run. At the edge of a picture it mostly is the first or the last that does not.
 */
typedef enum conv_part { CONV_ALL, CONV_BUT_FIRST, CONV_BUT_LAST, CONV_SOME } conv_part;

/* `rows` and what follows are constants where it is called. */
INLINE void conv_run(vector sum[CONV_MOST_ROWS][CONV_WIDEST], const conv_tile *at, const dt_real *from,
                     const dt_real *weights, const dt_conv_run *run, const int rows, const int vectors,
                     const bool masked, const bool lanewise, const int side, const conv_part part, const bool half) {
    const dt_real *b = weights + run->b;
    const int pointers = side > 0 ? side : (rows + 4) / 5;
    conv_rows a = {.down = at->a_row * CONV_BYTES, .thrice = 3 * at->a_row * CONV_BYTES};
    a.fifth[0] = from + run->a;
#pragma GCC unroll 8
    for (int p = 1; p < pointers; p++) {
        a.fifth[p] = conv_at(a.fifth[p - 1], side > 0 ? at->a_side * CONV_BYTES : 5 * a.down);
        CONV_HIDE(a.fifth[p]);
    }
    int64_t across = at->a_next * CONV_BYTES, next = at->b_next * CONV_BYTES;
    const uint32_t some = run->rows;
    CONV_HIDE(a.down); /* or GCC writes another loop for where it is 1, or keeps 14 addresses instead of 5 */
    CONV_HIDE(a.thrice);
    CONV_HIDE(across);
    for (int64_t left = run->count; left > 0; left--, b = conv_at(b, next)) {
        vector row[CONV_WIDEST];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            row[v] = conv_load(b, v, vectors, masked, at->last);
            if (half) row[v] = conv_half_b(row[v]);
        }
#pragma GCC unroll 25
        for (int r = part == CONV_BUT_FIRST; r < rows - (part == CONV_BUT_LAST); r++) {
            if (part == CONV_SOME && !(some >> r & 1)) continue;
            const dt_real *number = conv_row(&a, r, side);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) {
                vector factor = lanewise ? conv_load(number, v, vectors, masked, at->last) : same(*number);
                sum[r][v] = conv_multiply(half ? conv_half_a(factor) : factor, row[v], sum[r][v]);
            }
        }
#pragma GCC unroll 8
        for (int p = 0; p < pointers; p++) a.fifth[p] = conv_at(a.fifth[p], across);
    }
}

INLINE void conv_store(vector sum[CONV_MOST_ROWS][CONV_WIDEST], const conv_tile *at, dt_real *c, const int rows,
                       const int vectors, const bool masked) {
    vector bias[CONV_WIDEST];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
        bias[v] = at->bias ? conv_load(at->bias, v, vectors, masked, at->last) : (vector){0};
    const bool bend = at->bend, relu = at->slope == 0;
    const vector slope = same(at->slope);
#pragma GCC unroll 25
    for (int r = 0; r < rows; r++, c += at->c_row) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            vector value = sum[r][v];
            if (at->bias) value += bias[v];
            if (at->add) value = conv_load(c, v, vectors, masked, at->last) + value;
            if (bend) { /* what is below 0 becomes slope times that, or 0; NaN stays */
                __typeof__(value < 0) below = value < 0, kept = ~below & (__typeof__(below))value;
                value = relu ? (vector)kept : (vector)(kept | (below & (__typeof__(below))(slope * value)));
            }
            if (masked && v == vectors - 1)
                store_lanes(c + v * PER_VECTOR, value, at->last);
            else
                *(vector *)(c + v * PER_VECTOR) = value;
        }
    }
}

INLINE void conv_line(vector sum[CONV_MOST_ROWS][CONV_WIDEST], const conv_tile *at, const dt_real *a, const dt_real *b,
                      const dt_conv_run *runs, int64_t count, const int rows, const int vectors, const bool masked,
                      const bool lanewise, const int side) {
    const uint32_t all = (1U << rows) - 1;
    for (const dt_conv_run *run = runs; run < runs + count; run++) {
        if (CONV_AT_ONCE > 1 && run->half)
            conv_run(sum, at, a, b, run, rows, vectors, masked, lanewise, side, CONV_SOME, true);
        else if (run->rows == all)
            conv_run(sum, at, a, b, run, rows, vectors, masked, lanewise, side, CONV_ALL, false);
        else if (side == 0 && rows > 2 && run->rows == (all & (all << 1)))
            conv_run(sum, at, a, b, run, rows, vectors, masked, lanewise, side, CONV_BUT_FIRST, false);
        else if (side == 0 && rows > 2 && run->rows == all >> 1)
            conv_run(sum, at, a, b, run, rows, vectors, masked, lanewise, side, CONV_BUT_LAST, false);
        else
            conv_run(sum, at, a, b, run, rows, vectors, masked, lanewise, side, CONV_SOME, false);
    }
}

INLINE void conv_sums(const conv_tile *at, const int rows, const int vectors, const bool masked, const bool lanewise,
                      const int side) {
    const conv_lines whole = {0, 0, at->lines, at->runs, at->run_count}, *parts = side > 0 ? at->parts : &whole;
    const int64_t count = side > 0 ? at->part_count : 1;
    for (int64_t target = 0; target < at->targets; target++) {
        vector sum[CONV_MOST_ROWS][CONV_WIDEST];
#pragma GCC unroll 25
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) sum[r][v] = (vector){0};
        for (const conv_lines *part = parts; part < parts + count; part++)
            for (int64_t line = 0; line < part->count; line++)
                conv_line(sum, at, at->a + part->a + target * at->a_target + line * at->a_line,
                          at->b + part->b + line * at->b_line, part->runs, part->run_count, rows, vectors, masked,
                          lanewise, side);
        conv_store(sum, at, at->c + target * at->c_target, rows, vectors, masked);
    }
}

#endif
