/* libdtrain from outside, as a program that knows the header alone:
 *
 *     test_api CHECK RUN [ARGUMENT]…
 *
 * Prints what fails; 0 where nothing does. */
#include <dtrain/dtrain.h>
#include <fenv.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __x86_64__
#    include <immintrin.h>
#endif

static int failures;

#define EXPECT(condition, ...)                                                                                         \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            failures++;                                                                                                \
            printf("FAIL  line %d: ", __LINE__);                                                                       \
            printf(__VA_ARGS__);                                                                                       \
            printf("\n");                                                                                              \
        }                                                                                                              \
    } while (0)

static dtrain_error error; /* of the main thread */

#define DO(call) EXPECT((call) == DTRAIN_OK, "%s", error.message)

static void *numbers(int64_t count, size_t size) {
    void *memory = calloc((size_t)count + 1, size);
    if (!memory) exit(2);
    return memory;
}

/* Token ids, or numbers within a deviation or so of the training data's mean. */
static float *samples(const dtrain_model *model, int64_t rows) {
    int64_t inputs = dtrain_inputs(model), ids = dtrain_input_ids(model);
    float *x = numbers(rows * inputs, sizeof *x);
    double *mean = numbers(inputs, sizeof *mean), *deviation = numbers(inputs, sizeof *deviation);
    dtrain_input_scaling(model, mean, deviation);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < inputs; i++) {
            int64_t n = (r * 31 + i * 17 + r * i) % 97;
            x[r * inputs + i] = ids > 0 ? (float)(n % ids) : (float)(mean[i] + deviation[i] * (double)(n - 48) / 40);
        }
    free(mean), free(deviation);
    return x;
}

static dtrain_model *opened(const char *path, unsigned flags) {
    dtrain_model *model;
    if (dtrain_open(&model, path, flags, &error) == DTRAIN_OK) return model;
    printf("FAIL  %s\n", error.message);
    exit(1);
}

static dtrain_workspace *workspace_of(const dtrain_model *model, int64_t rows, unsigned flags) {
    dtrain_workspace *workspace;
    if (dtrain_workspace_create(&workspace, model, rows, flags, &error) == DTRAIN_OK) return workspace;
    printf("FAIL  %s\n", error.message);
    exit(1);
}

static float *outputs_of(const dtrain_model *model, const float *x, int64_t rows) {
    float *y = numbers(rows * dtrain_outputs(model), sizeof *y);
    DO(dtrain_predict(model, NULL, rows, x, y, &error));
    return y;
}

static int same(const void *a, const void *b, int64_t count, size_t size) {
    return memcmp(a, b, (size_t)count * size) == 0;
}

/* ---- checks ---- */

/* The unit of each output: what is small beside it is. */
static double *units_of(const dtrain_model *model) {
    double *unit = numbers(dtrain_outputs(model), sizeof *unit);
    dtrain_output_scaling(model, NULL, unit);
    return unit;
}

/* Outputs are the same bits in any layout, type, batch and workspace. */
static void layouts(const dtrain_model *model) {
    enum { ROWS = 7, AT_ONCE = 3 };
    const int64_t n = dtrain_inputs(model), m = dtrain_outputs(model);
    float *x = samples(model, ROWS), *y = outputs_of(model, x, ROWS), *got = numbers(ROWS * m, sizeof *got);
    dtrain_workspace *few = workspace_of(model, AT_ONCE, 0), *many = workspace_of(model, ROWS, 0);
    DO(dtrain_predict(model, many, ROWS, x, got, &error));
    EXPECT(same(got, y, ROWS * m, sizeof *y), "a workspace changes the outputs");

    double *columns = numbers(ROWS * n, sizeof *columns), *doubles = numbers(ROWS * m, sizeof *doubles);
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t i = 0; i < n; i++) columns[i * ROWS + r] = (double)x[r * n + i];
    dtrain_array in = {columns, DTRAIN_DOUBLE, 1, ROWS}, out = {doubles, DTRAIN_DOUBLE, 1, ROWS};
    DO(dtrain_predict_arrays(model, many, ROWS, &in, &out, NULL, NULL, &error));
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t o = 0; o < m; o++) got[r * m + o] = (float)doubles[o * ROWS + r];
    EXPECT(same(got, y, ROWS * m, sizeof *y), "column-major doubles change the outputs");

    /* backwards, and every second element */
    float *apart = numbers(2 * ROWS * n, sizeof *apart);
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t i = 0; i < n; i++) apart[2 * ((ROWS - 1 - r) * n + i)] = x[r * n + i];
    in = (dtrain_array){apart + 2 * (ROWS - 1) * n, DTRAIN_FLOAT, -2 * n, 2};
    out = (dtrain_array){got, DTRAIN_FLOAT, m, 1};
    memset(got, 0, (size_t)(ROWS * m) * sizeof *got);
    DO(dtrain_predict_arrays(model, many, ROWS, &in, &out, NULL, NULL, &error));
    EXPECT(same(got, y, ROWS * m, sizeof *y), "strides change the outputs");

    DO(dtrain_predict(model, few, ROWS, x, got, &error));
    double worst = 0, *unit = units_of(model);
    for (int64_t i = 0; i < ROWS * m; i++) worst = fmax(worst, fabs((double)(got[i] - y[i])) / unit[i % m]);
    free(unit);
    EXPECT(worst < 1e-5, "a row depends on those beside it by %g", worst);
    DO(dtrain_predict(model, few, 0, NULL, NULL, &error));
    dtrain_workspace_destroy(few);
    dtrain_workspace_destroy(many);
    free(x), free(y), free(got), free(columns), free(doubles), free(apart);
}

/* What is wrong is said, and nothing else happens. */
static void refusals(const dtrain_model *model, const char *path) {
    float x[4096] = {0}, y[4096];
    dtrain_model *none = (dtrain_model *)&error;
    dtrain_error untouched = {77, "nothing"};
    EXPECT(dtrain_inputs(model) <= 4096 && dtrain_outputs(model) <= 4096, "the model is too wide for this test");
    EXPECT(dtrain_open(&none, "/nowhere/at/all", 0, &error) == DTRAIN_ERR_INPUT && !none, "a missing file is opened");
    EXPECT(strstr(error.message, "/nowhere/at/all") != NULL, "the file is not named: %s", error.message);
    EXPECT(dtrain_open(&none, "/dev/null", 0, NULL) != DTRAIN_OK, "/dev/null is opened");
    EXPECT(dtrain_open(NULL, path, 0, &error) == DTRAIN_ERR_ARGUMENT, "NULL for a handle");
    EXPECT(dtrain_open(&none, NULL, 0, &error) == DTRAIN_ERR_ARGUMENT, "NULL for a path");
    EXPECT(dtrain_open(&none, path, 1024, &error) == DTRAIN_ERR_ARGUMENT, "a flag nobody knows");
    EXPECT(dtrain_predict(model, NULL, -1, x, y, &error) == DTRAIN_ERR_ARGUMENT, "-1 rows");
    EXPECT(dtrain_predict(model, NULL, 1, NULL, y, &error) == DTRAIN_ERR_ARGUMENT, "no x");
    EXPECT(strstr(error.message, "x is NULL") != NULL, "it is not said what is NULL: %s", error.message);
    EXPECT(dtrain_predict(model, NULL, 1, x, NULL, &error) == DTRAIN_ERR_ARGUMENT, "no y");
    EXPECT(dtrain_predict(NULL, NULL, 1, x, y, &error) == DTRAIN_ERR_ARGUMENT, "no model");
    EXPECT(dtrain_predict(model, NULL, 1, x, y, &untouched) == DTRAIN_OK, "a good call fails");
    EXPECT(untouched.code == 77 && strcmp(untouched.message, "nothing") == 0, "a success writes an error");

    dtrain_workspace *workspace = (dtrain_workspace *)&error;
    EXPECT(dtrain_workspace_create(&workspace, model, 0, 0, &error) == DTRAIN_ERR_ARGUMENT && !workspace, "0 rows");
    EXPECT(dtrain_workspace_create(&workspace, model, INT64_MAX / 2, 0, &error) == DTRAIN_ERR_MEMORY && !workspace,
           "more rows than there is memory");
    dtrain_model *other = opened(path, 0);
    workspace = workspace_of(other, 1, 0);
    EXPECT(dtrain_predict(model, workspace, 1, x, y, &error) == DTRAIN_ERR_ARGUMENT, "a workspace of another model");
    dtrain_workspace_destroy(workspace);
    dtrain_close(other);
    workspace = workspace_of(model, 1, 0);
    dtrain_array in = {x, DTRAIN_FLOAT, dtrain_inputs(model), 1}, odd = in;
    odd.type = 9;
    EXPECT(dtrain_jacobian(model, workspace, 1, &in, y, &error) == DTRAIN_ERR_ARGUMENT, "no gradients in a workspace");
    EXPECT(dtrain_predict_arrays(model, workspace, 1, &odd, &in, NULL, NULL, &error) == DTRAIN_ERR_ARGUMENT,
           "a type nobody knows");
    if (dtrain_input_ids(model) > 0) {
        x[0] = (float)dtrain_input_ids(model);
        EXPECT(dtrain_predict(model, workspace, 1, x, y, &error) == DTRAIN_ERR_INPUT, "an id beyond the vocabulary");
        x[0] = 0.5F;
        EXPECT(dtrain_predict(model, workspace, 1, x, y, &error) == DTRAIN_ERR_INPUT, "half an id");
        EXPECT(dtrain_jacobian(model, NULL, 1, &in, y, &error) == DTRAIN_ERR_ARGUMENT, "derivatives by ids");
    }
    dtrain_workspace_destroy(workspace);
    dtrain_workspace_destroy(NULL);
    dtrain_close(NULL);
}

/* The caller's floating-point environment is not ours to change, and does not change what we compute. */
static void environment(const dtrain_model *model, const char *path) {
    enum { ROWS = 5 };
    float *x = samples(model, ROWS), *y = outputs_of(model, x, ROWS), *got = numbers(ROWS * dtrain_outputs(model), 4);
    static const int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO, FE_TONEAREST};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        fesetround(modes[i]);
        feraiseexcept(FE_DIVBYZERO);
        feclearexcept(FE_INEXACT);
#ifdef __x86_64__
        unsigned before = _mm_getcsr();
#endif
        int code = dtrain_predict(model, NULL, ROWS, x, got, &error);
        dtrain_model *again = NULL;
        if (code == DTRAIN_OK) code = dtrain_open(&again, path, 0, &error);
#ifdef __x86_64__
        unsigned after = _mm_getcsr();
#endif
        int mode = fegetround(), flags = fetestexcept(FE_DIVBYZERO | FE_INEXACT);
        fesetround(FE_TONEAREST);
        feclearexcept(FE_ALL_EXCEPT);
        dtrain_close(again);
        EXPECT(code == DTRAIN_OK, "%s", error.message);
        EXPECT(mode == modes[i], "the rounding mode was %#x and is %#x", (unsigned)modes[i], (unsigned)mode);
        EXPECT(flags == FE_DIVBYZERO, "the exceptions' flags changed");
#ifdef __x86_64__
        EXPECT(before == after, "MXCSR was %#x and is %#x", before, after);
#endif
        EXPECT(same(got, y, ROWS * dtrain_outputs(model), sizeof *y), "the rounding mode changes the outputs");
    }
    free(x), free(y), free(got);
}

/* ---- threads ---- */

typedef struct worker {
    const dtrain_model *model;
    const float *x, *y;
    int64_t rows;
    unsigned gradients;
    int wrong;
} worker;

static void *work(void *argument) {
    worker *w = argument;
    int64_t m = dtrain_outputs(w->model), n = dtrain_inputs(w->model);
    float *got = numbers(w->rows * m, sizeof *got), *dx = numbers(w->rows * n, sizeof *dx);
    dtrain_error own;
    dtrain_workspace *workspace;
    w->wrong = dtrain_workspace_create(&workspace, w->model, w->rows, w->gradients, &own) != DTRAIN_OK;
    const dtrain_array x = {(void *)w->x, DTRAIN_FLOAT, n, 1}, dy = {(void *)w->y, DTRAIN_FLOAT, m, 1},
                       to = {dx, DTRAIN_FLOAT, n, 1};
    for (int i = 0; i < 20 && !w->wrong; i++) {
        memset(got, 0, (size_t)(w->rows * m) * sizeof *got);
        w->wrong = dtrain_predict(w->model, workspace, w->rows, w->x, got, &own) != DTRAIN_OK ||
                   !same(got, w->y, w->rows * m, sizeof *got);
        if (w->gradients && !w->wrong)
            w->wrong = dtrain_vjp(w->model, workspace, w->rows, &x, &dy, &to, NULL, &own) != DTRAIN_OK;
    }
    dtrain_workspace_destroy(workspace);
    free(got), free(dx);
    return NULL;
}

/* Four threads with one model give what one gives. */
static void threads(const dtrain_model *model) {
    enum { THREADS = 4, ROWS = 6 };
    float *x = samples(model, ROWS), *y = outputs_of(model, x, ROWS);
    worker workers[THREADS];
    pthread_t ids[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){model, x, y, ROWS, dtrain_input_ids(model) > 0 ? 0 : DTRAIN_GRADIENTS, 0};
        if (pthread_create(&ids[i], NULL, work, &workers[i]) != 0) exit(2);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(ids[i], NULL);
        EXPECT(!workers[i].wrong, "thread %d has other outputs", i);
    }
    free(x), free(y);
}

/* ---- derivatives ---- */

/* Of output o by input i, from differences of doubles; `h` in the input's units. */
static double difference(const dtrain_model *model, double *x, int64_t i, int64_t o, double h) {
    double *y = numbers(dtrain_outputs(model), sizeof *y), kept = x[i];
    x[i] = kept + h;
    DO(dtrain_predict_double(model, NULL, 1, x, y, &error));
    double above = y[o];
    x[i] = kept - h;
    DO(dtrain_predict_double(model, NULL, 1, x, y, &error));
    double below = y[o];
    x[i] = kept;
    free(y);
    return (above - below) / (2 * h);
}

/* The Jacobian is that of the function, whatever is between the caller's units and the network's, and a vector's
 * product with it is the sum of its rows. Differences of float32 outputs are this exact and no more. */
static void derivatives(const dtrain_model *model, double tolerance, double step) {
    enum { ROWS = 3 };
    const int64_t n = dtrain_inputs(model), m = dtrain_outputs(model);
    float *x32 = samples(model, ROWS);
    double *x = numbers(ROWS * n, sizeof *x), *jacobian = numbers(ROWS * m * n, sizeof *x),
           *dy = numbers(ROWS * m, sizeof *x), *dx = numbers(ROWS * n, sizeof *x), *y = numbers(ROWS * m, sizeof *x),
           *scale = numbers(n, sizeof *x), *unit = units_of(model);
    for (int64_t i = 0; i < ROWS * n; i++) x[i] = (double)x32[i];
    for (int64_t i = 0; i < ROWS * m; i++) dy[i] = ((double)(i % 5) - 1.5) / unit[i % m];
    dtrain_input_scaling(model, NULL, scale);
    dtrain_workspace *workspace = workspace_of(model, 2, DTRAIN_GRADIENTS);
    const dtrain_array in = {x, DTRAIN_DOUBLE, n, 1}, from = {dy, DTRAIN_DOUBLE, m, 1}, to = {dx, DTRAIN_DOUBLE, n, 1},
                       out = {y, DTRAIN_DOUBLE, m, 1};
    DO(dtrain_jacobian(model, workspace, ROWS, &in, jacobian, &error));
    DO(dtrain_vjp(model, workspace, ROWS, &in, &from, &to, &out, &error));
    double *expected = numbers(ROWS * m, sizeof *expected);
    DO(dtrain_predict_double(model, NULL, ROWS, x, expected, &error));
    for (int64_t i = 0; i < ROWS * m; i++)
        EXPECT(fabs(y[i] - expected[i]) < 1e-5 * unit[i % m], "the outputs beside a product are %g, not %g", y[i],
               expected[i]);

    double largest = 0, worst = 0, product = 0;
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t i = 0; i < n; i += 1 + n / 16) {
            double sum = 0;
            for (int64_t o = 0; o < m; o++) {
                double of_call = jacobian[(r * m + o) * n + i], units = scale[i] / unit[o];
                sum += dy[r * m + o] * of_call;
                largest = fmax(largest, fabs(of_call) * units);
                double near = difference(model, x + r * n, i, o, step * scale[i]);
                worst = fmax(worst, fabs(of_call - near) * units);
            }
            product = fmax(product, fabs(sum - dx[r * n + i]) * scale[i]);
        }
    EXPECT(largest > 0, "there are no derivatives");
    EXPECT(worst <= tolerance * largest, "a derivative is wrong by %g, of at most %g", worst, largest);
    EXPECT(product <= 1e-4 * largest, "a product is wrong by %g, of at most %g", product, largest);
    dtrain_workspace_destroy(workspace);
    free(x32), free(x), free(jacobian), free(dy), free(dx), free(y), free(scale), free(expected), free(unit);
}

/* ---- memory of series ---- */

/* State that the caller carries changes the outputs, in the same way however rows are grouped. */
static void states(const dtrain_model *model) {
    enum { ROWS = 3, CALLS = 4 };
    const int64_t n = dtrain_inputs(model), m = dtrain_outputs(model), s = dtrain_states(model);
    EXPECT(s > 0, "the model has no state");
    float *x = samples(model, ROWS * CALLS), *state = numbers(ROWS * s, 4), *y = numbers(ROWS * m, 4);
    float *own = numbers(s, 4), *alone = numbers(m, 4), *fresh = numbers(ROWS * m, 4);
    for (int c = 0; c < CALLS; c++) {
        const dtrain_array in = {x + c * ROWS * n, DTRAIN_FLOAT, n, 1}, out = {y, DTRAIN_FLOAT, m, 1};
        DO(dtrain_predict_arrays(model, NULL, ROWS, &in, &out, c ? state : NULL, state, &error));
    }
    for (int c = 0; c < CALLS; c++) { /* its last row by itself, from zeros instead of NULL */
        const dtrain_array in = {x + (c * ROWS + ROWS - 1) * n, DTRAIN_FLOAT, n, 1}, out = {alone, DTRAIN_FLOAT, m, 1};
        DO(dtrain_predict_arrays(model, NULL, 1, &in, &out, own, own, &error));
    }
    double worst = 0;
    for (int64_t i = 0; i < s; i++) worst = fmax(worst, fabs((double)(own[i] - state[(ROWS - 1) * s + i])));
    for (int64_t o = 0; o < m; o++) worst = fmax(worst, fabs((double)(alone[o] - y[(ROWS - 1) * m + o])));
    EXPECT(worst < 1e-5, "a row's state depends on the rows beside it by %g", worst);
    DO(dtrain_predict(model, NULL, ROWS, x + (CALLS - 1) * ROWS * n, fresh, &error));
    EXPECT(!same(fresh, y, ROWS * m, sizeof *y), "what came before changes nothing");
    free(x), free(state), free(y), free(own), free(alone), free(fresh);
}

/* sum dy*y + sum ds*state of one row. */
static double carried(const dtrain_model *model, const double *x, const float *state, const double *dy,
                      const float *ds) {
    const int64_t n = dtrain_inputs(model), m = dtrain_outputs(model), s = dtrain_states(model);
    double *y = numbers(m, sizeof *y), sum = 0;
    float *after = numbers(s, sizeof *after);
    const dtrain_array in = {(void *)x, DTRAIN_DOUBLE, n, 1}, out = {y, DTRAIN_DOUBLE, m, 1};
    DO(dtrain_predict_arrays(model, NULL, 1, &in, &out, state, after, &error));
    for (int64_t o = 0; o < m; o++) sum += dy[o] * y[o];
    for (int64_t i = 0; i < s; i++) sum += (double)ds[i] * (double)after[i];
    free(y), free(after);
    return sum;
}

/* Gradients from and through a state are differences of the same sum, and so is the Jacobian from a state. */
static void state_derivatives(const dtrain_model *model, double tolerance) {
    enum { ROWS = 3 };
    const int64_t n = dtrain_inputs(model), m = dtrain_outputs(model), s = dtrain_states(model);
    float *x32 = samples(model, ROWS), *state = numbers(ROWS * s, 4), *ds = numbers(ROWS * s, 4),
          *into = numbers(ROWS * s, 4);
    double *x = numbers(ROWS * n, sizeof *x), *dy = numbers(ROWS * m, sizeof *x), *dx = numbers(ROWS * n, sizeof *x),
           *jacobian = numbers(ROWS * m * n, sizeof *x), *none = numbers(m, sizeof *x);
    float *no = numbers(s, sizeof *no);
    for (int64_t i = 0; i < ROWS * n; i++) x[i] = (double)x32[i];
    for (int64_t i = 0; i < ROWS * m; i++) dy[i] = (double)(i % 3) + 1;
    for (int64_t i = 0; i < ROWS * s; i++) {
        state[i] = (float)(i % 11 - 5) / 8;
        ds[i] = (float)(i % 7 - 3) / 4;
    }
    dtrain_workspace *workspace = workspace_of(model, 2, DTRAIN_GRADIENTS);
    const dtrain_array in = {x, DTRAIN_DOUBLE, n, 1}, from = {dy, DTRAIN_DOUBLE, m, 1}, to = {dx, DTRAIN_DOUBLE, n, 1};
    DO(dtrain_vjp_state(model, workspace, ROWS, &in, &from, &to, NULL, state, ds, into, &error));
    DO(dtrain_jacobian_state(model, workspace, ROWS, &in, state, jacobian, &error));
    double largest = 0, worst = 0;
    for (int64_t r = 0; r < ROWS; r++) {
        double *xr = x + r * n;
        float *sr = state + r * s;
        for (int64_t i = 0; i < n; i++) {
            const double kept = xr[i], h = 0.004;
            double above[2], below[2];
            xr[i] = kept + h;
            above[0] = carried(model, xr, sr, dy + r * m, ds + r * s), none[0] = 1,
            above[1] = carried(model, xr, sr, none, no);
            xr[i] = kept - h;
            below[0] = carried(model, xr, sr, dy + r * m, ds + r * s), below[1] = carried(model, xr, sr, none, no);
            xr[i] = kept;
            largest = fmax(largest, fabs(dx[r * n + i]));
            worst = fmax(worst, fabs(dx[r * n + i] - (above[0] - below[0]) / (2 * h)));
            worst = fmax(worst, fabs(jacobian[r * m * n + i] - (above[1] - below[1]) / (2 * h)));
        }
        for (int64_t i = 0; i < s; i++) {
            const float kept = sr[i], h = 0.00390625F;
            sr[i] = kept + h;
            double above = carried(model, xr, sr, dy + r * m, ds + r * s);
            sr[i] = kept - h;
            double below = carried(model, xr, sr, dy + r * m, ds + r * s);
            sr[i] = kept;
            largest = fmax(largest, fabs((double)into[r * s + i]));
            worst = fmax(worst, fabs((double)into[r * s + i] - (above - below) / (2 * (double)h)));
        }
    }
    EXPECT(largest > 0.1, "there are no derivatives");
    EXPECT(worst <= tolerance * largest, "a derivative is wrong by %g, of at most %g", worst, largest);
    DO(dtrain_vjp_state(model, workspace, ROWS, &in, &from, &to, NULL, NULL, NULL, NULL, &error));
    double *plain = numbers(ROWS * n, sizeof *plain);
    const dtrain_array there = {plain, DTRAIN_DOUBLE, n, 1};
    DO(dtrain_vjp(model, workspace, ROWS, &in, &from, &there, NULL, &error));
    EXPECT(same(plain, dx, ROWS * n, sizeof *dx), "without a state it is another product");
    dtrain_workspace_destroy(workspace);
    free(x32), free(state), free(ds), free(into), free(x), free(dy), free(dx), free(jacobian), free(none), free(no),
        free(plain);
}

/* ---- ranges ---- */

/* A number just outside what training saw is found, and none inside. */
static void ranges(const dtrain_model *model) {
    const int64_t n = dtrain_inputs(model);
    double *least = numbers(n, sizeof *least), *most = numbers(n, sizeof *most), *x = numbers(3 * n, sizeof *x);
    unsigned char *outside = numbers(3 * n, 1);
    int64_t count = -1;
    DO(dtrain_input_range(model, least, most, &error));
    for (int64_t i = 0; i < n; i++) {
        EXPECT(least[i] < most[i], "the range of input %lld is %g to %g", (long long)i, least[i], most[i]);
        x[i] = least[i], x[n + i] = most[i], x[2 * n + i] = (least[i] + most[i]) / 2;
    }
    const dtrain_array in = {x, DTRAIN_DOUBLE, n, 1};
    DO(dtrain_outside_range(model, 3, &in, outside, &count, &error));
    EXPECT(count == 0, "%lld numbers of training are outside its range", (long long)count);
    x[1] = nextafter(least[1], -INFINITY), x[n + 2] = nextafter(most[2], INFINITY), x[2 * n] = NAN;
    DO(dtrain_outside_range(model, 3, &in, outside, &count, &error));
    EXPECT(count == 3 && outside[1] && outside[n + 2] && outside[2 * n], "%lld of 3 were found", (long long)count);
    DO(dtrain_outside_range(model, 0, NULL, NULL, NULL, &error));
    free(least), free(most), free(x), free(outside);
}

/* ---- inputs that have names ---- */

/* An array of its own for each part of whole rows: the first row-major floats, the others column-major doubles. */
static dtrain_array *apart(const dtrain_model *model, const float *x, int64_t rows) {
    const int64_t parts = dtrain_parts(model), n = dtrain_inputs(model);
    dtrain_array *arrays = numbers(parts, sizeof *arrays);
    for (int64_t p = 0; p < parts; p++) {
        const int64_t width = dtrain_part_numbers(model, p), first = dtrain_part_first(model, p);
        float *floats = p == 0 ? numbers(rows * width, sizeof *floats) : NULL;
        double *doubles = p > 0 ? numbers(rows * width, sizeof *doubles) : NULL;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < width; i++) {
                if (floats) floats[r * width + i] = x[r * n + first + i];
                if (doubles) doubles[i * rows + r] = (double)x[r * n + first + i];
            }
        arrays[p] =
            floats ? (dtrain_array){floats, DTRAIN_FLOAT, width, 1} : (dtrain_array){doubles, DTRAIN_DOUBLE, 1, rows};
    }
    return arrays;
}

static double number_of(const dtrain_array *a, int64_t row, int64_t i) {
    const int64_t at = row * a->row_stride + i * a->stride;
    return a->type == DTRAIN_FLOAT ? (double)((float *)a->data)[at] : ((double *)a->data)[at];
}

static void free_arrays(const dtrain_model *model, dtrain_array *arrays) {
    for (int64_t p = 0; p < dtrain_parts(model); p++) free(arrays[p].data);
    free(arrays);
}

/* Parts lie one behind the other in a row, and their shapes say how many numbers they have. */
static void describes_parts(const dtrain_model *model) {
    int64_t next = 0, shape[DTRAIN_MAX_RANK];
    for (int64_t p = 0; p < dtrain_parts(model); p++) {
        int64_t count = 1;
        const int rank = dtrain_part_shape(model, p, shape);
        for (int i = 0; i < rank; i++) count *= shape[i];
        EXPECT(dtrain_part_first(model, p) == next && dtrain_part_numbers(model, p) == count, "a part is elsewhere");
        EXPECT(dtrain_part_named(model, dtrain_part_name(model, p)) == p, "a name leads to another part");
        next += count;
    }
    EXPECT(next == dtrain_inputs(model), "the parts are %lld numbers of a row", (long long)next);
    EXPECT(dtrain_part_named(model, "nobody") == -1 && dtrain_part_named(model, NULL) == -1 &&
               !dtrain_part_name(model, -1) && !dtrain_part_name(model, dtrain_parts(model)) &&
               dtrain_part_shape(model, -1, shape) == -1 && dtrain_part_first(model, 99) == -1 &&
               dtrain_part_numbers(model, 99) == -1,
           "a part that is not there");
}

/* Derivatives by parts are columns of those by rows, and one that is not wanted is left out. */
static void derives_by_parts(const dtrain_model *model, const float *x, const dtrain_array *parts, int64_t rows) {
    const int64_t n = dtrain_inputs(model), m = dtrain_outputs(model), count = dtrain_parts(model);
    float *whole = numbers(rows * m * n, sizeof *whole), *dx = numbers(rows * n, sizeof *dx),
          *dy = numbers(rows * m, sizeof *dy);
    void **jacobian = numbers(count, sizeof *jacobian);
    dtrain_array *by = apart(model, dx, rows);
    for (int64_t i = 0; i < rows * m; i++) dy[i] = (float)(i % 3) - 0.5F;
    for (int64_t p = 1; p < count || p == 1; p++)
        if (p < count) jacobian[p] = numbers(rows * m * dtrain_part_numbers(model, p), sizeof(double));
    const dtrain_array in = {(void *)x, DTRAIN_FLOAT, n, 1}, from = {dy, DTRAIN_FLOAT, m, 1},
                       to = {dx, DTRAIN_FLOAT, n, 1};
    dtrain_workspace *workspace = workspace_of(model, 2, DTRAIN_GRADIENTS);
    DO(dtrain_jacobian(model, workspace, rows, &in, whole, &error));
    DO(dtrain_jacobian_parts(model, workspace, rows, parts, jacobian, &error));
    DO(dtrain_vjp(model, workspace, rows, &in, &from, &to, NULL, &error));
    DO(dtrain_vjp_parts(model, workspace, rows, parts, &from, by, NULL, &error));
    int wrong = 0;
    for (int64_t p = 0; p < count; p++) {
        const int64_t width = dtrain_part_numbers(model, p), first = dtrain_part_first(model, p);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < width; i++) {
                wrong += (float)number_of(&by[p], r, i) != dx[r * n + first + i];
                for (int64_t o = 0; p > 0 && o < m; o++)
                    wrong +=
                        (float)((double *)jacobian[p])[(r * m + o) * width + i] != whole[(r * m + o) * n + first + i];
            }
    }
    EXPECT(wrong == 0, "%d derivatives by parts are not those by rows", wrong);
    free(by[0].data);
    by[0].data = NULL; /* not wanted */
    DO(dtrain_vjp_parts(model, workspace, rows, parts, &from, by, NULL, &error));
    dtrain_workspace_destroy(workspace);
    for (int64_t p = 1; p < count; p++) free(jacobian[p]);
    free_arrays(model, by);
    free(jacobian), free(whole), free(dx), free(dy);
}

/* What leaves the range of training is told by row, part and number. */
static void outside_parts(const dtrain_model *model, const dtrain_array *parts, int64_t rows) {
    const int64_t last = dtrain_parts(model) - 1, first = dtrain_part_first(model, last);
    double *least = numbers(dtrain_inputs(model), sizeof *least), *most = numbers(dtrain_inputs(model), sizeof *most);
    dtrain_outside list[2] = {{.row = -1}, {.row = -1}};
    int64_t before = -1, count = -1;
    DO(dtrain_input_range(model, least, most, &error));
    DO(dtrain_outside_list(model, rows, parts, NULL, 0, &before, &error));
    const dtrain_array *a = &parts[last];
    const double far = (double)(float)(most[first + 1] + 1);
    const int64_t at = (rows - 1) * a->row_stride + a->stride;
    if (a->type == DTRAIN_FLOAT) ((float *)a->data)[at] = (float)far;
    if (a->type == DTRAIN_DOUBLE) ((double *)a->data)[at] = far;
    DO(dtrain_outside_list(model, 1, parts, list, 2, &count, &error));
    EXPECT(list[1].row < 1, "a row is told of that was not asked about");
    dtrain_array *moved = numbers(last + 1, sizeof *moved);
    for (int64_t p = 0; p <= last; p++) {
        moved[p] = parts[p];
        const size_t size = moved[p].type == DTRAIN_FLOAT ? sizeof(float) : sizeof(double);
        moved[p].data = (char *)moved[p].data + (size_t)((rows - 1) * moved[p].row_stride) * size;
    }
    dtrain_outside *all = numbers(dtrain_inputs(model), sizeof *all);
    DO(dtrain_outside_list(model, 1, moved, all, dtrain_inputs(model), &count, &error));
    int found = 0;
    for (int64_t i = 0; i < count; i++)
        found += all[i].row == 0 && all[i].part == last && all[i].number == 1 && all[i].value == far &&
                 all[i].least == least[first + 1] && all[i].most == most[first + 1];
    EXPECT(found == 1, "a number outside its range was found %d times, of %lld in all", found, (long long)count);
    DO(dtrain_outside_list(model, rows, parts, list, 1, &count, &error));
    EXPECT(count >= 1 && list[0].row >= 0 && list[1].row < 1, "a list is longer than its room");
    free(moved), free(least), free(most), free(all);
}

static void named_parts(const dtrain_model *model, int64_t wanted) {
    enum { ROWS = 5 };
    const int64_t m = dtrain_outputs(model);
    EXPECT(dtrain_parts(model) == wanted, "%lld parts", (long long)dtrain_parts(model));
    describes_parts(model);
    float *x = samples(model, ROWS), *y = outputs_of(model, x, ROWS), *got = numbers(ROWS * m, sizeof *got);
    dtrain_array *parts = apart(model, x, ROWS), out = {got, DTRAIN_FLOAT, m, 1};
    DO(dtrain_predict_parts(model, NULL, ROWS, parts, &out, NULL, NULL, &error));
    EXPECT(same(got, y, ROWS * m, sizeof *y), "an array for each input changes the outputs");
    derives_by_parts(model, x, parts, ROWS);
    outside_parts(model, parts, ROWS);
    void *kept = parts[wanted - 1].data;
    parts[wanted - 1].data = NULL;
    EXPECT(dtrain_predict_parts(model, NULL, ROWS, parts, &out, NULL, NULL, &error) == DTRAIN_ERR_ARGUMENT, "no array");
    EXPECT(wanted == 1 || strstr(error.message, dtrain_part_name(model, wanted - 1)), "which is missing? %s",
           error.message);
    EXPECT(dtrain_predict_parts(model, NULL, ROWS, NULL, &out, NULL, NULL, &error) == DTRAIN_ERR_ARGUMENT, "no arrays");
    EXPECT(dtrain_outside_list(model, ROWS, parts, NULL, 1, NULL, &error) == DTRAIN_ERR_ARGUMENT, "no list");
    parts[wanted - 1].data = kept;
    free_arrays(model, parts);
    free(x), free(y), free(got);
}

/* ---- for the script ---- */

static void print_description(const dtrain_model *model) {
    int64_t in[DTRAIN_MAX_RANK], out[DTRAIN_MAX_RANK];
    int in_rank = dtrain_input_shape(model, in), out_rank = dtrain_output_shape(model, out);
    printf("inputs %s %s [", dtrain_input_name(model), dtrain_input_type(model));
    for (int i = 0; i < in_rank; i++) printf("%s%lld", i ? ", " : "", (long long)in[i]);
    printf("] outputs %s [", dtrain_output_name(model));
    for (int i = 0; i < out_rank; i++) printf("%s%lld", i ? ", " : "", (long long)out[i]);
    printf("] kind %d step %lld states %lld ids %lld\n", dtrain_output_kind_of(model), (long long)dtrain_step(model),
           (long long)dtrain_states(model), (long long)dtrain_input_ids(model));
    for (int64_t p = 0; p < dtrain_parts(model) && dtrain_parts(model) > 1; p++)
        printf("part %s %lld %lld %d\n", dtrain_part_name(model, p), (long long)dtrain_part_first(model, p),
               (long long)dtrain_part_numbers(model, p), dtrain_part_shape(model, p, in));
    for (int64_t i = 0; i < dtrain_classes(model); i++)
        printf("class %lld %lld %s\n", (long long)i, (long long)dtrain_class_label(model, i),
               dtrain_class_name(model, i) ? dtrain_class_name(model, i) : "-");
    printf("%s", dtrain_warnings(model));
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    const char *check = argv[1], *path = argv[2];
    const char *flags = getenv("DTRAIN_TEST_OPEN");
    dtrain_model *model = opened(path, flags ? (unsigned)atoi(flags) : 0);
    if (strcmp(check, "description") == 0)
        print_description(model);
    else if (strcmp(check, "states") == 0)
        states(model);
    else if (strcmp(check, "derivatives") == 0)
        derivatives(model, argc > 3 ? atof(argv[3]) : 1e-3, argc > 4 ? atof(argv[4]) : 0.02);
    else if (strcmp(check, "state_derivatives") == 0)
        state_derivatives(model, argc > 3 ? atof(argv[3]) : 1e-3);
    else if (strcmp(check, "environment") == 0)
        environment(model, path);
    else if (strcmp(check, "refusals") == 0)
        refusals(model, path);
    else if (strcmp(check, "layouts") == 0)
        layouts(model);
    else if (strcmp(check, "ranges") == 0)
        ranges(model);
    else if (strcmp(check, "parts") == 0)
        named_parts(model, argc > 3 ? atoll(argv[3]) : 1);
    else if (strcmp(check, "unknown") == 0)
        EXPECT(dtrain_input_range(model, NULL, NULL, &error) == DTRAIN_ERR_UNKNOWN && error.code == DTRAIN_ERR_UNKNOWN,
               "token ids have a range");
    else if (strcmp(check, "threads") == 0)
        threads(model);
    else
        return 2;
    dtrain_close(model);
    return failures > 0;
}
