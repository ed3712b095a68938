/* Tables: records are the same whether a text is read from memory or from a file, no field has an end inside, and an
 * import leaves a file behind if and only if it worked. The first part of an input has options, the last letters of
 * which ones are at hand; the second and third are a table and one for tests. */
#include <unistd.h>

#include "fuzz.h"

#include "data/csv.h"
#include "data/csv_values.h"
#include "data/import.h"
#include "data/table_look.h"

static void compare(const char *text, size_t size, char delimiter) {
    dt_csv *one = NULL, *two = NULL;
    bool more_one = true, more_two = true;
    dt_status from_file = dt_csv_open(&one, "in.csv", delimiter);
    fuzz_check(from_file);
    fuzz_check(dt_csv_open_text(&two, "text", text, size, delimiter));
    while (one && two && more_one) {
        dt_status first = dt_csv_next(one, &more_one), second = dt_csv_next(two, &more_two);
        fuzz_check(first);
        if (first.code != second.code) abort();
        if (first.code != DT_OK) break;
        if (more_one != more_two || dt_csv_line(one) != dt_csv_line(two)) abort();
        for (size_t i = 0; more_one && i < dt_csv_count(one); i++) {
            double value;
            static const dt_csv_notation notation = {.decimal = '.'};
            if (dt_csv_count(two) != dt_csv_count(one) || strcmp(dt_csv_field(one, i), dt_csv_field(two, i)) != 0)
                abort();
            if (dt_csv_number(&notation, dt_csv_field(one, i), &value) &&
                (value < strtod(dt_csv_field(one, i), NULL) || value > strtod(dt_csv_field(one, i), NULL)))
                abort();
            dt_csv_is_date(dt_csv_field(one, i));
        }
    }
    dt_csv_close(one);
    dt_csv_close(two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t letters, table;
    const uint8_t *options = fuzz_next(&data, &size, &letters), *text = fuzz_next(&data, &size, &table);
    fuzz_write("in.csv", text, table);
    fuzz_write("test.csv", data, size);
    bool marked =
        table >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0; /* which a file may begin with, and a text may not */
    dt_table_look look;
    fuzz_check(dt_table_look_open(&look, "in.csv"));
    if (look.columns && look.count > 0 && dt_table_look_target(&look) >= look.count) abort();
    dt_table_look_finish(&look);
    compare((const char *)text + (marked ? 3 : 0), table - (marked ? 3 : 0), letters % 2 ? ';' : ',');
    static const struct {
        char letter;
        dt_option option;
    } all[] = {{'t', {"target", "y"}},      {'d', {"drop", "x*"}},
               {'h', {"header", "no"}},     {'s', {"delimiter", ";"}},
               {'c', {"decimal", "comma"}}, {'o', {"categories", "one-hot"}},
               {'m', {"missing", "?,-"}},   {'p', {"missing-targets", "drop"}},
               {'k', {"keep", "*"}},        {'C', {"category", "*"}},
               {'T', {"test", "test.csv"}}, {'y', {"header", "yes"}}};
    dt_option given[sizeof all / sizeof *all];
    int count = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (letters > 0 && memchr(options, all[i].letter, letters)) given[count++] = all[i].option;
    static const char *const sources[] = {"in.csv"};
    unlink("out.h5");
    dt_import import = {
        .source_count = 1, .sources = sources, .destination = "out.h5", .options = given, .option_count = count};
    dt_status status = dt_import_run(dt_importer_find("csv"), &import);
    fuzz_check(status);
    if ((access("out.h5", F_OK) == 0) != (status.code == DT_OK)) abort();
    return 0;
}
