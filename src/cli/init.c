/* dtrain init: a first recipe for a data set, on standard output. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "cli.h"
#include "data/foreign.h"
#include "data/proposal.h"

const char dt_usage_init[] =
    "usage: dtrain init DATA.h5|TABLE.csv|X.npy|ARCHIVE.npz [--x NAME] [--y NAME]\n"
    "\n"
    "Writes a commented recipe that trains on DATA.h5: what is input and what target, scaling, loss, a model that fits "
    "(a\n"
    "perceptron for tables, convolutions for pictures, a transformer for texts), batch and epochs.\n"
    "  --x NAME   the dataset of the samples (/train/x, or /x; chosen fields or columns of it: '/table[T, p]'), the "
    "array of an\n"
    "             archive, or columns of a table\n"
    "  --y NAME   of their labels or targets: a dataset (/train/y, or /y), an array, another file of NumPy's, or a "
    "column;\n"
    "             of a table one called target, label, class or y, or else the last\n"
    "Of a table and of NumPy's files the recipe is for the dataset that `dtrain import` makes of them; it says the "
    "command.\n"
    "\n"
    "  printf 'size,kind\\n1,ant\\n2,bee\\n3,ant\\n' > t.csv && dtrain import csv t.csv t.h5 --target kind\n"
    "  dtrain init t.h5 > t.yaml && dtrain train t.yaml\n";

static dt_status write_recipe(const dt_survey *survey, const char *file, const dt_proposal_wish *wish) {
    char *text = NULL;
    dt_status status = dt_proposal_write(survey, file, wish, &text);
    if (status.code == DT_OK && (fputs(text, stdout) < 0 || fflush(stdout) != 0))
        status = dt_fail(DT_ERR_IO, "the recipe cannot be written");
    dt_free(text);
    return status;
}

/* Of the dataset that an importer makes of the file, once it has. */
static dt_status init_foreign(const char *file, const dt_proposal_wish *wish) {
    dt_foreign f;
    dt_survey *survey;
    char command[4096];
    DT_TRY(dt_foreign_open(&f, file, wish->x, wish->y));
    dt_foreign_command(&f, command, sizeof command);
    dt_status status = dt_foreign_survey(&f, &survey);
    if (status.code != DT_OK) return dt_status_within(status, "%s", command);
    if (dt_survey_find(survey, "/train/y"))
        status = write_recipe(survey, f.destination, &(dt_proposal_wish){"", "", command});
    else
        status = dt_fail(DT_ERR_INPUT, "%s: which array has the labels or targets? --y names it, or its file", file);
    dt_free(survey);
    return status;
}

static dt_status init(const char *file, const dt_proposal_wish *wish) {
    dt_survey *survey;
    if (dt_foreign_importer(file)) return init_foreign(file, wish);
    DT_TRY(dt_survey_open(&survey, file, (const char *const[]){wish->x, wish->y}));
    dt_status status = write_recipe(survey, file, wish);
    dt_free(survey);
    return status;
}

int dt_cli_init(dt_comm *comm, int argc, char **argv) {
    dt_status status = dt_ok();
    dt_proposal_wish wish = {"", "", NULL};
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
