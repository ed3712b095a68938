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
    TALLEST = 504,                       /* rows of A that are used again and again, the longest there are: they stay in
                                          * the second cache, and so do more of them where they are shorter */
    COPIES = VECTOR_BYTES == 64 ? 8 : 4, /* tiles of rows from which on it pays to copy a panel of B, */
    NEAR = 256,                          /* if its rows are further apart than so many numbers */
    SHALLOW = 32,                        /* panels that the next cache has at hand anyway */
    LINE = 64,                           /* bytes that come at once */
    WIDE_PANELS = 8 * 32 / TILE_COLS,    /* panels that the second cache holds, of the longest chains, */
    MANY_ROWS = 256,                     /* if they meet so many rows, */
    MANY_COLS = 128,                     /* and are so many columns */
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
        if (n <= most) tile(to, pair, 1, last, rows, n <= most ? n : most, masked, dense, keeps);                      \
        break;

/* A tile of `rows` rows by 1 to `most` vectors. */
INLINE void some_vectors(const tile_result *to, const tile_pair *pair, lane_mask last, int vectors, const int rows,
                         const int most, const bool masked, const bool dense, const bool keeps) {
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
        some_vectors(to, pair, last, vectors, rows, most, false, false, false);                                        \
    }                                                                                                                  \
    static void masked_##rows(const tile_result *to, const tile_pair *pair, lane_mask last, int vectors) {             \
        some_vectors(to, pair, last, vectors, rows, most, true, false, false);                                         \
    }                                                                                                                  \
    static void dense_##rows(const tile_result *to, const tile_pair *pair, lane_mask last, int vectors) {              \
        some_vectors(to, pair, last, vectors, rows, most, false, true, false);                                         \
    }
FOR_SHAPES(DEFINE_TILES)

#define PLAIN_OF(rows, most) [rows] = plain_##rows,
#define MASKED_OF(rows, most) [rows] = masked_##rows,
#define DENSE_OF(rows, most) [rows] = dense_##rows,
static tile_function *const plain_tiles[] = {FOR_SHAPES(PLAIN_OF)}, *const masked_tiles[] = {FOR_SHAPES(MASKED_OF)},
                            *const dense_tiles[] = {FOR_SHAPES(DENSE_OF)};

/* The first tile of a panel that is copied: there are so many tiles then that they are nearly as tall as any. */
#define DEFINE_KEEPING(less)                                                                                           \
    static void keeping_##less(const tile_result *to, const tile_pair *pair, lane_mask last, int vectors) {            \
        some_vectors(to, pair, last, vectors, TILE_ROWS - less, TILE_VECTORS, false, false, true);                     \
    }                                                                                                                  \
    static void keeping_masked_##less(const tile_result *to, const tile_pair *pair, lane_mask last, int vectors) {     \
        some_vectors(to, pair, last, vectors, TILE_ROWS - less, TILE_VECTORS, true, false, true);                      \
    }
DEFINE_KEEPING(0)
DEFINE_KEEPING(1)
static tile_function *const keeping_tiles[][2] = {{keeping_0, keeping_masked_0}, {keeping_1, keeping_masked_1}};

/* ---- panels ---- */

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
        if (pair.copy) {
            keeping_tiles[TILE_ROWS - count][cols % PER_VECTOR != 0](&result, &pair, last, vectors);
            pair.b = pair.copy;
            pair.stride = TILE_COLS;
            pair.copy = NULL;
        } else {
            shapes[count](&result, &pair, last, vectors);
        }
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
        int64_t cols = smaller(wide, p->cols - j),
                then = copies || p->ldb > NEAR ? smaller(wide, p->cols - j - cols) : 0;
        const dt_real *b = p->b + (p->b_turned ? j * p->ldb + k : k * p->ldb + j);
        tile_pair pair = {.a = p->a + (p->a_turned ? k * p->lda + first : first * p->lda + k),
                          .b = p->b_turned ? packed : b,
                          .depth = depth,
                          .down = p->a_turned ? 1 : p->lda,
                          .across = p->a_turned ? p->lda : 1,
                          .stride = p->b_turned ? TILE_COLS : p->ldb,
                          .copy = copies && !p->b_turned ? packed : NULL};
        if (p->b_turned) turn_panel(packed, b, p->ldb, depth, cols);
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

/* ---- a block of k of many rows and columns ---- */

/* The other way round: as many panels of B as the second cache holds stay there, packed, while A passes by once. B is
 * packed once then, not for every band of rows, and C is written in long pieces of its rows, which matters where B and
 * C are larger than any cache. */
typedef struct wide_part {
    const dt_matrix_product *product;
    int64_t k, depth, begin, end; /* of columns */
    dt_real *packed;
} wide_part;

/* The rows [row, row + count) of all panels; the first rows leave the panels packed. */
static void wide_rows(const wide_part *part, int64_t row, int64_t count, bool packs) {
    const dt_matrix_product *p = part->product;
    const int64_t wide = part->end - part->begin, k = part->k, after = row + count < p->rows ? count : 0;
    const bool ends = k + part->depth == p->depth;
    for (int64_t j = part->begin; j < part->end; j += TILE_COLS) {
        const int64_t cols = smaller(TILE_COLS, part->end - j), at = j - part->begin, some = cols % PER_VECTOR;
        dt_real *panel = part->packed + at * part->depth;
        tile_pair pair = {.a = p->a + row * p->lda + k,
                          .b = packs ? p->b + k * p->ldb + j : panel,
                          .depth = part->depth,
                          .down = p->lda,
                          .across = 1,
                          .stride = packs ? p->ldb : TILE_COLS,
                          .copy = panel};
        tile_result to = {.c = p->c + row * p->ldc + j,
                          .stride = p->ldc,
                          .start = k > 0 || p->add ? TILE_ADD : TILE_FRESH,
                          .bias = ends && p->bias ? p->bias + j : NULL,
                          .relu = ends && p->relu};
        ask_for(pair.a + count * p->lda, p->lda, part->depth * SIZE, after * at / wide, after * (at + cols) / wide);
        tile_function *function = packs  ? keeping_tiles[TILE_ROWS - count][some != 0]
                                  : some ? masked_tiles[count]
                                         : plain_tiles[count];
        function(&to, &pair, first_lanes(some), (int)((cols + PER_VECTOR - 1) / PER_VECTOR));
    }
}

static bool is_wide(const dt_matrix_product *p) {
    return !p->a_turned && p->rows >= MANY_ROWS && p->cols >= MANY_COLS && p->depth >= 32 &&
           (p->b_turned || p->ldb > NEAR);
}

static void wide_product(const dt_matrix_product *p) {
    _Alignas(64) dt_real packed[WIDE_PANELS * LONGEST_CHAIN * TILE_COLS];
    const heights h = heights_of(p->rows);
    const int64_t panels = (p->cols + TILE_COLS - 1) / TILE_COLS;
    for (int64_t k = 0, depth; k < p->depth; k += depth) {
        depth = block_of(p->depth - k);
        const int64_t most = WIDE_PANELS * LONGEST_CHAIN / depth, parts = (panels + most - 1) / most;
        for (int64_t i = 0; i < parts; i++) {
            const int64_t begin = panels * i / parts * TILE_COLS;
            const int64_t end = smaller(panels * (i + 1) / parts * TILE_COLS, p->cols);
            wide_part part = {.product = p, .k = k, .depth = depth, .begin = begin, .end = end, .packed = packed};
            for (int64_t j = begin; p->b_turned && j < end; j += TILE_COLS)
                turn_panel(packed + (j - begin) * depth, p->b + j * p->ldb + k, p->ldb, depth,
                           smaller(TILE_COLS, end - j));
            for (int64_t t = 0, row = 0, count; t < h.tiles; t++, row += count) {
                count = t < h.more ? h.least + 1 : h.least;
                wide_rows(&part, row, count, t == 0 && !p->b_turned);
            }
        }
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
    if (is_wide(p)) {
        wide_product(p);
        return;
    }
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
