/* dtrain eval: a checkpoint against a dataset. */
#include <string.h>

#include "base/memory.h"
#include "cli.h"
#include "data_sets.h"
#include "run/eval.h"

const char dt_usage_eval[] =
    "usage: mpirun -n RANKS dtrain eval CHECKPOINT|RUN [--data FILE[:DATASET [--targets DATASET]]]...\n"
    "                                   [--split test|validation|train|all] [--json FILE]\n"
    "\n"
    "Loss and accuracy of a checkpoint, or of a run directory's newest one that verifies, and what is behind them: of\n"
    "classes precision, recall, F1, the confusion matrix, calibration and, of two, the area under the ROC curve; of "
    "values\n"
    "the errors of each output. The same on any number of ranks. The checkpoint brings its recipe.\n"
    "\n"
    "  mpirun -n 4 dtrain eval runs/fashion-mlp --json figures.json\n"
    "\n"
    "  --data FILE[:DATASET] other data: a file of the same layout, or any dataset in it. Given several times, the "
    "figures\n"
    "                        are those of all samples together\n"
    "  --targets DATASET     behind --data FILE:DATASET, where the targets of these samples are\n"
    "  --split NAME          test, validation, train or all: which of the recipe's data (test)\n"
    "  --json FILE           all figures, as README.md has their keys; whole or not at all\n";

static dt_status parse_arguments(dt_eval_options *options, dt_data_sets *data, int argc, char **argv) {
    const char *name = NULL;
    DT_TRY(dt_data_sets_create(data, argc));
    for (int i = 1; i < argc; i++) {
        dt_status status = dt_ok();
        const char *value;
        if ((value = dt_cli_option(argc, argv, &i, "--data", &status)) != NULL) {
            status = dt_data_sets_add(data, (char *)value);
        } else if (status.code == DT_OK && (value = dt_cli_option(argc, argv, &i, "--targets", &status)) != NULL) {
            status = dt_data_sets_target(data, value);
        } else if (status.code == DT_OK && (value = dt_cli_option(argc, argv, &i, "--split", &status)) != NULL) {
            name = value;
        } else if (status.code == DT_OK && (value = dt_cli_option(argc, argv, &i, "--json", &status)) != NULL) {
            options->json = value;
        } else if (status.code == DT_OK && argv[i][0] == '-') {
            status = dt_fail(DT_ERR_USAGE, "eval has no option %s (see dtrain eval --help)", argv[i]);
        } else if (status.code == DT_OK && options->target) {
            status = dt_fail(DT_ERR_USAGE, "two checkpoints, %s and %s; eval takes one", options->target, argv[i]);
        } else if (status.code == DT_OK) {
            options->target = argv[i];
        }
        DT_TRY(status);
    }
    if (!options->target)
        return dt_fail(DT_ERR_USAGE, "eval needs a checkpoint or a run directory (see dtrain eval --help)");
    DT_TRY(dt_data_sets_check(data, name));
    options->data = data->all;
    options->data_count = data->count;
    options->split = DT_SPLIT_TEST;
    options->unsaid = !name;
    options->all = name && strcmp(name, "all") == 0;
    if (name && !options->all && !dt_split_named(name, &options->split))
        return dt_fail(DT_ERR_USAGE, "--split is \"%s\"; it must be test, validation, train or all", name);
    return dt_ok();
}

int dt_cli_eval(dt_comm *comm, int argc, char **argv) {
    dt_eval_options options;
    dt_data_sets data = {.count = 0};
    memset(&options, 0, sizeof options);
    dt_status status = dt_comm_agree(comm, parse_arguments(&options, &data, argc, argv));
    if (status.code == DT_OK) status = dt_eval_run(comm, &options);
    dt_free(data.all);
    return dt_cli_report(comm, &status);
}
