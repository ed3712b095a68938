/* The kernels on the threads of a rank: a table whose kernels cut their work and give the serial ones a thread's turn.
 */
#include "threaded.h"

const dt_kernels *dt_serial;

int64_t dt_columns_of_thread(int64_t rows, int64_t cols, int64_t unit) {
    enum { LINE = 64 / sizeof(dt_real) };
    int64_t each = (cols + dt_threads() - 1) / dt_threads(), least = rows < DT_CELLS ? DT_CELLS / (rows + 1) : 1;
    if (each < least) each = least;
    if (unit < 2) unit = LINE;
    return (each + unit - 1) / unit * unit;
}

const dt_kernels *dt_kernels_threaded(const dt_kernels *kernels) {
    static dt_kernels table;
    dt_serial = kernels;
    table = *kernels;
    dt_thread_flat(&table);
    dt_thread_rows(&table);
    dt_thread_columns(&table);
    dt_thread_products(&table);
    return &table;
}
