/* Texts from a trained model (sample.c). */
#ifndef DTRAIN_SAMPLE_H
#define DTRAIN_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "base/table.h"
#include "compute/kernels.h"
#include "config/recipe.h"

typedef struct dt_sample_options {
    const char *target; /* a checkpoint or a run directory */
    const char *prompt; /* [prompt_bytes] */
    size_t prompt_bytes;
    int64_t tokens, samples; /* of each text; texts */
    double temperature;      /* 0: always the likeliest token */
    int64_t top_k;           /* 0: all */
    double top_p;            /* 1: all */
    int64_t seed;
    const char *weights; /* "bf16" or "float32": what products multiply; NULL: what they did in training */
    FILE *out;
} dt_sample_options;

typedef struct dt_sample_figures {
    int64_t tokens; /* that were drawn, in all texts */
    double seconds; /* in drawing and writing them, the reading of prompts excluded */
} dt_sample_figures;

/* Writes texts that go on from the prompt, which is written first, as the tokens come: the first of several at once,
 * each under a line with its number. A reader that closes `out` ends it, and is no failure. Needs no ranks. */
dt_status dt_sample_run(const dt_sample_options *options, dt_sample_figures *figures);

/* A model that trains; its weights are not touched. */
typedef struct dt_sample_model {
    const dt_recipe *recipe;
    const char *vocabulary; /* a file that has it */
    const dt_kernels *kernels;
    const dt_table *table;
    const dt_real *weights;
} dt_sample_model;

/* The same texts of such a model; options->target is not looked at. */
dt_status dt_sample_from(const dt_sample_options *options, const dt_sample_model *model, dt_sample_figures *figures);

#endif
