/* Memory for a batch of a split's samples, and what a model that takes them is planned for. */
#include "batch.h"

#include <string.h>

#include "base/memory.h"

dt_status dt_batch_create(dt_batch *batch, int64_t **index, const dt_source *source, int64_t rows) {
    memset(batch, 0, sizeof *batch);
    *index = dt_alloc((size_t)rows, sizeof **index);
    size_t inputs = (size_t)dt_shape_count(&source->about.input), bytes = 0;
    if (dt_size_mul((size_t)rows, inputs, &bytes)) batch->x = dt_alloc(bytes, sizeof *batch->x);
    bool none = source->unlabelled;
    if (!none && source->targets.labels)
        batch->labels = dt_alloc((size_t)(rows * source->targets.positions), sizeof *batch->labels);
    else if (!none)
        batch->values = dt_alloc((size_t)rows * (size_t)source->targets.width, sizeof *batch->values);
    bool weighs = dt_sample_weights_any(&source->weights);
    if (weighs) batch->weights = dt_alloc((size_t)rows, sizeof *batch->weights);
    if (*index && batch->x && (none || batch->labels || batch->values) && (!weighs || batch->weights)) return dt_ok();
    dt_batch_destroy(batch, *index);
    *index = NULL;
    return dt_fail_memory("a batch", (unsigned long long)rows * inputs * sizeof(dt_real));
}

void dt_batch_destroy(dt_batch *batch, int64_t *index) {
    dt_free(batch->x);
    dt_free(batch->labels);
    dt_free(batch->values);
    dt_free(batch->weights);
    dt_free(index);
    memset(batch, 0, sizeof *batch);
}

dt_model_spec dt_model_spec_of(const dt_source *source, const dt_recipe *recipe, int64_t rows, bool training) {
    return (dt_model_spec){.input = source->about.input,
                           .inputs = source->about.inputs,
                           .input_count = source->about.input_count,
                           .ids = source->about.ids,
                           .outputs = source->targets.labels ? source->targets.classes : source->targets.width,
                           .targets = source->targets.positions,
                           .labels = source->targets.found ? dt_labels_text(source->targets.found) : NULL,
                           .rows = rows,
                           .freeze = recipe->freeze,
                           .training = training,
                           .bf16 = recipe->compute.precision == DT_PRECISION_BF16};
}
