/* A model for keras.models.load_model: Keras 3's own file (keras_archive.c), or the HDF5 file that its releases 2 and 3
 * both read: attributes
 * `model_config`, a JSON of the graph of layers, and `keras_version`, `backend`; and in /model_weights a group for each
 * layer, whose attribute `weight_names` lists datasets in the order the layer has them. Source: keras-team/keras,
 * keras/src/legacy/saving/legacy_h5_format.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "keras_layers.h"
#include "store/h5.h"

#define KERAS "2.15.0" /* whose configurations these are */

/* ---- the graph ---- */

static json_t *numbers(const double *values, int64_t count, bool inverse) {
    json_t *list = json_array();
    for (int64_t i = 0; i < count; i++) json_array_append_new(list, json_real(inverse ? 1 / values[i] : values[i]));
    if (count > 1) return list;
    json_t *only = json_incref(json_array_get(list, 0));
    json_decref(list);
    return only;
}

static json_t *offsets(const double *mean, const double *std, int64_t count) {
    json_t *list = json_array();
    for (int64_t i = 0; i < count; i++) json_array_append_new(list, json_real(-mean[i] / std[i]));
    if (count > 1) return list;
    json_t *only = json_incref(json_array_get(list, 0));
    json_decref(list);
    return only;
}

/* Dimensions in another order: channels last, or first again. */
static void permute(dt_keras *k, const char *name, bool last, dt_keras_value *x) {
    int64_t order[DT_MAX_RANK];
    int rank = x->shape.rank;
    for (int i = 0; i < rank; i++) order[i] = last ? (i + 1) % rank + 1 : (i + rank - 1) % rank + 1;
    dt_keras_add(k, "Permute", name, json_pack("{s:o}", "dims", dt_keras_sizes(rank, order)), x);
}

/* That Keras's layers can scale numbers as they are. */
static dt_status check_scale(bool wide, bool filled) {
    if (wide)
        return dt_fail(DT_ERR_INPUT, "the data's numbers lie so far from 0 that float32, in which Keras scales them, "
                                     "would lose them (--to onnx and pytorch scale in float64)");
    if (filled)
        return dt_fail(DT_ERR_INPUT, "data.missing is mean, and Keras has no layer that fills in missing values");
    return dt_ok();
}

static void write_source(dt_keras *k, const char *name, dt_keras_value *x) {
    json_t *batch = dt_keras_sizes(x->shape.rank, x->shape.dim);
    json_array_insert_new(batch, 0, json_null());
    dt_keras_join(k, "InputLayer", name,
                  json_pack("{s:o, s:b, s:b}", "batch_input_shape", batch, "sparse", 0, "ragged", 0), NULL, 0, x);
}

/* ---- inputs that have names ---- */

static dt_status scale_named(dt_keras *k, const dt_input *input, const dt_export_scale *s, dt_keras_value *x) {
    char name[DT_KERAS_NAME];
    const int64_t count = dt_shape_count(&s->shape);
    DT_TRY(check_scale(s->wide, s->fill != NULL));
    if (s->shape.rank > 1)
        return dt_fail(DT_ERR_INPUT, "its numbers have a scale each, and Keras's Rescaling takes one a channel");
    snprintf(name, sizeof name, "%s_scaling", input->name);
    if (!s->plain)
        dt_keras_add(
            k, "Rescaling", name,
            json_pack("{s:o, s:o}", "scale", numbers(s->std, count, true), "offset", offsets(s->mean, s->std, count)),
            x);
    return dt_ok();
}

static dt_status write_inputs(dt_keras *k, dt_keras_value *x) {
    const int64_t count = dt_export_input_count(k->model);
    for (int64_t i = 0; i < count; i++) {
        k->given[i].shape = dt_export_input(k->model, i)->shape;
        write_source(k, dt_export_input(k->model, i)->name, &k->given[i]);
    }
    for (int64_t i = 0; i < count; i++) {
        const dt_input *input = dt_export_input(k->model, i);
        dt_export_scale scale;
        k->inputs[i] = k->given[i];
        dt_status status = dt_export_input_scale(&scale, k->model, input);
        if (status.code == DT_OK) status = scale_named(k, input, &scale, &k->inputs[i]);
        dt_export_scale_finish(&scale);
        if (status.code != DT_OK) return dt_status_within(status, "input `%s`", input->name);
    }
    *x = (dt_keras_value){.shape = k->model->trained.source.about.input, .apart = true};
    return dt_ok();
}

/* ---- one input ---- */

static dt_status write_input(dt_keras *k, dt_keras_value *x) {
    const dt_trained *t = &k->model->trained;
    const dt_scaling *s = &t->scales.input;
    bool ids = t->source.about.ids > 0;
    x->shape = t->source.about.input;
    DT_TRY(check_scale(dt_export_is_wide(k->model), s->fill != NULL));
    write_source(k, "input", x);
    k->given[0] = *x;
    if (ids) return dt_ok();
    bool first = s->channels > 1 && s->planes > 1;
    if (first) permute(k, "channels_last", true, x);
    dt_keras_add(k, "Rescaling", "scaling",
                 json_pack("{s:o, s:o}", "scale", numbers(s->std, s->channels, true), "offset",
                           offsets(s->mean, s->std, s->channels)),
                 x);
    if (first) permute(k, "channels_first", false, x);
    return dt_ok();
}

static dt_status write_output(dt_keras *k, dt_keras_value *x) {
    const dt_scaling *s = &k->model->trained.scales.target;
    const char *final = dt_export_final(k->model);
    if (strcmp(final, "none") != 0) {
        dt_keras_add(k, "Activation", "output", json_pack("{s:s}", "activation", final), x);
    } else if (s->channels > 0) {
        if (s->channels > 1 && x->shape.rank > 1)
            return dt_fail(DT_ERR_INPUT, "targets of several dimensions have a scale each, and Keras's Rescaling takes "
                                         "one for each of the last alone");
        dt_keras_add(k, "Rescaling", "output",
                     json_pack("{s:o, s:o}", "scale", numbers(s->std, s->channels, false), "offset",
                               numbers(s->mean, s->channels, false)),
                     x);
    }
    return dt_ok();
}

static dt_status write_graph(dt_keras *k, dt_keras_value *x) {
    DT_TRY(dt_export_input_count(k->model) > 0 ? write_inputs(k, x) : write_input(k, x));
    for (int i = 0; i < dt_model_layer_count(k->model->model); i++)
        DT_TRY(dt_keras_write_layer(k, dt_model_layer(k->model->model, i), x));
    return write_output(k, x);
}

/* ---- the file ---- */

/* The graph as a model, with the names of what it takes and gives; NULL when memory is short. */
static json_t *model_of(const dt_keras *k, const dt_keras_value *x) {
    const int64_t count = dt_export_input_count(k->model);
    json_t *inputs = json_array();
    for (int64_t i = 0; i == 0 || i < count; i++)
        json_array_append_new(inputs, json_pack("[s, i, i]", k->given[i].name, 0, 0));
    return json_pack("{s:s, s:{s:s, s:b, s:O, s:o, s:[[s, i, i]]}}", "class_name", "Functional", "config", "name",
                     "model", "trainable", 1, "layers", k->layers, "input_layers", inputs, "output_layers", x->name, 0,
                     0);
}

static dt_status put_config(const json_t *graph, dt_h5 *file) {
    char *text = json_dumps(graph, JSON_COMPACT | JSON_REAL_PRECISION(17));
    dt_status status = text ? dt_h5_put_long_text(file, "/", "model_config", text) : dt_fail_memory("a graph", 0);
    free(text);
    return status;
}

static dt_status put_weight(dt_h5 *file, const char *group, const char *name, const dt_keras_weight *weight) {
    char dataset[512];
    snprintf(dataset, sizeof dataset, "%s/%s", group, name);
    DT_TRY(dt_h5_create_dataset(file, dataset, DT_F32, &weight->shape, 0));
    int64_t rows = weight->shape.rank > 0 ? weight->shape.dim[0] : 1;
    return dt_h5_write_rows(file, dataset, DT_F32, 0, rows, weight->values);
}

/* The file, and the names that were put so far. */
typedef struct weights_of {
    dt_h5 *file;
    const char **names;
} weights_of;

static dt_status put_node(void *context, const dt_keras *k, const int *order, int at) {
    const weights_of *to = context;
    const dt_keras_node *node = &k->nodes[order[at]];
    char group[128], names[DT_KERAS_WEIGHTS][2 * DT_KERAS_NAME];
    const char *pointers[DT_KERAS_WEIGHTS];
    snprintf(group, sizeof group, "/model_weights/%s", node->name);
    DT_TRY(dt_h5_make_group(to->file, group));
    for (int i = 0; i < node->weight_count; i++) {
        snprintf(names[i], sizeof names[i], "%s/%s:0", node->name, node->weights[i].name);
        pointers[i] = names[i];
        DT_TRY(put_weight(to->file, group, names[i], &node->weights[i]));
    }
    to->names[at] = node->name;
    return dt_h5_put_texts(to->file, group, "weight_names", pointers, node->weight_count);
}

/* Keras 3 takes weights by the order of layer_names (load_weights_from_hdf5_group), which is to be its own. */
static dt_status put_weights(const dt_keras *k, dt_h5 *file) {
    weights_of to = {file, dt_alloc((size_t)k->count, sizeof *to.names)};
    if (!to.names) return dt_fail_memory("names of layers", (size_t)k->count * sizeof *to.names);
    dt_status status = dt_h5_make_group(file, "/model_weights");
    if (status.code == DT_OK) status = dt_keras_put_nodes(k, dt_h5_path(file), put_node, &to);
    if (status.code == DT_OK) status = dt_h5_put_texts(file, "/model_weights", "layer_names", to.names, k->count);
    dt_free(to.names);
    return status;
}

static dt_status put_all(const dt_keras *k, const json_t *graph, dt_h5 *file) {
    static const char *const groups[] = {"/", "/model_weights"};
    dt_export_texts texts;
    DT_TRY(put_config(graph, file));
    DT_TRY(put_weights(k, file));
    for (int i = 0; i < 2; i++) {
        DT_TRY(dt_h5_put_text(file, groups[i], "keras_version", KERAS));
        DT_TRY(dt_h5_put_text(file, groups[i], "backend", "tensorflow"));
    }
    dt_status status = dt_export_texts_of(&texts, k->model);
    for (int i = 0; i < texts.count && status.code == DT_OK; i++) {
        char name[64];
        snprintf(name, sizeof name, "dtrain_%s", texts.texts[i].name);
        status = dt_h5_put_long_text(file, "/", name, texts.texts[i].text);
    }
    dt_export_texts_finish(&texts);
    return status;
}

static dt_status write_hdf5(const dt_keras *k, const json_t *graph, const char *path) {
    dt_h5 *file;
    DT_TRY(dt_h5_create(&file, path));
    dt_status status = put_all(k, graph, file), closed = dt_h5_close(&file);
    return status.code == DT_OK ? closed : status;
}

static dt_status write_file(const dt_keras *k, const dt_keras_value *x, const char *path) {
    const char *dot = strrchr(k->model->destination, '.');
    json_t *graph = model_of(k, x);
    dt_status status = !graph                              ? dt_fail_memory("a graph", 0)
                       : dot && strcmp(dot, ".keras") == 0 ? dt_keras_write_archive(k, graph, path)
                                                           : write_hdf5(k, graph, path);
    json_decref(graph);
    return status;
}

static dt_status write_keras(const dt_export *model, const char *path) {
    dt_keras k = {.model = model, .layers = json_array()};
    dt_keras_value x = {.name = ""};
    dt_status status = write_graph(&k, &x);
    if (status.code == DT_OK && k.short_of_memory) status = dt_fail_memory("a graph", 0);
    if (status.code == DT_OK) status = write_file(&k, &x, path);
    dt_keras_finish(&k);
    return status;
}

const dt_export_format dt_export_keras = {
    .name = "keras",
    .help = "one file for keras.models.load_model, a graph of Keras's own layers, and weights: .keras, or HDF5 (.h5)",
    .suffix = ".keras",
    .other = ".h5",
    .write = write_keras,
};
