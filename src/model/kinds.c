/* The kinds of layers, and the help on them. */
#include "kinds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/append.h"
#include "base/memory.h"
#include "presets.h"

/* A row a kind, in the order of the help: row(x) is dt_layer_x, defined in a file of its own. */
/* clang-format off */
#define KINDS(row) \
    row(dense) \
    row(flatten) \
    row(conv2d) \
    row(conv1d) \
    row(max_pool) \
    row(avg_pool) \
    row(global_max_pool) \
    row(global_avg_pool) \
    row(dropout) \
    row(batch_norm) \
    row(layer_norm) \
    row(rms_norm) \
    row(group_norm) \
    row(residual) \
    row(concat) \
    row(named_input) \
    row(upsample) \
    row(reshape) \
    row(transpose) \
    row(embedding) \
    row(unembed) \
    row(swiglu) \
    row(token_pool) \
    row(attention) \
    row(rnn) \
    row(gru) \
    row(lstm) \
    row(relu) \
    row(leaky_relu) \
    row(gelu) \
    row(silu) \
    row(tanh) \
    row(sigmoid) \
    row(softmax)
/* clang-format on */

#define DECLARE(kind) extern const dt_layer_kind dt_layer_##kind;
#define LIST(kind) &dt_layer_##kind,

KINDS(DECLARE)
const dt_layer_kind *const dt_layer_kinds[] = {KINDS(LIST) NULL};

const dt_layer_kind *dt_layer_kind_named(const char *name) {
    for (const dt_layer_kind *const *kind = dt_layer_kinds; *kind; kind++)
        if (strcmp((*kind)->name, name) == 0) return *kind;
    return NULL;
}

void dt_layer_kinds_words(char *out, size_t size) {
    out[0] = '\0';
    for (const dt_layer_kind *const *kind = dt_layer_kinds; *kind; kind++)
        dt_append(out, size, "%s%s", kind == dt_layer_kinds ? "" : ", ", (*kind)->name);
}

char *dt_model_help(void) {
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    if (!stream) return NULL;
    fprintf(
        stream,
        "model.layers: a list, first layer first. An item is `- kind`, `- kind: value` for the field marked\n"
        "as shorthand, or `- kind: {field: value, …}`. `layers` and `branches` hold layers and are shorthand too.\n");
    bool complete = true;
    for (const dt_layer_kind *const *kind = dt_layer_kinds; *kind; kind++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "  %s.", (*kind)->name);
        char *fields = dt_fields_help((*kind)->fields, prefix);
        complete = complete && fields;
        fprintf(stream, "\n%s: %s\n", (*kind)->name, (*kind)->help);
        for (const dt_layer_list *list = (*kind)->lists; list && list->key; list++)
            fprintf(stream, "%s%s  %s  %s  %s\n", prefix, list->key, list->many ? "lists of layers" : "list of layers",
                    list->optional ? "(none)" : "(required)", list->help);
        fprintf(stream, "%s", fields ? fields : "");
        dt_free(fields);
    }
    complete = dt_presets_help(stream) && complete;
    bool written = fclose(stream) == 0;
    char *copy = written && complete ? dt_strdup(text) : NULL;
    free(text);
    return copy;
}
