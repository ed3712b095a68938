/* Every kind of source, through its table alone, on any number of ranks: what it says of its samples, how many it has,
 * and that a sample is the same in whatever batch and on whatever rank it is fetched. A new kind is a row of `kinds`.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/isa.h"
#include "../support/ranks.h"
#include "data/identity.h"
#include "data/labels.h"
#include "data/source_kind.h"
#include "store/h5.h"

enum { TOKENS = 600, WIDTH = 6, ROWS = TOKENS / WIDTH, CLASSES = 3, STREAMS = 5 };
enum { SPAN = TOKENS - 1, MASKED = 2 }; /* tokens that have one before them; masked in a window */
#define UP(a, b) (((a) + (b)-1) / (b))

static char path[64];

/* Number i of the file is i, so that a sample says where it is; /y[i] = i mod CLASSES, /values[i] = i/2. */
static dt_status write_file(void) {
    static int32_t numbers[TOKENS], labels[ROWS];
    static float values[ROWS];
    for (int i = 0; i < TOKENS; i++) numbers[i] = i;
    for (int i = 0; i < ROWS; i++) labels[i] = i % CLASSES, values[i] = (float)i / 2;
    const struct {
        const char *name;
        dt_dtype dtype;
        dt_shape shape;
        const void *from;
    } all[] = {{"/tokens", DT_I32, {1, {TOKENS}}, numbers},
               {"/rows", DT_I32, {2, {ROWS, WIDTH}}, numbers},
               {"/y", DT_I32, {1, {ROWS}}, labels},
               {"/values", DT_F32, {1, {ROWS}}, values}};
    dt_h5 *file;
    DT_TRY(dt_h5_create(&file, path));
    dt_status status = dt_ok();
    for (size_t i = 0; i < sizeof all / sizeof *all && status.code == DT_OK; i++) {
        status = dt_h5_create_dataset(file, all[i].name, all[i].dtype, &all[i].shape, 0);
        if (status.code == DT_OK)
            status = dt_h5_write_rows(file, all[i].name, all[i].dtype, 0, all[i].shape.dim[0], all[i].from);
    }
    if (status.code == DT_OK) status = dt_h5_put_int(file, "/tokens", "chars", 3 * TOKENS);
    dt_status closed = dt_h5_close(&file);
    return status.code == DT_OK ? closed : status;
}

static void make_file(void) {
    snprintf(path, sizeof path, "/tmp/dtrain-test-XXXXXX");
    int fd = dt_comm_rank(world) == 0 ? mkstemp(path) : -1;
    if (fd >= 0) close(fd);
    ranks_assert_ok(dt_comm_broadcast(world, path, sizeof path, 0));
    ranks_assert_ok(dt_comm_rank(world) == 0 ? write_file() : dt_ok());
}

static void remove_file(void) {
    ranks_assert_ok(dt_comm_barrier(world));
    if (dt_comm_rank(world) == 0) unlink(path);
}

#define TEXT .context = WIDTH, .vocabulary = TOKENS, .pad = -1, .mask_rate = 0.4

static const struct {
    const char *name; /* the kind's */
    dt_recipe_data data;
    bool in_order, values; /* values: targets are no labels */
    int64_t samples;
    dt_source_about about;
    int64_t positions, counted, classes;
} kinds[] = {
    {.name = "arrays",
     .data = {.train_x = "/rows", .train_y = "/y"},
     .samples = ROWS,
     .about = {.noun = "row"},
     .positions = 1,
     .counted = 1,
     .classes = CLASSES},
    {.name = "arrays",
     .data = {.train_x = "/rows", .train_y = "/values"},
     .in_order = true,
     .values = true,
     .samples = ROWS,
     .about = {.noun = "row"},
     .counted = 1},
    {.name = "rows",
     .data = {TEXT, .train_tokens = "/rows", .objective = DT_OBJECTIVE_CLASS, .train_y = "/y"},
     .samples = ROWS,
     .about = {.noun = "row", .ids = TOKENS, .tokens = WIDTH},
     .positions = 1,
     .counted = 1,
     .classes = CLASSES},
    {.name = "windows",
     .data = {TEXT, .train_tokens = "/tokens"},
     .samples = SPAN / WIDTH,
     .about = {.noun = "token", .ids = TOKENS, .tokens = WIDTH, .predicts_tokens = true, .chars = 3},
     .positions = WIDTH,
     .counted = WIDTH,
     .classes = TOKENS},
    {.name = "windows",
     .data = {TEXT, .train_tokens = "/tokens"},
     .in_order = true,
     .samples = UP(SPAN, WIDTH),
     .about = {.noun = "token", .ids = TOKENS, .tokens = WIDTH, .predicts_tokens = true, .chars = 3},
     .positions = WIDTH,
     .counted = WIDTH,
     .classes = TOKENS},
    {.name = "windows", /* masked: an id more, and no characters to count by */
     .data = {TEXT, .train_tokens = "/tokens", .objective = DT_OBJECTIVE_MASKED},
     .samples = SPAN / WIDTH,
     .about = {.noun = "token", .ids = TOKENS + 1, .tokens = WIDTH, .predicts_tokens = true},
     .positions = WIDTH,
     .counted = MASKED,
     .classes = TOKENS},
    {.name = "streams",
     .data = {TEXT, .train_tokens = "/tokens", .windows = DT_WINDOWS_STREAM},
     .samples = SPAN / STREAMS / WIDTH * STREAMS,
     .about =
         {.noun = "token", .ids = TOKENS, .streams = STREAMS, .tokens = WIDTH, .predicts_tokens = true, .chars = 3},
     .positions = WIDTH,
     .counted = WIDTH,
     .classes = TOKENS},
    {.name = "streams",
     .data = {TEXT, .train_tokens = "/tokens", .windows = DT_WINDOWS_STREAM},
     .in_order = true,
     .samples = UP(UP(SPAN, STREAMS), WIDTH) * STREAMS,
     .about =
         {.noun = "token", .ids = TOKENS, .streams = STREAMS, .tokens = WIDTH, .predicts_tokens = true, .chars = 3},
     .positions = WIDTH,
     .counted = WIDTH,
     .classes = TOKENS},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static dt_loss loss_of(int i) {
    return kinds[i].values ? DT_LOSS_MEAN_SQUARED_ERROR : DT_LOSS_SOFTMAX_CROSS_ENTROPY;
}

static dt_status open_rows(dt_source *source, int i, const dt_selection *chosen) {
    dt_source_request request = {.file = path,
                                 .data = &kinds[i].data,
                                 .loss = loss_of(i),
                                 .in_order = kinds[i].in_order,
                                 .streams = STREAMS,
                                 .chosen = chosen};
    return dt_source_open(source, &ranks, &request);
}

static dt_status open_kind(dt_source *source, int i) {
    return open_rows(source, i, NULL);
}

START_TEST(a_source_says_what_its_samples_are_and_how_many) {
    dt_source source;
    ranks_assert_ok(open_kind(&source, _i));
    const dt_source_about *about = &source.about, *said = &kinds[_i].about;
    const dt_targets *targets = &source.targets;
    ranks_assert(strcmp(source.kind->name, kinds[_i].name) == 0 && source.samples == kinds[_i].samples);
    ranks_assert(about->input.rank == 1 && about->input.dim[0] == WIDTH && about->ids == said->ids);
    const int32_t *row = dt_source_row(&source, 5);
    ranks_assert(about->dtype == DT_I32 && (row != NULL) == (said->ids == 0) && (!row || row[1] == 5 * WIDTH + 1));
    ranks_assert(about->streams == said->streams && about->tokens == said->tokens);
    ranks_assert(about->predicts_tokens == said->predicts_tokens && fabs(about->chars - said->chars) < 1e-12);
    ranks_assert(strcmp(about->noun, said->noun) == 0 && targets->labels != kinds[_i].values);
    ranks_assert(targets->positions == kinds[_i].positions && targets->counted == kinds[_i].counted);
    ranks_assert(targets->classes == kinds[_i].classes);
    dt_source_close(&source);
    ranks_assert(!source.kind && !source.x && !source.own);
    dt_source_close(&source); /* again */
}
END_TEST

/* A batch of all samples. */
typedef struct taken {
    dt_real x[2 * TOKENS];
    int32_t labels[2 * TOKENS];
    dt_real values[2 * ROWS];
    dt_batch batch;
} taken;

/* Samples index[0 … rows), `at_once` in a call. */
static void take(taken *out, const dt_source *source, const dt_recipe_data *data, const dt_augment *augment,
                 const int64_t *index, int64_t rows, int64_t at_once) {
    dt_scaling scaling;
    ranks_assert_ok(dt_scaling_open(&scaling, source, data));
    memset(out, 7, sizeof *out);
    int64_t positions = source->targets.positions;
    for (int64_t at = 0; at < rows; at += at_once) {
        int64_t count = rows - at < at_once ? rows - at : at_once;
        dt_batch *batch = &out->batch;
        *batch = (dt_batch){.x = out->x + at * WIDTH,
                            .labels = positions > 0 ? out->labels + at * positions : NULL,
                            .values = positions > 0 ? NULL : out->values + at};
        dt_source_fetch(source, dt_kernels_for(test_isa()), &(dt_scales){.input = scaling}, augment, index + at, count,
                        batch);
        ranks_assert(batch->rows == count && batch->targets == positions && batch->streams == source->about.streams);
        ranks_assert(batch->fresh == (source->about.streams > 0 && index[at] < source->about.streams));
    }
    dt_scaling_close(&scaling);
}

/* One by one, in batches of seven, and all at once, from behind. */
START_TEST(a_sample_is_the_same_in_any_batch_and_on_any_rank) {
    static taken one, seven, all;
    static int64_t index[2 * ROWS];
    dt_source source;
    ranks_assert_ok(open_kind(&source, _i));
    dt_augment drawn = dt_augment_at(&kinds[_i].data, 11, 2), *augment = kinds[_i].in_order ? NULL : &drawn;
    int64_t samples = source.samples, wrong = 0;
    for (int64_t i = 0; i < samples; i++) index[i] = samples - 1 - i;
    take(&one, &source, &kinds[_i].data, augment, index, samples, 1);
    take(&seven, &source, &kinds[_i].data, augment, index, samples, 7);
    take(&all, &source, &kinds[_i].data, augment, index, samples, samples);
    ranks_assert(memcmp(one.x, seven.x, sizeof one.x) == 0 && memcmp(one.x, all.x, sizeof one.x) == 0);
    ranks_assert(memcmp(one.labels, seven.labels, sizeof one.labels) == 0);
    ranks_assert(memcmp(one.labels, all.labels, sizeof one.labels) == 0);
    ranks_assert(memcmp(one.values, seven.values, sizeof one.values) == 0);
    ranks_assert(memcmp(one.values, all.values, sizeof one.values) == 0);
    /* where it says it is, it is */
    int64_t stride = strcmp(source.about.noun, "row") == 0 ? WIDTH : 1;
    for (int64_t i = 0; i < samples; i++) {
        int64_t place = dt_source_place(&source, augment, index[i]);
        int64_t number = place * stride;
        wrong += number < 0 || number >= TOKENS;
        if (source.targets.counted == MASKED) continue; /* the first token may be masked */
        wrong += one.x[i * WIDTH] != (dt_real)number;
    }
    static taken first;
    first = one;
    ranks_assert_ok(dt_comm_broadcast(world, &first, sizeof first, 0));
    wrong += memcmp(first.x, one.x, sizeof one.x) != 0 || memcmp(first.labels, one.labels, sizeof one.labels) != 0;
    wrong += memcmp(first.values, one.values, sizeof one.values) != 0;
    ranks_assert(wrong == 0);
    dt_source_close(&source);
}
END_TEST

/* A third of the rows, of one class: all that is asked for is theirs, and places are those of the dataset. */
START_TEST(chosen_rows_are_the_samples_and_keep_their_places) {
    enum { CHOSEN = ROWS / CLASSES };
    static taken all, some;
    int64_t rows[CHOSEN], index[CHOSEN], wrong = 0;
    dt_source whole, source;
    if (strcmp(kinds[_i].about.noun, "row") != 0) return;
    for (int64_t i = 0; i < CHOSEN; i++) rows[i] = 1 + CLASSES * i, index[i] = i;
    ranks_assert_ok(open_kind(&whole, _i));
    ranks_assert_ok(open_rows(&source, _i, &(dt_selection){rows, CHOSEN}));
    ranks_assert(source.samples == CHOSEN && source.selection.rows != rows);
    take(&all, &whole, &kinds[_i].data, NULL, rows, CHOSEN, CHOSEN);
    take(&some, &source, &kinds[_i].data, NULL, index, CHOSEN, 7);
    ranks_assert(memcmp(all.x, some.x, sizeof all.x) == 0 && memcmp(all.values, some.values, sizeof all.values) == 0);
    ranks_assert(memcmp(all.labels, some.labels, sizeof all.labels) == 0);
    for (int64_t i = 0; i < CHOSEN; i++) {
        wrong += dt_source_place(&source, NULL, i) != rows[i];
        const int32_t *numbers = dt_source_row(&source, i);
        wrong += kinds[_i].about.ids == 0 && numbers[1] != rows[i] * WIDTH + 1;
    }
    ranks_assert(wrong == 0 && source.targets.classes == (kinds[_i].values ? 0 : 1));
    const dt_label *label = kinds[_i].values ? NULL : dt_labels_at(source.targets.found, 0);
    ranks_assert(kinds[_i].values || (label->value == 1 && label->count == CHOSEN && label->row == rows[0]));
    dt_source_close(&source);
    dt_source_close(&whole);
}
END_TEST

/* In order and with nothing masked: as a model at work is given them. The recipe's own datasets are not there. */
START_TEST(samples_without_targets_are_those_with_them) {
    static taken with, without;
    static int64_t index[2 * ROWS];
    dt_source whole, source;
    dt_recipe_data data = kinds[_i].data, plain = data;
    dt_source_request request = {
        .file = path, .data = &data, .loss = loss_of(_i), .in_order = true, .streams = STREAMS};
    ranks_assert_ok(dt_source_open(&whole, &ranks, &request));
    dt_identity identity;
    char trained[DT_IDENTITY_TEXT];
    ranks_assert_ok(dt_identity_of(&identity, &ranks, path, &whole, NULL));
    dt_identity_text(&identity, trained);
    const char *x = data.context > 0 ? data.train_tokens : data.train_x;
    snprintf(plain.train_x, sizeof plain.train_x, "/nothing");
    snprintf(plain.train_y, sizeof plain.train_y, "/nothing");
    snprintf(plain.train_tokens, sizeof plain.train_tokens, "/nothing");
    request.data = &plain;
    request.dataset = x;
    request.trained = trained;
    request.checkpoint = "a checkpoint";
    request.unlabelled = true;
    ranks_assert_ok(dt_source_open(&source, &ranks, &request));
    int64_t samples = source.samples, wrong = 0;
    ranks_assert(samples == whole.samples && source.about.streams == whole.about.streams);
    ranks_assert(source.targets.labels == !kinds[_i].values && source.targets.positions == kinds[_i].positions);
    for (int64_t i = 0; i < samples; i++) {
        index[i] = i;
        wrong += dt_source_place(&source, NULL, i) != dt_source_place(&whole, NULL, i);
    }
    take(&with, &whole, &data, NULL, index, samples, samples);
    dt_scaling scaling;
    ranks_assert_ok(dt_scaling_open(&scaling, &source, &plain));
    memset(&without, 7, sizeof without);
    without.batch = (dt_batch){.x = without.x};
    dt_source_fetch(&source, dt_kernels_for(test_isa()), &(dt_scales){.input = scaling}, NULL, index, samples,
                    &without.batch);
    dt_scaling_close(&scaling);
    /* what is masked with targets is seen without */
    bool masked = data.objective == DT_OBJECTIVE_MASKED;
    for (int64_t i = 0; masked && i < samples * WIDTH; i++)
        wrong += without.x[i] != (dt_real)(dt_source_place(&whole, NULL, i / WIDTH) + i % WIDTH);
    ranks_assert(wrong == 0 && (masked || memcmp(with.x, without.x, sizeof with.x) == 0));
    dt_source_close(&source);
    dt_source_close(&whole);
}
END_TEST

/* Of each kind: all its samples at random, and by blocks. */
START_TEST(an_epoch_has_every_sample_once_and_streams_are_never_shuffled) {
    static int seen[2 * ROWS];
    dt_source source;
    ranks_assert_ok(open_kind(&source, _i % KINDS));
    memset(seen, 0, sizeof seen);
    dt_recipe_data global = {.shuffle = DT_SHUFFLE_GLOBAL}, none = {.shuffle = DT_SHUFFLE_NONE};
    dt_recipe_data block = {.shuffle = DT_SHUFFLE_BLOCK, .shuffle_block = 3, .shuffle_window = 2};
    dt_sampler shuffled = dt_source_order(&source, _i < KINDS ? &global : &block, 3, 1);
    dt_sampler plain = dt_source_order(&source, &none, 3, 1);
    int64_t moved = 0, wrong = 0;
    for (int64_t i = 0; i < source.samples; i++) {
        int64_t sample = dt_sampler_index(&shuffled, i);
        moved += sample != i;
        wrong += sample < 0 || sample >= source.samples || seen[sample]++ > 0 || dt_sampler_index(&plain, i) != i;
    }
    ranks_assert(wrong == 0 && (moved == 0) == (source.about.streams > 0));
    dt_source_close(&source);
}
END_TEST

/* The dataset is named, with the recipe's word for it, and nothing is left open. */
START_TEST(a_source_that_is_not_there_is_named_and_left_closed) {
    dt_source source;
    char field[32];
    dt_recipe_data data = kinds[_i].data;
    snprintf(data.train_x, sizeof data.train_x, "/nothing");
    snprintf(data.train_tokens, sizeof data.train_tokens, "/nothing");
    dt_source_request request = {.file = path, .data = &data, .loss = loss_of(_i), .streams = STREAMS};
    dt_status status = dt_source_open(&source, &ranks, &request);
    ranks_assert(status.code == DT_ERR_INPUT && strstr(status.message, "there is no /nothing; it holds"));
    ranks_assert(!source.kind && !source.x && !source.targets.y && !source.own);
    dt_source_field(&data, DT_SPLIT_TEST, field);
    ranks_assert(strcmp(field, kinds[_i].about.ids > 0 ? "test_tokens" : "test_x") == 0);
    ranks_assert(strcmp(dt_source_dataset(&data, DT_SPLIT_TRAIN), "/nothing") == 0);
}
END_TEST

/* A kind that cannot read what it is asked for on the second fetch. */
static int fetches;

static dt_status fail_to_fetch(const dt_source *source, const dt_fetch *wanted, dt_batch *batch) {
    (void)source;
    for (int64_t i = 0; i < wanted->rows; i++) batch->x[i] = 7, batch->labels[i] = 7;
    return ++fetches < 2 ? dt_ok() : dt_fail(DT_ERR_IO, "far.h5: chunk 3 cannot be read");
}

START_TEST(what_a_source_fails_to_read_is_kept_until_all_ranks_ask_and_leaves_zeros) {
    static const dt_source_kind failing = {.name = "failing", .fetch = fail_to_fetch};
    dt_source source = {.kind = &failing, .about = {.input = {1, {1}}}, .targets = {.labels = true, .positions = 1}};
    dt_real x[2] = {1, 1};
    int32_t labels[2] = {1, 1};
    dt_batch batch = {.x = x, .labels = labels};
    fetches = 0;
    dt_source_fetch(&source, NULL, NULL, NULL, (int64_t[]){0, 1}, 2, &batch);
    ranks_assert(!dt_compute_failed() && labels[1] == 7);
    dt_source_fetch(&source, NULL, NULL, NULL, (int64_t[]){2, 3}, 2, &batch);
    ranks_assert(dt_compute_failed() && labels[0] == 0 && labels[1] == 0 && fabs((double)x[1]) < 1e-12);
    dt_status status = dt_compute_failure();
    ranks_assert(status.code == DT_ERR_IO && strstr(status.message, "chunk 3") && !dt_compute_failed());
}
END_TEST

int main(void) {
    Suite *suite = suite_create("source");
    TCase *tests = tcase_create("source");
    tcase_add_checked_fixture(tests, make_file, remove_file);
    tcase_add_loop_test(tests, a_source_says_what_its_samples_are_and_how_many, 0, KINDS);
    tcase_add_loop_test(tests, a_sample_is_the_same_in_any_batch_and_on_any_rank, 0, KINDS);
    tcase_add_loop_test(tests, chosen_rows_are_the_samples_and_keep_their_places, 0, KINDS);
    tcase_add_loop_test(tests, samples_without_targets_are_those_with_them, 0, KINDS);
    tcase_add_loop_test(tests, an_epoch_has_every_sample_once_and_streams_are_never_shuffled, 0, 2 * KINDS);
    tcase_add_loop_test(tests, a_source_that_is_not_there_is_named_and_left_closed, 0, KINDS);
    tcase_add_test(tests, what_a_source_fails_to_read_is_kept_until_all_ranks_ask_and_leaves_zeros);
    suite_add_tcase(suite, tests);
    return run_on_ranks(suite);
}
