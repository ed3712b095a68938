/* What an evaluation says beyond loss and accuracy (assessment.c). */
#ifndef DTRAIN_ASSESSMENT_H
#define DTRAIN_ASSESSMENT_H

#include "base/ranks.h"
#include "data/batch.h"
#include "outputs.h"

#define DT_ASSESSMENT_BINS 15
#define DT_ASSESSMENT_MOST 1024 /* classes of which each pair is counted */

typedef struct dt_class_figures {
    int64_t samples, chosen, right;
    double precision, recall, f1; /* 0 where they would be 0/0 */
} dt_class_figures;

typedef struct dt_value_figures {
    double mae, rmse, r2; /* in the targets' units; R² is NaN where the targets are all alike */
} dt_value_figures;

typedef struct dt_calibration_bin {
    int64_t samples;
    double accuracy, confidence; /* means; 0 of none */
} dt_calibration_bin;

/* The figures. A sample is a position where samples have several labels; those whose outputs are not finite are in
 * none. Precision is right/chosen, recall right/samples, F1 2*right/(chosen + samples); macro is the mean over the
 * classes that are there or were chosen, weighted the mean over the samples. ECE is sum |bin|/n |accuracy - confidence|
 * over 15 bins
 * ((b-1)/15, b/15] of the chosen class's probability (Guo et al. 2017, section 2). R² is 1 - sum(y-o)²/sum(y-mean)². */
typedef struct dt_assessment {
    int64_t samples;
    int64_t classes;    /* 0: the targets are values */
    int64_t *confusion; /* [what it is, what was chosen]; NULL beyond DT_ASSESSMENT_MOST classes */
    dt_class_figures *of_class, macro, weighted;
    double auc; /* of two classes, the second of which is positive; NaN: there is none */
    double ece; /* NaN: outputs are no probabilities */
    dt_calibration_bin bins[DT_ASSESSMENT_BINS];
    int64_t values; /* numbers of a target */
    dt_value_figures *of_value;
} dt_assessment;
void dt_assessment_finish(dt_assessment *assessment);

/* Collects what they are made of, on each rank. */
typedef struct dt_assessor dt_assessor;
dt_status dt_assessor_create(dt_assessor **out, const dt_outputs *outputs, const dt_kernels *kernels);
void dt_assessor_destroy(dt_assessor *assessor); /* accepts NULL */
/* Outputs before the loss's function, output[rows, width], with labels or values: dt_pass.judged. */
void dt_assessor_take(void *assessor, const dt_real *output, const dt_batch *batch, int64_t rows, int64_t width);
/* Collective. The figures of all ranks' samples, the same for every number of ranks; to be finished, also after a
 * failure. */
dt_status dt_assessor_gather(dt_assessor *assessor, const dt_ranks *ranks, dt_assessment *out);

/* Names of classes: a label, or NULL where classes have numbers alone. */
typedef const char *(*dt_class_namer)(const void *context, int64_t class, char room[24]);
/* In lines for a terminal, to free(); NULL: there is no memory. `terse`: a text's tokens, of which no table is made. */
char *dt_assessment_text(const dt_assessment *assessment, dt_class_namer name, const void *context, bool terse);

#endif
