/* A trained model in a C program: opens it, asks it for one sample, and for the derivatives there.
 *
 *     cc example.c $(pkg-config --cflags --libs dtrain) -o example && ./example runs/surrogate 0.1 0.2 0.3 …
 *
 * The numbers behind the run directory are the sample; those that are missing are 0. */
#include <dtrain/dtrain.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    return 1;
}

int main(int argc, char **argv) {
    dtrain_model *model;
    dtrain_error error;
    if (argc < 2) return fail("usage: example RUN|CHECKPOINT [NUMBER]…");
    if (dtrain_open(&model, argv[1], 0, &error) != DTRAIN_OK) return fail(error.message);

    const int64_t inputs = dtrain_inputs(model), outputs = dtrain_outputs(model);
    double *x = calloc((size_t)inputs, sizeof *x), *y = calloc((size_t)outputs, sizeof *y);
    double *jacobian = calloc((size_t)(inputs * outputs), sizeof *jacobian);
    if (!x || !y || !jacobian) return fail("no memory");
    for (int i = 2; i < argc && i - 2 < inputs; i++) x[i - 2] = atof(argv[i]);

    if (dtrain_predict_double(model, NULL, 1, x, y, &error) != DTRAIN_OK) return fail(error.message);
    for (int64_t o = 0; o < outputs; o++) printf("y[%lld] = %.9g\n", (long long)o, y[o]);

    const dtrain_array at = {x, DTRAIN_DOUBLE, inputs, 1};
    if (dtrain_jacobian(model, NULL, 1, &at, jacobian, &error) != DTRAIN_OK) return fail(error.message);
    for (int64_t i = 0; i < inputs; i++) printf("dy[0]/dx[%lld] = %.9g\n", (long long)i, jacobian[i]);

    free(x);
    free(y);
    free(jacobian);
    dtrain_close(model);
    return 0;
}
