/* Time steps of recurrent layers, for the table of kernels; see dt_cell. */
#ifndef DTRAIN_COMPUTE_RECURRENT_H
#define DTRAIN_COMPUTE_RECURRENT_H

#include "elementary.h"

void DT_OF_ISA(dt_rnn_forward)(const dt_cell *cell);
void DT_OF_ISA(dt_rnn_backward)(const dt_cell *cell);
void DT_OF_ISA(dt_gru_forward)(const dt_cell *cell);
void DT_OF_ISA(dt_gru_backward)(const dt_cell *cell);
void DT_OF_ISA(dt_lstm_forward)(const dt_cell *cell);
void DT_OF_ISA(dt_lstm_backward)(const dt_cell *cell);

#endif
