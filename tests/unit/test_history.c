/* What a run's metrics say, read while they are written, and of many rows those that stay. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/append.h"
#include "folder.h"
#include "report/flat.h"
#include "report/history.h"
#include "report/joint.h"
#include "report/lines.h"
#include "report/thin.h"
#include "store/metrics.h"
#include "suite.h"

/* ---- flat objects ---- */

/* The pairs of a line as "key=value;", and "?" behind them where it was no whole object. */
static const char *pairs_of(const char *line) {
    static char all[512];
    char text[256];
    dt_flat_line at;
    dt_flat pair;
    snprintf(text, sizeof text, "%s", line);
    all[0] = '\0';
    for (dt_flat_begin(&at, text); dt_flat_next(&at, &pair);) {
        if (pair.kind == DT_FLAT_TEXT)
            dt_append(all, sizeof all, "%s=%s;", pair.key, pair.text);
        else
            dt_append(all, sizeof all, "%s=%s%g;", pair.key, pair.kind == DT_FLAT_BOOL ? "is " : "", pair.number);
    }
    if (!at.good) dt_append(all, sizeof all, "?");
    return all;
}

START_TEST(a_flat_object_is_read_whole_or_known_not_to_be_one) {
    static const char *const lines[][2] = {
        {"{}", ""},
        {"{\"a\":1,\"b\":-2.5e3,\"c\":\"x\",\"d\":null,\"e\":true,\"f\":false}",
         "a=1;b=-2500;c=x;d=nan;e=is 1;f=is 0;"},
        {" { \"a\" : 1 , \"b\" : 2 } ", "a=1;b=2;"},
        {"{\"a\":\"q\\\"b\\\\s\\/n\\nu\\u00e4\\ud83d\\ude00z\\u0000\\ud800\"}",
         "a=q\"b\\s/n\nu\xc3\xa4\xf0\x9f\x98\x80z\xef\xbf\xbd\xef\xbf\xbd;"},
        {"{\"a\":1", "a=1;?"},
        {"{\"a\":1,}", "a=1;?"},
        {"{\"a\":1 \"b\":2}", "a=1;?"},
        {"{\"a\":1}{", "a=1;?"},
        {"{\"a\":nan}", "?"},
        {"{\"a\":-inf}", "?"},
        {"{\"a\":Infinity}", "?"},
        {"{\"a\":1e999}", "?"},
        {"{\"a\":0x10}", "?"},
        {"{\"a\":{}}", "?"},
        {"{\"a\":\"x}", "?"},
        {"{\"a\":\"\\q\"}", "?"},
        {"{\"a\":\"\\u12g4\"}", "?"},
        {"{\"a\":\"\x01\"}", "?"},
        {"{a:1}", "?"},
        {"[1]", "?"},
        {"", "?"},
    };
    ck_assert_str_eq(pairs_of(lines[_i][0]), lines[_i][1]);
}
END_TEST
#define FLAT_LINES 21

/* ---- history ---- */

static const char *const train_columns[] = {"step", "loss", "new", NULL};
static const char *const epoch_columns[] = {"step", "test_loss", NULL};
static const dt_history_series wanted[] = {{"train", train_columns}, {"epoch", epoch_columns}};

/* What was given, as text. */
static char given[4096];

static void begin(void *context) {
    (void)context;
    dt_append(given, sizeof given, "begin;");
}

static void take_row(void *context, int series, const double *values) {
    (void)context;
    for (int i = 0; wanted[series].columns[i]; i++)
        dt_append(given, sizeof given, "%s%g", i ? "," : series ? "e" : "t", values[i]);
    dt_append(given, sizeof given, ";");
}

static dt_history *open_history(void) {
    dt_history *history;
    assert_ok(dt_history_open(&history, ".", wanted, 2, (dt_history_taker){begin, take_row, NULL}));
    return history;
}

static void expect_rows(dt_history *history, const char *rows) {
    bool news;
    given[0] = '\0';
    assert_ok(dt_history_follow(history, &news));
    ck_assert_str_eq(given, rows);
    ck_assert_int_eq(news, *rows != '\0');
}

static void append_text(const char *text) {
    FILE *out = fopen("metrics.jsonl", "a");
    ck_assert_ptr_nonnull(out);
    fputs(text, out);
    fclose(out);
}

START_TEST(rows_are_given_once_each_when_their_line_is_whole) {
    mkdir("checkpoints", 0777);
    dt_history *history = open_history();
    expect_rows(history, "");
    append_text("{\"series\":\"train\",\"step\":1,\"epoch\":0.5,\"loss\":2.5}\n{\"series\":\"ep");
    expect_rows(history, "begin;t1,2.5,nan;");
    append_text("och\",\"step\":1,\"test_loss\":3");
    expect_rows(history, "");
    append_text("}\n{\"series\":\"other\",\"step\":7}\n");
    expect_rows(history, "e1,3;");
    append_text("{\"series\":\"train\",\"new\":4,\"loss\":null,\"loss_was\":\"inf\",\"step\":2}\n");
    expect_rows(history, "t2,inf,4;");
    expect_rows(history, "");
    ck_assert_int_eq(dt_history_odd_lines(history), 0);
    dt_history_close(history);
}
END_TEST

START_TEST(a_file_in_the_place_of_the_old_one_begins_anew) {
    put_text("metrics.jsonl",
             "{\"series\":\"train\",\"step\":1,\"loss\":2}\n{\"series\":\"train\",\"step\":2,\"loss\":1}\n");
    dt_history *history = open_history();
    expect_rows(history, "begin;t1,2,nan;t2,1,nan;");
    put_text("metrics.jsonl.tmp",
             "{\"series\":\"train\",\"step\":3,\"loss\":2}\n{\"series\":\"train\",\"step\":4,\"loss\":1}\n"
             "{\"series\":\"train\",\"step\":5,\"loss\":1}\n");
    ck_assert_int_eq(rename("metrics.jsonl.tmp", "metrics.jsonl"), 0);
    expect_rows(history, "begin;t3,2,nan;t4,1,nan;t5,1,nan;");
    unlink("metrics.jsonl"); /* as a network file system shows a rename for a moment */
    expect_rows(history, "");
    put_text("metrics.jsonl", "");
    expect_rows(history, "begin;");
    dt_history_close(history);
}
END_TEST

START_TEST(lines_that_are_no_rows_are_passed_over_and_counted) {
    static char huge[3 * DT_LINES_LONGEST];
    memset(huge, 'x', sizeof huge - 1);
    append_text("{\"series\":\"train\",\"step\":1,\"loss\":2}\nnonsense\n");
    append_text(huge);
    append_text("\n{\"series\":\"train\",\"step\":2,\"loss\":NaN}\n{\"series\":\"train\",\"step\":3,\"loss\":1}\n");
    dt_history *history = open_history();
    expect_rows(history, "begin;t1,2,nan;t3,1,nan;");
    ck_assert_int_eq(dt_history_odd_lines(history), 3);
    dt_history_close(history);
}
END_TEST

START_TEST(what_the_store_writes_is_what_is_read) {
    static const char *const columns[] = {"step", "loss", NULL};
    static const dt_metrics_series series = {"train", columns};
    dt_metrics *metrics;
    assert_ok(dt_metrics_open(&metrics, ".", &series, 1, 0));
    dt_history *history = open_history();
    for (int i = 1; i <= 3; i++)
        assert_ok(dt_metrics_append(metrics, 0, (double[]){i, i == 2 ? (double)NAN : 0.1 * i}));
    expect_rows(history, "begin;t1,0.1,nan;t2,nan,nan;t3,0.3,nan;");
    assert_ok(dt_metrics_close(metrics));
    dt_history_close(history);
}
END_TEST

START_TEST(a_directory_that_is_no_run_s_is_refused) {
    dt_history *history;
    dt_history_taker taker = {begin, take_row, NULL};
    put_text("file", "x");
    assert_fails(dt_history_open(&history, ".", wanted, 2, taker), DT_ERR_INPUT, "not a run directory",
                 "metrics.jsonl");
    assert_fails(dt_history_open(&history, "file", wanted, 2, taker), DT_ERR_INPUT, "file", "not a run directory");
    assert_fails(dt_history_open(&history, "none", wanted, 2, taker), DT_ERR_INPUT, "none", "No such file");
}
END_TEST

/* ---- thinning ---- */

typedef struct collected {
    double rows[4096][2];
    int64_t count;
} collected;

static void collect(void *context, const double *row) {
    collected *all = context;
    memcpy(all->rows[all->count++], row, sizeof all->rows[0]);
}

static double figure_of(int64_t i) {
    return i == 7001 ? 1e6 : i == 3333 ? -1e6 : (double)(i * 7919 % 1000);
}

/* ---- rounds of sites ---- */

static void tell_round(dt_joint *joint, int64_t round, int sites, int late) {
    for (int site = 0; site < sites; site++) {
        if ((round + site) % 4 == 0) continue; /* not chosen */
        bool in = site != late;
        dt_joint_take(joint, DT_JOINT_SITE,
                      (double[]){(double)round, site, 100 + site, 1.0 / (double)round + site, 0.5 + site / 1e4, in,
                                 in ? 200 + site : (double)NAN});
    }
    dt_joint_take(joint, DT_JOINT_ROUND, (double[]){(double)round, sites, sites - 1, 1e6 * (double)round, 0.25});
}

START_TEST(rounds_of_sites_are_told_by_site) {
    static dt_joint joint;
    dt_joint_begin(&joint);
    ck_assert(joint.rounds == 0 && joint.links == 0 && isnan(joint.epsilon) && isnan(joint.loss.mean));
    for (int64_t round = 1; round <= 70; round++) tell_round(&joint, round, 3, round == 66 ? 0 : -1);
    ck_assert(joint.rounds == 70 && joint.round >= 70 && joint.site_count == 3 && joint.bytes >= 70e6);
    ck_assert(joint.incomplete == 1 && joint.last_incomplete >= 66 && joint.last_incomplete <= 66);
    ck_assert(joint.site[0].number == 0 && joint.site[0].left_out == 1);
    ck_assert(joint.site[0].took_part == 70 - 17 - 1); /* 4, 8, … 68 it was not chosen */
    /* round 70: site 2 is not chosen */
    ck_assert_double_eq_tol(joint.loss.least, 1.0 / 70, 1e-12);
    ck_assert_double_eq_tol(joint.loss.most, 1.0 / 70 + 1, 1e-12);
    ck_assert_double_eq_tol(joint.loss.mean, 1.0 / 70 + 0.5, 1e-12);
    ck_assert(isnan(joint.loss.curve[2]) && isfinite(joint.loss.curve[1]));
    ck_assert_double_eq_tol(joint.accuracy.mean, 0.50005, 1e-12);
    ck_assert_double_eq_tol(joint.accuracy.curve[1], 0.5001, 1e-12);
    ck_assert_double_eq_tol(joint.site[1].weight, 201, 1e-12);
    ck_assert(joint.left_out <= 0);
    ck_assert_mem_eq(joint.site[0].marks + DT_JOINT_MARKS - 8, "1.101.11", 8);
    ck_assert_mem_eq(joint.site[2].marks + DT_JOINT_MARKS - 5, ".111.", 5);
}
END_TEST

START_TEST(of_a_site_that_is_elsewhere_only_its_weight_is_told) {
    static dt_joint joint;
    const double none = (double)NAN;
    dt_joint_begin(&joint);
    dt_joint_take(&joint, DT_JOINT_SITE, (double[]){1, 0, none, none, none, 1, 700});
    dt_joint_take(&joint, DT_JOINT_SITE, (double[]){1, 1, 90, 0.25, 0.75, 1, 90});
    dt_joint_take(&joint, DT_JOINT_SITE, (double[]){1, 2, none, none, none, 0, none});
    dt_joint_take(&joint, DT_JOINT_ROUND, (double[]){1, 3, 2, 1e6, 0.25});
    ck_assert_double_eq_tol(joint.site[0].weight, 700, 1e-12);
    ck_assert(isnan(joint.site[0].loss) && isnan(joint.loss.curve[0]) && isnan(joint.site[2].weight));
    ck_assert_double_eq_tol(joint.loss.mean, 0.25, 1e-12);
    ck_assert(joint.accuracy.sites == 1 && joint.left_out >= 1);
}
END_TEST

START_TEST(sites_are_many_and_memory_is_bounded) {
    static dt_joint joint;
    dt_joint_begin(&joint);
    for (int64_t round = 1; round <= 3; round++) tell_round(&joint, round, 1000, -1);
    ck_assert_int_eq(joint.site_count, DT_JOINT_SITES);
    ck_assert_double_eq_tol(joint.loss.most, 1.0 / 3 + 999, 1e-9);
    static const double odd[][7] = {{4, -1, 0, 0, 0, 1, 1}, {4, 1e300, 0, 0, 0, 1, 1}, {4, (double)NAN, 0, 0, 0, 1, 1}};
    for (int i = 0; i < COUNT(odd); i++) dt_joint_take(&joint, DT_JOINT_SITE, odd[i]);
    ck_assert_int_eq(joint.site_count, DT_JOINT_SITES);
    ck_assert_int_eq(joint.now_loss.sites, 0);
}
END_TEST

START_TEST(the_newest_link_and_what_was_spent_are_told) {
    static dt_joint joint;
    dt_joint_begin(&joint);
    dt_joint_take(&joint, DT_JOINT_CHAIN, (double[]){8, 1, 2, 3, 4});
    dt_joint_take(&joint, DT_JOINT_CHAIN, (double[]){16, 0xffffffff, 0, 0xdeadbeef, 5});
    ck_assert(joint.links == 2 && joint.link_step >= 16);
    ck_assert_uint_eq(joint.digest, UINT64_C(0xffffffff00000000));
    ck_assert_uint_eq(joint.link, UINT64_C(0xdeadbeef00000005));
    dt_joint_take(&joint, DT_JOINT_CHAIN, (double[]){24, -1, 2, 1e300, (double)NAN});
    ck_assert(joint.digest == 0 && joint.link == 0);
    dt_joint_take(&joint, DT_JOINT_PRIVACY, (double[]){24, 1.5});
    ck_assert(joint.epsilon >= 1.5 && joint.epsilon_step >= 24);
}
END_TEST

/* ---- of many rows a few ---- */

START_TEST(few_rows_all_stay) {
    static collected all;
    dt_thin *thin;
    assert_ok(dt_thin_create(&thin, 2, 1, 10));
    ck_assert_ptr_null(dt_thin_last(thin));
    for (int i = 0; i < 10; i++) dt_thin_add(thin, (double[]){i, figure_of(i)});
    dt_thin_add(thin, (double[]){11, (double)NAN});
    ck_assert_int_eq(dt_thin_each(thin, collect, &all), 10);
    for (int i = 0; i < 10; i++) ck_assert(all.rows[i][0] == i && all.rows[i][1] == figure_of(i));
    ck_assert(dt_thin_last(thin)[0] == 9);
    dt_thin_destroy(thin);
}
END_TEST

/* Against all rows: what stays is rows, in their order, with first and last, and in any stretch of two buckets' length
 * nothing is above the most or below the least of what stayed there. */
START_TEST(of_many_rows_extremes_stay) {
    enum { ROWS = 10007, BUCKETS = 64 };
    static collected all;
    dt_thin *thin;
    assert_ok(dt_thin_create(&thin, 2, 1, BUCKETS));
    for (int64_t i = 0; i < ROWS; i++) dt_thin_add(thin, (double[]){(double)i, figure_of(i)});
    int64_t count = dt_thin_each(thin, collect, &all);
    ck_assert_int_eq(count, all.count);
    ck_assert_int_le(count, 2 * BUCKETS + 2);
    ck_assert_int_ge(count, BUCKETS / 2);
    ck_assert_int_eq(dt_thin_rows(thin), ROWS);
    bool peak = false, valley = false;
    for (int64_t i = 0; i < count; i++) {
        ck_assert(all.rows[i][1] == figure_of((int64_t)all.rows[i][0]));
        if (i > 0) ck_assert(all.rows[i][0] > all.rows[i - 1][0]);
        peak = peak || all.rows[i][0] == 7001;
        valley = valley || all.rows[i][0] == 3333;
    }
    ck_assert(peak && valley && all.rows[0][0] == 0 && all.rows[count - 1][0] == ROWS - 1);
    const int64_t stride = 256; /* the power of two that brings 10007 rows into 64 buckets */
    for (int64_t bucket = 0; bucket * stride < ROWS; bucket++) {
        double least = (double)INFINITY, most = -(double)INFINITY;
        for (int64_t i = 0; i < count; i++) {
            if ((int64_t)all.rows[i][0] / stride != bucket) continue;
            least = fmin(least, all.rows[i][1]);
            most = fmax(most, all.rows[i][1]);
        }
        for (int64_t i = bucket * stride; i < (bucket + 1) * stride && i < ROWS; i++)
            ck_assert(figure_of(i) >= least && figure_of(i) <= most);
    }
    dt_thin_clear(thin);
    ck_assert_int_eq(dt_thin_each(thin, NULL, NULL), 0);
    dt_thin_destroy(thin);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("history");
    TCase *lines = tcase_create("lines");
    tcase_add_loop_test(lines, a_flat_object_is_read_whole_or_known_not_to_be_one, 0, FLAT_LINES);
    suite_add_tcase(suite, lines);
    TCase *rows = tcase_create("rows");
    tcase_add_checked_fixture(rows, enter_directory, leave_directory);
    tcase_add_test(rows, rows_are_given_once_each_when_their_line_is_whole);
    tcase_add_test(rows, a_file_in_the_place_of_the_old_one_begins_anew);
    tcase_add_test(rows, lines_that_are_no_rows_are_passed_over_and_counted);
    tcase_add_test(rows, what_the_store_writes_is_what_is_read);
    tcase_add_test(rows, a_directory_that_is_no_run_s_is_refused);
    suite_add_tcase(suite, rows);
    TCase *thinning = tcase_create("thinning");
    tcase_add_test(thinning, rounds_of_sites_are_told_by_site);
    tcase_add_test(thinning, of_a_site_that_is_elsewhere_only_its_weight_is_told);
    tcase_add_test(thinning, sites_are_many_and_memory_is_bounded);
    tcase_add_test(thinning, the_newest_link_and_what_was_spent_are_told);
    tcase_add_test(thinning, few_rows_all_stay);
    tcase_add_test(thinning, of_many_rows_extremes_stay);
    suite_add_tcase(suite, thinning);
    return run_suite(suite);
}
