/* What lines of a module are made of: names of attributes, arrays of the state, values one way round or the other. */
#include <ctype.h>
#include <string.h>

#include "base/memory.h"
#include "pytorch_layers.h"

/* ---- names ---- */

static const char *const keywords[] = {
    "False",   "None",     "True",       "and",       "as",          "assert",     "async",      "await",
    "break",   "class",    "continue",   "def",       "del",         "elif",       "else",       "except",
    "finally", "for",      "from",       "global",    "if",          "import",     "in",         "is",
    "lambda",  "nonlocal", "not",        "or",        "pass",        "raise",      "return",     "try",
    "while",   "with",     "yield",      "training",  "forward",     "raw",        "train",      "eval",
    "type",    "to",       "input_mean", "input_std", "target_mean", "target_std", "input_fill", NULL};

/* What functions of the module have besides, and x1, x2, … */
static const char *const variables[] = {"self", "torch", "nn", "F", "embed", "gate", "up", "inside", "ids", NULL};

static bool is_variable(const char *name) {
    for (const char *const *v = variables; *v; v++)
        if (strcmp(*v, name) == 0) return true;
    return name[0] == 'x' && name[1 + strspn(name + 1, "0123456789")] == '\0';
}

static bool is_taken(const dt_pytorch *p, const char *name) {
    for (const char *const *k = keywords; *k; k++)
        if (strcmp(*k, name) == 0) return true;
    for (int i = 0; i < p->names_count; i++)
        if (strcmp(p->names[i], name) == 0) return true;
    return false;
}

void dt_pytorch_attribute(dt_pytorch *p, const dt_layer *layer, char out[DT_PYTORCH_NAME]) {
    dt_pytorch_identifier(p, dt_layer_name(layer), out);
}

void dt_pytorch_variable(dt_pytorch *p, const char *name, char out[DT_PYTORCH_NAME]) {
    char other[DT_INPUT_NAME + 8];
    snprintf(other, sizeof other, "%.31s%s", name, is_variable(name) ? "_input" : "");
    dt_pytorch_identifier(p, other, out);
}

void dt_pytorch_row(dt_pytorch *p, dt_pytorch_value *x) {
    if (!x->apart) return;
    fprintf(p->body, "        %s = torch.cat((", x->name);
    for (int64_t i = 0; i < dt_export_input_count(p->model); i++) fprintf(p->body, "%s.flatten(1), ", p->inputs[i]);
    fprintf(p->body, "), -1)\n");
    x->apart = false;
}

void dt_pytorch_identifier(dt_pytorch *p, const char *name, char out[DT_PYTORCH_NAME]) {
    char plain[DT_PYTORCH_NAME - 16];
    size_t length = 0;
    if (!isalpha((unsigned char)name[0]) || (unsigned char)name[0] > 127) plain[length++] = 'm';
    for (const char *c = name; *c && length + 1 < sizeof plain; c++)
        plain[length++] = (unsigned char)*c < 128 && isalnum((unsigned char)*c) ? *c : '_';
    plain[length] = '\0';
    snprintf(out, DT_PYTORCH_NAME, "%s", plain);
    for (int i = 2; is_taken(p, out); i++) snprintf(out, DT_PYTORCH_NAME, "%s_%d", plain, i);
    char(*grown)[DT_PYTORCH_NAME] = dt_alloc((size_t)p->names_count + 1, sizeof *grown);
    if (!grown) {
        p->short_of_memory = true;
        return;
    }
    if (p->names_count > 0) memcpy(grown, p->names, (size_t)p->names_count * sizeof *grown);
    memcpy(grown[p->names_count++], out, DT_PYTORCH_NAME);
    dt_free(p->names);
    p->names = grown;
}

/* ---- the state ---- */

static dt_named_array *next_array(dt_pytorch *p, const char *attribute, const char *name) {
    if (p->array_count == p->array_room) {
        int64_t room = p->array_room ? 2 * p->array_room : 64;
        dt_named_array *arrays = dt_alloc((size_t)room, sizeof *arrays);
        void **owned = dt_alloc((size_t)room, sizeof *owned);
        if (!arrays || !owned) {
            dt_free(arrays);
            dt_free(owned);
            p->short_of_memory = true;
            return NULL;
        }
        if (p->array_count > 0) {
            memcpy(arrays, p->arrays, (size_t)p->array_count * sizeof *arrays);
            memcpy(owned, p->owned, (size_t)p->array_count * sizeof *owned);
        }
        dt_free(p->arrays);
        dt_free(p->owned);
        p->arrays = arrays;
        p->owned = owned;
        p->array_room = room;
    }
    dt_named_array *array = &p->arrays[p->array_count++];
    snprintf(array->name, sizeof array->name, "%s%s%s", attribute, *name && *attribute ? "." : "", name);
    return array;
}

/* Memory of the newest array. */
static void *own(dt_pytorch *p, size_t count, size_t size) {
    void *memory = p->owned[p->array_count - 1] = dt_alloc(count + 1, size);
    if (memory) return memory;
    p->short_of_memory = true;
    p->array_count--;
    return NULL;
}

void dt_pytorch_values(dt_pytorch *p, const char *attribute, const char *name, dt_dtype dtype, const dt_shape *shape,
                       const void *values) {
    dt_named_array *array = next_array(p, attribute, name);
    size_t count = (size_t)dt_shape_count(shape), size = dt_dtype_size(dtype);
    void *memory = array ? own(p, count, size) : NULL;
    if (!memory) return;
    array->dtype = dtype;
    array->shape = *shape;
    array->data = memcpy(memory, values, count * size);
}

void dt_pytorch_constant(dt_pytorch *p, const char *attribute, const char *name, const dt_shape *shape, float value) {
    dt_named_array *array = next_array(p, attribute, name);
    int64_t count = dt_shape_count(shape);
    float *values = array ? own(p, (size_t)count, sizeof *values) : NULL;
    if (!values) return;
    for (int64_t i = 0; i < count; i++) values[i] = value;
    array->dtype = DT_F32;
    array->shape = *shape;
    array->data = values;
}

void dt_pytorch_state(dt_pytorch *p, const char *attribute, const char *name, const dt_layer *layer, const char *tensor,
                      const int *order) {
    const dt_tensor *from = dt_layer_tensor(layer, tensor);
    dt_named_array *array = next_array(p, attribute, name);
    if (!array) return;
    array->dtype = DT_F32;
    array->shape = from->shape;
    array->data = dt_export_values(p->model, from);
    float *values = order ? own(p, from->count, sizeof *values) : NULL;
    if (!values) return;
    dt_export_turn(values, &array->shape, array->data, &from->shape, order);
    array->data = values;
}

/* ---- code ---- */

/* x.permute(0, …) */
static void write_order(dt_pytorch *p, dt_pytorch_value *x, bool first) {
    int rank = x->shape.rank;
    fprintf(p->body, "        %s = %s.permute(0", x->name, x->name);
    for (int i = 1; i <= rank; i++) fprintf(p->body, ", %d", first ? (i == 1 ? rank : i - 1) : (i == rank ? 1 : i + 1));
    fprintf(p->body, ")\n");
    x->first = first;
}

void dt_pytorch_last(dt_pytorch *p, dt_pytorch_value *x) {
    if (x->first) write_order(p, x, false);
}

void dt_pytorch_first(dt_pytorch *p, dt_pytorch_value *x) {
    if (!x->first && x->shape.rank > 1) write_order(p, x, true);
}

void dt_pytorch_activation(dt_pytorch *p, const dt_pytorch_value *x, const char *activation, double slope) {
    const char *name = x->name;
    if (strcmp(activation, "linear") == 0) return;
    if (strcmp(activation, "leaky_relu") == 0)
        fprintf(p->body, "        %s = F.leaky_relu(%s, %.9g)\n", name, name, slope);
    else if (strcmp(activation, "gelu") == 0)
        fprintf(p->body, "        %s = F.gelu(%s, approximate=\"tanh\")\n", name, name);
    else if (strcmp(activation, "softmax") == 0)
        fprintf(p->body, "        %s = torch.softmax(%s, -1)\n", name, name);
    else
        fprintf(p->body, "        %s = %s.%s(%s)\n", name,
                strcmp(activation, "tanh") == 0 || strcmp(activation, "sigmoid") == 0 ? "torch" : "F", activation,
                name);
}

static const int turned[] = {1, 0};

void dt_pytorch_linear(dt_pytorch *p, const dt_layer *layer, const char *attribute, const char *weight,
                       const char *bias) {
    const dt_tensor *w = dt_layer_tensor(layer, weight);
    bool biased = dt_layer_tensor(layer, bias) != NULL;
    fprintf(p->init, "        self.%s = nn.Linear(%lld, %lld%s)\n", attribute, (long long)w->shape.dim[0],
            (long long)w->shape.dim[1], biased ? "" : ", bias=False");
    dt_pytorch_state(p, attribute, "weight", layer, weight, turned);
    if (biased) dt_pytorch_state(p, attribute, "bias", layer, bias, NULL);
}
