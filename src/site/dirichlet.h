/* Shares from the symmetric Dirichlet distribution. */
#ifndef DTRAIN_SITE_DIRICHLET_H
#define DTRAIN_SITE_DIRICHLET_H

#include <stdint.h>

#include "base/random.h"

/* The logarithm of a variate of Gamma(alpha, 1): number `sample` of `stream`. alpha > 0. The same bits on every
 * machine: nothing is asked of the C library but sqrt and fma, which IEEE 754 defines to the bit. */
double dt_log_gamma_variate(dt_stream stream, uint64_t sample, double alpha);

/* shares[count], not negative, of sum 1 but for rounding: Dir(alpha) over the places that are not `closed`, of which
 * there is at least one; the others get 0. closed [count] may be NULL. */
void dt_dirichlet(double *shares, int64_t count, const unsigned char *closed, dt_stream stream, double alpha);

#endif
