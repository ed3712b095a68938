/* dtrain train: a recipe, changes to it, a run directory. Every rank reads the recipe itself; training compares what
 * they read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/process.h"
#include "cli.h"
#include "config/recipe.h"
#include "model/model.h"
#include "report/report.h"
#include "run/train.h"
#include "site/key.h"

const char dt_usage_train[] =
    "usage: mpirun -n RANKS dtrain train [RECIPE.yaml] [--set KEY=VALUE]... [--run DIR] [--resume auto|never|FILE]\n"
    "       mpirun -n RANKS dtrain train RECIPE.yaml --site NAME [--key FILE]...\n"
    "\n"
    "Trains the recipe (without one: the built-in 784-128-10 network on Fashion-MNIST). The same command again\n"
    "goes on from the newest valid checkpoint of the run directory.\n"
    "\n"
    "  --set KEY=VALUE   change a field of the recipe: --set optimizer.lr=0.01 --set model.layers='[dense: 10]'\n"
    "  --run DIR         run directory (default: runs/<recipe name>)\n"
    "  --resume auto     go on with the run if it was started before (default)\n"
    "  --resume never    start over, in a new or empty run directory only\n"
    "  --resume FILE     start from this checkpoint\n"
    "  --site NAME       train as this one of sites.members; the run directory is then runs/<recipe name>-<NAME>. "
    "Other\n"
    "                    sites do the same elsewhere; exit code 75 says that some are waited for\n"
    "  --key FILE        its secret (default: as in dtrain keys --help)\n"
    "  --privacy-key FILE  of a private recipe: the secret that its noise follows from, a file of dtrain keys make "
    "(default:\n"
    "                    $DTRAIN_PRIVACY_KEY, or one that a new run makes for itself in ~/.config/dtrain)\n"
    "  --profile         say at the end where the time went\n"
    "  --trace FILE      also write every rank's spans, for ui.perfetto.dev or chrome://tracing\n"
    "  --help-recipe     every field of a recipe, with its default\n"
    "\n"
    "SIGINT, SIGTERM or SIGUSR1 to any rank: finish the step, write a checkpoint, exit with 75.\n";

typedef struct arguments {
    dt_cli_recipe recipe;
    bool help_recipe;
    dt_train_options options;
} arguments;

static dt_status parse_arguments(arguments *args, int argc, char **argv) {
    args->recipe.command = "train";
    args->options.resume = "auto";
    args->options.allowed = args->recipe.allowed;
    for (int i = 1; i < argc; i++) {
        dt_status status = dt_ok();
        const char *value;
        if (strcmp(argv[i], "--help-recipe") == 0)
            args->help_recipe = true;
        else if (strcmp(argv[i], "--profile") == 0)
            args->options.profile = true;
        else if ((value = dt_cli_option(argc, argv, &i, "--run", &status)) != NULL)
            args->options.run = value;
        else if (status.code == DT_OK && (value = dt_cli_option(argc, argv, &i, "--resume", &status)) != NULL)
            args->options.resume = value;
        else if (status.code == DT_OK && (value = dt_cli_option(argc, argv, &i, "--site", &status)) != NULL)
            args->options.site = value;
        else if (status.code == DT_OK && (value = dt_cli_option(argc, argv, &i, "--key", &status)) != NULL)
            args->options.key = value;
        else if (status.code == DT_OK && (value = dt_cli_option(argc, argv, &i, "--privacy-key", &status)) != NULL)
            args->options.privacy_key = value;
        else if (status.code == DT_OK && (value = dt_cli_option(argc, argv, &i, "--trace", &status)) != NULL)
            args->options.trace = value;
        else if (status.code == DT_OK)
            status = dt_cli_recipe_argument(&args->recipe, argc, argv, &i);
        DT_TRY(status);
    }
    return dt_ok();
}

/* --site and the recipe go together; each site of one recipe has a run directory of its own. */
static dt_status settle_site(const arguments *args, dt_recipe *recipe) {
    const char *site = args->options.site;
    if (!site && dt_recipe_has_mailbox(recipe))
        return dt_fail(DT_ERR_USAGE,
                       "the recipe has sites.members: say with --site NAME which one this is, or rehearse "
                       "with --set sites.simulate=%lld",
                       (long long)dt_recipe_sites_of(recipe));
    if (site && !dt_recipe_has_mailbox(recipe))
        return dt_fail(DT_ERR_USAGE, "--site %.60s: the recipe has no sites.members that are elsewhere", site);
    if (!site && args->options.key) return dt_fail(DT_ERR_USAGE, "--key goes with --site NAME");
    if (site) DT_TRY(dt_site_name_check(site));
    if (site && !recipe->run[0]) snprintf(recipe->run, sizeof recipe->run, "runs/%.120s-%s", recipe->name, site);
    return dt_ok();
}

void dt_cli_help_recipe(void) {
    char *fields = dt_recipe_help(), *trees = dt_recipe_trees_help(), *layers = dt_model_help();
    if (fields && trees && layers) dt_log_info("%s\n%s\n%s", fields, trees, layers);
    dt_free(fields);
    dt_free(trees);
    dt_free(layers);
}

/* The run's report, opened when it is first due. */
static dt_status show_run(void *context, const char *directory, bool ended) {
    dt_reporter **reporter = context;
    if (!*reporter) DT_TRY(dt_reporter_open(reporter, directory));
    return dt_reporter_write(*reporter, ended);
}

int dt_cli_train(dt_comm *comm, int argc, char **argv) {
    arguments args;
    memset(&args, 0, sizeof args);
    dt_recipe recipe;
    memset(&recipe, 0, sizeof recipe);
    dt_outcome outcome = DT_OUTCOME_DONE;
    dt_status status = dt_comm_agree(comm, parse_arguments(&args, argc, argv));
    if (status.code == DT_OK && args.help_recipe) {
        if (dt_comm_rank(comm) == 0) dt_cli_help_recipe();
        return 0;
    }
    if (status.code == DT_OK) status = dt_comm_agree(comm, dt_cli_recipe_read(&args.recipe, &recipe));
    if (status.code == DT_OK) status = dt_comm_agree(comm, settle_site(&args, &recipe));
    args.options.live = dt_process_terminal(STDOUT_FILENO, NULL);
    dt_reporter *reporter = NULL;
    args.options.show = show_run;
    args.options.show_context = &reporter;
    if (status.code == DT_OK) status = dt_train_run(comm, &recipe, &args.options, &outcome);
    dt_reporter_close(reporter);
    dt_recipe_finish(&recipe);
    if (status.code == DT_OK && outcome == DT_OUTCOME_STOPPED) return 75;
    return dt_cli_report(comm, &status);
}
