/* A model as Hugging Face's GPT-2: a directory with model.safetensors and config.json, as GPT2LMHeadModel reads them,
 * and vocab.json, merges.txt and tokenizer_config.json, as GPT2Tokenizer does. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/safetensors.h"
#include "export_json.h"
#include "gpt2_model.h"

static dt_status write_json(const char *directory, const char *name, json_t *value) {
    char path[4096];
    dt_status status = dt_path_join(path, directory, name);
    char *text = value ? json_dumps(value, JSON_INDENT(2)) : NULL;
    if (status.code == DT_OK) status = text ? dt_write_text_file(path, text) : dt_fail_memory(name, 0);
    free(text);
    json_decref(value);
    return status;
}

/* The token that ends a text in GPT-2's own vocabulary; -1: there is none. */
static int64_t end_of_text(const dt_vocabulary *v) {
    static const char text[] = "<|endoftext|>";
    int64_t length = sizeof text - 1;
    for (int64_t i = 0; i < v->size; i++)
        if (v->offsets[i + 1] - v->offsets[i] == length && memcmp(v->bytes + v->offsets[i], text, (size_t)length) == 0)
            return i;
    return -1;
}

static json_t *config_of(const dt_gpt2 *g, const dt_vocabulary *v) {
    int64_t end = end_of_text(v);
    json_t *config = json_pack(
        "{s:s, s:[s], s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:b, s:b, s:s}", "model_type", "gpt2",
        "architectures", "GPT2LMHeadModel", "activation_function", "gelu_new", "vocab_size", (json_int_t)g->vocabulary,
        "n_positions", (json_int_t)g->positions, "n_ctx", (json_int_t)g->positions, "n_embd", (json_int_t)g->width,
        "n_layer", (json_int_t)g->layers, "n_head", (json_int_t)g->heads, "layer_norm_epsilon", g->eps, "embd_pdrop",
        g->embedding_dropout, "resid_pdrop", g->dropout, "attn_pdrop", 0.0, "scale_attn_weights", 1,
        "tie_word_embeddings", (int)g->tied, "torch_dtype", "float32");
    json_object_set_new(config, "n_inner", g->hidden == 4 * g->width ? json_null() : json_integer(g->hidden));
    json_object_set_new(config, "bos_token_id", end < 0 ? json_null() : json_integer(end));
    json_object_set_new(config, "eos_token_id", end < 0 ? json_null() : json_integer(end));
    return config;
}

static dt_status write_tokenizer(const dt_vocabulary *v, const dt_gpt2 *g, const char *directory) {
    char vocab[4096], merges[4096];
    if (v->size == 0) return dt_ok(); /* the model's data were numbers of tokens, and nobody said of which */
    DT_TRY(dt_path_join(vocab, directory, "vocab.json"));
    DT_TRY(dt_path_join(merges, directory, "merges.txt"));
    DT_TRY(dt_vocabulary_write_gpt2(v, vocab, merges));
    return write_json(directory, "tokenizer_config.json",
                      json_pack("{s:s, s:I, s:b}", "tokenizer_class", "GPT2Tokenizer", "model_max_length",
                                (json_int_t)g->positions, "add_prefix_space", 0));
}

/* ---- weights ---- */

/* An array as GPT-2 has it; *own is its memory where it is not the model's. */
static dt_status array_of(const dt_export *model, const dt_gpt2_array *from, dt_named_array *to, float **own) {
    size_t count = (size_t)dt_shape_count(&from->shape);
    snprintf(to->name, sizeof to->name, "%s", from->name);
    to->dtype = DT_F32;
    to->shape = from->shape;
    if (from->tensor) to->data = dt_export_values(model, from->tensor);
    if (from->tensor && !from->turned) return dt_ok();
    *own = dt_alloc(count, sizeof **own);
    if (!*own) return dt_fail_memory(to->name, count * sizeof **own);
    if (from->tensor) dt_export_turn(*own, &to->shape, to->data, &from->tensor->shape, (const int[]){1, 0});
    to->data = *own;
    return dt_ok();
}

static dt_status write_weights(const dt_export *model, const dt_gpt2 *g, const char *directory) {
    char path[4096];
    dt_export_texts texts;
    dt_named_array *arrays = dt_alloc((size_t)g->count, sizeof *arrays);
    float **own = dt_alloc((size_t)g->count, sizeof *own);
    dt_status status = arrays && own ? dt_ok() : dt_fail_memory("a list of arrays", (size_t)g->count * sizeof *arrays);
    for (int i = 0; i < g->count && status.code == DT_OK; i++)
        status = array_of(model, &g->arrays[i], &arrays[i], &own[i]);
    dt_status told = dt_export_texts_of(&texts, model);
    if (status.code == DT_OK) status = told;
    if (status.code == DT_OK) status = dt_export_text_add(&texts, "format", "pt");
    if (status.code == DT_OK) status = dt_path_join(path, directory, "model.safetensors");
    if (status.code == DT_OK) status = dt_safetensors_write(path, arrays, g->count, texts.texts, texts.count);
    dt_export_texts_finish(&texts);
    for (int i = 0; own && i < g->count; i++) dt_free(own[i]);
    dt_free(own);
    dt_free(arrays);
    return status;
}

static dt_status write_files(const dt_export *model, const dt_gpt2 *g, const char *directory) {
    const dt_vocabulary *vocabulary = &model->trained.vocabulary;
    DT_TRY(write_weights(model, g, directory));
    DT_TRY(write_json(directory, "config.json", config_of(g, vocabulary)));
    return write_tokenizer(vocabulary, g, directory);
}

static dt_status write_gpt2(const dt_export *model, const char *directory) {
    dt_gpt2 gpt2;
    dt_status status = dt_gpt2_of(&gpt2, model->model);
    if (status.code == DT_OK) status = write_files(model, &gpt2, directory);
    dt_gpt2_finish(&gpt2);
    return status;
}

const dt_export_format dt_export_gpt2 = {
    .name = "gpt2",
    .help = "a directory: a GPT model as Hugging Face's GPT-2, with config.json and its tokenizer's files",
    .directory = true,
    .write = write_gpt2,
};
