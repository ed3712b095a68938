/* The recipe: its fields, what they ask of each other, and what a resumed run may not change. A field that the chosen
 * optimizer, schedule or loss does not read must have its default: a `final` rate under a constant schedule is a
 * forgotten line more often than an intention, and would otherwise be ignored without a word. Two recipes compute the
 * same when all fields flagged DT_FIELD_ARITHMETIC and all layers are equal, compared in their resolved form. */
#include "config/recipe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "base/memory.h"
#include "config_internal.h"

/* ---- the table ---- */

static const char *const losses[] = {"softmax_cross_entropy", "mean_squared_error", "binary_cross_entropy", NULL};
static const char *const optimizers[] = {"sgd", "adam", "adamw", "rmsprop", "adagrad", NULL};
static const char *const schedules[] = {"constant", "step", "cosine", "linear", "one_cycle", NULL};
static const char *const paths[] = {"auto", "node", "flat", NULL};
static const char *const normalizes[] = {"given", "computed", NULL};
static const char *const samples[] = {"first", "last", NULL};
static const char *const channels[] = {"auto", "none", "first", "last", NULL};
static const char *const windows[] = {"random", "stream", NULL};
static const char *const objectives[] = {"next", "masked", "class", NULL};
static const char *const wires[] = {"i32", "i64", "f32", NULL};
static const char *const not_finite[] = {"stop", "skip", "rollback", NULL};
static const char *const bests[] = {"none", "test_loss", "test_accuracy", NULL};
static const char *const precisions[] = {"float32", "bf16", NULL};
static const char *const changes[] = {"refuse", "accept", NULL};
static const char *const isas[] = {"auto", "baseline", "avx2", "avx512", NULL};

#define NUMBERS DT_FIELD_ARITHMETIC
#define ROW(path, what, member, standard)                                                                              \
    .key = (path), .type = DT_FIELD_##what, .offset = offsetof(dt_recipe, member), .fallback = (standard)

/* clang-format off */
const dt_field dt_recipe_fields[] = {
    {ROW("name", TEXT, name, ""),
     .help = "name of the run (default: the file's name); letters, digits, . _ -"},
    {ROW("run", TEXT, run, ""),
     .help = "run directory (default: runs/<name>)"},
    {ROW("seed", INT, seed, "1"), .min = 0, .max = INFINITY, .flags = NUMBERS,
     .help = "seed of every random draw"},

    {ROW("data.file", TEXT, data.file, NULL), .min = 1, .flags = DT_FIELD_REQUIRED,
     .help = "the HDF5 file with the data"},
    {ROW("data.train_x", TEXT, data.train_x, "/train/x"), .min = 1, .flags = NUMBERS,
     .help = "dataset of the training samples"},
    {ROW("data.train_y", TEXT, data.train_y, "/train/y"), .min = 1, .flags = NUMBERS,
     .help = "dataset of their labels or targets"},
    {ROW("data.test_x", TEXT, data.test_x, "/test/x"), .flags = NUMBERS,
     .help = "dataset of the test samples; \"\" for none"},
    {ROW("data.test_y", TEXT, data.test_y, "/test/y"), .flags = NUMBERS,
     .help = "dataset of their labels or targets"},
    {ROW("data.samples", CHOICE, data.samples, "first"), .choices = samples, .flags = NUMBERS,
     .help = "which dimension of these datasets the samples are; files of MATLAB often have them last"},
    {ROW("data.normalize", CHOICE, data.normalize, "given"), .choices = normalizes, .flags = NUMBERS,
     .help = "where mean and std come from; computed: by channel, from the training samples, kept in checkpoints"},
    {ROW("data.mean", REAL, data.mean, "0"), .flags = NUMBERS,
     .help = "x is used as (x - mean)/std"},
    {ROW("data.std", REAL, data.std, "1"), .flags = NUMBERS | DT_FIELD_ABOVE,
     .help = "see data.mean"},
    {ROW("data.channels", CHOICE, data.channels, "auto"), .choices = channels, .flags = NUMBERS,
     .help = "which dimension of a sample they are; auto: the last, but none of two ([H, W])"},
    {ROW("data.shuffle", BOOL, data.shuffle, "true"), .flags = NUMBERS,
     .help = "a new order of the training samples every epoch"},
    {ROW("data.augment.crop_padding", INT, data.crop_padding, "0"), .max = 1e6, .flags = NUMBERS,
     .help = "most pixels a training picture is moved up, down and sideways, zeros (of the file) following; 0: none"},
    {ROW("data.augment.flip", BOOL, data.flip, "false"), .flags = NUMBERS,
     .help = "half of the training pictures, drawn anew every epoch, are mirrored left to right"},
    {ROW("data.context", INT, data.context, "0"), .max = 1e6, .flags = NUMBERS,
     .help = "for text: tokens of a sample, the T of what follows; 0: the data is no text"},
    {ROW("data.train_tokens", TEXT, data.train_tokens, "/train/tokens"), .min = 1, .flags = NUMBERS,
     .help = "dataset of the training text's token ids, [N]; with objective class rows of them, [N, T]"},
    {ROW("data.test_tokens", TEXT, data.test_tokens, "/test/tokens"), .flags = NUMBERS,
     .help = "dataset of the test text's; \"\" for none"},
    {ROW("data.vocabulary", INT, data.vocabulary, "0"), .max = 16777215, .flags = NUMBERS,
     .help = "token ids are below this; 0: as many as the file's /vocab has"},
    {ROW("data.windows", CHOICE, data.windows, "random"), .choices = windows, .flags = NUMBERS,
     .help = "where a text's samples begin: anywhere, or each where the one in the same place of the last batch ended"},
    {ROW("data.objective", CHOICE, data.objective, "next"), .choices = objectives, .flags = NUMBERS,
     .help = "what is predicted: the next token at every place, masked tokens, or the class of a row (see data.train_y)"},
    {ROW("data.mask_rate", REAL, data.mask_rate, "0.15"), .max = 1, .flags = NUMBERS | DT_FIELD_ABOVE,
     .help = "share of a window's tokens that masked predicts, at least one: 80 % of them seen as the extra id, 10 % as another"},
    {ROW("data.pad", INT, data.pad, "-1"), .min = -1, .max = 16777215, .flags = NUMBERS,
     .help = "the id that fills up short rows, of class; the model sees -1 there"},
    {ROW("data.changed", CHOICE, data.changed, "refuse"), .choices = changes,
     .help = "what a run that goes on does where the data is not its checkpoint's; accept counts with --set only: epochs, "
             "train.steps and schedule begin anew, weights and moments stay"},
    {ROW("data.spool", TEXT, data.spool, ""),
     .help = "where data that cannot be mapped is unpacked (default: $TMPDIR or /tmp)"},

    {ROW("model.loss", CHOICE, loss.kind, "softmax_cross_entropy"), .choices = losses, .flags = NUMBERS,
     .help = "what is minimised"},
    {ROW("model.label_smoothing", REAL, loss.label_smoothing, "0"), .max = 1, .flags = NUMBERS | DT_FIELD_BELOW,
     .help = "share of a label spread over all classes"},

    {ROW("optimizer.kind", CHOICE, optimizer.kind, "adam"), .choices = optimizers, .flags = NUMBERS,
     .help = "update rule"},
    {ROW("optimizer.lr", REAL, optimizer.lr, "0.001"), .flags = NUMBERS | DT_FIELD_ABOVE,
     .help = "learning rate"},
    {ROW("optimizer.momentum", REAL, optimizer.momentum, "0"), .max = 1, .flags = NUMBERS | DT_FIELD_BELOW,
     .help = "of sgd and rmsprop"},
    {ROW("optimizer.nesterov", BOOL, optimizer.nesterov, "false"), .flags = NUMBERS,
     .help = "Nesterov's momentum, of sgd"},
    {ROW("optimizer.beta1", REAL, optimizer.beta1, "0.9"), .max = 1, .flags = NUMBERS | DT_FIELD_BELOW,
     .help = "decay of the first moment, of adam and adamw"},
    {ROW("optimizer.beta2", REAL, optimizer.beta2, "0.999"), .max = 1, .flags = NUMBERS | DT_FIELD_BELOW,
     .help = "decay of the second moment, of adam and adamw"},
    {ROW("optimizer.rho", REAL, optimizer.rho, "0.99"), .max = 1, .flags = NUMBERS | DT_FIELD_BELOW,
     .help = "decay of the mean square, of rmsprop"},
    {ROW("optimizer.eps", REAL, optimizer.eps, "1e-8"), .flags = NUMBERS | DT_FIELD_ABOVE,
     .help = "keeps divisors from zero; of all but sgd"},
    {ROW("optimizer.weight_decay", REAL, optimizer.weight_decay, "0"), .max = INFINITY, .flags = NUMBERS,
     .help = "decoupled: w -= lr*weight_decay*w"},
    {ROW("optimizer.l2", REAL, optimizer.l2, "0"), .max = INFINITY, .flags = NUMBERS,
     .help = "added to the gradient: g += l2*w"},
    {ROW("optimizer.clip_norm", REAL, optimizer.clip_norm, "0"), .max = INFINITY, .flags = NUMBERS,
     .help = "largest norm of the gradient; 0: any"},
    {ROW("optimizer.clip_value", REAL, optimizer.clip_value, "0"), .max = INFINITY, .flags = NUMBERS,
     .help = "largest size of an element of the gradient; 0: any"},

    {ROW("schedule.kind", CHOICE, schedule.kind, "constant"), .choices = schedules, .flags = NUMBERS,
     .help = "course of the learning rate"},
    {ROW("schedule.warmup", INT, schedule.warmup, "0"), .max = 1e12, .flags = NUMBERS,
     .help = "first steps, over which the rate rises linearly"},
    {ROW("schedule.period", INT, schedule.period, "1000"), .min = 1, .max = 1e12, .flags = NUMBERS,
     .help = "steps between two drops, of step"},
    {ROW("schedule.factor", REAL, schedule.factor, "0.1"), .max = 1, .flags = NUMBERS | DT_FIELD_ABOVE,
     .help = "what a drop multiplies the rate with, of step"},
    {ROW("schedule.final", REAL, schedule.final, "0"), .max = 1, .flags = NUMBERS,
     .help = "last rate as a share of optimizer.lr, of cosine, linear and one_cycle"},
    {ROW("schedule.initial", REAL, schedule.initial, "0.04"), .max = 1, .flags = NUMBERS,
     .help = "first rate as a share of optimizer.lr, of one_cycle"},
    {ROW("schedule.peak", REAL, schedule.peak, "0.3"), .max = 1, .flags = NUMBERS,
     .help = "where the full rate is reached, as a share of all steps, of one_cycle"},

    {ROW("train.epochs", INT, train.epochs, "5"), .min = 1, .max = 1e9,
     .help = "passes over the training data"},
    {ROW("train.steps", INT, train.steps, "0"), .max = 1e12,
     .help = "steps of the run, whatever train.epochs says; 0: as many as the epochs have"},
    {ROW("train.batch", INT, train.batch, "32"), .min = 1, .max = 1e9, .flags = NUMBERS,
     .help = "samples a step, over all ranks"},
    {ROW("train.micro_batch", INT, train.micro_batch, "0"), .max = 1e9, .flags = NUMBERS,
     .help = "samples at once within a shard, to save memory; 0: all. batch_norm normalises each lot by itself"},
    {ROW("train.shards", INT, train.shards, "0"), .max = 1e9, .flags = NUMBERS,
     .help = "parts of every batch, and the most ranks that can work; 0: the ranks at first start"},
    {ROW("train.stop_after", SPAN, train.stop_after, "never"), .max = 1e12,
     .help = "stop early with exit code 75, so that the same command goes on"},
    {ROW("train.eval_every", SPAN, train.eval_every, "1 epoch"), .max = 1e12,
     .help = "between two evaluations on the test data"},
    {ROW("train.log_every", SPAN, train.log_every, "500 steps"), .max = 1e12,
     .help = "between two lines of progress"},
    {ROW("train.check_every", INT, train.check_every, "500"), .max = 1e12,
     .help = "steps between two comparisons of the replicas (see reduce.path), made before checkpoints too; 0: never"},
    {ROW("train.timeout", REAL, train.timeout, "300"), .max = 1e6,
     .help = "seconds a rank may be at one thing before the job ends and names it; 0: no limit"},
    {ROW("train.lease", REAL, train.lease, "30"), .min = 1, .max = 3600,
     .help = "seconds without a sign of life after which a job on another machine may take over the run directory"},
    {ROW("train.not_finite", CHOICE, train.not_finite, "stop"), .choices = not_finite, .flags = NUMBERS,
     .help = "when a loss or gradient is no number: stop, skip the step, or go back to the last checkpoint and skip it then"},
    {ROW("train.patience", INT, train.patience, "0"), .max = 1e9,
     .help = "evaluations that may pass without a better one (see checkpoint.best); 0: any number"},

    {ROW("checkpoint.every", SPAN, checkpoint.every, "1 epoch"), .max = 1e12,
     .help = "between two checkpoints"},
    {ROW("checkpoint.keep", INT, checkpoint.keep, "3"), .max = 1e9,
     .help = "newest checkpoints that are kept; 0: all"},
    {ROW("checkpoint.keep_every", INT, checkpoint.keep_every, "0"), .max = 1e12,
     .help = "checkpoints at multiples of so many steps are kept besides; 0: none"},
    {ROW("checkpoint.best", CHOICE, checkpoint.best, "none"), .choices = bests,
     .help = "what the best evaluation is judged by; its checkpoint is kept besides"},

    {ROW("reduce.wire", CHOICE, reduce.wire, "i32"), .choices = wires, .flags = NUMBERS,
     .help = "number format of gradients while they are summed"},
    {ROW("reduce.path", CHOICE, reduce.path, "auto"), .choices = paths,
     .help = "node: the ranks of a machine share one replica; flat: each has its own, and one MPI_Allreduce sums; auto: "
             "node where there is memory to share"},
    {ROW("reduce.team", INT, reduce.team, "0"), .max = 1e6,
     .help = "ranks of a machine that share a replica, at most (with node: those of a socket, say); 0: all"},

    {ROW("compute.isa", CHOICE, compute.isa, "auto"), .choices = isas,
     .help = "instruction set; auto is the best this machine has, and for a run that goes on the one it began with"},
    {ROW("compute.precision", CHOICE, compute.precision, "float32"), .choices = precisions, .flags = NUMBERS,
     .help = "what products multiply: bf16 rounds weights and activations to 8 bits for them, sums stay float32, and so "
             "do weights, gradients and all else; where some machine of the job cannot, a new run is float32"},
    {ROW("compute.threads", INT, compute.threads, "1"), .min = 1, .max = 1024, .flags = DT_FIELD_ARITHMETIC,
     .help = "threads of a rank, for models too large for one rank a core; another number can give other bits: oneDNN "
             "cuts some sums in parts"},
    {.key = NULL},
};
/* clang-format on */

static const char layers_key[] = "model.layers";
static const char *const decoded_elsewhere[] = {layers_key, NULL};

/* ---- what fields ask of each other ---- */

/* Where to look for the cause of a failure of `key`: its own line, else that of `other`, else the recipe's. */
static const char *source_of(const dt_yaml *root, const char *key, const char *other) {
    const dt_yaml *node = dt_yaml_get(root, key);
    if (!node && other) node = dt_yaml_get(root, other);
    return node ? node->source : root->source;
}

/* The value of a field as messages show it. */
static void show_value(const dt_field *field, const dt_recipe *recipe, char out[DT_SHOWN + 2]) {
    char text[DT_TEXT_MAX], shown[DT_SHOWN];
    dt_field_text(field, recipe, text);
    snprintf(out, DT_SHOWN + 2, field->type == DT_FIELD_TEXT ? "\"%s\"" : "%s", dt_shown(text, shown));
}

/* Fields that only some kinds read. */
#define BIT(kind) (1u << (kind))
static const struct reader {
    const char *key, *kind_key;
    unsigned kinds;
} readers[] = {
    {"data.mean", "data.normalize", BIT(DT_NORMALIZE_GIVEN)},
    {"data.std", "data.normalize", BIT(DT_NORMALIZE_GIVEN)},
    {"data.mask_rate", "data.objective", BIT(DT_OBJECTIVE_MASKED)},
    {"data.pad", "data.objective", BIT(DT_OBJECTIVE_CLASS)},
    {"model.label_smoothing", "model.loss", BIT(DT_LOSS_SOFTMAX_CROSS_ENTROPY) | BIT(DT_LOSS_BINARY_CROSS_ENTROPY)},
    {"optimizer.momentum", "optimizer.kind", BIT(DT_SGD) | BIT(DT_RMSPROP)},
    {"optimizer.nesterov", "optimizer.kind", BIT(DT_SGD)},
    {"optimizer.beta1", "optimizer.kind", BIT(DT_ADAM) | BIT(DT_ADAMW)},
    {"optimizer.beta2", "optimizer.kind", BIT(DT_ADAM) | BIT(DT_ADAMW)},
    {"optimizer.rho", "optimizer.kind", BIT(DT_RMSPROP)},
    {"optimizer.eps", "optimizer.kind", BIT(DT_ADAM) | BIT(DT_ADAMW) | BIT(DT_RMSPROP) | BIT(DT_ADAGRAD)},
    {"schedule.period", "schedule.kind", BIT(DT_SCHEDULE_STEP)},
    {"schedule.factor", "schedule.kind", BIT(DT_SCHEDULE_STEP)},
    {"schedule.final", "schedule.kind", BIT(DT_SCHEDULE_COSINE) | BIT(DT_SCHEDULE_LINEAR) | BIT(DT_SCHEDULE_ONE_CYCLE)},
    {"schedule.initial", "schedule.kind", BIT(DT_SCHEDULE_ONE_CYCLE)},
    {"schedule.peak", "schedule.kind", BIT(DT_SCHEDULE_ONE_CYCLE)},
};

/* "sgd and rmsprop" */
static void name_kinds(const char *const *choices, unsigned kinds, char *out, size_t size) {
    out[0] = '\0';
    for (int i = 0; choices[i]; i++) {
        if (!(kinds & BIT(i))) continue;
        const char *joint = out[0] == '\0' ? "" : kinds >> i == 1 ? " and " : ", ";
        dt_append(out, size, "%s%s", joint, choices[i]);
    }
}

static dt_status check_reader(const dt_recipe *recipe, const dt_yaml *root, const struct reader *reader) {
    const dt_field *field = dt_field_find(dt_recipe_fields, reader->key);
    const dt_field *kind = dt_field_find(dt_recipe_fields, reader->kind_key);
    int chosen;
    memcpy(&chosen, (const char *)recipe + kind->offset, sizeof chosen);
    if ((reader->kinds & BIT(chosen)) || dt_field_is_default(field, recipe)) return dt_ok();
    char is[DT_SHOWN + 2], kinds[128];
    show_value(field, recipe, is);
    name_kinds(kind->choices, reader->kinds, kinds, sizeof kinds);
    const char *source = source_of(root, reader->key, NULL);
    return dt_fail(DT_ERR_INPUT, "%s%s: %s is %s but %s is %s, which does not use it; it is for %s (default %s)",
                   dt_source_noun(source), source, reader->key, is, reader->kind_key, kind->choices[chosen], kinds,
                   field->fallback);
}

/* Fields that only text has, and fields that it does not have. */
static const char *const text_keys[] = {"data.train_tokens", "data.test_tokens", "data.vocabulary",
                                        "data.windows",      "data.objective",   NULL};
static const char *const other_keys[] = {
    "data.train_x",      "data.test_x", "data.samples",  "data.normalize",
    "data.mean",         "data.std",    "data.channels", "data.augment.crop_padding",
    "data.augment.flip", NULL};
static const char *const target_keys[] = {"data.train_y", "data.test_y", NULL};

static dt_status check_default(const dt_recipe *recipe, const dt_yaml *root, const char *key, const char *why) {
    const dt_field *field = dt_field_find(dt_recipe_fields, key);
    if (dt_field_is_default(field, recipe)) return dt_ok();
    char is[DT_SHOWN + 2];
    show_value(field, recipe, is);
    const char *source = source_of(root, key, NULL);
    return dt_fail(DT_ERR_INPUT, "%s%s: %s is %s but %s (default %s)", dt_source_noun(source), source, key, is, why,
                   field->fallback[0] ? field->fallback : "\"\"");
}

static dt_status check_text(const dt_recipe *recipe, const dt_yaml *root) {
    bool text = recipe->data.context > 0, labels = !text || recipe->data.objective == DT_OBJECTIVE_CLASS;
    for (int i = 0; !text && text_keys[i]; i++)
        DT_TRY(check_default(recipe, root, text_keys[i], "data.context is 0: it is for text"));
    for (int i = 0; text && other_keys[i]; i++)
        DT_TRY(check_default(recipe, root, other_keys[i],
                             "data.context makes the data a text, which has data.train_tokens instead"));
    for (int i = 0; !labels && target_keys[i]; i++)
        DT_TRY(check_default(recipe, root, target_keys[i],
                             "only a text with data.objective class has targets besides its tokens"));
    return dt_ok();
}

bool dt_recipe_has_test(const dt_recipe_data *data) {
    return (data->context > 0 ? data->test_tokens : data->test_x)[0] != '\0';
}

/* Pairs of fields that do not go together. */
static bool micro_batch_too_large(const dt_recipe *r) {
    return r->train.micro_batch > r->train.batch;
}
static bool too_many_shards(const dt_recipe *r) {
    return r->train.shards > r->train.batch;
}
static bool nesterov_without_momentum(const dt_recipe *r) {
    return r->optimizer.nesterov && r->optimizer.momentum == 0;
}
static bool patience_without_measure(const dt_recipe *r) {
    return r->train.patience > 0 && r->checkpoint.best == DT_BEST_NONE;
}
static bool best_without_test(const dt_recipe *r) {
    return r->checkpoint.best != DT_BEST_NONE && r->data.context == 0 && !r->data.test_x[0];
}
static bool best_without_test_text(const dt_recipe *r) {
    return r->checkpoint.best != DT_BEST_NONE && r->data.context > 0 && !r->data.test_tokens[0];
}
static bool test_without_targets(const dt_recipe *r) {
    return dt_recipe_has_test(&r->data) && !r->data.test_y[0];
}
static bool streams_without_next(const dt_recipe *r) {
    return r->data.windows == DT_WINDOWS_STREAM && r->data.objective != DT_OBJECTIVE_NEXT;
}
static bool text_in_order(const dt_recipe *r) {
    return r->data.context > 0 && r->data.objective != DT_OBJECTIVE_CLASS && !r->data.shuffle;
}
static bool text_without_classes(const dt_recipe *r) {
    return r->data.context > 0 && r->data.objective != DT_OBJECTIVE_CLASS &&
           r->loss.kind != DT_LOSS_SOFTMAX_CROSS_ENTROPY;
}

static const struct pair {
    bool (*clash)(const dt_recipe *recipe);
    const char *key, *other, *right;
} pairs[] = {
    {micro_batch_too_large, "train.micro_batch", "train.batch", "a micro-batch is at most the whole batch"},
    {too_many_shards, "train.shards", "train.batch", "a shard needs at least one sample of every batch"},
    {nesterov_without_momentum, "optimizer.nesterov", "optimizer.momentum", "it needs momentum above 0 (try 0.9)"},
    {patience_without_measure, "train.patience", "checkpoint.best", "patience needs a measure (try test_loss)"},
    {best_without_test, "checkpoint.best", "data.test_x", "the best is judged on test data"},
    {best_without_test_text, "checkpoint.best", "data.test_tokens", "the best is judged on test data"},
    {streams_without_next, "data.windows", "data.objective",
     "streams are read from left to right, so they predict next"},
    {text_in_order, "data.shuffle", "data.context", "a text's windows are in no order; see data.windows"},
    {text_without_classes, "model.loss", "data.objective", "tokens are predicted with softmax_cross_entropy"},
    {test_without_targets, "data.test_y", "data.test_x", "name both, or set data.test_x: \"\" for no test"},
};

static dt_status check_pair(const dt_recipe *recipe, const dt_yaml *root, const struct pair *pair) {
    if (!pair->clash(recipe)) return dt_ok();
    char is[DT_SHOWN + 2], other[DT_SHOWN + 2];
    show_value(dt_field_find(dt_recipe_fields, pair->key), recipe, is);
    show_value(dt_field_find(dt_recipe_fields, pair->other), recipe, other);
    const char *source = source_of(root, pair->key, pair->other);
    return dt_fail(DT_ERR_INPUT, "%s%s: %s is %s but %s is %s; %s", dt_source_noun(source), source, pair->key, is,
                   pair->other, other, pair->right);
}

/* ---- decoding ---- */

static bool fits_directory(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("._-", c);
}

/* A file may be called anything; what a directory may not be called becomes "-". */
static void take_fallback_name(dt_recipe *recipe, const char *fallback_name) {
    snprintf(recipe->name, sizeof recipe->name, "%s", fallback_name && fallback_name[0] ? fallback_name : "run");
    for (char *c = recipe->name; *c; c++)
        if (!fits_directory(*c) || (*c == '.' && c == recipe->name)) *c = '-';
}

static dt_status check_name(const dt_recipe *recipe, const dt_yaml *root) {
    bool usable = recipe->name[0] != '.';
    for (const char *c = recipe->name; *c && usable; c++) usable = fits_directory(*c);
    if (usable) return dt_ok();
    const char *source = source_of(root, "name", NULL);
    char shown[DT_SHOWN];
    return dt_fail(
        DT_ERR_INPUT,
        "%s%s: name is \"%s\"; it names a directory, so it must be of letters, digits, '.', '_' and '-', and "
        "not begin with '.'",
        dt_source_noun(source), source, dt_shown(recipe->name, shown));
}

static dt_status take_layers(dt_recipe *recipe, const dt_yaml *root) {
    const dt_yaml *layers = dt_yaml_get(root, layers_key);
    const char *source = source_of(root, layers_key, "model");
    char is[DT_SHOWN + 8] = "is missing", shown[DT_SHOWN];
    if (layers && layers->kind == DT_YAML_MAP) snprintf(is, sizeof is, "is a map");
    if (layers && layers->kind == DT_YAML_LIST) snprintf(is, sizeof is, "is empty");
    if (layers && layers->text && layers->text[0]) snprintf(is, sizeof is, "is \"%s\"", dt_shown(layers->text, shown));
    if (!layers || layers->kind != DT_YAML_LIST || !layers->first)
        return dt_fail(DT_ERR_INPUT,
                       "%s%s: %s %s; it must be a list of layers, as in "
                       "[flatten, dense: {out: 128, activation: relu}, dense: 10]",
                       dt_source_noun(source), source, layers_key, is);
    recipe->layers = dt_yaml_clone(layers);
    return recipe->layers ? dt_ok() : dt_fail_memory("the recipe's layers", sizeof *layers);
}

static dt_status decode(dt_recipe *out, const dt_yaml *root, const char *fallback_name) {
    DT_TRY(dt_fields_decode(dt_recipe_fields, root, "", decoded_elsewhere, out));
    if (!out->name[0]) take_fallback_name(out, fallback_name);
    DT_TRY(check_name(out, root));
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) DT_TRY(check_reader(out, root, &readers[i]));
    DT_TRY(check_text(out, root));
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) DT_TRY(check_pair(out, root, &pairs[i]));
    return take_layers(out, root);
}

dt_status dt_recipe_decode(dt_recipe *out, const dt_yaml *root, const char *fallback_name) {
    memset(out, 0, sizeof *out);
    dt_status status = decode(out, root, fallback_name);
    if (status.code != DT_OK) dt_recipe_finish(out);
    return status;
}

void dt_recipe_finish(dt_recipe *recipe) {
    dt_yaml_destroy(recipe->layers);
    recipe->layers = NULL;
}

/* ---- encoding ---- */

dt_status dt_recipe_emit(const dt_recipe *recipe, const dt_yaml *layers, char **out) {
    *out = NULL;
    dt_yaml *root = dt_yaml_new(DT_YAML_MAP, NULL, NULL, "the resolved recipe");
    dt_yaml *copy = dt_yaml_clone(layers ? layers : recipe->layers);
    dt_status status = root && copy ? dt_fields_encode(dt_recipe_fields, recipe, root)
                                    : dt_fail_memory("the resolved recipe", sizeof *recipe);
    if (status.code == DT_OK)
        status = dt_yaml_put(root, layers_key, copy);
    else
        dt_yaml_destroy(copy);
    if (status.code == DT_OK) *out = dt_yaml_emit(root);
    if (status.code == DT_OK && !*out) status = dt_fail_memory("the resolved recipe's text", sizeof *recipe);
    dt_yaml_destroy(root);
    return status;
}

char *dt_recipe_help(void) {
    return dt_fields_help(dt_recipe_fields, "");
}

/* ---- comparing ---- */

/* A checkpoint's recipe and the one it is to go on with, and what was found different so far. */
typedef struct comparison {
    dt_recipe old, new;
    const char *const *allowed;
    char list[300];
    int listed, unlisted;
} comparison;

bool dt_recipe_allows(const char *const *allowed, const char *key) {
    for (int i = 0; allowed && allowed[i]; i++) {
        size_t length = strlen(allowed[i]);
        if (strncmp(key, allowed[i], length) == 0 && (key[length] == '\0' || key[length] == '.')) return true;
    }
    return false;
}

/* `old`, `new`: the values as text, or NULL where there is none. */
static void differ(comparison *c, const char *key, const char *old, const char *new) {
    char entry[300], shown_old[DT_SHOWN], shown_new[DT_SHOWN];
    if (old && new)
        snprintf(entry, sizeof entry, "%s is %s but the checkpoint was trained with %s", key, dt_shown(new, shown_new),
                 dt_shown(old, shown_old));
    else
        snprintf(entry, sizeof entry, "%s is %s but the checkpoint was trained with%s it", key,
                 new ? "there" : "missing", new ? "out" : "");
    if (strlen(c->list) + strlen(entry) + 3 > sizeof c->list) {
        c->unlisted++;
        return;
    }
    dt_append(c->list, sizeof c->list, "%s%s", c->listed++ ? "; " : "", entry);
}

/* Whether a field decides what is computed, in these two recipes. */
static bool matters(const comparison *c, const dt_field *field) {
    bool steps = strcmp(field->key, "train.steps") == 0;
    if (strcmp(field->key, "train.epochs") == 0 && c->old.train.steps > 0 && c->new.train.steps > 0) return false;
    if (steps || strcmp(field->key, "train.epochs") == 0) /* they stretch every schedule but a constant one */
        return c->old.schedule.kind != DT_SCHEDULE_CONSTANT || c->new.schedule.kind != DT_SCHEDULE_CONSTANT;
    if (strcmp(field->key, "train.shards") == 0 && c->new.train.shards == 0)
        return false; /* as the checkpoint has it */
    return field->flags & DT_FIELD_ARITHMETIC;
}

static void compare_fields(comparison *c) {
    for (const dt_field *field = dt_recipe_fields; field->key; field++) {
        if (!matters(c, field) || dt_recipe_allows(c->allowed, field->key)) continue;
        char old[DT_TEXT_MAX], new[DT_TEXT_MAX];
        dt_field_text(field, &c->old, old);
        dt_field_text(field, &c->new, new);
        if (strcmp(old, new) != 0) differ(c, field->key, old, new);
    }
}

static bool compare_nodes(comparison *c, const char *path, const dt_yaml *old, const dt_yaml *new);

/* Walks the children of `one`, each with its counterpart in `two`; `swapped`: `one` is of the new recipe, and only
 * children without a counterpart are looked for. */
static bool compare_children(comparison *c, const char *path, const dt_yaml *one, const dt_yaml *two, bool swapped) {
    int index = 0;
    for (const dt_yaml *child = one->first; child; child = child->next, index++) {
        char number[16], below[512];
        snprintf(number, sizeof number, "%d", index);
        const char *part = child->key ? child->key : number;
        snprintf(below, sizeof below, "%s.%s", path, part);
        const dt_yaml *twin = dt_yaml_get(two, part);
        if (twin && swapped) continue;
        if (compare_nodes(c, below, swapped ? twin : child, swapped ? child : twin)) return true;
    }
    return false;
}

/* Reports the first difference that is not allowed; whether there was one. */
static bool compare_nodes(comparison *c, const char *path, const dt_yaml *old, const dt_yaml *new) {
    if (dt_recipe_allows(c->allowed, path)) return false;
    if (old && new && old->kind == new->kind && old->kind != DT_YAML_SCALAR)
        return compare_children(c, path, old, new, false) || compare_children(c, path, new, old, true);
    if (old && new && old->text &&new->text && strcmp(old->text, new->text) == 0) return false;
    static const char *const kinds[] = {"a value", "a list", "a map"};
    differ(c, path, old ? old->text ? old->text : kinds[old->kind] : NULL,
           new ? new->text ? new->text : kinds[new->kind] : NULL);
    return true;
}

dt_status dt_recipe_read_resolved(dt_recipe *out, const char *name, const char *text) {
    dt_yaml *root;
    DT_TRY(dt_yaml_parse_text(&root, name, text));
    dt_status status = dt_recipe_decode(out, root, "run");
    dt_yaml_destroy(root);
    return status;
}

static dt_status compare(comparison *c, const char *old_text, const char *new_text) {
    DT_TRY(dt_recipe_read_resolved(&c->old, "the checkpoint's recipe", old_text));
    DT_TRY(dt_recipe_read_resolved(&c->new, "the new recipe", new_text));
    compare_fields(c);
    compare_nodes(c, layers_key, c->old.layers, c->new.layers);
    if (c->listed + c->unlisted == 0) return dt_ok();
    char more[48] = "";
    if (c->unlisted) snprintf(more, sizeof more, "; and %d more", c->unlisted);
    return dt_fail(DT_ERR_INPUT, "%s%s; change it back, or name it with --set to go on with the new value", c->list,
                   more);
}

dt_status dt_recipe_compare(const char *old_text, const char *new_text, const char *const *allowed) {
    comparison *c = dt_alloc(1, sizeof *c);
    if (!c) return dt_fail_memory("the comparison of recipes", sizeof *c);
    c->allowed = allowed;
    dt_status status = compare(c, old_text, new_text);
    dt_recipe_finish(&c->old);
    dt_recipe_finish(&c->new);
    dt_free(c);
    return status;
}
