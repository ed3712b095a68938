/* How the sum of a product is cut along k, which is a constant of the format: every block is one chain of fused
 * multiply-adds from 0, ascending, and blocks are added up in their order.
 *
 * Why blocks, and of 384: the longer a chain, the larger the sum that each product is rounded beside, and the shorter,
 * the more often sums are stored and added. Root mean square errors against float64, in 2^-24 of the results, of the
 * products of a network of 784-768-3072-10 that learned Fashion-MNIST, with its own weights, activations and gradients
 * of 2048 samples (tests/bench/products.sh errors):
 *
 *                                     oneDNN   chains of 96   192   384   768   one chain
 *     forward, k = 784                   4.7            2.7   3.5   4.7   6.1         6.2   (4.0 in halves, see below)
 *     forward, k = 3072                  1.5            1.5   1.2   1.5   2.6         9.1
 *     gradient of inputs, k = 3072       3.2            2.2   2.3   3.2   4.5        10.7
 *     gradients of weights, k = 2048  1.6-2.4       1.3-1.6 1.3-1.7 1.7-2.3 3.1-4.5 6.1-13.0
 *
 * One chain is 1.3 to 6 times as far as 384, which is nowhere further than oneDNN. 192 would be 1.3 times as near; its
 * speed is that of 384 on AVX-512 and 1.5 % less on AVX2, 96 is 3 % slower on AVX-512, 768 1.5 % faster (geometric
 * means of products with k from 64 to 3136, AMD EPYC, Zen 5). */
#ifndef DTRAIN_COMPUTE_CHAIN_H
#define DTRAIN_COMPUTE_CHAIN_H

#include <stdint.h>

enum { LONGEST_CHAIN = 384 };

/* How many of the `left` products of a sum the next chain has: all of them, or half where the last would be short. */
static inline int64_t block_of(int64_t left) {
    return left >= 2 * LONGEST_CHAIN ? LONGEST_CHAIN : left > LONGEST_CHAIN ? (left + 1) / 2 : left;
}

#endif
