/* Decoding against the whole window, and the choice of the next token against its definition. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "models.h"
#include "reference.h"
#include "use/choose.h"
#include "use/decoder.h"
#include "use/rows_state.h"
#include "use/trained.h"

enum { IDS = 11, CONTEXT = 12, ROWS = 3, TOKENS = 45 };

/* Positions learned and turned; the second with all that LLaMA has. */
static const char *const models[] = {
    "[gpt: {layers: 2, heads: 2, width: 24}]",
    "[gpt: {layers: 2, heads: 4, kv_heads: 2, width: 24, positions: rotary, norm: rms_norm, mlp: swiglu, bias: false}]",
};

static const char *const recurrent[] = {
    "[lstm: {units: 20, layers: 2}, dense: 11]",
    "[embedding: 16, gru: 20, dense: 11]",
    "[simple_rnn: 24, dense: 11]",
};

static int32_t token(int row, int64_t at) {
    return (int32_t)((ref_uniform(100 + (uint64_t)row, (uint64_t)at) + 1) / 2 * IDS);
}

/* Weights large enough for positions to matter. */
static dt_real *new_weights(const dt_table *table) {
    dt_real *w = dt_alloc(table->total, sizeof *w);
    ck_assert_ptr_nonnull(w);
    for (size_t i = 0; i < table->total; i++) w[i] = (dt_real)(0.4 * ref_uniform(7, i));
    return w;
}

static dt_decoder *new_decoder(const char *layers, int64_t rows, bool bf16) {
    dt_yaml *root = parse_layers(layers);
    dt_decoder *decoder;
    assert_ok(dt_decoder_create(&decoder, dt_yaml_get(root, "layers"), &cross_entropy, IDS, CONTEXT, rows, bf16,
                                best_kernels()));
    dt_yaml_destroy(root);
    assert_ok(dt_decoder_weights(decoder, new_weights(dt_decoder_table(decoder))));
    return decoder;
}

/* A copy as products of bf16 read it, or NULL. */
static dt_bf16 *rounded(const dt_model *model, const dt_real *w, bool bf16) {
    dt_bf16 *w16 = NULL;
    if (bf16) assert_ok(dt_trained_rounded(best_kernels(), w, dt_model_table(model)->total, &w16));
    return w16;
}

static const dt_real *read_tokens(dt_decoder *decoder, int64_t rows, int64_t at) {
    int32_t next[ROWS];
    for (int r = 0; r < rows; r++) next[r] = token(r, at);
    return dt_decoder_read(decoder, next);
}

/* The window's first token when `at` is read, told step by step. */
static int64_t window_of(int64_t at) {
    int64_t first = 0;
    for (int64_t i = 0; i <= at; i++)
        if (i - first == CONTEXT) first = i - CONTEXT / 2;
    return first;
}

static double largest_gap(const dt_real *a, const dt_real *b, int64_t count) {
    double gap = 0;
    for (int64_t i = 0; i < count; i++) gap = fmax(gap, fabs((double)a[i] - (double)b[i]));
    return gap;
}

START_TEST(a_place_at_a_time_gives_what_the_whole_window_gives) {
    const bool bf16 = _i % 2 == 1;
    dt_model_spec spec = {.input = {1, {CONTEXT}}, .ids = IDS, .rows = ROWS, .bf16 = bf16};
    dt_model *model = new_model(models[_i / 2], &spec);
    dt_real *w = new_weights(dt_model_table(model)), x[ROWS * CONTEXT];
    dt_bf16 *w16 = rounded(model, w, bf16);
    dt_decoder *decoder = new_decoder(models[_i / 2], ROWS, bf16);
    for (int64_t at = 0; at < TOKENS; at++) {
        const dt_real *one = read_tokens(decoder, ROWS, at);
        int64_t first = window_of(at);
        ck_assert_int_eq(dt_decoder_first(decoder, at + 1), first);
        for (int r = 0; r < ROWS; r++)
            for (int t = 0; t < CONTEXT; t++) x[r * CONTEXT + t] = first + t <= at ? (dt_real)token(r, first + t) : 0;
        const dt_real *all = dt_model_forward(model, (dt_pass){.rows = ROWS, .weights = w, .weights16 = w16}, x);
        for (int r = 0; r < ROWS; r++)
            ck_assert_double_le(largest_gap(one + r * IDS, all + (r * CONTEXT + at - first) * IDS, IDS), 0);
    }
    dt_decoder_destroy(decoder);
    dt_model_destroy(model);
    dt_free(w16);
    dt_free(w);
}
END_TEST

/* What is out of the window at the end need not be read, and other texts do not matter: not one bit. */
START_TEST(a_text_is_the_same_alone_and_from_its_last_window) {
    dt_decoder *together = new_decoder(models[_i], ROWS, true), *alone = new_decoder(models[_i], 1, true);
    for (int64_t count = 1; count <= TOKENS; count++) {
        const dt_real *a = NULL, *b = NULL;
        dt_decoder_restart(together, ROWS);
        for (int64_t at = 0; at < count; at++) a = read_tokens(together, ROWS, at);
        dt_decoder_restart(alone, 1);
        for (int64_t at = dt_decoder_first(alone, count); at < count; at++) b = read_tokens(alone, 1, at);
        ck_assert(a && b && memcmp(a, b, IDS * sizeof *a) == 0);
    }
    dt_decoder_destroy(together);
    dt_decoder_destroy(alone);
}
END_TEST

/* What recurrent layers carry has no window: they go on for ever. */
START_TEST(a_recurrent_text_goes_on_beyond_the_context) {
    const bool bf16 = _i % 2 == 1;
    dt_model_spec spec = {.input = {1, {TOKENS}}, .ids = IDS, .rows = ROWS, .bf16 = bf16};
    dt_model *model = new_model(recurrent[_i / 2], &spec);
    dt_real *w = new_weights(dt_model_table(model)), x[ROWS * TOKENS];
    for (int i = 0; i < ROWS * TOKENS; i++) x[i] = (dt_real)token(i / TOKENS, i % TOKENS);
    dt_bf16 *w16 = rounded(model, w, bf16);
    const dt_real *all = dt_model_forward(model, (dt_pass){.rows = ROWS, .weights = w, .weights16 = w16}, x);
    dt_decoder *decoder = new_decoder(recurrent[_i / 2], ROWS, bf16), *alone = new_decoder(recurrent[_i / 2], 1, bf16);
    for (int again = 0; again < 2; again++) {
        dt_decoder_restart(decoder, ROWS);
        dt_decoder_restart(alone, 1);
        for (int64_t at = 0; at < TOKENS; at++) {
            const dt_real *one = read_tokens(decoder, ROWS, at);
            ck_assert_int_eq(dt_decoder_first(decoder, at + 1), 0);
            for (int r = 0; r < ROWS; r++)
                ck_assert_double_le(largest_gap(one + r * IDS, all + (r * TOKENS + at) * IDS, IDS), 0);
            ck_assert_int_eq(memcmp(one, read_tokens(alone, 1, at), IDS * sizeof *one), 0);
        }
    }
    dt_decoder_destroy(decoder);
    dt_decoder_destroy(alone);
    dt_model_destroy(model);
    dt_free(w16);
    dt_free(w);
}
END_TEST

START_TEST(rounded_weights_give_nearly_the_same) {
    dt_decoder *exact = new_decoder(models[_i], 1, false), *rounded = new_decoder(models[_i], 1, true);
    double gap = 0, size = 0;
    const dt_real zeros[IDS] = {0};
    for (int64_t at = 0; at < TOKENS; at++) {
        const dt_real *a = read_tokens(exact, 1, at), *b = read_tokens(rounded, 1, at);
        gap = fmax(gap, largest_gap(a, b, IDS));
        size = fmax(size, largest_gap(a, zeros, IDS));
    }
    ck_assert_double_gt(gap, 0);
    ck_assert_double_le(gap, 0.03 * size);
    dt_decoder_destroy(exact);
    dt_decoder_destroy(rounded);
}
END_TEST

/* ---- the next token ---- */

enum { MANY = 200, DRAWS = 20000 };

static void fill_outputs(dt_real *outputs, int count) {
    for (int i = 0; i < count; i++) outputs[i] = (dt_real)floor(8 * ref_uniform(3, (uint64_t)i)) / 2; /* with equals */
}

/* The probability of each token by the definition: the largest is taken again and again. */
static void define(double *share, const dt_real *outputs, int count, const dt_choice *choice) {
    double all = 0, so_far = 0, kept = 0, p[MANY];
    bool gone[MANY] = {false};
    int left = choice->top_k > 0 && choice->top_k < count ? (int)choice->top_k : count, order[MANY];
    for (int n = 0; n < left; n++) {
        int best = -1;
        for (int i = 0; i < count; i++)
            if (!gone[i] && (best < 0 || outputs[i] > outputs[best])) best = i;
        gone[best] = true;
        order[n] = best;
        p[n] = exp(((double)outputs[best] - (double)outputs[order[0]]) / choice->temperature);
        all += p[n];
    }
    memset(share, 0, (size_t)count * sizeof *share);
    for (int n = 0; n < left && so_far < choice->top_p * all; n++) {
        so_far += p[n];
        share[order[n]] = p[n];
    }
    for (int i = 0; i < count; i++) kept += share[i];
    for (int i = 0; i < count; i++) share[i] /= kept;
}

static const dt_choice choices[] = {
    {1, 0, 1},    {0.5, 0, 1},    {3, 0, 1},    {1, 10, 1},  {1, MANY, 1},     {1, 100000, 1},
    {1, 0, 0.71}, {1, 0, 0.0001}, {2, 50, 0.6}, {0.7, 3, 1}, {2, 17, 0.99999}, {1, 2, 0.5},
};

START_TEST(tokens_come_as_often_as_the_definition_says) {
    dt_real outputs[MANY];
    dt_candidate work[MANY];
    double share[MANY];
    int drawn[MANY] = {0};
    fill_outputs(outputs, MANY);
    define(share, outputs, MANY, &choices[_i]);
    for (int i = 0; i < DRAWS; i++) drawn[dt_choose(&choices[_i], outputs, MANY, (i + 0.5) / DRAWS, work)]++;
    for (int i = 0; i < MANY; i++) {
        ck_assert_double_le(fabs((double)drawn[i] - share[i] * DRAWS), 1.01);
        if (share[i] == 0) ck_assert_int_eq(drawn[i], 0);
    }
}
END_TEST

START_TEST(the_likeliest_is_the_first_of_the_largest) {
    dt_candidate work[MANY];
    dt_real outputs[MANY];
    for (int i = 0; i < MANY; i++) outputs[i] = (dt_real)(i % 50);
    const dt_choice greedy[] = {{0, 0, 1}, {1, 1, 1}, {5, 1, 0.3}, {0, 7, 0.5}, {1, 0, 1e-9}};
    for (int i = 0; i < COUNT(greedy); i++)
        for (int n = 0; n < 10; n++) ck_assert_int_eq(dt_choose(&greedy[i], outputs, MANY, n / 10.0, work), 49);
    /* Hardly any warmth is none: what is divided by it overflows without harm. */
    ck_assert_int_eq(dt_choose(&(dt_choice){1e-300, 0, 0.9}, outputs, MANY, 0.2, work), 49);
}
END_TEST

START_TEST(what_is_no_number_is_not_drawn_from) {
    dt_candidate work[4];
    const dt_real bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < COUNT(bad); i++) {
        dt_real outputs[4] = {1, 2, bad[i], 0};
        ck_assert_int_eq(dt_choose(&(dt_choice){1, 0, 1}, outputs, 4, 0.5, work), -1);
        ck_assert_int_eq(dt_choose(&(dt_choice){0, 0, 1}, outputs, 4, 0.5, work), -1);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("sample");
    TCase *group = tcase_create("sample");
    tcase_set_timeout(group, 60);
    tcase_add_loop_test(group, a_place_at_a_time_gives_what_the_whole_window_gives, 0, 2 * COUNT(models));
    tcase_add_loop_test(group, a_text_is_the_same_alone_and_from_its_last_window, 0, COUNT(models));
    tcase_add_loop_test(group, a_recurrent_text_goes_on_beyond_the_context, 0, 2 * COUNT(recurrent));
    tcase_add_loop_test(group, rounded_weights_give_nearly_the_same, 0, COUNT(models));
    tcase_add_loop_test(group, tokens_come_as_often_as_the_definition_says, 0, COUNT(choices));
    tcase_add_test(group, the_likeliest_is_the_first_of_the_largest);
    tcase_add_test(group, what_is_no_number_is_not_drawn_from);
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
