/* A layer's configuration is private to its kind; its table of fields says where each of them is, by the key users
 * know. So who reads fields here needs no kind's struct, and a field that is renamed is found by a test instead of
 * misread. */
#include "model/describe.h"

#include <assert.h>
#include <string.h>

#include "kinds.h"
#include "sequence.h"

const char *dt_layer_kind_name(const dt_layer *layer) {
    return layer->kind->name;
}
const char *dt_layer_name(const dt_layer *layer) {
    return layer->name;
}
const char *dt_layer_source(const dt_layer *layer) {
    return layer->source;
}
const dt_shape *dt_layer_input(const dt_layer *layer) {
    return &layer->in;
}
const dt_shape *dt_layer_output(const dt_layer *layer) {
    return &layer->out;
}

/* Where the value of a field is. */
static const void *value_of(const dt_layer *layer, const char *key, dt_field_type type) {
    const dt_field *field = dt_field_find(layer->kind->fields, key);
    assert(field && field->type == type);
    (void)type;
    return (const char *)layer->config + field->offset;
}

bool dt_layer_truth(const dt_layer *layer, const char *key) {
    return *(const bool *)value_of(layer, key, DT_FIELD_BOOL);
}
int64_t dt_layer_whole(const dt_layer *layer, const char *key) {
    return *(const int64_t *)value_of(layer, key, DT_FIELD_INT);
}
double dt_layer_real(const dt_layer *layer, const char *key) {
    return *(const double *)value_of(layer, key, DT_FIELD_REAL);
}
const char *dt_layer_choice(const dt_layer *layer, const char *key) {
    return dt_field_find(layer->kind->fields, key)->choices[*(const int *)value_of(layer, key, DT_FIELD_CHOICE)];
}
const char *dt_layer_text(const dt_layer *layer, const char *key) {
    return value_of(layer, key, DT_FIELD_TEXT);
}
const dt_shape *dt_layer_sizes(const dt_layer *layer, const char *key) {
    return value_of(layer, key, DT_FIELD_LIST);
}

const dt_tensor *dt_layer_tensor(const dt_layer *layer, const char *name) {
    for (int i = 0; i < layer->param_count; i++) {
        const dt_tensor *tensor = &layer->table->tensors[layer->param[i]];
        const char *slash = strrchr(tensor->name, '/');
        if (strcmp(slash ? slash + 1 : tensor->name, name) == 0) return tensor;
    }
    return NULL;
}

const dt_window *dt_layer_window(const dt_layer *layer) {
    return layer->window;
}

int dt_layer_list_count(const dt_layer *layer) {
    return layer->inner_count;
}
int dt_layer_list_length(const dt_layer *layer, int list) {
    return layer->inner[list].count;
}
const dt_layer *dt_layer_of_list(const dt_layer *layer, int list, int i) {
    return &layer->inner[list].layers[i];
}

const char *dt_layer_kind_at(int i) {
    return dt_layer_kinds[i] ? dt_layer_kinds[i]->name : NULL;
}
