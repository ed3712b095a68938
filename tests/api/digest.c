/* The digest of a model's outputs, as `dtrain predict` computes it, from the library:
 *
 *     digest RUN SAMPLES AT_ONCE THREADS [STREAMS]
 *
 * SAMPLES are doubles, [samples, inputs]; a thread's workspace takes AT_ONCE of them. With STREAMS the samples are
 * windows, all streams' first, then all streams' second, …, and the state goes from each to the next of its stream. */
#include <dtrain/dtrain.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

typedef struct worker {
    const dtrain_model *model;
    double *x;
    float *y, *state;          /* [samples, outputs], [streams, states] */
    int64_t from, to, at_once; /* of the samples of a window */
    int64_t across, windows;   /* samples of a window, and how many windows there are */
    dtrain_error error;
} worker;

static void *checked(void *memory) {
    if (!memory) exit(2);
    return memory;
}

static int predict(worker *w, dtrain_workspace *workspace, int64_t window) {
    int64_t n = dtrain_inputs(w->model), m = dtrain_outputs(w->model), s = dtrain_states(w->model);
    int64_t rows = w->to - w->from, first = window * w->across + w->from;
    float *state = w->state ? w->state + w->from * s : NULL;
    const dtrain_array x = {w->x + first * n, DTRAIN_DOUBLE, n, 1}, y = {w->y + first * m, DTRAIN_FLOAT, m, 1};
    return dtrain_predict_arrays(w->model, workspace, rows, &x, &y, window > 0 ? state : NULL, state, &w->error);
}

static void *work(void *argument) {
    worker *w = argument;
    dtrain_workspace *workspace;
    int code = dtrain_workspace_create(&workspace, w->model, w->at_once, 0, &w->error);
    for (int64_t window = 0; window < w->windows && code == DTRAIN_OK; window++) code = predict(w, workspace, window);
    dtrain_workspace_destroy(workspace);
    return code == DTRAIN_OK ? NULL : w->error.message;
}

static double *read_samples(const char *path, int64_t *count) {
    FILE *file = checked(fopen(path, "rb"));
    if (fseek(file, 0, SEEK_END) != 0) exit(2);
    *count = ftell(file) / (int64_t)sizeof(double);
    rewind(file);
    double *x = checked(malloc((size_t)*count * sizeof *x));
    if (fread(x, sizeof *x, (size_t)*count, file) != (size_t)*count) exit(2);
    fclose(file);
    return x;
}

static void print_digest(const float *y, int64_t samples, int64_t outputs) {
    uint64_t words[2] = {(uint64_t)samples, 0};
    for (int64_t i = 0; i < samples; i++)
        words[1] += XXH3_64bits_withSeed(y + i * outputs, (size_t)outputs * sizeof *y, (uint64_t)i);
    printf("%016llx\n", (unsigned long long)XXH3_64bits(words, sizeof words));
}

int main(int argc, char **argv) {
    enum { MOST = 16 };
    if (argc < 5) return 2;
    dtrain_model *model;
    dtrain_error error;
    if (dtrain_open(&model, argv[1], 0, &error) != DTRAIN_OK) return fprintf(stderr, "%s\n", error.message), 1;
    int64_t samples, inputs = dtrain_inputs(model), at_once = atoll(argv[3]), threads = atoll(argv[4]);
    double *x = read_samples(argv[2], &samples);
    samples /= inputs;
    int64_t across = argc > 5 ? atoll(argv[5]) : samples, states = dtrain_states(model);
    if (threads < 1 || threads > MOST || at_once < 1 || across < 1 || samples % across != 0) return 2;
    float *y = checked(calloc((size_t)(samples * dtrain_outputs(model)), sizeof *y));
    float *state = argc > 5 ? checked(calloc((size_t)(across * states), sizeof *state)) : NULL;
    worker workers[MOST];
    pthread_t ids[MOST];
    for (int64_t i = 0; i < threads; i++) {
        workers[i] = (worker){.model = model,
                              .x = x,
                              .y = y,
                              .state = state,
                              .at_once = at_once,
                              .across = across,
                              .windows = samples / across,
                              .from = across * i / threads,
                              .to = across * (i + 1) / threads};
        if (pthread_create(&ids[i], NULL, work, &workers[i]) != 0) return 2;
    }
    const char *failure = NULL;
    for (int64_t i = 0; i < threads; i++) {
        void *said;
        pthread_join(ids[i], &said);
        if (said) failure = said;
    }
    if (failure) return fprintf(stderr, "%s\n", failure), 1;
    print_digest(y, samples, dtrain_outputs(model));
    dtrain_close(model);
    free(x), free(y), free(state);
    return 0;
}
