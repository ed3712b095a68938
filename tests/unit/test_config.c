/* The recipe, from text to struct and back. Every row of the table is violated and must be named with its line. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "recipes.h"

/* The smallest recipe, with a line more. */
static const char *small(const char *more) {
    static char text[8192];
    snprintf(text, sizeof text, "data: {file: d.h5}\nmodel: {layers: [flatten, dense: 10]}\n%s\n", more);
    return text;
}

static char *resolved(const char *more) {
    dt_recipe r;
    char *text;
    assert_ok(decode_text(&r, small(more)));
    assert_ok(dt_recipe_emit(&r, NULL, &text));
    dt_recipe_finish(&r);
    return text;
}

/* ---- fields ---- */

/* A recipe with one field set. Returns its line. */
static int document(const char *key, const char *value, char *out, size_t size) {
    const char *dot = strrchr(key, '.'), *last = dot ? dot + 1 : key;
    if (strcmp(key, "data.file") == 0) {
        snprintf(out, size, "\ndata:\n\n  file: %s\n", value);
        return 4;
    }
    if (strncmp(key, "data.", 5) == 0 && dot > key + 5) {
        snprintf(out, size, "data:\n  file: d.h5\n  %.*s:\n    %s: %s\n", (int)(dot - key - 5), key + 5, last, value);
        return 4;
    }
    if (strncmp(key, "data.", 5) == 0) {
        snprintf(out, size, "data:\n  file: d.h5\n  %s: %s\n", last, value);
        return 3;
    }
    const char *first = strchr(key, '.');
    if (dot && dot > first) {
        snprintf(out, size, "data:\n  file: d.h5\n%.*s:\n  %.*s:\n    %s: %s\n", (int)(first - key), key,
                 (int)(dot - first - 1), first + 1, last, value);
        return 5;
    }
    if (!dot) {
        snprintf(out, size, "data:\n  file: d.h5\n%s: %s\n", key, value);
        return 3;
    }
    snprintf(out, size, "data:\n  file: d.h5\n%.*s:\n  %s: %s\n", (int)(dot - key), key, last, value);
    return 4;
}

static void assert_refused(const dt_field *field, const char *value, const char *must_be) {
    char text[2048], where[128];
    int line = document(field->key, value, text, sizeof text);
    snprintf(where, sizeof where, "recipe t.yaml:%d: %s ", line, field->key);
    dt_status status = decode_status(text);
    assert_fails(status, DT_ERR_INPUT, where);
    assert_fails(status, DT_ERR_INPUT, must_be);
    if (field->fallback && field->fallback[0]) {
        snprintf(where, sizeof where, "(default %s)", field->fallback);
        assert_fails(status, DT_ERR_INPUT, where);
    }
}

static void assert_accepted(const dt_field *field, const char *value) {
    char text[2048];
    document(field->key, value, text, sizeof text);
    dt_yaml *root = parse(text);
    dt_recipe recipe;
    static const char *const also[] = {"model.layers", NULL};
    dt_status status = dt_fields_decode(dt_recipe_fields, root, "", also, &recipe);
    ck_assert_msg(status.code == DT_OK, "%s: %s: %s", field->key, value, status.message);
    dt_yaml_destroy(root);
}

static int field_count(void) {
    int count = 0;
    while (dt_recipe_fields[count].key) count++;
    return count;
}

START_TEST(a_value_of_the_wrong_type_is_named_with_its_line_and_what_would_be_right) {
    static const struct {
        const char *values[16];
        const char *must_be;
    } wrong[] = {
        [DT_FIELD_BOOL] = {{"maybe", "2", "", "[true]", "{a: true}"}, "must be true or false"},
        [DT_FIELD_INT] = {{"many", "32.0", "1e3", "0x10", "1_000", "nan", "\"-\"", "", "\"3 \"", "[3]", "{a: 3}"},
                          "must be a whole number"},
        [DT_FIELD_REAL] = {{"many", "nan", ".inf", "0x1p3", "1,5", "1_0", ".", "e5", "1e", "", "[3]", "{a: 3}"},
                           "must be a number"},
        [DT_FIELD_TEXT] = {{"\"a\\nb\"", "\"\\e[1m\"", "[a]", "{a: a}"}, "must be one line of text"},
        [DT_FIELD_TEXTS] = {{"\"a\\nb\"", "[\"a\\nb\"]", "\"\\e[1m\"", "{a: a}"}, "must be one line of text"},
        [DT_FIELD_DATASETS] = {{"\"a\\nb\"", "[\"a\\nb\"]", "\"\\e[1m\"", "{a: \"b\\nc\"}"},
                               "must be one line of text"},
        [DT_FIELD_CHOICE] = {{"none-such", "0", "", "[sgd]", "{a: b}"}, "must be "},
        [DT_FIELD_SPAN] = {{"often", "3 fortnights", "-1 epoch", "2.5 steps", "epoch", "1e", "", "[3]"},
                           "must be a span such as 200 steps"},
        [DT_FIELD_BYTES] = {{"2 G", "many", "-1", "1.5", "0.5 B", "2GB/s", "", "[3]", "{a: 3}"},
                            "must be a size such as"},
        [DT_FIELD_LIST] = {{NULL}, ""}, /* the recipe has none; layers do: test_model.c */
        [DT_FIELD_REALS] = {{"many", "nan", "1,5", "1_0", "", "[]", "[1, many]", "[[1]]", "[1, 2.5.6]", "{a: 3}"},
                            "must be a number, or a list of at most 64 numbers"},
    };
    const dt_field *field = &dt_recipe_fields[_i];
    for (int i = 0; wrong[field->type].values[i]; i++)
        assert_refused(field, wrong[field->type].values[i], wrong[field->type].must_be);
}
END_TEST

START_TEST(a_number_outside_its_range_is_refused_and_one_at_its_edge_is_not) {
    static const struct {
        const char *key, *bad[3], *good[3], *must_be;
    } rows[] = {
        {"seed", {"-1", "9223372036854775808"}, {"0", "9223372036854775807"}, ""},
        {"data.file", {"\"\"", "~"}, {"\"~\"", "x", "[a.h5, \"b, c.h5\"]"}, "not empty"},
        {"data.samples_axis", {"-7", "6"}, {"-6", "5"}, "at least -6 and at most 5"},
        {"data.train_x", {"\"\""}, {"x"}, "not empty"},
        {"data.train_y", {"\"\""}, {"x"}, "not empty"},
        {"data.mean", {"1e400"}, {"-1e300", "0"}, "within ±1.7e308"},
        {"data.std", {"0", "-1", "[1, 0]"}, {"1e-300", "+.5", "[1, 2e-3]"}, "greater than 0"},
        {"data.target.mean", {"1e400", "[0, 1e400]"}, {"[-1e300, 0]", "0"}, "within ±1.7e308"},
        {"data.target.std", {"0", "[1, -1]"}, {"1e-300", "[0.5]"}, "greater than 0"},
        {"data.split.test", {"-0.1", "1"}, {"0", "0.99"}, "at least 0 and less than 1"},
        {"data.split.validation", {"-0.1", "1"}, {"0", "0.99"}, "at least 0 and less than 1"},
        {"data.split.seed", {"-1"}, {"0", "7"}, "at least 0"},
        {"data.train_tokens", {"\"\""}, {NULL}, "not empty"},
        {"data.context", {"-1", "1000001"}, {"0", "1000000"}, "at least 0 and at most 1000000"},
        {"data.vocabulary", {"-1", "16777216"}, {"0"}, "at least 0 and at most 16777215"},
        {"data.shuffle_block", {"-1", "1000000001"}, {"0", "1000000000"}, "at least 0 and at most 1000000000"},
        {"data.shuffle_window", {"0", "1000001"}, {"1", "1000000"}, "at least 1 and at most 1000000"},
        {"data.memory", {"-1", "1e19"}, {"0", "2 GB", "1.5 KiB"}, ""},
        {"data.mask_rate", {"0", "1.5"}, {"0.15"}, "greater than 0 and at most 1"},
        {"data.pad", {"-2", "16777216"}, {"-1"}, "at least -1 and at most 16777215"},
        {"train.steps", {"-1"}, {"0", "100000"}, "at least 0"},
        {"data.augment.crop_padding", {"-1"}, {"0", "4"}, "at least 0"},
        {"model.label_smoothing", {"1", "-0.1"}, {"0", "0.99"}, "at least 0 and less than 1"},
        {"optimizer.lr", {"0", "-0.1", "1e-400"}, {"1e-3", "1e9", "5"}, "greater than 0"},
        {"optimizer.momentum", {"1", "-0.1"}, {"0", "0.99"}, "at least 0 and less than 1"},
        {"optimizer.beta1", {"1", "-0.1"}, {"0", "0.99"}, "at least 0 and less than 1"},
        {"optimizer.beta2", {"1", "-0.1"}, {"0", "0.99"}, "at least 0 and less than 1"},
        {"optimizer.rho", {"1", "-0.1"}, {"0", "0.99"}, "at least 0 and less than 1"},
        {"optimizer.eps", {"0", "-1e-8"}, {"1e-300"}, "greater than 0"},
        {"optimizer.weight_decay", {"-0.1"}, {"0", "7"}, "at least 0"},
        {"optimizer.l2", {"-0.1"}, {"0", "7"}, "at least 0"},
        {"optimizer.clip_norm", {"-0.1"}, {"0", "7"}, "at least 0"},
        {"optimizer.clip_value", {"-0.1"}, {"0", "7"}, "at least 0"},
        {"schedule.warmup", {"-1"}, {"0", "100000"}, "at least 0"},
        {"schedule.period", {"0"}, {"1", "100000"}, "at least 1"},
        {"schedule.factor", {"0", "1.5"}, {"1", "0.5"}, "greater than 0 and at most 1"},
        {"schedule.final", {"-0.1", "1.1"}, {"0", "1"}, "at least 0 and at most 1"},
        {"schedule.initial", {"-0.1", "1.1"}, {"0", "1"}, "at least 0 and at most 1"},
        {"schedule.peak", {"-0.1", "1.1"}, {"0", "1"}, "at least 0 and at most 1"},
        {"train.epochs", {"0", "-3"}, {"1", "100000"}, "at least 1"},
        {"train.batch", {"0", "99999999999999999999"}, {"1", "65536"}, "at least 1 and at most 1000000000"},
        {"train.micro_batch", {"-1"}, {"0", "1"}, "at least 0"},
        {"train.shards", {"-1"}, {"0", "1"}, "at least 0"},
        {"train.stop_after", {"1e13", "1e308 h"}, {"never", "0"}, "at most 1000000000000"},
        {"train.time_limit", {"1e13", "1e308 h"}, {"never", "2h"}, "at most 1000000000000"},
        {"train.eval_every", {"1e13 epochs"}, {"0.5 epochs"}, "at most 1000000000000"},
        {"train.log_every", {"1e13"}, {"1e3"}, "at most 1000000000000"},
        {"train.check_every", {"-1"}, {"0"}, "at least 0"},
        {"train.chain", {"-1"}, {"0"}, "at least 0"},
        {"train.audit", {"-0.1", "1.5"}, {"0", "1"}, "at least 0 and at most 1"},
        {"train.timeout", {"-1", "1e7"}, {"0", "0.5"}, "at least 0 and at most 1000000"},
        {"train.lease", {"0.5", "3601"}, {"1", "3600"}, "at least 1 and at most 3600"},
        {"train.patience", {"-1"}, {"0"}, "at least 0"},
        {"train.class_weights",
         {"-1", "[1, -0.5]", "1e31"},
         {"0", "[0, 2.5]", "balanced"},
         "at least 0 and at most 1e+30"},
        {"checkpoint.keep_every", {"-1"}, {"0"}, "at least 0"},
        {"checkpoint.every", {"1e13 s"}, {"90 s", "budget", "never"}, "at most 1000000000000"},
        {"report.every", {"1e13 s"}, {"90 s", "5 epochs", "never"}, "at most 1000000000000"},
        {"report.samples", {"-1", "1000001"}, {"0", "1000000"}, "at least 0 and at most 1000000"},
        {"checkpoint.budget", {"0", "-1 %", "101%"}, {"1", "0.5 %", "100%"}, "greater than 0 and at most 100"},
        {"checkpoint.keep", {"-1"}, {"0"}, "at least 0"},
        {"reduce.node_ranks", {"-1", "1000001"}, {"0", "1000000"}, "at least 0 and at most 1000000"},
        {"sites.count", {"-1", "1000001"}, {"0", "1000000"}, "at least 0 and at most 1000000"},
        {"sites.simulate", {"-1", "1000001"}, {"0", "1000000"}, "at least 0 and at most 1000000"},
        {"sites.per_round", {"-1", "1000001"}, {"0", "1000000"}, "at least 0 and at most 1000000"},
        {"sites.rounds", {"0", "1000000001"}, {"1", "1000000000"}, "at least 1 and at most 1000000000"},
        {"sites.round", {"1e13"}, {"30", "2 epochs"}, "at most 1000000000"},
        {"sites.outer.lr", {"0", "-0.1"}, {"1", "0.7"}, "greater than 0"},
        {"sites.outer.momentum", {"1", "-0.1"}, {"0", "0.8"}, "at least 0 and less than 1"},
        {"sites.outer.beta1", {"1", "-0.1"}, {"0", "0.99"}, "at least 0 and less than 1"},
        {"sites.outer.beta2", {"1", "-0.1"}, {"0", "0.99"}, "at least 0 and less than 1"},
        {"sites.outer.eps", {"0", "-1e-8"}, {"1e-300"}, "greater than 0"},
        {"sites.wait", {"1e10 s"}, {"0", "10 min", "never"}, "at most 1000000000"},
        {"sites.deadline", {"1e10 s"}, {"2h", "never"}, "at most 1000000000"},
        {"sites.quorum", {"-1", "65"}, {"0", "64"}, "at least 0 and at most 64"},
        {"sites.keep", {"-1", "1000000001"}, {"0", "20"}, "at least 0 and at most 1000000000"},
        {"sites.forget", {"-1", "1000000001"}, {"0", "20"}, "at least 0 and at most 1000000000"},
        {"sites.threshold", {"-1", "65"}, {"0", "64"}, "at least 0 and at most 64"},
        {"sites.proximal", {"-0.1"}, {"0", "7"}, "at least 0"},
        {"sites.local", {NULL}, {"x", "[\"*batch_norm*\", dense2]"}, ""},
        {"privacy.clip", {"-1", "1e31"}, {"0", "0.1"}, "at least 0 and at most 1e+30"},
        {"privacy.noise", {"-0.1", "1e7"}, {"0", "1.23"}, "at least 0 and at most 1000000"},
        {"privacy.delta", {"0", "1"}, {"1e-5"}, "greater than 0 and less than 1"},
        {"privacy.max_epsilon", {"-1", "1e7"}, {"0", "3"}, "at least 0 and at most 1000000"},
        {"privacy.reproducible_noise", {"-2"}, {"-1", "0", "7"}, "at least -1"},
        {"privacy.honest", {"-1", "65"}, {"0", "3"}, "at least 0 and at most 64"},
        {"compute.threads", {"0", "1025"}, {"1", "1024"}, "at least 1 and at most 1024"},
    };
    int seen = 0;
    for (int i = 0; i < COUNT(rows); i++)
        for (const dt_field *field = dt_recipe_fields; field->key; field++) {
            if (strcmp(field->key, rows[i].key) != 0) continue;
            for (int j = 0; j < 3 && rows[i].bad[j]; j++) assert_refused(field, rows[i].bad[j], rows[i].must_be);
            for (int j = 0; j < 3 && rows[i].good[j]; j++) assert_accepted(field, rows[i].good[j]);
            seen++;
        }
    ck_assert_int_eq(seen, COUNT(rows));
    for (const dt_field *field = dt_recipe_fields; field->key; field++) { /* no number was forgotten above */
        bool listed = field->type == DT_FIELD_BOOL || field->type == DT_FIELD_TEXT || field->type == DT_FIELD_CHOICE ||
                      field->type == DT_FIELD_DATASETS;
        for (int i = 0; i < COUNT(rows) && !listed; i++) listed = strcmp(field->key, rows[i].key) == 0;
        ck_assert_msg(listed, "%s is not in the table of this test", field->key);
    }
}
END_TEST

START_TEST(a_list_of_files_is_one_text_that_reads_as_the_same_list) {
    static const char *const lists[][2] = {
        {"[a.h5, b.h5]", "[a.h5, b.h5]"},
        {"[\"b, c.h5\", \"x[1].h5\", \" d\"]", "['b, c.h5', 'x[1].h5', ' d']"},
        {"run-*.h5", "run-*.h5"},
        {"['a']", "[a]"},
    };
    for (int i = 0; i < COUNT(lists); i++) {
        char text[2048];
        document("data.file", lists[i][0], text, sizeof text);
        dt_yaml *root = parse(text);
        dt_recipe recipe;
        static const char *const also[] = {"model.layers", NULL};
        assert_ok(dt_fields_decode(dt_recipe_fields, root, "", also, &recipe));
        ck_assert_str_eq(recipe.data.file, lists[i][1]);
        dt_yaml_destroy(root);
    }
    char text[2048];
    document("data.train_x", "{image: /a, meta: [/b, \"/t['x y']\"]}", text, sizeof text);
    dt_yaml *root = parse(text);
    dt_recipe recipe;
    static const char *const also[] = {"model.layers", NULL};
    assert_ok(dt_fields_decode(dt_recipe_fields, root, "", also, &recipe));
    ck_assert_str_eq(recipe.data.train_x, "{image: /a, meta: [/b, '/t[''x y'']']}");
    dt_yaml_destroy(root);
    const dt_field *field = dt_field_find(dt_recipe_fields, "data.file");
    assert_refused(field, "[[a.h5]]", "at most 2047 bytes");
    assert_accepted(field, "[\"it's.h5\"]");
}
END_TEST

START_TEST(a_text_of_256_bytes_is_refused_and_one_of_255_is_not) {
    const dt_field *field = &dt_recipe_fields[1]; /* run */
    char text[257];
    memset(text, 'a', 256);
    text[256] = '\0';
    assert_refused(field, text, "at most 255 bytes");
    text[255] = '\0';
    assert_accepted(field, text);
}
END_TEST

START_TEST(a_recipe_of_only_what_is_required_has_the_documented_defaults) {
    dt_recipe r;
    assert_ok(decode_text(&r, small("")));
    ck_assert_str_eq(r.name, "t");
    ck_assert_str_eq(r.run, "");
    ck_assert_int_eq(r.seed, 1);
    ck_assert_str_eq(r.data.file, "d.h5");
    ck_assert_str_eq(r.data.train_x, "/train/x");
    ck_assert_str_eq(r.data.train_y, "/train/y");
    ck_assert_str_eq(r.data.test_x, "/test/x");
    ck_assert_str_eq(r.data.test_y, "/test/y");
    ck_assert_str_eq(r.data.spool, "");
    ck_assert(r.data.scale.mean.value[0] == 0 && r.data.scale.std.value[0] == 1 && r.data.shuffle == DT_SHUFFLE_GLOBAL);
    ck_assert(r.data.shuffle_block == 0 && r.data.shuffle_window == 32);
    ck_assert(r.data.scale.normalize == DT_NORMALIZE_GIVEN && r.data.target.normalize == DT_NORMALIZE_NONE);
    ck_assert(r.data.channels == DT_CHANNELS_AUTO);
    ck_assert(r.data.crop_padding == 0 && !r.data.flip);
    ck_assert(r.loss.kind == DT_LOSS_SOFTMAX_CROSS_ENTROPY && r.loss.label_smoothing == 0);
    ck_assert(r.optimizer.kind == DT_ADAM && r.optimizer.lr == 0.001 && r.optimizer.momentum == 0);
    ck_assert(r.optimizer.beta1 == 0.9 && r.optimizer.beta2 == 0.999 && r.optimizer.rho == 0.99);
    ck_assert(r.optimizer.eps == 1e-8 && !r.optimizer.nesterov && r.optimizer.weight_decay == 0);
    ck_assert(r.optimizer.l2 == 0 && r.optimizer.clip_norm == 0 && r.optimizer.clip_value == 0);
    ck_assert(r.schedule.kind == DT_SCHEDULE_CONSTANT && r.schedule.warmup == 0 && r.schedule.period == 1000);
    ck_assert(r.schedule.factor == 0.1 && r.schedule.final == 0 && r.schedule.initial == 0.04);
    ck_assert(r.schedule.peak == 0.3);
    ck_assert(r.train.epochs == 5 && r.train.batch == 32 && r.train.micro_batch == 0 && r.train.shards == 0);
    ck_assert(r.train.stop_after.unit == DT_SPAN_NEVER && r.train.check_every == 500);
    ck_assert(r.train.eval_every.unit == DT_SPAN_EPOCHS && r.train.eval_every.value == 1);
    ck_assert(r.train.log_every.unit == DT_SPAN_STEPS && r.train.log_every.value == 500);
    ck_assert(r.train.timeout == 300 && r.train.not_finite == DT_NOT_FINITE_STOP && r.train.patience == 0);
    ck_assert(r.checkpoint.keep_every == 0 && r.checkpoint.best == DT_BEST_NONE);
    ck_assert(r.checkpoint.every.unit == DT_SPAN_BUDGET && r.checkpoint.budget == 1 && r.checkpoint.keep == 3);
    ck_assert(r.reduce.wire == DT_WIRE_I32 && r.compute.isa == 0 && r.compute.threads == 1);
    ck_assert(r.compute.precision == DT_PRECISION_FLOAT32);
    ck_assert_ptr_nonnull(r.layers);
    dt_recipe_finish(&r);
}
END_TEST

START_TEST(every_choice_is_the_enumerator_of_its_name) {
    static const struct {
        const char *text;
        size_t offset;
        int is;
    } rows[] = {
        {"model: {loss: mean_squared_error}", offsetof(dt_recipe, loss.kind), DT_LOSS_MEAN_SQUARED_ERROR},
        {"model: {loss: binary_cross_entropy}", offsetof(dt_recipe, loss.kind), DT_LOSS_BINARY_CROSS_ENTROPY},
        {"data: {file: d, normalize: none}", offsetof(dt_recipe, data.scale.normalize), DT_NORMALIZE_NONE},
        {"data: {file: d, normalize: given}", offsetof(dt_recipe, data.scale.normalize), DT_NORMALIZE_GIVEN},
        {"data: {file: d, normalize: computed}", offsetof(dt_recipe, data.scale.normalize), DT_NORMALIZE_STANDARDISE},
        {"data: {file: d, normalize: min_max}", offsetof(dt_recipe, data.scale.normalize), DT_NORMALIZE_MIN_MAX},
        {"data: {file: d, channels: none}", offsetof(dt_recipe, data.channels), DT_CHANNELS_NONE},
        {"data: {file: d, channels: first}", offsetof(dt_recipe, data.channels), DT_CHANNELS_FIRST},
        {"data: {file: d, channels: last}", offsetof(dt_recipe, data.channels), DT_CHANNELS_LAST},
        {"optimizer: {kind: sgd}", offsetof(dt_recipe, optimizer.kind), DT_SGD},
        {"optimizer: {kind: adamw}", offsetof(dt_recipe, optimizer.kind), DT_ADAMW},
        {"optimizer: {kind: rmsprop}", offsetof(dt_recipe, optimizer.kind), DT_RMSPROP},
        {"optimizer: {kind: adagrad}", offsetof(dt_recipe, optimizer.kind), DT_ADAGRAD},
        {"optimizer: {kind: lamb, beta2: 0.99, eps: 1e-6}", offsetof(dt_recipe, optimizer.kind), DT_LAMB},
        {"schedule: {kind: step}", offsetof(dt_recipe, schedule.kind), DT_SCHEDULE_STEP},
        {"schedule: {kind: cosine}", offsetof(dt_recipe, schedule.kind), DT_SCHEDULE_COSINE},
        {"schedule: {kind: linear}", offsetof(dt_recipe, schedule.kind), DT_SCHEDULE_LINEAR},
        {"schedule: {kind: one_cycle}", offsetof(dt_recipe, schedule.kind), DT_SCHEDULE_ONE_CYCLE},
        {"reduce: {wire: f32}", offsetof(dt_recipe, reduce.wire), DT_WIRE_F32},
        {"reduce: {wire: i64}", offsetof(dt_recipe, reduce.wire), DT_WIRE_I64},
        {"reduce: {path: node}", offsetof(dt_recipe, reduce.path), DT_PATH_NODE},
        {"reduce: {path: flat}", offsetof(dt_recipe, reduce.path), DT_PATH_FLAT},
        {"train: {not_finite: skip}", offsetof(dt_recipe, train.not_finite), DT_NOT_FINITE_SKIP},
        {"train: {not_finite: rollback}", offsetof(dt_recipe, train.not_finite), DT_NOT_FINITE_ROLLBACK},
        {"checkpoint: {best: test_loss}", offsetof(dt_recipe, checkpoint.best), DT_BEST_TEST_LOSS},
        {"checkpoint: {best: test_accuracy}", offsetof(dt_recipe, checkpoint.best), DT_BEST_TEST_ACCURACY},
        {"compute: {isa: baseline}", offsetof(dt_recipe, compute.isa), 1},
        {"compute: {isa: avx512}", offsetof(dt_recipe, compute.isa), 3},
        {"compute: {precision: bf16}", offsetof(dt_recipe, compute.precision), DT_PRECISION_BF16},
    };
    static const char *const also[] = {"model.layers", NULL};
    for (int i = 0; i < COUNT(rows); i++) {
        char text[256];
        snprintf(text, sizeof text, "%s%s", strncmp(rows[i].text, "data", 4) ? "data: {file: d}\n" : "", rows[i].text);
        dt_yaml *root = parse(text);
        dt_recipe recipe;
        assert_ok(dt_fields_decode(dt_recipe_fields, root, "", also, &recipe));
        int chosen;
        memcpy(&chosen, (const char *)&recipe + rows[i].offset, sizeof chosen);
        ck_assert_msg(chosen == rows[i].is, "%s", rows[i].text);
        dt_yaml_destroy(root);
    }
}
END_TEST

START_TEST(spans_and_truths_are_read_in_all_their_spellings) {
    static const struct {
        const char *text, *written;
        dt_span span;
    } spans[] = {
        {"200", "200 steps", {200, DT_SPAN_STEPS}},
        {"1 step", "1 step", {1, DT_SPAN_STEPS}},
        {"1e3 steps", "1000 steps", {1000, DT_SPAN_STEPS}},
        {"90s", "90 s", {90, DT_SPAN_SECONDS}},
        {"2 min", "120 s", {120, DT_SPAN_SECONDS}},
        {"1 m", "60 s", {60, DT_SPAN_SECONDS}},
        {"1.5 h", "5400 s", {5400, DT_SPAN_SECONDS}},
        {"2 epochs", "2 epochs", {2, DT_SPAN_EPOCHS}},
        {"1 epoch", "1 epoch", {1, DT_SPAN_EPOCHS}},
        {"0.5 epoch", "0.5 epochs", {0.5, DT_SPAN_EPOCHS}},
        {"0", "never", {0, DT_SPAN_NEVER}},
        {"never", "never", {0, DT_SPAN_NEVER}},
        {"0 epochs", "never", {0, DT_SPAN_NEVER}},
        {"budget", "budget", {0, DT_SPAN_BUDGET}},
    };
    const dt_field *every = NULL;
    for (const dt_field *field = dt_recipe_fields; field->key; field++)
        if (strcmp(field->key, "checkpoint.every") == 0) every = field;
    ck_assert_ptr_nonnull(every);
    for (int i = 0; i < COUNT(spans); i++) {
        char text[128], written[DT_VALUE_TEXT];
        snprintf(text, sizeof text, "checkpoint: {every: %s}", spans[i].text);
        dt_recipe r;
        assert_ok(decode_text(&r, small(text)));
        ck_assert_msg(r.checkpoint.every.unit == spans[i].span.unit && r.checkpoint.every.value == spans[i].span.value,
                      "%s", spans[i].text);
        dt_field_text(every, &r, written);
        ck_assert_str_eq(written, spans[i].written);
        dt_recipe_finish(&r);
    }
    static const struct {
        const char *text, *written;
        int64_t bytes;
    } sizes[] = {{"2 GB", "2 GB", 2000000000},           {"0", "0", 0},
                 {"512MiB", "512 MiB", 512 << 20},       {"1.5 KiB", "1536", 1536},
                 {"0.25 MB", "250 kB", 250000},          {"1000 GB", "1 TB", 1000000000000},
                 {"16 TiB", "16 TiB", INT64_C(16) << 40}};
    const dt_field *memory = dt_field_find(dt_recipe_fields, "data.memory");
    for (int i = 0; i < COUNT(sizes); i++) {
        char text[80], written[DT_VALUE_TEXT];
        snprintf(text, sizeof text, "data: {file: d, memory: %s}\nmodel: {layers: [a]}", sizes[i].text);
        dt_recipe r;
        assert_ok(decode_text(&r, text));
        ck_assert_int_eq(r.data.memory, sizes[i].bytes);
        dt_field_text(memory, &r, written);
        ck_assert_str_eq(written, sizes[i].written);
        dt_recipe_finish(&r);
    }
    static const struct {
        const char *text;
        dt_shuffle kind;
    } orders[] = {{"false", DT_SHUFFLE_NONE},  {"no", DT_SHUFFLE_NONE},      {"off", DT_SHUFFLE_NONE},
                  {"False", DT_SHUFFLE_NONE},  {"NO", DT_SHUFFLE_NONE},      {"none", DT_SHUFFLE_NONE},
                  {"true", DT_SHUFFLE_GLOBAL}, {"Yes", DT_SHUFFLE_GLOBAL},   {"on", DT_SHUFFLE_GLOBAL},
                  {"block", DT_SHUFFLE_BLOCK}, {"global", DT_SHUFFLE_GLOBAL}};
    for (int i = 0; i < COUNT(orders); i++) {
        char text[80];
        snprintf(text, sizeof text, "data: {file: d, shuffle: %s}\nmodel: {layers: [a]}", orders[i].text);
        dt_recipe r;
        assert_ok(decode_text(&r, text));
        ck_assert_int_eq(r.data.shuffle, orders[i].kind);
        dt_recipe_finish(&r);
    }
}
END_TEST

START_TEST(reals_survive_writing_and_reading_to_the_last_bit) {
    static const double reals[] = {0.1, 1.0 / 3, 1e-8, 5e-324, 1.7976931348623157e308, 0.3 - 0.1, 123456789.123456789,
                                   1e22};
    static const dt_field field = {.key = "x", .type = DT_FIELD_REAL, .fallback = "0"};
    for (int i = 0; i < COUNT(reals); i++) {
        char text[DT_VALUE_TEXT], document_text[DT_VALUE_TEXT + 8];
        dt_field_text(&field, &reals[i], text);
        snprintf(document_text, sizeof document_text, "x: %s", text);
        dt_yaml *root = parse(document_text);
        dt_field table[] = {field, {.key = NULL}};
        double back;
        assert_ok(dt_fields_decode(table, root, "", NULL, &back));
        ck_assert_msg(back == reals[i], "%s", text);
        dt_yaml_destroy(root);
    }
}
END_TEST

START_TEST(an_unknown_field_is_refused_with_the_nearest_one) {
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"\noptimizer:\n  learning_rate: 1",
         "recipe t.yaml:5: optimizer.learning_rate is not a field (did you mean optimizer.lr?)"},
        {"learning_rate: 1", "did you mean optimizer.lr?"},
        {"lr: 1", "did you mean optimizer.lr?"},
        {"optimiser: {lr: 1}", "optimiser is not a field (did you mean optimizer?)"},
        {"train: {bach: 1}", "did you mean train.batch?"},
        {"train: {batch_size: 1}", "did you mean train.batch?"},
        {"train: {epoch: 1}", "did you mean train.epochs?"},
        {"schedule: {kid: x}", "did you mean schedule.kind?"}, /* not optimizer.kind, as near as it is */
        {"loss: x", "did you mean model.loss?"},
        {"layers: []", "did you mean model.layers?"},
        {"optimizer: {decay: 1}", "did you mean optimizer.weight_decay?"},
        {"optimizer: {bata2: 1}", "did you mean optimizer.beta2?"},
        {"zzz: 1", "zzz is not a field (dtrain train --help-recipe lists them)"},
        {"nAme: x", "did you mean name?"},
        {"\"a\\nb\": x", "a?b is not a field"},
        {"train: {epochs_but_with_a_name_that_no_buffer_for_words_could_ever_hold_entirely: 1}", "is not a field"},
    };
    for (int i = 0; i < COUNT(rows); i++)
        assert_fails(decode_status(small(rows[i].text)), DT_ERR_INPUT, rows[i].message);
}
END_TEST

START_TEST(a_group_must_be_a_map_and_may_be_empty) {
    assert_fails(decode_status(small("optimizer: adam")), DT_ERR_INPUT,
                 "recipe t.yaml:3: optimizer is \"adam\"; it must be a group of fields, such as optimizer.kind");
    assert_fails(decode_status(small("train: [1]")), DT_ERR_INPUT, "train is a list; it must be a group of fields");
    assert_ok(decode_status(small("train:")));
    assert_ok(decode_status(small("train: {}")));
}
END_TEST

START_TEST(layer_tables_are_decoded_with_their_prefix_and_without_a_tree) {
    typedef struct config {
        int64_t out;
        double rate;
    } config;
    static const dt_field table[] = {
        {.key = "out",
         .type = DT_FIELD_INT,
         .offset = offsetof(config, out),
         .min = 1,
         .max = 100,
         .flags = DT_FIELD_REQUIRED | DT_FIELD_SHORTHAND,
         .help = "number of outputs"},
        {.key = "rate", .type = DT_FIELD_REAL, .offset = offsetof(config, rate), .fallback = "0.5", .help = "a rate"},
        {.key = NULL},
    };
    config c;
    dt_yaml *root = parse("out: 3");
    assert_ok(dt_fields_decode(table, root, "model.layers.0.dense.", NULL, &c));
    ck_assert(c.out == 3 && c.rate == 0.5);
    dt_yaml_destroy(root);
    root = parse("rate: -7e300"); /* neither limit was given */
    assert_fails(dt_fields_decode(table, root, "model.layers.0.dense.", NULL, &c), DT_ERR_INPUT,
                 "recipe t.yaml:1: model.layers.0.dense.out is missing; it must be a whole number: number of outputs");
    dt_yaml_destroy(root);
    assert_fails(dt_fields_decode(table, NULL, "dense.", NULL, &c), DT_ERR_INPUT, "dense.out is missing");
    root = parse("{out: 3, rat: 1}");
    assert_fails(dt_fields_decode(table, root, "dense.", NULL, &c), DT_ERR_INPUT,
                 "dense.rat is not a field (did you mean dense.rate?)");
    dt_yaml_destroy(root);
    char *help = dt_fields_help(table, "  dense.");
    ck_assert_ptr_nonnull(
        strstr(help, "  dense.out   whole number in [1, 100]  (required)  number of outputs (shorthand)\n"));
    ck_assert_ptr_nonnull(strstr(help, "  dense.rate  number                    0.5         a rate\n"));
    dt_free(help);
}
END_TEST

START_TEST(a_field_is_read_under_the_name_it_had_before_and_written_under_its_own) {
    typedef struct config {
        int64_t width;
    } config;
    static const dt_field table[] = {
        {.key = "net.width",
         .was = "old.units",
         .type = DT_FIELD_INT,
         .offset = offsetof(config, width),
         .fallback = "4",
         .min = 1,
         .max = 100,
         .help = "numbers"},
        {.key = NULL},
    };
    config c;
    dt_yaml *root = parse("\nold: {units: 7}"), *written = parse("{}"), *expected = parse("net: {width: 7}");
    assert_ok(dt_fields_decode(table, root, "", NULL, &c));
    ck_assert_int_eq(c.width, 7);
    assert_ok(dt_fields_encode(table, &c, written));
    assert_equal(written, expected);
    assert_ok(dt_fields_decode(table, written, "", NULL, &c));
    ck_assert_int_eq(c.width, 7);
    assert_ok(dt_yaml_assign(root, "old.units=101"));
    assert_fails(dt_fields_decode(table, root, "", NULL, &c), DT_ERR_INPUT,
                 "--set old.units: net.width is 101; it must be at least 1 and at most 100 (default 4)");
    dt_yaml_destroy(root);
    root = parse("net: {width: 7}\nold: {units: 7}");
    assert_fails(dt_fields_decode(table, root, "", NULL, &c), DT_ERR_INPUT,
                 "recipe t.yaml:2: old.units is another name of net.width, which is there too (t.yaml:1); remove one");
    dt_yaml_destroy(root);
    root = parse("old: {unit: 7}");
    assert_fails(dt_fields_decode(table, root, "", NULL, &c), DT_ERR_INPUT, "old.unit is not a field");
    dt_yaml_destroy(root);
    dt_yaml_destroy(written);
    dt_yaml_destroy(expected);
}
END_TEST

START_TEST(a_checkpoint_s_recipe_may_have_a_field_under_its_old_name) {
    static const char old[] = "data: {file: a.h5}\nmodel: {layers: [a]}\nreduce: {team: 2}";
    static const char new[] = "data: {file: a.h5}\nmodel: {layers: [a]}\nreduce: {node_ranks: 2}";
    assert_ok(dt_recipe_compare(old, new, NULL));
    char *text = resolved("reduce: {team: 3}");
    ck_assert_ptr_nonnull(strstr(text, "node_ranks: 3"));
    ck_assert_ptr_null(strstr(text, "team"));
    dt_free(text);
    ck_assert(dt_recipe_allows((const char *const[]){"reduce.team", NULL}, "reduce.node_ranks"));
    ck_assert(!dt_recipe_allows((const char *const[]){"reduce.team", NULL}, "reduce.path"));
}
END_TEST

START_TEST(the_help_has_one_line_for_every_field) {
    char *help = dt_recipe_help();
    ck_assert_ptr_nonnull(help);
    int lines = 0;
    char *rest;
    for (char *line = strtok_r(help, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), lines++) {
        const char *key = dt_recipe_fields[lines].key;
        ck_assert_msg(key && strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ' ', "%s", line);
        ck_assert_ptr_nonnull(strstr(line, dt_recipe_fields[lines].help));
    }
    ck_assert_int_eq(lines, field_count());
    dt_free(help);
}
END_TEST

/* ---- the recipe ---- */

START_TEST(fields_that_contradict_each_other_are_refused_at_the_line_of_the_first) {
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"train: {micro_batch: 33}", "recipe t.yaml:3: train.micro_batch is 33 but train.batch is 32"},
        {"train: {batch: 4, shards: 8}", "train.shards is 8 but train.batch is 4"},
        {"optimizer: {kind: sgd, nesterov: true}", "optimizer.nesterov is true but optimizer.momentum is 0"},
        {"optimizer: {nesterov: true}", "optimizer.nesterov is true but optimizer.kind is adam, which does not use it"},
        {"optimizer: {momentum: 0.9}", "optimizer.kind is adam, which does not use it; it is for sgd and rmsprop"},
        {"optimizer: {kind: adagrad, momentum: 0.9}", "optimizer.kind is adagrad, which does not use it"},
        {"optimizer: {kind: sgd, beta1: 0.8}", "it is for adam, adamw and lamb (default 0.9)"},
        {"optimizer: {kind: sgd, eps: 1e-7}", "it is for adam, adamw, rmsprop, adagrad and lamb"},
        {"optimizer: {rho: 0.8}", "it is for rmsprop"},
        {"schedule: {final: 0.1}",
         "schedule.kind is constant, which does not use it; it is for cosine, linear and one_cycle"},
        {"schedule: {kind: cosine, peak: 0.1}", "it is for one_cycle"},
        {"schedule: {kind: linear, initial: 0.1}", "it is for one_cycle"},
        {"schedule: {kind: cosine, period: 3}", "it is for step"},
        {"schedule: {kind: cosine, factor: 0.5}", "it is for step"},
        {"train: {patience: 3}", "train.patience is 3 but checkpoint.best is none"},
        {"name: .hidden", "recipe t.yaml:3: name is \".hidden\"; it names a directory"},
        {"name: a/b", "name is \"a/b\""},
        {"name: größe", "letters, digits"},
    };
    for (int i = 0; i < COUNT(rows); i++)
        assert_fails(decode_status(small(rows[i].text)), DT_ERR_INPUT, rows[i].message);
    assert_fails(decode_status("data: {file: d, test_x: \"\"}\ncheckpoint: {best: test_loss}\nmodel: {layers: [a]}"),
                 DT_ERR_INPUT, "recipe t.yaml:2: checkpoint.best is test_loss but data.test_x is \"\"");
    assert_fails(decode_status("data: {file: d, test_y: \"\"}\nmodel: {layers: [a]}"), DT_ERR_INPUT,
                 "recipe t.yaml:1: data.test_y is \"\" but data.test_x is \"/test/x\"");
    assert_fails(
        decode_status("data: {file: d}\nmodel:\n  layers: [a]\n  loss: mean_squared_error\n  label_smoothing: 0.1"),
        DT_ERR_INPUT, "recipe t.yaml:5: model.label_smoothing is 0.1 but model.loss is mean_squared_error");
}
END_TEST

/* Validation data has the last word on what is best; each measure asks for its data. */
START_TEST(a_run_is_judged_by_validation_data_where_there_is_some) {
    static const struct {
        const char *data, *best, *message;
        dt_split judge;
    } rows[] = {
        {"", "test_loss", NULL, DT_SPLIT_TEST},
        {"test_x: ''", "none", NULL, DT_SPLIT_TRAIN},
        {"validation_x: /v/x, validation_y: /v/y", "validation_loss", NULL, DT_SPLIT_VALIDATION},
        {"test_x: '', validation_x: /v/x, validation_y: /v/y", "validation_accuracy", NULL, DT_SPLIT_VALIDATION},
        {"context: 8, validation_tokens: /v", "validation_loss", NULL, DT_SPLIT_VALIDATION},
        {"context: 8", "test_loss", NULL, DT_SPLIT_TEST},
        {"validation_x: /v/x, validation_y: /v/y", "test_loss",
         "checkpoint.best is test_loss but data.validation_x is \"/v/x\"; with validation data the run is judged by "
         "it",
         0},
        {"context: 8, validation_tokens: /v", "test_loss", "but data.validation_tokens is \"/v\"; with", 0},
        {"", "validation_accuracy", "checkpoint.best is validation_accuracy but data.validation_x is \"\"", 0},
        {"context: 8", "validation_loss", "checkpoint.best is validation_loss but data.validation_tokens is \"\"", 0},
        {"validation_x: /v/x", "none", "data.validation_y is \"\" but data.validation_x is \"/v/x\"; name both", 0},
        {"context: 8, validation_x: /v/x", "none", "data.validation_x is \"/v/x\" but data.context makes", 0},
        {"validation_tokens: /v", "none", "data.validation_tokens is \"/v\" but data.context is 0", 0},
    };
    char text[512];
    for (int i = 0; i < COUNT(rows); i++) {
        snprintf(text, sizeof text, "data: {file: d%s%s}\ncheckpoint: {best: %s}\nmodel: {layers: [a]}",
                 rows[i].data[0] ? ", " : "", rows[i].data, rows[i].best);
        if (rows[i].message) {
            assert_fails(decode_status(text), DT_ERR_INPUT, rows[i].message);
            continue;
        }
        dt_recipe recipe;
        dt_yaml *root;
        assert_ok(dt_yaml_parse_text(&root, "t.yaml", text));
        assert_ok(dt_recipe_decode(&recipe, root, "t"));
        dt_yaml_destroy(root);
        ck_assert_int_eq(dt_recipe_judge(&recipe.data), rows[i].judge);
        ck_assert(dt_recipe_has(&recipe.data, DT_SPLIT_TRAIN));
        dt_recipe_finish(&recipe);
    }
    dt_split split;
    ck_assert(dt_split_named("validation", &split) && split == DT_SPLIT_VALIDATION && !dt_split_named("valid", &split));
}
END_TEST

START_TEST(fields_of_text_and_of_other_data_do_not_mix) {
    static const struct {
        const char *data, *more, *message;
    } rows[] = {
        {"windows: stream", "",
         "recipe t.yaml:1: data.windows is stream but data.context is 0: it is for text (default random)"},
        {"objective: masked", "", "data.objective is masked but data.context is 0"},
        {"vocabulary: 5", "", "data.vocabulary is 5 but data.context is 0"},
        {"test_tokens: \"\"", "", "data.test_tokens is \"\" but data.context is 0"},
        {"shuffle_block: 64", "", "data.shuffle_block is 64 but data.shuffle is global, which does not use it"},
        {"shuffle: none, shuffle_window: 8", "", "data.shuffle_window is 8 but data.shuffle is none"},
        {"mask_rate: 0.2", "", "data.mask_rate is 0.2 but data.objective is next"},
        {"pad: 3", "", "data.pad is 3 but data.objective is next"},
        {"context: 8, train_x: /x", "", "data.train_x is \"/x\" but data.context makes the data a text"},
        {"context: 8, mean: 3", "", "data.mean is 3 but data.context makes the data a text"},
        {"context: 8, augment: {flip: true}", "", "data.augment.flip is true but data.context makes"},
        {"context: 8, train_y: /y", "", "data.train_y is \"/y\" but only a text with data.objective class"},
        {"context: 8, shuffle: false", "", "data.shuffle is none but data.context is 8"},
        {"context: 8, windows: stream, objective: masked", "", "data.windows is stream but data.objective is masked"},
        {"context: 8, windows: stream, objective: class", "", "data.windows is stream but data.objective is class"},
        {"context: 8", "\nmodel: {loss: mean_squared_error, layers: [a]}",
         "model.loss is mean_squared_error but data.objective is next"},
        {"context: 8, test_tokens: \"\"", "\ncheckpoint: {best: test_loss}",
         "checkpoint.best is test_loss but data.test_tokens is \"\""},
    };
    static const char *const fine[] = {"context: 8", "context: 8, windows: stream",
                                       "context: 8, objective: masked, mask_rate: 0.3",
                                       "context: 8, objective: class, train_y: /y, pad: 0, shuffle: false",
                                       "context: 8, test_tokens: \"\", vocabulary: 70"};
    char text[512];
    for (int i = 0; i < COUNT(rows); i++) {
        bool model = strstr(rows[i].more, "model") != NULL;
        snprintf(text, sizeof text, "data: {file: d, %s}%s%s", rows[i].data, rows[i].more,
                 model ? "" : "\nmodel: {layers: [a]}");
        assert_fails(decode_status(text), DT_ERR_INPUT, rows[i].message);
    }
    for (int i = 0; i < COUNT(fine); i++) {
        snprintf(text, sizeof text, "data: {file: d, %s}\nmodel: {layers: [a]}", fine[i]);
        assert_ok(decode_status(text));
    }
}
END_TEST

START_TEST(fields_that_go_together_are_accepted) {
    static const char *const rows[] = {
        "train: {batch: 32, micro_batch: 32, shards: 32}",
        "optimizer: {kind: sgd, nesterov: true, momentum: 0.9}",
        "optimizer: {kind: rmsprop, momentum: 0.9, rho: 0.9, eps: 1e-6}",
        "optimizer: {kind: adamw, weight_decay: 0.01, beta2: 0.95}",
        "optimizer: {kind: sgd, eps: 1e-8, beta1: 0.90}", /* defaults, written out as in a resolved recipe */
        "schedule: {kind: one_cycle, initial: 0.1, peak: 0.2, final: 0.01, warmup: 10}",
        "schedule: {kind: step, factor: 0.5, period: 10}",
    };
    for (int i = 0; i < COUNT(rows); i++) assert_ok(decode_status(small(rows[i])));
    assert_ok(decode_status("data: {file: d, test_x: \"\", test_y: \"\"}\nmodel: {layers: [a], label_smoothing: 0.1}"));
}
END_TEST

START_TEST(missing_layers_are_refused_with_an_example) {
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"data: {file: d}", "recipe t.yaml:1: model.layers is missing; it must be a list of layers, as in [flatten, "},
        {"data: {file: d}\nmodel: {loss: mean_squared_error}", "recipe t.yaml:2: model.layers is missing"},
        {"data: {file: d}\nmodel:\n  layers: 10", "recipe t.yaml:3: model.layers is \"10\"; it must be a list"},
        {"data: {file: d}\nmodel:\n  layers: {dense: 10}", "model.layers is a map; it must be a list"},
        {"data: {file: d}\nmodel:\n  layers: []", "model.layers is empty; it must be a list"},
        {"model: {layers: [a]}", "recipe t.yaml:1: data.file is missing"},
    };
    for (int i = 0; i < COUNT(rows); i++) assert_fails(decode_status(rows[i].text), DT_ERR_INPUT, rows[i].message);
}
END_TEST

START_TEST(a_recipe_without_a_name_takes_the_file_s_made_fit_for_a_directory) {
    static const char *const names[][2] = {
        {"mnist-mlp", "mnist-mlp"}, {"my run (2)", "my-run--2-"}, {".x", "-x"}, {"", "run"}};
    for (int i = 0; i < COUNT(names); i++) {
        dt_yaml *root = parse(small(""));
        dt_recipe r;
        assert_ok(dt_recipe_decode(&r, root, names[i][0]));
        ck_assert_str_eq(r.name, names[i][1]);
        dt_recipe_finish(&r);
        dt_yaml_destroy(root);
    }
}
END_TEST

START_TEST(a_resolved_recipe_reads_back_to_itself) {
    static const char *const texts[] = {
        "",
        "name: \"1e3\"\nrun: \"no\"",
        "optimizer: {lr: 0.1234567890123456789, kind: sgd, momentum: 0.9}",
        "run: \" a: #b \"",
        "run: größe/ラン",
        "run: \"~\"",
        "train: {log_every: 90 s, stop_after: 1.5 h}",
        "seed: 9223372036854775807",
    };
    for (int i = 0; i < COUNT(texts); i++) {
        dt_recipe first, second;
        char *written, *again;
        assert_ok(decode_text(&first, small(texts[i])));
        assert_ok(dt_recipe_emit(&first, NULL, &written));
        assert_ok(decode_text(&second, written));
        assert_ok(dt_recipe_emit(&second, NULL, &again));
        ck_assert_str_eq(written, again);
        for (const dt_field *field = dt_recipe_fields; field->key; field++) {
            char a[DT_VALUE_TEXT], b[DT_VALUE_TEXT];
            dt_field_text(field, &first, a);
            dt_field_text(field, &second, b);
            ck_assert_str_eq(a, b);
            if (field->type == DT_FIELD_REAL)
                ck_assert_mem_eq((char *)&first + field->offset, (char *)&second + field->offset, sizeof(double));
        }
        assert_equal(first.layers, second.layers);
        dt_free(written);
        dt_free(again);
        dt_recipe_finish(&first);
        dt_recipe_finish(&second);
    }
}
END_TEST

START_TEST(a_resolved_recipe_holds_every_field_and_the_given_layers) {
    dt_recipe r;
    assert_ok(decode_text(&r, small("name: \"007\"")));
    dt_yaml *layers = parse("x: [flatten: {}, dense: {out: 10, bias: true}]");
    char *written;
    assert_ok(dt_recipe_emit(&r, layers->first, &written));
    ck_assert_ptr_nonnull(strstr(written, "  - dense: {out: 10, bias: true}\n"));
    ck_assert_ptr_nonnull(strstr(written, "name: \"007\"\n")); /* a text for readers that know types, too */
    dt_yaml *root = parse(written);
    for (const dt_field *field = dt_recipe_fields; field->key; field++)
        ck_assert_ptr_nonnull(dt_yaml_get(root, field->key));
    dt_yaml_destroy(root);
    dt_yaml_destroy(layers);
    dt_free(written);
    dt_recipe_finish(&r);
}
END_TEST

START_TEST(the_default_recipe_trains_an_mlp_on_fashion_mnist) {
    dt_yaml *root;
    dt_recipe r;
    assert_ok(dt_yaml_parse_text(&root, DT_RECIPE_DEFAULT_NAME, dt_recipe_default_text));
    assert_ok(dt_recipe_decode(&r, root, "default"));
    ck_assert_str_eq(r.name, "fashion-mlp");
    ck_assert_str_eq(r.data.file, "data/fashion-mnist.h5");
    ck_assert(r.data.scale.mean.value[0] == 72.94 && r.data.scale.std.value[0] == 90.02 &&
              r.optimizer.kind == DT_ADAM && r.optimizer.lr == 0.001);
    ck_assert(r.train.batch == 32 && r.train.epochs == 5 && r.loss.kind == DT_LOSS_SOFTMAX_CROSS_ENTROPY);
    ck_assert_str_eq(dt_yaml_get(root, "model.layers.0")->text, "flatten");
    ck_assert_str_eq(dt_yaml_get(root, "model.layers.1.dense.out")->text, "128");
    ck_assert_str_eq(dt_yaml_get(root, "model.layers.1.dense.activation")->text, "relu");
    ck_assert_str_eq(dt_yaml_get(root, "model.layers.2.dense")->text, "10");
    ck_assert_ptr_null(dt_yaml_get(root, "model.layers.3"));
    dt_recipe_finish(&r);
    assert_ok(dt_yaml_assign(root, "train.batch=0"));
    assert_fails(dt_recipe_decode(&r, root, "x"), DT_ERR_INPUT, "--set train.batch=0: it must be at least 1");
    dt_yaml_destroy(root);
}
END_TEST

/* ---- comparing ---- */

static dt_status compare(const char *old, const char *new, const char *const *allowed) {
    char *a = resolved(old), *b = resolved(new);
    dt_status status = dt_recipe_compare(a, b, allowed);
    dt_free(a);
    dt_free(b);
    return status;
}

/* Values that differ from the default and pass all checks together with `with`. */
static const struct change {
    const char *key, *value, *with;
    bool arithmetic;
} changes[] = {
    {"name", "other", "", false},
    {"run", "elsewhere", "", false},
    {"seed", "2", "", true},
    {"train.epochs", "9", "", false},
    {"train.epochs", "9", "schedule: {kind: cosine}", true},
    {"train.steps", "9", "", false},
    {"train.steps", "9", "schedule: {kind: cosine}", true},
    {"train.batch", "64", "", true},
    {"train.micro_batch", "8", "", true},
    {"train.shards", "8", "", true},
    {"train.stop_after", "3", "", false},
    {"train.eval_every", "3", "", false},
    {"train.log_every", "3", "", false},
    {"train.check_every", "3", "", false},
    {"train.chain", "3", "", false},
    {"train.audit", "0.5", "", false},
    {"optimizer.lr", "0.01", "", true},
    {"optimizer.beta1", "0.8", "", true},
    {"optimizer.beta2", "0.8", "", true},
    {"optimizer.eps", "1e-7", "", true},
    {"optimizer.weight_decay", "0.1", "", true},
    {"optimizer.l2", "0.1", "", true},
    {"optimizer.clip_norm", "0.1", "", true},
    {"optimizer.clip_value", "0.1", "", true},
    {"optimizer.kind", "sgd", "", true},
    {"schedule.kind", "cosine", "", true},
    {"schedule.warmup", "10", "", true},
    {"train.timeout", "3", "", false},
    {"train.not_finite", "skip", "", true},
    {"train.patience", "3", "checkpoint: {best: test_loss}", false},
    {"checkpoint.every", "3", "", false},
    {"checkpoint.budget", "3 %", "", false},
    {"checkpoint.keep_every", "3", "", false},
    {"checkpoint.best", "test_loss", "", false},
    {"checkpoint.keep", "0", "", false},
    {"reduce.wire", "f32", "", true},
    {"reduce.path", "flat", "", false},
    {"report.every", "3", "", false},
    {"report.tables", "false", "", false},
    {"report.samples", "0", "", false},
    {"metrics.tensorboard", "true", "", false},
    {"reduce.node_ranks", "2", "", false},
    {"sites.count", "3", "", true},
    {"sites.simulate", "3", "", true},
    {"compute.isa", "avx2", "", false},
    {"compute.precision", "bf16", "", true},
    {"compute.threads", "2", "", false},
};

static dt_status compare_change(const struct change *change, const char *const *allowed) {
    char old[256], new[256];
    const char *dot = strchr(change->key, '.');
    if (dot)
        snprintf(new, sizeof new, "%s\n%.*s: {%s: %s}", change->with, (int)(dot - change->key), change->key, dot + 1,
                 change->value);
    else
        snprintf(new, sizeof new, "%s: %s", change->key, change->value);
    snprintf(old, sizeof old, "%s", change->with);
    return compare(old, new, allowed);
}

START_TEST(a_change_is_refused_exactly_when_it_changes_the_numbers) {
    const struct change *change = &changes[_i];
    dt_status status = compare_change(change, NULL);
    if (!change->arithmetic) {
        assert_ok(status);
        return;
    }
    assert_fails(status, DT_ERR_INPUT, change->key);
    assert_fails(status, DT_ERR_INPUT, "but the checkpoint was trained with");
    char group[64];
    snprintf(group, sizeof group, "%.*s", (int)strcspn(change->key, "."), change->key);
    assert_ok(compare_change(change, (const char *const[]){"name", change->key, NULL}));
    assert_ok(compare_change(change, (const char *const[]){group, NULL}));
    assert_fails(compare_change(change, (const char *const[]){"nam", "optimizer.l", "", NULL}), DT_ERR_INPUT,
                 change->key);
}
END_TEST

START_TEST(data_may_move_but_not_be_scaled_otherwise) {
    static const char base[] = "data: {file: a.h5}\nmodel: {loss: mean_squared_error, layers: [a]}";
    assert_ok(
        dt_recipe_compare(base, "data: {file: b.h5, spool: /x}\nmodel: {loss: mean_squared_error, layers: [a]}", NULL));
    static const char *const others[] = {"mean: 1",
                                         "std: 2",
                                         "shuffle: false",
                                         "train_x: x",
                                         "train_y: y",
                                         "normalize: computed",
                                         "normalize: none",
                                         "target.normalize: {normalize: min_max}",
                                         "target.std: {normalize: given, std: 2}",
                                         "channels: last",
                                         "augment.flip: {flip: true}",
                                         "augment.crop_padding: {crop_padding: 2}"};
    for (int i = 0; i < COUNT(others); i++) {
        char text[128], key[64];
        const char *group = strchr(others[i], '.'); /* "augment.flip: {…}" is written as "augment: {…}" */
        snprintf(text, sizeof text, "data: {file: a.h5, %.*s%s}\nmodel: {loss: mean_squared_error, layers: [a]}",
                 group ? (int)(group - others[i]) : 0, others[i], group ? strchr(group, ':') : others[i]);
        snprintf(key, sizeof key, "data.%.*s is ", (int)strcspn(others[i], ":"), others[i]);
        assert_fails(dt_recipe_compare(base, text, NULL), DT_ERR_INPUT, key);
    }
}
END_TEST

START_TEST(epochs_stretch_a_schedule_of_either_recipe) {
    const char *const allowed[] = {"schedule.kind", NULL};
    assert_fails(compare("schedule: {kind: cosine}", "train: {epochs: 9}", allowed), DT_ERR_INPUT, "train.epochs is 9");
    assert_fails(compare("train: {epochs: 9}", "schedule: {kind: cosine}", allowed), DT_ERR_INPUT, "train.epochs is 5");
}
END_TEST

START_TEST(differences_are_listed_with_both_values_and_counted_when_they_are_too_many) {
    assert_fails(compare("optimizer: {lr: 0.001}", "optimizer: {lr: 0.01}\nseed: 5", NULL), DT_ERR_INPUT,
                 "seed is 5 but the checkpoint was trained with 1; optimizer.lr is 0.01 but the checkpoint was trained "
                 "with 0.001; change it back, or name it with --set");
    assert_fails(
        compare("", "seed: 2\noptimizer: {kind: sgd, lr: 1, l2: 1, clip_norm: 1, clip_value: 1}\ntrain: {batch: 1}",
                NULL),
        DT_ERR_INPUT, "; and 2 more; change it back");
}
END_TEST

START_TEST(shards_left_to_the_checkpoint_are_no_difference) {
    assert_ok(compare("train: {shards: 4}", "train: {shards: 0}", NULL));
    assert_fails(compare("train: {shards: 4}", "train: {shards: 8}", NULL), DT_ERR_INPUT, "train.shards is 8");
}
END_TEST

START_TEST(layers_are_compared_to_the_first_path_that_differs) {
    static const struct {
        const char *layers, *message, *allowed;
    } rows[] = {
        {"flatten, dense: {out: 64, bias: true}",
         "model.layers.1.dense.out is 64 but the checkpoint was trained with 128", "model.layers.1.dense.out"},
        {"flatten, dense: {out: 64, bias: true}", "model.layers.1.dense.out is 64", "model.layers.1"},
        {"flatten, dense: {out: 128}", "model.layers.1.dense.bias is missing but the checkpoint was trained with it",
         "model.layers"},
        {"flatten, dense: {bias: true, out: 128, x: 1}",
         "model.layers.1.dense.x is there but the checkpoint was trained without it", "model"},
        {"flatten", "model.layers.1 is missing", "model.layers.1"},
        {"flatten, dense: {out: 128, bias: true}, relu", "model.layers.2 is there but", "model.layers.2"},
        {"flatten, dense: 128", "model.layers.1.dense is 128 but the checkpoint was trained with a map",
         "model.layers.1.dense"},
        {"flatten, relu: {}", "model.layers.1.dense is missing", "model.layers.1"},
    };
    static const char old[] = "data: {file: d}\nmodel: {layers: [flatten, dense: {out: 128, bias: true}]}";
    for (int i = 0; i < COUNT(rows); i++) {
        char new[256];
        snprintf(new, sizeof new, "data: {file: d}\nmodel: {layers: [%s]}", rows[i].layers);
        assert_fails(dt_recipe_compare(old, new, NULL), DT_ERR_INPUT, rows[i].message);
        assert_ok(dt_recipe_compare(old, new, (const char *const[]){rows[i].allowed, NULL}));
    }
    assert_ok(
        dt_recipe_compare(old, "data: {file: d}\nmodel: {layers: [flatten, dense: {bias: true, out: 128}]}", NULL));
    assert_fails(dt_recipe_compare("]", old, NULL), DT_ERR_INPUT, "the checkpoint's recipe:1: not valid YAML");
    assert_fails(dt_recipe_compare("a: b", old, NULL), DT_ERR_INPUT, "the checkpoint's recipe:1: a is not a field");
}
END_TEST

static void add_fields(Suite *suite) {
    TCase *fields = tcase_create("fields");
    tcase_add_loop_test(fields, a_value_of_the_wrong_type_is_named_with_its_line_and_what_would_be_right, 0,
                        field_count());
    tcase_add_test(fields, a_number_outside_its_range_is_refused_and_one_at_its_edge_is_not);
    tcase_add_test(fields, a_list_of_files_is_one_text_that_reads_as_the_same_list);
    tcase_add_test(fields, a_text_of_256_bytes_is_refused_and_one_of_255_is_not);
    tcase_add_test(fields, a_recipe_of_only_what_is_required_has_the_documented_defaults);
    tcase_add_test(fields, every_choice_is_the_enumerator_of_its_name);
    tcase_add_test(fields, spans_and_truths_are_read_in_all_their_spellings);
    tcase_add_test(fields, reals_survive_writing_and_reading_to_the_last_bit);
    tcase_add_test(fields, an_unknown_field_is_refused_with_the_nearest_one);
    tcase_add_test(fields, a_group_must_be_a_map_and_may_be_empty);
    tcase_add_test(fields, layer_tables_are_decoded_with_their_prefix_and_without_a_tree);
    tcase_add_test(fields, a_field_is_read_under_the_name_it_had_before_and_written_under_its_own);
    tcase_add_test(fields, the_help_has_one_line_for_every_field);
    suite_add_tcase(suite, fields);
}

static void add_recipe(Suite *suite) {
    TCase *recipe = tcase_create("recipe");
    tcase_add_test(recipe, fields_that_contradict_each_other_are_refused_at_the_line_of_the_first);
    tcase_add_test(recipe, fields_that_go_together_are_accepted);
    tcase_add_test(recipe, a_run_is_judged_by_validation_data_where_there_is_some);
    tcase_add_test(recipe, fields_of_text_and_of_other_data_do_not_mix);
    tcase_add_test(recipe, missing_layers_are_refused_with_an_example);
    tcase_add_test(recipe, a_recipe_without_a_name_takes_the_file_s_made_fit_for_a_directory);
    tcase_add_test(recipe, a_resolved_recipe_reads_back_to_itself);
    tcase_add_test(recipe, a_resolved_recipe_holds_every_field_and_the_given_layers);
    tcase_add_test(recipe, the_default_recipe_trains_an_mlp_on_fashion_mnist);
    tcase_add_loop_test(recipe, a_change_is_refused_exactly_when_it_changes_the_numbers, 0, COUNT(changes));
    tcase_add_test(recipe, a_checkpoint_s_recipe_may_have_a_field_under_its_old_name);
    tcase_add_test(recipe, data_may_move_but_not_be_scaled_otherwise);
    tcase_add_test(recipe, epochs_stretch_a_schedule_of_either_recipe);
    tcase_add_test(recipe, differences_are_listed_with_both_values_and_counted_when_they_are_too_many);
    tcase_add_test(recipe, shards_left_to_the_checkpoint_are_no_difference);
    tcase_add_test(recipe, layers_are_compared_to_the_first_path_that_differs);
    suite_add_tcase(suite, recipe);
}

int main(void) {
    Suite *suite = suite_create("config");
    add_fields(suite);
    add_recipe(suite);
    return run_suite(suite);
}
