/* Gradients of every layer kind, activation and loss against central differences, on the code that trains compiled for
 * double. Derivatives are taken along random directions of the weights and of the inputs, with their sign; directions
 * along which a ReLU changes side are left out. The loss that is differentiated comes from the reference, which checks
 * its formula on the way. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "models.h"
#include "reference.h"

#ifndef DT_REAL_DOUBLE
#    error "compile with -DDT_REAL_DOUBLE"
#endif

enum { ROWS = 5, DIRECTIONS = 8, ENOUGH = 5 };
#define STEP 1e-5
#define TOLERANCE 1e-6

/* POSITIONS: a label for each of the three; TOKENS: likewise, and inputs are token ids; ROWS_OF_TOKENS: one label. */
typedef enum targets { LABELS, VALUES, POSITIONS, TOKENS, ROWS_OF_TOKENS } targets;
#define IDS 4 /* token ids are below this, or -1 */

typedef struct gradient_case {
    const char *layers;
    dt_shape input;
    dt_recipe_loss loss;
    targets targets;
} gradient_case;

#define CROSS_ENTROPY                                                                                                  \
    { DT_LOSS_SOFTMAX_CROSS_ENTROPY, 0 }
#define SQUARED_ERROR                                                                                                  \
    { DT_LOSS_MEAN_SQUARED_ERROR, 0 }
#define BINARY                                                                                                         \
    { DT_LOSS_BINARY_CROSS_ENTROPY, 0 }
#define VECTOR(n)                                                                                                      \
    {                                                                                                                  \
        1, {                                                                                                           \
            n                                                                                                          \
        }                                                                                                              \
    }

#define IMAGE                                                                                                          \
    {                                                                                                                  \
        3, {                                                                                                           \
            5, 4, 2                                                                                                    \
        }                                                                                                              \
    }

static const gradient_case cases[] = {
    /* losses */
    {"[{dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 4}]", VECTOR(6), {DT_LOSS_SOFTMAX_CROSS_ENTROPY, 0.1}, LABELS},
    {"[{dense: 4}]", VECTOR(6), CROSS_ENTROPY, VALUES},
    {"[{dense: 4}]", VECTOR(6), {DT_LOSS_SOFTMAX_CROSS_ENTROPY, 0.2}, VALUES},
    {"[{dense: 4}]", VECTOR(6), SQUARED_ERROR, LABELS},
    {"[{dense: 4}]", VECTOR(6), SQUARED_ERROR, VALUES},
    {"[{dense: 1}]", VECTOR(6), SQUARED_ERROR, LABELS},
    {"[{dense: 4}]", VECTOR(6), BINARY, LABELS},
    {"[{dense: 4}]", VECTOR(6), {DT_LOSS_BINARY_CROSS_ENTROPY, 0.1}, LABELS},
    {"[{dense: 4}]", VECTOR(6), BINARY, VALUES},
    {"[{dense: 4}]", VECTOR(6), {DT_LOSS_BINARY_CROSS_ENTROPY, 0.2}, VALUES},
    {"[{dense: 1}]", VECTOR(6), BINARY, LABELS},
    /* a label for each position, of which some do not count */
    {"[{dense: 12}, {reshape: [3, 4]}]", VECTOR(6), CROSS_ENTROPY, POSITIONS},
    {"[{dense: 12}, {reshape: [3, 4]}, layer_norm]", VECTOR(6), {DT_LOSS_SOFTMAX_CROSS_ENTROPY, 0.1}, POSITIONS},
    {"[{reshape: [3, 2]}, {dense: {out: 5, activation: gelu}}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, POSITIONS},
    {"[{reshape: [3, 2]}, {conv1d: {out: 4, kernel: 1}}]", VECTOR(6), CROSS_ENTROPY, POSITIONS},
    {"[{dense: 12}, {reshape: [3, 4]}, tanh]", VECTOR(6), SQUARED_ERROR, POSITIONS},
    {"[{dense: 12}, {reshape: [3, 4]}]", VECTOR(6), BINARY, POSITIONS},
    /* tokens: tables shared and not, positions with and without vectors, what pools leave out */
    {"[{embedding: 6}, {dense: 4}]", VECTOR(3), CROSS_ENTROPY, TOKENS},
    {"[{embedding: {width: 6, positions: learned}}, tanh, {unembed: embedding1}]", VECTOR(3), CROSS_ENTROPY, TOKENS},
    {"[{embedding: {width: 5, name: table}}, {residual: [layer_norm, {dense: 5}]}, {unembed: {of: table, bias: true}}]",
     VECTOR(3),
     {DT_LOSS_SOFTMAX_CROSS_ENTROPY, 0.1},
     TOKENS},
    {"[{embedding: 6}, {unembed: {of: \"\", bias: true}}]", VECTOR(3), CROSS_ENTROPY, TOKENS},
    {"[{embedding: 6}, {swiglu: {out: 5, bias: true}}, {dense: 4}]", VECTOR(3), CROSS_ENTROPY, TOKENS},
    {"[{reshape: [3, 2]}, {swiglu: 5}, {swiglu: 3}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, POSITIONS},
    {"[{embedding: {width: 6, positions: learned}}, token_pool, {dense: 4}]", VECTOR(3), CROSS_ENTROPY, ROWS_OF_TOKENS},
    {"[{reshape: [3, 2]}, {dense: {out: 3, activation: tanh}}, token_pool, {dense: 4}]", VECTOR(6), CROSS_ENTROPY,
     LABELS},
    {"[{reshape: [3, 2]}, {dense: {out: 3, activation: tanh}}, {token_pool: first}, {dense: 4}]", VECTOR(6),
     CROSS_ENTROPY, LABELS},
    {"[{reshape: [3, 2]}, {dense: {out: 3, activation: tanh}}, {token_pool: last}, {dense: 4}]", VECTOR(6),
     CROSS_ENTROPY, LABELS},
    /* recurrent: every kind and option, stacked, with one number a position, within a layer, of token ids */
    {"[{simple_rnn: 6}, flatten, {dense: 4}]", {2, {5, 3}}, CROSS_ENTROPY, LABELS},
    {"[{gru: 6}, flatten, {dense: 4}]", {2, {5, 3}}, CROSS_ENTROPY, LABELS},
    {"[{lstm: 6}, flatten, {dense: 4}]", {2, {5, 3}}, CROSS_ENTROPY, LABELS},
    {"[{simple_rnn: {units: 5, layers: 3, last: yes}}, {dense: 4}]", {2, {4, 3}}, CROSS_ENTROPY, LABELS},
    {"[{gru: {units: 5, layers: 3, last: yes}}, {dense: 4}]", {2, {4, 3}}, CROSS_ENTROPY, LABELS},
    {"[{lstm: {units: 5, layers: 3, last: yes}}, {dense: 4}]", {2, {4, 3}}, CROSS_ENTROPY, LABELS},
    {"[{simple_rnn: {units: 5, layers: 2, bias: no, dropout: 0.3}}, {dense: 4}]",
     {2, {3, 2}},
     CROSS_ENTROPY,
     POSITIONS},
    {"[{gru: {units: 5, layers: 2, bias: no, dropout: 0.3}}, {dense: 4}]", {2, {3, 2}}, CROSS_ENTROPY, POSITIONS},
    {"[{lstm: {units: 5, layers: 2, bias: no, dropout: 0.3}}, {dense: 4}]", {2, {3, 2}}, CROSS_ENTROPY, POSITIONS},
    {"[{gru: 3}, {simple_rnn: {units: 19, last: yes}}, {dense: 4}]", {1, {6}}, CROSS_ENTROPY, LABELS},
    {"[{dense: 4}, {residual: [{lstm: 4}]}, {concat: [[{gru: 2}], [{dense: 3}]]}, {dense: 4}]",
     {2, {3, 2}},
     CROSS_ENTROPY,
     POSITIONS},
    {"[{simple_rnn: {units: 5, layers: 2}}, {dense: 4}]", {1, {3}}, CROSS_ENTROPY, TOKENS},
    {"[{gru: {units: 5, layers: 2}}, {dense: 4}]", {1, {3}}, CROSS_ENTROPY, TOKENS},
    {"[{lstm: {units: 5, layers: 2}}, {dense: 4}]", {1, {3}}, CROSS_ENTROPY, TOKENS},
    {"[{lstm: {units: 5, last: yes}}, {dense: 4}]", {1, {6}}, CROSS_ENTROPY, ROWS_OF_TOKENS},
    /* the dense layer's own activations, inside and at the end */
    {"[{dense: {out: 7, activation: linear}}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: {out: 7, activation: sigmoid}}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: {out: 7, activation: tanh}}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: {out: 7, activation: relu}}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: {out: 7, activation: leaky_relu, slope: 0.3}}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: {out: 7, activation: gelu}}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: {out: 7, activation: silu}}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: {out: 7, activation: tanh, bias: false}}, {dense: {out: 4, bias: false}}]", VECTOR(6), CROSS_ENTROPY,
     LABELS},
    {"[{dense: {out: 4, activation: sigmoid}}]", VECTOR(6), SQUARED_ERROR, VALUES},
    {"[{dense: {out: 4, activation: tanh}}]", VECTOR(6), SQUARED_ERROR, VALUES},
    {"[{dense: {out: 4, activation: gelu}}]", VECTOR(6), SQUARED_ERROR, VALUES},
    {"[{dense: {out: 4, activation: relu}}]", VECTOR(6), SQUARED_ERROR, VALUES},
    /* activations as layers, inside, first and last */
    {"[{dense: 7}, sigmoid, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, tanh, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, relu, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, {leaky_relu: 0.3}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, gelu, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, silu, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, softmax, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[tanh, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[silu, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[softmax, flatten, {dense: 4}]", {2, {2, 3}}, CROSS_ENTROPY, LABELS},
    {"[{dense: 4}, sigmoid]", VECTOR(6), SQUARED_ERROR, VALUES},
    {"[{dense: 4}, softmax]", VECTOR(6), SQUARED_ERROR, LABELS},
    {"[{dense: 4}, gelu]", VECTOR(6), SQUARED_ERROR, VALUES},
    /* flatten and dropout, and what may and may not share memory */
    {"[flatten, {dense: 4}]", {3, {1, 2, 3}}, CROSS_ENTROPY, LABELS},
    {"[{dropout: 0.3}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[flatten, {dropout: 0.3}, {dense: 4}]", {2, {2, 3}}, CROSS_ENTROPY, LABELS},
    {"[{dense: {out: 9, activation: relu}}, {dropout: 0.4}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: {out: 9, activation: sigmoid}}, {dropout: 0.4}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: {out: 9, activation: tanh}}, flatten, {dropout: 0.4}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: {out: 9, activation: gelu}}, {dropout: 0.4}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 9}, tanh, {dropout: 0.4}, sigmoid, {dropout: 0.2}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 9}, {dropout: 0.4}, tanh, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 9}, tanh, sigmoid, gelu, tanh, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 9}, {dropout: 0}, tanh, {dense: 4}, {dropout: 0.3}]", VECTOR(6), SQUARED_ERROR, VALUES},
    /* normalisation: every option, inside, first, in place behind others, and where nobody asks for its input's
       gradient */
    {"[{dense: 7}, batch_norm, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, {batch_norm: {activation: relu, eps: 0.1}}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, {batch_norm: {scale: no, momentum: 0}}, tanh, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, {batch_norm: {shift: no, activation: relu}}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, {batch_norm: {scale: no, shift: no}}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[batch_norm, flatten, {dense: 4}]", {3, {3, 2, 19}}, CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, {dropout: 0.3}, batch_norm, batch_norm, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, layer_norm, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, {layer_norm: {scale: no, eps: 0.1}}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, {layer_norm: {shift: no}}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, {layer_norm: {scale: no, shift: no}}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[layer_norm, flatten, {dense: 4}]", {2, {3, 5}}, CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, rms_norm, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, {rms_norm: {scale: no, eps: 0.1}}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[rms_norm, flatten, {dense: 4}]", {3, {2, 3, 5}}, CROSS_ENTROPY, LABELS},
    {"[{dense: 8}, {group_norm: 2}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{group_norm: {groups: 3, eps: 0.1}}, flatten, {dense: 4}]", {3, {3, 2, 6}}, CROSS_ENTROPY, LABELS},
    {"[{group_norm: {groups: 19, scale: no}}, flatten, {dense: 4}]", {2, {3, 19}}, CROSS_ENTROPY, LABELS},
    {"[{group_norm: {groups: 1, shift: no}}, flatten, {dense: 4}]", {2, {3, 4}}, CROSS_ENTROPY, LABELS},
    {"[tanh, {group_norm: {groups: 2, scale: no, shift: no}}, flatten, {dense: 4}]",
     {2, {3, 4}},
     CROSS_ENTROPY,
     LABELS},
    /* layers in layers */
    {"[{residual: [{dense: 6}, tanh]}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, {residual: [tanh]}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, {residual: [flatten]}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, {residual: {layers: [{dense: {out: 5, activation: gelu}}, {dense: 7}], activation: relu}}, tanh, "
     "{dense: 4}]",
     VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, sigmoid, {residual: {layers: [{dense: 5}, batch_norm], shortcut: [{dense: {out: 5, activation: "
     "tanh}}]}}, {dropout: 0.2}, {dense: 4}]",
     VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{residual: {layers: [{dense: 5}], shortcut: [tanh, {dense: 5}], activation: relu}}, {dense: 4}]", VECTOR(6),
     CROSS_ENTROPY, LABELS},
    {"[{dense: 7}, {residual: {layers: [{dropout: 0.3}, {residual: [silu, {dropout: 0.2}, {dense: 7}]}, layer_norm], "
     "shortcut: [{dropout: 0.4}]}}, {dense: 4}]",
     VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{concat: [[], [{dense: 5}], [tanh, {dense: 3}]]}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{input: grid}, flatten, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{concat: [[{input: grid}, flatten, {dense: 3}], [{input: list}], [{input: list}, tanh]]}, {dense: 4}]",
     VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[tanh, {concat: [[{dense: 2}, batch_norm], [], [gelu]]}, {dropout: 0.2}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY,
     LABELS},
    {"[{dense: 6}, {concat: {branches: [[{residual: [{dense: 6}, tanh]}], [{concat: [[], [sigmoid]]}]]}}, {dense: 4}]",
     VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{concat: [[tanh], [layer_norm], []]}, flatten, {dense: 4}]", {2, {3, 5}}, CROSS_ENTROPY, LABELS},
    /* shapes */
    {"[{reshape: [2, -1]}, layer_norm, flatten, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
    {"[{transpose: [1, 2, 0]}, rms_norm, flatten, {dense: 4}]", {3, {2, 3, 5}}, CROSS_ENTROPY, LABELS},
    {"[tanh, {transpose: [3, 0, 2, 1]}, layer_norm, flatten, {dense: 4}]", {4, {2, 3, 1, 5}}, CROSS_ENTROPY, LABELS},
    {"[{upsample: 2}, layer_norm, flatten, {dense: 4}]", {3, {2, 3, 4}}, CROSS_ENTROPY, LABELS},
    {"[{upsample: {factor: 3, method: linear}}, layer_norm, flatten, {dense: 4}]",
     {3, {2, 3, 4}},
     CROSS_ENTROPY,
     LABELS},
    {"[{dense: 12}, {reshape: [3, 4]}, {upsample: {factor: 2, method: linear}}, tanh, flatten, {dense: 4}]", VECTOR(6),
     CROSS_ENTROPY, LABELS},
    /* convolutions: every option, odd sizes, first and later */
    {"[{conv2d: 3}, flatten, {dense: 4}]", IMAGE, CROSS_ENTROPY, LABELS},
    {"[{conv2d: {out: 3, kernel: 3x2, padding: valid}}, flatten, {dense: 4}]", IMAGE, CROSS_ENTROPY, LABELS},
    {"[{conv2d: {out: 3, kernel: 2, stride: 2}}, flatten, {dense: 4}]", IMAGE, CROSS_ENTROPY, LABELS},
    {"[{conv2d: {out: 3, stride: 1x3, padding: 2x1}}, flatten, {dense: 4}]", IMAGE, CROSS_ENTROPY, LABELS},
    {"[{conv2d: {out: 3, kernel: 2x3, dilation: 2x1}}, flatten, {dense: 4}]", IMAGE, CROSS_ENTROPY, LABELS},
    {"[{conv2d: {out: 4, groups: 2}}, flatten, {dense: 4}]", {3, {4, 3, 4}}, CROSS_ENTROPY, LABELS},
    {"[{conv2d: {out: 6, groups: 3, stride: 2}}, flatten, {dense: 4}]", {3, {4, 5, 3}}, CROSS_ENTROPY, LABELS},
    {"[{conv2d: {out: 3, kernel: 1, bias: false}}, flatten, {dense: 4}]", IMAGE, CROSS_ENTROPY, LABELS},
    {"[{conv2d: {out: 3, activation: sigmoid}}, flatten, {dense: 4}]", {2, {4, 3}}, CROSS_ENTROPY, LABELS},
    {"[{conv2d: {out: 3, activation: tanh}}, flatten, {dense: 4}]", {2, {4, 3}}, CROSS_ENTROPY, LABELS},
    {"[{conv2d: {out: 3, activation: relu}}, flatten, {dense: 4}]", {2, {4, 3}}, CROSS_ENTROPY, LABELS},
    {"[{conv2d: {out: 3, activation: leaky_relu, slope: 0.3}}, flatten, {dense: 4}]",
     {2, {4, 3}},
     CROSS_ENTROPY,
     LABELS},
    {"[{conv2d: {out: 3, activation: gelu}}, flatten, {dense: 4}]", {2, {4, 3}}, CROSS_ENTROPY, LABELS},
    {"[{conv2d: {out: 3, activation: silu, bias: false}}, flatten, {dense: 4}]", {2, {4, 3}}, CROSS_ENTROPY, LABELS},
    {"[{conv2d: 3}, relu, {conv2d: {out: 2, stride: 2}}, tanh, {conv2d: {out: 4, kernel: 1}}, global_avg_pool]", IMAGE,
     CROSS_ENTROPY, LABELS},
    {"[{conv1d: 3}, flatten, {dense: 4}]", {2, {7, 2}}, CROSS_ENTROPY, LABELS},
    {"[{conv1d: {out: 4, kernel: 4, stride: 2, padding: 3}}, {conv1d: {out: 6, groups: 2, dilation: 3, activation: "
     "tanh}}, flatten, {dense: 4}]",
     {1, {9}},
     CROSS_ENTROPY,
     LABELS},
    /* pools: with leftovers, gaps, overlap and padding, over pictures and series */
    {"[{max_pool: 2}, flatten, {dense: 4}]", {3, {4, 6, 2}}, CROSS_ENTROPY, LABELS},
    {"[{max_pool: 2}, flatten, {dense: 4}]", IMAGE, CROSS_ENTROPY, LABELS},
    {"[{conv2d: {out: 3, activation: relu}}, {max_pool: 2}, flatten, {dense: 4}]",
     {3, {4, 6, 2}},
     CROSS_ENTROPY,
     LABELS},
    {"[{max_pool: {kernel: 2x1, stride: 3}}, flatten, {dense: 4}]", IMAGE, CROSS_ENTROPY, LABELS},
    {"[{max_pool: {kernel: 3, stride: 1, padding: same}}, flatten, {dense: 4}]", IMAGE, CROSS_ENTROPY, LABELS},
    {"[{max_pool: {kernel: 3x2, stride: 2x1, padding: 2x1}}, flatten, {dense: 4}]", IMAGE, CROSS_ENTROPY, LABELS},
    {"[{max_pool: 2x2}, flatten, {dense: 4}]", {2, {4, 5}}, CROSS_ENTROPY, LABELS},
    {"[{max_pool: 3}, flatten, {dense: 4}]", {2, {7, 3}}, CROSS_ENTROPY, LABELS},
    {"[{max_pool: {kernel: 3, stride: 2}}, flatten, {dense: 4}]", {1, {9}}, CROSS_ENTROPY, LABELS},
    {"[{avg_pool: 2}, flatten, {dense: 4}]", {3, {4, 6, 2}}, CROSS_ENTROPY, LABELS},
    {"[{avg_pool: 2}, flatten, {dense: 4}]", IMAGE, CROSS_ENTROPY, LABELS},
    {"[{avg_pool: {kernel: 3, stride: 1, padding: same}}, flatten, {dense: 4}]", IMAGE, CROSS_ENTROPY, LABELS},
    {"[{avg_pool: {kernel: 3x2, stride: 2x1, padding: 2x1}}, flatten, {dense: 4}]", IMAGE, CROSS_ENTROPY, LABELS},
    {"[{avg_pool: {kernel: 3, stride: 2, padding: same}}, flatten, {dense: 4}]", {2, {8, 3}}, CROSS_ENTROPY, LABELS},
    {"[global_max_pool, {dense: 4}]", IMAGE, CROSS_ENTROPY, LABELS},
    {"[global_max_pool, {dense: 4}]", {2, {7, 3}}, CROSS_ENTROPY, LABELS},
    {"[global_avg_pool, {dense: 4}]", IMAGE, CROSS_ENTROPY, LABELS},
    {"[{conv2d: {out: 3, activation: relu}}, {max_pool: 2}, {conv2d: {out: 5, padding: valid, kernel: 2, activation: "
     "relu}}, global_avg_pool, {dense: 4}]",
     IMAGE, CROSS_ENTROPY, LABELS},
    {"[{conv2d: {out: 3, activation: tanh}}, {dropout: 0.3}, {avg_pool: 2}, {conv2d: 4}, gelu, {max_pool: 2}, flatten, "
     "{dense: 4}]",
     IMAGE, CROSS_ENTROPY, LABELS},
    /* convolutions in layers */
    {"[{conv2d: 3}, batch_norm, {residual: {layers: [{conv2d: {out: 4, stride: 2, bias: no}}, {batch_norm: "
     "{activation: "
     "relu}}, {conv2d: 4}, batch_norm], shortcut: [{conv2d: {out: 4, kernel: 1, stride: 2}}, batch_norm], activation: "
     "relu}}, {residual: [{conv2d: 4}, tanh]}, global_avg_pool, {dense: 4}]",
     IMAGE, CROSS_ENTROPY, LABELS},
    {"[{concat: [[{conv2d: 2}, {max_pool: {kernel: 3, stride: 1, padding: same}}], [], [{conv2d: {out: 3, kernel: 1}}, "
     "{layer_norm: {eps: 0.1}}]]}, {upsample: 2}, {conv2d: {out: 3, stride: 2}}, flatten, {dense: 4}]",
     IMAGE, CROSS_ENTROPY, LABELS},
    /* attention: causal and not, keys shared by queries, turned, of one position and of more than a block of them */
    {"[{attention: 2}, flatten, {dense: 4}]", {2, {5, 6}}, CROSS_ENTROPY, LABELS},
    {"[{attention: {heads: 2, causal: no}}, flatten, {dense: 4}]", {2, {5, 6}}, CROSS_ENTROPY, LABELS},
    {"[{attention: {heads: 3, bias: no}}, flatten, {dense: 4}]", {2, {1, 6}}, CROSS_ENTROPY, LABELS},
    {"[{attention: {heads: 4, kv_heads: 2}}, tanh, {attention: {heads: 4, kv_heads: 1, causal: no}}, flatten, {dense: "
     "4}]",
     {2, {7, 8}},
     CROSS_ENTROPY,
     LABELS},
    {"[{attention: {heads: 1, rotary: yes}}, flatten, {dense: 4}]", {2, {6, 8}}, CROSS_ENTROPY, LABELS},
    {"[layer_norm, {attention: {heads: 4, kv_heads: 2, rotary: yes, rotary_base: 10, causal: no}}, flatten, {dense: "
     "4}]",
     {2, {9, 8}},
     CROSS_ENTROPY,
     LABELS},
    {"[{residual: [layer_norm, {attention: {heads: 2, rotary: yes}}]}, {dense: {out: 3, activation: gelu}}, flatten, "
     "{dense: 4}]",
     {2, {70, 4}},
     CROSS_ENTROPY,
     LABELS},
    {"[{attention: {heads: 1, causal: no}}, flatten, {dense: 4}]", {2, {131, 3}}, CROSS_ENTROPY, LABELS},
    {"[{attention: 1}, flatten, {dense: 4}]", {2, {6, 32}}, CROSS_ENTROPY, LABELS},
    {"[{attention: 1}, flatten, {dense: 4}]", {2, {129, 2}}, CROSS_ENTROPY, LABELS},
    /* deeper, narrowing and widening, so that gradient buffers are used in turn */
    {"[flatten, {dense: {out: 11, activation: silu}}, {dense: {out: 3, activation: tanh}}, {dense: {out: 8, "
     "activation: "
     "gelu}}, {dropout: 0.2}, {dense: 5}]",
     {2, {2, 3}},
     CROSS_ENTROPY,
     LABELS},
};

/* The same with tensors that stay as they are: patterns, as a list of a recipe. */
static const struct frozen_case {
    gradient_case model;
    const char *freeze;
} frozen_cases[] = {
    /* in front, between others, within one; as a whole batch_norm is a fixed factor, with a cut and without */
    {{"[{dense: {out: 5, activation: tanh}}, {dense: {out: 6, activation: tanh}}, {dense: 4}]", VECTOR(6),
      CROSS_ENTROPY, LABELS},
     "[dense1, dense2/b]"},
    {{"[{dense: 5}, {residual: [{dense: 5}, tanh, {dense: 5}]}, {dense: {out: 3, bias: no}}, {dense: 4}]", VECTOR(6),
      CROSS_ENTROPY, LABELS},
     "[\"residual1/dense?/w\", dense2]"},
    {{"[{embedding: {width: 6, positions: learned}}, {lstm: 5}, {dense: 4}]", VECTOR(3), CROSS_ENTROPY, TOKENS},
     "[embedding1/w, lstm1]"},
    {{"[{embedding: {width: 6, positions: learned}}, tanh, {unembed: embedding1}]", VECTOR(3), CROSS_ENTROPY, TOKENS},
     "[\"*/w\"]"},
    {{"[{conv2d: {out: 3, kernel: 3}}, batch_norm, {conv2d: {out: 2, kernel: 1}}, {batch_norm: {activation: relu, "
      "scale: "
      "no}}, flatten, {dense: 4}]",
      IMAGE, CROSS_ENTROPY, LABELS},
     "[\"batch_norm*\"]"},
    {{"[{dense: 6}, {batch_norm: {activation: relu}}, {dense: 4}]", VECTOR(6), CROSS_ENTROPY, LABELS},
     "[batch_norm1, dense1/b]"},
};

enum { ALL_CASES = sizeof cases / sizeof *cases + sizeof frozen_cases / sizeof *frozen_cases };

/* ---- a model, a list of the same layers that also gives the gradient of its input, and a batch ---- */

static bool has_positions(const gradient_case *c) {
    return c->targets == POSITIONS || c->targets == TOKENS;
}

static bool has_ids(const gradient_case *c) {
    return c->targets == TOKENS || c->targets == ROWS_OF_TOKENS;
}

typedef struct fixture {
    const gradient_case *c;
    dt_model *model;
    dt_yaml *freeze;
    layer_list list; /* its table is laid out as the model's */
    int64_t inputs, outputs;
    size_t weights;
    double *w, *grads, *x; /* the first two are the list's */
    int64_t positions;     /* labels of a row */
    int32_t labels[3 * ROWS];
    double *values;
    dt_batch batch;
    dt_pass pass;
} fixture;

/* Of models that take a vector of 6. */
static const dt_input inputs[] = {{"list", 0, {1, {2}}}, {"grid", 2, {2, {2, 2}}}};

static void fixture_init(fixture *f, int number) {
    const int frozen = number - COUNT(cases);
    const gradient_case *c = frozen < 0 ? &cases[number] : &frozen_cases[frozen].model;
    memset(f, 0, sizeof *f);
    f->c = c;
    bool positions = has_positions(c);
    f->freeze = frozen < 0 ? NULL : parse_layers(frozen_cases[frozen].freeze);
    dt_model_spec spec = {.freeze = f->freeze ? dt_yaml_get(f->freeze, "layers") : NULL,
                          .input = c->input,
                          .inputs = inputs,
                          .input_count = COUNT(inputs),
                          .ids = has_ids(c) ? IDS : 0,
                          .outputs = positions ? 4 : 0,
                          .targets = positions ? 3 : 0,
                          .rows = ROWS,
                          .training = true};
    dt_status status = try_model(&f->model, c->layers, &c->loss, &spec);
    ck_assert_msg(status.code == DT_OK, "%s: %s", c->layers, status.message);
    layer_list_init(&f->list, c->layers, &spec, &c->input);
    f->inputs = dt_shape_count(&c->input);
    f->outputs = dt_model_outputs(f->model);
    f->weights = dt_model_table(f->model)->total;
    f->w = f->list.w; /* not the initial values: those of biases are zero */
    f->grads = f->list.grads;
    for (int i = 0; f->freeze && i < f->list.table.count; i++) { /* a variance */
        const dt_tensor *t = &f->list.table.tensors[i];
        for (size_t j = 0; strstr(t->name, "running_var") && j < t->count; j++) f->w[t->offset + j] += 1.5;
    }
    f->x = reals(ROWS * f->inputs, 3);
    for (int64_t i = 0; has_ids(c) && i < ROWS * f->inputs; i++) f->x[i] = (double)(i * 7 % (IDS + 1)) - 1;
    f->values = reals(ROWS * f->outputs, 4);
    for (int64_t i = 0; i < ROWS * f->outputs; i++) f->values[i] = 0.5 + f->values[i] / 2;
    f->positions = positions ? 3 : 1;
    int64_t classes = f->outputs > f->positions ? f->outputs / f->positions : 2;
    for (int i = 0; i < f->positions * ROWS; i++) f->labels[i] = (int32_t)(i % classes);
    for (int i = 0; positions && i < 3 * ROWS; i += 4) f->labels[i] = -1;
    bool labels = c->targets != VALUES;
    f->batch = (dt_batch){.rows = ROWS,
                          .first = 3,
                          .x = f->x,
                          .labels = labels ? f->labels : NULL,
                          .values = labels ? NULL : f->values,
                          .targets = f->positions};
    f->pass = (dt_pass){.kernels = best_kernels(),
                        .rows = ROWS,
                        .training = true,
                        .seed = 7,
                        .step = 11,
                        .first = 3,
                        .weights = f->w,
                        .grads = f->grads,
                        .tokens = has_ids(c) ? f->x : NULL,
                        .positions = f->inputs};
}

static void fixture_finish(fixture *f) {
    layer_list_finish(&f->list);
    dt_yaml_destroy(f->freeze);
    dt_model_destroy(f->model);
    dt_free(f->x);
    dt_free(f->values);
}

/* The summed loss from the model's outputs and the reference's formula. */
static double loss_at(const fixture *f, const double *w, const double *x) {
    dt_pass pass = f->pass;
    pass.weights = w;
    const double *output = dt_sequence_forward(&f->list.sequence, &pass, x);
    return ref_loss(f->c->loss.kind, NULL, output, f->batch.labels, f->batch.values, NULL, ROWS * f->positions,
                    f->outputs / f->positions, f->c->loss.label_smoothing)
        .loss;
}

/* Which side of zero every output of a layer, and of layers in it, is on. */
static uint64_t layer_sides(const dt_layer *layer, uint64_t hash) {
    for (int i = 0; i < layer->inner_count; i++)
        for (int j = 0; j < layer->inner[i].count; j++) hash = layer_sides(&layer->inner[i].layers[j], hash);
    for (int64_t i = 0; layer->output && i < ROWS * dt_shape_count(&layer->out); i++)
        hash = (hash ^ (uint64_t)(layer->output[i] > 0)) * 1099511628211U;
    return hash;
}

static uint64_t sides(const fixture *f) {
    uint64_t hash = 14695981039346656037U;
    for (int i = 0; i < f->list.sequence.count; i++) hash = layer_sides(&f->list.sequence.layers[i], hash);
    return hash;
}

/* Zeros for what stays as it is, in an arena of the model's table. */
static void keep_frozen(const fixture *f, double *direction) {
    for (int i = 0; i < f->list.table.count; i++) {
        const dt_tensor *t = &f->list.table.tensors[i];
        if (t->flags & DT_TENSOR_FROZEN) memset(direction + t->offset, 0, t->count * sizeof *direction);
    }
}

/* Compares derivatives of the loss along random directions of `at`, one of the model's weights and its inputs. */
static void check_directions(const fixture *f, const char *what, double *at, const double *gradient, size_t n) {
    double *direction = reals(n, 0), *here = reals(n, 0);
    memcpy(here, at, n * sizeof *here);
    int used = 0;
    for (int d = 0; d < DIRECTIONS; d++) {
        double analytic = 0, length = 0, steepest = 0, loss[2];
        uint64_t side[2];
        for (size_t i = 0; i < n; i++) direction[i] = ref_uniform(100 + (uint64_t)d, i);
        if (at == f->w) keep_frozen(f, direction);
        for (size_t i = 0; i < n; i++) {
            analytic += gradient[i] * direction[i];
            length += direction[i] * direction[i];
            steepest += gradient[i] * gradient[i];
        }
        for (int s = 0; s < 2; s++) {
            for (size_t i = 0; i < n; i++) at[i] = here[i] + (s ? STEP : -STEP) * direction[i];
            loss[s] = loss_at(f, f->w, f->x);
            side[s] = sides(f);
        }
        memcpy(at, here, n * sizeof *at);
        if (side[0] != side[1]) continue;
        used++;
        double numeric = (loss[1] - loss[0]) / (2 * STEP);
        /* Relative to the derivative, or to a thousandth of the steepest where a direction is all but level. */
        double scale = fmax(fmax(fabs(numeric), fabs(analytic)), 1e-3 * sqrt(length * steepest));
        ck_assert_msg(fabs(numeric - analytic) <= TOLERANCE * scale,
                      "%s: %s, direction %d: gradient says %.12g, differences say %.12g", f->c->layers, what, d,
                      analytic, numeric);
    }
    ck_assert_msg(used >= ENOUGH, "%s: only %d directions could be used", f->c->layers, used);
    dt_free(direction);
    dt_free(here);
}

START_TEST(weight_gradients_equal_central_differences) {
    fixture f;
    fixture_init(&f, _i);
    dt_tally tally = {0};
    dt_model_train(f.model, f.pass, &f.batch, &tally);
    double steepest = 0;
    for (size_t i = 0; i < f.weights; i++) steepest = fmax(steepest, fabs(f.grads[i]));
    ck_assert_msg(steepest > 1e-4, "%s: the gradient is all but zero, which checks nothing", f.c->layers);
    /* grads held noise: padding keeps it, and so must not count; nor must what statistics carry in a gradient's place
     */
    double *gradient = reals(f.weights, 0);
    memset(gradient, 0, f.weights * sizeof *gradient);
    for (int i = 0; i < f.list.table.count; i++) {
        const dt_tensor *t = &dt_model_table(f.model)->tensors[i];
        if (!(t->flags & (DT_TENSOR_STATISTIC | DT_TENSOR_FROZEN)))
            memcpy(gradient + t->offset, f.grads + t->offset, t->count * sizeof *gradient);
    }
    /* what is frozen has no place in a gradient: nobody wrote there */
    const size_t trained = f.list.table.trained;
    double *noise = reals(f.weights, 2);
    ck_assert_int_eq(memcmp(f.grads + trained, noise + trained, (f.weights - trained) * sizeof *noise), 0);
    dt_free(noise);
    check_directions(&f, "weights", f.w, gradient, f.weights);
    dt_free(gradient);
    fixture_finish(&f);
}
END_TEST

START_TEST(input_gradients_equal_central_differences) {
    fixture f;
    fixture_init(&f, _i);
    double *dy = reals(ROWS * f.outputs, 0);
    dt_tally tally = {0};
    const double *output = dt_sequence_forward(&f.list.sequence, &f.pass, f.x);
    memcpy(dy, output, (size_t)(ROWS * f.outputs) * sizeof *dy);
    dt_loss_run(&f.c->loss, f.pass.kernels, dy, &f.batch, f.outputs, true, &tally);
    const double *dx = dt_sequence_backward(&f.list.sequence, &f.pass, f.x, dy, !has_ids(f.c));
    if (dx) check_directions(&f, "inputs", f.x, dx, (size_t)(ROWS * f.inputs));
    /* asked for less, the list gives the same gradients of its weights */
    double *grads = reals(f.weights, 2);
    f.pass.grads = grads;
    dt_model_train(f.model, f.pass, &f.batch, &tally);
    ck_assert_int_eq(memcmp(grads, f.grads, f.weights * sizeof *grads), 0);
    dt_free(grads);
    dt_free(dy);
    fixture_finish(&f);
}
END_TEST

START_TEST(the_tally_s_loss_is_the_reference_s) {
    fixture f;
    fixture_init(&f, _i);
    dt_tally tally = {0};
    double want = loss_at(&f, f.w, f.x);
    dt_model_train(f.model, f.pass, &f.batch, &tally);
    ck_assert_int_eq(tally.samples, has_positions(f.c) ? 11 : ROWS);
    ck_assert_double_le(fabs(dt_sum_mean(&tally.loss, 1) - want), ROWS * DT_TALLY_UNIT / 2 + 1e-12 * fabs(want));
    fixture_finish(&f);
}
END_TEST

/* Every row of the table of kinds is differentiated by some case. */
START_TEST(every_layer_kind_is_in_a_case) {
    for (const dt_layer_kind *const *kind = dt_layer_kinds; *kind; kind++) {
        bool found = false;
        for (int i = 0; i < COUNT(cases) && !found; i++) {
            fixture f;
            fixture_init(&f, i);
            for (int l = 0; l < dt_model_layer_count(f.model); l++)
                found = found || dt_model_layer(f.model, l)->kind == *kind;
            fixture_finish(&f);
        }
        ck_assert_msg(found, "no case has the layer kind %s", (*kind)->name);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("gradient");
    TCase *group = tcase_create("cases");
    tcase_set_timeout(group, 60);
    tcase_add_loop_test(group, weight_gradients_equal_central_differences, 0, ALL_CASES);
    tcase_add_loop_test(group, input_gradients_equal_central_differences, 0, ALL_CASES);
    tcase_add_loop_test(group, the_tally_s_loss_is_the_reference_s, 0, ALL_CASES);
    tcase_add_test(group, every_layer_kind_is_in_a_case);
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
