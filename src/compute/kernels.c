/* The table of one instruction set's kernels: all arithmetic, compiled once for each
 * (DT_KERNELS names the table, see src/meson.build).
 *
 * The code is plain C that the compiler vectorises: loops over columns or flat arrays, no branches inside, elementary
 * functions written so that they inline. Sums have an order that is written down (lanes.h, or one chain per element),
 * and what `omp simd` reduces are integers: so all instruction sets give the same bits, and nothing depends on
 * alignment, thread or rank (tests/golden/kernels.txt). */
#include "slots.h"

#define FILL(slot) .slot = DT_OF_ISA(slot),

extern const dt_kernels DT_KERNELS;
const dt_kernels DT_KERNELS = {
    .isa = DT_KERNELS_ISA,
    .cell_forward = {DT_OF_ISA(dt_rnn_forward), DT_OF_ISA(dt_gru_forward), DT_OF_ISA(dt_lstm_forward)},
    .cell_backward = {DT_OF_ISA(dt_rnn_backward), DT_OF_ISA(dt_gru_backward), DT_OF_ISA(dt_lstm_backward)},
    DT_SLOTS(FILL)};
