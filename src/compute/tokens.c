/* Kernels on sequences of token ids: rows of a table by their ids, and positions of a sequence taken together. Ids come
 * as dt_real, whole numbers, -1 for no token. Sums go position by position in the order of the batch. */
#include "elementary.h"
#include "slots.h"

void DT_OF_ISA(embed)(dt_real *y, const dt_real *table, const dt_real *at_position, const dt_real *ids, int64_t rows,
                      int64_t positions, int64_t cols) {
    for (int64_t i = 0; i < rows * positions; i++) {
        dt_real *restrict out = y + i * cols;
        const dt_real *restrict own = at_position ? at_position + i % positions * cols : NULL;
        if (ids[i] < 0) {
            memset(out, 0, (size_t)cols * sizeof *out);
        } else {
            memcpy(out, table + (int64_t)ids[i] * cols, (size_t)cols * sizeof *out);
        }
        if (own) SIMD for (int64_t j = 0; j < cols; j++) out[j] += own[j];
    }
}

void DT_OF_ISA(embed_backward_columns)(dt_real *dtable, dt_real *dat_place, const dt_real *dy, const dt_real *ids,
                                       int64_t rows, int64_t positions, int64_t cols, int64_t begin, int64_t end) {
    for (int64_t i = 0; i < rows * positions; i++) {
        const dt_real *restrict d = dy + i * cols;
        if (dtable && ids[i] >= 0) {
            dt_real *restrict to = dtable + (int64_t)ids[i] * cols;
            SIMD for (int64_t j = begin; j < end; j++) to[j] += d[j];
        }
        if (dat_place) {
            dt_real *restrict to = dat_place + i % positions * cols;
            SIMD for (int64_t j = begin; j < end; j++) to[j] += d[j];
        }
    }
}

void DT_OF_ISA(embed_backward)(dt_real *dtable, dt_real *dat_place, const dt_real *dy, const dt_real *ids, int64_t rows,
                               int64_t positions, int64_t cols) {
    DT_OF_ISA(embed_backward_columns)(dtable, dat_place, dy, ids, rows, positions, cols, 0, cols);
}

/* Tokens of one row, all its positions where there are no ids or none is a token. */
static int64_t tokens_in(const dt_real *ids, int64_t positions) {
    int64_t count = 0;
    for (int64_t t = 0; ids && t < positions; t++) count += ids[t] >= 0;
    return count > 0 ? count : positions;
}

static bool counts(const dt_real *ids, int64_t t, int64_t tokens, int64_t positions) {
    return !ids || tokens == positions || ids[t] >= 0;
}

void DT_OF_ISA(mean_of_positions)(dt_real *y, const dt_real *x, const dt_real *ids, int64_t rows, int64_t positions,
                                  int64_t cols) {
    for (int64_t i = 0; i < rows; i++) {
        const dt_real *own = ids ? ids + i * positions : NULL;
        const int64_t tokens = tokens_in(own, positions);
        const dt_real share = 1 / (dt_real)tokens;
        dt_real *restrict out = y + i * cols;
        memset(out, 0, (size_t)cols * sizeof *out);
        for (int64_t t = 0; t < positions; t++) {
            const dt_real *restrict in = x + (i * positions + t) * cols;
            if (counts(own, t, tokens, positions)) SIMD for (int64_t j = 0; j < cols; j++) out[j] += in[j];
        }
        SIMD for (int64_t j = 0; j < cols; j++) out[j] *= share;
    }
}

void DT_OF_ISA(mean_of_positions_backward)(dt_real *dx, const dt_real *dy, const dt_real *ids, int64_t rows,
                                           int64_t positions, int64_t cols) {
    for (int64_t i = 0; i < rows; i++) {
        const dt_real *own = ids ? ids + i * positions : NULL;
        const int64_t tokens = tokens_in(own, positions);
        const dt_real *restrict d = dy + i * cols;
        for (int64_t t = 0; t < positions; t++) {
            const dt_real share = counts(own, t, tokens, positions) ? 1 / (dt_real)tokens : 0;
            dt_real *restrict to = dx + (i * positions + t) * cols;
            SIMD for (int64_t j = 0; j < cols; j++) to[j] = share * d[j];
        }
    }
}
