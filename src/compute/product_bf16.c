/* Products of bfloat16 numbers on any processor: those of float32 of the same numbers, to the bit, and so they are
 * computed: operands are widened block by block and multiplied by product.c. Processors with an instruction for it
 * have the same bits from product_pairs.c in half the time. */
#include "chain.h"
#include "slots.h"
#include "vector.h"

enum { STRIP = 64, PANEL = 64 }; /* rows of A, columns of B that are widened at once */

/* A block of a matrix as it is stored, and where it is widened to. */
typedef struct block {
    _Alignas(64) dt_real values[LONGEST_CHAIN * (STRIP > PANEL ? STRIP : PANEL)];
    int64_t stride;
} block;

/* from[rows, cols], rows `stride` apart. */
static void widen(block *to, const dt_bf16 *from, int64_t stride, int64_t rows, int64_t cols) {
    to->stride = cols;
    for (int64_t i = 0; i < rows; i++) {
        dt_real *restrict wide = to->values + i * cols;
        const dt_bf16 *restrict row = from + i * stride;
        SIMD for (int64_t j = 0; j < cols; j++) wide[j] = from_bf16(row[j]);
    }
}

static void multiply(const dt_matrix_product_bf16 *p) {
    block a, b;
    int64_t k = 0, depth;
    do {
        depth = block_of(p->depth - k);
        for (int64_t i = 0; i < p->rows; i += STRIP) {
            int64_t rows = p->rows - i < STRIP ? p->rows - i : STRIP;
            if (p->a_turned)
                widen(&a, p->a + k * p->lda + i, p->lda, depth, rows);
            else
                widen(&a, p->a + i * p->lda + k, p->lda, rows, depth);
            for (int64_t j = 0; j < p->cols; j += PANEL) {
                int64_t cols = p->cols - j < PANEL ? p->cols - j : PANEL;
                if (p->b_turned)
                    widen(&b, p->b + j * p->ldb + k, p->ldb, cols, depth);
                else
                    widen(&b, p->b + k * p->ldb + j, p->ldb, depth, cols);
                DT_OF_ISA(product)
                (&(dt_matrix_product){.rows = rows,
                                      .cols = cols,
                                      .depth = depth,
                                      .a = a.values,
                                      .b = b.values,
                                      .c = p->c + i * p->ldc + j,
                                      .lda = a.stride,
                                      .ldb = b.stride,
                                      .ldc = p->ldc,
                                      .a_turned = p->a_turned,
                                      .b_turned = p->b_turned,
                                      .add = k > 0 || p->add});
            }
        }
        k += depth;
    } while (k < p->depth);
}

void DT_OF_ISA(product_bf16)(const dt_matrix_product_bf16 *p) {
    if (p->rows < 1) return;
#if VECTOR_BYTES == 64 && !defined DT_REAL_DOUBLE
    if (__builtin_cpu_supports("avx512bf16")) {
        dt_product_pairs(p);
        return;
    }
#endif
    multiply(p);
}
