/* A kind of source: a file that fills in this table, and a row in source.c. */
#ifndef DTRAIN_SOURCE_KIND_H
#define DTRAIN_SOURCE_KIND_H

#include "data/source.h"

/* Samples that are asked for, and what is done to them. */
typedef struct dt_fetch {
    const dt_kernels *kernels;
    const dt_scales *scales;
    const dt_augment *augment; /* NULL: nothing is drawn by chance */
    const int64_t *index;      /* [rows] */
    int64_t rows;
} dt_fetch;

struct dt_source_kind {
    const char *name;
    /* Whether a recipe asks for this kind. Of the table's rows the first that says so serves. */
    bool (*serves)(const dt_recipe_data *data);
    const char *field;         /* the recipe's data.train_… to data.test_… for where samples are: "x" */
    size_t at[DT_SPLIT_COUNT]; /* of these in dt_recipe_data */
    bool of_tokens;            /* samples are made of tokens, whose vocabulary may be beside them */
    /* Collective. Fills in source->x and source->targets, whose names are there, and checks them. What it has opened
     * when it fails is left to `close`. */
    dt_status (*open)(dt_source *source, const dt_ranks *ranks, const dt_source_request *request);
    /* The same from source->x and targets.y of which type and shape are known, and nothing else (dt_source_recall). */
    dt_status (*recall)(dt_source *source, const dt_source_request *request);
    void (*describe)(const dt_source *source, dt_source_about *about);
    int64_t (*count)(const dt_source *source); /* samples of a pass, at least 1 */
    /* batch->rows, targets and streams are set. Called once a batch, so what it does for each sample is called
     * directly. What reads files only here may fail here; what has its samples in memory does not. May use dt_parallel.
     */
    dt_status (*fetch)(const dt_source *source, const dt_fetch *wanted, dt_batch *batch);
    /* See dt_source_ahead; NULL where there is nothing to do. */
    void (*ahead)(const dt_source *source, const dt_sampler *order, int64_t position);
    const void *(*row)(const dt_source *source, int64_t place); /* see dt_source_row; NULL where that is NULL */
    /* Where a sample is in its dataset: see dt_source_place. */
    int64_t (*place)(const dt_source *source, const dt_augment *augment, int64_t index);
    void (*close)(dt_source *source); /* also of what was opened in part */
};

extern const dt_source_kind dt_source_arrays, dt_source_rows, dt_source_streams, dt_source_windows;

/* order.c. The order of so many samples of so many bytes each. */
dt_sampler dt_order_of(const dt_recipe_data *data, int64_t samples, int64_t sample_bytes, int64_t seed, int64_t epoch);

/* source_arrays.c. Collective. Samples and targets that fit each other, a row of each; what a kind makes of the rows is
 * its own. `order`: of the dimensions of both; NULL: samples are rows of the first. */
dt_status dt_source_open_pair(dt_source *source, const dt_ranks *ranks, const dt_source_request *request,
                              const dt_h5_order *order);
/* select.c. Collective. Fills in source->selection: the rows of source->x that are samples of its split. */
dt_status dt_source_select(dt_source *source, const dt_ranks *ranks, const dt_source_request *request,
                           const dt_h5_order *order);
void dt_source_close_pair(dt_source *source);
/* What targets are that are rows of a dataset. */
dt_status dt_source_recall_pair(dt_source *source, const dt_source_request *request);
/* The row that a sample is. */
int64_t dt_source_row_place(const dt_source *source, const dt_augment *augment, int64_t index);

#endif
