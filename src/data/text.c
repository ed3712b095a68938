/* Texts as samples. A text is a long row of token ids; a sample is a window of it, found by arithmetic from its number
 * and the epoch, so nothing of the order or the masks is stored. All tokens are looked at when a text is opened: an id
 * that the model has no row for would be read from somewhere else in memory. */
#include "base/guard.h"
#include "data_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alive.h"
#include "store/h5.h"

/* ---- opening ---- */

static bool holds_integers(const dt_array *array) {
    dt_dtype dtype = dt_array_dtype(array);
    return dtype != DT_F32 && dtype != DT_F64;
}

/* The first of tokens[first … end) that is no id below `limit`, nor `pad` or -1 where rows may be short; or end. */
#define SCAN(type)                                                                                                     \
    do {                                                                                                               \
        const type *id = tokens;                                                                                       \
        for (; first < end; first++)                                                                                   \
            if ((uint64_t)id[first] >= limit &&                                                                        \
                !(text->rows && ((int64_t)id[first] == text->pad || (int64_t)id[first] == -1)))                        \
                return first;                                                                                          \
    } while (0)

static int64_t scan_tokens(const dt_text *text, const void *tokens, dt_dtype dtype, int64_t first, int64_t end) {
    uint64_t limit = (uint64_t)text->vocabulary;
    switch (dtype) {
    case DT_U8: SCAN(uint8_t); break;
    case DT_I8: SCAN(int8_t); break;
    case DT_U16: SCAN(uint16_t); break;
    case DT_I16: SCAN(int16_t); break;
    case DT_U32: SCAN(uint32_t); break;
    case DT_I32: SCAN(int32_t); break;
    case DT_U64: SCAN(uint64_t); break;
    default: SCAN(int64_t); break;
    }
    return end;
}
#undef SCAN

#define LOOKED_AT ((int64_t)1 << 22) /* tokens, between signs of life */

/* Collective. Every rank looks at its part; all name the first bad token alike. */
static dt_status check_tokens(const dt_split *split, dt_comm *comm, const char *file, const char *dataset) {
    const dt_text *text = &split->text;
    const void *tokens = dt_array_row(split->x, 0);
    dt_dtype dtype = dt_array_dtype(split->x);
    int64_t first, count;
    dt_shard_range(text->tokens, dt_comm_size(comm), dt_comm_rank(comm), &first, &count);
    int64_t bad = first, end = first + count;
    for (int64_t to = first; bad == to && to < end; dt_alive()) {
        to = end - to < LOOKED_AT ? end : to + LOOKED_AT;
        bad = scan_tokens(text, tokens, dtype, bad, to);
    }
    double found = (double)(bad < first + count ? bad : text->tokens), least;
    DT_TRY(dt_comm_spread(comm, &found, 1, &least, NULL, NULL));
    bad = (int64_t)least;
    if (bad == text->tokens) return dt_ok();
    char position[64];
    if (text->rows)
        snprintf(position, sizeof position, "row %lld, position %lld", (long long)(bad / text->context),
                 (long long)(bad % text->context));
    else
        snprintf(position, sizeof position, "token %lld", (long long)bad);
    return dt_fail(DT_ERR_INPUT, "%s: %s: %s is %lld, but the vocabulary has %lld tokens, 0 to %lld", file, dataset,
                   position, (long long)dt_integer_at(tokens, dtype, bad), (long long)text->vocabulary,
                   (long long)text->vocabulary - 1);
}

static dt_status check_vocabulary(dt_text *text, const char *file, const dt_recipe_data *data, int64_t vocabulary) {
    text->vocabulary = data->vocabulary > 0 ? data->vocabulary : vocabulary;
    if (text->vocabulary == 0)
        return dt_fail(DT_ERR_INPUT,
                       "%s: there is no /vocab, as dtrain import text makes it; give the number of token ids as "
                       "data.vocabulary",
                       file);
    if (text->vocabulary >= vocabulary) return dt_ok();
    return dt_fail(DT_ERR_INPUT,
                   "data.vocabulary is %lld but the vocabulary of %s has %lld tokens; give at least as many",
                   (long long)data->vocabulary, file, (long long)vocabulary);
}

/* Tokens that can be predicted: the first has none before it, but a masked one may be anywhere. */
static int64_t predictable(const dt_text *text) {
    return text->masked ? text->tokens : text->tokens - 1;
}

static dt_status lay_out(dt_split *split, const char *file, const char *dataset, const dt_recipe_data *data,
                         int64_t streams) {
    dt_text *text = &split->text;
    dt_shape shape = dt_array_row_shape(split->x);
    if (shape.rank != 0)
        return dt_fail(DT_ERR_INPUT,
                       "%s: %s has rows; a text is one row of token ids, [N] (rows are for data.objective "
                       "class)",
                       file, dataset);
    text->tokens = dt_array_rows(split->x);
    int64_t context = text->context, least = context + !text->masked;
    if (text->tokens < least)
        return dt_fail(DT_ERR_INPUT, "%s: %s has %lld tokens; with data.context %lld it needs at least %lld", file,
                       dataset, (long long)text->tokens, (long long)context, (long long)least);
    int64_t span = predictable(text);
    split->samples = text->in_order ? (span + context - 1) / context : (text->tokens - 1) / context;
    if (split->samples == 0) split->samples = 1;
    if (data->windows != DT_WINDOWS_STREAM) return dt_ok();
    text->streams = text->in_order && streams > span ? span : streams;
    int64_t length = text->in_order ? (span + text->streams - 1) / text->streams : span / text->streams;
    int64_t windows = text->in_order ? (length + context - 1) / context : length / context;
    split->samples = windows * text->streams;
    if (windows > 0) return dt_ok();
    return dt_fail(
        DT_ERR_INPUT,
        "%s: %s has %lld tokens, %lld for each of %lld streams (train.batch), but data.context is %lld; make "
        "one of them smaller",
        file, dataset, (long long)text->tokens, (long long)length, (long long)streams, (long long)context);
}

static int64_t masked_of(const dt_recipe_data *data) {
    if (data->objective != DT_OBJECTIVE_MASKED) return 0;
    int64_t count = llround(data->mask_rate * (double)data->context);
    return count < 1 ? 1 : count > data->context ? data->context : count;
}

typedef struct chars_job {
    const char *file, *dataset;
    int64_t chars;
} chars_job;

/* In a child. */
static dt_status send_chars(void *context, dt_guard *to) {
    chars_job *job = context;
    dt_h5 *h5;
    DT_TRY(dt_h5_open(&h5, job->file));
    dt_status status = dt_ok();
    if (dt_h5_has_attribute(h5, job->dataset, "chars")) status = dt_h5_get_int(h5, job->dataset, "chars", &job->chars);
    dt_h5_close(&h5);
    return status.code == DT_OK ? dt_guard_send(to, &job->chars, sizeof job->chars) : status;
}

static dt_status take_chars(void *context, dt_guard *from) {
    return dt_guard_take(from, &((chars_job *)context)->chars, sizeof(int64_t));
}

/* Collective. The characters the importer counted. */
static dt_status read_chars(dt_text *text, dt_comm *comm, const char *file, const char *dataset) {
    chars_job job = {file, dataset, 0};
    dt_status status = dt_ok();
    if (dt_comm_rank(comm) == 0)
        status = dt_guard_run(&(dt_guard_job){.path = file, .work = send_chars, .take = take_chars, .context = &job});
    DT_TRY(dt_comm_agree(comm, status));
    DT_TRY(dt_comm_broadcast(comm, &job.chars, sizeof job.chars, 0));
    text->chars = job.chars > 0 ? (double)job.chars / (double)text->tokens : 0;
    return dt_ok();
}

/* Collective. */
static dt_status open_text(dt_split *split, dt_comm *comm, const char *file, const char *dataset,
                           const dt_recipe_data *data, int64_t streams) {
    DT_TRY(dt_array_open(&split->x, comm, file, dataset, data->spool));
    if (!holds_integers(split->x))
        return dt_fail(DT_ERR_INPUT, "%s: %s is %s; token ids are integers", file, dataset,
                       dt_dtype_name(dt_array_dtype(split->x)));
    DT_TRY(lay_out(split, file, dataset, data, streams));
    split->file = file;
    split->x_name = dataset;
    split->loss = DT_LOSS_SOFTMAX_CROSS_ENTROPY;
    split->labels = true;
    split->width = 1;
    split->classes = split->text.vocabulary;
    split->targets = split->text.context;
    split->counted = split->text.masked ? split->text.masked : split->text.context;
    DT_TRY(read_chars(&split->text, comm, file, dataset));
    return check_tokens(split, comm, file, dataset);
}

/* Collective. Rows of tokens with a class each. */
static dt_status open_rows(dt_split *split, dt_comm *comm, const dt_split_source *source) {
    const char *file = source->file, *x = source->x, *y = source->y;
    dt_text text = split->text;
    DT_TRY(dt_split_open(split, comm, source));
    split->text = text;
    dt_shape shape = dt_array_row_shape(split->x);
    char said[96];
    dt_shape_text(&shape, said);
    if (shape.rank != 1 || shape.dim[0] != text.context || !holds_integers(split->x))
        return dt_fail(DT_ERR_INPUT, "%s: a row of %s is %s %s; with data.context %lld it must be as many integers",
                       file, x, dt_dtype_name(dt_array_dtype(split->x)), said, (long long)text.context);
    split->either = false; /* the class of a row is what is predicted */
    if (!split->labels)
        return dt_fail(DT_ERR_INPUT, "%s: %s is not one integer for each row; data.objective class needs class numbers",
                       file, y);
    split->text.tokens = split->samples * text.context;
    return check_tokens(split, comm, file, x);
}

static dt_status open_data(dt_split *out, dt_comm *comm, const char *file, const dt_recipe_data *data, dt_loss loss,
                           int64_t vocabulary, int64_t streams, bool test, bool in_order) {
    const char *tokens = test ? data->test_tokens : data->train_tokens, *y = test ? data->test_y : data->train_y;
    out->text = (dt_text){.context = data->context,
                          .masked = masked_of(data),
                          .pad = data->pad,
                          .in_order = in_order,
                          .rows = data->objective == DT_OBJECTIVE_CLASS};
    DT_TRY(check_vocabulary(&out->text, file, data, vocabulary));
    if (out->text.rows)
        DT_TRY(open_rows(out, comm, &(dt_split_source){file, tokens, y, data->spool, (int)loss, false}));
    else
        DT_TRY(open_text(out, comm, file, tokens, data, streams));
    out->input = (dt_shape){1, {data->context}};
    out->ids = out->text.vocabulary + (out->text.masked > 0);
    return dt_ok();
}

dt_status dt_data_open(dt_split *out, dt_comm *comm, const char *file, const dt_recipe_data *data, dt_loss loss,
                       int64_t vocabulary, int64_t streams, bool test, bool in_order) {
    if (data->context == 0)
        return dt_split_open(out, comm,
                             &(dt_split_source){.file = file,
                                                .x = test ? data->test_x : data->train_x,
                                                .y = test ? data->test_y : data->train_y,
                                                .spool = data->spool,
                                                .loss = (int)loss,
                                                .samples_last = data->samples == DT_SAMPLES_LAST});
    memset(out, 0, sizeof *out);
    dt_status status = open_data(out, comm, file, data, loss, vocabulary, streams, test, in_order);
    if (status.code != DT_OK) dt_split_close(out);
    return status;
}

/* ---- windows ---- */

/* The window of a sample: where it begins, and which of its predictions count. */
typedef struct window {
    int64_t start, from, to;
} window;

static window stream_window(const dt_text *text, int64_t index) {
    int64_t stream = index % text->streams, offset = index / text->streams * text->context;
    int64_t first, length;
    if (text->in_order) {
        dt_shard_range(predictable(text), text->streams, stream, &first, &length);
    } else {
        length = predictable(text) / text->streams;
        first = stream * length;
    }
    int64_t left = length - offset;
    if (left < 0) left = 0;
    return (window){first + (left > 0 ? offset : 0), 0, left < text->context ? left : text->context};
}

static window random_window(const dt_text *text, const dt_augment *augment, int64_t index) {
    uint32_t words[4];
    dt_stream_block(words, augment->window, (uint64_t)index, 0);
    uint64_t positions = (uint64_t)(predictable(text) - text->context + 1);
    return (window){(int64_t)(((uint64_t)words[1] << 32 | words[0]) % positions), 0, text->context};
}

static window window_of(const dt_text *text, const dt_augment *augment, int64_t index) {
    if (text->streams > 0) return stream_window(text, index);
    if (!text->in_order) return random_window(text, augment, index);
    int64_t begin = index * text->context, last = predictable(text) - text->context;
    int64_t start = begin < last ? begin : last;
    return (window){start, begin - start, text->context};
}

int64_t dt_text_start(const dt_split *split, const dt_augment *augment, int64_t index) {
    return split->text.rows ? index * split->text.context : window_of(&split->text, augment, index).start;
}

/* ---- batches ---- */

static void gather_next(const dt_split *split, window w, dt_real *x, int32_t *labels) {
    const void *tokens = dt_array_row(split->x, 0);
    dt_dtype dtype = dt_array_dtype(split->x);
    int64_t here = dt_integer_at(tokens, dtype, w.start);
    for (int64_t t = 0; t < split->text.context; t++) {
        bool there = t < w.to;
        x[t] = there ? (dt_real)here : 0;
        if (there) here = dt_integer_at(tokens, dtype, w.start + t + 1);
        labels[t] = there && t >= w.from ? (int32_t)here : -1;
    }
}

/* Exactly text->masked positions, every set of them as likely (Knuth, TAOCP volume 2, 3.4.2, algorithm S); what is seen
 * there by the rule of BERT (Devlin et al. 2019, section 3.1): in 80 % of the cases the extra id, in 10 % any token, in
 * 10 % the token itself. */
static void gather_masked(const dt_split *split, window w, dt_stream stream, int64_t index, dt_real *x,
                          int32_t *labels) {
    const dt_text *text = &split->text;
    const void *tokens = dt_array_row(split->x, 0);
    dt_dtype dtype = dt_array_dtype(split->x);
    int64_t left = text->masked;
    for (int64_t t = 0; t < text->context; t++) {
        uint32_t words[4];
        dt_stream_block(words, stream, (uint64_t)index, (uint64_t)t);
        int64_t token = dt_integer_at(tokens, dtype, w.start + t);
        bool masked = (int64_t)(words[0] * (uint64_t)(text->context - t) >> 32) < left;
        float share = dt_unit_float(words[1]);
        int64_t other = (int64_t)(words[2] * (uint64_t)text->vocabulary >> 32);
        left -= masked;
        labels[t] = masked && t >= w.from ? (int32_t)token : -1;
        x[t] = (dt_real)(!masked || share >= 0.9F ? token : share < 0.8F ? text->vocabulary : other);
    }
}

static void gather_row(const dt_split *split, int64_t index, dt_real *x, int32_t *label) {
    const dt_text *text = &split->text;
    const void *tokens = dt_array_row(split->x, index);
    dt_dtype dtype = dt_array_dtype(split->x);
    for (int64_t t = 0; t < text->context; t++) {
        int64_t id = dt_integer_at(tokens, dtype, t);
        x[t] = (dt_real)(id == text->pad ? -1 : id);
    }
    *label = dt_split_class(split, index);
}

void dt_text_gather(const dt_split *split, const dt_augment *augment, const int64_t *index, int64_t rows,
                    dt_batch *batch) {
    const dt_text *text = &split->text;
    dt_real *x = batch->x;
    int32_t *labels = batch->labels;
    for (int64_t i = 0; i < rows; i++, x += text->context, labels += split->targets) {
        if (text->rows)
            gather_row(split, index[i], x, labels);
        else if (text->masked)
            gather_masked(split, window_of(text, augment, index[i]),
                          text->in_order ? dt_stream_at(0, DT_RANDOM_TEST, 0, 0) : augment->mask, index[i], x, labels);
        else
            gather_next(split, window_of(text, augment, index[i]), x, labels);
    }
    batch->streams = text->streams;
    batch->fresh = text->streams > 0 && rows > 0 && index[0] < text->streams;
}
