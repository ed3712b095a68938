/* What keeps a site near the others while it trains: FedProx's term and SCAFFOLD's correction, on part of an arena. */
#ifndef DTRAIN_PULL_H
#define DTRAIN_PULL_H

#include "base/table.h"
#include "compute/real.h"

typedef struct dt_pull {
    const dt_real *common;        /* weights the round began with */
    double proximal;              /* 0: none */
    const dt_real *control, *own; /* control variates: of all, of this site; NULL: none */
} dt_pull;

/* FedProx (Li et al. 2020) minimises the loss plus proximal/2 |w - common|²: g + proximal (w - common)/scale of the
 * elements [begin, end) of an arena, for a gradient that is yet to be scaled; of statistics g itself. `g` and `out`
 * begin with element `begin`. `table` has no frozen tensors. */
void dt_pull_gradient(const dt_pull *pull, const dt_table *table, dt_real *out, const dt_real *g, const dt_real *w,
                      double scale, size_t begin, size_t end);
/* SCAFFOLD (Karimireddy et al. 2020), after a step with rate `rate`: w += rate (own - control). */
void dt_pull_weights(const dt_pull *pull, dt_real *w, double rate, size_t begin, size_t end);

#endif
