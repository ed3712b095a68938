/* Which lines a kind of layer becomes. */
#include "pytorch_layers.h"

#include <string.h>

static dt_status write_dense(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    char attribute[DT_PYTORCH_NAME];
    dt_pytorch_attribute(p, layer, attribute);
    dt_pytorch_linear(p, layer, attribute, "w", "b");
    dt_pytorch_last(p, x);
    fprintf(p->body, "        %s = self.%s(%s)\n", x->name, attribute, x->name);
    dt_pytorch_activation(p, x, dt_layer_choice(layer, "activation"), dt_layer_real(layer, "slope"));
    return dt_ok();
}

static dt_status write_swiglu(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    char attribute[DT_PYTORCH_NAME];
    dt_pytorch_attribute(p, layer, attribute);
    dt_pytorch_linear(p, layer, attribute, "w", "b");
    dt_pytorch_last(p, x);
    fprintf(p->body, "        gate, up = self.%s(%s).chunk(2, -1)\n        %s = F.silu(gate) * up\n", attribute,
            x->name, x->name);
    return dt_ok();
}

static void write_shape(dt_pytorch *p, dt_pytorch_value *x, const dt_shape *shape) {
    dt_pytorch_last(p, x);
    fprintf(p->body, "        %s = %s.reshape(%s.shape[0]", x->name, x->name, x->name);
    for (int i = 0; i < shape->rank; i++) fprintf(p->body, ", %lld", (long long)shape->dim[i]);
    fprintf(p->body, ")\n");
    x->shape = *shape;
}

static dt_status write_view(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    write_shape(p, x, dt_layer_output(layer));
    return dt_ok();
}

static dt_status write_transpose(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    const dt_shape *order = dt_layer_sizes(layer, "order");
    dt_pytorch_last(p, x);
    fprintf(p->body, "        %s = %s.permute(0", x->name, x->name);
    for (int i = 0; i < order->rank; i++) fprintf(p->body, ", %lld", (long long)order->dim[i] + 1);
    fprintf(p->body, ")\n");
    return dt_ok();
}

static dt_status write_dropout(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    char attribute[DT_PYTORCH_NAME];
    dt_pytorch_attribute(p, layer, attribute);
    fprintf(p->init, "        self.%s = nn.Dropout(%.9g)\n", attribute, dt_layer_real(layer, "rate"));
    fprintf(p->body, "        %s = self.%s(%s)\n", x->name, attribute, x->name);
    return dt_ok();
}

static dt_status write_activation(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    const char *kind = dt_layer_kind_name(layer);
    if (strcmp(kind, "softmax") == 0) dt_pytorch_last(p, x);
    dt_pytorch_activation(p, x, kind, strcmp(kind, "leaky_relu") == 0 ? dt_layer_real(layer, "slope") : 0);
    return dt_ok();
}

/* ---- windows ---- */

/* Channels first, with a dimension for the channels also where there is but one. */
static int begin_window(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    int dimensions = dt_layer_output(layer)->rank - 1;
    if (x->shape.rank == dimensions) {
        fprintf(p->body, "        %s = %s.unsqueeze(1)\n", x->name, x->name);
        x->first = true;
    }
    x->shape.rank = dimensions + 1;
    dt_pytorch_first(p, x);
    return dimensions;
}

static void pair(FILE *out, const int64_t *of, int dimensions) {
    if (dimensions == 1)
        fprintf(out, "%lld", (long long)of[1]);
    else
        fprintf(out, "(%lld, %lld)", (long long)of[0], (long long)of[1]);
}

/* Pads what the layer itself cannot; whether there is anything. */
static bool write_padding(dt_pytorch *p, const char *to, const char *from, const dt_window *w, int dimensions,
                          const char *value) {
    bool any = w->before[1] || w->after[1] || (dimensions == 2 && (w->before[0] || w->after[0]));
    if (!any) return false;
    fprintf(p->body, "        %s = F.pad(%s, (%lld, %lld", to, from, (long long)w->before[1], (long long)w->after[1]);
    if (dimensions == 2) fprintf(p->body, ", %lld, %lld", (long long)w->before[0], (long long)w->after[0]);
    fprintf(p->body, ")%s)\n", value);
    return true;
}

static dt_status write_conv(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    static const int orders[3][4] = {{0}, {2, 1, 0}, {3, 2, 0, 1}}; /* [kernel…, in, out] as [out, in, kernel…] */
    char attribute[DT_PYTORCH_NAME];
    const dt_window *w = dt_layer_window(layer);
    int dimensions = begin_window(p, layer, x);
    bool symmetric = w->before[1] == w->after[1] && (dimensions == 1 || w->before[0] == w->after[0]);
    int64_t groups = dt_layer_whole(layer, "groups");
    const dt_tensor *weight = dt_layer_tensor(layer, "w");
    bool biased = dt_layer_tensor(layer, "b") != NULL;
    dt_pytorch_attribute(p, layer, attribute);
    fprintf(p->init, "        self.%s = nn.Conv%dd(%lld, %lld, ", attribute, dimensions,
            (long long)(weight->shape.dim[dimensions] * groups), (long long)dt_layer_whole(layer, "out"));
    pair(p->init, w->kernel, dimensions);
    fprintf(p->init, ", stride=");
    pair(p->init, w->stride, dimensions);
    if (symmetric) fprintf(p->init, ", padding=");
    if (symmetric) pair(p->init, w->before, dimensions);
    fprintf(p->init, ", dilation=");
    pair(p->init, w->dilation, dimensions);
    fprintf(p->init, ", groups=%lld%s)\n", (long long)groups, biased ? "" : ", bias=False");
    dt_pytorch_state(p, attribute, "weight", layer, "w", orders[dimensions]);
    if (biased) dt_pytorch_state(p, attribute, "bias", layer, "b", NULL);
    if (!symmetric) write_padding(p, x->name, x->name, w, dimensions, "");
    fprintf(p->body, "        %s = self.%s(%s)\n", x->name, attribute, x->name);
    dt_pytorch_activation(p, x, dt_layer_choice(layer, "activation"), dt_layer_real(layer, "slope"));
    return dt_ok();
}

static void write_pool(dt_pytorch *p, const char *kind, const char *to, const char *from, const dt_window *w,
                       int dimensions) {
    fprintf(p->body, "        %s = F.%s%dd(%s, ", to, kind, dimensions, from);
    pair(p->body, w->kernel, dimensions);
    fprintf(p->body, ", ");
    pair(p->body, w->stride, dimensions);
    fprintf(p->body, ")\n");
}

static dt_status write_max_pool(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    const dt_window *w = dt_layer_window(layer);
    int dimensions = begin_window(p, layer, x);
    write_padding(p, x->name, x->name, w, dimensions, ", value=float(\"-inf\")");
    write_pool(p, "max_pool", x->name, x->name, w, dimensions);
    return dt_ok();
}

/* What lies outside does not count: the mean with zeros there, over the share that is inside. */
static dt_status write_avg_pool(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    const dt_window *w = dt_layer_window(layer);
    int dimensions = begin_window(p, layer, x);
    char ones[64];
    snprintf(ones, sizeof ones, "torch.ones_like(%s[:1, :1])", x->name);
    bool padded = write_padding(p, "inside", ones, w, dimensions, "");
    write_padding(p, x->name, x->name, w, dimensions, "");
    if (padded) write_pool(p, "avg_pool", "inside", "inside", w, dimensions);
    write_pool(p, "avg_pool", x->name, x->name, w, dimensions);
    if (padded) fprintf(p->body, "        %s = %s / inside\n", x->name, x->name);
    return dt_ok();
}

static dt_status write_global(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    bool mean = strcmp(dt_layer_kind_name(layer), "global_avg_pool") == 0;
    int rank = x->shape.rank, from = x->first ? 2 : 1;
    fprintf(p->body, "        %s = %s.%s((%d,", x->name, x->name, mean ? "mean" : "amax", from);
    for (int i = 1; i + 1 < rank; i++) fprintf(p->body, " %d,", from + i);
    fprintf(p->body, ")%s)\n", rank == 1 ? ", keepdim=True" : "");
    x->first = false;
    return dt_ok();
}

static dt_status write_upsample(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    bool linear = strcmp(dt_layer_choice(layer, "method"), "linear") == 0;
    dt_pytorch_first(p, x);
    fprintf(p->body, "        %s = F.interpolate(%s, scale_factor=%lld, mode=\"%s\"%s)\n", x->name, x->name,
            (long long)dt_layer_whole(layer, "factor"),
            !linear              ? "nearest"
            : x->shape.rank == 2 ? "linear"
                                 : "bilinear",
            linear ? ", align_corners=False" : "");
    return dt_ok();
}

/* ---- norms ---- */

/* weight and bias, of ones and zeros where the layer has none. */
static void scale_state(dt_pytorch *p, const dt_layer *layer, const char *attribute) {
    static const char *const names[2][2] = {{"scale", "weight"}, {"shift", "bias"}};
    dt_shape channels = {1, {dt_shape_last(dt_layer_input(layer))}};
    for (int i = 0; i < 2; i++) {
        if (dt_layer_tensor(layer, names[i][0]))
            dt_pytorch_state(p, attribute, names[i][1], layer, names[i][0], NULL);
        else
            dt_pytorch_constant(p, attribute, names[i][1], &channels, i == 0 ? 1 : 0);
    }
}

static void apply(dt_pytorch *p, const char *attribute, const dt_pytorch_value *x) {
    fprintf(p->body, "        %s = self.%s(%s)\n", x->name, attribute, x->name);
}

static dt_status write_batch_norm(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    char attribute[DT_PYTORCH_NAME];
    int rank = x->shape.rank;
    if (rank > 4)
        return dt_export_refuse(layer, "PyTorch's batch norm takes samples of up to 4 dimensions, not %d", rank);
    dt_pytorch_attribute(p, layer, attribute);
    dt_pytorch_first(p, x);
    fprintf(p->init, "        self.%s = nn.BatchNorm%dd(%lld, eps=%.9g, momentum=%.9g)\n", attribute,
            rank > 2 ? rank - 1 : 1, (long long)dt_shape_last(dt_layer_input(layer)), dt_layer_real(layer, "eps"),
            1 - dt_layer_real(layer, "momentum"));
    scale_state(p, layer, attribute);
    dt_pytorch_state(p, attribute, "running_mean", layer, "running_mean", NULL);
    dt_pytorch_state(p, attribute, "running_var", layer, "running_var", NULL);
    dt_pytorch_values(p, attribute, "num_batches_tracked", DT_I64, &(dt_shape){0}, &(int64_t){0});
    apply(p, attribute, x);
    dt_pytorch_activation(p, x, dt_layer_choice(layer, "activation"), 0);
    return dt_ok();
}

static dt_status write_layer_norm(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    char attribute[DT_PYTORCH_NAME];
    dt_pytorch_attribute(p, layer, attribute);
    dt_pytorch_last(p, x);
    fprintf(p->init, "        self.%s = nn.LayerNorm(%lld, eps=%.9g)\n", attribute,
            (long long)dt_shape_last(dt_layer_input(layer)), dt_layer_real(layer, "eps"));
    scale_state(p, layer, attribute);
    apply(p, attribute, x);
    return dt_ok();
}

static dt_status write_rms_norm(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    char attribute[DT_PYTORCH_NAME];
    dt_shape channels = {1, {dt_shape_last(dt_layer_input(layer))}};
    p->needs |= DT_PYTORCH_RMS_NORM;
    dt_pytorch_attribute(p, layer, attribute);
    dt_pytorch_last(p, x);
    fprintf(p->init, "        self.%s = RMSNorm(%lld, eps=%.9g)\n", attribute, (long long)channels.dim[0],
            dt_layer_real(layer, "eps"));
    if (dt_layer_tensor(layer, "scale"))
        dt_pytorch_state(p, attribute, "weight", layer, "scale", NULL);
    else
        dt_pytorch_constant(p, attribute, "weight", &channels, 1);
    apply(p, attribute, x);
    return dt_ok();
}

static dt_status write_group_norm(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    char attribute[DT_PYTORCH_NAME];
    dt_pytorch_attribute(p, layer, attribute);
    dt_pytorch_first(p, x);
    fprintf(p->init, "        self.%s = nn.GroupNorm(%lld, %lld, eps=%.9g)\n", attribute,
            (long long)dt_layer_whole(layer, "groups"), (long long)dt_shape_last(dt_layer_input(layer)),
            dt_layer_real(layer, "eps"));
    scale_state(p, layer, attribute);
    apply(p, attribute, x);
    return dt_ok();
}

/* ---- lists ---- */

static dt_status write_list(dt_pytorch *p, const dt_layer *layer, int list, dt_pytorch_value *x) {
    for (int i = 0; i < dt_layer_list_length(layer, list); i++)
        DT_TRY(dt_pytorch_write_layer(p, dt_layer_of_list(layer, list, i), x));
    return dt_ok();
}

/* The same value under a variable of its own. */
static dt_pytorch_value branch_of(dt_pytorch *p, const dt_pytorch_value *x) {
    dt_pytorch_value branch = *x;
    snprintf(branch.name, sizeof branch.name, "x%d", ++p->variables);
    if (!x->apart) fprintf(p->body, "        %s = %s\n", branch.name, x->name);
    return branch;
}

static dt_status write_residual(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    dt_pytorch_value around = branch_of(p, x);
    DT_TRY(write_list(p, layer, 0, x));
    if (dt_layer_list_count(layer) > 1) DT_TRY(write_list(p, layer, 1, &around));
    if (x->first != around.first) {
        dt_pytorch_last(p, x);
        dt_pytorch_last(p, &around);
    }
    fprintf(p->body, "        %s = %s + %s\n", x->name, x->name, around.name);
    dt_pytorch_activation(p, x, dt_layer_choice(layer, "activation"), 0);
    return dt_ok();
}

static dt_status write_concat(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    int first = ++p->variables, count = dt_layer_list_count(layer);
    dt_pytorch_last(p, x);
    fprintf(p->body, "        x%d = []\n", first);
    for (int i = 0; i < count; i++) {
        dt_pytorch_value branch = branch_of(p, x);
        DT_TRY(write_list(p, layer, i, &branch));
        dt_pytorch_row(p, &branch);
        dt_pytorch_last(p, &branch);
        fprintf(p->body, "        x%d.append(%s)\n", first, branch.name);
    }
    fprintf(p->body, "        %s = torch.cat(x%d, -1)\n", x->name, first);
    x->apart = false;
    return dt_ok();
}

/* An input that has a name; of a row that a layer has made, its place there. */
static dt_status write_input(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    const int64_t i = dt_export_input_of(p->model, layer);
    const dt_input *input = dt_export_input(p->model, i);
    const long long first = (long long)input->first, end = first + (long long)dt_shape_count(&input->shape);
    if (x->apart)
        fprintf(p->body, "        %s = %s\n", x->name, p->inputs[i]);
    else
        fprintf(p->body, "        %s = %s[:, %lld:%lld]\n", x->name, x->name, first, end);
    if (!x->apart) write_shape(p, x, &input->shape);
    x->apart = false;
    return dt_ok();
}

/* ---- the table ---- */

static const struct {
    const char *kind;
    dt_pytorch_layer *write;
} rows[] = {
    {"input", write_input},
    {"dense", write_dense},
    {"flatten", write_view},
    {"conv2d", write_conv},
    {"conv1d", write_conv},
    {"max_pool", write_max_pool},
    {"avg_pool", write_avg_pool},
    {"global_max_pool", write_global},
    {"global_avg_pool", write_global},
    {"dropout", write_dropout},
    {"batch_norm", write_batch_norm},
    {"layer_norm", write_layer_norm},
    {"rms_norm", write_rms_norm},
    {"group_norm", write_group_norm},
    {"residual", write_residual},
    {"concat", write_concat},
    {"upsample", write_upsample},
    {"reshape", write_view},
    {"transpose", write_transpose},
    {"embedding", dt_pytorch_embedding},
    {"unembed", dt_pytorch_unembed},
    {"swiglu", write_swiglu},
    {"token_pool", dt_pytorch_token_pool},
    {"attention", dt_pytorch_attention},
    {"simple_rnn", dt_pytorch_recurrent},
    {"gru", dt_pytorch_recurrent},
    {"lstm", dt_pytorch_recurrent},
    {"relu", write_activation},
    {"leaky_relu", write_activation},
    {"gelu", write_activation},
    {"silu", write_activation},
    {"tanh", write_activation},
    {"sigmoid", write_activation},
    {"softmax", write_activation},
};

dt_status dt_pytorch_write_layer(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].kind, dt_layer_kind_name(layer)) != 0) continue;
        if (rows[i].write != write_input && rows[i].write != write_concat) dt_pytorch_row(p, x);
        DT_TRY(rows[i].write(p, layer, x));
        x->shape = *dt_layer_output(layer);
        return dt_ok();
    }
    return dt_export_refuse(layer, "there is no PyTorch code for this kind of layer yet");
}
