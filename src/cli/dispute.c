/* dtrain dispute: two runs of one recipe, and where they part. */
#include <string.h>

#include "cli.h"
#include "run/dispute.h"

const char dt_usage_dispute[] =
    "usage: mpirun -n RANKS dtrain dispute A B [--data FILE] [--files]\n"
    "\n"
    "Where two runs of one recipe part, run directories or checkpoints: fields of the recipes or data that differ; "
    "the\n"
    "first step of which they claim different digests; who of them agrees with what is computed here, from the last "
    "state\n"
    "both had; and the first tensor that differs, with its first element in both. Nothing is written.\n"
    "Exit code 0 when they are the same, 1 when something differs, 2 when they cannot be compared.\n"
    "\n"
    "  mpirun -n 4 dtrain dispute runs/mine runs/theirs\n"
    "\n"
    "  --data FILE    where their data is here, if not where the recipe says\n"
    "  --files        compute nothing\n";

static dt_status parse_arguments(dt_dispute_options *options, int argc, char **argv) {
    int count = 0;
    for (int i = 1; i < argc; i++) {
        dt_status status = dt_ok();
        const char *value = dt_cli_option(argc, argv, &i, "--data", &status);
        DT_TRY(status);
        if (value)
            options->data = value;
        else if (strcmp(argv[i], "--files") == 0)
            options->files = true;
        else if (argv[i][0] == '-')
            return dt_fail(DT_ERR_USAGE, "dispute has no option %s (see dtrain dispute --help)", argv[i]);
        else if (count == 2)
            return dt_fail(DT_ERR_USAGE, "a third run, %s; dispute takes two", argv[i]);
        else
            options->sides[count++] = argv[i];
    }
    return count == 2 ? dt_ok()
                      : dt_fail(DT_ERR_USAGE, "dispute needs two runs or checkpoints (see dtrain dispute --help)");
}

int dt_cli_dispute(dt_comm *comm, int argc, char **argv) {
    dt_dispute_options options;
    memset(&options, 0, sizeof options);
    dt_status status = dt_comm_agree(comm, parse_arguments(&options, argc, argv));
    if (status.code == DT_OK) status = dt_dispute_run(comm, &options);
    return dt_cli_report(comm, &status);
}
