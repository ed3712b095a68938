/* What the public handles are, and what the files of this room share. */
#ifndef DTRAIN_HANDLES_H
#define DTRAIN_HANDLES_H

#include "dtrain/dtrain.h"
#include "environment.h"
#include "use/outputs.h"
#include "use/trained.h"

/* Nothing in it changes once it is open: threads share it. */
struct dtrain_model {
    dt_trained trained;
    const dt_kernels *kernels;
    dt_scaling scaling; /* of inputs, as it was for the numbers of the training data's file; borrowed */
    dt_outputs outputs;
    dt_shape output_shape;
    int64_t inputs, outputs_count, states; /* numbers of a row */
    dt_input whole;                        /* a row, as if it were one part */
    const dt_input *parts;                 /* [part_count]: the inputs that have names, or `whole` */
    int64_t part_count;
    char *warnings;
};

/* Of one thread at a time. */
struct dtrain_workspace {
    const dtrain_model *model;
    int64_t rows;
    bool gradients;
    dt_model *network; /* planned for `rows` */
    dt_real *x;        /* [rows, inputs], as the network takes them */
    dt_real *y;        /* [rows, outputs]: what users get, or a gradient of it */
    dt_real *dy;       /* [rows, outputs]; with gradients */
    dt_real *state;    /* [rows, states]; NULL without */
    dt_real *grads;    /* the arena of the parameters' gradients, which nobody reads; with gradients */
    double *row;       /* [the larger of inputs and outputs]: a row of the caller's, put together */
};

/* ---- errors (error.c) ---- */

int dt_api_report(dtrain_error *error, const dt_status *status);
int dt_api_fail(dtrain_error *error, dtrain_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* What dt_log_warn says from here on in this thread is added to *text, lines to dt_free; NULL: nobody hears it
 * (quiet.c). */
void dt_quiet_collect(char **text);

/* ---- planning (workspace.c) ---- */

/* A network for `rows` rows of the model. */
dt_status dt_api_plan(const dtrain_model *model, int64_t rows, bool gradients, dt_model **out);

/* ---- the caller's arrays (rows.c) ---- */

/* Arrays that have whole rows together, and which part of a row is in each. */
typedef struct dt_parts {
    const dtrain_array *array; /* [count] */
    const dt_input *part;      /* [count] */
    int64_t count;
} dt_parts;

static inline dt_parts dt_parts_whole(const dtrain_model *model, const dtrain_array *array) {
    return (dt_parts){array, model ? &model->whole : NULL, 1};
}
static inline dt_parts dt_parts_named(const dtrain_model *model, const dtrain_array *arrays) {
    return (dt_parts){arrays, model ? model->parts : NULL, model ? model->part_count : 0};
}
/* `name` for messages. With `some`, an array without data is one that is not wanted. */
dt_status dt_parts_check(const dt_parts *parts, const char *name, bool some);

/* Number i of a row. */
double dt_row_number(const dtrain_array *array, int64_t row, int64_t i);
/* Rows [first, first + count) of x become ws->x. */
dt_status dt_rows_in(dtrain_workspace *ws, const dt_parts *x, int64_t first, int64_t count);
/* Outputs of `count` rows, from[count, outputs], in the units of the targets become rows [first, first + count) of y.
 */
void dt_rows_out(dtrain_workspace *ws, const dt_real *from, const dtrain_array *y, int64_t first, int64_t count);
/* A gradient of the inputs, from[count, inputs], likewise, in the caller's units; parts without data are left out. */
void dt_rows_gradient(dtrain_workspace *ws, const dt_parts *dx, int64_t first, int64_t count, const dt_real *from);
/* Rows of a gradient of the outputs, as it is: into ws->dy. */
void dt_rows_take(dtrain_workspace *ws, const dtrain_array *dy, int64_t first, int64_t count);

/* ---- calls (call.c) ---- */

/* The workspace of a call: the caller's, or one made for it. */
typedef struct dt_call {
    dtrain_workspace *ws, *own;
    dt_environment caller;
} dt_call;

/* Checks what every call has, and enters the environment of training; to be ended also after a failure. `wanted` rows
 * are for a workspace of its own. */
dt_status dt_call_begin(dt_call *call, const dtrain_model *model, dtrain_workspace *workspace, int64_t rows,
                        int64_t wanted, bool gradients);
/* The code to return. */
int dt_call_end(dt_call *call, dt_status status, dtrain_error *error);
dt_status dt_check_array(const dtrain_array *array, const char *name);
/* A pass over `rows` rows of the workspace's network. */
dt_pass dt_call_pass(const dtrain_workspace *ws, int64_t rows);

#endif
