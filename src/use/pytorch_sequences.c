/* Layers on sequences of tokens, and recurrent ones, as PyTorch code. */
#include <stdlib.h>
#include <string.h>

#include "pytorch_layers.h"

dt_status dt_pytorch_embedding(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    char attribute[DT_PYTORCH_NAME], places[DT_PYTORCH_NAME + 16];
    const dt_tensor *w = dt_layer_tensor(layer, "w"), *positions = dt_layer_tensor(layer, "p");
    p->needs |= DT_PYTORCH_EMBED;
    dt_pytorch_attribute(p, layer, attribute);
    fprintf(p->init, "        self.%s = nn.Embedding(%lld, %lld)\n", attribute, (long long)w->shape.dim[0],
            (long long)w->shape.dim[1]);
    dt_pytorch_state(p, attribute, "weight", layer, "w", NULL);
    fprintf(p->body, "        %s = embed(%s, self.%s.weight)\n", x->name, x->name, attribute);
    x->first = false;
    if (!positions) return dt_ok();
    snprintf(places, sizeof places, "%s_positions", attribute);
    fprintf(p->init, "        self.%s = nn.Parameter(torch.empty(%lld, %lld))\n", places,
            (long long)positions->shape.dim[0], (long long)positions->shape.dim[1]);
    dt_pytorch_state(p, places, "", layer, "p", NULL);
    fprintf(p->body, "        %s = %s + self.%s[: %s.shape[1]]\n", x->name, x->name, places, x->name);
    return dt_ok();
}

/* The attribute that has a tensor of this name in dtrain, by the array that was made of it. */
static const char *owner_of(const dt_pytorch *p, const dt_tensor *tensor) {
    for (int64_t i = 0; i < p->array_count; i++)
        if (p->arrays[i].data == dt_export_values(p->model, tensor)) return p->arrays[i].name;
    return "";
}

dt_status dt_pytorch_unembed(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    char attribute[DT_PYTORCH_NAME], bias[DT_PYTORCH_NAME + 16];
    const dt_tensor *b = dt_layer_tensor(layer, "b");
    dt_pytorch_attribute(p, layer, attribute);
    dt_pytorch_last(p, x);
    if (dt_layer_text(layer, "of")[0] == '\0') {
        dt_pytorch_linear(p, layer, attribute, "w", "b");
        fprintf(p->body, "        %s = self.%s(%s)\n", x->name, attribute, x->name);
        return dt_ok();
    }
    snprintf(bias, sizeof bias, "%s_bias", attribute);
    if (b) {
        fprintf(p->init, "        self.%s = nn.Parameter(torch.empty(%lld))\n", bias, (long long)b->shape.dim[0]);
        dt_pytorch_state(p, bias, "", layer, "b", NULL);
    }
    fprintf(p->body, "        %s = F.linear(%s, self.%s%s%s)\n", x->name, x->name,
            owner_of(p, dt_layer_tensor(layer, "w")), b ? ", self." : "", b ? bias : "");
    return dt_ok();
}

dt_status dt_pytorch_token_pool(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    const char *of = dt_layer_choice(layer, "of");
    dt_pytorch_last(p, x);
    if (strcmp(of, "mean") != 0)
        fprintf(p->body, "        %s = %s[:, %d]\n", x->name, x->name, strcmp(of, "last") == 0 ? -1 : 0);
    else if (p->ids && p->positions == dt_layer_input(layer)->dim[0])
        fprintf(p->body,
                "        counted = (%s >= 0).to(%s.dtype).unsqueeze(-1)\n"
                "        counted = torch.where(counted.sum(1, keepdim=True) > 0, counted, torch.ones_like(counted))\n"
                "        %s = (%s * counted).sum(1) / counted.sum(1)\n",
                p->ids, x->name, x->name, x->name);
    else
        fprintf(p->body, "        %s = %s.mean(1)\n", x->name, x->name);
    return dt_ok();
}

static const int turned[] = {1, 0};

dt_status dt_pytorch_attention(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    static const struct {
        const char *w, *b, *name;
    } products[] = {{"w_qkv", "b_qkv", "qkv"}, {"w_out", "b_out", "out"}};
    char attribute[DT_PYTORCH_NAME], base[32] = "None", member[DT_PYTORCH_NAME + 8];
    int64_t heads = dt_layer_whole(layer, "heads"), kv = dt_layer_whole(layer, "kv_heads");
    bool causal = dt_layer_truth(layer, "causal"), masked = !causal && p->ids && p->positions == x->shape.dim[0];
    p->needs |= DT_PYTORCH_ATTENTION;
    dt_pytorch_attribute(p, layer, attribute);
    dt_pytorch_last(p, x);
    if (dt_layer_truth(layer, "rotary")) snprintf(base, sizeof base, "%.17g", dt_layer_real(layer, "rotary_base"));
    fprintf(
        p->init, "        self.%s = Attention(%lld, heads=%lld, kv_heads=%lld, causal=%s, rotary_base=%s, bias=%s)\n",
        attribute, (long long)dt_shape_last(dt_layer_input(layer)), (long long)heads, (long long)(kv > 0 ? kv : heads),
        causal ? "True" : "False", base, dt_layer_truth(layer, "bias") ? "True" : "False");
    for (int i = 0; i < 2; i++) {
        snprintf(member, sizeof member, "%s.%s", attribute, products[i].name);
        dt_pytorch_state(p, member, "weight", layer, products[i].w, turned);
        if (dt_layer_tensor(layer, products[i].b)) dt_pytorch_state(p, member, "bias", layer, products[i].b, NULL);
    }
    fprintf(p->body, "        %s = self.%s(%s%s%s)\n", x->name, attribute, x->name, masked ? ", " : "",
            masked ? p->ids : "");
    return dt_ok();
}

/* ---- recurrent layers: gates have the same order as here, r z n and i f g o ---- */

/* PyTorch has two biases where ours is one: the state's is of zeros, but that the GRU's candidate has its own. */
static void write_biases(dt_pytorch *p, const dt_layer *layer, const char *attribute, int number) {
    char name[32], ours[32];
    snprintf(ours, sizeof ours, "b%d", number);
    const dt_tensor *b = dt_layer_tensor(layer, ours);
    snprintf(name, sizeof name, "bias_ih_l%d", number - 1);
    dt_pytorch_state(p, attribute, name, layer, ours, NULL);
    snprintf(name, sizeof name, "bias_hh_l%d", number - 1);
    dt_pytorch_constant(p, attribute, name, &b->shape, 0);
    snprintf(ours, sizeof ours, "b_state%d", number);
    const dt_tensor *own = dt_layer_tensor(layer, ours);
    if (own && !p->short_of_memory)
        memcpy((float *)p->owned[p->array_count - 1] + 2 * own->count, dt_export_values(p->model, own),
               own->count * sizeof(float));
}

dt_status dt_pytorch_recurrent(dt_pytorch *p, const dt_layer *layer, dt_pytorch_value *x) {
    static const char *const kinds[][2] = {{"simple_rnn", "RNN"}, {"gru", "GRU"}, {"lstm", "LSTM"}};
    char attribute[DT_PYTORCH_NAME], name[32], ours[32];
    const char *class = "";
    int layers = (int)dt_layer_whole(layer, "layers");
    bool biased = dt_layer_truth(layer, "bias"), ids = x->ids;
    for (int i = 0; i < 3; i++)
        if (strcmp(kinds[i][0], dt_layer_kind_name(layer)) == 0) class = kinds[i][1];
    dt_pytorch_attribute(p, layer, attribute);
    int64_t in = dt_layer_tensor(layer, "w_in1")->shape.dim[0];
    fprintf(p->init, "        self.%s = nn.%s(%lld, %lld, num_layers=%d, dropout=%.9g, batch_first=True%s)\n",
            attribute, class, (long long)in, (long long)dt_layer_whole(layer, "units"), layers,
            dt_layer_real(layer, "dropout"), biased ? "" : ", bias=False");
    for (int i = 1; i <= layers; i++) {
        snprintf(name, sizeof name, "weight_ih_l%d", i - 1);
        snprintf(ours, sizeof ours, "w_in%d", i);
        dt_pytorch_state(p, attribute, name, layer, ours, turned);
        snprintf(name, sizeof name, "weight_hh_l%d", i - 1);
        snprintf(ours, sizeof ours, "w_state%d", i);
        dt_pytorch_state(p, attribute, name, layer, ours, turned);
        if (biased) write_biases(p, layer, attribute, i);
    }
    dt_pytorch_last(p, x);
    if (ids) {
        p->needs |= DT_PYTORCH_EMBED;
        fprintf(p->body, "        %s = embed(%s, torch.eye(%lld, device=%s.device))\n", x->name, x->name, (long long)in,
                x->name);
    } else if (x->shape.rank == 1) {
        fprintf(p->body, "        %s = %s.unsqueeze(-1)\n", x->name, x->name);
    }
    fprintf(p->body, "        %s = self.%s(%s)[0]%s\n", x->name, attribute, x->name,
            dt_layer_truth(layer, "last") ? "[:, -1]" : "");
    x->first = false;
    return dt_ok();
}
