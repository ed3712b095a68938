/* A model as PyTorch: a directory with model.py, an nn.Module written out line by line, and its state as
 * model.safetensors, under PyTorch's names and in its layout. It needs nothing but torch. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/safetensors.h"
#include "export_json.h"
#include "pytorch_layers.h"

static const char code_head[] = "import json\n"
                                "import pathlib\n"
                                "import struct\n"
                                "\n"
                                "import torch\n"
                                "from torch import nn\n"
                                "from torch.nn import functional as F\n"
                                "\n";

static const char code_embed[] =
    "\n"
    "def embed(ids, table):\n"
    "    \"\"\"A row of the table for each id; -1 is no token, and a row of zeros.\"\"\"\n"
    "    return F.embedding(ids.clamp(min=0), table) * (ids >= 0).to(table.dtype).unsqueeze(-1)\n"
    "\n";

static const char code_rms_norm[] =
    "\n"
    "class RMSNorm(nn.Module):\n"
    "    def __init__(self, width, eps):\n"
    "        super().__init__()\n"
    "        self.eps = eps\n"
    "        self.weight = nn.Parameter(torch.ones(width))\n"
    "\n"
    "    def forward(self, x):\n"
    "        return x / torch.sqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight\n"
    "\n";

static const char code_attention[] =
    "\n"
    "class Attention(nn.Module):\n"
    "    \"\"\"Multi-head self-attention; rotary_base turns queries and keys by their positions.\"\"\"\n"
    "\n"
    "    def __init__(self, width, heads, kv_heads, causal, rotary_base, bias):\n"
    "        super().__init__()\n"
    "        self.heads, self.kv_heads, self.size = heads, kv_heads, width // heads\n"
    "        self.causal, self.rotary_base = causal, rotary_base\n"
    "        self.qkv = nn.Linear(width, (heads + 2 * kv_heads) * self.size, bias=bias)\n"
    "        self.out = nn.Linear(width, width, bias=bias)\n"
    "\n"
    "    def turned(self, x):\n"
    "        half = self.size // 2\n"
    "        steps = torch.arange(half, dtype=torch.float64, device=x.device)\n"
    "        places = torch.arange(x.shape[2], dtype=torch.float64, device=x.device)\n"
    "        angles = places[:, None] * self.rotary_base ** (-2 * steps / self.size)\n"
    "        cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)\n"
    "        low, high = x[..., :half], x[..., half:]\n"
    "        return torch.cat((low * cosine - high * sine, high * cosine + low * sine), -1)\n"
    "\n"
    "    def forward(self, x, ids=None):\n"
    "        batch, positions, width = x.shape\n"
    "        heads = self.qkv(x).reshape(batch, positions, -1, self.size).transpose(1, 2)\n"
    "        q, k, v = heads.split((self.heads, self.kv_heads, self.kv_heads), 1)\n"
    "        if self.rotary_base is not None:\n"
    "            q, k = self.turned(q), self.turned(k)\n"
    "        k = k.repeat_interleave(self.heads // self.kv_heads, 1)\n"
    "        v = v.repeat_interleave(self.heads // self.kv_heads, 1)\n"
    "        scores = q @ k.transpose(2, 3) / self.size**0.5\n"
    "        if self.causal:\n"
    "            later = torch.ones(positions, positions, dtype=torch.bool, device=x.device).triu(1)\n"
    "            scores = scores.masked_fill(later, -1e30)\n"
    "        if ids is not None:\n"
    "            scores = scores.masked_fill((ids < 0)[:, None, None], -1e30)\n"
    "        seen = torch.softmax(scores, -1) @ v\n"
    "        return self.out(seen.transpose(1, 2).reshape(batch, positions, width))\n"
    "\n";

static const char code_load[] =
    "\n"
    "\n"
    "def load(file=pathlib.Path(__file__).with_name(\"model.safetensors\")):\n"
    "    \"\"\"The trained model, as it is used: model.eval() was called.\"\"\"\n"
    "    blob = bytearray(pathlib.Path(file).read_bytes())\n"
    "    begin = 8 + struct.unpack_from(\"<Q\", blob)[0]\n"
    "    state, types = {}, {\"F32\": torch.float32, \"F64\": torch.float64, \"I64\": torch.int64}\n"
    "    for name, about in json.loads(blob[8:begin]).items():\n"
    "        if name != \"__metadata__\":\n"
    "            first, last = about[\"data_offsets\"]\n"
    "            values = torch.frombuffer(blob[begin + first : begin + last], dtype=types[about[\"dtype\"]])\n"
    "            state[name] = values.reshape(about[\"shape\"])\n"
    "    model = Model()\n"
    "    model.load_state_dict(state)\n"
    "    return model.eval()\n";

/* ---- the module ---- */

/* A scale, as a buffer of the module. */
static void write_scale(dt_pytorch *p, const char *name, const dt_shape *shape, const double *values, bool wide) {
    char sizes[96];
    int64_t count = dt_shape_count(shape);
    dt_shape_text(shape, sizes);
    fprintf(p->init, "        self.register_buffer(\"%s\", torch.empty(%s, dtype=torch.%s))\n", name, sizes,
            wide ? "float64" : "float32");
    if (wide) {
        dt_pytorch_values(p, name, "", DT_F64, shape, values);
        return;
    }
    float *rounded = dt_alloc((size_t)count, sizeof *rounded);
    if (!rounded) p->short_of_memory = true;
    for (int64_t i = 0; rounded && i < count; i++) rounded[i] = (float)values[i];
    if (rounded) dt_pytorch_values(p, name, "", DT_F32, shape, rounded);
    dt_free(rounded);
}

static void write_input_scale(dt_pytorch *p, const dt_pytorch_value *x) {
    const dt_scaling *s = &p->model->trained.scales.input;
    bool wide = dt_export_is_wide(p->model);
    dt_shape shape = dt_export_scale_shape(s, &x->shape);
    write_scale(p, "input_mean", &shape, s->mean, wide);
    write_scale(p, "input_std", &shape, s->std, wide);
    if (s->fill) {
        dt_shape columns = dt_export_column_shape(s, &x->shape);
        write_scale(p, "input_fill", &columns, s->fill, wide);
        fprintf(p->body, "        x = torch.where(x.isnan(), self.input_fill, x.to(self.input_fill.dtype))\n");
    }
    fprintf(p->body, "        x = (x.to(self.input_mean.dtype) - self.input_mean) / self.input_std\n");
    if (wide) fprintf(p->body, "        x = x.float()\n");
}

static void scale_named(dt_pytorch *p, const char *variable, const dt_export_scale *s) {
    char name[3][DT_PYTORCH_NAME + 8], wanted[DT_PYTORCH_NAME + 8];
    static const char *const what[] = {"mean", "std", "fill"};
    for (int i = 0; i < 3; i++) {
        snprintf(wanted, sizeof wanted, "%s_%s", variable, what[i]);
        dt_pytorch_identifier(p, wanted, name[i]);
    }
    if (s->fill) {
        write_scale(p, name[2], &s->fill_shape, s->fill, s->wide);
        fprintf(p->body, "        %s = torch.where(%s.isnan(), self.%s, %s.to(self.%s.dtype))\n", variable, variable,
                name[2], variable, name[2]);
    }
    write_scale(p, name[0], &s->shape, s->mean, s->wide);
    write_scale(p, name[1], &s->shape, s->std, s->wide);
    fprintf(p->body, "        %s = (%s.to(self.%s.dtype) - self.%s) / self.%s\n", variable, variable, name[0], name[0],
            name[1]);
    if (s->wide) fprintf(p->body, "        %s = %s.float()\n", variable, variable);
}

/* Inputs that have names: a variable each, and the row of them all where a layer wants it. */
static dt_status write_inputs(dt_pytorch *p, dt_pytorch_value *x) {
    for (int64_t i = 0; i < dt_export_input_count(p->model); i++)
        dt_pytorch_variable(p, dt_export_input(p->model, i)->name, p->inputs[i]);
    for (int64_t i = 0; i < dt_export_input_count(p->model); i++) {
        dt_export_scale scale;
        dt_status status = dt_export_input_scale(&scale, p->model, dt_export_input(p->model, i));
        if (status.code == DT_OK) scale_named(p, p->inputs[i], &scale);
        dt_export_scale_finish(&scale);
        DT_TRY(status);
    }
    x->apart = true;
    return dt_ok();
}

/* What the module's functions take. */
static void write_arguments(FILE *out, const dt_pytorch *p) {
    const int64_t count = dt_export_input_count(p->model);
    if (count == 0) fprintf(out, "%s", p->ids ? p->ids : "x");
    for (int64_t i = 0; i < count; i++) fprintf(out, "%s%s", i > 0 ? ", " : "", p->inputs[i]);
}

static void write_target_scale(dt_pytorch *p, const dt_shape *output) {
    const dt_scaling *s = &p->model->trained.scales.target;
    dt_shape shape = s->channels > 1 ? *output : (dt_shape){0};
    if (s->channels == 0) return;
    write_scale(p, "target_mean", &shape, s->offsets, s->any_far);
    write_scale(p, "target_std", &shape, s->units, s->any_far);
}

static dt_status write_layers(dt_pytorch *p) {
    const dt_source_about *about = &p->model->trained.source.about;
    dt_pytorch_value x = {.name = "x", .shape = about->input};
    if (about->ids > 0) {
        p->ids = "ids";
        p->positions = dt_shape_count(&about->input);
        x.ids = dt_export_reads_ids(p->model);
        fprintf(p->body, "        x = ids%s\n", x.ids ? "" : ".float()");
    } else if (dt_export_input_count(p->model) > 0) {
        DT_TRY(write_inputs(p, &x));
    } else {
        write_input_scale(p, &x);
    }
    for (int i = 0; i < dt_model_layer_count(p->model->model); i++) {
        DT_TRY(dt_pytorch_write_layer(p, dt_model_layer(p->model->model, i), &x));
        x.ids = false;
    }
    dt_pytorch_last(p, &x);
    write_target_scale(p, &x.shape);
    fprintf(p->body, "        return %s\n", x.name);
    return dt_ok();
}

static void write_forward(dt_pytorch *p) {
    const char *final = dt_export_final(p->model);
    const char *what = strcmp(final, "none") == 0 ? "values" : "probabilities", *before = "", *behind = "";
    if (strcmp(final, "softmax") == 0) {
        before = "torch.softmax(", behind = ", -1)";
    } else if (strcmp(final, "sigmoid") == 0) {
        before = "torch.sigmoid(", behind = ")";
    } else if (p->model->trained.scales.target.channels > 0) {
        before = "(", behind = " * self.target_std + self.target_mean).float()";
    }
    fprintf(p->body, "\n    def forward(self, ");
    write_arguments(p->body, p);
    fprintf(p->body, "):\n        \"\"\"What dtrain predict writes as /output: %s.\"\"\"\n        return %sself.raw(",
            what, before);
    write_arguments(p->body, p);
    fprintf(p->body, ")%s\n", behind);
}

/* ---- the files ---- */

/* A Python literal of a text. */
static void write_literal(FILE *out, const char *text) {
    json_t *value = json_string(text);
    char *literal = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;
    fprintf(out, "%s", literal ? literal : "\"\"");
    free(literal);
    json_decref(value);
}

/* How the module is called, as comments. */
static void write_usage(FILE *out, const dt_pytorch *p) {
    char shape[96];
    const int64_t count = dt_export_input_count(p->model);
    dt_shape_text(&p->model->trained.source.about.input, shape);
    if (count == 0)
        fprintf(out, "#     y = net(x)  # x: [batch] + %s, %s\n", shape,
                p->ids ? "token ids" : "numbers as the data has them");
    if (count == 0) return;
    fprintf(out, "#     y = net(");
    write_arguments(out, p);
    fprintf(out, ")  # numbers as the data has them\n#\n");
    for (int64_t i = 0; i < count; i++) {
        dt_shape_text(&dt_export_input(p->model, i)->shape, shape);
        fprintf(out, "# %s: [batch] + %s\n", p->inputs[i], shape);
    }
}

static void write_code(FILE *out, const dt_pytorch *p, const char *init, const char *body) {
    const dt_trained *t = &p->model->trained;
    char digest[17];
    dt_digest_text(t->head.digest, digest);
    fprintf(out,
            "# Made by dtrain " DT_VERSION " from a checkpoint of step %lld with the digest %s.\n#\n"
            "#     import model\n#     net = model.load()\n",
            (long long)t->head.position.step, digest);
    write_usage(out, p);
    fprintf(out, "%s", code_head);
    json_t *names = dt_export_class_names(p->model);
    fprintf(out, "RECIPE_NAME = ");
    write_literal(out, t->recipe.name);
    char *list = names ? json_dumps(names, JSON_ENSURE_ASCII) : NULL;
    fprintf(out, "\nCLASS_NAMES = %s\n\n", list ? list : "[]");
    free(list);
    json_decref(names);
    if (p->needs & DT_PYTORCH_EMBED) fprintf(out, "%s", code_embed);
    if (p->needs & DT_PYTORCH_RMS_NORM) fprintf(out, "%s", code_rms_norm);
    if (p->needs & DT_PYTORCH_ATTENTION) fprintf(out, "%s", code_attention);
    fprintf(out,
            "\nclass Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n%s"
            "\n    def raw(self, ",
            init);
    write_arguments(out, p);
    fprintf(out, "):\n        \"\"\"What the last layer gives.\"\"\"\n%s%s", body, code_load);
}

static dt_status write_file(const dt_pytorch *p, const char *path, const char *init, const char *body) {
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    if (!out) return dt_fail_memory("a module", 0);
    write_code(out, p, init, body);
    dt_status status = fclose(out) == 0 && text ? dt_write_text_file(path, text) : dt_fail_memory("a module", length);
    free(text);
    return status;
}

static dt_status write_files(dt_pytorch *p, const char *directory, const char *init, const char *body) {
    char path[4096];
    dt_export_texts texts;
    DT_TRY(dt_path_join(path, directory, "model.py"));
    DT_TRY(write_file(p, path, init, body));
    DT_TRY(dt_path_join(path, directory, "model.safetensors"));
    dt_status status = dt_export_texts_of(&texts, p->model);
    if (status.code == DT_OK) status = dt_export_text_add(&texts, "format", "pt");
    if (status.code == DT_OK) status = dt_safetensors_write(path, p->arrays, p->array_count, texts.texts, texts.count);
    dt_export_texts_finish(&texts);
    return status;
}

static void finish(dt_pytorch *p) {
    for (int64_t i = 0; i < p->array_count; i++) dt_free(p->owned[i]);
    dt_free(p->arrays);
    dt_free(p->owned);
    dt_free(p->names);
}

static dt_status write_pytorch(const dt_export *model, const char *directory) {
    dt_pytorch p = {.model = model};
    char *init = NULL, *body = NULL;
    size_t init_length, body_length;
    p.init = open_memstream(&init, &init_length);
    p.body = open_memstream(&body, &body_length);
    dt_status status = p.init && p.body ? write_layers(&p) : dt_fail_memory("a module", 0);
    if (status.code == DT_OK) write_forward(&p);
    if (p.init && fclose(p.init) != 0) p.short_of_memory = true;
    if (p.body && fclose(p.body) != 0) p.short_of_memory = true;
    if (status.code == DT_OK && p.short_of_memory) status = dt_fail_memory("a module", 0);
    if (status.code == DT_OK) status = write_files(&p, directory, init, body);
    finish(&p);
    free(init);
    free(body);
    return status;
}

const dt_export_format dt_export_pytorch = {
    .name = "pytorch",
    .help = "a directory: model.py, an nn.Module that needs torch alone, and its state as model.safetensors",
    .directory = true,
    .write = write_pytorch,
};
