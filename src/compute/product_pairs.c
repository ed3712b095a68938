/* Products of bfloat16 numbers where the processor has VDPBF16PS, which for each number of a vector of sums does
 *
 *     c = fma(a.upper, b.upper, c), then c = fma(a.lower, b.lower, c),
 *
 * each of the two rounded to nearest even, with subnormal operands, sums in between and results flushed to zero, and
 * whatever MXCSR says. That is what float32's own instructions do to the same numbers when told to flush, bit for bit,
 * but for which NaN it is that a NaN becomes; tests/unit/test_pairs.c asks the processor it runs on. (Zen 5: no
 * difference in 1.3 10^9 random cases and 1.7 10^8 made of the edges of the format. Intel's manual describes the same
 * order.) So k goes ascending where the even member of a pair lies in the upper half, and the product is, to the bit,
 * that of product_bf16.c for any processor. A sum of an odd number of products ends with half a pair, whose other half
 * is -0 times 0: to add -0 changes nothing, not even -0.
 *
 * In memory the even member lies in the lower half, so both operands are packed (to turn A's pairs as they are loaded
 * took 15 % of the time). */
#include <immintrin.h>

#include "chain.h"
#include "slots.h"
#include "vector.h"

enum {
    ROWS = 6,                        /* of a tile: 6*4 sums, 4 vectors of B, one of A */
    VECTORS = 4,                     /* of columns */
    DEPTH = (LONGEST_CHAIN + 1) / 2, /* pairs of a block of k */
    STRIDE = DEPTH + 16,             /* of packed rows: a tile's lie in lines of different sets of the cache */
    STRIP = 256,                     /* rows of A that are packed at once */
    AHEAD = 16                       /* rows of B that are asked for before they are packed, for they lie far apart */
};

#define MINUS_ZERO 0x8000U

INLINE __mmask16 first_16(int64_t count) {
    return (__mmask16)(count >= 16 ? 0xffffU : (1U << count) - 1);
}

/* ---- packing ---- */

/* Up to 16 pairs of `left` numbers in a row, even ones above; `odd` completes the last. */
INLINE __m512i pairs_of_row(const dt_bf16 *from, int64_t left, unsigned odd) {
    if (left >= 32) return _mm512_rol_epi32(_mm512_loadu_si512(from), 16);
    __mmask32 mask = (__mmask32)((UINT32_C(1) << left) - 1);
    return _mm512_rol_epi32(_mm512_mask_loadu_epi16(_mm512_set1_epi16((short)odd), mask, from), 16);
}

/* Pairs of two rows' numbers; the second may be NULL. */
INLINE __m512i pairs_of_rows(const dt_bf16 *even, const dt_bf16 *odd, __mmask16 mask, unsigned missing) {
    __m512i above = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, even));
    __m512i below = odd ? _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, odd)) : _mm512_set1_epi32((int)missing);
    return _mm512_or_si512(_mm512_slli_epi32(above, 16), below);
}

INLINE void turn_16(__m512i r[16]) {
    __m512i t[16];
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

/* to[rows, STRIDE] = A's rows. */
static void pack_a(uint32_t *to, const dt_bf16 *from, int64_t lda, int64_t rows, int64_t depth) {
    for (int64_t i = 0; i < rows; i++, to += STRIDE, from += lda)
        for (int64_t l = 0; l < depth; l += 32)
            _mm512_storeu_si512(to + l / 2, pairs_of_row(from + l, depth - l, MINUS_ZERO));
}

/* The same of from[depth, rows]. */
static void pack_a_turned(uint32_t *to, const dt_bf16 *from, int64_t lda, int64_t rows, int64_t depth) {
    for (int64_t l = 0; l < depth; l += 32) {
        for (int64_t i = 0; i < rows; i += 16) {
            __mmask16 mask = first_16(rows - i);
            __m512i r[16];
#pragma GCC unroll 16
            for (int q = 0; q < 16; q++) {
                const dt_bf16 *even = from + (l + 2 * q) * lda + i;
                int64_t left = depth - l - 2 * q;
                r[q] = left > 0 ? pairs_of_rows(even, left > 1 ? even + lda : NULL, mask, MINUS_ZERO)
                                : _mm512_setzero_si512();
            }
            turn_16(r);
#pragma GCC unroll 16
            for (int q = 0; q < 16; q++)
                if (q < rows - i) _mm512_storeu_si512(to + (i + q) * STRIDE + l / 2, r[q]);
        }
    }
}

/* to[depth/2, vectors, 16] = a panel of B, from[depth, cols]. */
static void pack_b(uint32_t *to, const dt_bf16 *from, int64_t ldb, int64_t cols, int vectors, int64_t depth) {
    for (int64_t l = 0; l < depth; l += 2, from += 2 * ldb) {
        for (int r = 0; r < 2; r++)
            for (int64_t at = 0; at < 16 * vectors; at += 32) __builtin_prefetch(from + (AHEAD + r) * ldb + at);
        for (int v = 0; v < vectors; v++, to += 16)
            _mm512_storeu_si512(to, pairs_of_rows(from + 16 * v, l + 1 < depth ? from + ldb + 16 * v : NULL,
                                                  first_16(cols - 16 * v), 0));
    }
}

/* The same of from[cols, depth]. */
static void pack_b_turned(uint32_t *to, const dt_bf16 *from, int64_t ldb, int64_t cols, int vectors, int64_t depth) {
    for (int v = 0; v < vectors; v++) {
        for (int64_t l = 0; l < depth; l += 32) {
            __m512i r[16];
#pragma GCC unroll 16
            for (int j = 0; j < 16; j++)
                r[j] = 16 * v + j < cols ? pairs_of_row(from + (16 * v + j) * ldb + l, depth - l, 0)
                                         : _mm512_setzero_si512();
            turn_16(r);
#pragma GCC unroll 16
            for (int p = 0; p < 16; p++)
                if (l + 2 * p < depth) _mm512_storeu_si512(to + ((l / 2 + p) * vectors + v) * 16, r[p]);
        }
    }
}

/* ---- tiles ---- */

/* Where a tile's packed operands lie, and where its sums go. */
typedef struct tile_place {
    const uint32_t *a, *b;
    int64_t depth; /* pairs */
    dt_real *c;
    int64_t ldc;
    __mmask16 last; /* columns of the last vector */
    bool add;
} tile_place;

INLINE void pairs_tile(const tile_place *to, const int rows, const int vectors) {
    __m512 sum[ROWS][VECTORS];
    const uint32_t *a = to->a, *b = to->b;
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            sum[r][v] = _mm512_setzero_ps();
            __builtin_prefetch(to->c + (rows + r) * to->ldc + 16 * v, 1); /* the tile below */
        }
    for (int64_t p = 0; p < to->depth; p++, a++, b += 16 * vectors) {
        __m512bh row[VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) row[v] = (__m512bh)_mm512_loadu_si512(b + 16 * v);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            __m512bh factor = (__m512bh)_mm512_set1_epi32((int)a[r * STRIDE]);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], factor, row[v]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            dt_real *c = to->c + r * to->ldc + 16 * v;
            __mmask16 mask = v == vectors - 1 ? to->last : 0xffff;
            _mm512_mask_storeu_ps(c, mask,
                                  to->add ? _mm512_add_ps(_mm512_maskz_loadu_ps(mask, c), sum[r][v]) : sum[r][v]);
        }
}

/* clang-format off */
#define FOR_SHAPES(X)                                                                                                  \
    X(1, 1) X(1, 2) X(1, 3) X(1, 4) X(2, 1) X(2, 2) X(2, 3) X(2, 4) X(3, 1) X(3, 2) X(3, 3) X(3, 4)                    \
    X(4, 1) X(4, 2) X(4, 3) X(4, 4) X(5, 1) X(5, 2) X(5, 3) X(5, 4) X(6, 1) X(6, 2) X(6, 3) X(6, 4)
/* clang-format on */
#define DEFINE(rows, vectors)                                                                                          \
    static void tile_##rows##_##vectors(const tile_place *to) {                                                        \
        pairs_tile(to, rows, vectors);                                                                                 \
    }
FOR_SHAPES(DEFINE)

#define ENTRY(rows, vectors) [rows][vectors] = tile_##rows##_##vectors,
static void (*const tiles[ROWS + 1][VECTORS + 1])(const tile_place *) = {FOR_SHAPES(ENTRY)};

/* ---- a block of k ---- */

/* Tiles of about the same height down `rows` rows. */
static void down(const tile_place *first, int64_t rows, int64_t vectors) {
    int64_t count = (rows + ROWS - 1) / ROWS;
    tile_place at = *first;
    for (int64_t t = 0; t < count; t++) {
        int64_t height = rows * (t + 1) / count - rows * t / count;
        tiles[height][vectors](&at);
        at.a += height * STRIDE;
        at.c += height * at.ldc;
    }
}

/* All columns of rows of A that are packed, in panels of about the same width. */
static void across(const dt_matrix_product_bf16 *p, const uint32_t *a, int64_t row, int64_t rows, int64_t k,
                   int64_t depth) {
    _Alignas(64) uint32_t panel[DEPTH * VECTORS * 16];
    int64_t vectors = (p->cols + 15) / 16, count = (vectors + VECTORS - 1) / VECTORS;
    for (int64_t q = 0; q < count; q++) {
        int64_t v = vectors * q / count, wide = vectors * (q + 1) / count - v, j = 16 * v;
        int64_t cols = p->cols - j < 16 * wide ? p->cols - j : 16 * wide;
        if (p->b_turned)
            pack_b_turned(panel, p->b + j * p->ldb + k, p->ldb, cols, (int)wide, depth);
        else
            pack_b(panel, p->b + k * p->ldb + j, p->ldb, cols, (int)wide, depth);
        down(&(tile_place){a, panel, (depth + 1) / 2, p->c + row * p->ldc + j, p->ldc, first_16(cols - 16 * (wide - 1)),
                           k > 0 || p->add},
             rows, wide);
    }
}

void dt_product_pairs(const dt_matrix_product_bf16 *p) {
    _Alignas(64) uint32_t packed[STRIP * STRIDE];
    int64_t k = 0, depth;
    do {
        depth = block_of(p->depth - k);
        for (int64_t i = 0; i < p->rows; i += STRIP) {
            int64_t rows = p->rows - i < STRIP ? p->rows - i : STRIP;
            if (p->a_turned)
                pack_a_turned(packed, p->a + k * p->lda + i, p->lda, rows, depth);
            else
                pack_a(packed, p->a + i * p->lda + k, p->lda, rows, depth);
            across(p, packed, i, rows, k, depth);
        }
        k += depth;
    } while (k < p->depth);
}
