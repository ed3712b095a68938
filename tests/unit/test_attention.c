/* The attention layer against PyTorch's numbers (tests/golden/attention.py): outputs and every gradient, causal and
 * not, with padding, shared heads and rotary positions. And what it promises beside: decoding position by position
 * gives what the whole sequence does, rows are apart, nothing grows with the square of the positions. Compiled for
 * float and double.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "models.h"

#include "../golden/attention.h"

#define TOLERANCE (sizeof(dt_real) == sizeof(double) ? 1e-12 : 2e-5)

/* The model's input is token ids, one a position, and other layers went before. */
static dt_model_spec spec_of(int64_t positions, int64_t rows, bool training) {
    return (dt_model_spec){.input = {1, {positions}}, .rows = rows, .training = training};
}

static void fixture_init(layer_list *list, const char *layers, int64_t positions, int64_t channels, int64_t rows) {
    dt_model_spec spec = spec_of(positions, rows, true);
    layer_list_init(list, layers, &spec, &(dt_shape){2, {positions, channels}});
}

static dt_pass pass_of(const layer_list *f, int64_t rows, bool training) {
    return (dt_pass){.kernels = best_kernels(),
                     .rows = rows,
                     .training = training,
                     .weights = f->w,
                     .grads = training ? f->grads : NULL};
}

START_TEST(attention_and_its_gradients_are_pytorch_s) {
    const char *fields = golden_attention[_i].fields;
    int64_t positions = golden_attention[_i].positions, channels = golden_attention[_i].channels;
    size_t rows = GOLDEN_ATTENTION_ROWS * (size_t)positions, count = rows * (size_t)channels;
    char layers[256];
    snprintf(layers, sizeof layers, "[{attention: {%s}}]", fields);
    layer_list f;
    fixture_init(&f, layers, positions, channels, GOLDEN_ATTENTION_ROWS);
    ck_assert_uint_eq(dt_table_elements(&f.table), (size_t)golden_attention[_i].elements);
    scatter(&f.table, f.w, golden_attention[_i].start);
    dt_real *x = narrow(golden_attention[_i].x, count), *dy = narrow(golden_attention[_i].weight, count);
    dt_real *tokens = narrow(golden_attention[_i].hidden, rows);
    for (size_t i = 0; i < rows; i++) tokens[i] = tokens[i] > 0 ? -1 : 5;
    dt_pass pass = pass_of(&f, GOLDEN_ATTENTION_ROWS, true);
    pass.tokens = tokens;
    expect_near(fields, "outputs", dt_sequence_forward(&f.sequence, &pass, x), golden_attention[_i].y, count,
                TOLERANCE);
    const dt_real *dx = dt_sequence_backward(&f.sequence, &pass, x, dy, true);
    expect_near(fields, "gradient of the input", dx, golden_attention[_i].dx, count, TOLERANCE);
    expect_tensors_near(fields, &f.table, f.grads, golden_attention[_i].grads, TOLERANCE);
    layer_list_finish(&f);
    dt_free(x), dt_free(dy), dt_free(tokens);
}
END_TEST

static const char *const decoded[] = {
    "[{attention: 2}]",
    "[{attention: {heads: 4, kv_heads: 2, rotary: yes, bias: no}}]",
    "[{attention: {heads: 1, rotary: yes}}, {residual: [layer_norm, {attention: 4}]}, {dense: 3}]",
};

START_TEST(decoding_place_by_place_gives_the_bits_of_the_whole) {
    enum { ROWS = 3, POSITIONS = 67, CHANNELS = 8 };
    const char *layers = decoded[_i];
    dt_model_spec steps = spec_of(1, ROWS, false);
    steps.decoding = POSITIONS;
    layer_list f, g;
    fixture_init(&f, layers, POSITIONS, CHANNELS, ROWS);
    layer_list_init(&g, layers, &steps, &(dt_shape){2, {1, CHANNELS}});
    ck_assert_uint_eq(f.table.total, g.table.total);
    dt_real *x = reals(ROWS * POSITIONS * CHANNELS, 3), here[ROWS * CHANNELS];
    dt_pass pass = pass_of(&f, ROWS, true), step = pass_of(&g, ROWS, false);
    const dt_real *y = dt_sequence_forward(&f.sequence, &pass, x);
    int64_t width = dt_shape_last(dt_sequence_out(&f.sequence, &(dt_shape){2, {POSITIONS, CHANNELS}}));
    for (int round = 0; round < 2; round++) { /* a second text after the first */
        for (step.position = 0; step.position < POSITIONS; step.position++) {
            for (int r = 0; r < ROWS; r++)
                memcpy(here + r * CHANNELS, x + (r * POSITIONS + step.position) * CHANNELS, CHANNELS * sizeof *here);
            const dt_real *z = dt_sequence_forward(&g.sequence, &step, here);
            for (int64_t i = 0; i < ROWS * width; i++) {
                dt_real want = y[(i / width * POSITIONS + step.position) * width + i % width];
                ck_assert_msg(z[i] == want, "%s: position %d, element %d: %a, not %a", layers, (int)step.position,
                              (int)i, (double)z[i], (double)want);
            }
        }
    }
    layer_list_finish(&f);
    layer_list_finish(&g);
    dt_free(x);
}
END_TEST

START_TEST(only_the_causal_decodes) {
    dt_model_spec spec = spec_of(1, 1, false);
    spec.decoding = 5;
    layer_list f;
    dt_status status = layer_list_plan(&f, "[{attention: {heads: 2, causal: no}}]", &spec, &(dt_shape){2, {1, 8}});
    ck_assert_int_eq(status.code, DT_ERR_INPUT);
    ck_assert_msg(strstr(status.message, "attention looks at more than one position"), "%s", status.message);
    layer_list_finish(&f);
}
END_TEST

/* The same bits, or numbers within what another order of a few sums may cost. */
static void expect_alike(const char *what, int row, const dt_real *got, const dt_real *want, int count) {
    ck_assert_msg(memcmp(got, want, (size_t)count * sizeof *got) == 0, "%s of row %d", what, row);
}

START_TEST(a_batch_is_its_rows) {
    enum { ROWS = 5, CHANNELS = 12, MOST = 96 * CHANNELS };
    static const char *const layers[] = {"[{attention: 3}]", "[{attention: {heads: 2, causal: no, rotary: yes}}]"};
    const int positions = _i < 2 ? 96 : 70, size = positions * CHANNELS;
    layer_list f;
    fixture_init(&f, layers[_i % 2], positions, CHANNELS, ROWS);
    dt_real *x = reals(ROWS * MOST, 3), *dy = reals(ROWS * MOST, 4), *y = reals(ROWS * MOST, 0);
    dt_real *dx = reals(ROWS * MOST, 0), *back = reals(ROWS * MOST, 4);
    dt_pass pass = pass_of(&f, ROWS, true);
    memcpy(y, dt_sequence_forward(&f.sequence, &pass, x), (size_t)(ROWS * size) * sizeof *y);
    memcpy(dx, dt_sequence_backward(&f.sequence, &pass, x, back, true), (size_t)(ROWS * size) * sizeof *y);
    pass.rows = 1;
    for (int r = 0; r < ROWS; r++) {
        expect_alike("outputs", r, dt_sequence_forward(&f.sequence, &pass, x + r * size), y + r * size, size);
        expect_alike("gradient", r, dt_sequence_backward(&f.sequence, &pass, x + r * size, dy + r * size, true),
                     dx + r * size, size);
    }
    layer_list_finish(&f);
    dt_free(x), dt_free(dy), dt_free(y), dt_free(dx), dt_free(back);
}
END_TEST

/* With bits that hang on nothing but the position, padded rows and all: what is behind a query, or hidden, has no say.
 */
START_TEST(what_is_not_seen_has_no_say) {
    enum { POSITIONS = 70, CHANNELS = 8, SIZE = POSITIONS * CHANNELS, CHANGED = 40 };
    layer_list f;
    fixture_init(&f, _i ? "[{attention: {heads: 2, causal: no}}]" : "[{attention: 2}]", POSITIONS, CHANNELS, 1);
    dt_real *x = reals(SIZE, 3), *y = reals(SIZE, 0), *tokens = reals(POSITIONS, 0);
    for (int t = 0; t < POSITIONS; t++) tokens[t] = _i && t == CHANGED ? -1 : 1;
    dt_pass pass = pass_of(&f, 1, true);
    pass.tokens = tokens;
    memcpy(y, dt_sequence_forward(&f.sequence, &pass, x), SIZE * sizeof *y);
    for (int t = CHANGED; t < (_i ? CHANGED + 1 : POSITIONS); t++)
        for (int c = 0; c < CHANNELS; c++) x[t * CHANNELS + c] += 1;
    const dt_real *now = dt_sequence_forward(&f.sequence, &pass, x);
    for (int t = 0; t < POSITIONS; t++) {
        bool same = memcmp(now + t * CHANNELS, y + t * CHANNELS, CHANNELS * sizeof *y) == 0;
        ck_assert_msg(same == (_i ? t != CHANGED : t < CHANGED), "position %d %s", t,
                      same ? "is as before" : "changed");
    }
    layer_list_finish(&f);
    dt_free(x), dt_free(y), dt_free(tokens);
}
END_TEST

START_TEST(memory_grows_with_the_places_not_their_square) {
    size_t elements[3];
    for (int i = 0; i < 3; i++) {
        layer_list f;
        fixture_init(&f, "[{attention: 2}]", 256 << 2 * i, 64, 2);
        elements[i] = f.elements;
        layer_list_finish(&f);
    }
    ck_assert_uint_le(elements[1], 4 * elements[0]);
    ck_assert_uint_le(elements[2], 4 * elements[1]);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("attention");
    TCase *group = tcase_create("layer");
    tcase_add_loop_test(group, attention_and_its_gradients_are_pytorch_s, 0, COUNT(golden_attention));
    tcase_add_loop_test(group, decoding_place_by_place_gives_the_bits_of_the_whole, 0, COUNT(decoded));
    tcase_add_test(group, only_the_causal_decodes);
    tcase_add_loop_test(group, a_batch_is_its_rows, 0, 4);
    tcase_add_loop_test(group, what_is_not_seen_has_no_say, 0, 2);
    tcase_add_test(group, memory_grows_with_the_places_not_their_square);
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
