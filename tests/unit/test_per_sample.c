/* Gradients that are clipped sample by sample, against the gradients of single samples, each found by itself: for every
 * layer kind that can, and the refusals of those that cannot. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "models.h"
#include "reference.h"

enum { ROWS = 7, IDS = 5 /* token ids are below this, or -1 */ };

#ifdef DT_REAL_DOUBLE
#    define TOLERANCE 1e-12
#else
#    define TOLERANCE 3e-6
#endif

/* VALUES: of all outputs; A_CLASS: one label; POSITIONS: one a position. */
typedef enum targets { VALUES, A_CLASS, POSITIONS } targets;

typedef struct clip_case {
    const char *layers;
    dt_shape input;
    targets targets;
    bool ids; /* the input is token ids */
} clip_case;

#define VECTOR(n)                                                                                                      \
    {                                                                                                                  \
        1, {                                                                                                           \
            n                                                                                                          \
        }                                                                                                              \
    }
#define SERIES(n, m)                                                                                                   \
    {                                                                                                                  \
        2, {                                                                                                           \
            n, m                                                                                                       \
        }                                                                                                              \
    }
#define PICTURE(n, m, c)                                                                                               \
    {                                                                                                                  \
        3, {                                                                                                           \
            n, m, c                                                                                                    \
        }                                                                                                              \
    }

static const clip_case cases[] = {
    {"[{dense: 4}]", VECTOR(6), A_CLASS, false},
    {"[{dense: {out: 9, activation: tanh}}, {dense: {out: 7, activation: gelu, bias: no}}, {dense: 4}]", VECTOR(6),
     A_CLASS, false},
    {"[{dense: {out: 9, activation: relu}}, {dense: 3}, sigmoid]", VECTOR(6), VALUES, false},
    /* of sequences: through pairs of positions, and through the sample's gradient */
    {"[{dense: {out: 30, activation: silu}}, {dense: 4}]", SERIES(3, 40), VALUES, false},
    {"[{dense: {out: 3, activation: leaky_relu}}, {dense: {out: 2, bias: no}}]", SERIES(19, 2), VALUES, false},
    {"[{dense: 12}, {reshape: [3, 4]}]", VECTOR(6), POSITIONS, false},
    /* convolutions: gradients that are kept, and those of which the norm is enough */
    {"[{conv2d: {out: 3, activation: tanh}}, {max_pool: {kernel: 2, stride: 1}}, {conv2d: {out: 4, kernel: 2, stride: "
     "2, "
     "padding: valid, activation: gelu}}, flatten, {dense: 4}]",
     PICTURE(7, 6, 2), A_CLASS, false},
    {"[{conv2d: {out: 8, kernel: 5, stride: 3, padding: valid, activation: tanh}}, flatten, {dense: 4}]",
     PICTURE(7, 6, 3), A_CLASS, false},
    {"[{conv2d: {out: 640, kernel: 5, padding: valid, activation: tanh}}, flatten, {dense: 4}]", PICTURE(5, 5, 20),
     A_CLASS, false},
    {"[{conv2d: {out: 4, groups: 2, bias: no, activation: relu}}, {avg_pool: 2}, global_avg_pool]", PICTURE(4, 6, 2),
     VALUES, false},
    {"[{conv1d: {out: 5, kernel: 3, activation: silu}}, {conv1d: {out: 2, dilation: 2}}, global_max_pool]",
     SERIES(9, 3), VALUES, false},
    {"[{upsample: 2}, {conv2d: {out: 2, activation: leaky_relu}}, {transpose: [2, 0, 1]}, flatten, {dense: 4}]",
     PICTURE(3, 3, 2), A_CLASS, false},
    /* normalisation within a sample */
    {"[{dense: 8}, layer_norm, {dense: 4}]", VECTOR(6), A_CLASS, false},
    {"[layer_norm, tanh, rms_norm, {layer_norm: {scale: no}}, {dense: 2}]", SERIES(5, 6), VALUES, false},
    {"[{conv2d: {out: 6, bias: no}}, {group_norm: 2}, relu, {group_norm: {groups: 6, shift: no}}, flatten, {dense: 4}]",
     PICTURE(4, 5, 2), A_CLASS, false},
    /* lists inside layers */
    {"[{dense: 6}, {residual: [{dense: 6}, tanh, {dense: 6}]}, {dense: 4}]", VECTOR(5), A_CLASS, false},
    {"[{residual: {layers: [{conv2d: 4}, {group_norm: 2}, relu, {conv2d: 4}], shortcut: [{conv2d: {out: 4, kernel: "
     "1}}], "
     "activation: relu}}, {residual: [{residual: [{conv2d: {out: 4, activation: tanh}}]}]}, flatten, {dense: 4}]",
     PICTURE(4, 3, 2), A_CLASS, false},
    {"[{concat: [[{dense: 5}, tanh], [{dense: 3}, {dense: 2}], []]}, {dense: 4}]", VECTOR(6), A_CLASS, false},
    /* transformers */
    {"[{attention: 2}, {dense: 4}]", SERIES(5, 6), VALUES, false},
    {"[{residual: [layer_norm, {attention: {heads: 2, kv_heads: 1, rotary: yes, causal: no, bias: no}}]}, {residual: "
     "[rms_norm, "
     "{swiglu: {out: 7, bias: true}}, {dense: 4}]}]",
     SERIES(4, 4), VALUES, false},
    {"[{embedding: {width: 6, positions: learned}}, tanh, {unembed: {of: \"\", bias: true}}]", VECTOR(4), POSITIONS,
     true},
    {"[{embedding: 6}, layer_norm, token_pool, {dense: 4}]", VECTOR(8), A_CLASS, true},
    {"[{embedding: {width: 3, positions: learned}}, {attention: 1}, {token_pool: first}, {dense: 4}]", VECTOR(5),
     A_CLASS, true},
    /* dropped by sample, not by where a sample stands in what is computed at once */
    {"[{dense: 9}, {dropout: 0.4}, {dense: 4}]", VECTOR(6), A_CLASS, false},
};

/* ---- a case's data, and gradients of it ---- */

static const dt_recipe_loss squared = {DT_LOSS_MEAN_SQUARED_ERROR, 0};

static dt_model_spec spec_of(const clip_case *c, int64_t rows, bool clips) {
    return (dt_model_spec){.input = c->input,
                           .ids = c->ids ? IDS : 0,
                           .outputs = c->targets == VALUES                ? 0
                                      : c->ids && c->targets == POSITIONS ? IDS
                                                                          : 4,
                           .targets = c->targets == VALUES    ? 0
                                      : c->targets == A_CLASS ? 1
                                      : c->ids                ? c->input.dim[0]
                                                              : 3,
                           .rows = rows,
                           .training = true,
                           .clips = clips};
}

static dt_model *model_of(const clip_case *c, int64_t rows, bool clips) {
    dt_model_spec spec = spec_of(c, rows, clips);
    dt_model *model;
    dt_status status = try_model(&model, c->layers, c->targets == VALUES ? &squared : &cross_entropy, &spec);
    ck_assert_msg(status.code == DT_OK, "%s: %s", c->layers, status.message);
    return model;
}

typedef struct samples {
    dt_real *x, *values;
    int32_t labels[ROWS * 8];
    int64_t inputs, outputs, targets;
    bool spoilt; /* one of them is no number */
} samples;

/* The samples' sizes are a power of two apart, so that some gradients are large and some small. */
static samples samples_of(const clip_case *c, const dt_model *model) {
    samples s = {.inputs = dt_shape_count(&c->input), .outputs = dt_model_outputs(model)};
    s.targets = spec_of(c, 1, false).targets;
    s.x = reals((size_t)(ROWS * s.inputs), 5);
    s.values = reals((size_t)(ROWS * s.outputs), 6);
    for (int64_t i = 0; i < ROWS * s.inputs; i++)
        s.x[i] = c->ids ? (dt_real)((i * i / 3 + i / s.inputs) % (IDS + 1) - 1)
                        : s.x[i] * (dt_real)ldexp(1, (int)(i / s.inputs) - 2);
    for (int64_t i = 0; i < ROWS * s.targets; i++) s.labels[i] = (int32_t)((i * 7 + 1) % 4);
    for (int64_t i = 0; i < ROWS * s.outputs; i++) s.values[i] *= (dt_real)ldexp(1, (int)(i / s.outputs) - 3);
    return s;
}

/* The gradient of samples [first, first + rows), added to what is there when `accumulate`. */
static void train(dt_model *model, const samples *s, const dt_real *w, dt_real *gradient, int64_t first, int64_t rows,
                  bool accumulate, double clip) {
    dt_batch batch = {.rows = rows,
                      .first = (uint64_t)first,
                      .x = s->x + first * s->inputs,
                      .targets = s->targets,
                      .labels = s->targets > 0 ? (int32_t *)s->labels + first * s->targets : NULL,
                      .values = s->targets > 0 ? NULL : s->values + first * s->outputs};
    dt_pass pass = {.kernels = best_kernels(),
                    .training = true,
                    .accumulate = accumulate,
                    .clip = clip,
                    .seed = 3,
                    .step = 9,
                    .weights = w,
                    .grads = gradient};
    dt_tally tally = {0};
    dt_model_train(model, pass, &batch, &tally);
    ck_assert(s->spoilt || tally.not_finite == 0);
}

static double norm_of(const dt_table *table, const dt_real *arena) {
    double squares = 0;
    for (int i = 0; i < table->count; i++)
        for (size_t j = 0; j < table->tensors[i].count; j++) {
            double g = arena[table->tensors[i].offset + j];
            squares += g * g;
        }
    return sqrt(squares);
}

/* Every sample's gradient by itself, one tensor after the other without padding, and its norm. */
typedef struct singles {
    double *g, norm[ROWS];
    size_t elements;
} singles;

static singles singles_of(const clip_case *c, const samples *s, const dt_real *w) {
    dt_model *model = model_of(c, 1, false);
    const dt_table *table = dt_model_table(model);
    singles out = {.elements = dt_table_elements(table)};
    out.g = dt_alloc(ROWS * out.elements, sizeof *out.g);
    dt_real *gradient = dt_alloc(table->total, sizeof *gradient);
    for (int64_t r = 0; r < ROWS; r++) {
        train(model, s, w, gradient, r, 1, false, 0);
        out.norm[r] = norm_of(table, gradient);
        double *to = out.g + (size_t)r * out.elements;
        for (int i = 0; i < table->count; i++)
            for (size_t j = 0; j < table->tensors[i].count; j++) *to++ = gradient[table->tensors[i].offset + j];
    }
    dt_free(gradient);
    dt_model_destroy(model);
    return out;
}

static double median(const double norm[ROWS]) {
    for (int i = 0; i < ROWS; i++) {
        int below = 0;
        for (int j = 0; j < ROWS; j++) below += norm[j] < norm[i];
        if (below == ROWS / 2) return norm[i];
    }
    ck_abort_msg("norms are not all different");
    return 0;
}

/* Sample 4 is no number from here on, and counts for nothing if its gradient is none. */
static void spoil(const clip_case *c, samples *s, singles *all, const dt_real *w, dt_real with) {
    enum { BAD = 4 };
    s->spoilt = true;
    for (int64_t i = 0; i < s->inputs; i++) s->x[BAD * s->inputs + i] = with;
    dt_free(all->g);
    *all = singles_of(c, s, w);
    if (isfinite(all->norm[BAD])) return;
    all->norm[BAD] = 1;
    memset(all->g + BAD * all->elements, 0, all->elements * sizeof *all->g);
}

static double *clipped_sum(const singles *all, double clip) {
    double *sum = dt_alloc(all->elements, sizeof *sum);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t j = 0; j < all->elements; j++)
            sum[j] += all->g[r * all->elements + j] * fmin(1, clip / all->norm[r]);
    return sum;
}

/* ---- tests ---- */

static void compare(const clip_case *c, double share, int64_t at_once, dt_real bad) {
    dt_model *plain = model_of(c, 1, false);
    samples s = samples_of(c, plain);
    dt_real *w = dt_alloc(dt_model_table(plain)->total, sizeof *w);
    dt_model_init(plain, w, 11);
    singles all = singles_of(c, &s, w);
    double clip = share * median(all.norm);
    if (!isfinite(bad)) spoil(c, &s, &all, w, bad);
    double *want = clipped_sum(&all, clip);
    dt_model *model = model_of(c, at_once, true);
    const dt_table *table = dt_model_table(model);
    dt_real *gradient = dt_alloc(table->total, sizeof *gradient);
    for (int64_t done = 0; done < ROWS; done += at_once)
        train(model, &s, w, gradient, done, ROWS - done < at_once ? ROWS - done : at_once, done > 0, clip);
    expect_tensors_near(c->layers, table, gradient, want, TOLERANCE);
    dt_free(gradient);
    dt_free(want);
    dt_free(all.g);
    dt_free(w);
    dt_free(s.x);
    dt_free(s.values);
    dt_model_destroy(model);
    dt_model_destroy(plain);
}

START_TEST(the_sum_is_that_of_single_samples_clipped) {
    compare(&cases[_i], 1, ROWS, 0);
}
END_TEST

START_TEST(pieces_add_up) {
    compare(&cases[_i], 0.5, 3, 0);
}
END_TEST

START_TEST(a_clip_that_nobody_reaches_changes_nothing) {
    compare(&cases[_i], 1e6, ROWS, 0);
}
END_TEST

/* Whether one is there must not show in whether there is a sum. */
START_TEST(a_sample_that_is_no_number_counts_for_nothing) {
    if (cases[_i].ids) return; /* ids are whole numbers */
    compare(&cases[_i], 1, ROWS, NAN);
    compare(&cases[_i], 1, 3, INFINITY);
}
END_TEST

static void expect_refusal(const char *layers, dt_shape input, bool ids, const char *words) {
    clip_case c = {layers, input, ids ? POSITIONS : A_CLASS, ids};
    dt_model_spec spec = spec_of(&c, ROWS, true);
    dt_model *model;
    dt_status status = try_model(&model, layers, &cross_entropy, &spec);
    ck_assert_int_eq(status.code, DT_ERR_INPUT);
    ck_assert_msg(strstr(status.message, words) != NULL, "%s", status.message);
}

START_TEST(what_cannot_be_clipped_is_refused_by_name) {
    expect_refusal("[{dense: 8}, batch_norm, {dense: 4}]", (dt_shape){1, {6}}, false, "batch_norm1: batch_norm mixes");
    expect_refusal("[{residual: [{dense: 6}, batch_norm]}, {dense: 4}]", (dt_shape){1, {6}}, false, "mixes");
    expect_refusal("[{gru: {units: 5, last: yes}}, {dense: 4}]", (dt_shape){2, {3, 2}}, false, "gru cannot do");
    expect_refusal("[{lstm: {units: 5, last: yes}}, {dense: 4}]", (dt_shape){2, {3, 2}}, false, "lstm cannot do");
    expect_refusal("[{embedding: 6}, {unembed: embedding1}]", (dt_shape){1, {4}}, true, "leave out `of`");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("per_sample");
    TCase *tests = tcase_create("per_sample");
    tcase_add_loop_test(tests, the_sum_is_that_of_single_samples_clipped, 0, COUNT(cases));
    tcase_add_loop_test(tests, pieces_add_up, 0, COUNT(cases));
    tcase_add_loop_test(tests, a_clip_that_nobody_reaches_changes_nothing, 0, COUNT(cases));
    tcase_add_loop_test(tests, a_sample_that_is_no_number_counts_for_nothing, 0, COUNT(cases));
    tcase_add_test(tests, what_cannot_be_clipped_is_refused_by_name);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
