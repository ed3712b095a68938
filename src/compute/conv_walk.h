/* How a convolution's targets meet their sources, planned once for a shape. Forward, targets are the pixels of y and
 * sources those of x; in the gradient of x it is the other way round, and both are the same loops. */
#ifndef DTRAIN_COMPUTE_CONV_WALK_H
#define DTRAIN_COMPUTE_CONV_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "real.h"

/* One pixel of the window along one direction. Target m of a phase meets the source at source + m*source_step, which
 * lies inside the picture for m in [begin, end). */
typedef struct dt_conv_tap {
    int64_t index; /* its place among packed weights */
    int64_t source, begin, end;
} dt_conv_tap;

/* Targets that see the same pixels of the window: all of them forward; in the gradient of x, every stride-th. Taps are
 * in the order of their sources. */
typedef struct dt_conv_phase {
    int64_t target, count; /* targets target, target + target_step, ... */
    int64_t first, taps;   /* its taps */
} dt_conv_phase;

typedef struct dt_conv_axis {
    int64_t kernel, sources, targets;
    int64_t source_step, target_step; /* pixels from target to target of a phase */
    int64_t source_tap, index_tap;    /* from a tap of a phase to the next */
    int64_t phases;
    dt_conv_phase *phase;
    dt_conv_tap *tap;
} dt_conv_axis;

/* Channels are those of a group; where every group has one input and one output channel, vectors run along the groups,
 * `lanewise`, and count as one group of one source channel. */
typedef struct dt_conv_walk {
    dt_conv_axis axis[2];                     /* down, across */
    int64_t groups, depth, width;             /* source and target channels of a group */
    int64_t source_channels, target_channels; /* of a pixel */
    bool lanewise;
} dt_conv_walk;

/* Sources that follow each other in memory, and what they are multiplied with. */
typedef struct dt_conv_run {
    int64_t a, b, count;
    uint32_t rows; /* of the tile that take part, a bit each */
    bool half;     /* of pairs, the upper members alone; `count` is 1 then */
} dt_conv_run;

/* One pass over `rows` pictures. Forward and in the gradient of x: target from source and packed weights. In the
 * gradient of w: target is dw, `other` is dy. */
typedef struct dt_conv_pass {
    const dt_conv_walk *walk;
    int64_t rows, bands;
    int64_t source_picture;               /* numbers from a picture of the source to the next; not for dw */
    const dt_real *source, *other, *bias; /* bias: NULL if there is none */
    dt_real *target;
    dt_conv_run *runs; /* room for run_room of them, for every thread */
    int64_t run_room;
    bool bend, add; /* bend: what is below 0 becomes slope times that, or 0 */
    dt_real slope;
} dt_conv_pass;

/* Convolutions of bfloat16 numbers where the processor multiplies two pairs of them at once (convolve_pairs.c). A pair
 * has the place of a number, so a walk of pairs has half as many source channels. */
typedef struct dt_conv_pairs {
    /* `depth`: numbers that make walk->depth pairs. */
    void (*pack)(dt_real *packed, const dt_real *w, const dt_conv_walk *walk, int64_t depth, bool turned);
    void (*gather)(const dt_conv_pass *pass, int64_t begin, int64_t end);
    void (*weights)(const dt_conv_pass *pass, int64_t begin, int64_t end);
    /* to[groups, pairs] of a pixel = from[groups, depth], from the first pixel on; those may be the same memory. The
     * numbers are rounded, or (`whole` false) upper halves are taken as they are. */
    void (*of_channels)(dt_real *to, const dt_real *from, int64_t count, int64_t depth, bool whole);
    /* to[i] = (from[i], from[i + ahead]) of a picture of n numbers, rounded, likewise. */
    void (*of_pixels)(dt_real *to, const dt_real *from, int64_t n, int64_t ahead);
} dt_conv_pairs;

/* The side of square tiles, if the gradient of w is computed by those: all 9 pixels of a window at once, or 25 beside
 * one vector of columns, where there is one channel for them to see. Otherwise 0. A unit of work is so many columns. */
static inline int64_t dt_conv_square(const dt_conv_walk *walk) {
    int64_t side = walk->axis[0].kernel;
    if (walk->depth != 1 || walk->groups != 1 || walk->axis[1].kernel != side) return 0;
    return side == 3 || (side == 5 && !walk->lanewise && walk->width <= 16) ? side : 0;
}
#define DT_CONV_SQUARE_COLUMNS 32
#define DT_CONV_SQUARE_LINE 20 /* runs of a line, at most */
#define DT_CONV_SQUARE_PARTS 9 /* kinds of lines, at most */

/* Columns that packed weights of a group are filled up to, the same for all instruction sets. */
static inline int64_t dt_conv_packed_width(int64_t width) {
    return (width + 15) / 16 * 16;
}

/* Rows of weights [kernel column, input channel] that a unit of work of the gradient of w has at most. */
#define DT_CONV_BLOCK 24

/* Blocks of the gradient of w in one kernel row: neighbours in the picture are taken together where they are
 * neighbours in memory. */
static inline int64_t dt_conv_span(const dt_conv_walk *walk) {
    bool together = walk->depth == 1 || (walk->groups == 1 && walk->axis[1].source_tap == 1);
    return together ? walk->axis[1].kernel * walk->depth : walk->depth;
}
static inline int64_t dt_conv_blocks(const dt_conv_walk *walk) {
    int64_t span = dt_conv_span(walk), rows = walk->axis[1].kernel * walk->depth;
    return rows / span * ((span + DT_CONV_BLOCK - 1) / DT_CONV_BLOCK);
}

/* Units of work of the gradient of w. */
static inline int64_t dt_conv_weight_units(const dt_conv_walk *walk) {
    if (dt_conv_square(walk) > 0) return (walk->width + DT_CONV_SQUARE_COLUMNS - 1) / DT_CONV_SQUARE_COLUMNS;
    return walk->groups * walk->axis[0].kernel * dt_conv_blocks(walk);
}

#endif
