/* oneDNN 2 has structs that describe arrays and operations; 3 made arrays' descriptions objects of its own, and plans a
 * primitive in one call. */
#include "onednn.h"

dnnl_status_t dt_onednn_format_of(dt_onednn_format *out, const_dnnl_memory_t memory) {
    return dnnl_memory_get_memory_desc(memory, out);
}

#if DNNL_VERSION_MAJOR >= 3

dnnl_status_t dt_onednn_memory(dnnl_memory_t *out, dnnl_engine_t engine, const dt_onednn_shape *shape,
                               dnnl_format_tag_t order) {
    dnnl_memory_desc_t format;
    dnnl_status_t code = dnnl_memory_desc_create_with_tag(&format, shape->rank, shape->dims, shape->type, order);
    if (code != dnnl_success) return code;
    code = dnnl_memory_create(out, format, engine, DNNL_MEMORY_NONE);
    dnnl_memory_desc_destroy(format);
    return code;
}

static dnnl_status_t plan(dnnl_primitive_desc_t *out, dnnl_engine_t engine, const dt_onednn_convolution *conv,
                          const_dnnl_memory_desc_t weights, const_dnnl_primitive_attr_t attributes,
                          const_dnnl_primitive_desc_t forward) {
    switch (conv->pass) {
    case DT_ONEDNN_DATA:
        return dnnl_convolution_backward_data_primitive_desc_create(out, engine, dnnl_convolution_direct, conv->x,
                                                                    weights, conv->y, conv->stride, conv->dilation,
                                                                    conv->before, conv->after, forward, attributes);
    case DT_ONEDNN_WEIGHTS:
        return dnnl_convolution_backward_weights_primitive_desc_create(
            out, engine, dnnl_convolution_direct, conv->x, weights, conv->bias, conv->y, conv->stride, conv->dilation,
            conv->before, conv->after, forward, attributes);
    case DT_ONEDNN_FORWARD:
    default:
        return dnnl_convolution_forward_primitive_desc_create(
            out, engine, dnnl_forward_training, dnnl_convolution_direct, conv->x, weights, conv->bias, conv->y,
            conv->stride, conv->dilation, conv->before, conv->after, attributes);
    }
}

dnnl_status_t dt_onednn_plan(dnnl_primitive_desc_t *out, dnnl_engine_t engine, const dt_onednn_convolution *conv,
                             const_dnnl_primitive_attr_t attributes, const_dnnl_primitive_desc_t forward) {
    const dt_onednn_shape *w = &conv->weights;
    dnnl_memory_desc_t weights;
    dnnl_status_t code = dnnl_memory_desc_create_with_tag(&weights, w->rank, w->dims, w->type, dnnl_format_tag_any);
    if (code != dnnl_success) return code;
    code = plan(out, engine, conv, weights, attributes, forward);
    dnnl_memory_desc_destroy(weights);
    return code;
}

dnnl_status_t dt_onednn_then_sum(dnnl_post_ops_t after) {
    return dnnl_post_ops_append_sum(after, 1, 0, dnnl_data_type_undef);
}

dnnl_status_t dt_onednn_then_leaky_relu(dnnl_post_ops_t after, float slope) {
    return dnnl_post_ops_append_eltwise(after, dnnl_eltwise_relu, slope, 0);
}

#else

dnnl_status_t dt_onednn_memory(dnnl_memory_t *out, dnnl_engine_t engine, const dt_onednn_shape *shape,
                               dnnl_format_tag_t order) {
    dnnl_memory_desc_t format;
    dnnl_status_t code = dnnl_memory_desc_init_by_tag(&format, shape->rank, shape->dims, shape->type, order);
    return code != dnnl_success ? code : dnnl_memory_create(out, &format, engine, DNNL_MEMORY_NONE);
}

static dnnl_status_t describe(dnnl_convolution_desc_t *out, const dt_onednn_convolution *conv,
                              const dnnl_memory_desc_t *weights) {
    switch (conv->pass) {
    case DT_ONEDNN_DATA:
        return dnnl_dilated_convolution_backward_data_desc_init(out, dnnl_convolution_direct, conv->x, weights, conv->y,
                                                                conv->stride, conv->dilation, conv->before,
                                                                conv->after);
    case DT_ONEDNN_WEIGHTS:
        return dnnl_dilated_convolution_backward_weights_desc_init(out, dnnl_convolution_direct, conv->x, weights,
                                                                   conv->bias, conv->y, conv->stride, conv->dilation,
                                                                   conv->before, conv->after);
    case DT_ONEDNN_FORWARD:
    default:
        return dnnl_dilated_convolution_forward_desc_init(out, dnnl_forward_training, dnnl_convolution_direct, conv->x,
                                                          weights, conv->bias, conv->y, conv->stride, conv->dilation,
                                                          conv->before, conv->after);
    }
}

dnnl_status_t dt_onednn_plan(dnnl_primitive_desc_t *out, dnnl_engine_t engine, const dt_onednn_convolution *conv,
                             const_dnnl_primitive_attr_t attributes, const_dnnl_primitive_desc_t forward) {
    const dt_onednn_shape *w = &conv->weights;
    dnnl_memory_desc_t weights;
    dnnl_convolution_desc_t operation;
    dnnl_status_t code = dnnl_memory_desc_init_by_tag(&weights, w->rank, w->dims, w->type, dnnl_format_tag_any);
    if (code == dnnl_success) code = describe(&operation, conv, &weights);
    return code != dnnl_success ? code : dnnl_primitive_desc_create(out, &operation, attributes, engine, forward);
}

dnnl_status_t dt_onednn_then_sum(dnnl_post_ops_t after) {
    return dnnl_post_ops_append_sum(after, 1);
}

dnnl_status_t dt_onednn_then_leaky_relu(dnnl_post_ops_t after, float slope) {
    return dnnl_post_ops_append_eltwise(after, 1, dnnl_eltwise_relu, slope, 0);
}

#endif
