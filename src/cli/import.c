/* dtrain import: the table of importers. */
#include <stdbool.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "cli.h"
#include "data/import.h"

const char dt_usage_import[] =
    "usage: dtrain import KIND SOURCE... DEST.h5\n"
    "\n"
    "  import idx IMAGES LABELS [TEST_IMAGES TEST_LABELS] DEST.h5\n"
    "      IDX files as MNIST and Fashion-MNIST use them, gzip or plain, into /train/x, /train/y (and /test/x, "
    "/test/y).\n"
    "\n"
    "  import text FILE... DEST.h5 --tokens char|byte|bpe [--vocab N] [--split 0.9]\n"
    "              [--vocab-json FILE --merges FILE] [--newlines keep|lf]\n"
    "      Text files, one after the other, as numbers: /train/tokens, /test/tokens, and the vocabulary as /vocab.\n"
    "      char: characters of UTF-8. byte: bytes. bpe: byte-pair encoding of up to N tokens (4096), trained on the\n"
    "      training part, or as GPT-2's vocab.json and merges.txt have it. The first 0.9 of the text is for training.\n"
    "      A byte-order mark is left out. Ends of lines that are CR LF or CR stay as they are; --newlines lf makes "
    "them LF.\n"
    "\n"
    "DEST.h5 appears complete or not at all; an existing one is replaced only by a complete new one.\n";

static const dt_importer *find_importer(const char *name) {
    for (const dt_importer *i = dt_importers; i->name; i++)
        if (strcmp(i->name, name) == 0) return i;
    return NULL;
}

/* Files into files[*count], options into *import. */
static dt_status parse_arguments(dt_import *import, const char **files, int *count, int argc, char **argv) {
    struct {
        const char *name, **value;
    } options[] = {{"--tokens", &import->tokens},         {"--vocab", &import->vocab},
                   {"--split", &import->split},           {"--newlines", &import->newlines},
                   {"--vocab-json", &import->vocab_json}, {"--merges", &import->merges}};
    for (int i = 2; i < argc; i++) {
        dt_status status = dt_ok();
        bool taken = false;
        for (size_t o = 0; o < sizeof options / sizeof *options && !taken && status.code == DT_OK; o++) {
            const char *value = dt_cli_option(argc, argv, &i, options[o].name, &status);
            taken = value != NULL;
            if (value) *options[o].value = value;
        }
        DT_TRY(status);
        if (taken) continue;
        if (strncmp(argv[i], "--", 2) == 0)
            return dt_fail(DT_ERR_USAGE, "import has no option %s (see dtrain import --help)", argv[i]);
        files[(*count)++] = argv[i];
    }
    return dt_ok();
}

static dt_status run(const dt_importer *importer, dt_import *import, const char **files, int argc, char **argv) {
    int count = 0;
    DT_TRY(parse_arguments(import, files, &count, argc, argv));
    if (count < 2) return dt_fail(DT_ERR_USAGE, "usage: dtrain import %s %s", importer->name, importer->usage);
    import->sources = files;
    import->source_count = count - 1;
    import->destination = files[count - 1];
    return importer->run(import);
}

int dt_cli_import(dt_comm *comm, int argc, char **argv) {
    dt_status status = dt_ok();
    dt_import import;
    memset(&import, 0, sizeof import);
    const dt_importer *importer = argc > 1 ? find_importer(argv[1]) : NULL;
    const char **files = dt_alloc((size_t)argc, sizeof *files);
    if (!files)
        status = dt_fail_memory("the arguments", (unsigned long long)argc * sizeof *files);
    else if (argc < 2)
        status = dt_fail(DT_ERR_USAGE, "import needs a kind and files (see dtrain import --help)");
    else if (!importer)
        status = dt_fail(DT_ERR_USAGE, "import has no kind \"%s\" (see dtrain import --help)", argv[1]);
    else
        status = run(importer, &import, files, argc, argv);
    if (status.code == DT_OK) dt_log_info("%s: written", import.destination);
    dt_free(files);
    return dt_cli_report(comm, &status);
}
