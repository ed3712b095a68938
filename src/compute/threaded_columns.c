/* Kernels with sums over rows, on threads: each takes some columns, and with them their sums. */
#include "threaded.h"

static void activate_backward(dt_real *dy, dt_real *db, const dt_real *y, const dt_real *z, int64_t rows, int64_t cols,
                              dt_activation act, dt_real slope, bool accumulate) {
    if (db) {
        IN_COLUMNS(rows, cols, 1,
                   dt_serial->activate_backward_columns(dy, db, y, z, rows, cols, act, slope, accumulate, begin, end));
    } else {
        IN_ROWS(rows, cols,
                dt_serial->activate_backward(dy + begin * cols, NULL, y ? y + begin * cols : NULL,
                                             z ? z + begin * cols : NULL, some, cols, act, slope, accumulate));
    }
}

static void batch_norm(dt_real *y, dt_real *work, const dt_real *x, const dt_real *scale, const dt_real *shift,
                       int64_t rows, int64_t cols, dt_real eps, bool relu) {
    IN_COLUMNS(rows, cols, 1,
               dt_serial->batch_norm_columns(y, work, x, scale, shift, rows, cols, eps, relu, begin, end));
}

static void batch_norm_backward(dt_real *dx, dt_real *dscale, dt_real *dshift, dt_real *work, const dt_real *dy,
                                const dt_real *x, const dt_real *shift, int64_t rows, int64_t cols, bool relu,
                                bool accumulate) {
    IN_COLUMNS(rows, cols, 1,
               dt_serial->batch_norm_backward_columns(dx, dscale, dshift, work, dy, x, shift, rows, cols, relu,
                                                      accumulate, begin, end));
}

/* The sums come first: dx may be dy. */
static void row_norm_backward(dt_real *dx, dt_real *dscale, dt_real *dshift, const dt_real *dy, const dt_real *x,
                              const dt_real *stats, const dt_real *scale, int64_t rows, int64_t cols, bool centred,
                              bool accumulate) {
    if (dscale || dshift)
        IN_COLUMNS(rows, cols, 1,
                   dt_serial->row_norm_sums_columns(dscale, dshift, dy, x, stats, rows, cols, accumulate, begin, end));
    if (dx)
        IN_ROWS(rows, cols,
                dt_serial->row_norm_backward(dx + begin * cols, NULL, NULL, dy + begin * cols, x + begin * cols,
                                             stats + 2 * begin, scale, some, cols, centred, accumulate));
}

static void group_norm(dt_real *y, dt_real *stats, dt_real *work, const dt_real *x, const dt_real *scale,
                       const dt_real *shift, int64_t rows, int64_t positions, int64_t cols, int64_t groups,
                       dt_real eps) {
    IN_COLUMNS(
        rows * positions, cols, cols / groups,
        dt_serial->group_norm_columns(y, stats, work, x, scale, shift, rows, positions, cols, groups, eps, begin, end));
}

static void group_norm_backward(dt_real *dx, dt_real *dscale, dt_real *dshift, dt_real *work, const dt_real *dy,
                                const dt_real *x, const dt_real *stats, const dt_real *scale, int64_t rows,
                                int64_t positions, int64_t cols, int64_t groups, bool accumulate) {
    IN_COLUMNS(rows * positions, cols, cols / groups,
               dt_serial->group_norm_backward_columns(dx, dscale, dshift, work, dy, x, stats, scale, rows, positions,
                                                      cols, groups, accumulate, begin, end));
}

static void embed_backward(dt_real *dtable, dt_real *dat_place, const dt_real *dy, const dt_real *ids, int64_t rows,
                           int64_t positions, int64_t cols) {
    IN_COLUMNS(rows * positions, cols, 1,
               dt_serial->embed_backward_columns(dtable, dat_place, dy, ids, rows, positions, cols, begin, end));
}

/* A cell's columns are its units, with all their gates. */
static void run_cell(void (*kernel)(const dt_cell *cell), const dt_cell *cell) {
    IN_COLUMNS(cell->rows, cell->units, 1, {
        dt_cell part = *cell;
        part.begin = begin, part.end = end;
        kernel(&part);
    });
}

#define DEFINE_CELL(pass, kind)                                                                                        \
    static void pass##_##kind(const dt_cell *cell) {                                                                   \
        run_cell(dt_serial->cell_##pass[kind], cell);                                                                  \
    }
DEFINE_CELL(forward, DT_CELL_RNN)
DEFINE_CELL(forward, DT_CELL_GRU)
DEFINE_CELL(forward, DT_CELL_LSTM)
DEFINE_CELL(backward, DT_CELL_RNN)
DEFINE_CELL(backward, DT_CELL_GRU)
DEFINE_CELL(backward, DT_CELL_LSTM)

void dt_thread_columns(dt_kernels *table) {
    table->activate_backward = activate_backward;
    table->batch_norm = batch_norm;
    table->batch_norm_backward = batch_norm_backward;
    table->row_norm_backward = row_norm_backward;
    table->group_norm = group_norm;
    table->group_norm_backward = group_norm_backward;
    table->embed_backward = embed_backward;
#define PUT(kind)                                                                                                      \
    table->cell_forward[kind] = forward_##kind;                                                                        \
    table->cell_backward[kind] = backward_##kind;
    PUT(DT_CELL_RNN)
    PUT(DT_CELL_GRU)
    PUT(DT_CELL_LSTM)
}
