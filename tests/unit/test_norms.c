/* Normalisation and layers in layers against PyTorch's numbers (tests/golden/norms.py): outputs, gradients, running
 * statistics after a step through the optimizer's rule, and evaluation with them. Compiled for float, the program's
 * arithmetic, and for double, where agreement must be to rounding. */
#include <check.h>

#include "base/memory.h"
#include "models.h"
#include "optim/optim.h"

#include "../golden/norms.h"

#define TOLERANCE (sizeof(dt_real) == sizeof(double) ? 1e-12 : 2e-5)

START_TEST(layers_do_what_pytorch_s_do) {
    const char *layers = golden_norms[_i].layers;
    dt_shape input = golden_norms[_i].input;
    dt_model_spec spec = {.rows = GOLDEN_NORM_ROWS, .training = true};
    layer_list list;
    layer_list_init(&list, layers, &spec, &input);
    const dt_table *table = &list.table;
    ck_assert_uint_eq(dt_table_elements(table), (size_t)golden_norms[_i].tensors);
    size_t inputs = (size_t)(GOLDEN_NORM_ROWS * dt_shape_count(&input));
    size_t outputs = (size_t)(GOLDEN_NORM_ROWS * dt_shape_count(dt_sequence_out(&list.sequence, &input)));
    dt_real *x = narrow(golden_norms[_i].x, inputs), *dy = narrow(golden_norms[_i].weight, outputs);
    scatter(table, list.w, golden_norms[_i].start);
    dt_pass pass = {
        .kernels = best_kernels(), .rows = GOLDEN_NORM_ROWS, .training = true, .weights = list.w, .grads = list.grads};
    const dt_real *y = dt_sequence_forward(&list.sequence, &pass, x);
    expect_near(layers, "outputs", y, golden_norms[_i].y, outputs, TOLERANCE);
    const dt_real *dx = dt_sequence_backward(&list.sequence, &pass, x, dy, true);
    expect_near(layers, "gradient of the input", dx, golden_norms[_i].dx, inputs, TOLERANCE);
    /* what a step makes of the running statistics; the weights are kept from it by a rate of 0 */
    const dt_recipe_optimizer config = {.kind = DT_SGD};
    dt_optimizer sgd;
    assert_ok(dt_optimizer_plan(&sgd, pass.kernels, &config, NULL, table));
    dt_optimizer_step step = dt_optimizer_begin(&sgd, 0, GOLDEN_NORM_ROWS, GOLDEN_NORM_ROWS, 1, 0);
    dt_optimizer_apply(&sgd, &step, list.w, list.grads, 0, table->total);
    dt_optimizer_finish(&sgd);
    const double *after = golden_norms[_i].after;
    for (int t = 0; t < table->count; after += table->tensors[t++].count) {
        const dt_tensor *tensor = &table->tensors[t];
        const dt_real *arena = tensor->flags & DT_TENSOR_STATISTIC ? list.w : list.grads;
        expect_near(layers, tensor->name, arena + tensor->offset, after, tensor->count, TOLERANCE);
    }
    pass.training = false;
    y = dt_sequence_forward(&list.sequence, &pass, x);
    expect_near(layers, "evaluation", y, golden_norms[_i].evaluated, outputs, TOLERANCE);
    layer_list_finish(&list);
    dt_free(x), dt_free(dy);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("norms");
    TCase *group = tcase_create("golden");
    tcase_add_loop_test(group, layers_do_what_pytorch_s_do, 0, COUNT(golden_norms));
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
