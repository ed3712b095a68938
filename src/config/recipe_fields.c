/* The fields of a recipe: a row each. */
#include <math.h>

#include "config/recipe.h"

#define CHOICE_OF(NAME, name) #name,
static const char *const losses[] = {"softmax_cross_entropy", "mean_squared_error", "binary_cross_entropy", NULL};
static const char *const optimizers[] = {DT_OPTIMIZERS(CHOICE_OF) NULL};
static const char *const schedules[] = {"constant", "step", "cosine", "linear", "one_cycle", NULL};
static const char *const paths[] = {"auto", "node", "flat", NULL};
static const char *const normalizes[] = {"none", "given", "standardise", "min_max", NULL};
static const char *const normalizes_were[] = {"computed", "standardise", NULL};
static const char *const missing[] = {"refuse", "mean", "drop", NULL};
static const char *const normalizes_by[] = {"channel", "all", NULL};
static const char *const class_weights[] = {"none", "balanced", NULL};
static const char *const split_orders[] = {"random", "in_order", NULL};
static const char *const samples[] = {"first", "last", NULL};
static const char *const channels[] = {"auto", "none", "first", "last", "first_to_last", NULL};
static const char *const shuffles[] = {"none", "global", "block", NULL};
static const char *const shuffles_were[] = {"false", "none",   "False", "none",   "FALSE", "none",   "no",   "none",
                                            "No",    "none",   "NO",    "none",   "off",   "none",   "Off",  "none",
                                            "OFF",   "none",   "true",  "global", "True",  "global", "TRUE", "global",
                                            "yes",   "global", "Yes",   "global", "YES",   "global", "on",   "global",
                                            "On",    "global", "ON",    "global", NULL};
static const char *const windows[] = {"random", "stream", NULL};
static const char *const objectives[] = {"next", "masked", "class", NULL};
static const char *const wires[] = {DT_WIRES(CHOICE_OF) NULL};
static const char *const not_finite[] = {"stop", "skip", "rollback", NULL};
static const char *const bests[] = {"none", "test_loss", "test_accuracy", "validation_loss", "validation_accuracy",
                                    NULL};
static const char *const budget[] = {"budget", NULL};
static const char *const precisions[] = {"float32", "bf16", NULL};
static const char *const samplings[] = {"poisson", NULL};
static const char *const units[] = {"sample", "site", NULL};
static const char *const changes[] = {"refuse", "accept", NULL};
static const char *const site_weights[] = {"samples", "equal", NULL};
static const char *const outers[] = {"sgd", "nesterov", "adam", NULL};
static const char *const site_wires[] = {"i32", "i8", "i4", NULL};
static const char *const site_optimizers[] = {"reset", "keep", NULL};
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

    {ROW("data.file", TEXTS, data.file, NULL), .min = 1, .flags = DT_FIELD_REQUIRED,
     .help = "the HDF5 file with the data; or several, whose rows follow each other: a list [a.h5, b.h5], a pattern "
             "run-*.h5 (in the order of names, numbers by their value), site-%r.h5 (site-0.h5, site-1.h5, …)"},
    {ROW("data.train_x", DATASETS, data.train_x, "/train/x"), .was = "data.inputs", .min = 1, .flags = NUMBERS,
     .help = "dataset of the training samples (or data.inputs: the same field); /table[T, p.x] chooses fields of a compound, /x[0:3, 5] columns of the last dimension; "
             "[/a, /b] are side by side, and {image: /a, meta: [/b, /c]} have names, for the layer input"},
    {ROW("data.train_y", TEXT, data.train_y, "/train/y"), .min = 1, .flags = NUMBERS,
     .help = "dataset of their labels (integers, strings, one-hot rows) or targets"},
    {ROW("data.train_weights", TEXT, data.train_weights, ""), .flags = NUMBERS,
     .help = "dataset of what each training sample counts for in the loss, a number from 0 on; \"\": alike"},
    {ROW("data.validation_x", DATASETS, data.validation_x, ""), .was = "data.validation_inputs", .flags = NUMBERS,
     .help = "dataset of the samples a run is judged by while it trains (checkpoint.best); \"\": by the test samples"},
    {ROW("data.validation_y", TEXT, data.validation_y, ""), .flags = NUMBERS,
     .help = "dataset of their labels or targets"},
    {ROW("data.test_x", DATASETS, data.test_x, "/test/x"), .was = "data.test_inputs", .flags = NUMBERS,
     .help = "dataset of the test samples; \"\" for none"},
    {ROW("data.test_y", TEXT, data.test_y, "/test/y"), .flags = NUMBERS,
     .help = "dataset of their labels or targets"},
    {ROW("data.split.test", REAL, data.split_test, "0"), .max = 1, .flags = NUMBERS | DT_FIELD_BELOW,
     .help = "share of the training data that becomes the test data, in the place of data.test_x; 0: none"},
    {ROW("data.split.validation", REAL, data.split_validation, "0"), .max = 1, .flags = NUMBERS | DT_FIELD_BELOW,
     .help = "share that becomes the validation data, in the place of data.validation_x; 0: none"},
    {ROW("data.split.by", TEXT, data.split_by, ""), .flags = NUMBERS,
     .help = "dataset with an integer or a string for each row, such as its patient: rows of a value stay together, and shares are of the values; \"\": none"},
    {ROW("data.split.order", CHOICE, data.split_order, "random"), .choices = split_orders, .flags = NUMBERS,
     .help = "in_order: the first rows (or least values) train, the last test"},
    {ROW("data.split.stratify", BOOL, data.split_stratify, "false"), .flags = NUMBERS,
     .help = "each class of data.train_y is cut by itself, so that all splits have its share"},
    {ROW("data.split.seed", INT, data.split_seed, "1"), .min = 0, .max = INFINITY, .flags = NUMBERS,
     .help = "of the split at random; with another `seed` a run keeps its test data"},
    {ROW("data.samples", CHOICE, data.samples, "first"), .choices = samples, .flags = NUMBERS,
     .help = "which dimension of these datasets the samples are; files of MATLAB often have them last"},
    {ROW("data.samples_axis", INT, data.samples_axis, "0"), .min = -6, .max = 5, .flags = NUMBERS,
     .help = "the same by number, from 0 or, negative, from the end; the other dimensions keep their order. Targets "
             "that have another number of values there have their samples first"},
    {ROW("data.reversed", BOOL, data.reversed, "false"), .flags = NUMBERS,
     .help = "all dimensions of these datasets are in the reverse order, as Fortran, Julia, MATLAB and R write them; "
             "data.samples and data.samples_axis count after that"},
    {ROW("data.normalize", CHOICE, data.scale.normalize, "given"), .choices = normalizes, .were = normalizes_were,
     .flags = NUMBERS,
     .help = "how samples are scaled: by the mean and std given, or from the training samples to mean 0 and std 1 or to "
             "0 to 1"},
    {ROW("data.normalize_by", CHOICE, data.scale.by, "channel"), .choices = normalizes_by, .flags = NUMBERS,
     .help = "what is scaled by itself where scales come from the samples: a channel (of a table a column), or all alike"},
    {ROW("data.mean", REALS, data.scale.mean, "0"), .flags = NUMBERS,
     .help = "x is used as (x - mean)/std; one for all, or a list, one a channel"},
    {ROW("data.std", REALS, data.scale.std, "1"), .flags = NUMBERS | DT_FIELD_ABOVE,
     .help = "see data.mean"},
    {ROW("data.target.normalize", CHOICE, data.target.normalize, "none"), .choices = normalizes, .flags = NUMBERS,
     .help = "the same for targets that are values: the model learns them scaled, and figures and predictions are in "
             "their own units"},
    {ROW("data.target.normalize_by", CHOICE, data.target.by, "channel"), .choices = normalizes_by, .flags = NUMBERS,
     .help = "see data.normalize_by"},
    {ROW("data.target.mean", REALS, data.target.mean, "0"), .flags = NUMBERS,
     .help = "see data.mean"},
    {ROW("data.target.std", REALS, data.target.std, "1"), .flags = NUMBERS | DT_FIELD_ABOVE,
     .help = "see data.mean"},
    {ROW("data.missing", CHOICE, data.missing, "refuse"), .choices = missing, .flags = NUMBERS,
     .help = "what becomes of missing values (NaN): of samples the training mean of their channel or column is put there, or "
             "rows with one, in targets too, are left out"},
    {ROW("data.channels", CHOICE, data.channels, "auto"), .choices = channels, .flags = NUMBERS,
     .help = "which dimension of a sample they are; auto: the last, but none of two ([H, W]); first_to_last: the first in "
             "the file, and the model gets [H, W, C] of [C, H, W]"},
    {ROW("data.shuffle", CHOICE, data.shuffle, "global"), .choices = shuffles, .were = shuffles_were, .flags = NUMBERS,
     .help = "a new order of the training samples every epoch (true), or none (false); block: of blocks of samples, and "
             "within a window of some blocks, for data that is read in pieces"},
    {ROW("data.shuffle_block", INT, data.shuffle_block, "0"), .max = 1e9, .flags = NUMBERS,
     .help = "of block: consecutive samples that stay in one window; 0: the power of two that 4 MiB hold"},
    {ROW("data.shuffle_window", INT, data.shuffle_window, "32"), .min = 1, .max = 1e6, .flags = NUMBERS,
     .help = "of block: blocks whose samples are mixed at a time"},
    {ROW("data.augment.crop_padding", INT, data.crop_padding, "0"), .max = 1e6, .flags = NUMBERS,
     .help = "most pixels a training picture is moved up, down and sideways, zeros (of the file) following; 0: none"},
    {ROW("data.augment.flip", BOOL, data.flip, "false"), .flags = NUMBERS,
     .help = "half of the training pictures, drawn anew every epoch, are mirrored left to right"},
    {ROW("data.augment.input", TEXT, data.augment_input, ""), .flags = NUMBERS,
     .help = "of inputs that have names the one that is moved and mirrored; \"\": the only one that is a picture"},
    {ROW("data.context", INT, data.context, "0"), .max = 1e6, .flags = NUMBERS,
     .help = "for text: tokens of a sample, the T of what follows; 0: the data is no text"},
    {ROW("data.train_tokens", TEXT, data.train_tokens, "/train/tokens"), .min = 1, .flags = NUMBERS,
     .help = "dataset of the training text's token ids, [N]; with objective class rows of them, [N, T]"},
    {ROW("data.validation_tokens", TEXT, data.validation_tokens, ""), .flags = NUMBERS,
     .help = "dataset of a text the run is judged by while it trains; \"\": by the test text"},
    {ROW("data.test_tokens", TEXT, data.test_tokens, "/test/tokens"), .flags = NUMBERS,
     .help = "dataset of the test text's; \"\" for none"},
    {ROW("data.vocabulary", INT, data.vocabulary, "0"), .max = 16777215, .flags = NUMBERS,
     .help = "token ids are below this; 0: as many as the file's /vocab has"},
    {ROW("data.windows", CHOICE, data.windows, "random"), .choices = windows, .flags = NUMBERS,
     .help = "where a text's samples begin: anywhere, or each where the one in the same place of the last batch ended"},
    {ROW("data.objective", CHOICE, data.objective, "next"), .choices = objectives, .flags = NUMBERS,
     .help = "what is predicted: the next token at every position, masked tokens, or the class of a row (see data.train_y)"},
    {ROW("data.mask_rate", REAL, data.mask_rate, "0.15"), .max = 1, .flags = NUMBERS | DT_FIELD_ABOVE,
     .help = "share of a window's tokens that masked predicts, at least one: 80 % of them seen as the extra id, 10 % as another"},
    {ROW("data.pad", INT, data.pad, "-1"), .min = -1, .max = 16777215, .flags = NUMBERS,
     .help = "the id that fills up short rows, of class; the model sees -1 there"},
    {ROW("data.changed", CHOICE, data.changed, "refuse"), .choices = changes,
     .help = "what a run that goes on does where the data is not its checkpoint's; accept counts with --set only: epochs, "
             "train.steps and schedule begin anew, weights and moments stay"},
    {ROW("data.memory", BYTES, data.memory, "0"),
     .help = "memory of each machine for samples that cannot be mapped or are more than that, which are then read in "
             "pieces, ahead of the training (see data.shuffle); 0: all are unpacked to data.spool"},
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
     .help = "decay of the first moment, of adam, adamw and lamb"},
    {ROW("optimizer.beta2", REAL, optimizer.beta2, "0.999"), .max = 1, .flags = NUMBERS | DT_FIELD_BELOW,
     .help = "decay of the second moment, of adam, adamw and lamb"},
    {ROW("optimizer.rho", REAL, optimizer.rho, "0.99"), .max = 1, .flags = NUMBERS | DT_FIELD_BELOW,
     .help = "decay of the mean square, of rmsprop"},
    {ROW("optimizer.eps", REAL, optimizer.eps, "1e-8"), .flags = NUMBERS | DT_FIELD_ABOVE,
     .help = "keeps divisors from zero; of all but sgd"},
    {ROW("optimizer.weight_decay", REAL, optimizer.weight_decay, "0"), .max = INFINITY, .flags = NUMBERS,
     .help = "decoupled: w -= lr*weight_decay*w; of lamb part of its step"},
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
    {ROW("train.time_limit", SPAN, train.time_limit, "never"), .max = 1e12,
     .help = "time a job has, such as 2h: it stops early enough for a checkpoint, with exit code 75. Where the scheduler "
             "says when it ends (SLURM_JOB_END_TIME, or DTRAIN_END_TIME, in seconds since 1970) the earlier counts"},
    {ROW("train.eval_every", SPAN, train.eval_every, "1 epoch"), .max = 1e12,
     .help = "between two evaluations on the validation data or, where there is none, the test data"},
    {ROW("train.log_every", SPAN, train.log_every, "500 steps"), .max = 1e12,
     .help = "between two lines of progress"},
    {ROW("train.check_every", INT, train.check_every, "500"), .max = 1e12,
     .help = "steps between two comparisons of the replicas (see reduce.path), made before checkpoints too; 0: then alone"},
    {ROW("train.chain", INT, train.chain, "500"), .max = 1e12,
     .help = "steps between two links of the chain of digests (/state/chain in checkpoints), by which two runs are compared "
             "step by step; 0: there is none"},
    {ROW("train.audit", REAL, train.audit, "0"), .max = 1,
     .help = "share of gradients that another rank computes again before they are used, 0.01 say, at that share of the "
             "time: a processor that computes wrongly is named, and the run stops; 0: none"},
    {ROW("train.timeout", REAL, train.timeout, "300"), .max = 1e6,
     .help = "seconds a rank may be at one thing before the job ends and names it; 0: no limit"},
    {ROW("train.lease", REAL, train.lease, "30"), .min = 1, .max = 3600,
     .help = "seconds without a sign of life after which a job on another machine may take over the run directory"},
    {ROW("train.not_finite", CHOICE, train.not_finite, "stop"), .choices = not_finite, .flags = NUMBERS,
     .help = "when a loss or gradient is no number: stop, skip the step, or go back to the last checkpoint and skip it then"},
    {ROW("train.patience", INT, train.patience, "0"), .max = 1e9,
     .help = "evaluations that may pass without a better one (see checkpoint.best); 0: any number"},
    {ROW("train.class_weights", REALS, train.class_weights, "none"), .choices = class_weights, .max = 1e30,
     .flags = NUMBERS,
     .help = "what training samples of each class count for in the loss: a list, class by class, or balanced: all classes "
             "together alike, with weights of 1 on the average"},

    {ROW("checkpoint.every", SPAN, checkpoint.every, "budget"), .max = 1e12, .choices = budget,
     .help = "between two checkpoints; budget: as often as checkpoint.budget allows"},
    {ROW("checkpoint.budget", PERCENT, checkpoint.budget, "1 %"), .min = 0, .max = 100, .flags = DT_FIELD_ABOVE,
     .help = "what checkpoints may cost of the time, as measured, where checkpoint.every is budget; one comes at most "
             "every 30 s and at least every 10 min"},
    {ROW("checkpoint.keep", INT, checkpoint.keep, "3"), .max = 1e9,
     .help = "newest checkpoints that are kept; 0: all"},
    {ROW("checkpoint.keep_every", INT, checkpoint.keep_every, "0"), .max = 1e12,
     .help = "checkpoints at multiples of so many steps are kept besides; 0: none"},
    {ROW("checkpoint.best", CHOICE, checkpoint.best, "none"), .choices = bests,
     .help = "what the best evaluation is judged by; its checkpoint is kept besides"},

    {ROW("metrics.tensorboard", BOOL, metrics.tensorboard, "false"),
     .help = "also writes the metrics as TensorBoard's event file, into the run directory"},
    {ROW("report.every", SPAN, report.every, "60 s"), .max = 1e12,
     .help = "between two writings of the run's report.html, which is written at its end besides; never: not at all"},
    {ROW("report.tables", BOOL, report.tables, "true"),
     .help = "the last evaluation writes evaluation.json into the run directory: confusion, calibration, errors of outputs "
             "(not of more than 1024 classes)"},
    {ROW("report.samples", INT, report.samples, "200"), .max = 1e6,
     .help = "tokens of a text that a model of the next token writes into samples/ of the run directory: at the first "
             "evaluation, at the first after each power of two of steps, and at the end; 0: none"},

    {ROW("reduce.wire", CHOICE, reduce.wire, "i32"), .choices = wires, .flags = NUMBERS,
     .help = "number format of gradients while they are summed"},
    {ROW("reduce.path", CHOICE, reduce.path, "auto"), .choices = paths,
     .help = "node: the ranks of a machine share one replica; flat: each has its own, and one MPI_Allreduce sums; auto: "
             "node where there is memory to share"},
    {ROW("reduce.node_ranks", INT, reduce.node_ranks, "0"), .was = "reduce.team", .max = 1e6,
     .help = "ranks of a machine that share a replica, at most (with node: those of a socket, say); 0: all"},

    {ROW("sites.count", INT, sites.count, "0"), .max = 1e6, .flags = NUMBERS,
     .help = "sites that train one model together, in rounds: each from the common weights on data of its own, then the "
             "changes of all are summed. Several files of data.file are a site each (site-%r.h5); one file's samples are "
             "dealt to the sites (sites.partition). 0: there are no sites"},
    {ROW("sites.simulate", INT, sites.simulate, "0"), .max = 1e6, .flags = NUMBERS,
     .help = "the same with so many sites that all data is dealt to, whatever files it is in: to rehearse"},
    {ROW("sites.per_round", INT, sites.per_round, "0"), .max = 1e6, .flags = NUMBERS,
     .help = "sites that take part in a round, drawn anew for each; 0: all"},
    {ROW("sites.rounds", INT, sites.rounds, "100"), .min = 1, .max = 1e9,
     .help = "rounds of the run, in the place of train.epochs and train.steps; spans of train and checkpoint count rounds"},
    {ROW("sites.round", SPAN, sites.round, "1 epoch"), .max = 1e9, .flags = NUMBERS,
     .help = "what a site trains in a round, on its own data: steps or epochs"},
    {ROW("sites.partition", TEXT, sites.partition, "iid"), .min = 1, .flags = NUMBERS,
     .help = "how samples are dealt to sites: iid; dirichlet(0.5): of every class, shares drawn from Dir(0.5); by-label(2): "
             "two classes to each site; quantity(0.5): at random, numbers from Dir(0.5)"},
    {ROW("sites.weights", CHOICE, sites.weights, "samples"), .choices = site_weights, .flags = NUMBERS,
     .help = "what a site's change counts for in the mean: as many as it has samples, or all alike"},
    {ROW("sites.robust", TEXT, sites.robust, "none"), .min = 1, .flags = NUMBERS,
     .help = "instead of the mean what a few hostile sites cannot move: trimmed(1) leaves the least and the largest of every "
             "word out, median takes the middle one, krum(1) the change whose nearest others are nearest, multi-krum(1) the "
             "mean of all but so many and two; sites count alike (sites.weights: equal)"},
    {ROW("sites.outer.kind", CHOICE, sites.outer.kind, "sgd"), .choices = outers, .flags = NUMBERS,
     .help = "rule that makes the next common weights of the mean change; sgd with lr 1 is FedAvg, nesterov DiLoCo, adam "
             "FedAdam"},
    {ROW("sites.outer.lr", REAL, sites.outer.lr, "1"), .flags = NUMBERS | DT_FIELD_ABOVE,
     .help = "its learning rate"},
    {ROW("sites.outer.momentum", REAL, sites.outer.momentum, "0"), .max = 1, .flags = NUMBERS | DT_FIELD_BELOW,
     .help = "of sgd and nesterov"},
    {ROW("sites.outer.beta1", REAL, sites.outer.beta1, "0.9"), .max = 1, .flags = NUMBERS | DT_FIELD_BELOW,
     .help = "of adam"},
    {ROW("sites.outer.beta2", REAL, sites.outer.beta2, "0.99"), .max = 1, .flags = NUMBERS | DT_FIELD_BELOW,
     .help = "of adam"},
    {ROW("sites.outer.eps", REAL, sites.outer.eps, "0.001"), .flags = NUMBERS | DT_FIELD_ABOVE,
     .help = "of adam, beside the root of the mean square"},
    {ROW("sites.proximal", REAL, sites.proximal, "0"), .max = INFINITY, .flags = NUMBERS,
     .help = "FedProx: the gradient of a site's step gets so much of its distance from the common weights; 0: none"},
    {ROW("sites.control", BOOL, sites.control, "false"), .flags = NUMBERS,
     .help = "SCAFFOLD: steps are corrected by control variates, which sites learn and send beside their change"},
    {ROW("sites.local", TEXTS, sites.local, ""), .flags = NUMBERS,
     .help = "patterns of tensors' names, or a list of them, that each site keeps for itself: \"*batch_norm*\""},
    {ROW("sites.wire", CHOICE, sites.wire, "i32"), .choices = site_wires, .flags = NUMBERS,
     .help = "number format of changes; i8 and i4 keep what they round off for the site's next change (error feedback)"},
    {ROW("sites.optimizer", CHOICE, sites.optimizer, "reset"), .choices = site_optimizers, .flags = NUMBERS,
     .help = "a site's moments at the beginning of its rounds: zero, as in FedAvg, or as it left them, as in DiLoCo"},
    {ROW("sites.mailbox", TEXT, sites.mailbox, ""),
     .help = "directory that sites send each other signed files through, brought by whatever copies files: each runs "
             "`dtrain train RECIPE --site NAME` with its own data.file (see sites.members)"},
    {ROW("sites.wait", SPAN, sites.wait, "10 min"), .max = 1e9,
     .help = "of a mailbox: how long a job waits for other sites before it ends with exit code 75, to be started again"},
    {ROW("sites.deadline", SPAN, sites.deadline, "never"), .max = 1e9,
     .help = "of a mailbox: time from the beginning of a round at a site until it would go on without those that are late"},
    {ROW("sites.quorum", INT, sites.quorum, "0"), .max = 64,
     .help = "of a mailbox: members that must agree on who is in a round, more than half; 0: the least number with a "
             "deadline, all without"},
    {ROW("sites.keep", INT, sites.keep, "0"), .max = 1e9,
     .help = "of a mailbox: rounds whose files stay in it once all members are past them; older ones are removed, and every "
             "so many rounds the common state is put there, signed, for a site that loses its run directory. 0: all stay"},
    {ROW("sites.forget", INT, sites.forget, "0"), .max = 1e9,
     .help = "with sites.keep: rounds after which a member that signs nothing no longer keeps files from being removed; when it "
             "comes back it takes over the common state that is there. 0: never"},
    {ROW("sites.masks", BOOL, sites.masks, "false"),
     .help = "of a mailbox: secure aggregation (Bonawitz et al. 2017): what a site sends looks like noise to everybody, and "
             "only the sum of at least three sites can be read; the same bits as without"},
    {ROW("sites.threshold", INT, sites.threshold, "0"), .max = 64,
     .help = "with sites.masks: sites that are needed to open a sum, the others may be lost: more than half of those in a "
             "round, and at most sites.quorum. As many together could open a site's change. 0: the least number"},

    {ROW("privacy.clip", REAL, privacy.clip, "0"), .max = 1e30, .flags = NUMBERS,
     .help = "differentially private training: largest norm of a sample's gradient, or of a site's change; 0: it is not "
             "private"},
    {ROW("privacy.noise", REAL, privacy.noise, "0"), .max = 1e6, .flags = NUMBERS,
     .help = "standard deviation of the Gaussian noise on the sum of a step's gradients or a round's changes, in multiples of "
             "privacy.clip"},
    {ROW("privacy.delta", REAL, privacy.delta, "1e-5"), .max = 1, .flags = DT_FIELD_ABOVE | DT_FIELD_BELOW,
     .help = "the delta of (epsilon, delta); far below 1/samples"},
    {ROW("privacy.max_epsilon", REAL, privacy.max_epsilon, "0"), .max = 1e6,
     .help = "training ends before the step with which epsilon would be above this; 0: it does not"},
    {ROW("privacy.sampling", CHOICE, privacy.sampling, "poisson"), .choices = samplings, .flags = NUMBERS,
     .help = "every sample is in a batch with probability train.batch/samples, by itself, so that batches vary in size; what is "
             "accounted for is this"},
    {ROW("privacy.unit", CHOICE, privacy.unit, "sample"), .choices = units, .flags = NUMBERS,
     .help = "whose part in the data is hidden: a sample's gradient is clipped in every step, or a site's change in every round"},
    {ROW("privacy.honest", INT, privacy.honest, "0"), .max = 64, .flags = NUMBERS,
     .help = "with unit: site and sites.masks: sites of every sum that tell nobody their share of the noise; each adds 1/honest "
             "of its variance. 0: those in a sum but for one less than the threshold"},
    {ROW("privacy.reproducible_noise", INT, privacy.reproducible_noise, "-1"), .min = -1, .max = INFINITY, .flags = NUMBERS,
     .help = "for rehearsals, which are not private: a seed that the noise follows from; -1: a secret key (--privacy-key)"},

    {ROW("compute.isa", CHOICE, compute.isa, "auto"), .choices = isas,
     .help = "instruction set, for measurements; auto is the best this machine has, and all give the same bits"},
    {ROW("compute.precision", CHOICE, compute.precision, "float32"), .choices = precisions, .flags = NUMBERS,
     .help = "what products multiply: bf16 rounds weights and activations to 8 bits for them, sums stay float32, and so "
             "do weights, gradients and all else"},
    {ROW("compute.threads", INT, compute.threads, "1"), .min = 1, .max = 1024,
     .help = "threads of a rank, for models too large for one rank a core; any number gives the same bits"},
    {.key = NULL},
};
/* clang-format on */
