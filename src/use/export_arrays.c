/* Weights as they are, under their names and in their layout, which is the checkpoint's: what comes back in has the
 * same bits. Safetensors and NumPy's archives are containers; what the arrays mean is said by the recipe, a text in
 * both. */
#include <stdio.h>
#include <string.h>

#include "base/absent.h"
#include "base/memory.h"
#include "data/npz.h"
#include "data/safetensors.h"
#include "export_internal.h"

typedef dt_status writer(const char *path, const dt_named_array *arrays, int64_t count, const dt_named_text *texts,
                         int64_t text_count);

static dt_status write_arrays(const dt_export *model, const char *path, writer *write) {
    const dt_table *table = dt_model_table(model->model);
    dt_export_texts texts;
    dt_named_array *arrays = dt_alloc((size_t)table->count, sizeof *arrays);
    if (!arrays) return dt_fail_memory("a list of arrays", (size_t)table->count * sizeof *arrays);
    for (int i = 0; i < table->count; i++) {
        const dt_tensor *tensor = &table->tensors[i];
        arrays[i] = (dt_named_array){.dtype = DT_F32, .shape = tensor->shape, .data = dt_export_values(model, tensor)};
        snprintf(arrays[i].name, sizeof arrays[i].name, "%s", tensor->name);
    }
    dt_status status = dt_export_texts_of(&texts, model);
    if (status.code == DT_OK)
        status = dt_export_text_add(&texts, "layout",
                                    "dtrain: y = x w + b with w [in, out]; convolutions [height, width, in, out]; "
                                    "channels last");
    if (status.code == DT_OK) status = write(path, arrays, table->count, texts.texts, texts.count);
    dt_export_texts_finish(&texts);
    dt_free(arrays);
    return status;
}

static dt_status write_safetensors(const dt_export *model, const char *path) {
    return write_arrays(model, path, dt_safetensors_write);
}

static dt_status write_npz(const dt_export *model, const char *path) {
    return write_arrays(model, path, dt_npz_write);
}

const dt_export_format dt_export_safetensors = {
    .name = "safetensors",
    .help = "one file: arrays under the names and in the layout of checkpoints; scales, classes and recipe as metadata",
    .write = write_safetensors,
};

const dt_export_format dt_export_npz = {
    .name = "npz",
    .help = "the same as NumPy's archive, texts as arrays of their own",
    .lacks = DT_LACKS_ZIP,
    .write = write_npz,
};
