/* Kernel, stride, dilation and padding of convolutions and pools: from the words of the recipe to a place over the
 * picture. Sizes are written as one number for both directions or as height x width (3x5). Padding is symmetric when it
 * is a number; `same` gives ceil(in/stride) pixels and pads the odd one after, as TensorFlow does. */
#include <assert.h>
#include <string.h>

#include "window.h"

#define LARGEST ((int64_t)1 << 31)

bool dt_window_is_pair(const char *text) {
    return strchr(text, 'x') != NULL;
}

/* Digits from *text on, at most LARGEST. */
static bool read_number(const char **text, int64_t *out) {
    const char *start = *text;
    *out = 0;
    for (; **text >= '0' && **text <= '9' && *out <= LARGEST; (*text)++) *out = 10 * *out + (**text - '0');
    return *text > start && *out <= LARGEST;
}

static bool read_sizes(const char *text, int dimensions, int64_t out[2]) {
    if (!read_number(&text, &out[0])) return false;
    out[1] = out[0];
    if (*text == 'x' && dimensions == 2) {
        text++;
        if (!read_number(&text, &out[1])) return false;
    }
    if (dimensions == 1) out[0] = 1;
    return *text == '\0';
}

static dt_status decode_sizes(const dt_layer *layer, const char *key, const char *text, int dimensions,
                              int64_t out[2]) {
    if (read_sizes(text, dimensions, out) && out[0] > 0 && out[1] > 0) return dt_ok();
    return dt_layer_fail(layer, "%s is `%.40s`; it must be a whole number of at least 1%s", key, text,
                         dimensions == 2 ? ", or height x width as in 3x5" : "");
}

/* Pixels from the first to the last of the window. */
static int64_t span_of(const dt_window *window, int d) {
    return (window->kernel[d] - 1) * window->dilation[d] + 1;
}

static void pad_to_same(dt_window *window, int d) {
    assert(window->stride[d] > 0);
    int64_t out = (window->in[d] + window->stride[d] - 1) / window->stride[d];
    int64_t total = (out - 1) * window->stride[d] + span_of(window, d) - window->in[d];
    if (total < 0) total = 0;
    window->before[d] = total / 2;
    window->after[d] = total - total / 2;
}

static dt_status decode_padding(dt_window *window, const dt_layer *layer, const char *text, int dimensions) {
    if (strcmp(text, "same") == 0) {
        for (int d = 0; d < 2; d++) pad_to_same(window, d);
        return dt_ok();
    }
    int64_t pixels[2] = {0, 0};
    if (strcmp(text, "valid") != 0 && !read_sizes(text, dimensions, pixels))
        return dt_layer_fail(layer, "padding is `%.40s`; it must be same, valid or a number of pixels%s", text,
                             dimensions == 2 ? ", or height x width as in 1x2" : "");
    if (dimensions == 1) pixels[0] = 0;
    for (int d = 0; d < 2; d++) {
        if (pixels[d] >= span_of(window, d))
            return dt_layer_fail(layer, "padding is %lld but its window is only %lld wide; padding must be less",
                                 (long long)pixels[d], (long long)span_of(window, d));
        window->before[d] = window->after[d] = pixels[d];
    }
    return dt_ok();
}

dt_status dt_window_plan(dt_window *out, const dt_layer *layer, const dt_window_config *config, int dimensions,
                         const int64_t size[2]) {
    memset(out, 0, sizeof *out);
    const char *stride = config->stride[0] ? config->stride : config->kernel;
    const char *dilation = config->dilation[0] ? config->dilation : "1";
    DT_TRY(decode_sizes(layer, "kernel", config->kernel, dimensions, out->kernel));
    DT_TRY(decode_sizes(layer, "stride", stride, dimensions, out->stride));
    DT_TRY(decode_sizes(layer, "dilation", dilation, dimensions, out->dilation));
    for (int d = 0; d < 2; d++) out->in[d] = size[d];
    for (int d = 0; d < 2; d++)
        if (span_of(out, d) > LARGEST)
            return dt_layer_fail(layer, "its window is %lld pixels wide; that cannot be meant",
                                 (long long)span_of(out, d));
    DT_TRY(decode_padding(out, layer, config->padding, dimensions));
    for (int d = 0; d < 2; d++) {
        int64_t room = out->in[d] + out->before[d] + out->after[d] - span_of(out, d);
        if (room < 0) {
            char shape[96];
            dt_shape_text(&layer->in, shape);
            return dt_layer_fail(layer,
                                 "its window is %lld x %lld but its input has the shape %s; use a smaller kernel, less "
                                 "dilation or `padding: same`",
                                 (long long)span_of(out, 0), (long long)span_of(out, 1), shape);
        }
        assert(out->stride[d] > 0);
        out->out[d] = room / out->stride[d] + 1;
    }
    return dt_ok();
}
