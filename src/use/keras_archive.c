/* A model as Keras 3's own file (.keras): a ZIP of metadata.json, config.json, which is the graph, and
 * model.weights.h5, in which a layer's weights are /layers/CLASS_N/vars/0, 1, …: not by the layer's name, but counted
 * by class in the order Keras has the layers of a graph once it has loaded it. Sources: keras-team/keras,
 * keras/src/saving/saving_lib.py
 * (_save_state), keras/src/ops/function.py (map_graph). */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/absent.h"
#include "base/memory.h"
#include "data/archive.h"
#include "keras_layers.h"
#include "store/h5.h"

#define KERAS "3.0.0" /* the first that reads these */

/* ---- weights ---- */

static const char *class_of(const dt_keras *k, int node) {
    return json_string_value(json_object_get(json_array_get(k->layers, (size_t)node), "class_name"));
}

/* "BatchNormalization" is batch_normalization, "Conv2D" conv2d and "GRU" gru: an underscore before a capital that a
 * small letter follows, and between a small letter and a capital. */
static void snake_case(const char *class, char *out, size_t size) {
    size_t at = 0;
    for (size_t i = 0; class[i] && at + 2 < size; i++) {
        bool capital = isupper((unsigned char)class[i]);
        bool word = i > 0 && capital && islower((unsigned char)class[i + 1]);
        if (word || (i > 0 && capital && islower((unsigned char)class[i - 1]))) out[at++] = '_';
        out[at++] = (char)tolower((unsigned char)class[i]);
    }
    out[at] = '\0';
}

static void group_of(const dt_keras *k, const int *order, int at, char *out, size_t size) {
    const char *class = class_of(k, order[at]);
    char snake[64], number[16] = "";
    int before = 0;
    for (int i = 0; i < at; i++) before += strcmp(class_of(k, order[i]), class) == 0;
    if (before > 0) snprintf(number, sizeof number, "_%d", before);
    snake_case(class, snake, sizeof snake);
    bool cell = strcmp(class, "LSTM") == 0 || strcmp(class, "GRU") == 0 || strcmp(class, "SimpleRNN") == 0;
    snprintf(out, size, "/layers/%s%s%s/vars", snake, number, cell ? "/cell" : "");
}

static dt_status put_node(void *context, const dt_keras *k, const int *order, int at) {
    dt_h5 *file = context;
    const dt_keras_node *node = &k->nodes[order[at]];
    char group[200], dataset[256];
    group_of(k, order, at, group, sizeof group);
    for (int i = 0; i < node->weight_count; i++) {
        const dt_keras_weight *weight = &node->weights[i];
        snprintf(dataset, sizeof dataset, "%s/%d", group, i);
        DT_TRY(dt_h5_create_dataset(file, dataset, DT_F32, &weight->shape, 0));
        DT_TRY(dt_h5_write_rows(file, dataset, DT_F32, 0, weight->shape.dim[0], weight->values));
    }
    return node->weight_count > 0 ? dt_h5_put_text(file, group, "name", node->name) : dt_ok();
}

static dt_status write_weights(const dt_keras *k, const char *path) {
    dt_h5 *file;
    DT_TRY(dt_h5_create(&file, path));
    dt_status status = dt_keras_put_nodes(k, path, put_node, file), closed = dt_h5_close(&file);
    return status.code == DT_OK ? closed : status;
}

/* ---- texts ---- */

/* What Keras 3 calls by another name than the releases before it. */
static void rename_keys(json_t *layer) {
    static const char *const names[][2] = {{"batch_input_shape", "batch_shape"}, {"alpha", "negative_slope"}};
    json_t *config = json_object_get(layer, "config");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *value = json_object_get(config, names[i][0]);
        if (value) json_object_set(config, names[i][1], value);
        json_object_del(config, names[i][0]);
    }
    json_object_del(config, "input_length");
    json_object_set_new(layer, "module", json_string("keras.layers"));
    json_object_set_new(layer, "registered_name", json_null());
}

static char *text_of_config(const dt_keras *k, json_t *graph) {
    json_t *root = json_pack("{s:s, s:s, s:O, s:s}", "module", "keras.src.models.functional", "class_name",
                             "Functional", "config", json_object_get(graph, "config"), "registered_name", "Functional");
    for (size_t i = 0; i < json_array_size(k->layers); i++) rename_keys(json_array_get(k->layers, i));
    char *text = root ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(root);
    return text;
}

/* Keras reads none of it; what dtrain says of the model has the names it has in other formats. */
static dt_status text_of_metadata(const dt_keras *k, char **out) {
    dt_export_texts texts;
    json_t *root = json_pack("{s:s, s:s}", "keras_version", KERAS, "date_saved", "1980-01-01@00:00:00");
    dt_status status = dt_export_texts_of(&texts, k->model);
    for (int i = 0; i < texts.count; i++) {
        char name[64];
        snprintf(name, sizeof name, "dtrain_%s", texts.texts[i].name);
        json_object_set_new(root, name, json_string(texts.texts[i].text));
    }
    dt_export_texts_finish(&texts);
    *out = status.code == DT_OK && root ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    return status.code == DT_OK && !*out ? dt_fail_memory("a description", 0) : status;
}

/* ---- the file ---- */

static dt_status write_archive(const dt_keras *k, json_t *graph, const char *weights, const char *path) {
    char *metadata = NULL, *config = text_of_config(k, graph);
    dt_status status = config ? text_of_metadata(k, &metadata) : dt_fail_memory("a graph", 0);
    if (status.code == DT_OK) {
        const dt_archive_member members[] = {
            {.name = "metadata.json", .bytes = metadata, .size = strlen(metadata)},
            {.name = "config.json", .bytes = config, .size = strlen(config)},
            {.name = "model.weights.h5", .path = weights},
        };
        status = dt_archive_write(path, members, 3);
    }
    free(metadata);
    free(config);
    return status;
}

dt_status dt_keras_write_archive(const dt_keras *k, json_t *graph, const char *path) {
    const char *lacks = DT_LACKS_ZIP;
    char weights[4096];
    if (lacks)
        return dt_fail(DT_ERR_USAGE, "this dtrain was built without %s, which .keras needs (.h5 does not)", lacks);
    if (snprintf(weights, sizeof weights, "%s.weights", path) >= (int)sizeof weights)
        return dt_fail(DT_ERR_USAGE, "%.60s…: the name is too long", path);
    dt_status status = write_weights(k, weights);
    if (status.code == DT_OK) status = write_archive(k, graph, weights, path);
    unlink(weights);
    return status;
}
