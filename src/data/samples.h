/* A sample of numbers as an input of a model: scaled (scaling.c), moved and mirrored (augment.c). */
#ifndef DTRAIN_DATA_SAMPLES_H
#define DTRAIN_DATA_SAMPLES_H

#include "data/augment.h"
#include "data/scaling.h"

/* One sample as an input, augmented (augment.c). `sample` is its bytes in the file's format. */
void dt_augment_sample(dt_real *out, const void *sample, dt_dtype dtype, const dt_kernels *kernels,
                       const dt_scaling *scaling, const dt_augment_draw *draw);
/* Bytes of a row, of numbers of `size` bytes, with the picture in it moved and mirrored, into out (augment.c). */
void dt_augment_picture(char *out, const char *row, size_t row_bytes, size_t size, const dt_picture *picture,
                        const dt_augment_draw *draw);
/* One sample without augmentation (scaling.c). */
void dt_scale_sample(dt_real *out, const void *sample, dt_dtype dtype, const dt_kernels *kernels,
                     const dt_scaling *scaling);

/* ---- parts of it (scaling.c) ---- */

/* `positions` positions of a plane, as inputs; of vectors, dt_scale_vectors has to follow. */
void dt_scale_run(dt_real *out, const void *x, dt_dtype dtype, const dt_kernels *kernels, const dt_scaling *scaling,
                  int64_t plane, int64_t positions);
/* The same of zeros of the file. */
void dt_scale_black(dt_real *out, dt_dtype dtype, const dt_scaling *scaling, int64_t plane, int64_t positions);
/* What is left to do where neighbouring numbers have scales of their own: they are converted first and scaled as
 * vectors. */
void dt_scale_vectors(dt_real *out, dt_dtype dtype, const dt_kernels *kernels, const dt_scaling *scaling,
                      int64_t positions);
/* Missing values become what stands in for them, last of all. */
void dt_scale_missing(dt_real *out, const dt_scaling *scaling);

#endif
