/* Convolutions: the loops around the tile of conv_tile.h.
 *
 * The order of every sum is part of the format. Pixels of the window that lie outside the picture are left out.
 *
 *   y[n, i, j, o]   one chain of fused multiply-adds from 0 over (kernel row, kernel column, input channel of the
 *                   group), ascending; then the bias is added, then the activation comes.
 *   dx[n, h, w, c]  one chain from 0 over (output row, output column, output channel of the group), ascending: kernel
 *                   rows and columns descend. Both go through their source as it lies in memory.
 *   dw[p, q, c, o]  for each picture one chain from 0 over (output row, output column), ascending; it is added to the
 *                   sum of the pictures before. One chain over all pictures would have 50 000 products where 64
 *                   pictures of 28x28 are one batch, and rounding errors grow with their number.
 *
 * Pictures, bands of lines and blocks of weights may be worked on anywhere and by anyone: no chain is cut. */
#ifndef DTRAIN_COMPUTE_CONV_LOOPS_H
#define DTRAIN_COMPUTE_CONV_LOOPS_H

#include "conv_tile.h"
#include "slots.h"

typedef void tile_function(const conv_tile *at);

#define KIND(name, rows, vectors, lanewise)                                                                            \
    static void name##_##rows##_##vectors(const conv_tile *at) {                                                       \
        if (at->masked)                                                                                                \
            conv_sums(at, rows, vectors, true, lanewise, 0);                                                           \
        else                                                                                                           \
            conv_sums(at, rows, vectors, false, lanewise, 0);                                                          \
    }
#define TILE(rows, vectors) KIND(tile, rows, vectors, false)
#define LANEWISE(rows, vectors) KIND(lanewise, rows, vectors, true)
#define TILE_NAME(rows, vectors) tile_##rows##_##vectors,
#define LANEWISE_NAME(rows, vectors) lanewise_##rows##_##vectors,

#define ROWS_1(X, v) X(1, v)
#define ROWS_2(X, v) ROWS_1(X, v) X(2, v)
#define ROWS_3(X, v) ROWS_2(X, v) X(3, v)
#define ROWS_6(X, v) ROWS_3(X, v) X(4, v) X(5, v) X(6, v)
#define ROWS_12(X, v) ROWS_6(X, v) X(7, v) X(8, v) X(9, v) X(10, v) X(11, v) X(12, v)
#define ROWS_14(X, v) ROWS_12(X, v) X(13, v) X(14, v)
#define ROWS_24(X, v)                                                                                                  \
    ROWS_14(X, v)                                                                                                      \
    X(15, v) X(16, v) X(17, v) X(18, v) X(19, v) X(20, v) X(21, v) X(22, v) X(23, v) X(24, v)
#define ROWS_UP_TO_(most) ROWS_##most
#define ROWS_UP_TO(most) ROWS_UP_TO_(most)

ROWS_UP_TO(CONV_TALL_ROWS)
(TILE, 1) ROWS_UP_TO(CONV_ROWS)(TILE, 2)
    ROWS_UP_TO(CONV_WIDE_ROWS)(TILE, 4) static tile_function *const ones[] = {ROWS_UP_TO(CONV_TALL_ROWS)(TILE_NAME, 1)};
static tile_function *const twos[] = {ROWS_UP_TO(CONV_ROWS)(TILE_NAME, 2)};
static tile_function *const fours[] = {ROWS_UP_TO(CONV_WIDE_ROWS)(TILE_NAME, 4)};
#ifdef CONV_PAIRS
static tile_function *const lane_ones[] = {NULL}, *const lane_twos[] = {NULL};
#else
ROWS_UP_TO(CONV_LANEWISE_ROWS)
(LANEWISE, 1) ROWS_UP_TO(CONV_LANEWISE_ROWS)(LANEWISE, 2) static tile_function *const lane_ones[] = {
    ROWS_UP_TO(CONV_LANEWISE_ROWS)(LANEWISE_NAME, 1)};
static tile_function *const lane_twos[] = {ROWS_UP_TO(CONV_LANEWISE_ROWS)(LANEWISE_NAME, 2)};
#endif

/* Columns that are worked on at once, and the tiles for them by their rows less one. */
typedef struct panel {
    int64_t column; /* the first one, of a group */
    int64_t columns, rows;
    int vectors;
    tile_function *const *tiles;
} panel;

static panel panel_at(const dt_conv_walk *walk, int64_t column) {
    int64_t left = walk->width - column, vectors = (left + PER_VECTOR - 1) / PER_VECTOR;
    panel at = {.column = column, .rows = CONV_ROWS, .vectors = 2, .tiles = twos};
    if (walk->lanewise) {
        at.rows = CONV_LANEWISE_ROWS;
        at.vectors = vectors == 1 ? 1 : 2;
        at.tiles = vectors == 1 ? lane_ones : lane_twos;
    } else if (vectors == 1) {
        at.rows = CONV_TALL_ROWS;
        at.vectors = 1;
        at.tiles = ones;
    } else if (vectors >= 4) {
        at.rows = CONV_WIDE_ROWS;
        at.vectors = 4;
        at.tiles = fours;
    }
    int64_t wide = at.vectors * PER_VECTOR;
    at.columns = left < wide ? left : wide;
    return at;
}

/* How a line of `count` targets is cut in tiles of about equal size. */
static int64_t tile_rows(int64_t count, int64_t most, int64_t done) {
    int64_t tiles = (count - done + most - 1) / most;
    return (count - done + tiles - 1) / tiles;
}

static void set_columns(conv_tile *at, const panel *p) {
    int64_t some = p->columns % PER_VECTOR;
    at->masked = some != 0;
    at->last = first_lanes(some ? some : PER_VECTOR);
}

static uint32_t rows_mask(int64_t begin, int64_t end) { /* bits begin to end - 1 */
    return (uint32_t)((1ULL << end) - (1ULL << begin));
}

/* ---- packed weights ---- */

/* Weights of a group: panel after panel, each [kernel row, kernel column, source channel, columns]. */
static const dt_real *packed_panel(const dt_conv_walk *walk, const dt_real *packed, int64_t group, int64_t column) {
    int64_t taps = walk->axis[0].kernel * walk->axis[1].kernel;
    return packed + (group * dt_conv_packed_width(walk->width) + column) * taps * walk->depth;
}

/* ---- forward, and the gradient of x ---- */

/* One phase down and one across, in the panel of a group, of one picture. */
typedef struct piece {
    const dt_conv_phase *down, *across;
    int64_t begin, end; /* lines of the phase */
    const dt_real *source, *packed;
    dt_real *target;
} piece;

/* What `rows` targets from m on see of a line of sources. */
static int64_t find_runs(dt_conv_run *runs, const dt_conv_walk *walk, const dt_conv_phase *phase, int64_t wide,
                         int64_t m, int64_t rows) {
    const dt_conv_axis *axis = &walk->axis[1];
    const bool joined = walk->groups == 1 && axis->source_tap == 1 && axis->index_tap == 1 && !walk->lanewise;
    int64_t count = 0;
    for (const dt_conv_tap *tap = axis->tap + phase->first; tap < axis->tap + phase->first + phase->taps; tap++) {
        int64_t begin = tap->begin > m ? tap->begin - m : 0, end = tap->end - m < rows ? tap->end - m : rows;
        if (begin >= end) continue;
        dt_conv_run run = {.a = (tap->source + m * axis->source_step) * walk->source_channels,
                           .b = tap->index * walk->depth * wide,
                           .count = walk->depth,
                           .rows = rows_mask(begin, end)};
        if (joined && count > 0 && runs[count - 1].rows == run.rows)
            runs[count - 1].count += run.count;
        else
            runs[count++] = run;
    }
    return count;
}

/* A column of tiles: lines that see the same rows of the window are one call. */
static void run_lines(const dt_conv_pass *pass, const piece *at, conv_tile *tile, tile_function *function, int64_t m) {
    const dt_conv_walk *walk = pass->walk;
    const dt_conv_axis *down = &walk->axis[0], *across = &walk->axis[1];
    const int64_t source_line = across->sources * walk->source_channels;
    const int64_t target_line = across->targets * walk->target_channels;
    const int64_t packed_line = across->kernel * walk->depth * tile->b_next;
    const dt_conv_tap *taps = down->tap + at->down->first;
    tile->a_line = down->source_tap * source_line;
    tile->b_line = down->index_tap * packed_line;
    tile->a_target = down->source_step * source_line;
    tile->c_target = down->target_step * target_line;
    for (int64_t line = at->begin; line < at->end; line += tile->targets) {
        int64_t first = 0, end = at->down->taps, until = at->end;
        while (first < end && line < taps[first].begin) first++;
        while (end > first && line >= taps[end - 1].end) end--;
        if (first > 0 && taps[first - 1].begin < until) until = taps[first - 1].begin;
        if (end > first && taps[end - 1].end < until) until = taps[end - 1].end;
        tile->targets = until - line;
        tile->lines = end - first;
        if (first < end) {
            tile->a = at->source + (taps[first].source + line * down->source_step) * source_line;
            tile->b = at->packed + taps[first].index * packed_line;
        }
        int64_t row = at->down->target + line * down->target_step;
        int64_t column = at->across->target + m * across->target_step;
        tile->c = at->target + row * target_line + column * walk->target_channels;
        function(tile);
    }
}

static void run_piece(const dt_conv_pass *pass, const piece *at, const panel *p, const dt_real *bias) {
    const dt_conv_walk *walk = pass->walk;
    const dt_conv_axis *across = &walk->axis[1];
    const int64_t wide = p->vectors * PER_VECTOR;
    conv_tile tile = {.bias = bias,
                      .c_row = across->target_step * walk->target_channels,
                      .a_row = across->source_step * walk->source_channels,
                      .a_next = 1,
                      .b_next = wide,
                      .runs = pass->runs,
                      .bend = pass->bend,
                      .slope = pass->slope};
    set_columns(&tile, p);
    for (int64_t m = 0, rows; m < at->across->count; m += rows) {
        rows = tile_rows(at->across->count, p->rows, m);
        tile.run_count = find_runs(pass->runs, walk, at->across, wide, m, rows);
        run_lines(pass, at, &tile, p->tiles[rows - 1], m);
    }
}

static int64_t up(int64_t a, int64_t b) {
    return a > 0 ? (a + b - 1) / b : 0;
}

static void run_panel(const dt_conv_pass *pass, int64_t row, int64_t band, int64_t group, const panel *p) {
    const dt_conv_walk *walk = pass->walk;
    const dt_conv_axis *down = &walk->axis[0], *across = &walk->axis[1];
    const int64_t from = band * down->targets / pass->bands, to = (band + 1) * down->targets / pass->bands;
    const int64_t column = group * walk->width + p->column, lanes = walk->lanewise ? p->column : group * walk->depth;
    piece at = {.source = pass->source + row * pass->source_picture + lanes,
                .packed = packed_panel(walk, pass->other, group, p->column),
                .target = pass->target + row * down->targets * across->targets * walk->target_channels + column};
    for (int64_t i = 0; i < down->phases; i++) {
        at.down = &down->phase[i];
        at.begin = up(from - at.down->target, down->target_step);
        at.end = up(to - at.down->target, down->target_step);
        if (at.begin >= at.end) continue;
        for (int64_t j = 0; j < across->phases; j++) {
            at.across = &across->phase[j];
            run_piece(pass, &at, p, pass->bias ? pass->bias + column : NULL);
        }
    }
}

/* Units are [picture, band, group]. */
INLINE void gather_units(const dt_conv_pass *pass, int64_t begin, int64_t end) {
    const dt_conv_walk *walk = pass->walk;
    for (int64_t unit = begin; unit < end; unit++) {
        int64_t group = unit % walk->groups, band = unit / walk->groups % pass->bands;
        int64_t row = unit / walk->groups / pass->bands;
        for (int64_t j = 0; j < walk->width; j += PER_VECTOR * panel_at(walk, j).vectors) {
            panel p = panel_at(walk, j);
            run_panel(pass, row, band, group, &p);
        }
    }
}

/* ---- the gradient of w ---- */

/* Where a block of rows of w lies: rows are [kernel column, source channel] within a kernel row. */
typedef struct block {
    int64_t group, kernel_row, begin, end;
} block;

static block block_of(const dt_conv_walk *walk, int64_t unit) {
    int64_t blocks = dt_conv_blocks(walk), span = dt_conv_span(walk);
    int64_t cuts = (span + DT_CONV_BLOCK - 1) / DT_CONV_BLOCK, at = unit % blocks;
    block out = {.group = unit / blocks / walk->axis[0].kernel, .kernel_row = unit / blocks % walk->axis[0].kernel};
    out.begin = at / cuts * span + at % cuts * DT_CONV_BLOCK;
    out.end = at / cuts * span + (at % cuts == cuts - 1 ? span : (at % cuts + 1) * DT_CONV_BLOCK);
    return out;
}

/* The rows of a tile, from `first` on, whose source is inside the picture at output column j. */
static uint32_t rows_at(const dt_conv_walk *walk, int64_t first, int64_t rows, int64_t j) {
    const dt_conv_tap *taps = walk->axis[1].tap;
    uint32_t mask = 0;
    for (int64_t r = 0; r < rows; r++) {
        const dt_conv_tap *tap = &taps[(first + r) / walk->depth];
        mask |= (uint32_t)(tap->begin <= j && j < tap->end) << r;
    }
    return mask;
}

/* Of pairs of pixels the last run has half as many; an odd one is a run by itself. */
static int64_t in_pairs(dt_conv_run *runs, int64_t count, int64_t a_pixel, int64_t b_pixel) {
    if (CONV_AT_ONCE == 1) return count;
    dt_conv_run *last = &runs[count - 1], whole = *last;
    const int64_t before = whole.count - 1;
    if (whole.count > 1) {
        last->count = whole.count / 2;
        last++;
    }
    if (whole.count % 2 == 1)
        *last++ = (dt_conv_run){whole.a + before * a_pixel, whole.b + before * b_pixel, 1, whole.rows, true};
    return last - runs;
}

/* Output columns, in runs that the same rows of the tile take part in. */
static int64_t find_pixels(dt_conv_run *runs, const dt_conv_walk *walk, int64_t first, int64_t rows) {
    const dt_conv_axis *across = &walk->axis[1];
    const dt_conv_tap *left = &across->tap[first / walk->depth],
                      *right = &across->tap[(first + rows - 1) / walk->depth];
    int64_t count = 0, step;
    for (int64_t j = right->begin; j < left->end; j += step) {
        bool all = j >= left->begin && j < right->end;
        step = all ? right->end - j : 1;
        uint32_t mask = all ? rows_mask(0, rows) : rows_at(walk, first, rows, j);
        while (!all && j + step < left->end && j + step != left->begin && rows_at(walk, first, rows, j + step) == mask)
            step++;
        if (mask == 0) continue;
        runs[count++] = (dt_conv_run){.a = j * across->source_step * walk->source_channels,
                                      .b = j * walk->target_channels,
                                      .count = step,
                                      .rows = mask};
        count = in_pairs(runs, count, across->source_step * walk->source_channels, walk->target_channels);
    }
    return count;
}

/* One picture's part of a block, in the columns of a panel. */
static void add_picture(const dt_conv_pass *pass, int64_t row, const block *of, const panel *p) {
    const dt_conv_walk *walk = pass->walk;
    const dt_conv_axis *down = &walk->axis[0], *across = &walk->axis[1];
    const dt_conv_tap *tap = &down->tap[of->kernel_row];
    const int64_t depth = walk->depth, channels = walk->source_channels, dilation = across->source_tap;
    const int64_t column = of->group * walk->width + p->column;
    const int64_t lanes = walk->lanewise ? p->column : of->group * depth;
    conv_tile tile = {.c_row = walk->target_channels,
                      .a_row = depth == 1 ? dilation * channels : 1,
                      .a_next = CONV_AT_ONCE * across->source_step * channels,
                      .b_next = CONV_AT_ONCE * walk->target_channels,
                      .targets = 1,
                      .lines = tap->end > tap->begin ? tap->end - tap->begin : 0,
                      .a_line = down->source_step * across->sources * channels,
                      .b_line = across->targets * walk->target_channels,
                      .runs = pass->runs,
                      .add = pass->add || row > 0};
    set_columns(&tile, p);
    int64_t line = tap->source + tap->begin * down->source_step; /* a line and a column before the picture's first */
    const dt_real *a =
        pass->source + lanes + ((row * down->sources + line) * across->sources + across->tap[0].source) * channels;
    tile.b = pass->other + (row * down->targets + tap->begin) * tile.b_line + column;
    for (int64_t r = of->begin, rows; r < of->end; r += rows) {
        rows = tile_rows(of->end, p->rows, r);
        tile.run_count = find_pixels(pass->runs, walk, r, rows);
        tile.a = a + r / depth * dilation * channels + r % depth;
        tile.c = pass->target + (of->kernel_row * across->kernel * depth + r) * walk->target_channels + column;
        p->tiles[rows - 1](&tile); // NOLINT(clang-analyzer-core.CallAndMessage): 1 <= rows <= p->rows
    }
}

/* ---- the same of windows of 3 by 3, or 5 by 5, pixels of one channel ---- */

#define SQUARE(vectors, lanewise)                                                                                      \
    static void square_##vectors##_##lanewise(const conv_tile *at) {                                                   \
        if (at->masked)                                                                                                \
            conv_sums(at, 9, vectors, true, lanewise, 3);                                                              \
        else                                                                                                           \
            conv_sums(at, 9, vectors, false, lanewise, 3);                                                             \
    }
SQUARE(1, false)
#ifndef CONV_PAIRS
SQUARE(1, true)
#else
#    define square_1_true square_1_false /* lanes are float32 numbers everywhere */
#    define square_2_true square_2_false
#endif
#if CONV_ROWS >= 9
SQUARE(2, false)
#    ifndef CONV_PAIRS
SQUARE(2, true)
#    endif
static tile_function *const squares[][2] = {{square_1_false, square_1_true}, {square_2_false, square_2_true}};
#else
static tile_function *const squares[][2] = {{square_1_false, square_1_true}};
#endif
enum { SQUARE_VECTORS = sizeof squares / sizeof *squares };

/* 25 sums are as many as registers hold. */
static void square_of_five(const conv_tile *at) {
#if CONV_TALL_ROWS == 24
    if (at->masked)
        conv_sums(at, 25, 1, true, false, 5);
    else
        conv_sums(at, 25, 1, false, false, 5);
#else
    (void)at;
#endif
}

/* Lines in parts that see the same rows of the window. */
static int64_t find_lines(conv_lines parts[DT_CONV_SQUARE_PARTS], dt_conv_run *runs, const dt_conv_walk *walk,
                          int64_t a_line, int64_t b_line) {
    const dt_conv_axis *down = &walk->axis[0];
    const dt_conv_tap *tap = down->tap;
    dt_conv_run line[DT_CONV_SQUARE_LINE];
    const int64_t side = down->kernel, count = find_pixels(line, walk, 0, side);
    int64_t found = 0;
    for (int64_t i = tap[side - 1].begin, next; i < tap[0].end; i = next) {
        uint32_t seen = 0; /* the first pixels of the kernel rows that see line i */
        next = tap[0].end;
        for (int64_t p = 0; p < side; p++) {
            const int64_t edges[] = {tap[p].begin, tap[p].end};
            for (int e = 0; e < 2; e++)
                if (edges[e] > i && edges[e] < next) next = edges[e];
            if (tap[p].begin <= i && i < tap[p].end) seen |= 1U << side * p;
        }
        if (seen == 0) continue;
        parts[found++] =
            (conv_lines){.a = i * a_line, .b = i * b_line, .count = next - i, .runs = runs, .run_count = count};
        for (int64_t r = 0; r < count; r++) {
            *runs = line[r];
            runs++->rows = line[r].rows * seen;
        }
    }
    return found;
}

static void square_units(const dt_conv_pass *pass, int64_t first, int64_t until) {
    const dt_conv_walk *walk = pass->walk;
    const dt_conv_axis *down = &walk->axis[0], *across = &walk->axis[1];
    const int64_t channels = walk->source_channels, line = across->sources * channels;
    conv_lines parts[DT_CONV_SQUARE_PARTS];
    conv_tile tile = {.c_row = walk->target_channels,
                      .a_row = across->source_tap * channels,
                      .a_side = down->source_tap * line,
                      .a_next = CONV_AT_ONCE * across->source_step * channels,
                      .b_next = CONV_AT_ONCE * walk->target_channels,
                      .targets = 1,
                      .a_line = down->source_step * line,
                      .b_line = across->targets * walk->target_channels,
                      .parts = parts};
    tile.part_count = find_lines(parts, pass->runs, walk, tile.a_line, tile.b_line);
    const int64_t wide = SQUARE_VECTORS * PER_VECTOR;
    const int64_t source = down->tap[0].source * line + across->tap[0].source * channels;
    for (int64_t row = 0; row < pass->rows; row++)
        for (int64_t j = first; j < until; j += wide) {
            panel p = {.columns = until - j < wide ? until - j : wide};
            set_columns(&tile, &p);
            tile.add = pass->add || row > 0;
            tile.a = pass->source + row * down->sources * line + source + (walk->lanewise ? j : 0);
            tile.b = pass->other + row * down->targets * tile.b_line + j;
            tile.c = pass->target + j;
            if (down->kernel == 5)
                square_of_five(&tile);
            else
                squares[(p.columns - 1) / PER_VECTOR][walk->lanewise](&tile);
        }
}

/* The columns [first, until) kernel row by kernel row. */
static void weights_of_columns(const dt_conv_pass *pass, int64_t first, int64_t until) {
    const int64_t side = pass->walk->axis[0].kernel;
    for (int64_t row = 0; row < pass->rows; row++)
        for (int64_t j = first; j < until; j += PER_VECTOR * panel_at(pass->walk, j).vectors) {
            panel p = panel_at(pass->walk, j);
            for (int64_t k = 0; k < side; k++) add_picture(pass, row, &(block){.kernel_row = k, .end = side}, &p);
        }
}

/* Units are [group, kernel row, block], or columns of square tiles. */
INLINE void weights_units(const dt_conv_pass *pass, int64_t begin, int64_t end) {
    const dt_conv_walk *walk = pass->walk;
    if (dt_conv_square(walk) > 0) {
        const int64_t first = begin * DT_CONV_SQUARE_COLUMNS, all = end * DT_CONV_SQUARE_COLUMNS;
        const int64_t until = all < walk->width ? all : walk->width;
        const bool five = walk->axis[0].kernel == 5, fits = walk->width <= (five ? PER_VECTOR : 2 * PER_VECTOR);
        if (five ? CONV_SQUARE == 5 && fits : SQUARE_VECTORS > 1 || walk->lanewise || fits)
            square_units(pass, first, until);
        else /* a kernel row by wide tiles needs fewer loads for its sums than 9 rows by one vector */
            weights_of_columns(pass, first, until);
        return;
    }
    for (int64_t row = 0; row < pass->rows; row++)
        for (int64_t j = 0; j < walk->width; j += PER_VECTOR * panel_at(walk, j).vectors) {
            panel p = panel_at(walk, j);
            for (int64_t unit = begin; unit < end; unit++) {
                block of = block_of(walk, unit);
                add_picture(pass, row, &of, &p);
            }
        }
}

#endif
