/* The building block of all products: a tile of C, so many rows by so many vectors of columns, stays in registers while
 * one chain of fused multiply-adds runs for each of its numbers,
 *
 *     c = fma(a[i, l], b[l, j], c),  l ascending.
 *
 * Lanes run along the columns, so no sum crosses lanes; how many rows and vectors a tile has, how operands are packed
 * and who computes which tile change no bit. */
#ifndef DTRAIN_COMPUTE_TILE_H
#define DTRAIN_COMPUTE_TILE_H

#include <stdbool.h>

#include "vector.h"

/* The largest tile that leaves registers for a row of B and a number of A, and is large enough for the multipliers
 * never to wait for a sum (2 units of 4 cycles: 8 sums). Fewer rows take more vectors. */
#if VECTOR_BYTES == 64 && !defined DT_REAL_DOUBLE
enum { TILE_ROWS = 14, TILE_VECTORS = 2 };
#elif VECTOR_BYTES == 32 && !defined DT_REAL_DOUBLE
enum { TILE_ROWS = 6, TILE_VECTORS = 2 };
#elif defined __aarch64__
enum { TILE_ROWS = 6, TILE_VECTORS = 4 };
#else
enum { TILE_ROWS = 2, TILE_VECTORS = 2 };
#endif
enum { TILE_WIDEST = 8, TILE_COLS = TILE_VECTORS * PER_VECTOR };

/* What is asked for while a tile is computed, so that it is near when it is its turn: `count` groups of lines, each
 * `step` bytes after the one before, of `lines` lines that are `line_step` bytes apart; and the tile's own sums, where
 * they are added to. Memory answers so many requests at once and no more, and what the tile reads waits behind them; so
 * they are spread over its chain, `share` groups and `rows` rows of sums for every `part` of it. */
typedef struct tile_ask {
    const char *at;
    int64_t count, step, lines, line_step;
    int64_t part, share, rows;
} tile_ask;

/* a[rows, depth] b[depth, columns]. Number (i, l) of A is a[i*down + l*across], so A transposed is A with the two
 * exchanged; B's rows are `stride` apart. */
typedef struct tile_pair {
    const dt_real *a, *b;
    int64_t depth, down, across, stride;
    dt_real *copy; /* where a tile that keeps B leaves it, rows TILE_COLS apart */
} tile_pair;

typedef enum tile_start {
    TILE_FRESH, /* the chain begins with 0 */
    TILE_GO_ON, /* with what is stored */
    TILE_ADD    /* with 0, and what is stored is added to its end */
} tile_start;

/* Where the sums go, and what is done with them in registers: c = sum, + bias[column] unless it is NULL; with relu,
 * what is below 0 becomes 0 (NaN stays). */
typedef struct tile_result {
    dt_real *c;
    int64_t stride; /* of c's rows */
    const dt_real *bias;
    tile_start start;
    bool relu;
} tile_result;

/* Vector v of `vectors`, at `from`; the last has `last` lanes where the tile is masked. */
INLINE vector tile_load(const dt_real *from, const int v, const int vectors, const bool masked, lane_mask last) {
    from += v * PER_VECTOR;
    return masked && v == vectors - 1 ? load_lanes(from, last) : *(const vector *)from;
}

INLINE void tile_store(dt_real *to, vector value, const int v, const int vectors, const bool masked, lane_mask last) {
    to += v * PER_VECTOR;
    if (masked && v == vectors - 1)
        store_lanes(to, value, last);
    else
        *(vector *)to = value;
}

/* What is below 0 becomes 0; NaN stays. */
INLINE vector tile_relu(vector x) {
    return (vector)(~(x < 0) & (__typeof__(x < 0))x);
}

#define SIZE ((int64_t)sizeof(dt_real))
#define HIDE(number) __asm__("" : "+r"(number)) /* its value from the compiler */

INLINE const dt_real *beyond(const dt_real *from, int64_t bytes) {
    return (const dt_real *)(const void *)((const char *)from + bytes);
}

/* Row r of A: every fifth has a pointer of its own, the others lie 1 to 4 rows after it, which an address can say. */
enum { TILE_POINTERS = (TILE_ROWS + 4) / 5 };

INLINE const dt_real *tile_row(const dt_real *const fifth[TILE_POINTERS], int64_t down, int64_t thrice, const int r,
                               const bool dense) {
    if (dense) return beyond(fifth[0], r * down);
    const dt_real *from = fifth[r / 5];
    switch (r % 5) {
    case 0: return from;
    case 1: return beyond(from, down);
    case 2: return beyond(from, 2 * down);
    case 3: return beyond(from, thrice);
    default: return beyond(from, 4 * down);
    }
}

/* Groups [from, to) of `ask`, or fewer. */
INLINE void tile_asks(const tile_ask *ask, int64_t from, int64_t to) {
    const char *at = ask->at + from * ask->step;
    for (int64_t i = from; i < to && i < ask->count; i++, at += ask->step)
        for (int64_t line = 0; line < ask->lines; line++) __builtin_prefetch(at + line * ask->line_step, 0, 2);
}

#define OVER_TILE(...)                                                                                                 \
    _Pragma("GCC unroll 16") for (int r = 0; r < rows; r++) {                                                          \
        _Pragma("GCC unroll 8") for (int v = 0; v < vectors; v++) {                                                    \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

/* Where a chain is. */
typedef struct tile_place {
    const dt_real *b, *fifth[TILE_POINTERS];
    dt_real *copy;
    int64_t down, thrice, across, next; /* bytes */
} tile_place;

INLINE tile_place tile_begin(const tile_pair *pair, const int rows, const bool dense) {
    const int pointers = dense ? 1 : (rows + 4) / 5;
    tile_place at = {.b = pair->b,
                     .fifth = {pair->a},
                     .copy = pair->copy,
                     .down = (dense ? 1 : pair->down) * SIZE,
                     .across = pair->across * SIZE,
                     .next = pair->stride * SIZE};
    at.thrice = 3 * at.down;
    HIDE(at.across); /* or GCC writes another loop for where it is 1, and sums leave their registers */
    if (!dense) {    /* or it keeps an address for every row, and those leave theirs */
        HIDE(at.down);
        HIDE(at.thrice);
    }
#pragma GCC unroll 8
    for (int i = 1; i < pointers; i++) {
        at.fifth[i] = beyond(at.fifth[i - 1], 5 * at.down);
        HIDE(at.fifth[i]);
    }
    return at;
}

/* The next `count` links of all chains. */
INLINE void tile_links(vector sum[TILE_ROWS][TILE_WIDEST], tile_place *at, int64_t count, lane_mask last,
                       const int rows, const int vectors, const bool masked, const bool dense, const bool keeps) {
    const int pointers = dense ? 1 : (rows + 4) / 5;
    for (; count > 0; count--, at->b = beyond(at->b, at->next)) {
        vector row[TILE_WIDEST];
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) row[v] = tile_load(at->b, v, vectors, masked, last);
        if (keeps)
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++) *(vector *)(at->copy + v * PER_VECTOR) = row[v];
        if (keeps) at->copy += TILE_COLS;
        OVER_TILE(sum[r][v] = fma_scaled(*tile_row(at->fifth, at->down, at->thrice, r, dense), row[v], sum[r][v]);)
#pragma GCC unroll 8
        for (int i = 0; i < pointers; i++) at->fifth[i] = beyond(at->fifth[i], at->across);
    }
}

/* rows, vectors, masked, dense (down == 1: A is packed by columns, or transposed) and keeps (B is copied on its way
 * through the registers, which costs next to nothing beside so many multiplications) are constants where it is called;
 * rows*vectors sums have to fit the registers. Nothing beyond the last column is read or written, of B and C alike. */
INLINE void tile(const tile_result *to, const tile_pair *pair, const tile_ask *ask, lane_mask last, const int rows,
                 const int vectors, const bool masked, const bool dense, const bool keeps) {
    vector sum[TILE_ROWS][TILE_WIDEST];
    const bool adds = to->start == TILE_ADD;
    if (to->start == TILE_GO_ON)
        OVER_TILE(sum[r][v] = tile_load(to->c + r * to->stride, v, vectors, masked, last);)
    else
        OVER_TILE(sum[r][v] = (vector){0};)
    tile_place at = tile_begin(pair, rows, dense);
    int64_t left = pair->depth;
    if (adds && !ask) /* so that it is there when the chains end */
        OVER_TILE(__builtin_prefetch(to->c + r * to->stride + v * PER_VECTOR, 1);)
    if (ask)
        for (int64_t part = 0; left > ask->part; part++, left -= ask->part) {
            tile_asks(ask, part * ask->share, (part + 1) * ask->share);
            for (int64_t r = part * ask->rows; adds && r < (part + 1) * ask->rows && r < rows; r++)
#pragma GCC unroll 8
                for (int v = 0; v < vectors; v++) __builtin_prefetch(to->c + r * to->stride + v * PER_VECTOR, 1);
            tile_links(sum, &at, ask->part, last, rows, vectors, masked, dense, keeps);
        }
    tile_links(sum, &at, left, last, rows, vectors, masked, dense, keeps);
    if (adds) OVER_TILE(sum[r][v] = tile_load(to->c + r * to->stride, v, vectors, masked, last) + sum[r][v];)
    if (to->bias) OVER_TILE(sum[r][v] += tile_load(to->bias, v, vectors, masked, last);)
    if (to->relu) OVER_TILE(sum[r][v] = tile_relu(sum[r][v]);)
    OVER_TILE(tile_store(to->c + r * to->stride, sum[r][v], v, vectors, masked, last);)
}

#endif
