/* A run in progress, shared by the files of this room. */
#ifndef DTRAIN_RUN_INTERNAL_H
#define DTRAIN_RUN_INTERNAL_H

#include <stdio.h>

#include "comm/comm.h"
#include "comm/node.h"
#include "comm/reduce.h"
#include "comm/watchdog.h"
#include "comm_ranks.h"
#include "compute/compute.h"
#include "config/recipe.h"
#include "data/identity.h"
#include "data/sampler.h"
#include "data/source.h"
#include "data/targets.h"
#include "data/tokenizer.h"
#include "model/model.h"
#include "optim/optim.h"
#include "run/train.h"
#include "store/checkpoint.h"
#include "store/metrics.h"
#include "store/rundir.h"
#include "use/batch.h"
#include "use/cause.h"
#include "use/evaluation.h"
#include "use/extras.h"
#include "use/figures.h"
#include "use/pieces.h"
#include "use/rows_state.h"
#include "use/trained.h"

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
    dt_ranks ranks;
    dt_recipe *recipe;
    const dt_train_options *options;
    const dt_kernels *kernels;
    char directory[4096], checkpoints[4096];
    dt_watchdog *watchdog;
    dt_rundir *lock;     /* rank 0 */
    dt_metrics *metrics; /* rank 0 */
    char *resolved;      /* the recipe as stored */

    dt_source train, test;
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
    double *squares; /* of the gradient, a sum for each block of DT_TABLE_BLOCK elements */
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
/* Collective. What train.not_finite says about an evaluation: a failure, or these samples leave the tally; `told`: it
 * was said before. */
dt_status dt_test_not_finite(const dt_comm *comm, dt_not_finite policy, const dt_odd *odd, bool told, dt_tally *tally);

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
