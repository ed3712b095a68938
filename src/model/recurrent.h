/* Between the files of recurrent layers: what is planned, and the pass that uses it. */
#ifndef DTRAIN_RECURRENT_H
#define DTRAIN_RECURRENT_H

#include "linear.h"

#define DT_RECURRENT_STACKS 8 /* at most */

typedef struct dt_recurrent_config {
    dt_layer_common common;
    int64_t units, layers;
    double dropout;
    bool last, carry, bias;
    int init; /* dt_init */
    double std, forget_bias;
} dt_recurrent_config;

/* One of those that are stacked. The bfloat16 arrays are asked for as elements of the arena. */
typedef struct dt_recurrent_stack {
    int64_t in;                    /* channels it reads */
    int w_in, w_state, b, b_state; /* parameters; -1: none */
    dt_linear linear;              /* the input's product, unless it reads ids */
    dt_real *x;                    /* [positions, rows, in]: what it reads, where that is not h of the one below */
    dt_real *gates, *hidden;       /* [positions, rows, …], of dt_cell */
    dt_real *h, *c;                /* [1 + positions, rows, units], from what they were before the first position */
    dt_real *h16, *gates16, *hidden16;
} dt_recurrent_stack;

typedef struct dt_recurrent {
    dt_cell_kind kind;
    int64_t units, cols, positions; /* cols: of all gates */
    bool ids, bf16, carries;
    int count;
    dt_recurrent_stack stacks[DT_RECURRENT_STACKS];
    /* In the workspace, elements: dh[1 + positions, rows, units], dc[rows, units], product[rows, cols], dx[positions,
     * rows, in], W_state turned[cols, units] and input[rows] pointers. */
    size_t dc, product, dx, turned, input;
} dt_recurrent;

/* dt_layer_kind.forward and backward. */
void dt_recurrent_forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y);
void dt_recurrent_backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                           dt_real *dx);

#endif
