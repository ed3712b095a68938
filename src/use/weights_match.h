/* Weights of a file as weights of a model: which array is which tensor (weights_match.c). */
#ifndef DTRAIN_WEIGHTS_MATCH_H
#define DTRAIN_WEIGHTS_MATCH_H

#include "base/table.h"
#include "compute/real.h"
#include "data/weights_file.h"

/* --map FROM=TO: the array named FROM is the tensor TO. Each * in FROM stands for any characters, and so does the one
 * at the same place in TO. */
typedef struct dt_rename {
    const char *from, *to;
} dt_rename;

typedef struct dt_match_options {
    const dt_rename *renames; /* [rename_count]; the first that fits counts */
    int rename_count;
    const char *only; /* pattern of the tensors that are taken (base/pattern.h); NULL: all */
} dt_match_options;

/* What a tensor of the model is taken from. */
typedef struct dt_match {
    int64_t array;  /* of the file; -1: none, and `why` */
    int64_t second; /* an array that is added to it (PyTorch's recurrent layers have two vectors for one); -1: none */
    int part;       /* dt_part: what of it, where it is a recurrent layer's (weights_recurrent.h) */
    int turns;      /* dt_turn: how the array's order becomes the tensor's */
    char why[200];
} dt_match;

typedef struct dt_matches {
    dt_match *of;   /* [table->count] */
    bool *used;     /* [file->count] */
    int matched;    /* tensors */
    size_t weights; /* elements of these */
} dt_matches;

/* Finds for each tensor the array by whose name it is meant: by a rename; by the tensor's own name; by GPT-2's; or by
 * the names of PyTorch and Keras for the layer that it is in ("dense1.weight", "dense1/kernel:0"). Arrays of PyTorch
 * are turned into our order, [out, in] into [in, out]. To be finished, also after a failure. */
dt_status dt_weights_match(dt_matches *out, const dt_weights_file *file, const dt_table *table,
                           const dt_match_options *options);
void dt_matches_finish(dt_matches *matches);
/* The matched tensors into an arena; others stay as they are there. Numbers that are not finite are refused by name. */
dt_status dt_weights_take(const dt_matches *matches, const dt_weights_file *file, const dt_table *table,
                          dt_real *weights);
/* What the matches are, on the log: what is from where, what is not there, what is left over, and why. */
void dt_matches_tell(const dt_matches *matches, const dt_weights_file *file, const dt_table *table);

#endif
