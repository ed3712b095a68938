/* Memory for a batch of a split's samples, and what a model that takes them is planned for. */
#include "batch.h"

#include <string.h>

#include "base/memory.h"

dt_status dt_batch_create(dt_batch *batch, int64_t **index, const dt_split *split, int64_t rows) {
    memset(batch, 0, sizeof *batch);
    *index = dt_alloc((size_t)rows, sizeof **index);
    size_t inputs = (size_t)dt_shape_count(&split->input), bytes = 0;
    if (dt_size_mul((size_t)rows, inputs, &bytes)) batch->x = dt_alloc(bytes, sizeof *batch->x);
    if (split->labels)
        batch->labels = dt_alloc((size_t)(rows * split->targets), sizeof *batch->labels);
    else
        batch->values = dt_alloc((size_t)rows * (size_t)split->width, sizeof *batch->values);
    if (*index && batch->x && (batch->labels || batch->values)) return dt_ok();
    dt_batch_destroy(batch, *index);
    *index = NULL;
    return dt_fail_memory("a batch", (unsigned long long)rows * inputs * sizeof(dt_real));
}

void dt_batch_destroy(dt_batch *batch, int64_t *index) {
    dt_free(batch->x);
    dt_free(batch->labels);
    dt_free(batch->values);
    dt_free(index);
    memset(batch, 0, sizeof *batch);
}

dt_model_spec dt_model_spec_of(const dt_split *split, const dt_recipe *recipe, int64_t rows, bool training) {
    return (dt_model_spec){.input = split->input,
                           .ids = split->ids,
                           .outputs = split->labels ? split->classes : split->width,
                           .targets = split->targets,
                           .labels = split->found ? dt_labels_text(split->found) : NULL,
                           .rows = rows,
                           .training = training,
                           .bf16 = recipe->compute.precision == DT_PRECISION_BF16};
}
