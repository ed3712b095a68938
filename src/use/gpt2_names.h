/* The names that the published GPT-2 gives its tensors, and those of a model of the preset gpt (gpt2_names.c). */
#ifndef DTRAIN_GPT2_NAMES_H
#define DTRAIN_GPT2_NAMES_H

#include <stdbool.h>

#define DT_GPT2_NAME 96 /* bytes */

/* "h.0.attn.c_attn.weight", also behind "transformer.", is "block1_attention/attention1/w_qkv". False: it is none of
 * GPT-2's. */
bool dt_gpt2_ours(const char *theirs, char ours[DT_GPT2_NAME]);
/* And back, with "transformer." in front. */
bool dt_gpt2_theirs(const char *ours, char theirs[DT_GPT2_NAME]);
/* Whether it is an array that GPT-2's files have besides weights: the causal mask, and the output's second name. */
bool dt_gpt2_is_extra(const char *theirs);

#endif
