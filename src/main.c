/* dtrain: the table of commands. MPI is started for those that work with ranks, and for no other, so that inspecting a
 * file needs no launcher. */
#include <mpi.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "dtrain/log.h"
#include "dtrain/train.h"

typedef struct command {
    const char *name;
    bool ranks;
    int (*run)(dt_comm *comm, int argc, char **argv);
    const char *usage;
    const char *help;
} command;

static const command commands[] = {
    {"train", true, dt_cli_train, dt_usage_train, "train a recipe, or go on with a run (the default command)"},
    {"eval", true, dt_cli_eval, dt_usage_eval, "loss and accuracy of a checkpoint on a dataset"},
    {"inspect", false, dt_cli_inspect, dt_usage_inspect,
     "what is in a checkpoint, dataset, metrics file or any HDF5 file"},
    {"verify", false, dt_cli_verify, dt_usage_verify, "check every hash of a checkpoint, or of all of a run"},
    {"bench", true, dt_cli_bench, dt_usage_bench, "measure the machine, and a recipe against it"},
    {"import", false, dt_cli_import, dt_usage_import, "make a dataset from files of another format"},
};
#define COMMAND_COUNT ((int)(sizeof commands / sizeof *commands))

static void print_help(void) {
    printf("dtrain " DT_VERSION ": trains neural networks data-parallel over MPI ranks\n\n"
           "usage: mpirun -n RANKS dtrain [COMMAND] [ARGUMENTS]\n\n");
    for (int i = 0; i < COMMAND_COUNT; i++) printf("  %-8s %s\n", commands[i].name, commands[i].help);
    printf("\n  dtrain COMMAND --help       how to use one command\n"
           "  dtrain train --help-recipe  every field of a recipe\n"
           "  dtrain --version\n\n"
           "Without a command dtrain trains its built-in recipe: Fashion-MNIST from data/fashion-mnist.h5.\n"
           "Exit codes: 0 done, 1 error, 2 wrong use, 75 stopped early (run the same command again to go on).\n");
}

/* The first signal asks for a checkpoint and a stop; one that comes later than half a second ends the process at once.
 * (Launchers and schedulers often deliver the same signal twice in a row: to the process, and through mpirun.) */
static void on_signal(int number) {
    static volatile sig_atomic_t asked;
    static struct timespec first;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (asked && (double)(now.tv_sec - first.tv_sec) + 1e-9 * (double)(now.tv_nsec - first.tv_nsec) > 0.5)
        _exit(128 + number);
    if (!asked) first = now;
    asked = 1;
    dt_train_request_stop();
}

static void catch_signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
}

static int run_with_ranks(const command *chosen, int argc, char **argv) {
    catch_signals();
    dt_comm *comm;
    dt_status status = dt_comm_open(&comm, NULL, NULL);
    if (status.code != DT_OK) {
        dt_log_error("%s", status.message);
        return dt_status_exit_code(&status);
    }
    catch_signals(); /* MPI_Init may have put its own in place */
    dt_log_setup(dt_log_threshold(), dt_comm_rank(comm) == 0);
    int code = chosen->run(comm, argc, argv);
    fflush(stdout);
    if (code == 1) dt_comm_leave(comm, code);
    dt_comm_close(comm);
    return code;
}

/* Also known to the other ranks' launcher: rank 0 is to speak before any of them ends with an error. */
static int refuse_command(dt_comm *comm, int argc, char **argv) {
    (void)argc;
    dt_status status = dt_fail(DT_ERR_USAGE,
                               "\"%s\" is not a command; there are train, eval, bench, inspect, verify and import "
                               "(dtrain --help)",
                               argv[0]);
    return dt_cli_report(comm, &status);
}

static const command unknown = {"", true, refuse_command, "", ""};

int main(int argc, char **argv) {
    const char *first = argc > 1 ? argv[1] : "";
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "help") == 0) {
        print_help();
        return 0;
    }
    if (strcmp(first, "--version") == 0) {
        printf("dtrain " DT_VERSION "\n");
        return 0;
    }
    /* Options without a command belong to train. */
    bool implied = argc == 1 || first[0] == '-';
    const command *chosen = implied ? &commands[0] : NULL;
    for (int i = 0; i < COMMAND_COUNT && !chosen; i++)
        if (strcmp(first, commands[i].name) == 0) chosen = &commands[i];
    if (!chosen) chosen = &unknown;
    char **rest = implied ? argv : argv + 1;
    int count = implied ? argc : argc - 1;
    for (int i = 1; i < count; i++) {
        if (strcmp(rest[i], "--help") != 0 && strcmp(rest[i], "-h") != 0) continue;
        fputs(chosen->usage, stdout);
        return 0;
    }
    return chosen->ranks ? run_with_ranks(chosen, count, rest) : chosen->run(NULL, count, rest);
}
