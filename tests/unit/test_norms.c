/* Normalisation and layers in layers against PyTorch's numbers (tests/golden/norms.py): outputs, gradients, running
 * statistics after a step through the optimizer's rule, and evaluation with them. Compiled for float, the program's
 * arithmetic, and for double, where agreement must be to rounding. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dtrain/memory.h"
#include "dtrain/optim.h"
#include "model_internal.h"

#include "../golden/norms.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))
#define TOLERANCE (sizeof(dt_real) == sizeof(double) ? 1e-12 : 2e-5)

typedef struct fixture {
    const dt_kernels *kernels;
    dt_node *root;
    dt_sequence sequence;
    dt_table table;
    dt_shape input;
    dt_real *arena, *w, *grads, *x, *dy;
    int64_t inputs, outputs;
} fixture;

static dt_real *reals(size_t n) {
    dt_real *x = dt_alloc(n, sizeof *x);
    ck_assert_ptr_nonnull(x);
    return x;
}

static void expect_ok(dt_status status) {
    ck_assert_msg(status.code == DT_OK, "%s", status.message);
}

static dt_real *narrow(const double *from, int64_t n) {
    dt_real *x = reals((size_t)n);
    for (int64_t i = 0; i < n; i++) x[i] = (dt_real)from[i];
    return x;
}

/* Elements of all tensors, one after the other, to or from an arena. */
static void scatter(const dt_table *table, dt_real *arena, const double *from) {
    for (int t = 0; t < table->count; t++)
        for (size_t i = 0; i < table->tensors[t].count; i++) arena[table->tensors[t].offset + i] = (dt_real)*from++;
}

static void fixture_init(fixture *f, int row) {
    memset(f, 0, sizeof *f);
    expect_ok(dt_compute_open(&f->kernels, DT_ISA_AUTO, 1));
    char text[512];
    snprintf(text, sizeof text, "layers: %s", golden_norms[row].layers);
    expect_ok(dt_node_parse_text(&f->root, "golden.yaml", text));
    f->input = golden_norms[row].input;
    dt_model_spec spec = {.rows = GOLDEN_NORM_ROWS, .training = true};
    dt_plan plan = {.table = &f->table, .spec = &spec};
    expect_ok(dt_sequence_decode(&f->sequence, dt_node_get(f->root, "layers"), "layers"));
    expect_ok(dt_sequence_plan(&f->sequence, &plan, "", &f->input, true));
    expect_ok(dt_plan_bind(&plan, &f->arena));
    dt_plan_finish(&plan);
    ck_assert_uint_eq(dt_table_elements(&f->table), (size_t)golden_norms[row].tensors);
    f->inputs = GOLDEN_NORM_ROWS * dt_shape_count(&f->input);
    f->outputs = GOLDEN_NORM_ROWS * dt_shape_count(dt_sequence_out(&f->sequence, &f->input));
    f->w = reals(f->table.total);
    f->grads = reals(f->table.total);
    scatter(&f->table, f->w, golden_norms[row].start);
    f->x = narrow(golden_norms[row].x, f->inputs);
    f->dy = narrow(golden_norms[row].weight, f->outputs);
}

static void fixture_finish(fixture *f) {
    dt_sequence_finish(&f->sequence);
    dt_table_finish(&f->table);
    dt_node_destroy(f->root);
    dt_free(f->arena), dt_free(f->w), dt_free(f->grads), dt_free(f->x), dt_free(f->dy);
}

static void expect_near(const char *what, int row, const dt_real *got, const double *want, int64_t n) {
    double largest = 1;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(want[i]));
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)got[i] - want[i]) <= TOLERANCE * largest,
                      "%s: %s, element %d: %.17g, PyTorch has %.17g", golden_norms[row].layers, what, (int)i,
                      (double)got[i], want[i]);
}

START_TEST(layers_do_what_pytorch_s_do) {
    fixture f;
    fixture_init(&f, _i);
    dt_pass pass = {.kernels = f.kernels, .rows = GOLDEN_NORM_ROWS, .training = true, .weights = f.w, .grads = f.grads};
    expect_near("outputs", _i, dt_sequence_forward(&f.sequence, &pass, f.x), golden_norms[_i].y, f.outputs);
    const dt_real *dx = dt_sequence_backward(&f.sequence, &pass, f.x, f.dy, true);
    expect_near("gradient of the input", _i, dx, golden_norms[_i].dx, f.inputs);
    /* what a step makes of the running statistics; the weights are kept from it by a rate of 0 */
    const dt_recipe_optimizer config = {.kind = DT_SGD};
    dt_real *slots[DT_MAX_SLOTS] = {NULL};
    dt_optim_update(f.kernels, &config, &f.table, f.w, slots, f.grads, 0, f.table.total, 0, GOLDEN_NORM_ROWS,
                    GOLDEN_NORM_ROWS, 1, 0);
    const double *after = golden_norms[_i].after;
    for (int t = 0; t < f.table.count; t++) {
        const dt_tensor *tensor = &f.table.tensors[t];
        bool statistic = tensor->flags & DT_TENSOR_STATISTIC;
        expect_near(tensor->name, _i, (statistic ? f.w : f.grads) + tensor->offset, after, (int64_t)tensor->count);
        after += tensor->count;
    }
    pass.training = false;
    expect_near("evaluation", _i, dt_sequence_forward(&f.sequence, &pass, f.x), golden_norms[_i].evaluated, f.outputs);
    fixture_finish(&f);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("norms");
    TCase *group = tcase_create("golden");
    tcase_add_loop_test(group, layers_do_what_pytorch_s_do, 0, COUNT(golden_norms));
    suite_add_tcase(suite, group);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
