/* Between the files of the data room. */
#ifndef DTRAIN_DATA_INTERNAL_H
#define DTRAIN_DATA_INTERNAL_H

#include "dtrain/dataset.h"

/* One sample as an input, augmented (augment.c). `sample` is its bytes in the file's format. */
void dt_augment_sample(dt_real *out, const void *sample, dt_dtype dtype, const dt_kernels *kernels,
                       const dt_scaling *scaling, const dt_augment_draw *draw);
/* The same without augmentation (scaling.c). */
void dt_scale_sample(dt_real *out, const void *sample, dt_dtype dtype, const dt_kernels *kernels,
                     const dt_scaling *scaling);

/* Whether neighbouring numbers have scales of their own: they are then converted first and scaled as vectors. */
static inline bool dt_scales_vectors(const dt_scaling *scaling) {
    return scaling->channels > 1 && scaling->planes == 1;
}

/* Factor and term of a plane's conversion. */
static inline void dt_plane_scale(const dt_scaling *scaling, int64_t plane, dt_real *factor, dt_real *term) {
    int64_t channel = scaling->channels > 1 ? plane : 0;
    bool later = dt_scales_vectors(scaling);
    *factor = later ? 1 : (dt_real)(1 / scaling->std[channel]);
    *term = later ? 0 : (dt_real)(-scaling->mean[channel] / scaling->std[channel]);
}

#endif
