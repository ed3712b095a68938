/* dtrain import weights: a run that begins with weights from elsewhere. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "cli.h"
#include "run/import_weights.h"

const char dt_usage_import_weights[] =
    "usage: mpirun -n RANKS dtrain import weights FILE|RUN --into RECIPE.yaml [--map FROM=TO]... [--only PATTERN]\n"
    "                              [--set KEY=VALUE]... [--run DIR]\n"
    "\n"
    "Begins a run of the recipe with the weights of a file: a checkpoint of dtrain, safetensors, a NumPy archive, or "
    "HDF5\n"
    "as Keras writes it. Arrays are found by the names of the model's tensors (dtrain inspect shows them), by GPT-2's, "
    "or\n"
    "by PyTorch's and Keras's for the same layers; a report says what is from where, what is not there, and why. "
    "Tensors\n"
    "the file does not have are initialised by the seed, as those of a new last layer. The same recipe then goes on:\n"
    "dtrain train RECIPE.yaml. What is to stay as it is: model.freeze; rates of their own: optimizer.groups.\n"
    "\n"
    "  --map FROM=TO     the array FROM is the tensor TO; each * in FROM stands for any characters, and in TO for the "
    "same\n"
    "  --only PATTERN    take these tensors only (\"block*\")\n"
    "  --set KEY=VALUE   change a field of the recipe\n"
    "  --run DIR         run directory (default: runs/<recipe name>)\n"
    "\n"
    "Example:\n"
    "  dtrain import weights model.safetensors --into recipe.yaml --map 'encoder.*.weight=*/w' --set train.shards=8\n";

typedef struct arguments {
    dt_cli_recipe recipe;
    dt_import_weights_options options;
    dt_rename *renames;
} arguments;

static dt_status take_rename(arguments *args, char *value) {
    char *equals = strchr(value, '=');
    if (!equals || equals == value || !equals[1])
        return dt_fail(DT_ERR_USAGE, "--map is \"%s\"; it must be FROM=TO, as in fc1.weight=dense1/w", value);
    *equals = '\0';
    args->renames[args->options.match.rename_count++] = (dt_rename){value, equals + 1};
    return dt_ok();
}

static dt_status parse_one(arguments *args, int argc, char **argv, int *i) {
    dt_status status = dt_ok();
    const char *value;
    if ((value = dt_cli_option(argc, argv, i, "--into", &status)) != NULL)
        args->recipe.path = value;
    else if (status.code == DT_OK && (value = dt_cli_option(argc, argv, i, "--map", &status)) != NULL)
        status = take_rename(args, (char *)value);
    else if (status.code == DT_OK && (value = dt_cli_option(argc, argv, i, "--only", &status)) != NULL)
        args->options.match.only = value;
    else if (status.code == DT_OK && (value = dt_cli_option(argc, argv, i, "--run", &status)) != NULL)
        args->options.run = value;
    else if (status.code == DT_OK && argv[*i][0] == '-')
        status = dt_cli_recipe_argument(&args->recipe, argc, argv, i);
    else if (status.code == DT_OK && args->options.file)
        status = dt_fail(DT_ERR_USAGE, "two files, %s and %s; import weights takes one", args->options.file, argv[*i]);
    else if (status.code == DT_OK)
        args->options.file = argv[*i];
    return status;
}

static dt_status parse_arguments(arguments *args, int argc, char **argv) {
    args->recipe.command = "import weights";
    args->renames = dt_alloc((size_t)argc, sizeof *args->renames);
    if (!args->renames) return dt_fail_memory("the arguments", (size_t)argc * sizeof *args->renames);
    args->options.match.renames = args->renames;
    for (int i = 1; i < argc; i++) DT_TRY(parse_one(args, argc, argv, &i));
    if (!args->options.file)
        return dt_fail(DT_ERR_USAGE, "import weights needs a file of weights (see dtrain import weights --help)");
    if (args->recipe.path) return dt_ok();
    return dt_fail(DT_ERR_USAGE, "import weights needs --into RECIPE.yaml (see dtrain import weights --help)");
}

int dt_cli_import_weights(dt_comm *comm, int argc, char **argv) {
    arguments *args = dt_alloc(1, sizeof *args);
    dt_recipe recipe;
    memset(&recipe, 0, sizeof recipe);
    dt_status status = args ? parse_arguments(args, argc, argv) : dt_fail_memory("the arguments", sizeof *args);
    status = dt_comm_agree(comm, status);
    if (status.code == DT_OK) status = dt_comm_agree(comm, dt_cli_recipe_read(&args->recipe, &recipe));
    if (status.code == DT_OK) status = dt_import_weights_run(comm, &recipe, &args->options);
    dt_recipe_finish(&recipe);
    if (args) dt_free(args->renames);
    dt_free(args);
    return dt_cli_report(comm, &status);
}
