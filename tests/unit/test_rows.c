/* Rows are independent: what a row gives, and the gradient of its input, are the same bits alone, first, last, among
 * any others and with any number of rows at once, for every layer kind, in float32 and bf16, on every instruction set
 * of this machine. (In training a batch_norm looks at the others, which is what it is for; it is tested at work.) */
#include <check.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "isa.h"
#include "models.h"

enum { ROWS = 31, IDS = 37 /* token ids are below this, or -1 */ };

typedef struct rows_case {
    const char *layers;
    dt_shape input;
    bool
        ids; /* the input is token ids, and its gradient that of the first embedding's rows, which are each a token's */
} rows_case;

/* Of models that take a vector of 24. */
static const dt_input inputs[] = {{"list", 0, {1, {8}}}, {"grid", 8, {2, {4, 4}}}};

#define PICTURE                                                                                                        \
    {                                                                                                                  \
        3, {                                                                                                           \
            6, 5, 4                                                                                                    \
        }                                                                                                              \
    }

static const rows_case cases[] = {
    /* products: sums of one block and of several, narrow and wide, with every activation */
    {"[{dense: 33}]", {1, {400}}, false},
    {"[{dense: {out: 450, activation: relu}}, {dense: {out: 17, bias: no}}]", {1, {20}}, false},
    {"[{dense: {out: 130, activation: gelu}}, {dense: {out: 16, activation: silu}}, {dense: 1}]", {1, {24}}, false},
    {"[{dense: {out: 40, activation: leaky_relu}}, {dense: {out: 23, activation: sigmoid}}]", {2, {3, 18}}, false},
    {"[{swiglu: {out: 21, bias: true}}, {swiglu: 35}]", {2, {3, 18}}, false},
    {"[{concat: [[{input: grid}, flatten, {dense: 19}], [{input: list}], [{dense: 9}]]}]", {1, {24}}, false},
    {"[{residual: {layers: [{dense: 24}, tanh, {dense: 24}], shortcut: [{dense: 24}], activation: relu}}]",
     {1, {24}},
     false},
    /* windows */
    {"[{conv2d: {out: 19, activation: relu}}]", PICTURE, false},
    {"[{conv2d: {out: 6, kernel: 3x2, stride: 2, padding: valid}}, {conv2d: {out: 33, kernel: 1, activation: gelu}}]",
     PICTURE, false},
    {"[{conv2d: {out: 4, groups: 4, dilation: 2, bias: no}}, {conv2d: {out: 8, groups: 2, activation: leaky_relu}}]",
     PICTURE, false},
    {"[{conv2d: {out: 5, kernel: 7, activation: silu}}]", {2, {9, 8}}, false},
    {"[{conv1d: {out: 17, kernel: 5, stride: 2}}, {conv1d: {out: 16, dilation: 3, activation: tanh}}]",
     {2, {19, 3}},
     false},
    {"[{max_pool: {kernel: 3, stride: 2, padding: same}}]", {3, {6, 5, 19}}, false},
    {"[{avg_pool: {kernel: 3x2, stride: 2, padding: same}}]", {3, {6, 5, 19}}, false},
    {"[global_max_pool]", {3, {6, 5, 19}}, false},
    {"[global_avg_pool]", {3, {6, 5, 19}}, false},
    {"[{upsample: 2}]", {3, {3, 2, 5}}, false},
    {"[{upsample: {factor: 3, method: linear}}]", {3, {3, 2, 5}}, false},
    /* normalisation */
    {"[batch_norm]", {1, {37}}, false},
    {"[{batch_norm: {activation: relu, scale: no}}]", {3, {3, 2, 19}}, false},
    {"[layer_norm]", {1, {37}}, false},
    {"[{layer_norm: {scale: no}}]", {2, {5, 16}}, false},
    {"[rms_norm]", {2, {3, 21}}, false},
    {"[{group_norm: 3}]", {3, {3, 2, 18}}, false},
    {"[{group_norm: {groups: 18, shift: no}}]", {2, {7, 18}}, false},
    /* numbers by themselves, moved and dropped */
    {"[relu]", {1, {37}}, false},
    {"[{leaky_relu: 0.3}]", {1, {37}}, false},
    {"[gelu]", {1, {37}}, false},
    {"[silu]", {1, {37}}, false},
    {"[tanh]", {1, {37}}, false},
    {"[sigmoid]", {1, {37}}, false},
    {"[softmax]", {1, {37}}, false},
    {"[softmax]", {2, {3, 5}}, false},
    {"[{dropout: 0.3}]", {1, {37}}, false},
    {"[flatten]", {2, {3, 7}}, false},
    {"[{reshape: [7, 3]}]", {1, {21}}, false},
    {"[{transpose: [2, 0, 1]}]", {3, {3, 2, 5}}, false},
    /* sequences */
    {"[{simple_rnn: 19}]", {2, {5, 3}}, false},
    {"[{simple_rnn: {units: 16, layers: 2, dropout: 0.3, last: yes}}]", {2, {4, 18}}, false},
    {"[{gru: 19}]", {2, {5, 3}}, false},
    {"[{gru: {units: 16, layers: 2, dropout: 0.3, bias: no}}]", {2, {4, 18}}, false},
    {"[{lstm: 19}]", {2, {5, 3}}, false},
    {"[{lstm: {units: 16, layers: 2, dropout: 0.3, last: yes}}]", {2, {4, 18}}, false},
    {"[{attention: 2}]", {2, {5, 16}}, false},
    {"[{attention: {heads: 4, kv_heads: 2, rotary: yes, causal: no}}]", {2, {7, 16}}, false},
    {"[{attention: {heads: 1, bias: no}}]", {2, {67, 3}}, false},
    {"[token_pool]", {2, {5, 19}}, false},
    {"[{token_pool: last}]", {2, {5, 19}}, false},
    /* tokens */
    {"[{embedding: {width: 18, positions: learned}}, layer_norm, token_pool]", {1, {5}}, true},
    {"[{embedding: 18}, tanh, {unembed: {of: embedding1, bias: true}}]", {1, {3}}, true},
};

/* TRAINING: with what is dropped; AT_WORK: as TRAINING, of a model at work; EVALUATION: outputs alone. */
typedef enum mode { TRAINING, AT_WORK, EVALUATION, MODES } mode;
static const char *const mode_names[] = {"in training", "at work", "in an evaluation"};

/* What all rows of a case are given. */
typedef struct arithmetic {
    const rows_case *c;
    mode mode;
    bool bf16;
    const dt_kernels *kernels;
} arithmetic;

/* [ROWS, …] of what the rows have and of what they give; a row that was not computed has NaN. */
typedef struct numbers {
    int64_t inputs, outputs, state, gradient; /* a row */
    dt_real *x, *dy, *state_in, *dstate_out, *y, *dx, *state_out, *dstate_in;
} numbers;

/* ---- a list of layers for so many rows ---- */

typedef struct network {
    layer_list list;
    dt_bf16 *w16;
} network;

static void network_init(network *n, const arithmetic *a, int64_t rows) {
    dt_model_spec spec = {.input = a->c->input,
                          .inputs = inputs,
                          .input_count = COUNT(inputs),
                          .ids = a->c->ids ? IDS : 0,
                          .rows = rows,
                          .training = a->mode != EVALUATION,
                          .adjoint = a->mode == AT_WORK,
                          .bf16 = a->bf16};
    layer_list_init(&n->list, a->c->layers, &spec, &a->c->input);
    const dt_table *table = &n->list.table;
    for (int i = 0; i < table->count; i++) /* a variance */
        for (size_t j = 0; strstr(table->tensors[i].name, "running_var") && j < table->tensors[i].count; j++)
            n->list.w[table->tensors[i].offset + j] += 1.5F;
    n->w16 = dt_alloc(table->total ? table->total : 1, sizeof *n->w16);
    ck_assert_ptr_nonnull(n->w16);
    a->kernels->to_bf16(n->w16, n->list.w, (int64_t)table->total);
}

static void network_finish(network *n) {
    layer_list_finish(&n->list);
    dt_free(n->w16);
}

static bool find_kind(void *kind, const dt_layer *layer, const char *name, const dt_shape *out) {
    (void)name, (void)out;
    return layer->kind != kind;
}

static bool has_kind(const network *n, const dt_layer_kind *kind) {
    return !dt_sequence_each_layer(&n->list.sequence, find_kind, (void *)(uintptr_t)kind);
}

/* ---- numbers ---- */

static dt_real *nothing(int64_t n) {
    dt_real *x = reals((size_t)n, 0);
    for (int64_t i = 0; i < n; i++) x[i] = NAN;
    return x;
}

static void sizes_of(numbers *of, const arithmetic *a, const network *n) {
    of->inputs = dt_shape_count(&a->c->input);
    of->outputs = dt_shape_count(dt_sequence_out(&n->list.sequence, &a->c->input));
    of->state = n->list.state_width;
    of->gradient = a->c->ids ? dt_shape_count(&n->list.sequence.layers[0].out) : of->inputs;
}

static void numbers_init(numbers *of, const arithmetic *a, const network *n) {
    sizes_of(of, a, n);
    of->x = reals((size_t)(ROWS * of->inputs), 3);
    for (int64_t i = 0; a->c->ids && i < ROWS * of->inputs; i++) of->x[i] = (dt_real)(i * 7 % (IDS + 1)) - 1;
    of->dy = reals((size_t)(ROWS * of->outputs), 4);
    of->state_in = reals((size_t)(ROWS * of->state), 5);
    of->dstate_out = reals((size_t)(ROWS * of->state), 6);
    of->y = nothing(ROWS * of->outputs);
    of->dx = nothing(ROWS * of->gradient);
    of->state_out = nothing(ROWS * of->state);
    of->dstate_in = nothing(ROWS * of->state);
}

static void numbers_finish(numbers *of) {
    dt_real *const all[] = {of->x, of->dy, of->state_in, of->dstate_out, of->y, of->dx, of->state_out, of->dstate_in};
    for (int i = 0; i < COUNT(all); i++) dt_free(all[i]);
}

/* Rows that are in another order: row r of `to` is row order[r] of `from`. */
static void take(numbers *to, const numbers *from, const int64_t *order) {
    for (int64_t r = 0; r < ROWS; r++) {
        memcpy(to->x + r * to->inputs, from->x + order[r] * to->inputs, (size_t)to->inputs * sizeof *to->x);
        memcpy(to->dy + r * to->outputs, from->dy + order[r] * to->outputs, (size_t)to->outputs * sizeof *to->dy);
        memcpy(to->state_in + r * to->state, from->state_in + order[r] * to->state,
               (size_t)to->state * sizeof *to->state_in);
        memcpy(to->dstate_out + r * to->state, from->dstate_out + order[r] * to->state,
               (size_t)to->state * sizeof *to->dstate_out);
    }
}

/* ---- a pass over rows [first, first + rows) ---- */

static void go_back(const network *n, const arithmetic *a, const dt_pass *pass, const numbers *of, const dt_real *x,
                    int64_t first, int64_t rows) {
    size_t count = (size_t)(rows * of->outputs);
    dt_real *dy = reals(count, 0);
    memcpy(dy, of->dy + first * of->outputs, count * sizeof *dy);
    dt_sequence list = n->list.sequence;
    if (a->c->ids) { /* all but the embedding */
        x = list.layers[0].output;
        list.layers++;
        list.count--;
    }
    const dt_real *dx = dt_sequence_backward(&list, pass, x, dy, true);
    memcpy(of->dx + first * of->gradient, dx, (size_t)(rows * of->gradient) * sizeof *dx);
    dt_free(dy);
}

static void run(const network *n, const arithmetic *a, const numbers *of, int64_t first, int64_t rows) {
    const dt_real *x = of->x + first * of->inputs;
    int64_t state = first * of->state;
    dt_pass pass = {.kernels = a->kernels,
                    .rows = rows,
                    .training = a->mode != EVALUATION,
                    .adjoint = a->mode == AT_WORK,
                    .seed = 7,
                    .step = 11,
                    .first = (uint64_t)(3 + first),
                    .weights = n->list.w,
                    .weights16 = a->bf16 ? n->w16 : NULL,
                    .grads = a->mode != EVALUATION ? n->list.grads : NULL,
                    .tokens = a->c->ids ? x : NULL,
                    .positions = of->inputs,
                    .state_in = of->state_in + state,
                    .state_out = of->state_out + state,
                    .state_stride = of->state};
    if (of->state == 0) pass.state_in = pass.state_out = NULL;
    if (of->state > 0 && a->mode == AT_WORK) {
        pass.dstate_out = of->dstate_out + state;
        pass.dstate_in = of->dstate_in + state;
    }
    const dt_real *y = dt_sequence_forward(&n->list.sequence, &pass, x);
    memcpy(of->y + first * of->outputs, y, (size_t)(rows * of->outputs) * sizeof *y);
    if (a->mode != EVALUATION) go_back(n, a, &pass, of, x, first, rows);
}

/* ---- what is compared ---- */

static void expect_row(const arithmetic *a, const char *what, const dt_real *got, int64_t row, const dt_real *want,
                       int64_t whole, int64_t width, int64_t first, int64_t rows) {
    for (int64_t i = 0; i < width; i++) {
        const dt_real *x = got + row * width + i, *y = want + whole * width + i;
        if (memcmp(x, y, sizeof *x) != 0)
            ck_abort_msg("%s, %s, %s, %s: number %d of a row's %s is %a as row %d of %d, and %a as row %d of %d",
                         a->c->layers, dt_isa_name(a->kernels->isa), a->bf16 ? "bf16" : "float32", mode_names[a->mode],
                         (int)i, what, (double)*x, (int)(row - first), (int)rows, (double)*y, (int)whole, ROWS);
    }
}

/* Row `row` of a pass over [first, first + rows) was row `whole` of the pass over all. */
static void expect_same(const arithmetic *a, const numbers *got, int64_t row, const numbers *want, int64_t whole,
                        int64_t first, int64_t rows) {
    expect_row(a, "output", got->y, row, want->y, whole, got->outputs, first, rows);
    expect_row(a, "state", got->state_out, row, want->state_out, whole, got->state, first, rows);
    if (a->mode == EVALUATION) return;
    expect_row(a, "gradient", got->dx, row, want->dx, whole, got->gradient, first, rows);
    if (a->mode == AT_WORK)
        expect_row(a, "state's gradient", got->dstate_in, row, want->dstate_in, whole, got->state, first, rows);
}

/* Rows that are all alike, or nothing, would be the same anywhere. */
static void expect_something(const arithmetic *a, const char *what, const dt_real *of, int64_t width) {
    int64_t zeros = 0, alike = 0;
    for (int64_t i = 0; i < ROWS * width; i++) {
        if (!isfinite(of[i])) ck_abort_msg("%s: a row's %s is not finite", a->c->layers, what);
        zeros += of[i] == 0;
        alike += i >= width && of[i] == of[i - width];
    }
    ck_assert_msg(zeros < ROWS * width && alike < (ROWS - 1) * width, "%s: rows have no %s to compare", a->c->layers,
                  what);
}

/* ---- alone, first, last, among others ---- */

static void check_windows(const arithmetic *a, const network *all, const numbers *want) {
    static const int64_t windows[][2] = {{0, 1}, {17, 1},       {ROWS - 1, 1}, {0, 2},
                                         {5, 3}, {ROWS - 7, 7}, {2, 14},       {1, 27}};
    numbers got;
    numbers_init(&got, a, all);
    for (int i = 0; i < COUNT(windows); i++) {
        int64_t first = windows[i][0], rows = windows[i][1];
        network few;
        network_init(&few, a, rows);
        const network *planned[] = {all, &few}; /* with room for more rows, and as a micro_batch is planned */
        for (int p = 0; p < COUNT(planned); p++) {
            run(planned[p], a, &got, first, rows);
            for (int64_t r = first; r < first + rows; r++) expect_same(a, &got, r, want, r, first, rows);
        }
        network_finish(&few);
    }
    numbers_finish(&got);
}

/* The last first; draws belong to places, so not where something is dropped. */
static void check_order(const arithmetic *a, const network *all, const numbers *want) {
    int64_t order[ROWS];
    for (int64_t r = 0; r < ROWS; r++) order[r] = ROWS - 1 - r;
    numbers got;
    numbers_init(&got, a, all);
    take(&got, want, order);
    run(all, a, &got, 0, ROWS);
    for (int64_t r = 0; r < ROWS; r++) expect_same(a, &got, r, want, order[r], 0, ROWS);
    numbers_finish(&got);
}

static void check_rows(const arithmetic *a) {
    network all;
    network_init(&all, a, ROWS);
    if (a->mode == TRAINING && has_kind(&all, dt_layer_kind_named("batch_norm"))) {
        network_finish(&all);
        return;
    }
    numbers want;
    numbers_init(&want, a, &all);
    run(&all, a, &want, 0, ROWS);
    expect_something(a, "output", want.y, want.outputs);
    if (a->mode != EVALUATION) expect_something(a, "gradient", want.dx, want.gradient);
    check_windows(a, &all, &want);
    if (a->mode != TRAINING) check_order(a, &all, &want);
    numbers_finish(&want);
    network_finish(&all);
}

START_TEST(a_row_is_the_same_bits_among_any_others) {
    for (int isa = DT_ISA_BASELINE; isa <= DT_ISA_AVX512; isa++) {
        if (!dt_kernels_for((dt_isa)isa)) continue;
        arithmetic a = {.c = &cases[_i]};
        assert_ok(dt_compute_open(&a.kernels, (dt_isa)isa, 1));
        for (int i = 0; i < 2 * MODES; i++) {
            a.mode = (mode)(i / 2);
            a.bf16 = i % 2;
            check_rows(&a);
        }
    }
}
END_TEST

START_TEST(every_layer_kind_is_in_a_case) {
    for (const dt_layer_kind *const *kind = dt_layer_kinds; *kind; kind++) {
        bool found = false;
        for (int i = 0; i < COUNT(cases) && !found; i++) {
            arithmetic a = {.c = &cases[i], .kernels = best_kernels()};
            network n;
            network_init(&n, &a, 1);
            found = has_kind(&n, *kind);
            network_finish(&n);
        }
        ck_assert_msg(found, "no case has the layer kind %s", (*kind)->name);
    }
}
END_TEST

int main(void) {
    say_what_is_missing();
    Suite *suite = suite_create("rows");
    TCase *group = tcase_create("cases");
    tcase_set_timeout(group, 60);
    tcase_add_loop_test(group, a_row_is_the_same_bits_among_any_others, 0, COUNT(cases));
    tcase_add_test(group, every_layer_kind_is_in_a_case);
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
