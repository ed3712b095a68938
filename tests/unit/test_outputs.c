/* From a model's last layer to what users get: softmax and logistic function by their definition, in place; values as
 * they are; and classes as the accuracy counts them. */
#include <math.h>

#include "models.h"
#include "use/outputs.h"

static dt_outputs outputs_of(const char *layers, dt_loss kind, dt_targets targets) {
    dt_recipe_loss loss = {.kind = kind};
    dt_model_spec spec = {.input = {1, {3}}, .rows = 2};
    dt_model *model;
    assert_ok(try_model(&model, layers, &loss, &spec));
    dt_outputs outputs = dt_outputs_of(&targets, kind, model);
    dt_model_destroy(model);
    return outputs;
}

static const dt_targets labels = {.labels = true, .positions = 1, .width = 1}, values = {.width = 4};

START_TEST(classes_are_chosen_where_the_accuracy_counts_them) {
    ck_assert_int_eq(outputs_of("[{dense: 4}]", DT_LOSS_SOFTMAX_CROSS_ENTROPY, labels).classes, 4);
    ck_assert_int_eq(outputs_of("[{dense: 4}]", DT_LOSS_SOFTMAX_CROSS_ENTROPY, values).classes, 4);
    ck_assert_int_eq(outputs_of("[{dense: 4}]", DT_LOSS_MEAN_SQUARED_ERROR, labels).classes, 4);
    ck_assert_int_eq(outputs_of("[{dense: 4}]", DT_LOSS_MEAN_SQUARED_ERROR, values).classes, 0);
    ck_assert_int_eq(outputs_of("[{dense: 1}]", DT_LOSS_MEAN_SQUARED_ERROR, labels).classes, 0);
    ck_assert_int_eq(outputs_of("[{dense: 1}]", DT_LOSS_BINARY_CROSS_ENTROPY, labels).classes, 2);
    ck_assert_int_eq(outputs_of("[{dense: 4}]", DT_LOSS_BINARY_CROSS_ENTROPY, labels).classes, 4);
    ck_assert_int_eq(outputs_of("[{dense: 4}]", DT_LOSS_BINARY_CROSS_ENTROPY, values).classes, 0);
}
END_TEST

START_TEST(a_text_has_outputs_at_each_position) {
    dt_targets text = {.labels = true, .positions = 2, .width = 1};
    dt_outputs outputs = outputs_of("[{dense: 8}]", DT_LOSS_SOFTMAX_CROSS_ENTROPY, text);
    ck_assert_int_eq(outputs.positions, 2);
    ck_assert_int_eq(outputs.width, 4);
    ck_assert_int_eq(outputs.classes, 4);
}
END_TEST

START_TEST(the_first_of_the_largest_is_the_class) {
    const dt_real raw[] = {1, 3, 3, -1, -2, -2, -5, -9};
    int32_t classes[2];
    dt_outputs outputs = {.loss = DT_LOSS_SOFTMAX_CROSS_ENTROPY, .positions = 1, .width = 4, .classes = 4};
    dt_outputs_choose(&outputs, raw, 2, classes);
    ck_assert_int_eq(classes[0], 1);
    ck_assert_int_eq(classes[1], 0);
    const dt_real one[] = {0.25F, -0.25F, 0};
    int32_t sides[3];
    outputs = (dt_outputs){.loss = DT_LOSS_BINARY_CROSS_ENTROPY, .positions = 1, .width = 1, .classes = 2};
    dt_outputs_choose(&outputs, one, 3, sides);
    ck_assert_int_eq(sides[0], 1);
    ck_assert_int_eq(sides[1], 0);
    ck_assert_int_eq(sides[2], 0); /* one half is not above one half */
}
END_TEST

START_TEST(softmax_logistic_function_and_values) {
    enum { ROWS = 3, WIDTH = 21 };
    const dt_loss kinds[] = {DT_LOSS_SOFTMAX_CROSS_ENTROPY, DT_LOSS_BINARY_CROSS_ENTROPY, DT_LOSS_MEAN_SQUARED_ERROR};
    for (int k = 0; k < 3; k++) {
        dt_real raw[ROWS * WIDTH], out[ROWS * WIDTH];
        for (int i = 0; i < ROWS * WIDTH; i++) out[i] = raw[i] = (dt_real)(i * 17 % 23) - 11;
        dt_outputs outputs = {.loss = kinds[k], .positions = ROWS, .width = WIDTH};
        dt_outputs_finish(&outputs, best_kernels(), out, 1);
        for (int i = 0; i < ROWS * WIDTH; i++) {
            double sum = 0, want = (double)raw[i];
            for (int j = 0; j < WIDTH; j++) sum += exp((double)raw[i / WIDTH * WIDTH + j]);
            if (k == 0) want = exp((double)raw[i]) / sum;
            if (k == 1) want = 1 / (1 + exp(-(double)raw[i]));
            ck_assert_double_le(fabs((double)out[i] - want), 1e-6 * fabs(want));
        }
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("outputs");
    TCase *all = tcase_create("all");
    tcase_add_test(all, classes_are_chosen_where_the_accuracy_counts_them);
    tcase_add_test(all, a_text_has_outputs_at_each_position);
    tcase_add_test(all, the_first_of_the_largest_is_the_class);
    tcase_add_test(all, softmax_logistic_function_and_values);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
