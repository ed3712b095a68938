/* Why a sample's loss or gradient is no number (cause.c). */
#ifndef DTRAIN_CAUSE_H
#define DTRAIN_CAUSE_H

#include "data/source.h"
#include "model/model.h"

/* A sample, alone in a batch, whose loss or gradient is not finite. */
typedef struct dt_suspect {
    const dt_source *source;
    dt_model *model;
    const dt_kernels *kernels;
    const dt_batch *batch;
    int64_t place; /* in the dataset: dt_source_place */
} dt_suspect;
/* Why: "row 7 of /test/x is not finite: correct the data". False when nothing before the loss is wrong. */
bool dt_find_cause(const dt_suspect *suspect, const dt_pass *pass, char *out, size_t size);

#endif
