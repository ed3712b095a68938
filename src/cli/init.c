/* dtrain init: a first recipe for a data set, on standard output. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "cli.h"
#include "data/proposal.h"

const char dt_usage_init[] =
    "usage: dtrain init DATA.h5 [--x DATASET] [--y DATASET]\n"
    "\n"
    "Writes a commented recipe that trains on DATA.h5: what is input and what target, scaling, loss, a model that fits "
    "(a\n"
    "perceptron for tables, convolutions for pictures, a transformer for texts), batch and epochs.\n"
    "  --x DATASET   the samples; default /train/x, or /x\n"
    "  --y DATASET   their labels or targets; default /train/y, or /y\n"
    "\n"
    "  printf 'size,kind\\n1,ant\\n2,bee\\n3,ant\\n' > t.csv && dtrain import csv t.csv t.h5 --target kind\n"
    "  dtrain init t.h5 > t.yaml && dtrain train t.yaml\n";

static dt_status init(const char *file, const dt_proposal_wish *wish) {
    dt_survey *survey;
    DT_TRY(dt_survey_open(&survey, file));
    char *text = NULL;
    dt_status status = dt_proposal_write(survey, file, wish, &text);
    if (status.code == DT_OK && (fputs(text, stdout) < 0 || fflush(stdout) != 0))
        status = dt_fail(DT_ERR_IO, "the recipe cannot be written");
    dt_free(text);
    dt_free(survey);
    return status;
}

int dt_cli_init(dt_comm *comm, int argc, char **argv) {
    dt_status status = dt_ok();
    dt_proposal_wish wish = {"", ""};
    const char *file = NULL;
    for (int i = 1; i < argc && status.code == DT_OK; i++) {
        const char *x = dt_cli_option(argc, argv, &i, "--x", &status);
        const char *y = x || status.code != DT_OK ? NULL : dt_cli_option(argc, argv, &i, "--y", &status);
        if (x) wish.x = x;
        if (y) wish.y = y;
        if (x || y || status.code != DT_OK) continue;
        if (file || argv[i][0] == '-')
            status =
                dt_fail(DT_ERR_USAGE, "init takes one file, --x and --y, not %s (see dtrain init --help)", argv[i]);
        file = argv[i];
    }
    if (status.code == DT_OK && !file)
        status = dt_fail(DT_ERR_USAGE, "init needs a data file (see dtrain init --help)");
    if (status.code == DT_OK) status = init(file, &wish);
    return dt_cli_report(comm, &status);
}
