/* A model as a GPT-2 (gpt2_model.c), whatever its layers are called. */
#ifndef DTRAIN_GPT2_MODEL_H
#define DTRAIN_GPT2_MODEL_H

#include "base/table.h"
#include "gpt2_names.h"
#include "model/model.h"

/* An array of GPT-2's. Its products are [in, out] (Conv1D), as ours. */
typedef struct dt_gpt2_array {
    char name[DT_GPT2_NAME]; /* "transformer.h.0.attn.c_attn.weight" */
    dt_shape shape;          /* there */
    const dt_tensor *tensor; /* of the model; NULL: it has none, and zeros stand for it (a bias) */
    bool turned;             /* it is [in, out] here and [out, in] there */
} dt_gpt2_array;

typedef struct dt_gpt2 {
    int64_t vocabulary, positions, width, heads, layers, hidden;
    double eps, embedding_dropout, dropout;
    bool tied; /* there is no lm_head.weight: the output uses wte.weight */
    int count;
    dt_gpt2_array *arrays; /* [count] */
} dt_gpt2;

/* What is no GPT-2 is refused by name: learned positions, blocks of a layer norm and causal attention, then of a layer
 * norm and two dense layers with a GELU between, a layer norm, and an unembed at the end; dropout anywhere; biases
 * everywhere or some nowhere. To dt_gpt2_finish, also after a failure. */
dt_status dt_gpt2_of(dt_gpt2 *out, const dt_model *model);
void dt_gpt2_finish(dt_gpt2 *gpt2);

#endif
