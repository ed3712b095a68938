/* The header of a safetensors file, which may be anybody's, and every array that it says is there. */
#include "fuzz.h"

#include "base/memory.h"
#include "data/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_write("m.safetensors", data, size);
    dt_safetensors file;
    dt_status status = dt_safetensors_open(&file, "m.safetensors");
    fuzz_check(status);
    uint64_t bytes = 0;
    for (int64_t i = 0; status.code == DT_OK && i < file.count; i++) {
        const dt_safetensor *tensor = &file.tensors[i];
        bytes += tensor->bytes;
        if (tensor->begin + tensor->bytes > size || dt_safetensors_find(&file, tensor->name) == NULL) abort();
        if (tensor->count > (int64_t)size) continue; /* of a type that is not read: nothing says how wide it is */
        float *values = dt_alloc((size_t)tensor->count + 1, sizeof *values);
        if (values) fuzz_check(dt_safetensors_read(&file, tensor, values));
        dt_free(values);
    }
    if (status.code == DT_OK && bytes > size) abort();
    dt_safetensors_close(&file);
    return 0;
}
