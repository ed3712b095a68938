/* Layers in a row: the model is one such list, and a layer that holds layers (a residual branch) can hold another.
 *
 * Where outputs live is decided here, once. A layer writes to a buffer of its own unless it can work in place and
 * nobody on the way back reads what it would overwrite: neither itself (reads_input) nor the layer that wrote the
 * buffer (reads_output), nor is it the caller's x. Gradients of element-wise layers are always in place; the others
 * take two buffers in turn. */
#include "sequence.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alive.h"
#include "base/memory.h"
#include "base/trace.h"
#include "per_sample.h"
#include "portions.h"

/* The layer's whole name, behind those of the layers it is in. */
static dt_status widen_name(dt_layer *layer, const char *scope) {
    const dt_layer_common *common = layer->config;
    int length = snprintf(layer->name, sizeof layer->name, "%s%s", scope, common->name);
    if ((size_t)length < sizeof layer->name) return dt_ok();
    return dt_fail(DT_ERR_INPUT,
                   "recipe %s: the name %s%s is longer than %d bytes; give the layers it is in a shorter `name`",
                   layer->source, scope, common->name, (int)sizeof layer->name - 1);
}

static bool is_trained(const dt_layer *layer) {
    for (int i = 0; i < layer->inner_count; i++)
        if (dt_sequence_is_trained(&layer->inner[i])) return true;
    return dt_layer_is_trained(layer);
}

bool dt_sequence_is_trained(const dt_sequence *sequence) {
    return sequence->first_trained < sequence->count;
}

const dt_shape *dt_sequence_out(const dt_sequence *sequence, const dt_shape *input) {
    return sequence->count > 0 ? &sequence->layers[sequence->count - 1].out : input;
}

static dt_status plan_output(dt_sequence *sequence, dt_plan *plan, dt_layer *layer) {
    sequence->result = &layer->output;
    if (layer->over) return dt_plan_same(plan, &layer->output, layer->over);
    const int64_t width = dt_shape_count(&layer->out);
    return dt_status_within(layer->portion > 0 ? dt_plan_portion(plan, &layer->output, layer->portion, width)
                                               : dt_plan_memory(plan, &layer->output, width),
                            "recipe %s: layer %s", layer->source, layer->name);
}

/* The layer whose output waits for what layer i is, or for there to be none. */
static dt_status plan_waiting(dt_sequence *sequence, dt_plan *plan, dt_layer *waiting, int i) {
    if (!waiting) return dt_ok();
    if (i < sequence->count && waiting + 1 == &sequence->layers[i])
        waiting->portion = dt_portion_of(waiting, &sequence->layers[i], plan);
    return plan_output(sequence, plan, waiting);
}

/* Plans every layer and the buffers of outputs that cannot share their input's. */
static dt_status plan_outputs(dt_sequence *sequence, dt_plan *plan, const char *scope, const dt_shape *input) {
    bool keep = true;         /* the current buffer: first the caller's x */
    dt_layer *waiting = NULL; /* one with an output that is not planned yet */
    sequence->first_trained = sequence->count;
    sequence->positionwise = true;
    for (int i = 0; i < sequence->count; i++) {
        dt_layer *layer = &sequence->layers[i];
        layer->in = i == 0 ? *input : sequence->layers[i - 1].out;
        layer->before = i > 0 && !sequence->layers[i - 1].view ? &sequence->layers[i - 1] : NULL;
        layer->table = plan->table;
        layer->index = plan->layers++;
        layer->begin = plan->table->trained;
        DT_TRY(widen_name(layer, scope));
        DT_TRY(layer->kind->plan(layer, plan));
        if (layer->undoes_relu) sequence->layers[i - 1].undone = true;
        DT_TRY(dt_per_sample_plan(layer, plan));
        if (plan->spec->decoding > 0 && !layer->positionwise)
            return dt_layer_fail(
                layer,
                "%s looks at more than one position of a sample, so there is no going on from position "
                "to position",
                layer->kind->name);
        sequence->positionwise = sequence->positionwise && layer->positionwise;
        layer->trace[0] = dt_trace_kind("forward", layer->name);
        layer->trace[1] = dt_trace_kind("backward", layer->name);
        if (i < sequence->first_trained && is_trained(layer)) sequence->first_trained = i;
        if (layer->view) continue;
        DT_TRY(plan_waiting(sequence, plan, waiting, i));
        waiting = NULL;
        if (i == sequence->count - 1 && sequence->chunks_head && layer->chunkable) {
            sequence->head = layer;
            break;
        }
        bool share = layer->in_place && !keep && !(plan->spec->training && layer->reads_input);
        if (!share) waiting = layer;
        keep = plan->spec->training && layer->reads_output;
    }
    sequence->keeps_output = keep;
    return plan_waiting(sequence, plan, waiting, sequence->count);
}

/* The last layer, counted from the end, that backward visits. */
static int last_visited(const dt_sequence *sequence, bool wants_dx) {
    return wants_dx ? 0 : sequence->first_trained;
}

/* The layer before `i` that keeps the gradient of its output, where that is the one of i's input; or NULL. */
static const dt_layer *keeper_before(const dt_sequence *sequence, int i) {
    while (--i >= 0) {
        const dt_layer *layer = &sequence->layers[i];
        if (layer->per_sample && layer->per_sample->keeps) return layer;
        if (!layer->view && !layer->in_place) return NULL;
    }
    return NULL;
}

static dt_status plan_gradients(dt_sequence *sequence, dt_plan *plan, bool wants_dx) {
    int64_t widest = 0;
    int needed = 0;
    for (int i = last_visited(sequence, wants_dx); i < sequence->count; i++) {
        const dt_layer *layer = &sequence->layers[i];
        bool asked = wants_dx || i > sequence->first_trained;
        if (!asked || layer->view || layer->in_place || keeper_before(sequence, i)) continue;
        if (i > 0 && layer[-1].portion > 0) continue;
        int64_t width = dt_shape_count(&layer->in);
        if (width > widest) widest = width;
        needed++;
    }
    for (int i = 0; i < 2 && i < needed; i++) DT_TRY(dt_plan_gradient(plan, &sequence->gradient[i], i, widest));
    return dt_ok();
}

dt_status dt_sequence_plan(dt_sequence *sequence, dt_plan *plan, const char *scope, const dt_shape *input,
                           bool wants_dx) {
    if (plan->depth == DT_MAX_DEPTH)
        return dt_fail(DT_ERR_INPUT, "layers are nested deeper than %d lists, at %s", DT_MAX_DEPTH, scope);
    plan->depth++;
    DT_TRY(plan_outputs(sequence, plan, scope, input));
    if (plan->spec->training) DT_TRY(plan_gradients(sequence, plan, wants_dx));
    plan->depth--;
    return dt_ok();
}

void dt_sequence_finish(dt_sequence *sequence) {
    for (int i = 0; i < sequence->count; i++) {
        dt_layer *layer = &sequence->layers[i];
        for (int j = 0; j < layer->inner_count; j++) dt_sequence_finish(&layer->inner[j]);
        dt_free(layer->inner);
        if (layer->state && layer->kind->finish) layer->kind->finish(layer);
        dt_free(layer->state);
        dt_free(layer->per_sample);
        dt_free(layer->config);
    }
    dt_free(sequence->layers);
    memset(sequence, 0, sizeof *sequence);
}

void dt_sequence_init(const dt_sequence *sequence, dt_real *weights, uint64_t seed) {
    for (int i = 0; i < sequence->count; i++) {
        const dt_layer *layer = &sequence->layers[i];
        for (int j = 0; j < layer->inner_count; j++) dt_sequence_init(&layer->inner[j], weights, seed);
        if (layer->kind->init) layer->kind->init(layer, weights, seed);
        dt_alive();
    }
}

bool dt_sequence_each_layer(const dt_sequence *sequence, dt_layer_visitor visit, void *context) {
    for (int i = 0; i < sequence->count; i++) {
        const dt_layer *layer = &sequence->layers[i];
        if (!visit(context, layer, layer->name, &layer->out)) return false;
        for (int j = 0; j < layer->inner_count; j++)
            if (!dt_sequence_each_layer(&layer->inner[j], visit, context)) return false;
    }
    return true;
}

/* The layers forward and backward run. */
static int run_count(const dt_sequence *sequence) {
    return sequence->count - (sequence->head != NULL);
}

static void layer_forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    double began = dt_trace_begin();
    layer->kind->forward(layer, pass, x, y);
    if (pass->training) dt_trace_end(layer->trace[0], began, layer->flops * (double)pass->rows);
}

static void layer_backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                           dt_real *dx) {
    double began = dt_trace_begin();
    if (pass->squares)
        dt_per_sample_backward(layer, pass, x, y, dy, dx);
    else
        layer->kind->backward(layer, pass, x, y, dy, dx);
    dt_trace_end(layer->trace[1], began, layer->flops * (double)pass->rows * (dx ? 2 : 1));
}

const dt_real *dt_sequence_forward(const dt_sequence *sequence, const dt_pass *pass, const dt_real *x) {
    const dt_real *at = x;
    for (int i = 0; i < run_count(sequence); i++) {
        const dt_layer *layer = &sequence->layers[i];
        if (layer->view) {
            if (pass->seen) pass->seen(pass->seen_context, layer, at);
            continue;
        }
        /* A layer without a buffer of its own writes over its input, which plan_outputs found not to be x. */
        dt_real *y = layer->output ? layer->output : (dt_real *)at;
        if (layer->portion > 0) {
            y = sequence->layers[++i].output;
            dt_portions_forward(layer, pass, at, y);
        } else {
            layer_forward(layer, pass, at, y);
        }
        dt_alive_layer();
        if (pass->seen) pass->seen(pass->seen_context, layer, y);
        at = y;
    }
    return at;
}

/* What layer `i` read; for i = count, what the last one wrote. */
static const dt_real *input_of(const dt_sequence *sequence, int i, const dt_real *x) {
    while (i > 0 && !sequence->layers[i - 1].output) i--;
    return i > 0 ? sequence->layers[i - 1].output : x;
}

bool dt_layer_begins_kept(const dt_layer *layer) {
    if (layer->param_count == 0) return false;
    const dt_tensor *first = &layer->table->tensors[layer->param[0]];
    bool shared = first->flags & DT_TENSOR_SHARED && !(first->flags & DT_TENSOR_FROZEN);
    return shared && first->offset == layer->begin;
}

dt_pass dt_pass_of_layer(const dt_pass *pass, const dt_layer *layer) {
    dt_pass own = *pass;
    if (!pass->grads_in_parts) return own;
    own.grads = dt_layer_begins_kept(layer) ? pass->grads_kept : pass->grads;
    own.grads_begin = layer->begin;
    return own;
}

/* Where the gradient of layer i's input goes, that of its output being dy. */
static dt_real *gradient_before(const dt_sequence *sequence, int i, const dt_real *dy) {
    const dt_layer *keeper = keeper_before(sequence, i);
    return keeper ? keeper->per_sample->dy : sequence->gradient[dy == sequence->gradient[0]];
}

/* Of a layer that has just been back. A gradient that others were added to is larger than what it says of its own. */
static double bound_of(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *dy) {
    if (!pass->bounded || pass->accumulate || !layer->kind->gradient_bound) return INFINITY;
    return layer->kind->gradient_bound(layer, pass, x, dy);
}

dt_real *dt_sequence_backward(const dt_sequence *sequence, const dt_pass *pass, const dt_real *x, dt_real *dy,
                              bool wants_dx) {
    int last = last_visited(sequence, wants_dx);
    for (int i = run_count(sequence) - 1; i >= last && dy; i--) {
        const dt_layer *layer = &sequence->layers[i];
        if (layer->view) continue;
        const dt_real *y = input_of(sequence, i + 1, x);
        const bool both = i > 0 && layer[-1].portion > 0;
        if (both) layer = &sequence->layers[--i];
        dt_real *dx = layer->in_place ? dy : gradient_before(sequence, i, dy);
        if (i == last && !wants_dx) dx = NULL;
        dt_pass own = sequence->outermost ? dt_pass_of_layer(pass, layer) : *pass;
        if (both)
            dt_portions_backward(layer, &own, input_of(sequence, i, x), y, dy, dx);
        else
            layer_backward(layer, &own, input_of(sequence, i, x), y, dy, dx);
        dt_alive_layer();
        if (sequence->outermost && pass->ready && !pass->squares)
            pass->ready(pass->ready_context, layer->begin, bound_of(layer, &own, input_of(sequence, i, x), dy));
        dy = dx;
    }
    return wants_dx ? dy : NULL;
}

void dt_sequence_sum_samples(const dt_sequence *sequence, const dt_pass *pass, const dt_real *factors) {
    for (int i = sequence->count - 1; i >= sequence->first_trained; i--) {
        const dt_layer *layer = &sequence->layers[i];
        dt_pass own = sequence->outermost ? dt_pass_of_layer(pass, layer) : *pass;
        double began = dt_trace_begin();
        for (int j = layer->inner_count - 1; j >= 0; j--) dt_sequence_sum_samples(&layer->inner[j], &own, factors);
        dt_per_sample_sum(layer, &own, factors);
        dt_trace_end(layer->trace[1], began, 0);
        dt_alive_layer();
        if (sequence->outermost && pass->ready && !layer->view)
            pass->ready(pass->ready_context, layer->begin, INFINITY);
    }
}
