/* Streams of a text: it is cut into equal parts, and sample w*streams + s is window w of part s, so that what a model
 * carries from batch to batch goes on where it was. What is left behind the last whole window of each is not used for
 * training. In an evaluation the parts' lengths differ by at most one token, and the last windows are filled up with id
 * 0, which does not count. */
#include "source_tokens.h"

static bool serves(const dt_recipe_data *data) {
    return data->context > 0 && data->windows == DT_WINDOWS_STREAM;
}

/* Predictable tokens of the longest stream. */
static int64_t length_of(const dt_tokens *own) {
    int64_t span = dt_tokens_predictable(own);
    return own->in_order ? (span + own->streams - 1) / own->streams : span / own->streams;
}

static int64_t windows_of(const dt_tokens *own) {
    int64_t length = length_of(own);
    return own->in_order ? (length + own->context - 1) / own->context : length / own->context;
}

static dt_status open_streams(dt_source *source, const dt_ranks *ranks, const dt_source_request *request) {
    DT_TRY(dt_tokens_open_text(source, ranks, request));
    dt_tokens *own = source->own;
    int64_t span = dt_tokens_predictable(own);
    own->streams = own->in_order && request->streams > span ? span : request->streams;
    if (windows_of(own) > 0) return dt_ok();
    return dt_fail(
        DT_ERR_INPUT,
        "%s: %s has %lld tokens, %lld for each of %lld streams (train.batch), but data.context is %lld; make "
        "one of them smaller",
        source->file, source->x_name, (long long)own->count, (long long)length_of(own), (long long)request->streams,
        (long long)own->context);
}

static dt_status recall(dt_source *source, const dt_source_request *request) {
    DT_TRY(dt_tokens_recall_text(source, request));
    dt_tokens *own = source->own;
    own->streams = request->streams;
    return dt_ok();
}

static int64_t count(const dt_source *source) {
    const dt_tokens *own = source->own;
    return windows_of(own) * own->streams;
}

static dt_text_window window_of(const dt_tokens *own, int64_t index) {
    int64_t stream = index % own->streams, offset = index / own->streams * own->context;
    int64_t first, length;
    if (own->in_order) {
        dt_shard_range(dt_tokens_predictable(own), own->streams, stream, &first, &length);
    } else {
        length = length_of(own);
        first = stream * length;
    }
    int64_t left = length - offset;
    if (left < 0) left = 0;
    return (dt_text_window){first + (left > 0 ? offset : 0), 0, left < own->context ? left : own->context};
}

static dt_status fetch(const dt_source *source, const dt_fetch *wanted, dt_batch *batch) {
    const dt_tokens *own = source->own;
    const int64_t *index = wanted->index;
    for (int64_t i = 0; i < wanted->rows; i++)
        dt_tokens_fetch(source, wanted->augment, index[i], window_of(own, index[i]), batch->x + i * own->context,
                        dt_tokens_labels(batch, i * own->context));
    return dt_ok();
}

static int64_t place(const dt_source *source, const dt_augment *augment, int64_t index) {
    (void)augment;
    return window_of(source->own, index).start;
}

const dt_source_kind dt_source_streams = {.name = "streams",
                                          .serves = serves,
                                          .field = "tokens",
                                          .at = {offsetof(dt_recipe_data, train_tokens),
                                                 offsetof(dt_recipe_data, validation_tokens),
                                                 offsetof(dt_recipe_data, test_tokens)},
                                          .of_tokens = true,
                                          .open = open_streams,
                                          .recall = recall,
                                          .describe = dt_tokens_describe_text,
                                          .count = count,
                                          .fetch = fetch,
                                          .place = place,
                                          .close = dt_tokens_close};
