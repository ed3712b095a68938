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

enum { COPIES = 4 };

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
static void copy_panel(dt_real *restrict to, const dt_real *restrict from, int64_t stride, int64_t depth,
                       int64_t cols) {
    int64_t whole = cols / PER_VECTOR * PER_VECTOR;
    lane_mask last = first_lanes(cols - whole);
    for (int64_t l = 0; l < depth; l++, to += TILE_COLS, from += stride) {
        for (int64_t j = 0; j < whole; j += PER_VECTOR) *(vector *)(to + j) = *(const vector *)(from + j);
        if (whole < cols) *(vector *)(to + whole) = load_lanes(from + whole, last);
    }
}

/* to[depth, TILE_COLS] = from[cols, depth], turned, rows `stride` apart. */
static void turn_panel(dt_real *restrict to, const dt_real *restrict from, int64_t stride, int64_t depth,
                       int64_t cols) {
    for (int64_t j = 0; j < cols; j += PER_VECTOR)
        turn_strip(to + j, TILE_COLS, from + j * stride, stride, depth, smaller(cols - j, PER_VECTOR));
}

/* ---- a block of k ---- */

/* The same columns of all rows: tiles of the same height, but for one row. */
static void strip(const tile_pair *from, const tile_result *to, int64_t rows, int64_t cols) {
    int64_t tiles = (rows + TILE_ROWS - 1) / TILE_ROWS, height = rows / tiles, more = rows % tiles;
    int vectors = (int)((cols + PER_VECTOR - 1) / PER_VECTOR);
    lane_mask last = first_lanes(cols % PER_VECTOR);
    tile_function *const *shapes = cols % PER_VECTOR ? masked_tiles : from->down == 1 ? dense_tiles : plain_tiles;
    tile_pair pair = *from;
    tile_result result = *to;
    for (int64_t t = 0; t < tiles; t++) {
        int64_t count = t < more ? height + 1 : height;
        shapes[count](&result, &pair, last, vectors);
        pair.a += count * pair.down;
        result.c += count * result.stride;
    }
}

static void block(const dt_matrix_product *p, int64_t k, int64_t depth) {
    int64_t tiles = (p->rows + TILE_ROWS - 1) / TILE_ROWS, height = (p->rows + tiles - 1) / tiles;
    bool copies = !p->b_turned && tiles >= COPIES;
    int64_t wide = p->b_turned || copies ? TILE_COLS : (int64_t)widest[height] * PER_VECTOR;
    bool ends = k + depth == p->depth;
    _Alignas(64) dt_real packed[LONGEST_CHAIN * TILE_COLS];
    for (int64_t j = 0; j < p->cols; j += wide) {
        int64_t cols = smaller(wide, p->cols - j);
        const dt_real *b = p->b + (p->b_turned ? j * p->ldb + k : k * p->ldb + j);
        tile_pair pair = {.a = p->a + (p->a_turned ? k * p->lda : k),
                          .b = p->b_turned || copies ? packed : b,
                          .depth = depth,
                          .down = p->a_turned ? 1 : p->lda,
                          .across = p->a_turned ? p->lda : 1,
                          .stride = p->b_turned || copies ? TILE_COLS : p->ldb};
        if (p->b_turned)
            turn_panel(packed, b, p->ldb, depth, cols);
        else if (copies)
            copy_panel(packed, b, p->ldb, depth, cols);
        tile_result to = {.c = p->c + j,
                          .stride = p->ldc,
                          .start = k > 0 || p->add ? TILE_ADD : TILE_FRESH,
                          .bias = ends && p->bias ? p->bias + j : NULL,
                          .relu = ends && p->relu};
        strip(&pair, &to, p->rows, cols);
    }
}

void DT_OF_ISA(product)(const dt_matrix_product *p) {
    if (p->rows < 1) return;
    int64_t k = 0, depth;
    do {
        depth = block_of(p->depth - k);
        block(p, k, depth);
        k += depth;
    } while (k < p->depth);
}
