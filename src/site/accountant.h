/* What differentially private training has spent: Rényi differential privacy (RDP; Mironov 2017) of the sampled
 * Gaussian mechanism, added up over steps, and the (ε, δ) it comes to. Pure functions. */
#ifndef DTRAIN_SITE_ACCOUNTANT_H
#define DTRAIN_SITE_ACCOUNTANT_H

#include <stdint.h>

#include "base/status.h"

/* So many steps of one mechanism: everybody is in a batch with probability `rate`, by itself (Poisson sampling), and
 * Gaussian noise of the standard deviation `noise` times the clipping norm is added to the sum. */
typedef struct dt_mechanism {
    double rate, noise, steps;
} dt_mechanism;

#define DT_MECHANISMS 16 /* of a run, one after another: recipes may change at a resume */

/* As checkpoints have it: which steps were made is kept, and not what they come to, so that it is computed from the
 * same numbers wherever a run goes on. Unused rows are zero. */
typedef struct dt_spent {
    dt_mechanism of[DT_MECHANISMS];
} dt_spent;

/* One step more; a failure where too many different mechanisms were used. */
dt_status dt_spend(dt_spent *spent, double rate, double noise);
/* That it is what dt_spend makes: read from a file. */
dt_status dt_spent_check(const dt_spent *spent);

/* The least ε over the orders below so that what was spent is (ε, δ)-differentially private, neighbours being data with
 * and without one sample. Infinite without noise; 0 of nothing. */
double dt_epsilon(const dt_spent *spent, double delta);
/* How many more steps of one mechanism, at most `most`, keep ε at or below `limit`. */
int64_t dt_steps_within(const dt_spent *spent, double rate, double noise, double delta, double limit, int64_t most);

/* The RDP of one step at an order above 1: Mironov, Talwar and Zhang 2019, section 3.3, at whole orders by its
 * finite sum, at others by its two series. */
double dt_rdp(double rate, double noise, double order);
/* ε of RDP `rdp` at `order`: Canonne, Kamath and Steinke 2020, proposition 12 (Balle et al. 2020, theorem 21). */
double dt_rdp_epsilon(double rdp, double order, double delta);

/* The orders: 1.1 to 10.9 by 0.1, 12 to 63, and some large ones for much noise. */
#define DT_RDP_ORDERS 157
double dt_rdp_order(int i);

#endif
