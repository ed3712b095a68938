/* dtrain import: finds the importer and gives it files and options. What options there are is the importer's table's
 * business. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "cli.h"
#include "data/import.h"

const char dt_usage_import[] =
    "usage: dtrain import KIND SOURCE... DEST.h5 [--OPTION VALUE]...\n"
    "\n"
    "DEST.h5 appears complete or not at all; an existing one is replaced only by a complete new one.\n"
    "\n"
    "  printf 'size,colour,kind\\n1,red,ant\\n2,blue,bee\\n' > t.csv && dtrain import csv t.csv t.h5 --target kind\n";

/* Prints a text, each of its lines behind spaces. */
static void print_indented(const char *text) {
    for (const char *end; *text; text = end + (*end == '\n')) {
        end = strchrnul(text, '\n');
        printf("      %.*s\n", (int)(end - text), text);
    }
}

void dt_cli_import_kinds(void) {
    for (const dt_importer *const *i = dt_importers; *i; i++) {
        printf("\n  import %s %s\n", (*i)->name, (*i)->usage);
        if ((*i)->lacks) printf("      not in this build, which lacks %s\n", (*i)->lacks);
        print_indented((*i)->help);
        char *options = (*i)->options->key ? dt_fields_help((*i)->options, "--") : NULL;
        if (options) print_indented(options);
        dt_free(options);
    }
}

/* The importer's option that argv[*at] is, into *option, moving *at past its value. */
static bool take_option(const dt_importer *importer, dt_option *option, int argc, char **argv, int *at,
                        dt_status *status) {
    for (const dt_field *field = importer->options; field->key && status->code == DT_OK; field++) {
        char name[DT_TEXT_MAX];
        snprintf(name, sizeof name, "--%s", field->key);
        *option = (dt_option){field->key, dt_cli_option(argc, argv, at, name, status)};
        if (option->value) return true;
    }
    return false;
}

/* Arguments into files[*count] and options[*option_count], both of which have room for all. */
static dt_status parse_arguments(const dt_importer *importer, const char **files, int *count, dt_option *options,
                                 int *option_count, int argc, char **argv) {
    for (int i = 2; i < argc; i++) {
        dt_status status = dt_ok();
        bool taken = take_option(importer, &options[*option_count], argc, argv, &i, &status);
        DT_TRY(status);
        *option_count += taken;
        if (taken) continue;
        if (strncmp(argv[i], "--", 2) == 0)
            return dt_fail(DT_ERR_USAGE, "import %s has no option %s (see dtrain import --help)", importer->name,
                           argv[i]);
        files[(*count)++] = argv[i];
    }
    return dt_ok();
}

static dt_status run(const dt_importer *importer, const char **files, dt_option *options, int argc, char **argv) {
    int count = 0, option_count = 0;
    DT_TRY(parse_arguments(importer, files, &count, options, &option_count, argc, argv));
    if (count < 2) return dt_fail(DT_ERR_USAGE, "usage: dtrain import %s %s", importer->name, importer->usage);
    dt_import import = {.source_count = count - 1,
                        .sources = files,
                        .destination = files[count - 1],
                        .options = options,
                        .option_count = option_count};
    DT_TRY(dt_import_run(importer, &import));
    dt_log_info("%s: written", import.destination);
    return dt_ok();
}

int dt_cli_import(dt_comm *comm, int argc, char **argv) {
    dt_status status;
    const dt_importer *importer = argc > 1 ? dt_importer_find(argv[1]) : NULL;
    const char **files = dt_alloc((size_t)argc, sizeof *files);
    dt_option *options = dt_alloc((size_t)argc, sizeof *options);
    if (!files || !options)
        status = dt_fail_memory("the arguments", (unsigned long long)argc * sizeof *options);
    else if (argc < 2)
        status = dt_fail(DT_ERR_USAGE, "import needs a kind and files (see dtrain import --help)");
    else if (!importer)
        status = dt_fail(DT_ERR_USAGE, "import has no kind \"%s\" (see dtrain import --help)", argv[1]);
    else
        status = run(importer, files, options, argc, argv);
    dt_free(files);
    dt_free(options);
    return dt_cli_report(comm, &status);
}
