/* What a model says of itself. */
#include <string.h>

#include "handles.h"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char *dtrain_version(void) {
    return TEXT(DTRAIN_VERSION_MAJOR) "." TEXT(DTRAIN_VERSION_MINOR) "." TEXT(DTRAIN_VERSION_PATCH);
}

const char *dtrain_checkpoint(const dtrain_model *model) {
    return model->trained.path;
}
int64_t dtrain_step(const dtrain_model *model) {
    return model->trained.head.position.step;
}
const char *dtrain_warnings(const dtrain_model *model) {
    return model->warnings ? model->warnings : "";
}

int64_t dtrain_inputs(const dtrain_model *model) {
    return model->inputs;
}
int64_t dtrain_outputs(const dtrain_model *model) {
    return model->outputs_count;
}
int64_t dtrain_states(const dtrain_model *model) {
    return model->states;
}

static int tell_shape(const dt_shape *from, int64_t *to) {
    for (int i = 0; i < from->rank; i++) to[i] = from->dim[i];
    return from->rank;
}

int dtrain_input_shape(const dtrain_model *model, int64_t shape[DTRAIN_MAX_RANK]) {
    return tell_shape(&model->trained.source.about.input, shape);
}
int dtrain_output_shape(const dtrain_model *model, int64_t shape[DTRAIN_MAX_RANK]) {
    return tell_shape(&model->output_shape, shape);
}

const char *dtrain_input_name(const dtrain_model *model) {
    return dt_source_dataset(&model->trained.recipe.data, false);
}
const char *dtrain_input_type(const dtrain_model *model) {
    return dt_dtype_name(model->trained.source.about.dtype);
}
const char *dtrain_output_name(const dtrain_model *model) {
    return model->trained.source.about.predicts_tokens ? "" : model->trained.recipe.data.train_y;
}
int64_t dtrain_input_ids(const dtrain_model *model) {
    return model->trained.source.about.ids;
}

int dtrain_output_kind_of(const dtrain_model *model) {
    switch (model->outputs.loss) {
    case DT_LOSS_SOFTMAX_CROSS_ENTROPY: return DTRAIN_PROBABILITIES;
    case DT_LOSS_BINARY_CROSS_ENTROPY: return DTRAIN_LIKELIHOODS;
    default: return DTRAIN_VALUES;
    }
}

int64_t dtrain_classes(const dtrain_model *model) {
    return model->outputs.classes;
}

const char *dtrain_class_name(const dtrain_model *model, int64_t i) {
    const char *name = i >= 0 ? dt_class_name(&model->trained.classes, i) : "";
    return *name ? name : NULL;
}

int64_t dtrain_class_label(const dtrain_model *model, int64_t i) {
    const dt_classes *classes = &model->trained.classes;
    return i >= 0 && i < classes->count ? classes->values[i] : i;
}

/* Of number i of a sample. */
static int64_t channel_of(const dt_scaling *s, int64_t i) {
    if (s->channels <= 1) return 0;
    return s->planes > 1 ? i / (s->height * s->width) : i % s->depth;
}

static void tell_scaling(const dt_scaling *s, int64_t count, double *mean, double *deviation) {
    for (int64_t i = 0; i < count; i++) {
        if (mean) mean[i] = s->channels > 0 ? s->mean[channel_of(s, i)] : 0;
        if (deviation) deviation[i] = s->channels > 0 ? s->std[channel_of(s, i)] : 1;
    }
}

void dtrain_input_scaling(const dtrain_model *model, double *mean, double *deviation) {
    tell_scaling(&model->trained.scales.input, model->inputs, mean, deviation);
}
void dtrain_output_scaling(const dtrain_model *model, double *mean, double *deviation) {
    tell_scaling(&model->trained.scales.target, model->outputs_count, mean, deviation);
}
