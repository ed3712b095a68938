/* What targets mean, on any number of ranks: the loss decides, the first that does not fit is named alike by all with
 * its value, and labels of any values are classes in ascending order. */
#include <math.h>
#include <string.h>

#include "data/labels.h"
#include "data/source.h"
#include "data_set.h"

enum { SAMPLES = 97 };

/* /x[SAMPLES] and /y[SAMPLES, width], from doubles, opened for a loss; of the chosen rows alone. */
static dt_status open_chosen(dt_source *source, dt_loss loss, hid_t type, int width, const double *y,
                             const dt_selection *chosen) {
    static const uint8_t x[SAMPLES];
    write_set(&(set_part){"/x", H5T_NATIVE_UINT8, H5T_NATIVE_UINT8, 1, {SAMPLES}, x},
              &(set_part){"/y", type, H5T_NATIVE_DOUBLE, width > 1 ? 2 : 1, {SAMPLES, (hsize_t)width}, y});
    static const dt_recipe_data data = {.train_x = "/x", .train_y = "/y"};
    dt_source_request request = {.file = path, .data = &data, .loss = loss, .chosen = chosen};
    return dt_source_open(source, &ranks, &request);
}

static dt_status open_targets(dt_source *source, dt_loss loss, hid_t type, int width, const double *y) {
    return open_chosen(source, loss, type, width, y, NULL);
}

/* ---- what is refused ---- */

static const struct {
    dt_loss loss;
    const hid_t *type;
    int width, rows[2]; /* rows with the bad value, or -1 */
    double usual, bad;
    const char *says;
} refused[] = {
    {DT_LOSS_SOFTMAX_CROSS_ENTROPY, &H5T_NATIVE_FLOAT_g, 1, {60, 91}, 2, 0.5, "/y row 60 is 0.5; softmax"},
    {DT_LOSS_SOFTMAX_CROSS_ENTROPY, &H5T_NATIVE_FLOAT_g, 1, {70, 71}, 2, NAN, "/y row 70 is nan"},
    {DT_LOSS_SOFTMAX_CROSS_ENTROPY, &H5T_NATIVE_DOUBLE_g, 1, {0, 96}, 2, 1e300, "/y row 0 is 1e+300"},
    {DT_LOSS_SOFTMAX_CROSS_ENTROPY, &H5T_NATIVE_UINT64_g, 1, {50, -1}, 2, 0x1p63, "/y row 50 is 9223372036854775808"},
    {DT_LOSS_SOFTMAX_CROSS_ENTROPY,
     &H5T_NATIVE_UINT8_g,
     4,
     {33, 40},
     0.25,
     255,
     "/y row 0 is 0s and 1s with no 1 in it"},
    {DT_LOSS_SOFTMAX_CROSS_ENTROPY, &H5T_NATIVE_FLOAT_g, 4, {33, 40}, 0.25, -1, "/y row 33, value 3, is -1;"},
    {DT_LOSS_SOFTMAX_CROSS_ENTROPY, &H5T_NATIVE_FLOAT_g, 4, {34, 40}, 0.25, 0.75, "/y row 34 has the sum 1.5"},
    {DT_LOSS_SOFTMAX_CROSS_ENTROPY, &H5T_NATIVE_FLOAT_g, 4, {96, -1}, 0.25, NAN, "/y row 96, value 3, is nan"},
    {DT_LOSS_BINARY_CROSS_ENTROPY, &H5T_NATIVE_FLOAT_g, 1, {1, 2}, 0, 255, "/y row 1 is 255; targets of binary"},
    {DT_LOSS_BINARY_CROSS_ENTROPY, &H5T_NATIVE_FLOAT_g, 1, {95, -1}, 1, -1, "/y row 95 is -1;"},
    {DT_LOSS_BINARY_CROSS_ENTROPY, &H5T_NATIVE_INT8_g, 3, {4, 9}, 1, -1, "/y row 4, value 2, is -1;"},
    {DT_LOSS_BINARY_CROSS_ENTROPY, &H5T_NATIVE_UINT16_g, 3, {4, -1}, 0, 300, "/y row 4, value 2, is 300;"},
    {DT_LOSS_MEAN_SQUARED_ERROR, &H5T_NATIVE_FLOAT_g, 1, {70, 71}, 9, NAN, "/y row 70 is not finite"},
    {DT_LOSS_MEAN_SQUARED_ERROR, &H5T_NATIVE_DOUBLE_g, 2, {1, -1}, 9, -INFINITY, "/y row 1 is not finite"},
    {DT_LOSS_MEAN_SQUARED_ERROR,
     &H5T_NATIVE_DOUBLE_g,
     2,
     {8, -1},
     9,
     1e39,
     "row 8 has 1e+39, which is finite in the file"},
};

START_TEST(the_first_target_that_means_nothing_to_the_loss_is_named) {
    double y[SAMPLES * 4];
    int width = refused[_i].width;
    for (int i = 0; i < SAMPLES * width; i++) y[i] = refused[_i].usual;
    for (int r = 0; r < 2; r++)
        if (refused[_i].rows[r] >= 0) y[(refused[_i].rows[r] + 1) * width - 1] = refused[_i].bad;
    dt_source source;
    dt_status status = open_targets(&source, refused[_i].loss, *refused[_i].type, width, y);
    bool right =
        status.code == DT_ERR_INPUT && strstr(status.message, refused[_i].says) && strstr(status.message, path);
    if (!right) fprintf(stderr, "not \"%s\": %s\n", refused[_i].says, status.message);
    ranks_assert(right && !source.x && !source.targets.y);
}
END_TEST

/* Rows that are no samples may hold anything; of those that are the first is named by its own number. */
START_TEST(targets_of_rows_that_are_not_chosen_are_not_looked_at) {
    double y[SAMPLES * 4];
    int64_t rows[SAMPLES], count = 0, spared = refused[_i].rows[0];
    int width = refused[_i].width;
    if (spared < 0 || refused[_i].usual < 0.25 || width > 1) return;
    for (int i = 0; i < SAMPLES * width; i++) y[i] = refused[_i].usual;
    y[spared] = refused[_i].bad;
    for (int64_t i = 0; i < SAMPLES; i++)
        if (i != spared) rows[count++] = i;
    dt_source source;
    ranks_assert_ok(open_chosen(&source, refused[_i].loss, *refused[_i].type, 1, y, &(dt_selection){rows, count}));
    dt_classes classes = {0};
    ranks_assert_ok(dt_targets_settle(&source.targets, &classes, true, 3));
    ranks_assert(classes.count == 0 && source.samples == SAMPLES - 1);
    dt_source_close(&source);
    /* only the bad one and those behind it, so it is sample 0 */
    for (count = 0; spared + count < SAMPLES; count++) rows[count] = spared + count;
    dt_status status = open_chosen(&source, refused[_i].loss, *refused[_i].type, 1, y, &(dt_selection){rows, count});
    ranks_assert(status.code == DT_ERR_INPUT && strstr(status.message, refused[_i].says));
}
END_TEST

/* ---- what is taken ---- */

static const struct {
    dt_loss loss;
    const hid_t *type;
    int width;
    double low, high; /* the two values there are; of several in a row the first is high, the others low */
    bool labels, either;
} taken[] = {
    {DT_LOSS_SOFTMAX_CROSS_ENTROPY, &H5T_NATIVE_FLOAT_g, 1, 0, 3, true, false},
    {DT_LOSS_SOFTMAX_CROSS_ENTROPY, &H5T_IEEE_F64BE_g, 1, -5, 3, true, false},
    {DT_LOSS_SOFTMAX_CROSS_ENTROPY, &H5T_NATIVE_INT64_g, 1, -0x1p40, 0x1p40, true, false},
    {DT_LOSS_SOFTMAX_CROSS_ENTROPY, &H5T_NATIVE_UINT8_g, 4, 0, 1, true, false}, /* one-hot */
    {DT_LOSS_SOFTMAX_CROSS_ENTROPY, &H5T_IEEE_F64BE_g, 3, 0, 1, true, false},
    {DT_LOSS_SOFTMAX_CROSS_ENTROPY, &H5T_NATIVE_FLOAT_g, 4, 0.1, 0.7, false, false},
    {DT_LOSS_BINARY_CROSS_ENTROPY, &H5T_NATIVE_UINT8_g, 1, 0, 255, true, false},
    {DT_LOSS_BINARY_CROSS_ENTROPY, &H5T_NATIVE_FLOAT_g, 1, 0, 1, false, false},
    {DT_LOSS_BINARY_CROSS_ENTROPY, &H5T_NATIVE_DOUBLE_g, 4, 0.25, 1, false, false},
    {DT_LOSS_BINARY_CROSS_ENTROPY, &H5T_NATIVE_UINT8_g, 4, 0, 1, false, false},
    {DT_LOSS_MEAN_SQUARED_ERROR, &H5T_NATIVE_INT32_g, 1, -7, 1e9, true, true},
    {DT_LOSS_MEAN_SQUARED_ERROR, &H5T_NATIVE_FLOAT_g, 1, 0, 3, false, false},
    {DT_LOSS_MEAN_SQUARED_ERROR, &H5T_NATIVE_INT32_g, 4, -7, 1e9, false, false},
};

START_TEST(the_loss_decides_what_targets_are) {
    double y[SAMPLES * 4];
    int width = taken[_i].width;
    for (int i = 0; i < SAMPLES * width; i++)
        y[i] = (width > 1 ? i % width == 0 : i % 3 == 0) ? taken[_i].high : taken[_i].low;
    dt_source source;
    ranks_assert_ok(open_targets(&source, taken[_i].loss, *taken[_i].type, width, y));
    ranks_assert(source.targets.labels == taken[_i].labels && source.targets.either == taken[_i].either &&
                 source.targets.width == (source.targets.labels ? 1 : width));
    int64_t hot = source.targets.labels && width > 1 ? width : 0, classes = hot > 0 ? width : 2;
    ranks_assert(source.targets.hot == hot && source.targets.classes == (source.targets.labels ? classes : 0) &&
                 source.targets.positions == source.targets.labels);
    dt_source_close(&source);
}
END_TEST

/* ---- classes ---- */

/* The settled class of sample i is (i mod count). */
static bool counts_up(const dt_source *source, int count, int first) {
    bool good = true;
    for (int i = 0; i < SAMPLES; i++) good &= dt_targets_class(&source->targets, i) == first + i % count;
    return good;
}

static const struct {
    double values[4];
    int64_t outputs;
    bool mapped;
    int first;
} numberings[] = {
    {{0, 1, 2, 3}, 4, false, 0},         {{0, 1, 2, 3}, 9, false, 0},  {{1, 2, 3, 4}, 4, true, 0},
    {{1, 2, 3, 4}, 5, false, 1},         {{-2, -1, 0, 1}, 4, true, 0}, {{-0x1p40, -3, 70000, 0x1p50}, 4, true, 0},
    {{10, 20, 30, 1000000}, 4, true, 0}, {{0, 1, 2, 255}, 4, true, 0},
};

START_TEST(labels_of_any_values_are_classes_in_their_order) {
    double y[SAMPLES];
    dt_classes classes = {0}, again = {0};
    for (int i = 0; i < SAMPLES; i++) y[i] = numberings[_i].values[i % 4];
    dt_source source, other;
    ranks_assert_ok(open_targets(&source, DT_LOSS_SOFTMAX_CROSS_ENTROPY, H5T_NATIVE_INT64, 1, y));
    ranks_assert(source.targets.classes == 4);
    ranks_assert_ok(dt_targets_settle(&source.targets, &classes, true, numberings[_i].outputs));
    ranks_assert((classes.count > 0) == numberings[_i].mapped && counts_up(&source, 4, numberings[_i].first));
    ranks_assert(source.targets.classes == numberings[_i].outputs);
    /* data with some of these labels only has the classes of those that were found first */
    for (int i = 0; i < SAMPLES; i++) y[i] = numberings[_i].values[3];
    dt_source_close(&source);
    ranks_assert_ok(open_targets(&other, DT_LOSS_SOFTMAX_CROSS_ENTROPY, H5T_NATIVE_DOUBLE, 1, y));
    ranks_assert_ok(dt_targets_settle(&other.targets, &classes, false, numberings[_i].outputs));
    ranks_assert(counts_up(&other, 1, numberings[_i].first + 3) && other.targets.classes == numberings[_i].outputs);
    dt_source_close(&other);
    /* a label without a class is named */
    y[41] = 77;
    ranks_assert_ok(open_targets(&other, DT_LOSS_SOFTMAX_CROSS_ENTROPY, H5T_NATIVE_DOUBLE, 1, y));
    dt_status status = dt_targets_settle(&other.targets, &classes, false, numberings[_i].outputs);
    ranks_assert(status.code == DT_ERR_INPUT &&
                 strstr(status.message, "/y row 41 is 77, a class the model does not have"));
    dt_source_close(&other);
    dt_classes_finish(&classes);
    dt_classes_finish(&again);
}
END_TEST

START_TEST(one_output_makes_integers_two_classes_or_numbers) {
    double y[SAMPLES];
    dt_classes classes = {0};
    dt_source source;
    for (int i = 0; i < SAMPLES; i++) y[i] = i % 2 ? 255 : 17;
    ranks_assert_ok(open_targets(&source, DT_LOSS_BINARY_CROSS_ENTROPY, H5T_NATIVE_UINT8, 1, y));
    ranks_assert_ok(dt_targets_settle(&source.targets, &classes, true, 1));
    ranks_assert(source.targets.labels && source.targets.classes == 2 && classes.count == 2 &&
                 counts_up(&source, 2, 0));
    dt_source_close(&source);
    dt_classes_finish(&classes);
    ranks_assert_ok(open_targets(&source, DT_LOSS_MEAN_SQUARED_ERROR, H5T_NATIVE_UINT8, 1, y));
    ranks_assert_ok(dt_targets_settle(&source.targets, &classes, true, 1));
    ranks_assert(!source.targets.labels && source.targets.positions == 0 && source.targets.width == 1 &&
                 classes.count == 0);
    dt_source_close(&source);
    ranks_assert_ok(open_targets(&source, DT_LOSS_MEAN_SQUARED_ERROR, H5T_NATIVE_UINT8, 1, y));
    ranks_assert_ok(dt_targets_settle(&source.targets, &classes, true, 2));
    ranks_assert(source.targets.labels && source.targets.classes == 2 && counts_up(&source, 2, 0));
    dt_source_close(&source);
    dt_classes_finish(&classes);
}
END_TEST

static const struct {
    double values[5];
    int stray; /* a row with a value of its own, or -1 */
    double is;
    const char *says;
} sayings[] = {
    {{0, 1, 2, 3, 4}, -1, 0, "labels of /y: 0..4"},
    {{3, 4, 3, 4, 3}, -1, 0, "labels of /y: 3, 4"},
    {{-1, 1, -1, 1, 1}, -1, 0, "labels of /y: -1, 1"},
    {{0, 1, 0, 1, 0}, 77, 255, "labels of /y: 0, 1, 255; 255 is in row 77 alone"},
    {{0, 1, 0, 1, 0}, 77, -3e9, "labels of /y: -3000000000, 0, 1; -3000000000 is in row 77 alone"},
    {{1, 10, 100, 1000, 100000}, -1, 0, "labels of /y: 1, 10, 100, 1000, 100000"},
};

START_TEST(labels_are_told_by_their_ranges_and_the_stray_one) {
    double y[SAMPLES];
    dt_source source;
    for (int i = 0; i < SAMPLES; i++) y[i] = sayings[_i].values[i % 5];
    if (sayings[_i].stray >= 0) y[sayings[_i].stray] = sayings[_i].is;
    ranks_assert_ok(open_targets(&source, DT_LOSS_SOFTMAX_CROSS_ENTROPY, H5T_NATIVE_INT64, 1, y));
    bool right = strcmp(dt_labels_text(source.targets.found), sayings[_i].says) == 0;
    if (!right) fprintf(stderr, "not \"%s\": %s\n", sayings[_i].says, dt_labels_text(source.targets.found));
    ranks_assert(right);
    dt_source_close(&source);
}
END_TEST

START_TEST(many_labels_are_told_in_short) {
    double y[SAMPLES];
    dt_source source;
    for (int i = 0; i < SAMPLES; i++) y[i] = 3.0 * i;
    ranks_assert_ok(open_targets(&source, DT_LOSS_SOFTMAX_CROSS_ENTROPY, H5T_NATIVE_INT64, 1, y));
    ranks_assert(source.targets.classes == SAMPLES &&
                 strcmp(dt_labels_text(source.targets.found), "labels of /y: 0, 3, 6, 9, … 288") == 0);
    dt_source_close(&source);
}
END_TEST

START_TEST(a_class_that_is_in_the_test_set_alone_is_found) {
    double y[SAMPLES];
    dt_source train, test;
    for (int i = 0; i < SAMPLES; i++) y[i] = i % 4;
    ranks_assert_ok(open_targets(&train, DT_LOSS_SOFTMAX_CROSS_ENTROPY, H5T_NATIVE_INT8, 1, y));
    ranks_assert(dt_targets_unseen(&train.targets, &train.targets) < 0);
    y[5] = 9, y[60] = 9;
    ranks_assert_ok(open_targets(&test, DT_LOSS_SOFTMAX_CROSS_ENTROPY, H5T_NATIVE_INT8, 1, y));
    ranks_assert(dt_targets_unseen(&test.targets, &train.targets) == 5);
    dt_source_close(&train);
    dt_source_close(&test);
}
END_TEST

int main(void) {
    H5open(); /* the types in the tables above are variables of it */
    Suite *suite = suite_create("targets");
    TCase *tests = tcase_create("targets");
    tcase_add_checked_fixture(tests, make_path, remove_path);
    tcase_add_loop_test(tests, the_first_target_that_means_nothing_to_the_loss_is_named, 0,
                        (int)(sizeof refused / sizeof *refused));
    tcase_add_loop_test(tests, targets_of_rows_that_are_not_chosen_are_not_looked_at, 0,
                        (int)(sizeof refused / sizeof *refused));
    tcase_add_loop_test(tests, the_loss_decides_what_targets_are, 0, (int)(sizeof taken / sizeof *taken));
    tcase_add_loop_test(tests, labels_of_any_values_are_classes_in_their_order, 0,
                        (int)(sizeof numberings / sizeof *numberings));
    tcase_add_test(tests, one_output_makes_integers_two_classes_or_numbers);
    tcase_add_loop_test(tests, labels_are_told_by_their_ranges_and_the_stray_one, 0,
                        (int)(sizeof sayings / sizeof *sayings));
    tcase_add_test(tests, many_labels_are_told_in_short);
    tcase_add_test(tests, a_class_that_is_in_the_test_set_alone_is_found);
    suite_add_tcase(suite, tests);
    return run_on_ranks(suite);
}
