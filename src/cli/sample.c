/* dtrain sample: text from a trained text model. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "cli.h"
#include "use/sample.h"

const char dt_usage_sample[] =
    "usage: dtrain sample CHECKPOINT|RUN [--prompt TEXT | --prompt-file FILE] [--tokens N] [--samples N]\n"
    "                     [--temperature T] [--top-k K] [--top-p P] [--seed S] [--weights bf16|float32] [--stats]\n"
    "\n"
    "Text from a checkpoint, or a run directory's newest one that verifies, of a model that predicts the next token. "
    "It\n"
    "goes to standard output as it comes, behind the prompt, and nothing else does. Needs no ranks.\n"
    "\n"
    "  --prompt TEXT         what the text begins with, in characters of the checkpoint's vocabulary; without one it\n"
    "                        begins after a newline (after token 0 where the vocabulary has none), which is not shown\n"
    "  --prompt-file FILE    the same from a file; - is standard input\n"
    "  --tokens N            tokens after the prompt (500)\n"
    "  --samples N           so many texts, each under a line `==> sample 1 <==` (1); they are independent of each\n"
    "                        other and of how many there are\n"
    "  --temperature T       outputs are divided by T: below 1 the likely becomes likelier; 0 takes the likeliest (1)\n"
    "  --top-k K             then only the K likeliest tokens are left; 0 leaves all (0)\n"
    "  --top-p P             then only the likeliest that have the share P of the probability together (1)\n"
    "  --seed S              the same seed gives the same text, on any processor (1)\n"
    "  --weights bf16        what products multiply is rounded to bfloat16, 8 bits of precision, for half the memory\n"
    "                        traffic; without it that is so if the model was trained with compute.precision bf16\n"
    "  --weights float32     nothing is rounded\n"
    "  --stats               a last line on standard error: tokens, and tokens a second; also when that is a terminal\n"
    "\n"
    "A token costs one reading of the weights, and of what attention keeps of the positions before. Attention and "
    "learned\n"
    "positions know data.context positions: when these are full, the newest half is read again as the beginning of a "
    "new\n"
    "window, which doubles the mean cost of a token from there on. Recurrent models just go on. A character of "
    "several\n"
    "tokens is written when it is whole; bytes that are no character are written as they are.\n";

/* An option with a number for its value. */
typedef struct number_option {
    const char *name;
    size_t offset; /* into dt_sample_options */
    bool whole;    /* an int64_t; else a double */
    double min, max;
    bool above; /* the minimum itself is not allowed */
    const char *must;
} number_option;

#define OPTION(option, member) .name = option, .offset = offsetof(dt_sample_options, member)

static const number_option numbers[] = {
    {OPTION("--tokens", tokens), .whole = true, .max = 1e12, .must = "a number of tokens, at least 0"},
    {OPTION("--samples", samples), .whole = true, .min = 1, .max = 1e9, .must = "a number of texts, at least 1"},
    {OPTION("--temperature", temperature), .max = 1e9, .must = "a number, at least 0"},
    {OPTION("--top-k", top_k), .whole = true, .max = 1e12, .must = "a number of tokens, at least 0"},
    {OPTION("--top-p", top_p), .max = 1, .above = true, .must = "a number above 0 and at most 1"},
    {OPTION("--seed", seed), .whole = true, .max = 9e15, .must = "a whole number from 0 to 9e15"},
};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

static dt_status set_number(dt_sample_options *options, const number_option *option, const char *value) {
    char *member = (char *)options + option->offset, *end;
    errno = 0;
    bool digits = strspn(value, option->whole ? "0123456789" : "0123456789.eE+-") == strlen(value);
    double number = strtod(value, &end);
    bool fits = digits && end != value && !*end && errno == 0 && number >= option->min && number <= option->max;
    if (!fits || (option->above && number <= option->min))
        return dt_fail(DT_ERR_USAGE, "%s is \"%s\"; it must be %s", option->name, value, option->must);
    if (option->whole)
        memcpy(member, &(int64_t){strtoll(value, NULL, 10)}, sizeof(int64_t));
    else
        memcpy(member, &number, sizeof number);
    return dt_ok();
}

/* What the command line says beyond the options of the run. */
typedef struct arguments {
    dt_sample_options options;
    const char *prompt, *prompt_file;
    bool stats;
} arguments;

/* argv[*at], where it is an option with a value. */
static dt_status take_option(arguments *args, int argc, char **argv, int *at, bool *taken) {
    dt_status status = dt_ok();
    const char *value, *weights;
    *taken = true;
    for (int i = 0; i < NUMBERS; i++) {
        value = dt_cli_option(argc, argv, at, numbers[i].name, &status);
        if (value || status.code != DT_OK) return value ? set_number(&args->options, &numbers[i], value) : status;
    }
    const struct {
        const char *name, **to;
    } texts[] = {{"--prompt", &args->prompt}, {"--prompt-file", &args->prompt_file}, {"--weights", &weights}};
    for (int i = 0; i < 3; i++) {
        value = dt_cli_option(argc, argv, at, texts[i].name, &status);
        if (!value && status.code == DT_OK) continue;
        DT_TRY(status);
        *texts[i].to = value;
        if (i < 2) return dt_ok();
        args->options.weights = value;
        if (strcmp(value, "float32") == 0 || strcmp(value, "bf16") == 0) return dt_ok();
        return dt_fail(DT_ERR_USAGE, "--weights is \"%s\"; it must be bf16 or float32", value);
    }
    *taken = false;
    return dt_ok();
}

static dt_status parse_arguments(arguments *args, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        bool taken;
        DT_TRY(take_option(args, argc, argv, &i, &taken));
        if (taken) continue;
        if (strcmp(argv[i], "--stats") == 0)
            args->stats = true;
        else if (argv[i][0] == '-')
            return dt_fail(DT_ERR_USAGE, "sample has no option %s (see dtrain sample --help)", argv[i]);
        else if (args->options.target)
            return dt_fail(DT_ERR_USAGE, "two checkpoints, %s and %s; sample takes one", args->options.target, argv[i]);
        else
            args->options.target = argv[i];
    }
    if (!args->options.target)
        return dt_fail(DT_ERR_USAGE, "sample needs a checkpoint or a run directory (see dtrain sample --help)");
    if (args->prompt && args->prompt_file) return dt_fail(DT_ERR_USAGE, "--prompt and --prompt-file: give one of them");
    return dt_ok();
}

/* All of a file into *text, to dt_free. */
static dt_status read_stream(FILE *file, const char *name, char **text, size_t *bytes) {
    size_t room = 1 << 16;
    *text = dt_alloc(room, 1);
    while (*text && !feof(file) && !ferror(file)) {
        *bytes += fread(*text + *bytes, 1, room - *bytes, file);
        if (*bytes < room) continue;
        char *grown = dt_alloc(2 * room, 1);
        if (grown) memcpy(grown, *text, *bytes);
        dt_free(*text);
        *text = grown;
        room *= 2;
    }
    if (!*text) return dt_fail_memory("the prompt", room);
    return ferror(file) ? dt_fail(DT_ERR_IO, "%s: cannot be read: %s", name, strerror(errno)) : dt_ok();
}

static dt_status read_file(const char *name, char **text, size_t *bytes) {
    if (strcmp(name, "-") == 0) return read_stream(stdin, "standard input", text, bytes);
    int fd;
    DT_TRY(dt_status_within(dt_file_open_stream(name, &fd, NULL), "--prompt-file"));
    FILE *file = fdopen(fd, "rb");
    if (!file) close(fd);
    if (!file) return dt_fail_memory("the prompt", BUFSIZ);
    dt_status status = read_stream(file, name, text, bytes);
    fclose(file);
    return status;
}

static void print_stats(const dt_sample_figures *figures) {
    fprintf(stderr, "sample: %lld tokens, %.0f tokens/s\n", (long long)figures->tokens,
            figures->seconds > 0 ? (double)figures->tokens / figures->seconds : 0);
}

int dt_cli_sample(dt_comm *comm, int argc, char **argv) {
    arguments args;
    memset(&args, 0, sizeof args);
    args.options = (dt_sample_options){
        .prompt = "", .tokens = 500, .samples = 1, .temperature = 1, .top_p = 1, .seed = 1, .out = stdout};
    char *text = NULL;
    dt_status status = parse_arguments(&args, argc, argv);
    if (status.code == DT_OK && args.prompt) {
        args.options.prompt = args.prompt;
        args.options.prompt_bytes = strlen(args.prompt);
    }
    if (status.code == DT_OK && args.prompt_file) {
        status = read_file(args.prompt_file, &text, &args.options.prompt_bytes);
        args.options.prompt = text;
    }
    dt_sample_figures figures;
    signal(SIGPIPE, SIG_IGN); /* a reader that has enough is no failure: dt_sample_run looks for it */
    if (status.code == DT_OK) status = dt_sample_run(&args.options, &figures);
    if (status.code == DT_OK && args.options.samples == 1 && isatty(STDOUT_FILENO)) putchar('\n');
    if (status.code == DT_OK && (args.stats || isatty(STDERR_FILENO))) print_stats(&figures);
    dt_free(text);
    return dt_cli_report(comm, &status);
}
