/* The arithmetic: matrix products, convolutions and fused kernels, in an order that is written down. This
 * is the room's front door: how it is opened, and how it says that something was not computed. */
#ifndef DTRAIN_COMPUTE_COMPUTE_H
#define DTRAIN_COMPUTE_COMPUTE_H

#include "base/status.h"
#include "conv.h"
#include "failure.h"
#include "isa.h"
#include "kernels.h"
#include "real.h"
#include "tally.h"
#include "threads.h"

/* Prepares the process: *out is dt_kernels_for(isa), or those on `threads` threads, and flush-to-zero is set on all of
 * them. */
dt_status dt_compute_open(const dt_kernels **out, dt_isa isa, int threads);

#endif
