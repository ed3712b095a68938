/* Activations that a layer applies to what it computes, in the same pass. */
#ifndef DTRAIN_ACTIVATION_H
#define DTRAIN_ACTIVATION_H

#include <stdbool.h>

#include "compute/compute.h"

/* Choices of an `activation` field; the index is a dt_activation. */
extern const char *const dt_activation_names[];
/* Whether the way back takes the activation's slope, which forward keeps; else it takes the output, or nothing. */
bool dt_activation_keeps_slope(dt_activation act);

/* Choices of one that is fused into a pass which needs the output alone to go back. */
extern const char *const dt_rectifier_names[]; /* index DT_RECTIFIER_RELU is relu */
#define DT_RECTIFIER_RELU 1

#endif
