/* The recipe: the YAML file that defines a run, decoded. */
#ifndef DTRAIN_RECIPE_H
#define DTRAIN_RECIPE_H

#include "config/fields.h"
#include "config/yaml.h"

typedef enum dt_loss {
    DT_LOSS_SOFTMAX_CROSS_ENTROPY,
    DT_LOSS_MEAN_SQUARED_ERROR,
    DT_LOSS_BINARY_CROSS_ENTROPY
} dt_loss;
/* Update rules, as optim/optim.h has them: DT_SGD is "sgd" in recipes. A new one goes to the end: files have the
 * number.
 */
#define DT_OPTIMIZERS(ROW)                                                                                             \
    ROW(SGD, sgd) ROW(ADAM, adam) ROW(ADAMW, adamw) ROW(RMSPROP, rmsprop) ROW(ADAGRAD, adagrad) ROW(LAMB, lamb)
#define DT_OPTIMIZER_ENUM(NAME, name) DT_##NAME,
typedef enum dt_optimizer_kind { DT_OPTIMIZERS(DT_OPTIMIZER_ENUM) } dt_optimizer_kind;
typedef enum dt_schedule_kind {
    DT_SCHEDULE_CONSTANT,
    DT_SCHEDULE_STEP,
    DT_SCHEDULE_COSINE,
    DT_SCHEDULE_LINEAR,
    DT_SCHEDULE_ONE_CYCLE
} dt_schedule_kind;
typedef enum dt_not_finite { DT_NOT_FINITE_STOP, DT_NOT_FINITE_SKIP, DT_NOT_FINITE_ROLLBACK } dt_not_finite;
/* What data is for. Where there is validation data a run is judged by it while it trains, and test data is left for
 * afterwards; else the test data serves. */
typedef enum dt_split { DT_SPLIT_TRAIN, DT_SPLIT_VALIDATION, DT_SPLIT_TEST, DT_SPLIT_COUNT } dt_split;

typedef enum dt_best {
    DT_BEST_NONE,
    DT_BEST_TEST_LOSS,
    DT_BEST_TEST_ACCURACY,
    DT_BEST_VALIDATION_LOSS,
    DT_BEST_VALIDATION_ACCURACY
} dt_best;
/* Wires, as comm/wire.h has them: DT_WIRE_I32 is "i32" in recipes. A new one goes to the end: files have the number. */
#define DT_WIRES(ROW) ROW(I32, i32) ROW(I64, i64) ROW(F32, f32)
#define DT_WIRE_ENUM(NAME, name) DT_WIRE_##NAME,
typedef enum dt_wire { DT_WIRES(DT_WIRE_ENUM) } dt_wire;
typedef enum dt_precision { DT_PRECISION_FLOAT32, DT_PRECISION_BF16 } dt_precision;
typedef enum dt_path { DT_PATH_AUTO, DT_PATH_NODE, DT_PATH_FLAT } dt_path;

typedef enum dt_split_order { DT_SPLIT_AT_RANDOM, DT_SPLIT_IN_ORDER } dt_split_order;

typedef enum dt_normalize {
    DT_NORMALIZE_NONE,
    DT_NORMALIZE_GIVEN,
    DT_NORMALIZE_STANDARDISE,
    DT_NORMALIZE_MIN_MAX
} dt_normalize;
typedef enum dt_normalize_by { DT_NORMALIZE_BY_CHANNEL, DT_NORMALIZE_BY_ALL } dt_normalize_by;
typedef enum dt_samples { DT_SAMPLES_FIRST, DT_SAMPLES_LAST } dt_samples;
typedef enum dt_channels {
    DT_CHANNELS_AUTO,
    DT_CHANNELS_NONE,
    DT_CHANNELS_FIRST,
    DT_CHANNELS_LAST,
    DT_CHANNELS_MOVED
} dt_channels;

typedef enum dt_missing { DT_MISSING_REFUSE, DT_MISSING_MEAN, DT_MISSING_DROP } dt_missing;

typedef enum dt_shuffle { DT_SHUFFLE_NONE, DT_SHUFFLE_GLOBAL, DT_SHUFFLE_BLOCK } dt_shuffle;
typedef enum dt_changed { DT_CHANGED_REFUSE, DT_CHANGED_ACCEPT } dt_changed;

typedef enum dt_windows { DT_WINDOWS_RANDOM, DT_WINDOWS_STREAM } dt_windows;
typedef enum dt_objective { DT_OBJECTIVE_NEXT, DT_OBJECTIVE_MASKED, DT_OBJECTIVE_CLASS } dt_objective;

/* How numbers of a file are scaled: they are used as (x - mean)/std. */
typedef struct dt_recipe_scale {
    int normalize; /* dt_normalize: where mean and std come from */
    int by;        /* dt_normalize_by: what has a mean and a std of its own, where they are computed */
    dt_reals mean, std;
} dt_recipe_scale;

typedef struct dt_recipe_data {
    /* One or several: data/files.h. */
    char file[DT_VALUE_TEXT];
    char train_x[DT_VALUE_TEXT], train_y[DT_TEXT_MAX];
    char validation_x[DT_VALUE_TEXT], validation_y[DT_TEXT_MAX];
    char test_x[DT_VALUE_TEXT], test_y[DT_TEXT_MAX];
    char train_weights[DT_TEXT_MAX];     /* dataset of what training samples count for; "": alike */
    double split_test, split_validation; /* shares of the training data that are cut from it; 0: none */
    char split_by[DT_TEXT_MAX];          /* dataset whose equal values stay together; "": rows are cut by themselves */
    int split_order;                     /* dt_split_order */
    bool split_stratify;                 /* each class is cut by itself */
    int64_t split_seed;
    dt_recipe_scale scale, target;   /* of the samples, and of targets that are values */
    int missing;                     /* dt_missing: what becomes of values that are not there */
    int samples;                     /* dt_samples: which dimension of the datasets they are */
    int channels;                    /* dt_channels: which dimension of a sample they are */
    int shuffle;                     /* dt_shuffle: the order of an epoch's samples */
    char augment_input[DT_TEXT_MAX]; /* of inputs that have names, the one that moves; "": the only picture */
    int64_t crop_padding;            /* pixels a training picture may move in each direction; 0: stays */
    bool flip;                       /* half of the training pictures are mirrored */
    int64_t context;                 /* tokens of a sample; 0: the data is no text, and what follows is not used */
    char train_tokens[DT_TEXT_MAX], validation_tokens[DT_TEXT_MAX], test_tokens[DT_TEXT_MAX];
    int64_t vocabulary;      /* token ids are below this; 0: as the file's own vocabulary says */
    int windows;             /* dt_windows: where samples begin */
    int objective;           /* dt_objective: what is predicted */
    double mask_rate;        /* share of a window's tokens that are predicted, of masked */
    int64_t pad;             /* the id that fills up short rows, of class; -1 is always one */
    int changed;             /* dt_changed: what a resumed run does where the data is another */
    char spool[DT_TEXT_MAX]; /* where data that cannot be mapped is unpacked; "" is $TMPDIR or /tmp */

    int64_t shuffle_block;  /* samples of a block; 0: as many as 4 MiB hold */
    int64_t shuffle_window; /* blocks whose samples are mixed at a time */
    int64_t memory;         /* bytes a machine may take for data that is read in pieces; 0: none is */
    /* Of the datasets' dimensions: the one of the samples, by number, and whether all are counted from the last. */
    int64_t samples_axis;
    bool reversed;
} dt_recipe_data;

typedef struct dt_recipe_loss {
    int kind; /* dt_loss */
    double label_smoothing;
} dt_recipe_loss;

typedef struct dt_recipe_optimizer {
    int kind; /* dt_optimizer_kind */
    double lr, momentum, beta1, beta2, rho, eps;
    bool nesterov;
    double weight_decay;          /* decoupled: w -= lr*weight_decay*w */
    double l2;                    /* added to the gradient: g += l2*w */
    double clip_norm, clip_value; /* 0: off */
} dt_recipe_optimizer;

typedef struct dt_recipe_schedule {
    int kind;       /* dt_schedule_kind */
    int64_t warmup; /* steps */
    int64_t period; /* steps between drops, for "step" */
    double factor;  /* of each drop, for "step" */
    double final;   /* the last rate as a share of optimizer.lr, for cosine, linear, one-cycle */
    double initial; /* the first rate as a share of optimizer.lr, for one-cycle */
    double peak;    /* where in the run the peak is, as a share of its steps, for one-cycle */
} dt_recipe_schedule;

enum { DT_CLASS_WEIGHTS_NONE = 0, DT_CLASS_WEIGHTS_BALANCED = -1 };

typedef struct dt_recipe_train {
    int64_t epochs, batch, micro_batch, shards;
    int64_t steps; /* of the run; 0: as many as the epochs have */
    dt_span stop_after;
    dt_span time_limit; /* seconds */
    dt_span eval_every;
    dt_span log_every;
    int64_t check_every;    /* steps between comparisons of the replicas */
    int64_t chain;          /* steps between two links of the chain of digests; 0: there is none */
    double audit;           /* share of gradients that another rank computes again while the run trains; 0: none */
    double timeout;         /* seconds; 0: none */
    double lease;           /* seconds without a heartbeat after which another job may take the run directory */
    int not_finite;         /* dt_not_finite */
    int64_t patience;       /* evaluations without a better one before the run ends; 0: any */
    dt_reals class_weights; /* one for each class; a count of DT_CLASS_WEIGHTS_… says otherwise */
} dt_recipe_train;

typedef struct dt_recipe_checkpoint {
    dt_span every;
    int64_t keep;
    double budget;      /* percent of the time that checkpoints may take, where `every` says so */
    int64_t keep_every; /* checkpoints of these steps are kept for good; 0: none */
    int best;           /* dt_best: what the best checkpoint is best at; it is kept */
} dt_recipe_checkpoint;

typedef struct dt_recipe_report {
    dt_span every;
    bool tables;     /* confusion, calibration, errors of the last evaluation are written */
    int64_t samples; /* tokens of a text that is written at milestones; 0: none is */
} dt_recipe_report;

typedef enum dt_outer_kind { DT_OUTER_SGD, DT_OUTER_NESTEROV, DT_OUTER_ADAM } dt_outer_kind;

/* The rule that makes the next common weights of the sites' mean change (site/outer.h). */
typedef struct dt_recipe_outer {
    int kind; /* dt_outer_kind */
    double lr, momentum, beta1, beta2, eps;
} dt_recipe_outer;

typedef enum dt_site_weights { DT_SITE_WEIGHTS_SAMPLES, DT_SITE_WEIGHTS_EQUAL } dt_site_weights;
typedef enum dt_site_wire { DT_SITE_WIRE_I32, DT_SITE_WIRE_I8, DT_SITE_WIRE_I4 } dt_site_wire;
typedef enum dt_site_optimizer { DT_SITE_OPTIMIZER_RESET, DT_SITE_OPTIMIZER_KEEP } dt_site_optimizer;

/* Training of several sites in rounds (run/rounds.h). */
typedef struct dt_recipe_sites {
    int64_t count;    /* sites of this job; 0 with simulate 0: there are none, and all ranks train as one */
    int64_t simulate; /* or so many, which the training data is dealt to */
    int64_t per_round, rounds;
    dt_span round; /* what a site trains in a round */
    char partition[DT_TEXT_MAX];
    int weights; /* dt_site_weights */
    dt_recipe_outer outer;
    char robust[DT_TEXT_MAX];
    double proximal;
    bool control;
    char local[DT_VALUE_TEXT]; /* patterns of tensors' names */
    int wire;                  /* dt_site_wire */
    int optimizer;             /* dt_site_optimizer */
    char mailbox[DT_TEXT_MAX]; /* directory through which sites that are elsewhere send each other files */
    dt_span wait, deadline;
    int64_t quorum;    /* of members; 0: by default (site/members.h) */
    int64_t keep;      /* rounds that are over and stay in a mailbox; 0: all */
    int64_t forget;    /* rounds after which a silent member no longer keeps rounds from being over; 0: never */
    bool masks;        /* secure aggregation (site/masks.h) */
    int64_t threshold; /* of sites that open a sum; 0: the smallest majority of those in a round */
} dt_recipe_sites;

typedef struct dt_recipe_metrics {
    bool tensorboard;
} dt_recipe_metrics;

/* Differentially private training; clip 0: it is not. */
typedef enum dt_sampling { DT_SAMPLING_POISSON } dt_sampling;
typedef enum dt_privacy_unit { DT_PRIVATE_SAMPLE, DT_PRIVATE_SITE } dt_privacy_unit;
typedef struct dt_recipe_privacy {
    double clip, noise; /* largest norm of a sample's gradient or a site's change; standard deviation of the noise, in
                         * clips */
    double delta, max_epsilon;
    int sampling, unit;         /* dt_sampling, dt_privacy_unit */
    int64_t honest;             /* sites whose shares of the noise are known to nobody else; 0: by the threshold */
    int64_t reproducible_noise; /* a seed that everybody may know, for rehearsals; -1: a secret key */
} dt_recipe_privacy;

typedef struct dt_recipe_reduce {
    int wire;           /* dt_wire */
    int path;           /* dt_path */
    int64_t node_ranks; /* that share a replica, at most; 0: all of a machine */
} dt_recipe_reduce;

typedef struct dt_recipe_compute {
    int isa;       /* auto, baseline, avx2, avx512: dt_isa */
    int precision; /* dt_precision */
    int64_t threads;
} dt_recipe_compute;

typedef struct dt_recipe {
    char name[DT_TEXT_MAX];
    char run[DT_TEXT_MAX]; /* run directory; "" is runs/<name> */
    int64_t seed;
    dt_recipe_data data;
    dt_recipe_loss loss;
    dt_recipe_optimizer optimizer;
    dt_recipe_schedule schedule;
    dt_recipe_train train;
    dt_recipe_checkpoint checkpoint;
    dt_recipe_report report;
    dt_recipe_metrics metrics;
    dt_recipe_reduce reduce;
    dt_recipe_sites sites;
    dt_recipe_privacy privacy;
    dt_recipe_compute compute;
    /* Fields that are trees, which other rooms decode: owned; NULL where there is none. */
    dt_yaml *layers;  /* model.layers: a list of layers (model/) */
    dt_yaml *freeze;  /* model.freeze: a list of patterns of tensors' names (model/) */
    dt_yaml *groups;  /* optimizer.groups: a list of maps (config/groups.h) */
    dt_yaml *members; /* sites.members: a map of names and public keys (site/members.h) */
} dt_recipe;

/* The rows of the recipe's own fields (all but those that are trees). */
extern const dt_field dt_recipe_fields[];

/* The text of the compiled-in default recipe, and its name in messages. */
extern const char dt_recipe_default_text[];
#define DT_RECIPE_DEFAULT_NAME "the default recipe"

/* Whether a split is cut from the training data (data.split); of training, whether any is. */
bool dt_recipe_cuts(const dt_recipe_data *data, dt_split split);
/* Makes all of the training data the test data, and cuts nothing. */
void dt_recipe_take_all(dt_recipe_data *data);
/* Whether there is data of a split. */
bool dt_recipe_has(const dt_recipe_data *data, dt_split split);
/* The split a run is judged by while it trains: DT_SPLIT_TRAIN, if there is none for that. */
dt_split dt_recipe_judge(const dt_recipe_data *data);
const char *dt_split_name(dt_split split); /* "train", "validation", "test" */
/* False: no split has this name. */
bool dt_split_named(const char *name, dt_split *split);

/* How many sites train together; 0: all ranks train as one. */
int64_t dt_recipe_sites_of(const dt_recipe *recipe);
/* Whether a job is one of them, and the others are elsewhere. */
bool dt_recipe_has_mailbox(const dt_recipe *recipe);

/* Decodes a tree. A missing `name` becomes `fallback_name` (a file's base name without its suffix). Checks that need
 * two fields are made here (micro_batch <= batch, shards <= batch, …). */
dt_status dt_recipe_decode(dt_recipe *out, const dt_yaml *root, const char *fallback_name);
void dt_recipe_finish(dt_recipe *recipe);

/* Every field with its value, plus `layers` (already resolved by the model room), as YAML. Free with dt_free. */
dt_status dt_recipe_emit(const dt_recipe *recipe, const dt_yaml *layers, char **out);

/* The recipe of a text dt_recipe_emit wrote; `name` is what messages call it. To be finished. */
dt_status dt_recipe_read_resolved(dt_recipe *out, const char *name, const char *text);

/* Compares the arithmetic of two resolved recipes (texts as dt_recipe_emit writes them: `old` from the checkpoint).
 * Fields named in `allowed` (the keys of --set assignments; NULL-terminated) may differ. A failure names every
 * differing field: "optimizer.lr is 0.01 but the checkpoint was trained with 0.001; …". */
dt_status dt_recipe_compare(const char *old_text, const char *new_text, const char *const *allowed);

/* The same of two runs of which neither is the other's: "optimizer.lr is 0.001 and 0.01; …". */
dt_status dt_recipe_differ(const char *one, const char *two);

/* Whether one of the keys `allowed` (of --set; NULL-terminated, or NULL) names the field, or a group it is in. */
bool dt_recipe_allows(const char *const *allowed, const char *key);

/* The text of --help-recipe for the recipe's own fields. Free with dt_free. */
char *dt_recipe_help(void);
/* And for those that are trees, but for model.layers. */
char *dt_recipe_trees_help(void);

#endif
