/* Safetensors: named arrays in one file, as PyTorch, JAX and Hugging Face's libraries exchange them. Eight bytes say
 * how long a header is, the header is JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]},
 * …,
 * "__metadata__": {"key": "text", …}}, and the arrays' bytes follow, little-endian, in C order, without a gap.
 *
 * Source: github.com/huggingface/safetensors, README.md, "Format". */
#ifndef DTRAIN_SAFETENSORS_H
#define DTRAIN_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "data/named_arrays.h"

/* ---- reading ---- */

typedef struct dt_safetensor {
    char *name;
    char dtype[12]; /* as the file says: "F32", "BF16", … */
    dt_shape shape;
    int64_t count;         /* elements */
    uint64_t begin, bytes; /* of its bytes, in the file */
} dt_safetensor;

typedef struct dt_safetensors {
    const char *path; /* borrowed, for messages */
    int fd;
    int64_t count;
    dt_safetensor *tensors; /* [count], in the order of their bytes */
    int64_t metadata_count;
    dt_named_text *metadata; /* [metadata_count] */
    void *header;            /* what names and texts are borrowed from */
} dt_safetensors;

/* The header may be anybody's: it is checked whole (types, shapes, that the arrays are those of their bytes, without
 * overlap and without a gap to the end of the file), and what is wrong is DT_ERR_CORRUPT with the array's name. To
 * dt_safetensors_close, also after a failure. */
dt_status dt_safetensors_open(dt_safetensors *out, const char *path);
void dt_safetensors_close(dt_safetensors *file); /* accepts what is zeroed, or closed */
/* NULL: it has none of that name. Both are borrowed. */
const dt_safetensor *dt_safetensors_find(const dt_safetensors *file, const char *name);
const char *dt_safetensors_text(const dt_safetensors *file, const char *key);
/* The array as float32 into out[tensor->count], from any type that holds numbers (F64, F32, F16, BF16, integers, BOOL);
 * others are refused by name. */
dt_status dt_safetensors_read(const dt_safetensors *file, const dt_safetensor *tensor, float *out);

/* ---- writing ---- */

/* The whole file at `path`, a new one; names are unique. It is the same to the byte for the same arrays and texts. */
dt_status dt_safetensors_write(const char *path, const dt_named_array *arrays, int64_t count,
                               const dt_named_text *texts, int64_t text_count);

#endif
