/* Presets: names for whole models. An item of model.layers that names one stands for the plain layers written here, as
 * text, with its fields filled in; the resolved recipe shows them, so what a run did can be read, and changed, without
 * knowing presets. Sources:
 *
 * - gpt: Radford et al. 2019: pre-norm blocks, learned positions, tied output, deviations of the matrices before a sum
 *   divided by sqrt(2 layers); with norm: rms_norm, mlp: swiglu, positions: rotary the form of LLaMA (Touvron et al.
 *   2023).
 * - bert: Devlin et al. 2019, with the norm inside the residual (Xiong et al. 2020), which trains without warm-up: for
 *   masked tokens a transform and the tied output, for `classes` the first position.
 * - rnn: Karpathy 2015, "The unreasonable effectiveness of recurrent neural networks". */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/fields.h"
#include "presets.h"

typedef struct preset_config {
    int64_t layers, heads, kv_heads, width, hidden, classes, embedding;
    int cell, norm, mlp, positions;
    double dropout, std;
    bool bias, tied;
} preset_config;

typedef struct preset {
    const char *name, *help;
    const dt_field *fields;
    void (*write)(FILE *out, const preset_config *config); /* a list of layers, as YAML */
} preset;

static const char *const cells[] = {"lstm", "gru", "simple_rnn", NULL};
static const char *const norms[] = {"layer_norm", "rms_norm", NULL};
static const char *const mlps[] = {"gelu", "swiglu", NULL};
static const char *const positions[] = {"learned", "rotary", "none", NULL};
enum { LEARNED, ROTARY, NO_POSITIONS };
enum { GELU, SWIGLU };

#define FIELD(name) .key = #name, .offset = offsetof(preset_config, name)
#define COUNT_FIELD(name, text)                                                                                        \
    { FIELD(name), .type = DT_FIELD_INT, .min = 1, .max = 1e6, .flags = DT_FIELD_REQUIRED, .help = text }
#define OPTION_FIELD(name, text)                                                                                       \
    { FIELD(name), .type = DT_FIELD_INT, .fallback = "0", .max = 1e6, .help = text }
#define CHOICE_FIELD(name, initially, names, text)                                                                     \
    { FIELD(name), .type = DT_FIELD_CHOICE, .fallback = initially, .choices = names, .help = text }
#define DROPOUT_FIELD                                                                                                  \
    {                                                                                                                  \
        FIELD(dropout), .type = DT_FIELD_REAL, .fallback = "0", .max = 1, .flags = DT_FIELD_BELOW,                     \
                        .help = "of embeddings and of what blocks add"                                                 \
    }
#define STD_FIELD                                                                                                      \
    {                                                                                                                  \
        FIELD(std), .type = DT_FIELD_REAL, .fallback = "0.02", .max = 1e6, .flags = DT_FIELD_ABOVE,                    \
                    .help = "standard deviation of the initial matrices"                                               \
    }

static const dt_field gpt_fields[] = {
    COUNT_FIELD(layers, "transformer blocks"),
    COUNT_FIELD(heads, "attention heads"),
    COUNT_FIELD(width, "numbers at a position"),
    OPTION_FIELD(kv_heads, "heads of keys and values (grouped-query attention); 0: as many as heads"),
    OPTION_FIELD(hidden, "width inside the blocks' MLP; 0: 4 widths, or 8/3 for swiglu"),
    CHOICE_FIELD(mlp, "gelu", mlps, "the blocks' MLP"),
    CHOICE_FIELD(norm, "layer_norm", norms, "normalisation"),
    CHOICE_FIELD(positions, "learned", positions, "how positions are told apart"),
    DROPOUT_FIELD,
    {FIELD(bias), .type = DT_FIELD_BOOL, .fallback = "true", .help = "whether layers have b and norms shift"},
    {FIELD(tied), .type = DT_FIELD_BOOL, .fallback = "true", .help = "whether the output uses the embedding's table"},
    STD_FIELD,
    {.key = NULL},
};

static const dt_field bert_fields[] = {
    COUNT_FIELD(layers, "transformer blocks"),
    COUNT_FIELD(heads, "attention heads"),
    COUNT_FIELD(width, "numbers at a position"),
    OPTION_FIELD(hidden, "width inside the blocks' MLP; 0: 4 widths"),
    OPTION_FIELD(classes, "of a sequence; 0: predicts masked tokens"),
    DROPOUT_FIELD,
    STD_FIELD,
    {.key = NULL},
};

static const dt_field rnn_fields[] = {
    COUNT_FIELD(layers, "recurrent layers"),
    {FIELD(width), .type = DT_FIELD_INT, .min = 1, .max = 1e6, .flags = DT_FIELD_REQUIRED, .help = "units of each"},
    CHOICE_FIELD(cell, "lstm", cells, "kind of the layers"),
    OPTION_FIELD(embedding, "numbers of a token's vector; 0: tokens go into the first layer as they are (one-hot)"),
    {FIELD(dropout), .type = DT_FIELD_REAL, .fallback = "0", .max = 1, .flags = DT_FIELD_BELOW,
     .help = "between the layers and before the output"},
    {.key = NULL},
};

/* ---- layers as text ---- */

static const char *word(bool value) {
    return value ? "true" : "false";
}

static void write_dropout(FILE *out, const char *indent, double rate) {
    if (rate > 0) fprintf(out, "%s- dropout: %.17g\n", indent, rate);
}

static void write_norm(FILE *out, const char *indent, const preset_config *c) {
    if (strcmp(norms[c->norm], "layer_norm") == 0 && !c->bias)
        fprintf(out, "%s- layer_norm: {shift: false}\n", indent);
    else
        fprintf(out, "%s- %s\n", indent, norms[c->norm]);
}

static int64_t hidden_of(const preset_config *c) {
    if (c->hidden > 0) return c->hidden;
    return c->mlp == SWIGLU ? (8 * c->width / 3 + 31) / 32 * 32 : 4 * c->width;
}

static void write_block(FILE *out, const preset_config *c, int64_t number, bool causal) {
    double before_sum = c->std / sqrt(2 * (double)c->layers);
    const char *in = "    ";
    fprintf(out, "- residual:\n    name: block%lld_attention\n    layers:\n", (long long)number);
    write_norm(out, in, c);
    fprintf(out,
            "%s- attention: {heads: %lld, kv_heads: %lld, causal: %s, rotary: %s, bias: %s, init: normal, std: %.17g, "
            "out_std: %.17g}\n",
            in, (long long)c->heads, (long long)(c->kv_heads ? c->kv_heads : c->heads), word(causal),
            word(c->positions == ROTARY), word(c->bias), c->std, before_sum);
    write_dropout(out, in, c->dropout);
    fprintf(out, "- residual:\n    name: block%lld_mlp\n    layers:\n", (long long)number);
    write_norm(out, in, c);
    if (c->mlp == SWIGLU)
        fprintf(out, "%s- swiglu: {out: %lld, bias: %s, init: normal, std: %.17g}\n", in, (long long)hidden_of(c),
                word(c->bias), c->std);
    else
        fprintf(out, "%s- dense: {out: %lld, activation: gelu, bias: %s, init: normal, std: %.17g}\n", in,
                (long long)hidden_of(c), word(c->bias), c->std);
    fprintf(out, "%s- dense: {out: %lld, bias: %s, init: normal, std: %.17g}\n", in, (long long)c->width, word(c->bias),
            before_sum);
    write_dropout(out, in, c->dropout);
}

static void write_transformer(FILE *out, const preset_config *c, bool causal) {
    fprintf(out, "- embedding: {width: %lld, positions: %s, std: %.17g}\n", (long long)c->width,
            c->positions == LEARNED ? "learned" : "none", c->std);
    if (!causal) write_norm(out, "", c);
    write_dropout(out, "", c->dropout);
    for (int64_t i = 1; i <= c->layers; i++) write_block(out, c, i, causal);
    write_norm(out, "", c);
}

static void write_gpt(FILE *out, const preset_config *config) {
    write_transformer(out, config, true);
    fprintf(out, "- unembed: {of: %s, std: %.17g}\n", config->tied ? "embedding1" : "\"\"", config->std);
}

static void write_bert(FILE *out, const preset_config *config) {
    preset_config c = *config;
    c.bias = true;
    write_transformer(out, &c, false);
    if (c.classes > 0) {
        fprintf(out, "- token_pool: first\n- dense: {out: %lld, activation: tanh, init: normal, std: %.17g}\n",
                (long long)c.width, c.std);
        write_dropout(out, "", c.dropout);
        fprintf(out, "- dense: {out: %lld, init: normal, std: %.17g}\n", (long long)c.classes, c.std);
        return;
    }
    fprintf(out,
            "- dense: {out: %lld, activation: gelu, init: normal, std: %.17g}\n- layer_norm\n"
            "- unembed: {of: embedding1, bias: true}\n",
            (long long)c.width, c.std);
}

static void write_rnn(FILE *out, const preset_config *c) {
    if (c->embedding > 0) fprintf(out, "- embedding: {width: %lld}\n", (long long)c->embedding);
    fprintf(out, "- %s: {units: %lld, layers: %lld, dropout: %.17g}\n", cells[c->cell], (long long)c->width,
            (long long)c->layers, c->dropout);
    write_dropout(out, "", c->dropout);
    fprintf(out, "- unembed: {of: \"\", bias: true}\n");
}

static const preset presets[] = {
    {"gpt", "a transformer that predicts the next token", gpt_fields, write_gpt},
    {"bert", "a transformer that sees both sides: masked tokens, or classes of sequences", bert_fields, write_bert},
    {"rnn", "recurrent layers that predict the next token", rnn_fields, write_rnn},
};
#define PRESET_COUNT (sizeof presets / sizeof *presets)

/* ---- expansion ---- */

/* The preset an item of a list names, or NULL. */
static const preset *preset_of(const dt_yaml *item) {
    const char *name = item->kind == DT_YAML_MAP && item->first && !item->first->next ? item->first->key
                       : item->kind == DT_YAML_SCALAR                                 ? item->text
                                                                                      : "";
    for (size_t i = 0; i < PRESET_COUNT; i++)
        if (strcmp(presets[i].name, name) == 0) return &presets[i];
    return NULL;
}

static dt_status check(const preset_config *c, const dt_yaml *item) {
    if (c->heads > 0 && c->width % c->heads != 0)
        return dt_fail(DT_ERR_INPUT, "recipe %s: width is %lld and heads %lld; heads must divide width", item->source,
                       (long long)c->width, (long long)c->heads);
    return dt_ok();
}

/* The layers of one item, appended to `list`. */
static dt_status expand(const preset *which, const dt_yaml *item, const char *path, int position, dt_yaml *list) {
    preset_config config;
    memset(&config, 0, sizeof config);
    char prefix[256], name[DT_TEXT_MAX];
    snprintf(prefix, sizeof prefix, "%s.%d.%s.", path, position, which->name);
    const dt_yaml *fields = item->kind == DT_YAML_MAP ? item->first : NULL;
    if (fields && fields->kind != DT_YAML_MAP)
        return dt_fail(DT_ERR_INPUT, "recipe %s: %s takes named fields; write `- %s: {…}`", item->source, which->name,
                       which->name);
    DT_TRY(dt_fields_decode(which->fields, fields, prefix, NULL, &config));
    DT_TRY(check(&config, item));
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    if (!out) return dt_fail_memory("a preset", 0);
    fprintf(out, "layers:\n");
    which->write(out, &config);
    if (fclose(out) != 0) return dt_fail_memory("a preset", length);
    snprintf(name, sizeof name, "%s (%s)", item->source, which->name);
    dt_yaml *root;
    dt_status status = dt_yaml_parse_text(&root, name, text);
    free(text);
    DT_TRY(status);
    dt_yaml *layers = root->first;
    while (layers->first) {
        dt_yaml *layer = layers->first;
        layers->first = layer->next;
        layer->next = NULL;
        dt_yaml_append(list, layer);
    }
    dt_yaml_destroy(root);
    return dt_ok();
}

static dt_status expand_all(const dt_yaml *nodes, const char *path, dt_yaml *list) {
    int position = 0;
    for (const dt_yaml *item = nodes->first; item; item = item->next, position++) {
        const preset *which = preset_of(item);
        if (which) {
            DT_TRY(expand(which, item, path, position, list));
            continue;
        }
        dt_yaml *copy = dt_yaml_clone(item);
        if (!copy) return dt_fail_memory("the layers", sizeof *copy);
        dt_yaml_append(list, copy);
    }
    return dt_ok();
}

dt_status dt_presets_expand(const dt_yaml *nodes, const char *path, dt_yaml **out) {
    *out = NULL;
    bool any = false;
    for (const dt_yaml *item = nodes->first; item; item = item->next) any = any || preset_of(item);
    if (!any) return dt_ok();
    *out = dt_yaml_new(DT_YAML_LIST, nodes->key, NULL, nodes->source);
    if (!*out) return dt_fail_memory("the layers", sizeof **out);
    dt_status status = expand_all(nodes, path, *out);
    if (status.code == DT_OK) return status;
    dt_yaml_destroy(*out);
    *out = NULL;
    return status;
}

bool dt_presets_help(FILE *stream) {
    bool complete = true;
    fprintf(stream, "\nPresets stand for several layers, which the resolved recipe shows:\n");
    for (size_t i = 0; i < PRESET_COUNT; i++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "  %s.", presets[i].name);
        char *fields = dt_fields_help(presets[i].fields, prefix);
        complete = complete && fields;
        fprintf(stream, "\n%s: %s\n%s", presets[i].name, presets[i].help, fields ? fields : "");
        dt_free(fields);
    }
    return complete;
}
