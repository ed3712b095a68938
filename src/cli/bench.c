/* dtrain bench: the machine, and a recipe against it. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "run/bench.h"

const char dt_usage_bench[] =
    "usage: mpirun -n RANKS dtrain bench [RECIPE.yaml] [--set KEY=VALUE]... [--steps N] [--dir DIR]\n"
    "\n"
    "Measures what this machine can do with so many ranks: matrix products, memory, the gradient's way across at\n"
    "growing sizes, checkpoints. Then trains N steps (200) of the recipe and says where the time went and how far\n"
    "from the machine's limit it is. Files go to DIR (default: the present directory) and are removed.\n";

static dt_status parse_arguments(dt_cli_recipe *recipe, int64_t *steps, const char **directory, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        dt_status status = dt_ok();
        const char *value;
        if ((value = dt_cli_option(argc, argv, &i, "--steps", &status)) != NULL) {
            char *end;
            *steps = strtoll(value, &end, 10);
            if (*end || *steps < 1 || *steps > 1000000000)
                status = dt_fail(DT_ERR_USAGE, "--steps is \"%s\"; it must be a number of steps, at least 1", value);
        } else if (status.code == DT_OK && (value = dt_cli_option(argc, argv, &i, "--dir", &status)) != NULL) {
            *directory = value;
        } else if (status.code == DT_OK) {
            status = dt_cli_recipe_argument(recipe, argc, argv, &i);
        }
        DT_TRY(status);
    }
    return dt_ok();
}

int dt_cli_bench(dt_comm *comm, int argc, char **argv) {
    dt_cli_recipe args;
    memset(&args, 0, sizeof args);
    args.command = "bench";
    dt_recipe recipe;
    memset(&recipe, 0, sizeof recipe);
    int64_t steps = 200;
    const char *directory = ".";
    dt_status status = dt_comm_agree(comm, parse_arguments(&args, &steps, &directory, argc, argv));
    if (status.code == DT_OK) status = dt_comm_agree(comm, dt_cli_recipe_read(&args, &recipe));
    if (status.code == DT_OK) status = dt_bench_run(comm, &recipe, steps, directory);
    dt_recipe_finish(&recipe);
    return dt_cli_report(comm, &status);
}
