/* Figures of an evaluation are those of scikit-learn (tests/golden/assessment.py); ranks' parts add up to the whole;
 * the area under the ROC curve is exact however many scores are alike. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../golden/assessment.h"
#include "base/memory.h"
#include "models.h"
#include "use/assessment.h"
#include "use/scores.h"

#define NEAR(a, b)                                                                                                     \
    ck_assert_msg(fabs((a) - (b)) <= 1e-12 * fmax(1, fabs(b)), "%.17g is not %.17g", (double)(a), (double)(b))

/* In batches of `at_once`. */
static dt_assessment assess(dt_outputs outputs, const double *from, const int32_t *labels, const double *targets,
                            int64_t at_once) {
    dt_assessor *assessor;
    dt_assessment out;
    int64_t width = outputs.width;
    static const double units[] = {1, 1, 1};
    assert_ok(dt_assessor_create(&assessor, &outputs, best_kernels()));
    for (int64_t at = 0; at < GOLDEN_ROWS; at += at_once) {
        int64_t rows = GOLDEN_ROWS - at < at_once ? GOLDEN_ROWS - at : at_once;
        dt_real *o = narrow(from + at * width, (size_t)(rows * width));
        dt_real *v = targets ? narrow(targets + at * width, (size_t)(rows * width)) : NULL;
        int32_t mine[GOLDEN_ROWS];
        for (int64_t i = 0; labels && i < rows; i++) mine[i] = labels[at + i];
        dt_batch batch = {.rows = rows, .labels = labels ? mine : NULL, .values = v, .units = targets ? units : NULL};
        dt_assessor_take(assessor, o, &batch, rows, width);
        dt_free(o);
        dt_free(v);
    }
    dt_ranks alone = dt_ranks_alone();
    assert_ok(dt_assessor_gather(assessor, &alone, &out));
    dt_assessor_destroy(assessor);
    ck_assert_int_eq(out.samples, GOLDEN_ROWS);
    return out;
}

static void compare_classes(const dt_assessment *a, const double *classes, const double *means,
                            const int64_t *confusion, double ece) {
    for (int64_t c = 0; c < a->classes; c++) {
        NEAR(a->of_class[c].precision, classes[3 * c]);
        NEAR(a->of_class[c].recall, classes[3 * c + 1]);
        NEAR(a->of_class[c].f1, classes[3 * c + 2]);
    }
    const dt_class_figures *both[] = {&a->macro, &a->weighted};
    for (int i = 0; i < 2; i++) {
        NEAR(both[i]->precision, means[3 * i]);
        NEAR(both[i]->recall, means[3 * i + 1]);
        NEAR(both[i]->f1, means[3 * i + 2]);
    }
    for (int64_t i = 0; i < a->classes * a->classes; i++) ck_assert_int_eq(a->confusion[i], confusion[i]);
    ck_assert_double_le(fabs(a->ece - ece), 1e-6); /* probabilities are float32 */
}

static const int batches[] = {1, 7, 64, 65, GOLDEN_ROWS};

START_TEST(figures_of_classes_are_scikit_learns) {
    dt_outputs outputs = {.loss = DT_LOSS_SOFTMAX_CROSS_ENTROPY, .positions = 1, .width = 5, .classes = 5};
    dt_assessment a = assess(outputs, golden_many, golden_many_labels, NULL, batches[_i]);
    ck_assert_int_eq(a.classes, outputs.classes);
    compare_classes(&a, golden_many_classes, golden_many_means, golden_many_confusion, golden_many_ece);
    ck_assert(isnan(a.auc));
    dt_assessment_finish(&a);
}
END_TEST

START_TEST(figures_of_two_classes_are_scikit_learns) {
    dt_outputs outputs = {.loss = DT_LOSS_BINARY_CROSS_ENTROPY, .positions = 1, .width = 1, .classes = 2};
    dt_assessment a = assess(outputs, golden_one, golden_one_labels, NULL, batches[_i]);
    ck_assert_int_eq(a.classes, outputs.classes);
    compare_classes(&a, golden_one_classes, golden_one_means, golden_one_confusion, golden_one_ece);
    NEAR(a.auc, golden_auc);
    dt_assessment_finish(&a);
}
END_TEST

START_TEST(figures_of_values_are_scikit_learns) {
    dt_outputs outputs = {.loss = DT_LOSS_MEAN_SQUARED_ERROR, .positions = 1, .width = GOLDEN_VALUES};
    dt_assessment a = assess(outputs, golden_outputs, NULL, golden_targets, batches[_i]);
    for (int j = 0; j < GOLDEN_VALUES; j++) {
        NEAR(a.of_value[j].mae, golden_values[3 * j]);
        NEAR(a.of_value[j].rmse, golden_values[3 * j + 1]);
        if (j < 2) NEAR(a.of_value[j].r2, golden_values[3 * j + 2]);
    }
    ck_assert(isnan(a.of_value[2].r2)); /* its targets are all alike */
    dt_assessment_finish(&a);
}
END_TEST

/* 2^18 scores are gathered at once: more than so many in one range are counted instead. */
START_TEST(the_area_under_the_curve_is_exact_for_many_equal_scores) {
    enum { MANY = 400000 };
    dt_scores scores = {0};
    double pairs = 0, positive = 0, negative = 0;
    int64_t count[3][2] = {{0}};
    const float levels[] = {0.5F, 0.50000006F, 0.75F};
    for (int i = 0; i < MANY; i++) {
        int level = i % 16 == 0 ? 2 : i % 3 == 0, class = (i * 7 + level) % 5 < 2 + level;
        dt_scores_add(&scores, levels[level], class);
        count[level][class]++;
    }
    for (int i = 0; i < 3; i++) {
        positive += (double)count[i][1];
        negative += (double)count[i][0];
        for (int j = 0; j < 3; j++) pairs += (j < i ? 1 : j == i ? 0.5 : 0) * (double)count[i][1] * (double)count[j][0];
    }
    dt_ranks alone = dt_ranks_alone();
    double auc;
    assert_ok(dt_scores_auc(&scores, &alone, &auc));
    NEAR(auc, pairs / positive / negative);
    dt_scores_finish(&scores);
}
END_TEST

START_TEST(without_one_of_the_classes_there_is_no_area) {
    dt_scores scores = {0};
    dt_ranks alone = dt_ranks_alone();
    double auc = 0;
    assert_ok(dt_scores_auc(&scores, &alone, &auc));
    ck_assert(isnan(auc));
    dt_scores_add(&scores, 0.25F, true);
    assert_ok(dt_scores_auc(&scores, &alone, &auc));
    ck_assert(isnan(auc));
    dt_scores_finish(&scores);
}
END_TEST

static const char *number_class(const void *context, int64_t class, char room[24]) {
    (void)context;
    snprintf(room, 24, "%lld", (long long)class);
    return room;
}

/* What a terminal shows is at most 100 columns wide and 60 lines long, from 2 to 300 classes. */
START_TEST(the_text_fits_a_terminal) {
    for (int64_t classes = 2; classes <= 300; classes += classes < 14 ? 1 : 43) {
        dt_outputs outputs = {
            .loss = DT_LOSS_SOFTMAX_CROSS_ENTROPY, .positions = 1, .width = classes, .classes = classes};
        dt_assessor *assessor;
        dt_assessment a;
        dt_ranks alone = dt_ranks_alone();
        dt_real *o = reals((size_t)(600 * classes), 5);
        int32_t labels[600];
        for (int i = 0; i < 600; i++) labels[i] = i % (int32_t)classes;
        assert_ok(dt_assessor_create(&assessor, &outputs, best_kernels()));
        dt_assessor_take(assessor, o, &(dt_batch){.rows = 600, .labels = labels}, 600, classes);
        assert_ok(dt_assessor_gather(assessor, &alone, &a));
        char *text = dt_assessment_text(&a, number_class, NULL, false);
        int lines = 0;
        for (char *line = text, *stop; (stop = strchr(line, '\n')) != NULL; line = stop + 1, lines++)
            ck_assert_msg(stop - line <= 112, "%lld classes: %.*s", (long long)classes, (int)(stop - line), line);
        ck_assert_msg(lines <= 60, "%lld classes: %d lines", (long long)classes, lines);
        free(text);
        dt_assessment_finish(&a);
        dt_assessor_destroy(assessor);
        dt_free(o);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("assessment");
    TCase *tests = tcase_create("assessment");
    tcase_add_loop_test(tests, figures_of_classes_are_scikit_learns, 0, COUNT(batches));
    tcase_add_loop_test(tests, figures_of_two_classes_are_scikit_learns, 0, COUNT(batches));
    tcase_add_loop_test(tests, figures_of_values_are_scikit_learns, 0, COUNT(batches));
    tcase_add_test(tests, the_area_under_the_curve_is_exact_for_many_equal_scores);
    tcase_add_test(tests, without_one_of_the_classes_there_is_no_area);
    tcase_add_test(tests, the_text_fits_a_terminal);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
