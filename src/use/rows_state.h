/* What rows carry from batch to batch, for rows that one rank has to itself (rows_state.c). */
#ifndef DTRAIN_ROWS_STATE_H
#define DTRAIN_ROWS_STATE_H

#include "model/model.h"

/* What the last pass left, and where the next leaves it. */
typedef struct dt_rows_state {
    dt_real *state[2]; /* [rows, state width]; NULL where the model has none */
} dt_rows_state;
/* To be finished, also after a failure. */
dt_status dt_rows_state_create(dt_rows_state *rows_state, const dt_model *model, int64_t rows);
void dt_rows_state_finish(dt_rows_state *rows_state);
/* For the next pass of these rows; `fresh`: it goes on from nothing. */
void dt_rows_state_pass(dt_rows_state *rows_state, dt_pass *pass, bool fresh);

#endif
