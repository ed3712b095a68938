/* Evaluation as a room without MPI sees it: ranks that never heard of each other give parts whose sum is what one gives
 * alone, whatever their number; and what is asked of them is agreement, sums and a broadcast, in an order all keep. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "data/source_kind.h"
#include "models.h"
#include "use/evaluation.h"

enum { SAMPLES = 23, INPUTS = 6, CLASSES = 4, AT_ONCE = 3 };

/* Sample i is a function of i; number `bad` has an input that is no number. */
static int64_t bad = -1;

static dt_status fetch(const dt_source *source, const dt_fetch *wanted, dt_batch *batch) {
    (void)source;
    for (int64_t r = 0; r < wanted->rows; r++) {
        int64_t i = wanted->index[r];
        for (int j = 0; j < INPUTS; j++)
            batch->x[r * INPUTS + j] = i == bad && j == 2 ? (dt_real)NAN : (dt_real)((i * 7 + j * 3) % 11 - 5);
        batch->labels[r] = (int32_t)(i % CLASSES);
    }
    return dt_ok();
}

static int64_t place(const dt_source *source, const dt_augment *augment, int64_t index) {
    (void)source, (void)augment;
    return index;
}

static const dt_source_kind counted = {.name = "counted", .fetch = fetch, .place = place};

static dt_source new_source(void) {
    return (dt_source){
        .kind = &counted,
        .x_name = "/x",
        .samples = SAMPLES,
        .about = {.input = {1, {INPUTS}}, .noun = "row"},
        .targets = {.labels = true, .positions = 1, .width = 1, .counted = 1, .classes = CLASSES, .name = "/y"}};
}

/* ---- ranks that are played one after the other ---- */

typedef struct part {
    dt_ranks ranks;
    int broadcasts;
    char calls[32]; /* what it was asked for: a, s, b */
} part;

static void note(part *p, char call) {
    p->calls[strlen(p->calls)] = call;
}

static dt_status agree(void *context, dt_status status) {
    note(context, 'a');
    return status;
}

static dt_status sum(void *context, int64_t *values, size_t count) {
    (void)values, (void)count;
    note(context, 's');
    return dt_ok();
}

static dt_status broadcast(void *context, void *bytes, size_t count, int root) {
    part *p = context;
    (void)bytes, (void)count, (void)root;
    note(p, 'b');
    p->broadcasts++;
    return dt_ok();
}

static dt_evaluator new_evaluator(const dt_ranks *ranks, dt_model *model, const dt_real *w, const dt_source *source) {
    return (dt_evaluator){.ranks = ranks,
                          .model = model,
                          .kernels = best_kernels(),
                          .weights = w,
                          .source = source,
                          .rows_at_once = AT_ONCE};
}

static dt_model *open_model(dt_real **w) {
    dt_model_spec spec = {.input = {1, {INPUTS}}, .outputs = CLASSES, .targets = 1, .rows = AT_ONCE};
    dt_model *model = new_model("[dense: 8, relu, dense: 4]", &spec);
    *w = reals(dt_model_table(model)->total, 3);
    return model;
}

START_TEST(parts_of_any_number_of_ranks_are_the_whole) {
    dt_real *w;
    dt_model *model = open_model(&w);
    dt_source source = new_source();
    dt_ranks alone = dt_ranks_alone();
    dt_evaluator evaluator = new_evaluator(&alone, model, w, &source);
    dt_odd odd = {.samples = "/x"};
    dt_tally whole, sum_of_parts = {0};
    assert_ok(dt_evaluate_split(&evaluator, &whole, &odd));
    ck_assert_int_eq(whole.samples, SAMPLES);
    ck_assert_int_gt(whole.correct, 0);
    part parts[9];
    memset(parts, 0, sizeof parts);
    for (int rank = 0; rank < _i; rank++) {
        parts[rank].ranks = (dt_ranks){
            .rank = rank, .size = _i, .context = &parts[rank], .agree = agree, .sum = sum, .broadcast = broadcast};
        dt_tally one;
        evaluator.ranks = &parts[rank].ranks;
        assert_ok(dt_evaluate_split(&evaluator, &one, &odd));
        dt_tally_add(&sum_of_parts, &one);
        ck_assert_str_eq(parts[rank].calls, parts[0].calls); /* or they would wait for each other */
    }
    dt_tally_carry(&sum_of_parts);
    ck_assert_int_eq(memcmp(&whole, &sum_of_parts, sizeof whole), 0);
    dt_model_destroy(model);
    dt_free(w);
}
END_TEST

/* Pieces are dealt to the ranks in turns, so the rank that has the sample follows from their number. */
START_TEST(the_sample_that_is_no_number_is_named) {
    dt_real *w;
    dt_model *model = open_model(&w);
    dt_source source = new_source();
    dt_ranks alone = dt_ranks_alone();
    dt_evaluator evaluator = new_evaluator(&alone, model, w, &source);
    for (bad = 0; bad < SAMPLES; bad += 11) {
        dt_odd odd = {.samples = "/x"};
        dt_tally tally;
        char wanted[64];
        assert_ok(dt_evaluate_split(&evaluator, &tally, &odd));
        ck_assert_int_eq(tally.not_finite, 1);
        snprintf(wanted, sizeof wanted, "row %d of /x is not finite: correct the data", (int)bad);
        ck_assert_str_eq(odd.cause, wanted);
    }
    bad = -1;
    dt_model_destroy(model);
    dt_free(w);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("evaluator");
    TCase *tests = tcase_create("evaluator");
    tcase_add_loop_test(tests, parts_of_any_number_of_ranks_are_the_whole, 1, 10);
    tcase_add_test(tests, the_sample_that_is_no_number_is_named);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
