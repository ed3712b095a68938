/* Recurrent layers: against PyTorch's numbers (tests/golden/recurrent.py), their kernels against the formulas written
 * plainly, and what they promise about rows, state and decoding. Compiled for float and for double. Gradients by
 * differences are test_gradient.c's. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dtrain/memory.h"
#include "model_internal.h"
#include "reference.h"

#include "../golden/recurrent.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))
#define TOLERANCE (sizeof(dt_real) == sizeof(double) ? 1e-12 : 1e-5)

static const char *const kinds[] = {"simple_rnn", "gru", "lstm"};

static void expect_ok(dt_status status) {
    ck_assert_msg(status.code == DT_OK, "%s", status.message);
}

static dt_real *reals(int64_t n, uint64_t seed) {
    dt_real *x = dt_alloc((size_t)n, sizeof *x);
    ck_assert_ptr_nonnull(x);
    for (int64_t i = 0; i < n; i++) x[i] = (dt_real)ref_uniform(seed, (uint64_t)i);
    return x;
}

static dt_real *narrow(const double *from, int64_t n) {
    dt_real *x = reals(n, 0);
    for (int64_t i = 0; i < n; i++) x[i] = (dt_real)from[i];
    return x;
}

static void expect_near(const char *what, const char *name, const dt_real *got, const double *want, int64_t n) {
    double largest = 1;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(want[i]));
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)got[i] - want[i]) <= TOLERANCE * largest, "%s: %s, element %d: %.17g, not %.17g",
                      name, what, (int)i, (double)got[i], want[i]);
}

static void expect_same(const char *what, const dt_real *a, const dt_real *b, int64_t n) {
    ck_assert_msg(memcmp(a, b, (size_t)n * sizeof *a) == 0, "%s differ", what);
}

/* ---- PyTorch ----
 */

START_TEST(layers_do_what_pytorch_s_do) {
    const dt_kernels *kernels;
    expect_ok(dt_compute_open(&kernels, DT_ISA_AUTO, 1));
    const char *name = golden_recurrent[_i].layers;
    char text[512];
    snprintf(text, sizeof text, "layers: %s", name);
    dt_node *root;
    expect_ok(dt_node_parse_text(&root, "golden.yaml", text));
    dt_shape input = {2, {GOLDEN_PLACES, GOLDEN_CHANNELS}};
    dt_model_spec spec = {.rows = GOLDEN_ROWS, .training = true};
    dt_table table = {0};
    dt_plan plan = {.table = &table, .spec = &spec};
    dt_sequence sequence = {0};
    dt_real *arena;
    expect_ok(dt_sequence_decode(&sequence, dt_node_get(root, "layers"), "layers"));
    expect_ok(dt_sequence_plan(&sequence, &plan, "", &input, true));
    expect_ok(dt_plan_bind(&plan, &arena));
    dt_plan_finish(&plan);
    ck_assert_uint_eq(dt_table_elements(&table), (size_t)golden_recurrent[_i].elements);
    ck_assert_int_eq(plan.carried, golden_recurrent[_i].carried);

    int64_t inputs = GOLDEN_ROWS * dt_shape_count(&input), state = GOLDEN_ROWS * plan.carried;
    dt_real *w = reals((int64_t)table.total, 1), *grads = reals((int64_t)table.total, 2), *after = reals(state, 3);
    const double *from = golden_recurrent[_i].w;
    for (int t = 0; t < table.count; t++)
        for (size_t i = 0; i < table.tensors[t].count; i++) w[table.tensors[t].offset + i] = (dt_real)*from++;
    dt_real *x = narrow(golden_recurrent[_i].x, inputs), *before = narrow(golden_recurrent[_i].before, state);
    dt_real *dy = narrow(golden_recurrent[_i].weight, golden_recurrent[_i].outputs);
    dt_pass pass = {.kernels = kernels,
                    .rows = GOLDEN_ROWS,
                    .training = true,
                    .weights = w,
                    .grads = grads,
                    .carried = before,
                    .carry = after,
                    .carried_stride = plan.carried};
    const dt_real *y = dt_sequence_forward(&sequence, &pass, x);
    expect_near("outputs", name, y, golden_recurrent[_i].y, golden_recurrent[_i].outputs);
    expect_near("state", name, after, golden_recurrent[_i].after, state);
    const dt_real *dx = dt_sequence_backward(&sequence, &pass, x, dy, true);
    expect_near("gradient of the input", name, dx, golden_recurrent[_i].dx, inputs);
    const double *dw = golden_recurrent[_i].dw;
    for (int t = 0; t < table.count; dw += table.tensors[t++].count)
        expect_near(table.tensors[t].name, name, grads + table.tensors[t].offset, dw, (int64_t)table.tensors[t].count);

    dt_sequence_finish(&sequence);
    dt_table_finish(&table);
    dt_node_destroy(root);
    dt_free(arena), dt_free(w), dt_free(grads), dt_free(x), dt_free(dy), dt_free(before), dt_free(after);
}
END_TEST

/* ---- kernels ----
 */

static const int gate_count[] = {1, 3, 4};

static double logistic(double x) {
    return 1 / (1 + exp(-x));
}

/* One unit of one row: gates (in: before their functions), what becomes of h and c, the GRU's hidden. */
static void plain_forward(int kind, const double *z, double product_n, double h_before, double c_before, double *gates,
                          double *h, double *c) {
    if (kind == DT_CELL_RNN) {
        *h = tanh(z[0]);
    } else if (kind == DT_CELL_GRU) {
        gates[0] = logistic(z[0]), gates[1] = logistic(z[1]);
        gates[2] = tanh(z[2] + gates[0] * product_n);
        *h = (1 - gates[1]) * gates[2] + gates[1] * h_before;
    } else {
        gates[0] = logistic(z[0]), gates[1] = logistic(z[1]), gates[2] = tanh(z[2]), gates[3] = logistic(z[3]);
        *c = gates[1] * c_before + gates[0] * gates[2];
        *h = gates[3] * tanh(*c);
    }
}

/* A step of random numbers, forward and back. */
static void try_cell(const dt_kernels *kernels, int kind, int64_t rows, int64_t n, bool apart) {
    char name[64];
    snprintf(name, sizeof name, "%s, %s, %d rows of %d", kinds[kind], dt_isa_name(kernels->isa), (int)rows, (int)n);
    int64_t gates = gate_count[kind], cols = gates * n;
    dt_real *g = reals(rows * cols, 1), *x = reals(rows * cols, 2), *product = reals(rows * cols, 3),
            *b = reals(cols, 4);
    dt_real *bs = reals(n, 5), *hb = reals(rows * n, 6), *cb = reals(rows * n, 7), *h = reals(rows * n, 8);
    dt_real *c = reals(rows * n, 9), *hidden = reals(rows * n, 10), *dh = reals(rows * n, 11),
            *dc = reals(rows * n, 12);
    dt_real *dhb = reals(rows * n, 13), *db = reals(cols, 14), *dbs = reals(n, 15);
    dt_bf16 *h16 = dt_alloc((size_t)(rows * n), sizeof *h16), *g16 = dt_alloc((size_t)(rows * cols), sizeof *g16);
    dt_bf16 *hidden16 = dt_alloc((size_t)(rows * n), sizeof *hidden16), *want16 = dt_alloc((size_t)(rows * cols), 2);
    const dt_real **input = dt_alloc((size_t)rows, sizeof *input);
    for (int64_t i = 0; i < rows * cols; i++) g[i] *= 3;
    for (int64_t r = 0; r < rows; r++) input[r] = x + (rows - 1 - r) * cols;
    dt_cell cell = {.rows = rows, .units = n, .gates = g, .input = apart ? input : NULL, .product = product};
    cell.hidden = hidden, cell.b = b, cell.b_state = bs, cell.h_before = hb, cell.c_before = cb, cell.h = h, cell.c = c;
    cell.dh = dh, cell.dh_before = dhb, cell.dc = dc, cell.db = db, cell.db_state = dbs;
    cell.h16 = h16, cell.gates16 = g16, cell.hidden16 = hidden16;

    size_t wide = (size_t)(rows * cols), narrow_count = (size_t)(rows * n);
    double *want_g = dt_alloc(wide, 8), *want_h = dt_alloc(narrow_count, 8), *want_c = dt_alloc(narrow_count, 8);
    double *want_s = dt_alloc(narrow_count, 8);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t j = 0; j < n; j++) {
            double z[4], out[4] = {0}, s = 0;
            for (int64_t k = 0; k < gates; k++) {
                int64_t at = r * cols + k * n + j;
                bool own = kind != DT_CELL_GRU || !apart; /* a GRU's gates hold the input's share, or nothing */
                z[k] = (own ? (double)g[at] : 0) + (double)b[k * n + j] + (apart ? (double)input[r][k * n + j] : 0);
                if (kind == DT_CELL_GRU && k < 2) z[k] += (double)product[at];
                if (kind == DT_CELL_GRU && k == 2) s = (double)product[at] + (double)bs[j];
            }
            int64_t i = r * n + j;
            plain_forward(kind, z, s, (double)hb[i], (double)cb[i], out, &want_h[i], &want_c[i]);
            for (int64_t k = 0; k < gates; k++) want_g[r * cols + k * n + j] = out[k];
            want_s[i] = s;
        }
    }
    kernels->cell_forward[kind](&cell);
    expect_near("h", name, h, want_h, rows * n);
    if (kind == DT_CELL_LSTM) expect_near("c", name, c, want_c, rows * n);
    if (kind == DT_CELL_GRU) expect_near("hidden", name, hidden, want_s, rows * n);
    if (kind != DT_CELL_RNN) expect_near("gates", name, g, want_g, rows * cols);
    kernels->to_bf16(want16, h, rows * n);
    ck_assert_int_eq(memcmp(h16, want16, narrow_count * 2), 0);

    /* back, from what the kernel has kept: differences of the plain formulas are test_gradient.c's */
    double *want_db = dt_alloc((size_t)cols, 8), *want_dhb = dt_alloc(narrow_count, 8),
           *want_dc = dt_alloc(narrow_count, 8);
    double *want_dbs = dt_alloc((size_t)n, 8);
    for (int64_t i = 0; i < cols; i++) want_db[i] = (double)db[i];
    for (int64_t i = 0; i < n; i++) want_dbs[i] = (double)dbs[i];
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t j = 0; j < n; j++) {
            double v[4] = {0}, d[4] = {0}, ds = 0;
            int64_t i = r * n + j;
            double up = (double)dh[i];
            for (int64_t k = 0; k < gates; k++) v[k] = (double)g[r * cols + k * n + j];
            if (kind == DT_CELL_RNN) {
                d[0] = up * (1 - (double)h[i] * (double)h[i]);
            } else if (kind == DT_CELL_GRU) {
                d[2] = up * (1 - v[1]) * (1 - v[2] * v[2]);
                d[1] = up * ((double)hb[i] - v[2]) * v[1] * (1 - v[1]);
                d[0] = d[2] * (double)hidden[i] * v[0] * (1 - v[0]);
                ds = d[2] * v[0];
                want_dhb[i] = (double)dhb[i] + up * v[1];
            } else {
                double t = tanh((double)c[i]), state = (double)dc[i] + up * v[3] * (1 - t * t);
                d[0] = state * v[2] * v[0] * (1 - v[0]);
                d[1] = state * (double)cb[i] * v[1] * (1 - v[1]);
                d[2] = state * v[0] * (1 - v[2] * v[2]);
                d[3] = up * t * v[3] * (1 - v[3]);
                want_dc[i] = state * v[1];
            }
            for (int64_t k = 0; k < gates; k++) {
                want_g[r * cols + k * n + j] = d[k];
                want_db[k * n + j] += d[k];
            }
            want_s[i] = ds;
            want_dbs[j] += ds;
        }
    }
    kernels->cell_backward[kind](&cell);
    expect_near("gradient of the gates", name, g, want_g, rows * cols);
    expect_near("gradient of b", name, db, want_db, cols);
    kernels->to_bf16(want16, g, rows * cols);
    ck_assert_int_eq(memcmp(g16, want16, wide * 2), 0);
    if (kind == DT_CELL_LSTM) expect_near("gradient of c", name, dc, want_dc, rows * n);
    if (kind == DT_CELL_GRU) {
        expect_near("gradient of h before", name, dhb, want_dhb, rows * n);
        expect_near("gradient of hidden", name, hidden, want_s, rows * n);
        expect_near("gradient of b_state", name, dbs, want_dbs, n);
        kernels->to_bf16(want16, hidden, rows * n);
        ck_assert_int_eq(memcmp(hidden16, want16, narrow_count * 2), 0);
    }
    void *all[] = {g,      x,      product, b,      bs,      hb,       cb,      h,        c,      hidden,
                   dh,     dc,     dhb,     db,     dbs,     h16,      g16,     hidden16, want16, input,
                   want_g, want_h, want_c,  want_s, want_db, want_dhb, want_dc, want_dbs};
    for (int i = 0; i < COUNT(all); i++) dt_free(all[i]);
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

static dt_model *new_model(const char *layers, int64_t places, int64_t decoding, bool ids, int64_t rows) {
    const dt_kernels *kernels;
    expect_ok(dt_compute_open(&kernels, DT_ISA_AUTO, 1));
    char text[512];
    snprintf(text, sizeof text, "layers: %s", layers);
    dt_node *root;
    dt_model *model;
    dt_recipe_loss loss = {DT_LOSS_SOFTMAX_CROSS_ENTROPY, 0};
    expect_ok(dt_node_parse_text(&root, "test.yaml", text));
    dt_model_spec spec = {.input = {ids ? 1 : 2, {places, VOCABULARY}},
                          .ids = ids ? VOCABULARY : 0,
                          .rows = rows,
                          .training = decoding == 0,
                          .decoding = decoding};
    expect_ok(dt_model_create(&model, dt_node_get(root, "layers"), &loss, &spec, kernels));
    dt_node_destroy(root);
    return model;
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
    dt_model *models[] = {new_model(text, LENGTH, 0, true, STREAMS), new_model(text, LENGTH, 0, false, STREAMS)};
    size_t total = dt_model_table(models[0])->total;
    ck_assert_uint_eq(total, dt_model_table(models[1])->total);
    dt_real *w = reals((int64_t)total, 1), *grads[2];
    for (int m = 0; m < 2; m++) {
        grads[m] = reals((int64_t)total, 2);
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
    dt_model *all = new_model(text, LENGTH, 0, true, STREAMS), *third = new_model(text, LENGTH / 3, 0, true, STREAMS);
    dt_model *place = new_model(text, 1, LENGTH, true, STREAMS), *series = new_model(text, 1, LENGTH, false, STREAMS);
    int64_t width = dt_model_carried(all);
    ck_assert_int_eq(width, 2 * UNITS * (_i == DT_CELL_LSTM ? 2 : 1) + 3);
    dt_real *w = reals((int64_t)dt_model_table(all)->total, 1),
            *state[2] = {reals(STREAMS * width, 2), reals(STREAMS * width, 3)};
    dt_real *end = reals(STREAMS * width, 4);
    dt_pass pass = {.weights = w, .rows = STREAMS, .carry = end};
    memcpy(whole, dt_model_forward(all, pass, ids), sizeof whole);
    dt_model *parts[] = {third, place, series};
    for (int m = 0; m < 3; m++) {
        int64_t places = m ? 1 : LENGTH / 3, inputs = m == 2 ? VOCABULARY : 1;
        for (int64_t at = 0; at < LENGTH; at += places) {
            const dt_real *x = m == 2 ? hot : ids;
            for (int64_t r = 0; r < STREAMS; r++)
                memcpy(part + r * places * inputs, x + (r * LENGTH + at) * inputs,
                       (size_t)(places * inputs) * sizeof *x);
            dt_pass step = {
                .weights = w, .rows = STREAMS, .place = at, .carried = at ? state[0] : NULL, .carry = state[1]};
            const dt_real *y = dt_model_forward(parts[m], step, part);
            for (int64_t r = 0; r < STREAMS; r++)
                expect_close("outputs", y + r * places * VOCABULARY, whole + (r * LENGTH + at) * VOCABULARY,
                             places * VOCABULARY);
            dt_real *before = state[0];
            state[0] = state[1], state[1] = before;
        }
        expect_close("states", state[0], end, STREAMS * width);
    }
    dt_model_destroy(all), dt_model_destroy(third), dt_model_destroy(place), dt_model_destroy(series);
    dt_free(w), dt_free(state[0]), dt_free(state[1]), dt_free(end);
}
END_TEST

START_TEST(rows_do_not_see_each_other) {
    char text[256];
    layers_of(text, _i, "");
    dt_model *model = new_model(text, LENGTH, 0, false, STREAMS);
    int64_t inputs = LENGTH * VOCABULARY, width = dt_model_carried(model);
    dt_real *w = reals((int64_t)dt_model_table(model)->total, 1), *x = reals(STREAMS * inputs, 2),
            *y = reals(STREAMS * inputs, 3);
    dt_real *before = reals(STREAMS * width, 4), *after[2] = {reals(STREAMS * width, 5), reals(STREAMS * width, 6)};
    dt_pass pass = {.weights = w, .rows = STREAMS, .carried = before, .carry = after[0]};
    memcpy(y, dt_model_forward(model, pass, x), (size_t)(STREAMS * inputs) * sizeof *y);
    for (int64_t i = 0; i < inputs; i++) x[2 * inputs + i] += 1;
    for (int64_t i = 0; i < width; i++) before[2 * width + i] -= 1;
    pass.carry = after[1];
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
    dt_model *model = new_model(text, LENGTH, 0, false, STREAMS), *place = new_model(text, 1, LENGTH, false, STREAMS);
    ck_assert_int_eq(dt_model_carried(model), 0);
    ck_assert_int_eq(dt_model_carried(place), UNITS * (_i == DT_CELL_LSTM ? 2 : 1)); /* decoding has no windows */
    dt_real *w = reals((int64_t)dt_model_table(model)->total, 1), *x = reals(STREAMS * LENGTH * VOCABULARY, 2);
    dt_real y[STREAMS * LENGTH * 3];
    memcpy(y, dt_model_forward(model, (dt_pass){.weights = w, .rows = STREAMS}, x), sizeof y);
    const dt_real *again =
        dt_model_forward(model, (dt_pass){.weights = w, .rows = STREAMS, .carried = x, .carry = x}, x);
    expect_same("outputs", y, again, STREAMS * LENGTH * 3);
    dt_model_destroy(model), dt_model_destroy(place);
    dt_free(w), dt_free(x);
}
END_TEST

START_TEST(the_gate_that_keeps_is_open_at_first) {
    char text[256];
    snprintf(text, sizeof text, "[{%s: {units: %d%s}}, {dense: 3}]", kinds[_i], UNITS,
             _i == DT_CELL_LSTM ? ", forget_bias: 1.5" : "");
    dt_model *model = new_model(text, LENGTH, 0, false, STREAMS);
    const dt_table *table = dt_model_table(model);
    dt_real *w = reals((int64_t)table->total, 1);
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

START_TEST(the_last_place_is_not_decoded) {
    const dt_kernels *kernels;
    expect_ok(dt_compute_open(&kernels, DT_ISA_AUTO, 1));
    char text[256];
    snprintf(text, sizeof text, "layers: [{%s: {units: 3, last: yes}}, {dense: 3}]", kinds[_i]);
    dt_node *root;
    dt_model *model;
    dt_recipe_loss loss = {DT_LOSS_SOFTMAX_CROSS_ENTROPY, 0};
    expect_ok(dt_node_parse_text(&root, "test.yaml", text));
    dt_model_spec spec = {.input = {1, {1}}, .ids = 4, .rows = 1, .decoding = 5};
    dt_status status = dt_model_create(&model, dt_node_get(root, "layers"), &loss, &spec, kernels);
    ck_assert_int_eq(status.code, DT_ERR_INPUT);
    ck_assert_msg(strstr(status.message, kinds[_i]) && strstr(status.message, "no going on"), "%s", status.message);
    dt_node_destroy(root);
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
    tcase_add_loop_test(group, the_last_place_is_not_decoded, 0, COUNT(kinds));
    suite_add_tcase(suite, group);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
