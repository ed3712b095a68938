/* A checkpoint at work on many ranks (at_work.c). */
#ifndef DTRAIN_AT_WORK_H
#define DTRAIN_AT_WORK_H

#include "comm/comm.h"
#include "comm/comm_ranks.h"
#include "comm/node.h"
#include "data/source.h"
#include "data/tokenizer.h"
#include "named.h"
#include "use/extras.h"
#include "use/trained.h"

/* Its model, which every rank plans, and its weights, which the ranks of a machine share. */
typedef struct dt_at_work {
    dt_comm *comm;
    dt_ranks ranks; /* the same */
    char path[4096];
    dt_checkpoint_head head;
    dt_recipe recipe;
    bool all;                 /* of the training datasets is the source's */
    dt_vocabulary vocabulary; /* the checkpoint's */
    dt_classes classes;       /* likewise */
    dt_source *sources;       /* [source_count], one after the other */
    int source_count;
    dt_scales scales;
    dt_extra extras[DT_SCALES_EXTRAS]; /* theirs, in the checkpoint */
    int extra_count;
    const dt_kernels *kernels;
    dt_model *model;
    dt_node *node;
    dt_real *weights;
    dt_bf16 *weights16; /* for bf16 */
} dt_at_work;

/* What it works on. */
typedef struct dt_at_work_data {
    const dt_data_named *named; /* [count] */
    int count;                  /* 0: the recipe's file */
    dt_split split;             /* which of the recipe's data */
    bool all;                   /* rather all of the training datasets, whatever the recipe cuts from them */
    bool unsaid;     /* nobody said which: of another file it is all, where the recipe cuts test data from it */
    bool unlabelled; /* no targets are looked for */
} dt_at_work_data;

/* Collective. The checkpoint that `target` means, and its samples: those of each data set as if it were there alone. To
 * be closed, also after a failure. */
dt_status dt_at_work_open(dt_at_work *work, dt_comm *comm, const char *target, const dt_at_work_data *data);
void dt_at_work_close(dt_at_work *work);
/* Collective. The arithmetic, as the checkpoint's recipe wants it. */
dt_status dt_at_work_compute(dt_at_work *work);
/* A model for `rows` samples at once. With `whole` the outputs of all positions are there at once (dt_model_forward).
 * `memory`: bytes it may take; 0: any. */
dt_status dt_at_work_plan(dt_at_work *work, int64_t rows, bool whole, size_t memory);
/* Collective. Weights and scales, by the model planned last. Rank 0 reads, for all. */
dt_status dt_at_work_load(dt_at_work *work);
/* Samples of all sources, and of the largest. */
int64_t dt_at_work_samples(const dt_at_work *work);
int64_t dt_at_work_most(const dt_at_work *work);
/* What a file of results says of where the samples are: the files, or their datasets, with commas between. */
void dt_at_work_names(const dt_at_work *work, bool datasets, char *out, size_t size);

#endif
