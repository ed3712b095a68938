/* Memory for a batch, and what a model is to do with one (batch.c). */
#ifndef DTRAIN_BATCH_H
#define DTRAIN_BATCH_H

#include "data/source.h"
#include "model/model.h"

/* A batch and an index for `rows` samples of `source`; and their end. */
dt_status dt_batch_create(dt_batch *batch, int64_t **index, const dt_source *source, int64_t rows);
void dt_batch_destroy(dt_batch *batch, int64_t *index);
/* What a model is to do with the samples of `source`. */
dt_model_spec dt_model_spec_of(const dt_source *source, const dt_recipe *recipe, int64_t rows, bool training);

#endif
