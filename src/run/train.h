/* Training and evaluation of a run: the loop that knows all other rooms. */
#ifndef DTRAIN_TRAIN_H
#define DTRAIN_TRAIN_H

#include <stdio.h>

#include "comm/comm.h"
#include "config/recipe.h"

typedef struct dt_train_options {
    const char *run;            /* run directory; NULL: the recipe's */
    const char *resume;         /* "auto", "never", or a checkpoint file */
    const char *const *allowed; /* recipe keys that may differ from the checkpoint's; NULL-terminated */
    const char *trace;          /* file for a trace of all ranks' spans (Trace Event Format); NULL: none */
    bool profile;               /* print a table of where the time went */
    bool live;                  /* standard output is a terminal: one live line */
} dt_train_options;

typedef enum dt_outcome { DT_OUTCOME_DONE, DT_OUTCOME_STOPPED } dt_outcome;

/* Collective. Trains or goes on with a run until its recipe is fulfilled or it is asked to stop; prints progress and
 * the last line. The recipe is equal on all ranks. */
dt_status dt_train_run(dt_comm *comm, dt_recipe *recipe, const dt_train_options *options, dt_outcome *outcome);

typedef struct dt_eval_options {
    const char *target; /* a checkpoint or a run directory */
    const char *data;   /* another dataset file; NULL: the recipe's */
    const char *split;  /* "train" or "test" */
} dt_eval_options;

/* Collective. Evaluates a checkpoint and prints the last line. */
dt_status dt_eval_run(dt_comm *comm, const dt_eval_options *options);

typedef struct dt_sample_options {
    const char *target; /* a checkpoint or a run directory */
    const char *prompt; /* [prompt_bytes] */
    size_t prompt_bytes;
    int64_t tokens, samples; /* of each text; texts */
    double temperature;      /* 0: always the likeliest token */
    int64_t top_k;           /* 0: all */
    double top_p;            /* 1: all */
    int64_t seed;
    bool float32; /* products read the weights as they are; else rounded to bfloat16 */
    FILE *out;
} dt_sample_options;

typedef struct dt_sample_figures {
    int64_t tokens; /* that were drawn, in all texts */
    double seconds; /* in drawing and writing them, the reading of prompts excluded */
} dt_sample_figures;

/* Writes texts that go on from the prompt, which is written first, as the tokens come: the first of several at once,
 * each under a line with its number. A reader that closes `out` ends it, and is no failure. Needs no ranks. */
dt_status dt_sample_run(const dt_sample_options *options, dt_sample_figures *figures);

/* Collective. Measures the machine with all ranks at work at once, then `steps` steps of the recipe, and prints it all.
 * What it writes goes to a new directory below `directory` and is removed. */
dt_status dt_bench_run(dt_comm *comm, dt_recipe *recipe, int64_t steps, const char *directory);

#endif
