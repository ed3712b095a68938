/* Models and lists of layers from a line of a recipe, numbers to fill them with, and numbers to compare theirs with.
 * All in dt_real: compiled once for the float build and once for the double. What only a wrong test could fail in is
 * asserted here, so that a test reads as what it is about. */
#ifndef DTRAIN_TESTS_MODELS_H
#define DTRAIN_TESTS_MODELS_H

#include "model/decode.h"
#include "model/kinds.h"
#include "model/linear.h"
#include "model/loss.h"
#include "suite.h"

extern const dt_recipe_loss cross_entropy;

const dt_kernels *best_kernels(void);

/* ---- numbers, to be freed ---- */

/* Uniform in [-1, 1): the first n of the reference's sequence `seed`. */
dt_real *reals(size_t n, uint64_t seed);
dt_real *narrow(const double *from, size_t n);

/* All elements of a table, one tensor after the other, into an arena with padding between. */
void scatter(const dt_table *table, dt_real *arena, const double *from);

/* Asserts that each number is the wanted one to `tolerance` times the largest of them; of the tensor's, for the tensors
 * in an arena. `of` and `what` say in the message what they are. */
void expect_near(const char *of, const char *what, const dt_real *got, const double *want, size_t n, double tolerance);
void expect_tensors_near(const char *of, const dt_table *table, const dt_real *arena, const double *want,
                         double tolerance);

/* ---- models ---- */

/* The text, in YAML and perhaps of several lines, as a recipe has it below `layers:`; the list is its field `layers`.
 */
dt_yaml *parse_layers(const char *layers);

dt_status try_model(dt_model **model, const char *layers, const dt_recipe_loss *loss, const dt_model_spec *spec);
/* With softmax cross entropy; it must succeed. */
dt_model *new_model(const char *layers, const dt_model_spec *spec);

/* Asserts that the list `model` resolves to makes the same model and resolves to itself. Returns that model, and the
 * list's text in *text; both are the caller's. */
dt_model *resolved_again(const dt_model *model, const dt_model_spec *spec, char **text);

/* A list of layers planned outside a model, whose input then has a gradient too (unless it is of ids), with weights and
 * gradients that are random. */
typedef struct layer_list {
    dt_yaml *root;
    dt_sequence sequence;
    dt_table table;
    dt_real *arena, *w, *grads;
    size_t elements;     /* of the arena */
    int64_t state_width; /* numbers a row */
} layer_list;

/* `input` is the list's; that of `spec` is the model's, and may differ. The list is to be finished, planned or not. */
dt_status layer_list_plan(layer_list *list, const char *layers, const dt_model_spec *spec, const dt_shape *input);
void layer_list_init(layer_list *list, const char *layers, const dt_model_spec *spec, const dt_shape *input);
void layer_list_finish(layer_list *list);

#endif
