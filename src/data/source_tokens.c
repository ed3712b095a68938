/* Tokens as samples. A text is a long row of token ids; a sample is a window of it, found by arithmetic from its number
 * and the epoch, so nothing of the order or the masks is stored: what lies where is the business of source_windows.c
 * and source_streams.c. Its targets are the tokens one to the right (next), or some of them that it cannot see
 * (masked). All tokens are looked at when a source is opened: an id that the model has no row for would be read from
 * somewhere else in memory. */
#include "source_tokens.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alive.h"
#include "base/memory.h"
#include "files.h"
#include "numbers.h"
#include "store/h5.h"

/* ---- the vocabulary ---- */

static int64_t masked_of(const dt_recipe_data *data) {
    if (data->objective != DT_OBJECTIVE_MASKED) return 0;
    int64_t count = llround(data->mask_rate * (double)data->context);
    return count < 1 ? 1 : count > data->context ? data->context : count;
}

static dt_status check_vocabulary(const dt_tokens *own, const dt_source_request *request) {
    if (own->vocabulary == 0)
        return dt_fail(DT_ERR_INPUT,
                       "%s: there is no /vocab, as dtrain import text makes it; give the number of token ids as "
                       "data.vocabulary",
                       request->file);
    if (own->vocabulary >= request->vocabulary) return dt_ok();
    return dt_fail(DT_ERR_INPUT,
                   "data.vocabulary is %lld but the vocabulary of %s has %lld tokens; give at least as many",
                   (long long)own->vocabulary, request->file, (long long)request->vocabulary);
}

dt_status dt_tokens_create(dt_source *source, const dt_source_request *request) {
    const dt_recipe_data *data = request->data;
    dt_tokens *own = source->own = dt_alloc(1, sizeof *own);
    if (!own) return dt_fail_memory("a text", sizeof *own);
    *own = (dt_tokens){.context = data->context,
                       .vocabulary = data->vocabulary > 0 ? data->vocabulary : request->vocabulary,
                       .masked = masked_of(data),
                       .pad = data->pad,
                       .in_order = request->in_order};
    return check_vocabulary(own, request);
}

void dt_tokens_close(dt_source *source) {
    dt_source_close_pair(source);
    dt_free(source->own);
}

/* ---- checks ---- */

/* The first of tokens[first … end) that is no id below `limit`, nor `pad` or -1 where rows may be short; or end. */
#define SCAN(type)                                                                                                     \
    do {                                                                                                               \
        const type *id = tokens;                                                                                       \
        for (; first < end; first++)                                                                                   \
            if ((uint64_t)id[first] >= limit &&                                                                        \
                !(own->short_rows && ((int64_t)id[first] == own->pad || (int64_t)id[first] == -1)))                    \
                return first;                                                                                          \
    } while (0)

static int64_t scan_tokens(const dt_tokens *own, const void *tokens, dt_dtype dtype, int64_t first, int64_t end) {
    uint64_t limit = (uint64_t)own->vocabulary;
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

static dt_status fail_token(const dt_source *source, int64_t at) {
    const dt_tokens *own = source->own;
    char position[64];
    if (own->short_rows)
        snprintf(position, sizeof position, "row %lld, position %lld", (long long)(at / own->context),
                 (long long)(at % own->context));
    else
        snprintf(position, sizeof position, "token %lld", (long long)at);
    return dt_fail(DT_ERR_INPUT, "%s: %s: %s is %lld, but the vocabulary has %lld tokens, 0 to %lld", source->file,
                   source->x_name, position,
                   (long long)dt_integer_at(dt_array_row(source->x, 0), dt_array_dtype(source->x), at),
                   (long long)own->vocabulary, (long long)own->vocabulary - 1);
}

/* Every rank looks at its part; all name the first bad token alike. */
dt_status dt_tokens_check(const dt_source *source, const dt_ranks *ranks) {
    const dt_tokens *own = source->own;
    const void *tokens = dt_array_row(source->x, 0);
    dt_dtype dtype = dt_array_dtype(source->x);
    int64_t first, count;
    dt_shard_range(own->count, ranks->size, ranks->rank, &first, &count);
    int64_t bad = first, end = first + count;
    for (int64_t to = first; bad == to && to < end; dt_alive()) {
        to = end - to < LOOKED_AT ? end : to + LOOKED_AT;
        bad = scan_tokens(own, tokens, dtype, bad, to);
    }
    int64_t least = bad < first + count ? bad : own->count;
    DT_TRY(dt_ranks_least(ranks, &least, 1));
    return least == own->count ? dt_ok() : fail_token(source, least);
}

/* ---- texts ---- */

int64_t dt_tokens_predictable(const dt_tokens *tokens) {
    return tokens->masked ? tokens->count : tokens->count - 1;
}

typedef struct chars_job {
    const char *dataset;
    int64_t chars;
} chars_job;

/* In a child. */
static dt_status send_chars(void *context, dt_h5 *h5, dt_guard *to) {
    chars_job *job = context;
    if (dt_h5_has_attribute(h5, job->dataset, "chars")) DT_TRY(dt_h5_get_int(h5, job->dataset, "chars", &job->chars));
    return dt_guard_send(to, &job->chars, sizeof job->chars);
}

static dt_status take_chars(void *context, dt_guard *from) {
    return dt_guard_take(from, &((chars_job *)context)->chars, sizeof(int64_t));
}

/* Of all files; 0 where one does not say. */
static dt_status sum_chars(int64_t *chars, const dt_files *files, const char *dataset) {
    int64_t sum = 0;
    for (int64_t i = 0; i < files->count; i++) {
        chars_job job = {dataset, 0};
        DT_TRY(
            dt_h5_run(&(dt_h5_job){.path = files->name[i], .work = send_chars, .take = take_chars, .context = &job}));
        bool good = job.chars > 0 && !__builtin_add_overflow(sum, job.chars, &sum);
        if (!good) return dt_ok();
    }
    *chars = sum;
    return dt_ok();
}

/* Collective. The characters the importer counted. */
static dt_status read_chars(dt_source *source, const dt_ranks *ranks) {
    dt_tokens *own = source->own;
    dt_files files;
    int64_t chars = 0;
    dt_status status = dt_files_open(&files, ranks, source->file);
    if (status.code == DT_OK)
        status = dt_ranks_agree(ranks, ranks->rank == 0 ? sum_chars(&chars, &files, source->x_name) : dt_ok());
    dt_files_close(&files);
    DT_TRY(status);
    DT_TRY(dt_ranks_broadcast(ranks, &chars, sizeof chars, 0));
    own->chars = chars > 0 ? (double)chars / (double)own->count : 0;
    return dt_ok();
}

static dt_status check_length(const dt_source *source) {
    const dt_tokens *own = source->own;
    int64_t least = own->context + !own->masked;
    if (dt_array_row_shape(source->x).rank != 0)
        return dt_fail(DT_ERR_INPUT,
                       "%s: %s has rows; a text is one row of token ids, [N] (rows are for data.objective "
                       "class)",
                       source->file, source->x_name);
    if (own->count >= least) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "%s: %s has %lld tokens; with data.context %lld it needs at least %lld", source->file,
                   source->x_name, (long long)own->count, (long long)own->context, (long long)least);
}

static void set_targets(dt_source *source) {
    const dt_tokens *own = source->own;
    source->targets = (dt_targets){.file = source->file,
                                   .loss = DT_LOSS_SOFTMAX_CROSS_ENTROPY,
                                   .labels = true,
                                   .width = 1,
                                   .classes = own->vocabulary,
                                   .positions = own->context,
                                   .counted = own->masked ? own->masked : own->context};
}

dt_status dt_tokens_recall_text(dt_source *source, const dt_source_request *request) {
    DT_TRY(dt_tokens_create(source, request));
    set_targets(source);
    return dt_ok();
}

dt_status dt_tokens_open_text(dt_source *source, const dt_ranks *ranks, const dt_source_request *request) {
    DT_TRY(dt_ranks_agree(ranks, dt_tokens_create(source, request)));
    dt_tokens *own = source->own;
    DT_TRY(dt_array_open(&source->x, ranks, source->file, source->x_name, request->data->spool));
    if (!dt_array_of_integers(source->x))
        return dt_fail(DT_ERR_INPUT, "%s: %s is %s; token ids are integers", source->file, source->x_name,
                       dt_dtype_name(dt_array_dtype(source->x)));
    own->count = dt_array_rows(source->x);
    DT_TRY(check_length(source));
    set_targets(source);
    DT_TRY(read_chars(source, ranks));
    return dt_tokens_check(source, ranks);
}

void dt_tokens_describe_text(const dt_source *source, dt_source_about *about) {
    const dt_tokens *own = source->own;
    *about = (dt_source_about){.input = {1, {own->context}},
                               .dtype = dt_array_dtype(source->x),
                               .ids = own->vocabulary + (own->masked > 0),
                               .streams = own->streams,
                               .tokens = own->context,
                               .predicts_tokens = true,
                               .chars = own->masked ? 0 : own->chars,
                               .noun = "token"};
}

/* ---- samples ---- */

static void fetch_next(const dt_source *source, dt_text_window w, dt_real *x, int32_t *labels) {
    const dt_tokens *own = source->own;
    const void *tokens = dt_array_row(source->x, 0);
    dt_dtype dtype = dt_array_dtype(source->x);
    int64_t here = dt_integer_at(tokens, dtype, w.start);
    for (int64_t t = 0; t < own->context; t++) {
        bool there = t < w.to;
        x[t] = there ? (dt_real)here : 0;
        if (there && (labels || t + 1 < w.to)) here = dt_integer_at(tokens, dtype, w.start + t + 1);
        if (labels) labels[t] = there && t >= w.from ? (int32_t)here : -1;
    }
}

/* Exactly own->masked positions, every set of them as likely (Knuth, TAOCP volume 2, 3.4.2, algorithm S); what is seen
 * there by the rule of BERT (Devlin et al. 2019, section 3.1): in 80 % of the cases the extra id, in 10 % any token, in
 * 10 % the token itself. */
static void fetch_masked(const dt_source *source, dt_text_window w, dt_stream stream, int64_t index, dt_real *x,
                         int32_t *labels) {
    const dt_tokens *own = source->own;
    const void *tokens = dt_array_row(source->x, 0);
    dt_dtype dtype = dt_array_dtype(source->x);
    int64_t left = own->masked;
    for (int64_t t = 0; t < own->context; t++) {
        uint32_t words[4];
        dt_stream_block(words, stream, (uint64_t)index, (uint64_t)t);
        int64_t token = dt_integer_at(tokens, dtype, w.start + t);
        bool masked = (int64_t)(words[0] * (uint64_t)(own->context - t) >> 32) < left;
        float share = dt_unit_float(words[1]);
        int64_t other = (int64_t)(words[2] * (uint64_t)own->vocabulary >> 32);
        left -= masked;
        labels[t] = masked && t >= w.from ? (int32_t)token : -1;
        x[t] = (dt_real)(!masked || share >= 0.9F ? token : share < 0.8F ? own->vocabulary : other);
    }
}

void dt_tokens_fetch(const dt_source *source, const dt_augment *augment, int64_t index, dt_text_window window,
                     dt_real *x, int32_t *labels) {
    const dt_tokens *own = source->own;
    if (own->masked && labels)
        fetch_masked(source, window, own->in_order ? dt_stream_at(0, DT_RANDOM_TEST, 0, 0) : augment->mask, index, x,
                     labels);
    else
        fetch_next(source, window, x, labels);
}
