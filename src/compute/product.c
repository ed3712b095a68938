/* Small products, for networks whose products take less time than a library needs to get ready for one. The order of
 * every sum is written down: c[i, j] is one chain of fused multiply-adds over k, ascending, from 0. Lanes run along the
 * columns, so tiles and vectors change no bit, and a row's sums do not depend on the rows beside it. */
#include "slots.h"
#include "vector.h"

#if defined __AVX512F__ && !defined DT_REAL_DOUBLE
#    define TILE_ROWS 6 /* with as many vectors of columns as fill the registers: 6*4 sums, 4 of w */
#else
#    define TILE_ROWS 3
#endif
#define TILE_VECTORS 4

typedef struct tile_place {
    dt_real *y;
    const dt_real *x, *w, *b; /* b: what is added to each row, or NULL */
    int64_t in, out;          /* distances of rows */
    bool relu;
} tile_place;

/* What bias_activate does, while the sums are in registers. */
INLINE vector activated(vector sum, vector bias, bool relu) {
    vector v = sum + bias;
    return relu ? (vector)(~(v < 0) & (__typeof__(v < 0))v) : v; /* as `v < 0 ? 0 : v`, number by number */
}

/* The last `count` columns, fewer than a vector has: those beyond are 0, and stay out of y. */
INLINE vector load_some(const dt_real *from, int64_t count) {
#if VECTOR_BYTES == 64 && !defined DT_REAL_DOUBLE
    return (vector)_mm512_maskz_loadu_ps((__mmask16)((1U << count) - 1), from);
#else
    vector v = {0};
    for (int64_t i = 0; i < count; i++) v[i] = from[i];
    return v;
#endif
}

INLINE void store_some(dt_real *to, vector v, int64_t count) {
#if VECTOR_BYTES == 64 && !defined DT_REAL_DOUBLE
    _mm512_mask_storeu_ps(to, (__mmask16)((1U << count) - 1), (__m512)v);
#else
    for (int64_t i = 0; i < count; i++) to[i] = v[i];
#endif
}

/* rows rows by `vectors` vectors of columns, the last of which has `some` columns where that is not 0. */
INLINE void tile(const tile_place *at, const int rows, const int vectors, const int64_t some) {
    vector sum[TILE_ROWS][TILE_VECTORS];
    const int64_t in = at->in, out = at->out;
    const dt_real *w = at->w;
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) sum[r][v] = (vector){0};
    for (int64_t l = 0; l < in; l++, w += out) {
        vector from[TILE_VECTORS];
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++)
            from[v] =
                some && v == vectors - 1 ? load_some(w + v * PER_VECTOR, some) : *(const vector *)(w + v * PER_VECTOR);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++) sum[r][v] = fma_scaled(at->x[r * in + l], from[v], sum[r][v]);
    }
    vector bias[TILE_VECTORS];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++)
        bias[v] = !at->b                     ? (vector){0}
                  : some && v == vectors - 1 ? load_some(at->b + v * PER_VECTOR, some)
                                             : *(const vector *)(at->b + v * PER_VECTOR);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) {
            if (at->b || at->relu) sum[r][v] = activated(sum[r][v], bias[v], at->relu);
            dt_real *to = at->y + r * out + v * PER_VECTOR;
            if (some && v == vectors - 1)
                store_some(to, sum[r][v], some);
            else
                *(vector *)to = sum[r][v];
        }
}

#define ROWS_CASE(n)                                                                                                   \
    case n: tile(at, n, vectors, some); break;

/* At most TILE_ROWS rows. */
INLINE void some_rows(const tile_place *at, int64_t rows, const int vectors, const int64_t some) {
    switch (rows) {
        ROWS_CASE(1)
        ROWS_CASE(2)
#if TILE_ROWS == 6
        ROWS_CASE(3)
        ROWS_CASE(4)
        ROWS_CASE(5)
#endif
    default: tile(at, TILE_ROWS, vectors, some); break;
    }
}

#define COLUMNS_CASE(n)                                                                                                \
    case n:                                                                                                            \
        if (some)                                                                                                      \
            some_rows(at, rows, n, some);                                                                              \
        else                                                                                                           \
            some_rows(at, rows, n, 0);                                                                                 \
        break;

/* One strip of rows by at most TILE_VECTORS vectors of columns. */
static void strip(const tile_place *at, int64_t rows, int64_t columns) {
    int64_t some = columns % PER_VECTOR;
    switch ((columns + PER_VECTOR - 1) / PER_VECTOR) {
        COLUMNS_CASE(1)
        COLUMNS_CASE(2)
        COLUMNS_CASE(3)
    default: COLUMNS_CASE(4)
    }
}

void DT_OF_ISA(product)(dt_real *y, const dt_real *x, const dt_real *w, const dt_real *b, bool relu, int64_t rows,
                        int64_t in, int64_t out) {
    const int64_t wide = TILE_VECTORS * PER_VECTOR;
    for (int64_t j = 0; j < out; j += wide) {
        int64_t columns = out - j < wide ? out - j : wide;
        for (int64_t i = 0; i < rows; i += TILE_ROWS) {
            tile_place at = {y + i * out + j, x + i * in, w + j, b ? b + j : NULL, in, out, relu};
            strip(&at, rows - i < TILE_ROWS ? rows - i : TILE_ROWS, columns);
        }
    }
}
