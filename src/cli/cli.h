/* The commands. Each takes its own arguments (argv[0] is its name) and returns the program's exit code. */
#ifndef DTRAIN_CLI_H
#define DTRAIN_CLI_H

#include "base/status.h"
#include "comm/comm.h"
#include "config/recipe.h"

/* `comm` is NULL for commands that need no ranks. */
int dt_cli_train(dt_comm *comm, int argc, char **argv);
int dt_cli_eval(dt_comm *comm, int argc, char **argv);
int dt_cli_predict(dt_comm *comm, int argc, char **argv);
int dt_cli_sample(dt_comm *comm, int argc, char **argv);
int dt_cli_inspect(dt_comm *comm, int argc, char **argv);
int dt_cli_init(dt_comm *comm, int argc, char **argv);
int dt_cli_verify(dt_comm *comm, int argc, char **argv);
int dt_cli_report_page(dt_comm *comm, int argc, char **argv);
int dt_cli_merge(dt_comm *comm, int argc, char **argv);
int dt_cli_import_weights(dt_comm *comm, int argc, char **argv);
int dt_cli_import(dt_comm *comm, int argc, char **argv);
int dt_cli_export(dt_comm *comm, int argc, char **argv);
int dt_cli_keys(dt_comm *comm, int argc, char **argv);
int dt_cli_bench(dt_comm *comm, int argc, char **argv);
int dt_cli_split(dt_comm *comm, int argc, char **argv);
int dt_cli_audit(dt_comm *comm, int argc, char **argv);
int dt_cli_dispute(dt_comm *comm, int argc, char **argv);
int dt_cli_top(dt_comm *comm, int argc, char **argv);

/* Every field of a recipe. */
void dt_cli_help_recipe(void);
/* `dtrain --version`; verbose: also what it was built with and runs on, as lines of YAML, for reports of bugs. */
void dt_cli_version(bool verbose);

/* Usage texts, for the command's own --help. */
extern const char dt_usage_train[], dt_usage_eval[], dt_usage_predict[], dt_usage_sample[], dt_usage_inspect[],
    dt_usage_init[], dt_usage_verify[], dt_usage_report[], dt_usage_merge[], dt_usage_import_weights[],
    dt_usage_import[], dt_usage_export[], dt_usage_bench[], dt_usage_split[], dt_usage_top[], dt_usage_keys[],
    dt_usage_audit[], dt_usage_dispute[];

/* What `import --help` says besides: every importer with its options. */
void dt_cli_import_kinds(void);
/* And `export --help`: every format. */
void dt_cli_export_formats(void);

/* The value of an option that takes one: "--name VALUE" or "--name=VALUE" at argv[*at]; NULL when argv[*at] is another
 * argument. Moves *at past the value. A missing value is put into *status. */
const char *dt_cli_option(int argc, char **argv, int *at, const char *name, dt_status *status);

/* RECIPE.yaml and --set KEY=VALUE, for commands that take them. Zeroed but for the command's name. */
#define DT_CLI_SETS 256
typedef struct dt_cli_recipe {
    const char *command;
    const char *path; /* NULL: the built-in recipe */
    const char *sets[DT_CLI_SETS];
    char keys[DT_CLI_SETS][128]; /* of the sets: fields allowed to differ from the checkpoint's */
    const char *allowed[DT_CLI_SETS + 1];
    int set_count;
} dt_cli_recipe;
/* Takes argv[*at], which no other option of the command is, and moves *at past its value. */
dt_status dt_cli_recipe_argument(dt_cli_recipe *args, int argc, char **argv, int *at);
/* The recipe is to dt_recipe_finish, also after a failure. */
dt_status dt_cli_recipe_read(const dt_cli_recipe *args, dt_recipe *recipe);

/* Prints a failure once (rank 0 prints for all, as all ranks have the same) and gives the exit code. */
int dt_cli_report(dt_comm *comm, const dt_status *status);

#endif
