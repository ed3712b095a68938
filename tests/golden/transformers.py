#!/usr/bin/python3
"""Writes transformers.h: whole small transformers as PyTorch computes them (float64): logits, loss and every gradient.

    /usr/bin/python3 tests/golden/transformers.py > tests/golden/transformers.h

The attention is PyTorch's own (multi_head_attention_forward), and so are norms, GELU and the loss; what is ours is the
order of things. A model is a list of tensors, in the order in which its layers declare them, each with the layout that
ours has: w of a dense layer is [in, out], w_qkv [width, 3 width] with the columns of q (head after head), k and v.

    gpt          embedding + positions, blocks x + attention(norm(x)), x + mlp(norm(x)), norm, the output tied to the
                 embedding; norms have a scale alone and products no bias
    gpt_biased   the same with shifts and biases in the blocks and the last norm
    bert_mean    embedding + positions, norm, blocks norm(x + attention(x)), norm(x + mlp(x)), the mean of the positions
                 that are not padding, dense; token -1 is padding: no query sees it, what it gives is not used
    bert_first   the same weights and tokens, with the first place in place of the mean
    llama        the form of LLaMA, written out: RMS norms (eps 1e-6), queries and keys turned by rotary positions
                 (pairs are the halves of a head, base 10000), two heads of queries that share one of keys and values,
                 the gated unit silu(x w1)*(x w2) with w = [w1 w2], an output of its own; no bias anywhere

The mlp is dense, GELU (tanh form), dense; norms have eps 1e-5. The loss is the sum over all labels of softmax cross
entropy, and gradients are of that sum.
"""
import torch
import torch.nn.functional as F

from c_source import array, begin, end, shape, struct

torch.set_default_dtype(torch.float64)
torch.manual_seed(20240923)
ROWS, POSITIONS, VOCABULARY, WIDTH, HEADS, CLASSES = 3, 5, 7, 8, 2, 3
HIDDEN = 2 * WIDTH


# ---- tensors, in the order of our table


def norm(name, shift):
    return [(name + "/scale", (WIDTH,))] + ([(name + "/shift", (WIDTH,))] if shift else [])


def dense(name, inputs, outputs, bias):
    return [(name + "/w", (inputs, outputs))] + ([(name + "/b", (outputs,))] if bias else [])


def attention(name, bias):
    return ([(name + "/w_qkv", (WIDTH, 3 * WIDTH))] + ([(name + "/b_qkv", (3 * WIDTH,))] if bias else []) +
            [(name + "/w_out", (WIDTH, WIDTH))] + ([(name + "/b_out", (WIDTH,))] if bias else []))


def mlp(name, bias):
    return dense(name + "/dense1", WIDTH, HIDDEN, bias) + dense(name + "/dense2", HIDDEN, WIDTH, bias)


EMBEDDING = [("embedding/w", (VOCABULARY, WIDTH)), ("positions/p", (POSITIONS, WIDTH))]


def gpt_tensors(blocks, bias):
    shapes = list(EMBEDDING)
    for i in range(1, blocks + 1):
        shapes += norm(f"block{i}/norm1", bias) + attention(f"block{i}/attention", bias)
        shapes += norm(f"block{i}/norm2", bias) + mlp(f"block{i}", bias)
    return shapes + norm("norm", bias)


def llama_tensors():
    head = WIDTH // HEADS
    return [("embedding/w", (VOCABULARY, WIDTH)), ("norm1/scale", (WIDTH,)),
            ("attention/w_qkv", (WIDTH, (HEADS + 2) * head)), ("attention/w_out", (WIDTH, WIDTH)),
            ("norm2/scale", (WIDTH,)), ("swiglu/w", (WIDTH, 2 * HIDDEN)), ("dense/w", (HIDDEN, WIDTH)),
            ("norm/scale", (WIDTH,)), ("unembed/w", (WIDTH, VOCABULARY))]


def bert_tensors(blocks):
    shapes = EMBEDDING + norm("norm", True)
    for i in range(1, blocks + 1):
        shapes += attention(f"block{i}/attention", True) + norm(f"block{i}/norm1", True)
        shapes += mlp(f"block{i}", True) + norm(f"block{i}/norm2", True)
    return shapes + dense("dense", WIDTH, CLASSES, True)


# ---- the models, functions of w, a dict of those tensors


def apply_norm(w, name, x):
    return F.layer_norm(x, (WIDTH,), w[name + "/scale"], w.get(name + "/shift"), 1e-5)


def apply_dense(w, name, x):
    return F.linear(x, w[name + "/w"].t(), w.get(name + "/b"))


def apply_mlp(w, name, x):
    return apply_dense(w, name + "/dense2", F.gelu(apply_dense(w, name + "/dense1", x), approximate="tanh"))


def apply_attention(w, name, x, causal, padding):
    x = x.transpose(0, 1)  # positions first
    mask = torch.ones(POSITIONS, POSITIONS, dtype=torch.bool).triu(1) if causal else None
    y, _ = F.multi_head_attention_forward(
        x, x, x, WIDTH, HEADS, w[name + "/w_qkv"].t(), w.get(name + "/b_qkv"), None, None, False, 0.0,
        w[name + "/w_out"].t(), w.get(name + "/b_out"), key_padding_mask=padding, need_weights=False, attn_mask=mask)
    return y.transpose(0, 1)


def gpt(w, tokens, blocks):
    x = F.embedding(tokens, w["embedding/w"]) + w["positions/p"]
    for i in range(1, blocks + 1):
        x = x + apply_attention(w, f"block{i}/attention", apply_norm(w, f"block{i}/norm1", x), True, None)
        x = x + apply_mlp(w, f"block{i}", apply_norm(w, f"block{i}/norm2", x))
    return F.linear(apply_norm(w, "norm", x), w["embedding/w"])


def bert(w, tokens, blocks, pooling):
    padding = tokens < 0
    x = F.embedding(tokens.clamp(min=0), w["embedding/w"]) + w["positions/p"]
    x = apply_norm(w, "norm", x)
    for i in range(1, blocks + 1):
        x = apply_norm(w, f"block{i}/norm1", x + apply_attention(w, f"block{i}/attention", x, False, padding))
        x = apply_norm(w, f"block{i}/norm2", x + apply_mlp(w, f"block{i}", x))
    if pooling == "mean":
        real = (~padding).to(x.dtype).unsqueeze(-1)
        pooled = (x * real).sum(1) / real.sum(1)
    else:
        pooled = x[:, 0]
    return apply_dense(w, "dense", pooled)


def rms_norm(w, name, x):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-6) * w[name + "/scale"]


def turn(x):
    """Rotary positions on [rows, heads, positions, head]: number i and i + head/2 of a head are a pair."""
    half = x.shape[-1] // 2
    angle = torch.arange(POSITIONS)[:, None] * 10000.0 ** (-torch.arange(half) / half)
    one, two = x[..., :half], x[..., half:]
    return torch.cat([one * angle.cos() - two * angle.sin(), two * angle.cos() + one * angle.sin()], -1)


def shared_attention(w, x):
    head = WIDTH // HEADS
    qkv = (x @ w["attention/w_qkv"]).reshape(ROWS, POSITIONS, HEADS + 2, head).transpose(1, 2)
    q, k, v = turn(qkv[:, :HEADS]), turn(qkv[:, HEADS:HEADS + 1]), qkv[:, HEADS + 1:]
    scores = q @ k.transpose(-1, -2) / head**0.5
    hidden = torch.ones(POSITIONS, POSITIONS, dtype=torch.bool).triu(1)
    y = scores.masked_fill(hidden, -torch.inf).softmax(-1) @ v
    return y.transpose(1, 2).reshape(ROWS, POSITIONS, WIDTH) @ w["attention/w_out"]


def llama(w, tokens):
    x = F.embedding(tokens, w["embedding/w"])
    x = x + shared_attention(w, rms_norm(w, "norm1", x))
    gate, up = (rms_norm(w, "norm2", x) @ w["swiglu/w"]).chunk(2, -1)
    x = x + (F.silu(gate) * up) @ w["dense/w"]
    return rms_norm(w, "norm", x) @ w["unembed/w"]


# ---- numbers


def draw(shapes):
    """Far from initial values, so that every term matters: scales near 1, all else of deviation 1/2. Thousandths: short
    to write, and the same double when read."""
    return {name: torch.round(torch.randn(shape) * 500 + (1000 if name.endswith("/scale") else 0)) / 1000
            for name, shape in shapes}


def flat(tensors):
    return [value for tensor in tensors for value in tensor.reshape(-1).tolist()]


def case(name, shapes, start, model, tokens, labels, shared=None):
    w = {key: start[key].clone().requires_grad_() for key, _ in shapes}
    logits = model(w, tokens)
    loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1), reduction="sum")
    loss.backward()
    return dict(name=name, shapes=shapes, tokens=tokens, labels=labels, outputs=logits.shape[-1], loss=loss.item(),
                weights=flat(w[key] for key, _ in shapes), logits=flat([logits]),
                gradient=flat(w[key].grad for key, _ in shapes), shared=shared or name)


def cases():
    found = []
    for name, blocks, bias in (("gpt", 2, False), ("gpt_biased", 1, True)):
        shapes = gpt_tensors(blocks, bias)
        text = torch.randint(VOCABULARY, (ROWS, POSITIONS + 1))
        found.append(case(name, shapes, draw(shapes), lambda w, t, n=blocks: gpt(w, t, n), text[:, :-1], text[:, 1:]))
    shapes = bert_tensors(2)
    start = draw(shapes)
    tokens = torch.randint(VOCABULARY, (ROWS, POSITIONS))
    for row, length in enumerate((5, 3, 1)):
        tokens[row, length:] = -1
    labels = torch.tensor([2, 0, 1])
    for pooling in ("mean", "first"):
        found.append(case("bert_" + pooling, shapes, start, lambda w, t, p=pooling: bert(w, t, 2, p), tokens, labels,
                          "bert_mean"))
    text = torch.randint(VOCABULARY, (ROWS, POSITIONS + 1))
    found.append(case("llama", llama_tensors(), draw(llama_tensors()), llama, text[:, :-1], text[:, 1:]))
    return found


CASES = cases()
begin("""/* Whole small transformers as PyTorch computes them. Written by transformers.py, which says what they are; do not
 * edit.
 *
 * Of a row of golden_transformers: `weights` and `gradient` are all its tensors one after the other, in the order of
 * `tensors` (that of declaration); `tokens` are the inputs [rows, positions], -1 padding; `labels` are [rows,
 * positions] of the rows that predict the next tokens and [rows] of the bert rows (classes); `logits` [labels,
 * outputs]; `loss` is the sum of softmax cross entropy over all labels, and the gradient is of that sum. Two heads, eps
 * 1e-5 (llama: 1e-6), GELU in tanh form, the hidden layer of a block twice as wide as the rest. */""")
print(f"enum {{\n    GOLDEN_TRANSFORMER_ROWS = {ROWS},\n    GOLDEN_TRANSFORMER_POSITIONS = {POSITIONS},\n"
      f"    GOLDEN_TRANSFORMER_VOCABULARY = {VOCABULARY},\n    GOLDEN_TRANSFORMER_WIDTH = {WIDTH},\n"
      f"    GOLDEN_TRANSFORMER_HEADS = {HEADS},\n    GOLDEN_TRANSFORMER_HIDDEN = {HIDDEN},\n"
      f"    GOLDEN_TRANSFORMER_CLASSES = {CLASSES}\n}};")
print("typedef struct golden_tensor {\n    const char *name;\n    int rank, dim[2];\n} golden_tensor;")
for c in CASES:
    name = "golden_" + c["name"]
    if c["shared"] == c["name"]:
        print(f"static const golden_tensor {name}_tensors[] = {{")
        for key, dims in c["shapes"]:
            print(f'    {{"{key}", {shape(dims)}}},')
        print("};")
        for key in ("tokens", "labels"):
            array(f"{name}_{key}", c[key].reshape(-1).tolist(), "{}", "int")
        array(f"{name}_weights", c["weights"], "{:.16g}")
    for key in ("logits", "gradient"):
        array(f"{name}_{key}", c[key], "{:.16g}")
struct("golden_transformers", "const char *name;", "const golden_tensor *tensors;", "int tensor_count, elements;",
       "const int *tokens, *labels;", "int label_count, outputs;", "const double *weights, *logits, *gradient;",
       "double loss;")
for c in CASES:
    own, shared = "golden_" + c["name"], "golden_" + c["shared"]
    print(f'    {{"{c["name"]}", {shared}_tensors, {len(c["shapes"])}, {len(c["weights"])}, {shared}_tokens, '
          f'{shared}_labels, {c["labels"].numel()}, {c["outputs"]},\n'
          f'     {shared}_weights, {own}_logits, {own}_gradient, {c["loss"]:.16g}}},')
print("};")
end()
