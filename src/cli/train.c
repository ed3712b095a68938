/* dtrain train: a recipe, changes to it, a run directory. Every rank reads the recipe itself; training compares what
 * they read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "dtrain/log.h"
#include "dtrain/memory.h"
#include "dtrain/model.h"
#include "dtrain/recipe.h"
#include "dtrain/train.h"

const char dt_usage_train[] =
    "usage: mpirun -n RANKS dtrain train [RECIPE.yaml] [--set KEY=VALUE]... [--run DIR] [--resume auto|never|FILE]\n"
    "\n"
    "Trains the recipe (without one: the built-in 784-128-10 network on Fashion-MNIST). The same command again\n"
    "goes on from the newest valid checkpoint of the run directory.\n"
    "\n"
    "  --set KEY=VALUE   change a field of the recipe: --set optimizer.lr=0.01 --set model.layers='[dense: 10]'\n"
    "  --run DIR         run directory (default: runs/<recipe name>)\n"
    "  --resume auto     go on with the run if it was started before (default)\n"
    "  --resume never    start over, in a new or empty run directory only\n"
    "  --resume FILE     start from this checkpoint\n"
    "  --help-recipe     every field of a recipe, with its default\n"
    "\n"
    "SIGINT, SIGTERM or SIGUSR1 to any rank: finish the step, write a checkpoint, exit with 75.\n";

#define MAX_SETS 256

typedef struct arguments {
    const char *recipe;
    const char *sets[MAX_SETS];
    char keys[MAX_SETS][128]; /* of the sets: fields allowed to differ from the checkpoint's */
    const char *allowed[MAX_SETS + 1];
    int set_count;
    bool help_recipe;
    dt_train_options options;
} arguments;

static dt_status add_set(arguments *args, const char *set) {
    if (args->set_count == MAX_SETS) return dt_fail(DT_ERR_USAGE, "more than %d --set options", MAX_SETS);
    const char *equals = strchr(set, '=');
    if (!equals || equals == set)
        return dt_fail(DT_ERR_USAGE, "--set %s: it must be KEY=VALUE, for example optimizer.lr=0.01", set);
    int i = args->set_count++;
    args->sets[i] = set;
    snprintf(args->keys[i], sizeof args->keys[i], "%.*s", (int)(equals - set), set);
    args->allowed[i] = args->keys[i];
    return dt_ok();
}

static dt_status parse_arguments(arguments *args, int argc, char **argv) {
    args->options.resume = "auto";
    for (int i = 1; i < argc; i++) {
        dt_status status = dt_ok();
        const char *value;
        if (strcmp(argv[i], "--help-recipe") == 0) {
            args->help_recipe = true;
        } else if ((value = dt_cli_option(argc, argv, &i, "--set", &status)) != NULL) {
            status = add_set(args, value);
        } else if (status.code == DT_OK && (value = dt_cli_option(argc, argv, &i, "--run", &status)) != NULL) {
            args->options.run = value;
        } else if (status.code == DT_OK && (value = dt_cli_option(argc, argv, &i, "--resume", &status)) != NULL) {
            args->options.resume = value;
        } else if (status.code == DT_OK && argv[i][0] == '-') {
            status = dt_fail(DT_ERR_USAGE, "train has no option %s (see dtrain train --help)", argv[i]);
        } else if (status.code == DT_OK && args->recipe) {
            status = dt_fail(DT_ERR_USAGE, "two recipes, %s and %s; train takes one", args->recipe, argv[i]);
        } else if (status.code == DT_OK) {
            args->recipe = argv[i];
        }
        DT_TRY(status);
    }
    args->options.allowed = args->allowed;
    return dt_ok();
}

/* "launch/recipes/mnist-mlp.yaml" → "mnist-mlp" */
static void base_name(const char *path, char out[DT_TEXT_MAX]) {
    const char *slash = strrchr(path, '/');
    snprintf(out, DT_TEXT_MAX, "%s", slash ? slash + 1 : path);
    char *dot = strrchr(out, '.');
    if (dot && dot != out) *dot = '\0';
}

static dt_status read_recipe(const arguments *args, dt_recipe *recipe) {
    dt_node *root;
    char name[DT_TEXT_MAX] = "default";
    if (args->recipe) {
        base_name(args->recipe, name);
        DT_TRY(dt_node_parse_file(&root, args->recipe));
    } else {
        DT_TRY(dt_node_parse_text(&root, DT_RECIPE_DEFAULT_NAME, dt_recipe_default_text));
    }
    dt_status status = dt_ok();
    for (int i = 0; i < args->set_count && status.code == DT_OK; i++) status = dt_node_assign(root, args->sets[i]);
    if (status.code == DT_OK) status = dt_recipe_decode(recipe, root, name);
    dt_node_destroy(root);
    return status;
}

/* Line by line: the log keeps its lines short. */
static void print_lines(const char *text) {
    for (size_t length; *text; text += length + (text[length] == '\n')) {
        length = strcspn(text, "\n");
        dt_log_info("%.*s", (int)length, text);
    }
}

static void print_recipe_help(void) {
    char *fields = dt_recipe_help(), *layers = dt_model_help();
    if (fields && layers) {
        print_lines(fields);
        dt_log_info("%s", "");
        print_lines(layers);
    }
    dt_free(fields);
    dt_free(layers);
}

/* Open MPI gives ranks a pseudo-terminal whatever mpirun's own output is, so the launcher's is asked too. */
static bool on_terminal(void) {
    if (!isatty(STDOUT_FILENO)) return false;
    if (!getenv("OMPI_COMM_WORLD_RANK")) return true;
    char path[64], target[256];
    snprintf(path, sizeof path, "/proc/%ld/fd/1", (long)getppid());
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length <= 0) return false;
    target[length] = '\0';
    return strncmp(target, "/dev/pts/", 9) == 0 || strncmp(target, "/dev/tty", 8) == 0;
}

int dt_cli_train(dt_comm *comm, int argc, char **argv) {
    arguments args;
    memset(&args, 0, sizeof args);
    dt_recipe recipe;
    memset(&recipe, 0, sizeof recipe);
    dt_outcome outcome = DT_OUTCOME_DONE;
    dt_status status = dt_comm_agree(comm, parse_arguments(&args, argc, argv));
    if (status.code == DT_OK && args.help_recipe) {
        print_recipe_help();
        return 0;
    }
    if (status.code == DT_OK) status = dt_comm_agree(comm, read_recipe(&args, &recipe));
    args.options.live = on_terminal();
    if (status.code == DT_OK) status = dt_train_run(comm, &recipe, &args.options, &outcome);
    dt_recipe_finish(&recipe);
    if (status.code == DT_OK && outcome == DT_OUTCOME_STOPPED) return 75;
    return dt_cli_report(comm, &status);
}
