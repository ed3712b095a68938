/* Convolutions of bfloat16 numbers where the processor has VDPBF16PS, in half the time of float32's and with the same
 * bits. The instruction is two links of a chain (product_pairs.c), so the chains of conv_loops.h go by twos wherever a
 * chain has two neighbours: forward and in the gradient of x along the channels of a pixel, in the gradient of w along
 * the pixels of a line. What has no neighbour is paired with -0 times 0.
 *
 * A pair has the place of a float32 number, the earlier member above. Pairs of pixels overlap, so that runs begin
 * anywhere: each number lies above with the one a pixel on below. */
#define CONV_PAIRS
#include "conv_loops.h"

typedef uint32_t word __attribute__((may_alias));

#define MINUS_ZERO 0x8000U

/* A number rounded, above. */
INLINE uint32_t above(dt_real x) {
    return (uint32_t)round_bf16(x) << 16;
}

/* ---- numbers ---- */

static void of_even_channels(word *to, const dt_real *from, int64_t pairs, const bool whole) {
    const word *bits = (const word *)from;
    SIMD for (int64_t i = 0; i < pairs; i++) {
        uint32_t first = whole ? above(from[2 * i]) : bits[2 * i],
                 next = whole ? above(from[2 * i + 1]) : bits[2 * i + 1];
        to[i] = (first & 0xffff0000U) | next >> 16;
    }
}

static void of_channels(dt_real *to, const dt_real *from, int64_t count, int64_t depth, bool whole) {
    const word *bits = (const word *)from;
    word *pair = (word *)to;
    if (depth % 2 == 0) {
        if (whole)
            of_even_channels(pair, from, count * depth / 2, true);
        else
            of_even_channels(pair, from, count * depth / 2, false);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        for (int64_t l = 0; l < depth; l += 2) {
            const int64_t at = i * depth + l;
            uint32_t first = whole ? above(from[at]) : bits[at] & 0xffff0000U, next = MINUS_ZERO << 16;
            if (l + 1 < depth) next = whole ? above(from[at + 1]) : bits[at + 1];
            *pair++ = first | next >> 16;
        }
}

static void of_pixels(dt_real *to, const dt_real *from, int64_t n, int64_t ahead) {
    word *pair = (word *)to;
    const int64_t both = n > ahead ? n - ahead : 0;
    SIMD for (int64_t i = 0; i < both; i++) pair[i] = above(from[i]) | above(from[i + ahead]) >> 16;
    SIMD for (int64_t i = both; i < n; i++) pair[i] = above(from[i]);
}

/* ---- weights ---- */

/* w[taps, depth, all columns] */
static void pack_panel(word *to, const dt_real *w, int64_t taps, int64_t depth, int64_t stride, const panel *p) {
    const int64_t wide = p->vectors * PER_VECTOR;
    for (int64_t t = 0; t < taps; t++, w += depth * stride)
        for (int64_t l = 0; l < depth; l += 2, to += wide) {
            const dt_real *restrict even = w + l * stride, *restrict odd = even + stride;
            memset(to, 0, (size_t)wide * sizeof *to);
            if (l + 1 < depth)
                SIMD for (int64_t j = 0; j < p->columns; j++) to[j] = above(even[j]) | above(odd[j]) >> 16;
            else
                SIMD for (int64_t j = 0; j < p->columns; j++) to[j] = above(even[j]);
        }
}

/* The same of w[taps, columns, depth], taps backwards. */
static void pack_turned(word *to, const dt_real *w, int64_t taps, int64_t depth, int64_t stride, int64_t tap_stride,
                        const panel *p) {
    const int64_t wide = p->vectors * PER_VECTOR, pairs = (depth + 1) / 2;
    memset(to, 0, (size_t)(taps * pairs * wide) * sizeof *to);
    for (int64_t t = taps - 1; t >= 0; t--, to += pairs * wide)
        for (int64_t j = 0; j < p->columns; j++) {
            const dt_real *from = w + t * tap_stride + j * stride;
            for (int64_t l = 0; l < depth / 2; l++)
                to[l * wide + j] = above(from[2 * l]) | above(from[2 * l + 1]) >> 16;
            if (depth % 2 == 1) to[depth / 2 * wide + j] = above(from[depth - 1]);
        }
}

static void pack(dt_real *packed, const dt_real *w, const dt_conv_walk *walk, int64_t depth, bool turned) {
    const int64_t taps = walk->axis[0].kernel * walk->axis[1].kernel, channels = walk->groups * depth;
    for (int64_t g = 0; g < walk->groups; g++)
        for (int64_t j = 0; j < walk->width; j += PER_VECTOR * panel_at(walk, j).vectors) {
            panel p = panel_at(walk, j);
            word *to = (word *)packed_panel(walk, packed, g, j);
            if (turned)
                pack_turned(to, w + j * channels + g * depth, taps, depth, channels, walk->width * channels, &p);
            else
                pack_panel(to, w + g * walk->width + j, taps, depth, walk->target_channels, &p);
        }
}

/* ---- passes ---- */

static void gather(const dt_conv_pass *pass, int64_t begin, int64_t end) {
    gather_units(pass, begin, end);
}

static void weights(const dt_conv_pass *pass, int64_t begin, int64_t end) {
    weights_units(pass, begin, end);
}

const dt_conv_pairs dt_convolve_pairs = {pack, gather, weights, of_channels, of_pixels};
