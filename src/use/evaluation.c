/* Evaluation of a split. It is cut into pieces of a fixed size, dealt to the ranks in turn, and the results are
 * integers: the figures do not depend on the number of ranks. */
#include "evaluation.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/headway.h"
#include "base/memory.h"
#include "base/stop.h"
#include "batch.h"
#include "cause.h"
#include "computed.h"
#include "rows_state.h"

/* Samples that stand alone are streams of one. */
static int64_t streams_of(const dt_source *source) {
    return source->about.streams > 0 ? source->about.streams : source->samples;
}

/* Samples of streams come in the order of a stream, all streams of a batch in step; a rank that has some of the streams
 * has all of their samples. odd_from: where the first batch begins that has a sample whose loss is not finite; -1:
 * there is none. */
static void evaluate_stream(const dt_evaluator *e, dt_rows_state *rows_state, dt_batch *batch, int64_t *index,
                            int64_t at, int64_t rows, dt_tally *tally, int64_t *odd_from) {
    const dt_source *source = e->source;
    int64_t streams = streams_of(source);
    batch->first = (uint64_t)at;
    for (int64_t ahead = 0; ahead < source->samples; ahead += streams) {
        for (int64_t i = 0; i < rows; i++) index[i] = ahead + at + i;
        dt_source_fetch(source, e->kernels, e->scales, NULL, index, rows, batch);
        dt_pass pass = {.weights = e->weights, .weights16 = e->weights16};
        if (e->assessor) {
            pass.judged = dt_assessor_take;
            pass.judged_context = e->assessor;
        }
        dt_rows_state_pass(rows_state, &pass, batch->fresh);
        int64_t before = tally->not_finite;
        dt_model_evaluate(e->model, pass, batch, tally);
        if (tally->not_finite > before && (*odd_from < 0 || ahead + at < *odd_from)) *odd_from = ahead + at;
    }
}

/* What is wrong with the first sample of a batch that has one. */
static void name_cause(const dt_evaluator *e, dt_rows_state *rows_state, dt_batch *batch, int64_t from, dt_odd *odd) {
    int64_t left = e->source->samples - from, rows = left < e->rows_at_once ? left : e->rows_at_once;
    dt_suspect suspect = {.source = e->source, .model = e->model, .kernels = e->kernels, .batch = batch};
    for (int64_t row = from; row < from + rows; row++) {
        batch->first = (uint64_t)row;
        dt_source_fetch(e->source, e->kernels, e->scales, NULL, &row, 1, batch);
        dt_pass pass = {.weights = e->weights, .weights16 = e->weights16};
        dt_rows_state_pass(rows_state, &pass, true);
        suspect.place = dt_source_place(e->source, NULL, row);
        if (dt_find_cause(&suspect, &pass, odd->cause, sizeof odd->cause)) return;
    }
    snprintf(odd->cause, sizeof odd->cause, "the first is in samples %lld to %lld, where no value before it overflows",
             (long long)from, (long long)(from + rows - 1));
}

/* Collective. The rank whose `from` is the first of all, which some rank has. */
static dt_status find_first(const dt_ranks *ranks, int64_t from, int *first) {
    int64_t *all = dt_alloc((size_t)ranks->size, sizeof *all);
    DT_TRY(dt_ranks_agree(ranks, all ? dt_ok() : dt_fail_memory("the ranks' batches", (size_t)ranks->size * 8)));
    all[ranks->rank] = from + 1; /* 0: this rank has none */
    dt_status status = dt_ranks_sum(ranks, all, (size_t)ranks->size);
    *first = -1;
    for (int i = 0; i < ranks->size; i++)
        if (all[i] > 0 && (*first < 0 || all[i] < all[*first])) *first = i;
    dt_free(all);
    return status;
}

/* Collective. odd->cause of the rank whose batch is the first of all becomes everybody's. */
static dt_status share_cause(const dt_evaluator *e, dt_rows_state *rows_state, dt_batch *batch, int64_t from,
                             dt_odd *odd) {
    int first;
    DT_TRY(find_first(e->ranks, from, &first));
    if (e->ranks->rank == first) name_cause(e, rows_state, batch, from, odd);
    return dt_ranks_broadcast(e->ranks, odd->cause, sizeof odd->cause, first);
}

dt_status dt_evaluate_split(const dt_evaluator *e, dt_tally *tally, dt_odd *odd) {
    dt_batch batch;
    int64_t *index, odd_from = -1;
    dt_rows_state rows_state = {{NULL, NULL}};
    dt_status status = dt_batch_create(&batch, &index, e->source, e->rows_at_once);
    if (status.code == DT_OK && e->source->about.streams > 0)
        status = dt_rows_state_create(&rows_state, e->model, e->rows_at_once);
    status = dt_ranks_agree(e->ranks, status);
    memset(tally, 0, sizeof *tally);
    int64_t streams = streams_of(e->source);
    int64_t stride = e->rows_at_once * e->ranks->size;
    dt_headway headway;
    dt_headway_begin(&headway, e->source->about.streams > 0 ? "streams" : "samples", streams, "evaluating %s",
                     e->source->x_name);
    for (int64_t at = e->rows_at_once * e->ranks->rank; status.code == DT_OK && at < streams; at += stride) {
        int64_t rows = streams - at < e->rows_at_once ? streams - at : e->rows_at_once;
        assert(index);
        evaluate_stream(e, &rows_state, &batch, index, at, rows, tally, &odd_from);
        dt_headway_at(&headway, at + rows);
        if (dt_compute_failed() || dt_stop_requested) break;
    }
    dt_headway_end(&headway);
    if (status.code == DT_OK) status = dt_computed_everywhere(e->ranks);
    if (status.code == DT_OK) status = dt_ranks_agree(e->ranks, dt_stop_status());
    if (status.code == DT_OK) status = dt_tally_gather(e->ranks, tally);
    if (status.code == DT_OK && tally->not_finite > 0) status = share_cause(e, &rows_state, &batch, odd_from, odd);
    dt_batch_destroy(&batch, index);
    dt_rows_state_finish(&rows_state);
    return status;
}
