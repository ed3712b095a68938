/* Numbers of any type as float32. Those of half the width are exact; of wider ones the nearest is taken. */
#include "elements.h"

#include <math.h>
#include <string.h>

float dt_half(uint16_t bits) {
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    float size = exponent == 0    ? ldexpf((float)fraction, -24)
                 : exponent == 31 ? (fraction ? NAN : INFINITY)
                                  : ldexpf((float)(fraction + 1024), exponent - 25);
    return bits >> 15 ? -size : size;
}

static float upper_half(uint16_t bits) {
    uint32_t whole = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &whole, sizeof value);
    return value;
}

/* What is read is copied first: a file's bytes are aligned to nothing. */
#define READER(name, type, expression)                                                                                 \
    static void read_##name(float *out, const void *in, int64_t count) {                                               \
        for (int64_t i = 0; i < count; i++) {                                                                          \
            type x;                                                                                                    \
            memcpy(&x, (const char *)in + (size_t)i * sizeof x, sizeof x);                                             \
            out[i] = expression;                                                                                       \
        }                                                                                                              \
    }
READER(f64, double, (float)x)
READER(f32, float, x)
READER(f16, uint16_t, dt_half(x))
READER(bf16, uint16_t, upper_half(x))
READER(i64, int64_t, (float)x)
READER(i32, int32_t, (float)x)
READER(i16, int16_t, (float)x)
READER(i8, int8_t, (float)x)
READER(u64, uint64_t, (float)x)
READER(u32, uint32_t, (float)x)
READER(u16, uint16_t, (float)x)
READER(u8, uint8_t, (float)x)
READER(bool, uint8_t, x ? 1.0F : 0.0F)

static const dt_element elements[] = {
    {"F64", 8, read_f64}, {"F32", 4, read_f32}, {"F16", 2, read_f16},   {"BF16", 2, read_bf16}, {"I64", 8, read_i64},
    {"I32", 4, read_i32}, {"I16", 2, read_i16}, {"I8", 1, read_i8},     {"U64", 8, read_u64},   {"U32", 4, read_u32},
    {"U16", 2, read_u16}, {"U8", 1, read_u8},   {"BOOL", 1, read_bool},
};

const dt_element *dt_element_named(const char *name) {
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (strcmp(elements[i].name, name) == 0) return &elements[i];
    return NULL;
}
