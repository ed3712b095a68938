/* The sample command's work: texts from a trained model. A text is a function of the checkpoint, the prompt, the seed
 * and its number alone: draws are keyed by number and token, and texts that are computed together do not meet. */
#include "sample.h"

#include <errno.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alive.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/memory.h"
#include "base/stop.h"
#include "choose.h"
#include "data/tokenizer.h"
#include "decoder.h"
#include "trained.h"

#define TOGETHER 16 /* texts at once: enough to share the reading of the weights, with memory for as many windows */

/* A text on its way out: whole characters go at once, the beginning of one waits for the rest of it. */
typedef struct text {
    FILE *out;
    bool terminal; /* what is written there is to be seen */
    uint8_t held[4];
    size_t held_bytes;
    char *kept; /* of texts that are written later, what was written to `out` */
    size_t kept_bytes;
} text;

typedef struct sampler {
    const dt_sample_options *options;
    dt_sample_figures *figures;
    const dt_recipe *recipe;
    const dt_kernels *kernels;
    dt_tokenizer *tokenizer;
    dt_decoder *decoder;
    int64_t vocabulary, known; /* outputs, and those that are tokens of the tokenizer */
    int32_t *prompt, first;    /* first: what an empty prompt begins with */
    int64_t prompt_count;
    dt_candidate *work;   /* [known] */
    int32_t *next;        /* [TOGETHER] */
    text texts[TOGETHER]; /* those that are computed now */
} sampler;

/* ---- characters ---- */

/* One character, or a byte that is none. A terminal sees it; it is not to obey a token of a stranger's vocabulary. */
static void put_character(text *t, size_t bytes) {
    char shown[32];
    if (!t->terminal)
        fwrite(t->held, 1, bytes, t->out);
    else if (dt_escape(shown, sizeof shown, (const char *)t->held, bytes, true) > 0)
        fputs(shown, t->out);
}

static void put_bytes(text *t, const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        t->held[t->held_bytes++] = bytes[i];
        uint32_t point;
        int taken;
        /* What is no character, and can be none, goes as it is. */
        while (t->held_bytes > 0 && (taken = dt_utf8_take(t->held, t->held_bytes, &point)) >= 0) {
            size_t ready = taken > 0 ? (size_t)taken : 1;
            put_character(t, ready);
            t->held_bytes -= ready;
            memmove(t->held, t->held + ready, t->held_bytes);
        }
    }
}

static void put_rest(text *t) {
    if (t->held_bytes > 0) put_character(t, t->held_bytes);
    t->held_bytes = 0;
}

/* Writes what is ready. *closed: nobody reads it any more. */
static dt_status flush(FILE *out, bool *closed) {
    errno = 0;
    if (fflush(out) == 0 && !ferror(out)) return dt_ok();
    *closed = errno == EPIPE;
    if (*closed) { /* nothing is left that could fail again */
        __fpurge(out);
        clearerr(out);
    }
    return *closed ? dt_ok() : dt_fail(DT_ERR_IO, "the text cannot be written: %s", strerror(errno));
}

/* ---- what is sampled from ---- */

static dt_status check_recipe(const dt_recipe *recipe, const char *path) {
    const dt_recipe_data *data = &recipe->data;
    if (data->context == 0)
        return dt_fail(DT_ERR_INPUT, "%s: its model was not trained on text (data.context is 0); there is none to give",
                       path);
    if (data->objective != DT_OBJECTIVE_NEXT)
        return dt_fail(DT_ERR_INPUT,
                       "%s: its model does not predict the next token (data.objective is %s); only such a model goes "
                       "on from a prompt",
                       path, data->objective == DT_OBJECTIVE_MASKED ? "masked" : "class");
    if (recipe->loss.kind != DT_LOSS_SOFTMAX_CROSS_ENTROPY)
        return dt_fail(DT_ERR_INPUT,
                       "%s: its outputs are no probabilities of tokens; that takes model.loss softmax_cross_entropy",
                       path);
    return dt_ok();
}

static const dt_tensor *find_tensor(const dt_table *table, const char *name) {
    for (int i = 0; i < table->count; i++)
        if (strcmp(table->tensors[i].name, name) == 0) return &table->tensors[i];
    return NULL;
}

/* By names, for frozen tensors are elsewhere in the table of a model that trains. */
static dt_status copy_weights(const dt_sample_model *from, const dt_table *table, dt_real **weights) {
    *weights = dt_alloc(table->total, sizeof **weights);
    if (!*weights) return dt_fail_memory("the weights", table->total * sizeof **weights);
    for (int i = 0; i < table->count; i++) {
        const dt_tensor *to = &table->tensors[i], *found = find_tensor(from->table, to->name);
        if (!found || found->count != to->count)
            return dt_fail(DT_ERR_INPUT, "the model that trains has no %s of %zu numbers", to->name, to->count);
        memcpy(*weights + to->offset, from->weights + found->offset, to->count * sizeof **weights);
    }
    return dt_ok();
}

static dt_status read_prompt(sampler *s, const char *path) {
    const dt_sample_options *options = s->options;
    dt_status status =
        dt_tokenizer_encode(s->tokenizer, options->prompt, options->prompt_bytes, &s->prompt, &s->prompt_count);
    if (status.code != DT_OK) return dt_status_within(status, "the prompt");
    for (int64_t i = 0; i < s->prompt_count; i++)
        if (s->prompt[i] >= s->vocabulary)
            return dt_fail(DT_ERR_CORRUPT, "%s: its vocabulary has more tokens than its model", path);
    size_t bytes;
    for (int64_t i = 0; i < s->known; i++) {
        const uint8_t *token = dt_tokenizer_token(s->tokenizer, i, &bytes);
        if (bytes != 1 || token[0] != '\n') continue;
        s->first = (int32_t)i;
        break;
    }
    return dt_ok();
}

/* Memory for weights that the model of the checkpoint at `path` has, or `from`, where there is one. */
static dt_status take_weights(sampler *s, const char *path, const dt_sample_model *from) {
    dt_real *weights = NULL;
    const dt_table *table = dt_decoder_table(s->decoder);
    dt_status status = from ? copy_weights(from, table, &weights) : dt_trained_weights(path, table, &weights);
    if (status.code == DT_OK) return dt_decoder_weights(s->decoder, weights);
    dt_free(weights);
    return status;
}

static dt_status open_model(sampler *s, const char *path, const dt_sample_model *from) {
    const dt_recipe *recipe = s->recipe;
    int64_t rows = s->options->samples < TOGETHER ? s->options->samples : TOGETHER;
    bool bf16 =
        s->options->weights ? strcmp(s->options->weights, "bf16") == 0 : recipe->compute.precision == DT_PRECISION_BF16;
    if (from)
        s->kernels = from->kernels;
    else
        DT_TRY(dt_compute_open(&s->kernels, dt_isa_at_hand((dt_isa)recipe->compute.isa), 1));
    DT_TRY(dt_decoder_create(&s->decoder, recipe->layers, &recipe->loss, s->vocabulary, recipe->data.context, rows,
                             bf16, s->kernels));
    return take_weights(s, path, from);
}

/* `path` has the vocabulary. */
static dt_status open_sampler(sampler *s, const char *path, const dt_sample_model *from) {
    DT_TRY(check_recipe(s->recipe, path));
    DT_TRY(dt_tokenizer_open(&s->tokenizer, path));
    s->known = dt_tokenizer_vocabulary(s->tokenizer)->size;
    s->vocabulary = s->recipe->data.vocabulary > 0 ? s->recipe->data.vocabulary : s->known;
    if (s->known > s->vocabulary) s->known = s->vocabulary;
    DT_TRY(read_prompt(s, path));
    DT_TRY(open_model(s, path, from));
    s->work = dt_alloc((size_t)s->known, sizeof *s->work);
    s->next = dt_alloc(TOGETHER, sizeof *s->next);
    return s->work && s->next ? dt_ok() : dt_fail_memory("the next token", (size_t)s->known * sizeof *s->work);
}

static void close_sampler(sampler *s) {
    dt_decoder_destroy(s->decoder);
    dt_tokenizer_close(s->tokenizer);
    dt_free(s->prompt);
    dt_free(s->work);
    dt_free(s->next);
}

/* ---- sampling ---- */

/* In [0, 1), of 53 bits. */
static double draw(const sampler *s, int64_t number, int64_t token) {
    uint32_t words[4];
    dt_stream_block(words, dt_stream_at((uint64_t)s->options->seed, DT_RANDOM_SAMPLE, (uint64_t)number, 0),
                    (uint64_t)token, 0);
    return ((double)(words[0] >> 5) * 0x1p26 + (double)(words[1] >> 6)) * 0x1p-53;
}

/* Token `at` of texts [first, first + rows), from the outputs for it. */
static dt_status draw_tokens(sampler *s, const dt_real *outputs, int64_t first, int64_t rows, int64_t at) {
    DT_TRY(dt_compute_failure());
    const dt_choice choice = {s->options->temperature, s->options->top_k, s->options->top_p};
    for (int64_t r = 0; r < rows; r++) {
        int64_t id = dt_choose(&choice, outputs + r * s->vocabulary, s->known, draw(s, first + r, at), s->work);
        if (id < 0)
            return dt_fail(DT_ERR_DIVERGED,
                           "an output for token %lld is not a number or infinite; the model diverged in training",
                           (long long)at + 1);
        size_t bytes;
        const uint8_t *token = dt_tokenizer_token(s->tokenizer, id, &bytes);
        put_bytes(&s->texts[r], token, bytes);
        s->next[r] = (int32_t)id;
    }
    s->figures->tokens += rows;
    return dt_ok();
}

static const dt_real *read_same(sampler *s, int32_t id, int64_t rows) {
    for (int64_t r = 0; r < rows; r++) s->next[r] = id;
    return dt_decoder_read(s->decoder, s->next);
}

/* The outputs for the token after the prompt. */
static const dt_real *start(sampler *s, int64_t rows) {
    dt_decoder_restart(s->decoder, rows);
    if (s->prompt_count == 0) return read_same(s, s->first, rows);
    const dt_real *outputs = NULL;
    for (int64_t i = dt_decoder_first(s->decoder, s->prompt_count); i < s->prompt_count; i++)
        outputs = read_same(s, s->prompt[i], rows);
    return outputs;
}

/* The first of texts that are computed together goes out as it comes. */
static dt_status sample_together(sampler *s, int64_t first, int64_t rows, bool *closed) {
    const dt_real *outputs = start(s, rows);
    for (int64_t r = 0; r < rows; r++)
        put_bytes(&s->texts[r], (const uint8_t *)s->options->prompt, s->options->prompt_bytes);
    double began = dt_clock_now();
    dt_status status = dt_ok();
    for (int64_t at = 0; at < s->options->tokens && status.code == DT_OK && !*closed; at++) {
        status = draw_tokens(s, outputs, first, rows, at);
        if (status.code == DT_OK) status = flush(s->texts[0].out, closed);
        if (at + 1 < s->options->tokens) outputs = dt_decoder_read(s->decoder, s->next);
        dt_alive();
        if (dt_stop_requested) break;
    }
    s->figures->seconds += dt_clock_now() - began;
    return status;
}

/* A line before each of several texts. */
static void announce(const sampler *s, int64_t number) {
    if (s->options->samples > 1)
        fprintf(s->options->out, "%s==> sample %lld <==\n", number > 0 ? "\n" : "", (long long)number + 1);
}

static dt_status open_texts(sampler *s, int64_t rows) {
    memset(s->texts, 0, sizeof s->texts);
    bool terminal = isatty(fileno(s->options->out));
    s->texts[0] = (text){.out = s->options->out, .terminal = terminal};
    for (int64_t r = 1; r < rows; r++) {
        text *t = &s->texts[r];
        t->terminal = terminal;
        t->out = open_memstream(&t->kept, &t->kept_bytes);
        if (!t->out) return dt_fail_memory("a text", 0);
    }
    return dt_ok();
}

/* What is left of the first text, and the others. */
static dt_status write_texts(sampler *s, int64_t first, int64_t rows, bool *closed) {
    FILE *out = s->options->out;
    for (int64_t r = 0; r < rows; r++) {
        text *t = &s->texts[r];
        put_rest(t);
        if (r > 0) {
            if (fflush(t->out) != 0) return dt_fail_memory("a text", t->kept_bytes);
            announce(s, first + r);
            fwrite(t->kept, 1, t->kept_bytes, out);
        }
        if (s->options->samples > 1) fputc('\n', out);
    }
    return flush(out, closed);
}

static void close_texts(sampler *s, int64_t rows) {
    for (int64_t r = 1; r < rows; r++) {
        if (s->texts[r].out) fclose(s->texts[r].out);
        free(s->texts[r].kept);
    }
}

static dt_status sample_all(sampler *s) {
    int64_t samples = s->options->samples;
    bool closed = false;
    for (int64_t first = 0; first < samples && !closed; first += TOGETHER) {
        int64_t rows = samples - first < TOGETHER ? samples - first : TOGETHER;
        dt_status status = open_texts(s, rows);
        if (status.code == DT_OK) announce(s, first);
        if (status.code == DT_OK) status = sample_together(s, first, rows, &closed);
        if (status.code == DT_OK && !closed) status = write_texts(s, first, rows, &closed);
        close_texts(s, rows);
        DT_TRY(status);
    }
    return dt_ok();
}

static dt_status sample(const dt_sample_options *options, const dt_recipe *recipe, const char *path,
                        const dt_sample_model *from, dt_sample_figures *figures) {
    sampler s;
    memset(&s, 0, sizeof s);
    s.options = options;
    s.figures = figures;
    s.recipe = recipe;
    dt_status status = open_sampler(&s, path, from);
    if (status.code == DT_OK) status = sample_all(&s);
    close_sampler(&s);
    return status;
}

dt_status dt_sample_run(const dt_sample_options *options, dt_sample_figures *figures) {
    char path[4096] = "";
    dt_checkpoint_head head;
    dt_recipe recipe;
    memset(figures, 0, sizeof *figures);
    DT_TRY(dt_trained_find(options->target, path));
    dt_status status = dt_trained_recipe(path, &head, &recipe);
    if (status.code == DT_OK) status = sample(options, &recipe, path, NULL, figures);
    dt_recipe_finish(&recipe);
    dt_checkpoint_head_finish(&head);
    return status;
}

dt_status dt_sample_from(const dt_sample_options *options, const dt_sample_model *model, dt_sample_figures *figures) {
    memset(figures, 0, sizeof *figures);
    return sample(options, model->recipe, model->vocabulary, model, figures);
}
