/* Biases and gates of recurrent layers. PyTorch and Keras have a bias for each of a cell's two products. A gate adds
 * them up, so their sum is our b; but the GRU's candidate is tanh(x + b + r*(h w_state + b_state)), whose second bias
 * is apart (Keras: reset_after, its default). */
#include "weights_recurrent.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* "gru_cell/bias:0" is "bias" */
static bool has_word(const char *name, const char *word) {
    const char *last = name;
    for (const char *c = name; *c; c++)
        if (*c == '/' || *c == '.') last = c + 1;
    size_t bytes = strlen(word);
    return strncmp(last, word, bytes) == 0 && (last[bytes] == '\0' || last[bytes] == ':' || word[bytes - 1] == 'l');
}

/* Units of the GRU that has the tensor "layer/w_in2"; 0: no GRU has it. */
static int64_t gru_units(const dt_table *table, const dt_tensor *t) {
    const char *slash = strrchr(t->name, '/');
    if (!slash) return 0;
    const char *number = slash + strlen(slash);
    while (number[-1] >= '0' && number[-1] <= '9') number--;
    char state[sizeof t->name + 16];
    snprintf(state, sizeof state, "%.*s/w_state%s", (int)(slash - t->name), t->name, number);
    for (int i = 0; i < table->count; i++) {
        const dt_shape *shape = &table->tensors[i].shape;
        if (strcmp(table->tensors[i].name, state) == 0)
            return shape->rank == 2 && shape->dim[1] == 3 * shape->dim[0] ? shape->dim[0] : 0;
    }
    return 0;
}

static bool is_of_state(const dt_tensor *t) {
    const char *slash = strrchr(t->name, '/');
    return slash && strncmp(slash + 1, "b_state", 7) == 0;
}

dt_part dt_part_of(const dt_table *table, const dt_tensor *t, const char *array, const dt_shape *has, dt_shape *shape) {
    int64_t units = gru_units(table, t);
    bool second = has_word(array, "bias_hh_l"), bias = has_word(array, "bias");
    if (second && units > 0) *shape = (dt_shape){1, {3 * units}};
    if (second) return units > 0 && is_of_state(t) ? DT_PART_CANDIDATE : DT_PART_ADDED;
    if (units == 0) return DT_PART_WHOLE;
    if (has_word(array, "kernel") || has_word(array, "recurrent_kernel")) return DT_PART_GATES;
    if (!bias) return DT_PART_WHOLE;
    if (has->rank == 1 && has->dim[0] == 3 * units) return DT_PART_RESET_BEFORE;
    *shape = (dt_shape){2, {2, 3 * units}};
    return is_of_state(t) ? DT_PART_BIASES_CANDIDATE : DT_PART_BIASES;
}

/* Keras's z r h as r z n, of each row of [rows, 3*units]. */
static void swap_gates(dt_real *to, const float *from, int64_t rows, int64_t units) {
    static const int64_t order[] = {1, 0, 2};
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < 3 * units; j++)
            to[r * 3 * units + j] = from[r * 3 * units + order[j / units] * units + j % units];
}

static void take_biases(dt_real *to, const float *from, int64_t units) {
    const float *of_state = from + 3 * units;
    swap_gates(to, from, 1, units);
    for (int64_t j = 0; j < units; j++) {
        to[j] += of_state[units + j];
        to[units + j] += of_state[j];
    }
}

void dt_part_take(dt_part part, const dt_table *table, const dt_tensor *t, const float *from, dt_real *to) {
    int64_t units = gru_units(table, t), count = (int64_t)t->count;
    switch (part) {
    case DT_PART_ADDED:
        for (int64_t i = 0; i < (units > 0 ? 2 * units : count); i++) to[i] += from[i];
        break;
    case DT_PART_CANDIDATE:
        for (int64_t i = 0; i < units; i++) to[i] = from[2 * units + i];
        break;
    case DT_PART_GATES:
        if (units > 0) swap_gates(to, from, count / (3 * units), units);
        break;
    case DT_PART_BIASES: take_biases(to, from, units); break;
    case DT_PART_BIASES_CANDIDATE:
        for (int64_t i = 0; i < units; i++) to[i] = from[5 * units + i];
        break;
    default:
        for (int64_t i = 0; i < count; i++) to[i] = from[i];
    }
}
