/* The exponents of integer wires, one of each tensor: which they are follows from how large gradients were, by the pure
 * functions below, and so is the same on every rank.
 *
 * On an integer wire a shard's gradient g is sent as q = round(g 2^k), and Σq 2^-k comes out. k must be known before
 * the step ("delayed scaling", as in FP8 training: Micikevicius et al. 2022, section 3). Beside the gradient every
 * shard sends, per tensor, a 1 in one of 64 buckets: how many powers of two its largest |q| stays below the type's
 * limit. The summed buckets bound Σ|q| over all shards, on every rank and in any order; the powers of two between that
 * bound and the limit are the room of the step:
 *   - negative: the sum may have wrapped. All ranks lower k so that HEADROOM bits are free, and redo the step;
 *   - above `coarse`: rounding may cost more than 2^-20 of the largest element. All ranks raise k, and redo the step;
 *   - below LOW or above HIGH: k is set right at once, for the next step;
 *   - above HEADROOM in every one of WINDOW steps: k is raised to what leaves HEADROOM.
 * The first step of a run is thus redone once or twice, until the exponents have found their place. Bounding the sum of
 * what the shards have, instead of S times the largest, is worth log2(S) bits where one shard dominates. What the
 * choice costs in accuracy is measured in tests/mpi/test_reduce.c. With more than 64 shards 32 bits get tight: choose
 * i64. */
#ifndef DTRAIN_COMM_EXPONENTS_H
#define DTRAIN_COMM_EXPONENTS_H

#include <stdbool.h>
#include <stdint.h>

#define DT_ROOM_BUCKETS 64           /* room from -32 to 31 bits */
#define DT_ROOM_FREE DT_ROOM_BUCKETS /* of a tensor whose gradient was zero on all shards */
#define DT_EXPONENT_MOST 100         /* 2^k and 2^-k stay normal in float32 */

/* Of a tensor; two int32 in the trained state. */
typedef struct dt_exponent {
    int32_t k;
    int32_t room; /* the scarcest room since the window began */
} dt_exponent;

/* The bucket of a shard whose largest |g|, finite and not 0, is `largest`: Σ|q| must not exceed `limit`. */
int dt_exponent_bucket(double limit, double largest, int k);

/* The room of a tensor in a step, from the summed buckets; DT_ROOM_FREE when there is no shard in any. */
int dt_exponent_room(const int shards[DT_ROOM_BUCKETS]);

/* More room than this is redone. */
int dt_exponent_coarse(double limit, int64_t shards);

/* The exponents of `count` tensors, as a run begins, and the step of the window in exponents[count].k. */
void dt_exponents_begin(dt_exponent *exponents, int count, int first);

/* Moves the exponents of tensors whose gradients did not fit or were rounded too coarsely; true when there were any,
 * and the step is to be redone. */
bool dt_exponents_repair(dt_exponent *exponents, const int *rooms, int count, int coarse);

/* After a step that counts: adapts every exponent to the room it had. */
void dt_exponents_adapt(dt_exponent *exponents, const int *rooms, int count);

#endif
