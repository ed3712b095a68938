/* What a kind of layer is: its configuration and the four functions that make it. Each kind is defined in a file of its
 * own; kinds.c has the table. */
#ifndef DTRAIN_LAYER_H
#define DTRAIN_LAYER_H

#include "model/model.h"

typedef struct dt_plan dt_plan;
typedef struct dt_sequence dt_sequence;
typedef struct dt_per_sample dt_per_sample;

/* What every kind's configuration begins with. */
typedef struct dt_layer_common {
    char name[DT_TEXT_MAX];
} dt_layer_common;

#define DT_LAYER_MAX_LISTS 2 /* keys of a kind that hold layers */

/* A key of a kind's configuration that holds layers. */
typedef struct dt_layer_list {
    const char *key;
    bool optional;
    bool many; /* a list of lists of layers, each of which may be empty; only as the last key */
    const char *help;
} dt_layer_list;

/* One kind of layer. Adding a kind is one file and one row of kinds.c. */
typedef struct dt_layer_kind {
    const char *name;
    const char *help;
    const dt_field *fields; /* of its configuration; ends with a NULL key */
    /* For kinds that hold layers; ends with a NULL key. The first key is the shorthand: `- residual: [dense: 10]`. */
    const dt_layer_list *lists;
    size_t config_size; /* its first member is char name[DT_TEXT_MAX], its table's last row DT_LAYER_NAME_FIELD */
    int variant;        /* tells apart kinds that share functions (activations: dt_activation) */
    /* Everything that can fail: reads layer->config and layer->in, sets layer->out and what backward reads, declares
     * parameters and scratch. */
    dt_status (*plan)(dt_layer *layer, dt_plan *plan);
    /* Initial values of its parameters. NULL: it has none. */
    void (*init)(const dt_layer *layer, dt_real *weights, uint64_t seed);
    /* y[rows, out] from x[rows, in]. y may be x for a layer that is in_place. */
    void (*forward)(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y);
    /* From dy[rows, out] (may be overwritten): parameter gradients where dt_param_gradient says, and dx[rows, in]
     * unless dx is NULL. For an in_place layer dx is dy. x and y hold what forward saw and gave only where the layer
     * said that it reads them. */
    void (*backward)(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx);
    /* From what backward read and left: a number that no gradient of its parameters exceeds in size; infinity or NaN
     * where there is none, or where it costs more than to look at the gradients. NULL: always so. */
    double (*gradient_bound)(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *dy);
    /* Of kinds with parameters, where gradients are clipped sample by sample (per_sample.h). A kind that says nothing
     * here cannot do that; one that mixes samples never can. */
    bool mixes;
    bool by_row; /* backward may be called for one row, with that row's part of the scratch */
    /* As backward, but without parameter gradients: pass->squares[rows] gain the squared norms of each row's, which are
     * put where dt_per_sample_of says, if it does; else dy becomes what `sums` takes. NULL: by_row is all there is. */
    void (*norms)(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                  dt_real *dx);
    /* Parameter gradients from what became of dy, its rows weighted. */
    void (*sums)(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *dy);
    /* Frees what layer->state, if there is one, holds besides itself. NULL: nothing. */
    void (*finish)(dt_layer *layer);
} dt_layer_kind;

#define DT_LAYER_MAX_PARAMS 32
#define DT_LAYER_MAX_SCRATCH 4

struct dt_layer {
    const dt_layer_kind *kind;
    char name[64];            /* unique in the model: given, or kind + number ("dense1"), behind the names of the
                               * layers it is in ("residual1/dense1") */
    char source[DT_TEXT_MAX]; /* where the recipe says so */
    void *config;             /* kind->config_size bytes, decoded */
    dt_sequence *inner;       /* the lists of layers it holds, in the order of kind->lists */
    int inner_count;
    uint64_t index;         /* position in the model: keys random draws */
    const dt_layer *before; /* the one whose y its x is, if that is in the same list; NULL: none, or not known */
    const dt_table *table;  /* the model's */
    dt_shape in;            /* of one sample */

    /* Set by the kind's plan. */
    dt_shape out;
    bool in_place;                  /* forward works with y == x, and backward with dx == dy */
    bool view;                      /* y is x under another shape; forward and backward do nothing */
    bool reads_input, reads_output; /* what backward reads, so nobody overwrites it in between */
    bool positionwise;   /* what it gives at a position (along all dimensions but the last) follows from its input there
                          * alone, or, when decoding, from what it keeps of the positions before */
    bool chunkable;      /* positionwise, and nothing is kept for backward but x: it may be run on any part of the
                          * positions, forward and backward */
    int64_t by_portions; /* not 0: a batch may be run in portions of a multiple of so many rows, one after the other.
                          * What it uses that goes by rows is x, y and their gradients, its scratch and pass->first */
    bool gives_relu;     /* y is what a ReLU gives, which backward undoes unless `undone` */
    bool undoes_relu; /* of a layer that follows one that gives_relu: backward has done so in dx, and that one's dy */
    const dt_window *window;      /* of a kind that goes over its input by windows; else NULL */
    const char *final_activation; /* "softmax" or "sigmoid" when that is what it ends with, or NULL */
    double flops;                 /* of its products, for one row forward */
    dt_real *const *over;         /* output of a layer in it, that its own may be written over; or NULL */
    void *state; /* of dt_alloc: what plan computed and the kind's other functions use; freed with the layer */

    /* What plan asked for (plan.h). */
    int param[DT_LAYER_MAX_PARAMS]; /* indices into the model's table, in order of declaration */
    int param_count;
    dt_real *scratch[DT_LAYER_MAX_SCRATCH];      /* kept from forward to backward */
    int64_t scratch_width[DT_LAYER_MAX_SCRATCH]; /* of a row; 0: it is not by rows */
    int scratch_count;
    dt_real *workspace; /* shared by all layers: nothing stays in it between calls */
    int64_t state_at;   /* where its part of a row's recurrent state begins */

    dt_per_sample *per_sample; /* what is kept where gradients are clipped sample by sample; or NULL */

    /* The list's. */
    bool undone;     /* of one that gives_relu: the next layer undoes_relu */
    int64_t portion; /* it and the next layer are run so many rows at a time (portions.h); 0: each by itself */
    dt_real *output; /* [max_rows, out], or [portion, out]; NULL where y is x */
    size_t begin;    /* the gradients of its tensors, and of the layers behind it, are from this element on */
    int trace[2];    /* kinds of span: forward, backward */
};

/* A failure that names the layer and its line: "recipe m.yaml:9: dense2: …". */
dt_status dt_layer_fail(const dt_layer *layer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Rows of a batch's input as a matrix with the last dimension's columns. */
int64_t dt_matrix_rows(const dt_layer *layer, const dt_pass *pass);

/* A layer's own parameter in an arena. */
#define DT_PARAM(layer, arena, i) ((arena) + (layer)->table->tensors[(layer)->param[i]].offset)

static inline bool dt_param_is_frozen(const dt_layer *layer, int i) {
    return layer->table->tensors[layer->param[i]].flags & DT_TENSOR_FROZEN;
}
/* Where a pass wants the gradient of a layer's own parameter; NULL: nowhere, for it has none. */
static inline dt_real *dt_param_gradient(const dt_layer *layer, const dt_pass *pass, int i) {
    const dt_tensor *tensor = &layer->table->tensors[layer->param[i]];
    if (tensor->flags & DT_TENSOR_FROZEN) return NULL;
    if (pass->grads_in_parts && tensor->flags & DT_TENSOR_SHARED) return pass->grads_kept;
    return pass->grads + (tensor->offset - pass->grads_begin);
}
/* Whether there is anything to train in the layer, not counting layers in it. */
static inline bool dt_layer_is_trained(const dt_layer *layer) {
    for (int i = 0; i < layer->param_count; i++)
        if (!dt_param_is_frozen(layer, i)) return true;
    return false;
}

/* The row every table of layer fields ends with: the configuration begins with char name[DT_TEXT_MAX]. */
#define DT_LAYER_NAME_FIELD                                                                                            \
    {                                                                                                                  \
        .key = "name", .type = DT_FIELD_TEXT, .offset = 0, .fallback = "", .flags = 0,                                 \
        .help = "name of the layer and its tensors (default: the kind and its number, as in dense1)"                   \
    }

#endif
