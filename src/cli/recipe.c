/* The recipe on a command line: its file and --set options, for the commands that take one. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

static dt_status add_set(dt_cli_recipe *args, const char *set) {
    if (args->set_count == DT_CLI_SETS) return dt_fail(DT_ERR_USAGE, "more than %d --set options", DT_CLI_SETS);
    const char *equals = strchr(set, '=');
    if (!equals || equals == set)
        return dt_fail(DT_ERR_USAGE, "--set %s: it must be KEY=VALUE, for example optimizer.lr=0.01", set);
    int i = args->set_count++;
    args->sets[i] = set;
    snprintf(args->keys[i], sizeof args->keys[i], "%.*s", (int)(equals - set), set);
    args->allowed[i] = args->keys[i];
    return dt_ok();
}

dt_status dt_cli_recipe_argument(dt_cli_recipe *args, int argc, char **argv, int *at) {
    dt_status status = dt_ok();
    const char *set = dt_cli_option(argc, argv, at, "--set", &status);
    if (set) return add_set(args, set);
    DT_TRY(status);
    if (argv[*at][0] == '-')
        return dt_fail(DT_ERR_USAGE, "%s has no option %s (see dtrain %s --help)", args->command, argv[*at],
                       args->command);
    if (args->path)
        return dt_fail(DT_ERR_USAGE, "two recipes, %s and %s; %s takes one", args->path, argv[*at], args->command);
    args->path = argv[*at];
    return dt_ok();
}

/* "launch/recipes/mnist-mlp.yaml" → "mnist-mlp" */
static void base_name(const char *path, char out[DT_TEXT_MAX]) {
    const char *slash = strrchr(path, '/');
    snprintf(out, DT_TEXT_MAX, "%s", slash ? slash + 1 : path);
    char *dot = strrchr(out, '.');
    if (dot && dot != out) *dot = '\0';
}

dt_status dt_cli_recipe_read(const dt_cli_recipe *args, dt_recipe *recipe) {
    dt_yaml *root;
    char name[DT_TEXT_MAX] = "default";
    if (args->path) {
        base_name(args->path, name);
        DT_TRY(dt_yaml_parse_file(&root, args->path));
    } else {
        DT_TRY(dt_yaml_parse_text(&root, DT_RECIPE_DEFAULT_NAME, dt_recipe_default_text));
    }
    dt_status status = dt_ok();
    for (int i = 0; i < args->set_count && status.code == DT_OK; i++) status = dt_yaml_assign(root, args->sets[i]);
    if (status.code == DT_OK) status = dt_recipe_decode(recipe, root, name);
    dt_yaml_destroy(root);
    return status;
}
