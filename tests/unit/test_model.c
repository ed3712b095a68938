/* What a model promises its caller: the arithmetic of its layers, sums that do not depend on how a batch is divided,
 * memory that is planned once. Gradients are test_gradient.c's. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "models.h"
#include "reference.h"

#include "../golden/convolutions.h"

static const dt_recipe_loss squared_error = {DT_LOSS_MEAN_SQUARED_ERROR, 0};

static dt_model *model_of(const char *layers, dt_shape input, int64_t max_rows, bool training) {
    dt_model_spec spec = {.input = input, .targets = 1, .rows = max_rows, .training = training};
    return new_model(layers, &spec);
}

static dt_shape vector(int64_t n) {
    return (dt_shape){1, {n}};
}

/* Layers in layers, on samples of shape [3, 4]. */
#define NESTED                                                                                                         \
    "[{transpose: [1, 0]}, {reshape: [-1, 2, 3]}, {upsample: {factor: 2, method: linear}}, {residual: {layers: "       \
    "[{group_norm: 3}, {concat: [[], [tanh, {rms_norm: {scale: no}}]]}, layer_norm], shortcut: [{concat: {branches: "  \
    "[[], []], name: twice}}], activation: relu, name: block}}, flatten, {dense: {out: 4, name: head}}, {residual: "   \
    "[batch_norm, {residual: [{dense: 4}, {dropout: 0.1}]}]}, {dense: 5}]"

/* A network with one of everything, on 24 samples of shape [3, 4]. */
#define RICH                                                                                                           \
    "[flatten, {dropout: 0.2}, {dense: {out: 19, activation: relu}}, {dropout: 0.3}, {dense: {out: 10, activation: "   \
    "gelu}}, tanh, {dense: 7}, softmax, {dense: 5}]"

/* And one of convolutions and pools. */
#define CONVOLVED                                                                                                      \
    "[{conv2d: {out: 6, activation: relu}}, {max_pool: {kernel: 2, stride: 1}}, {conv2d: {out: 8, kernel: 2, groups: " \
    "2, activation: gelu}}, {avg_pool: {kernel: 2, padding: same}}, {conv2d: {out: 8, kernel: 1, bias: false}}, "      \
    "tanh, "                                                                                                           \
    "{dropout: 0.2}, flatten, {dense: 5}]"

static const char *const networks[] = {RICH, CONVOLVED};

enum { ROWS = 24, INPUTS = 12, CLASSES = 5 };

typedef struct fixture {
    dt_model *model;
    size_t total;
    dt_real *w, *grads, *x;
    int32_t labels[ROWS];
} fixture;

static void fixture_init(fixture *f, const char *layers, int64_t max_rows) {
    f->model = model_of(layers, (dt_shape){2, {3, 4}}, max_rows, true);
    f->total = dt_model_table(f->model)->total;
    f->w = reals(f->total, 1);
    dt_model_init(f->model, f->w, 5);
    f->grads = reals(f->total, 2);
    memset(f->grads, 0, f->total * sizeof *f->grads);
    f->x = reals(ROWS * INPUTS, 3);
    for (int i = 0; i < ROWS; i++) f->labels[i] = i * 7 % CLASSES;
}

static void fixture_finish(fixture *f) {
    dt_model_destroy(f->model);
    dt_free(f->w);
    dt_free(f->grads);
    dt_free(f->x);
}

static dt_pass pass_of(const fixture *f, dt_real *grads, bool accumulate) {
    return (dt_pass){.accumulate = accumulate, .seed = 9, .step = 4, .weights = f->w, .grads = grads};
}

static dt_batch rows_of(fixture *f, int64_t first, int64_t rows) {
    return (dt_batch){
        .rows = rows, .first = 1000 + (uint64_t)first, .x = f->x + first * INPUTS, .labels = f->labels + first};
}

/* The gradient of rows [first, first + rows). */
static void train_rows(fixture *f, dt_real *grads, bool accumulate, int64_t first, int64_t rows, dt_tally *tally) {
    dt_batch batch = rows_of(f, first, rows);
    dt_model_train(f->model, pass_of(f, grads, accumulate), &batch, tally);
}

static void expect_alike(const dt_real *a, const dt_real *b, size_t n, double tolerance) {
    double largest = 0;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs((double)b[i]));
    ck_assert_double_gt(largest, 0);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)a[i] - (double)b[i]) <= tolerance * largest, "element %d: %.9g and %.9g", (int)i,
                      (double)a[i], (double)b[i]);
}

/* ---- arithmetic ---- */

START_TEST(forward_is_what_the_formulas_say) {
    dt_model *model =
        model_of("[flatten, {dense: {out: 4, activation: tanh}}, {dense: 3}]", (dt_shape){2, {2, 3}}, 5, true);
    const dt_table *table = dt_model_table(model);
    dt_real *w = reals(table->total, 1), *x = reals(30, 2);
    double wide[6 * 4 + 4 + 4 * 3 + 3], wide_x[30], hidden[20], want[15];
    double *w1 = wide, *b1 = w1 + 24, *w2 = b1 + 4, *b2 = w2 + 12;
    double *const parts[] = {w1, b1, w2, b2};
    for (int t = 0; t < 4; t++)
        for (size_t i = 0; i < table->tensors[t].count; i++) parts[t][i] = (double)w[table->tensors[t].offset + i];
    for (int i = 0; i < 30; i++) wide_x[i] = (double)x[i];
    ref_gemm(false, false, 5, 4, 6, wide_x, w1, 0, hidden);
    for (int i = 0; i < 20; i++) hidden[i] = tanh(hidden[i] + b1[i % 4]);
    ref_gemm(false, false, 5, 3, 4, hidden, w2, 0, want);
    for (int i = 0; i < 15; i++) want[i] += b2[i % 3];
    const dt_real *y = dt_model_forward(model, (dt_pass){.rows = 5, .weights = w}, x);
    for (int i = 0; i < 15; i++) ck_assert_double_eq_tol((double)y[i], want[i], 1e-6);
    dt_model_destroy(model);
    dt_free(w);
    dt_free(x);
}
END_TEST

START_TEST(softmax_is_along_the_last_dimension) {
    dt_model *model = model_of("[softmax, flatten, {dense: 3}]", (dt_shape){3, {2, 2, 5}}, 4, true);
    dt_real *w = reals(dt_model_table(model)->total, 1), *x = reals(80, 2);
    dt_model_forward(model, (dt_pass){.rows = 4, .weights = w}, x);
    const dt_real *y = dt_model_layer(model, 0)->output;
    for (int i = 0; i < 16; i++) {
        double sum = 0;
        for (int j = 0; j < 5; j++) sum += (double)y[i * 5 + j];
        ck_assert_double_eq_tol(sum, 1, 1e-6);
    }
    dt_model_destroy(model);
    dt_free(w);
    dt_free(x);
}
END_TEST

START_TEST(micro_batches_add_up_to_the_batch) {
    fixture f;
    fixture_init(&f, networks[_i], ROWS);
    dt_real *parts = reals(f.total, 4);
    memset(parts, 0, f.total * sizeof *parts);
    dt_tally whole_tally = {0}, part_tally = {0};
    train_rows(&f, f.grads, false, 0, ROWS, &whole_tally);
    static const int64_t cuts[] = {0, 1, 8, 8, 23, ROWS}; /* one of them empty */
    for (int i = 0; i + 1 < COUNT(cuts); i++) train_rows(&f, parts, i > 0, cuts[i], cuts[i + 1] - cuts[i], &part_tally);
    expect_alike(parts, f.grads, f.total, 1e-6);
    ck_assert_int_eq(part_tally.samples, ROWS);
    ck_assert_int_eq(part_tally.correct, whole_tally.correct);
    ck_assert_int_le(llabs((long long)(part_tally.rounded_loss - whole_tally.rounded_loss)), ROWS * 16);
    dt_free(parts);
    fixture_finish(&f);
}
END_TEST

START_TEST(gradients_of_shards_add_up_to_the_batch_s) {
    fixture f;
    fixture_init(&f, networks[_i], ROWS);
    dt_real *shard = reals(f.total, 4), *sum = reals(f.total, 5);
    memset(sum, 0, f.total * sizeof *sum);
    memset(shard, 0, f.total * sizeof *shard);
    dt_tally tally = {0};
    train_rows(&f, f.grads, false, 0, ROWS, &tally);
    for (int64_t first = 0; first < ROWS; first += 6) {
        train_rows(&f, shard, false, first, 6, &tally);
        for (size_t i = 0; i < f.total; i++) sum[i] += shard[i];
    }
    expect_alike(sum, f.grads, f.total, 1e-6);
    dt_free(shard);
    dt_free(sum);
    fixture_finish(&f);
}
END_TEST

START_TEST(a_gradient_replaces_whatever_was_there_and_padding_stays_as_it_was) {
    fixture f;
    fixture_init(&f, networks[_i], ROWS);
    dt_tally tally = {0};
    train_rows(&f, f.grads, false, 0, ROWS, &tally);
    dt_real *again = reals(f.total, 4);
    const dt_table *table = dt_model_table(f.model);
    memset(again, 0, f.total * sizeof *again);
    for (int t = 0; t < table->count; t++)
        for (size_t i = 0; i < table->tensors[t].count; i++) again[table->tensors[t].offset + i] = (dt_real)NAN;
    train_rows(&f, again, false, 0, ROWS, &tally);
    /* bit for bit, so padding, which began as zero in both, is zero still */
    ck_assert_int_eq(memcmp(again, f.grads, f.total * sizeof *again), 0);
    size_t at = 0;
    for (int t = 0; t <= table->count; t++) {
        size_t next = t < table->count ? table->tensors[t].offset : f.total;
        for (; at < next; at++) ck_assert(again[at] == 0 && f.w[at] == 0);
        if (t < table->count) at += table->tensors[t].count;
    }
    dt_free(again);
    fixture_finish(&f);
}
END_TEST

START_TEST(an_empty_shard_has_a_zero_gradient) {
    fixture f;
    fixture_init(&f, networks[_i], ROWS);
    dt_tally tally = {0};
    train_rows(&f, f.grads, false, 0, ROWS, &tally);
    dt_real *before = reals(f.total, 4);
    memcpy(before, f.grads, f.total * sizeof *before);
    train_rows(&f, f.grads, true, 3, 0, &tally);
    ck_assert_int_eq(memcmp(before, f.grads, f.total * sizeof *before), 0);
    train_rows(&f, f.grads, false, 3, 0, &tally);
    for (size_t i = 0; i < f.total; i++) ck_assert(f.grads[i] == 0);
    ck_assert_int_eq(tally.samples, ROWS);
    dt_free(before);
    fixture_finish(&f);
}
END_TEST

START_TEST(bits_do_not_depend_on_the_rows_there_is_room_for) {
    fixture tight, roomy;
    fixture_init(&tight, RICH, ROWS);
    fixture_init(&roomy, RICH, 10 * ROWS + 3);
    dt_tally a = {0}, b = {0};
    train_rows(&tight, tight.grads, false, 0, ROWS, &a);
    train_rows(&roomy, roomy.grads, false, 0, 7, &b); /* leaves other numbers behind */
    memset(&b, 0, sizeof b);
    train_rows(&roomy, roomy.grads, false, 0, ROWS, &b);
    ck_assert_int_eq(memcmp(tight.grads, roomy.grads, tight.total * sizeof *tight.grads), 0);
    ck_assert_int_eq(memcmp(&a, &b, sizeof a), 0);
    fixture_finish(&tight);
    fixture_finish(&roomy);
}
END_TEST

/* A pool of 2x2 undoes the ReLU of a convolution before it, where windows tile the picture: on fewer numbers, to the
 * bits of a ReLU that is a layer of its own. */
START_TEST(a_pool_undoes_a_relu_to_the_bits_of_the_relu) {
    static const char *const pairs[][2] = {
        {"[{conv2d: {out: 20, kernel: 2x1, padding: valid, activation: relu}}, {max_pool: 2}, flatten, {dense: 5}]",
         "[{conv2d: {out: 20, kernel: 2x1, padding: valid}}, relu, {max_pool: 2}, flatten, {dense: 5}]"},
        {"[{conv2d: {out: 20, activation: relu}}, {max_pool: 2}, flatten, {dense: 5}]",
         "[{conv2d: 20}, relu, {max_pool: 2}, flatten, {dense: 5}]"},
    };
    fixture fused, apart;
    fixture_init(&fused, pairs[_i][0], ROWS);
    fixture_init(&apart, pairs[_i][1], ROWS);
    ck_assert_int_eq(fused.total, apart.total);
    memcpy(fused.w, apart.w, apart.total * sizeof *apart.w);
    dt_tally a = {0}, b = {0};
    train_rows(&fused, fused.grads, false, 0, ROWS, &a);
    train_rows(&apart, apart.grads, false, 0, ROWS, &b);
    ck_assert_int_eq(memcmp(&a, &b, sizeof a), 0);
    ck_assert_int_eq(memcmp(fused.grads, apart.grads, apart.total * sizeof *apart.grads), 0);
    fixture_finish(&fused);
    fixture_finish(&apart);
}
END_TEST

/* Lists with layers that are run by portions of a batch (src/model/portions.h), of which the last may be smaller, and
 * the same with a layer between those two, so that the whole batch goes through each. */
static const struct {
    const char *some, *all;
    bool never; /* the way back reads what is between */
} portioned[] = {
    {"[{conv2d: 2}, {conv2d: {out: 3000, kernel: 2x1, padding: valid, activation: relu}}, {max_pool: 2}, flatten, "
     "{dense: 5}]",
     "[{conv2d: 2}, {conv2d: {out: 3000, kernel: 2x1, padding: valid}}, relu, {max_pool: 2}, flatten, {dense: 5}]",
     false},
    /* 9 pixels of 36 kB, so that there are 4 pictures in a portion, and not 7 */
    {"[{conv2d: 2}, {conv2d: {out: 1000, kernel: 1x2, padding: valid}}, {avg_pool: {kernel: 2, stride: 1}}, flatten, "
     "{dense: 5}]",
     "[{conv2d: 2}, {conv2d: {out: 1000, kernel: 1x2, padding: valid}}, {reshape: [3, 3, 1000]}, {avg_pool: {kernel: "
     "2, stride: 1}}, flatten, {dense: 5}]",
     false},
    {"[{conv2d: {out: 1500, activation: gelu}}, {avg_pool: 2}, flatten, {dense: 5}]",
     "[{conv2d: {out: 1500, activation: gelu}}, {reshape: [3, 4, 1500]}, {avg_pool: 2}, flatten, {dense: 5}]", false},
    {"[{conv2d: 20}, {conv2d: {out: 1700, kernel: 2x1, padding: valid, activation: relu}}, {max_pool: 2}, flatten, "
     "{dense: 5}]",
     "[{conv2d: 20}, {conv2d: {out: 1700, kernel: 2x1, padding: valid}}, relu, {max_pool: 2}, flatten, {dense: 5}]",
     false},
    {"[{conv2d: {out: 1500, activation: tanh}}, {avg_pool: 2}, flatten, {dense: 5}]",
     "[{conv2d: {out: 1500, activation: tanh}}, {reshape: [3, 4, 1500]}, {avg_pool: 2}, flatten, {dense: 5}]", true},
};

typedef struct portioned_fixture {
    dt_model *model;
    size_t total;
    dt_real *w, *grads;
    dt_bf16 *rounded;
} portioned_fixture;

static void portioned_init(portioned_fixture *f, const char *layers, bool bf16) {
    dt_model_spec spec = {.input = {2, {3, 4}}, .targets = 1, .rows = ROWS, .training = true, .bf16 = bf16};
    f->model = new_model(layers, &spec);
    f->total = dt_model_table(f->model)->total;
    f->w = reals(f->total, 1);
    f->grads = reals(f->total, 2);
    memset(f->grads, 0, f->total * sizeof *f->grads);
    f->rounded = dt_alloc(f->total, sizeof *f->rounded);
    best_kernels()->to_bf16(f->rounded, f->w, (int64_t)f->total);
}

static void portioned_finish(portioned_fixture *f) {
    dt_model_destroy(f->model);
    dt_free(f->w), dt_free(f->grads), dt_free(f->rounded);
}

/* Two batches in a row, the second added to the first, and an evaluation. */
static void portioned_train(portioned_fixture *f, dt_tally *tally) {
    dt_real *x = reals((size_t)ROWS * INPUTS, 3);
    int32_t labels[ROWS];
    for (int i = 0; i < ROWS; i++) labels[i] = i * 7 % CLASSES;
    dt_pass pass = {.weights = f->w, .weights16 = f->rounded, .grads = f->grads};
    dt_model_train(f->model, pass, &(dt_batch){.rows = ROWS - 1, .x = x, .labels = labels}, tally);
    pass.accumulate = true;
    dt_model_train(f->model, pass, &(dt_batch){.rows = 7, .x = x + 5 * INPUTS, .labels = labels}, tally);
    dt_model_evaluate(f->model, pass, &(dt_batch){.rows = ROWS, .x = x, .labels = labels}, tally);
    dt_free(x);
}

START_TEST(bits_do_not_depend_on_portions) {
    const bool bf16 = _i % 2 == 1;
    portioned_fixture some, all;
    portioned_init(&some, portioned[_i / 2].some, bf16);
    portioned_init(&all, portioned[_i / 2].all, bf16);
    ck_assert_uint_eq(some.total, all.total);
    ck_assert(portioned[_i / 2].never ? dt_model_memory(some.model) == dt_model_memory(all.model)
                                      : dt_model_memory(some.model) < dt_model_memory(all.model));
    dt_tally a = {0}, b = {0};
    portioned_train(&some, &a);
    portioned_train(&all, &b);
    ck_assert_int_eq(memcmp(&a, &b, sizeof a), 0);
    ck_assert_int_eq(memcmp(some.grads, all.grads, all.total * sizeof *all.grads), 0);
    portioned_finish(&some);
    portioned_finish(&all);
}
END_TEST

typedef struct bounds {
    const dt_real *grads;
    size_t end;
    double slack; /* the least of what a bound was above the largest gradient of its part, as a factor */
    int known;
} bounds;

static void note_bound(void *context, size_t begin, double most) {
    bounds *b = context;
    double largest = 0;
    for (size_t i = begin; i < b->end; i++) largest = fmax(largest, fabs((double)b->grads[i]));
    for (size_t i = begin; i < b->end && largest == largest; i++) /* fmax passes over NaN */
        if (b->grads[i] != b->grads[i]) largest = (double)NAN;
    b->end = begin;
    if (!(most < (double)FLT_MAX)) return;
    b->known++;
    b->slack = !(most >= largest) ? 0 : fmin(b->slack, most / largest);
}

/* Rows are alike, so that nothing cancels. */
static bounds bounds_of(double input, bool accumulate) {
    enum { FEW = 8, WIDE = 96 };
    dt_model *model =
        model_of("[flatten, {dense: {out: 64, activation: relu}}, {dense: 48}]", (dt_shape){2, {WIDE, 1}}, FEW, true);
    const size_t total = dt_model_table(model)->total;
    dt_real *w = reals(total, 1), *grads = reals(total, 2), *x = reals((size_t)FEW * WIDE, 3);
    int32_t labels[FEW] = {0};
    dt_model_init(model, w, 5);
    memset(grads, 0, total * sizeof *grads);
    for (int i = 0; i < FEW * WIDE; i++) x[i] = i % WIDE == 5 ? (dt_real)input : 1;
    bounds b = {.grads = grads, .end = total, .slack = INFINITY};
    dt_tally tally = {0};
    dt_model_train(model,
                   (dt_pass){.weights = w,
                             .grads = grads,
                             .accumulate = accumulate,
                             .bounded = true,
                             .ready = note_bound,
                             .ready_context = &b},
                   &(dt_batch){.rows = FEW, .x = x, .labels = labels}, &tally);
    dt_free(w), dt_free(grads), dt_free(x);
    dt_model_destroy(model);
    return b;
}

START_TEST(no_gradient_is_above_its_bound_and_what_is_no_number_has_none) {
    static const double inputs[] = {1, -30, 1e-30, 1e15, -1e30};
    for (int i = 0; i < COUNT(inputs); i++) {
        bounds b = bounds_of(inputs[i], false);
        ck_assert_int_eq(b.known, 2);
        ck_assert_double_ge(b.slack, 1);
    }
    ck_assert_int_eq(bounds_of(1, true).known, 0);
    static const double strange[] = {INFINITY, -INFINITY, NAN};
    for (int i = 0; i < COUNT(strange); i++) ck_assert_double_gt(bounds_of(strange[i], false).slack, 0);
}
END_TEST

START_TEST(the_batch_is_not_modified) {
    static const char *const lists[] = {"[relu, {dense: 3}]",
                                        "[{dropout: 0.5}, {dense: 3}]",
                                        "[softmax, {dense: 3}]",
                                        "[flatten, relu, {dense: 3}]",
                                        "[flatten, {dropout: 0.5}, {dense: 3}]",
                                        "[sigmoid, tanh, gelu, {dense: 3}]",
                                        "[batch_norm, {dense: 3}]",
                                        "[{reshape: [6]}, layer_norm, {dense: 3}]",
                                        "[{group_norm: 2}, {dense: 3}]",
                                        "[{residual: [relu, {dropout: 0.5}]}, {dense: 3}]",
                                        "[{residual: [flatten]}, {dense: 3}]",
                                        "[{concat: [[tanh], [], [{batch_norm: {activation: relu}}]]}, {dense: 3}]",
                                        "[{dropout: 0}, relu, {dense: 3}]",
                                        "[{conv1d: 3}, flatten, {dense: 3}]",
                                        "[{max_pool: 2}, flatten, {dense: 3}]"};
    for (int i = 0; i < COUNT(lists); i++) {
        dt_model *model = model_of(lists[i], vector(6), 4, true);
        size_t total = dt_model_table(model)->total;
        dt_real *w = reals(total, 1), *grads = reals(total, 2), *x = reals(24, 3), *before = reals(24, 3);
        int32_t labels[4] = {0, 1, 2, 0};
        dt_tally tally = {0};
        dt_model_train(model, (dt_pass){.weights = w, .grads = grads}, &(dt_batch){.rows = 4, .x = x, .labels = labels},
                       &tally);
        dt_model_evaluate(model, (dt_pass){.weights = w}, &(dt_batch){.rows = 4, .x = x, .labels = labels}, &tally);
        ck_assert_msg(memcmp(x, before, 24 * sizeof *x) == 0, "%s writes to its batch", lists[i]);
        dt_model_destroy(model);
        dt_free(w), dt_free(grads), dt_free(x), dt_free(before);
    }
}
END_TEST

/* ---- convolutions ---- */

START_TEST(convolutional_networks_and_their_gradients_are_pytorch_s) {
    const char *layers = golden_networks[_i].layers;
    size_t inputs = (size_t)(GOLDEN_ROWS * dt_shape_count(&golden_networks[_i].input));
    size_t outputs = (size_t)(GOLDEN_ROWS * golden_networks[_i].outputs);
    dt_model *model;
    dt_model_spec spec = {.input = golden_networks[_i].input,
                          .outputs = golden_networks[_i].outputs,
                          .targets = 0,
                          .rows = GOLDEN_ROWS,
                          .training = true};
    dt_status status = try_model(&model, layers, &squared_error, &spec);
    ck_assert_msg(status.code == DT_OK, "%s", status.message);
    const dt_table *table = dt_model_table(model);
    dt_real *w = reals(table->total, 1), *grads = reals(table->total, 2);
    dt_real *x = narrow(golden_networks[_i].x, inputs), *target = narrow(golden_networks[_i].target, outputs);
    ck_assert_uint_eq(dt_table_elements(table), (size_t)golden_networks[_i].weights);
    scatter(table, w, golden_networks[_i].w);
    const dt_real *y = dt_model_forward(model, (dt_pass){.rows = GOLDEN_ROWS, .weights = w}, x);
    expect_near(layers, "output", y, golden_networks[_i].y, outputs, 2e-6);
    dt_tally tally = {0};
    dt_model_train(model, (dt_pass){.weights = w, .grads = grads},
                   &(dt_batch){.rows = GOLDEN_ROWS, .x = x, .values = target}, &tally);
    expect_tensors_near(layers, table, grads, golden_networks[_i].grads, 2e-6);
    dt_model_destroy(model);
    dt_free(w), dt_free(grads), dt_free(x), dt_free(target);
}
END_TEST

static const char *const pictures[] = {
    "[{conv2d: {out: 6, activation: relu}}, {conv2d: {out: 8, stride: 2, activation: tanh}}, flatten, {dense: 5}]",
    "[tanh, {conv2d: {out: 6, activation: gelu}}, relu, {max_pool: 2}, {conv2d: 5}, global_avg_pool]",
    "[flatten, {conv1d: {out: 4, activation: silu}}, {dropout: 0.4}, {conv1d: 5}, global_max_pool]",
    "[{conv2d: 4}, {residual: {layers: [{conv2d: {out: 6, stride: 2, activation: gelu}}, {group_norm: 2}, {conv2d: "
    "6}], "
    "shortcut: [{conv2d: {out: 6, kernel: 1, stride: 2}}], activation: relu}}, {concat: [[{conv2d: 2}], []]}, "
    "global_avg_pool, {dense: 5}]",
};

/* A convolution is planned for 8 rows. Fewer give the same bits as they do among 8, and a gradient of those rows alone,
 * whatever was computed before in the same memory. */
START_TEST(rows_beyond_the_batch_change_nothing) {
    const int64_t few = 5, all = 8;
    dt_model *model = model_of(pictures[_i], (dt_shape){2, {3, 4}}, all, true);
    dt_model *fresh = model_of(pictures[_i], (dt_shape){2, {3, 4}}, all, true);
    dt_model *exact = model_of(pictures[_i], (dt_shape){2, {3, 4}}, few, true);
    size_t total = dt_model_table(model)->total;
    dt_real *w = reals(total, 1), *grads = reals(total, 2), *again = reals(total, 2), *want = reals(total, 2);
    dt_real *x = reals(all * INPUTS, 3), *y = reals(few * CLASSES, 4);
    int32_t labels[8] = {0, 1, 2, 3, 4, 0, 1, 2};
    dt_pass pass = {.rows = all, .training = true, .seed = 3, .weights = w};
    memcpy(y, dt_model_forward(fresh, pass, x), (size_t)(few * CLASSES) * sizeof *y);
    dt_tally tally = {0}, one = {0}, two = {0}, three = {0};
    pass.grads = grads;
    dt_real *poison = reals(all * INPUTS, 5);
    for (int64_t i = 0; i < all * INPUTS; i++) poison[i] = (dt_real)NAN;
    dt_model_train(model, pass, &(dt_batch){.rows = all, .x = poison, .labels = labels}, &tally);
    ck_assert_int_eq(tally.not_finite, all);
    dt_real *five = reals(few * INPUTS, 3); /* no room for more: a longer read is an error */
    dt_model_train(model, pass, &(dt_batch){.rows = few, .x = five, .labels = labels}, &one);
    pass.grads = again;
    dt_model_train(fresh, pass, &(dt_batch){.rows = few, .x = five, .labels = labels}, &two);
    pass.grads = want;
    dt_model_train(exact, pass, &(dt_batch){.rows = few, .x = five, .labels = labels}, &three);
    ck_assert_int_eq(memcmp(grads, again, total * sizeof *grads), 0);
    ck_assert_int_eq(memcmp(&one, &two, sizeof one), 0);
    expect_alike(grads, want, total, 2e-6);
    dt_model_train(model, pass, &(dt_batch){.rows = all, .x = poison, .labels = labels}, &tally);
    pass.rows = few;
    const dt_real *rows = dt_model_forward(model, pass, five);
    ck_assert_int_eq(memcmp(rows, y, (size_t)(few * CLASSES) * sizeof *y), 0);
    dt_model_destroy(model), dt_model_destroy(fresh), dt_model_destroy(exact);
    dt_free(w), dt_free(grads), dt_free(again), dt_free(want), dt_free(x), dt_free(y), dt_free(poison), dt_free(five);
}
END_TEST

START_TEST(a_picture_without_channels_is_one_with_one) {
    static const struct {
        const char *layers;
        dt_shape bare, full, out;
    } cases[] = {
        {"[{conv2d: {out: 7, stride: 2}}, flatten, {dense: 2}]", {2, {5, 4}}, {3, {5, 4, 1}}, {3, {3, 2, 7}}},
        {"[{conv1d: {out: 7, padding: valid}}, flatten, {dense: 2}]", {1, {9}}, {2, {9, 1}}, {2, {7, 7}}},
        {"[{max_pool: 2x2}, flatten, {dense: 2}]", {2, {5, 4}}, {3, {5, 4, 1}}, {3, {2, 2, 1}}},
        {"[{avg_pool: {kernel: 3, padding: 1}}, flatten, {dense: 2}]", {1, {9}}, {2, {9, 1}}, {2, {3, 1}}},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        dt_model *bare = model_of(cases[i].layers, cases[i].bare, 2, true);
        dt_model *full = model_of(cases[i].layers, cases[i].full, 2, true);
        char want[96], out[96];
        dt_shape_text(&cases[i].out, want);
        dt_shape_text(&dt_model_layer(bare, 0)->out, out);
        ck_assert_str_eq(out, want);
        dt_shape_text(&dt_model_layer(full, 0)->out, out);
        ck_assert_str_eq(out, want);
        ck_assert_uint_eq(dt_model_table(bare)->total, dt_model_table(full)->total);
        dt_model_destroy(bare);
        dt_model_destroy(full);
    }
}
END_TEST

/* ---- dropout ---- */

START_TEST(dropout_draws_by_step_seed_and_position_alone) {
    dt_model *model = model_of("[{dropout: 0.5}, {dropout: 0.5}, {dense: 3}]", vector(40), 6, true);
    size_t total = dt_model_table(model)->total;
    dt_real *w = reals(total, 1), *x = reals(240, 2);
    dt_pass pass = {.rows = 6, .training = true, .seed = 1, .step = 2, .first = 50, .weights = w};
    dt_real first[18], other[18];
    memcpy(first, dt_model_forward(model, pass, x), sizeof first);
    memcpy(other, dt_model_forward(model, pass, x), sizeof other);
    ck_assert_int_eq(memcmp(first, other, sizeof first), 0);
    dt_pass shifted = pass; /* rows 2..5 as a batch of their own */
    shifted.first += 2;
    shifted.rows = 4;
    memcpy(other, dt_model_forward(model, shifted, x + 80), 12 * sizeof *other);
    for (int i = 0; i < 12; i++) ck_assert_double_eq_tol((double)other[i], (double)first[6 + i], 1e-5);
    dt_pass changed[] = {pass, pass, pass};
    changed[0].seed++, changed[1].step++, changed[2].first++;
    for (int i = 0; i < 3; i++)
        ck_assert_int_ne(memcmp(first, dt_model_forward(model, changed[i], x), sizeof first), 0);
    /* two layers draw apart: a quarter is left, not a half */
    ck_assert_ptr_null(dt_model_layer(model, 1)->output); /* works in the first one's buffer */
    const dt_real *both = dt_model_layer(model, 0)->output;
    dt_model_forward(model, pass, x);
    int kept = 0;
    for (int i = 0; i < 240; i++) kept += both[i] != 0;
    ck_assert_int_lt(kept, 90);
    ck_assert_int_gt(kept, 30);
    dt_model_destroy(model);
    dt_free(w);
    dt_free(x);
}
END_TEST

START_TEST(evaluation_is_without_dropout_and_the_same_in_a_model_that_cannot_train) {
    fixture f;
    fixture_init(&f, RICH, ROWS);
    dt_model *plain = model_of("[flatten, {dense: {out: 19, activation: relu}}, {dense: {out: 10, activation: gelu}}, "
                               "tanh, {dense: 7}, softmax, {dense: 5}]",
                               (dt_shape){2, {3, 4}}, ROWS, false);
    dt_model *lean = model_of(RICH, (dt_shape){2, {3, 4}}, ROWS, false);
    dt_batch batch = rows_of(&f, 0, ROWS);
    dt_tally trained = {0}, evaluated = {0}, alone = {0};
    dt_model_evaluate(f.model, (dt_pass){.weights = f.w}, &batch, &trained);
    dt_model_evaluate(lean, (dt_pass){.weights = f.w}, &batch, &evaluated);
    dt_model_evaluate(plain, (dt_pass){.weights = f.w}, &batch, &alone);
    ck_assert_int_eq(trained.samples, ROWS);
    ck_assert_int_eq(memcmp(&trained, &evaluated, sizeof trained), 0);
    ck_assert_int_eq(memcmp(&trained, &alone, sizeof trained), 0);
    ck_assert_uint_lt(dt_model_memory(lean), dt_model_memory(f.model));
    dt_model_destroy(plain);
    dt_model_destroy(lean);
    fixture_finish(&f);
}
END_TEST

/* ---- initial values ---- */

/* Mean and variance of the first tensor of `layers`; returns its number of elements. */
static double moments(const char *layers, dt_shape input, double *mean, double *variance, double *largest) {
    dt_model *model = model_of(layers, input, 1, false);
    const dt_table *table = dt_model_table(model);
    dt_real *w = reals(table->total, 1);
    dt_model_init(model, w, 3);
    double sum = 0, squares = 0, n = (double)table->tensors[0].count;
    *largest = 0;
    for (size_t i = 0; i < table->tensors[0].count; i++) {
        sum += (double)w[i];
        squares += (double)w[i] * (double)w[i];
        *largest = fmax(*largest, fabs((double)w[i]));
    }
    *mean = sum / n;
    *variance = squares / n;
    for (size_t i = table->tensors[1].offset; i < table->total; i++) ck_assert(w[i] == 0); /* bias */
    dt_model_destroy(model);
    dt_free(w);
    return n;
}

START_TEST(initial_weights_have_the_variance_their_papers_ask_for) {
    static const struct {
        const char *layers;
        double variance, limit;
    } inits[] = {
        {"[{dense: {out: 300, init: glorot_uniform}}]", 2.0 / 700, 0.0926},
        {"[{dense: {out: 300, init: glorot_normal}}]", 2.0 / 700, 1},
        {"[{dense: {out: 300, init: he_uniform}}]", 2.0 / 400, 0.1225},
        {"[{dense: {out: 300, init: he_normal}}]", 2.0 / 400, 1},
        {"[{dense: {out: 300, init: normal, std: 0.02}}]", 0.0004, 1},
        {"[{dense: {out: 300, init: zeros}}]", 0, 0},
        {"[{dense: 300}]", 2.0 / 700, 0.0926},
        {"[{dense: {out: 300, activation: tanh}}]", 2.0 / 700, 0.0926},
        {"[{dense: {out: 300, activation: relu}}]", 2.0 / 400, 1},
        {"[{dense: {out: 300, activation: silu}}]", 2.0 / 400, 1},
        {"[{dense: {out: 300, activation: leaky_relu, slope: 0.5}}]", 1.6 / 400, 1},
        {"[{conv2d: {out: 300, kernel: 5}}]", 2.0 / (25 * 316), 0.0276},
        {"[{conv2d: {out: 300, kernel: 5, activation: relu}}]", 2.0 / 400, 1},
        {"[{conv2d: {out: 300, kernel: 5, groups: 4, activation: gelu}}]", 2.0 / 100, 1},
        {"[{conv2d: {out: 300, kernel: 5, groups: 4}}]", 2.0 / (25 * 79), 0.0552},
    };
    for (int i = 0; i < COUNT(inits); i++) {
        double mean, variance, largest;
        bool picture = strstr(inits[i].layers, "conv2d") != NULL;
        double n =
            moments(inits[i].layers, picture ? (dt_shape){3, {5, 5, 16}} : vector(400), &mean, &variance, &largest);
        ck_assert_double_le(fabs(mean), 5 * sqrt(inits[i].variance / n));
        /* the variance of x^2 is at most 2 sigma^4 (normal) */
        ck_assert_msg(fabs(variance - inits[i].variance) <= 5 * inits[i].variance * sqrt(2 / n), "%s: variance %g",
                      inits[i].layers, variance);
        ck_assert_double_le(largest, inits[i].limit);
    }
}
END_TEST

START_TEST(initial_weights_are_a_function_of_seed_and_place) {
    fixture f;
    fixture_init(&f, RICH, 1);
    dt_real *again = reals(f.total, 1);
    dt_model_init(f.model, again, 5);
    ck_assert_int_eq(memcmp(again, f.w, f.total * sizeof *again), 0);
    dt_model_init(f.model, again, 6);
    ck_assert_int_ne(memcmp(again, f.w, f.total * sizeof *again), 0);
    const dt_tensor *tensors = dt_model_table(f.model)->tensors;
    ck_assert_str_eq(tensors[0].name, "dense1/w");
    ck_assert_str_eq(tensors[2].name, "dense2/w");
    /* two matrices start with draws of their own: their ratio would be one number if they shared a stream */
    double ratio = (double)f.w[tensors[0].offset] / (double)f.w[tensors[2].offset];
    double next = (double)f.w[tensors[0].offset + 1] / (double)f.w[tensors[2].offset + 1];
    ck_assert_double_gt(fabs(ratio - next), 1e-3);
    dt_free(again);
    fixture_finish(&f);
}
END_TEST

/* ---- tables, names, the resolved list ---- */

START_TEST(tensors_are_named_shaped_and_flagged) {
    dt_model *model = model_of("[flatten, {dense: 7}, {dropout: 0.1}, {dense: {out: 6, name: wide}}, dropout: 0.2, "
                               "{dense: {out: 5, bias: false}}]",
                               (dt_shape){2, {2, 3}}, 1, true);
    static const char *const layers[] = {"flatten1", "dense1", "dropout1", "wide", "dropout2", "dense3"};
    static const struct {
        const char *name;
        int rank;
        int64_t in, out;
    } tensors[] = {
        {"dense1/w", 2, 6, 7}, {"dense1/b", 1, 7, 0}, {"wide/w", 2, 7, 6}, {"wide/b", 1, 6, 0}, {"dense3/w", 2, 6, 5}};
    ck_assert_int_eq(dt_model_layer_count(model), COUNT(layers));
    for (int i = 0; i < COUNT(layers); i++) ck_assert_str_eq(dt_model_layer(model, i)->name, layers[i]);
    const dt_table *table = dt_model_table(model);
    ck_assert_int_eq(table->count, COUNT(tensors));
    for (int i = 0; i < COUNT(tensors); i++) {
        const dt_tensor *t = &table->tensors[i];
        ck_assert_str_eq(t->name, tensors[i].name);
        ck_assert_int_eq(t->shape.rank, tensors[i].rank);
        ck_assert_int_eq(t->shape.dim[0], tensors[i].in);
        if (t->shape.rank == 2) ck_assert_int_eq(t->shape.dim[1], tensors[i].out);
        ck_assert_uint_eq(t->flags, t->shape.rank == 2 ? DT_TENSOR_DECAY : 0);
    }
    ck_assert_int_eq(dt_model_outputs(model), 5);
    dt_model_destroy(model);
}
END_TEST

START_TEST(the_resolved_list_is_the_same_model_and_resolves_to_itself) {
    static const char *const lists[] = {
        RICH, NESTED,
        ("[flatten, {dense: {out: 6, activation: leaky_relu, slope: 0.123456789, init: normal, std: 1e-3, bias: no, "
         "name: a-b_9}}, {leaky_relu: 0.2}, sigmoid, silu, relu, {dropout: 0.3333333333333333}, {dense: 4}]"),
        ("[{conv2d: {out: 6, kernel: 3x2, stride: 2x1, padding: 1x0, groups: 1, activation: silu}}, "
         "{max_pool: {kernel: 2, padding: same}}, {conv2d: 4}, global_avg_pool, {dense: 4}]")};
    for (int i = 0; i < COUNT(lists); i++) {
        dt_model_spec spec = {.input = {2, {3, 4}}, .targets = 1, .rows = 3, .training = true};
        dt_model *model = new_model(lists[i], &spec);
        char *one;
        dt_model *again = resolved_again(model, &spec, &one);
        ck_assert_ptr_nonnull(strstr(one, "glorot_uniform") ? one : strstr(one, "init: auto"));
        for (int l = 0; l < dt_model_layer_count(model); l++) {
            const dt_layer *a = dt_model_layer(model, l), *b = dt_model_layer(again, l);
            ck_assert_ptr_eq(a->kind, b->kind);
            ck_assert_str_eq(a->name, b->name);
            ck_assert_int_eq(memcmp(a->config, b->config, a->kind->config_size), 0);
        }
        dt_free(one);
        dt_model_destroy(model), dt_model_destroy(again);
    }
}
END_TEST

START_TEST(layers_in_layers_have_names_indices_and_draws_of_their_own) {
    dt_model *model = model_of(NESTED, (dt_shape){2, {3, 4}}, 2, true);
    static const char *const names[] = {"block/group_norm1/scale",
                                        "block/group_norm1/shift",
                                        "block/layer_norm1/scale",
                                        "block/layer_norm1/shift",
                                        "head/w",
                                        "head/b",
                                        "residual2/batch_norm1/running_mean",
                                        "residual2/batch_norm1/running_var",
                                        "residual2/batch_norm1/scale",
                                        "residual2/batch_norm1/shift",
                                        "residual2/residual1/dense1/w",
                                        "residual2/residual1/dense1/b",
                                        "dense2/w",
                                        "dense2/b"};
    const dt_table *table = dt_model_table(model);
    ck_assert_int_eq(table->count, COUNT(names));
    for (int i = 0; i < table->count; i++) ck_assert_str_eq(table->tensors[i].name, names[i]);
    ck_assert_uint_eq(table->tensors[6].flags, DT_TENSOR_STATISTIC);
    ck_assert_double_eq(table->tensors[7].keep, 0.9);
    uint64_t last = 0;
    for (int i = 1; i < dt_model_layer_count(model); i++) {
        const dt_layer *before = dt_model_layer(model, i - 1), *layer = dt_model_layer(model, i);
        ck_assert_uint_gt(layer->index, before->index);
        last = layer->index;
    }
    ck_assert_uint_eq(last, 17); /* the last of 18, nested ones counted */
    dt_real *w = reals(table->total, 1);
    dt_model_init(model, w, 5);
    const dt_real *inner = w + table->tensors[10].offset, *head = w + table->tensors[4].offset;
    ck_assert(inner[0] != 0 && inner[0] / head[0] != inner[1] / head[1]);
    for (int i = 0; i < 4; i++) {
        ck_assert(w[table->tensors[6].offset + (size_t)i] == 0 && w[table->tensors[7].offset + (size_t)i] == 1);
        ck_assert(w[table->tensors[8].offset + (size_t)i] == 1 && w[table->tensors[9].offset + (size_t)i] == 0);
    }
    dt_free(w);
    dt_model_destroy(model);
}
END_TEST

/* ---- normalisation ---- */

/* 12 rows in pieces: what stands in the statistics' position is the pieces' own mean and variance, by their samples. */
START_TEST(statistics_of_micro_batches_are_weighted_by_their_samples) {
    enum { WIDE = 3, ALL = 12 };
    dt_model *model = model_of("[batch_norm, {dense: 2}]", vector(WIDE), ALL, true);
    const dt_tensor *tensors = dt_model_table(model)->tensors;
    size_t total = dt_model_table(model)->total;
    dt_real *w = reals(total, 1), *grads = reals(total, 2), *x = reals(ALL * WIDE, 3);
    int32_t labels[ALL] = {0, 1, 1, 0, 1};
    static const int cuts[] = {0, 5, 6, 12};
    double mean[WIDE] = {0}, variance[WIDE] = {0};
    dt_tally tally = {0};
    for (int i = 0; i + 1 < COUNT(cuts); i++) {
        int first = cuts[i], rows = cuts[i + 1] - cuts[i];
        dt_model_train(
            model, (dt_pass){.accumulate = i > 0, .weights = w, .grads = grads},
            &(dt_batch){.rows = rows, .first = (uint64_t)first, .x = x + first * WIDE, .labels = labels + first},
            &tally);
        for (int j = 0; j < WIDE; j++) {
            double own = 0, square = 0;
            for (int r = first; r < first + rows; r++) own += (double)x[r * WIDE + j] / rows;
            for (int r = first; r < first + rows; r++) square += pow((double)x[r * WIDE + j] - own, 2);
            mean[j] += own * rows;
            variance[j] += rows > 1 ? square / (rows - 1) * rows : 0;
        }
    }
    for (int j = 0; j < WIDE; j++) {
        ck_assert_double_eq_tol((double)grads[tensors[0].offset + (size_t)j], mean[j], 1e-5);
        ck_assert_double_eq_tol((double)grads[tensors[1].offset + (size_t)j], variance[j], 1e-5);
    }
    dt_model_destroy(model);
    dt_free(w), dt_free(grads), dt_free(x);
}
END_TEST

START_TEST(evaluation_uses_running_statistics_and_no_other_row) {
    enum { WIDE = 4, ALL = 6 };
    dt_model *model = model_of("[{batch_norm: {eps: 0.5}}, {dense: 2}]", vector(WIDE), ALL, true);
    dt_model *lean = model_of("[{batch_norm: {eps: 0.5}}, {dense: 2}]", vector(WIDE), ALL, false);
    const dt_tensor *tensors = dt_model_table(model)->tensors;
    dt_real *w = reals(dt_model_table(model)->total, 1), *x = reals(ALL * WIDE, 3);
    for (size_t j = 0; j < WIDE; j++) w[tensors[1].offset + j] = (dt_real)(j + 1);
    dt_pass pass = {.rows = ALL, .weights = w};
    dt_model_forward(model, pass, x);
    const dt_real *y = dt_model_layer(model, 0)->output;
    for (int i = 0; i < ALL * WIDE; i++) {
        size_t j = (size_t)(i % WIDE);
        double normal = ((double)x[i] - (double)w[tensors[0].offset + j]) / sqrt((double)j + 1.5);
        double want = normal * (double)w[tensors[2].offset + j] + (double)w[tensors[3].offset + j];
        ck_assert_double_eq_tol((double)y[i], want, 1e-5);
    }
    dt_real whole[ALL * 2];
    memcpy(whole, dt_model_forward(lean, pass, x), sizeof whole);
    pass.rows = 1;
    for (int i = 0; i < ALL; i++) {
        const dt_real *alone = dt_model_forward(lean, pass, x + (size_t)i * WIDE);
        for (int j = 0; j < 2; j++) ck_assert_double_eq_tol((double)alone[j], (double)whole[2 * i + j], 1e-5);
    }
    dt_model_destroy(model);
    dt_model_destroy(lean);
    dt_free(w), dt_free(x);
}
END_TEST

/* What lists of layers rely on, for who adds a kind. */
/* So what was trained on top of it is what is evaluated. */
START_TEST(a_frozen_batch_norm_gives_in_training_what_it_gives_in_evaluation) {
    enum { WIDE = 4, ALL = 6 };
    dt_yaml *freeze = parse_layers("[batch_norm1]");
    dt_model_spec spec = {
        .input = vector(WIDE), .rows = ALL, .training = true, .freeze = _i ? dt_yaml_get(freeze, "layers") : NULL};
    dt_model *model = new_model("[{batch_norm: {eps: 0.5}}, {dense: 2}]", &spec);
    const dt_tensor *tensors = dt_model_table(model)->tensors;
    size_t total = dt_model_table(model)->total;
    dt_real *w = reals(total, 1), *grads = reals(total, 2), *x = reals(ALL * WIDE, 3);
    for (size_t j = 0; j < WIDE; j++) w[tensors[1].offset + j] = (dt_real)(j + 1);
    int32_t labels[ALL] = {0, 1, 1, 0, 1};
    dt_batch batch = {.rows = ALL, .x = x, .labels = labels};
    dt_tally trained = {0}, evaluated = {0};
    dt_model_train(model, (dt_pass){.weights = w, .grads = grads}, &batch, &trained);
    dt_model_evaluate(model, (dt_pass){.weights = w}, &batch, &evaluated);
    ck_assert_int_eq(memcmp(&trained, &evaluated, sizeof trained) == 0, _i == 1);
    dt_model_destroy(model);
    dt_yaml_destroy(freeze);
    dt_free(w), dt_free(grads), dt_free(x);
}
END_TEST

START_TEST(freezing_says_what_fits_nothing_and_leaves_something_to_train) {
    static const struct {
        const char *freeze, *says;
    } wrong[] = {
        {"[\"dense3\"]", "no tensor of the model fits \"dense3\" of model.freeze; they are dense1/w to dense2/b"},
        {"[\"dense1\", \"*/w\", \"*/b\"]", "model.freeze leaves nothing to train"},
    };
    for (int i = 0; i < COUNT(wrong); i++) {
        dt_yaml *freeze = parse_layers(wrong[i].freeze);
        dt_model_spec spec = {.input = vector(3), .rows = 2, .training = true, .freeze = dt_yaml_get(freeze, "layers")};
        dt_model *model;
        dt_status status = try_model(&model, "[{dense: 2}, {dense: 2}]", &cross_entropy, &spec);
        ck_assert_int_eq(status.code, DT_ERR_INPUT);
        ck_assert_msg(strstr(status.message, wrong[i].says), "%s", status.message);
        dt_yaml_destroy(freeze);
    }
}
END_TEST

START_TEST(every_kind_is_whole) {
    for (const dt_layer_kind *const *k = dt_layer_kinds; *k; k++) {
        const dt_layer_kind *kind = *k;
        ck_assert_msg(dt_layer_kind_named(kind->name) == kind, "two kinds are called %s", kind->name);
        ck_assert_msg(kind->help && kind->plan && kind->forward && kind->backward, "%s lacks a function", kind->name);
        const dt_field *last = kind->fields;
        while (last->key && last[1].key) last++;
        ck_assert_msg(last->key && strcmp(last->key, "name") == 0 && last->offset == 0,
                      "the fields of %s do not end with DT_LAYER_NAME_FIELD", kind->name);
        ck_assert_msg(kind->config_size >= sizeof(dt_layer_common), "%s has no room for its name", kind->name);
        int lists = 0;
        while (kind->lists && kind->lists[lists].key) lists++;
        ck_assert_msg(lists <= DT_LAYER_MAX_LISTS, "%s holds more than %d lists", kind->name, DT_LAYER_MAX_LISTS);
        for (int i = 0; i < lists; i++)
            ck_assert_msg(!kind->lists[i].many || i == lists - 1, "of %s the list %s is not the last", kind->name,
                          kind->lists[i].key);
    }
}
END_TEST

START_TEST(the_help_names_every_kind_and_field) {
    char *help = dt_model_help();
    ck_assert_ptr_nonnull(help);
    for (const dt_layer_kind *const *kind = dt_layer_kinds; *kind; kind++) {
        ck_assert_ptr_nonnull(strstr(help, (*kind)->name));
        ck_assert_ptr_nonnull(strstr(help, (*kind)->help));
        for (const dt_field *field = (*kind)->fields; field->key; field++)
            ck_assert_ptr_nonnull(strstr(help, field->help));
        for (const dt_layer_list *list = (*kind)->lists; list && list->key; list++)
            ck_assert_ptr_nonnull(strstr(help, list->help));
    }
    dt_free(help);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("model");
    TCase *group = tcase_create("model");
    tcase_add_test(group, forward_is_what_the_formulas_say);
    tcase_add_test(group, softmax_is_along_the_last_dimension);
    tcase_add_loop_test(group, micro_batches_add_up_to_the_batch, 0, COUNT(networks));
    tcase_add_loop_test(group, gradients_of_shards_add_up_to_the_batch_s, 0, COUNT(networks));
    tcase_add_loop_test(group, a_gradient_replaces_whatever_was_there_and_padding_stays_as_it_was, 0, COUNT(networks));
    tcase_add_loop_test(group, an_empty_shard_has_a_zero_gradient, 0, COUNT(networks));
    tcase_add_test(group, bits_do_not_depend_on_the_rows_there_is_room_for);
    tcase_add_loop_test(group, a_pool_undoes_a_relu_to_the_bits_of_the_relu, 0, 2);
    tcase_add_loop_test(group, bits_do_not_depend_on_portions, 0, 2 * COUNT(portioned));
    tcase_add_test(group, no_gradient_is_above_its_bound_and_what_is_no_number_has_none);
    tcase_add_test(group, the_batch_is_not_modified);
    tcase_add_loop_test(group, convolutional_networks_and_their_gradients_are_pytorch_s, 0, COUNT(golden_networks));
    tcase_add_loop_test(group, rows_beyond_the_batch_change_nothing, 0, COUNT(pictures));
    tcase_add_test(group, a_picture_without_channels_is_one_with_one);
    tcase_add_test(group, dropout_draws_by_step_seed_and_position_alone);
    tcase_add_test(group, evaluation_is_without_dropout_and_the_same_in_a_model_that_cannot_train);
    tcase_add_test(group, initial_weights_have_the_variance_their_papers_ask_for);
    tcase_add_test(group, initial_weights_are_a_function_of_seed_and_place);
    tcase_add_test(group, tensors_are_named_shaped_and_flagged);
    tcase_add_test(group, the_resolved_list_is_the_same_model_and_resolves_to_itself);
    tcase_add_test(group, layers_in_layers_have_names_indices_and_draws_of_their_own);
    tcase_add_test(group, statistics_of_micro_batches_are_weighted_by_their_samples);
    tcase_add_loop_test(group, a_frozen_batch_norm_gives_in_training_what_it_gives_in_evaluation, 0, 2);
    tcase_add_test(group, freezing_says_what_fits_nothing_and_leaves_something_to_train);
    tcase_add_test(group, evaluation_uses_running_statistics_and_no_other_row);
    tcase_add_test(group, every_kind_is_whole);
    tcase_add_test(group, the_help_names_every_kind_and_field);
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
