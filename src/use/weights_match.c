/* Which array of a file is which tensor of a model. Names decide, shapes only confirm: two matrices of one shape are
 * nothing alike. The order of an array follows from whose name it has, for a square matrix does not show whether it is
 * [in, out] or [out, in]. */
#include "weights_match.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/headway.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/pattern.h"
#include "gpt2_names.h"
#include "weights_recurrent.h"

/* How an array's order becomes a tensor's. */
typedef enum dt_turn {
    DT_TURN_NONE,
    DT_TURN_OUT_IN, /* PyTorch's matrices: [out, in] becomes [in, out], and of kernels [out, in, …] becomes [… , in,
                       out] */
} dt_turn;

#define NAME 224

/* ---- names ---- */

/* Whether a name fits a pattern with any number of *, and what these stand for, put into `to`. */
static bool rename_by(const char *from, const char *to, const char *name, char out[NAME]) {
    const char *caught[8];
    size_t length[8];
    int count = 0;
    while (*from) {
        if (*from != '*') {
            if (*from++ != *name++) return false;
            continue;
        }
        const char *rest = ++from;
        size_t literal = strcspn(rest, "*");
        const char *end = name + strlen(name);
        if (rest[literal] == '\0') { /* the last: what follows it must end the name */
            if ((size_t)(end - name) < literal) return false;
            end -= literal;
        } else {
            for (end = name; *end && strncmp(end, rest, literal) != 0;) end++;
        }
        if (strncmp(end, rest, literal) != 0 || count == 8) return false;
        caught[count] = name;
        length[count++] = (size_t)(end - name);
        name = end + literal;
        from = rest + literal;
    }
    if (*name) return false;
    size_t used = 0;
    for (int i = 0; *to; to++) {
        bool star = *to == '*' && i < count;
        size_t bytes = star ? length[i] : 1;
        if (used + bytes >= NAME) return false;
        memcpy(out + used, star ? caught[i++] : to, bytes);
        used += bytes;
    }
    out[used] = '\0';
    return true;
}

/* The last part of a name in PyTorch's or Keras's words, and what the tensor may be called. `number`: the word ends in
 * the number of a stacked recurrent layer, from 0. */
static const struct word {
    const char *theirs, *ours[4];
    bool pytorch, number;
} words[] = {
    {"weight", {"w", "scale"}, true, false},
    {"bias", {"b", "shift", "b1", "b_state1"}, false, false},
    {"kernel", {"w", "w_in1"}, false, false},
    {"embeddings", {"w"}, false, false},
    {"gamma", {"scale"}, false, false},
    {"beta", {"shift"}, false, false},
    {"moving_mean", {"running_mean"}, false, false},
    {"moving_variance", {"running_var"}, false, false},
    {"running_mean", {"running_mean"}, false, false},
    {"running_var", {"running_var"}, false, false},
    {"in_proj_weight", {"w_qkv"}, true, false},
    {"in_proj_bias", {"b_qkv"}, false, false},
    {"out_proj.weight", {"w_out"}, true, false},
    {"out_proj.bias", {"b_out"}, false, false},
    {"recurrent_kernel", {"w_state1"}, false, false},
    {"weight_ih_l", {"w_in"}, true, true},
    {"weight_hh_l", {"w_state"}, true, true},
    {"bias_ih_l", {"b"}, false, true},
    {"bias_hh_l", {"b", "b_state"}, false, true},
};
#define WORDS ((int)(sizeof words / sizeof *words))

/* A name without what Keras puts around it ("model_weights/dense1/dense1/kernel:0" is "dense1/dense1/kernel"). */
static void trim(const char *name, char out[NAME]) {
    static const char *const fronts[] = {"model_weights/", "layers/", "model.", "module.", NULL};
    for (const char *const *front = fronts; *front; front++)
        if (strncmp(name, *front, strlen(*front)) == 0) name += strlen(*front);
    snprintf(out, NAME, "%s", name);
    char *colon = strrchr(out, ':');
    if (colon && strcmp(colon, ":0") == 0) *colon = '\0';
}

/* Without the cell that a Keras layer's own variables are in: "gru1/gru_cell/" is "gru1/". */
static size_t without_cell(const char *name, size_t before) {
    static const char *const cells[] = {"simple_rnn_cell", "gru_cell", "lstm_cell", "cell", NULL};
    for (const char *const *cell = cells; *cell; cell++) {
        size_t bytes = strlen(*cell);
        if (before > bytes + 1 && name[before - bytes - 1] == '/' && strncmp(name + before - bytes, *cell, bytes) == 0)
            return before - bytes - 1;
    }
    return before;
}

static bool same_but_dots(const char *one, const char *other, size_t length) {
    for (size_t i = 0; i < length; i++)
        if ((one[i] == '.' ? '/' : one[i]) != (other[i] == '.' ? '/' : other[i])) return false;
    return true;
}

/* Whether the array `name` is by PyTorch's or Keras's way of naming the tensor `ours`; *pytorch: it has its order. */
static bool is_theirs(const char *name, const char *ours, bool *pytorch) {
    char trimmed[NAME], number[16];
    trim(name, trimmed);
    const char *slash = strrchr(ours, '/');
    size_t layer = slash ? (size_t)(slash - ours) : 0, length = strlen(trimmed);
    for (int i = 0; i < WORDS && slash; i++) {
        const struct word *word = &words[i];
        size_t bytes = strlen(word->theirs), digits = 0;
        if (word->number)
            while (digits < length && digits < 4 && strchr("0123456789", trimmed[length - 1 - digits])) digits++;
        if (word->number != (digits > 0) || length < layer + 1 + bytes + digits) continue;
        const char *last = trimmed + length - digits - bytes;
        if (strncmp(last, word->theirs, bytes) != 0 || (last[-1] != '.' && last[-1] != '/')) continue;
        /* Before it the layer, or the layer twice, as Keras writes it. */
        size_t before = without_cell(trimmed, (size_t)(last - 1 - trimmed));
        bool once = before == layer, twice = before == 2 * layer + 1;
        if (!once && !(twice && same_but_dots(trimmed, trimmed + layer + 1, layer))) continue;
        if (!same_but_dots(trimmed, ours, layer)) continue;
        snprintf(number, sizeof number, "%d", digits ? atoi(trimmed + length - digits) + 1 : 0);
        for (int j = 0; j < 4 && word->ours[j]; j++) {
            size_t stem = strlen(word->ours[j]);
            if (strncmp(slash + 1, word->ours[j], stem) != 0 || strcmp(slash + 1 + stem, digits ? number : "") != 0)
                continue;
            *pytorch = word->pytorch && strcmp(word->ours[j], "scale") != 0;
            return true;
        }
    }
    return false;
}

/* ---- shapes ---- */

static bool same_shape(const dt_shape *a, const dt_shape *b) {
    bool same = a->rank == b->rank;
    for (int i = 0; same && i < a->rank; i++) same = a->dim[i] == b->dim[i];
    return same;
}

/* What PyTorch calls a tensor of this shape: of a kernel [height, width, in, out] it is [out, in, height, width]. */
static dt_shape turned(const dt_shape *ours) {
    dt_shape out = {ours->rank, {0}};
    int rank = ours->rank;
    out.dim[0] = ours->dim[rank - 1];
    out.dim[1] = ours->dim[rank - 2];
    for (int i = 2; i < rank; i++) out.dim[i] = ours->dim[i - 2];
    return out;
}

/* ---- matching ---- */

typedef struct matching {
    dt_matches *matches;
    const dt_weights_file *file;
    const dt_table *table;
    const dt_match_options *options;
} matching;

/* Whether array `a` is meant by tensor `t`. */
static bool is_meant(const matching *m, int64_t a, const dt_tensor *t, bool *pytorch) {
    const char *name = m->file->arrays[a].name;
    char other[NAME], gpt2[DT_GPT2_NAME];
    *pytorch = false;
    for (int i = 0; i < m->options->rename_count; i++) {
        if (!rename_by(m->options->renames[i].from, m->options->renames[i].to, name, other)) continue;
        const char *dot = strrchr(name, '.');
        *pytorch = !m->file->ours && dot && strncmp(dot, ".weight", 7) == 0 && !dt_gpt2_ours(name, gpt2);
        return strcmp(other, t->name) == 0 || is_theirs(other, t->name, pytorch);
    }
    if (strcmp(name, t->name) == 0) return true;
    if (dt_gpt2_ours(name, gpt2)) return strcmp(gpt2, t->name) == 0;
    return is_theirs(name, t->name, pytorch);
}

/* An embedding's table is [ids, width] everywhere. */
static int turn_of(const dt_tensor *t, bool pytorch) {
    return pytorch && t->shape.rank >= 2 && !(t->flags & DT_TENSOR_LENT) ? DT_TURN_OUT_IN : DT_TURN_NONE;
}

static void say_shapes(char why[200], const dt_weights_array *array, const dt_shape *wanted) {
    char theirs[96], ours[96], name[64];
    dt_shape_text(&array->shape, theirs);
    dt_shape_text(wanted, ours);
    dt_escape_name(name, sizeof name, array->name);
    snprintf(why, 200, "%s is %s; it would have to be %s", name, theirs, ours);
}

static dt_status fail_reset(const matching *m, int64_t a, const dt_tensor *t) {
    char name[96];
    dt_escape_name(name, sizeof name, m->file->arrays[a].name);
    return dt_fail(
        DT_ERR_INPUT,
        "%s: %s has one bias, so its GRU was made with reset_after false: its reset gate works on the state, "
        "where that of %s works on the state's product; the weights of one do not fit the other",
        m->file->path, name, t->name);
}

static dt_status match_one(const matching *m, int i) {
    const dt_tensor *t = &m->table->tensors[i];
    dt_match *match = &m->matches->of[i];
    *match = (dt_match){.array = -1, .second = -1};
    snprintf(match->why, sizeof match->why, "no array has its name");
    if (m->options->only && !dt_pattern_fits(m->options->only, t->name)) {
        snprintf(match->why, sizeof match->why, "not asked for");
        return dt_ok();
    }
    for (int64_t a = 0; a < m->file->count; a++) {
        bool pytorch;
        if (!is_meant(m, a, t, &pytorch)) continue;
        const dt_weights_array *array = &m->file->arrays[a];
        int turn = turn_of(t, pytorch);
        dt_shape wanted = turn == DT_TURN_OUT_IN ? turned(&t->shape) : t->shape;
        dt_part part = dt_part_of(m->table, t, array->name, &array->shape, &wanted);
        if (part == DT_PART_RESET_BEFORE) return fail_reset(m, a, t);
        if (!same_shape(&array->shape, &wanted)) {
            if (match->array < 0) say_shapes(match->why, array, &wanted);
        } else if (part == DT_PART_ADDED) {
            match->second = a;
        } else if (match->array < 0) {
            match->array = a;
            match->turns = turn;
            match->part = part;
        }
    }
    if (match->array < 0) match->second = -1;
    return dt_ok();
}

dt_status dt_weights_match(dt_matches *out, const dt_weights_file *file, const dt_table *table,
                           const dt_match_options *options) {
    memset(out, 0, sizeof *out);
    out->of = dt_alloc((size_t)table->count, sizeof *out->of);
    out->used = dt_alloc((size_t)file->count + 1, sizeof *out->used);
    if (!out->of || !out->used) return dt_fail_memory("the matches", (size_t)table->count * sizeof *out->of);
    matching m = {out, file, table, options};
    for (int i = 0; i < table->count; i++) {
        DT_TRY(match_one(&m, i));
        if (out->of[i].array < 0) continue;
        out->used[out->of[i].array] = true;
        if (out->of[i].second >= 0) out->used[out->of[i].second] = true;
        out->matched++;
        out->weights += table->tensors[i].count;
    }
    return dt_ok();
}

void dt_matches_finish(dt_matches *matches) {
    dt_free(matches->of);
    dt_free(matches->used);
    memset(matches, 0, sizeof *matches);
}

/* ---- taking ---- */

/* [out, in, positions…] into [positions…, in, out]. */
static void turn_array(dt_real *to, const float *from, const dt_shape *ours) {
    int64_t out = ours->dim[ours->rank - 1], in = ours->dim[ours->rank - 2], positions = 1;
    for (int i = 0; i < ours->rank - 2; i++) positions *= ours->dim[i];
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++)
            for (int64_t p = 0; p < positions; p++) to[(p * in + i) * out + o] = from[(o * in + i) * positions + p];
}

static dt_status take_one(const dt_match *match, const dt_weights_file *file, const dt_table *table, const dt_tensor *t,
                          dt_real *to, float *work) {
    DT_TRY(dt_weights_read(file, match->array, work));
    if (match->turns == DT_TURN_OUT_IN)
        turn_array(to, work, &t->shape);
    else
        dt_part_take((dt_part)match->part, table, t, work, to);
    if (match->second >= 0) {
        DT_TRY(dt_weights_read(file, match->second, work));
        dt_part_take(DT_PART_ADDED, table, t, work, to);
    }
    for (size_t i = 0; i < t->count; i++)
        if (!isfinite(to[i])) {
            char name[64];
            dt_escape_name(name, sizeof name, file->arrays[match->array].name);
            return dt_fail(DT_ERR_INPUT, "%s: %s has a number that is not finite, at element %zu", file->path, name, i);
        }
    return dt_ok();
}

dt_status dt_weights_take(const dt_matches *matches, const dt_weights_file *file, const dt_table *table,
                          dt_real *weights) {
    size_t most = 1;
    for (int i = 0; i < table->count; i++)
        if (table->tensors[i].count > most) most = table->tensors[i].count;
    for (int64_t a = 0; a < file->count; a++) { /* one may have more than the tensor that takes a part of it */
        size_t count = matches->used[a] ? (size_t)dt_shape_count(&file->arrays[a].shape) : 0;
        if (count > most) most = count;
    }
    float *work = dt_alloc(most, sizeof *work);
    if (!work) return dt_fail_memory("an array of weights", most * sizeof *work);
    dt_status status = dt_ok();
    dt_headway headway;
    dt_headway_begin(&headway, "tensors", table->count, "reading weights of %s", file->path);
    for (int i = 0; i < table->count && status.code == DT_OK; i++) {
        if (matches->of[i].array >= 0)
            status =
                take_one(&matches->of[i], file, table, &table->tensors[i], weights + table->tensors[i].offset, work);
        dt_headway_at(&headway, i + 1);
    }
    dt_headway_end(&headway);
    dt_free(work);
    return status;
}

/* ---- telling ---- */

#define SHOWN 24 /* lines of each list */

static void tell_matched(const dt_matches *matches, const dt_weights_file *file, const dt_table *table) {
    int shown = 0;
    for (int i = 0; i < table->count; i++) {
        const dt_match *match = &matches->of[i];
        if (match->array < 0 || shown++ >= SHOWN) continue;
        char name[80], second[96] = "", other[80];
        dt_escape_name(name, sizeof name, file->arrays[match->array].name);
        if (match->second >= 0) {
            dt_escape_name(other, sizeof other, file->arrays[match->second].name);
            snprintf(second, sizeof second, " + %s", other);
        }
        dt_log_info("  %-40s from %s%s%s", table->tensors[i].name, name, second,
                    match->turns == DT_TURN_OUT_IN ? ", turned from [out, in]" : "");
    }
    if (shown > SHOWN) dt_log_info("  … and %d more", shown - SHOWN);
}

static void tell_missing(const dt_matches *matches, const dt_table *table) {
    int shown = 0;
    for (int i = 0; i < table->count; i++) {
        if (matches->of[i].array >= 0) continue;
        if (shown == 0) dt_log_info("not in the file, and as the seed initialises them:");
        if (shown++ < SHOWN) dt_log_info("  %-40s %s", table->tensors[i].name, matches->of[i].why);
    }
    if (shown > SHOWN) dt_log_info("  … and %d more", shown - SHOWN);
}

static void tell_left(const dt_matches *matches, const dt_weights_file *file) {
    int shown = 0;
    for (int64_t a = 0; a < file->count; a++) {
        if (matches->used[a] || dt_gpt2_is_extra(file->arrays[a].name)) continue;
        char name[80], shape[96];
        if (shown == 0)
            dt_log_info("left in the file, for no tensor of the model is called so (--map FROM=TO says which is):");
        dt_escape_name(name, sizeof name, file->arrays[a].name);
        dt_shape_text(&file->arrays[a].shape, shape);
        if (shown++ < SHOWN) dt_log_info("  %-40s %s", name, shape);
    }
    if (shown > SHOWN) dt_log_info("  … and %d more", shown - SHOWN);
}

void dt_matches_tell(const dt_matches *matches, const dt_weights_file *file, const dt_table *table) {
    size_t all = dt_table_elements(table);
    dt_log_info("%s: %d of %d tensors of the model, %.4g %% of its weights:", file->path, matches->matched,
                table->count, 100 * (double)matches->weights / (double)all);
    tell_matched(matches, file, table);
    tell_missing(matches, table);
    tell_left(matches, file);
}
