/* Files of HDF5 that are to be data: opened as training and as test data by a recipe, as arrays and as text, their
 * scales computed and their first samples gathered. HDF5 itself may crash on them, in the child that reads them
 * (guard.h); this process may not. */
#include "fuzz.h"

#include "base/memory.h"
#include "base/ranks.h"
#include "compute/compute.h"
#include "config/recipe.h"
#include "data/source.h"

static dt_ranks ranks;
static const dt_kernels *kernels;

static void start(void) {
    ranks = dt_ranks_alone();
    fuzz_check(dt_compute_open(&kernels, DT_ISA_AUTO, 1));
    if (!kernels) abort();
}

static void gather(const dt_source *source, const dt_recipe_data *data) {
    int64_t row = source->samples - 1, inputs = dt_shape_count(&source->about.input);
    if (source->samples < 1 || inputs > 1 << 20 || source->targets.width > 1 << 20 ||
        source->targets.positions > 1 << 20)
        return;
    dt_scales scales;
    dt_status status = dt_scales_open(&scales, source, data);
    if (status.code == DT_OK) status = dt_scales_compute(&scales, &ranks, source, data);
    fuzz_check(status);
    const dt_augment augment = dt_augment_at(data, 1, 0);
    dt_batch batch;
    memset(&batch, 0, sizeof batch);
    batch.x = calloc((size_t)inputs, sizeof *batch.x);
    batch.labels = source->targets.labels ? calloc((size_t)source->targets.positions, sizeof *batch.labels) : NULL;
    batch.values = source->targets.labels ? NULL : calloc((size_t)source->targets.width, sizeof *batch.values);
    if (status.code == DT_OK)
        dt_source_fetch(source, kernels, &scales, data->context > 0 ? &augment : NULL, &row, 1, &batch);
    free(batch.x), free(batch.labels), free(batch.values);
    dt_scales_close(&scales);
}

static void open_by(const char *recipe_text, bool test) {
    dt_yaml *root;
    dt_recipe recipe;
    memset(&recipe, 0, sizeof recipe);
    if (dt_yaml_parse_text(&root, "fuzz.yaml", recipe_text).code != DT_OK) abort();
    if (dt_recipe_decode(&recipe, root, "fuzz").code != DT_OK) abort();
    dt_source source;
    memset(&source, 0, sizeof source);
    dt_source_request request = {.file = "fuzz.h5",
                                 .data = &recipe.data,
                                 .loss = (dt_loss)recipe.loss.kind,
                                 .streams = 1,
                                 .split = test ? DT_SPLIT_TEST : DT_SPLIT_TRAIN,
                                 .in_order = test};
    dt_status status = dt_source_open(&source, &ranks, &request);
    fuzz_check(status);
    if (status.code == DT_OK) gather(&source, &recipe.data);
    dt_source_close(&source);
    dt_recipe_finish(&recipe);
    dt_yaml_destroy(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!kernels) start();
    fuzz_write("fuzz.h5", data, size);
    open_by("data: {file: fuzz.h5, normalize: computed}\nmodel: {layers: [{dense: 2}]}", false);
    open_by("data: {file: fuzz.h5}\nmodel: {layers: [{dense: 2}]}", true);
    open_by("data: {file: fuzz.h5, context: 4}\nmodel: {layers: [{embedding: 2}, {dense: 300}]}", false);
    return 0;
}
