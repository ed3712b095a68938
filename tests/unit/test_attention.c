/* The attention layer against PyTorch's numbers (tests/golden/attention.py): outputs and every gradient, causal and
 * not, with padding, shared heads and rotary positions. And what it promises beside: decoding place by place gives what
 * the whole sequence does, rows are apart, nothing grows with the square of the places. Compiled for float and double.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dtrain/memory.h"
#include "model_internal.h"
#include "reference.h"

#include "../golden/attention.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))
#define TOLERANCE (sizeof(dt_real) == sizeof(double) ? 1e-12 : 2e-5)

/* A list of layers, planned, and its weights. */
typedef struct fixture {
    const dt_kernels *kernels;
    dt_node *root;
    dt_sequence sequence;
    dt_table table;
    dt_real *arena, *w, *grads;
    size_t elements; /* of the arena */
} fixture;

static dt_real *reals(int64_t n, uint64_t seed) {
    dt_real *x = dt_alloc((size_t)n, sizeof *x);
    ck_assert_ptr_nonnull(x);
    for (int64_t i = 0; i < n; i++) x[i] = (dt_real)ref_uniform(seed, (uint64_t)i);
    return x;
}

static dt_real *narrow(const double *from, int64_t n) {
    dt_real *x = reals(n, 0);
    for (int64_t i = 0; i < n; i++) x[i] = (dt_real)from[i];
    return x;
}

/* `spec` says [places, channels]; the model's input is token ids, one a place, and other layers went before. */
static dt_status plan(fixture *f, const char *layers, const dt_model_spec *spec) {
    dt_model_spec model = *spec;
    model.input = (dt_shape){1, {spec->input.dim[0]}};
    memset(f, 0, sizeof *f);
    char text[512];
    snprintf(text, sizeof text, "layers: %s", layers);
    DT_TRY(dt_compute_open(&f->kernels, DT_ISA_AUTO, 1));
    DT_TRY(dt_node_parse_text(&f->root, "test.yaml", text));
    dt_plan plan = {.table = &f->table, .spec = &model};
    dt_status status = dt_sequence_decode(&f->sequence, dt_node_get(f->root, "layers"), "layers");
    if (status.code == DT_OK) status = dt_sequence_plan(&f->sequence, &plan, "", &spec->input, true);
    if (status.code == DT_OK) status = dt_plan_bind(&plan, &f->arena);
    f->elements = plan.total;
    dt_plan_finish(&plan);
    return status;
}

static void fixture_init(fixture *f, const char *layers, const dt_model_spec *spec) {
    dt_status status = plan(f, layers, spec);
    ck_assert_msg(status.code == DT_OK, "%s: %s", layers, status.message);
    f->w = reals((int64_t)f->table.total, 1);
    f->grads = reals((int64_t)f->table.total, 2);
}

static void fixture_finish(fixture *f) {
    dt_sequence_finish(&f->sequence);
    dt_table_finish(&f->table);
    dt_node_destroy(f->root);
    dt_free(f->arena), dt_free(f->w), dt_free(f->grads);
}

static dt_pass pass_of(const fixture *f, int64_t rows, bool training) {
    return (dt_pass){.kernels = f->kernels,
                     .rows = rows,
                     .training = training,
                     .weights = f->w,
                     .grads = training ? f->grads : NULL};
}

static void expect_near(const char *fields, const char *what, const dt_real *got, const double *want, int64_t n) {
    double largest = 1;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(want[i]));
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)got[i] - want[i]) <= TOLERANCE * largest,
                      "%s: %s, element %d: %.17g, PyTorch has %.17g", fields, what, (int)i, (double)got[i], want[i]);
}

START_TEST(attention_and_its_gradients_are_pytorch_s) {
    const char *fields = golden_attention[_i].fields;
    int64_t places = golden_attention[_i].places, channels = golden_attention[_i].channels;
    int64_t count = GOLDEN_ATTENTION_ROWS * places * channels;
    char layers[256];
    snprintf(layers, sizeof layers, "[{attention: {%s}}]", fields);
    dt_model_spec spec = {.input = {2, {places, channels}}, .rows = GOLDEN_ATTENTION_ROWS, .training = true};
    fixture f;
    fixture_init(&f, layers, &spec);
    ck_assert_uint_eq(dt_table_elements(&f.table), (size_t)golden_attention[_i].elements);
    const double *start = golden_attention[_i].start;
    for (int t = 0; t < f.table.count; t++)
        for (size_t i = 0; i < f.table.tensors[t].count; i++) f.w[f.table.tensors[t].offset + i] = (dt_real)*start++;
    dt_real *x = narrow(golden_attention[_i].x, count), *dy = narrow(golden_attention[_i].weight, count);
    dt_real *tokens = narrow(golden_attention[_i].hidden, GOLDEN_ATTENTION_ROWS * places);
    for (int64_t i = 0; i < GOLDEN_ATTENTION_ROWS * places; i++) tokens[i] = tokens[i] > 0 ? -1 : 5;
    dt_pass pass = pass_of(&f, GOLDEN_ATTENTION_ROWS, true);
    pass.tokens = tokens;
    expect_near(fields, "outputs", dt_sequence_forward(&f.sequence, &pass, x), golden_attention[_i].y, count);
    const dt_real *dx = dt_sequence_backward(&f.sequence, &pass, x, dy, true);
    expect_near(fields, "gradient of the input", dx, golden_attention[_i].dx, count);
    const double *grads = golden_attention[_i].grads;
    for (int t = 0; t < f.table.count; grads += f.table.tensors[t++].count)
        expect_near(fields, f.table.tensors[t].name, f.grads + f.table.tensors[t].offset, grads,
                    (int64_t)f.table.tensors[t].count);
    fixture_finish(&f);
    dt_free(x), dt_free(dy), dt_free(tokens);
}
END_TEST

static const char *const decoded[] = {
    "[{attention: 2}]",
    "[{attention: {heads: 4, kv_heads: 2, rotary: yes, bias: no}}]",
    "[{attention: {heads: 1, rotary: yes}}, {residual: [layer_norm, {attention: 4}]}, {dense: 3}]",
};

START_TEST(decoding_place_by_place_gives_what_the_whole_does) {
    enum { ROWS = 3, PLACES = 67, CHANNELS = 8 };
    const char *layers = decoded[_i];
    dt_model_spec whole = {.input = {2, {PLACES, CHANNELS}}, .rows = ROWS, .training = true};
    dt_model_spec steps = {.input = {2, {1, CHANNELS}}, .rows = ROWS, .decoding = PLACES};
    fixture f, g;
    fixture_init(&f, layers, &whole);
    fixture_init(&g, layers, &steps);
    ck_assert_uint_eq(f.table.total, g.table.total);
    dt_real *x = reals(ROWS * PLACES * CHANNELS, 3), here[ROWS * CHANNELS];
    dt_pass pass = pass_of(&f, ROWS, true), step = pass_of(&g, ROWS, false);
    const dt_real *y = dt_sequence_forward(&f.sequence, &pass, x);
    int64_t width = dt_shape_last(dt_sequence_out(&f.sequence, &whole.input));
    for (int round = 0; round < 2; round++) { /* a second text after the first */
        for (step.place = 0; step.place < PLACES; step.place++) {
            for (int r = 0; r < ROWS; r++)
                memcpy(here + r * CHANNELS, x + (r * PLACES + step.place) * CHANNELS, CHANNELS * sizeof *here);
            const dt_real *z = dt_sequence_forward(&g.sequence, &step, here);
            for (int64_t i = 0; i < ROWS * width; i++) {
                double want = (double)y[(i / width * PLACES + step.place) * width + i % width];
                ck_assert_msg(fabs((double)z[i] - want) <= 1e-5, "%s: place %d, element %d: %.9g, not %.9g", layers,
                              (int)step.place, (int)i, (double)z[i], want);
            }
        }
    }
    fixture_finish(&f);
    fixture_finish(&g);
    dt_free(x);
}
END_TEST

START_TEST(only_the_causal_decodes) {
    dt_model_spec spec = {.input = {2, {1, 8}}, .rows = 1, .decoding = 5};
    fixture f;
    dt_status status = plan(&f, "[{attention: {heads: 2, causal: no}}]", &spec);
    ck_assert_int_eq(status.code, DT_ERR_INPUT);
    ck_assert_msg(strstr(status.message, "attention looks at more than one place"), "%s", status.message);
    fixture_finish(&f);
}
END_TEST

START_TEST(a_batch_is_its_rows_bit_for_bit) {
    enum { ROWS = 5, PLACES = 70, CHANNELS = 12, SIZE = PLACES * CHANNELS };
    static const char *const layers[] = {"[{attention: 3}]", "[{attention: {heads: 2, causal: no, rotary: yes}}]"};
    dt_model_spec spec = {.input = {2, {PLACES, CHANNELS}}, .rows = ROWS, .training = true};
    fixture f;
    fixture_init(&f, layers[_i], &spec);
    dt_real *x = reals(ROWS * SIZE, 3), *dy = reals(ROWS * SIZE, 4), *y = reals(ROWS * SIZE, 0);
    dt_real *dx = reals(ROWS * SIZE, 0), *back = reals(ROWS * SIZE, 4);
    dt_pass pass = pass_of(&f, ROWS, true);
    memcpy(y, dt_sequence_forward(&f.sequence, &pass, x), ROWS * SIZE * sizeof *y);
    memcpy(dx, dt_sequence_backward(&f.sequence, &pass, x, back, true), ROWS * SIZE * sizeof *y);
    pass.rows = 1;
    for (int r = 0; r < ROWS; r++) {
        const dt_real *one = dt_sequence_forward(&f.sequence, &pass, x + r * SIZE);
        ck_assert_msg(memcmp(one, y + r * SIZE, SIZE * sizeof *y) == 0, "outputs of row %d", r);
        one = dt_sequence_backward(&f.sequence, &pass, x + r * SIZE, dy + r * SIZE, true);
        ck_assert_msg(memcmp(one, dx + r * SIZE, SIZE * sizeof *y) == 0, "gradient of row %d", r);
    }
    fixture_finish(&f);
    dt_free(x), dt_free(dy), dt_free(y), dt_free(dx), dt_free(back);
}
END_TEST

/* With bits that hang on nothing but the place, padded rows and all: what is behind a query, or hidden, has no say. */
START_TEST(what_is_not_seen_has_no_say) {
    enum { PLACES = 70, CHANNELS = 8, SIZE = PLACES * CHANNELS, CHANGED = 40 };
    dt_model_spec spec = {.input = {2, {PLACES, CHANNELS}}, .rows = 1, .training = true};
    fixture f;
    fixture_init(&f, _i ? "[{attention: {heads: 2, causal: no}}]" : "[{attention: 2}]", &spec);
    dt_real *x = reals(SIZE, 3), *y = reals(SIZE, 0), *tokens = reals(PLACES, 0);
    for (int t = 0; t < PLACES; t++) tokens[t] = _i && t == CHANGED ? -1 : 1;
    dt_pass pass = pass_of(&f, 1, true);
    pass.tokens = tokens;
    memcpy(y, dt_sequence_forward(&f.sequence, &pass, x), SIZE * sizeof *y);
    for (int t = CHANGED; t < (_i ? CHANGED + 1 : PLACES); t++)
        for (int c = 0; c < CHANNELS; c++) x[t * CHANNELS + c] += 1;
    const dt_real *now = dt_sequence_forward(&f.sequence, &pass, x);
    for (int t = 0; t < PLACES; t++) {
        bool same = memcmp(now + t * CHANNELS, y + t * CHANNELS, CHANNELS * sizeof *y) == 0;
        ck_assert_msg(same == (_i ? t != CHANGED : t < CHANGED), "place %d %s", t, same ? "is as before" : "changed");
    }
    fixture_finish(&f);
    dt_free(x), dt_free(y), dt_free(tokens);
}
END_TEST

START_TEST(memory_grows_with_the_places_not_their_square) {
    size_t elements[3];
    for (int i = 0; i < 3; i++) {
        fixture f;
        dt_model_spec spec = {.input = {2, {256 << 2 * i, 64}}, .rows = 2, .training = true};
        fixture_init(&f, "[{attention: 2}]", &spec);
        elements[i] = f.elements;
        fixture_finish(&f);
    }
    ck_assert_uint_le(elements[1], 4 * elements[0]);
    ck_assert_uint_le(elements[2], 4 * elements[1]);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("attention");
    TCase *group = tcase_create("layer");
    tcase_add_loop_test(group, attention_and_its_gradients_are_pytorch_s, 0, COUNT(golden_attention));
    tcase_add_loop_test(group, decoding_place_by_place_gives_what_the_whole_does, 0, COUNT(decoded));
    tcase_add_test(group, only_the_causal_decodes);
    tcase_add_loop_test(group, a_batch_is_its_rows_bit_for_bit, 0, 2);
    tcase_add_loop_test(group, what_is_not_seen_has_no_say, 0, 2);
    tcase_add_test(group, memory_grows_with_the_places_not_their_square);
    suite_add_tcase(suite, group);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
