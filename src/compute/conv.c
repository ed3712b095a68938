/* Convolutions, through oneDNN primitives that are made once for one shape.
 *
 * Pictures are always plain and channels last, [rows, height, width, channels], the layout data come in, pools
 * vectorise over and a bias is added in: on Zen 4 oneDNN runs forward, data and weights at the speed of its own blocked
 * layouts (119, 128, 118 GF/s; a first layer of one channel forward at 63 against 94, which is 0.15 ms of a step). Only
 * the weights, which are small, are put into the order oneDNN asks for, at the start of every call, and their gradient
 * back. In the arena weights are [height, width, in/groups, out], output channel last, as a dense layer's w[in, out]
 * is: TensorFlow, Keras and JAX read and write them as they are, PyTorch's [out, in, height, width] after permute(2, 3,
 * 1, 0). The output channels of group 0 come first, as in all of them.
 *
 * The number of rows is fixed too. A caller with fewer fills up with zeros: a shard then runs through the same code in
 * the same order wherever it is computed, and zeros in dy add nothing to a gradient.
 *
 * oneDNN's own ReLU turns NaN into 0, and with that a network that has diverged into one that is silent. So ReLU is run
 * as a leaky one whose slope is the smallest normal number: results below zero become -0 or within 1e-37 of it, in the
 * same time, and NaN stays NaN.
 *
 * In bf16 x, w and dy are rounded and y, dx and dw stay float32: the formats oneDNN 2.6 has code for in all three
 * directions (520, 490 and 415 GF/s against 260 in float32 from 32 to 64 channels). To round x and dy costs about what
 * is saved on outputs that are sums of 15 products, and of one channel it is no faster at all: convolutions of few stay
 * float32. So do those for which oneDNN has plain loops only, which it calls ref.
 *
 * Compiled for double (the gradient checks) it is plain loops. */
#include "conv.h"
#include "base/memory.h"
#include "compute_internal.h"
#include "failure.h"

/* Arrays that would not fit into any memory are refused before a size overflows. */
static dt_status check_sizes(const dt_conv_shape *s) {
    const int64_t *const pixels[] = {s->window.in, s->window.out};
    const int64_t channels[] = {s->in_channels, s->out_channels};
    for (int i = 0; i < 2; i++) {
        size_t count = sizeof(dt_real);
        const int64_t factors[] = {s->rows, pixels[i][0], pixels[i][1], channels[i]};
        for (int f = 0; f < 4; f++)
            if (!dt_size_mul(count, (size_t)factors[f], &count) || count > (size_t)1 << 56)
                return dt_fail(DT_ERR_MEMORY, "%lld pictures of [%lld, %lld, %lld] are beyond any memory",
                               (long long)factors[0], (long long)factors[1], (long long)factors[2],
                               (long long)factors[3]);
    }
    return dt_ok();
}

#ifdef DT_REAL_DOUBLE

#    include <string.h>

struct dt_conv {
    dt_conv_shape shape;
};

dt_status dt_conv_create(dt_conv **out, const dt_conv_shape *shape, bool training) {
    (void)training;
    *out = NULL;
    DT_TRY(check_sizes(shape));
    *out = dt_alloc(1, sizeof **out);
    if (!*out) return dt_fail_memory("a convolution", sizeof **out);
    (*out)->shape = *shape;
    return dt_ok();
}

void dt_conv_destroy(dt_conv *conv) {
    dt_free(conv);
}

size_t dt_conv_workspace(const dt_conv *conv) {
    (void)conv;
    return 0;
}

bool dt_conv_rounds(const dt_conv *conv) {
    (void)conv;
    return false;
}

/* One product of the sum a convolution is: offsets into x, w and y. */
typedef void dt_product(void *context, int64_t x, int64_t w, int64_t y);

static void products_of_pixel(const dt_conv_shape *s, dt_product *product, void *context, int64_t row, int64_t i,
                              int64_t j) {
    const dt_window *at = &s->window;
    int64_t width = s->in_channels / s->groups, per_group = s->out_channels / s->groups;
    for (int64_t ki = 0; ki < at->kernel[0]; ki++) {
        for (int64_t kj = 0; kj < at->kernel[1]; kj++) {
            int64_t xi = i * at->stride[0] - at->before[0] + ki * at->dilation[0];
            int64_t xj = j * at->stride[1] - at->before[1] + kj * at->dilation[1];
            if (xi < 0 || xi >= at->in[0] || xj < 0 || xj >= at->in[1]) continue;
            int64_t x = ((row * at->in[0] + xi) * at->in[1] + xj) * s->in_channels;
            int64_t w = (ki * at->kernel[1] + kj) * width * s->out_channels;
            int64_t y = ((row * at->out[0] + i) * at->out[1] + j) * s->out_channels;
            for (int64_t o = 0; o < s->out_channels; o++)
                for (int64_t c = 0; c < width; c++)
                    product(context, x + o / per_group * width + c, w + c * s->out_channels + o, y + o);
        }
    }
}

static void for_products(const dt_conv_shape *s, dt_product *product, void *context) {
    for (int64_t row = 0; row < s->rows; row++)
        for (int64_t i = 0; i < s->window.out[0]; i++)
            for (int64_t j = 0; j < s->window.out[1]; j++) products_of_pixel(s, product, context, row, i, j);
}

typedef struct operands {
    const dt_real *x, *w, *y;
    dt_real *sum;
} operands;

static void product_forward(void *context, int64_t x, int64_t w, int64_t y) {
    const operands *a = context;
    a->sum[y] += a->x[x] * a->w[w];
}
static void product_data(void *context, int64_t x, int64_t w, int64_t y) {
    const operands *a = context;
    a->sum[x] += a->y[y] * a->w[w];
}
static void product_weights(void *context, int64_t x, int64_t w, int64_t y) {
    const operands *a = context;
    a->sum[w] += a->x[x] * a->y[y];
}

static int64_t in_count(const dt_conv_shape *s) {
    return s->rows * s->window.in[0] * s->window.in[1] * s->in_channels;
}
static int64_t out_count(const dt_conv_shape *s) {
    return s->rows * s->window.out[0] * s->window.out[1] * s->out_channels;
}
static int64_t weight_count(const dt_conv_shape *s) {
    return s->window.kernel[0] * s->window.kernel[1] * (s->in_channels / s->groups) * s->out_channels;
}

void dt_conv_forward(const dt_conv *conv, dt_real *y, const void *x, const void *w, const dt_real *b, void *workspace) {
    (void)workspace;
    const dt_conv_shape *s = &conv->shape;
    int64_t n = out_count(s);
    for (int64_t i = 0; i < n; i++) y[i] = s->bias ? b[i % s->out_channels] : 0;
    for_products(s, product_forward, &(operands){.x = x, .w = w, .sum = y});
    dt_real slope = s->activation == DT_LEAKY_RELU ? s->slope : 0;
    if (s->activation == DT_LINEAR) return;
    for (int64_t i = 0; i < n; i++) y[i] = y[i] < 0 ? slope * y[i] : y[i];
}

void dt_conv_backward_data(const dt_conv *conv, dt_real *dx, const void *dy, const void *w, void *workspace) {
    (void)workspace;
    memset(dx, 0, (size_t)in_count(&conv->shape) * sizeof *dx);
    for_products(&conv->shape, product_data, &(operands){.y = dy, .w = w, .sum = dx});
}

void dt_conv_backward_weights(const dt_conv *conv, dt_real *dw, const void *x, const void *dy, bool accumulate,
                              void *workspace) {
    (void)workspace;
    if (!accumulate) memset(dw, 0, (size_t)weight_count(&conv->shape) * sizeof *dw);
    for_products(&conv->shape, product_weights, &(operands){.x = x, .y = dy, .sum = dw});
}

#else

#    include <float.h>
#    include <string.h>

#    include "onednn.h"

/* What is run. PACK and UNPACK bring weights into and their gradient out of oneDNN's order. */
typedef enum dt_step { FORWARD, DATA, WEIGHTS, PACK_FORWARD, PACK_DATA, UNPACK, UNPACK_ADD, STEPS } dt_step;

/* What it works on. X to B are the caller's, set for each call. */
typedef enum dt_operand { X, DX, Y, DY, W, DW, B, PACKED_FORWARD, PACKED_DATA, PACKED_WEIGHTS, OPERANDS } dt_operand;

struct dt_conv {
    dt_conv_shape shape;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t steps[STEPS];
    dnnl_memory_t scratch[STEPS];
    dt_onednn_format formats[OPERANDS]; /* of the operands below */
    dnnl_memory_t operands[OPERANDS];
    bool rounds;
    bool slow;                    /* one of the convolutions is plain loops */
    size_t scratch_at, workspace; /* bytes: packed weights, then the primitives' own scratch */
};

static dt_status check(dnnl_status_t code, const char *what) {
    if (code == dnnl_success) return dt_ok();
    if (code == dnnl_out_of_memory) return dt_fail(DT_ERR_MEMORY, "no memory left for %s", what);
    return dt_fail(DT_ERR_INPUT, "oneDNN cannot make %s of this shape (error %d)", what, (int)code);
}

static size_t aligned(size_t bytes) {
    return (bytes + DT_ALIGNMENT - 1) / DT_ALIGNMENT * DT_ALIGNMENT;
}

/* A primitive from its description, and the scratch it wants. */
static dt_status add_step(dt_conv *conv, dt_step step, const_dnnl_primitive_desc_t desc) {
    static const char what[] = "a convolution";
    DT_TRY(check(dnnl_primitive_create(&conv->steps[step], desc), what));
    dt_onednn_format scratch = dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    size_t bytes = aligned(dnnl_memory_desc_get_size(scratch));
    if (bytes > conv->workspace) conv->workspace = bytes;
    return check(dnnl_memory_create(&conv->scratch[step], scratch, conv->engine, DNNL_MEMORY_NONE), what);
}

static dt_status describe_operand(dt_conv *conv, dt_operand operand, dt_onednn_shape shape, dnnl_format_tag_t order) {
    DT_TRY(check(dt_onednn_memory(&conv->operands[operand], conv->engine, &shape, order), "an array"));
    return check(dt_onednn_format_of(&conv->formats[operand], conv->operands[operand]), "an array");
}

static dt_status add_packed(dt_conv *conv, dt_operand operand, dt_onednn_format format) {
    size_t bytes = aligned(dnnl_memory_desc_get_size(format));
    if (bytes > conv->scratch_at) conv->scratch_at = bytes;
    DT_TRY(check(dnnl_memory_create(&conv->operands[operand], format, conv->engine, DNNL_MEMORY_NONE), "an array"));
    return check(dt_onednn_format_of(&conv->formats[operand], conv->operands[operand]), "an array");
}

/* Every step takes its scratch from the caller; some end with `act`, some add to what is there. */
static dt_status make_attributes(dnnl_primitive_attr_t *out, const dt_conv_shape *act, bool add) {
    dnnl_post_ops_t after = NULL;
    dt_status status = check(dnnl_primitive_attr_create(out), "attributes");
    if (status.code == DT_OK)
        status = check(dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user), "attributes");
    if (status.code != DT_OK || !((act && act->activation != DT_LINEAR) || add)) return status;
    float slope = act && act->activation == DT_LEAKY_RELU && act->slope > FLT_MIN ? act->slope : FLT_MIN;
    status = check(dnnl_post_ops_create(&after), "attributes");
    if (status.code == DT_OK)
        status = check(add ? dt_onednn_then_sum(after) : dt_onednn_then_leaky_relu(after, slope), "attributes");
    if (status.code == DT_OK) status = check(dnnl_primitive_attr_set_post_ops(*out, after), "attributes");
    dnnl_post_ops_destroy(after);
    return status;
}

/* Weights as their caller has them: those that are read, or their gradient. */
static dt_onednn_shape weights_of(const dt_conv_shape *s, dnnl_data_type_t type) {
    const int64_t out = s->out_channels / s->groups, in = s->in_channels / s->groups, *kernel = s->window.kernel;
    if (s->groups > 1) return (dt_onednn_shape){5, {s->groups, out, in, kernel[0], kernel[1]}, type};
    return (dt_onednn_shape){4, {out, in, kernel[0], kernel[1]}, type};
}

static dnnl_data_type_t type_read(const dt_conv *conv) {
    return conv->rounds ? dnnl_bf16 : dnnl_f32;
}

/* The formats of the caller's arrays. */
static dt_status describe(dt_conv *conv, const dt_conv_shape *s) {
    const dt_window *at = &s->window;
    const dnnl_data_type_t read = type_read(conv), written = dnnl_f32;
    const dnnl_format_tag_t hwio = s->groups > 1 ? dnnl_hwigo : dnnl_hwio;
    const dt_onednn_shape x = {4, {s->rows, s->in_channels, at->in[0], at->in[1]}, read};
    const dt_onednn_shape y = {4, {s->rows, s->out_channels, at->out[0], at->out[1]}, written};
    dt_onednn_shape dx = x, dy = y;
    dx.type = written;
    dy.type = read;
    DT_TRY(describe_operand(conv, X, x, dnnl_nhwc));
    DT_TRY(describe_operand(conv, DX, dx, dnnl_nhwc));
    DT_TRY(describe_operand(conv, Y, y, dnnl_nhwc));
    DT_TRY(describe_operand(conv, DY, dy, dnnl_nhwc));
    DT_TRY(describe_operand(conv, W, weights_of(s, read), hwio));
    DT_TRY(describe_operand(conv, DW, weights_of(s, written), hwio));
    return describe_operand(conv, B, (dt_onednn_shape){1, {s->out_channels}, written}, dnnl_a);
}

static dt_status plan_reorder(dt_conv *conv, dt_step step, dt_operand from, dt_operand to, bool add) {
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dt_status status = make_attributes(&attributes, NULL, add);
    if (status.code == DT_OK)
        status = check(dnnl_reorder_primitive_desc_create(&desc, conv->formats[from], conv->engine, conv->formats[to],
                                                          conv->engine, attributes),
                       "a reordering");
    if (status.code == DT_OK) status = add_step(conv, step, desc);
    dnnl_primitive_desc_destroy(desc);
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

/* One of the three convolutions. `forward` is the hint the backward ones need. */
static dt_status plan_convolution(dt_conv *conv, dt_step step, dt_onednn_convolution operation,
                                  const_dnnl_primitive_desc_t forward, dnnl_primitive_desc_t *desc) {
    const dt_window *at = &conv->shape.window;
    for (int i = 0; i < 2; i++) {
        operation.stride[i] = at->stride[i];
        operation.dilation[i] = at->dilation[i] - 1; /* oneDNN counts what lies between */
        operation.before[i] = at->before[i];
        operation.after[i] = at->after[i];
    }
    dnnl_primitive_attr_t attributes = NULL;
    dt_status status = make_attributes(&attributes, step == FORWARD ? &conv->shape : NULL, false);
    if (status.code == DT_OK)
        status = check(dt_onednn_plan(desc, conv->engine, &operation, attributes, forward), "a convolution");
    dnnl_primitive_attr_destroy(attributes);
    DT_TRY(status);
    const char *how = NULL;
    DT_TRY(check(dnnl_primitive_desc_query(*desc, dnnl_query_impl_info_str, 0, (void *)&how), "a convolution"));
    conv->slow = conv->slow || strncmp(how, "ref", 3) == 0;
    return add_step(conv, step, *desc);
}

static dt_status plan_forward(dt_conv *conv, dnnl_primitive_desc_t *desc) {
    const dt_onednn_convolution operation = {.pass = DT_ONEDNN_FORWARD,
                                             .x = conv->formats[X],
                                             .y = conv->formats[Y],
                                             .bias = conv->shape.bias ? conv->formats[B] : NULL,
                                             .weights = weights_of(&conv->shape, type_read(conv))};
    DT_TRY(plan_convolution(conv, FORWARD, operation, NULL, desc));
    DT_TRY(add_packed(conv, PACKED_FORWARD, dnnl_primitive_desc_query_md(*desc, dnnl_query_weights_md, 0)));
    return plan_reorder(conv, PACK_FORWARD, W, PACKED_FORWARD, false);
}

static dt_status plan_data(dt_conv *conv, const_dnnl_primitive_desc_t forward, dnnl_primitive_desc_t *desc) {
    const dt_onednn_convolution operation = {.pass = DT_ONEDNN_DATA,
                                             .x = conv->formats[DX],
                                             .y = conv->formats[DY],
                                             .weights = weights_of(&conv->shape, type_read(conv))};
    DT_TRY(plan_convolution(conv, DATA, operation, forward, desc));
    DT_TRY(add_packed(conv, PACKED_DATA, dnnl_primitive_desc_query_md(*desc, dnnl_query_weights_md, 0)));
    return plan_reorder(conv, PACK_DATA, W, PACKED_DATA, false);
}

static dt_status plan_weights(dt_conv *conv, const_dnnl_primitive_desc_t forward, dnnl_primitive_desc_t *desc) {
    const dt_onednn_convolution operation = {.pass = DT_ONEDNN_WEIGHTS,
                                             .x = conv->formats[X],
                                             .y = conv->formats[DY],
                                             .weights = weights_of(&conv->shape, dnnl_f32)};
    DT_TRY(plan_convolution(conv, WEIGHTS, operation, forward, desc));
    DT_TRY(add_packed(conv, PACKED_WEIGHTS, dnnl_primitive_desc_query_md(*desc, dnnl_query_diff_weights_md, 0)));
    DT_TRY(plan_reorder(conv, UNPACK, PACKED_WEIGHTS, DW, false));
    return plan_reorder(conv, UNPACK_ADD, PACKED_WEIGHTS, DW, true);
}

static dt_status plan(dt_conv *conv, bool training) {
    DT_TRY(check(dnnl_engine_create(&conv->engine, dnnl_cpu, 0), "an engine"));
    DT_TRY(check(dnnl_stream_create(&conv->stream, conv->engine, dnnl_stream_default_flags), "a stream"));
    dnnl_primitive_desc_t forward = NULL, data = NULL, weights = NULL;
    dt_status status = describe(conv, &conv->shape);
    if (status.code == DT_OK) status = plan_forward(conv, &forward);
    if (status.code == DT_OK && training) status = plan_data(conv, forward, &data);
    if (status.code == DT_OK && training) status = plan_weights(conv, forward, &weights);
    dnnl_primitive_desc_destroy(weights);
    dnnl_primitive_desc_destroy(data);
    dnnl_primitive_desc_destroy(forward);
    conv->workspace += conv->scratch_at;
    return status;
}

static dt_status create(dt_conv **out, const dt_conv_shape *shape, bool training, bool rounds) {
    dt_conv *conv = dt_alloc(1, sizeof *conv);
    if (!conv) return dt_fail_memory("a convolution", sizeof *conv);
    conv->shape = *shape;
    conv->rounds = rounds;
    dt_status status = plan(conv, training);
    if (status.code != DT_OK) {
        dt_conv_destroy(conv);
        return status;
    }
    *out = conv;
    return dt_ok();
}

/* Whether bf16 gains more than it costs to round x and dy. */
static bool worth_rounding(const dt_conv_shape *s) {
    int64_t products = s->window.kernel[0] * s->window.kernel[1] * (s->in_channels / s->groups);
    return products >= 32 && s->out_channels / s->groups >= 16;
}

dt_status dt_conv_create(dt_conv **out, const dt_conv_shape *shape, bool training) {
    *out = NULL;
    DT_TRY(check_sizes(shape));
    DT_TRY(dt_compute_room());
    bool rounds = shape->bf16 && worth_rounding(shape);
    if (rounds) { /* judged by all three, that training and evaluation compute the same */
        dt_status status = create(out, shape, true, true);
        rounds = status.code == DT_OK && !(*out)->slow;
        if (status.code == DT_ERR_MEMORY || (rounds && training)) return status;
        dt_conv_destroy(*out);
        *out = NULL;
    }
    return create(out, shape, training, rounds);
}

bool dt_conv_rounds(const dt_conv *conv) {
    return conv->rounds;
}

void dt_conv_destroy(dt_conv *conv) {
    if (!conv) return;
    for (int i = 0; i < STEPS; i++) {
        dnnl_primitive_destroy(conv->steps[i]);
        dnnl_memory_destroy(conv->scratch[i]);
    }
    for (int i = 0; i < OPERANDS; i++) dnnl_memory_destroy(conv->operands[i]);
    if (conv->stream) dnnl_stream_destroy(conv->stream);
    if (conv->engine) dnnl_engine_destroy(conv->engine);
    dt_free(conv);
}

size_t dt_conv_workspace(const dt_conv *conv) {
    return conv->workspace;
}

/* Planning has made every step and its scratch: what fails now is short of the little memory a call takes. */
static void note(const dt_conv *conv, dnnl_status_t code) {
    if (code == dnnl_success) return;
    const dt_conv_shape *s = &conv->shape;
    dt_compute_fail(dt_fail(
        code == dnnl_out_of_memory ? DT_ERR_MEMORY : DT_ERR_INPUT,
        "the %s convolution %lldx%lld of [%lld, %lld, %lld, %lld] to %lld channels was not computed: "
        "%s (oneDNN's error %d)",
        conv->rounds ? "bf16" : "float32", (long long)s->window.kernel[0], (long long)s->window.kernel[1],
        (long long)s->rows, (long long)s->window.in[0], (long long)s->window.in[1], (long long)s->in_channels,
        (long long)s->out_channels, code == dnnl_out_of_memory ? "no memory left" : "oneDNN refuses it", (int)code));
}

static void point(const dt_conv *conv, dt_operand operand, const void *at) {
    note(conv, dnnl_memory_set_data_handle(conv->operands[operand], (void *)at));
}

static void run(const dt_conv *conv, dt_step step, const dnnl_exec_arg_t *arguments, void *workspace) {
    dnnl_exec_arg_t all[5];
    int count = 0;
    for (; arguments[count].memory; count++) all[count] = arguments[count];
    dnnl_status_t code = dnnl_memory_set_data_handle(conv->scratch[step], (char *)workspace + conv->scratch_at);
    all[count++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, conv->scratch[step]};
    if (code == dnnl_success) code = dnnl_primitive_execute(conv->steps[step], conv->stream, count, all);
    note(conv, code);
}

static void reorder(const dt_conv *conv, dt_step step, dt_operand from, dt_operand to, void *workspace) {
    run(conv, step, (dnnl_exec_arg_t[]){{DNNL_ARG_FROM, conv->operands[from]}, {DNNL_ARG_TO, conv->operands[to]}, {0}},
        workspace);
}

void dt_conv_forward(const dt_conv *conv, dt_real *y, const void *x, const void *w, const dt_real *b, void *workspace) {
    point(conv, X, x);
    point(conv, Y, y);
    point(conv, W, w);
    point(conv, B, b);
    point(conv, PACKED_FORWARD, workspace);
    reorder(conv, PACK_FORWARD, W, PACKED_FORWARD, workspace);
    run(conv, FORWARD,
        (dnnl_exec_arg_t[]){{DNNL_ARG_SRC, conv->operands[X]},
                            {DNNL_ARG_WEIGHTS, conv->operands[PACKED_FORWARD]},
                            {DNNL_ARG_DST, conv->operands[Y]},
                            {DNNL_ARG_BIAS, conv->shape.bias ? conv->operands[B] : NULL},
                            {0}},
        workspace);
}

void dt_conv_backward_data(const dt_conv *conv, dt_real *dx, const void *dy, const void *w, void *workspace) {
    point(conv, DX, dx);
    point(conv, DY, dy);
    point(conv, W, w);
    point(conv, PACKED_DATA, workspace);
    reorder(conv, PACK_DATA, W, PACKED_DATA, workspace);
    run(conv, DATA,
        (dnnl_exec_arg_t[]){{DNNL_ARG_DIFF_SRC, conv->operands[DX]},
                            {DNNL_ARG_WEIGHTS, conv->operands[PACKED_DATA]},
                            {DNNL_ARG_DIFF_DST, conv->operands[DY]},
                            {0}},
        workspace);
}

void dt_conv_backward_weights(const dt_conv *conv, dt_real *dw, const void *x, const void *dy, bool accumulate,
                              void *workspace) {
    point(conv, X, x);
    point(conv, DY, dy);
    point(conv, DW, dw);
    point(conv, PACKED_WEIGHTS, workspace);
    run(conv, WEIGHTS,
        (dnnl_exec_arg_t[]){{DNNL_ARG_SRC, conv->operands[X]},
                            {DNNL_ARG_DIFF_WEIGHTS, conv->operands[PACKED_WEIGHTS]},
                            {DNNL_ARG_DIFF_DST, conv->operands[DY]},
                            {0}},
        workspace);
    reorder(conv, accumulate ? UNPACK_ADD : UNPACK, PACKED_WEIGHTS, DW, workspace);
}

#endif
