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
    LONG = 192,                          /* chains that are worth asking beside, after every */
    PART = 24,                           /* so many links */
    WIDE_PANELS = 8 * 32 / TILE_COLS,    /* panels that the second cache holds, of the longest chains, */
    MANY_ROWS = 256,                     /* if they meet so many rows, */
    MANY_COLS = 128,                     /* and are so many columns; */
    SHORT = 128,                         /* of a transposed A in shorter chains, */
    LONG_C = 4096,                       /* if so many rows */
    PAGE = 4096,                         /* bytes */
    CROWD = 8,                           /* tiles, links and panels from which on it pays to pack A */
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
        if (n <= most) tile(to, pair, ask, last, rows, n <= most ? n : most, masked, dense, keeps);                    \
        break;

/* A tile of `rows` rows by 1 to `most` vectors. */
INLINE void some_vectors(const tile_result *to, const tile_pair *pair, const tile_ask *ask, lane_mask last, int vectors,
                         const int rows, const int most, const bool masked, const bool dense, const bool keeps) {
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

#define TILE_ARGUMENTS const tile_result *to, const tile_pair *pair, const tile_ask *ask, lane_mask last, int vectors
typedef void tile_function(TILE_ARGUMENTS);

/* Those that ask have all their vectors; short chains are no place for what asking takes. */
#define DEFINE_TILES(rows, most)                                                                                       \
    static void plain_##rows(TILE_ARGUMENTS) {                                                                         \
        (void)ask;                                                                                                     \
        some_vectors(to, pair, NULL, last, vectors, rows, most, false, false, false);                                  \
    }                                                                                                                  \
    static void masked_##rows(TILE_ARGUMENTS) {                                                                        \
        (void)ask;                                                                                                     \
        some_vectors(to, pair, NULL, last, vectors, rows, most, true, false, false);                                   \
    }                                                                                                                  \
    static void dense_##rows(TILE_ARGUMENTS) {                                                                         \
        (void)ask;                                                                                                     \
        some_vectors(to, pair, NULL, last, vectors, rows, most, false, true, false);                                   \
    }                                                                                                                  \
    static void asking_##rows(TILE_ARGUMENTS) {                                                                        \
        (void)vectors;                                                                                                 \
        tile(to, pair, ask, last, rows, most, false, false, false);                                                    \
    }                                                                                                                  \
    static void asking_dense_##rows(TILE_ARGUMENTS) {                                                                  \
        (void)vectors;                                                                                                 \
        tile(to, pair, ask, last, rows, most, false, true, false);                                                     \
    }
FOR_SHAPES(DEFINE_TILES)

#define PLAIN_OF(rows, most) [rows] = plain_##rows,
#define MASKED_OF(rows, most) [rows] = masked_##rows,
#define DENSE_OF(rows, most) [rows] = dense_##rows,
#define ASKING_OF(rows, most) [rows] = asking_##rows,
#define ASKING_DENSE_OF(rows, most) [rows] = asking_dense_##rows,
static tile_function *const plain_tiles[] = {FOR_SHAPES(PLAIN_OF)}, *const masked_tiles[] = {FOR_SHAPES(MASKED_OF)},
                            *const dense_tiles[] = {FOR_SHAPES(DENSE_OF)},
                            *const asking_tiles[] = {FOR_SHAPES(ASKING_OF)},
                            *const asking_dense_tiles[] = {FOR_SHAPES(ASKING_DENSE_OF)};

/* The first tile of a panel that is copied: there are so many tiles then that they are nearly as tall as any. */
#define DEFINE_KEEPING(less)                                                                                           \
    static void keeping_##less(TILE_ARGUMENTS) {                                                                       \
        some_vectors(to, pair, ask, last, vectors, TILE_ROWS - less, TILE_VECTORS, false, false, true);                \
    }                                                                                                                  \
    static void keeping_masked_##less(TILE_ARGUMENTS) {                                                                \
        some_vectors(to, pair, ask, last, vectors, TILE_ROWS - less, TILE_VECTORS, true, false, true);                 \
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

/* Asks for the rows [from, to) of a part of a matrix, `bytes` wide, rows `stride` numbers apart: at once before a short
 * chain, else beside it, as *ask says, which is given back then. Of long rows a line of each is a group. */
INLINE const tile_ask *ask_for(tile_ask *ask, int64_t depth, const dt_real *at, int64_t stride, int64_t bytes,
                               int64_t from, int64_t to) {
    const int64_t rows = to - from, step = stride * SIZE, lines = (bytes + LINE - 1) / LINE;
    *ask = (tile_ask){(const char *)(at + from * stride), rows, step, lines, LINE, 0, 0, 0};
    if (depth < LONG) {
        tile_asks(ask, 0, rows);
        return NULL;
    }
    const int64_t parts = (depth + PART - 1) / PART;
    if (lines >= parts) *ask = (tile_ask){ask->at, lines, LINE, rows, step, 0, 0, 0};
    ask->part = PART;
    ask->share = (ask->count + parts - 1) / parts;
    ask->rows = (TILE_ROWS + parts - 1) / parts;
    return ask;
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

/* A tile of `rows` rows and `cols` columns. */
INLINE void run_tile(const tile_result *to, const tile_pair *pair, const tile_ask *ask, int64_t rows, int64_t cols) {
    const int vectors = (int)((cols + PER_VECTOR - 1) / PER_VECTOR);
    const bool masked = cols % PER_VECTOR != 0, dense = pair->down == 1;
    tile_function *function = masked ? masked_tiles[rows] : dense ? dense_tiles[rows] : plain_tiles[rows];
    if (pair->copy)
        function = keeping_tiles[TILE_ROWS - rows][masked];
    else if (ask && !masked && vectors == widest[rows])
        function = dense ? asking_dense_tiles[rows] : asking_tiles[rows];
    else if (ask)
        tile_asks(ask, 0, ask->count);
    function(to, pair, ask, first_lanes(cols % PER_VECTOR), vectors);
}

/* The same columns of all rows. A may be packed by tiles, each [depth, rows of the tile]. */
INLINE void strip(const tile_pair *from, const tile_result *to, heights h, int64_t cols, const coming *next,
                  bool tiled) {
    tile_pair pair = *from;
    tile_result result = *to;
    for (int64_t t = 0; t < h.tiles; t++) {
        int64_t count = t < h.more ? h.least + 1 : h.least;
        tile_ask room;
        const tile_ask *ask = NULL;
        if (tiled) pair.across = count;
        if (next->rows > 0)
            ask = ask_for(&room, pair.depth, next->at, next->stride, next->bytes, next->rows * t / h.tiles,
                          next->rows * (t + 1) / h.tiles);
        run_tile(&result, &pair, ask, count, cols);
        if (pair.copy) {
            pair.b = pair.copy;
            pair.stride = TILE_COLS;
            pair.copy = NULL;
        }
        pair.a += tiled ? count * pair.depth : count * pair.down;
        result.c += count * result.stride;
    }
}

/* to = from[depth, rows] by tiles. */
static void pack_tiles(dt_real *to, const dt_real *from, int64_t stride, int64_t depth, heights h) {
    for (int64_t l = 0; l < depth; l++, from += stride) {
        const dt_real *row = from;
        dt_real *tile = to;
        for (int64_t t = 0; t < h.tiles; t++) {
            const int64_t count = t < h.more ? h.least + 1 : h.least;
            for (int64_t i = 0; i < count; i += PER_VECTOR) {
                const lane_mask some = first_lanes(smaller(count - i, PER_VECTOR));
                store_lanes(tile + l * count + i, load_lanes(row + i, some), some);
            }
            row += count;
            tile += count * depth;
        }
    }
}

static const dt_real *place_in_a(const dt_matrix_product *p, int64_t row, int64_t k) {
    return p->a + (p->a_turned ? k * p->lda + row : row * p->lda + k);
}

/* `tiles`: NULL, or the block of A by tiles. */
static void block(const dt_matrix_product *p, int64_t first, int64_t rows, int64_t k, int64_t depth,
                  const dt_real *tiles) {
    const heights h = heights_of(rows);
    bool copies = p->b_turned || (h.tiles >= COPIES && p->ldb > NEAR);
    int64_t wide = copies ? TILE_COLS : panel_width(h);
    bool ends = k + depth == p->depth;
    _Alignas(64) dt_real packed[LONGEST_CHAIN * TILE_COLS];
    for (int64_t j = 0; j < p->cols; j += wide) {
        int64_t cols = smaller(wide, p->cols - j),
                then = copies || p->ldb > NEAR ? smaller(wide, p->cols - j - cols) : 0;
        const dt_real *b = p->b + (p->b_turned ? j * p->ldb + k : k * p->ldb + j);
        tile_pair pair = {.a = tiles ? tiles : place_in_a(p, first, k),
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
        strip(&pair, &to, h, cols, &next, tiles != NULL);
    }
}

/* Rows of a transposed A that lie whole pages apart share a few places of each cache, and a line of theirs that a low
 * tile uses a part of is gone when the next tile wants the rest; so they are packed, if many panels meet them. */
static bool is_crowded(const dt_matrix_product *p, int64_t rows, int64_t depth) {
    const bool low = 2 * TILE_ROWS * SIZE <= LINE;
    return low && p->a_turned && p->lda * SIZE % PAGE == 0 && rows >= CROWD * TILE_ROWS && depth >= CROWD &&
           p->cols >= CROWD * TILE_COLS;
}

static void crowded_block(const dt_matrix_product *p, int64_t first, int64_t rows, int64_t k, int64_t depth) {
    _Alignas(64) dt_real tiles[TALLEST * LONGEST_CHAIN];
    pack_tiles(tiles, p->a + k * p->lda + first, p->lda, depth, heights_of(rows));
    block(p, first, rows, k, depth, tiles);
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
        const int64_t cols = smaller(TILE_COLS, part->end - j), at = j - part->begin;
        dt_real *panel = part->packed + at * part->depth;
        tile_pair pair = {.a = place_in_a(p, row, k),
                          .b = packs ? p->b + k * p->ldb + j : panel,
                          .depth = part->depth,
                          .down = p->a_turned ? 1 : p->lda,
                          .across = p->a_turned ? p->lda : 1,
                          .stride = packs ? p->ldb : TILE_COLS,
                          .copy = packs ? panel : NULL};
        tile_result to = {.c = p->c + row * p->ldc + j,
                          .stride = p->ldc,
                          .start = k > 0 || p->add ? TILE_ADD : TILE_FRESH,
                          .bias = ends && p->bias ? p->bias + j : NULL,
                          .relu = ends && p->relu};
        const int64_t ahead = p->a_turned ? part->depth : after; /* rows of A as it is stored */
        tile_ask room;
        const tile_ask *ask =
            ask_for(&room, part->depth, pair.a + count * pair.down, p->lda, (p->a_turned ? after : part->depth) * SIZE,
                    ahead * at / wide, ahead * (at + cols) / wide);
        run_tile(&to, &pair, ask, count, cols);
    }
}

/* Of a transposed A a tile's rows lie far apart, so that it is worth it only where chains are short and C is long. */
static bool is_wide(const dt_matrix_product *p) {
    const bool long_c = p->depth < SHORT && p->rows >= LONG_C;
    return (!p->a_turned || long_c) && p->rows >= MANY_ROWS && p->cols >= MANY_COLS && p->depth >= 32 &&
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
        strip(&pair, &(tile_result){.c = sums, .stride = wide, .start = TILE_FRESH}, h, some, &(coming){0}, false);
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
            else if (is_crowded(p, rows, depth))
                crowded_block(p, first, rows, k, depth);
            else
                block(p, first, rows, k, depth, NULL);
            k += depth;
        } while (k < p->depth);
    }
}
