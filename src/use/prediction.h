/* Outputs of a model for the samples of a source (prediction.c). */
#ifndef DTRAIN_PREDICTION_H
#define DTRAIN_PREDICTION_H

#include "base/ranks.h"
#include "results.h"
#include "sink.h"

/* What is predicted, and by what. */
typedef struct dt_predictor {
    const dt_ranks *ranks;
    dt_model *model; /* planned for `piece` rows */
    const dt_kernels *kernels;
    const dt_scales *scales;
    const dt_real *weights;
    const dt_bf16 *weights16;
    const dt_source *sources; /* [source_count]: their samples one after the other */
    int source_count;
    int64_t piece; /* rows of every product, the same on all ranks: what a sample's bits may depend on */
    int64_t batch; /* samples at a time, which they do not depend on */
} dt_predictor;

/* What it came to. */
typedef struct dt_prediction {
    int64_t samples;
    double seconds;
    uint64_t digest; /* of all outputs: see dt_prediction_digest */
} dt_prediction;

/* Collective. Predicts, in order, all samples of the sources, and hands the results on to an open sink. An output that
 * is not finite is a failure that names its sample. */
dt_status dt_predict(const dt_predictor *predictor, dt_results *results, dt_sink *sink, dt_prediction *out);

/* The digest of outputs is XXH3-64 of two uint64: the number of samples, and the sum, modulo 2^64, of XXH3-64 of each
 * sample's float32 numbers, seeded with the number of the sample. A sum is the same in any order, and the seeds are
 * what tells orders apart. This is what a sample adds to it. Where the most likely classes alone are kept, the numbers
 * are their logarithms, and a sample adds the hash of its classes, int64, likewise. */
uint64_t dt_prediction_part(int64_t sample, const float *outputs, int64_t width);
uint64_t dt_prediction_digest(int64_t samples, uint64_t sum);

#endif
