/* Time steps of recurrent layers: what happens between two matrix products, in one pass over what the product left in
 * the cache. A row's gates lie next to each other, gates[row] = [i f g o] of `units` each, so a step reads and writes
 * one piece of memory.
 *
 * A logistic function is here a tanh of half its argument, s(x) = (1 + tanh(x/2))/2: that is half the work of one with
 * an exponential, at an absolute error of 2^-24, and fractions that are needed together share one division. */
#include "elementary.h"
#include "slots.h"

#define HALF LITERAL(0.5)

/* s(x) = (1 + p/q)/2. */
static inline fraction sigmoid_fraction(dt_real x) {
    return tanh_fraction(HALF * x);
}

/* (1 + x)/2 */
static inline dt_real halved(dt_real x) {
    return fma_real(HALF, x, HALF);
}

static inline int64_t end_of(const dt_cell *cell) {
    return cell->end > 0 ? cell->end : cell->units;
}

/* Row `row` of `gates` vectors of units; `to` may be NULL. */
static inline void round_row(dt_bf16 *to, const dt_real *from, const dt_cell *cell, int64_t row, int64_t gates) {
    for (int64_t g = row * gates; to && g < (row + 1) * gates; g++) {
        dt_bf16 *restrict out = to + g * cell->units;
        const dt_real *restrict in = from + g * cell->units;
        SIMD for (int64_t j = cell->begin; j < end_of(cell); j++) out[j] = round_bf16(in[j]);
    }
}

/* The row's share of the input product where it is not in the gates. */
static inline const dt_real *input_of(const dt_cell *cell, int64_t row) {
    return cell->input ? cell->input[row] : NULL;
}

/* Asks for what the way back needs of a later row, of an array of `gates` vectors of units a row that was left a whole
 * pass ago: the processor finds the next page by itself only when it is there. (Inlined: GCC leaves out calls of
 * functions that do nothing else.) */
INLINE void ask_ahead(const dt_cell *cell, const dt_real *array, int64_t row, int64_t gates) {
    enum { LINE = 64 / (int)sizeof(dt_real), AHEAD = 2 };
    if (row + AHEAD >= cell->rows) return;
    for (int64_t g = (row + AHEAD) * gates; g < (row + AHEAD + 1) * gates; g++)
        for (int64_t j = cell->begin; j < end_of(cell); j += LINE) __builtin_prefetch(array + g * cell->units + j, 1);
}

/* ---- tanh ----------------------------------------------------------------------------------------------------------
 */

INLINE void rnn_row(const dt_cell *cell, int64_t row, const dt_real *restrict x) {
    const int64_t n = cell->units, begin = cell->begin, end = end_of(cell);
    const dt_real *restrict gate = cell->gates + row * n, *restrict b = cell->b;
    dt_real *restrict h = cell->h + row * n;
    SIMD for (int64_t j = begin; j < end; j++) h[j] = tanh_real(gate[j] + b[j] + (x ? x[j] : 0));
}

void DT_OF_ISA(dt_rnn_forward)(const dt_cell *cell) {
    for (int64_t row = 0; row < cell->rows; row++) {
        const dt_real *x = input_of(cell, row);
        if (x)
            rnn_row(cell, row, x);
        else
            rnn_row(cell, row, NULL);
        round_row(cell->h16, cell->h, cell, row, 1);
    }
}

void DT_OF_ISA(dt_rnn_backward)(const dt_cell *cell) {
    const int64_t n = cell->units, begin = cell->begin, end = end_of(cell);
    dt_real *restrict db = cell->db;
    for (int64_t row = 0; row < cell->rows; row++) {
        dt_real *restrict gate = cell->gates + row * n;
        const dt_real *restrict h = cell->h + row * n, *restrict dh = cell->dh + row * n;
        ask_ahead(cell, cell->gates, row, 1);
        ask_ahead(cell, cell->h, row, 1);
        SIMD for (int64_t j = begin; j < end; j++) {
            dt_real d = dh[j] * fma_real(-h[j], h[j], 1);
            gate[j] = d;
            db[j] += d;
        }
        round_row(cell->gates16, cell->gates, cell, row, 1);
    }
}

/* ---- GRU -----------------------------------------------------------------------------------------------------------
 */

INLINE void gru_row(const dt_cell *cell, int64_t row, const dt_real *restrict x) {
    const int64_t n = cell->units, begin = cell->begin, end = end_of(cell);
    dt_real *restrict gr = cell->gates + row * 3 * n, *restrict gz = gr + n, *restrict gn = gz + n;
    const dt_real *restrict pr = cell->product + row * 3 * n, *restrict pz = pr + n, *restrict pn = pz + n;
    const dt_real *xr = x ? x : gr, *xz = xr + n, *xn = xz + n; /* these may be the gates */
    const dt_real *restrict br = cell->b, *restrict bz = br + n, *restrict bn = bz + n, *restrict bs = cell->b_state;
    const dt_real *restrict before = cell->h_before + row * n;
    dt_real *restrict h = cell->h + row * n, *restrict hidden = cell->hidden + row * n;
    SIMD for (int64_t j = begin; j < end; j++) {
        fraction r = sigmoid_fraction(xr[j] + pr[j] + br[j]), z = sigmoid_fraction(xz[j] + pz[j] + bz[j]);
        dt_real inverse = 1 / (r.q * z.q);
        dt_real reset = halved(r.p * z.q * inverse), update = halved(z.p * r.q * inverse);
        dt_real state = pn[j] + bs[j];
        dt_real candidate = tanh_real(fma_real(reset, state, xn[j] + bn[j]));
        h[j] = fma_real(update, before[j] - candidate, candidate);
        gr[j] = reset, gz[j] = update, gn[j] = candidate;
        hidden[j] = state;
    }
}

void DT_OF_ISA(dt_gru_forward)(const dt_cell *cell) {
    for (int64_t row = 0; row < cell->rows; row++) {
        const dt_real *x = input_of(cell, row);
        if (x)
            gru_row(cell, row, x);
        else
            gru_row(cell, row, NULL);
        round_row(cell->h16, cell->h, cell, row, 1);
    }
}

void DT_OF_ISA(dt_gru_backward)(const dt_cell *cell) {
    const int64_t n = cell->units, begin = cell->begin, end = end_of(cell);
    dt_real *restrict dbr = cell->db, *restrict dbz = dbr + n, *restrict dbn = dbz + n, *restrict dbs = cell->db_state;
    for (int64_t row = 0; row < cell->rows; row++) {
        dt_real *restrict gr = cell->gates + row * 3 * n, *restrict gz = gr + n, *restrict gn = gz + n;
        dt_real *restrict hidden = cell->hidden + row * n, *restrict dh_before = cell->dh_before + row * n;
        const dt_real *restrict before = cell->h_before + row * n, *restrict dh = cell->dh + row * n;
        ask_ahead(cell, cell->gates, row, 3);
        ask_ahead(cell, cell->hidden, row, 1);
        ask_ahead(cell, cell->h_before, row, 1);
        SIMD for (int64_t j = begin; j < end; j++) {
            dt_real r = gr[j], z = gz[j], candidate = gn[j], d = dh[j];
            dt_real dn = d * (1 - z) * fma_real(-candidate, candidate, 1);
            dt_real dz = d * (before[j] - candidate) * z * (1 - z);
            dt_real dr = dn * hidden[j] * r * (1 - r), ds = dn * r;
            gr[j] = dr, gz[j] = dz, gn[j] = dn;
            hidden[j] = ds;
            dh_before[j] = fma_real(d, z, dh_before[j]);
            dbr[j] += dr, dbz[j] += dz, dbn[j] += dn, dbs[j] += ds;
        }
        round_row(cell->gates16, cell->gates, cell, row, 3);
        round_row(cell->hidden16, cell->hidden, cell, row, 1);
    }
}

/* ---- LSTM ----------------------------------------------------------------------------------------------------------
 */

INLINE void lstm_row(const dt_cell *cell, int64_t row, const dt_real *restrict x) {
    const int64_t n = cell->units, begin = cell->begin, end = end_of(cell);
    dt_real *restrict gi = cell->gates + row * 4 * n, *restrict gf = gi + n, *restrict gg = gf + n,
                      *restrict go = gg + n;
    const dt_real *restrict xi = x, *restrict xf = x ? x + n : x, *restrict xg = x ? x + 2 * n : x,
                            *restrict xo = x ? x + 3 * n : x;
    const dt_real *restrict bi = cell->b, *restrict bf = bi + n, *restrict bg = bf + n, *restrict bo = bg + n;
    const dt_real *restrict before = cell->c_before + row * n;
    dt_real *restrict h = cell->h + row * n, *restrict c = cell->c + row * n;
    SIMD for (int64_t j = begin; j < end; j++) {
        fraction i = sigmoid_fraction(gi[j] + bi[j] + (x ? xi[j] : 0));
        fraction f = sigmoid_fraction(gf[j] + bf[j] + (x ? xf[j] : 0));
        fraction g = tanh_fraction(gg[j] + bg[j] + (x ? xg[j] : 0));
        fraction o = sigmoid_fraction(go[j] + bo[j] + (x ? xo[j] : 0));
        dt_real below = i.q * f.q, above = g.q * o.q, inverse = 1 / (below * above);
        dt_real over_below = inverse * above, over_above = inverse * below;
        dt_real in = halved(i.p * f.q * over_below), keep = halved(f.p * i.q * over_below);
        dt_real candidate = g.p * o.q * over_above, out = halved(o.p * g.q * over_above);
        dt_real cell_state = fma_real(keep, before[j], in * candidate);
        gi[j] = in, gf[j] = keep, gg[j] = candidate, go[j] = out;
        c[j] = cell_state;
        h[j] = out * tanh_real(cell_state);
    }
}

void DT_OF_ISA(dt_lstm_forward)(const dt_cell *cell) {
    for (int64_t row = 0; row < cell->rows; row++) {
        const dt_real *x = input_of(cell, row);
        if (x)
            lstm_row(cell, row, x);
        else
            lstm_row(cell, row, NULL);
        round_row(cell->h16, cell->h, cell, row, 1);
    }
}

void DT_OF_ISA(dt_lstm_backward)(const dt_cell *cell) {
    const int64_t n = cell->units, begin = cell->begin, end = end_of(cell);
    dt_real *restrict dbi = cell->db, *restrict dbf = dbi + n, *restrict dbg = dbf + n, *restrict dbo = dbg + n;
    for (int64_t row = 0; row < cell->rows; row++) {
        dt_real *restrict gi = cell->gates + row * 4 * n, *restrict gf = gi + n, *restrict gg = gf + n,
                          *restrict go = gg + n;
        const dt_real *restrict before = cell->c_before + row * n, *restrict c = cell->c + row * n;
        const dt_real *restrict dh = cell->dh + row * n;
        dt_real *restrict dc = cell->dc + row * n;
        ask_ahead(cell, cell->gates, row, 4);
        ask_ahead(cell, cell->c, row, 1);
        ask_ahead(cell, cell->c_before, row, 1);
        SIMD for (int64_t j = begin; j < end; j++) {
            dt_real in = gi[j], keep = gf[j], candidate = gg[j], out = go[j], squashed = tanh_real(c[j]), d = dh[j];
            dt_real state = fma_real(d * out, fma_real(-squashed, squashed, 1), dc[j]);
            dt_real di = state * candidate * in * (1 - in), df = state * before[j] * keep * (1 - keep);
            dt_real dg = state * in * fma_real(-candidate, candidate, 1), dout = d * squashed * out * (1 - out);
            gi[j] = di, gf[j] = df, gg[j] = dg, go[j] = dout;
            dc[j] = state * keep;
            dbi[j] += di, dbf[j] += df, dbg[j] += dg, dbo[j] += dout;
        }
        round_row(cell->gates16, cell->gates, cell, row, 4);
    }
}
