#include "models.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "isa.h"
#include "reference.h"

const dt_recipe_loss cross_entropy = {DT_LOSS_SOFTMAX_CROSS_ENTROPY, 0};

const dt_kernels *best_kernels(void) {
    const dt_kernels *kernels;
    assert_ok(dt_compute_open(&kernels, test_isa(), 1));
    return kernels;
}

/* ---- numbers ---- */

dt_real *reals(size_t n, uint64_t seed) {
    dt_real *x = dt_alloc(n ? n : 1, sizeof *x);
    ck_assert_ptr_nonnull(x);
    for (size_t i = 0; i < n; i++) x[i] = (dt_real)ref_uniform(seed, i);
    return x;
}

dt_real *narrow(const double *from, size_t n) {
    dt_real *x = reals(n, 0);
    for (size_t i = 0; i < n; i++) x[i] = (dt_real)from[i];
    return x;
}

void scatter(const dt_table *table, dt_real *arena, const double *from) {
    for (int t = 0; t < table->count; t++)
        for (size_t i = 0; i < table->tensors[t].count; i++) arena[table->tensors[t].offset + i] = (dt_real)*from++;
}

void expect_near(const char *of, const char *what, const dt_real *got, const double *want, size_t n, double tolerance) {
    double largest = 0.01; /* what is zero comes as a rounding error: a bias's gradient before batch norm */
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(want[i]));
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)got[i] - want[i]) <= tolerance * largest, "%s: %s, element %zu: %.17g, not %.17g",
                      of, what, i, (double)got[i], want[i]);
}

void expect_tensors_near(const char *of, const dt_table *table, const dt_real *arena, const double *want,
                         double tolerance) {
    for (int t = 0; t < table->count; want += table->tensors[t++].count) {
        const dt_tensor *tensor = &table->tensors[t];
        expect_near(of, tensor->name, arena + tensor->offset, want, tensor->count, tolerance);
    }
}

/* ---- models ---- */

dt_yaml *parse_layers(const char *layers) {
    char text[2048];
    ck_assert_int_lt(snprintf(text, sizeof text, "layers: %s\n", layers), (int)sizeof text);
    dt_yaml *root;
    dt_status status = dt_yaml_parse_text(&root, "test.yaml", text);
    ck_assert_msg(status.code == DT_OK, "%s: %s", layers, status.message);
    return root;
}

dt_status try_model(dt_model **model, const char *layers, const dt_recipe_loss *loss, const dt_model_spec *spec) {
    *model = NULL;
    dt_yaml *root = parse_layers(layers);
    dt_status status = dt_model_create(model, dt_yaml_get(root, "layers"), loss, spec, best_kernels());
    dt_yaml_destroy(root);
    return status;
}

dt_model *new_model(const char *layers, const dt_model_spec *spec) {
    dt_model *model;
    dt_status status = try_model(&model, layers, &cross_entropy, spec);
    ck_assert_msg(status.code == DT_OK, "%s: %s", layers, status.message);
    return model;
}

dt_model *resolved_again(const dt_model *model, const dt_model_spec *spec, char **text) {
    dt_model *again;
    dt_yaml *resolved, *twice;
    assert_ok(dt_model_resolved(model, &resolved));
    assert_ok(dt_model_create(&again, resolved, &cross_entropy, spec, best_kernels()));
    assert_ok(dt_model_resolved(again, &twice));
    char *other = dt_yaml_emit(twice);
    *text = dt_yaml_emit(resolved);
    ck_assert_str_eq(*text, other);
    size_t total = dt_model_table(model)->total;
    ck_assert_uint_eq(total, dt_model_table(again)->total);
    dt_real *w = reals(total, 1), *v = reals(total, 2);
    dt_model_init(model, w, 8);
    dt_model_init(again, v, 8);
    ck_assert_int_eq(memcmp(w, v, total * sizeof *w), 0);
    dt_free(w), dt_free(v), dt_free(other);
    dt_yaml_destroy(resolved), dt_yaml_destroy(twice);
    return again;
}

dt_status layer_list_plan(layer_list *list, const char *layers, const dt_model_spec *spec, const dt_shape *input) {
    memset(list, 0, sizeof *list);
    list->root = parse_layers(layers);
    dt_plan plan = {.table = &list->table, .spec = spec};
    dt_status status = dt_sequence_decode(&list->sequence, dt_yaml_get(list->root, "layers"), "layers");
    if (status.code == DT_OK) status = dt_sequence_plan(&list->sequence, &plan, "", input, spec->ids == 0);
    if (status.code == DT_OK) status = dt_plan_bind(&plan, &list->arena);
    dt_table_settle(&list->table);
    list->elements = plan.total;
    list->state_width = plan.state_width;
    dt_plan_finish(&plan);
    return status;
}

void layer_list_init(layer_list *list, const char *layers, const dt_model_spec *spec, const dt_shape *input) {
    dt_status status = layer_list_plan(list, layers, spec, input);
    ck_assert_msg(status.code == DT_OK, "%s: %s", layers, status.message);
    list->w = reals(list->table.total, 1);
    list->grads = reals(list->table.total, 2);
}

void layer_list_finish(layer_list *list) {
    dt_sequence_finish(&list->sequence);
    dt_table_finish(&list->table);
    dt_yaml_destroy(list->root);
    dt_free(list->arena), dt_free(list->w), dt_free(list->grads);
}
