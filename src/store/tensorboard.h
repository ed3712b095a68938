/* TensorBoard's event files: the scalars of metrics for whoever has that at hand. Framing and messages are written by
 * hand, since of them there are two kinds: a record is length, masked CRC-32C of the length, data, masked CRC-32C of
 * the data (tensorflow/core/lib/io/record_writer.h); the data is an Event (tensorflow/core/util/event.proto) with a
 * wall time, a step and a Summary of simple values (tensorflow/core/framework/summary.proto). Rank 0's. */
#ifndef DTRAIN_TENSORBOARD_H
#define DTRAIN_TENSORBOARD_H

#include <stdint.h>

#include "base/status.h"

typedef struct dt_tensorboard dt_tensorboard;

/* Begins a file of its own in `directory`, events.out.tfevents.TIME.dtrain.N, takes over what earlier ones have of
 * steps up to `last_step`, and removes them: no step is there twice after a resume. It begins with a session's start at
 * step 0, by which a TensorBoard that looks on forgets what it has read of this run. */
dt_status dt_tensorboard_open(dt_tensorboard **out, const char *directory, int64_t last_step);
/* Scalars names[i] with values[i] of a step, in one write; those that are not finite are left out. */
dt_status dt_tensorboard_append(dt_tensorboard *board, int64_t step, const char *const *names, const double *values,
                                int count);
/* Accepts NULL. */
void dt_tensorboard_close(dt_tensorboard *board);

#endif
