/* Planning only adds up what the layers ask for; the memory is one arena, allocated when everything is known, so a
 * model that does not fit fails at once and with one number. */
#include "plan.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/pattern.h"

#define ALIGN_ELEMENTS ((size_t)16)

dt_status dt_layer_fail(const dt_layer *layer, const char *format, ...) {
    char text[320];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return dt_status_make(DT_ERR_INPUT, layer->kind->name, "recipe %s: layer %s: %s", layer->source, layer->name, text);
}

int64_t dt_matrix_rows(const dt_layer *layer, const dt_pass *pass) {
    return pass->rows * (dt_shape_count(&layer->in) / dt_shape_last(&layer->in));
}

bool dt_plan_training(const dt_plan *plan) {
    return plan->spec->training;
}

int64_t dt_plan_rows(const dt_plan *plan) {
    return plan->spec->rows;
}

const dt_model_spec *dt_plan_spec(const dt_plan *plan) {
    return plan->spec;
}

int64_t dt_plan_positions(dt_plan *plan, const dt_layer *layer) {
    plan->bounded = true;
    return plan->spec->decoding > 0 ? plan->spec->decoding : layer->in.dim[0];
}

dt_status dt_plan_check_values(const dt_plan *plan, const dt_layer *layer, int64_t values, bool per_sample) {
    const dt_model_spec *spec = plan->spec;
    if (!spec->training || spec->least_rows == 0 || values > 1) return dt_ok();
    if (per_sample)
        return dt_layer_fail(layer, "it normalises single values, which leaves the same whatever they were; remove it");
    if (spec->least_rows > 1) return dt_ok();
    return dt_layer_fail(
        layer,
        "%s, of which it would see one value a channel, and give the same whatever that is; try %s, or "
        "layer_norm instead",
        spec->least_where, spec->least_remedy);
}

dt_status dt_plan_recurrent_state(dt_plan *plan, dt_layer *layer, int64_t per_row) {
    layer->state_at = plan->state_width;
    if (__builtin_add_overflow(plan->state_width, per_row, &plan->state_width))
        return dt_layer_fail(layer, "the state of a row is beyond any memory");
    return dt_ok();
}

void dt_plan_along(dt_layer *layer, int64_t out) {
    layer->out = layer->in;
    if (layer->out.rank == 0) layer->out.rank = 1;
    layer->out.dim[layer->out.rank - 1] = out;
    layer->positionwise = layer->in.rank > 1;
    layer->reads_input = true;
}

/* A tensor of this name would be the file's group of another, or the reverse. */
static bool names_clash(const char *a, const char *b) {
    size_t length_a = strlen(a), length_b = strlen(b), shorter = length_a < length_b ? length_a : length_b;
    const char *rest = length_a < length_b ? b + shorter : a + shorter;
    return strncmp(a, b, shorter) == 0 && (*rest == '\0' || *rest == '/');
}

static bool is_frozen(const dt_plan *plan, const char *name) {
    const dt_yaml *freeze = plan->spec->training ? plan->spec->freeze : NULL;
    for (const dt_yaml *pattern = freeze ? freeze->first : NULL; pattern; pattern = pattern->next)
        if (dt_pattern_fits(pattern->text, name)) return true;
    return false;
}

dt_status dt_plan_param(dt_plan *plan, dt_layer *layer, const char *name, const dt_shape *shape, unsigned flags) {
    if (layer->param_count == DT_LAYER_MAX_PARAMS)
        return dt_layer_fail(layer, "a layer may have %d parameter tensors", DT_LAYER_MAX_PARAMS);
    char full[sizeof((dt_tensor *)0)->name];
    snprintf(full, sizeof full, "%s/%s", layer->name, name);
    for (int i = 0; i < plan->table->count; i++)
        if (names_clash(plan->table->tensors[i].name, full))
            return dt_layer_fail(layer, "its tensor %s and the tensor %s cannot be told apart; give it another `name`",
                                 full, plan->table->tensors[i].name);
    if (is_frozen(plan, full)) flags |= DT_TENSOR_FROZEN;
    dt_status status = dt_table_add(plan->table, full, shape, flags);
    if (status.code != DT_OK) return dt_status_within(status, "recipe %s: layer %s", layer->source, layer->name);
    layer->param[layer->param_count++] = plan->table->count - 1;
    return dt_ok();
}

dt_status dt_plan_statistic(dt_plan *plan, dt_layer *layer, const char *name, const dt_shape *shape, double keep) {
    DT_TRY(dt_plan_param(plan, layer, name, shape, DT_TENSOR_STATISTIC));
    plan->table->tensors[plan->table->count - 1].keep = keep;
    return dt_ok();
}

dt_status dt_plan_share(dt_plan *plan, dt_layer *layer, const char *owner, const char *name, int64_t width) {
    char full[sizeof((dt_tensor *)0)->name];
    snprintf(full, sizeof full, "%s/%s", owner, name);
    int found = 0;
    while (found < plan->table->count && strcmp(plan->table->tensors[found].name, full) != 0) found++;
    dt_tensor *tensor = &plan->table->tensors[found];
    if (found == plan->table->count || !(tensor->flags & DT_TENSOR_LENT))
        return dt_layer_fail(
            layer, "%s is no embedding's table before it; `of` must be the name of the model's embedding", full);
    if (tensor->shape.rank != 2 || tensor->shape.dim[1] != width) {
        char shape[96];
        dt_shape_text(&tensor->shape, shape);
        return dt_layer_fail(
            layer,
            "its input has %lld numbers at a position but %s is %s; they must be as many as its second "
            "dimension",
            (long long)width, full, shape);
    }
    if (tensor->flags & DT_TENSOR_SHARED) return dt_layer_fail(layer, "another layer uses %s already; one may", full);
    tensor->flags |= DT_TENSOR_SHARED;
    layer->param[layer->param_count++] = found;
    return dt_ok();
}

static dt_status add_request(dt_plan *plan, dt_real **where, int pool, size_t offset) {
    if (plan->count == plan->capacity) {
        size_t capacity = plan->capacity ? 2 * plan->capacity : 32;
        dt_request *grown = dt_alloc(capacity, sizeof *grown);
        if (!grown) return dt_fail_memory("the model's plan", capacity * sizeof *grown);
        if (plan->count) memcpy(grown, plan->requests, plan->count * sizeof *grown);
        dt_free(plan->requests);
        plan->requests = grown;
        plan->capacity = capacity;
    }
    plan->requests[plan->count++] = (dt_request){where, offset, pool};
    return dt_ok();
}

/* Elements of so many rows, as what comes next in the arena begins behind them. */
static dt_status elements_of(const dt_plan *plan, int64_t rows, int64_t per_row, size_t *out) {
    size_t count, total, bytes;
    if (!dt_size_mul((size_t)rows, (size_t)per_row, &count) ||
        __builtin_add_overflow(count, plan->total + ALIGN_ELEMENTS, &total) ||
        !dt_size_mul(total, sizeof(dt_real), &bytes))
        return dt_fail(DT_ERR_MEMORY, "activations of %lld samples with %lld values each are beyond any memory",
                       (long long)rows, (long long)per_row);
    *out = (count + ALIGN_ELEMENTS - 1) / ALIGN_ELEMENTS * ALIGN_ELEMENTS;
    return dt_ok();
}

static dt_status request(dt_plan *plan, dt_real **where, int64_t rows, int64_t per_row) {
    size_t count = 0;
    DT_TRY(elements_of(plan, rows, per_row, &count));
    DT_TRY(add_request(plan, where, -1, plan->total));
    plan->total += count;
    return dt_ok();
}

static dt_status request_pool(dt_plan *plan, dt_real **where, int pool, size_t count) {
    if (count > plan->pools[pool]) plan->pools[pool] = count;
    return add_request(plan, where, pool, 0);
}

dt_status dt_plan_memory(dt_plan *plan, dt_real **where, int64_t per_row) {
    return request(plan, where, plan->spec->rows, per_row);
}

dt_status dt_plan_portion(dt_plan *plan, dt_real **where, int64_t rows, int64_t per_row) {
    return request(plan, where, rows, per_row);
}

dt_status dt_plan_gradient(dt_plan *plan, dt_real **where, int which, int64_t per_row) {
    size_t count = 0;
    DT_TRY(elements_of(plan, plan->spec->rows, per_row, &count));
    return request_pool(plan, where, DT_POOL_GRADIENTS + 2 * (plan->depth - 1) + which, count);
}

dt_status dt_plan_same(dt_plan *plan, dt_real **where, dt_real *const *of) {
    size_t i = 0;
    while (plan->requests[i].where != of) i++;
    return add_request(plan, where, plan->requests[i].pool, plan->requests[i].offset);
}

static dt_status request_scratch(dt_plan *plan, dt_layer *layer, bool fixed, int64_t width) {
    if (layer->scratch_count == DT_LAYER_MAX_SCRATCH)
        return dt_layer_fail(layer, "a layer may have %d pieces of scratch", DT_LAYER_MAX_SCRATCH);
    layer->scratch_width[layer->scratch_count] = fixed ? 0 : width;
    return request(plan, &layer->scratch[layer->scratch_count++], fixed ? 1 : plan->spec->rows, width);
}

dt_status dt_plan_scratch(dt_plan *plan, dt_layer *layer, int64_t per_row) {
    return request_scratch(plan, layer, false, per_row);
}

dt_status dt_plan_fixed(dt_plan *plan, dt_layer *layer, int64_t count) {
    return request_scratch(plan, layer, true, count);
}

dt_status dt_plan_workspace(dt_plan *plan, dt_layer *layer, size_t bytes) {
    size_t wanted = bytes / sizeof(dt_real) + (bytes % sizeof(dt_real) != 0);
    return request_pool(plan, &layer->workspace, DT_POOL_WORKSPACE,
                        (wanted + ALIGN_ELEMENTS - 1) / ALIGN_ELEMENTS * ALIGN_ELEMENTS);
}

dt_status dt_plan_rounded(dt_plan *plan, dt_real **where, int64_t per_row) {
    size_t count = 0;
    DT_TRY(elements_of(plan, plan->spec->rows, per_row, &count));
    return request_pool(plan, where, DT_POOL_ROUNDED, count);
}

dt_status dt_plan_bind(dt_plan *plan, dt_real **arena) {
    size_t pool_at[DT_POOLS];
    for (int i = 0; i < DT_POOLS; i++) {
        pool_at[i] = plan->total;
        if (__builtin_add_overflow(plan->total, plan->pools[i], &plan->total))
            return dt_fail_memory("activations", SIZE_MAX);
    }
    const dt_model_spec *spec = plan->spec;
    size_t bytes;
    if (!dt_size_mul(plan->total, sizeof **arena, &bytes)) return dt_fail_memory("activations", SIZE_MAX);
    if (spec->memory > 0 && bytes > spec->memory)
        return dt_fail(DT_ERR_MEMORY,
                       "%lld samples at once take %.3g GB for what layers give, and there are %.3g GB for a rank; let "
                       "fewer be computed at once (train.micro_batch=%.0f would fit), or use fewer ranks on a machine",
                       (long long)spec->rows, (double)bytes / 1e9, (double)spec->memory / 1e9,
                       fmax(1, floor(0.8 * (double)spec->rows * (double)spec->memory / (double)bytes)));
    *arena = dt_alloc(plan->total, sizeof **arena);
    if (!*arena) return dt_fail_memory("activations", (unsigned long long)plan->total * sizeof **arena);
    for (size_t i = 0; i < plan->count; i++) {
        const dt_request *request = &plan->requests[i];
        *request->where = *arena + request->offset + (request->pool < 0 ? 0 : pool_at[request->pool]);
    }
    return dt_ok();
}

void dt_plan_finish(dt_plan *plan) {
    dt_free(plan->requests);
    plan->requests = NULL;
    plan->count = plan->capacity = 0;
}
