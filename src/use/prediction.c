/* Prediction. Samples are cut into pieces of a fixed size, from the first one on, and every product is made for a whole
 * piece, whatever part of it is asked for: the library that multiplies adds up in another order where there are fewer
 * rows, and on some processors by the place of a row among them. So a sample's bits follow from its number and the
 * model, and not from the batch or the number of ranks. Batches are dealt to the ranks in turn, a round of them at a
 * time, after which all agree whether to go on; of samples and results there are never more than a batch in memory.
 *
 * Samples of streams come window by window: all streams of one, then all of the next, and a rank has the same streams
 * in each, whose state it carries. */
#include "prediction.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "base/alive.h"
#include "base/clock.h"
#include "base/headway.h"
#include "base/memory.h"
#include "base/stop.h"
#include "batch.h"
#include "cause.h"
#include "rows_state.h"
#include "top.h"

uint64_t dt_prediction_part(int64_t sample, const float *outputs, int64_t width) {
    return XXH3_64bits_withSeed(outputs, (size_t)width * sizeof *outputs, (uint64_t)sample);
}

uint64_t dt_prediction_digest(int64_t samples, uint64_t sum) {
    const uint64_t words[] = {(uint64_t)samples, sum};
    return XXH3_64bits(words, sizeof words);
}

/* A rank's work, and what it needs for it. */
typedef struct work {
    const dt_predictor *p;
    const dt_source *source; /* at work, whose first sample has the number `base` */
    int64_t base;
    dt_results *results;
    dt_batch batch; /* a piece */
    int64_t *index;
    int64_t across;         /* samples of a window: streams, or all where samples stand alone */
    int64_t mine;           /* batches of a window that a rank has, at most */
    int64_t parts;          /* pieces that a batch has part in, at most */
    dt_rows_state *states;  /* [mine, parts], of streams */
    int64_t *words;         /* [FAILED, STOPPED, then what each rank has to write] */
    uint64_t sum;           /* for the digest */
    int64_t done, lo, rows; /* where the part at hand goes in the block, and which rows of the piece it is */
} work;

enum { FAILED, STOPPED, LENGTHS };

static int64_t less(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static dt_status open_states(work *w) {
    if (w->source->about.streams == 0) return dt_ok();
    size_t count = (size_t)(w->mine * w->parts);
    w->states = dt_alloc(count, sizeof *w->states);
    if (!w->states) return dt_fail_memory("the state of the streams", count * sizeof *w->states);
    for (size_t i = 0; i < count; i++) DT_TRY(dt_rows_state_create(&w->states[i], w->p->model, w->p->piece));
    return dt_ok();
}

/* Samples of a window. */
static int64_t across_of(const dt_source *source) {
    return source->about.streams > 0 ? source->about.streams : source->samples;
}

static dt_status open_work(work *w, const dt_predictor *p, const dt_source *source, dt_results *results) {
    memset(w, 0, sizeof *w);
    w->p = p;
    w->source = source;
    w->results = results;
    w->across = across_of(source);
    int64_t batches = (w->across + p->batch - 1) / p->batch;
    w->mine = (batches + p->ranks->size - 1) / p->ranks->size;
    w->parts = p->batch / p->piece + 2;
    w->words = dt_alloc((size_t)(LENGTHS + p->ranks->size), sizeof *w->words);
    if (!w->words) return dt_fail_memory("the ranks' parts", (size_t)p->ranks->size * sizeof *w->words);
    DT_TRY(dt_batch_create(&w->batch, &w->index, source, p->piece));
    if (results->of_next) {
        w->batch.labels = dt_alloc((size_t)(p->piece * results->outputs.positions), sizeof *w->batch.labels);
        if (!w->batch.labels) return dt_fail_memory("tokens", (size_t)p->piece * sizeof *w->batch.labels);
    }
    return open_states(w);
}

static void close_work(work *w) {
    for (int64_t i = 0; w->states && i < w->mine * w->parts; i++) dt_rows_state_finish(&w->states[i]);
    dt_free(w->states);
    dt_free(w->words);
    if (w->index) dt_batch_destroy(&w->batch, w->index);
}

/* ---- a batch ---- */

static void keep_rows(work *w, dt_result *result, const dt_real *y) {
    size_t bytes = dt_result_bytes(result);
    memcpy(result->block + (size_t)w->done * bytes, y + w->lo * result->width, (size_t)w->rows * bytes);
}

/* Of the rows at hand among the positions of a piece. */
static dt_top top_of(const work *w) {
    const dt_results *results = w->results;
    int64_t keep = results->top->width / results->outputs.positions, positions = results->outputs.positions;
    dt_top top = {.kernels = w->p->kernels, .keep = keep, .from = w->lo * positions};
    top.to = top.from + w->rows * positions;
    top.classes = (int64_t *)results->top->block + w->done * results->top->width;
    top.logs = (float *)results->all[0].block + w->done * results->top->width;
    if (!results->of_next) return top;
    top.labels = w->batch.labels + top.from;
    top.of_labels = (float *)results->of_next->block + w->done * positions;
    return top;
}

static void see_layer(void *context, const dt_layer *layer, const dt_real *y) {
    work *w = context;
    for (int i = 1; i < w->results->count; i++)
        if (w->results->all[i].layer == layer) keep_rows(w, &w->results->all[i], y);
}

/* Rows [lo, lo + rows) of a piece, the first of which is `sample`; the others are zeros. */
static void predict_part(work *w, int64_t sample, dt_rows_state *state) {
    const dt_predictor *p = w->p;
    int64_t inputs = dt_shape_count(&w->source->about.input);
    if (w->rows < p->piece) memset(w->batch.x, 0, (size_t)(p->piece * inputs) * sizeof *w->batch.x);
    for (int64_t i = 0; i < w->rows; i++) w->index[i] = sample + i;
    dt_batch part = {.x = w->batch.x + w->lo * inputs};
    if (w->batch.labels) part.labels = w->batch.labels + w->lo * w->results->outputs.positions;
    dt_source_fetch(w->source, p->kernels, p->scales, NULL, w->index, w->rows, &part);
    dt_pass pass = {.rows = p->piece, .weights = p->weights, .weights16 = p->weights16};
    if (w->results->count > 1) {
        pass.seen = see_layer;
        pass.seen_context = w;
    }
    if (state) dt_rows_state_pass(state, &pass, part.fresh);
    if (w->results->top) {
        dt_top top = top_of(w);
        pass.judged = dt_top_take;
        pass.judged_context = &top;
        dt_model_show(p->model, pass, w->batch.x);
    } else {
        keep_rows(w, &w->results->all[0], dt_model_forward(p->model, pass, w->batch.x));
    }
    dt_alive();
}

/* Of `rows` samples from `first` on, the row of the first whose outputs are not all finite; -1: there is none. */
static int64_t find_odd(const work *w, int64_t rows) {
    const dt_result *outputs = &w->results->all[0];
    const dt_real *values = (const dt_real *)outputs->block;
    for (int64_t i = 0; i < rows; i++) {
        bool finite = true;
        for (int64_t j = 0; j < outputs->width; j++) finite &= isfinite(values[i * outputs->width + j]) != 0;
        if (!finite) return i;
    }
    return -1;
}

static dt_status fail_odd(work *w, int64_t sample) {
    const dt_predictor *p = w->p;
    const dt_source *source = w->source;
    dt_suspect suspect = {.source = source,
                          .model = p->model,
                          .kernels = p->kernels,
                          .batch = &w->batch,
                          .place = dt_source_place(source, NULL, sample)};
    char cause[300] = "";
    dt_source_fetch(source, p->kernels, p->scales, NULL, &sample, 1, &w->batch);
    dt_pass pass = {.weights = p->weights, .weights16 = p->weights16};
    if (dt_find_cause(&suspect, &pass, cause, sizeof cause)) return dt_fail(DT_ERR_DIVERGED, "%s", cause);
    return dt_fail(DT_ERR_DIVERGED, "an output for %s %lld of %s is not a number or infinite", source->about.noun,
                   (long long)suspect.place, source->x_name);
}

/* What label a class has in the data. */
static int64_t label_of(const dt_results *results, int64_t class) {
    return results->known && class < results->known->count ? results->known->values[class] : class;
}

static void name_top(const dt_results *results, int64_t rows) {
    int64_t count = rows * results->outputs.positions, keep = results->top->width / results->outputs.positions;
    int64_t *top = (int64_t *)results->top->block, *chosen = (int64_t *)results->classes->block;
    for (int64_t i = 0; i < count * keep; i++) top[i] = label_of(results, top[i]);
    for (int64_t i = 0; i < count; i++) chosen[i] = top[i * keep];
}

static void name_classes(const dt_results *results, int64_t rows) {
    const dt_outputs *o = &results->outputs;
    int64_t *labels = (int64_t *)results->classes->block, count = rows * o->positions;
    int32_t *classes = (int32_t *)labels; /* half as wide: from behind, none is written over before it is read */
    dt_outputs_choose(o, (const dt_real *)results->all[0].block, rows, classes);
    for (int64_t i = count - 1; i >= 0; i--) {
        int32_t class;
        memcpy(&class, (const char *)labels + (size_t)i * sizeof class, sizeof class);
        labels[i] = label_of(results, class);
    }
}

static uint64_t part_of_digest(const dt_results *results, int64_t row, int64_t sample) {
    const dt_result *outputs = &results->all[0], *top = results->top;
    uint64_t part = dt_prediction_part(sample, (const float *)outputs->block + row * outputs->width, outputs->width);
    if (!top) return part;
    size_t bytes = dt_result_bytes(top);
    return part + XXH3_64bits_withSeed(top->block + (size_t)row * bytes, bytes, (uint64_t)sample);
}

/* Samples [first, first + rows), which are rows from `at` on of their window; `states` are those of the batch. */
static dt_status predict_batch(work *w, int64_t first, int64_t at, int64_t rows, dt_rows_state *states) {
    dt_results *results = w->results;
    for (w->done = 0; w->done < rows; w->done += w->rows) {
        w->lo = (at + w->done) % w->p->piece;
        w->rows = less(rows - w->done, w->p->piece - w->lo);
        predict_part(w, first + w->done, states);
        if (states) states++;
    }
    if (dt_compute_failed()) return dt_compute_failure();
    int64_t odd = find_odd(w, rows);
    if (odd >= 0) return fail_odd(w, first + odd);
    if (results->top)
        name_top(results, rows);
    else if (results->classes)
        name_classes(results, rows);
    if (results->places)
        for (int64_t i = 0; i < rows; i++)
            ((int64_t *)results->places->block)[i] = dt_source_place(w->source, NULL, first + i);
    if (!results->top) dt_outputs_finish(&results->outputs, w->p->kernels, (dt_real *)results->all[0].block, rows);
    for (int64_t i = 0; i < rows; i++) w->sum += part_of_digest(results, i, w->base + first + i);
    return dt_ok();
}

/* ---- all of them ---- */

/* Collective. A round: a batch of every rank that still has one. `status` is what went wrong on this rank before. */
static dt_status do_round(work *w, dt_sink *sink, int64_t round, dt_status *status) {
    const dt_predictor *p = w->p;
    const dt_ranks *ranks = p->ranks;
    int64_t window = round / w->mine, nth = round % w->mine;
    int64_t at = (nth * ranks->size + ranks->rank) * p->batch, first = window * w->across + at;
    int64_t rows = at < w->across ? less(p->batch, w->across - at) : 0;
    if (status->code == DT_OK && rows > 0)
        *status = predict_batch(w, first, at, rows, w->states ? w->states + nth * w->parts : NULL);
    memset(w->words, 0, (size_t)(LENGTHS + ranks->size) * sizeof *w->words);
    if (status->code == DT_OK) *status = dt_sink_prepare(sink, w->base + first, rows, &w->words[LENGTHS + ranks->rank]);
    w->words[FAILED] = status->code != DT_OK;
    w->words[STOPPED] = dt_stop_requested != 0;
    DT_TRY(dt_ranks_sum(ranks, w->words, (size_t)(LENGTHS + ranks->size)));
    if (w->words[FAILED] == 0 && w->words[STOPPED] == 0)
        *status = dt_sink_put(sink, w->base + first, rows, w->words + LENGTHS);
    return dt_ok();
}

/* Collective. The sum of all ranks' parts, modulo 2^64. */
static dt_status gather_digest(const dt_ranks *ranks, uint64_t *sum) {
    int64_t halves[] = {(int64_t)(*sum & 0xffffffffU), (int64_t)(*sum >> 32)};
    DT_TRY(dt_ranks_sum(ranks, halves, 2));
    *sum = (uint64_t)halves[0] + ((uint64_t)halves[1] << 32);
    return dt_ok();
}

static dt_status do_rounds(work *w, dt_sink *sink) {
    const dt_ranks *ranks = w->p->ranks;
    int64_t rounds = w->source->samples / w->across * w->mine;
    dt_status status = dt_ok();
    dt_headway headway;
    dt_headway_begin(&headway, "batches", rounds * ranks->size, "predicting %s", w->source->x_name);
    for (int64_t round = 0; round < rounds; round++) {
        DT_TRY(do_round(w, sink, round, &status));
        dt_headway_at(&headway, (round + 1) * ranks->size);
        if (w->words[FAILED] > 0 || w->words[STOPPED] > 0) break;
    }
    dt_headway_end(&headway);
    DT_TRY(dt_ranks_agree(ranks, status));
    if (w->words[STOPPED] == 0) return dt_ok();
    return dt_fail(DT_ERR_STOPPED, "stopped by a signal; nothing was written, and the same command starts again");
}

/* Collective. */
static dt_status predict_source(const dt_predictor *p, const dt_source *source, dt_results *results, dt_sink *sink,
                                dt_prediction *out) {
    work w;
    dt_status status = dt_ranks_agree(p->ranks, open_work(&w, p, source, results));
    w.base = out->samples;
    if (status.code == DT_OK) status = do_rounds(&w, sink);
    out->samples += source->samples;
    out->digest += w.sum;
    close_work(&w);
    return status;
}

static dt_status reserve(const dt_predictor *p, dt_results *results) {
    int64_t most = 0;
    for (int i = 0; i < p->source_count; i++) {
        int64_t rows = less(p->batch, across_of(&p->sources[i]));
        if (rows > most) most = rows;
    }
    return dt_results_reserve(results, most);
}

dt_status dt_predict(const dt_predictor *p, dt_results *results, dt_sink *sink, dt_prediction *out) {
    double began = dt_clock_now();
    *out = (dt_prediction){.samples = 0};
    dt_status status = dt_ranks_agree(p->ranks, reserve(p, results));
    for (int i = 0; i < p->source_count && status.code == DT_OK; i++)
        status = predict_source(p, &p->sources[i], results, sink, out);
    if (status.code == DT_OK) status = gather_digest(p->ranks, &out->digest);
    out->seconds = dt_clock_now() - began;
    out->digest = dt_prediction_digest(out->samples, out->digest);
    return status;
}
