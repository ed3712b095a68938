/* Matrix products. The order of every sum is part of what a run's bits are, so it is written down, and is all there is
 * to a product: k is cut into blocks (chain.h), each block is one chain of fused multiply-adds from 0, ascending
 * (tile.h), and blocks are added up in their order, to what is stored where the product adds. It depends on k alone:
 * not on the instruction set, the threads, the tiles, or what rows and columns there are beside.
 *
 * B is worked through in panels of a tile's width, which stay in the nearest cache while all rows of A pass by. */
#include "chain.h"
#include "slots.h"
#include "tile.h"
#include "turning.h"

enum {
    TALLEST = 336,                       /* rows of A that are used again and again, the longest there are: they stay in
                                          * the second cache, and so do more of them where they are shorter */
    COPIES = VECTOR_BYTES == 64 ? 8 : 4, /* tiles of rows from which on it pays to copy a panel of B, */
    NEAR = 256,                          /* if its rows are further apart than so many numbers */
    SHALLOW = 32,                        /* panels that the next cache has at hand anyway */
    LINE = 64,                           /* bytes that come at once */
    NARROW = 80                          /* columns that may be the rows of sideways tiles */
};

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* ---- tiles of all shapes ---- */

#if VECTOR_BYTES == 64 && !defined DT_REAL_DOUBLE
#    define FOR_SHAPES(X)                                                                                              \
        X(1, 8)                                                                                                        \
        X(2, 8) X(3, 6) X(4, 6) X(5, 4) X(6, 4) X(7, 3) X(8, 3) X(9, 2) X(10, 2) X(11, 2) X(12, 2) X(13, 2) X(14, 2)
#elif VECTOR_BYTES == 32 && !defined DT_REAL_DOUBLE
#    define FOR_SHAPES(X) X(1, 8) X(2, 4) X(3, 3) X(4, 3) X(5, 2) X(6, 2)
#elif defined __aarch64__
#    define FOR_SHAPES(X) X(1, 8) X(2, 8) X(3, 6) X(4, 6) X(5, 4) X(6, 4)
#else
#    define FOR_SHAPES(X) X(1, 4) X(2, 2)
#endif

#define COUNT_OF(rows, vectors) [rows] = vectors,
static const int8_t widest[TILE_ROWS + 1] = {FOR_SHAPES(COUNT_OF)};

#define VECTORS_CASE(n)                                                                                                \
    case n:                                                                                                            \
        if (n <= most) tile(to, pair, 1, last, rows, n <= most ? n : most, masked, dense);                             \
        break;

/* A tile of `rows` rows by 1 to `most` vectors. */
INLINE void some_vectors(const tile_result *to, const tile_pair *pair, lane_mask last, int vectors, const int rows,
                         const int most, const bool masked, const bool dense) {
    switch (vectors) {
        VECTORS_CASE(1)
        VECTORS_CASE(2)
        VECTORS_CASE(3)
        VECTORS_CASE(4)
        VECTORS_CASE(5)
        VECTORS_CASE(6)
        VECTORS_CASE(7)
        VECTORS_CASE(8)
    default: break;
    }
}

typedef void tile_function(const tile_result *to, const tile_pair *pair, lane_mask last, int vectors);

#define DEFINE_TILES(rows, most)                                                                                       \
    static void plain_##rows(const tile_result *to, const tile_pair *pair, lane_mask last, int vectors) {              \
        some_vectors(to, pair, last, vectors, rows, most, false, false);                                               \
    }                                                                                                                  \
    static void masked_##rows(const tile_result *to, const tile_pair *pair, lane_mask last, int vectors) {             \
        some_vectors(to, pair, last, vectors, rows, most, true, false);                                                \
    }                                                                                                                  \
    static void dense_##rows(const tile_result *to, const tile_pair *pair, lane_mask last, int vectors) {              \
        some_vectors(to, pair, last, vectors, rows, most, false, true);                                                \
    }
FOR_SHAPES(DEFINE_TILES)

#define PLAIN_OF(rows, most) [rows] = plain_##rows,
#define MASKED_OF(rows, most) [rows] = masked_##rows,
#define DENSE_OF(rows, most) [rows] = dense_##rows,
static tile_function *const plain_tiles[] = {FOR_SHAPES(PLAIN_OF)}, *const masked_tiles[] = {FOR_SHAPES(MASKED_OF)},
                            *const dense_tiles[] = {FOR_SHAPES(DENSE_OF)};

/* ---- panels ---- */

/* to[depth, TILE_COLS] = from[depth, cols], rows `stride` apart. */
INLINE void copy_columns(dt_real *restrict to, const dt_real *restrict from, int64_t stride, int64_t depth,
                         const int vectors, const bool masked, lane_mask last) {
    for (int64_t l = 0; l < depth; l++, to += TILE_COLS, from += stride)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) *(vector *)(to + v * PER_VECTOR) = tile_load(from, v, vectors, masked, last);
}

#define COPY_CASE(n)                                                                                                   \
    case n:                                                                                                            \
        if (n <= TILE_VECTORS && cols % PER_VECTOR == 0)                                                               \
            copy_columns(to, from, stride, depth, n, false, last);                                                     \
        else if (n <= TILE_VECTORS)                                                                                    \
            copy_columns(to, from, stride, depth, n, true, last);                                                      \
        break;

static void copy_panel(dt_real *to, const dt_real *from, int64_t stride, int64_t depth, int64_t cols) {
    lane_mask last = first_lanes(cols % PER_VECTOR);
    switch ((cols + PER_VECTOR - 1) / PER_VECTOR) {
        COPY_CASE(1)
        COPY_CASE(2)
        COPY_CASE(3)
        COPY_CASE(4)
    default: break;
    }
}

/* to[depth, TILE_COLS] = from[cols, depth], turned, rows `stride` apart. */
static void turn_panel(dt_real *restrict to, const dt_real *restrict from, int64_t stride, int64_t depth,
                       int64_t cols) {
    for (int64_t j = 0; j < cols; j += PER_VECTOR)
        turn_strip(to + j, TILE_COLS, from + j * stride, stride, depth, smaller(cols - j, PER_VECTOR),
                   PER_VECTOR * stride);
}

/* Asks for the rows [from, to) of a part of a matrix, `bytes` wide, rows `stride` numbers apart. */
INLINE void ask_for(const dt_real *at, int64_t stride, int64_t bytes, int64_t from, int64_t to) {
    for (int64_t i = from; i < to; i++)
        for (int64_t line = 0; line < bytes; line += LINE)
            __builtin_prefetch((const char *)(at + i * stride) + line, 0, 2);
}

/* ---- a block of k ---- */

/* What the panel after this one will be made of. */
typedef struct coming {
    const dt_real *at;
    int64_t rows, stride, bytes;
} coming;

/* Rows in tiles of the same height, of which the first `more` have one row more. */
typedef struct heights {
    int64_t tiles, least, more;
} heights;

INLINE heights heights_of(int64_t rows) {
    int64_t tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
    return (heights){tiles, rows / tiles, rows % tiles};
}

/* Numbers from a panel to the next, of the widest tiles of such rows. */
INLINE int64_t panel_width(heights h) {
    return (int64_t)widest[h.least + (h.more > 0)] * PER_VECTOR;
}

/* The same columns of all rows. */
INLINE void strip(const tile_pair *from, const tile_result *to, heights h, int64_t cols, const coming *next) {
    int vectors = (int)((cols + PER_VECTOR - 1) / PER_VECTOR);
    lane_mask last = first_lanes(cols % PER_VECTOR);
    tile_function *const *shapes = cols % PER_VECTOR ? masked_tiles : from->down == 1 ? dense_tiles : plain_tiles;
    tile_pair pair = *from;
    tile_result result = *to;
    for (int64_t t = 0; t < h.tiles; t++) {
        int64_t count = t < h.more ? h.least + 1 : h.least;
        if (next->rows > 0)
            ask_for(next->at, next->stride, next->bytes, next->rows * t / h.tiles, next->rows * (t + 1) / h.tiles);
        shapes[count](&result, &pair, last, vectors);
        pair.a += count * pair.down;
        result.c += count * result.stride;
    }
}

static void block(const dt_matrix_product *p, int64_t first, int64_t rows, int64_t k, int64_t depth) {
    const heights h = heights_of(rows);
    bool copies = p->b_turned || (h.tiles >= COPIES && p->ldb > NEAR);
    int64_t wide = copies ? TILE_COLS : panel_width(h);
    bool ends = k + depth == p->depth;
    _Alignas(64) dt_real packed[LONGEST_CHAIN * TILE_COLS];
    for (int64_t j = 0; j < p->cols; j += wide) {
        int64_t cols = smaller(wide, p->cols - j), then = copies ? smaller(wide, p->cols - j - cols) : 0;
        const dt_real *b = p->b + (p->b_turned ? j * p->ldb + k : k * p->ldb + j);
        tile_pair pair = {.a = p->a + (p->a_turned ? k * p->lda + first : first * p->lda + k),
                          .b = copies ? packed : b,
                          .depth = depth,
                          .down = p->a_turned ? 1 : p->lda,
                          .across = p->a_turned ? p->lda : 1,
                          .stride = copies ? TILE_COLS : p->ldb};
        if (p->b_turned)
            turn_panel(packed, b, p->ldb, depth, cols);
        else if (copies)
            copy_panel(packed, b, p->ldb, depth, cols);
        tile_result to = {.c = p->c + first * p->ldc + j,
                          .stride = p->ldc,
                          .start = k > 0 || p->add ? TILE_ADD : TILE_FRESH,
                          .bias = ends && p->bias ? p->bias + j : NULL,
                          .relu = ends && p->relu};
        coming next = {.at = b + wide * (p->b_turned ? p->ldb : 1),
                       .rows = then == 0 || depth < SHALLOW ? 0
                               : p->b_turned                ? then
                                                            : depth,
                       .stride = p->ldb,
                       .bytes = (p->b_turned ? depth : then) * SIZE};
        strip(&pair, &to, h, cols, &next);
    }
}

/* ---- a block of k of few columns ---- */

/* Where lanes along the columns would leave many idle, they run along the rows of a transposed A, which are neighbours
 * in memory as well: tiles are those of the transposed product, and are turned on their way to C. */
static bool is_sideways(const dt_matrix_product *p, int64_t rows, int64_t depth) {
    int64_t idle = -p->cols & (PER_VECTOR - 1);
    return p->a_turned && p->cols <= NARROW && 10 * idle > p->cols && depth >= 16 && rows >= PER_VECTOR;
}

/* C's rows [row, row + rows), for at most a vector of them, from sums[cols, stride]. */
static void turn_out(const dt_matrix_product *p, const dt_real *sums, int64_t stride, int64_t row, int64_t rows,
                     bool add, bool ends) {
    for (int64_t j = 0; j < p->cols; j += PER_VECTOR) {
        int64_t cols = smaller(p->cols - j, PER_VECTOR);
        lane_mask some = first_lanes(cols);
        vector a[PER_VECTOR], bias = ends && p->bias ? load_lanes(p->bias + j, some) : (vector){0};
#pragma GCC unroll 16
        for (int i = 0; i < PER_VECTOR; i++) a[i] = i < cols ? *(const vector *)(sums + (j + i) * stride) : (vector){0};
        turn_square(a);
        dt_real *c = p->c + row * p->ldc + j;
#pragma GCC unroll 16
        for (int i = 0; i < PER_VECTOR; i++, c += p->ldc) {
            if (i >= rows) break;
            if (add) a[i] = load_lanes(c, some) + a[i];
            if (ends && p->bias) a[i] += bias;
            if (ends && p->relu) a[i] = tile_relu(a[i]);
            store_lanes(c, a[i], some);
        }
    }
}

static void sideways_block(const dt_matrix_product *p, int64_t first, int64_t rows, int64_t k, int64_t depth) {
    _Alignas(64) dt_real sums[NARROW * TILE_WIDEST * PER_VECTOR];
    const heights h = heights_of(p->cols);
    const int64_t wide = panel_width(h);
    for (int64_t i = 0; i < rows; i += wide) {
        int64_t some = smaller(wide, rows - i);
        tile_pair pair = {.a = p->b + (p->b_turned ? k : k * p->ldb),
                          .b = p->a + k * p->lda + first + i,
                          .depth = depth,
                          .down = p->b_turned ? p->ldb : 1,
                          .across = p->b_turned ? 1 : p->ldb,
                          .stride = p->lda};
        strip(&pair, &(tile_result){.c = sums, .stride = wide, .start = TILE_FRESH}, h, some, &(coming){0});
        for (int64_t at = 0; at < some; at += PER_VECTOR)
            turn_out(p, sums + at, wide, first + i + at, smaller(some - at, PER_VECTOR), k > 0 || p->add,
                     k + depth == p->depth);
    }
}

void DT_OF_ISA(product)(const dt_matrix_product *p) {
    int64_t longest = block_of(p->depth), tallest = longest > 0 ? TALLEST * LONGEST_CHAIN / longest : TALLEST;
    int64_t bands = (p->rows + tallest - 1) / tallest;
    for (int64_t band = 0; band < bands; band++) {
        int64_t first = p->rows * band / bands, k = 0, depth;
        do {
            depth = block_of(p->depth - k);
            int64_t rows = p->rows * (band + 1) / bands - first;
            if (is_sideways(p, rows, depth))
                sideways_block(p, first, rows, k, depth);
            else
                block(p, first, rows, k, depth);
            k += depth;
        } while (k < p->depth);
    }
}
