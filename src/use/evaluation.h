/* Evaluation of a split by a model (evaluation.c). */
#ifndef DTRAIN_EVALUATION_H
#define DTRAIN_EVALUATION_H

#include "assessment.h"
#include "base/ranks.h"
#include "data/source.h"
#include "model/model.h"

/* What is evaluated, and by what. */
typedef struct dt_evaluator {
    const dt_ranks *ranks;
    dt_model *model;
    const dt_kernels *kernels;
    const dt_scales *scales;
    const dt_real *weights;
    const dt_bf16 *weights16;
    const dt_source *source;
    int64_t rows_at_once;
    dt_assessor *assessor; /* also collects figures; NULL: none are */
} dt_evaluator;

/* The first sample whose loss is not finite. */
typedef struct dt_odd {
    const char *samples; /* name of the dataset */
    char cause[300];     /* "row 7 of /test/x is not finite: correct the data" */
} dt_odd;

/* Collective. *tally is the sum over the split, the same for every number of ranks; odd->cause is filled where a loss
 * is not finite. */
dt_status dt_evaluate_split(const dt_evaluator *evaluator, dt_tally *tally, dt_odd *odd);

#endif
