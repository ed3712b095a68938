/* Recurrent layers of PyTorch and Keras, whose arrays are not one by one those of ours (weights_recurrent.c). */
#ifndef DTRAIN_WEIGHTS_RECURRENT_H
#define DTRAIN_WEIGHTS_RECURRENT_H

#include "base/status.h"
#include "base/table.h"
#include "compute/real.h"

/* What an array has of a tensor. */
typedef enum dt_part {
    DT_PART_WHOLE,
    DT_PART_ADDED,            /* PyTorch's bias_hh: is added to bias_ih, and of a GRU all but the candidate's */
    DT_PART_CANDIDATE,        /* of PyTorch's bias_hh, [3*units], the candidate's */
    DT_PART_GATES,            /* Keras's kernels of a GRU, whose gates are z r h: ours are r z n */
    DT_PART_BIASES,           /* Keras's biases of a GRU, [2, 3*units], but for the state's of the candidate */
    DT_PART_BIASES_CANDIDATE, /* that */
    DT_PART_RESET_BEFORE      /* a Keras GRU whose reset gate works on h: not a cell of ours */
} dt_part;

/* Of a tensor, from an array that is meant by it: its name's last word says whose it is. *shape is what the array must
 * have, where it is not the tensor's. */
dt_part dt_part_of(const dt_table *table, const dt_tensor *t, const char *array, const dt_shape *has, dt_shape *shape);
/* Numbers of the array into the tensor; of DT_PART_ADDED on top of what is there. */
void dt_part_take(dt_part part, const dt_table *table, const dt_tensor *t, const float *from, dt_real *to);

#endif
