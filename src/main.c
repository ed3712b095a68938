/* dtrain: the table of commands. MPI is started for those that work with ranks, and for no other, so that inspecting a
 * file needs no launcher. */
#include <mpi.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "base/log.h"
#include "base/process.h"
#include "cli/cli.h"
#include "cli/signals.h"

typedef struct command {
    const char *name;
    bool ranks;
    int (*run)(dt_comm *comm, int argc, char **argv);
    const char *usage;
    const char *help;
    void (*print_more)(void); /* behind the usage; NULL: there is no more */
} command;

static const command commands[] = {
    {"train", true, dt_cli_train, dt_usage_train, "train a recipe, or go on with a run (the default command)", NULL},
    {"eval", true, dt_cli_eval, dt_usage_eval, "loss and accuracy of a checkpoint on a dataset", NULL},
    {"predict", true, dt_cli_predict, dt_usage_predict, "what a trained model says of samples, into a file", NULL},
    {"sample", false, dt_cli_sample, dt_usage_sample, "text from a checkpoint of a text model", NULL},
    {"top", false, dt_cli_top, dt_usage_top, "a run as it goes, in a terminal, from another shell", NULL},
    {"init", false, dt_cli_init, dt_usage_init, "a first recipe for a data set", NULL},
    {"inspect", false, dt_cli_inspect, dt_usage_inspect,
     "what is in a checkpoint, dataset, metrics file or any HDF5 file", NULL},
    {"verify", false, dt_cli_verify, dt_usage_verify, "check every hash of a checkpoint, or of all of a run", NULL},
    {"audit", true, dt_cli_audit, dt_usage_audit, "random intervals of a run, computed again and compared", NULL},
    {"dispute", true, dt_cli_dispute, dt_usage_dispute, "where two runs of one recipe part, and who is right", NULL},
    {"report", false, dt_cli_report_page, dt_usage_report, "a run, or several, as one page for a browser", NULL},
    {"merge", false, dt_cli_merge, dt_usage_merge, "one checkpoint from several of one model", NULL},
    {"keys", false, dt_cli_keys, dt_usage_keys, "the keys of a site that trains with others", NULL},
    {"bench", true, dt_cli_bench, dt_usage_bench, "measure the machine, and a recipe against it", NULL},
    {"import weights", true, dt_cli_import_weights, dt_usage_import_weights, "begin a run with weights from elsewhere",
     NULL},
    {"import", false, dt_cli_import, dt_usage_import, "make a dataset from files of another format",
     dt_cli_import_kinds},
    {"split", false, dt_cli_split, dt_usage_split, "a data set as files for several sites", NULL},
    {"export", false, dt_cli_export, dt_usage_export, "a trained model as files of other frameworks",
     dt_cli_export_formats},
};
#define COMMAND_COUNT ((int)(sizeof commands / sizeof *commands))

static void print_help(void) {
    printf("dtrain " DT_VERSION ": trains neural networks data-parallel over MPI ranks\n\n"
           "usage: mpirun -n RANKS dtrain [COMMAND] [ARGUMENTS]\n\n");
    for (int i = 0; i < COMMAND_COUNT; i++) printf("  %-14s  %s\n", commands[i].name, commands[i].help);
    printf("\n  dtrain COMMAND --help         how to use one command\n"
           "  dtrain train --help-recipe    every field of a recipe\n"
           "  dtrain --version [--verbose]  what this is, and what it was built with\n\n"
           "Without a command dtrain trains its built-in recipe: Fashion-MNIST from data/fashion-mnist.h5.\n"
           "Exit codes: 0 done, 1 error, 2 wrong use, 75 stopped early (run the same command again to go on).\n");
}

/* The exit code of a command whose own is `code`: what standard output did not take is a result lost. */
static int finish_output(int code) {
    return code != 0 || dt_log_finish() ? code : 1;
}

static int run_with_ranks(const command *chosen, int argc, char **argv) {
    dt_signals_catch();
    dt_comm *comm;
    dt_status status = dt_comm_open(&comm, NULL, NULL);
    if (status.code != DT_OK) {
        dt_log_error("%s", status.message);
        return dt_status_exit_code(&status);
    }
    dt_signals_catch(); /* MPI_Init may have put its own in place */
    dt_log_setup(dt_log_threshold(), dt_comm_rank(comm) == 0);
    int code = chosen->run(comm, argc, argv);
    int last = finish_output(code); /* rank 0's may be another than the others' */
    if (code == 1) dt_comm_leave(comm, code);
    dt_comm_close(comm);
    return last;
}

/* Also known to the other ranks' launcher: rank 0 is to speak before any of them ends with an error. */
static int refuse_command(dt_comm *comm, int argc, char **argv) {
    (void)argc;
    char known[256] = "";
    for (int i = 0; i < COMMAND_COUNT; i++)
        dt_append(known, sizeof known, "%s%s", i == 0 ? "" : i + 1 < COMMAND_COUNT ? ", " : " and ", commands[i].name);
    dt_status status = dt_fail(DT_ERR_USAGE, "\"%s\" is not a command; there are %s (dtrain --help)", argv[0], known);
    return dt_cli_report(comm, &status);
}

static const command unknown = {"", true, refuse_command, "", "", NULL};

/* Of how many words, at most two, a command's name is that these arguments begin with; 0: it is another command. */
static int words_of(const command *one, int argc, char **argv) {
    const char *space = strchr(one->name, ' ');
    if (!space) return argc > 0 && strcmp(argv[0], one->name) == 0;
    size_t first = (size_t)(space - one->name);
    bool both = argc > 1 && strlen(argv[0]) == first && strncmp(argv[0], one->name, first) == 0 &&
                strcmp(argv[1], space + 1) == 0;
    return both ? 2 : 0;
}

int main(int argc, char **argv) {
    dt_signals_begin();
    const char *first = argc > 1 ? argv[1] : "";
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "help") == 0) {
        print_help();
        return finish_output(0);
    }
    if (strcmp(first, "--version") == 0) {
        dt_cli_version(argc > 2 && strcmp(argv[2], "--verbose") == 0);
        return finish_output(0);
    }
    /* Options without a command belong to train. */
    bool implied = argc == 1 || first[0] == '-';
    const command *chosen = implied ? &commands[0] : NULL;
    int words = 1;
    for (int i = 0; i < COMMAND_COUNT && !chosen; i++)
        if ((words = words_of(&commands[i], argc - 1, argv + 1)) > 0) chosen = &commands[i];
    if (!chosen) chosen = &unknown;
    char **rest = implied ? argv : argv + (words > 1 ? words : 1);
    int count = argc - (int)(rest - argv);
    bool trains = chosen == &commands[0];
    for (int i = 1; i < count; i++) {
        if (trains && strcmp(rest[i], "--help-recipe") == 0 && dt_process_ranks() <= 1) {
            dt_cli_help_recipe();
            return finish_output(0);
        }
        if (strcmp(rest[i], "--help") != 0 && strcmp(rest[i], "-h") != 0) continue;
        fputs(chosen->usage, stdout);
        if (chosen->print_more) chosen->print_more();
        return finish_output(0);
    }
    return chosen->ranks ? run_with_ranks(chosen, count, rest) : finish_output(chosen->run(NULL, count, rest));
}
