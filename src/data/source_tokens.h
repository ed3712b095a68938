/* What sources of tokens share (source_tokens.c). */
#ifndef DTRAIN_SOURCE_TOKENS_H
#define DTRAIN_SOURCE_TOKENS_H

#include "source_kind.h"

/* source->own of such a source. */
typedef struct dt_tokens {
    int64_t context;    /* tokens of a sample */
    int64_t count;      /* of the dataset */
    int64_t vocabulary; /* ids are below this; the id of a masked token is this */
    int64_t masked;     /* tokens masked in a window; 0: none */
    int64_t pad;        /* rows may be short: this, or -1, is the id of no token */
    bool short_rows;
    bool in_order;
    double chars;    /* characters of a token, on the average; 0: not known */
    int64_t streams; /* 0: none */
} dt_tokens;

/* On every rank the same. The vocabulary a recipe and a file agree on. */
dt_status dt_tokens_create(dt_source *source, const dt_source_request *request);
void dt_tokens_close(dt_source *source);
/* Collective. That the `count` tokens of source->x are of the vocabulary; the first that is not is named. */
dt_status dt_tokens_check(const dt_source *source, const dt_ranks *ranks);

/* Collective. A text: source->x as one long row of tokens, which are targets too; checked but for its length. */
dt_status dt_tokens_open_text(dt_source *source, const dt_ranks *ranks, const dt_source_request *request);
dt_status dt_tokens_recall_text(dt_source *source, const dt_source_request *request);
void dt_tokens_describe_text(const dt_source *source, dt_source_about *about);
/* Tokens of a text that can be predicted: the first has none before it, but a masked one may be anywhere. */
int64_t dt_tokens_predictable(const dt_tokens *tokens);

/* The window of a sample: where it begins in the text, and which of its predictions count. */
typedef struct dt_text_window {
    int64_t start, from, to;
} dt_text_window;
/* The sample `index` with this window: x[context], labels[context]; without labels (NULL) nothing is masked. */
void dt_tokens_fetch(const dt_source *source, const dt_augment *augment, int64_t index, dt_text_window window,
                     dt_real *x, int32_t *labels);
/* The labels of a batch from one on; NULL where it has none. */
static inline int32_t *dt_tokens_labels(const dt_batch *batch, int64_t from) {
    return batch->labels ? batch->labels + from : NULL;
}

#endif
