/* The second layer has nothing to train. The first is called as for a batch that is computed in pieces, whose gradients
 * add up (pass->accumulate), and says how many rows a portion has to have for its sums to stay what they are. */
#include "portions.h"

#include "base/alive.h"
#include "base/trace.h"

#define CACHED (256 << 10) /* bytes that pass between: a quarter of the second cache, which has much else to hold */

int64_t dt_portion_of(const dt_layer *layer, const dt_layer *next, const dt_plan *plan) {
    const dt_model_spec *spec = dt_plan_spec(plan);
    if (!spec->training || spec->clips || layer->by_portions == 0 || next->by_portions != 1) return 0;
    if (layer->in_place || next->in_place || next->param_count > 0) return 0;
    if (next->reads_input || (layer->reads_output && !next->undoes_relu)) return 0;
    const int64_t bytes = dt_shape_count(&layer->out) * (int64_t)sizeof(dt_real), least = layer->by_portions;
    const int64_t rows = CACHED * dt_threads() / bytes / least * least;
    if (rows >= spec->rows || least >= spec->rows) return 0;
    return rows > 0 ? rows : least;
}

/* Both layers and their pass, on the rows from `at` on. */
typedef struct portion {
    dt_layer layer, next;
    dt_pass pass;
    int64_t at;
} portion;

static void move(dt_layer *to, const dt_layer *from, int64_t at) {
    for (int s = 0; s < from->scratch_count; s++) to->scratch[s] = from->scratch[s] + at * from->scratch_width[s];
}

static void move_to(portion *p, const dt_layer *layer, const dt_pass *pass) {
    const int64_t left = pass->rows - p->at;
    move(&p->layer, layer, p->at);
    move(&p->next, layer + 1, p->at);
    p->pass.rows = layer->portion < left ? layer->portion : left;
    p->pass.first = pass->first + (uint64_t)p->at;
    p->pass.goes_on = p->at > 0;
    p->pass.accumulate = pass->accumulate || p->at > 0;
}

static double flops_of(const dt_layer *layer, const portion *p) {
    return layer->flops * (double)p->pass.rows;
}

void dt_portions_forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    const dt_layer *next = layer + 1;
    const int64_t in = dt_shape_count(&layer->in), out = dt_shape_count(&next->out);
    for (portion p = {.layer = *layer, .next = *next, .pass = *pass}; p.at < pass->rows; p.at += p.pass.rows) {
        move_to(&p, layer, pass);
        double began = dt_trace_begin();
        layer->kind->forward(&p.layer, &p.pass, x + p.at * in, layer->output);
        if (pass->training) dt_trace_end(layer->trace[0], began, flops_of(layer, &p));
        began = dt_trace_begin();
        next->kind->forward(&p.next, &p.pass, layer->output, y + p.at * out);
        if (pass->training) dt_trace_end(next->trace[0], began, flops_of(next, &p));
    }
    dt_alive_layer();
}

void dt_portions_backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                          dt_real *dx) {
    const dt_layer *next = layer + 1;
    const int64_t in = dt_shape_count(&layer->in), out = dt_shape_count(&next->out);
    dt_real *between = layer->output; /* nobody reads any more what was there */
    for (portion p = {.layer = *layer, .next = *next, .pass = *pass}; p.at < pass->rows; p.at += p.pass.rows) {
        move_to(&p, layer, pass);
        double began = dt_trace_begin();
        next->kind->backward(&p.next, &p.pass, NULL, y + p.at * out, dy + p.at * out, between);
        dt_trace_end(next->trace[1], began, 2 * flops_of(next, &p));
        began = dt_trace_begin();
        layer->kind->backward(&p.layer, &p.pass, x + p.at * in, NULL, between, dx ? dx + p.at * in : NULL);
        dt_trace_end(layer->trace[1], began, flops_of(layer, &p) * (dx ? 2 : 1));
    }
    dt_alive_layer();
}
