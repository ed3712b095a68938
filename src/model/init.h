/* Initial values. */
#ifndef DTRAIN_INIT_H
#define DTRAIN_INIT_H

#include <stddef.h>
#include <stdint.h>

#include "compute/compute.h"

typedef enum dt_init {
    DT_INIT_AUTO,
    DT_INIT_GLOROT_UNIFORM,
    DT_INIT_GLOROT_NORMAL,
    DT_INIT_HE_UNIFORM,
    DT_INIT_HE_NORMAL,
    DT_INIT_NORMAL,
    DT_INIT_ZEROS
} dt_init;
extern const char *const dt_init_names[];

/* Fills w[count] of the parameter with index `param` in the model's table. `gain` scales He's deviation (1 for ReLU),
 * `std` is the deviation of "normal". AUTO must have been resolved. */
void dt_init_fill(dt_real *w, size_t count, dt_init init, int64_t fan_in, int64_t fan_out, double gain, double std,
                  uint64_t seed, int param);

/* The same for weights whose product goes through an activation: AUTO is he_normal before one that rectifies, else
 * glorot_uniform; `slope` is leaky_relu's. */
void dt_init_fill_before(dt_real *w, size_t count, dt_init init, int64_t fan_in, int64_t fan_out, dt_activation act,
                         double slope, double std, uint64_t seed, int param);

#endif
