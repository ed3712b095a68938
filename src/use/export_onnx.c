/* A model as an ONNX graph: from the numbers of a file to what users are told. Input: "input", [batch, shape…] as the
 * data has it, numbers or token ids, or one for each name that the recipe has; scaling is part of the graph. Outputs:
 * "output", after the loss's softmax or logistic function, or in the targets' own units; and "raw", what the last layer
 * gives, where that is another thing.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "onnx_layers.h"

static bool is_plain(const double *mean, const double *std, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (mean[i] != 0 || std[i] != 1) return false;
    return true;
}

/* A copy that lives as long as the graph, which borrows numbers. */
static const double *kept(dt_onnx *g, const double *values, int64_t count) {
    double *own = dt_onnx_memory(g, (size_t)count * sizeof *own);
    return own ? memcpy(own, values, (size_t)count * sizeof *own) : values;
}

/* Numbers of the type the graph computes with there. */
static const char *numbers(dt_onnx *g, const char *name, const dt_shape *shape, const double *values, bool wide) {
    int64_t count = dt_shape_count(shape);
    if (wide) return dt_onnx_doubles(g, name, shape, kept(g, values, count));
    float *own = dt_onnx_memory(g, (size_t)count * sizeof *own);
    for (int64_t i = 0; own && i < count; i++) own[i] = (float)values[i];
    return own ? dt_onnx_floats(g, name, shape, own) : "";
}

/* (x - mean)/std; in double where float32 would lose what the numbers are about. */
static void write_scaling(const dt_onnx_writer *w, dt_onnx_value *x, bool wide) {
    dt_onnx *g = w->graph;
    const dt_scaling *s = &w->model->trained.scales.input;
    dt_shape shape = dt_export_scale_shape(s, &x->shape);
    dt_onnx_scope(g, "scaling");
    if (s->fill) {
        dt_shape columns = dt_export_column_shape(s, &x->shape);
        const char *missing = dt_onnx_op(g, "IsNaN", x->name, NULL, NULL);
        x->name = dt_onnx_op(g, "Where", missing, numbers(g, "fill", &columns, s->fill, wide), x->name);
    }
    if (!is_plain(s->mean, s->std, s->channels)) {
        x->name = dt_onnx_op(g, "Sub", x->name, numbers(g, "mean", &shape, s->mean, wide), NULL);
        x->name = dt_onnx_op(g, "Div", x->name, numbers(g, "std", &shape, s->std, wide), NULL);
    }
    if (wide)
        x->name = dt_onnx_node(g, "Cast", (const char *const[]){x->name, NULL},
                               (const dt_onnx_attribute[]){DT_ONNX_INT("to", DT_ONNX_FLOAT), DT_ONNX_END});
}

static void write_cast(const dt_onnx_writer *w, dt_onnx_value *x) {
    x->name = dt_onnx_node(w->graph, "Cast", (const char *const[]){x->name, NULL},
                           (const dt_onnx_attribute[]){DT_ONNX_INT("to", DT_ONNX_FLOAT), DT_ONNX_END});
}

/* ---- inputs that have names ---- */

static void scale_named(const dt_onnx_writer *w, const dt_export_scale *s, dt_onnx_value *x) {
    dt_onnx *g = w->graph;
    if (s->fill) {
        const char *missing = dt_onnx_op(g, "IsNaN", x->name, NULL, NULL);
        x->name = dt_onnx_op(g, "Where", missing, numbers(g, "fill", &s->fill_shape, s->fill, s->wide), x->name);
    }
    if (!s->plain) {
        x->name = dt_onnx_op(g, "Sub", x->name, numbers(g, "mean", &s->shape, s->mean, s->wide), NULL);
        x->name = dt_onnx_op(g, "Div", x->name, numbers(g, "std", &s->shape, s->std, s->wide), NULL);
    }
    if (s->wide) write_cast(w, x);
}

static dt_status write_named_input(dt_onnx_writer *w, int64_t i) {
    const dt_input *input = dt_export_input(w->model, i);
    dt_onnx_value x = {.name = input->name, .shape = input->shape};
    dt_export_scale scale;
    if (strcmp(input->name, "output") == 0 || strcmp(input->name, "raw") == 0)
        return dt_fail(DT_ERR_INPUT, "the input `%s` has the name of one of the graph's outputs", input->name);
    dt_status status = dt_export_input_scale(&scale, w->model, input);
    char *scope = dt_onnx_memory(w->graph, sizeof input->name + 16);
    if (status.code == DT_OK && !scope) status = dt_fail_memory("a graph", sizeof input->name);
    if (status.code == DT_OK) {
        snprintf(scope, sizeof input->name + 16, "scaling/%s", input->name);
        dt_onnx_scope(w->graph, scope);
        dt_onnx_input(w->graph, x.name, scale.wide ? DT_ONNX_DOUBLE : DT_ONNX_FLOAT, &input->shape);
        scale_named(w, &scale, &x);
        w->inputs[i] = x.name;
    }
    dt_export_scale_finish(&scale);
    return status;
}

static dt_status write_inputs(dt_onnx_writer *w, dt_onnx_value *x) {
    *x = (dt_onnx_value){.name = "", .shape = w->model->trained.source.about.input, .apart = true};
    for (int64_t i = 0; i < dt_export_input_count(w->model); i++) DT_TRY(write_named_input(w, i));
    return dt_ok();
}

/* ---- one input ---- */

static void write_input(dt_onnx_writer *w, dt_onnx_value *x) {
    const dt_source_about *about = &w->model->trained.source.about;
    bool ids = about->ids > 0, wide = !ids && dt_export_is_wide(w->model);
    *x = (dt_onnx_value){.name = "input", .shape = about->input};
    dt_onnx_input(w->graph, x->name, ids ? DT_ONNX_INT64 : wide ? DT_ONNX_DOUBLE : DT_ONNX_FLOAT, &about->input);
    if (ids) {
        w->ids = x->name;
        w->positions = dt_shape_count(&about->input);
        if (!dt_export_reads_ids(w->model)) write_cast(w, x);
    } else {
        write_scaling(w, x, wide);
    }
}

/* y*std + mean, the targets' own units. */
static void write_units(const dt_onnx_writer *w, dt_onnx_value *x) {
    dt_onnx *g = w->graph;
    const dt_scaling *s = &w->model->trained.scales.target;
    dt_shape shape = s->channels > 1 ? x->shape : (dt_shape){0};
    if (s->channels == 0) return;
    if (s->any_far)
        x->name = dt_onnx_node(g, "Cast", (const char *const[]){x->name, NULL},
                               (const dt_onnx_attribute[]){DT_ONNX_INT("to", DT_ONNX_DOUBLE), DT_ONNX_END});
    x->name = dt_onnx_op(g, "Mul", x->name, numbers(g, "std", &shape, s->units, s->any_far), NULL);
    x->name = dt_onnx_op(g, "Add", x->name, numbers(g, "mean", &shape, s->offsets, s->any_far), NULL);
    if (s->any_far)
        x->name = dt_onnx_node(g, "Cast", (const char *const[]){x->name, NULL},
                               (const dt_onnx_attribute[]){DT_ONNX_INT("to", DT_ONNX_FLOAT), DT_ONNX_END});
}

static void write_output(const dt_onnx_writer *w, dt_onnx_value *x) {
    dt_onnx *g = w->graph;
    const char *final = dt_export_final(w->model);
    dt_onnx_last(w, x);
    dt_onnx_scope(g, "output");
    if (strcmp(final, "none") != 0) {
        dt_onnx_name(g, x->name, "raw");
        dt_onnx_output(g, "raw", DT_ONNX_FLOAT, &x->shape);
    }
    if (strcmp(final, "softmax") == 0)
        x->name = dt_onnx_node(g, "Softmax", (const char *const[]){"raw", NULL},
                               (const dt_onnx_attribute[]){DT_ONNX_INT("axis", -1), DT_ONNX_END});
    if (strcmp(final, "sigmoid") == 0) x->name = dt_onnx_op(g, "Sigmoid", "raw", NULL, NULL);
    write_units(w, x);
    dt_onnx_name(g, x->name, "output");
    dt_onnx_output(g, "output", DT_ONNX_FLOAT, &x->shape);
}

static dt_status build(dt_onnx_writer *w) {
    dt_onnx_value x;
    if (dt_export_input_count(w->model) > 0)
        DT_TRY(write_inputs(w, &x));
    else
        write_input(w, &x);
    for (int i = 0; i < dt_model_layer_count(w->model->model); i++)
        DT_TRY(dt_onnx_write_layer(w, dt_model_layer(w->model->model, i), &x));
    if (w->model->state && *w->states == 0)
        return dt_fail(DT_ERR_INPUT, "--state: the model has no recurrent layer that carries a state");
    write_output(w, &x);
    return dt_ok();
}

static dt_status write_onnx(const dt_export *model, const char *path) {
    int states = 0;
    dt_onnx_writer w = {.model = model, .states = &states};
    dt_export_texts texts;
    DT_TRY(dt_onnx_open(&w.graph));
    dt_status status = build(&w);
    dt_status told = dt_export_texts_of(&texts, model);
    if (status.code == DT_OK) status = told;
    if (status.code == DT_OK) status = dt_onnx_write(w.graph, path, texts.texts, texts.count);
    dt_export_texts_finish(&texts);
    dt_onnx_close(w.graph);
    return status;
}

const dt_export_format dt_export_onnx = {
    .name = "onnx",
    .help = "one file: the graph from the numbers of a file to probabilities or values, opset 17",
    .state = true,
    .write = write_onnx,
};
