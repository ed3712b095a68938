/* dtrain top: a run as it goes, seen from another shell. It reads the run's files and asks nobody, so the run may be on
 * another machine, over, or not begun. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/log.h"
#include "cli.h"
#include "report/picture.h"
#include "report/terminal.h"
#include "report/watch.h"

const char dt_usage_top[] =
    "usage: dtrain top RUN [--every SECONDS] [--once]\n"
    "\n"
    "The live view of a run directory: how far it is, loss, rates, time left, where its time goes, which ranks are "
    "late,\n"
    "its newest checkpoint, warnings. From any machine that sees the directory, while the run goes on, or when it is\n"
    "over. q or Ctrl-C leaves; the run does not notice. Where standard output is no terminal, one picture is printed.\n"
    "\n"
    "  --every SECONDS   between two looks (1)\n"
    "  --once            one picture, in a terminal too\n";

typedef struct arguments {
    const char *run;
    double every;
    bool once;
} arguments;

static dt_status parse_arguments(arguments *args, int argc, char **argv) {
    *args = (arguments){.every = 1};
    for (int i = 1; i < argc; i++) {
        dt_status status = dt_ok();
        const char *value;
        if (strcmp(argv[i], "--once") == 0) {
            args->once = true;
        } else if ((value = dt_cli_option(argc, argv, &i, "--every", &status)) != NULL) {
            char *end;
            args->every = strtod(value, &end);
            if (*end || end == value || !(args->every >= 0.1 && args->every <= 3600))
                status = dt_fail(DT_ERR_USAGE, "--every is \"%s\"; it must be seconds from 0.1 to 3600", value);
        } else if (status.code == DT_OK && argv[i][0] == '-') {
            status = dt_fail(DT_ERR_USAGE, "top has no option %s (see dtrain top --help)", argv[i]);
        } else if (status.code == DT_OK && args->run) {
            status = dt_fail(DT_ERR_USAGE, "two runs, %s and %s; top takes one", args->run, argv[i]);
        } else if (status.code == DT_OK) {
            args->run = argv[i];
        }
        DT_TRY(status);
    }
    return args->run ? dt_ok() : dt_fail(DT_ERR_USAGE, "top needs a run directory (see dtrain top --help)");
}

static const char *environment(const char *name) {
    const char *value = getenv(name); // NOLINT(concurrency-mt-unsafe)
    return value ? value : "";
}

/* As the locale says. The console of Linux has no font for the dots. */
static bool takes_utf8(void) {
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    if (strcmp(environment("TERM"), "linux") == 0) return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = environment(names[i]);
        if (*value) return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

static dt_status no_picture(void) {
    return dt_fail(DT_ERR_MEMORY, "there is no memory for the picture of a run");
}

static dt_status print_once(const dt_watch *watch) {
    dt_picture how = {.utf8 = takes_utf8()};
    dt_terminal_size(&how.width, &how.height);
    char *text = dt_picture_of(watch, &how);
    if (!text) return no_picture();
    fputs(text, stdout);
    free(text);
    return dt_ok();
}

static dt_status show(const dt_watch *watch) {
    dt_picture how = {.utf8 = takes_utf8(), .styled = !*environment("NO_COLOR"), .keys = true};
    dt_terminal_size(&how.width, &how.height);
    char *text = dt_picture_of(watch, &how);
    if (!text) return no_picture();
    dt_terminal_show(text);
    free(text);
    return dt_ok();
}

static dt_status follow(dt_watch *watch, double every) {
    for (;;) {
        char key = 0;
        DT_TRY(show(watch));
        dt_terminal_event event = dt_terminal_wait(every, &key);
        bool leaves = event == DT_TERMINAL_END || (event == DT_TERMINAL_KEY && (key == 'q' || key == 'Q'));
        if (leaves) return dt_ok();
        if (event == DT_TERMINAL_TIME) DT_TRY(dt_watch_look(watch, NULL));
    }
}

int dt_cli_top(dt_comm *comm, int argc, char **argv) {
    arguments args;
    dt_watch watch;
    memset(&watch, 0, sizeof watch);
    int signal = 0;
    dt_status status = parse_arguments(&args, argc, argv);
    if (status.code == DT_OK) status = dt_watch_open(&watch, args.run);
    bool live = !args.once && isatty(STDOUT_FILENO) && strcmp(environment("TERM"), "dumb") != 0;
    if (status.code == DT_OK && !live) status = print_once(&watch);
    if (status.code == DT_OK && live) {
        status = dt_terminal_open();
        if (status.code == DT_OK) {
            status = follow(&watch, args.every);
            signal = dt_terminal_close();
        }
    }
    dt_watch_close(&watch);
    if (status.code == DT_OK && signal != 0 && signal != SIGINT) return 128 + signal;
    return dt_cli_report(comm, &status);
}
