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

/* The number that binary16 (IEEE 754-2008) has these bits for: a sign, 5 bits of exponent, 10 of fraction. */
float dt_half(uint16_t bits);
/* NULL: it is not read. */
const dt_element *dt_element_named(const char *name);

#endif
