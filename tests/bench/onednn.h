/* What oneDNN 2 and 3 call by different names: formats of arrays, the planning of a convolution, what a primitive does
 * after its own work. Everything else convolutions.c asks of oneDNN is the same in both. */
#ifndef DTRAIN_ONEDNN_H
#define DTRAIN_ONEDNN_H

#include <dnnl.h>

/* The format of an array, borrowed from the memory or the primitive that was asked for it. */
#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t dt_onednn_format;
#else
typedef const dnnl_memory_desc_t *dt_onednn_format;
#endif

typedef struct dt_onednn_shape {
    int rank;
    dnnl_dims_t dims;
    dnnl_data_type_t type;
} dt_onednn_shape;

/* A handle on memory of the caller's, to be set before use. */
dnnl_status_t dt_onednn_memory(dnnl_memory_t *out, dnnl_engine_t engine, const dt_onednn_shape *shape,
                               dnnl_format_tag_t order);
dnnl_status_t dt_onednn_format_of(dt_onednn_format *out, const_dnnl_memory_t memory);

typedef enum dt_onednn_pass { DT_ONEDNN_FORWARD, DT_ONEDNN_DATA, DT_ONEDNN_WEIGHTS } dt_onednn_pass;

/* One of a convolution's three passes. Where it is a backward one, x and y stand for gradients as that pass has them.
 */
typedef struct dt_onednn_convolution {
    dt_onednn_pass pass;
    dt_onednn_format x, y;
    dt_onednn_format bias;   /* NULL: none */
    dt_onednn_shape weights; /* in the order oneDNN likes best */
    dnnl_dims_t stride, dilation, before, after;
} dt_onednn_convolution;

/* `forward` is the hint the backward passes need. */
dnnl_status_t dt_onednn_plan(dnnl_primitive_desc_t *out, dnnl_engine_t engine, const dt_onednn_convolution *conv,
                             const_dnnl_primitive_attr_t attributes, const_dnnl_primitive_desc_t forward);

dnnl_status_t dt_onednn_then_sum(dnnl_post_ops_t after);
dnnl_status_t dt_onednn_then_leaky_relu(dnnl_post_ops_t after, float slope);

#endif
