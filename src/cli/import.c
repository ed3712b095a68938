/* dtrain import: the table of importers. */
#include <string.h>

#include <stdio.h>

#include "cli.h"
#include "dtrain/import.h"
#include "dtrain/log.h"

const char dt_usage_import[] =
    "usage: dtrain import KIND SOURCE... DEST.h5\n"
    "\n"
    "  import idx IMAGES LABELS [TEST_IMAGES TEST_LABELS] DEST.h5\n"
    "      IDX files as MNIST and Fashion-MNIST use them, gzip or plain, into /train/x, /train/y (and /test/x, "
    "/test/y).\n"
    "\n"
    "DEST.h5 appears complete or not at all; an existing one is replaced only by a complete new one.\n";

static const dt_importer *find_importer(const char *name) {
    for (const dt_importer *i = dt_importers; i->name; i++)
        if (strcmp(i->name, name) == 0) return i;
    return NULL;
}

int dt_cli_import(dt_comm *comm, int argc, char **argv) {
    dt_status status = dt_ok();
    const dt_importer *importer = argc > 1 ? find_importer(argv[1]) : NULL;
    if (argc < 2)
        status = dt_fail(DT_ERR_USAGE, "import needs a kind and files (see dtrain import --help)");
    else if (!importer)
        status = dt_fail(DT_ERR_USAGE, "import has no kind \"%s\" (see dtrain import --help)", argv[1]);
    else if (argc < 4)
        status = dt_fail(DT_ERR_USAGE, "usage: dtrain import %s %s", importer->name, importer->usage);
    else
        status = importer->run(argc - 3, (const char *const *)(argv + 2), argv[argc - 1]);
    if (status.code == DT_OK) dt_log_info("%s: written", argv[argc - 1]);
    return dt_cli_report(comm, &status);
}
