/* dtrain predict: what a trained model says of samples. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli.h"
#include "data_sets.h"
#include "run/predict.h"

const char dt_usage_predict[] =
    "usage: mpirun -n RANKS dtrain predict CHECKPOINT|RUN -o OUT [--data FILE[:DATASET]]...\n"
    "                                      [--split test|validation|train|all] [--top K] [--layer NAME]...\n"
    "                                      [--format h5|npy|csv] [--batch N]\n"
    "\n"
    "Outputs of a checkpoint, or of a run directory's newest one that verifies, for samples, into a file. Targets are "
    "not\n"
    "needed. The file appears when it is complete, in the place of an older one; the same numbers on any number of "
    "ranks.\n"
    "\n"
    "  mpirun -n 4 dtrain predict runs/fashion-mlp -o predictions.h5\n"
    "\n"
    "  -o OUT                what to write, HDF5 (.h5), NumPy (.npy) or text (.csv):\n"
    "                          /output   a row for each sample, in their order: probabilities by the loss's softmax "
    "or\n"
    "                                    logistic function, or values; of a text at each position, [samples, T, "
    "vocabulary]\n"
    "                          /class    the class chosen, by the label it has in the data\n"
    "                          /token    of texts: where in the data the sample begins; /row of part of a dataset\n"
    "                          /NAME     activations of a layer, for each --layer\n"
    "                        NumPy's files have one array each: OUT.npy, OUT.class.npy, … CSV has a line\n"
    "                        for each sample, of a text for each position.\n"
    "  --data FILE[:DATASET] the samples, when they are not the recipe's: a file of the same layout, or any dataset in "
    "it.\n"
    "                        Given several times, they are predicted one after the other, as one\n"
    "  --split NAME          test, validation, train or all: which of the recipe's samples (test)\n"
    "  --top K               the K most likely classes instead of all outputs, for many classes or a text: /top, the "
    "most\n"
    "                        likely first, and /top_log_probability, natural logarithms; of a text also\n"
    "                        /log_probability, that of the token that comes next in it (NaN: not there, or told "
    "before)\n"
    "  --layer NAME          what this layer gives for each sample, too: names as dtrain inspect shows them before "
    "the\n"
    "                        tensors'; a wrong one is answered with all there are\n"
    "  --format h5|npy|csv   when OUT ends otherwise\n"
    "  --batch N             samples at a time and rank; changes no bit. Fewer than a piece of the model's (at most "
    "128)\n"
    "                        are slow, for whole pieces are computed\n"
    "\n"
    "The digest in the last line is of all outputs in their order, the same for the same outputs.\n";

/* A number from 1 to `most`. */
static bool take_count(int64_t *out, const char *value, long long most) {
    char *end;
    errno = 0;
    long long count = strtoll(value, &end, 10);
    if (strspn(value, "0123456789") != strlen(value) || *end || errno != 0 || count < 1 || count > most) return false;
    *out = count;
    return true;
}

static dt_status take_batch(dt_predict_options *options, const char *value) {
    if (take_count(&options->batch, value, 1000000000)) return dt_ok();
    return dt_fail(DT_ERR_USAGE, "--batch is \"%.40s\"; it must be a number of samples, at least 1", value);
}

static dt_status take_top(dt_predict_options *options, const char *value) {
    if (take_count(&options->top, value, DT_RESULTS_TOP)) return dt_ok();
    return dt_fail(DT_ERR_USAGE, "--top is \"%.40s\"; it must be a number of classes, from 1 to %d", value,
                   DT_RESULTS_TOP);
}

static dt_status take_layer(dt_predict_options *options, const char *value) {
    if (options->layer_count == DT_RESULTS_MOST)
        return dt_fail(DT_ERR_USAGE, "--layer is given more than %d times", DT_RESULTS_MOST);
    options->layers[options->layer_count++] = value;
    return dt_ok();
}

/* argv[*at], where it is an option with a value. */
static dt_status take_option(dt_predict_options *options, dt_data_sets *data, const char **split, int argc, char **argv,
                             int *at, bool *taken) {
    const char *named = NULL, *batch = NULL, *layer = NULL, *top = NULL;
    const struct {
        const char *name, **to;
    } all[] = {{"-o", &options->out}, {"--data", &named},  {"--split", split}, {"--format", &options->format},
               {"--batch", &batch},   {"--layer", &layer}, {"--top", &top}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        dt_status status = dt_ok();
        const char *value = dt_cli_option(argc, argv, at, all[i].name, &status);
        if (!value && status.code == DT_OK) continue;
        DT_TRY(status);
        *taken = true;
        *all[i].to = value;
        if (batch) return take_batch(options, batch);
        if (layer) return take_layer(options, layer);
        if (top) return take_top(options, top);
        return named ? dt_data_sets_add(data, (char *)named) : dt_ok();
    }
    *taken = false;
    return dt_ok();
}

static dt_status check(dt_predict_options *options, const char *split) {
    if (!options->target)
        return dt_fail(DT_ERR_USAGE, "predict needs a checkpoint or a run directory (see dtrain predict --help)");
    if (!options->out)
        return dt_fail(DT_ERR_USAGE, "predict needs -o OUT, a file to write (see dtrain predict --help)");
    options->unsaid = !split;
    options->all = split && strcmp(split, "all") == 0;
    options->split = DT_SPLIT_TEST;
    if (!split || options->all || dt_split_named(split, &options->split)) return dt_ok();
    return dt_fail(DT_ERR_USAGE, "--split is \"%s\"; it must be test, validation, train or all", split);
}

static dt_status parse_arguments(dt_predict_options *options, dt_data_sets *data, int argc, char **argv) {
    const char *split = NULL;
    DT_TRY(dt_data_sets_create(data, argc));
    for (int i = 1; i < argc; i++) {
        bool taken;
        DT_TRY(take_option(options, data, &split, argc, argv, &i, &taken));
        if (taken) continue;
        if (argv[i][0] == '-')
            return dt_fail(DT_ERR_USAGE, "predict has no option %s (see dtrain predict --help)", argv[i]);
        if (options->target)
            return dt_fail(DT_ERR_USAGE, "two checkpoints, %s and %s; predict takes one", options->target, argv[i]);
        options->target = argv[i];
    }
    DT_TRY(dt_data_sets_check(data, split));
    options->data = data->all;
    options->data_count = data->count;
    return check(options, split);
}

int dt_cli_predict(dt_comm *comm, int argc, char **argv) {
    dt_predict_options options;
    dt_data_sets data = {.count = 0};
    memset(&options, 0, sizeof options);
    dt_status status = dt_comm_agree(comm, parse_arguments(&options, &data, argc, argv));
    if (status.code == DT_OK) status = dt_predict_run(comm, &options);
    dt_free(data.all);
    return dt_cli_report(comm, &status);
}
