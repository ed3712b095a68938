/* IDX files, plain or packed: a pair of pictures and labels. What is not taken leaves no file behind. */
#include <unistd.h>

#include "fuzz.h"

#include "data/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t part;
    const uint8_t *images = fuzz_next(&data, &size, &part);
    fuzz_write("images", images, part);
    fuzz_write("labels", data, size);
    static const char *const sources[] = {"images", "labels"};
    unlink("idx.h5");
    dt_status status = dt_import_run(dt_importer_find("idx"),
                                     &(dt_import){.source_count = 2, .sources = sources, .destination = "idx.h5"});
    fuzz_check(status);
    if ((access("idx.h5", F_OK) == 0) != (status.code == DT_OK)) abort();
    return 0;
}
