/* Splits cut from one dataset (data.split), on any number of ranks: no row in two of them, every row in one, groups
 * whole, classes shared alike, and the same whatever order the rows are in. */
#include <string.h>

#include "data/identity.h"
#include "data/labels.h"
#include "data/source.h"
#include "data_set.h"

enum { ROWS = 300, PATIENTS = 40, CLASSES = 3 };

static int64_t patient_of(int64_t row) {
    return -7 + 1000003 * (row * 37 % PATIENTS); /* all of a patient's rows are far apart */
}

/* /x[i] = i, /y[i] is 0 in half of the rows, else 1 or 2, /patient; rows are stored from behind if `reversed`. */
static void write_rows(bool reversed) {
    static int32_t x[ROWS], y[ROWS];
    static int64_t patient[ROWS];
    static int16_t few[ROWS];
    for (int i = 0; i < ROWS; i++) {
        int row = reversed ? ROWS - 1 - i : i;
        x[i] = row, y[i] = row % 2 ? 0 : 1 + row / 2 % 2, patient[i] = patient_of(row), few[i] = (int16_t)(row % 2);
    }
    static const double half[ROWS] = {[41] = 0.5};
    const set_part parts[] = {{"/x", H5T_NATIVE_INT32, H5T_NATIVE_INT32, 1, {ROWS}, x},
                              {"/y", H5T_NATIVE_INT32, H5T_NATIVE_INT32, 1, {ROWS}, y},
                              {"/patient", H5T_STD_I64BE, H5T_NATIVE_INT64, 1, {ROWS}, patient},
                              {"/few", H5T_NATIVE_INT16, H5T_NATIVE_INT16, 1, {ROWS}, few},
                              {"/short", H5T_NATIVE_INT32, H5T_NATIVE_INT32, 1, {ROWS - 1}, x},
                              {"/wide", H5T_NATIVE_INT32, H5T_NATIVE_INT32, 2, {ROWS, 1}, x},
                              {"/half", H5T_NATIVE_FLOAT, H5T_NATIVE_DOUBLE, 1, {ROWS}, half}};
    write_parts(parts, (int)(sizeof parts / sizeof *parts));
}

static dt_recipe_data recipe(double test, double validation, const char *by) {
    dt_recipe_data data = {.file = "d.h5",
                           .train_x = "/x",
                           .train_y = "/y",
                           .split_test = test,
                           .split_validation = validation,
                           .split_seed = 1};
    snprintf(data.split_by, sizeof data.split_by, "%s", by);
    return data;
}

static dt_status open_split(dt_source *source, const dt_recipe_data *data, dt_split split) {
    return dt_source_open(source, &ranks, &(dt_source_request){.file = path, .data = data, .split = split});
}

/* The split of each number of /x into out[ROWS]; counts rows that are in two splits or in none as wrong. */
static int64_t deal(int out[ROWS], const dt_recipe_data *data, dt_dealt *dealt) {
    int64_t wrong = 0, all = 0;
    for (int i = 0; i < ROWS; i++) out[i] = -1;
    for (int split = 0; split < DT_SPLIT_COUNT; split++) {
        if (!dt_recipe_cuts(data, (dt_split)split)) continue;
        dt_source source;
        ranks_assert_ok(open_split(&source, data, (dt_split)split));
        wrong += source.samples != source.dealt.samples[split] || source.targets.classes != CLASSES;
        for (int64_t i = 0; i < source.samples; i++) {
            int32_t number = *(const int32_t *)dt_source_row(&source, i);
            wrong += out[number] >= 0;
            out[number] = split;
        }
        all += source.samples;
        *dealt = source.dealt;
        dt_source_close(&source);
    }
    int first[ROWS];
    memcpy(first, out, sizeof first);
    ranks_assert_ok(dt_comm_broadcast(world, first, sizeof first, 0));
    return wrong + (all != ROWS) + (memcmp(first, out, sizeof first) != 0);
}

START_TEST(rows_are_in_one_split_each) {
    int splits[ROWS], again[ROWS];
    dt_dealt dealt;
    write_rows(false);
    dt_recipe_data data = recipe(0.2, 0.15, "");
    ranks_assert(deal(splits, &data, &dealt) == 0);
    ranks_assert(dealt.samples[DT_SPLIT_TEST] == 60 && dealt.samples[DT_SPLIT_VALIDATION] == 45);
    data.split_seed = 2;
    ranks_assert(deal(again, &data, &dealt) == 0 && memcmp(splits, again, sizeof splits) != 0);
    data = recipe(0.2, 0, "");
    ranks_assert(deal(again, &data, &dealt) == 0 && dealt.samples[DT_SPLIT_VALIDATION] == 0);
    data.split_order = DT_SPLIT_IN_ORDER;
    ranks_assert(deal(again, &data, &dealt) == 0 && again[239] == DT_SPLIT_TRAIN && again[240] == DT_SPLIT_TEST);
}
END_TEST

/* Also where the rows lie in another order: a group's side follows from the values there are. */
START_TEST(groups_stay_whole_and_where_they_are_in_any_order_of_rows) {
    int splits[ROWS], turned[ROWS], in_order[ROWS];
    dt_dealt dealt;
    write_rows(false);
    dt_recipe_data data = recipe(0.2, 0.1, "/patient"), ordered = data;
    ordered.split_order = DT_SPLIT_IN_ORDER;
    ranks_assert(deal(splits, &data, &dealt) == 0 && deal(in_order, &ordered, &dealt) == 0);
    ranks_assert(dealt.groups[DT_SPLIT_TRAIN] == 28 && dealt.groups[DT_SPLIT_VALIDATION] == 4 &&
                 dealt.groups[DT_SPLIT_TEST] == 8);
    int broken = 0, late = 0;
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < ROWS; j++) {
            broken += patient_of(i) == patient_of(j) && splits[i] != splits[j];
            late += patient_of(i) < patient_of(j) && in_order[i] > in_order[j];
        }
    ranks_assert(broken == 0 && late == 0);
    write_rows(true);
    ranks_assert(deal(turned, &data, &dealt) == 0 && memcmp(splits, turned, sizeof splits) == 0);
}
END_TEST

START_TEST(stratified_splits_have_their_share_of_every_class) {
    int splits[ROWS], plain[ROWS], counts[2][CLASSES] = {{0}};
    dt_dealt dealt;
    write_rows(false);
    dt_recipe_data data = recipe(0.2, 0, "");
    ranks_assert(deal(plain, &data, &dealt) == 0);
    data.split_stratify = true;
    ranks_assert(deal(splits, &data, &dealt) == 0 && dealt.groups[DT_SPLIT_TEST] == 0);
    for (int i = 0; i < ROWS; i++) {
        int class = i % 2 ? 0 : 1 + i / 2 % 2;
        counts[0][class] += splits[i] == DT_SPLIT_TEST;
        counts[1][class] += plain[i] == DT_SPLIT_TEST;
    }
    ranks_assert(counts[0][0] == 30 && counts[0][1] == 15 && counts[0][2] == 15);
    ranks_assert(counts[1][0] != 30 || counts[1][1] != 15); /* by chance alone they have not */
}
END_TEST

/* A class that is in one split alone is one everywhere, and counts are the split's own. */
START_TEST(classes_are_those_of_all_rows) {
    write_rows(false);
    dt_recipe_data data = recipe(0.004, 0, "");
    dt_source test;
    dt_classes classes = {0};
    ranks_assert_ok(open_split(&test, &data, DT_SPLIT_TEST));
    ranks_assert(test.samples == 1 && test.targets.classes == CLASSES && dt_labels_count(test.targets.found) == 1);
    ranks_assert_ok(dt_targets_settle(&test.targets, &classes, true, CLASSES));
    dt_source_close(&test);
}
END_TEST

/* Data is told apart by which rows are whose. */
START_TEST(another_split_is_other_data) {
    write_rows(false);
    dt_recipe_data data = recipe(0.2, 0.1, "/patient"), other = recipe(0.2, 0.1, "/wide");
    dt_identity one, two, again;
    char text[DT_IDENTITY_TEXT];
    for (int i = 0; i < 2; i++) {
        dt_source train, judge;
        ranks_assert_ok(open_split(&train, i ? &other : &data, DT_SPLIT_TRAIN));
        ranks_assert_ok(open_split(&judge, i ? &other : &data, DT_SPLIT_VALIDATION));
        ranks_assert_ok(dt_identity_of(i ? &two : &one, &ranks, path, &train, &judge));
        dt_source_close(&train);
        dt_source_close(&judge);
    }
    dt_identity_text(&one, text);
    ranks_assert_ok(dt_identity_parse(&again, text, "c.h5"));
    ranks_assert_ok(dt_identity_compare(&again, &one));
    dt_status status = dt_identity_compare(&one, &two);
    ranks_assert(status.code == DT_ERR_INPUT &&
                 strstr(status.message, "data.train_rows is int64 [210], and was int64"));
    ranks_assert(one.count == 4 && !dt_identity_find(&one, "validation_x"));
}
END_TEST

static const struct {
    double test, validation;
    const char *by, *says;
} refused[] = {
    {0.001, 0, "", "of 300 rows of /x data.split leaves none for test, a share of 0.001"},
    {0.2, 0.001, "", "leaves none for validation, a share of 0.001"},
    {0.5, 0.499, "", "leaves none for train, a share of 0.001"},
    {0.2, 0, "/few", "of 2 different values of /few data.split leaves none for test, a share of 0.2"},
    {0.4, 0.3, "/few", "of 2 different values of /few data.split leaves none for train"},
    {0.2, 0, "/nothing", "there is no /nothing; it holds"},
    {0.2, 0, "/short", "/short has 299 rows but /x has 300; data.split needs a value for each"},
    {0.2, 0, "/half", "/half row 41 is 0.5; rows are grouped by integers"},
};

START_TEST(what_cannot_be_split_is_refused_in_one_line) {
    write_rows(false);
    dt_recipe_data data = recipe(refused[_i].test, refused[_i].validation, refused[_i].by);
    dt_source source;
    dt_status status = open_split(&source, &data, DT_SPLIT_TRAIN);
    bool right = status.code == DT_ERR_INPUT && strstr(status.message, refused[_i].says);
    if (!right) fprintf(stderr, "not \"%s\": %s\n", refused[_i].says, status.message);
    ranks_assert(right && !source.kind && !source.selection.rows);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("split");
    TCase *tests = tcase_create("split");
    tcase_add_checked_fixture(tests, make_path, remove_path);
    tcase_add_test(tests, rows_are_in_one_split_each);
    tcase_add_test(tests, groups_stay_whole_and_where_they_are_in_any_order_of_rows);
    tcase_add_test(tests, stratified_splits_have_their_share_of_every_class);
    tcase_add_test(tests, classes_are_those_of_all_rows);
    tcase_add_test(tests, another_split_is_other_data);
    tcase_add_loop_test(tests, what_cannot_be_split_is_refused_in_one_line, 0, (int)(sizeof refused / sizeof *refused));
    suite_add_tcase(suite, tests);
    return run_on_ranks(suite);
}
