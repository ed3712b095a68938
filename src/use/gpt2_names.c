/* GPT-2's names (Radford et al. 2019, as the transformers library writes them). Its matrices are [in, out], as ours
 * are; its attention's first has queries, keys and values side by side, as ours has. */
#include "gpt2_names.h"

#include <stdio.h>
#include <string.h>

/* A block's number is from 0 there and from 1 here. */
static const struct name_pair {
    const char *theirs, *ours; /* with one %d each, or none */
} pairs[] = {
    {"wte.weight", "embedding1/w"},
    {"wpe.weight", "embedding1/p"},
    {"h.%d.ln_1.weight", "block%d_attention/layer_norm1/scale"},
    {"h.%d.ln_1.bias", "block%d_attention/layer_norm1/shift"},
    {"h.%d.attn.c_attn.weight", "block%d_attention/attention1/w_qkv"},
    {"h.%d.attn.c_attn.bias", "block%d_attention/attention1/b_qkv"},
    {"h.%d.attn.c_proj.weight", "block%d_attention/attention1/w_out"},
    {"h.%d.attn.c_proj.bias", "block%d_attention/attention1/b_out"},
    {"h.%d.ln_2.weight", "block%d_mlp/layer_norm1/scale"},
    {"h.%d.ln_2.bias", "block%d_mlp/layer_norm1/shift"},
    {"h.%d.mlp.c_fc.weight", "block%d_mlp/dense1/w"},
    {"h.%d.mlp.c_fc.bias", "block%d_mlp/dense1/b"},
    {"h.%d.mlp.c_proj.weight", "block%d_mlp/dense2/w"},
    {"h.%d.mlp.c_proj.bias", "block%d_mlp/dense2/b"},
    {"ln_f.weight", "layer_norm1/scale"},
    {"ln_f.bias", "layer_norm1/shift"},
};
#define PAIRS ((int)(sizeof pairs / sizeof *pairs))
static const char prefix[] = "transformer.";

/* Whether a name is a pattern's, and the number in it; *number stays where there is none. */
static bool fits(const char *pattern, const char *name, int *number) {
    const char *mark = strchr(pattern, '%');
    if (!mark) return strcmp(pattern, name) == 0;
    size_t before = (size_t)(mark - pattern);
    int used = 0;
    if (strncmp(pattern, name, before) != 0 || sscanf(name + before, "%6d%n", number, &used) != 1) return false;
    return name[before] >= '0' && name[before] <= '9' && strcmp(mark + 2, name + before + used) == 0;
}

static void write_name(char out[DT_GPT2_NAME], const char *front, const char *pattern, int number) {
    const char *mark = strchr(pattern, '%');
    if (mark)
        snprintf(out, DT_GPT2_NAME, "%s%.*s%d%s", front, (int)(mark - pattern), pattern, number, mark + 2);
    else
        snprintf(out, DT_GPT2_NAME, "%s%s", front, pattern);
}

static const char *without_prefix(const char *theirs) {
    return strncmp(theirs, prefix, sizeof prefix - 1) == 0 ? theirs + sizeof prefix - 1 : theirs;
}

bool dt_gpt2_ours(const char *theirs, char ours[DT_GPT2_NAME]) {
    theirs = without_prefix(theirs);
    for (int i = 0, number = 0; i < PAIRS; i++) {
        if (!fits(pairs[i].theirs, theirs, &number)) continue;
        write_name(ours, "", pairs[i].ours, number + 1);
        return true;
    }
    return false;
}

bool dt_gpt2_theirs(const char *ours, char theirs[DT_GPT2_NAME]) {
    for (int i = 0, number = 1; i < PAIRS; i++) {
        if (!fits(pairs[i].ours, ours, &number)) continue;
        write_name(theirs, prefix, pairs[i].theirs, number - 1);
        return true;
    }
    return false;
}

bool dt_gpt2_is_extra(const char *theirs) {
    int number;
    return strcmp(theirs, "lm_head.weight") == 0 || fits("h.%d.attn.bias", without_prefix(theirs), &number) ||
           fits("h.%d.attn.masked_bias", without_prefix(theirs), &number);
}
