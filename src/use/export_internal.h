/* What exporters share. */
#ifndef DTRAIN_EXPORT_INTERNAL_H
#define DTRAIN_EXPORT_INTERNAL_H

#include "data/named_arrays.h"
#include "export.h"
#include "model/describe.h"
#include "outputs.h"
#include "trained.h"

/* The model that is exported, with its weights. */
struct dt_export {
    const char *destination; /* what is written takes its place */
    bool state;              /* what recurrent layers carry is taken and given */
    dt_trained trained;
    const dt_kernels *kernels;
    dt_model *model;
    dt_outputs outputs;
};

extern const dt_export_format dt_export_safetensors, dt_export_npz, dt_export_onnx, dt_export_gpt2, dt_export_keras,
    dt_export_pytorch;

/* Where a tensor's values are. */
const dt_real *dt_export_values(const dt_export *model, const dt_tensor *tensor);
/* Whether numbers are scaled in double, for float32 would lose what they are about. */
bool dt_export_is_wide(const dt_export *model);
/* A scale's numbers as an array that meets a sample: one for all, or one a channel. */
dt_shape dt_export_scale_shape(const dt_scaling *scaling, const dt_shape *input);
/* The same of what there is for each column, whether or not it has a scale of its own. */
dt_shape dt_export_column_shape(const dt_scaling *scaling, const dt_shape *input);
/* Of token ids: whether the first layer takes them as such, and not as numbers. */
bool dt_export_reads_ids(const dt_export *model);
/* A tensor with its dimensions in another order: dimension i of the result, whose shape is *shape, is dimension
 * order[i] of the other. */
void dt_export_turn(dt_real *out, dt_shape *shape, const dt_real *values, const dt_shape *from, const int *order);
/* "layer dense1 (dense): …", for what the format cannot carry. */
dt_status dt_export_refuse(const dt_layer *layer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- inputs that have names (export_inputs.c) ---- */

/* How an input's numbers become what the network takes: (x - mean)/std, and fill where one is missing. */
typedef struct dt_export_scale {
    dt_shape shape,
        fill_shape; /* of mean and std, and of fill, which meet a sample of the input from its last dimension */
    double *mean, *std, *fill; /* fill may be NULL */
    bool plain;                /* mean 0 and std 1 */
    bool wide;                 /* in double, as dt_export_is_wide */
} dt_export_scale;

/* 0: the model has one input, without a name. */
int64_t dt_export_input_count(const dt_export *model);
const dt_input *dt_export_input(const dt_export *model, int64_t i);
/* Which of them a layer `input` takes. */
int64_t dt_export_input_of(const dt_export *model, const dt_layer *layer);
/* To be finished, also after a failure. */
dt_status dt_export_input_scale(dt_export_scale *out, const dt_export *model, const dt_input *input);
void dt_export_scale_finish(dt_export_scale *scale);

/* ---- what a model is besides its layers (export_texts.c) ---- */

#define DT_EXPORT_TEXTS 24

/* Texts under names, owned. */
typedef struct dt_export_texts {
    int count;
    dt_named_text texts[DT_EXPORT_TEXTS];
    char *owned[DT_EXPORT_TEXTS];
} dt_export_texts;

/* producer, digest, step, recipe, input_shape, inputs (those that have names), input, input_mean and input_std, output,
 * target_mean and target_std, class_names; lists are JSON. To be finished, also after a failure. */
dt_status dt_export_texts_of(dt_export_texts *out, const dt_export *model);
dt_status dt_export_text_add(dt_export_texts *texts, const char *name, const char *text);
void dt_export_texts_finish(dt_export_texts *texts);

/* The function in the loss that outputs go through: "softmax", "sigmoid" or, of values, "none". */
const char *dt_export_final(const dt_export *model);
#endif
