/* The predict command's work: a checkpoint, samples, and a file of what the one says of the others. */
#include "run/predict.h"

#include <stdio.h>
#include <string.h>

#include "at_work.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "comm/watchdog.h"
#include "trainee.h"
#include "use/pieces.h"
#include "use/prediction.h"

#define PIECE_ROWS 128                  /* a product of so many rows is worth its weights */
#define PIECE_BYTES ((size_t)256 << 20) /* of activations, that fewer rows are taken for */
#define NAMES_BYTES 8192                /* of all data sets, in a file that is about them */
#define BLOCK_BYTES ((int64_t)4 << 20)  /* of results, that a round is worth its meeting for */

typedef struct predict_work {
    dt_at_work at_work;
    dt_results results;
    dt_sink *sink;
    int64_t piece, batch;
    double began;
} predict_work;

/* ---- how many rows ---- */

/* Collective. Rows of a piece follow from the model, and for streams from how training cut them: not from the number of
 * ranks. */
static dt_status choose_piece(predict_work *p, bool whole) {
    dt_at_work *w = &p->at_work;
    DT_TRY(dt_comm_agree(w->comm, dt_at_work_plan(w, 1, whole, 0)));
    int64_t rows = PIECE_ROWS;
    while (rows > 1 && (size_t)rows * dt_model_memory(w->model) > PIECE_BYTES) rows /= 2;
    for (int i = 0; i < w->source_count && w->sources[i].about.streams > 0; i++) {
        int64_t part = dt_rows_at_once(&w->recipe, w->head.shards, w->sources[i].samples);
        if (part < rows) rows = part;
    }
    DT_TRY(dt_comm_least_i64(w->comm, &rows, 1));
    p->piece = rows;
    return dt_ok();
}

static int64_t default_batch(const predict_work *p) {
    int64_t bytes = 0;
    for (int i = 0; i < p->results.count; i++) bytes += (int64_t)dt_result_bytes(&p->results.all[i]);
    int64_t rows = p->piece * (1 + BLOCK_BYTES / (bytes * p->piece + 1));
    if (p->at_work.sources[0].about.streams > 0) return p->piece;
    /* every rank has a part of what is there */
    int64_t share = (dt_at_work_most(&p->at_work) + p->at_work.ranks.size - 1) / p->at_work.ranks.size;
    int64_t pieces = (share + p->piece - 1) / p->piece;
    return rows < pieces * p->piece ? rows : pieces * p->piece;
}

/* Whose samples tell where they are, if any does. */
static const dt_source *placed_source(const dt_at_work *w) {
    for (int i = 0; i < w->source_count; i++)
        if (w->sources[i].selection.rows) return &w->sources[i];
    return &w->sources[0];
}

/* Collective. The model, the arrays it makes, and how they are cut. */
static dt_status plan(predict_work *p, const dt_predict_options *options) {
    dt_at_work *w = &p->at_work;
    size_t memory;
    const dt_results_wanted wanted = {options->layers, options->layer_count, options->top,
                                      w->sources[0].about.predicts_tokens &&
                                          w->recipe.data.objective == DT_OBJECTIVE_NEXT};
    DT_TRY(dt_memory_of_rank(w->comm, &memory));
    DT_TRY(dt_at_work_compute(w));
    DT_TRY(choose_piece(p, options->top == 0));
    DT_TRY(dt_comm_agree(w->comm, dt_at_work_plan(w, p->piece, options->top == 0, memory)));
    DT_TRY(dt_results_plan(&p->results, w->model, placed_source(w), &w->scales, (dt_loss)w->recipe.loss.kind,
                           &w->classes, &wanted));
    p->batch = options->batch > 0 ? options->batch : default_batch(p);
    return dt_ok();
}

/* ---- the file ---- */

static const char *function_of(int loss) {
    return loss == DT_LOSS_SOFTMAX_CROSS_ENTROPY  ? "softmax"
           : loss == DT_LOSS_BINARY_CROSS_ENTROPY ? "logistic"
                                                  : "none";
}

static dt_status close_sink(predict_work *p, dt_status status, const dt_prediction *made) {
    const dt_at_work *w = &p->at_work;
    char digest[17], trained[17], created[32];
    dt_digest_text(made->digest, digest);
    dt_digest_text(w->head.digest, trained);
    dt_clock_utc(created);
    char files[NAMES_BYTES], datasets[NAMES_BYTES];
    dt_at_work_names(w, false, files, sizeof files);
    dt_at_work_names(w, true, datasets, sizeof datasets);
    const dt_sink_note notes[] = {{"format", "dtrain predictions", 0},
                                  {"version", NULL, 1},
                                  {"program", "dtrain " DT_VERSION, 0},
                                  {"created", created, 0},
                                  {"checkpoint", w->path, 0},
                                  {"checkpoint_digest", trained, 0},
                                  {"step", NULL, w->head.position.step},
                                  {"recipe", w->recipe.name, 0},
                                  {"data", files, 0},
                                  {"dataset", datasets, 0},
                                  {"function", function_of(w->recipe.loss.kind), 0},
                                  {"samples", NULL, made->samples},
                                  {"digest", digest, 0}};
    return dt_sink_close(p->sink, status, notes, (int)(sizeof notes / sizeof *notes));
}

/* Collective. */
static dt_status predict_into(predict_work *p, const dt_sink_kind *kind, const char *path, dt_prediction *made) {
    dt_at_work *w = &p->at_work;
    dt_predictor predictor = {&w->ranks,    w->model,   w->kernels,      &w->scales, w->weights,
                              w->weights16, w->sources, w->source_count, p->piece,   p->batch};
    p->sink->names = p->at_work.classes.names;
    p->sink->names_bytes = p->at_work.classes.names_bytes;
    dt_status status = dt_sink_open(p->sink, kind, &w->ranks, path, &p->results, dt_at_work_samples(w));
    if (status.code == DT_OK) status = dt_predict(&predictor, &p->results, p->sink, made);
    return close_sink(p, status, made);
}

static void tell(const predict_work *p, const dt_prediction *made) {
    char digest[17];
    double seconds = dt_clock_now() - p->began;
    dt_digest_text(made->digest, digest);
    for (int i = 0; i < p->at_work.source_count; i++) {
        const dt_source *source = &p->at_work.sources[i];
        if (source->dropped > 0)
            dt_log_info("%lld rows of %s lack a value and are left out (data.missing: drop); /row has the others",
                        (long long)source->dropped, source->x_name);
    }
    dt_log_info("predict samples=%lld outputs=%lld seconds=%.1f samples_per_s=%.1f digest=%s", (long long)made->samples,
                (long long)p->results.all[0].width, seconds,
                made->seconds > 0 ? (double)made->samples / made->seconds : 0, digest);
}

static dt_status predict(predict_work *p, dt_comm *comm, const dt_predict_options *options) {
    dt_at_work *w = &p->at_work;
    const dt_sink_kind *kind;
    dt_prediction made = {0};
    DT_TRY(dt_sink_choose(&kind, options->format, options->out));
    dt_at_work_data data = {.named = options->data,
                            .count = options->data_count,
                            .split = options->split,
                            .all = options->all,
                            .unsaid = options->unsaid,
                            .unlabelled = true};
    DT_TRY(dt_at_work_open(w, comm, options->target, &data));
    DT_TRY(plan(p, options));
    DT_TRY(dt_at_work_load(w));
    p->sink = dt_alloc(1, sizeof *p->sink);
    DT_TRY(dt_comm_agree(comm, p->sink ? dt_ok() : dt_fail_memory("a file", sizeof *p->sink)));
    dt_watchdog_note(dt_comm_watchdog(comm), DT_ACTIVITY_EVALUATE, w->head.position.step);
    DT_TRY(predict_into(p, kind, options->out, &made));
    tell(p, &made);
    return dt_ok();
}

dt_status dt_predict_run(dt_comm *comm, const dt_predict_options *options) {
    predict_work p;
    memset(&p, 0, sizeof p);
    p.began = dt_clock_now();
    dt_status status = predict(&p, comm, options);
    dt_results_finish(&p.results);
    dt_free(p.sink);
    dt_at_work_close(&p.at_work);
    return status;
}
