/* The table of kernels, products among them: what is compiled once per instruction set and chosen at run time. Kernels
 * take pointers and sizes, own no memory and know no layer. */
#ifndef DTRAIN_COMPUTE_KERNELS_H
#define DTRAIN_COMPUTE_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "base/table.h"
#include "isa.h"
#include "real.h"
#include "tally.h"

typedef enum dt_activation { DT_LINEAR, DT_SIGMOID, DT_TANH, DT_RELU, DT_LEAKY_RELU, DT_GELU, DT_SILU } dt_activation;

/* What an update rule needs to know at one step. */
typedef struct dt_update {
    dt_real lr;
    dt_real grad_scale; /* g is multiplied by this first (1/samples, clipping) */
    dt_real grad_limit; /* then limited to [-grad_limit, grad_limit]; 0: off */
    dt_real l2;         /* then g += l2*w */
    dt_real decay;      /* w -= lr*decay*w, apart from the gradient */
    dt_real momentum, beta1, beta2, rho, eps;
    dt_real correction1, correction2; /* Adam: 1/(1-beta1^t), 1/(1-beta2^t) */
    bool nesterov;
} dt_update;

/* c[rows, cols] = a[rows, depth] b[depth, cols], or c += … with `add`; then bias[cols] is added to each row unless it
 * is NULL, and with `relu` what is below 0 becomes 0. All row-major; a is stored as [depth, rows] where it is turned, b
 * as [cols, depth]; lda, ldb and ldc are the distances of rows as they are stored. Every number of c is the same bits
 * whatever the other rows and columns, the instruction set and the threads (product.c says which). */
typedef struct dt_matrix_product {
    int64_t rows, cols, depth;
    const dt_real *a, *b;
    dt_real *c;
    int64_t lda, ldb, ldc;
    bool a_turned, b_turned, add, relu;
    const dt_real *bias;
} dt_matrix_product;

/* The same of bfloat16 numbers, which gives the bits it gives of these numbers in float32; without bias and relu. */
typedef struct dt_matrix_product_bf16 {
    int64_t rows, cols, depth;
    const dt_bf16 *a, *b;
    dt_real *c;
    int64_t lda, ldb, ldc;
    bool a_turned, b_turned, add;
} dt_matrix_product_bf16;

#define DT_NORM_WORK 8 /* vectors of cols that a normalisation by columns works with */

/* Of a picture, or of a series with height 1 and factor_high 1. */
typedef struct dt_upsampling {
    int64_t height, width, cols, factor_high, factor_wide;
    bool linear;
} dt_upsampling;

/* Where a window of pixels goes over a picture; [0] down, [1] across. One dimension is a picture of height 1. The
 * window of output pixel (i, j) begins at pixel (i*stride[0] - before[0], j*stride[1] - before[1]); what it has outside
 * the picture is zero to a convolution and does not exist for a pool. */
typedef struct dt_window {
    int64_t in[2], out[2]; /* pixels */
    int64_t kernel[2];
    int64_t stride[2];
    int64_t dilation[2]; /* distance between neighbours in the window; 1 in a pool */
    int64_t before[2], after[2];
} dt_window;

/* Whether windows of 2x2 cover the picture without overlap. */
static inline bool dt_window_squares_tile(const dt_window *window) {
    for (int d = 0; d < 2; d++)
        if (window->kernel[d] != 2 || window->stride[d] != 2 || window->before[d] != 0 ||
            window->in[d] != 2 * window->out[d])
            return false;
    return true;
}

#define DT_ATTENTION_BLOCK 64 /* queries, and keys, that are worked on at once */

/* Attention of `rows` samples. Heads are [positions, heads, size]; qkv[rows, positions, (heads + 2 kv_heads)*size] has
 * in each position the queries' heads, the keys' and the values'. Queries of head h meet the keys and values of head
 * h/(heads/kv_heads) (grouped queries; Ainslie et al. 2023). */
typedef struct dt_attention {
    int64_t rows, positions, heads, kv_heads, size;
    bool causal;           /* a query sees the keys of its own position and of those before */
    const dt_real *tokens; /* [rows, positions] or NULL: nobody sees the keys where it is below 0 */
    int64_t begin, end;    /* of the heads of keys, counted through all rows, that are worked on; end 0: all */
} dt_attention;

/* Elements that attend and attend_backward work with, however many rows there are; so many for each thread. */
static inline int64_t dt_attention_work(int64_t positions, int64_t size, bool training) {
    int64_t block = DT_ATTENTION_BLOCK, tall = (positions + block - 1) / block * block, wide = (size + 15) / 16 * 16;
    return training ? 9 * tall * wide + 3 * tall + 2 * block * block
                    : 2 * tall * wide + tall + 3 * block * wide + block * block;
}
/* One time step of a recurrent layer, over rows: h from h_before (and c from c_before), [rows, units] each, where x W
 * and h_before U are products that were made before. s is the logistic function, * goes by elements.
 *
 *   rnn   h = tanh(x W + h_before U + b)
 *   gru   r, z = s(x W + h_before U + b);  n = tanh(x W_n + b_n + r*(h_before U_n + b_state))
 *         h = (1 - z)*n + z*h_before                          Cho et al. 2014, as PyTorch and cuDNN have it: the reset
 *         gate comes after the product, and the candidate has a bias on both sides of it
 *   lstm  i, f, o = s(x W + h_before U + b);  g = tanh(x W_g + h_before U_g + b_g)
 *         c = f*c_before + i*g;  h = o*tanh(c)                Hochreiter and Schmidhuber 1997, Gers et al. 2000
 *
 * The columns of W, U, b and `gates` are [h], [r z n] and [i f g o], of `units` each. */
typedef enum dt_cell_kind { DT_CELL_RNN, DT_CELL_GRU, DT_CELL_LSTM, DT_CELL_KINDS } dt_cell_kind;

typedef struct dt_cell {
    int64_t rows, units;
    dt_real *gates; /* forward: x W + h_before U becomes what the gates are; backward: those become the gradient before
                     * their functions. A GRU has x W in it alone. */
    const dt_real *const *input; /* [rows]: x W row by row, and not in gates; or NULL */
    const dt_real *product;      /* GRU: h_before U; forward */
    dt_real *hidden;             /* GRU: forward leaves h_before U_n + b_state, which becomes its gradient */
    const dt_real *b, *b_state;  /* [gates], GRU: [units] */
    const dt_real *h_before, *c_before;
    dt_real *h, *c;
    const dt_real *dh;                 /* backward: the whole gradient of h */
    dt_real *dh_before;                /* GRU: += the part that bypasses the product */
    dt_real *dc;                       /* LSTM: from the gradient of c to that of c_before */
    dt_real *db, *db_state;            /* += the sums over rows */
    int64_t begin, end;                /* of the units that are worked on; end 0: all */
    dt_bf16 *h16, *gates16, *hidden16; /* receive what becomes of h, gates and hidden, rounded; or NULL */
} dt_cell;

/* One instruction set's kernels. Shapes are row-major. Unless said otherwise outputs do not overlap inputs. */
struct dt_conv_walk;
struct dt_conv_pass;
struct dt_conv_pairs;

typedef struct dt_kernels {
    dt_isa isa;

    /* y = act(y + b) for y[rows, cols], b[cols] (NULL: none). Where z is not NULL it receives act'(y + b), for GELU
     * and SiLU, whose way back needs it. `slope` is leaky ReLU's. */
    void (*bias_activate)(dt_real *y, dt_real *z, const dt_real *b, int64_t rows, int64_t cols, dt_activation act,
                          dt_real slope);
    /* dy = dy * act'(·) in place, from y (the activation's output) or z (the slope, GELU and SiLU); then column sums:
     * db[cols] = sum over rows of dy, or db += … when `accumulate`. db may be NULL. */
    void (*activate_backward)(dt_real *dy, dt_real *db, const dt_real *y, const dt_real *z, int64_t rows, int64_t cols,
                              dt_activation act, dt_real slope, bool accumulate);
    /* y = softmax of each row of x; y may be x. */
    void (*softmax)(dt_real *y, const dt_real *x, int64_t rows, int64_t cols);
    /* dx = y*(dy - sum(dy*y)) by rows; dx may be dy. */
    void (*softmax_backward)(dt_real *dx, const dt_real *dy, const dt_real *y, int64_t rows, int64_t cols);

    /* y = act((x - mean)*factor + shift) for x[rows, cols] and vectors of cols; shift may be NULL, y may be x. With
     * `relu` the activation is max(·, 0), else none: so in all that follows. */
    void (*normalise)(dt_real *y, const dt_real *x, const dt_real *mean, const dt_real *factor, const dt_real *shift,
                      int64_t rows, int64_t cols, bool relu);
    /* Batch normalisation by columns: y = act((x - mean)/sqrt(variance + eps)*scale + shift). work[DT_NORM_WORK, cols]
     * begins with mean and variance (of the rows as they are: divided by rows) and goes unchanged from forward to
     * backward. scale and shift may be NULL. */
    void (*batch_norm)(dt_real *y, dt_real *work, const dt_real *x, const dt_real *scale, const dt_real *shift,
                       int64_t rows, int64_t cols, dt_real eps, bool relu);
    /* dx may be dy, or NULL; dscale and dshift replace or, with `accumulate`, add; they may be NULL. */
    void (*batch_norm_backward)(dt_real *dx, dt_real *dscale, dt_real *dshift, dt_real *work, const dt_real *dy,
                                const dt_real *x, const dt_real *shift, int64_t rows, int64_t cols, bool relu,
                                bool accumulate);
    /* Normalisation by rows, y = (x - mean)/sqrt(variance + eps)*scale + shift; without `centred` the mean counts as 0
     * (RMS norm). stats[rows, 2] receives mean and 1/sqrt(…). scale and shift may be NULL, y may be x. */
    void (*row_norm)(dt_real *y, dt_real *stats, const dt_real *x, const dt_real *scale, const dt_real *shift,
                     int64_t rows, int64_t cols, dt_real eps, bool centred);
    /* As for batch_norm_backward. */
    void (*row_norm_backward)(dt_real *dx, dt_real *dscale, dt_real *dshift, const dt_real *dy, const dt_real *x,
                              const dt_real *stats, const dt_real *scale, int64_t rows, int64_t cols, bool centred,
                              bool accumulate);
    /* The same for each group of cols/groups neighbouring columns of x[rows, positions, cols], within a row.
     * stats[rows, groups, 2]; work[DT_NORM_WORK, cols] need not be kept. */
    void (*group_norm)(dt_real *y, dt_real *stats, dt_real *work, const dt_real *x, const dt_real *scale,
                       const dt_real *shift, int64_t rows, int64_t positions, int64_t cols, int64_t groups,
                       dt_real eps);
    void (*group_norm_backward)(dt_real *dx, dt_real *dscale, dt_real *dshift, dt_real *work, const dt_real *dy,
                                const dt_real *x, const dt_real *stats, const dt_real *scale, int64_t rows,
                                int64_t positions, int64_t cols, int64_t groups, bool accumulate);

    /* y = act(a + b) on flat arrays; y may be either. */
    void (*sum_activate)(dt_real *y, const dt_real *a, const dt_real *b, int64_t n, bool relu);
    /* y[rows, height*fh, width*fw, cols] from x[rows, height, width, cols]: the nearest element, or `linear` between
     * the centres of the four around. The reverse adds each dy to where it came from. */
    void (*upsample)(dt_real *y, const dt_real *x, const dt_upsampling *u, int64_t rows);
    void (*upsample_backward)(dt_real *dx, const dt_real *dy, const dt_upsampling *u, int64_t rows);

    /* Losses on output[rows, cols]; targets are labels[rows] (class numbers, one-hot where the loss wants vectors) or
     * values[rows, cols], the other NULL. The gradient of the *sum* over rows replaces output when `gradient`.
     * Adds to tally. A row whose label is -1 does not count: its gradient is zero. units[cols], or NULL for
     * ones, is what 1 of a value counts in the absolute error. See model.h for the formulas. */
    void (*softmax_cross_entropy)(dt_real *output, const int32_t *labels, const dt_real *values, const dt_real *weights,
                                  int64_t rows, int64_t cols, dt_real smoothing, bool gradient, dt_tally *tally);
    void (*mean_squared_error)(dt_real *output, const int32_t *labels, const dt_real *values, const dt_real *weights,
                               const double *units, int64_t rows, int64_t cols, bool gradient, dt_tally *tally);
    void (*binary_cross_entropy)(dt_real *output, const int32_t *labels, const dt_real *values, const dt_real *weights,
                                 int64_t rows, int64_t cols, dt_real smoothing, bool gradient, dt_tally *tally);

    /* y[rows, positions, cols] = table[id, cols] + at_position[position, cols], for ids[rows, positions]; no row of the
     * table where the id is -1. at_position may be NULL. The reverse adds each dy to the rows it came from; dtable
     * and dat_place may be NULL. */
    void (*embed)(dt_real *y, const dt_real *table, const dt_real *at_position, const dt_real *ids, int64_t rows,
                  int64_t positions, int64_t cols);
    void (*embed_backward)(dt_real *dtable, dt_real *dat_place, const dt_real *dy, const dt_real *ids, int64_t rows,
                           int64_t positions, int64_t cols);
    /* y[rows, cols] = the mean of x[rows, positions, cols] over the positions, those whose id is -1 left out unless all
     * are; ids may be NULL. */
    void (*mean_of_positions)(dt_real *y, const dt_real *x, const dt_real *ids, int64_t rows, int64_t positions,
                              int64_t cols);
    void (*mean_of_positions_backward)(dt_real *dx, const dt_real *dy, const dt_real *ids, int64_t rows,
                                       int64_t positions, int64_t cols);
    /* y[rows, cols] = silu(g)*u, where g and u are the halves of each row of z[rows, 2*cols]. The reverse replaces z by
     * its gradient. */
    void (*swiglu)(dt_real *y, const dt_real *z, int64_t rows, int64_t cols);
    void (*swiglu_backward)(dt_real *z, const dt_real *dy, int64_t rows, int64_t cols);

    /* y = x*m/(1-rate), m drawn anew per element from (stream, first_sample + row, element): the same call on the
     * gradient is the backward pass. y may be x. */
    void (*dropout)(dt_real *y, const dt_real *x, int64_t rows, int64_t cols, dt_real rate, dt_stream stream,
                    uint64_t first_sample);

    /* By dt_cell_kind. */
    void (*cell_forward[DT_CELL_KINDS])(const dt_cell *cell);
    void (*cell_backward[DT_CELL_KINDS])(const dt_cell *cell);

    /* y[rows, out, channels] = the largest of each window of x[rows, in, channels], NaN above all. Where `winner` is
     * not NULL it receives which of the window's pixels that is, in scan order: the first among equals. */
    void (*max_pool)(dt_real *y, int32_t *winner, const dt_real *x, const dt_window *window, int64_t rows,
                     int64_t channels);
    /* dx = dy where `winner` says, summed over the windows in scan order, else 0. */
    void (*max_pool_backward)(dt_real *dx, const dt_real *dy, const int32_t *winner, const dt_window *window,
                              int64_t rows, int64_t channels);
    /* y = the mean of each window's pixels inside the picture. */
    void (*avg_pool)(dt_real *y, const dt_real *x, const dt_window *window, int64_t rows, int64_t channels);
    void (*avg_pool_backward)(dt_real *dx, const dt_real *dy, const dt_window *window, int64_t rows, int64_t channels);

    /* y[rows, positions, heads*size] = softmax(q k^T/sqrt(size)) v, head by head. log_sum[rows, heads, positions]
     * (NULL: not wanted) receives the logarithm to base 2 of each softmax's sum. A query that sees no key gets zeros.
     * work: as many elements as dt_attention_work says. */
    void (*attend)(dt_real *y, dt_real *log_sum, const dt_real *qkv, const dt_attention *shape, dt_real *work);
    /* dqkv from dy, and from what attend saw and gave. */
    void (*attend_backward)(dt_real *dqkv, const dt_real *dy, const dt_real *y, const dt_real *log_sum,
                            const dt_real *qkv, const dt_attention *shape, dt_real *work);
    /* The last of position + 1 positions alone: y[rows, heads*size] from qkv[rows, (heads + 2 kv_heads)*size]. Keys and
     * values [rows, positions, kv_heads*size] hold those of the positions before, and gain this one's; queries are
     * scaled in place. y has the bits attend gives it. */
    void (*attend_place)(dt_real *y, dt_real *keys, dt_real *values, dt_real *qkv, const dt_attention *shape,
                         int64_t position);
    /* Turns the queries and keys of qkv by the angles of their positions, in place: numbers i and i + size/2 of a head
     * as one plane (RoFormer, Su et al. 2021, section 3.2.2, paired as in GPT-NeoX). turns[positions, size]: size/2
     * cosines, then as many sines. `back`: by the opposite angles, which is what a gradient needs. */
    void (*rotate)(dt_real *qkv, const dt_real *turns, const dt_attention *shape, bool back);

    void (*product)(const dt_matrix_product *p);
    void (*product_bf16)(const dt_matrix_product_bf16 *p);

    /* For threads: as those of their names above, for columns [begin, end) alone. What a column is given depends on no
     * other; in a group norm the columns are those of whole groups. row_norm_sums has dscale and dshift alone. */
    void (*activate_backward_columns)(dt_real *dy, dt_real *db, const dt_real *y, const dt_real *z, int64_t rows,
                                      int64_t cols, dt_activation act, dt_real slope, bool accumulate, int64_t begin,
                                      int64_t end);
    void (*batch_norm_columns)(dt_real *y, dt_real *work, const dt_real *x, const dt_real *scale, const dt_real *shift,
                               int64_t rows, int64_t cols, dt_real eps, bool relu, int64_t begin, int64_t end);
    void (*batch_norm_backward_columns)(dt_real *dx, dt_real *dscale, dt_real *dshift, dt_real *work, const dt_real *dy,
                                        const dt_real *x, const dt_real *shift, int64_t rows, int64_t cols, bool relu,
                                        bool accumulate, int64_t begin, int64_t end);
    void (*row_norm_sums_columns)(dt_real *dscale, dt_real *dshift, const dt_real *dy, const dt_real *x,
                                  const dt_real *stats, int64_t rows, int64_t cols, bool accumulate, int64_t begin,
                                  int64_t end);
    void (*group_norm_columns)(dt_real *y, dt_real *stats, dt_real *work, const dt_real *x, const dt_real *scale,
                               const dt_real *shift, int64_t rows, int64_t positions, int64_t cols, int64_t groups,
                               dt_real eps, int64_t begin, int64_t end);
    void (*group_norm_backward_columns)(dt_real *dx, dt_real *dscale, dt_real *dshift, dt_real *work, const dt_real *dy,
                                        const dt_real *x, const dt_real *stats, const dt_real *scale, int64_t rows,
                                        int64_t positions, int64_t cols, int64_t groups, bool accumulate, int64_t begin,
                                        int64_t end);
    void (*embed_backward_columns)(dt_real *dtable, dt_real *dat_place, const dt_real *dy, const dt_real *ids,
                                   int64_t rows, int64_t positions, int64_t cols, int64_t begin, int64_t end);

    /* Update rules on flat arrays of n elements. */
    void (*sgd)(dt_real *w, dt_real *velocity, const dt_real *g, int64_t n,
                const dt_update *u); /* velocity NULL: no momentum */
    void (*adam)(dt_real *w, dt_real *m, dt_real *v, const dt_real *g, int64_t n, const dt_update *u); /* and AdamW */
    void (*rmsprop)(dt_real *w, dt_real *v, dt_real *velocity, const dt_real *g, int64_t n,
                    const dt_update *u); /* velocity NULL: none */
    /* LAMB's step in halves: the moments, and u = Adam's direction from them + decay*w. */
    void (*adam_moments)(dt_real *m, dt_real *v, const dt_real *w, const dt_real *g, int64_t n, const dt_update *u);
    void (*adam_direction)(dt_real *direction, const dt_real *m, const dt_real *v, const dt_real *w, int64_t n,
                           const dt_update *u);
    void (*adagrad)(dt_real *w, dt_real *sum, const dt_real *g, int64_t n, const dt_update *u);

    /* Convolutions, for conv.c (conv_walk.h): weights packed, `turned` for the gradient of x; then units of work. */
    void (*conv_pack)(dt_real *packed, const dt_real *w, const struct dt_conv_walk *walk, bool turned);
    void (*conv_gather)(const struct dt_conv_pass *pass, int64_t begin, int64_t end);
    void (*conv_weights)(const struct dt_conv_pass *pass, int64_t begin, int64_t end);
    /* The same of pairs of bfloat16 numbers; NULL where the processor has no instruction for it. */
    const struct dt_conv_pairs *(*conv_pairs)(void);

    /* Independent fused multiply-adds of numbers in registers, many for each of `rounds`; with bf16 as products of
     * bfloat16 numbers make them. Returns the floating-point operations. */
    double (*multiply_add)(int64_t rounds, bool bf16);

    /* The sum of x[i]^2, accumulated in double, in an order that depends on n alone. */
    double (*sum_squares)(const dt_real *x, int64_t n);
    /* w = keep*w + share*g */
    void (*blend)(dt_real *w, const dt_real *g, int64_t n, dt_real keep, dt_real share);
    /* The largest |x[i]|, infinity and NaN being larger than all numbers; 0 for n = 0. */
    double (*largest)(const dt_real *x, int64_t n);
    /* y[cols, rows] = x[rows, cols], turned. */
    void (*transpose)(dt_real *y, const dt_real *x, int64_t rows, int64_t cols);
    void (*transpose_bf16)(dt_bf16 *y, const dt_bf16 *x, int64_t rows, int64_t cols);
    /* y += x */
    void (*add)(dt_real *y, const dt_real *x, int64_t n);
    void (*add_i32)(int32_t *y, const int32_t *x, int64_t n); /* wraps, as MPI_SUM does */
    void (*add_i64)(int64_t *y, const int64_t *x, int64_t n);
    /* q = round(g*scale), or q += … unless `fresh`, to the nearest, ties to even. Returns the largest |g|, or infinity
     * or NaN when one is not finite; q is meaningless where |g*scale| does not fit its type. */
    double (*quantise_i32)(int32_t *q, const dt_real *g, int64_t n, dt_real scale, bool fresh);
    double (*quantise_i64)(int64_t *q, const dt_real *g, int64_t n, double scale, bool fresh);
    /* g = q*scale */
    void (*dequantise_i32)(dt_real *g, const int32_t *q, int64_t n, dt_real scale);
    void (*dequantise_i64)(dt_real *g, const int64_t *q, int64_t n, double scale);
    /* y = x, rounded to the nearest, ties to even; NaN stays NaN. */
    void (*to_bf16)(dt_bf16 *y, const dt_real *x, int64_t n);
    /* The same, and wide again; y may be x. */
    void (*round_to_bf16)(dt_real *y, const dt_real *x, int64_t n);
    /* y = x*scale + shift, x of the given format; the scaling is in float32 (double for dt_real double). */
    void (*convert)(dt_real *y, const void *x, dt_dtype dtype, int64_t n, dt_real scale, dt_real shift);
    /* Adds words of ChaCha20 to words[n], or takes them away, modulo 2^32: blocks from `block` on, a multiple of 16, of
     * this key and a nonce of zeros. Word 256 g + 16 w + i of the stream is word w of block 16 g + i. Copies of the key
     * may be left on the stack. */
    void (*add_stream)(uint32_t *words, int64_t n, const uint32_t key[8], uint32_t block, bool minus);
} dt_kernels;

/* The kernels compiled for `isa` (DT_ISA_AUTO: the best this machine has), or NULL when this machine lacks it. */
const dt_kernels *dt_kernels_for(dt_isa isa);

#endif
