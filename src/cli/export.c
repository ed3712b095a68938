/* dtrain export: a trained model as files of other frameworks. */
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "cli.h"
#include "use/export.h"

const char dt_usage_export[] =
    "usage: dtrain export CHECKPOINT|RUN --to FORMAT DESTINATION [--state]\n"
    "\n"
    "The model of a checkpoint, or of a run directory's newest one that verifies, as other frameworks read it: "
    "weights\n"
    "with the scaling of inputs and targets, the loss's softmax or logistic function, and the names of the classes.\n"
    "What a format cannot carry is refused, naming the layer. The destination appears whole or not at all; a file of\n"
    "that name is replaced, a directory is not. Needs no ranks and no data.\n"
    "\n"
    "  --state   with --to onnx: what recurrent layers carry from window to window is an input and an output, as "
    "lstm1_h1\n"
    "            and lstm1_h1_next, [batch, units]; without it each sample begins from zeros\n"
    "\n"
    "example:\n"
    "  dtrain export runs/fashion-mlp --to safetensors fashion-mlp.safetensors\n"
    "\n";

void dt_cli_export_formats(void) {
    printf("formats:\n");
    for (const dt_export_format *const *f = dt_export_formats; *f; f++)
        printf("  %-12s %s%s\n", (*f)->name, (*f)->lacks ? "not in this build, which lacks " : "",
               (*f)->lacks ? (*f)->lacks : (*f)->help);
}

static dt_status parse_arguments(dt_export_request *request, int argc, char **argv) {
    dt_status status = dt_ok();
    for (int i = 1; i < argc; i++) {
        const char *value = dt_cli_option(argc, argv, &i, "--to", &status);
        DT_TRY(status);
        if (value)
            request->format = value;
        else if (strcmp(argv[i], "--state") == 0)
            request->state = true;
        else if (argv[i][0] == '-')
            return dt_fail(DT_ERR_USAGE, "export has no option %s (see dtrain export --help)", argv[i]);
        else if (!request->target)
            request->target = argv[i];
        else if (!request->destination)
            request->destination = argv[i];
        else
            return dt_fail(DT_ERR_USAGE, "export takes a checkpoint and a destination, and has %s besides", argv[i]);
    }
    if (!request->target || !request->destination || !request->format)
        return dt_fail(DT_ERR_USAGE, "export needs a checkpoint or a run directory, --to FORMAT and a destination "
                                     "(see dtrain export --help)");
    return dt_ok();
}

int dt_cli_export(dt_comm *comm, int argc, char **argv) {
    dt_export_request request = {0};
    dt_export_figures figures;
    char checkpoint[512], destination[512];
    dt_status status = parse_arguments(&request, argc, argv);
    if (status.code == DT_OK) status = dt_export_run(&request, &figures);
    if (status.code == DT_OK)
        printf("export checkpoint=%s to=%s file=%s step=%lld parameters=%lld digest=%s\n",
               dt_escape_name(checkpoint, sizeof checkpoint, figures.checkpoint), request.format,
               dt_escape_name(destination, sizeof destination, request.destination), figures.step, figures.parameters,
               figures.digest);
    return dt_cli_report(comm, &status);
}
