/* A run in progress, shared by the files of this room. */
#ifndef DTRAIN_RUN_INTERNAL_H
#define DTRAIN_RUN_INTERNAL_H

#include <stdio.h>

#include "comm/comm.h"
#include "comm/node.h"
#include "comm/reduce.h"
#include "comm/watchdog.h"
#include "compute/compute.h"
#include "config/recipe.h"
#include "data/dataset.h"
#include "data/identity.h"
#include "data/tokenizer.h"
#include "model/model.h"
#include "optim/optim.h"
#include "run/train.h"
#include "store/checkpoint.h"
#include "store/metrics.h"
#include "store/rundir.h"

#define DT_MAX_SKIPS 16

/* What the seconds of a run are spent on; the first four are the training loop. */
typedef enum dt_phase {
    DT_PHASE_INPUT,
    DT_PHASE_COMPUTE,
    DT_PHASE_REDUCE,
    DT_PHASE_UPDATE,
    DT_PHASE_EVALUATE,
    DT_PHASE_CHECKPOINT,
    DT_PHASE_COUNT
} dt_phase;

/* State that streams carry from batch to batch (recurrent_state.c); count 0: there is none. */
typedef struct dt_recurrent_state {
    dt_real *now, *next; /* [streams, width], the node's: of the last step that counted, and of the one in progress */
    int64_t streams, width, count;
    bool whole; /* rows of other nodes are in `now` too */
    int64_t *words;
    size_t word_count;
    dt_extra *extra; /* `now`, for the store */
} dt_recurrent_state;

/* What is beside the digest in a checkpoint. */
enum { DT_BESIDE_EPOCH_SUMS, DT_BESIDE_LAST_SUMS, DT_BESIDE_BEST_VALUE, DT_BESIDES };

typedef struct dt_run {
    dt_comm *comm;
    dt_recipe *recipe;
    const dt_train_options *options;
    const dt_kernels *kernels;
    char directory[4096], checkpoints[4096];
    dt_watchdog *watchdog;
    dt_rundir *lock;     /* rank 0 */
    dt_metrics *metrics; /* rank 0 */
    char *resolved;      /* the recipe as stored */

    dt_split train, test;
    bool has_test;
    dt_vocabulary vocabulary; /* of a text's file */
    dt_identity identity;     /* of the data */
    char data[DT_IDENTITY_TEXT];
    dt_classes classes; /* of labels that are no class numbers */
    char *class_names;  /* [class_names_bytes], of dt_class_names */
    int64_t class_names_bytes;
    bool resumes; /* classes are a checkpoint's */
    dt_scaling scaling;

    dt_model *model;
    const dt_table *table; /* the model's */
    dt_node *node;         /* the ranks that share the weights, the slots and the squares */
    dt_real *weights;
    dt_bf16 *weights16; /* the same, rounded, for compute.precision bf16; else NULL */
    bool lacks_bf16;    /* the recipe asks for bf16, which some rank's machine has not */
    const dt_rule *rule;
    const char *slot_names[DT_MAX_SLOTS + 1];
    char slot_groups[DT_MAX_SLOTS][64];
    dt_real *slots[DT_MAX_SLOTS];
    dt_reducer *reducer;
    dt_recurrent_state recurrent_state;
    double *squares; /* of the gradient, a sum for each block of DT_REDUCE_BLOCK elements */
    dt_batch batch;  /* [rows_at_once] */
    int64_t *index;  /* [rows_at_once] */
    int64_t rows_at_once;

    int64_t shards, steps_per_epoch, total_steps;
    dt_position position;
    int64_t first_step;   /* of this process */
    dt_tally epoch_tally; /* of the epoch in progress, all ranks, up to the last reduction */
    dt_tally last_tally;  /* of the last finished epoch */
    dt_tally local_tally; /* this rank's since the last reduction */
    dt_tally test_tally;  /* of the last evaluation */
    double best_value;    /* of checkpoint.best, larger is better */
    struct dt_best_so_far {
        double value; /* the same, for the digest: of a loss the mean of its rounded sum */
        double step;  /* of that evaluation; 0: none yet */
        double since; /* evaluations since; below 0: -1 - their number, and that of this step is still to be made */
    } best;
    struct dt_skips {
        int64_t steps[DT_MAX_SKIPS]; /* steps + 1 that are passed over, after rollbacks; 0: free */
        int64_t count, in_a_row;     /* steps passed over so far, for whatever reason; up to now without a break */
    } skips;

    dt_section sections[1 + DT_MAX_SLOTS];
    dt_extra extras[24];
    dt_beside beside[DT_BESIDES + 1]; /* the last: class_names, where there are any */
    dt_state state;                   /* views into the above, for the store */

    double started;       /* clock at start-up */
    double loop_seconds;  /* in the training loop alone, this process */
    int64_t loop_samples; /* trained in those seconds, all ranks */
    int64_t redone;       /* steps computed again because a gradient did not fit the wire */
    double phases[DT_PHASE_COUNT];
    int trace[DT_PHASE_COUNT];               /* kinds of span */
    char trace_path[4096];                   /* what becomes the trace */
    FILE *trace_file;                        /* it, rank 0 */
    double trace_origin;                     /* clock; the same moment on all ranks */
    size_t memory;                           /* bytes a rank might take when the run was planned */
    int64_t memory_before;                   /* what this process had when it began, where a profile is wanted */
    double checkpoint_clock, evaluate_clock; /* rank 0: when the last one was */
    const char *ended;                       /* why the loop was left; rank 0 */
    bool asked_by_clock;                     /* rank 0: the stop of this step is train.stop_after's */
    int64_t odd_samples;                     /* of the last evaluation, told of */
    int64_t checkpoint_step;                 /* step of the newest checkpoint; -1: none */
    bool checkpoint_behind;                  /* an evaluation has changed the state since, in the same step */
    int64_t rows_lost;                       /* rank 0: of metrics */
    double grad_norm, rate;                  /* of the last step that measured them */
} dt_run;

/* hold.c. Collective. Names the run's directories and takes the lock, waiting where it must. */
dt_status dt_run_hold(dt_run *run);
/* Collective. That the directory is still ours, before anything is written to it. */
dt_status dt_run_check_hold(dt_run *run);
/* The same on rank 0 alone, of its dt_rundir, for the store. */
dt_status dt_run_may_commit(void *lock);

/* state.c: everything before the first step and after the last. Collective. */
dt_status dt_run_open(dt_run *run, dt_comm *comm, dt_recipe *recipe, const dt_train_options *options);
void dt_run_close(dt_run *run);
/* That one could be published. */
dt_status dt_run_rehearse(dt_run *run);
/* Publishes a checkpoint of the present state unless the newest one is of this step already. */
dt_status dt_run_publish(dt_run *run);
/* Adds every rank's local tally to the epoch's. */
dt_status dt_run_gather_tally(dt_run *run);
/* The state as the store sees it, up to date. */
const dt_state *dt_run_state(dt_run *run);

/* resume.c. What a run goes on from, and what is planned by it. */
typedef struct dt_start {
    char path[4096]; /* of the checkpoint; "": the run begins */
    int64_t shards;
    int isa; /* dt_isa it was trained with; DT_ISA_AUTO: it does not say */
} dt_start;
/* Collective. */
dt_status dt_resume_choose(const dt_run *run, dt_start *start);
/* Collective, once everything is planned. The state becomes that of the checkpoint, which must be this run's. */
dt_status dt_resume_load(dt_run *run, const char *path);
/* Collective. Back to the newest checkpoint that is whole. */
dt_status dt_run_roll_back(dt_run *run);

/* course.c. steps_per_epoch and total_steps, from the recipe, the data and the present position. */
void dt_course_plan(dt_run *run);
/* The steps of the present batch that a position is from the beginning of this data. */
int64_t dt_course_step(const dt_run *run, const dt_position *position);
/* That a checkpoint's position is one of this data. */
dt_status dt_course_check(const dt_run *run, const dt_position *position);
/* Other data: its first epoch begins, with the weights, moments and scaling there are. */
void dt_course_begin_anew(dt_run *run);

/* What is evaluated, and by what. */
typedef struct dt_evaluator {
    dt_comm *comm;
    dt_model *model;
    const dt_kernels *kernels;
    const dt_scaling *scaling;
    const dt_real *weights;
    const dt_bf16 *weights16;
    const dt_split *split;
    int64_t rows_at_once;
} dt_evaluator;

/* The first sample whose loss is not finite. */
typedef struct dt_odd {
    const char *samples, *targets; /* names of the datasets */
    char cause[300];               /* "row 7 of /test/x is not finite: correct the data" */
} dt_odd;

/* not_finite.c. Whether `step` is to be passed over, after a rollback. */
bool dt_run_skips(const dt_run *run, int64_t step);
/* Collective. What train.not_finite says is to be done about the step at the present position, of `rows` samples: a
 * failure, or to pass it over; *redo: the position is that of the last checkpoint now. */
dt_status dt_run_not_finite(dt_run *run, const dt_sampler *sampler, int64_t rows, bool *redo);

/* targets.c. That test targets are of the kind of the training targets. */
dt_status dt_run_check_targets(dt_run *run);
/* Once the model is there: what targets are to it. The same on every rank, but memory may fail on one. */
dt_status dt_run_settle_targets(dt_run *run);
/* Says what is worth knowing of the classes, on rank 0. */
void dt_run_tell_targets(const dt_run *run);
/* Where class values are in a checkpoint: into out[1], or nothing where labels are class numbers. Returns how many. */
int dt_classes_extras(dt_classes *classes, dt_extra *out);

/* Collective. What train.not_finite says about an evaluation: a failure, or these samples leave the tally; `told`: it
 * was said before. */
dt_status dt_test_not_finite(const dt_comm *comm, dt_not_finite policy, const dt_odd *odd, bool told, dt_tally *tally);

/* cause.c: a sample, alone in a batch, whose loss or gradient is not finite. */
typedef struct dt_suspect {
    const dt_split *split;
    const char *samples, *targets; /* names of the datasets */
    dt_model *model;
    const dt_kernels *kernels;
    const dt_batch *batch;
    int64_t row; /* in the dataset, of a text's tokens the first */
} dt_suspect;
/* Why: "row 7 of /test/x is not finite: correct the data". False when nothing before the loss is wrong. */
bool dt_find_cause(const dt_suspect *suspect, const dt_pass *pass, char *out, size_t size);

/* recurrent_state.c. dt_recurrent_state_open is collective, and once the node is there. */
dt_status dt_recurrent_state_open(dt_run *run);
void dt_recurrent_state_close(dt_run *run);
/* Where it is in a checkpoint: into out[1], which stays there, or nothing. Returns how many. */
int dt_recurrent_state_extras(dt_run *run, dt_extra *out);
/* For a pass whose row 0 is `row` of the global batch; `fresh`: nothing was before it. */
void dt_recurrent_state_pass(const dt_run *run, dt_pass *pass, int64_t row, bool fresh);
/* The step counts, or it is passed over: then its rows go on from where they were, from zeros at an epoch's start. */
void dt_recurrent_state_commit(dt_run *run);
void dt_recurrent_state_skip(dt_run *run);
/* Collective. All rows, in every node; between steps. */
dt_status dt_recurrent_state_gather(dt_run *run);

/* The same for rows that one rank has to itself, in an evaluation or sampling: what the last pass left, and where the
 * next leaves it. */
typedef struct dt_rows_state {
    dt_real *state[2]; /* [rows, state width]; NULL where the model has none */
} dt_rows_state;
/* To be finished, also after a failure. */
dt_status dt_rows_state_create(dt_rows_state *rows_state, const dt_model *model, int64_t rows);
void dt_rows_state_finish(dt_rows_state *rows_state);
/* For the next pass of these rows; `fresh`: it goes on from nothing. */
void dt_rows_state_pass(dt_rows_state *rows_state, dt_pass *pass, bool fresh);

/* precision.c. Collective, after dt_compute_open: whether every rank's machine multiplies bfloat16 numbers. */
dt_status dt_precision_everywhere(dt_comm *comm, bool *all);
/* Collective. Where the recipe asks for bf16 and some rank cannot, it becomes float32 on all of them, and *lacks true.
 */
dt_status dt_precision_settle(dt_comm *comm, dt_recipe *recipe, bool *lacks);
/* Says so, on rank 0. */
void dt_precision_warn(const dt_comm *comm, const dt_recipe *recipe);
/* That a checkpoint's recipe, which is to be gone on with in float32 for want of bf16, is not one of bf16. */
dt_status dt_precision_check(const char *recipe);
/* Collective over the node. weights16 becomes weights, rounded; nothing when there is no weights16. */
void dt_run_round_weights(dt_run *run);

/* evaluate.c. Names alone. */
dt_odd dt_odd_names(const dt_recipe_data *data, bool test);

/* Collective. *tally is the sum over the split, the same for every number of ranks; odd->cause is filled where a loss
 * is not finite. */
dt_status dt_evaluate_split(const dt_evaluator *evaluator, dt_tally *tally, dt_odd *odd);
/* Collective. *tally becomes the sum of all ranks' tallies. */
dt_status dt_tally_gather(dt_comm *comm, dt_tally *tally);
/* Where computed scales are in a checkpoint: into out[2], or nothing when they are given. Returns how many. */
int dt_scaling_extras(const dt_recipe_data *data, const dt_scaling *scaling, dt_extra *out);
/* Where a vocabulary is in a checkpoint: into out[4], or nothing when there is none. Returns how many. */
int dt_vocabulary_extras(dt_vocabulary *vocabulary, dt_extra *out);
/* What a model is to do with the samples of `split`. */
dt_model_spec dt_model_spec_of(const dt_split *split, const dt_recipe *recipe, int64_t rows, bool training);
/* A batch and an index for `rows` samples of `split`; and their end. */
dt_status dt_batch_create(dt_batch *batch, int64_t **index, const dt_split *split, int64_t rows);
void dt_batch_destroy(dt_batch *batch, int64_t *index);
/* pieces.c. Rows computed at once, in training and evaluation: a function of the recipe, the number of shards and that
 * of samples alone. */
int64_t dt_rows_at_once(const dt_recipe *recipe, int64_t shards, int64_t samples);
typedef struct dt_pieces {
    int64_t least;   /* samples that are computed at once, at least */
    char where[160]; /* where that is 1: "a batch of 32 samples in 32 shards has a piece of 1 sample" */
    char remedy[96]; /* "train.batch=64 or train.shards=16" */
} dt_pieces;
void dt_pieces_describe(const dt_recipe *recipe, int64_t shards, int64_t samples, dt_pieces *out);
/* figures.c. e^loss, of a text's tokens; NaN when that is not what is predicted. */
double dt_perplexity(const dt_tally *tally, const dt_split *split);
/* Bits for a character of the text; NaN when its characters were not counted. */
double dt_bits_per_char(const dt_tally *tally, const dt_split *split);
/* Whether outputs are right or wrong: classes are chosen, or one half decides. And whether top-5 is more than that. */
bool dt_has_accuracy(const dt_split *split, dt_loss loss);
bool dt_has_top5(const dt_split *split, dt_loss loss);
/* part/samples; NaN when there are none. */
double dt_tally_share(int64_t part, const dt_tally *tally);
/* " train_loss=…" alone. */
void dt_loss_text(char *out, size_t size, const char *prefix, const dt_tally *tally);
#define DT_FIGURES 320 /* bytes that the figures of a tally fit into */
/* " test_loss=… test_accuracy=…": the keys that apply to this loss and these targets, each with `prefix`; with `all`
 * also top-5 accuracy, mean absolute error and bits per character. */
void dt_tally_text(char *out, size_t size, const char *prefix, const dt_tally *tally, dt_loss loss,
                   const dt_split *split, bool all);

/* trained.c. `target` itself, or the newest checkpoint of a run directory that verifies. */
dt_status dt_trained_find(const char *target, char path[4096]);
/* Both are to be finished, also after a failure. */
dt_status dt_trained_recipe(const char *path, dt_checkpoint_head *head, dt_recipe *recipe);
/* The weights of a model with this table, to dt_free also after a failure; and what else is asked for. */
dt_status dt_trained_weights(const char *path, const dt_table *table, dt_extra *extras, int extra_count,
                             dt_real **weights);

/* The same rounded to bfloat16, to dt_free. */
dt_status dt_trained_rounded(const dt_kernels *kernels, const dt_real *weights, size_t count, dt_bf16 **rounded);

/* decoder.c: a text model read token by token. */
typedef struct dt_decoder dt_decoder;
/* `rows` texts at once, of tokens below `vocabulary`, by a model trained on windows of `context` tokens. */
dt_status dt_decoder_create(dt_decoder **out, const dt_yaml *layers, const dt_recipe_loss *loss, int64_t vocabulary,
                            int64_t context, int64_t rows, const dt_kernels *kernels);
void dt_decoder_destroy(dt_decoder *decoder); /* accepts NULL */
const dt_table *dt_decoder_table(const dt_decoder *decoder);
/* Weights for all that follows, taken over; with `bf16` products read a rounded copy. */
dt_status dt_decoder_weights(dt_decoder *decoder, dt_real *weights, bool bf16);
/* Forgets what was read; from now on `rows` texts. */
void dt_decoder_restart(dt_decoder *decoder, int64_t rows);
/* Reads the next token of each text. The outputs for the one after it, [rows, vocabulary]; borrowed until the next
 * call. When the window is full and the model cannot go on beyond it, the newest half of it is read again first. */
const dt_real *dt_decoder_read(dt_decoder *decoder, const int32_t *tokens);
/* Of `count` tokens from an empty window on, the first that is still in the window when the last was read. */
int64_t dt_decoder_first(const dt_decoder *decoder, int64_t count);

/* choose.c: the next token. */
typedef struct dt_choice {
    double temperature; /* 0: the largest output, the first among equals */
    int64_t top_k;      /* only this many of the largest; 0: all */
    double top_p;       /* only the fewest that have this share of the probability together */
} dt_choice;
typedef struct dt_candidate {
    double share;
    float output;
    int32_t id;
} dt_candidate;
/* One of the tokens [0, count) by their outputs and a number `draw` in [0, 1); -1 when an output is not a number or
 * infinite. work[count]. */
int64_t dt_choose(const dt_choice *choice, const dt_real *outputs, int64_t count, double draw, dt_candidate *work);

/* Adds the seconds since *mark to a phase and moves the mark. */
void dt_run_spend(dt_run *run, dt_phase phase, double *mark);

/* profile.c. Collective; they do nothing unless the options ask for a profile or a trace. */
dt_status dt_profile_open(dt_run *run);
dt_status dt_profile_finish(dt_run *run);
/* Not collective. */
void dt_profile_close(dt_run *run);

/* memory.c. Collective. The bytes each rank of a machine may still take, the least of all. */
dt_status dt_memory_of_rank(dt_comm *comm, size_t *out);
/* That the plan of a run, whose model there is, fits into run->memory. */
dt_status dt_run_check_memory(const dt_run *run);
/* Collective. What the run keeps in memory, as planned and as measured. */
dt_status dt_run_print_memory(const dt_run *run);

/* computed.c. Collective. Success when no product of any rank has failed since it was last asked; else on all ranks
 * what failed on the lowest of them, which is named. */
dt_status dt_computed_everywhere(dt_comm *comm);

/* measure.c: floating-point operations a second of one core in products of n by n matrices, measured for about so many
 * seconds. */
dt_status dt_measure_products(int64_t n, dt_precision precision, double seconds, double *rate);

/* progress.c: what a run says and records. */
typedef struct dt_progress {
    dt_tally interval; /* all ranks, since the last record */
    double clock, shown, loop_seconds;
    double phases[DT_PHASE_COUNT]; /* at the last record */
    int64_t loop_samples;
    double loss;    /* of the last record */
    bool live_line; /* one is on the screen */
} dt_progress;
void dt_progress_begin(dt_progress *progress, const dt_run *run);
/* Rank 0 with a terminal: refreshes the live line, at most ten times a second. */
void dt_progress_live(dt_progress *progress, const dt_run *run);
void dt_progress_clear(dt_progress *progress);
/* Collective. A row of metrics and a line, for the steps since the last one. */
dt_status dt_progress_record(dt_progress *progress, dt_run *run);
/* Collective. The same for an evaluation. */
dt_status dt_progress_evaluated(dt_progress *progress, dt_run *run);
/* Rank 0: this run has made steps itself, not only taken over a checkpoint. */
bool dt_progress_is_recorded(const dt_run *run);
/* Rank 0: there is a row of the evaluation of this step. */
bool dt_progress_is_evaluated(const dt_run *run);
/* Says how many rows of metrics were not written. */
void dt_progress_lost(const dt_run *run);
/* The machine-readable last line. */
void dt_progress_last_line(const dt_run *run, dt_outcome outcome, uint64_t digest);
extern const dt_metrics_series dt_run_series[2];

#endif
