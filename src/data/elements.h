/* Types of numbers in files of other worlds, as float32 (elements.c). */
#ifndef DTRAIN_ELEMENTS_H
#define DTRAIN_ELEMENTS_H

#include <stddef.h>
#include <stdint.h>

typedef struct dt_element {
    const char *name; /* safetensors' */
    size_t bytes;
    void (*read)(float *out, const void *in, int64_t count);
} dt_element;

/* NULL: it is not read. */
const dt_element *dt_element_named(const char *name);

#endif
