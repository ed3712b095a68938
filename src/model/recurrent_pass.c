/* How recurrent layers are run. Inside, everything is time-major, [positions, rows, …]: then a step is one product of
 * [rows, units], of which operands and result are dense, and one kernel, and everything that need not wait for the step
 * before is one product over all positions: the input's share, on the way back the gradients of both weights and of the
 * input. The gradient goes back through the positions of the sample and not beyond them (truncated back-propagation
 * through time, Williams and Peng 1990), whether the state came from an earlier sample or not.
 *
 * Token ids are not multiplied: a one-hot vector's product is a row of the weights, which the kernel adds, and its
 * gradient is added to that row. */
#include "recurrent.h"

#include <string.h>

/* ---- rows and positions ----
 */

/* [rows, positions, width] to and from [positions, rows, width]. */
static void to_time_major(dt_real *to, const dt_real *from, int64_t rows, int64_t positions, int64_t width) {
    for (int64_t t = 0; t < positions; t++)
        for (int64_t r = 0; r < rows; r++, to += width)
            memcpy(to, from + (r * positions + t) * width, (size_t)width * sizeof *to);
}

static void from_time_major(dt_real *to, const dt_real *from, int64_t rows, int64_t positions, int64_t width) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t t = 0; t < positions; t++, to += width)
            memcpy(to, from + (t * rows + r) * width, (size_t)width * sizeof *to);
}

/* What the rows carry of one stack: h, and behind that of all stacks c. */
static int64_t state_offset(const dt_layer *layer, const dt_recurrent *net, int i, bool c) {
    return layer->state_at + ((c ? net->count : 0) + i) * net->units;
}

static void load_state(const dt_layer *layer, const dt_pass *pass, int i, bool c, dt_real *to) {
    const dt_recurrent *net = layer->state;
    const dt_real *from = net->carries ? pass->state_in : NULL;
    size_t bytes = (size_t)net->units * sizeof *to;
    if (!from) memset(to, 0, (size_t)pass->rows * bytes);
    for (int64_t r = 0; from && r < pass->rows; r++)
        memcpy(to + r * net->units, from + r * pass->state_stride + state_offset(layer, net, i, c), bytes);
}

static void store_state(const dt_layer *layer, const dt_pass *pass, int i, bool c, const dt_real *from) {
    const dt_recurrent *net = layer->state;
    dt_real *to = net->carries ? pass->state_out : NULL;
    for (int64_t r = 0; to && r < pass->rows; r++)
        memcpy(to + r * pass->state_stride + state_offset(layer, net, i, c), from + r * net->units,
               (size_t)net->units * sizeof *to);
}

/* Between stacks: the mask of position t is keyed by layer, stack and position, and by row as everywhere. */
static void drop(const dt_layer *layer, const dt_pass *pass, int i, dt_real *y, const dt_real *x) {
    const dt_recurrent_config *config = layer->config;
    const dt_recurrent *net = layer->state;
    int64_t step = pass->rows * net->units;
    for (int64_t t = 0; t < net->positions; t++) {
        uint64_t key = layer->index | (uint64_t)i << 20 | (uint64_t)t << 24;
        dt_stream stream = dt_stream_at(pass->seed, DT_RANDOM_DROPOUT, pass->step, key);
        pass->kernels->dropout(y + t * step, x + t * step, pass->rows, net->units, (dt_real)config->dropout, stream,
                               pass->first);
    }
}

/* ---- one step ----
 */

static dt_bf16 *halves(dt_real *array, int64_t at) {
    return array ? (dt_bf16 *)(void *)array + at : NULL;
}

/* Place t of a stack. */
static dt_cell cell_at(const dt_layer *layer, const dt_pass *pass, const dt_recurrent_stack *s, int64_t t) {
    const dt_recurrent *net = layer->state;
    int64_t rows = pass->rows, step = rows * net->units, wide = rows * net->cols;
    dt_real *zeros = layer->scratch[0], *nowhere = layer->scratch[1], *dh = layer->workspace;
    dt_cell cell = {.rows = rows,
                    .units = net->units,
                    .gates = s->gates + t * wide,
                    .hidden = s->hidden ? s->hidden + t * step : NULL,
                    .product = layer->workspace + net->product,
                    .b = s->b < 0 ? zeros : DT_PARAM(layer, pass->weights, s->b),
                    .b_state = s->b_state < 0 ? zeros : DT_PARAM(layer, pass->weights, s->b_state),
                    .h_before = s->h + t * step,
                    .h = s->h + (t + 1) * step,
                    .c_before = s->c ? s->c + t * step : NULL,
                    .c = s->c ? s->c + (t + 1) * step : NULL,
                    .h16 = halves(s->h16, (t + 1) * step)};
    if (!pass->grads) return cell;
    dt_real *db = s->b < 0 ? NULL : dt_param_gradient(layer, pass, s->b);
    dt_real *db_state = s->b_state < 0 ? NULL : dt_param_gradient(layer, pass, s->b_state);
    cell.dh = dh + (t + 1) * step;
    cell.dh_before = dh + t * step;
    cell.dc = layer->workspace + net->dc;
    cell.db = db ? db : nowhere;
    cell.db_state = db_state ? db_state : nowhere;
    cell.gates16 = halves(s->gates16, t * wide);
    cell.hidden16 = halves(s->hidden16, t * step);
    return cell;
}

/* y = h W_state + beta*y, h that before position t. */
static void multiply_state(const dt_layer *layer, const dt_pass *pass, const dt_recurrent_stack *s, int64_t t,
                           dt_real beta, dt_real *y) {
    const dt_recurrent *net = layer->state;
    int64_t rows = pass->rows, units = net->units, cols = net->cols, at = t * rows * units;
    if (net->bf16)
        pass->kernels->product_bf16(&(dt_matrix_product_bf16){.rows = rows,
                                                              .cols = cols,
                                                              .depth = units,
                                                              .a = halves(s->h16, at),
                                                              .b = DT_PARAM(layer, pass->weights16, s->w_state),
                                                              .c = y,
                                                              .lda = units,
                                                              .ldb = cols,
                                                              .ldc = cols,
                                                              .add = beta != 0});
    else
        pass->kernels->product(&(dt_matrix_product){.rows = rows,
                                                    .cols = cols,
                                                    .depth = units,
                                                    .a = s->h + at,
                                                    .lda = units,
                                                    .b = DT_PARAM(layer, pass->weights, s->w_state),
                                                    .ldb = cols,
                                                    .c = y,
                                                    .ldc = cols,
                                                    .add = beta != 0});
}

/* The gradient that h W_state has, as matrices with neighbouring columns of W_state. */
typedef struct part {
    dt_real *d, *d16;
    int64_t stride, first, cols;
} part;

static int parts_of(const dt_recurrent *net, const dt_recurrent_stack *s, part parts[2]) {
    parts[0] = (part){s->gates, s->gates16, net->cols, 0, net->cols};
    if (net->kind != DT_CELL_GRU) return 1;
    parts[0].cols = 2 * net->units;
    parts[1] = (part){s->hidden, s->hidden16, net->units, 2 * net->units, net->units};
    return 2;
}

/* Every position multiplies with W_state^T, which a product would turn each time: for few rows that takes half as long
 * again. */
static void turn_state(const dt_layer *layer, const dt_pass *pass, const dt_recurrent_stack *s) {
    const dt_recurrent *net = layer->state;
    dt_real *turned = layer->workspace + net->turned;
    if (net->bf16)
        pass->kernels->transpose_bf16(halves(turned, 0), DT_PARAM(layer, pass->weights16, s->w_state), net->units,
                                      net->cols);
    else
        pass->kernels->transpose(turned, DT_PARAM(layer, pass->weights, s->w_state), net->units, net->cols);
}

/* dh += d W_state^T, of position t; after turn_state. */
static void multiply_gradient(const dt_layer *layer, const dt_pass *pass, const dt_recurrent_stack *s, int64_t t,
                              dt_real *dh) {
    const dt_recurrent *net = layer->state;
    int64_t rows = pass->rows, units = net->units;
    dt_real *turned = layer->workspace + net->turned;
    part parts[2];
    for (int i = 0, count = parts_of(net, s, parts); i < count; i++) {
        const part *p = &parts[i];
        int64_t at = t * rows * p->stride;
        if (net->bf16)
            pass->kernels->product_bf16(&(dt_matrix_product_bf16){.rows = rows,
                                                                  .cols = units,
                                                                  .depth = p->cols,
                                                                  .a = halves(p->d16, at),
                                                                  .b = halves(turned, p->first * units),
                                                                  .c = dh,
                                                                  .lda = p->stride,
                                                                  .ldb = units,
                                                                  .ldc = units,
                                                                  .add = true});
        else
            pass->kernels->product(&(dt_matrix_product){.rows = rows,
                                                        .cols = units,
                                                        .depth = p->cols,
                                                        .a = p->d + at,
                                                        .lda = p->stride,
                                                        .b = turned + p->first * units,
                                                        .ldb = units,
                                                        .c = dh,
                                                        .ldc = units,
                                                        .add = true});
    }
}

/* The gradient of W_state, of all positions at once. */
static void state_weights(const dt_layer *layer, const dt_pass *pass, const dt_recurrent_stack *s) {
    const dt_recurrent *net = layer->state;
    int64_t all = net->positions * pass->rows, units = net->units;
    dt_real *dw = dt_param_gradient(layer, pass, s->w_state);
    if (!dw) return;
    part parts[2];
    for (int i = 0, count = parts_of(net, s, parts); i < count; i++) {
        const part *p = &parts[i];
        if (net->bf16)
            pass->kernels->product_bf16(&(dt_matrix_product_bf16){.rows = units,
                                                                  .cols = p->cols,
                                                                  .depth = all,
                                                                  .a = halves(s->h16, 0),
                                                                  .b = halves(p->d16, 0),
                                                                  .c = dw + p->first,
                                                                  .lda = units,
                                                                  .ldb = p->stride,
                                                                  .ldc = net->cols,
                                                                  .a_turned = true,
                                                                  .add = pass->accumulate});
        else
            pass->kernels->product(&(dt_matrix_product){.rows = units,
                                                        .cols = p->cols,
                                                        .depth = all,
                                                        .a = s->h,
                                                        .a_turned = true,
                                                        .lda = units,
                                                        .b = p->d,
                                                        .ldb = p->stride,
                                                        .c = dw + p->first,
                                                        .ldc = net->cols,
                                                        .add = pass->accumulate});
    }
}

/* ---- forward ----
 */

/* The rows of W_in that the tokens at position t stand for. */
static void point_inputs(const dt_layer *layer, const dt_pass *pass, const dt_recurrent_stack *s, int64_t t,
                         const dt_real **input) {
    const dt_recurrent *net = layer->state;
    const dt_real *w = DT_PARAM(layer, pass->weights, s->w_in), *ids = pass->tokens + t;
    for (int64_t r = 0; r < pass->rows; r++, ids += net->positions)
        input[r] = *ids < 0 ? layer->scratch[0] : w + (int64_t)*ids * net->cols;
}

static void stack_forward(const dt_layer *layer, const dt_pass *pass, int i, const dt_real *x) {
    const dt_recurrent *net = layer->state;
    const dt_recurrent_stack *s = &net->stacks[i];
    bool gathers = i == 0 && net->ids;
    const dt_real **input = (const dt_real **)(void *)(layer->workspace + net->input);
    int64_t step = pass->rows * net->units;
    load_state(layer, pass, i, false, s->h);
    if (s->c) load_state(layer, pass, i, true, s->c);
    if (s->h16) pass->kernels->to_bf16(halves(s->h16, 0), s->h, step);
    if (!gathers) dt_linear_forward(&s->linear, layer, pass, x, net->positions * pass->rows, 0, s->gates);
    for (int64_t t = 0; t < net->positions; t++) {
        dt_cell cell = cell_at(layer, pass, s, t);
        bool apart = net->kind == DT_CELL_GRU;
        multiply_state(layer, pass, s, t, apart || gathers ? 0 : 1, apart ? (dt_real *)cell.product : cell.gates);
        if (gathers) {
            point_inputs(layer, pass, s, t, input);
            cell.input = input;
        }
        pass->kernels->cell_forward[net->kind](&cell);
    }
    store_state(layer, pass, i, false, s->h + net->positions * step);
    if (s->c) store_state(layer, pass, i, true, s->c + net->positions * step);
}

/* What stack i reads; for i = count, what the last gives. */
static const dt_real *input_of(const dt_pass *pass, const dt_recurrent *net, int i) {
    if (i < net->count && net->stacks[i].x) return net->stacks[i].x;
    return i > 0 ? net->stacks[i - 1].h + pass->rows * net->units : NULL;
}

void dt_recurrent_forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    const dt_recurrent_config *config = layer->config;
    const dt_recurrent *net = layer->state;
    int64_t rows = pass->rows, step = rows * net->units;
    const dt_recurrent_stack *first = &net->stacks[0];
    if (first->x) to_time_major(first->x, x, rows, net->positions, first->in);
    for (int i = 0; i < net->count; i++) {
        dt_real *dropped = i > 0 ? net->stacks[i].x : NULL;
        if (dropped && pass->training && !pass->adjoint)
            drop(layer, pass, i, dropped, net->stacks[i - 1].h + step);
        else if (dropped)
            memcpy(dropped, net->stacks[i - 1].h + step, (size_t)(net->positions * step) * sizeof *dropped);
        stack_forward(layer, pass, i, input_of(pass, net, i));
    }
    const dt_real *h = input_of(pass, net, net->count);
    if (config->last)
        memcpy(y, h + (net->positions - 1) * step, (size_t)step * sizeof *y);
    else
        from_time_major(y, h, rows, net->positions, net->units);
}

/* ---- backward ----
 */

static void zero_gradient(const dt_layer *layer, const dt_pass *pass, int param) {
    if (param < 0) return;
    const dt_tensor *tensor = &layer->table->tensors[layer->param[param]];
    dt_real *gradient = dt_param_gradient(layer, pass, param);
    if (gradient) memset(gradient, 0, tensor->count * sizeof *gradient);
}

/* The rows of W_in's gradient gain those of the tokens at position t. */
static void scatter(const dt_layer *layer, const dt_pass *pass, const dt_recurrent_stack *s, int64_t t) {
    const dt_recurrent *net = layer->state;
    dt_real *dw = dt_param_gradient(layer, pass, s->w_in);
    const dt_real *d = s->gates + t * pass->rows * net->cols, *ids = pass->tokens + t;
    for (int64_t r = 0; r < pass->rows; r++, ids += net->positions, d += net->cols)
        if (dw && *ids >= 0) pass->kernels->add(dw + (int64_t)*ids * net->cols, d, net->cols);
}

/* The gradient that the last state has from behind the sample: of h on top of that by y, of c alone. */
static void take_dstate(const dt_layer *layer, const dt_pass *pass, int i) {
    const dt_recurrent *net = layer->state;
    int64_t units = net->units, step = pass->rows * units;
    dt_real *dh = layer->workspace + net->positions * step, *dc = layer->workspace + net->dc;
    memset(dc, 0, (size_t)step * sizeof *dc);
    if (!pass->dstate_out || !net->carries) return;
    for (int64_t r = 0; r < pass->rows; r++) {
        const dt_real *from = pass->dstate_out + r * pass->state_stride;
        pass->kernels->add(dh + r * units, from + state_offset(layer, net, i, false), units);
        if (net->kind == DT_CELL_LSTM)
            memcpy(dc + r * units, from + state_offset(layer, net, i, true), (size_t)units * sizeof *dc);
    }
}

static void give_dstate(const dt_layer *layer, const dt_pass *pass, int i) {
    const dt_recurrent *net = layer->state;
    size_t bytes = (size_t)net->units * sizeof(dt_real);
    for (int64_t r = 0; r < pass->rows; r++) {
        dt_real *to = pass->dstate_in + r * pass->state_stride;
        memcpy(to + state_offset(layer, net, i, false), layer->workspace + r * net->units, bytes);
        if (net->kind == DT_CELL_LSTM)
            memcpy(to + state_offset(layer, net, i, true), layer->workspace + net->dc + r * net->units, bytes);
    }
}

/* From the gradient of h at all positions, in dh[1…], to that of what the stack read, unless dx is NULL. */
static void stack_backward(const dt_layer *layer, const dt_pass *pass, int i, dt_real *dx) {
    const dt_recurrent *net = layer->state;
    const dt_recurrent_stack *s = &net->stacks[i];
    bool gathers = i == 0 && net->ids;
    if (!pass->accumulate) {
        zero_gradient(layer, pass, s->b);
        zero_gradient(layer, pass, s->b_state);
        if (gathers) zero_gradient(layer, pass, s->w_in);
    }
    turn_state(layer, pass, s);
    take_dstate(layer, pass, i);
    bool gives = pass->dstate_in && net->carries;
    if (gives) memset(layer->workspace, 0, (size_t)(pass->rows * net->units) * sizeof(dt_real));
    for (int64_t t = net->positions - 1; t >= 0; t--) {
        dt_cell cell = cell_at(layer, pass, s, t);
        pass->kernels->cell_backward[net->kind](&cell);
        if (t > 0 || gives) multiply_gradient(layer, pass, s, t, cell.dh_before);
        if (gathers) scatter(layer, pass, s, t);
    }
    if (gives) give_dstate(layer, pass, i);
    state_weights(layer, pass, s);
    if (!gathers)
        dt_linear_backward(&s->linear, layer, pass, input_of(pass, net, i), s->gates, net->positions * pass->rows,
                           pass->accumulate, 0, dx);
}

void dt_recurrent_backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                           dt_real *dx) {
    (void)x, (void)y;
    const dt_recurrent_config *config = layer->config;
    const dt_recurrent *net = layer->state;
    int64_t rows = pass->rows, step = rows * net->units;
    dt_real *dh = layer->workspace + step;
    if (config->last) {
        memset(dh, 0, (size_t)((net->positions - 1) * step) * sizeof *dh);
        memcpy(dh + (net->positions - 1) * step, dy, (size_t)step * sizeof *dh);
    } else {
        to_time_major(dh, dy, rows, net->positions, net->units);
    }
    for (int i = net->count - 1; i > 0; i--) {
        stack_backward(layer, pass, i, dh);
        if (net->stacks[i].x && !pass->adjoint) drop(layer, pass, i, dh, dh);
    }
    dt_real *inside = dx && !net->ids ? layer->workspace + net->dx : NULL;
    stack_backward(layer, pass, 0, inside);
    if (inside)
        from_time_major(dx, inside, rows, net->positions, net->stacks[0].in);
    else if (dx)
        memset(dx, 0, (size_t)(rows * net->positions) * sizeof *dx); /* ids have no gradient */
}
