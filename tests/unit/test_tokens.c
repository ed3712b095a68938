/* Models of token sequences: tables of vectors, losses computed in pieces, presets. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "models.h"

#include "../golden/transformers.h"

START_TEST(an_embedding_gives_the_rows_of_its_table) {
    enum { IDS = 9, WIDTH = 19, POSITIONS = 4, ROWS = 3 };
    dt_model_spec spec = {.input = {1, {POSITIONS}}, .ids = IDS, .rows = ROWS};
    dt_model *model = new_model("[embedding: {width: 19, positions: learned}]", &spec);
    const dt_table *table = dt_model_table(model);
    ck_assert_int_eq(table->count, 2);
    ck_assert_str_eq(table->tensors[1].name, "embedding1/p");
    dt_real *w = reals(table->total, 1), ids[ROWS * POSITIONS] = {0, 8, -1, 3, 3, 3, -1, -1, 1, 2, 3, 4};
    const dt_real *y = dt_model_forward(model, (dt_pass){.rows = ROWS, .weights = w}, ids);
    const dt_real *p = w + table->tensors[1].offset;
    for (int i = 0; i < ROWS * POSITIONS; i++)
        for (int j = 0; j < WIDTH; j++) {
            dt_real token = ids[i] < 0 ? 0 : w[(int)ids[i] * WIDTH + j];
            ck_assert(y[i * WIDTH + j] == token + p[i % POSITIONS * WIDTH + j]);
        }
    dt_model_destroy(model);
    dt_free(w);
}
END_TEST

/* Rows of many positions with many outputs each: a batch's outputs are never there as a whole, and it is the sum of its
 * rows, which are. */
START_TEST(a_loss_in_chunks_is_that_of_the_rows) {
    enum { IDS = 3000, POSITIONS = 130, ROWS = 6, ALL = ROWS * POSITIONS };
    static const char *const models[] = {"[embedding: 8, unembed: embedding1]", "[embedding: 8, tanh, dense: 3000]",
                                         "[embedding: 8, unembed: {of: \"\", bias: true}]"};
    dt_model_spec spec = {.input = {1, {POSITIONS}}, .ids = IDS, .outputs = IDS, .targets = POSITIONS, .rows = ROWS};
    spec.training = true;
    dt_model *model = new_model(models[_i], &spec);
    ck_assert_int_eq(dt_model_chunk(model), 256);
    ck_assert_uint_lt(dt_model_memory(model), (size_t)ALL * IDS * sizeof(dt_real) / 2);
    size_t total = dt_model_table(model)->total;
    dt_real *w = reals(total, 5), *whole = reals(total, 6), *sum = reals(total, 7), x[ALL];
    int32_t labels[ALL];
    for (int i = 0; i < ALL; i++) {
        x[i] = (dt_real)(i * 37 % IDS);
        labels[i] = i % 11 == 0 ? -1 : (i * 101 + 7) % IDS;
    }
    dt_tally all = {0}, parts = {0}, evaluated = {0};
    dt_batch batch = {.rows = ROWS, .x = x, .labels = labels, .targets = POSITIONS};
    dt_model_train(model, (dt_pass){.weights = w, .grads = whole}, &batch, &all);
    dt_model_evaluate(model, (dt_pass){.weights = w}, &batch, &evaluated);
    for (int i = 0; i < ROWS; i++) {
        dt_batch row = {.rows = 1, .x = x + i * POSITIONS, .labels = labels + i * POSITIONS, .targets = POSITIONS};
        dt_model_train(model, (dt_pass){.weights = w, .grads = sum, .accumulate = i > 0}, &row, &parts);
    }
    ck_assert_int_eq(all.samples, ALL - (ALL + 10) / 11);
    ck_assert_int_eq(parts.samples, all.samples);
    ck_assert_int_eq(evaluated.rounded_loss, all.rounded_loss);
    ck_assert_int_eq(evaluated.correct, all.correct);
    ck_assert_double_le(fabs(dt_tally_loss(&all) - dt_tally_loss(&parts)), 1e-6);
    double largest = 0;
    const dt_table *table = dt_model_table(model);
    for (int t = 0; t < table->count; t++)
        for (size_t i = 0; i < table->tensors[t].count; i++) {
            size_t at = table->tensors[t].offset + i;
            largest = fmax(largest, fabs((double)whole[at]));
            ck_assert_double_le(fabs((double)(whole[at] - sum[at])), 1e-4);
        }
    ck_assert_double_gt(largest, 0.5);
    dt_model_destroy(model);
    dt_free(w), dt_free(whole), dt_free(sum);
}
END_TEST

START_TEST(a_pool_leaves_out_what_is_no_token) {
    enum { POSITIONS = 3, WIDTH = 2 };
    dt_model_spec spec = {.input = {1, {POSITIONS}}, .ids = 4, .rows = 3};
    dt_model *model = new_model("[embedding: 2, token_pool]", &spec);
    dt_real w[16] = {1, 10, 2, 20, 3, 30, 4, 40};
    dt_real ids[] = {0, 1, 3, 2, -1, 3, -1, -1, -1};
    const dt_real wanted[] = {(dt_real)(7 / 3.0), (dt_real)(70 / 3.0), 3.5, 35, 0, 0};
    const dt_real *y = dt_model_forward(model, (dt_pass){.rows = 3, .weights = w}, ids);
    for (int i = 0; i < COUNT(wanted); i++) ck_assert_double_le(fabs((double)(y[i] - wanted[i])), 1e-5);
    dt_model_destroy(model);
}
END_TEST

START_TEST(a_table_is_used_by_one_other_layer_that_fits) {
    static const struct {
        const char *layers, *says;
    } rows[] = {
        {"[embedding: 4, dense: 5, unembed: embedding1]", "5 numbers at a position but embedding1/w is [7, 4]"},
        {"[embedding: 4, residual: [unembed: embedding1, dense: 4], unembed: embedding1]", "already"},
    };
    dt_model_spec spec = {.input = {1, {5}}, .ids = 7, .rows = 2, .training = true};
    dt_model *model;
    dt_status status = try_model(&model, rows[_i].layers, &cross_entropy, &spec);
    ck_assert_int_eq(status.code, DT_ERR_INPUT);
    ck_assert_msg(strstr(status.message, rows[_i].says) != NULL, "%s", status.message);
}
END_TEST

/* Presets are the models that were published: GPT-2 small has 124 439 808 weights. BERT base with its head for masked
 * tokens has 109 514 298, of which 2*768 are for segments; ours has no segments, but a last norm of as many. nanoGPT's
 * small model has 10.65 million without its 256*384 positions. */
START_TEST(presets_have_as_many_weights_as_their_papers_say) {
    static const struct {
        const char *layers;
        int64_t positions, ids, outputs;
        size_t weights;
    } rows[] = {
        {"[gpt: {layers: 12, heads: 12, width: 768}]", 1024, 50257, 50257, 124439808},
        {"[bert: {layers: 12, heads: 12, width: 768}]", 512, 30522, 30522, 109514298},
        {"[gpt: {layers: 6, heads: 6, width: 384, bias: false}]", 256, 65, 65, 10745088},
    };
    dt_model_spec spec = {.input = {1, {rows[_i].positions}},
                          .ids = rows[_i].ids,
                          .outputs = rows[_i].outputs,
                          .targets = rows[_i].positions,
                          .rows = 1};
    dt_model *model = new_model(rows[_i].layers, &spec);
    ck_assert_uint_eq(dt_table_elements(dt_model_table(model)), rows[_i].weights);
    dt_model_destroy(model);
}
END_TEST

/* What a preset stands for, resolved, stands for itself. */
START_TEST(a_resolved_preset_is_the_same_model) {
    static const char *const models[] = {
        "[gpt: {layers: 2, heads: 2, width: 16, dropout: 0.125}]",
        "[gpt: {layers: 1, heads: 4, kv_heads: 2, width: 16, mlp: swiglu, norm: rms_norm, positions: rotary, bias: "
        "false, "
        "tied: false, hidden: 20, std: 0.1}]",
        "[bert: {layers: 2, heads: 2, width: 16, dropout: 0.1}]",
        "[bert: {layers: 1, heads: 2, width: 16, classes: 4}]",
    };
    dt_model_spec spec = {.input = {1, {5}}, .ids = 7, .outputs = 4, .targets = 5, .rows = 2, .training = true};
    if (_i == 3) spec.targets = 1;
    dt_model *model = new_model(models[_i], &spec);
    char *one;
    dt_model *again = resolved_again(model, &spec, &one);
    ck_assert_ptr_null(strstr(one, "gpt"));
    dt_free(one);
    dt_model_destroy(model), dt_model_destroy(again);
}
END_TEST

/* ---- whole transformers against PyTorch ---- */

#define GPT(options) "[gpt: {layers: " options ", heads: 2, width: 8, hidden: 16}]"
#define POST_NORM_BLOCK                                                                                                \
    "{residual: [{attention: {heads: 2, causal: no}}]}, layer_norm, {residual: [{dense: {out: 16, activation: "        \
    "gelu}}, "                                                                                                         \
    "{dense: 8}]}, layer_norm, "
#define BERT(pool)                                                                                                     \
    "[{embedding: {width: 8, positions: learned}}, layer_norm, " POST_NORM_BLOCK POST_NORM_BLOCK pool ", {dense: 3}]"

#define LLAMA                                                                                                          \
    "[{embedding: 8}, {residual: [rms_norm, {attention: {heads: 2, kv_heads: 1, rotary: yes, bias: no}}]}, "           \
    "{residual: "                                                                                                      \
    "[rms_norm, {swiglu: 16}, {dense: {out: 8, bias: no}}]}, rms_norm, {dense: {out: 7, bias: no}}]"

static const char *const transformers[] = {GPT("2, bias: no"), GPT("1"), BERT("token_pool"),
                                           BERT("{token_pool: first}"), LLAMA};

#ifdef DT_REAL_DOUBLE
#    define TOLERANCE 1e-10
#else
#    define TOLERANCE 2e-5
#endif

START_TEST(whole_transformers_are_pytorch_s) {
    enum { ROWS = GOLDEN_TRANSFORMER_ROWS, POSITIONS = GOLDEN_TRANSFORMER_POSITIONS };
    dt_model_spec spec = {.input = {1, {POSITIONS}},
                          .ids = GOLDEN_TRANSFORMER_VOCABULARY,
                          .targets = golden_transformers[_i].label_count / ROWS,
                          .rows = ROWS,
                          .training = true};
    dt_model *model = new_model(transformers[_i], &spec);
    spec.targets = 0; /* outputs as a whole */
    dt_model *whole = new_model(transformers[_i], &spec);
    const dt_table *table = dt_model_table(model);
    ck_assert_int_eq(table->count, golden_transformers[_i].tensor_count);
    dt_real *w = reals(table->total, 1), *grads = reals(table->total, 2), x[ROWS * POSITIONS];
    scatter(table, w, golden_transformers[_i].weights);
    for (int i = 0; i < ROWS * POSITIONS; i++) x[i] = (dt_real)golden_transformers[_i].tokens[i];
    dt_tally tally = {0};
    int32_t labels[ROWS * POSITIONS];
    for (int i = 0; i < golden_transformers[_i].label_count; i++) labels[i] = golden_transformers[_i].labels[i];
    dt_batch batch = {.rows = ROWS, .x = x, .labels = labels, .targets = golden_transformers[_i].label_count / ROWS};
    const char *name = golden_transformers[_i].name;
    expect_near(name, "logits", dt_model_forward(whole, (dt_pass){.rows = ROWS, .training = true, .weights = w}, x),
                golden_transformers[_i].logits,
                (size_t)(golden_transformers[_i].label_count * golden_transformers[_i].outputs), TOLERANCE);
    dt_model_train(model, (dt_pass){.weights = w, .grads = grads}, &batch, &tally);
    ck_assert_int_eq(tally.samples, golden_transformers[_i].label_count);
    ck_assert_double_le(fabs(dt_sum_mean(&tally.loss, 1) - golden_transformers[_i].loss), 1e-4);
    expect_tensors_near(name, table, grads, golden_transformers[_i].gradient, TOLERANCE);
    dt_model_destroy(model), dt_model_destroy(whole);
    dt_free(w), dt_free(grads);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tokens");
    TCase *group = tcase_create("models");
    tcase_set_timeout(group, 60);
    tcase_add_test(group, an_embedding_gives_the_rows_of_its_table);
    tcase_add_loop_test(group, a_loss_in_chunks_is_that_of_the_rows, 0, 3);
    tcase_add_test(group, a_pool_leaves_out_what_is_no_token);
    tcase_add_loop_test(group, a_table_is_used_by_one_other_layer_that_fits, 0, 2);
    tcase_add_loop_test(group, presets_have_as_many_weights_as_their_papers_say, 0, 3);
    tcase_add_loop_test(group, a_resolved_preset_is_the_same_model, 0, 4);
    tcase_add_loop_test(group, whole_transformers_are_pytorch_s, 0, COUNT(transformers));
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
