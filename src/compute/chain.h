/* How the sum of a product is cut along k, which is a constant of the format: every block is one chain of fused
 * multiply-adds from 0, ascending, and blocks are added up in their order. */
#ifndef DTRAIN_COMPUTE_CHAIN_H
#define DTRAIN_COMPUTE_CHAIN_H

#include <stdint.h>

enum { LONGEST_CHAIN = 384 };

/* How many of the `left` products of a sum the next chain has: all of them, or half where the last would be short. */
static inline int64_t block_of(int64_t left) {
    return left >= 2 * LONGEST_CHAIN ? LONGEST_CHAIN : left > LONGEST_CHAIN ? (left + 1) / 2 : left;
}

#endif
