/* NumPy's arrays and archives of them: what is not taken leaves no file behind. */
#include <unistd.h>

#include "fuzz.h"

#include "data/import.h"

static void import(const char *kind, const char *source) {
    const char *const sources[] = {source};
    unlink("out.h5");
    dt_status status = dt_import_run(dt_importer_find(kind),
                                     &(dt_import){.source_count = 1, .sources = sources, .destination = "out.h5"});
    fuzz_check(status);
    if ((access("out.h5", F_OK) == 0) != (status.code == DT_OK)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_write("in", data, size);
    import(size >= 2 && data[0] == 'P' && data[1] == 'K' ? "npz" : "npy", "in");
    return 0;
}
