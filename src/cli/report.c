/* dtrain report: a page of one run, or of several beside each other. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "cli.h"
#include "report/report.h"

const char dt_usage_report[] =
    "usage: dtrain report RUN... [-o report.html]\n"
    "\n"
    "A run as one HTML page that needs a browser and nothing else: how it ended, its course against steps, epochs or "
    "time\n"
    "(exact values under the pointer), where the time went, evaluations, warnings, machines, recipe and the command "
    "that\n"
    "repeats it. Several runs are drawn in the same plots, with what differs in their recipes. Works while a run goes "
    "on;\n"
    "every run also writes its own (report.every), RUN/report.html.\n"
    "\n"
    "  dtrain report runs/fashion-mlp\n"
    "  dtrain report runs/north runs/south -o both.html\n"
    "\n"
    "  -o FILE   the page (default: RUN/report.html; of several runs report.html here), whole or not at all\n"
    "\n"
    "Of RUN/evaluation.json, which a run writes at its end (report.tables) and dtrain eval --json at any time, it "
    "shows\n"
    "confusion, calibration and errors of outputs; of RUN/samples/*.txt, which a text model writes while it learns\n"
    "(report.samples), the first and the newest.\n";

typedef struct arguments {
    const char *runs[DT_REPORT_MOST];
    int count;
    const char *output;
} arguments;

static dt_status parse_arguments(arguments *args, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        dt_status status = dt_ok();
        const char *value = dt_cli_option(argc, argv, &i, "-o", &status);
        DT_TRY(status);
        if (value)
            args->output = value;
        else if (argv[i][0] == '-')
            return dt_fail(DT_ERR_USAGE, "report has no option %s (see dtrain report --help)", argv[i]);
        else if (args->count == DT_REPORT_MOST)
            return dt_fail(DT_ERR_USAGE, "report shows at most %d runs beside each other", DT_REPORT_MOST);
        else
            args->runs[args->count++] = argv[i];
    }
    return args->count > 0 ? dt_ok() : dt_fail(DT_ERR_USAGE, "report needs a run directory (see dtrain report --help)");
}

int dt_cli_report_page(dt_comm *comm, int argc, char **argv) {
    arguments args;
    char own[4096] = "report.html";
    memset(&args, 0, sizeof args);
    dt_status status = parse_arguments(&args, argc, argv);
    if (status.code == DT_OK && args.count == 1) status = dt_path_join(own, args.runs[0], "report.html");
    const char *path = args.output ? args.output : own;
    if (status.code == DT_OK) status = dt_report_write(path, args.runs, args.count);
    if (status.code == DT_OK) dt_log_info("report %s", path);
    return dt_cli_report(comm, &status);
}
