/* Rows that one rank has to itself, in an evaluation or in sampling, carry their recurrent state in two arrays that
 * change places with every pass. */
#include "rows_state.h"

#include "base/memory.h"

dt_status dt_rows_state_create(dt_rows_state *rows_state, const dt_model *model, int64_t rows) {
    int64_t width = dt_model_state_width(model);
    for (int i = 0; i < 2 && width > 0; i++) {
        size_t count = 0;
        if (dt_size_mul((size_t)rows, (size_t)width, &count)) rows_state->state[i] = dt_alloc(count, sizeof(dt_real));
        if (!rows_state->state[i]) return dt_fail_memory("the state of the streams", (size_t)rows * (size_t)width);
    }
    return dt_ok();
}

void dt_rows_state_finish(dt_rows_state *rows_state) {
    for (int i = 0; i < 2; i++) dt_free(rows_state->state[i]);
}

void dt_rows_state_pass(dt_rows_state *rows_state, dt_pass *pass, bool fresh) {
    dt_real *last = rows_state->state[0];
    pass->state_in = fresh ? NULL : last;
    pass->state_out = rows_state->state[1];
    rows_state->state[0] = rows_state->state[1];
    rows_state->state[1] = last;
}
