/* Products with weights in bfloat16: that they are those of the rounded numbers, in every arrangement a layer may ask
 * for, and that a model in bf16 is the model in float32 to about as many bits as it keeps. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "isa.h"
#include "models.h"
#include "reference.h"

#define U 0x1p-24

static const dt_kernels *kernels;

static void setup(void) {
    kernels = best_kernels();
}

static dt_bf16 *rounded(const dt_real *x, size_t n) {
    dt_bf16 *y = dt_alloc(n, sizeof *y);
    ck_assert_ptr_nonnull(y);
    kernels->to_bf16(y, x, (int64_t)n);
    return y;
}

/* ---- products with weights ---- */

enum { SAMPLES = 3, POSITIONS = 4, ROWS = SAMPLES * POSITIONS };

typedef struct fixture {
    dt_table table;
    dt_layer layer;
    dt_linear linear;
    dt_real *arena, *w, *grads;
    dt_bf16 *w16;
    int64_t in, out;
    bool rounds;
} fixture;

static void fixture_init(fixture *f, int64_t in, int64_t out, bool transposed) {
    memset(f, 0, sizeof *f);
    dt_model_spec spec = {.rows = SAMPLES, .training = true, .bf16 = true};
    dt_plan plan = {.table = &f->table, .spec = &spec};
    f->layer.table = &f->table;
    strcpy(f->layer.name, "linear1");
    dt_shape shape = {2, {transposed ? out : in, transposed ? in : out}};
    ck_assert_int_eq(dt_plan_param(&plan, &f->layer, "w", &shape, 0).code, DT_OK);
    ck_assert_int_eq(dt_linear_plan(&f->linear, &plan, &f->layer, 0, transposed, POSITIONS).code, DT_OK);
    ck_assert_int_eq(dt_plan_bind(&plan, &f->arena).code, DT_OK);
    dt_plan_finish(&plan);
    f->in = in;
    f->out = out;
    f->w = reals(f->table.total, 1);
    f->w16 = rounded(f->w, f->table.total);
    f->grads = reals(f->table.total, 2);
    f->rounds = in >= 16 && out >= 16;
}

static void fixture_finish(fixture *f) {
    dt_free(f->arena);
    dt_free(f->w);
    dt_free(f->w16);
    dt_free(f->grads);
    dt_table_finish(&f->table);
}

static dt_pass pass_of(const fixture *f) {
    return (dt_pass){.kernels = kernels, .training = true, .weights = f->w, .weights16 = f->w16, .grads = f->grads};
}

/* What the reference multiplies. */
static double *operand(const fixture *f, const dt_real *x, int64_t n) {
    double *y = dt_alloc((size_t)n, sizeof *y);
    ck_assert_ptr_nonnull(y);
    for (int64_t i = 0; i < n; i++) y[i] = f->rounds ? ref_bf16((double)x[i]) : (double)x[i];
    return y;
}

/* got = op(a) op(b) + beta*before, sums of k products. */
static void expect_product(const fixture *f, const char *what, const dt_real *got, const dt_real *before, double beta,
                           bool ta, bool tb, int64_t m, int64_t n, int64_t k, const dt_real *a, const dt_real *b) {
    double *a_read = operand(f, a, m * k), *b_read = operand(f, b, k * n);
    double *want = dt_alloc((size_t)(m * n), sizeof *want);
    ck_assert_ptr_nonnull(want);
    for (int64_t i = 0; i < m * n; i++) want[i] = (double)before[i];
    ref_gemm(ta, tb, m, n, k, a_read, b_read, beta, want);
    for (int64_t i = 0; i < m * n; i++)
        ck_assert_msg(fabs((double)got[i] - want[i]) <= (double)(k + 2) * U,
                      "%s of %d x %d: element %d is %.9g, not %.9g", what, (int)f->in, (int)f->out, (int)i,
                      (double)got[i], want[i]);
    dt_free(a_read);
    dt_free(b_read);
    dt_free(want);
}

static void check_forward(const fixture *f, const dt_real *x, int64_t rows, dt_real beta) {
    dt_pass pass = pass_of(f);
    dt_real *y = reals(rows * f->out, 5), *before = reals(rows * f->out, 5);
    dt_linear_forward(&f->linear, &f->layer, &pass, x, rows, beta, y);
    expect_product(f, "y", y, before, (double)beta, false, f->linear.transposed, rows, f->out, f->in, x, f->w);
    dt_free(y);
    dt_free(before);
}

static void check_backward(const fixture *f, const dt_real *x, int64_t rows, bool accumulate, dt_real beta) {
    dt_pass pass = pass_of(f);
    dt_real *dy = reals(rows * f->out, 6), *dx = reals(rows * f->in, 7), *before = reals(rows * f->in, 7);
    dt_real *dw = reals(f->table.total, 2);
    memcpy(f->grads, dw, f->table.total * sizeof *dw);
    dt_linear_backward(&f->linear, &f->layer, &pass, x, dy, rows, accumulate, beta, dx);
    bool transposed = f->linear.transposed;
    expect_product(f, "dw", f->grads, dw, accumulate ? 1 : 0, true, false, transposed ? f->out : f->in,
                   transposed ? f->in : f->out, rows, transposed ? dy : x, transposed ? x : dy);
    expect_product(f, "dx", dx, before, (double)beta, false, !transposed, rows, f->in, f->out, dy, f->w);
    dt_linear_backward(&f->linear, &f->layer, &pass, x, dy, rows, false, 0, NULL);
    dt_free(dy);
    dt_free(dx);
    dt_free(before);
    dt_free(dw);
}

static const struct {
    int64_t in, out;
    bool transposed;
} shapes[] = {{16, 16, false}, {17, 33, true}, {64, 20, false}, {15, 40, false}, {40, 10, true}};

START_TEST(products_with_weights_are_those_of_rounded_numbers) {
    fixture f;
    fixture_init(&f, shapes[_i].in, shapes[_i].out, shapes[_i].transposed);
    ck_assert(f.linear.rounds == f.rounds);
    dt_real *x = reals(ROWS * f.in, 3);
    check_forward(&f, x, ROWS, 0);
    check_backward(&f, x, ROWS, false, 0);
    check_forward(&f, x, ROWS, 1);
    check_backward(&f, x, ROWS, true, 1);
    dt_free(x);
    fixture_finish(&f);
}
END_TEST

START_TEST(a_layer_may_go_back_through_what_it_went_forward_with_earlier) {
    fixture f;
    fixture_init(&f, shapes[_i].in, shapes[_i].out, shapes[_i].transposed);
    dt_real *x = reals(ROWS * f.in, 3);
    for (int position = 0; position < POSITIONS; position++)
        check_forward(&f, x + position * SAMPLES * f.in, SAMPLES, 0);
    for (int position = POSITIONS - 1; position >= 0; position--)
        check_backward(&f, x + position * SAMPLES * f.in, SAMPLES, true, 0);
    check_forward(&f, x, SAMPLES, 0);
    check_backward(&f, x, ROWS, false, 0);
    dt_free(x);
    fixture_finish(&f);
}
END_TEST

/* ---- models ---- */

enum { BATCH = 6, CLASSES = 20 };

static dt_model *model_of(const char *layers, dt_shape input, bool training, bool bf16) {
    dt_model_spec spec = {.input = input, .targets = 1, .rows = BATCH, .training = training, .bf16 = bf16};
    return new_model(layers, &spec);
}

/* Every layer multiplies; all is smooth, so that an output follows its input. */
static const struct network {
    const char *layers;
    dt_shape input;
} networks[] = {
    {"[{dense: {out: 48, activation: tanh}}, {dense: {out: 32, activation: gelu}}, {dense: 20}]", {1, {40}}},
    {"[{dense: {out: 24, activation: gelu}}, flatten, {dense: 20}]", {2, {5, 16}}},
    {"[{conv2d: {out: 32, activation: tanh}}, {conv2d: {out: 16, stride: 2, activation: gelu}}, flatten, {dense: 20}]",
     {3, {6, 5, 16}}},
    {"[{conv1d: {out: 32, activation: silu}}, {conv1d: {out: 32, groups: 2}}, flatten, {dense: 20}]", {2, {9, 16}}},
    {"[{lstm: {units: 32, layers: 2}}, {dense: 20}]", {2, {5, 16}}},
    {"[{gru: 24}, {dense: 20}]", {2, {5, 16}}},
    {"[{residual: [{attention: {heads: 2}}]}, {swiglu: 32}, flatten, {dense: 20}]", {2, {5, 16}}},
};

static dt_batch batch_of(const struct network *network, int32_t labels[BATCH], int64_t rows) {
    for (int i = 0; i < BATCH; i++) labels[i] = i * 7 % CLASSES;
    return (dt_batch){.rows = rows, .x = reals(BATCH * dt_shape_count(&network->input), 3), .labels = labels};
}

static double norm(const dt_real *x, const dt_real *y, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += pow((double)x[i] - (y ? (double)y[i] : 0), 2);
    return sqrt(sum);
}

/* Rounding changes a number by 2^-9 of it at most. Each of the three layers rounds twice forward and twice back, and
 * what was rounded independently adds up by its squares. */
#define EIGHT_BITS (sqrt(12) * 0x1p-9)

START_TEST(a_model_in_bf16_is_the_one_in_float32_to_eight_bits) {
    const struct network *network = &networks[_i];
    dt_model *models[2];
    dt_real *grads[2], *w = NULL;
    dt_bf16 *w16 = NULL;
    int32_t labels[BATCH];
    dt_batch batch = batch_of(network, labels, BATCH - 1);
    const dt_table *table = NULL;
    for (int bf16 = 0; bf16 < 2; bf16++) {
        models[bf16] = model_of(network->layers, network->input, true, bf16);
        table = dt_model_table(models[bf16]);
        if (!bf16) {
            w = reals(table->total, 1);
            dt_model_init(models[0], w, 5);
            w16 = rounded(w, table->total);
        }
        grads[bf16] = reals(table->total, 2);
        dt_tally tally = {0};
        dt_pass pass = {.weights = w, .weights16 = bf16 ? w16 : NULL, .grads = grads[bf16]};
        dt_model_train(models[bf16], pass, &batch, &tally);
    }
    for (int i = 0; i < table->count; i++) {
        const dt_tensor *t = &table->tensors[i];
        double error = norm(grads[0] + t->offset, grads[1] + t->offset, t->count);
        double size = norm(grads[0] + t->offset, NULL, t->count);
        ck_assert_msg(error > 0 && error <= EIGHT_BITS * size, "%s: the gradient of %s differs by %.2g of it",
                      network->layers, t->name, error / size);
    }
    for (int i = 0; i < 2; i++) {
        dt_model_destroy(models[i]);
        dt_free(grads[i]);
    }
    dt_free(w);
    dt_free(w16);
    dt_free(batch.x);
}
END_TEST

START_TEST(evaluation_gives_the_same_bits_in_a_model_that_cannot_train) {
    const struct network *network = &networks[_i];
    int32_t labels[BATCH];
    dt_batch batch = batch_of(network, labels, BATCH);
    dt_real *w = NULL, *outputs = NULL;
    dt_bf16 *w16 = NULL;
    for (int training = 1; training >= 0; training--) {
        dt_model *model = model_of(network->layers, network->input, training, true);
        size_t total = dt_model_table(model)->total, bytes = sizeof(dt_real) * BATCH * CLASSES;
        if (training) {
            w = reals(total, 1);
            dt_model_init(model, w, 5);
            w16 = rounded(w, total);
            outputs = reals(BATCH * CLASSES, 8);
        }
        dt_pass pass = {.rows = BATCH, .weights = w, .weights16 = w16};
        const dt_real *y = dt_model_forward(model, pass, batch.x);
        if (training)
            memcpy(outputs, y, bytes);
        else
            ck_assert(memcmp(outputs, y, bytes) == 0);
        dt_model_destroy(model);
    }
    dt_free(w);
    dt_free(w16);
    dt_free(outputs);
    dt_free(batch.x);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("bf16");
    TCase *group = tcase_create("bf16");
    tcase_add_checked_fixture(group, setup, NULL);
    tcase_add_loop_test(group, products_with_weights_are_those_of_rounded_numbers, 0, COUNT(shapes));
    tcase_add_loop_test(group, a_layer_may_go_back_through_what_it_went_forward_with_earlier, 0, COUNT(shapes));
    tcase_add_loop_test(group, a_model_in_bf16_is_the_one_in_float32_to_eight_bits, 0, COUNT(networks));
    tcase_add_loop_test(group, evaluation_gives_the_same_bits_in_a_model_that_cannot_train, 0, COUNT(networks));
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
