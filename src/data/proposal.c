/* A first recipe, written as text with the reasons beside the numbers. It is a start, not a search: sizes follow from
 * the data by rules of thumb that a reader sees and changes. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "base/escape.h"
#include "base/memory.h"
#include "proposal_internal.h"

#define MOST_TEXT ((size_t)16384)
#define FEW_ROWS 20
#define FEW_CLASSES 100 /* whole numbers of up to so many values may be classes */

static void put(dt_plan *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(dt_plan *p, const char *format, ...) {
    size_t used = strlen(p->text);
    va_list args;
    va_start(args, format);
    vsnprintf(p->text + used, MOST_TEXT - used, format, args);
    va_end(args);
}

/* ---- what they are ---- */

static dt_status measure(dt_plan *p, const dt_survey_set *x, const dt_survey_set *y) {
    char shape[96];
    dt_shape_text(&x->shape, shape);
    if (x->text || x->strings || x->shape.rank == 0 || x->shape.dim[0] < 2 || dt_shape_count(&x->shape) <= 0)
        return dt_fail(DT_ERR_INPUT, "%s: %s (%s) has no samples to learn from", p->file, x->path, shape);
    p->rows = x->shape.dim[0];
    p->inputs = dt_shape_count(&x->shape) / p->rows;
    if (!y) return dt_ok(); /* a text */
    if (y->text || y->shape.rank == 0 || y->shape.dim[0] != p->rows || dt_shape_count(&y->shape) <= 0)
        return dt_fail(DT_ERR_INPUT, "%s: %s has %lld rows, but %s does not", p->file, x->path, (long long)p->rows,
                       y->path);
    int64_t width = dt_shape_count(&y->shape) / p->rows;
    bool named = y->class_count > 0 && y->classes[0].name[0];
    if (y->strings && y->distinct < 2)
        return dt_fail(DT_ERR_INPUT, "%s: %s has %s; classes are 2 to %d", p->file, y->path,
                       y->distinct ? "one text only" : "no text, or too many different ones", DT_SURVEY_DISTINCT);
    if (y->strings && y->distinct == y->rows - y->missing)
        return dt_fail(DT_ERR_INPUT, "%s: %s has a text of its own in every row, which is no class", p->file, y->path);
    bool integers = y->dtype != DT_F32 && y->dtype != DT_F64;
    bool few = named || y->strings || (integers && y->distinct <= FEW_CLASSES);
    p->classes = y->hot || (width == 1 && y->distinct > 1 && few);
    p->outputs = p->classes ? y->distinct : width;
    bool last = x->shape.rank == 4 && x->shape.dim[3] <= 4, first = x->shape.rank == 4 && x->shape.dim[1] <= 4;
    p->channels_first = first && !last && x->shape.dim[2] >= 8 && x->shape.dim[3] >= 8;
    p->pictures = (x->shape.rank == 3 && x->shape.dim[1] >= 8 && x->shape.dim[2] >= 8) ||
                  (last && x->shape.dim[1] >= 8 && x->shape.dim[2] >= 8) || p->channels_first;
    return dt_ok();
}

/* ---- the parts of a recipe ---- */

/* A text in single quotes, as YAML has them. */
static void quote(char *out, size_t size, const char *text) {
    size_t at = 0;
    out[at++] = '\'';
    for (; *text && at + 4 < size; text++) {
        if (*text == '\'') out[at++] = '\'';
        out[at++] = *text;
    }
    out[at++] = '\'';
    out[at] = '\0';
}

static void put_head(dt_plan *p) {
    char name[128] = "", shown[200], shape[96];
    const char *slash = strrchr(p->file, '/'), *base = slash ? slash + 1 : p->file;
    dt_escape_name(shown, sizeof shown, p->file);
    dt_shape row = {p->x->shape.rank - 1, {0}};
    for (int i = 0; i < row.rank; i++) row.dim[i] = p->x->shape.dim[i + 1];
    dt_shape_text(&row, shape);
    for (size_t i = 0; base[i] && base[i] != '.' && i + 1 < sizeof name; i++) {
        bool plain = strchr("-_", base[i]) || (base[i] >= '0' && base[i] <= '9') ||
                     (base[i] >= 'A' && base[i] <= 'Z') || (base[i] >= 'a' && base[i] <= 'z');
        name[i] = plain ? base[i] : '-';
    }
    put(p, "# A first recipe for %s, written by `dtrain init`: ", shown);
    if (p->tokens)
        put(p, "a text of %lld tokens.\n", (long long)p->rows);
    else
        put(p, "%lld samples of shape %s, %s.\n", (long long)p->rows, shape,
            p->classes ? "each of a class" : "with numbers to predict");
    if (p->first) put(p, "#\n# First the dataset is made of it:\n#\n#   %s\n", p->first);
    put(p, "#\n#   mpirun -n 2 dtrain train RECIPE.yaml\n#\n# Every field has a default; `dtrain train --help-recipe` "
           "lists "
           "them all, and any can be changed on the command\n# line: --set optimizer.lr=0.01\n\n");
    put(p, "name: '%s'\n\ndata:\n", *name ? name : "data");
}

static void put_tests(dt_plan *p) {
    if (p->tests) return;
    if (p->rows < FEW_ROWS)
        put(p, "  test_x: ''               # too few samples to keep some for tests\n");
    else
        put(p, "  split: {test: 0.2%s} # no samples are kept for tests: a fifth is drawn at random\n",
            p->classes ? ", stratify: true" : "");
}

static void put_left_out(dt_plan *p) {
    if (!p->left_out[0]) return;
    char names[300] = "", name[60];
    for (int i = 0; i < DT_PLAN_LEFT && p->left_out[i]; i++)
        dt_append(names, sizeof names, "%s%s", i ? ", " : "", dt_escape_name(name, sizeof name, p->left_out[i]->path));
    put(p, "  # left out, for they are texts, or tell every row from all others: %s%s\n", names,
        p->left_out[DT_PLAN_LEFT - 1] ? ", ..." : "");
}

static void put_data(dt_plan *p) {
    char path[4096];
    quote(path, sizeof path, p->file);
    put(p, "  file: %s\n", path);
    if (p->tokens) {
        if (!dt_survey_find(p->survey, "/test/tokens"))
            put(p, "  test_tokens: ''            # there is no text for tests\n");
        put(p, "  context: 64              # tokens a prediction can look back on\n");
        if (!p->survey->vocabulary)
            put(p, "  vocabulary: %lld           # the file has none: ids are below this\n", (long long)p->x->most + 1);
        return;
    }
    quote(path, sizeof path, p->x_name);
    if (strcmp(p->x_name, "/train/x") != 0) put(p, "  train_x: %s\n", path);
    quote(path, sizeof path, p->y->path);
    if (strcmp(p->y->path, "/train/y") != 0) put(p, "  train_y: %s\n", path);
    put_left_out(p);
    put_tests(p);
    if (p->channels_first) put(p, "  channels: first_to_last  # of samples that are [channels, height, width]\n");
    put(p, "  normalize: standardise   # %s to mean 0 and deviation 1; they are from %.4g to %.4g\n",
        p->pictures ? "each channel" : "each column", p->x->least, p->x->most);
    if (p->y->missing)
        put(p, "  missing: drop            # %lld %s: their rows are left out\n", (long long)p->y->missing,
            p->y->strings ? "empty labels" : "missing targets");
    else if (p->x->missing)
        put(p, "  missing: mean            # %lld values are missing: the column's mean stands for them\n",
            (long long)p->x->missing);
    if (!p->classes)
        put(p, "  target: {normalize: standardise}   # learned scaled; figures are in the targets' own units\n");
}

static void put_classes(dt_plan *p) {
    char names[300] = "";
    for (int32_t i = 0; i < p->y->class_count && strlen(names) < 60; i++) {
        char name[40];
        if (p->y->classes[i].name[0])
            dt_append(names, sizeof names, "%s%s", i ? ", " : "",
                      dt_escape_name(name, sizeof name, p->y->classes[i].name));
        else
            dt_append(names, sizeof names, "%s%lld", i ? ", " : "", (long long)p->y->classes[i].value);
    }
    bool all = strlen(names) < 60;
    put(p, "    - dense: %-4lld          # one number a class: %s%s\n  loss: softmax_cross_entropy\n",
        (long long)p->outputs, names, all ? "" : ", ...");
}

static void put_last(dt_plan *p) {
    if (p->classes)
        put_classes(p);
    else
        put(p, "    - dense: %-4lld          # the numbers to predict\n  loss: mean_squared_error\n",
            (long long)p->outputs);
}

static void put_model(dt_plan *p) {
    put(p, "\nmodel:\n  layers:\n");
    if (p->tokens) {
        put(p, "    - gpt: {layers: 2, heads: 4, width: 128}   # a small transformer; more of each learns more, and "
               "slower\n");
    } else if (p->pictures) {
        put(p, "    - conv2d: {out: 16, activation: relu}\n    - max_pool: 2            # half as high and wide\n"
               "    - conv2d: {out: 32, activation: relu}\n    - max_pool: 2\n    - flatten\n"
               "    - dense: {out: 64, activation: relu}\n");
        put_last(p);
    } else {
        int width = p->inputs <= 16 ? 32 : p->inputs <= 256 ? 64 : 128;
        if (p->x->shape.rank > 2) put(p, "    - flatten              # %lld numbers\n", (long long)p->inputs);
        put(p, "    - dense: {out: %d, activation: relu}\n    - dense: {out: %d, activation: relu}\n", width, width);
        put_last(p);
    }
}

static void put_training(dt_plan *p) {
    int64_t batch = p->rows >= 10000 ? 64 : p->rows >= 1000 ? 32 : p->rows >= 64 ? 16 : p->rows >= 10 ? 4 : 1;
    int64_t wanted = p->pictures ? 2000 : 3000, each = (p->rows + batch - 1) / batch;
    int64_t epochs = wanted / each < 3 ? 3 : wanted / each > 100 ? 100 : wanted / each;
    put(p, "\noptimizer: {kind: %s, lr: 0.001}\n\ntrain:\n", p->tokens ? "adamw" : "adam");
    if (p->tokens)
        put(p, "  steps: 2000\n  batch: 16                # windows of the text a step, shared by all ranks\n  "
               "eval_every: 200\n");
    else
        put(p,
            "  epochs: %-4lld             # %lld steps\n"
            "  batch: %-4lld              # samples a step, shared by all ranks\n",
            (long long)epochs, (long long)(epochs * each), (long long)batch);
}

static void write_recipe(dt_plan *p) {
    put_head(p);
    put_data(p);
    put_model(p);
    put_training(p);
}

dt_status dt_proposal_write(const dt_survey *survey, const char *file, const dt_proposal_wish *wish, char **text) {
    dt_plan p = {.survey = survey, .file = file, .first = wish->first};
    *text = NULL;
    for (const char *c = file; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return dt_fail(DT_ERR_INPUT, "%s: the name has characters a recipe cannot have; rename the file", file);
    dt_status status = dt_proposal_choose(&p, wish);
    if (status.code == DT_OK) status = measure(&p, p.x, p.y);
    p.text = status.code == DT_OK ? dt_alloc(MOST_TEXT, 1) : NULL;
    if (status.code == DT_OK && !p.text) status = dt_fail_memory("a recipe", MOST_TEXT);
    if (status.code == DT_OK) write_recipe(&p);
    dt_free(p.joined);
    *text = p.text;
    return status;
}
