/* Convolutions of float32 numbers: packed weights, and the loops of conv_loops.h, where the order of every sum is. */
#include "conv_loops.h"

/* w[taps, depth, all columns] */
static void pack_panel(dt_real *to, const dt_real *w, int64_t rows, int64_t stride, const panel *p) {
    int64_t wide = p->vectors * PER_VECTOR;
    for (int64_t i = 0; i < rows; i++, to += wide, w += stride) {
        for (int64_t j = 0; j < p->columns; j++) to[j] = w[j];
        for (int64_t j = p->columns; j < wide; j++) to[j] = 0;
    }
}

/* The same of w[taps, columns, depth], taps backwards. */
static void pack_turned(dt_real *to, const dt_real *w, int64_t taps, int64_t depth, int64_t stride, int64_t tap_stride,
                        const panel *p) {
    int64_t wide = p->vectors * PER_VECTOR;
    for (int64_t t = taps - 1; t >= 0; t--)
        for (int64_t l = 0; l < depth; l++, to += wide) {
            const dt_real *from = w + t * tap_stride + l;
            for (int64_t j = 0; j < p->columns; j++) to[j] = from[j * stride];
            for (int64_t j = p->columns; j < wide; j++) to[j] = 0;
        }
}

void DT_OF_ISA(conv_pack)(dt_real *packed, const dt_real *w, const dt_conv_walk *walk, bool turned) {
    const int64_t taps = walk->axis[0].kernel * walk->axis[1].kernel;
    for (int64_t g = 0; g < walk->groups; g++)
        for (int64_t j = 0; j < walk->width; j += PER_VECTOR * panel_at(walk, j).vectors) {
            panel p = panel_at(walk, j);
            dt_real *to = (dt_real *)packed_panel(walk, packed, g, j);
            if (!turned)
                pack_panel(to, w + g * walk->width + j, taps * walk->depth, walk->target_channels, &p);
            else if (walk->lanewise)
                pack_turned(to, w + j, taps, 1, 1, walk->source_channels, &p);
            else
                pack_turned(to, w + j * walk->source_channels + g * walk->depth, taps, walk->depth,
                            walk->source_channels, walk->width * walk->source_channels, &p);
        }
}

void DT_OF_ISA(conv_gather)(const dt_conv_pass *pass, int64_t begin, int64_t end) {
    gather_units(pass, begin, end);
}

void DT_OF_ISA(conv_weights)(const dt_conv_pass *pass, int64_t begin, int64_t end) {
    weights_units(pass, begin, end);
}

const dt_conv_pairs *DT_OF_ISA(conv_pairs)(void) {
#if VECTOR_BYTES == 64 && !defined DT_REAL_DOUBLE
    if (__builtin_cpu_supports("avx512bf16")) return &dt_convolve_pairs;
#endif
    return NULL;
}
