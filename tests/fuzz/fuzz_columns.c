/* The text /columns of a dataset, which may be anybody's: what is read of it and written again reads the same, and a
 * table's records, the second part of the input, become as many numbers as the columns say, or are refused. */
#include "fuzz.h"

#include "base/memory.h"
#include "data/columns.h"

/* Records by columns that are known. */
static void read_records(dt_columns *columns, const char *text, size_t size) {
    dt_csv *csv = NULL;
    bool more = false, passed;
    dt_status status = dt_csv_open_text(&csv, "table", text, size, ',');
    if (status.code == DT_OK) status = dt_csv_next(csv, &more);
    if (status.code == DT_OK && more) status = dt_columns_bind(columns, csv);
    size_t count = more ? dt_csv_count(csv) : 0;
    int64_t width = dt_columns_width(columns, DT_ROLE_INPUT);
    double *row = calloc((size_t)width + 1, sizeof *row);
    if (!row) abort();
    if (status.code == DT_OK && more && columns->header) status = dt_csv_next(csv, &more);
    while (status.code == DT_OK && more) {
        row[width] = 7;
        status = dt_columns_check_record(columns, csv, count);
        if (status.code == DT_OK) status = dt_columns_pass_over(columns, csv, &passed);
        if (status.code == DT_OK && !passed) status = dt_columns_learn(columns, csv);
        if (status.code == DT_OK && !passed) status = dt_columns_values(columns, csv, DT_ROLE_INPUT, row);
        if (row[width] < 7 || row[width] > 7) abort();
        if (status.code == DT_OK) status = dt_csv_next(csv, &more);
    }
    fuzz_check(status);
    dt_columns_dtype(columns, DT_ROLE_INPUT);
    free(row);
    dt_csv_close(csv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t part;
    const uint8_t *begin = fuzz_next(&data, &size, &part);
    char *given = strndup((const char *)begin, part), *once = NULL, *twice = NULL;
    if (!given) abort();
    dt_columns columns = {.header = size % 2 == 0, .notation.decimal = '.'}, again = {.header = false};
    dt_status status = dt_columns_parse(&columns, given, "fuzz.h5");
    fuzz_check(status);
    if (status.code == DT_OK) {
        fuzz_check(dt_columns_text(&columns, &once));
        if (!once || dt_columns_parse(&again, once, "fuzz.h5").code != DT_OK) abort();
        fuzz_check(dt_columns_text(&again, &twice));
        if (!twice || strcmp(once, twice) != 0) abort();
        read_records(&columns, (const char *)data, size);
    }
    dt_columns_finish(&columns), dt_columns_finish(&again);
    dt_free(once), dt_free(twice), free(given);
    return 0;
}
