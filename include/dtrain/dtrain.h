/* libdtrain: a model that dtrain trained, at work in a program of your own.
 *
 *     dtrain_model *model;
 *     dtrain_error error;
 *     if (dtrain_open(&model, "runs/surrogate", 0, &error) != DTRAIN_OK) return fail(error.message);
 *     dtrain_predict(model, NULL, 1, x, y, &error);
 *     dtrain_close(model);
 *
 * The library knows no MPI, starts no thread, prints nothing, ends no process and keeps nothing between calls but what
 * its handles hold. It gives the bits that `dtrain predict` gives on one thread, whichever thread or process calls it.
 *
 * Errors. A function that can fail returns a dtrain_code, DTRAIN_OK for success. Where its last argument is not NULL,
 * the error there receives code and message, which says what was wrong, with the value, and what would be right; it is
 * not touched by a success. After a failure nothing was handed out, and what an output array holds is not defined.
 *
 * Threads. A dtrain_model never changes once it is open: any number of threads may use one at the same time. A
 * dtrain_workspace is for one thread at a time. dtrain_open is serialised within the library; while it runs, other
 * threads must not call HDF5 themselves, unless it is a thread-safe build.
 *
 * Floating point. Calls compute in float32, rounded to nearest, with subnormals flushed to zero, as training does. The
 * caller's rounding mode, exception masks and flags, and flush-to-zero setting are the same after a call as before it.
 *
 * Rows. A row is one sample: `dtrain_inputs` numbers in, `dtrain_outputs` numbers out, each the elements of an array of
 * the shape that dtrain_input_shape or dtrain_output_shape says, the last dimension varying fastest. Inputs are in the
 * units of the training data, and outputs in those of its targets, or probabilities. */
#ifndef DTRAIN_H
#define DTRAIN_H

#include <stddef.h>
#include <stdint.h>

#define DTRAIN_VERSION_MAJOR 0
#define DTRAIN_VERSION_MINOR 1
#define DTRAIN_VERSION_PATCH 0
#define DTRAIN_MAX_RANK 6

#if defined __GNUC__
#    define DTRAIN_API __attribute__((visibility("default")))
#else
#    define DTRAIN_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dtrain_code {
    DTRAIN_OK = 0,
    DTRAIN_ERR_ARGUMENT = 1, /* the call makes no sense: a NULL, a size, a workspace of another model */
    DTRAIN_ERR_INPUT = 2,    /* the file says something that cannot be used here, or an input is not one */
    DTRAIN_ERR_IO = 3,       /* the operating system refused to read */
    DTRAIN_ERR_CORRUPT = 4,  /* the file is not what it claims to be */
    DTRAIN_ERR_MEMORY = 5,   /* there is not enough of it */
    DTRAIN_ERR_UNKNOWN = 6   /* the checkpoint does not say: an older version wrote it, or it is about something else */
} dtrain_code;

/* Of the caller; one for each thread. */
typedef struct dtrain_error {
    int32_t code;      /* a dtrain_code */
    char message[508]; /* ends with a 0; no line breaks or control characters */
} dtrain_error;

typedef struct dtrain_model dtrain_model;
typedef struct dtrain_workspace dtrain_workspace;

/* The version of the library that runs: "0.1.0". The major number changes when programs must be compiled anew; it is
 * that of the shared library's name. */
DTRAIN_API const char *dtrain_version(void);

/* ---- a model ---- */

enum {
    /* The file is read by a child process with bounds on memory and time, so that a damaged or hostile one, on which
     * HDF5 may crash, is an error message. For files of strangers, in programs without MPI: many MPIs do not allow a
     * process to fork. Without the flag the file is read here; its hashes are checked either way. */
    DTRAIN_OPEN_GUARDED = 1
};

/* Opens a checkpoint, or the newest checkpoint of a run directory that is whole. *model is to be closed; it is NULL
 * after a failure. The file is read here, all of it, and not needed afterwards. Errors: DTRAIN_ERR_ARGUMENT, _INPUT,
 * _IO, _CORRUPT, _MEMORY. */
DTRAIN_API int dtrain_open(dtrain_model **model, const char *path, unsigned flags, dtrain_error *error);
/* Ends a model, after all workspaces of it. Accepts NULL. */
DTRAIN_API void dtrain_close(dtrain_model *model);

/* The checkpoint that was opened, and how many updates its weights had seen. */
DTRAIN_API const char *dtrain_checkpoint(const dtrain_model *model);
DTRAIN_API int64_t dtrain_step(const dtrain_model *model);
/* What there was to say while it was opened, such as damaged newer checkpoints that were passed over: lines, each ended
 * by a line break; "" for nothing. */
DTRAIN_API const char *dtrain_warnings(const dtrain_model *model);

/* Numbers of a row, and their shape: the rank is returned and the dimensions are written to shape[rank]; a rank of 0 is
 * a single number. */
DTRAIN_API int64_t dtrain_inputs(const dtrain_model *model);
DTRAIN_API int64_t dtrain_outputs(const dtrain_model *model);
DTRAIN_API int dtrain_input_shape(const dtrain_model *model, int64_t shape[DTRAIN_MAX_RANK]);
DTRAIN_API int dtrain_output_shape(const dtrain_model *model, int64_t shape[DTRAIN_MAX_RANK]);
/* Where training found them, "train/x", and as which NumPy type, "float32". "" where nothing is known. */
DTRAIN_API const char *dtrain_input_name(const dtrain_model *model);
DTRAIN_API const char *dtrain_input_type(const dtrain_model *model);
DTRAIN_API const char *dtrain_output_name(const dtrain_model *model);
/* Inputs are token ids, whole numbers below this, or -1 for no token; 0: they are any numbers. */
DTRAIN_API int64_t dtrain_input_ids(const dtrain_model *model);

typedef enum dtrain_output_kind {
    DTRAIN_VALUES = 0,        /* in the units of the targets */
    DTRAIN_PROBABILITIES = 1, /* of classes that exclude each other: they add up to 1 along the last dimension */
    DTRAIN_LIKELIHOODS = 2    /* each between 0 and 1 for itself; of a single one, the probability of class 1 */
} dtrain_output_kind;
DTRAIN_API int dtrain_output_kind_of(const dtrain_model *model);

/* Classes of the outputs; 0 where they are values. The name of a class is NULL where the data had none; its label is
 * the number the training data had for it. `i` counts from 0. */
DTRAIN_API int64_t dtrain_classes(const dtrain_model *model);
DTRAIN_API const char *dtrain_class_name(const dtrain_model *model, int64_t i);
DTRAIN_API int64_t dtrain_class_label(const dtrain_model *model, int64_t i);

/* How numbers of the data became those the network sees, (x - mean)/deviation: mean and deviation of each number of a
 * row, [dtrain_inputs]. Either may be NULL. For information: calls apply them. */
DTRAIN_API void dtrain_input_scaling(const dtrain_model *model, double *mean, double *deviation);
/* How what the network gives becomes outputs, given*deviation + mean: likewise, [dtrain_outputs]. */
DTRAIN_API void dtrain_output_scaling(const dtrain_model *model, double *mean, double *deviation);

/* The least and the largest number that training saw where each number of a row is, of its column or channel:
 * [dtrain_inputs]; either may be NULL. DTRAIN_ERR_UNKNOWN where the checkpoint does not say, and of token ids. */
DTRAIN_API int dtrain_input_range(const dtrain_model *model, double *least, double *most, dtrain_error *error);

/* ---- inputs that have names ----
 *
 * A model whose recipe names its inputs, as {image: /a, meta: [/b, /c]}, has so many parts of a row, in that order, one
 * behind the other; any other has one, which is the row and called "input". Parts count from 0. The functions in
 * …_parts below take and give an array for each, of its own layout and type; all others take whole rows, in which a
 * part begins at dtrain_part_first, as it does in what dtrain_input_scaling and dtrain_input_range tell. All parts have
 * one type, dtrain_input_type, the smallest that holds the numbers of all. */
DTRAIN_API int64_t dtrain_parts(const dtrain_model *model);
/* NULL where there is no such part. */
DTRAIN_API const char *dtrain_part_name(const dtrain_model *model, int64_t part);
/* The part that has a name; -1: none. */
DTRAIN_API int64_t dtrain_part_named(const dtrain_model *model, const char *name);
/* Where its numbers begin in a row, how many they are, and their shape, as dtrain_input_shape; -1: no such part. */
DTRAIN_API int64_t dtrain_part_first(const dtrain_model *model, int64_t part);
DTRAIN_API int64_t dtrain_part_numbers(const dtrain_model *model, int64_t part);
DTRAIN_API int dtrain_part_shape(const dtrain_model *model, int64_t part, int64_t shape[DTRAIN_MAX_RANK]);

/* ---- workspaces ---- */

enum {
    DTRAIN_GRADIENTS = 1 /* also for dtrain_vjp and dtrain_jacobian, which need about three times the memory */
};

/* Memory for calls with this model, which compute up to `rows` rows at once and take no memory then. Calls may have any
 * number of rows: more are computed one piece after the other. Convolutions always compute `rows` rows, so choose it as
 * small as the calls are. Errors: DTRAIN_ERR_ARGUMENT, DTRAIN_ERR_MEMORY, DTRAIN_ERR_INPUT. */
DTRAIN_API int dtrain_workspace_create(dtrain_workspace **workspace, const dtrain_model *model, int64_t rows,
                                       unsigned flags, dtrain_error *error);
/* Accepts NULL. */
DTRAIN_API void dtrain_workspace_destroy(dtrain_workspace *workspace);

/* ---- calls ----
 *
 * `workspace` is one of this model, or NULL: a call then makes one of its own, which takes much longer than a small
 * network's arithmetic. Errors of all: DTRAIN_ERR_ARGUMENT, DTRAIN_ERR_MEMORY, and DTRAIN_ERR_INPUT where inputs are to
 * be token ids and one is not. Inputs that are not finite are computed with, as everywhere. */

/* y[rows, outputs] from x[rows, inputs], row by row. */
DTRAIN_API int dtrain_predict(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows, const float *x,
                              float *y, dtrain_error *error);
/* The same on doubles. They are rounded to float32 where the network begins, after scaling if means are far from 0. */
DTRAIN_API int dtrain_predict_double(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows,
                                     const double *x, double *y, dtrain_error *error);

typedef enum dtrain_type { DTRAIN_FLOAT = 0, DTRAIN_DOUBLE = 1 } dtrain_type;

/* Rows where the caller has them: number j of row i is element i*row_stride + j*stride of data. Row-major, [rows, n],
 * is {data, type, n, 1}; column-major, as Fortran's x(rows, n), is {data, type, 1, rows}. */
typedef struct dtrain_array {
    void *data; /* not written to where it is an input */
    int32_t type;
    int64_t row_stride, stride; /* in elements; may be negative */
} dtrain_array;

/* The same from and to arrays of any layout, and for models with a memory (recurrent layers): state_in[rows, states] is
 * what dtrain_states numbers of each row's state were, NULL for the beginning of a series; state_out[rows, states]
 * receives what they are afterwards, unless it is NULL; both may be one array. */
DTRAIN_API int dtrain_predict_arrays(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows,
                                     const dtrain_array *x, const dtrain_array *y, const float *state_in,
                                     float *state_out, dtrain_error *error);
/* The same from an array for each part: x[dtrain_parts], number j of row i of a part being element i*row_stride +
 * j*stride of its own data. The bits are those of the same numbers in one row. */
DTRAIN_API int dtrain_predict_parts(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows,
                                    const dtrain_array *x, const dtrain_array *y, const float *state_in,
                                    float *state_out, dtrain_error *error);
/* Numbers of a row's state; 0: the model has none. */
DTRAIN_API int64_t dtrain_states(const dtrain_model *model);

/* Vector-Jacobian product: dx[rows, inputs] = the sum over outputs o of dy[rows, o] * d y_o / d x, at x, in the
 * caller's units on both sides. y[rows, outputs] receives the outputs unless it is NULL. DTRAIN_ERR_ARGUMENT too where
 * inputs are token ids, or the workspace was made without DTRAIN_GRADIENTS. A recurrent state begins at zero. */
DTRAIN_API int dtrain_vjp(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows, const dtrain_array *x,
                          const dtrain_array *dy, const dtrain_array *dx, const dtrain_array *y, dtrain_error *error);
/* The same by part: x[dtrain_parts] and dx[dtrain_parts]. Where the data of dx is NULL, that part's is not wanted. */
DTRAIN_API int dtrain_vjp_parts(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows,
                                const dtrain_array *x, const dtrain_array *dy, const dtrain_array *dx,
                                const dtrain_array *y, dtrain_error *error);
/* The same from what rows carried, of models with a memory: state_in[rows, states] as for dtrain_predict_arrays, and
 * through it: dx and dstate_in[rows, states] are the gradients of sum dy*y + sum dstate_out*state, state being what is
 * carried afterwards, by x and by state_in. Each of the three may be NULL: zeros, zeros, not wanted. A chain of calls
 * is gone back through from its last, each call's dstate_in being dstate_out of the one before. */
DTRAIN_API int dtrain_vjp_state(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows,
                                const dtrain_array *x, const dtrain_array *dy, const dtrain_array *dx,
                                const dtrain_array *y, const float *state_in, const float *dstate_out, float *dstate_in,
                                dtrain_error *error);
/* jacobian[rows, outputs, inputs] = d y_o / d x_i at each row of x, in the caller's units, row-major and of the type of
 * x. A row takes `outputs` rows of work: a workspace for as many computes a row's at once. Errors as for dtrain_vjp. */
DTRAIN_API int dtrain_jacobian(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows,
                               const dtrain_array *x, void *jacobian, dtrain_error *error);

/* The same from a given state, state_in[rows, states], or NULL. */
DTRAIN_API int dtrain_jacobian_state(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows,
                                     const dtrain_array *x, const float *state_in, void *jacobian, dtrain_error *error);
/* The same by part: jacobian[part] is [rows, outputs, dtrain_part_numbers], of the type of x[part]; NULL: not wanted.
 */
DTRAIN_API int dtrain_jacobian_parts(const dtrain_model *model, dtrain_workspace *workspace, int64_t rows,
                                     const dtrain_array *x, void *const *jacobian, dtrain_error *error);

/* Whether numbers of x leave the range that training saw, as NaN does too: outside[rows, inputs] receives 1 where one
 * does, else 0, unless it is NULL; *count how many do, unless it is NULL. Takes no workspace. Errors:
 * DTRAIN_ERR_ARGUMENT, DTRAIN_ERR_UNKNOWN as for dtrain_input_range. */
DTRAIN_API int dtrain_outside_range(const dtrain_model *model, int64_t rows, const dtrain_array *x,
                                    unsigned char *outside, int64_t *count, dtrain_error *error);

/* A number that training has not seen the like of. */
typedef struct dtrain_outside {
    int64_t row, part, number; /* of the part, from 0: number dtrain_part_first + number of the row */
    double value;              /* what it is */
    double least, most;        /* what training saw there */
} dtrain_outside;

/* Which numbers of x[dtrain_parts] those are: list[room] receives the first of them, row by row and part by part, and
 * *count how many there are, unless it is NULL. Errors as for dtrain_outside_range. */
DTRAIN_API int dtrain_outside_list(const dtrain_model *model, int64_t rows, const dtrain_array *x, dtrain_outside *list,
                                   int64_t room, int64_t *count, dtrain_error *error);

#ifdef __cplusplus
}
#endif

#endif
