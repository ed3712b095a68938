/* The kernels of one instruction set by the names of their slots in dt_kernels: declared for the files that have them,
 * with the slots' own types, and put into the table by kernels.c. A kernel is a slot, a name here, and a function. */
#ifndef DTRAIN_COMPUTE_SLOTS_H
#define DTRAIN_COMPUTE_SLOTS_H

#include "kernels.h"

/* A name of this instruction set's own: DT_OF_ISA(softmax) is softmax_avx512 in the files compiled for that. */
#define DT_OF_ISA_(name, suffix) name##_##suffix
#define DT_OF_ISA__(name, suffix) DT_OF_ISA_(name, suffix)
#define DT_OF_ISA(name) DT_OF_ISA__(name, DT_KERNELS_SUFFIX)

/* clang-format off */
#define DT_SLOTS(X) /* by file */ \
    /* activations.c */ X(bias_activate) X(activate_backward) X(activate_backward_columns) X(sum_activate) X(swiglu) X(swiglu_backward) \
    /* softmax.c */ X(softmax) X(softmax_backward) \
    /* losses.c */ X(softmax_cross_entropy) X(mean_squared_error) X(binary_cross_entropy) \
    /* norms.c */ X(normalise) X(batch_norm) X(batch_norm_backward) X(row_norm) X(row_norm_backward) X(group_norm) X(group_norm_backward) \
        X(batch_norm_columns) X(batch_norm_backward_columns) X(row_norm_sums_columns) X(group_norm_columns) \
        X(group_norm_backward_columns) \
    /* upsampling.c */ X(upsample) X(upsample_backward) \
    /* pools.c */ X(max_pool) X(max_pool_backward) X(avg_pool) X(avg_pool_backward) \
    /* dropout.c */ X(dropout) \
    /* tokens.c */ X(embed) X(embed_backward) X(embed_backward_columns) X(mean_of_positions) X(mean_of_positions_backward) \
    /* attention.c */ X(attend) X(attend_backward) \
    /* decoding.c */ X(attend_place) \
    /* rotary.c */ X(rotate) \
    /* product.c */ X(product) /* product_bf16.c */ X(product_bf16) \
    /* convolve.c */ X(conv_pack) X(conv_gather) X(conv_weights) X(conv_pairs) \
    /* peak.c */ X(multiply_add) \
    /* updates.c */ X(sgd) X(adam) X(adam_moments) X(adam_direction) X(rmsprop) X(adagrad) \
    /* arrays.c */ X(sum_squares) X(blend) X(transpose) X(transpose_bf16) X(add) X(convert) \
    /* quantise.c */ X(largest) X(add_i32) X(add_i64) X(quantise_i32) X(quantise_i64) \
        X(dequantise_i32) X(dequantise_i64) X(to_bf16) X(round_to_bf16) \
    /* streams.c */ X(add_stream)
/* clang-format on */

#define DT_DECLARE(slot) __typeof__(*((dt_kernels *)0)->slot) DT_OF_ISA(slot);
DT_SLOTS(DT_DECLARE)

/* product_pairs.c, for processors with AVX512-BF16 */
void dt_product_pairs(const dt_matrix_product_bf16 *p);
extern const struct dt_conv_pairs dt_convolve_pairs; /* convolve_pairs.c */
double dt_multiply_add_pairs(int64_t rounds);        /* peak_pairs.c */

/* By dt_cell_kind. */
__typeof__(*((dt_kernels *)0)->cell_forward[0]) DT_OF_ISA(dt_rnn_forward), DT_OF_ISA(dt_gru_forward),
    DT_OF_ISA(dt_lstm_forward);
__typeof__(*((dt_kernels *)0)->cell_backward[0]) DT_OF_ISA(dt_rnn_backward), DT_OF_ISA(dt_gru_backward),
    DT_OF_ISA(dt_lstm_backward);

#endif
