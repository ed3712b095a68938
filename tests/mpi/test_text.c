/* Texts as samples, on any number of ranks: where windows are, what is masked, and that an evaluation predicts every
 * token once. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/ranks.h"
#include "base/memory.h"
#include "data/source.h"
#include "data/tokenizer.h"
#include "store/h5.h"

enum { MOST = 100000, TOKENS = 5000 };

static char path[64];
static int32_t tokens[MOST]; /* what the file has */

static bool leads(void) {
    return dt_comm_rank(world) == 0;
}

static void enter(void) {
    snprintf(path, sizeof path, "/tmp/dtrain-test-XXXXXX");
    int file = leads() ? mkstemp(path) : -1;
    ranks_assert(!leads() || file >= 0);
    if (file >= 0) close(file);
    ranks_assert_ok(dt_comm_broadcast(world, path, sizeof path, 0));
}

static void leave(void) {
    ranks_assert_ok(dt_comm_barrier(world));
    if (leads()) unlink(path);
}

static dt_status write_array(dt_h5 *file, const char *name, dt_dtype dtype, dt_shape shape, const void *values) {
    DT_TRY(dt_h5_create_dataset(file, name, dtype, &shape, 0));
    return dt_h5_write_rows(file, name, dtype, 0, shape.dim[0], values);
}

/* The file with `count` tokens, in two shapes, and labels. */
static dt_status write_file(int64_t count, int64_t columns) {
    static uint16_t narrow[MOST];
    int32_t labels[MOST / 4];
    dt_h5 *file;
    for (int64_t i = 0; i < count; i++) narrow[i] = (uint16_t)tokens[i];
    for (int64_t i = 0; i < MOST / 4; i++) labels[i] = (int32_t)(i % 3);
    DT_TRY(dt_h5_create(&file, path));
    dt_status status = write_array(file, "/train/tokens", DT_U16, (dt_shape){1, {count}}, narrow);
    if (status.code == DT_OK) status = write_array(file, "/test/tokens", DT_I32, (dt_shape){1, {count}}, tokens);
    if (status.code == DT_OK)
        status = write_array(file, "/rows", DT_I32, (dt_shape){2, {count / columns, columns}}, tokens);
    if (status.code == DT_OK) status = write_array(file, "/y", DT_I32, (dt_shape){1, {count / columns}}, labels);
    if (status.code == DT_OK) status = dt_h5_put_int(file, "/test/tokens", "chars", 2 * count);
    dt_status closed = dt_h5_close(&file);
    return status.code == DT_OK ? closed : status;
}

/* Token i is i, so a window says where it is. */
static void count_up(int64_t count) {
    for (int64_t i = 0; i < count; i++) tokens[i] = (int32_t)i;
    ranks_assert_ok(leads() ? write_file(count, 4) : dt_ok());
}

static dt_recipe_data recipe_of(int64_t context, dt_windows windows, dt_objective objective) {
    return (dt_recipe_data){.context = context,
                            .train_tokens = "/train/tokens",
                            .test_tokens = "/test/tokens",
                            .train_y = "/y",
                            .vocabulary = MOST,
                            .windows = (int)windows,
                            .objective = (int)objective,
                            .mask_rate = 0.15,
                            .pad = -1};
}

static dt_status open_text(dt_source *source, const dt_recipe_data *data, int64_t vocabulary, int64_t streams,
                           bool test, bool in_order) {
    dt_source_request request = {.file = path,
                                 .data = data,
                                 .loss = DT_LOSS_SOFTMAX_CROSS_ENTROPY,
                                 .vocabulary = vocabulary,
                                 .streams = streams,
                                 .split = test ? DT_SPLIT_TEST : DT_SPLIT_TRAIN,
                                 .in_order = in_order};
    return dt_source_open(source, &ranks, &request);
}

/* One sample. */
typedef struct sample {
    dt_real x[512];
    int32_t labels[512];
    dt_batch batch;
} sample;

static const sample *take(const dt_source *source, const dt_augment *augment, int64_t index) {
    static sample s;
    memset(&s, 7, sizeof s);
    s.batch = (dt_batch){.x = s.x, .labels = s.labels};
    dt_source_fetch(source, NULL, NULL, augment, &index, 1, &s.batch);
    return &s;
}

static const struct {
    int64_t count, context;
} shapes[] = {{5000, 7}, {5000, 512}, {513, 512}, {512, 511}, {9, 8}, {10, 8}, {3, 2}, {2, 1}, {70, 1}, {64, 9}};

START_TEST(a_training_window_is_anywhere_inside_and_depends_on_seed_epoch_and_number) {
    int64_t count = shapes[_i].count, context = shapes[_i].context;
    count_up(count);
    dt_source source;
    dt_recipe_data data = recipe_of(context, DT_WINDOWS_RANDOM, DT_OBJECTIVE_NEXT);
    ranks_assert_ok(open_text(&source, &data, 0, 4, false, false));
    ranks_assert(source.samples == (count - 1) / context && source.targets.positions == context &&
                 source.targets.counted == context);
    ranks_assert(source.targets.classes == MOST && source.about.ids == MOST && source.about.input.rank == 1 &&
                 source.about.input.dim[0] == context);
    int64_t positions = count - context, seen_first = 0, seen_last = 0, differ = 0, wrong = 0;
    for (int64_t seed = 0; seed < 40; seed++) {
        for (int64_t i = 0; i < source.samples && i < 200; i++) {
            dt_augment here = dt_augment_at(&data, seed, 3), again = dt_augment_at(&data, seed, 4);
            const sample *s = take(&source, &here, i);
            int64_t start = dt_source_place(&source, &here, i);
            for (int64_t t = 0; t < context; t++)
                wrong += s->x[t] != (dt_real)(start + t) || s->labels[t] != start + t + 1;
            wrong += start < 0 || start >= positions || s->batch.targets != context || s->batch.streams != 0;
            seen_first += start == 0;
            seen_last += start == positions - 1;
            differ += start != dt_source_place(&source, &again, i);
        }
    }
    ranks_assert(wrong == 0);
    ranks_assert(positions > 1 ? differ > 0 : differ == 0);
    ranks_assert(positions > 20 || (seen_first > 0 && seen_last > 0));
    dt_source_close(&source);
}
END_TEST

START_TEST(an_evaluation_predicts_every_token_once_in_windows_and_in_streams) {
    int64_t count = shapes[_i].count, context = shapes[_i].context;
    static int seen[MOST];
    count_up(count);
    for (int64_t streams = 0; streams < 12; streams += 1 + streams / 3) {
        dt_source source;
        dt_recipe_data data = recipe_of(context, streams ? DT_WINDOWS_STREAM : DT_WINDOWS_RANDOM, DT_OBJECTIVE_NEXT);
        ranks_assert_ok(open_text(&source, &data, 0, streams, true, true));
        ranks_assert(source.about.chars == 2);
        memset(seen, 0, sizeof seen);
        int64_t wrong = 0, lanes = source.about.streams;
        ranks_assert(lanes <= streams && (lanes > 0) == (streams > 0));
        for (int64_t i = 0; i < source.samples; i++) {
            const sample *s = take(&source, NULL, i);
            int64_t start = dt_source_place(&source, NULL, i);
            for (int64_t t = 0; t < context; t++) {
                wrong += s->labels[t] >= 0 && (s->labels[t] != start + t + 1 || s->x[t] != (dt_real)(start + t));
                wrong += s->x[t] < 0 || s->x[t] >= (dt_real)count;
                if (s->labels[t] >= 0) seen[s->labels[t]]++;
            }
            wrong += s->batch.streams != lanes || s->batch.fresh != (lanes > 0 && i < lanes);
            /* a stream goes on where it was */
            if (lanes > 0 && i >= lanes && s->labels[0] >= 0)
                wrong += start != dt_source_place(&source, NULL, i - lanes) + context;
        }
        ranks_assert(wrong == 0 && seen[0] == 0);
        for (int64_t i = 1; i < count; i++) wrong += seen[i] != 1;
        ranks_assert(wrong == 0);
        dt_source_close(&source);
    }
}
END_TEST

START_TEST(streams_of_training_go_on_from_batch_to_batch) {
    static int seen[MOST];
    enum { STREAMS = 6, CONTEXT = 9 };
    count_up(TOKENS);
    dt_source source;
    dt_recipe_data data = recipe_of(CONTEXT, DT_WINDOWS_STREAM, DT_OBJECTIVE_NEXT);
    ranks_assert_ok(open_text(&source, &data, 0, STREAMS, false, false));
    int64_t length = (TOKENS - 1) / STREAMS, wrong = 0;
    ranks_assert(source.samples == STREAMS * (length / CONTEXT) && source.about.streams == STREAMS);
    memset(seen, 0, sizeof seen);
    for (int64_t i = 0; i < source.samples; i++) {
        dt_augment augment = dt_augment_at(&data, i, i);
        const sample *s = take(&source, &augment, i);
        int64_t start = i % STREAMS * length + i / STREAMS * CONTEXT;
        for (int64_t t = 0; t < CONTEXT; t++) {
            wrong += s->x[t] != (dt_real)(start + t) || s->labels[t] != start + t + 1;
            seen[start + t + 1]++;
        }
        wrong += s->batch.fresh != (i < STREAMS) || s->batch.streams != STREAMS;
    }
    for (int64_t i = 0; i < TOKENS; i++) wrong += seen[i] > 1;
    ranks_assert(wrong == 0);
    dt_source_close(&source);
}
END_TEST

/* ---- masks ---- */

START_TEST(exactly_the_share_is_masked_and_seen_by_bert_s_rule) {
    static const struct {
        int64_t context, masked;
        double rate;
    } rows[] = {{64, 10, 0.15}, {10, 2, 0.15}, {3, 1, 0.15}, {1, 1, 0.01}, {7, 7, 1}, {512, 77, 0.15}};
    int64_t context = rows[_i].context, wrong = 0, all = 0, hidden = 0, same = 0, positions[512] = {0};
    count_up(TOKENS);
    dt_source source;
    dt_recipe_data data = recipe_of(context, DT_WINDOWS_RANDOM, DT_OBJECTIVE_MASKED);
    data.mask_rate = rows[_i].rate;
    data.vocabulary = TOKENS;
    ranks_assert_ok(open_text(&source, &data, 0, 4, false, false));
    ranks_assert(source.targets.counted == rows[_i].masked && source.about.ids == TOKENS + 1 &&
                 source.targets.classes == TOKENS);
    int64_t windows = 40000 / context < 3000 ? 40000 / context : 3000;
    for (int64_t i = 0; i < windows; i++) {
        dt_augment augment = dt_augment_at(&data, 1, i / source.samples);
        const sample *s = take(&source, &augment, i % source.samples);
        int64_t start = dt_source_place(&source, &augment, i % source.samples), count = 0;
        for (int64_t t = 0; t < context; t++) {
            if (s->labels[t] < 0) {
                wrong += s->x[t] != (dt_real)(start + t);
                continue;
            }
            wrong += s->labels[t] != start + t || s->x[t] < 0 || s->x[t] > (dt_real)TOKENS;
            hidden += s->x[t] == (dt_real)TOKENS;
            same += s->x[t] == (dt_real)(start + t);
            positions[t]++;
            count++;
        }
        wrong += count != rows[_i].masked;
        all += count;
    }
    ranks_assert(wrong == 0);
    /* five standard deviations */
    double n = (double)all, part = (double)all / (double)context;
    ranks_assert(((double)hidden - 0.8 * n) * ((double)hidden - 0.8 * n) < 25 * 0.16 * n);
    ranks_assert(((double)same - 0.1 * n) * ((double)same - 0.1 * n) < 25 * 0.09 * n + 1);
    for (int64_t t = 0; t < context; t++)
        wrong += ((double)positions[t] - part) * ((double)positions[t] - part) > 25 * part;
    ranks_assert(wrong == 0);
    dt_source_close(&source);
}
END_TEST

START_TEST(masks_change_with_the_epoch_and_those_of_an_evaluation_never) {
    count_up(TOKENS);
    dt_source train, test;
    dt_recipe_data data = recipe_of(64, DT_WINDOWS_RANDOM, DT_OBJECTIVE_MASKED);
    ranks_assert_ok(open_text(&train, &data, 0, 4, false, false));
    ranks_assert_ok(open_text(&test, &data, 0, 4, true, true));
    ranks_assert(test.samples == (TOKENS + 63) / 64);
    dt_augment one = dt_augment_at(&data, 1, 0), two = dt_augment_at(&data, 1, 1), other = dt_augment_at(&data, 2, 0);
    int64_t patterns[3] = {0}, counted[2] = {0}, wrong = 0;
    for (int64_t i = 0; i < test.samples; i++) {
        sample first = *take(&test, NULL, i), again = *take(&test, &two, i);
        wrong += memcmp(first.labels, again.labels, 64 * sizeof(int32_t)) != 0;
        wrong += memcmp(first.x, again.x, 64 * sizeof(dt_real)) != 0;
        for (int t = 0; t < 64; t++) counted[i == test.samples - 1] += first.labels[t] >= 0;
    }
    ranks_assert(wrong == 0 && counted[0] == 10 * (test.samples - 1) && counted[1] <= 10);
    for (int t = 0; t < 64; t++) {
        patterns[0] = 2 * patterns[0] + (take(&train, &one, 5)->labels[t] >= 0);
        patterns[1] = 2 * patterns[1] + (take(&train, &two, 5)->labels[t] >= 0);
        patterns[2] = 2 * patterns[2] + (take(&train, &other, 5)->labels[t] >= 0);
    }
    ranks_assert(patterns[0] != patterns[1] && patterns[0] != patterns[2]);
    dt_source_close(&train);
    dt_source_close(&test);
}
END_TEST

/* ---- rows with a class ---- */

START_TEST(rows_of_tokens_have_a_class_and_no_token_is_minus_one) {
    enum { COLUMNS = 4 };
    count_up(TOKENS);
    tokens[5] = -1;
    tokens[6] = 77777;
    ranks_assert_ok(leads() ? write_file(TOKENS, COLUMNS) : dt_ok());
    dt_source source;
    dt_recipe_data data = recipe_of(COLUMNS, DT_WINDOWS_RANDOM, DT_OBJECTIVE_CLASS);
    snprintf(data.train_tokens, sizeof data.train_tokens, "/rows");
    data.pad = 77777;
    data.vocabulary = TOKENS;
    ranks_assert_ok(open_text(&source, &data, 0, 4, false, false));
    ranks_assert(source.samples == TOKENS / COLUMNS && source.targets.positions == 1 && source.targets.counted == 1 &&
                 source.targets.classes == 3);
    ranks_assert(source.about.ids == TOKENS && source.about.input.dim[0] == COLUMNS);
    const sample *s = take(&source, NULL, 1);
    ranks_assert(s->x[0] == 4 && s->x[1] == -1 && s->x[2] == -1 && s->x[3] == 7 && s->labels[0] == 1);
    dt_source_close(&source);
    data.pad = -1;
    dt_status status = open_text(&source, &data, 0, 4, false, false);
    ranks_assert(status.code == DT_ERR_INPUT &&
                 strstr(status.message, "/rows: row 1, position 2 is 77777, but the voc"));
    data.context = 5;
    status = open_text(&source, &data, 0, 4, false, false);
    ranks_assert(status.code == DT_ERR_INPUT &&
                 strstr(status.message, "a row of /rows is int32 [4]; with data.context 5"));
}
END_TEST

/* ---- what is refused ---- */

START_TEST(the_first_token_outside_the_vocabulary_is_named_on_any_number_of_ranks) {
    static const int64_t bad[] = {0, 1, 2499, 4998, 4999};
    for (int i = 0; i < COUNT(bad); i++) {
        for (int64_t t = 0; t < TOKENS; t++) tokens[t] = (int32_t)(t % 50);
        tokens[bad[i]] = 50;
        tokens[TOKENS - 1] = 51;
        ranks_assert_ok(leads() ? write_file(TOKENS, 4) : dt_ok());
        dt_source source;
        char says[96];
        dt_recipe_data data = recipe_of(8, DT_WINDOWS_RANDOM, DT_OBJECTIVE_NEXT);
        data.vocabulary = 0;
        dt_status status = open_text(&source, &data, 50, 4, true, true);
        snprintf(says, sizeof says, "/test/tokens: token %lld is %d, but the vocabulary has 50 tokens, 0 to 49",
                 (long long)bad[i], bad[i] == TOKENS - 1 ? 51 : 50);
        ranks_assert(status.code == DT_ERR_INPUT && strstr(status.message, says));
        ranks_assert_ok(open_text(&source, &data, 52, 4, true, true));
        dt_source_close(&source);
    }
    for (int64_t t = 0; t < TOKENS; t++) tokens[t] = (int32_t)(t % 50);
    tokens[7] = -1; /* no token only in rows */
    ranks_assert_ok(leads() ? write_file(TOKENS, 4) : dt_ok());
    dt_source source;
    dt_recipe_data data = recipe_of(8, DT_WINDOWS_RANDOM, DT_OBJECTIVE_NEXT);
    dt_status status = open_text(&source, &data, 50, 4, true, true);
    ranks_assert(status.code == DT_ERR_INPUT && strstr(status.message, "token 7 is -1"));
}
END_TEST

START_TEST(texts_that_do_not_fit_are_refused) {
    count_up(20);
    static const struct {
        int64_t context, streams, vocabulary;
        const char *tokens, *says;
        bool in_order;
    } rows[] = {
        {20, 0, 20, "/train/tokens", "has 20 tokens; with data.context 20 it needs at least 21", false},
        {20, 0, 20, "/train/tokens", "has 20 tokens; with data.context 20 it needs at least 21", true},
        {5, 4, 20, "/train/tokens", "has 20 tokens, 4 for each of 4 streams (train.batch), but data.context is 5",
         false},
        {5, 0, 19, "/train/tokens", "data.vocabulary is 19 but the vocabulary of", false},
        {5, 0, 0, "/train/tokens", "there is no /vocab", false},
        {5, 0, 20, "/rows", "/rows has rows; a text is one row", false},
        {5, 0, 20, "/nothing", "there is no /nothing", false},
    };
    for (int i = 0; i < COUNT(rows); i++) {
        dt_source source;
        dt_recipe_data data =
            recipe_of(rows[i].context, rows[i].streams ? DT_WINDOWS_STREAM : DT_WINDOWS_RANDOM, DT_OBJECTIVE_NEXT);
        data.vocabulary = rows[i].vocabulary;
        snprintf(data.train_tokens, sizeof data.train_tokens, "%s", rows[i].tokens);
        dt_status status =
            open_text(&source, &data, rows[i].vocabulary ? 20 : 0, rows[i].streams, false, rows[i].in_order);
        ranks_assert(status.code == DT_ERR_INPUT && strstr(status.message, rows[i].says));
        ranks_assert(source.x == NULL);
    }
}
END_TEST

START_TEST(every_rank_has_the_vocabulary_of_the_file) {
    int32_t kind = DT_TOKENS_BPE, merges[] = {0, 1, 2};
    int64_t offsets[] = {0, 1, 2, 4};
    dt_h5 *file = NULL;
    dt_status status = leads() ? dt_h5_create(&file, path) : dt_ok();
    if (file) {
        dt_status wrote[] = {write_array(file, "/vocab/kind", DT_I32, (dt_shape){1, {1}}, &kind),
                             write_array(file, "/vocab/bytes", DT_U8, (dt_shape){1, {4}}, "abab"),
                             write_array(file, "/vocab/offsets", DT_I64, (dt_shape){1, {4}}, offsets),
                             write_array(file, "/vocab/merges", DT_I32, (dt_shape){1, {3}}, merges),
                             dt_h5_close(&file)};
        for (int i = 0; i < COUNT(wrote); i++)
            if (wrote[i].code != DT_OK) status = wrote[i];
    }
    ranks_assert_ok(status);
    dt_vocabulary v;
    ranks_assert_ok(dt_vocabulary_open(&v, &ranks, path));
    ranks_assert(v.kind == kind && v.size == 3 && v.merge_count == 1 && memcmp(v.bytes, "abab", 4) == 0);
    ranks_assert(memcmp(v.offsets, offsets, sizeof offsets) == 0 && memcmp(v.merges, merges, sizeof merges) == 0);
    uint64_t hash = dt_vocabulary_hash(&v);
    v.merges[0] = 1;
    ranks_assert(dt_vocabulary_hash(&v) != hash);
    dt_vocabulary_finish(&v);
    count_up(20);
    ranks_assert_ok(dt_vocabulary_open(&v, &ranks, path));
    ranks_assert(v.size == 0 && dt_vocabulary_hash(&v) == 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("text");
    TCase *tests = tcase_create("text");
    tcase_add_checked_fixture(tests, enter, leave);
    tcase_add_loop_test(tests, a_training_window_is_anywhere_inside_and_depends_on_seed_epoch_and_number, 0,
                        COUNT(shapes));
    tcase_add_loop_test(tests, an_evaluation_predicts_every_token_once_in_windows_and_in_streams, 0, COUNT(shapes));
    tcase_add_test(tests, streams_of_training_go_on_from_batch_to_batch);
    tcase_add_loop_test(tests, exactly_the_share_is_masked_and_seen_by_bert_s_rule, 0, 6);
    tcase_add_test(tests, masks_change_with_the_epoch_and_those_of_an_evaluation_never);
    tcase_add_test(tests, rows_of_tokens_have_a_class_and_no_token_is_minus_one);
    tcase_add_test(tests, the_first_token_outside_the_vocabulary_is_named_on_any_number_of_ranks);
    tcase_add_test(tests, texts_that_do_not_fit_are_refused);
    tcase_add_test(tests, every_rank_has_the_vocabulary_of_the_file);
    suite_add_tcase(suite, tests);
    return run_on_ranks(suite);
}
