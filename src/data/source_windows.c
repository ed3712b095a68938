/* Windows of a text. In training a window is anywhere: where sample i is follows from (seed, epoch, i), and an epoch
 * has as many samples as windows fit beside each other. In an evaluation windows follow each other, so that every token
 * is predicted once; the last begins earlier, for it to be whole, and what it predicts again does not count. */
#include "source_tokens.h"

static bool serves(const dt_recipe_data *data) {
    return data->context > 0;
}

static int64_t count(const dt_source *source) {
    const dt_tokens *own = source->own;
    int64_t context = own->context, span = dt_tokens_predictable(own);
    int64_t samples = own->in_order ? (span + context - 1) / context : (own->count - 1) / context;
    return samples > 0 ? samples : 1;
}

static dt_text_window random_window(const dt_tokens *own, const dt_augment *augment, int64_t index) {
    uint32_t words[4];
    dt_stream_block(words, augment->window, (uint64_t)index, 0);
    uint64_t positions = (uint64_t)(dt_tokens_predictable(own) - own->context + 1);
    return (dt_text_window){(int64_t)(((uint64_t)words[1] << 32 | words[0]) % positions), 0, own->context};
}

static dt_text_window window_of(const dt_tokens *own, const dt_augment *augment, int64_t index) {
    if (!own->in_order) return random_window(own, augment, index);
    int64_t begin = index * own->context, last = dt_tokens_predictable(own) - own->context;
    int64_t start = begin < last ? begin : last;
    return (dt_text_window){start, begin - start, own->context};
}

static dt_status fetch(const dt_source *source, const dt_fetch *wanted, dt_batch *batch) {
    const dt_tokens *own = source->own;
    const int64_t *index = wanted->index;
    for (int64_t i = 0; i < wanted->rows; i++)
        dt_tokens_fetch(source, wanted->augment, index[i], window_of(own, wanted->augment, index[i]),
                        batch->x + i * own->context, dt_tokens_labels(batch, i * own->context));
    return dt_ok();
}

static int64_t place(const dt_source *source, const dt_augment *augment, int64_t index) {
    return window_of(source->own, augment, index).start;
}

const dt_source_kind dt_source_windows = {.name = "windows",
                                          .serves = serves,
                                          .field = "tokens",
                                          .at = {offsetof(dt_recipe_data, train_tokens),
                                                 offsetof(dt_recipe_data, validation_tokens),
                                                 offsetof(dt_recipe_data, test_tokens)},
                                          .of_tokens = true,
                                          .open = dt_tokens_open_text,
                                          .recall = dt_tokens_recall_text,
                                          .describe = dt_tokens_describe_text,
                                          .count = count,
                                          .fetch = fetch,
                                          .place = place,
                                          .close = dt_tokens_close};
