/* The store room in one process: the digest, metrics, and the directory of checkpoints; HDF5 and the run directory have
 * tests of their own. What a checkpoint holds is tested on several ranks, in mpi/test_checkpoint.c. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/sample.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "folder.h"
#include "store/h5.h"
#include "store/metrics.h"
#include "store/rundir.h"
#include "suite.h"

/* ---- the digest ---- */

/* Of the state below, by a few lines of Python from the description in checkpoint.h. A later version of the program
 * must verify the checkpoints of this one: the number never changes. */
#define PUBLISHED_DIGEST 0xcac19c9580b4c6fdULL

START_TEST(the_digest_is_the_published_one) {
    dt_table table = {.count = 0};
    assert_ok(dt_table_add(&table, "dense/w", &(dt_shape){2, {2, 3}}, 0));
    assert_ok(dt_table_add(&table, "dense/b", &(dt_shape){1, {2}}, 0));
    float weights[32] = {0.5F, -1.25F, 2, 3, -4, 5.5F};
    int64_t tally[] = {1, -2, 3};
    memset(weights + 6, 0x55, 10 * sizeof *weights); /* padding */
    memcpy(weights + table.tensors[1].offset, (float[]){0.0F, -0.0F}, 8);
    dt_section section = {"/weights", &table, weights};
    dt_extra extra = {"tally", DT_I64, 3, tally};
    dt_beside beside = {.array = {"more", DT_I64, 2, tally}};
    dt_state state = {.position = {.step = 123, .epoch = 4, .sample = 56},
                      .shards = 8,
                      .seed = 42,
                      .recipe = "any: recipe",
                      .sections = &section,
                      .section_count = 1,
                      .extras = &extra,
                      .extra_count = 1};
    ck_assert_uint_eq(dt_state_digest(&state), PUBLISHED_DIGEST);
    state.beside = &beside;
    state.beside_count = 1;
    state.data = "any";
    state.isa = "any";
    ck_assert_uint_eq(dt_state_digest(&state), PUBLISHED_DIGEST);
    char text[17];
    dt_digest_text(0x0123456789abcdefULL, text);
    ck_assert_str_eq(text, "0123456789abcdef");
    dt_digest_text(0xf, text);
    ck_assert_str_eq(text, "000000000000000f");
    dt_table_finish(&table);
}
END_TEST

static int compare_digests(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Flips each bit of `bytes` in turn; digests[i] is that with bit i flipped. */
static size_t flip_all(const sample *s, void *bytes, size_t count, uint64_t *digests) {
    unsigned char *at = bytes;
    for (size_t i = 0; i < 8 * count; i++) {
        at[i / 8] ^= (unsigned char)(1 << i % 8);
        digests[i] = dt_state_digest(&s->state);
        at[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    return 8 * count;
}

START_TEST(every_bit_of_the_state_has_a_digest_of_its_own) {
    enum { MOST = 16384 };
    static uint64_t digests[MOST];
    sample s;
    sample_init(&s, SAMPLE_ODD, 12);
    size_t count = 1;
    digests[0] = dt_state_digest(&s.state);
    for (int i = 0; i < SAMPLE_SECTIONS; i++)
        for (int j = 0; j < s.table.count; j++) {
            const dt_tensor *tensor = &s.table.tensors[j];
            count += flip_all(&s, s.sections[i].data + tensor->offset, tensor->count * sizeof(float), digests + count);
        }
    count += flip_all(&s, s.exponents, (size_t)s.extras[0].count * sizeof *s.exponents, digests + count);
    count += flip_all(&s, s.tally, sizeof s.tally, digests + count);
    count += flip_all(&s, &s.state.position, sizeof s.state.position, digests + count);
    count += flip_all(&s, &s.state.shards, sizeof s.state.shards, digests + count);
    count += flip_all(&s, &s.state.seed, sizeof s.state.seed, digests + count);
    ck_assert_uint_eq(count,
                      1 + 8 * (4 * SAMPLE_SECTIONS * dt_table_elements(&s.table) + 4 * 5 + 8 * SAMPLE_WORDS + 48));
    ck_assert_uint_le(count, MOST);
    ck_assert(sample_is_whole(&s, SAMPLE_ODD)); /* every bit was flipped back */
    qsort(digests, count, sizeof *digests, compare_digests);
    for (size_t i = 1; i < count; i++) ck_assert_uint_ne(digests[i - 1], digests[i]);
    sample_finish(&s);
}
END_TEST

START_TEST(the_digest_depends_on_names_and_order_and_nothing_else) {
    sample s, same;
    sample_init(&s, SAMPLE_ODD, 3);
    sample_init(&same, SAMPLE_ODD, 3);
    uint64_t digest = dt_state_digest(&s.state);
    same.state.recipe = "another: text";
    for (int i = 0; i < SAMPLE_SECTIONS; i++) same.sections[i].data[s.table.tensors[0].count] = 1; /* padding */
    ck_assert_uint_eq(dt_state_digest(&same.state), digest);

    dt_section section = s.sections[0];
    s.sections[0] = s.sections[1];
    s.sections[1] = section;
    ck_assert_uint_ne(dt_state_digest(&s.state), digest);
    s.sections[1] = s.sections[0];
    s.sections[0] = section;
    ck_assert_uint_eq(dt_state_digest(&s.state), digest);

    s.table.tensors[1].name[0] = 'D';
    ck_assert_uint_ne(dt_state_digest(&s.state), digest);
    s.table.tensors[1].name[0] = 'd';
    s.state.extra_count--;
    ck_assert_uint_ne(dt_state_digest(&s.state), digest);
    s.state.extra_count++;
    s.state.section_count--;
    ck_assert_uint_ne(dt_state_digest(&s.state), digest);
    sample_finish(&s);
    sample_finish(&same);
}
END_TEST

/* ---- files ---- */

static struct rlimit limit_before;

/* A limit on the size of files fails like a full disk. */
static void fill_disk(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &limit_before);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){bytes, limit_before.rlim_max});
}

static void empty_disk(void) {
    setrlimit(RLIMIT_FSIZE, &limit_before);
    signal(SIGXFSZ, SIG_DFL);
}

START_TEST(a_text_file_is_written_whole_or_not_at_all) {
    assert_ok(dt_write_text_file("recipe.yaml", "seed: 1\n"));
    assert_ok(dt_write_text_file("recipe.yaml", "seed: 12\n"));
    assert_file_is("recipe.yaml", "seed: 12\n");
    fill_disk(4);
    dt_status status = dt_write_text_file("recipe.yaml", "seed: 123\n");
    empty_disk();
    assert_fails(status, DT_ERR_IO, "recipe.yaml", "File too large");
    assert_file_is("recipe.yaml", "seed: 12\n");
    assert_fails(dt_write_text_file("nowhere/recipe.yaml", ""), DT_ERR_IO, "nowhere/recipe.yaml", "No such file");
    ck_assert_int_eq(mkdir("folder", 0755), 0);
    assert_fails(dt_write_text_file("folder", ""), DT_ERR_IO, "folder", "Is a directory");
    ck_assert_str_eq(names_in("."), "folder recipe.yaml ");
}
END_TEST

START_TEST(paths_are_joined_with_one_slash) {
    static char long_name[4096];
    char path[4096];
    assert_ok(dt_path_join(path, "runs", "one"));
    ck_assert_str_eq(path, "runs/one");
    assert_ok(dt_path_join(path, "runs/", "one"));
    ck_assert_str_eq(path, "runs/one");
    assert_ok(dt_path_join(path, "/", "one"));
    ck_assert_str_eq(path, "/one");
    memset(long_name, 'x', 4090);
    assert_ok(dt_path_join(path, "runs", long_name));
    ck_assert_uint_eq(strlen(path), 4095);
    long_name[4090] = 'x';
    assert_fails(dt_path_join(path, "runs", long_name), DT_ERR_INPUT, "runs", "too long");
}
END_TEST

/* ---- metrics ---- */

static const dt_metrics_series series[] = {
    {"train", (const char *const[]){"step", "loss", "rate", NULL}},
    {"epoch", (const char *const[]){"step", "accuracy", NULL}},
};

static dt_metrics *metrics_until(int64_t last_step) {
    dt_metrics *metrics;
    assert_ok(dt_metrics_open(&metrics, ".", series, COUNT(series), last_step));
    return metrics;
}

static double loss_at(int step) {
    return 2.0 / (step + 2);
}

/* One row a step, and one of the second series after every tenth. */
static dt_status append_steps(dt_metrics *metrics, int first, int last) {
    for (int step = first; step <= last; step++) {
        DT_TRY(dt_metrics_append(metrics, 0, (double[]){step, loss_at(step), step % 3 ? 1e-3 : (double)NAN}));
        if (step % 10 == 0) DT_TRY(dt_metrics_append(metrics, 1, (double[]){step, step / 1e4}));
    }
    return dt_ok();
}

static void record(int64_t resumed_from, int first, int last) {
    dt_metrics *metrics = metrics_until(resumed_from);
    assert_ok(append_steps(metrics, first, last));
    assert_ok(dt_metrics_close(metrics));
}

/* The values of a column of metrics.h5, to dt_free. */
static double *column(const char *name, int64_t *rows) {
    dt_h5 *file;
    dt_h5_info info;
    assert_ok(dt_h5_open(&file, "metrics.h5"));
    assert_ok(dt_h5_describe(file, name, &info));
    ck_assert(info.dtype == DT_F64 && info.shape.rank == 1);
    *rows = info.shape.dim[0];
    double *values = dt_alloc((size_t)*rows + 1, sizeof *values);
    ck_assert_ptr_nonnull(values);
    assert_ok(dt_h5_read_rows(file, name, DT_F64, 0, *rows, values));
    assert_ok(dt_h5_close(&file));
    return values;
}

static void assert_column(const char *name, int64_t rows, int stride, double (*value)(int step)) {
    int64_t found;
    double *values = column(name, &found);
    ck_assert_msg(found == rows, "%s has %lld rows instead of %lld", name, (long long)found, (long long)rows);
    for (int i = 0; i < rows; i++) {
        double right = value((i + 1) * stride);
        ck_assert_msg(memcmp(&values[i], &right, sizeof right) == 0 || (isnan(right) && isnan(values[i])),
                      "%s[%d] is %.17g instead of %.17g", name, i, values[i], right);
    }
    dt_free(values);
}

static double step_at(int step) {
    return step;
}
static double rate_at(int step) {
    return step % 3 ? 1e-3 : (double)NAN;
}
static double accuracy_at(int step) {
    return step / 1e4;
}

/* Both files hold the rows of steps 1 to `last`, and nothing else. */
static void assert_recorded(int last) {
    assert_column("/train/step", last, 1, step_at);
    assert_column("/train/loss", last, 1, loss_at);
    assert_column("/train/rate", last, 1, rate_at);
    assert_column("/epoch/step", last / 10, 10, step_at);
    assert_column("/epoch/accuracy", last / 10, 10, accuracy_at);
    FILE *twin = fopen("metrics.jsonl", "r");
    ck_assert_ptr_nonnull(twin);
    char line[256], name[16];
    int rows[2] = {0};
    while (fgets(line, sizeof line, twin)) {
        int step = 0;
        ck_assert_msg(sscanf(line, "{\"series\":\"%15[a-z]\",\"step\":%d,", name, &step) == 2, "line: %s", line);
        int epoch = strcmp(name, "epoch") == 0;
        ck_assert_int_eq(step, ++rows[epoch] * (epoch ? 10 : 1));
        ck_assert_ptr_nonnull(strstr(line, epoch ? "\"accuracy\":" : "\"loss\":"));
        ck_assert_str_eq(line + strlen(line) - 2, "}\n");
    }
    fclose(twin);
    ck_assert_int_eq(rows[0], last);
    ck_assert_int_eq(rows[1], last / 10);
    ck_assert_str_eq(names_in("."), "metrics.h5 metrics.jsonl ");
}

START_TEST(rows_go_to_both_files) {
    record(0, 1, 25);
    assert_recorded(25);
}
END_TEST

START_TEST(the_twin_is_json_a_line_a_row) {
    dt_metrics *metrics = metrics_until(0);
    assert_ok(dt_metrics_append(metrics, 0, (double[]){1, 0.25, (double)NAN}));
    assert_ok(dt_metrics_append(metrics, 1, (double[]){1234567891.0, -1e-9}));
    assert_ok(dt_metrics_append(metrics, 0, (double[]){3, (double)INFINITY, -(double)INFINITY}));
    assert_file_is("metrics.jsonl", "{\"series\":\"train\",\"step\":1,\"loss\":0.25,\"rate\":null}\n"
                                    "{\"series\":\"epoch\",\"step\":1234567891,\"accuracy\":-1e-09}\n"
                                    "{\"series\":\"train\",\"step\":3,\"loss\":null,\"loss_was\":\"inf\",\"rate\":null,"
                                    "\"rate_was\":\"-inf\"}\n");
    assert_ok(dt_metrics_close(metrics));
    metrics = metrics_until(3);
    ck_assert(dt_metrics_last(metrics, 0) == 3 && isinf(dt_metrics_last_value(metrics, 0, 1)) > 0);
    assert_ok(dt_metrics_close(metrics));
    int64_t rows;
    double *losses = column("/train/loss", &rows), *rates = column("/train/rate", &rows);
    ck_assert(rows == 2 && losses[0] == 0.25 && isnan(rates[0]));
    ck_assert(isinf(losses[1]) && losses[1] > 0 && isinf(rates[1]) && rates[1] < 0);
    dt_free(losses);
    dt_free(rates);
}
END_TEST

/* Of a version that had fewer columns. */
START_TEST(rows_without_a_column_stay_and_lack_its_figure) {
    put_text("metrics.jsonl", "{\"series\":\"train\",\"step\":1,\"loss\":0.5}\n{\"series\":\"epoch\",\"step\":1}\n");
    dt_metrics *metrics = metrics_until(1);
    ck_assert(isnan(dt_metrics_last_value(metrics, 0, 2)) && dt_metrics_last_value(metrics, 0, 1) == 0.5);
    ck_assert_int_eq(dt_metrics_last(metrics, 1), 1);
    assert_ok(dt_metrics_append(metrics, 0, (double[]){2, 0.25, 1e-3}));
    assert_ok(dt_metrics_close(metrics));
    int64_t rows;
    double *rates = column("/train/rate", &rows);
    ck_assert(rows == 2 && isnan(rates[0]) && rates[1] == 1e-3);
    dt_free(rates);
}
END_TEST

/* Rows reach the file in lots, so it has all of some moment, and is not the file that is written to. */
START_TEST(metrics_h5_is_whole_while_rows_come) {
    dt_metrics *metrics = metrics_until(0);
    for (int lot = 0; lot < 3; lot++) {
        int64_t steps, losses;
        assert_ok(append_steps(metrics, 1500 * lot + 1, 1500 * (lot + 1))); /* chunks are full meanwhile */
        dt_free(column("/train/step", &steps));
        dt_free(column("/train/loss", &losses));
        ck_assert_int_eq(steps, losses);
        ck_assert_str_eq(names_in("."), "metrics.h5 metrics.h5.part metrics.jsonl ");
    }
    assert_ok(dt_metrics_close(metrics));
    assert_recorded(4500);
}
END_TEST

START_TEST(many_rows_stay_in_order) {
    record(0, 1, 2500);
    assert_recorded(2500);
    record(2400, 2401, 2450);
    assert_recorded(2450);
}
END_TEST

static const struct {
    int first_end, resumed_from, last;
} resumes[] = {{20, 20, 40}, {25, 20, 20}, {25, 20, 21}, {25, 0, 3}, {20, 1000, 30}, {0, 0, 12}, {1, 1, 1}};

START_TEST(a_resumed_run_records_what_one_never_stopped_does) {
    record(0, 1, resumes[_i].first_end);
    int kept = resumes[_i].resumed_from < resumes[_i].first_end ? resumes[_i].resumed_from : resumes[_i].first_end;
    record(resumes[_i].resumed_from, kept + 1, resumes[_i].last);
    assert_recorded(resumes[_i].last);
    size_t resumed_bytes, bytes;
    char *resumed = file_bytes("metrics.jsonl", &resumed_bytes);
    unlink("metrics.jsonl");
    record(0, 1, resumes[_i].last);
    char *whole = file_bytes("metrics.jsonl", &bytes);
    ck_assert_str_eq(resumed, whole);
    free(resumed);
    free(whole);
}
END_TEST

START_TEST(a_torn_last_line_is_dropped) {
    record(0, 1, 9);
    size_t count, before;
    char *twin = file_bytes("metrics.jsonl", &count);
    for (before = count - 1; twin[before - 1] != '\n'; before--) {
    }
    for (size_t length = before; length < count; length++) {
        put_file("metrics.jsonl", twin, length);
        record(1000, 9, 12);
        assert_recorded(12);
    }
    static const char *const damage[] = {"\n",
                                         "{\"series\":\"train\",\"step\":9",
                                         "not json\n",
                                         "{\"series\":\"other\",\"step\":9}\n",
                                         "{\"series\":\"train\",\"step\":null,\"loss\":1,\"rate\":1}\n",
                                         "{\"series\":\"train\",\"loss\":1,\"rate\":1}\n"};
    for (int i = 0; i < COUNT(damage); i++) {
        put_file("metrics.jsonl", twin, before);
        FILE *end = fopen("metrics.jsonl", "a");
        ck_assert(end && fputs(damage[i], end) >= 0);
        fclose(end);
        record(1000, 9, 12);
        assert_recorded(12);
    }
    free(twin);
}
END_TEST

typedef enum harm { MISSING, EMPTY, TEXT, CUT, FOREIGN } harm;

START_TEST(metrics_that_do_not_open_are_made_anew_from_the_twin) {
    record(0, 1, 20);
    size_t count;
    char *bytes = file_bytes("metrics.h5", &count);
    dt_h5 *foreign;
    switch ((harm)_i) {
    case MISSING: unlink("metrics.h5"); break;
    case EMPTY: put_text("metrics.h5", ""); break;
    case TEXT: put_text("metrics.h5", "not an HDF5 file"); break;
    case CUT: put_file("metrics.h5", bytes, count / 2); break;
    case FOREIGN:
        assert_ok(dt_h5_create(&foreign, "metrics.h5"));
        assert_ok(dt_h5_create_dataset(foreign, "/x", DT_F32, &(dt_shape){1, {3}}, 0));
        assert_ok(dt_h5_close(&foreign));
        break;
    }
    free(bytes);
    record(15, 16, 22);
    assert_recorded(22);
}
END_TEST

START_TEST(a_killed_run_loses_no_row) {
    pid_t pid = fork();
    if (pid == 0) {
        dt_metrics *metrics = metrics_until(0);
        _exit(append_steps(metrics, 1, 1500).code);
    }
    int code;
    ck_assert(waitpid(pid, &code, 0) == pid && WIFEXITED(code) && WEXITSTATUS(code) == 0);
    record(1500, 1501, 1500);
    assert_recorded(1500);
}
END_TEST

START_TEST(metrics_that_cannot_be_written_are_an_error) {
    dt_metrics *metrics;
    assert_fails(dt_metrics_open(&metrics, "nowhere", series, COUNT(series), 0), DT_ERR_IO, "nowhere/metrics", "");
    ck_assert_ptr_null(metrics);
    dt_metrics_series many[9];
    for (int i = 0; i < COUNT(many); i++) many[i] = series[0];
    assert_fails(dt_metrics_open(&metrics, ".", many, COUNT(many), 0), DT_ERR_USAGE, "series", "8");
    ck_assert_ptr_null(metrics);
    assert_ok(dt_metrics_close(NULL));
    record(0, 1, 9);
    metrics = metrics_until(9);
    fill_disk(100);
    dt_status status = append_steps(metrics, 10, 10);
    empty_disk();
    assert_fails(status, DT_ERR_IO, "metrics.jsonl", "File too large");
    dt_metrics_close(metrics);
    record(9, 10, 10);
    assert_recorded(10);
}
END_TEST

/* ---- the directory of checkpoints ---- */

static void make_files(const char *names) {
    char name[64];
    int used;
    ck_assert_int_eq(mkdir("checkpoints", 0755), 0);
    for (; sscanf(names, " %63s%n", name, &used) == 1; names += used) {
        char path[128];
        snprintf(path, sizeof path, "checkpoints/%s", name);
        put_text(path, name);
    }
}

START_TEST(checkpoints_are_listed_newest_first) {
    make_files("step-000000009.h5 step-000000010.h5 step-000000010.h5.tmp step-1000000000.h5 step-000000000.h5 "
               "step-999999999.h5 step-000000200.h5 step-12x.h5 step-.h5 step--00000001.h5 step-000000003.h5.bak "
               "step-99999999999999999999.h5 xstep-000000004.h5 step-11.h5 step- 5.h5 step-+5.h5 notes.txt");
    static const char *const right[] = {"step-1000000000.h5", "step-999999999.h5", "step-000000200.h5", "step-11.h5",
                                        "step-000000010.h5",  "step-000000009.h5", "step-000000000.h5"};
    char(*paths)[4096];
    int count;
    assert_ok(dt_checkpoint_list("checkpoints", &paths, &count));
    ck_assert_int_eq(count, COUNT(right));
    for (int i = 0; i < count; i++) {
        ck_assert_msg(strncmp(paths[i], "checkpoints/", 12) == 0, "%s", paths[i]);
        ck_assert_str_eq(paths[i] + 12, right[i]);
    }
    dt_free(paths);
}
END_TEST

START_TEST(many_checkpoints_are_listed) {
    char(*paths)[4096];
    int count;
    make_files("");
    for (int i = 0; i < 100; i++) {
        char path[64];
        snprintf(path, sizeof path, "checkpoints/step-%09d.h5", i * 37 % 100);
        put_text(path, "");
    }
    assert_ok(dt_checkpoint_list("checkpoints", &paths, &count));
    ck_assert_int_eq(count, 100);
    for (int i = 0; i < count; i++) {
        char path[64];
        snprintf(path, sizeof path, "checkpoints/step-%09d.h5", 99 - i);
        ck_assert_str_eq(paths[i], path);
    }
    dt_free(paths);
}
END_TEST

START_TEST(a_directory_without_checkpoints_lists_none) {
    char(*paths)[4096];
    int count = 7;
    assert_ok(dt_checkpoint_list("nowhere", &paths, &count));
    ck_assert(count == 0 && !paths);
    make_files("notes.txt");
    assert_ok(dt_checkpoint_list("checkpoints", &paths, &count));
    ck_assert_int_eq(count, 0);
    dt_free(paths);
    put_text("file", "");
    assert_fails(dt_checkpoint_list("file", &paths, &count), DT_ERR_IO, "file", "Not a directory");
    ck_assert(count == 0 && !paths);
    assert_ok(dt_checkpoint_prune("nowhere", 1, 0, 0));
}
END_TEST

/* Of checkpoints at steps 0, 10, … 70. */
static const struct {
    int keep, keep_every, keep_step;
    const char *left; /* their tens */
} prunes[] = {
    {0, 0, 0, "01234567"},   {1, 0, -1, "7"},        {2, 0, -1, "67"},         {2, 0, 30, "367"},
    {2, 0, 70, "67"},        {2, 0, 35, "67"},       {1, 30, -1, "367"},       {2, 40, 50, "4567"},
    {1, 7, -1, "7"},         {8, 0, -1, "01234567"}, {100, 0, -1, "01234567"}, {7, 0, -1, "1234567"},
    {0, 30, 20, "01234567"}, {1, 1, -1, "1234567"},  {1, 0, 0, "07"},
};

START_TEST(pruning_keeps_the_newest_the_chosen_and_the_best) {
    make_files("step-000000000.h5 step-000000010.h5 step-000000020.h5 step-000000030.h5 step-000000040.h5 "
               "step-000000050.h5 step-000000060.h5 step-000000070.h5 step-000000080.h5.tmp step-000000005.h5.tmp "
               "mine.h5 notes.txt notes.tmp");
    char left[512];
    int used = snprintf(left, sizeof left, "mine.h5 notes.tmp notes.txt ");
    for (const char *ten = prunes[_i].left; *ten; ten++)
        used += snprintf(left + used, sizeof left - (size_t)used, "step-0000000%c0.h5 ", *ten);
    for (int i = 0; i < 2; i++) {
        assert_ok(dt_checkpoint_prune("checkpoints", prunes[_i].keep, prunes[_i].keep_every, prunes[_i].keep_step));
        ck_assert_str_eq(names_in("checkpoints"), left);
    }
}
END_TEST

/* ---- */

static TCase *digest_tests(void) {
    TCase *tests = tcase_create("digest");
    tcase_add_test(tests, the_digest_is_the_published_one);
    tcase_add_test(tests, every_bit_of_the_state_has_a_digest_of_its_own);
    tcase_add_test(tests, the_digest_depends_on_names_and_order_and_nothing_else);
    return tests;
}

static TCase *file_tests(void) {
    TCase *tests = tcase_create("files");
    tcase_add_checked_fixture(tests, enter_directory, leave_directory);
    tcase_add_test(tests, a_text_file_is_written_whole_or_not_at_all);
    tcase_add_test(tests, paths_are_joined_with_one_slash);
    return tests;
}

static TCase *metrics_tests(void) {
    TCase *tests = tcase_create("metrics");
    tcase_add_checked_fixture(tests, enter_directory, leave_directory);
    tcase_add_test(tests, rows_go_to_both_files);
    tcase_add_test(tests, the_twin_is_json_a_line_a_row);
    tcase_add_test(tests, rows_without_a_column_stay_and_lack_its_figure);
    tcase_add_test(tests, metrics_h5_is_whole_while_rows_come);
    tcase_add_test(tests, many_rows_stay_in_order);
    tcase_add_loop_test(tests, a_resumed_run_records_what_one_never_stopped_does, 0, COUNT(resumes));
    tcase_add_test(tests, a_torn_last_line_is_dropped);
    tcase_add_loop_test(tests, metrics_that_do_not_open_are_made_anew_from_the_twin, 0, FOREIGN + 1);
    tcase_add_test(tests, a_killed_run_loses_no_row);
    tcase_add_test(tests, metrics_that_cannot_be_written_are_an_error);
    return tests;
}

static TCase *checkpoint_tests(void) {
    TCase *tests = tcase_create("checkpoints");
    tcase_add_checked_fixture(tests, enter_directory, leave_directory);
    tcase_add_test(tests, checkpoints_are_listed_newest_first);
    tcase_add_test(tests, many_checkpoints_are_listed);
    tcase_add_test(tests, a_directory_without_checkpoints_lists_none);
    tcase_add_loop_test(tests, pruning_keeps_the_newest_the_chosen_and_the_best, 0, COUNT(prunes));
    return tests;
}

int main(void) {
    Suite *suite = suite_create("store");
    suite_add_tcase(suite, digest_tests());
    suite_add_tcase(suite, file_tests());
    suite_add_tcase(suite, metrics_tests());
    suite_add_tcase(suite, checkpoint_tests());
    return run_suite(suite);
}
