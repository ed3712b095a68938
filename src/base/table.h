/* The table of tensors that share one flat arena: {name, shape, offset, flags}. Weights, gradient, moments and
 * checkpoint all use the same table, so a tensor has one offset and one name everywhere. */
#ifndef DTRAIN_TABLE_H
#define DTRAIN_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Number formats, on disk and in memory. */
typedef enum dt_dtype {
    DT_U8,
    DT_I8,
    DT_U16,
    DT_I16,
    DT_U32,
    DT_I32,
    DT_U64,
    DT_I64,
    DT_F32,
    DT_F64,
    DT_DTYPE_COUNT
} dt_dtype;

size_t dt_dtype_size(dt_dtype dtype);
const char *dt_dtype_name(dt_dtype dtype); /* "uint8", "float32", … as in NumPy */

#define DT_MAX_RANK 6

/* A shape; rank 0 is a scalar. */
typedef struct dt_shape {
    int rank;
    int64_t dim[DT_MAX_RANK];
} dt_shape;

int64_t dt_shape_count(const dt_shape *shape);           /* product of the dimensions; 1 for a scalar */
int64_t dt_shape_last(const dt_shape *shape);            /* the last dimension; 1 for a scalar */
void dt_shape_text(const dt_shape *shape, char out[96]); /* "[28, 28]" */

#define DT_MOST_INPUTS 16
#define DT_INPUT_NAME 32

/* A part of a row of numbers that has a name and a shape of its own. */
typedef struct dt_input {
    char name[DT_INPUT_NAME];
    int64_t first; /* of its numbers, in the row */
    dt_shape shape;
} dt_input;

enum {
    DT_TENSOR_DECAY = 1,     /* weight decay applies (matrices, not biases) */
    DT_TENSOR_STATISTIC = 2, /* a running mean, not a weight: no gradient, but what a batch showed times its samples,
                              * travels in the gradient's place, and an update is w = keep*w + (1 - keep)*sum/samples */
    DT_TENSOR_LENT = 4,      /* its layer lets another use it, too, */
    DT_TENSOR_SHARED = 8,    /* and one does, that has written its part of the gradient before */
    DT_TENSOR_FROZEN = 16,   /* stays as it is: it has no gradient, no moments, and no update touches it */
};

typedef struct dt_tensor {
    char name[96]; /* "<layer>/<tensor>", for example "dense1/w" */
    dt_shape shape;
    size_t offset; /* in elements, a multiple of 16 (64 bytes of float32) */
    size_t count;  /* elements */
    unsigned flags;
    double keep; /* of a statistic: the share of itself that an update leaves */
} dt_tensor;

typedef struct dt_table {
    dt_tensor *tensors;
    int count;
    int capacity;
    size_t total;   /* elements of an arena, padding included */
    size_t trained; /* of them those of a gradient: what is not frozen comes first, [0, trained) of every arena */
} dt_table;

/* Passes over an arena work in blocks of so many elements, which stay in the cache from one kernel to the next. Ranks'
 * slices are made of whole blocks, and sums over an arena are sums over blocks, in order: the same for all slices. */
#define DT_TABLE_BLOCK ((size_t)4096)

/* Appends a tensor at the next aligned offset. The padding between tensors is zero in every arena and stays so. */
dt_status dt_table_add(dt_table *table, const char *name, const dt_shape *shape, unsigned flags);
/* After the last was added to a table with frozen tensors: those have offsets only now, behind the others. */
void dt_table_settle(dt_table *table);
/* The tensors of a table that are not frozen, at the same offsets: the table of gradients and moments. */
dt_status dt_table_select_trained(const dt_table *table, dt_table *out);
void dt_table_finish(dt_table *table);
/* The first tensor that ends behind the element `offset` of an arena; table->count when none does. Of a table without
 * frozen tensors, whose offsets rise. */
int dt_table_at(const dt_table *table, size_t offset);
/* Elements without the padding. */
size_t dt_table_elements(const dt_table *table);

#endif
