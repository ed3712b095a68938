/* A text model read token by token: what attention keeps of a position, and what a recurrent layer carries on, is
 * computed once. Where positions are counted (attention, learned positions) the window ends: then its newest half is
 * read again from the first position on, as the model saw windows in training, which makes a token beyond the window
 * cost two on the average. What a recurrent model has read is all in what it carries, so it goes on without end. */
#include "decoder.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "model/model.h"
#include "rows_state.h"
#include "trained.h"

struct dt_decoder {
    dt_model *model;
    const dt_kernels *kernels;
    dt_real *weights;
    dt_bf16 *weights16;
    int64_t rows, most_rows, context, position;
    int32_t *window;     /* [most_rows, context]: the tokens that were read; NULL for a model that needs none again */
    int32_t *again;      /* [most_rows] */
    dt_real *ids;        /* [most_rows] */
    dt_rows_state state; /* of what rows carry from token to token */
    bool bf16;
    bool fresh; /* nothing was read yet */
};

static dt_status make_room(dt_decoder *d) {
    size_t rows = (size_t)d->most_rows, count = 0;
    d->ids = dt_alloc(rows, sizeof *d->ids);
    d->again = dt_alloc(rows, sizeof *d->again);
    if (!d->ids || !d->again) return dt_fail_memory("a row of tokens", rows * sizeof *d->ids);
    if (dt_model_bounded(d->model)) {
        if (dt_size_mul(rows, (size_t)d->context, &count)) d->window = dt_alloc(count, sizeof *d->window);
        if (!d->window) return dt_fail_memory("the window of a text", rows * (size_t)d->context * sizeof *d->window);
    }
    return dt_rows_state_create(&d->state, d->model, d->most_rows);
}

dt_status dt_decoder_create(dt_decoder **out, const dt_yaml *layers, const dt_recipe_loss *loss, int64_t vocabulary,
                            int64_t context, int64_t rows, bool bf16, const dt_kernels *kernels) {
    *out = NULL;
    dt_decoder *d = dt_alloc(1, sizeof *d);
    if (!d) return dt_fail_memory("a decoder", sizeof *d);
    d->kernels = kernels;
    d->context = context;
    d->rows = d->most_rows = rows;
    d->fresh = true;
    dt_model_spec spec = {.input = {1, {1}},
                          .ids = vocabulary,
                          .outputs = vocabulary,
                          .targets = 1,
                          .rows = rows,
                          .decoding = context,
                          .bf16 = bf16};
    d->bf16 = bf16;
    dt_status status = dt_model_create(&d->model, layers, loss, &spec, kernels);
    if (status.code == DT_OK) status = make_room(d);
    if (status.code != DT_OK) {
        dt_decoder_destroy(d);
        return status;
    }
    *out = d;
    return dt_ok();
}

void dt_decoder_destroy(dt_decoder *d) {
    if (!d) return;
    dt_model_destroy(d->model);
    dt_free(d->weights);
    dt_free(d->weights16);
    dt_free(d->window);
    dt_free(d->again);
    dt_free(d->ids);
    dt_rows_state_finish(&d->state);
    dt_free(d);
}

const dt_table *dt_decoder_table(const dt_decoder *d) {
    return dt_model_table(d->model);
}

dt_status dt_decoder_weights(dt_decoder *d, dt_real *weights) {
    d->weights = weights;
    return d->bf16 ? dt_trained_rounded(d->kernels, weights, dt_decoder_table(d)->total, &d->weights16) : dt_ok();
}

void dt_decoder_restart(dt_decoder *d, int64_t rows) {
    assert(rows <= d->most_rows);
    d->rows = rows;
    d->position = 0;
    d->fresh = true;
}

/* The tokens at the present position, which is there. */
static const dt_real *read_place(dt_decoder *d, const int32_t *tokens) {
    for (int64_t r = 0; r < d->rows; r++) {
        d->ids[r] = (dt_real)tokens[r];
        if (d->window) d->window[r * d->context + d->position] = tokens[r];
    }
    dt_pass pass = {.rows = d->rows, .weights = d->weights, .weights16 = d->weights16, .position = d->position};
    dt_rows_state_pass(&d->state, &pass, d->fresh);
    d->fresh = false;
    if (d->window) d->position++;
    return dt_model_forward(d->model, pass, d->ids);
}

/* Tokens that are read again when the window is full. */
static int64_t kept(const dt_decoder *d) {
    return d->context / 2;
}

static void read_again(dt_decoder *d) {
    int64_t keep = kept(d), from = d->context - keep;
    dt_decoder_restart(d, d->rows);
    for (int64_t t = 0; t < keep; t++) {
        for (int64_t r = 0; r < d->rows; r++) d->again[r] = d->window[r * d->context + from + t];
        read_place(d, d->again);
    }
}

const dt_real *dt_decoder_read(dt_decoder *d, const int32_t *tokens) {
    if (d->window && d->position == d->context) read_again(d);
    return read_place(d, tokens);
}

int64_t dt_decoder_first(const dt_decoder *d, int64_t count) {
    if (!d->window || count <= d->context) return 0;
    int64_t stride = d->context - kept(d), beyond = count - d->context;
    return (beyond + stride - 1) / stride * stride;
}
