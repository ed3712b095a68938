/* Recurrent layers: against PyTorch's numbers (tests/golden/recurrent.py), their kernels against the formulas written
 * plainly, and what they promise about rows, state and decoding. Compiled for float and for double. Gradients by
 * differences are test_gradient.c's. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "models.h"

#include "../golden/recurrent.h"

#define TOLERANCE (sizeof(dt_real) == sizeof(double) ? 1e-12 : 1e-5)

static const char *const kinds[] = {"simple_rnn", "gru", "lstm"};

static void expect_same(const char *what, const dt_real *a, const dt_real *b, int64_t n) {
    ck_assert_msg(memcmp(a, b, (size_t)n * sizeof *a) == 0, "%s differ", what);
}

/* ---- PyTorch ----
 */

START_TEST(layers_do_what_pytorch_s_do) {
    const char *layers = golden_recurrent[_i].layers;
    dt_shape input = {2, {GOLDEN_POSITIONS, GOLDEN_CHANNELS}};
    dt_model_spec spec = {.rows = GOLDEN_ROWS, .training = true};
    layer_list list;
    layer_list_init(&list, layers, &spec, &input);
    ck_assert_uint_eq(dt_table_elements(&list.table), (size_t)golden_recurrent[_i].elements);
    ck_assert_int_eq(list.state_width, golden_recurrent[_i].state_width);
    scatter(&list.table, list.w, golden_recurrent[_i].w);
    size_t inputs = (size_t)(GOLDEN_ROWS * dt_shape_count(&input)), outputs = (size_t)golden_recurrent[_i].outputs;
    size_t state = (size_t)(GOLDEN_ROWS * list.state_width);
    dt_real *x = narrow(golden_recurrent[_i].x, inputs), *dy = narrow(golden_recurrent[_i].weight, outputs);
    dt_real *before = narrow(golden_recurrent[_i].before, state), *after = reals(state, 3);
    dt_pass pass = {.kernels = best_kernels(),
                    .rows = GOLDEN_ROWS,
                    .training = true,
                    .weights = list.w,
                    .grads = list.grads,
                    .state_in = before,
                    .state_out = after,
                    .state_stride = list.state_width};
    const dt_real *y = dt_sequence_forward(&list.sequence, &pass, x);
    expect_near(layers, "outputs", y, golden_recurrent[_i].y, outputs, TOLERANCE);
    expect_near(layers, "state", after, golden_recurrent[_i].after, state, TOLERANCE);
    const dt_real *dx = dt_sequence_backward(&list.sequence, &pass, x, dy, true);
    expect_near(layers, "gradient of the input", dx, golden_recurrent[_i].dx, inputs, TOLERANCE);
    expect_tensors_near(layers, &list.table, list.grads, golden_recurrent[_i].dw, TOLERANCE);
    layer_list_finish(&list);
    dt_free(x), dt_free(dy), dt_free(before), dt_free(after);
}
END_TEST

/* ---- kernels ----
 */

static const int gate_count[] = {1, 3, 4};

static double logistic(double x) {
    return 1 / (1 + exp(-x));
}

/* A step of random numbers, and what the formulas make of it. */
typedef struct trial {
    char name[64];
    int kind;
    int64_t rows, units, gates, cols;
    bool apart; /* the input's share is not in the gates */
    const dt_real **input;
    dt_real *g, *x, *product, *b, *bs, *hb, *cb, *h, *c, *hidden, *dh, *dc, *dhb, *db, *dbs;
    dt_bf16 *h16, *g16, *hidden16, *rounded;
    double *want_g, *want_h, *want_c, *want_s, *want_db, *want_dbs;
} trial;

static void trial_init(trial *s, const dt_kernels *kernels, int kind, int64_t rows, int64_t n, bool apart) {
    memset(s, 0, sizeof *s);
    snprintf(s->name, sizeof s->name, "%s, %s, %d rows of %d", kinds[kind], dt_isa_name(kernels->isa), (int)rows,
             (int)n);
    s->kind = kind, s->rows = rows, s->units = n, s->apart = apart;
    s->gates = gate_count[kind], s->cols = s->gates * n;
    dt_real **wide[] = {&s->g, &s->x, &s->product},
            **narrow_ones[] = {&s->hb, &s->cb, &s->h, &s->c, &s->hidden, &s->dh, &s->dc, &s->dhb};
    for (int i = 0; i < COUNT(wide); i++) *wide[i] = reals(rows * s->cols, 1 + (uint64_t)i);
    for (int i = 0; i < COUNT(narrow_ones); i++) *narrow_ones[i] = reals(rows * n, 10 + (uint64_t)i);
    s->b = reals(s->cols, 20), s->db = reals(s->cols, 21);
    s->bs = reals(n, 22), s->dbs = reals(n, 23);
    dt_bf16 **halves[] = {&s->h16, &s->g16, &s->hidden16, &s->rounded};
    for (int i = 0; i < COUNT(halves); i++) *halves[i] = dt_alloc((size_t)(rows * s->cols), sizeof **halves[i]);
    double **wants[] = {&s->want_g, &s->want_h, &s->want_c, &s->want_s, &s->want_db, &s->want_dbs};
    for (int i = 0; i < COUNT(wants); i++) *wants[i] = dt_alloc((size_t)(rows * s->cols), sizeof **wants[i]);
    s->input = dt_alloc((size_t)rows, sizeof *s->input);
    for (int64_t i = 0; i < rows * s->cols; i++) s->g[i] *= 3;
    for (int64_t r = 0; r < rows; r++) s->input[r] = s->x + (rows - 1 - r) * s->cols;
}

static void trial_finish(trial *s) {
    void *all[] = {s->input,    s->g,       s->x,      s->product, s->b,      s->bs,     s->hb,      s->cb,      s->h,
                   s->c,        s->hidden,  s->dh,     s->dc,      s->dhb,    s->db,     s->dbs,     s->h16,     s->g16,
                   s->hidden16, s->rounded, s->want_g, s->want_h,  s->want_c, s->want_s, s->want_db, s->want_dbs};
    for (int i = 0; i < COUNT(all); i++) dt_free(all[i]);
}

static dt_cell cell_of(const trial *s) {
    return (dt_cell){.rows = s->rows,
                     .units = s->units,
                     .gates = s->g,
                     .input = s->apart ? s->input : NULL,
                     .product = s->product,
                     .hidden = s->hidden,
                     .b = s->b,
                     .b_state = s->bs,
                     .h_before = s->hb,
                     .c_before = s->cb,
                     .h = s->h,
                     .c = s->c,
                     .dh = s->dh,
                     .dh_before = s->dhb,
                     .dc = s->dc,
                     .db = s->db,
                     .db_state = s->dbs,
                     .h16 = s->h16,
                     .gates16 = s->g16,
                     .hidden16 = s->hidden16};
}

/* What goes into gate k of a unit's, but for the GRU's share that is reset. */
static double before_gate(const trial *s, int64_t row, int64_t j, int64_t k) {
    int64_t at = row * s->cols + k * s->units + j;
    double z = (double)s->b[k * s->units + j] + (s->apart ? (double)s->input[row][k * s->units + j] : 0);
    if (s->kind != DT_CELL_GRU) return z + (double)s->g[at];
    return z + (s->apart ? 0 : (double)s->g[at]) + (k < 2 ? (double)s->product[at] : 0);
}

static void want_forward(trial *s, int64_t row, int64_t j) {
    int64_t i = row * s->units + j, n = s->units;
    double *gate = s->want_g + row * s->cols + j, z[4] = {0};
    for (int64_t k = 0; k < s->gates; k++) z[k] = before_gate(s, row, j, k);
    if (s->kind == DT_CELL_RNN) {
        s->want_h[i] = tanh(z[0]);
    } else if (s->kind == DT_CELL_GRU) {
        s->want_s[i] = (double)s->product[row * s->cols + 2 * n + j] + (double)s->bs[j];
        gate[0] = logistic(z[0]), gate[n] = logistic(z[1]);
        gate[2 * n] = tanh(z[2] + gate[0] * s->want_s[i]);
        s->want_h[i] = (1 - gate[n]) * gate[2 * n] + gate[n] * (double)s->hb[i];
    } else {
        gate[0] = logistic(z[0]), gate[n] = logistic(z[1]), gate[2 * n] = tanh(z[2]), gate[3 * n] = logistic(z[3]);
        s->want_c[i] = gate[n] * (double)s->cb[i] + gate[0] * gate[2 * n];
        s->want_h[i] = gate[3 * n] * tanh(s->want_c[i]);
    }
}

/* From what the kernel has kept; want_h becomes the GRU's dh_before, want_c the LSTM's dc. */
static void want_backward(trial *s, int64_t row, int64_t j) {
    int64_t i = row * s->units + j, n = s->units;
    double v[4] = {0}, d[4] = {0}, up = (double)s->dh[i];
    for (int64_t k = 0; k < s->gates; k++) v[k] = (double)s->g[row * s->cols + k * n + j];
    if (s->kind == DT_CELL_RNN) {
        d[0] = up * (1 - (double)s->h[i] * (double)s->h[i]);
    } else if (s->kind == DT_CELL_GRU) {
        d[2] = up * (1 - v[1]) * (1 - v[2] * v[2]);
        d[1] = up * ((double)s->hb[i] - v[2]) * v[1] * (1 - v[1]);
        d[0] = d[2] * (double)s->hidden[i] * v[0] * (1 - v[0]);
        s->want_s[i] = d[2] * v[0];
        s->want_dbs[j] += s->want_s[i];
        s->want_h[i] = (double)s->dhb[i] + up * v[1];
    } else {
        double t = tanh((double)s->c[i]), state = (double)s->dc[i] + up * v[3] * (1 - t * t);
        d[0] = state * v[2] * v[0] * (1 - v[0]), d[1] = state * (double)s->cb[i] * v[1] * (1 - v[1]);
        d[2] = state * v[0] * (1 - v[2] * v[2]), d[3] = up * t * v[3] * (1 - v[3]);
        s->want_c[i] = state * v[1];
    }
    for (int64_t k = 0; k < s->gates; k++) {
        s->want_g[row * s->cols + k * n + j] = d[k];
        s->want_db[k * n + j] += d[k];
    }
}

static void expect_rounded(const dt_kernels *kernels, const trial *s, const dt_bf16 *got, const dt_real *from,
                           size_t n) {
    kernels->to_bf16(s->rounded, from, (int64_t)n);
    ck_assert_msg(memcmp(got, s->rounded, n * sizeof *got) == 0, "%s: bfloat16", s->name);
}

static void try_forward(const dt_kernels *kernels, trial *s) {
    size_t all = (size_t)(s->rows * s->units), wide = (size_t)(s->rows * s->cols);
    dt_cell cell = cell_of(s);
    for (int64_t i = 0; i < s->rows * s->units; i++) want_forward(s, i / s->units, i % s->units);
    kernels->cell_forward[s->kind](&cell);
    expect_near(s->name, "h", s->h, s->want_h, all, TOLERANCE);
    expect_rounded(kernels, s, s->h16, s->h, all);
    if (s->kind == DT_CELL_LSTM) expect_near(s->name, "c", s->c, s->want_c, all, TOLERANCE);
    if (s->kind == DT_CELL_GRU) expect_near(s->name, "hidden", s->hidden, s->want_s, all, TOLERANCE);
    if (s->kind != DT_CELL_RNN) expect_near(s->name, "gates", s->g, s->want_g, wide, TOLERANCE);
}

static void try_backward(const dt_kernels *kernels, trial *s) {
    size_t all = (size_t)(s->rows * s->units), wide = (size_t)(s->rows * s->cols);
    dt_cell cell = cell_of(s);
    for (int64_t i = 0; i < s->cols; i++) s->want_db[i] = (double)s->db[i];
    for (int64_t i = 0; i < s->units; i++) s->want_dbs[i] = (double)s->dbs[i];
    for (int64_t i = 0; i < s->rows * s->units; i++) want_backward(s, i / s->units, i % s->units);
    kernels->cell_backward[s->kind](&cell);
    expect_near(s->name, "gradient of the gates", s->g, s->want_g, wide, TOLERANCE);
    expect_near(s->name, "gradient of b", s->db, s->want_db, (size_t)s->cols, TOLERANCE);
    expect_rounded(kernels, s, s->g16, s->g, wide);
    if (s->kind == DT_CELL_LSTM) expect_near(s->name, "gradient of c", s->dc, s->want_c, all, TOLERANCE);
    if (s->kind != DT_CELL_GRU) return;
    expect_near(s->name, "gradient of h before", s->dhb, s->want_h, all, TOLERANCE);
    expect_near(s->name, "gradient of hidden", s->hidden, s->want_s, all, TOLERANCE);
    expect_near(s->name, "gradient of b_state", s->dbs, s->want_dbs, (size_t)s->units, TOLERANCE);
    expect_rounded(kernels, s, s->hidden16, s->hidden, all);
}

static void try_cell(const dt_kernels *kernels, int kind, int64_t rows, int64_t n, bool apart) {
    trial s;
    trial_init(&s, kernels, kind, rows, n, apart);
    try_forward(kernels, &s);
    try_backward(kernels, &s);
    trial_finish(&s);
}

START_TEST(steps_follow_the_formulas) {
    const int64_t sizes[] = {1, 5, 16, 37, 64};
    for (int isa = DT_ISA_BASELINE; isa <= DT_ISA_AVX512; isa++) {
        const dt_kernels *kernels = dt_kernels_for((dt_isa)isa);
        for (int s = 0; kernels && s < COUNT(sizes); s++)
            for (int64_t rows = 1; rows <= 6; rows++) try_cell(kernels, _i, rows, sizes[s], rows % 2);
    }
}
END_TEST

/* ---- promises ----
 */

enum { STREAMS = 5, LENGTH = 12, VOCABULARY = 7, UNITS = 9 };

/* Of windows of `positions`, or for decoding beyond them; of ids or vectors of as many numbers. */
static dt_model *model_of(const char *layers, int64_t positions, int64_t decoding, bool ids) {
    dt_model_spec spec = {.input = {ids ? 1 : 2, {positions, VOCABULARY}},
                          .ids = ids ? VOCABULARY : 0,
                          .rows = STREAMS,
                          .training = decoding == 0,
                          .decoding = decoding};
    return new_model(layers, &spec);
}

static void layers_of(char text[256], int kind, const char *more) {
    snprintf(text, 256, "[{%s: {units: %d, layers: 2%s}}, {gru: 3}, {dense: %d}]", kinds[kind], UNITS, more,
             VOCABULARY);
}

/* Inputs [STREAMS, LENGTH, VOCABULARY] that are one-hot, and the ids they stand for; the ids' last column is -1 and
 * zeros. */
static void make_tokens(dt_real *ids, dt_real *hot) {
    memset(hot, 0, STREAMS * LENGTH * VOCABULARY * sizeof *hot);
    for (int i = 0; i < STREAMS * LENGTH; i++) {
        ids[i] = (dt_real)(i * i % VOCABULARY);
        if (i % LENGTH == 7) ids[i] = -1;
        if (ids[i] >= 0) hot[i * VOCABULARY + (int)ids[i]] = 1;
    }
}

/* Near, for a product and a row of its weights are rounded alike but for the order of the sums. */
static void expect_close(const char *what, const dt_real *a, const dt_real *b, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)(a[i] - b[i])) <= TOLERANCE, "%s, element %d: %g and %g", what, (int)i, (double)a[i],
                      (double)b[i]);
}

START_TEST(ids_are_one_hot_vectors) {
    char text[256];
    layers_of(text, _i, ", dropout: 0.2");
    dt_real ids[STREAMS * LENGTH], hot[STREAMS * LENGTH * VOCABULARY];
    int32_t labels[STREAMS * LENGTH];
    make_tokens(ids, hot);
    for (int i = 0; i < STREAMS * LENGTH; i++) labels[i] = i % VOCABULARY;
    dt_model *models[] = {model_of(text, LENGTH, 0, true), model_of(text, LENGTH, 0, false)};
    size_t total = dt_model_table(models[0])->total;
    ck_assert_uint_eq(total, dt_model_table(models[1])->total);
    dt_real *w = reals(total, 1), *grads[2];
    for (int m = 0; m < 2; m++) {
        grads[m] = reals(total, 2);
        memset(grads[m], 0, total * sizeof *w);
        dt_tally tally = {0};
        dt_batch batch = {.rows = STREAMS, .first = 3, .x = m ? hot : ids, .labels = labels, .targets = LENGTH};
        for (int twice = 0; twice < 2; twice++)
            dt_model_train(models[m], (dt_pass){.weights = w, .grads = grads[m], .seed = 5, .accumulate = twice},
                           &batch, &tally);
    }
    for (size_t i = 0; i < total; i++)
        ck_assert_msg(fabs((double)(grads[0][i] - grads[1][i])) <= 50 * TOLERANCE, "gradient %d: %g and %g", (int)i,
                      (double)grads[0][i], (double)grads[1][i]);
    for (int m = 0; m < 2; m++) dt_model_destroy(models[m]), dt_free(grads[m]);
    dt_free(w);
}
END_TEST

START_TEST(windows_that_carry_are_one_sequence) {
    char text[256];
    layers_of(text, _i, "");
    dt_real ids[STREAMS * LENGTH], hot[STREAMS * LENGTH * VOCABULARY], part[STREAMS * LENGTH],
        whole[STREAMS * LENGTH * VOCABULARY];
    make_tokens(ids, hot);
    dt_model *all = model_of(text, LENGTH, 0, true), *third = model_of(text, LENGTH / 3, 0, true);
    dt_model *position = model_of(text, 1, LENGTH, true), *series = model_of(text, 1, LENGTH, false);
    int64_t width = dt_model_state_width(all);
    ck_assert_int_eq(width, 2 * UNITS * (_i == DT_CELL_LSTM ? 2 : 1) + 3);
    dt_real *w = reals(dt_model_table(all)->total, 1),
            *state[2] = {reals(STREAMS * width, 2), reals(STREAMS * width, 3)};
    dt_real *end = reals(STREAMS * width, 4);
    dt_pass pass = {.weights = w, .rows = STREAMS, .state_out = end};
    memcpy(whole, dt_model_forward(all, pass, ids), sizeof whole);
    dt_model *parts[] = {third, position, series};
    for (int m = 0; m < 3; m++) {
        int64_t positions = m ? 1 : LENGTH / 3, inputs = m == 2 ? VOCABULARY : 1;
        for (int64_t at = 0; at < LENGTH; at += positions) {
            const dt_real *x = m == 2 ? hot : ids;
            for (int64_t r = 0; r < STREAMS; r++)
                memcpy(part + r * positions * inputs, x + (r * LENGTH + at) * inputs,
                       (size_t)(positions * inputs) * sizeof *x);
            dt_pass step = {
                .weights = w, .rows = STREAMS, .position = at, .state_in = at ? state[0] : NULL, .state_out = state[1]};
            const dt_real *y = dt_model_forward(parts[m], step, part);
            for (int64_t r = 0; r < STREAMS; r++)
                expect_close("outputs", y + r * positions * VOCABULARY, whole + (r * LENGTH + at) * VOCABULARY,
                             positions * VOCABULARY);
            dt_real *before = state[0];
            state[0] = state[1], state[1] = before;
        }
        expect_close("states", state[0], end, STREAMS * width);
    }
    dt_model_destroy(all), dt_model_destroy(third), dt_model_destroy(position), dt_model_destroy(series);
    dt_free(w), dt_free(state[0]), dt_free(state[1]), dt_free(end);
}
END_TEST

START_TEST(rows_do_not_see_each_other) {
    char text[256];
    layers_of(text, _i, "");
    dt_model *model = model_of(text, LENGTH, 0, false);
    int64_t inputs = LENGTH * VOCABULARY, width = dt_model_state_width(model);
    dt_real *w = reals(dt_model_table(model)->total, 1), *x = reals(STREAMS * inputs, 2),
            *y = reals(STREAMS * inputs, 3);
    dt_real *before = reals(STREAMS * width, 4), *after[2] = {reals(STREAMS * width, 5), reals(STREAMS * width, 6)};
    dt_pass pass = {.weights = w, .rows = STREAMS, .state_in = before, .state_out = after[0]};
    memcpy(y, dt_model_forward(model, pass, x), (size_t)(STREAMS * inputs) * sizeof *y);
    for (int64_t i = 0; i < inputs; i++) x[2 * inputs + i] += 1;
    for (int64_t i = 0; i < width; i++) before[2 * width + i] -= 1;
    pass.state_out = after[1];
    const dt_real *again = dt_model_forward(model, pass, x);
    for (int64_t r = 0; r < STREAMS; r++) {
        bool same = memcmp(y + r * inputs, again + r * inputs, (size_t)inputs * sizeof *y) == 0;
        bool kept = memcmp(after[0] + r * width, after[1] + r * width, (size_t)width * sizeof *y) == 0;
        ck_assert_msg(same == (r != 2) && kept == (r != 2), "row %d", (int)r);
    }
    dt_model_destroy(model);
    dt_free(w), dt_free(x), dt_free(y), dt_free(before), dt_free(after[0]), dt_free(after[1]);
}
END_TEST

START_TEST(without_carry_every_window_begins_with_zeros) {
    char text[256];
    snprintf(text, sizeof text, "[{%s: {units: %d, carry: no}}, {dense: 3}]", kinds[_i], UNITS);
    dt_model *model = model_of(text, LENGTH, 0, false), *position = model_of(text, 1, LENGTH, false);
    ck_assert_int_eq(dt_model_state_width(model), 0);
    ck_assert_int_eq(dt_model_state_width(position),
                     UNITS * (_i == DT_CELL_LSTM ? 2 : 1)); /* decoding has no windows */
    dt_real *w = reals(dt_model_table(model)->total, 1), *x = reals(STREAMS * LENGTH * VOCABULARY, 2);
    dt_real y[STREAMS * LENGTH * 3];
    memcpy(y, dt_model_forward(model, (dt_pass){.weights = w, .rows = STREAMS}, x), sizeof y);
    const dt_real *again =
        dt_model_forward(model, (dt_pass){.weights = w, .rows = STREAMS, .state_in = x, .state_out = x}, x);
    expect_same("outputs", y, again, STREAMS * LENGTH * 3);
    dt_model_destroy(model), dt_model_destroy(position);
    dt_free(w), dt_free(x);
}
END_TEST

START_TEST(the_gate_that_keeps_is_open_at_first) {
    char text[256];
    snprintf(text, sizeof text, "[{%s: {units: %d%s}}, {dense: 3}]", kinds[_i], UNITS,
             _i == DT_CELL_LSTM ? ", forget_bias: 1.5" : "");
    dt_model *model = model_of(text, LENGTH, 0, false);
    const dt_table *table = dt_model_table(model);
    dt_real *w = reals(table->total, 1);
    dt_model_init(model, w, 3);
    for (int t = 0; t < 3; t++) {
        double largest = 0, limit = sqrt(6.0 / ((t ? UNITS : VOCABULARY) + UNITS));
        for (size_t i = 0; i < table->tensors[t].count; i++) {
            double value = (double)w[table->tensors[t].offset + i];
            largest = fmax(largest, fabs(value));
            bool forget = _i == DT_CELL_LSTM && i / UNITS == 1;
            if (t == 2) ck_assert_double_eq(value, forget ? 1.5 : 0);
        }
        if (t < 2) ck_assert_msg(largest <= limit && largest > 0.9 * limit, "%s: %g", table->tensors[t].name, largest);
    }
    dt_model_destroy(model);
    dt_free(w);
}
END_TEST

/* Without products of the state and with the same input everywhere, positions and rows differ by their masks alone. */
START_TEST(masks_are_of_the_place_and_the_row) {
    dt_model *model = model_of("[{simple_rnn: {units: 24, layers: 2, dropout: 0.5}}]", LENGTH, 0, false);
    const dt_table *table = dt_model_table(model);
    dt_real *w = reals(table->total, 1), *x = reals(STREAMS * LENGTH * VOCABULARY, 2);
    enum { ROW = LENGTH * 24 };
    dt_real y[STREAMS * ROW];
    for (int t = 0; t < table->count; t++)
        if (strstr(table->tensors[t].name, "w_state"))
            memset(w + table->tensors[t].offset, 0, table->tensors[t].count * sizeof *w);
    for (int64_t i = 0; i < STREAMS * LENGTH * VOCABULARY; i++) x[i] = x[i % VOCABULARY];
    dt_pass pass = {.weights = w, .rows = STREAMS, .training = true, .seed = 3, .step = 5, .first = 10};
    memcpy(y, dt_model_forward(model, pass, x), sizeof y);
    for (int64_t i = 1; i < STREAMS * LENGTH; i++)
        ck_assert_msg(memcmp(y, y + i * 24, 24 * sizeof *y) != 0, "position %d has the mask of the first", (int)i);
    pass.first = 12;
    expect_same("rows that are moved", dt_model_forward(model, pass, x), y + 2 * ROW, (STREAMS - 2) * ROW);
    pass.training = false;
    const dt_real *all = dt_model_forward(model, pass, x);
    for (int64_t i = 1; i < STREAMS * LENGTH; i++) expect_same("positions without masks", all, all + i * 24, 24);
    dt_model_destroy(model);
    dt_free(w), dt_free(x);
}
END_TEST

START_TEST(the_last_place_is_not_decoded) {
    char text[256];
    snprintf(text, sizeof text, "[{%s: {units: 3, last: yes}}, {dense: 3}]", kinds[_i]);
    dt_model_spec spec = {.input = {1, {1}}, .ids = 4, .rows = 1, .decoding = 5};
    dt_model *model;
    dt_status status = try_model(&model, text, &cross_entropy, &spec);
    ck_assert_int_eq(status.code, DT_ERR_INPUT);
    ck_assert_msg(strstr(status.message, kinds[_i]) && strstr(status.message, "no going on"), "%s", status.message);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("recurrent");
    TCase *group = tcase_create("layers");
    tcase_add_loop_test(group, layers_do_what_pytorch_s_do, 0, COUNT(golden_recurrent));
    tcase_add_loop_test(group, steps_follow_the_formulas, 0, COUNT(kinds));
    tcase_add_loop_test(group, ids_are_one_hot_vectors, 0, COUNT(kinds));
    tcase_add_loop_test(group, windows_that_carry_are_one_sequence, 0, COUNT(kinds));
    tcase_add_loop_test(group, rows_do_not_see_each_other, 0, COUNT(kinds));
    tcase_add_loop_test(group, without_carry_every_window_begins_with_zeros, 0, COUNT(kinds));
    tcase_add_loop_test(group, the_gate_that_keeps_is_open_at_first, 0, COUNT(kinds));
    tcase_add_test(group, masks_are_of_the_place_and_the_row);
    tcase_add_loop_test(group, the_last_place_is_not_decoded, 0, COUNT(kinds));
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
