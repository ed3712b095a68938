/* An ONNX graph under construction (onnx_graph.c): nodes and constants are appended, by the published schema's
 * messages, which protoc-c made of onnx.proto. Everything lives until the graph is closed. Memory that is short is
 * noticed at the end: what is appended then is lost, and dt_onnx_write fails. */
#ifndef DTRAIN_ONNX_GRAPH_H
#define DTRAIN_ONNX_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/table.h"
#include "data/named_arrays.h"

/* LayerNormalization is there from this one on; ONNX 1.12 of July 2022 defined it. */
#define DT_ONNX_OPSET 17
#define DT_ONNX_IR 8

typedef struct dt_onnx dt_onnx;

typedef enum dt_onnx_type { DT_ONNX_FLOAT = 1, DT_ONNX_INT64 = 7, DT_ONNX_BOOL = 9, DT_ONNX_DOUBLE = 11 } dt_onnx_type;

dt_status dt_onnx_open(dt_onnx **out);
void dt_onnx_close(dt_onnx *graph); /* accepts NULL */
/* The model at `path`, a new file, with `texts` as its metadata. */
dt_status dt_onnx_write(dt_onnx *graph, const char *path, const dt_named_text *texts, int text_count);

/* Names of what follows begin with it: that of a layer. Borrowed. */
void dt_onnx_scope(dt_onnx *graph, const char *name);
/* Memory that lives as long as the graph; NULL when it is short. */
void *dt_onnx_memory(dt_onnx *graph, size_t bytes);

/* An input or output of the graph: [batch, shape…]. */
void dt_onnx_input(dt_onnx *graph, const char *name, dt_onnx_type type, const dt_shape *shape);
void dt_onnx_output(dt_onnx *graph, const char *name, dt_onnx_type type, const dt_shape *shape);

typedef struct dt_onnx_attribute {
    const char *name;
    char kind; /* 'i', 'f', 's', or 'I' for a list; 0 ends a list of attributes */
    int64_t whole;
    double real;
    const char *text;
    int count;
    int64_t list[2 * DT_MAX_RANK];
} dt_onnx_attribute;

/* A node with inputs up to a NULL ("" is one that is left out) and attributes up to one without a kind (NULL: none).
 * Gives the name of its first output. */
const char *dt_onnx_node(dt_onnx *graph, const char *type, const char *const *inputs,
                         const dt_onnx_attribute *attributes);
/* The same with several outputs. */
void dt_onnx_nodes(dt_onnx *graph, const char *type, const char *const *inputs, const dt_onnx_attribute *attributes,
                   const char **outputs, int output_count);
/* A node of one, two or three inputs and no attributes. */
const char *dt_onnx_op(dt_onnx *graph, const char *type, const char *a, const char *b, const char *c);
/* The value `from` under a name of its own, an output's. */
void dt_onnx_name(dt_onnx *graph, const char *from, const char *name);

/* Constants; floats are borrowed until the graph is written. Give their names. */
const char *dt_onnx_floats(dt_onnx *graph, const char *name, const dt_shape *shape, const float *values);
const char *dt_onnx_doubles(dt_onnx *graph, const char *name, const dt_shape *shape, const double *values);
const char *dt_onnx_float(dt_onnx *graph, const char *name, double value); /* a scalar */
const char *dt_onnx_ints(dt_onnx *graph, const char *name, int count, const int64_t *values);
const char *dt_onnx_int(dt_onnx *graph, const char *name, int64_t value); /* a scalar */

#endif
